"""Every decision the sync takes: what counts as done, who is who, and what to do about a link.

Pure: values in, a decision out; no clock, no network, no storage. design.md §5 is this page in prose.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.configuration import Configuration, StatusMapping
from shared.errors import Undecidable
from shared.model import (
    Assignee,
    Category,
    Claim,
    Ends,
    Intent,
    IssueLink,
    IssueStatus,
    Person,
    Side,
    State,
    Stranger,
    WorkItemTypes,
)

STATUS = "status"
ASSIGNEE = "assignee"
_MOST_WRITES_AN_HOUR = 20
_HOUR = 3600.0


class Outcome(StrEnum):
    """What settling one field of a link came to, from light to weighty."""

    SETTLED = "settled"
    AGREED = "agreed"
    SKIPPED = "skipped"
    APPLIED = "applied"
    CONFLICT_RESOLVED = "conflict-resolved"


# What counts as done


def status_of_state(
    configuration: Configuration, project_id: str, work_item_type: str, state: str, types: WorkItemTypes
) -> IssueStatus:
    """Return what a state counts as for an item's own type; raise Undecidable rather than guess."""
    mapping = configuration.project_mapping(project_id)
    if mapping and any(state in each.done_states for each in mapping.for_type(work_item_type)):
        return IssueStatus.RESOLVED
    category = next((each.category for each in types.get(work_item_type, ()) if each.name == state), None)
    if category is None:
        raise Undecidable(
            f"no category is known for state {state!r} of {work_item_type}", kind="unknown-state"
        )
    return IssueStatus.RESOLVED if category in configuration.done_categories else IssueStatus.UNRESOLVED


# Which category is written first where no mapping names a state.
_DONE_ORDER = (Category.COMPLETED, Category.RESOLVED, Category.REMOVED)
_OPEN_ORDER = (Category.IN_PROGRESS, Category.PROPOSED, Category.RESOLVED)


def state_for_status(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    status: IssueStatus,
    open_state: str | None,
    types: WorkItemTypes,
) -> str:
    """Return the state to write for a status: mapped for the type, else for the project, else by category.

    A candidate that the type lacks, or that would be read back as the other status, is passed over; that
    is what makes a loop impossible even when a process changes after its mapping was checked.
    """
    states = types.get(work_item_type, ())
    names = {state.name for state in states}
    mapping = configuration.project_mapping(project_id)
    mapped = [mapped_state(each, status) for each in mapping.for_type(work_item_type)] if mapping else []
    for candidate in (*mapped, *_by_default(states, status, open_state)):
        if candidate not in names:
            continue
        if _reads_as(configuration, project_id, work_item_type, candidate, types) is status:
            return candidate
    raise Undecidable(f"{work_item_type} has no state that counts as {status.value}", kind="no-such-state")


def _by_default(states: Sequence[State], status: IssueStatus, open_state: str | None) -> Iterator[str | None]:
    """Yield the candidates that nobody mapped: the state it came from, then those of each category."""
    if status is not IssueStatus.RESOLVED:
        # A removed work item counts as open, but nobody reopens an issue to see it removed again.
        removed = {state.name for state in states if state.category is Category.REMOVED}
        yield None if open_state in removed else open_state
    for category in _DONE_ORDER if status is IssueStatus.RESOLVED else _OPEN_ORDER:
        yield from (state.name for state in states if state.category is category)


def mapped_state(mapping: StatusMapping, status: IssueStatus) -> str | None:
    return mapping.on_resolve if status is IssueStatus.RESOLVED else mapping.on_unresolve


def mapping_errors(configuration: Configuration, project_id: str, types: WorkItemTypes) -> dict[str, str]:
    """Check one project's mapping against its process: every state exists, and what is written is read back.

    Writing a status and reading it back must give that status, or the two services would correct each
    other for ever; so a document that breaks this law is never stored.
    """
    mapping = configuration.project_mapping(project_id)
    if mapping is None:
        return {}
    path = f"status_mapping.{project_id}"
    errors: dict[str, str] = {}
    everywhere = {state.name for states in types.values() for state in states}
    errors |= _missing_states(path, mapping, everywhere, "the project")
    for name, special in mapping.types.items():
        if name not in types:
            errors[f"{path}.types.{name}"] = "is no work item type of the project"
        else:
            errors |= _missing_states(f"{path}.types.{name}", special, {s.name for s in types[name]}, name)
    for name, states in types.items():
        own = mapping.types.get(name)
        chosen, where = (own, f"{path}.types.{name}") if own and own.on_resolve else (mapping, path)
        errors |= {
            f"{where}.{key}": problem
            for key, problem in _law_broken(configuration, project_id, name, chosen, states, types)
        }
    return errors


