"""Making the links anew that the tables held: from the entries on Sentry's pages, and the items' hyperlinks.

Sentry tells of the issues of 90 days alone, and has one entry for each; the hyperlinks tell of all others.
What is linked already stays as it is, so a rebuild can be repeated, and nothing is written to any status or
assignee.
"""

from collections.abc import Iterator

from shared.ado.back_links import hyperlinks_of, items_with_hyperlinks
from shared.domain.errors import Rejected
from shared.domain.rules.back_links import mark_in
from shared.flows.back_links import issue_in, work_item_in
from shared.flows.pages_of_pairs import FIRST, Linker, PageOfPairs, Pair
from shared.sentry.names import is_id
from shared.services import Services
from shared.store.organizations import Organization

_ENTRIES, _HYPERLINKS = "entries", "hyperlinks"
_ITEMS_AT_ONCE = 200


def rebuild(services: Services, organization: Organization, continuation: str | None) -> PageOfPairs:
    """Link what shows links on its ends, for up to a minute; the next request goes on."""
    linker = Linker(services, organization, rebuilt=True)
    services.end_refusals(organization.slug)
    phase, _, place = (continuation or f"{_ENTRIES}:{FIRST}").partition(":")
    if phase == _ENTRIES:
        left = _from_entries(services, organization, linker, place)
        if left is not None:
            return PageOfPairs(tuple(linker.tried), f"{_ENTRIES}:{left}", linker.stopped)
        place = "0"
    elif phase != _HYPERLINKS or not (place.isascii() and place.isdecimal() and len(place) <= 16):
        raise Rejected("continuation must be one that an answer named")
    behind = _from_hyperlinks(services, organization, linker, int(place))
    continuation = None if behind is None else f"{_HYPERLINKS}:{behind}"
    return PageOfPairs(tuple(linker.tried), continuation, linker.stopped)


def _from_entries(services: Services, organization: Organization, linker: Linker, place: str) -> str | None:
    """Link what Sentry shows, and return the page that is left, or None."""
    while True:
        page = services.sentry(organization).linked_issues(None if place == FIRST else place)
        entries = ((issue.issue_id, each) for issue in page.issues for each in issue.external_issues)
        named = ((issue_id, work_item_in(organization, entry.web_url)) for issue_id, entry in entries)
        if not linker.link_all(Pair(issue_id, number) for issue_id, number in named if number is not None):
            return place
        if page.after is None:
            return None
        place = page.after
        if linker.is_over:
            return place


def _from_hyperlinks(
    services: Services, organization: Organization, linker: Linker, behind: int
) -> int | None:
    """Link what the hyperlinks with our mark lead to, and return the number behind which some are left."""
    ado = services.ado(organization)
    while True:
        numbers, is_last = items_with_hyperlinks(ado, behind)
        for at in range(0, len(numbers), _ITEMS_AT_ONCE):
            if linker.is_over:
                return behind
            some = numbers[at : at + _ITEMS_AT_ONCE]
            if not linker.link_all(_marked(services, organization, some)):
                return behind
            behind = some[-1]
        if is_last:
            return None


def _marked(services: Services, organization: Organization, work_item_ids: list[int]) -> Iterator[Pair]:
    for work_item_id, relations in hyperlinks_of(services.ado(organization), work_item_ids):
        for each in relations:
            issue_id, mark = issue_in(organization, each.url or ""), mark_in(each.comment)
            if issue_id is not None and is_id(issue_id) and mark.shows_link:
                yield Pair(issue_id, work_item_id, mark=mark)
