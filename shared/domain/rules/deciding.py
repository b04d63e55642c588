"""What to do about a link: a separate decision for each field, as a total function of named facts."""

from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.configuration import Configuration, DoneWhen
from shared.domain.errors import SyncError, Undecidable
from shared.domain.model import (
    ARCHIVED,
    ASSIGNEE,
    SIBLING,
    STATUS,
    TEAM_ASSIGNEE,
    WAITS_FOR_OTHERS,
    Assignee,
    Ends,
    Intent,
    IssueLink,
    IssueStatus,
    ItemSide,
    PassedOver,
    ResolveIn,
    Side,
    Stranger,
    WorkItemTypes,
)
from shared.domain.rules.done import may_archive, means_archived, way_to_status
from shared.domain.rules.landing import with_field, with_intent
from shared.domain.rules.people import NO_MORE, Acquaintance, in_sentry, names_in_ado, same_person

# Why something is written that nobody changed: a person has one side copied over.
COPIED = "copied"
_MOST_WRITES_AN_HOUR = 20
_HOUR = 3600.0
_MOST_NAMES = 5  # that are tried of one person
# What an end of several links becomes only when all its partners are.
DONE = frozenset({IssueStatus.RESOLVED, IssueStatus.IGNORED})


class Outcome(StrEnum):
    """The result of settling one field of a link, from least to most important."""

    SETTLED = "settled"
    AGREED = "agreed"
    SKIPPED = "skipped"
    APPLIED = "applied"
    CONFLICT_RESOLVED = "conflict-resolved"
    UNDECIDED = "undecided"


class Directions(msgspec.Struct, frozen=True):
    """Which directions a field is synced in, and which side wins when both ends changed."""

    outbound: bool
    inbound: bool
    on_conflict: Side

    def may_write(self, side: Side) -> bool:
        return self.outbound if side is Side.ADO else self.inbound


class Choice(msgspec.Struct, frozen=True):
    """What to do about one field: an outcome and, for the outcomes that write, the side to write to.

    ``problem`` says why a field is undecided: it stays as it was seen, and holds no other field up.
    """

    outcome: Outcome
    target: Side | None = None
    reason: str | None = None
    problem: SyncError | None = None


def choose(*, issue_changed: bool, item_changed: bool, agree: bool, directions: Directions) -> Choice:
    """Decide one field from the four facts that matter; every combination has a result."""
    if not issue_changed and not item_changed:
        return Choice(Outcome.SETTLED)
    if agree:
        return Choice(Outcome.AGREED)
    if issue_changed and item_changed:
        return _choose_winner(directions)
    target = Side.ADO if issue_changed else Side.SENTRY
    if not directions.may_write(target):
        return Choice(Outcome.SKIPPED, reason=_switched_off(target))
    return Choice(Outcome.APPLIED, target)


def _choose_winner(directions: Directions) -> Choice:
    """Choose the winner of a conflict.

    A side whose changes are not synced cannot win, so one-way sync stays one-way even in a conflict.
    """
    target = directions.on_conflict.other
    if not directions.may_write(target):
        target = target.other
    if not directions.may_write(target):
        return Choice(Outcome.SKIPPED, reason=_switched_off(directions.on_conflict.other))
    return Choice(Outcome.CONFLICT_RESOLVED, target)


def _switched_off(target: Side) -> str:
    return "outbound-off" if target is Side.ADO else "inbound-off"


def _weight(outcome: Outcome) -> int:
    return list(Outcome).index(outcome)


def status_directions(configuration: Configuration) -> Directions:
    return Directions(
        outbound=configuration.issue_sync and configuration.sync_status_forward,
        inbound=configuration.issue_sync and configuration.sync_status_reverse,
        on_conflict=configuration.on_conflict,
    )


def assignee_directions(configuration: Configuration) -> Directions:
    return Directions(
        outbound=configuration.issue_sync and configuration.sync_forward_assignment,
        inbound=configuration.issue_sync and configuration.sync_reverse_assignment,
        on_conflict=configuration.on_conflict,
    )


def _both_ways(copies: Side) -> Directions:
    """Return the directions for a copy: whoever asks for it may have switched one off for the time being."""
    return Directions(outbound=True, inbound=True, on_conflict=copies)