def _missing_states(path: str, mapping: StatusMapping, known: set[str], owner: str) -> dict[str, str]:
    named: list[tuple[str, str | None]] = [
        ("on_resolve", mapping.on_resolve),
        ("on_unresolve", mapping.on_unresolve),
        *((f"done_states[{index}]", state) for index, state in enumerate(mapping.done_states)),
    ]
    return {
        f"{path}.{key}": f"{state!r} is no state of {owner}"
        for key, state in named
        if state is not None and state not in known
    }


def _law_broken(
    configuration: Configuration,
    project_id: str,
    work_item_type: str,
    mapping: StatusMapping,
    states: tuple[State, ...],
    types: WorkItemTypes,
) -> Iterable[tuple[str, str]]:
    for key, status in (("on_resolve", IssueStatus.RESOLVED), ("on_unresolve", IssueStatus.UNRESOLVED)):
        state = mapped_state(mapping, status)
        if state in {each.name for each in states}:
            read = _reads_as(configuration, project_id, work_item_type, state, types)
            if read is not status:
                yield key, f"{state!r} for {status.value} is read back as {_word(read)} ({work_item_type})"


def _reads_as(
    configuration: Configuration, project_id: str, work_item_type: str, state: str, types: WorkItemTypes
) -> IssueStatus | None:
    try:
        return status_of_state(configuration, project_id, work_item_type, state, types)
    except Undecidable:
        return None


def _word(status: IssueStatus | None) -> str:
    return "nothing we know" if status is None else status.value


# Who is who


def in_sentry(configuration: Configuration, assignee: Assignee) -> Assignee:
    """Return the Sentry person for an ADO person."""
    if isinstance(assignee, Person):
        return Person(configuration.people.get(assignee.email, assignee.email))
    return assignee


def in_ado(configuration: Configuration, assignee: Assignee) -> Assignee:
    """Return the ADO person for a Sentry person."""
    if isinstance(assignee, Person):
        return Person(configuration.ado_people.get(assignee.email, assignee.email))
    return assignee


def same_person(configuration: Configuration, in_ado_now: Assignee, in_sentry_now: Assignee) -> bool:
    if isinstance(in_ado_now, Stranger) or isinstance(in_sentry_now, Stranger):
        return False
    return in_sentry(configuration, in_ado_now) == in_sentry_now


# What to do about a link


class Directions(msgspec.Struct, frozen=True):
    """Which ways a field travels, and who wins when both ends changed it."""

    outbound: bool
    inbound: bool
    on_conflict: Side

    def may_write(self, side: Side) -> bool:
        return self.outbound if side is Side.ADO else self.inbound


class Choice(msgspec.Struct, frozen=True):
    """What to do about one field: an outcome and, for the outcomes that write, the side to write to."""

    outcome: Outcome
    target: Side | None = None
    reason: str | None = None


def choose(*, issue_changed: bool, item_changed: bool, agree: bool, directions: Directions) -> Choice:
    """Decide one field from the four facts that matter; a total function, tested row by row."""
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
    """A side whose changes do not travel cannot win, so one-way sync stays one-way even in a conflict."""
    target = directions.on_conflict.other
    if not directions.may_write(target):
        target = target.other
    if not directions.may_write(target):
        return Choice(Outcome.SKIPPED, reason=_switched_off(directions.on_conflict.other))
    return Choice(Outcome.CONFLICT_RESOLVED, target)


def _switched_off(target: Side) -> str:
    return "outbound-off" if target is Side.ADO else "inbound-off"


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


def choose_status(seen: Ends, now: Ends, directions: Directions) -> Choice:
    issue_changed = status_moved(seen, now)
    item_changed = state_moved(seen, now) and now.item.status is not seen.item.status
    if now.issue.status is IssueStatus.IGNORED and (issue_changed or item_changed):
        return Choice(Outcome.SKIPPED, reason="archived")
    return choose(
        issue_changed=issue_changed,
        item_changed=item_changed,
        agree=now.issue.status is now.item.status,
        directions=directions,
    )


def status_moved(seen: Ends, now: Ends) -> bool:
    return now.issue.status is not seen.issue.status


def state_moved(seen: Ends, now: Ends) -> bool:
    """Tell whether somebody moved the work item.

    The same state is no change, even when a new configuration makes it count differently: a
    configuration is not an edit, and must not rewrite a whole tracker.
    """
    return now.item.state != seen.item.state


def choose_assignee(seen: Ends, now: Ends, owed: Side | None, configuration: Configuration) -> Choice:
    """``owed`` is the side on which the person was not known last time: that change is still to be made."""
    issue_changed = now.issue.assignee != seen.issue.assignee
    item_changed = now.item.assignee != seen.item.assignee
    choice = choose(
        issue_changed=issue_changed or (owed is Side.ADO and not item_changed),
        item_changed=item_changed or (owed is Side.SENTRY and not issue_changed),
        agree=same_person(configuration, now.item.assignee, now.issue.assignee),
        directions=assignee_directions(configuration),
    )
    carried = now.issue.assignee if choice.target is Side.ADO else now.item.assignee
    if choice.target is not None and isinstance(carried, Stranger):
        return Choice(Outcome.SKIPPED, reason=carried.reason)
    return choice


