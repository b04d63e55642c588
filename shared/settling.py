"""Settling one link: look at both ends, decide, announce, write, record. design.md §5.

The order is what makes a crash harmless. Before a write, the link's row announces it under the row's
ETag, so that two workers never write for one link at once, and a successor can tell the work of a dead
one from a person's edit. After the writes, the row records what was seen.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from shared.ado.process import ProcessCache
from shared.configuration import Configuration
from shared.errors import Busy, Conflict, NotFound, SyncError, Undecidable
from shared.failures import health_after, unwell
from shared.model import (
    ActivityEntry,
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    ItemSide,
    SentryIssue,
    Side,
    WorkItem,
    WorkItemTypes,
)
from shared.ports import Ado, Sentry
from shared.recording import record_failure
from shared.rules import (
    ASSIGNEE,
    STATUS,
    Decision,
    Outcome,
    decide,
    has_landed,
    seen_after_crash,
    state_moved,
    status_moved,
    status_of_state,
)
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink
from shared.story import told, told_failure, told_refusal
from shared.writing import Written, write

ECHO = "echo"
REFUSED = "refused"
ASSIGNEE_NOT_FOUND = "assignee-not-found"

_ATTEMPTS = 5
_CLAIMED_FOR = 60.0  # seconds; longer than the time-outs of the five calls that a claim may cover
_COME_BACK_IN = 2.0  # seconds; most writes are through by then
_MOST_WRITES_AN_HOUR = 20
_HOUR = 3600.0


@dataclass
class Turn:
    """One worker's turn at a message: what it has looked at so far, and the token of its claims.

    ``items`` starts with the snapshot that a delivery or a batch brought along. Without one, what was
    seen of a work item last is believed, unless it is in ``doubted``. A wrong belief costs nothing but a
    second decision, because the write is tied to the revision that was seen.
    """

    token: str
    items: dict[int, WorkItem] = field(default_factory=dict)
    issues: dict[str, SentryIssue] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    recorded: SyncError | None = None

    def start_over(self, link: IssueLink) -> None:
        self.items.pop(link.work_item_id, None)
        self.issues.pop(link.issue_id, None)
        self.doubted.add(link.work_item_id)

    def current_issue_id(self, issue_id: str) -> str:
        return self.merged.get(issue_id, issue_id)


class Look(msgspec.Struct, frozen=True):
    """A link, what counts as seen of it, how both ends stand now, and the states there are (if needed)."""

    link: IssueLink
    seen: Ends
    now: Ends
    types: WorkItemTypes
    repeats: bool = False


@dataclass(frozen=True)
class Settler:
    """Settles the links of one organization."""

    organization: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    links: LinkStore
    activity: ActivityStore
    processes: ProcessCache
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
        look = self._look(stored.link, turn)
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
        return known and not _is_doubtful(link) and not self._is_due(link)

    def _follow_merge(self, stored: StoredLink, turn: Turn) -> StoredLink:
        """Sentry quirk: the id of a merged issue answers with the issue it was merged into."""
        issue = self._issue(stored.link.issue_id, turn)
        if issue.issue_id == stored.link.issue_id:
            return stored
        moved = self.links.move(stored, issue.issue_id)
        turn.issues[issue.issue_id] = issue
        turn.merged[stored.link.issue_id] = issue.issue_id
        self._tell(moved.link, self._entry("moved", reason=f"merged-from-{stored.link.issue_id}"))
        return moved

    def _issue(self, issue_id: str, turn: Turn) -> SentryIssue:
        if issue_id not in turn.issues:
            turn.issues[issue_id] = self.sentry.get_issue(issue_id)
        return turn.issues[issue_id]

    def _look(self, link: IssueLink, turn: Turn) -> Look:
        claim, item = link.claim, self._item(link, turn)
        if item is not None:
            link = _following(link, item)
        issue = self._issue(link.issue_id, turn).side
        now = Ends(issue, _item_side(link, item))
        types = self._types(link, now)
        if types:
            status = status_of_state(
                self.configuration, link.project_id, link.work_item_type, now.item.state, types
            )
            now = replace(now, item=replace(now.item, status=status))
        if claim is None:
            return Look(link, link.seen, now, types)
        repeats = claim.token != turn.token and not all(
            has_landed(each, claim, now) for each in claim.intents
        )
        return Look(link, seen_after_crash(link.seen, claim, now), now, types, repeats)

    def _item(self, link: IssueLink, turn: Turn) -> WorkItem | None:
        """Return how the work item stands, or None where what was seen of it may be believed."""
        item = turn.items.get(link.work_item_id)
        if item is not None and item.rev > link.seen.item.rev and link.claim is None:
            return item
        if _is_doubtful(link) or link.work_item_id in turn.doubted:
            turn.items[link.work_item_id] = self.ado.get_work_item(link.work_item_id)
        return turn.items.get(link.work_item_id)

    def _types(self, link: IssueLink, now: Ends) -> WorkItemTypes:
        """Return the types of the link's project, or none while nothing moved that they would explain."""
        if not (state_moved(link.seen, now) or status_moved(link.seen, now) or link.claim):
            return {}
        return self.processes.types_with(
            self.ado, self.organization, link.project_id, link.work_item_type, now.item.state
        )

    # Decide

    def _decide(self, look: Look) -> Decision:
        decision = decide(
            look.link,
            seen=look.seen,
            now=look.now,
            owed=look.link.owed if self._is_due(look.link) else None,
            configuration=self.configuration,
            types=look.types,
        )
        if decision.intents and len(self._recent_writes(look.link)) >= _MOST_WRITES_AN_HOUR:
            raise Undecidable(
                f"{_MOST_WRITES_AN_HOUR} writes within an hour: something keeps changing it back",
                kind="flapping",
            )
        return decision

    def _is_due(self, link: IssueLink) -> bool:
        return link.health.due is not None and link.health.due <= self.clock()

    def _recent_writes(self, link: IssueLink) -> tuple[float, ...]:
        return tuple(at for at in link.writes if at > self.clock() - _HOUR)

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
        entries = [
            entry
            for entry in told(look.seen, look.now, decision, self.clock())
            if entry.outcome != Outcome.CONFLICT_RESOLVED and _happened(entry, decision, written)
        ]
        owed = _owed(look, decision, written)
        health = self._health(look, written, owed)
        if written.refused and (health.reason, health.detail) != (
            look.link.health.reason,
            look.link.health.detail,
        ):
            entries += [
                told_refusal(name, each, decision, self.clock()) for name, each in written.refused.items()
            ]
        if written.error is not None and health.reason != look.link.health.reason:
            entries.append(told_failure(written.error, self.clock()))
        if look.link.health.word is HealthWord.ATTENTION and health.word is HealthWord.SETTLED:
            entries.append(self._entry("recovered", reason=look.link.health.reason))
        self._tell(look.link, *entries)
        claim = None
        if written.uncertain and stored.link.claim is not None:
            claim = replace(stored.link.claim, until=self.clock(), intents=written.uncertain)
        settled = replace(
            stored.link if decision.intents else look.link,
            seen=written.seen(look.seen, decision) if decision.intents else decision.after,
            open_state=_open_state(look, written),
            owed=owed,
            health=health,
            claim=claim,
            writes=(*self._recent_writes(look.link), self.clock()) if written.landed else look.link.writes,
        )
        if settled != stored.link:
            self.links.replace(stored, settled)

    def _health(self, look: Look, written: Written, owed: Side | None) -> Health:
        before, now = look.link.health, self.clock()
        if written.error is not None and (health := health_after(written.error, before, now)):
            return health
        for name, reason in ((STATUS, REFUSED), (ASSIGNEE, ASSIGNEE_NOT_FOUND)):
            if refused := written.refused.get(name):
                return unwell(HealthWord.ATTENTION, reason, refused.detail, before, now, may_cure_itself=True)
        if owed is None or before.reason == ASSIGNEE_NOT_FOUND:
            return before if owed else Health()
        detail = "nobody on the other side had this address"
        return unwell(HealthWord.ATTENTION, ASSIGNEE_NOT_FOUND, detail, before, now, may_cure_itself=True)

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


