"""What a settling leaves behind: the link as it is stored from now on, its health, and its story."""

import msgspec
from msgspec.structs import replace

from shared.errors import Conflict, NotFound, Refused, SyncError
from shared.failures import health_after, unwell
from shared.looking import Look
from shared.model import (
    ASSIGNEE_NOT_FOUND,
    ActivityEntry,
    Claim,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    Side,
)
from shared.rules import ASSIGNEE, STATUS, Decision, Outcome, recent_writes
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink
from shared.story import told, told_failure, told_refusal
from shared.writing import Written

REFUSED = "refused"


class Record(msgspec.Struct, frozen=True):
    """The link as it is to be stored, and what is to be told of it."""

    link: IssueLink
    entries: tuple[ActivityEntry, ...]


def record_of(look: Look, decision: Decision, written: Written, claim: Claim | None, now: float) -> Record:
    """Return what to keep of a settling. Of its ``claim`` only a write without an answer is left."""
    owed = _owed(look, decision, written)
    health = _health(look, written, owed, now)
    left = replace(claim, until=now, intents=written.uncertain) if claim and written.uncertain else None
    link = replace(
        look.link,
        seen=written.seen(look.seen, decision) if decision.intents else decision.after,
        open_state=_open_state(look, written),
        owed=owed,
        health=health,
        claim=left,
        writes=(*recent_writes(look.link, now), now) if written.landed else look.link.writes,
    )
    return Record(link, tuple(_entries(look, decision, written, health, now)))


def _owed(look: Look, decision: Decision, written: Written) -> Side | None:
    """Return the side that does not know the other's assignee, now or still."""
    intent = next((each for each in decision.intents if each.field == ASSIGNEE), None)
    if intent is not None and ASSIGNEE in written.refused:
        return intent.side
    stopped = intent is not None and intent not in written.landed
    return look.link.owed if stopped or decision.assignee.outcome is Outcome.SETTLED else None


def _health(look: Look, written: Written, owed: Side | None, now: float) -> Health:
    before = look.link.health
    if written.error is not None and (health := health_after(written.error, before, now)):
        return health
    for name, reason in ((STATUS, REFUSED), (ASSIGNEE, ASSIGNEE_NOT_FOUND)):
        if refused := written.refused.get(name):
            return unwell(HealthWord.ATTENTION, reason, refused.detail, before, now, may_cure_itself=True)
    if owed is None or before.reason == ASSIGNEE_NOT_FOUND:
        return before if owed else Health()
    detail = "nobody on the other side had this address"
    return unwell(HealthWord.ATTENTION, ASSIGNEE_NOT_FOUND, detail, before, now, may_cure_itself=True)


def _open_state(look: Look, written: Written) -> str | None:
    """Return the state to go back to when the issue is unresolved: the last one that was not done."""
    if written.now.item.status is IssueStatus.UNRESOLVED:
        return written.now.item.state
    if look.now.item.status is IssueStatus.UNRESOLVED:
        return look.now.item.state
    return look.link.open_state


def _entries(
    look: Look, decision: Decision, written: Written, health: Health, now: float
) -> list[ActivityEntry]:
    """Return what happened. A conflict is on record since it was announced; the same trouble is told once."""
    before = look.link.health
    entries = [
        entry
        for entry in told(look.seen, look.now, decision, now)
        if entry.outcome != Outcome.CONFLICT_RESOLVED and _happened(entry, decision, written)
    ]
    entries += [
        told_refusal(name, each, decision, now)
        for name, each in written.refused.items()
        if _is_news(name, each, look)
    ]
    if written.error is not None and health.reason != before.reason:
        entries.append(told_failure(written.error, now))
    if before.word is HealthWord.ATTENTION and health.word is HealthWord.SETTLED:
        entries.append(ActivityEntry(now, "recovered", reason=before.reason))
    return entries


def _is_news(name: str, refused: Refused, look: Look) -> bool:
    """Tell whether a refusal is another than the one that the link has been waiting for the end of."""
    if name == STATUS:
        return (look.link.health.reason, look.link.health.detail) != (REFUSED, refused.detail)
    seen, now = look.seen, look.now
    moved = (seen.issue.assignee, seen.item.assignee) != (now.issue.assignee, now.item.assignee)
    return moved or look.link.owed is None


def _happened(entry: ActivityEntry, decision: Decision, written: Written) -> bool:
    """Tell whether a decided write landed; what was decided without a write always happened."""
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
) -> None:
    """Record a failure on the link as it was just read; a claim under ``token`` is given back with it."""
    link = stored.link
    health = health_after(error, link.health, now) or link.health
    claim = link.claim
    if claim is not None and claim.token == token:
        claim = replace(claim, until=now)
    try:
        if health.reason != link.health.reason:
            activity.add(link.organization, link.issue_id, link.work_item_id, told_failure(error, now))
        recorded = replace(link, health=health, claim=claim)
        # Not for nothing: a new ETag would cost the worker that holds the link its race.
        if recorded != link:
            links.replace(stored, recorded)
    except (NotFound, Conflict):
        return  # The link was removed, or somebody was first and knows more.
