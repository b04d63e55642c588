"""Several links at one end: whose change it is, whether all partners are done, and who waits for whom.

An end is an issue or a work item. What its links join it to are its partners.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import chain

from msgspec.structs import replace

from shared.domain.claims import believed_end
from shared.domain.failures import ISSUE_GONE, WORK_ITEM_GONE
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    UNKNOWN_STATE,
    Claim,
    EndRecord,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Side,
)

# Whose change it is: an edit travels one hop, so a write of ours is no change for the end's other links.


def own_write(record: EndRecord, field: str, value: object) -> Intent | None:
    """Return the write of ours that a value of the end shows, or None if a person chose the value."""
    return next((each for each in record.ours if each.field == field and each.value == value), None)


def is_own_or_persons(record: EndRecord, link: IssueLink, field: str, value: object) -> bool:
    """Tell whether a value of an end is a person's, or our write for this very link."""
    return own_write(record, field, value) is None or record.of == _pair(link)


def may_have_changed(record: EndRecord, read_at: float | None, rev: int | None, now: float) -> bool:
    """Tell whether we may have written to an end since it was read; then a value of it may have been ours.

    ``read_at`` (epoch seconds) is None for a snapshot, which came along at some time or other; ``rev`` is the
    work item's, None for an issue.
    """
    if read_at is not None:
        return read_at < max(believed_end(each, now) for each in (record.at, record.until))
    return record.until != 0.0 or (rev is not None and rev < record.rev)


def without(record: EndRecord, fields: Iterable[str]) -> EndRecord:
    """Return what is left of a record once people were seen to have changed some fields of the end."""
    edited = set(fields)
    return replace(record, ours=tuple(each for each in record.ours if each.field not in edited))


def over(record: EndRecord, now: IssueSide | ItemSide) -> EndRecord:
    """Return what is left of a record once nothing more can come of what it announces: what shows.

    It may have landed until then, so what was read before is out of date.
    """
    return replace(still_shown(record, now), token="", until=0.0, at=max(record.at, record.until))


def still_shown(record: EndRecord, now: IssueSide | ItemSide) -> EndRecord:
    """Return what is left of a record where the end shows something else: people must have changed it."""
    shown = (replace(each, in_doubt=False) for each in record.ours if now.shown(each.field) == each.value)
    return replace(record, ours=tuple(shown))


def announced(record: EndRecord, link: IssueLink, intents: tuple[Intent, ...], claim: Claim) -> EndRecord:
    """Return the record of an end that is about to be written for a link.

    What was written before stays in it: until the write shows, the end shows the value before.
    """
    new = tuple(each for each in _in_doubt(intents) if each not in record.ours)
    of = _pair(link)
    return replace(record, token=claim.token, until=claim.until, of=of, ours=(*record.ours, *new))


def released(record: EndRecord, uncertain: tuple[Intent, ...], token: str, now: float) -> EndRecord:
    """Return the record of an end after its writes: free for others, and with those that may still show.

    The ``token`` stays with the latter, for whoever looks into the claim on the link.
    """
    if not uncertain:
        return replace(record, token="", until=0.0)
    left = tuple(each for each in _in_doubt(uncertain) if each not in record.ours)
    return replace(record, token=token, until=now, ours=(*record.ours, *left))


def looked_into(record: EndRecord, claim: Claim, now: Ends, side: Side, at: float) -> EndRecord:
    """Return the record of an end after a claim was found on one of its links and looked into.

    Of the fields that were announced only what shows is ours.
    """
    fields = {each.field for each in claim.intents if each.side is side}
    ours = tuple(
        replace(each, in_doubt=each.in_doubt and each.field not in fields)
        for each in record.ours
        if each.field not in fields or now.shown(side, each.field) == each.value
    )
    rev = now.item.rev if side is Side.ADO else 0
    return replace(record, token="", until=0.0, ours=ours, rev=rev, at=at)