def _is_doubtful(link: IssueLink) -> bool:
    """Tell whether what was seen last cannot be built on: something went wrong, or stopped half-way.

    A person who is not known on the other side is no doubt: both sides were seen, and left as they are.
    """
    well = link.health.word is HealthWord.SETTLED or link.health.reason == ASSIGNEE_NOT_FOUND
    return link.claim is not None or not well


def _owed(look: Look, decision: Decision, written: Written) -> Side | None:
    """Return the side that does not know the other's assignee, now or still."""
    if ASSIGNEE in written.refused:
        return next(intent.side for intent in decision.intents if intent.field == ASSIGNEE)
    return look.link.owed if decision.assignee.outcome is Outcome.SETTLED else None


def _following(link: IssueLink, item: WorkItem) -> IssueLink:
    """Take over what a look at the work item says beside its state: it may be another type or project now."""
    return replace(
        link,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        title=item.title or link.title,
        area_path=item.area_path or link.area_path,
    )


def _item_side(link: IssueLink, item: WorkItem | None) -> ItemSide:
    """Return how the work item stands, its status as it was seen: still to be looked up if it moved."""
    if item is None:
        return link.seen.item
    return ItemSide(item.rev, item.state, link.seen.item.status, item.assignee)


def _happened(entry: ActivityEntry, decision: Decision, written: Written) -> bool:
    """Tell whether a decided write landed; what was decided without a write always happened."""
    intent = next((each for each in decision.intents if each.field == entry.field), None)
    return intent is None or intent in written.landed


def _open_state(look: Look, written: Written) -> str | None:
    """Return the state to go back to when the issue is unresolved: the last one that was not done."""
    if written.now.item.status is IssueStatus.UNRESOLVED:
        return written.now.item.state
    if look.now.item.status is IssueStatus.UNRESOLVED:
        return look.now.item.state
    return look.link.open_state