class Decision(msgspec.Struct, frozen=True):
    """What to do about a link: at most one write to each side, and how both ends will stand afterwards."""

    status: Choice
    assignee: Choice
    intents: tuple[Intent, ...]
    after: Ends

    @property
    def outcome(self) -> Outcome:
        """The weightier of the two fields' outcomes."""
        order = list(Outcome)
        return max(self.status.outcome, self.assignee.outcome, key=order.index)

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
) -> Decision:
    """Decide both fields of a link. ``types`` may be empty as long as no state has to be found."""
    status = choose_status(seen, now, status_directions(configuration))
    assignee = choose_assignee(seen, now, owed, configuration)
    intents = tuple(
        intent
        for intent in (
            _status_intent(status, link, now, configuration, types),
            _assignee_intent(assignee, now, configuration),
        )
        if intent is not None
    )
    after = now
    if status.outcome is Outcome.SETTLED:
        after = replace(now, item=replace(now.item, status=seen.item.status))
    for intent in intents:
        after = with_intent(after, intent)
    return Decision(status, assignee, intents, after)


def _status_intent(
    choice: Choice, link: IssueLink, now: Ends, configuration: Configuration, types: WorkItemTypes
) -> Intent | None:
    if choice.target is Side.SENTRY:
        return Intent(Side.SENTRY, STATUS, status=now.item.status)
    if choice.target is Side.ADO:
        status = now.issue.status
        state = state_for_status(
            configuration, link.project_id, link.work_item_type, status, link.open_state, types
        )
        return Intent(Side.ADO, STATUS, state=state, status=status)
    return None


def _assignee_intent(choice: Choice, now: Ends, configuration: Configuration) -> Intent | None:
    if choice.target is Side.SENTRY:
        return Intent(Side.SENTRY, ASSIGNEE, assignee=in_sentry(configuration, now.item.assignee))
    if choice.target is Side.ADO:
        return Intent(Side.ADO, ASSIGNEE, assignee=in_ado(configuration, now.issue.assignee))
    return None


def recent_writes(link: IssueLink, now: float) -> tuple[float, ...]:
    return tuple(at for at in link.writes if at > now - _HOUR)


def verify_calm(link: IssueLink, now: float) -> None:
    """Raise Undecidable for a link that something else keeps changing back."""
    if len(recent_writes(link, now)) >= _MOST_WRITES_AN_HOUR:
        raise Undecidable(
            f"{_MOST_WRITES_AN_HOUR} writes within an hour: something keeps changing it back",
            kind="flapping",
        )


def with_intent(ends: Ends, intent: Intent) -> Ends:
    """Return both ends as they stand once an intent has landed."""
    match intent.side, intent.field:
        case Side.ADO, "status":
            return replace(ends, item=replace(ends.item, state=intent.state, status=intent.status))
        case Side.ADO, _:
            return replace(ends, item=replace(ends.item, assignee=intent.assignee))
        case _, "status":
            return replace(ends, issue=replace(ends.issue, status=intent.status))
        case _:
            return replace(ends, issue=replace(ends.issue, assignee=intent.assignee))


def with_field(ends: Ends, field: str, source: Ends) -> Ends:
    """Return ``ends`` with one field, on both sides, as it is in ``source``."""
    if field == STATUS:
        item = replace(ends.item, state=source.item.state, status=source.item.status)
        return replace(ends, issue=replace(ends.issue, status=source.issue.status), item=item)
    item = replace(ends.item, assignee=source.item.assignee)
    return replace(ends, issue=replace(ends.issue, assignee=source.issue.assignee), item=item)


def seen_after_crash(seen: Ends, claim: Claim, now: Ends) -> Ends:
    """Return what counts as seen when a worker died between announcing its writes and recording them.

    A write that landed is our own and no person's edit, so both sides of its field count as settled then.
    One that did not land leaves what was seen before, and is decided anew.
    """
    for intent in claim.intents:
        if has_landed(intent, claim, now):
            seen = with_field(seen, intent.field, claim.after)
    return seen


def has_landed(intent: Intent, claim: Claim, now: Ends) -> bool:
    """Tell whether an announced write shows on its side now."""
    if intent.side is Side.ADO and now.item.rev <= claim.tested_rev:
        return False
    landed = with_intent(now, intent)
    # Compared as people see it: the state's name, not what it counts as.
    return landed.issue == now.issue and (landed.item.state, landed.item.assignee) == (
        now.item.state,
        now.item.assignee,
    )
