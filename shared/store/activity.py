"""The activity table: the observations, decisions, writes and refusals of each link, newest first."""

import itertools
from collections.abc import Callable

import msgspec

from shared.domain.model import ActivityEntry
from shared.store.keys import escaped, number
from shared.store.tables import Insert, Table, remove_first, remove_rows

KEPT_FOR = 90 * 24 * 3600.0  # seconds
_LAST_MOMENT = 9_999_999_999_999_999  # microseconds since the epoch; keys count down from it
_END = "~"
# Reading a million entries at once would take longer than a function may run.
_PRUNE_LIMIT = 10_000


class ActivityPage(msgspec.Struct, frozen=True):
    entries: tuple[ActivityEntry, ...]
    continuation: str | None


class Pruned(msgspec.Struct, frozen=True):
    """How many entries were removed, and where the next part starts; None after the last part."""

    removed: int
    continuation: str | None


class ActivityStore:
    def __init__(self, table: Table, new_token: Callable[[], str]) -> None:
        self._table = table
        self._new_token = new_token

    def add(self, organization: str, issue_id: str, work_item_id: int, *entries: ActivityEntry) -> None:
        """Add a link's entries, in the order given."""
        if not entries:
            return
        prefix, token = _prefix(issue_id, work_item_id), self._new_token()
        inserts = [
            Insert(
                # The newest entry sorts first, also among entries with the same time.
                f"{prefix}{number(_LAST_MOMENT - round(entry.at * 1e6))}!{99 - place:02d}{token}",
                msgspec.json.encode(entry).decode(),
            )
            for place, entry in enumerate(entries)
        ]
        self._table.apply(escaped(organization), *inserts)

    def page(
        self, organization: str, issue_id: str, work_item_id: int, continuation: str | None, limit: int
    ) -> ActivityPage:
        """Return up to ``limit`` entries, newest first, that follow the previous page's ``continuation``."""
        prefix = _prefix(issue_id, work_item_id)
        start = f"{prefix}{continuation}!" if continuation else prefix
        entries: list[ActivityEntry] = []
        key = ""
        rows = self._table.scan(escaped(organization), start, prefix + _END, page_size=limit + 1)
        for row in rows:
            if len(entries) == limit:
                return ActivityPage(tuple(entries), key.removeprefix(prefix))
            entries.append(msgspec.json.decode(row.text, type=ActivityEntry))
            key = row.key
        return ActivityPage(tuple(entries), None)

    def remove_some(self, organization: str, limit: int) -> int:
        """Remove up to so many entries and return how many there were."""
        return remove_first(self._table, escaped(organization), limit)

    def prune(
        self, organization: str, now: float, continuation: str | None = None, limit: int = _PRUNE_LIMIT
    ) -> Pruned:
        """Remove those of the next ``limit`` entries that are older than 90 days."""
        partition, oldest = escaped(organization), _LAST_MOMENT - round((now - KEPT_FOR) * 1e6)
        rows = self._table.scan(partition, f"{continuation}!" if continuation else "", _END)
        keys = [row.key for row in itertools.islice(rows, limit)]
        removed = remove_rows(self._table, partition, (key for key in keys if _moment(key) > oldest))
        return Pruned(removed, keys[-1] if len(keys) == limit else None)


def _prefix(issue_id: str, work_item_id: int) -> str:
    return f"{number(work_item_id)}!{escaped(issue_id)}!"


def _moment(key: str) -> int:
    return int(key.split("!")[2])
