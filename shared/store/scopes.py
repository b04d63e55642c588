"""Which connections are over: their rows can be met by nobody, and are removed little by little."""

from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.domain.errors import NotFound
from shared.store.tables import Delete, Replace, Table, moment_in

_PARTITION = "over"


class EndedScope(msgspec.Struct, frozen=True):
    """``at`` is when its end was announced: shortly before it came, if it did come."""

    scope: str
    at: float


class ScopeStore:
    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    def announce_end(self, scope: str) -> None:
        """Note that a connection is about to end. Done before it ends, so that no crash leaves its rows."""
        self._table.apply(_PARTITION, Replace(scope, str(self._clock()), None))

    def ended(self) -> list[EndedScope]:
        """Return them all; one whose time cannot be read ended long ago."""
        rows = self._table.scan(_PARTITION, "", "~")
        return [EndedScope(row.key, moment_in(row) or 0.0) for row in rows]

    def forget(self, scope: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(scope))
