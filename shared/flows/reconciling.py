"""Finding what no hook reported: links that drifted, links that are due, and issues to re-read.

The reconciler reads and queues messages for links that may have changed; the workers settle them. Two
reconcilers at once do no harm, a crash loses nothing, and a message means no more than a hook does.
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

# Issues of one organization to re-read from Sentry in one run. Sentry limits issue look-ups to five a
# second, so the reads are spread over most of the five minutes between two runs.
ISSUES_A_RUN = 120
_SPREAD_OVER = 240.0  # seconds
_EVERY = 300.0  # seconds between two runs
# An unfinished run continues in the next one; host.json ends any function after five minutes.
_RUN_FOR = 200.0  # seconds
_PRUNE_EVERY = 24 * 3600.0  # seconds


class Found(msgspec.Struct, frozen=True):
    """Counts of one run: links read, work items queued (``drifted``), and issues queued for a re-read."""

    looked_at: int = 0
    drifted: int = 0
    issues: int = 0


def reconcile_all(services: Services) -> dict[str, Found | Exception]:
    """Reconcile every organization within its share of the time; a failure does not stop the next one.

    Each run starts with a different organization, so that the same one is never always last. Returns the
    counts or the error of each organization by slug; one that the run did not reach is absent.
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
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs it
            results[slug] = error
            if isinstance(error, Unauthorized):
                services.organizations.note_refusal(slug, error.service)
    return results


def reconcile(
    services: Services, organization: Organization, *, everything: bool = False, run_for: float = _RUN_FOR
) -> Found:
    """Read one organization's links from where the last run stopped, for ``run_for`` seconds plus a page.

    ``everything`` starts at the first link and queues every link that is not settled, whether due or not.
    """
    started = services.clock()
    progress = services.progress.get(organization.scope)
    if everything:
        progress = replace(progress, links_after=None)
    found = Found()
    while True:
        page = services.links.page(organization.scope, progress.links_after, LARGEST_BATCH)
        drifted = _queue_drifted(services, organization, page.links, everything=everything)
        found = Found(found.looked_at + len(page.links), found.drifted + drifted, found.issues)
        progress = replace(progress, links_after=page.continuation)
        services.progress.put(organization.scope, progress)
        if page.continuation is None or services.clock() - started > run_for:
            break
    issues, progress = _queue_issues(services, organization, progress)
    if started - progress.pruned_at > _PRUNE_EVERY:
        progress = _prune(services, organization, progress)
    services.progress.put(organization.scope, progress)
    fill_in(services, organization)
    return Found(found.looked_at, found.drifted, issues)


def _queue_drifted(
    services: Services, organization: Organization, links: Iterable[StoredLink], *, everything: bool
) -> int:
    """Read the work items of up to 200 links in one call and queue each that may have drifted."""
    wanted = {stored.link.work_item_id for stored in links}
    if not wanted:
        return 0
    items = services.ado(organization).find_work_items(list(wanted))
    services.organizations.note_acceptance(organization.slug, "ado")
    messages = {}
    for stored in links:
        item = items.found.get(stored.link.work_item_id)
        may_be_cured = was_set_before(stored.link.health, organization.connection.changed_at)
        link = (made_due(services, stored) if everything or may_be_cured else stored).link
        if link.work_item_id in items.unreadable and not must_retry(
            link, services.clock(), everything=everything
        ):
            continue  # It is neither there nor gone: the next run looks again.
        message = message_for(link, item, services.clock(), everything=everything)
        if message is not None:
            messages[message.work_item_id] = message
    for message in messages.values():
        services.inbound.put(message)
    return len(messages)


def must_retry(link: IssueLink, now: float, *, everything: bool) -> bool:
    """Tell whether a link is to be settled however its work item stands."""
    health, claim = link.health, link.claim
    abandoned = claim is not None and claim.until <= now
    return abandoned or health.is_due(now) or (everything and health.word is not HealthWord.SETTLED)


def message_for(
    link: IssueLink, item: WorkItem | None, now: float, *, everything: bool = False
) -> InboundMessage | None:
    """Return the message that settles a link, or None if the link is well and its work item has not moved."""
    re_read = InboundMessage(link.organization, link.work_item_id, link.seen.item.rev, epoch=link.epoch)
    if must_retry(link, now, everything=everything):
        return re_read
    if item is None:
        return re_read if link.health.word is HealthWord.SETTLED else None
    if link.health.reason == WORK_ITEM_GONE or item.rev < link.seen.item.rev:
        return re_read
    if item.rev > link.seen.item.rev:
        return replace(re_read, rev=item.rev, snapshot=item)
    return None


def _queue_issues(services: Services, organization: Organization, progress: Progress) -> tuple[int, Progress]:
    """Queue the next issues for a re-read, round-robin.

    Sentry quirk: nothing is sent when an issue is unassigned or un-archived, and a delivery that takes
    longer than a second is lost (docs/vendor_quirks.md#sentry-hooks).
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
    """Remove the next part of the expired activity entries; after the last part, pause for a day."""
    now = services.clock()
    pruned = services.activity.prune(organization.scope, now, progress.pruned_until)
    complete = pruned.continuation is None
    return replace(
        progress,
        pruned_at=now if complete else progress.pruned_at,
        pruned_until=pruned.continuation,
    )
