"""What the watchdog saw of each organization's service hook subscriptions, and whose turn it is to watch."""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.domain.connection import slug_of
from shared.domain.errors import Busy, Conflict, NotFound
from shared.domain.moments import Moment
from shared.domain.subscriptions import HookRecord
from shared.store.progress import Told
from shared.store.tables import Delete, Insert, Replace, Row, Table, readable

# The part by which the organization's problems name it.
PART = "hooks"
_PARTITION = "hooks"


class _Kept(HookRecord, frozen=True, omit_defaults=True):
    """``taken_until`` is when the turn of whoever watches now ends (epoch seconds)."""

    taken_until: Moment = 0.0

    @property
    def record(self) -> HookRecord:
        return HookRecord(self.checked_at, self.events, self.problem)


class Turn(msgspec.Struct, frozen=True):
    """The right to change an organization's subscriptions, until ``ends``; ``record`` is what was known."""

    scope: str
    etag: str
    ends: float
    record: HookRecord


class HookStore:
    """One row for each organization, beside the documents; losing it costs new subscriptions for old ones."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    def get(self, scope: str) -> HookRecord:
        """Return what was seen last; one that was never looked at has an empty record."""
        try:
            return _kept(self._table.get(_PARTITION, scope)).record
        except NotFound:
            return HookRecord()

    def told(self) -> list[Told]:
        """Return each organization's problem, if it has one, in the form of the reconciler's problems."""
        records = (_kept(row) for row in self._table.scan(_PARTITION, "", "~"))
        return [Told(problems={PART: each.problem}) for each in records if each.problem is not None]

    def last_looks(self) -> dict[str, float]:
        """Return when each organization was looked at last, by slug."""
        found: dict[str, float] = {}
        for row in self._table.scan(_PARTITION, "", "~"):
            slug = slug_of(row.key)
            found[slug] = max(found.get(slug, 0.0), _kept(row).checked_at)
        return found

    def take(self, scope: str, seconds: float) -> Turn:
        """Take the turn to watch an organization, or raise Busy: two at once would undo each other's work."""
        now = self._clock()
        try:
            row = self._table.get(_PARTITION, scope)
        except NotFound:
            row = None
        kept = _Kept() if row is None else _kept(row)
        if 0.0 < kept.taken_until - now <= seconds:
            raise _busy(kept.taken_until - now)
        text = _text(kept, now + seconds)
        try:
            change = Insert(scope, text) if row is None else Replace(scope, text, row.etag)
            [etag] = self._table.apply(_PARTITION, change)
        except (Conflict, NotFound) as error:
            raise _busy(1.0) from error
        return Turn(scope, etag, now + seconds, kept.record)

    def end(self, turn: Turn, record: HookRecord) -> None:
        """Store what was seen, and give the turn back; if it ended meanwhile, the next one's word counts."""
        with suppress(Conflict, NotFound):
            self._table.apply(_PARTITION, Replace(turn.scope, _text(record, 0.0), turn.etag))

    def forget(self, scope: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(scope))


def _kept(row: Row) -> _Kept:
    return readable(row, _Kept) or _Kept()


def _text(record: HookRecord, taken_until: float) -> str:
    kept = _Kept(record.checked_at, record.events, record.problem, taken_until)
    return msgspec.json.encode(kept).decode()


def _busy(seconds: float) -> Busy:
    return Busy("somebody else looks after the subscriptions at this moment", retry_after=max(1.0, seconds))
