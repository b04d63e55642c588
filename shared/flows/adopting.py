"""Taking over the links of Sentry's own Azure DevOps integration, after showing what would be linked.

That integration goes on as long as its own switches are on, and two writers would undo each other. So an
answer names them. Nothing is written to any status or assignee.
"""

from collections.abc import Iterator, Sequence
from functools import partial

from msgspec.structs import replace

from shared.domain.addresses import ado_name
from shared.domain.ids import LARGEST_NUMBER
from shared.domain.model import IssuePage, SentryIssue
from shared.flows.pages_of_pairs import FIRST, Batch, Linker, PageOfPairs, Pair, Place
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
    organization = services.with_address(organization)
    linker = Linker(services, organization, Place.parse(continuation or FIRST), is_dry_run=is_dry_run)
    name = integration or ado_name(organization.configuration.ado_url or "")
    services.end_refusals(organization.slug)
    with linker.keeping_the_place():
        while not linker.is_over:
            _take_over(services, organization, linker, name)
    return linker.page


def _take_over(services: Services, organization: Organization, linker: Linker, name: str) -> None:
    """Link what one page of issues tells of, or as much as there is time for."""
    at, sentry = linker.place.page, services.sentry(organization)
    page = linker.ask(lambda: sentry.linked_issues(None if at == FIRST else at))
    if linker.link_batches(
        linker.left_of(_pairs(page, name)),
        partial(_checked, services, organization),
        lambda pair, kind: replace(pair, reason=kind),
        lambda pair: Place(at, pair.name),
    ):
        hidden = sum(each.hides_integration_issues for each in page.issues)
        linker.turn_to(page.after, page.unreadable + hidden)


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


def _checked(services: Services, organization: Organization, pairs: Sequence[Pair]) -> Batch:
    """Return the pairs, with the reason for those whose work item is gone or hidden from us."""
    numbers = sorted({each.work_item_id for each in pairs if not each.reason})
    found = services.ado(organization).find_work_items(numbers)
    gone = set(numbers) - found.found.keys() - found.unreadable
    return Batch(
        [
            replace(each, reason=NO_WORK_ITEM) if not each.reason and each.work_item_id in gone else each
            for each in pairs
        ]
    )