class Archive(msgspec.Struct, frozen=True):
    """How an archived issue is dealt with.

    ``is_ours`` says that we archived it, on account of a work item; ``has_state`` that the work item's type
    has a state for it, and ``stands_in_state`` that the item is in it.
    """

    is_ours: bool = False
    has_state: bool = False
    stands_in_state: bool = False


PEOPLES = Archive()


def choose_status(
    seen: Ends,
    now: Ends,
    directions: Directions,
    waiting: Side | None = None,
    archive: Archive = PEOPLES,
    copies: Side | None = None,
) -> Choice:
    """Decide the status; ``waiting`` is the side that still lacks the change of the other one.

    What an unknown state counts as is not guessed, but may not matter. ``archive`` is how an archived issue
    is dealt with. ``copies`` is the side that a person copies over, an archived issue included: that is an
    order, and no change that happens to be seen.
    """
    if now.item.status is None:
        return _choose_without_category(seen, now, directions, waiting, archive, copies)
    issue_changed = status_moved(seen, now)
    item_changed = state_moved(seen, now) and now.item.status is not seen.item.status
    issue_changed, item_changed = (
        issue_changed or (waiting is Side.ADO and not item_changed),
        item_changed or (waiting is Side.SENTRY and not issue_changed),
    )
    if copies is not None:
        issue_changed, item_changed = copies is Side.SENTRY, copies is Side.ADO
    agree = now.issue.status is now.item.status or (
        # Whoever resolves an issue whose work item is done finds it done, for whatever reason.
        now.issue.status is IssueStatus.RESOLVED
        and now.item.status is IssueStatus.IGNORED
        and not (item_changed or archive.stands_in_state)
    )
    stays_archived = now.issue.status is IssueStatus.IGNORED and copies is not Side.ADO
    if stays_archived and not agree and (issue_changed or item_changed):
        choice = _choose_archived(
            now, directions, archive, issue_changed=issue_changed, item_changed=item_changed
        )
    else:
        choice = choose(
            issue_changed=issue_changed, item_changed=item_changed, agree=agree, directions=directions
        )
    return _unless_removed(choice, now)


def _choose_archived(
    now: Ends, directions: Directions, archive: Archive, *, issue_changed: bool, item_changed: bool
) -> Choice:
    """Decide about an archived issue and a work item that is not: being archived wins over any conflict.

    The one exception is an archiving of ours, which ends when a person reopens the work item.
    """
    if issue_changed and archive.has_state:
        if not directions.may_write(Side.ADO):
            return Choice(Outcome.SKIPPED, reason=_switched_off(Side.ADO))
        return Choice(Outcome.CONFLICT_RESOLVED if item_changed else Outcome.APPLIED, Side.ADO)
    if archive.is_ours and not issue_changed and now.item.status is IssueStatus.UNRESOLVED:
        return choose(issue_changed=False, item_changed=True, agree=False, directions=directions)
    return Choice(Outcome.SKIPPED, reason=ARCHIVED)


def _choose_without_category(
    seen: Ends,
    now: Ends,
    directions: Directions,
    waiting: Side | None,
    archive: Archive,
    copies: Side | None,
) -> Choice:
    """Decide as for each of the two statuses that the state may stand for.

    Only where it may have to be carried to Sentry it has to be known, or where whether both sides agree hangs
    on it. A write to Azure DevOps takes the item out of the unknown state, which is right for the one
    possibility and harmless for the other.
    """
    choices = [
        choose_status(
            seen, replace(now, item=replace(now.item, status=status)), directions, waiting, archive, copies
        )
        for status in (IssueStatus.UNRESOLVED, IssueStatus.RESOLVED)
    ]
    may_agree = {each.outcome for each in choices} == {Outcome.AGREED, Outcome.SETTLED}
    if may_agree or any(each.target is Side.SENTRY for each in choices):
        return Choice(Outcome.UNDECIDED)
    return max(choices, key=lambda each: _weight(each.outcome))


def _unless_removed(choice: Choice, now: Ends) -> Choice:
    """Leave a removed work item alone: whoever wants it back moves it by hand."""
    if choice.target is Side.ADO and not now.item.may_be_written:
        return Choice(Outcome.SKIPPED, reason="removed")
    return choice