def landed(
    record: EndRecord, link: IssueLink, intents: Iterable[Intent], shown: Ends, now: float
) -> EndRecord:
    """Return the record of an end to which writes for a link have landed, as its service spells them."""
    written = tuple(_spelled(each, shown) for each in intents)
    if not written:
        return record
    fields = {each.field for each in written}
    kept = tuple(each for each in record.ours if each.field not in fields)
    rev = shown.item.rev if written[0].side is Side.ADO else 0
    return replace(record, of=_pair(link), ours=(*kept, *written), rev=rev, at=now)


def respelled(record: EndRecord, known: Iterable[Intent]) -> EndRecord:
    """Return the record with assignments of ours also under the other names by which they may show."""
    also = (replace(each, assignee=name, others=()) for each in known for name in each.others)
    return replace(record, ours=tuple(dict.fromkeys((*record.ours, *also))))


def followed(record: EndRecord, link: IssueLink, issue_id: str) -> EndRecord:
    """Return the record of an end whose link follows a merge: what was written for it stays its own."""
    return replace(record, of=(issue_id, link.work_item_id)) if record.of == _pair(link) else record


def _pair(link: IssueLink) -> tuple[str, int]:
    return link.issue_id, link.work_item_id


def _in_doubt(intents: Iterable[Intent]) -> Iterator[Intent]:
    """Yield everything of intents that their end may come to show, before it is known what does."""
    for each in chain.from_iterable(intent.traces for intent in intents):
        yield replace(each, in_doubt=each.side is Side.SENTRY and each.field == ASSIGNEE)


def _spelled(intent: Intent, shown: Ends) -> Intent:
    intent = replace(intent, via=(), others=())
    if intent.field != ASSIGNEE:
        return intent
    return replace(intent, assignee=shown.on(intent.side).assignee)


# Done needs all: an end becomes done on account of a partner only when all its partners are done.


class Standing(StrEnum):
    """How one partner counts for an end that is to become done."""

    DONE = "done"
    OPEN = "open"
    LEFT_OUT = "left-out"


def standing(link: IssueLink, side: Side) -> Standing:
    """Return how the partner on ``side`` of a link counts, by what the link's row tells.

    A partner whose status is not known, was never seen, or is being written, counts as open.
    """
    if link.health.reason == (WORK_ITEM_GONE if side is Side.ADO else ISSUE_GONE):
        return Standing.LEFT_OUT
    if side is Side.ADO and not link.seen.item.may_be_written:
        return Standing.LEFT_OUT
    status, is_unseen = link.seen.counts_as(side), link.seen.is_unseen(side, STATUS)
    if status is IssueStatus.IGNORED and not is_unseen:
        return Standing.LEFT_OUT
    # Links of an older version say so by their health alone, of which another trouble takes the place.
    is_undecided = link.undecided or link.health.reason == UNKNOWN_STATE
    is_unknown = is_unseen or (is_undecided and side is Side.ADO)
    is_written = link.claim is not None and any(each.field == STATUS for each in link.claim.intents)
    is_done = status is IssueStatus.RESOLVED and not (is_unknown or is_written)
    return Standing.DONE if is_done else Standing.OPEN


def all_done(others: Iterable[IssueLink | None], side: Side, *, archives: bool = False) -> bool:
    """Tell whether every other partner of the end on ``side`` is done, or left out.

    That of a link which nobody can read, None, counts as open.

    An end is archived only if they all are left out: of several, one that is done in the usual way is enough
    to resolve it.
    """
    allowed = {Standing.LEFT_OUT} if archives else {Standing.LEFT_OUT, Standing.DONE}
    return all(link is not None and standing(link, side.other) in allowed for link in others)


def may_end_waiting(before: IssueLink, after: IssueLink, side: Side) -> bool:
    """Tell whether the link's partner stopped keeping the end on ``side`` open, while the end is open."""
    if after.seen.counts_as(side) is not IssueStatus.UNRESOLVED:
        return False
    now = standing(after, side.other)
    return now is not Standing.OPEN and now is not standing(before, side.other)
