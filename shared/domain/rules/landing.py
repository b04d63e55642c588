"""What became of writes: how both ends stand once one has landed, and whether an announced one did."""

from msgspec.structs import replace

from shared.domain.model import STATUS, Claim, Ends, Intent, Side


def with_intent(ends: Ends, intent: Intent) -> Ends:
    """Return both ends as they stand once an intent has landed."""
    match intent.side, intent.field:
        case Side.ADO, "status":
            # No state of the category Removed is ever written, unless it counts as done.
            item = replace(ends.item, state=intent.state, status=intent.status, removed=False)
            return replace(ends, item=item)
        case Side.ADO, _:
            return replace(ends, item=replace(ends.item, assignee=intent.assignee))
        case _, "status":
            return replace(ends, issue=replace(ends.issue, status=intent.status))
        case _:
            return replace(ends, issue=replace(ends.issue, assignee=intent.assignee))


def with_field(ends: Ends, field: str, source: Ends) -> Ends:
    """Return ``ends`` with one field, on both sides, as it is in ``source``."""
    if field == STATUS:
        was = source.item
        item = replace(ends.item, state=was.state, status=was.status, removed=was.removed)
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
    return now.shown(intent.side, intent.field) == intent.value
