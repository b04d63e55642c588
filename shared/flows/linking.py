"""Linking an issue to a work item, and unlinking them."""

from collections.abc import Callable, Collection, Iterator
from typing import Literal

import msgspec
from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.domain.activity import failure_entry
from shared.domain.claims import is_held
from shared.domain.errors import AlreadyLinked, Busy, Conflict, NotFound, Rejected, Undecidable
from shared.domain.failures import health_after
from shared.domain.messages import OutboundMessage
from shared.domain.model import (
    NOT_SEEN,
    ActivityEntry,
    BackLinks,
    Ends,
    FormEntry,
    Health,
    IssueLink,
    IssueStatus,
    ItemSide,
    Remnant,
    SentryIssue,
    Side,
    WorkItem,
)
from shared.domain.rules.done import counted
from shared.domain.rules.landing import as_if_created, as_if_edited
from shared.domain.rules.partners import may_have_changed, still_shown
from shared.flows.back_links import back_links_of, look_later, remnant_of, unread_remnant
from shared.flows.identifying import fill_in
from shared.services import Services
from shared.settling.observing import shown_title
from shared.store.activity import UNLINKED
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.links import StoredEnd, StoredLink
from shared.store.organizations import Organization, unknown
from shared.store.tables import Delete

Initial = Literal["ado", "sentry"]
_ATTEMPTS = 5
_NEXT = 0.001  # seconds
_READ_STAYS_FRESH = 120.0  # seconds; three calls take half a minute each at most


class ByRule(msgspec.Struct, frozen=True):
    """Why an item that a rule had created is linked.

    ``names`` are the ids that the issue has or had before it was merged, under which the item may show it.
    """

    rule: str
    names: tuple[str, ...]


def initial_from(value: object) -> Initial | None:
    """Return the side that a caller names to be copied at once, or None; raise Rejected for anything else."""
    match value:
        case None | "ado" | "sentry":
            return value
    raise Rejected('initial must be "ado" or "sentry"')


def link(
    services: Services,
    organization: Organization,
    issue_id: str,
    work_item_id: int,
    initial: Initial | None,
    ado: AdoClient | None = None,
    *,
    by_form: Callable[[IssueLink], None] | None = None,
    by_rule: ByRule | None = None,
    claims: Collection[ClaimedRecord] = (),
    is_created: bool = False,
    rebuilt: bool = False,
) -> IssueLink:
    """Link the two and record their current ends.

    ``by_form`` says that Sentry's form asked for it, and is called with the link before anything is copied.

    Raises NotFound if either does not exist, AlreadyLinked if the link exists. Nothing is written to either
    side until one of them changes, unless ``initial`` names the side whose status and assignee are copied at
    once. An item that the form has just created (``is_created``) gets its issue's assignee; nobody looks at
    one that a rule created, so whatever became of either since is carried over. Where nobody knows what the
    work item's state counts as, the link says so. ``ado`` is the client of a caller who links many. One that
    is ``rebuilt`` shows on its ends already.

    The link is made only while the ``claims`` are held under which its item was created, and marks them as
    done; otherwise this raises Busy. So a worker that stood still for too long brings nothing back that
    somebody unlinked meanwhile.
    """
    marks = services.idempotency.marks(claims, str(work_item_id))
    ado = ado or services.ado_at_once(organization)
    for _ in range(_ATTEMPTS):
        pair = _read(services, organization, ado, issue_id, work_item_id)
        seen = _first_seen(pair.link.seen, initial, by_rule, is_created=is_created)
        verify_connected(services, organization)
        if services.clock() - pair.read_at > _READ_STAYS_FRESH:
            continue  # What was told since then met no link, and may not be told again.
        try:
            names = () if by_rule is None else by_rule.names
            # One that is made again may show by what the last one left.
            left = services.links.find_remnant(organization.scope, pair.link.issue_id, work_item_id)
            older = frozenset() if left is None else left.remnant.names
            merged = tuple(sorted({issue_id, *names, *older} - {pair.link.issue_id}))
            shown = back_links_of(organization, services.clock(), merged)
            if rebuilt:
                shown = BackLinks(merged=merged)
            form = form_entry(services, organization, pair.link.issue_id) if by_form else None
            now = services.clock()
            made = replace(pair.link, seen=seen, form=form, linked_at=now, back_links=shown)
            stored = services.links.add(made, list(_edited_ends(services, pair)), marks)
        except AlreadyLinked:
            if not services.links.mend(organization.scope, pair.link.issue_id, work_item_id):
                continue  # What was there of a link told of none.
            stored = services.links.get(organization.scope, pair.link.issue_id, work_item_id)
            if stored.link != made:
                raise
            # It is our own: storage repeats an insert by itself, and the first one had landed.
        except Conflict:
            services.idempotency.verify_held(organization.scope, claims)
            continue  # We wrote to one of the ends at this moment: read them again.
        reason = None if by_rule is None else f"rule: {by_rule.rule}"
        began = ActivityEntry(services.clock(), "linked", rev=pair.item.rev, reason=reason)
        entries = (began, *([] if pair.problem is None else [failure_entry(pair.problem, services.clock())]))
        services.activity.add(organization.scope, stored.link.issue_id, work_item_id, *entries)
        if stored.link.back_links is not None and not rebuilt:
            look_later(services, organization, stored.link.issue_id, work_item_id)
        if by_form is not None:
            by_form(stored.link)
        if seen != pair.link.seen:
            _copy(services, organization, stored, pair)
        fill_in(services, organization)
        return stored.link
    raise Conflict("the ends of the link keep changing")


