"""Landed writes: both ends after a write has landed, and whether an announced write has landed."""

from msgspec.structs import replace

from shared.domain.model import (
    ASSIGNEE,
    FIELDS,
    NOT_SEEN,
    STATUS,
    Assignee,
    Claim,
    Ends,
    Intent,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
)


def with_intent(ends: Ends, intent: Intent) -> Ends:
    """Return both ends after an intent has landed."""
    match intent.side, intent.field:
        case Side.ADO, "status":
            # No state of the category Removed is ever written, unless it counts as done, or as archived.
            # For what reason it is in its state then, the answer to the write tells.
            item = replace(ends.item, state=intent.state, status=intent.status, removed=False, reasons=None)
            return replace(ends, item=item)
        case Side.ADO, _:
            return replace(ends, item=replace(ends.item, assignee=intent.assignee))
        case _, "status":
            return replace(ends, issue=replace(ends.issue, status=intent.status, unseen=False))
        case _:
            return replace(ends, issue=replace(ends.issue, assignee=intent.assignee))


def with_field(ends: Ends, field: str, source: Ends) -> Ends:
    """Return ``ends`` with one field, on both sides, taken from ``source``."""
    if field == STATUS:
        was = source.item
        item = replace(
            ends.item, state=was.state, status=was.status, removed=was.removed, reasons=was.reasons
        )
        issue = replace(ends.issue, status=source.issue.status, unseen=source.issue.unseen)
        return replace(ends, issue=issue, item=item)
    item = replace(ends.item, assignee=source.item.assignee)
    return replace(ends, issue=replace(ends.issue, assignee=source.issue.assignee), item=item)


def seen_after_crash(seen: Ends, claim: Claim, now: Ends) -> Ends:
    """Return what counts as seen after a worker died between the announcement and the record of its writes.

    A write that landed is ours and not a person's edit, so both sides of its field count as settled. A write
    that did not land leaves its field as it was seen before, and the field is decided again.
    """
    for intent in claim.intents:
        if has_landed(intent, claim, now):
            seen = with_field(seen, intent.field, claim.after)
            if intent.others:
                seen = with_intent(seen, replace(intent, assignee=now.on(intent.side).assignee))
    return seen


def has_landed(intent: Intent, claim: Claim, now: Ends) -> bool:
    """Tell whether an announced write is visible on its side."""
    if intent.side is Side.ADO and now.item.rev <= claim.tested_rev:
        return False
    shown = now.shown(intent.side, intent.field)
    return shown == intent.value or (intent.field == ASSIGNEE and shown in intent.others)


def announced_person(intent: Intent, shown: Assignee) -> Person | None:
    """Return whom an issue was to be assigned to, if somebody shows there and may be that very person.

    Sentry shows people by their primary address, whichever of theirs was announced. Once it is known, it is
    among ``others``.
    """
    person = intent.assignee
    is_in_doubt = intent.side is Side.SENTRY and not intent.others and isinstance(shown, Person)
    return person if is_in_doubt and isinstance(person, Person) and person != shown else None


def as_if_edited(ends: Ends, side: Side) -> Ends:
    """Return the ends that would have been seen if this side had just changed both its fields.

    Nobody can set these values, so the copy happens even if the side changes in the meantime. An archived
    issue is the exception: it looks as if it had stood like its work item, so whoever takes it out of the
    archive meanwhile either agrees with the work item or has changed something. A status that is made up
    already stays: whoever asks for a copy again has it made from the same past.
    """
    if ends.is_unseen(side, STATUS):
        seen = replace(ends.on(side), assignee=NOT_SEEN)
        return replace(ends, item=seen) if isinstance(seen, ItemSide) else replace(ends, issue=seen)
    if side is Side.SENTRY:
        archived = ends.issue.status is IssueStatus.IGNORED
        before = (ends.item.status or IssueStatus.UNRESOLVED) if archived else IssueStatus.IGNORED
        return replace(ends, issue=IssueSide(before, NOT_SEEN, unseen=True))
    is_archived = ends.item.status is IssueStatus.IGNORED
    other = IssueStatus.UNRESOLVED if is_archived else IssueStatus.IGNORED
    return replace(ends, item=ItemSide(ends.item.rev - 1, "", other, NOT_SEEN))


def is_unseen(ends: Ends) -> bool:
    """Tell whether something stands there that nobody can have seen, and that waits to be carried over."""
    return ends.item.rev == 0 or any(ends.is_unseen(side, field) for side in Side for field in FIELDS)


def as_if_created(ends: Ends) -> Ends:
    """Return the ends that would have been seen when the item was created: both open, and nobody's.

    Whatever became of either since is news to the link. Being archived is neither open nor done.
    """
    issue, item = ends.issue, ends.item
    if issue.status is IssueStatus.RESOLVED:
        issue = replace(issue, status=IssueStatus.UNRESOLVED)
    if issue.assignee is not None:
        issue = replace(issue, assignee=NOT_SEEN)
    if item.status in {IssueStatus.RESOLVED, IssueStatus.IGNORED} and not item.removed:
        item = replace(item, rev=item.rev - 1, state="", status=IssueStatus.UNRESOLVED, reasons=None)
    if item.assignee is not None:
        item = replace(item, assignee=NOT_SEEN)
    return Ends(issue, item)
