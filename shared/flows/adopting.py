"""Taking over the links of Sentry's own Azure DevOps integration, after showing what would be linked.

That integration goes on as long as its own switches are on, and two writers would undo each other. So an
answer names them. Nothing is written to any status or assignee.
"""

from collections.abc import Iterator, Sequence

from shared.domain.addresses import ado_name
from shared.domain.ids import LARGEST_NUMBER
from shared.domain.model import IssuePage, SentryIssue
from shared.flows.pages_of_pairs import FIRST, Linker, PageOfPairs, Pair, Place
from shared.services import Services
from shared.store.organizations import Organization

PROVIDER = "vsts"
# Under Settings → Integrations → Azure DevOps → Configure, by the keys and labels of its form.
# https://github.com/getsentry/sentry/blob/24.9.0/src/sentry/integrations/vsts/integration.py
SWITCHES = {
    "sync_status_forward": "Sync Sentry Status to Azure DevOps",
    "sync_forward_assignment": "Sync Sentry Assignment to Azure DevOps",
    "sync_comments": "Sync Sentry Comments to Azure DevOps",
    "sync_status_reverse": "Sync Azure DevOps Status to Sentry",
    "sync_reverse_assignment": "Sync Azure DevOps Assignment to Sentry",
}
OTHER_ORGANIZATION, NO_NUMBER, NO_WORK_ITEM = "other-organization", "no-number", "work-item-not-found"
_AT_ONCE = 200


def adopt(
    services: Services,
    organization: Organization,
    continuation: str | None,
    *,
    is_dry_run: bool,
    integration: str | None = None,
) -> PageOfPairs:
    """Link what Sentry's own integration linked, for up to a minute; the next request goes on.

    ``integration`` is the name under which that integration knows the connected organization, if it is not
    the one in its address.
    """
    linker = Linker(services, organization, is_dry_run=is_dry_run)
    name = integration or ado_name(organization.configuration.ado_url or "")
    services.end_refusals(organization.slug)
    place = Place.parse(continuation or FIRST)
    while True:
        page = services.sentry(organization).linked_issues(None if place.page == FIRST else place.page)
        left = linker.link_all(_checked(services, organization, list(_pairs(page, name))), place)
        if left is not None:
            return PageOfPairs(tuple(linker.tried), str(left), linker.stopped)
        if page.after is None or linker.is_over:
            return PageOfPairs(tuple(linker.tried), page.after)
        place = Place(page.after)


def _pairs(page: IssuePage, name: str) -> Iterator[Pair]:
    for issue in page.issues:
        yield from _pairs_of(issue, name)


def _pairs_of(issue: SentryIssue, name: str) -> Iterator[Pair]:
    """Yield what the integration linked to an issue; a number means nothing without its organization."""
    for each in issue.integration_issues:
        if each.provider != PROVIDER:
            continue
        is_number = each.key.isascii() and each.key.isdecimal() and 0 < int(each.key[:17]) <= LARGEST_NUMBER
        if not is_number:
            yield Pair(issue.issue_id, 0, NO_NUMBER)
        elif each.integration.casefold() != name.casefold():
            yield Pair(issue.issue_id, int(each.key), OTHER_ORGANIZATION)
        else:
            yield Pair(issue.issue_id, int(each.key))


def _checked(services: Services, organization: Organization, pairs: Sequence[Pair]) -> Iterator[Pair]:
    """Yield the pairs, with the reason for those whose work item is gone or hidden from us."""
    numbers = sorted({each.work_item_id for each in pairs if not each.reason})
    gone: set[int] = set()
    for at in range(0, len(numbers), _AT_ONCE):
        some = numbers[at : at + _AT_ONCE]
        found = services.ado(organization).find_work_items(some)
        gone |= set(some) - found.found.keys() - found.unreadable
    for each in pairs:
        is_gone = not each.reason and each.work_item_id in gone
        yield Pair(each.issue_id, each.work_item_id, NO_WORK_ITEM) if is_gone else each
