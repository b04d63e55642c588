"""The traffic table: what each instance of the app counted in each hour, and events, newest first.

Each organization is a partition, under its scope. An instance replaces its own rows, so that no two of them
ever write the same one, and a write that is repeated counts nothing twice.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping

import msgspec

from shared.domain.model import Side
from shared.domain.moments import Moment
from shared.domain.traffic import HOUR, Event, Hour, hour_of
from shared.store.keys import escaped, number
from shared.store.tables import LARGEST_BATCH, Replace, Row, Table, readable, remove_first, remove_rows

KEPT_FOR = 7 * 24 * HOUR  # seconds
_EVENT, _HOUR, _END = "event", "hour", "~"
_LAST_MOMENT = 9_999_999_999_999_999  # microseconds since the epoch; keys count down from it
# Rows that a run of the reconciler removes, for each of the two kinds.
_PRUNE_LIMIT = 5_000
# No scope can be called so: what is escaped has upper-case letters or digits behind the sign.
_NOBODYS = "=nobodys"
_NOBODYS_TOLD_FOR = 24 * HOUR  # seconds


class EventPage(msgspec.Struct, frozen=True):
    """``unreadable`` are the keys of rows that were passed over."""

    events: tuple[Event, ...]
    continuation: str | None
    unreadable: tuple[str, ...] = ()


class Nobodys(msgspec.Struct, frozen=True):
    """Genuine deliveries to a slug under which nothing is connected; the last came at ``at``."""

    slug: str
    side: Side
    at: Moment


class TrafficStore:
    def __init__(self, table: Table, new_token: Callable[[], str]) -> None:
        self._table = table
        self._new_token = new_token

    def write(
        self, scope: str, instance: str, hours: Mapping[int, Hour], events: Iterable[Event] = ()
    ) -> None:
        """Replace what an instance has counted in some hours, and add events, in as few calls as possible."""
        rows = [
            *(
                Replace(f"{_HOUR}!{number(each)}!{instance}", _text(hour), None)
                for each, hour in hours.items()
            ),
            *(
                # A token makes the key one's own, so that a repeated write changes nothing.
                Replace(f"{_EVENT}!{_countdown(event.at)}!{self._new_token()}", _text(event), None)
                for event in events
            ),
        ]
        for at in range(0, len(rows), LARGEST_BATCH):
            self._table.apply(escaped(scope), *rows[at : at + LARGEST_BATCH])

    def hours(self, scope: str, now: float, *, back: float = KEPT_FOR) -> dict[int, Hour]:
        """Return what all instances together counted in each hour; rows that cannot be read count nothing."""
        start, found = f"{_HOUR}!{number(hour_of(now - back))}", dict[int, Hour]()
        for row in self._table.scan(escaped(scope), start, f"{_HOUR}!{_END}"):
            hour, name = readable(row, Hour), _number_in(row)
            if hour is not None and name is not None:
                found[name] = found.get(name, Hour()).joined(hour)
        return found

    def events(self, scope: str, continuation: str | None, limit: int) -> EventPage:
        """Return up to ``limit`` events, newest first, after the previous page's ``continuation``."""
        prefix = f"{_EVENT}!"
        start = f"{prefix}{continuation}!" if continuation else prefix
        rows = self._table.scan(escaped(scope), start, prefix + _END, page_size=limit + 1)
        read = list(itertools.islice(rows, limit + 1))
        passed = read[:limit]
        found = [(row, readable(row, Event)) for row in passed]
        return EventPage(
            tuple(event for _, event in found if event is not None),
            passed[-1].key.removeprefix(prefix) if len(read) > limit else None,
            tuple(row.key for row, event in found if event is None),
        )

    def prune(self, scope: str, now: float) -> int:
        """Remove some of what is older than seven days, and return how much it was."""
        partition, oldest = escaped(scope), now - KEPT_FOR
        bounds = (
            (f"{_EVENT}!{_countdown(oldest)}", f"{_EVENT}!{_END}"),
            (f"{_HOUR}!", f"{_HOUR}!{number(max(hour_of(oldest), 0))}"),
        )
        return sum(
            remove_rows(
                self._table,
                partition,
                [row.key for row in itertools.islice(self._table.scan(partition, *each), _PRUNE_LIMIT)],
            )
            for each in bounds
        )

    def remove_some(self, scope: str, limit: int) -> int:
        return remove_first(self._table, escaped(scope), limit)

    # Deliveries that belong to nobody.

    def note_nobodys(self, found: Iterable[Nobodys]) -> None:
        for each in found:
            self._table.apply(_NOBODYS, Replace(f"{each.slug}!{each.side}", _text(each), None))

    def nobodys(self, now: float) -> list[Nobodys]:
        """Return what came within a day; what is older is removed."""
        rows = {
            row.key: readable(row, Nobodys)
            for row in itertools.islice(self._table.scan(_NOBODYS, "", _END), _PRUNE_LIMIT)
        }
        recent = {
            key: each for key, each in rows.items() if each is not None and now - each.at < _NOBODYS_TOLD_FOR
        }
        remove_rows(self._table, _NOBODYS, [key for key in rows if key not in recent])
        return list(recent.values())


def _countdown(at: float) -> str:
    return number(max(_LAST_MOMENT - round(at * 1e6), 0))


def _text(value: Event | Hour | Nobodys) -> str:
    return msgspec.json.encode(value).decode()


def _number_in(row: Row) -> int | None:
    parts = row.key.split("!")
    return int(parts[1]) if len(parts) == 3 and parts[1].isascii() and parts[1].isdecimal() else None