def status_moved(seen: Ends, now: Ends) -> bool:
    return now.issue.status is not seen.issue.status


def state_moved(seen: Ends, now: Ends) -> bool:
    """Tell whether somebody changed the work item's state, or the reason for it.

    The same state is not a change, even if a new configuration makes it count differently: a
    configuration is not an edit, and must not rewrite a whole tracker. A reason that was not read is none.
    """
    return now.item.state != seen.item.state or _reasons_moved(seen.item, now.item)


def _reasons_moved(seen: ItemSide, now: ItemSide) -> bool:
    return None not in {seen.reasons, now.reasons} and seen.reasons != now.reasons


def choose_assignee(
    seen: Ends,
    now: Ends,
    owed: Side | None,
    configuration: Configuration,
    acquaintance: Acquaintance = NO_MORE,
    copies: Side | None = None,
) -> Choice:
    """Decide the assignee; ``owed`` is the side that did not know the person and still lacks the change.

    ``copies`` is the side that a person copies over, whichever directions are switched on.
    """
    issue_changed = now.issue.assignee != seen.issue.assignee
    item_changed = now.item.assignee != seen.item.assignee
    issue_changed, item_changed = (
        issue_changed or (owed is Side.ADO and not item_changed),
        item_changed or (owed is Side.SENTRY and not issue_changed),
    )
    if copies is not None:
        issue_changed, item_changed = copies is Side.SENTRY, copies is Side.ADO
    choice = choose(
        issue_changed=issue_changed,
        item_changed=item_changed,
        agree=_assignee_agrees(now, configuration, acquaintance),
        directions=assignee_directions(configuration) if copies is None else _both_ways(copies),
    )
    if choice.target is None:
        return choice
    issue_assignee = now.issue.assignee
    to_ado = choice.target is Side.ADO
    carried = issue_assignee if to_ado else in_sentry(configuration, now.item.assignee)
    if isinstance(carried, Stranger):
        return Choice(Outcome.SKIPPED, reason=carried.reason)
    if carried is None and not to_ado and _is_team(issue_assignee):
        return Choice(Outcome.SKIPPED, reason=TEAM_ASSIGNEE)
    return _unless_removed(choice, now)


def _is_team(assignee: Assignee) -> bool:
    return isinstance(assignee, Stranger) and assignee.reason == TEAM_ASSIGNEE


class Decision(msgspec.Struct, frozen=True):
    """What to do about a link: at most one write for each field, and both ends after these writes.

    ``waiting`` is the side that waits for its other partners, or waited for them until the write lands.
    """

    status: Choice
    assignee: Choice
    intents: tuple[Intent, ...]
    after: Ends
    waiting: Side | None = None

    @property
    def outcome(self) -> Outcome:
        """The more important of the two fields' outcomes."""
        return max(self.status.outcome, self.assignee.outcome, key=_weight)

    @property
    def completes(self) -> Side | None:
        """The side that becomes done by this decision, on account of its partner."""
        done = (each.side for each in self.intents if each.field == STATUS and each.status in DONE)
        return next(done, None)

    @property
    def archives(self) -> bool:
        """Tell whether an end is archived by this decision, or gets the state for it."""
        return any(each.field == STATUS and each.status is IssueStatus.IGNORED for each in self.intents)

    @property
    def problem(self) -> SyncError | None:
        """What kept a field from being decided."""
        return self.status.problem or self.assignee.problem

    def for_side(self, side: Side) -> tuple[Intent, ...]:
        return tuple(intent for intent in self.intents if intent.side is side)


