"""Finding what the hooks did not tell: links that drifted, are due, or whose issue was not read for long.

It only looks, and puts a message for whatever may have changed; the workers settle. So two reconcilers at
once do no harm, a crash costs nothing, and no message of it carries more weight than a hook.
"""

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from shared.ado.client import LARGEST_BATCH
from shared.domain.errors import Unauthorized
from shared.domain.failures import WORK_ITEM_GONE, was_set_before
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import HealthWord, IssueLink, WorkItem
from shared.flows.identifying import fill_in
from shared.flows.syncing import made_due
from shared.services import Services
from shared.store.links import StoredLink
from shared.store.organizations import Organization
from shared.store.progress import Progress

# Issues of one organization whose status and assignee Sentry is asked for in one run. Sentry limits
# issue look-ups to five a second; these are spread over most of the five minutes between two runs.
ISSUES_A_RUN = 120
_SPREAD_OVER = 240.0  # seconds
_EVERY = 300.0  # seconds between two runs
# A run that is not through by then goes on in the next one; host.json ends any function after five minutes.
_RUN_FOR = 200.0  # seconds
_PRUNE_EVERY = 24 * 3600.0  # seconds


class Found(msgspec.Struct, frozen=True):
    """How many links a run looked at, and for how many it put a message."""

    looked_at: int = 0
    drifted: int = 0
    issues: int = 0


def reconcile_all(services: Services) -> dict[str, Found | Exception]:
    """Reconcile every organization in its share of the time; one that fails does not stop the next.

    Another one comes first in each run, so that nobody is always the one for whom no time is left.
    """
    started = services.clock()
    slugs = list(services.organizations.slugs())
    first = int(started / _EVERY) % max(len(slugs), 1)
    results: dict[str, Found | Exception] = {}
    for place, slug in enumerate(slugs[first:] + slugs[:first]):
        left = started + _RUN_FOR - services.clock()
        if left <= 0:
            break
        try:
            share = left / (len(slugs) - place)
            results[slug] = reconcile(services, services.organizations.get(slug), run_for=share)
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs what it is told
            results[slug] = error
            if isinstance(error, Unauthorized):
                services.organizations.note_refusal(slug, error.service)
    return results


def reconcile(
    services: Services, organization: Organization, *, everything: bool = False, run_for: float = _RUN_FOR
) -> Found:
    """Look at one organization's links from where the last run stopped, for ``run_for`` seconds and a page.

    ``everything`` takes up each link that needs attention, whether or not it is due, from the first link on.
    """
    started = services.clock()
    progress = services.progress.get(organization.scope)
    if everything:
        progress = replace(progress, links_after=None)
    found = Found()
    while True:
        page = services.links.page(organization.scope, progress.links_after, LARGEST_BATCH)
        drifted = _look(services, organization, page.links, everything=everything)
        found = Found(found.looked_at + len(page.links), found.drifted + drifted, found.issues)
        progress = replace(progress, links_after=page.continuation)
        services.progress.put(organization.scope, progress)
        if page.continuation is None or services.clock() - started > run_for:
            break
    issues, progress = _ask_again(services, organization, progress)
    if started - progress.pruned_at > _PRUNE_EVERY:
        progress = _prune(services, organization, progress)
    services.progress.put(organization.scope, progress)
    fill_in(services, organization)
    return Found(found.looked_at, found.drifted, issues)


def _look(
    services: Services, organization: Organization, links: Iterable[StoredLink], *, everything: bool
) -> int:
    """Ask Azure DevOps about up to 200 links in one call and put a message for each that may be off."""
    wanted = {stored.link.work_item_id for stored in links}
    if not wanted:
        return 0
    items = services.ado(organization).find_work_items(list(wanted))
    services.organizations.note_acceptance(organization.slug, "ado")
    messages = {}
    for stored in links:
        item = items.get(stored.link.work_item_id)
        may_be_cured = was_set_before(stored.link.health, organization.connection.changed_at)
        link = (made_due(services, stored) if everything or may_be_cured else stored).link
        message = message_for(link, item, services.clock(), everything=everything)
        if message is not None:
            messages[message.work_item_id] = message
    for message in messages.values():
        services.inbound.put(message)
    return len(messages)


def message_for(
    link: IssueLink, item: WorkItem | None, now: float, *, everything: bool = False
) -> InboundMessage | None:
    """Return the message that has a link settled, or None for one that is well and where it was seen."""
    ask_again = InboundMessage(link.organization, link.work_item_id, link.seen.item.rev, epoch=link.epoch)
    health, claim = link.health, link.claim
    abandoned = claim is not None and claim.until <= now
    unwell = health.word is not HealthWord.SETTLED
    if abandoned or health.is_due(now) or (everything and unwell):
        return ask_again
    if item is None:
        return None if unwell else ask_again
    if health.reason == WORK_ITEM_GONE or item.rev < link.seen.item.rev:
        return ask_again
    if item.rev > link.seen.item.rev:
        return replace(ask_again, rev=item.rev, snapshot=item)
    return None


def _ask_again(services: Services, organization: Organization, progress: Progress) -> tuple[int, Progress]:
    """Have the next issues read again in turn.

    Sentry quirk: nothing is sent when an issue is unassigned or un-archived (sentry_api.md §2.6), and a
    delivery that takes longer than a second is lost.
    """
    issue_ids = services.links.issue_ids_after(organization.scope, progress.issues_after, ISSUES_A_RUN)
    for place, issue_id in enumerate(issue_ids):
        delay = place * _SPREAD_OVER / ISSUES_A_RUN
        services.outbound.put(
            OutboundMessage(organization.slug, issue_id, epoch=organization.epoch), delay=delay
        )
    last = issue_ids[-1] if len(issue_ids) == ISSUES_A_RUN else None
    return len(issue_ids), replace(progress, issues_after=last)


def _prune(services: Services, organization: Organization, progress: Progress) -> Progress:
    """Remove the next part of what is too old; once through, there is a day's rest."""
    now = services.clock()
    pruned = services.activity.prune(organization.scope, now, progress.pruned_until)
    through = pruned.continuation is None
    return replace(
        progress,
        pruned_at=now if through else progress.pruned_at,
        pruned_until=pruned.continuation,
    )
