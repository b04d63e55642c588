"""Finding what no hook reported: links that drifted, links that are due, and issues to re-read.

The reconciler reads and queues messages for links that may have changed; the workers settle them. Two
reconcilers at once do no harm, a crash loses nothing, and a message means no more than a hook does.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import msgspec
from msgspec.structs import replace

from shared.ado.client import LARGEST_BATCH
from shared.domain.errors import NotFound, SyncError, Unauthorized, Undecidable
from shared.domain.failures import WORK_ITEM_GONE, was_set_before
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import FoundWorkItems, HealthWord, IssueLink, WorkItem
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
# An unfinished run continues in the next one; host.json ends any function after ten minutes.
_RUN_FOR = 200.0  # seconds
_PRUNE_EVERY = 24 * 3600.0  # seconds
# Links whose health a run may read to find these: what cannot be reached is passed over.
_MOST_READ = 10 * ISSUES_A_RUN
# How long (seconds) a message that nobody has handled keeps the next one for the same link from being put.
_ASKED_FOR = 3600.0
# The marks of this many links take 110 KiB of the 480 that a row holds.
_MOST_ASKED = 4_000
# Keys of rows that cannot be read which a run names; all of them are counted.
_MOST_NAMED = 100
# A batch may fail for what is in it. Two in a row look like a service that is away.
_FAILURES_IN_A_ROW = 2


class Failure(msgspec.Struct, frozen=True):
    """A part of a run that could not be done; the other parts were."""

    part: str
    error: Exception


class Found(msgspec.Struct, frozen=True):
    """Counts of one run: links read, work items queued (``drifted``), and issues queued for a re-read.

    ``unreadable`` are the keys of rows that were passed over, or the first of them. ``remaining`` says that
    the run did not reach all links.
    """

    looked_at: int = 0
    drifted: int = 0
    issues: int = 0
    unreadable: tuple[str, ...] = ()
    failures: tuple[Failure, ...] = ()
    remaining: bool = False


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
            _note_refusal(services, slug, error)
    return results


def reconcile(
    services: Services, organization: Organization, *, everything: bool = False, run_for: float = _RUN_FOR
) -> Found:
    """Read one organization's links from where the last run stopped, for ``run_for`` seconds plus a page.

    ``everything`` starts at the first link and queues every link that is not settled, whether due or not;
    what the run does not reach, the next ones treat alike. Each part of a run is done whatever becomes of
    the others, and what it has come to is stored before the next one begins.
    """
    progress = services.progress.get(organization.scope)
    if everything:
        progress = replace(progress, links_after=None, everything=True)
    run = _Run(services, organization, progress, services.clock() + run_for)
    for part, work in (("links", run.queue_drifted), ("issues", run.queue_issues), ("activity", run.prune)):
        run.attempt(part, work)
        run.attempt("progress", run.store)
    fill_in(services, organization)
    return run.found


def _note_refusal(services: Services, slug: str, error: Exception) -> None:
    if isinstance(error, Unauthorized):
        with suppress(SyncError):  # What health says for half an hour is not worth the rest of the run.
            services.organizations.note_refusal(slug, error.service)


@dataclass
class _Run:
    """One run through one organization."""

    services: Services
    organization: Organization
    progress: Progress
    stop_at: float
    found: Found = field(default_factory=Found)

    def attempt(self, part: str, work: Callable[[], None]) -> bool:
        """Do a part of the run and tell whether it succeeded; a failure is noted, and ends nothing else."""
        try:
            work()
        except Exception as error:  # noqa: BLE001  # even a bug; the caller logs it
            self.found = replace(self.found, failures=(*self.found.failures, Failure(part, error)))
            _note_refusal(self.services, self.organization.slug, error)
            return False
        return True

    def store(self) -> None:
        self.services.progress.put(self.organization.scope, self.progress)

    def queue_drifted(self) -> None:
        """Read the links page by page; a page that cannot be looked at is left behind all the same."""
        self._forget_old_marks()
        failed_in_a_row = 0
        while True:
            page = self.services.links.page(self.organization.scope, self.progress.links_after, LARGEST_BATCH)
            is_done = self.attempt("links", partial(self._queue_page, page.links))
            failed_in_a_row = 0 if is_done else failed_in_a_row + 1
            is_last = page.continuation is None
            self._pass_over(page.unreadable)
            self.progress = replace(
                self.progress,
                links_after=page.continuation,
                everything=self.progress.everything and not is_last,
                unreadable_links=self.progress.unreadable_links.counted(len(page.unreadable), ends=is_last),
            )
            self.store()
            if is_last:
                return
            if self.services.clock() > self.stop_at or failed_in_a_row == _FAILURES_IN_A_ROW:
                self.found = replace(self.found, remaining=True)
                return

    def _queue_page(self, links: Collection[StoredLink]) -> None:
        """Queue each of up to 200 links that may have drifted.

        Where Azure DevOps cannot be asked about them, those that are due are queued nevertheless.
        """
        try:
            items: FoundWorkItems | None = self._items_of(links)
        except Exception:
            self._queue(self._messages(links, None))
            raise
        self.found = replace(self.found, looked_at=self.found.looked_at + len(links))
        self._queue(self._messages(links, items))

    def _items_of(self, links: Iterable[StoredLink]) -> FoundWorkItems:
        wanted = {stored.link.work_item_id for stored in links}
        if not wanted:
            return FoundWorkItems({})
        items = self.services.ado(self.organization).find_work_items(list(wanted))
        with suppress(SyncError):
            self.services.organizations.note_acceptance(self.organization.slug, "ado")
        return items

    def _messages(
        self, links: Iterable[StoredLink], items: FoundWorkItems | None
    ) -> dict[int, tuple[InboundMessage, list[str]]]:
        """Return a message for each work item that needs one, with the marks of the links it is for."""
        everything = self.progress.everything
        found: dict[int, tuple[InboundMessage, list[str]]] = {}
        for stored in links:
            may_be_cured = was_set_before(stored.link.health, self.organization.connection.changed_at)
            if everything or may_be_cured:
                stored = made_due(self.services, stored)  # noqa: PLW2901  # the same link, due at once
            # Later than the time at which it has just been made due.
            link, now = stored.link, self.services.clock()
            if items is None or link.work_item_id in items.unreadable:
                # It is neither there nor gone: the next run looks again.
                message = message_for_due(link, now, everything=everything)
            else:
                message = message_for(link, items.found.get(link.work_item_id), now, everything=everything)
            mark = _mark_of(stored, now)
            if message is not None and (everything or mark not in self.progress.asked):
                _, marks = found.get(link.work_item_id, (message, []))
                found[link.work_item_id] = (message, [*marks, mark])
        return found

    def _queue(self, messages: dict[int, tuple[InboundMessage, list[str]]]) -> None:
        asked, now = dict(self.progress.asked), self.services.clock()
        for message, marks in messages.values():
            self.services.inbound.put(message)
            self.found = replace(self.found, drifted=self.found.drifted + 1)
            asked |= dict.fromkeys(marks, int(now))
            if len(asked) > _MOST_ASKED:
                asked = dict(list(asked.items())[-_MOST_ASKED:])
            self.progress = replace(self.progress, asked=asked)

    def _forget_old_marks(self) -> None:
        """Put messages anew for what was asked long ago; before, a mark stands for one that nobody handled.

        Handling a message changes the link, and thereby its mark. One that ends as poison may leave no trace.
        """
        now = self.services.clock()
        asked = {mark: at for mark, at in self.progress.asked.items() if 0.0 <= now - at < _ASKED_FOR}
        self.progress = replace(self.progress, asked=asked)

    def queue_issues(self) -> None:
        """Queue the next issues for a re-read, round-robin; those that cannot be reached take nobody's place.

        Sentry quirk: nothing is sent when an issue is unassigned or un-archived, and a delivery that takes
        longer than a second is lost (docs/vendor_quirks.md#sentry-hooks).
        """
        issues_after, read = self.progress.issues_after, 0
        wanted: list[str] = []
        for issue_id, work_item_ids in self.services.links.issues_after(
            self.organization.scope, issues_after
        ):
            if len(wanted) == ISSUES_A_RUN or read >= _MOST_READ:
                break
            issues_after = issue_id
            for work_item_id in work_item_ids:
                read += 1
                if self._is_observed(issue_id, work_item_id):
                    wanted.append(issue_id)
                    break
        else:
            issues_after = None
        for place, issue_id in enumerate(wanted):
            delay = place * _SPREAD_OVER / ISSUES_A_RUN
            slug, epoch = self.organization.slug, self.organization.epoch
            message = OutboundMessage(slug, issue_id, epoch=epoch, again=True)
            self.services.outbound.put(message, delay=delay)
        self.found = replace(self.found, issues=len(wanted))
        self.progress = replace(self.progress, issues_after=issues_after)

    def _is_observed(self, issue_id: str, work_item_id: int) -> bool:
        """Tell whether the link is none of those that are taken up when they are due, and not before."""
        try:
            return self.services.links.get(
                self.organization.scope, issue_id, work_item_id
            ).link.health.is_observed
        except (NotFound, Undecidable):
            return False  # Removed a moment ago, or not readable.

    def prune(self) -> None:
        """Remove the next part of the expired activity entries; after the last part, pause for a day."""
        now = self.services.clock()
        if 0.0 <= now - self.progress.pruned_at <= _PRUNE_EVERY:
            return
        pruned = self.services.activity.prune(self.organization.scope, now, self.progress.pruned_until)
        is_last = pruned.continuation is None
        self._pass_over(pruned.unreadable)
        self.progress = replace(
            self.progress,
            pruned_at=now if is_last else self.progress.pruned_at,
            pruned_until=pruned.continuation,
            unreadable_entries=self.progress.unreadable_entries.counted(len(pruned.unreadable), ends=is_last),
        )

    def _pass_over(self, keys: tuple[str, ...]) -> None:
        self.found = replace(self.found, unreadable=(*self.found.unreadable, *keys)[:_MOST_NAMED])


def _mark_of(stored: StoredLink, now: float) -> str:
    """Return a short name for a link as it stands: each change of its row gives it another one.

    So does falling due. A message that was put before, for a claim left behind, may change nothing.
    """
    link = stored.link
    text = f"{link.work_item_id} {link.issue_id} {stored.etag} {link.health.is_due(now)}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def must_retry(link: IssueLink, now: float, *, everything: bool) -> bool:
    """Tell whether a link is to be settled however its work item stands."""
    health, claim = link.health, link.claim
    abandoned = claim is not None and claim.until <= now
    return abandoned or health.is_due(now) or (everything and health.word is not HealthWord.SETTLED)


def message_for(
    link: IssueLink, item: WorkItem | None, now: float, *, everything: bool = False
) -> InboundMessage | None:
    """Return the message that settles a link, or None if it is not due and its work item has no news.

    A revision at which settling failed is no news: the link is tried again when it is due.
    """
    if (message := message_for_due(link, now, item.rev if item else 0, everything=everything)) is not None:
        return message
    health, seen_rev = link.health, link.seen.item.rev
    unwell = health.word is not HealthWord.SETTLED
    if item is None:
        return None if unwell else _re_read(link)
    if health.reason == WORK_ITEM_GONE:
        return _re_read(link, item.rev) if item.rev > health.rev else None
    if item.rev > max(seen_rev, health.rev):
        return replace(_re_read(link, item.rev), snapshot=item)
    return _re_read(link, item.rev) if item.rev < seen_rev and not unwell else None


def message_for_due(
    link: IssueLink, now: float, rev: int = 0, *, everything: bool = False
) -> InboundMessage | None:
    """Return the message for a link that is to be settled however its work item stands, or None."""
    health, claim = link.health, link.claim
    abandoned = claim is not None and claim.until <= now
    unwell = health.word is not HealthWord.SETTLED
    # An older version of the app left what is gone without a time.
    due = health.is_due(now) or (unwell and health.due is None)
    return _re_read(link, rev) if abandoned or due or (everything and unwell) else None


def _re_read(link: IssueLink, rev: int = 0) -> InboundMessage:
    """Return a message of the reconciler's own. ``rev`` 0 says that nobody saw the work item."""
    return InboundMessage(link.organization, link.work_item_id, rev, epoch=link.epoch, again=True)