def decide(
    link: IssueLink,
    *,
    seen: Ends,
    now: Ends,
    owed: Side | None,
    configuration: Configuration,
    types: WorkItemTypes,
    problem: SyncError | None = None,
    siblings: frozenset[tuple[Side, str]] = frozenset(),
    reopened: Side | None = None,
    kept_open: Side | None = None,
    acquaintance: Acquaintance = NO_MORE,
    copies: Side | None = None,
    own_archive: bool = False,
) -> Decision:
    """Decide both fields of a link, each on its own.

    ``types`` may be empty unless the decision writes a state; ``problem`` says why the item's status is not
    known, if it is not. ``siblings`` are the fields of each side that we wrote through another link, as
    ``seen`` has them already; ``reopened`` is the side that we reopened so. ``kept_open`` is the side that
    some other partner keeps from becoming done, ``copies`` the one that a person copies over.
    ``acquaintance`` is with the issue's assignee. ``own_archive`` says that an archived issue was archived by
    us.
    """
    waiting = _waiting(link.waiting, reopened, now, configuration)
    archive = Archive(
        is_ours=own_archive,
        has_state=may_archive(configuration, link.project_id, link.work_item_type, types),
        stands_in_state=means_archived(configuration, link.project_id, link.work_item_type, now.item.state),
    )
    directions = status_directions(configuration) if copies is None else _both_ways(copies)
    status = choose_status(seen, now, directions, waiting, archive, copies)
    if status.target is not waiting and status.outcome is not Outcome.UNDECIDED:
        waiting = None
    if status.outcome is Outcome.UNDECIDED:
        status = replace(status, problem=problem)
    elif status.target is not None and status.target is kept_open:
        partner = kept_open.other
        is_news = link.waiting is not kept_open or seen.counts_as(partner) is not now.counts_as(partner)
        status = Choice(Outcome.SKIPPED, reason=WAITS_FOR_OTHERS) if is_news else Choice(Outcome.SETTLED)
        waiting = kept_open
    elif any(field == STATUS for _, field in siblings) and not _status_agrees(now):
        status = _unless_apart(status, ARCHIVED if now.issue.status is IssueStatus.IGNORED else SIBLING)
    assigned = any(field == ASSIGNEE for _, field in siblings)
    # Whoever was assigned through another link was chosen later than the one who is owed.
    owed = None if assigned else owed
    assignee = choose_assignee(seen, now, owed, configuration, acquaintance, copies)
    if assigned and not _assignee_agrees(now, configuration, acquaintance):
        assignee = _unless_apart(assignee, SIBLING)
    if assignee.target is Side.ADO and _may_be_removed(now, problem):
        assignee = Choice(Outcome.UNDECIDED, problem=problem)
    if copies is not None:
        status, assignee = _told_as_copied(status), _told_as_copied(assignee)
    try:
        wanted = _status_intent(status, link, now, configuration, types)
    except Undecidable as error:
        unknown = problem if problem and not types else error
        status, wanted = Choice(Outcome.UNDECIDED, problem=unknown), None
    assigning = _assignee_intent(assignee, now, configuration, acquaintance)
    intents = tuple(intent for intent in (wanted, assigning) if intent is not None)
    after = _noted(status, assignee, seen, now)
    for intent in intents:
        after = with_intent(after, intent)
    return Decision(status, assignee, intents, after, waiting)


def _waiting(
    before: Side | None, reopened: Side | None, now: Ends, configuration: Configuration
) -> Side | None:
    """Return the side that a done partner still waits to see done, if any.

    It began to wait earlier, or has just been reopened on account of another partner.
    """
    waits = {before, reopened} if configuration.done_when is DoneWhen.ALL else {before}
    lacking = Side.ADO if now.issue.status in DONE else Side.SENTRY
    if now.item.status is now.issue.status or {now.item.status, now.issue.status} == DONE:
        return None
    return lacking if lacking in waits else None


def _status_agrees(now: Ends) -> bool:
    return now.item.status is None or now.item.status is now.issue.status


def _assignee_agrees(now: Ends, configuration: Configuration, acquaintance: Acquaintance) -> bool:
    return same_person(configuration, now.item.assignee, now.issue.assignee, acquaintance)


def _unless_apart(choice: Choice, reason: str) -> Choice:
    """Say once why both sides are apart although nobody changed this link's."""
    return Choice(Outcome.SKIPPED, reason=reason) if choice.outcome is Outcome.SETTLED else choice


def _told_as_copied(choice: Choice) -> Choice:
    return choice if choice.target is None else replace(choice, reason=COPIED)


