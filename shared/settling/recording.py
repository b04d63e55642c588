"""What a settling leaves behind: the link to store, its health, and its activity entries."""

from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from shared.domain.activity import (
    decision_entries,
    failure_entry,
    refusal_entry,
    resolved_now_entry,
    step_entry,
)
from shared.domain.errors import Conflict, NotFound, Refused, SyncError, Undecidable
from shared.domain.failures import health_after, reason_of, unwell
from shared.domain.failures import waiting as waiting_health
from shared.domain.model import (
    ASSIGNEE,
    ASSIGNEE_AMBIGUOUS,
    ASSIGNEE_NOT_FOUND,
    STATUS,
    ActivityEntry,
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    PassedOver,
    Side,
    ToldBy,
)
from shared.domain.rules.apart import reasons_after
from shared.domain.rules.deciding import Decision, Outcome, passing_over, recent_writes, was_refused
from shared.domain.rules.landing import with_field
from shared.settling.observing import Observation
from shared.settling.writing import Written
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink

REFUSED = "refused"
_WHY_OWED = {
    ASSIGNEE_NOT_FOUND: "nobody on the other side had this address",
    ASSIGNEE_AMBIGUOUS: "more than one account on the other side had this address",
    REFUSED: "the other side refused the assignment",
}
# Newer versions of the app may know other reasons, and their rows outlive a way back.
_OWED_SOMEHOW = "the other side does not have the assignee"


class Record(msgspec.Struct, frozen=True):
    """The link to store, and the activity entries to add."""

    link: IssueLink
    entries: tuple[ActivityEntry, ...]


def record_of(
    observation: Observation,
    decision: Decision,
    written: Written,
    claim: Claim | None,
    now: float,
    *,
    goes_on: bool = False,
) -> Record:
    """Return what to store after a settling; its ``claim`` keeps only a write that got no answer.

    ``goes_on`` says that another state is tried at once after one was refused.
    """
    owed, owed_reason = _owed(observation, decision, written)
    seen = written.seen(observation.seen, decision) if decision.intents else decision.after
    if decision.status.outcome is Outcome.UNDECIDED:
        # What we wrote through another link is to be met again, once it is known what to make of it.
        seen = with_field(seen, STATUS, observation.told_from)
    waiting = None if _has_landed(STATUS, written) else decision.waiting
    health = _health(observation, decision, written, owed_reason if owed else "", seen, now, goes_on=goes_on)
    if waiting and health == Health():
        health = waiting_health(observation.link.health, now)
    has_written = bool(written.landed or written.steps)
    left = replace(claim, until=now, intents=written.uncertain) if claim and written.uncertain else None
    link = replace(
        observation.link,
        seen=seen,
        open_state=_open_state(observation, written),
        owed=owed,
        owed_reason=owed_reason if owed else "",
        waiting=waiting,
        health=health,
        claim=left,
        writes=(*recent_writes(observation.link, now), now) if has_written else observation.link.writes,
        passed_over=_passed_over(observation, written),
        undecided=observation.now.item.status is None and written.now.item.status is None,
        apart=reasons_after(
            observation.link, decision, {name: each.kind for name, each in written.refused.items()}
        ),
    )
    return Record(link, tuple(_entries(observation, decision, written, health, now)))


def _has_landed(field: str, written: Written) -> bool:
    return any(each.field == field for each in written.landed)


def _passed_over(observation: Observation, written: Written) -> PassedOver | None:
    """Return the states that Azure DevOps refused. Our own writes do not make it think again."""
    link, before, after = observation.link, observation.now, written.now
    if any(each.side is Side.ADO and each.field == STATUS for each in written.landed):
        return None
    if written.refused_state is not None:
        return passing_over(link, before, after, written.refused_state)
    if link.passed_over is not None and link.passed_over.rev == before.item.rev:
        return replace(link.passed_over, rev=after.item.rev)
    return link.passed_over


def _owed(observation: Observation, decision: Decision, written: Written) -> tuple[Side | None, str]:
    """Return the side that lacks the other side's assignee, or None, and why it does.

    Whoever was assigned through another link meanwhile was a later choice.
    """
    intent = next((each for each in decision.intents if each.field == ASSIGNEE), None)
    if intent is not None and ASSIGNEE in written.refused:
        return intent.side, written.refused[ASSIGNEE].kind
    if any(field == ASSIGNEE for _, field in observation.siblings):
        return None, ""
    link = observation.link
    stopped = intent is not None and intent not in written.landed
    goes_on = stopped or decision.assignee.outcome in {Outcome.SETTLED, Outcome.UNDECIDED}
    # Links of an older version do not say why.
    return (link.owed, link.owed_reason or ASSIGNEE_NOT_FOUND) if goes_on else (None, "")


