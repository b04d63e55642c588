"""Landed writes: both ends after a write has landed, and whether an announced write has landed."""

from msgspec.structs import replace

from shared.domain.model import ASSIGNEE, STATUS, Claim, Ends, Intent, Side


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
            return replace(ends, issue=replace(ends.issue, status=intent.status))
        case _:
            return replace(ends, issue=replace(ends.issue, assignee=intent.assignee))


def with_field(ends: Ends, field: str, source: Ends) -> Ends:
    """Return ``ends`` with one field, on both sides, taken from ``source``."""
    if field == STATUS:
        was = source.item
        item = replace(
            ends.item, state=was.state, status=was.status, removed=was.removed, reasons=was.reasons
        )
        return replace(ends, issue=replace(ends.issue, status=source.issue.status), item=item)
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
                seen = replace(seen, item=replace(seen.item, assignee=now.item.assignee))
    return seen


def has_landed(intent: Intent, claim: Claim, now: Ends) -> bool:
    """Tell whether an announced write is visible on its side."""
    if intent.side is Side.ADO and now.item.rev <= claim.tested_rev:
        return False
    shown = now.shown(intent.side, intent.field)
    return shown == intent.value or (intent.field == ASSIGNEE and shown in intent.others)
