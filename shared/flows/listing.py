"""Listing the links that a filter keeps, page by page, however many there are."""

from itertools import islice

import msgspec

from shared.domain.rules.listing import Filter, matches
from shared.services import Services
from shared.store.links import Passed, StoredLink
from shared.store.organizations import Organization

# Links that one request looks at: ten thousand take about two seconds.
_MOST_PASSED = 10_000


class Listed(msgspec.Struct, frozen=True):
    """A page may be short, or empty, and not the last; ``unreadable`` are the keys of rows passed over."""

    links: tuple[StoredLink, ...]
    continuation: str | None
    unreadable: tuple[str, ...] = ()


def page_of(
    services: Services, organization: Organization, wanted: Filter, continuation: str | None, limit: int
) -> Listed:
    """Return up to ``limit`` links that match, behind a previous page's end or the place of a link."""
    if wanted.issue_id is not None or wanted.work_item_id is not None:
        return _few(services, organization, wanted, continuation)
    found: list[StoredLink] = []
    unreadable: list[str] = []
    rows = services.links.walk(organization.scope, continuation)
    last: Passed | None = None
    for passed in islice(rows, _MOST_PASSED):
        if len(found) == limit:
            return Listed(tuple(found), last.place if last else None, tuple(unreadable))
        last = passed
        if passed.stored is None:
            unreadable.append(passed.key)
        elif matches(passed.stored.link, wanted, organization.configuration):
            found.append(passed.stored)
    is_last = next(rows, None) is None
    return Listed(tuple(found), None if is_last or last is None else last.place, tuple(unreadable))


def _few(services: Services, organization: Organization, wanted: Filter, continuation: str | None) -> Listed:
    """Return the links of one issue or work item behind a place: all of them are on one page."""
    scope, store = organization.scope, services.links
    if wanted.issue_id is not None and wanted.work_item_id is not None:
        stored = [store.get(scope, wanted.issue_id, wanted.work_item_id)]
    elif wanted.issue_id is not None:
        stored = store.for_issue(scope, wanted.issue_id)
    else:
        stored = store.for_work_item(scope, wanted.work_item_id or 0)
    behind = (each for each in stored if continuation is None or each.place > continuation)
    kept = (each for each in behind if matches(each.link, wanted, organization.configuration))
    return Listed(tuple(kept), None)
