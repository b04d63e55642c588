"""Linking an issue to a work item, and unlinking them."""

from typing import Literal

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.domain.errors import Conflict
from shared.domain.model import (
    ActivityEntry,
    Ends,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    SentryIssue,
    Side,
    Stranger,
    WorkItem,
)
from shared.domain.rules.done import status_of_state
from shared.flows.identifying import fill_in
from shared.services import Services
from shared.store.idempotency import creation_of
from shared.store.organizations import Organization, unknown

Initial = Literal["ado", "sentry"]
_NOBODY_YET = Stranger("initial", "")
_ATTEMPTS = 5


def link(
    services: Services,
    organization: Organization,
    issue_id: str,
    work_item_id: int,
    initial: Initial | None,
    ado: AdoClient | None = None,
) -> IssueLink:
    """Link the two and record their current ends.

    Raises NotFound if either does not exist, AlreadyLinked if the link exists, Undecidable if nobody knows
    what the work item's state counts as. Nothing is written to either side until one of them changes, unless
    ``initial`` names the side whose status and assignee are copied at once. ``ado`` is the client of a caller
    who links many.
    """
    ado = ado or services.ado_at_once(organization)
    item = ado.get_work_item(work_item_id)
    issue = services.sentry(organization).get_issue(issue_id)
    types = services.processes.types_with(
        ado, organization.slug, item.project_id, item.work_item_type, item.state
    )
    status = status_of_state(
        organization.configuration, item.project_id, item.work_item_type, item.state, types
    )
    new = _new_link(organization, issue, item, status)
    if initial is not None:
        new = replace(new, seen=_as_if_changed(new.seen, Side(initial)))
    verify_connected(services, organization)
    stored = services.links.add(new)
    entry = ActivityEntry(services.clock(), "linked", rev=item.rev)
    services.activity.add(organization.scope, issue.issue_id, item.id, entry)
    if initial is not None:
        unit = services.new_unit_of_work()
        unit.issues[issue.issue_id] = issue
        if initial == "ado":  # For Sentry, a snapshot at the seen rev would count as an echo.
            unit.items[item.id] = item
        services.settler(organization).settle(stored, unit)
    fill_in(services, organization)
    return stored.link


def verify_connected(services: Services, organization: Organization) -> None:
    """Raise NotFound if the connection has ended since ``organization`` was read.

    A link that is made in the moment after this check belongs to an epoch that nobody reads any more.
    """
    now = services.organizations.get(organization.slug)
    if now.epoch != organization.epoch:
        raise unknown(organization.slug)


def _new_link(
    organization: Organization, issue: SentryIssue, item: WorkItem, status: IssueStatus
) -> IssueLink:
    """Return a link between the two; ``status`` is what the work item's state counts as."""
    return IssueLink(
        organization=organization.slug,
        epoch=organization.epoch,
        issue_id=issue.issue_id,
        work_item_id=item.id,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        seen=Ends(issue.side, ItemSide(item.rev, item.state, status, item.assignee)),
        title=item.title,
        area_path=item.area_path,
        open_state=item.state if status is IssueStatus.UNRESOLVED else None,
    )


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
        stored = services.links.get(organization.scope, issue_id, work_item_id)
        try:
            services.links.remove(stored)
        except Conflict:
            continue  # A worker has just settled it: read the link again and remove that version.
        services.idempotency.forget(organization.scope, creation_of(issue_id), str(work_item_id))
        entry = ActivityEntry(services.clock(), "unlinked")
        services.activity.add(organization.scope, issue_id, work_item_id, entry)
        return
    raise Conflict("the link keeps changing")
