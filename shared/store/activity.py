"""The activity table: the observations, decisions, writes and refusals of each link, newest first."""

import itertools
from collections.abc import Callable, Iterator

import msgspec
from msgspec.structs import replace

from shared.domain.model import ActivityEntry, End, Side
from shared.store.keys import escaped, number
from shared.store.tables import Insert, Table, apply_once, readable, remove_first, remove_rows

KEPT_FOR = 90 * 24 * 3600.0  # seconds
_LAST_MOMENT = 9_999_999_999_999_999  # microseconds since the epoch; keys count down from it
_END = "~"
UNLINKED = "unlinked"
# Behind all keys of links, which begin with digits.
_INDEX = {Side.ADO: "of-item", Side.SENTRY: "of-issue"}
# Reading a million entries at once would take longer than a function may run.
_PRUNE_LIMIT = 10_000


class ActivityPage(msgspec.Struct, frozen=True):
    """``unreadable`` are the keys of rows that were passed over."""

    entries: tuple[ActivityEntry, ...]
    continuation: str | None
    unreadable: tuple[str, ...] = ()


class Pruned(msgspec.Struct, frozen=True):
    """How many entries were removed, and where the next part starts; None after the last part.

    ``unreadable`` are the keys of those that nobody will be shown.
    """

    removed: int
    continuation: str | None
    unreadable: tuple[str, ...] = ()


class Ended(msgspec.Struct, frozen=True):
    """A link that is over, as one of its ends knows it: ``partner`` is the id of the other end."""

    partner: str
    at: float
    reason: str | None


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
        ends = [each for each in entries if each.outcome == UNLINKED]
        inserts += [each for entry in ends for each in _index(issue_id, work_item_id, entry, token)]
        apply_once(self._table, escaped(organization), *inserts)

    def page(
        self, organization: str, issue_id: str, work_item_id: int, continuation: str | None, limit: int
    ) -> ActivityPage:
        """Return up to ``limit`` entries, newest first, that follow the previous page's ``continuation``."""
        prefix = _prefix(issue_id, work_item_id)
        start = f"{prefix}{continuation}!" if continuation else prefix
        entries: list[ActivityEntry] = []
        unreadable: list[str] = []
        key = ""
        rows = self._table.scan(escaped(organization), start, prefix + _END, page_size=limit + 1)
        for row in rows:
            if len(entries) + len(unreadable) == limit:
                return ActivityPage(tuple(entries), key.removeprefix(prefix), tuple(unreadable))
            key = row.key
            entry = readable(row, ActivityEntry)
            if entry is None:
                unreadable.append(key)
            else:
                entries.append(entry)
        return ActivityPage(tuple(entries), None, tuple(unreadable))

    def ended(self, organization: str, end: End, limit: int = 20) -> list[Ended]:
        """Return the links that an issue or a work item had, the one that ended last first."""
        prefix = f"{_INDEX[end.side]}!{escaped(end.id)}!"
        rows = self._table.scan(escaped(organization), prefix, prefix + _END, page_size=limit)
        entries = (readable(row, ActivityEntry) for row in itertools.islice(rows, limit))
        return [
            Ended(each.after, each.at, each.reason) for each in entries if each is not None and each.after
        ]

    def remove_some(self, organization: str, limit: int) -> int:
        """Remove up to so many entries and return how many there were."""
        return remove_first(self._table, escaped(organization), limit)

    def prune(
        self, organization: str, now: float, continuation: str | None = None, limit: int = _PRUNE_LIMIT
    ) -> Pruned:
        """Remove those of the next ``limit`` entries that are older than 90 days."""
        partition, oldest = escaped(organization), _LAST_MOMENT - round((now - KEPT_FOR) * 1e6)
        rows = self._table.scan(partition, f"{continuation}!" if continuation else "", _END)
        seen, last = 0, ""
        old: list[str] = []
        unreadable: list[str] = []
        for row in itertools.islice(rows, limit):
            seen, last = seen + 1, row.key
            moment = _moment(row.key)
            if moment is not None and moment > oldest:
                old.append(row.key)
            elif moment is None or readable(row, ActivityEntry) is None:
                unreadable.append(row.key)
        removed = remove_rows(self._table, partition, old)
        return Pruned(removed, last if seen == limit else None, tuple(unreadable))


def _index(issue_id: str, work_item_id: int, entry: ActivityEntry, token: str) -> Iterator[Insert]:
    """Yield a row for each end of a link that is over, which names the other one.

    It has the form of an entry, so that it is pruned like one.
    """
    item = str(work_item_id)
    for side, own, partner in ((Side.SENTRY, issue_id, item), (Side.ADO, item, issue_id)):
        key = f"{_INDEX[side]}!{escaped(own)}!{number(_LAST_MOMENT - round(entry.at * 1e6))}!{token}"
        yield Insert(key, msgspec.json.encode(replace(entry, after=partner)).decode())


def _prefix(issue_id: str, work_item_id: int) -> str:
    return f"{number(work_item_id)}!{escaped(issue_id)}!"


def _moment(key: str) -> int | None:
    """Return the moment in a key, or None if the key is not one of ours."""
    parts = key.split("!")
    return int(parts[2]) if len(parts) == 4 and parts[2].isascii() and parts[2].isdecimal() else None