def form_entry(services: Services, organization: Organization, issue_id: str) -> FormEntry:
    """Return the mark of a form that comes now: behind all before it, be they from a clock that is ahead."""
    found = services.links.for_issue(organization.scope, issue_id)
    latest = max((each.link.form.at for each in found if each.link.form is not None), default=0.0)
    return FormEntry(max(services.clock(), latest + _NEXT))


def verify_connected(services: Services, organization: Organization) -> None:
    """Raise NotFound if the connection has ended since ``organization`` was read.

    A link that is made in the moment after this check belongs to an epoch that nobody reads any more.
    """
    now = services.organizations.get(organization.slug)
    if now.epoch != organization.epoch:
        raise unknown(organization.slug)


class _Pair(msgspec.Struct, frozen=True):
    """An issue and a work item as they were read, their link, and why a state means nothing to us, if so."""

    read_at: float
    issue: SentryIssue
    item: WorkItem
    link: IssueLink
    problem: Undecidable | None


def _read(
    services: Services, organization: Organization, ado: AdoClient, issue_id: str, work_item_id: int
) -> _Pair:
    read_at = services.clock()
    item = ado.get_work_item(work_item_id)
    issue = services.sentry(organization).get_issue(issue_id)
    types = services.processes.types_with(
        ado, organization.scope, item.project_id, item.work_item_type, item.state
    )
    reasons = item.reasons if organization.configuration.archive_reasons else None
    side = ItemSide(item.rev, item.state, None, item.assignee, reasons=reasons)
    health, problem = Health(), None
    try:
        side = counted(organization.configuration, item.project_id, item.work_item_type, side, types)
    except Undecidable as error:
        problem = error
        health = health_after(error, health, services.clock()) or health
    return _Pair(read_at, issue, item, _new_link(organization, issue, item, side, health), problem)


def _edited_ends(services: Services, pair: _Pair) -> Iterator[StoredEnd]:
    """Yield the rows of ends that people have changed since we wrote to them, while no link noticed.

    Otherwise the new link would take a later return to our value for our own write.
    """
    link = pair.link
    for side in Side:
        stored = services.links.end(link.scope, link.end(side))
        if is_held(stored.record.until, services.clock()):
            continue  # It is being written to: whatever shows next is ours, as the row says.
        if may_have_changed(stored.record, pair.read_at, None, services.clock()):
            raise Conflict("the end was written to after it was read")
        kept = still_shown(stored.record, link.seen.on(side))
        if kept != stored.record:
            yield replace(stored, record=kept)


