"""Copying one side of links over to the other: so a pause, or a link that began apart, is made up for."""

import msgspec

from shared.domain.errors import SyncError
from shared.domain.model import Side
from shared.domain.rules.listing import Filter
from shared.flows.going_on import is_of_one
from shared.flows.listing import page_of
from shared.flows.syncing import made_due, patiently
from shared.services import Services
from shared.store.organizations import Organization

_TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
_AT_ONCE = 100


class Copied(msgspec.Struct, frozen=True):
    issue_id: str
    work_item_id: int
    outcome: str


class CopiedPage(msgspec.Struct, frozen=True):
    """``remaining`` says that more may match, behind ``continuation`` (None: from the first link on)."""

    links: tuple[Copied, ...]
    continuation: str | None = None
    remaining: bool = False


def copy_one(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, side: Side
) -> str:
    """Copy status and assignee of one side over, and return the outcome; raise what stopped it.

    It is as if somebody had just edited both on that side, and settled like that; only that whoever asks for
    it has decided what the document and the other partners would have decided.
    """
    return patiently(services, lambda: _copy(services, organization, issue_id, work_item_id, side))


def _copy(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, side: Side
) -> str:
    stored = services.links.get(organization.scope, issue_id, work_item_id)
    unit = services.new_unit_of_work()
    unit.doubted.add(work_item_id)
    unit.copy_from = side
    return services.settler(organization).settle(made_due(services, stored), unit)


def copy_all(
    services: Services, organization: Organization, wanted: Filter, continuation: str | None, side: Side
) -> CopiedPage:
    """Copy one side of all links that match over, for up to a minute; the next request goes on."""
    stop_at = services.clock() + _TIME_LIMIT
    done: list[Copied] = []
    while True:
        page = page_of(services, organization, wanted, continuation, _AT_ONCE)
        for stored in page.links:
            if done and services.clock() > stop_at:
                return CopiedPage(tuple(done), continuation, remaining=True)
            issue_id, work_item_id = stored.link.issue_id, stored.link.work_item_id
            try:
                outcome, is_over = copy_one(services, organization, issue_id, work_item_id, side), False
            except SyncError as error:
                outcome, is_over = error.kind, not is_of_one(services, organization, error)
            done.append(Copied(issue_id, work_item_id, outcome))
            if is_over:
                return CopiedPage(tuple(done), continuation, remaining=True)
            continuation = stored.place
        continuation = page.continuation
        if continuation is None:
            return CopiedPage(tuple(done))
