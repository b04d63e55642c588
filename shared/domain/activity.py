"""Activity entries: a link's decisions, refusals and failures in the form that a person reads."""

from shared.domain.errors import Refused, SyncError
from shared.domain.failures import reason_of
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    ActivityEntry,
    Assignee,
    Ends,
    Intent,
    ItemSide,
    Person,
    Side,
    Stranger,
)
from shared.domain.rules.deciding import Choice, Decision, Outcome

OUTBOUND, INBOUND = "outbound", "inbound"


def decision_entries(seen: Ends, now: Ends, decision: Decision, at: float) -> list[ActivityEntry]:
    """Return an entry for each field that needed a decision."""
    return [
        _entry(name, choice, seen, now, decision, at)
        for name, choice in ((STATUS, decision.status), (ASSIGNEE, decision.assignee))
        if choice.outcome not in {Outcome.SETTLED, Outcome.UNDECIDED}
    ]


def refusal_entry(
    field: str,
    refused: Refused,
    decision: Decision,
    at: float,
    *,
    state: str | None = None,
    left_at: ItemSide | None = None,
) -> ActivityEntry:
    """Return an entry with the vendor's own words, which a person needs to fix the cause.

    ``state`` is the one that was refused, if it was on the way to the one decided on; ``left_at`` is where
    the steps before it had led.
    """
    intent = next(each for each in decision.intents if each.field == field)
    return ActivityEntry(
        at,
        "refused",
        direction=OUTBOUND if intent.side is Side.ADO else INBOUND,
        field=field,
        before=left_at.state if left_at else None,
        rev=left_at.rev if left_at else None,
        after=state or intent.state or intent.status or named(intent.assignee),
        reason=f"{refused.kind}: {refused.told}",
    )


def step_entry(now: Ends, step: Intent, decision: Decision, at: float) -> ActivityEntry:
    """Return an entry about a work item that was left in a state on the way."""
    goal = next(each.state for each in decision.intents if each.field == STATUS)
    return ActivityEntry(
        at,
        str(Outcome.APPLIED),
        direction=OUTBOUND,
        field=STATUS,
        before=now.item.state,
        after=step.state,
        rev=now.item.rev,
        reason=f"on the way to {goal}",
    )


def resolved_now_entry(refused: Refused, at: float) -> ActivityEntry:
    """Return an entry about an issue that was to be resolved in a release, where there is none."""
    reason = f"resolved-now: {refused.told}"
    return ActivityEntry(at, str(Outcome.APPLIED), direction=INBOUND, field=STATUS, reason=reason)


def failure_entry(error: SyncError, at: float) -> ActivityEntry:
    return ActivityEntry(at, "failed", reason=f"{reason_of(error)}: {error.told}")


def _entry(field: str, choice: Choice, seen: Ends, now: Ends, decision: Decision, at: float) -> ActivityEntry:
    """Return what changed on which side; for a write, the value it replaces and the value it sets."""
    after = decision.after
    side = choice.target or _changed_side(field, seen, now)
    before, later = (now, after) if choice.target else (seen, now)
    outbound = side is Side.ADO if choice.target else side is Side.SENTRY
    return ActivityEntry(
        at,
        str(choice.outcome),
        direction=OUTBOUND if outbound else INBOUND,
        field=field,
        before=_value(field, before, side),
        after=_value(field, later, side),
        rev=now.item.rev,
        reason=choice.reason or _way(field, decision),
    )


def _way(field: str, decision: Decision) -> str | None:
    """Name the states through which a work item is moved, if it cannot be moved at once."""
    via = [step.state or "" for each in decision.intents if each.field == field for step in each.via]
    return f"via {', '.join(via)}" if via else None


def _changed_side(field: str, seen: Ends, now: Ends) -> Side:
    return Side.SENTRY if _value(field, seen, Side.SENTRY) != _value(field, now, Side.SENTRY) else Side.ADO


def _value(field: str, ends: Ends, side: Side) -> str | None:
    if field == STATUS:
        return ends.item.state if side is Side.ADO else ends.issue.status.value
    return named(ends.item.assignee if side is Side.ADO else ends.issue.assignee)


def named(assignee: Assignee) -> str | None:
    match assignee:
        case Person(email):
            return email
        case Stranger(_, label):
            return label
        case _:
            return None
