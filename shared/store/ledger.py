"""Counting what arrives without making it wait: in memory first, and in storage soon after, in batches.

Process memory is only a buffer here. An instance that is ended takes what it counted in the last minute with
it, and nothing depends on that.
"""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.domain.errors import SyncError
from shared.domain.model import Side
from shared.domain.traffic import HOUR, Counts, Event, Hour, hour_of, of_side
from shared.store.traffic import Nobodys, TrafficStore

# Seconds between two writes for an organization: with events, and with counts alone.
EVENTS_EVERY, COUNTS_EVERY = 5.0, 60.0
_MOST_EVENTS = 1_000
# Names that a stranger may make up before it is known that nobody is called so.
_MOST_NAMES = 64
_EVERY_NAME_KNOWN_FOR = 60.0  # seconds

Later = Callable[[float, Callable[[], None]], None]


def start_later(seconds: float, call: Callable[[], None]) -> None:
    """Run a call in a thread of its own after so many seconds; it keeps no process from ending."""
    timer = threading.Timer(seconds, call)
    timer.daemon = True
    timer.start()


class _Open(msgspec.Struct):
    """What is not stored yet of one organization. ``hours`` are this instance's, whole; they are replaced."""

    written_at: float = float("-inf")
    hours: dict[int, Hour] = msgspec.field(default_factory=dict)
    changed: set[int] = msgspec.field(default_factory=set)
    events: list[Event] = msgspec.field(default_factory=list)

    @property
    def is_due_at(self) -> float:
        return self.written_at + (EVENTS_EVERY if self.events else COUNTS_EVERY)

    @property
    def has_news(self) -> bool:
        return bool(self.changed or self.events)


class Ledger:
    """Takes note in no time, from any thread; writes in a thread of its own.

    The first note of a quiet organization is written at once, the next ones after a while, together.
    ``scopes`` returns the scope of each connected organization by its slug.
    """

    def __init__(
        self,
        store: Callable[[], TrafficStore],
        scopes: Callable[[], dict[str, str]],
        clock: Callable[[], float],
        instance: str,
        later: Later = start_later,
    ) -> None:
        self._store = store
        self._scopes = scopes
        self._clock = clock
        self._instance = instance
        self._later = later
        self._open: dict[str, _Open] = {}
        self._refused: Counter[tuple[str, Side, int]] = Counter()
        self._nobodys: dict[tuple[str, Side], float] = {}
        self._known: dict[str, str] = {}
        self._known_at = float("-inf")
        self._wakes_at: float | None = None
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    # Taking note

    def count(self, scope: str, hour: Hour, *events: Event) -> None:
        """Note what an organization's doors took, or what became of it."""
        now = self._clock()
        with self._lock:
            self._add(scope, hour, now)
            entry = self._open[scope]
            entry.events += events
            del entry.events[:-_MOST_EVENTS]
        self._wake(entry.is_due_at)

    def count_refused(self, slug: str, side: Side) -> None:
        """Note that somebody was turned away at a door, if the door is anybody's.

        Whoever it was chose the name. So all names are looked up together, once a minute at most, and none
        that does not exist is kept longer than that, or in storage.
        """
        now = self._clock()
        with self._lock:
            key = (slug, side, hour_of(now))
            is_new = slug not in self._known and key not in self._refused
            if is_new and len(self._refused) >= _MOST_NAMES:
                return
            self._refused[key] += 1
            known = self._open.get(self._known.get(slug, ""))
        self._wake(known.is_due_at if known is not None else max(now, self._known_at + _EVERY_NAME_KNOWN_FOR))

    def count_nobodys(self, slug: str, side: Side) -> None:
        """Note that somebody who knows our secret delivers to a slug under which nothing is connected."""
        now = self._clock()
        with self._lock:
            if len(self._nobodys) >= _MOST_NAMES and (slug, side) not in self._nobodys:
                return
            is_new = (slug, side) not in self._nobodys
            self._nobodys[slug, side] = now
        self._wake(now if is_new else now + COUNTS_EVERY)

    def _add(self, scope: str, hour: Hour, now: float) -> None:
        entry, name = self._open.setdefault(scope, _Open()), hour_of(now)
        if hour != Hour():
            entry.hours[name] = entry.hours.get(name, Hour()).joined(hour)
            entry.changed.add(name)

    # Writing

    def flush(self) -> None:
        """Write all that there is, at once: whoever reads next wants it there. Failing, it is kept."""
        self._write(everything=True)

    def _wake(self, at: float) -> None:
        with self._lock:
            if self._wakes_at is not None and self._wakes_at <= at:
                return
            self._wakes_at = at
        try:
            self._later(max(0.0, at - self._clock()), self._write_what_is_due)
        except RuntimeError:  # There is no thread left: the next note tries again.
            self._wakes_at = None

    def _write_what_is_due(self) -> None:
        with self._lock:
            self._wakes_at = None
        # A bug too is told by flush, where somebody hears of it: a thread's own words pass no filter.
        with suppress(Exception):
            self._write(everything=False)
        with self._lock:
            waiting = [each.is_due_at for each in self._open.values() if each.has_news]
        if waiting:
            self._wake(max(min(waiting), self._clock() + 1.0))

    def _write(self, *, everything: bool) -> None:
        # What storage does not take now is kept for the next time, and told by whatever else needs storage.
        with self._writing, suppress(SyncError):
            self._sort_refused()
            self._write_nobodys()
            for scope in list(self._open):
                self._write_one(scope, everything=everything)

    def _sort_refused(self) -> None:
        """Give those who were turned away to the organizations that they named; forget all other names."""
        if not self._refused:
            return
        is_fresh = 0.0 <= self._clock() - self._known_at < _EVERY_NAME_KNOWN_FOR
        if not is_fresh or any(slug not in self._known for slug, _, _ in list(self._refused)):
            self._known, self._known_at = self._scopes(), self._clock()
        with self._lock:
            found, self._refused = self._refused, Counter()
            now = self._clock()
            for (slug, side, hour), count in found.items():
                if slug in self._known:
                    at = now if hour == hour_of(now) else (hour + 1) * HOUR - 1.0
                    many = of_side(side, Counts(refused=count, refused_at=at))
                    self._add(self._known[slug], many, at)

    def _write_nobodys(self) -> None:
        if not self._nobodys:
            return
        with self._lock:
            found, self._nobodys = self._nobodys, {}
        self._store().note_nobodys(Nobodys(slug, side, at) for (slug, side), at in found.items())

    def _write_one(self, scope: str, *, everything: bool) -> None:
        now = self._clock()
        with self._lock:
            entry = self._open[scope]
            if not entry.has_news or not (everything or entry.is_due_at <= now):
                return
            hours = {name: entry.hours[name] for name in entry.changed}
            events, entry.events, entry.changed = entry.events, [], set()
            entry.written_at = now
        try:
            self._store().write(scope, self._instance, hours, events)
        except Exception:
            with self._lock:
                entry.events = [*events, *entry.events][-_MOST_EVENTS:]
                entry.changed |= hours.keys()
            raise
        with self._lock:
            current = hour_of(now)
            entry.hours = {n: hour for n, hour in entry.hours.items() if n == current or n in entry.changed}
