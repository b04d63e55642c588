"""What a settling leaves behind: the link to store, its health, and its activity entries."""

from functools import partial

import msgspec
from msgspec.structs import replace

from shared.domain.activity import decision_entries, failure_entry, refusal_entry
from shared.domain.errors import Conflict, NotFound, Refused, SyncError, Undecidable
from shared.domain.failures import health_after, reason_of, unwell
from shared.domain.failures import waiting as waiting_health
from shared.domain.model import (
    ASSIGNEE,
    ASSIGNEE_NOT_FOUND,
    STATUS,
    ActivityEntry,
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    Side,
    ToldBy,
)
from shared.domain.rules.apart import reasons_after
from shared.domain.rules.deciding import Decision, Outcome, recent_writes
from shared.settling.observing import Observation
from shared.settling.writing import Written
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink

REFUSED = "refused"


class Record(msgspec.Struct, frozen=True):
    """The link to store, and the activity entries to add."""

    link: IssueLink
    entries: tuple[ActivityEntry, ...]


def record_of(
    observation: Observation, decision: Decision, written: Written, claim: Claim | None, now: float
) -> Record:
    """Return what to store after a settling; its ``claim`` keeps only a write that got no answer."""
    owed = _owed(observation, decision, written)
    seen = written.seen(observation.seen, decision) if decision.intents else decision.after
    waiting = None if _has_landed(STATUS, written) else decision.waiting
    health = _health(observation, decision, written, owed, seen, now)
    if waiting and health == Health():
        health = waiting_health(observation.link.health, now)
    left = replace(claim, until=now, intents=written.uncertain) if claim and written.uncertain else None
    link = replace(
        observation.link,
        seen=seen,
        open_state=_open_state(observation, written),
        owed=owed,
        waiting=waiting,
        health=health,
        claim=left,
        apart=reasons_after(observation.link, decision, written.refused.keys()),
        writes=(*recent_writes(observation.link, now), now) if written.landed else observation.link.writes,
    )
    return Record(link, tuple(_entries(observation, decision, written, health, now)))


def _has_landed(field: str, written: Written) -> bool:
    return any(each.field == field for each in written.landed)


def _owed(observation: Observation, decision: Decision, written: Written) -> Side | None:
    """Return the side that does not know the other side's assignee, or None.

    Whoever was assigned through another link meanwhile was a later choice.
    """
    intent = next((each for each in decision.intents if each.field == ASSIGNEE), None)
    if intent is not None and ASSIGNEE in written.refused:
        return intent.side
    if any(field == ASSIGNEE for _, field in observation.siblings):
        return None
    stopped = intent is not None and intent not in written.landed
    return observation.link.owed if stopped or decision.assignee.outcome is Outcome.SETTLED else None


def _health(
    observation: Observation,
    decision: Decision,
    written: Written,
    owed: Side | None,
    seen: Ends,
    now: float,
) -> Health:
    """Return the link's health: the gravest trouble names it, and each of them is tried again."""
    before, rev = observation.link.health, observation.now.item.rev
    error = written.error or decision.problem
    if error is not None and (health := health_after(error, before, now, rev=rev)):
        return health
    attention = partial(unwell, HealthWord.ATTENTION, before=before, now=now, may_cure_itself=True, rev=rev)
    for name, reason in ((STATUS, REFUSED), (ASSIGNEE, ASSIGNEE_NOT_FOUND)):
        if refused := written.refused.get(name):
            return attention(reason, refused.told)
    if seen.item.status is None:
        if not isinstance(observation.problem, Undecidable):
            return before  # What the state means could not be asked for, which is no news.
        return attention(observation.problem.kind, observation.problem.told)
    if owed is None or before.reason == ASSIGNEE_NOT_FOUND:
        return before if owed else Health()
    return attention(ASSIGNEE_NOT_FOUND, "nobody on the other side had this address")


def _open_state(observation: Observation, written: Written) -> str | None:
    """Return the state to restore when the issue is unresolved: the last state that was not done."""
    if written.now.item.status is IssueStatus.UNRESOLVED:
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
    entries += [
        refusal_entry(name, each, decision, now)
        for name, each in written.refused.items()
        if _is_news(name, each, observation)
    ]
    trouble = written.error or decision.problem or observation.problem
    if trouble is not None and health.reason == reason_of(trouble) != before.reason:
        entries.append(failure_entry(trouble, now))
    if before.word is HealthWord.ATTENTION and health.word is HealthWord.SETTLED:
        entries.append(ActivityEntry(now, "recovered", reason=before.reason))
    return entries


def _is_news(name: str, refused: Refused, observation: Observation) -> bool:
    """Tell whether a refusal differs from the one that the link already records."""
    if name == STATUS:
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
