"""Making the links anew that the tables held: from the entries on Sentry's pages, and the items' hyperlinks.

Sentry tells of the issues of 90 days alone, and has one entry for each; the hyperlinks tell of all others.
What is linked already stays as it is, so a rebuild can be repeated, and nothing is written to any status or
assignee.
"""

from collections.abc import Iterator, Sequence

from shared.ado.back_links import FoundHyperlinks, hyperlinks_of, items_with_hyperlinks
from shared.domain.errors import Rejected
from shared.domain.rules.back_links import mark_in
from shared.flows.back_links import issue_in, work_item_in
from shared.flows.pages_of_pairs import FIRST, Batch, Linker, PageOfPairs, Pair, Place
from shared.sentry.names import is_id
from shared.services import Services
from shared.store.organizations import Organization

_ENTRIES, _HYPERLINKS = "entries", "hyperlinks"
_DIGITS = 16  # of a work item's number, at most


def rebuild(services: Services, organization: Organization, continuation: str | None) -> PageOfPairs:
    """Link what shows links on its ends, for up to a minute; the next request goes on."""
    begin = _place_in(continuation)
    organization = services.with_address(organization)
    linker = Linker(services, organization, begin, rebuilt=True)
    services.end_refusals(organization.slug)
    with linker.keeping_the_place():
        while not linker.is_over:
            phase, _, page = linker.place.page.partition(":")
            if phase == _ENTRIES:
                _from_entries(services, organization, linker, page)
            else:
                _from_hyperlinks(services, organization, linker, int(page))
    return linker.page


def _place_in(continuation: str | None) -> Place:
    """Return where to go on: in which phase, and with which page of it; raise Rejected for nonsense."""
    place = Place.parse(continuation or f"{_ENTRIES}:{FIRST}")
    phase, _, page = place.page.partition(":")
    is_number = page.isascii() and page.isdecimal() and len(page) <= _DIGITS
    if phase == _ENTRIES or (phase == _HYPERLINKS and is_number):
        return place
    raise Rejected("continuation must be one that an answer named")


def _from_entries(services: Services, organization: Organization, linker: Linker, at: str) -> None:
    """Link what Sentry shows on one page of issues; behind the last one come the hyperlinks."""
    sentry = services.sentry(organization)
    page = linker.ask(lambda: sentry.linked_issues(None if at == FIRST else at))
    entries = ((issue.issue_id, each) for issue in page.issues for each in issue.external_issues)
    named = ((issue_id, work_item_in(organization, entry.web_url)) for issue_id, entry in entries)
    pairs = (Pair(issue_id, number) for issue_id, number in named if number is not None)
    if linker.link_each(linker.left_of(pairs)):
        hidden = sum(each.hides_entries for each in page.issues)
        following = f"{_HYPERLINKS}:0" if page.after is None else f"{_ENTRIES}:{page.after}"
        linker.turn_to(following, page.unreadable + hidden)


def _from_hyperlinks(services: Services, organization: Organization, linker: Linker, after: int) -> None:
    """Link what the hyperlinks with our mark lead to, of the next work items that have any."""
    ado = services.ado(organization)
    numbers, is_last, unreadable = linker.ask(lambda: items_with_hyperlinks(ado, after))

    def read(work_item_ids: Sequence[int]) -> Batch:
        found = hyperlinks_of(ado, work_item_ids)
        return Batch(linker.left_of(_marked(organization, found)), found.unreadable)

    if linker.link_batches(
        numbers,
        read,
        lambda number, kind: Pair("", number, kind),
        lambda number: Place(f"{_HYPERLINKS}:{number}"),
    ):
        linker.turn_to(None if is_last else f"{_HYPERLINKS}:{numbers[-1]}", unreadable)


def _marked(organization: Organization, found: FoundHyperlinks) -> Iterator[Pair]:
    for work_item_id, relations in found.items:
        for each in relations:
            issue_id, mark = issue_in(organization, each.url or ""), mark_in(each.comment)
            if issue_id is not None and is_id(issue_id) and mark.shows_link:
                yield Pair(issue_id, work_item_id, mark=mark)