def _may_be_removed(now: Ends, problem: SyncError | None) -> bool:
    """Tell whether an item may be Removed, for all that is known: its process could not be read.

    A state that the process does not list is no such state.
    """
    return now.item.status is None and problem is not None and not isinstance(problem, Undecidable)


def _noted(status: Choice, assignee: Choice, seen: Ends, now: Ends) -> Ends:
    """Return what is taken note of: all of it, but for a field that is undecided."""
    if assignee.outcome is Outcome.UNDECIDED:
        now = with_field(now, ASSIGNEE, seen)
    if status.outcome is Outcome.UNDECIDED:
        return with_field(now, STATUS, seen)
    if status.outcome is Outcome.SETTLED and seen.item.status is not None:
        return replace(now, item=replace(now.item, status=seen.item.status))
    return now


def _status_intent(
    choice: Choice, link: IssueLink, now: Ends, configuration: Configuration, types: WorkItemTypes
) -> Intent | None:
    if choice.target is Side.SENTRY:
        release = None if configuration.resolve_in is ResolveIn.NOW else configuration.resolve_in
        resolves = now.item.status is IssueStatus.RESOLVED
        return Intent(Side.SENTRY, STATUS, status=now.item.status, resolve_in=release if resolves else None)
    if choice.target is Side.ADO:
        tried = frozenset(passed_over.tried) if (passed_over := _still_refused(link, now)) else frozenset()
        try:
            way = way_to_status(configuration, link, now.item, now.issue.status, types, but=tried)
        except Undecidable:
            if not tried:
                raise
            # All have been refused; the rule that refused them may be another one by now.
            way = way_to_status(configuration, link, now.item, now.issue.status, types)
        return replace(way[-1], via=way[:-1])
    return None


def _still_refused(link: IssueLink, now: Ends) -> PassedOver | None:
    """Return the states that were refused, until the work item or its type changes."""
    kept = link.passed_over
    if kept is None or (kept.rev, kept.work_item_type) != (now.item.rev, link.work_item_type):
        return None
    return kept


def passing_over(link: IssueLink, before: Ends, after: Ends, state: str) -> PassedOver:
    """Return what is passed over once Azure DevOps has refused one more state."""
    kept = _still_refused(link, before)
    refused, tried = (kept.refused, kept.tried) if kept else ((), ())
    # One that is refused for the second time was asked for because all had been tried.
    tried = () if state in tried else tried
    refused = tuple(dict.fromkeys((*refused, state)))
    return PassedOver(after.item.rev, link.work_item_type, refused, (*tried, state))


def was_refused(link: IssueLink, now: Ends, state: str | None) -> bool:
    """Tell whether it is on record that Azure DevOps refuses this state."""
    kept = _still_refused(link, now)
    return kept is not None and state in kept.refused


def has_another_way(link: IssueLink, now: Ends, configuration: Configuration, types: WorkItemTypes) -> bool:
    """Tell whether there is a state left to try after those that were refused."""
    kept = _still_refused(link, now)
    but = frozenset(kept.tried) if kept else frozenset()
    try:
        return bool(way_to_status(configuration, link, now.item, now.issue.status, types, but=but))
    except Undecidable:
        return False


def _assignee_intent(
    choice: Choice, now: Ends, configuration: Configuration, acquaintance: Acquaintance
) -> Intent | None:
    if choice.target is Side.SENTRY:
        return Intent(Side.SENTRY, ASSIGNEE, assignee=in_sentry(configuration, now.item.assignee))
    if choice.target is Side.ADO:
        first, *others = names_in_ado(configuration, now.issue.assignee, acquaintance)[:_MOST_NAMES]
        return Intent(Side.ADO, ASSIGNEE, assignee=first, others=tuple(others))
    return None


def recent_writes(link: IssueLink, now: float) -> tuple[float, ...]:
    return tuple(at for at in link.writes if abs(now - at) < _HOUR)


def verify_calm(link: IssueLink, now: float) -> None:
    """Raise Undecidable after 20 of our own writes within an hour: something keeps changing the link back."""
    if len(recent_writes(link, now)) >= _MOST_WRITES_AN_HOUR:
        raise Undecidable(
            f"{_MOST_WRITES_AN_HOUR} writes within an hour: something keeps changing it back",
            kind="flapping",
        )