def _new_link(
    organization: Organization, issue: SentryIssue, item: WorkItem, side: ItemSide, health: Health
) -> IssueLink:
    """Return a link between the two; ``side`` is the work item's."""
    return IssueLink(
        organization=organization.slug,
        epoch=organization.epoch,
        issue_id=issue.issue_id,
        work_item_id=item.id,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        seen=Ends(issue.side, side),
        title=item.title,
        short_id=issue.short_id,
        issue_title=shown_title(issue.title),
        area_path=item.area_path,
        open_state=item.state if side.status is IssueStatus.UNRESOLVED else None,
        health=health,
    )


def _copy(services: Services, organization: Organization, stored: StoredLink, pair: _Pair) -> None:
    """Settle a link that was made as if one side had just changed, with the ends as they were read."""
    unit = services.new_unit_of_work()
    unit.issue_answered(stored.link.issue_id, pair.issue, pair.read_at)
    unit.item_answered(pair.item, pair.read_at)
    try:
        services.settler(organization).settle(stored, unit)
    except Busy as busy:
        message = OutboundMessage(organization.slug, stored.link.issue_id, epoch=organization.epoch)
        services.outbound.put(message, delay=busy.retry_after)
    except Undecidable:
        pass  # The link says so, and the two are linked.


def _first_seen(now: Ends, initial: Initial | None, by_rule: ByRule | None, *, is_created: bool) -> Ends:
    """Return the ends that a new link is stored with: those of now, except what is to be copied."""
    if initial is not None:
        return as_if_edited(now, Side(initial))
    if by_rule is not None:
        return as_if_created(now)
    if is_created and now.issue.assignee is not None and now.item.assignee is None:
        return replace(now, issue=replace(now.issue, assignee=NOT_SEEN))
    return now


def unlink(services: Services, organization: Organization, issue_id: str, work_item_id: int) -> None:
    """Remove the link, or raise NotFound. A worker that is writing for the link gets NotFound too.

    One that cannot be read can be removed as well, and one that is stored at this moment.
    """
    try:
        stored = services.links.get(organization.scope, issue_id, work_item_id)
    except (Undecidable, NotFound):
        remnant: Remnant | None = unread_remnant(services, issue_id, work_item_id)
    else:
        remnant = remnant_of(services, stored.link)
    services.links.discard(
        organization.scope,
        issue_id,
        work_item_id,
        remnant,
        lambda: _creation(services, organization, issue_id, work_item_id),
    )
    _end(services, organization, issue_id, work_item_id, None)


def part(services: Services, organization: Organization, stored: StoredLink, reason: str) -> None:
    """Remove a link that a person ended in Sentry; raise Conflict if it changed, NotFound if it is gone."""
    issue_id, work_item_id = stored.link.issue_id, stored.link.work_item_id
    creation = _creation(services, organization, issue_id, work_item_id)
    services.links.remove(stored, remnant_of(services, stored.link), creation)
    _end(services, organization, issue_id, work_item_id, reason)


def _creation(
    services: Services, organization: Organization, issue_id: str, work_item_id: int
) -> list[Delete]:
    """Return the record that the item was created for the issue, which ends with their link.

    Whoever finds it without the link takes its worker for dead, and links the two.
    """
    return services.idempotency.forgetting(organization.scope, creation_of(issue_id), str(work_item_id))


def _end(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, reason: str | None
) -> None:
    """Tell that a link ended, and whoever it concerns."""
    entry = ActivityEntry(services.clock(), UNLINKED, reason=reason)
    services.activity.add(organization.scope, issue_id, work_item_id, entry)
    services.partners(organization).unlinked(issue_id, work_item_id)
    if services.links.find_remnant(organization.scope, issue_id, work_item_id) is not None:
        look_later(services, organization, issue_id, work_item_id)
