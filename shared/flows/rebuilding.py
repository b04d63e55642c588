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
from shared.flows.pages_of_pairs import FIRST, Linker, PageOfPairs, Pair, Place
from shared.sentry.names import is_id
from shared.services import Services
from shared.store.organizations import Organization

_ENTRIES, _HYPERLINKS = "entries", "hyperlinks"
_ITEMS_AT_ONCE = 200


def rebuild(services: Services, organization: Organization, continuation: str | None) -> PageOfPairs:
    """Link what shows links on its ends, for up to a minute; the next request goes on."""
    linker = Linker(services, organization, rebuilt=True)
    services.end_refusals(organization.slug)
    phase, _, rest = (continuation or f"{_ENTRIES}:{FIRST}").partition(":")
    place = Place.parse(rest)
    if phase == _ENTRIES:
        left = _from_entries(services, organization, linker, place)
        if left is not None:
            return PageOfPairs(tuple(linker.tried), f"{_ENTRIES}:{left}", linker.stopped)
        place = Place("0")
    elif phase != _HYPERLINKS or not (
        place.page.isascii() and place.page.isdecimal() and len(place.page) <= 16
    ):
        raise Rejected("continuation must be one that an answer named")
    left = _from_hyperlinks(services, organization, linker, place)
    continuation = None if left is None else f"{_HYPERLINKS}:{left}"
    return PageOfPairs(tuple(linker.tried), continuation, linker.stopped)


def _from_entries(
    services: Services, organization: Organization, linker: Linker, place: Place
) -> Place | None:
    """Link what Sentry shows, and return where to go on, or None."""
    while True:
        page = services.sentry(organization).linked_issues(None if place.page == FIRST else place.page)
        entries = ((issue.issue_id, each) for issue in page.issues for each in issue.external_issues)
        named = ((issue_id, work_item_in(organization, entry.web_url)) for issue_id, entry in entries)
        pairs = (Pair(issue_id, number) for issue_id, number in named if number is not None)
        left = linker.link_all(pairs, place)
        if left is not None or page.after is None:
            return left
        place = Place(page.after)
        if linker.is_over:
            return place


def _from_hyperlinks(
    services: Services, organization: Organization, linker: Linker, place: Place
) -> Place | None:
    """Link what the hyperlinks with our mark lead to, and return behind which number to go on, or None."""
    ado = services.ado(organization)
    while True:
        numbers, is_last = items_with_hyperlinks(ado, int(place.page))
        for at in range(0, len(numbers), _ITEMS_AT_ONCE):
            if linker.is_over:
                return place
            some = numbers[at : at + _ITEMS_AT_ONCE]
            left = linker.link_all(_marked(services, organization, some), place)
            if left is not None:
                return left
            place = Place(str(some[-1]))
        if is_last:
            return None


def _marked(services: Services, organization: Organization, work_item_ids: list[int]) -> Iterator[Pair]:
    for work_item_id, relations in hyperlinks_of(services.ado(organization), work_item_ids):
        for each in relations:
            issue_id, mark = issue_in(organization, each.url or ""), mark_in(each.comment)
            if issue_id is not None and is_id(issue_id) and mark.shows_link:
                yield Pair(issue_id, work_item_id, mark=mark)
