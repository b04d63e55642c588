"""How many deliveries were turned away because they are somebody else's: none is lost in silence."""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.domain.errors import NotFound
from shared.domain.moments import Count, Moment
from shared.store.tables import Delete, Replace, Row, Table, readable

_PARTITION = "foreign"
_NOTED_EVERY = 60.0  # seconds
_TOLD_FOR = 24 * 3600.0  # seconds


class _Noted(msgspec.Struct, frozen=True):
    count: Count = 0
    last: Moment = 0.0


class ForeignStore:
    """A row for each organization, written at most once a minute by each instance of the app."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        self._uncounted: Counter[str] = Counter()
        self._noted_at: dict[str, float] = {}

    def note(self, slug: str) -> None:
        self._uncounted[slug] += 1
        now, noted_at = self._clock(), self._noted_at.get(slug)
        if noted_at is not None and now - noted_at < _NOTED_EVERY:
            return
        self._noted_at[slug] = now
        count = self._uncounted.pop(slug) + self._count(slug, now)
        self._table.apply(_PARTITION, Replace(slug, msgspec.json.encode(_Noted(count, now)).decode(), None))

    def _count(self, slug: str, now: float) -> int:
        """Return how many were noted before; what is too old to be told is not counted on."""
        try:
            noted = _noted(self._table.get(_PARTITION, slug))
        except NotFound:
            return 0
        return noted.count if now - noted.last < _TOLD_FOR else 0

    def counts(self) -> dict[str, int]:
        """Return for each organization how many came, up to a day after the last one."""
        oldest = self._clock() - _TOLD_FOR
        rows = {row.key: _noted(row) for row in self._table.scan(_PARTITION, "", "~")}
        return {slug: noted.count for slug, noted in rows.items() if noted.last > oldest}

    def count_of(self, slug: str) -> int:
        """Return how many came for one organization, up to a day after the last one."""
        return self._count(slug, self._clock())

    def forget(self, slug: str) -> None:
        self._uncounted.pop(slug, None)
        self._noted_at.pop(slug, None)
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(slug))


def _noted(row: Row) -> _Noted:
    return readable(row, _Noted) or _Noted()
