"""Settling one link: look at both ends, decide, announce, write, record. design.md §5.

The order is what makes a crash harmless. Before a write, the link's row announces it under the row's
ETag, so that two workers never write for one link at once, and a successor can tell the work of a dead
one from a person's edit. After the writes, the row records what was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from shared.configuration import Configuration
from shared.errors import Busy, Conflict, NotFound, SyncError
from shared.looking import Look, Looker, Turn, is_doubtful
from shared.model import ActivityEntry, Claim, IssueLink
from shared.ports import Ado, Sentry
from shared.recording import REFUSED, record_failure, record_of
from shared.rules import Decision, Outcome, decide, verify_calm
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink
from shared.story import told
from shared.writing import Written, write

ECHO = "echo"

_ATTEMPTS = 5
_CLAIMED_FOR = 60.0  # seconds; longer than the time-outs of the five calls that a claim may cover
_COME_BACK_IN = 2.0  # seconds; most writes are through by then


@dataclass(frozen=True)
class Settler:
    """Settles the links of one organization."""

    organization: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    looker: Looker
    links: LinkStore
    activity: ActivityStore
    clock: Callable[[], float]

    def settle(self, stored: StoredLink, turn: Turn) -> str:
        """Bring both ends of a link into agreement and return the outcome.

        Raises the SyncError that stopped it, after recording on the link what that means for it.
        """
        try:
            for _ in range(_ATTEMPTS):
                try:
                    return self._attempt(stored, turn)
                except Busy:
                    raise
                except Conflict:
                    # Somebody was first, here or there: look at everything again.
                    turn.start_over(stored.link)
                    stored = self._again(stored.link, turn)
            raise Conflict(f"lost {_ATTEMPTS} races in a row")
        except SyncError as error:
            if error is not turn.recorded:
                self._record_failure(stored.link, turn, error)
            raise

    def _again(self, link: IssueLink, turn: Turn) -> StoredLink:
        return self.links.get(self.organization, turn.current_issue_id(link.issue_id), link.work_item_id)

    def _attempt(self, stored: StoredLink, turn: Turn) -> str:
        self._verify_free(stored.link, turn)
        if self._is_echo(stored.link, turn):
            return ECHO
        stored = self._follow_merge(stored, turn)
        look = self.looker.look(stored.link, turn)
        decision = self._decide(look)
        written = Written(look.now)
        if decision.intents:
            stored = self._announce(stored, look, decision, turn)
            written = self._write(look, decision, turn)
        self._record(stored, look, decision, written)
        if written.error is not None:
            turn.recorded = written.error
            raise written.error
        return REFUSED if written.refused else decision.outcome

    # Look

    def _verify_free(self, link: IssueLink, turn: Turn) -> None:
        claim = link.claim
        if claim is not None and claim.token != turn.token and claim.until > self.clock():
            raise Busy("another worker is writing for this link", retry_after=_COME_BACK_IN)

    def _is_echo(self, link: IssueLink, turn: Turn) -> bool:
        """Tell whether the snapshot at hand says nothing new: it is late, repeated, or our own write."""
        item = turn.items.get(link.work_item_id)
        known = item is not None and item.rev <= link.seen.item.rev
        return known and not is_doubtful(link) and not link.health.is_due(self.clock())

    def _follow_merge(self, stored: StoredLink, turn: Turn) -> StoredLink:
        """Sentry quirk: the id of a merged issue answers with the issue it was merged into."""
        issue = self.looker.issue(stored.link.issue_id, turn)
        if issue.issue_id == stored.link.issue_id:
            return stored
        moved = self.links.move(stored, issue.issue_id)
        turn.issues[issue.issue_id] = issue
        turn.merged[stored.link.issue_id] = issue.issue_id
        self._tell(moved.link, self._entry("moved", reason=f"merged-from-{stored.link.issue_id}"))
        if moved.link != replace(stored.link, issue_id=issue.issue_id):
            raise Conflict("the link gave way to one that was there already")
        return moved

    # Decide

    def _decide(self, look: Look) -> Decision:
        decision = decide(
            look.link,
            seen=look.seen,
            now=look.now,
            owed=look.link.owed if look.link.health.is_due(self.clock()) else None,
            configuration=self.configuration,
            types=look.types,
        )
        if decision.intents:
            verify_calm(look.link, self.clock())
        return decision

    # Announce and write

    def _announce(self, stored: StoredLink, look: Look, decision: Decision, turn: Turn) -> StoredLink:
        """Claim the link for these writes; a conflict is on record before anything is overwritten."""
        claim = Claim(
            turn.token,
            self.clock() + _CLAIMED_FOR,
            look.now.item.rev,
            decision.intents,
            decision.after,
        )
        stored = self.links.replace(stored, replace(look.link, seen=look.seen, claim=claim))
        entries = [
            entry
            for entry in told(look.seen, look.now, decision, self.clock())
            if entry.outcome == Outcome.CONFLICT_RESOLVED
        ]
        if look.repeats:
            entries.append(self._entry("repeated", reason="a-worker-stopped-before-its-write-showed"))
        self._tell(look.link, *entries)
        return stored

    def _write(self, look: Look, decision: Decision, turn: Turn) -> Written:
        written = write(self.ado, self.sentry, look.link.work_item_id, look.link.issue_id, look.now, decision)
        if written.item is not None:
            turn.items[written.item.id] = written.item
        if written.issue is not None:
            turn.issues[look.link.issue_id] = written.issue
        return written

    # Record

    def _record(self, stored: StoredLink, look: Look, decision: Decision, written: Written) -> None:
        """Tell the story, then store what was seen: a crash between the two tells it twice, never never."""
        record = record_of(look, decision, written, stored.link.claim, self.clock())
        self._tell(look.link, *record.entries)
        if record.link != stored.link:
            self.links.replace(stored, record.link)

    def _record_failure(self, link: IssueLink, turn: Turn, error: SyncError) -> None:
        try:
            stored = self._again(link, turn)
        except NotFound:
            return  # The link was removed meanwhile.
        record_failure(self.links, self.activity, stored, error, now=self.clock(), token=turn.token)

    def _tell(self, link: IssueLink, *entries: ActivityEntry) -> None:
        self.activity.add(self.organization, link.issue_id, link.work_item_id, *entries)

    def _entry(self, outcome: str, *, reason: str) -> ActivityEntry:
        return ActivityEntry(self.clock(), outcome, reason=reason)
