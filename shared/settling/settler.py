"""Settling one link: look at both ends, decide, announce, write, record. docs/settling.md#the-claim.

The order makes a crash harmless. Before a write, the worker announces it on the link's row under the row's
ETag. Two workers therefore never write for one link at once, and the next worker can distinguish the writes
of a dead one from a person's edit. After the writes, the row records what was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from shared.domain.activity import decision_entries
from shared.domain.configuration import Configuration
from shared.domain.errors import Busy, Conflict, NotFound, SyncError
from shared.domain.model import ActivityEntry, Claim, IssueLink
from shared.domain.ports import Ado, Sentry
from shared.domain.rules.deciding import Decision, Outcome, decide, verify_calm
from shared.settling.observing import Observation, Observer, UnitOfWork, is_doubtful
from shared.settling.recording import REFUSED, record_failure, record_of
from shared.settling.writing import Written, write
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink

ECHO = "echo"

_ATTEMPTS = 5
_CLAIMED_FOR = 60.0  # seconds; longer than the time-outs of the five calls that a claim may cover
_RETRY_AFTER = 2.0  # seconds; most writes finish within this time


@dataclass(frozen=True)
class Settler:
    """Settles the links of one organization."""

    organization: str
    scope: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    observer: Observer
    links: LinkStore
    activity: ActivityStore
    clock: Callable[[], float]

    def settle(self, stored: StoredLink, unit: UnitOfWork) -> str:
        """Bring both ends of a link into agreement and return the outcome.

        Raises the SyncError that stopped it, after recording its consequence on the link.
        """
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return self._attempt(stored, unit)
                except Busy:
                    raise
                except Conflict:
                    # The link or the work item changed since it was read: read everything again.
                    unit.start_over(stored.link)
                    stored = self._reload(stored.link, unit)
            raise Conflict(f"lost {_ATTEMPTS} races in a row")
        except SyncError as error:
            if error is not unit.recorded:
                self._record_failure(stored.link, unit, error)
            raise

    def _reload(self, link: IssueLink, unit: UnitOfWork) -> StoredLink:
        return self.links.get(self.scope, unit.current_issue_id(link.issue_id), link.work_item_id)

    def _attempt(self, stored: StoredLink, unit: UnitOfWork) -> str:
        self._verify_free(stored.link, unit)
        if self._is_echo(stored.link, unit):
            return ECHO
        stored = self._follow_merge(stored, unit)
        observation = self.observer.observe(stored.link, unit)
        decision = self._decide(observation)
        written = Written(observation.now)
        if decision.intents:
            stored = self._announce(stored, observation, decision, unit)
            written = self._write(observation, decision, unit)
        self._record(stored, observation, decision, written)
        if written.error is not None:
            unit.recorded = written.error
            raise written.error
        return REFUSED if written.refused else decision.outcome

    # Observe

    def _verify_free(self, link: IssueLink, unit: UnitOfWork) -> None:
        claim = link.claim
        if claim is not None and claim.token != unit.token and claim.until > self.clock():
            raise Busy("another worker is writing for this link", retry_after=_RETRY_AFTER)

    def _is_echo(self, link: IssueLink, unit: UnitOfWork) -> bool:
        """Tell whether the delivered snapshot says nothing new: it is late, repeated, or our own write."""
        item = unit.items.get(link.work_item_id)
        known = item is not None and item.rev <= link.seen.item.rev
        return known and not is_doubtful(link) and not link.health.is_due(self.clock())

    def _follow_merge(self, stored: StoredLink, unit: UnitOfWork) -> StoredLink:
        """Return the link, moved to the surviving issue after a merge.

        Sentry quirk: a request for a merged issue returns the issue into which it was merged.
        """
        issue = self.observer.issue(stored.link.issue_id, unit)
        if issue.issue_id == stored.link.issue_id:
            return stored
        moved = self.links.move(stored, issue.issue_id)
        unit.issues[issue.issue_id] = issue
        unit.merged[stored.link.issue_id] = issue.issue_id
        self._add_entries(moved.link, self._entry("moved", reason=f"merged-from-{stored.link.issue_id}"))
        if moved.link != replace(stored.link, issue_id=issue.issue_id):
            raise Conflict("the work item is already linked to the merged issue")
        return moved

    # Decide

    def _decide(self, observation: Observation) -> Decision:
        decision = decide(
            observation.link,
            seen=observation.seen,
            now=observation.now,
            owed=observation.link.owed if observation.link.health.is_due(self.clock()) else None,
            configuration=self.configuration,
            types=observation.types,
        )
        if decision.intents:
            verify_calm(observation.link, self.clock())
        return decision

    # Announce and write

    def _announce(
        self, stored: StoredLink, observation: Observation, decision: Decision, unit: UnitOfWork
    ) -> StoredLink:
        """Claim the link for these writes; add a conflict to the activity before anything is overwritten."""
        claim = Claim(
            unit.token,
            self.clock() + _CLAIMED_FOR,
            observation.now.item.rev,
            decision.intents,
            decision.after,
        )
        stored = self.links.replace(stored, replace(observation.link, seen=observation.seen, claim=claim))
        entries = [
            entry
            for entry in decision_entries(observation.seen, observation.now, decision, self.clock())
            if entry.outcome == Outcome.CONFLICT_RESOLVED
        ]
        if observation.repeats:
            entries.append(self._entry("repeated", reason="a-worker-stopped-before-its-write-showed"))
        self._add_entries(observation.link, *entries)
        return stored

    def _write(self, observation: Observation, decision: Decision, unit: UnitOfWork) -> Written:
        written = write(
            self.ado,
            self.sentry,
            observation.link.work_item_id,
            observation.link.issue_id,
            observation.now,
            decision,
        )
        if written.item is not None:
            unit.items[written.item.id] = written.item
        if written.issue is not None:
            unit.issues[observation.link.issue_id] = written.issue
        return written

    # Record

    def _record(
        self, stored: StoredLink, observation: Observation, decision: Decision, written: Written
    ) -> None:
        """Add the entries, then store what was seen: a crash in between may repeat entries but loses none."""
        record = record_of(observation, decision, written, stored.link.claim, self.clock())
        self._add_entries(observation.link, *record.entries)
        if record.link != stored.link:
            self.links.replace(stored, record.link)

    def _record_failure(self, link: IssueLink, unit: UnitOfWork, error: SyncError) -> None:
        try:
            stored = self._reload(link, unit)
        except NotFound:
            return  # The link was removed in the meantime.
        record_failure(self.links, self.activity, stored, error, now=self.clock(), token=unit.token)

    def _add_entries(self, link: IssueLink, *entries: ActivityEntry) -> None:
        self.activity.add(self.scope, link.issue_id, link.work_item_id, *entries)

    def _entry(self, outcome: str, *, reason: str) -> ActivityEntry:
        return ActivityEntry(self.clock(), outcome, reason=reason)
