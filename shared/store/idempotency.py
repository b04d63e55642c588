"""Things that must be done once: claimed before, marked after, so that a crash between is noticed."""

from contextlib import suppress

import msgspec

from shared.domain.errors import Busy, Conflict, NotFound
from shared.store.keys import escaped
from shared.store.tables import Delete, Insert, Replace, Row, Table

_CLAIMED_FOR = 60.0  # seconds; longer than the calls that a claim covers
_COME_BACK_IN = 5.0  # seconds


class IdempotencyRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """``result`` is what came of it, once it is done; until then it is claimed up to ``until``.

    ``since`` is when it was first claimed: from then on it may have been done.
    """

    since: float
    until: float
    result: str | None = None


class ClaimedRecord(msgspec.Struct, frozen=True):
    """The right to do it. ``since``: somebody had it from then on and did not say what came of it."""

    key: str
    etag: str
    since: float | None = None


class IdempotencyStore:
    """Rows beside an organization's links, so that they go when it goes."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def claim(
        self, organization: str, name: str, now: float, *, redo: str | None = None
    ) -> ClaimedRecord | str:
        """Return the right to do it, or what came of it already; raise Busy while somebody is at it.

        ``redo`` is a result that stands no longer: unless something else came of it, it may be done again.
        """
        key, partition = _key(name), escaped(organization)
        try:
            [etag] = self._table.apply(
                partition, Insert(key, _text(IdempotencyRecord(now, now + _CLAIMED_FOR)))
            )
        except Conflict:
            return self._take_over(partition, key, now, redo)
        return ClaimedRecord(key, etag)

    def _take_over(self, partition: str, key: str, now: float, redo: str | None) -> ClaimedRecord | str:
        try:
            row = self._table.get(partition, key)
        except NotFound as error:
            raise _busy() from error
        record = _record(row)
        if record.result is not None and record.result != redo:
            return record.result
        if record.result is None and record.until > now:
            raise _busy()
        since = record.since if record.result is None else None
        claimed = _text(IdempotencyRecord(now if since is None else since, now + _CLAIMED_FOR))
        try:
            [etag] = self._table.apply(partition, Replace(key, claimed, row.etag))
        except (Conflict, NotFound) as error:
            raise _busy() from error
        return ClaimedRecord(key, etag, since)

    def done(self, organization: str, claim: ClaimedRecord, result: str) -> None:
        self._table.apply(
            escaped(organization), Replace(claim.key, _text(IdempotencyRecord(0.0, 0.0, result)), claim.etag)
        )

    def abandon(self, organization: str, claim: ClaimedRecord) -> None:
        """Give the right back when nothing came of it; whoever took it over meanwhile keeps it."""
        with suppress(Conflict, NotFound):
            self._table.apply(escaped(organization), Delete(claim.key, claim.etag))

    def forget(self, organization: str, name: str, result: str) -> None:
        """Have it done anew the next time, if this is what came of it."""
        with suppress(Conflict, NotFound):
            row = self._table.get(escaped(organization), _key(name))
            if _record(row).result == result:
                self._table.apply(escaped(organization), Delete(row.key, row.etag))


def creation_of(issue_id: str) -> str:
    """Return the name of making a work item for an issue: not to be done twice."""
    return f"create-for-{issue_id}"


def comment_of(comment_id: str, work_item_id: int) -> str:
    """Return the name of carrying a comment over to a work item: not to be done twice."""
    return f"comment-{comment_id}-on-{work_item_id}"


def _key(name: str) -> str:
    # What is stored keeps the word that it began with.
    return f"deed!{escaped(name)}"


def _busy() -> Busy:
    problem = "somebody is doing this at the moment; try again in a few seconds, in a minute at the latest"
    return Busy(problem, retry_after=_COME_BACK_IN)


def _text(record: IdempotencyRecord) -> str:
    return msgspec.json.encode(record).decode()


def _record(row: Row) -> IdempotencyRecord:
    return msgspec.json.decode(row.text, type=IdempotencyRecord)