def _health(
    observation: Observation,
    decision: Decision,
    written: Written,
    owed_reason: str,
    seen: Ends,
    now: float,
    *,
    goes_on: bool,
) -> Health:
    """Return the link's health: the gravest trouble names it, and each of them is tried again."""
    before, rev = observation.link.health, observation.now.item.rev
    error = written.error or decision.problem
    if error is not None and (health := health_after(error, before, now, rev=rev)):
        return health
    attention = partial(unwell, HealthWord.ATTENTION, before=before, now=now, may_cure_itself=True, rev=rev)
    for name in (STATUS, ASSIGNEE):
        if (refused := written.refused.get(name)) and not (name == STATUS and goes_on):
            return attention(refused.kind, refused.told)
    problem = observation.problem
    if seen.item.status is None and isinstance(problem, Undecidable) and not goes_on:
        return attention(problem.kind, problem.told)
    # What a state means that could not be asked for is no news, unless the trouble of before is over.
    if seen.item.status is None and problem is not None and not (goes_on or before.is_observed):
        before = health_after(problem, before, now, rev=rev) or before
    if goes_on or seen.item.status is None:
        return before
    if not owed_reason:
        return Health()
    why = _WHY_OWED.get(owed_reason, _OWED_SOMEHOW)
    return before if before.reason == owed_reason else attention(owed_reason, why)


def _open_state(observation: Observation, written: Written) -> str | None:
    """Return the state to restore when the issue is unresolved: the last state that was not done."""
    if written.now.item.status is IssueStatus.UNRESOLVED and not written.stopped_halfway:
        return written.now.item.state
    if observation.now.item.status is IssueStatus.UNRESOLVED:
        return observation.now.item.state
    return observation.link.open_state


def _entries(
    observation: Observation, decision: Decision, written: Written, health: Health, now: float
) -> list[ActivityEntry]:
    """Return the entries to add. Conflicts have theirs since the announcement; repeated failures add none."""
    before = observation.link.health
    entries = [
        entry
        for entry in decision_entries(observation.told_from, observation.now, decision, now)
        if entry.outcome != Outcome.CONFLICT_RESOLVED and _happened(entry, decision, written)
    ]
    if written.resolved_now is not None:
        entries += [resolved_now_entry(written.resolved_now, now)]
    entries += [
        refusal_entry(name, each, decision, now, **(_where(written) if name == STATUS else {}))
        for name, each in written.refused.items()
        if _is_news(name, each, observation, written)
    ]
    if written.stopped_halfway:
        entries.insert(0, step_entry(observation.now, written.steps[-1], decision, now))
    trouble = written.error or decision.problem or observation.problem
    if trouble is not None and health.reason == reason_of(trouble) != before.reason:
        entries.append(failure_entry(trouble, now))
    if before.word is HealthWord.ATTENTION and health.word is HealthWord.SETTLED:
        entries.append(ActivityEntry(now, "recovered", reason=before.reason))
    return entries


def _where(written: Written) -> dict[str, Any]:
    """Say which state was refused, and where the work item stood by then."""
    return {"state": written.refused_state, "left_at": written.now.item if written.steps else None}


def _is_news(name: str, refused: Refused, observation: Observation, written: Written) -> bool:
    """Tell whether a refusal differs from the one that the link already records."""
    if name == STATUS:
        if was_refused(observation.link, observation.now, written.refused_state):
            return False
        return (observation.link.health.reason, observation.link.health.detail) != (REFUSED, refused.told)
    seen, now = observation.seen, observation.now
    moved = (seen.issue.assignee, seen.item.assignee) != (now.issue.assignee, now.item.assignee)
    return moved or observation.link.owed is None


def _happened(entry: ActivityEntry, decision: Decision, written: Written) -> bool:
    """Tell whether an entry's write landed; a decision without a write always counts as happened."""
    intent = next((each for each in decision.intents if each.field == entry.field), None)
    return intent is None or intent in written.landed


def record_failure(
    links: LinkStore,
    activity: ActivityStore,
    stored: StoredLink,
    error: SyncError,
    *,
    now: float,
    token: str = "",
    rev: int = 0,
    tell: bool = True,
    told_by: ToldBy | None = None,
) -> IssueLink:
    """Record a failure on the link that was just read and return it; release a claim under ``token``."""
    link = stored.link
    health = health_after(error, link.health, now, rev=rev) or link.health
    claim = link.claim
    if claim is not None and claim.token == token:
        claim = replace(claim, until=now)
    try:
        if tell and health.reason != link.health.reason:
            entry = replace(failure_entry(error, now), told_by=told_by)
            activity.add(link.scope, link.issue_id, link.work_item_id, entry)
        recorded = replace(link, health=health, claim=claim)
        # An unnecessary write would change the ETag and fail the worker that holds the claim.
        if recorded != link:
            links.replace(stored, recorded)
    except (NotFound, Conflict):
        return link  # The link was removed, or another worker changed it and knows more.
    return recorded
