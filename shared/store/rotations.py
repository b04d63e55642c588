"""Since when a previous secret is set: a rotation ends with its removal, and nothing else reminds of it."""

from collections.abc import Collection

import msgspec

from shared.store.tables import Insert, Row, Table, moment_in, remove_rows

REMINDED_AFTER = 7 * 24 * 3600.0  # seconds; by then every subscription has the new secret
_PARTITION = "rotations"


class RotationStore:
    """Keeps a row for the name of each setting; never anything of its value."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def left_over(self, names: Collection[str], now: float) -> list[str]:
        """Return the names that have been set for a week; take note of new ones and forget those removed."""
        rows = {row.key: row for row in self._table.scan(_PARTITION, "", "~")}
        remove_rows(self._table, _PARTITION, rows.keys() - set(names))
        for name in names:
            if name not in rows:
                self._table.apply(_PARTITION, Insert(name, msgspec.json.encode(now).decode()))
        return [name for name in names if name in rows and now - _since(rows[name], now) >= REMINDED_AFTER]


def _since(row: Row, now: float) -> float:
    """Return when a name was first seen. A row that nobody can read reminds of nothing."""
    at = moment_in(row)
    return now if at is None else at
