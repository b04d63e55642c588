"""Linking an issue to a work item, and unlinking them."""

from contextlib import suppress
from typing import Literal

from msgspec.structs import replace

from shared.domain.activity import failure_entry
from shared.domain.errors import Conflict, Undecidable
from shared.domain.failures import health_after
from shared.domain.model import (
    ActivityEntry,
    Ends,
    Health,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    SentryIssue,
    Side,
    Stranger,
    WorkItem,
)
from shared.domain.rules.done import counted
from shared.services import Services
from shared.store.idempotency import creation_of
from shared.store.links import StoredLink
from shared.store.organizations import Organization

Initial = Literal["ado", "sentry"]
_NOBODY_YET = Stranger("initial", "")
_ATTEMPTS = 5


def link(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, initial: Initial | None
) -> IssueLink:
    """Link the two and record their current ends.

    Raises NotFound if either does not exist, AlreadyLinked if the link exists, Undecidable if nobody knows
    what the work item's state counts as. Nothing is written to either side until one of them changes, unless
    ``initial`` names the side whose status and assignee are copied at once.
    """
    ado = services.ado_at_once(organization)
    item = ado.get_work_item(work_item_id)
    issue = services.sentry(organization).get_issue(issue_id)
    types = services.processes.types_with(
        ado, organization.slug, item.project_id, item.work_item_type, item.state
    )
    now = services.clock()
    side, health = ItemSide(item.rev, item.state, None, item.assignee), Health()
    entries = [ActivityEntry(now, "linked", rev=item.rev)]
    try:
        side = counted(organization.configuration, item.project_id, item.work_item_type, side, types)
    except Undecidable as problem:
        health = health_after(problem, health, now) or health
        entries.append(failure_entry(problem, now))
    new = _new_link(organization.slug, issue, item, side, health)
    if initial is not None:
        new = replace(new, seen=_as_if_changed(new.seen, Side(initial)))
    stored = services.links.add(new)
    services.activity.add(organization.slug, issue.issue_id, item.id, *entries)
    if initial is not None:
        _copy(services, organization, stored, issue, item)
    return stored.link


def _new_link(slug: str, issue: SentryIssue, item: WorkItem, side: ItemSide, health: Health) -> IssueLink:
    """Return a link between the two; ``side`` is the work item's."""
    return IssueLink(
        organization=slug,
        issue_id=issue.issue_id,
        work_item_id=item.id,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        seen=Ends(issue.side, side),
        title=item.title,
        area_path=item.area_path,
        open_state=item.state if side.status is IssueStatus.UNRESOLVED else None,
        health=health,
    )


def _copy(
    services: Services, organization: Organization, stored: StoredLink, issue: SentryIssue, item: WorkItem
) -> None:
    """Settle a link that was made as if one side had just changed, on the looks that it was made on."""
    unit = services.new_unit_of_work()
    unit.issues[issue.issue_id] = issue
    unit.answered(item)
    with suppress(Undecidable):  # The link says so, and the two are linked.
        services.settler(organization).settle(stored, unit)


def _as_if_changed(now: Ends, side: Side) -> Ends:
    """Return the ends that would have been seen if this side had just changed both its fields.

    Nobody can set these values, so the copy happens even if the side changes in the meantime.
    """
    if side is Side.SENTRY:
        archived = now.issue.status is IssueStatus.IGNORED
        before = IssueStatus.RESOLVED if archived else IssueStatus.IGNORED
        return replace(now, issue=IssueSide(before, _NOBODY_YET))
    return replace(now, item=ItemSide(now.item.rev - 1, "", IssueStatus.IGNORED, _NOBODY_YET))


def unlink(services: Services, organization: Organization, issue_id: str, work_item_id: int) -> None:
    """Remove the link, or raise NotFound. A worker that is writing for the link gets NotFound too."""
    for _ in range(_ATTEMPTS):
        stored = services.links.get(organization.slug, issue_id, work_item_id)
        try:
            services.links.remove(stored)
        except Conflict:
            continue  # A worker has just settled it: read the link again and remove that version.
        services.idempotency.forget(organization.slug, creation_of(issue_id), str(work_item_id))
        entry = ActivityEntry(services.clock(), "unlinked")
        services.activity.add(organization.slug, issue_id, work_item_id, entry)
        return
    raise Conflict("the link keeps changing")
