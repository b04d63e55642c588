"""Settling one link: look at both ends, decide, announce, write, record. docs/settling.md#the-claim.

The order makes a crash harmless. Before a write, the worker announces it on the link's row under the row's
ETag. Two workers therefore never write for one link at once, and the next worker can distinguish the writes
of a dead one from a person's edit. After the writes, the row records what was seen.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.domain.activity import decision_entries
from shared.domain.claims import CLAIMED_FOR, believed_end
from shared.domain.configuration import Configuration, DoneWhen
from shared.domain.errors import Busy, Conflict, NotFound, SyncError, Undecidable
from shared.domain.model import (
    NO_SUCH_STATE,
    STATE_UNREACHABLE,
    STATUS,
    ActivityEntry,
    Claim,
    End,
    HealthWord,
    IssueLink,
    IssueStatus,
    Side,
    WorkItemTypes,
)
from shared.domain.ports import Ado, Sentry
from shared.domain.rules.deciding import (
    Decision,
    Outcome,
    decide,
    has_another_way,
    passing_over,
    verify_calm,
)
from shared.domain.rules.landing import as_if_edited
from shared.domain.rules.partners import announced, followed, landed, looked_into, over, released, without
from shared.settling.observing import Observation, Observer, UnitOfWork, is_doubtful, verify_free
from shared.settling.partners import Partners
from shared.settling.recording import REFUSED, record_failure, record_of
from shared.settling.writing import Written, write
from shared.store.activity import ActivityStore
from shared.store.idempotency import IdempotencyStore, rule_of
from shared.store.links import LinkStore, StoredEnd, StoredLink

ECHO = "echo"

_ATTEMPTS = 5
_MOST_STATES = 3  # that are tried in one turn
_BY_THE_PROCESS = frozenset({NO_SUCH_STATE, STATE_UNREACHABLE})
_LONGEST_CALL = 30.0  # seconds; a write that begins this long before the claim's end cannot outlive it


class Claimed(msgspec.Struct, frozen=True):
    """A link with its claim, and what the row of each end to be written held before it."""

    stored: StoredLink
    until: float
    before: Mapping[Side, StoredEnd]


class Settler(msgspec.Struct, frozen=True):
    """Settles the links of one organization."""

    organization: str
    scope: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    observer: Observer
    partners: Partners
    links: LinkStore
    idempotency: IdempotencyStore
    activity: ActivityStore
    clock: Callable[[], float]

    def settle(self, stored: StoredLink, unit: UnitOfWork) -> str:
        """Bring both ends of a link into agreement and return the outcome.

        Raises the SyncError that stopped it, after recording its consequence on the link.
        """
        try:
            tried = 0
            for _ in range(_ATTEMPTS):
                try:
                    outcome = self._attempt(stored, unit, tried)
                    if isinstance(outcome, str):
                        return outcome
                    # What another worker records from here on shows as a conflict.
                    tried, stored = tried + 1, outcome
                except Busy:
                    raise
                except Conflict:
                    # The link or the work item changed since it was read: read everything again.
                    unit.start_over(stored.link)
                    stored = self._reload(stored.link, unit)
            raise Conflict(f"lost {_ATTEMPTS} races in a row")
        except SyncError as error:
            if error is not unit.recorded:
                self._record_failure(stored, unit, error)
            raise

    def _reload(self, link: IssueLink, unit: UnitOfWork) -> StoredLink:
        return self.links.get(self.scope, unit.current_issue_id(link.issue_id), link.work_item_id)

    def _attempt(self, stored: StoredLink, unit: UnitOfWork, tried: int) -> str | StoredLink:
        """Settle the link once and return the outcome, or its row if another state is to be tried at once.

        ``tried`` is how many states Azure DevOps has refused in this turn.
        """
        verify_free(stored.link.claim, unit, self.clock())
        if not tried and self._is_echo(stored.link, unit):
            return ECHO
        stored = self._follow_merge(stored, unit)
        link = stored.link
        if unit.copy_from is not None:
            link = replace(link, seen=as_if_edited(link.seen, unit.copy_from))
        observation = self.observer.observe(link, unit)
        observation, decision = self._decide(observation, unit)
        goes_on = False
        if decision.intents:
            for side in Side:
                if decision.for_side(side):
                    unit.verify_heard(side.value)
            self._tell_of_regression(observation.link, decision, unit)
            claimed = self._announce(stored, observation, decision, unit)
            written = self._write(claimed, observation, decision, unit)
            goes_on = tried < _MOST_STATES - 1 and self._has_another_way(observation, written)
            recorded = self._record(
                claimed.stored, observation, decision, written, claimed, unit, goes_on=goes_on
            )
        else:
            written = Written(observation.now)
            recorded = self._record(stored, observation, decision, written, None, unit)
        link = recorded.link
        self.partners.settle_later(stored.link, link)
        if error := written.error or decision.problem:
            unit.recorded = error
            raise error
        if goes_on:
            return recorded
        if link.waiting and not decision.completes and self._may_become_done(link, link.waiting):
            raise Conflict("the last of the other partners became done in the meantime")
        return REFUSED if written.refused else decision.outcome

    def _may_become_done(self, link: IssueLink, side: Side) -> bool:
        """Tell whether a side that waits may become what its partner is by now."""
        archives = link.seen.counts_as(side.other) is IssueStatus.IGNORED
        return self.partners.all_done(link, side, archives=archives)

    # Observe

    def _is_echo(self, link: IssueLink, unit: UnitOfWork) -> bool:
        """Tell whether the delivered snapshot says nothing new: it is late, repeated, or our own write."""
        item = unit.brought_along(link.work_item_id)
        known = item is not None and item.rev <= link.seen.item.rev
        return known and not is_doubtful(link) and not link.health.is_due(self.clock())

    def _follow_merge(self, stored: StoredLink, unit: UnitOfWork) -> StoredLink:
        """Return the link, moved to the surviving issue after a merge.

        Sentry quirk: a request for a merged issue returns the issue into which it was merged.
        """
        issue = self.observer.issue(stored.link.issue_id, unit)
        if issue.issue_id == stored.link.issue_id:
            return stored
        ends = self._carried_over(stored.link, issue.issue_id, unit)
        ends += self._written_for(stored.link, issue.issue_id)
        # What a rule did for the one is done for the other: hooks name that alone from now on.
        names = rule_of(stored.link.issue_id), rule_of(issue.issue_id)
        marks = self.idempotency.following(self.scope, *names)
        try:
            moved = self.links.move(stored, issue.issue_id, ends, marks)
        except NotFound as error:
            # Another worker had it follow, or this one, as storage repeats a change by itself; or it ended.
            unit.merged[stored.link.issue_id] = issue.issue_id
            self.partners.unlinked(stored.link.issue_id, stored.link.work_item_id)
            raise Conflict("the link followed the merge meanwhile") from error
        unit.ends.clear()
        unit.merged[stored.link.issue_id] = issue.issue_id
        entry = self._entry("moved", reason=f"merged-from-{stored.link.issue_id}")
        self._add_entries(moved.link, unit, entry)
        if moved.link != stored.link.moved_to(issue.issue_id):
            self.partners.unlinked(stored.link.issue_id, stored.link.work_item_id)
            raise Conflict("the work item is already linked to the merged issue")
        return moved

    def _carried_over(self, link: IssueLink, issue_id: str, unit: UnitOfWork) -> list[StoredEnd]:
        """Return the row of the surviving issue with what a dead worker announced for the merged one.

        Its write may have landed on either.
        """
        if link.claim is None:
            return []
        intents = tuple(each for each in link.claim.intents if each.side is Side.SENTRY)
        end = self.observer.end(End(Side.SENTRY, issue_id), unit)
        return (
            [replace(end, record=released(end.record, intents, link.claim.token, self.clock()))]
            if intents
            else []
        )

    def _written_for(self, link: IssueLink, issue_id: str) -> list[StoredEnd]:
        """Return the row of the work item as one that was written for the link with the surviving issue."""
        end = self.links.end(self.scope, link.end(Side.ADO))
        record = followed(end.record, link, issue_id)
        return [] if record == end.record else [replace(end, record=record)]

    # Decide

    def _decide(self, observation: Observation, unit: UnitOfWork) -> tuple[Observation, Decision]:
        """Return the decision, and the observation that it was made on.

        A state is out of reach only by the process as it is now.
        """
        copies = unit.copy_from
        decision = self._decided(observation, kept_open=None, copies=copies)
        if isinstance(decision.problem, Undecidable) and decision.problem.kind in _BY_THE_PROCESS:
            types = self._recent_types(observation)
            if types != observation.types:
                observation = replace(observation, types=types)
                decision = self._decided(observation, kept_open=None, copies=copies)
        side = decision.completes
        needs_all = self.configuration.done_when is DoneWhen.ALL and copies is None
        if (
            side
            and needs_all
            and not self.partners.all_done(observation.link, side, archives=decision.archives)
        ):
            decision = self._decided(observation, kept_open=side)
        if decision.intents:
            verify_calm(observation.link, self.clock())
        return observation, decision

    def _has_another_way(self, observation: Observation, written: Written) -> bool:
        """Tell whether a refused state leaves another one to try, by the process as it is now."""
        if written.refused_state is None or written.error is not None:
            return False
        link, before, after = observation.link, observation.now, written.now
        link = replace(link, passed_over=passing_over(link, before, after, written.refused_state))
        return has_another_way(link, after, self.configuration, self._recent_types(observation))

    def _recent_types(self, observation: Observation) -> WorkItemTypes:
        """Return the types of the project as they are now, or as they are known if nobody can be asked.

        Asking holds up nothing: neither what was decided for the other field nor the record of a write.
        """
        with suppress(SyncError):
            return self.observer.recent_types(observation.link)
        return observation.types

    def _decided(
        self, observation: Observation, *, kept_open: Side | None, copies: Side | None = None
    ) -> Decision:
        return decide(
            observation.link,
            seen=observation.seen,
            now=observation.now,
            owed=observation.link.owed if observation.link.health.is_due(self.clock()) else None,
            configuration=self.configuration,
            types=observation.types,
            problem=observation.problem,
            siblings=observation.siblings,
            reopened=observation.reopened,
            kept_open=kept_open,
            acquaintance=observation.acquaintance,
            copies=copies,
            own_archive=observation.own_archive,
        )

    # Announce and write

    def _tell_of_regression(self, link: IssueLink, decision: Decision, unit: UnitOfWork) -> None:
        """Have the work item told why it is reopened, if Sentry itself unresolved the issue.

        This comes before the write: a worker that dies in between cannot leave it without a reason. Whoever
        gets the message waits until the work item is open.
        """
        regression = self.observer.issue(link.issue_id, unit).regression
        if regression and any(
            each.field == STATUS and each.status is IssueStatus.UNRESOLVED
            for each in decision.for_side(Side.ADO)
        ):
            self.partners.tell_of_regression(link, regression)

    def _announce(
        self, stored: StoredLink, observation: Observation, decision: Decision, unit: UnitOfWork
    ) -> Claimed:
        """Claim the link and the ends to be written; add a conflict to the activity before it is resolved."""
        link, now = observation.link, self.clock()
        until = now + CLAIMED_FOR
        claim = Claim(unit.token, until, observation.now.item.rev, decision.intents, decision.after)
        before = {side: self._end(observation, side, unit, now) for side in Side if decision.for_side(side)}
        ends = [
            replace(end, record=announced(end.record, link, decision.for_side(side), claim))
            for side, end in before.items()
        ]
        ends += [each for each in self._changed_ends(observation, unit, now) if each.end.side not in before]
        # Whatever is only skipped counts as seen, and as waiting, once it is recorded and told.
        waiting = decision.waiting if decision.completes else link.waiting
        row = replace(link, seen=observation.told_from, claim=claim, waiting=waiting)
        stored = self._store(stored, row, ends, unit)
        entries = [
            entry
            for entry in decision_entries(observation.told_from, observation.now, decision, self.clock())
            if entry.outcome == Outcome.CONFLICT_RESOLVED
        ]
        if observation.repeats:
            entries.append(self._entry("repeated", reason="a-worker-stopped-before-its-write-showed"))
        self._add_entries(link, unit, *entries)
        return Claimed(stored, until, before)

    def _end(self, observation: Observation, side: Side, unit: UnitOfWork, now: float) -> StoredEnd:
        """Return the row of an end with what is ours there after people's edits and writes left behind."""
        end = self.observer.end(observation.link.end(side), unit)
        record, claim = end.record, observation.link.claim
        if claim is not None and claim.token == record.token:
            if _is_over(claim, end.end, unit, now):
                record = looked_into(record, claim, observation.now, side, now)
        elif record.token and unit.asked_at.get(end.end, 0.0) >= believed_end(record.until, now):
            record = over(record, observation.now.on(side))
        edited = (field for each, field in observation.edited if each is side)
        return replace(end, record=without(record, edited))

    def _changed_ends(self, observation: Observation, unit: UnitOfWork, now: float) -> list[StoredEnd]:
        """Return the rows of ends of which something else is ours now than they say."""
        claim = observation.link.claim
        sides = {*observation.ends, *(each.side for each in (claim.intents if claim else ()))}
        ends = [self._end(observation, side, unit, now) for side in Side if side in sides]
        return [each for each in ends if each != unit.ends[each.end]]

    def _store(
        self, stored: StoredLink, link: IssueLink, ends: list[StoredEnd], unit: UnitOfWork
    ) -> StoredLink:
        stored, kept = self.links.replace_with_ends(stored, link, ends)
        unit.ends |= {each.end: each for each in kept}
        return stored

    def _verify_time(self, until: float) -> None:
        """Raise Conflict if a claim that ends then leaves no time for a call: others may write from then on.

        A call that was begun in time and stands still on its way cannot be called back.
        """
        if self.clock() > until - _LONGEST_CALL:
            raise Conflict("the claim ran out before the write was begun")

    def _write(
        self, claimed: Claimed, observation: Observation, decision: Decision, unit: UnitOfWork
    ) -> Written:
        asked_at = self.clock()
        try:
            written = write(
                self.ado,
                self.sentry,
                observation.link,
                observation.now,
                decision,
                lambda: self._verify_time(claimed.until),
            )
        except Conflict:
            self._withdraw(claimed, unit)
            raise
        for error in written.errors:
            unit.note_silence(error)
        if written.item is not None:
            unit.item_answered(written.item, asked_at)
            self.observer.note_name(observation, decision, written.item)
        if written.issue is not None:
            unit.issue_answered(observation.link.issue_id, written.issue, asked_at)
        return written

    def _withdraw(self, claimed: Claimed, unit: UnitOfWork) -> None:
        """Take an announcement back of which nothing was written, so that nobody takes it for our work.

        Raises Conflict or NotFound if somebody was faster, and has looked into the claim.
        """
        ends = [replace(unit.ends[each.end], record=each.record) for each in claimed.before.values()]
        stored = claimed.stored
        self._store(stored, replace(stored.link, claim=None), ends, unit)

    # Record

    def _record(
        self,
        stored: StoredLink,
        observation: Observation,
        decision: Decision,
        written: Written,
        claimed: Claimed | None,
        unit: UnitOfWork,
        *,
        goes_on: bool = False,
    ) -> StoredLink:
        """Add the entries, then store what was seen: a crash in between may repeat entries but loses none."""
        now = self.clock()
        record = record_of(observation, decision, written, stored.link.claim, now, goes_on=goes_on)
        self._add_entries(observation.link, unit, *record.entries)
        ends = self._ends_after(observation, written, claimed, now, unit)
        if ends or record.link != stored.link:
            # Looks that find nothing new write nothing, and so are not noted.
            is_well = record.link.health.word is HealthWord.SETTLED
            link = replace(record.link, synced_at=now) if is_well else record.link
            return self._store(stored, link, ends, unit)
        return stored

    def _ends_after(
        self,
        observation: Observation,
        written: Written,
        claimed: Claimed | None,
        now: float,
        unit: UnitOfWork,
    ) -> list[StoredEnd]:
        """Return the rows of ends to store: with what landed, and free for other workers again."""
        if claimed is None:
            return self._changed_ends(observation, unit, now)
        ends = []
        for side, before in claimed.before.items():
            mine = [each for each in written.landed if each.side is side]
            if side is Side.ADO and written.stopped_halfway:
                mine.append(written.steps[-1])
            unsure = tuple(each for each in written.uncertain if each.side is side)
            record = released(
                landed(before.record, observation.link, mine, written.now, now), unsure, unit.token, now
            )
            ends.append(replace(unit.ends[before.end], record=record))
        return [*ends, *self._merged_meanwhile(observation, written, now)]

    def _merged_meanwhile(self, observation: Observation, written: Written, now: float) -> list[StoredEnd]:
        """Return the row of the issue that a merge led our write to, if it did."""
        link, issue = observation.link, written.issue
        if issue is None or issue.issue_id == link.issue_id:
            return []
        end = self.links.end(self.scope, replace(link, issue_id=issue.issue_id).end(Side.SENTRY))
        if end.record.at > now:
            return []  # Another write came after ours, and is what shows.
        mine = [each for each in written.landed if each.side is Side.SENTRY]
        return [replace(end, record=landed(end.record, link, mine, written.now, now))]

    def _record_failure(self, stored: StoredLink, unit: UnitOfWork, error: SyncError) -> None:
        """Record a failure; one that repeats an earlier answer costs one write of the row at hand at most."""
        repeats = unit.speaks_for(error)
        if not repeats:
            try:
                stored = self._reload(stored.link, unit)
            except NotFound:
                return  # The link was removed in the meantime.
        failed = record_failure(
            self.links,
            self.activity,
            stored,
            error,
            now=self.clock(),
            token=unit.token,
            rev=unit.rev_of(stored.link.work_item_id),
            tell=not repeats,
            told_by=unit.told_by,
        )
        self.partners.settle_later(stored.link, failed)

    def _add_entries(self, link: IssueLink, unit: UnitOfWork, *entries: ActivityEntry) -> None:
        news = (each for each in entries if unit.copy_from is None or each.outcome != Outcome.AGREED)
        told = [replace(each, told_by=unit.told_by) for each in news]
        self.activity.add(self.scope, link.issue_id, link.work_item_id, *told)
        unit.told += told

    def _entry(self, outcome: str, *, reason: str) -> ActivityEntry:
        return ActivityEntry(self.clock(), outcome, reason=reason)


def _is_over(claim: Claim, end: End, unit: UnitOfWork, now: float) -> bool:
    """Tell whether an end was read when nothing more could come of a claim."""
    return claim.token == unit.token or unit.asked_at.get(end, 0.0) >= believed_end(claim.until, now)
