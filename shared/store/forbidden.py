"""Services that forbid us everything we ask about single things: a permission or a scope is missing.

One refusal says nothing of the next item. Only when a service has answered several different things with
nothing else, for a while, is it told as a problem of the organization.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import msgspec

from shared.domain.errors import Conflict, NotFound
from shared.domain.moments import Moment
from shared.store.tables import Delete, Insert, Replace, Row, Table, readable

_PARTITION = "forbidden"
_SERVICES = ("ado", "sentry")
_THINGS = 3
_FOR = 900.0  # seconds
_FORGOTTEN_AFTER = 2 * 3600.0  # seconds; longer than the longest step of the back-off, which keeps it going
_NOTED_EVERY = 300.0  # seconds


class _Streak(msgspec.Struct, frozen=True):
    """Refusals in a row: since when, the latest, and the first few different things they were about."""

    since: Moment
    latest: Moment
    things: tuple[str, ...]


class ForbiddenStore:
    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock
        # What this process knows to be without a row. Another process may add one, which then ends by age.
        self._allowed: set[tuple[str, str]] = set()

    def note(self, slug: str, service: str, about: str) -> None:
        """Remember that a service forbids something about one thing."""
        now = self._clock()
        self._allowed.discard((slug, service))
        row = self._find(slug, service)
        noted = _streak_in(row)
        streak = _continued(noted, about, now)
        if streak == noted:
            return
        key, text = _key(slug, service), msgspec.json.encode(streak).decode()
        with suppress(Conflict, NotFound):  # Another worker notes one at this moment, which is as good.
            self._table.apply(_PARTITION, Replace(key, text, row.etag) if row else Insert(key, text))

    def end(self, slug: str, service: str) -> None:
        """Forget the refusals, as something about one thing is allowed. Storage is asked once a process."""
        if (slug, service) not in self._allowed:
            with suppress(NotFound):
                self._table.apply(_PARTITION, Delete(_key(slug, service)))
            self._allowed.add((slug, service))

    def end_all(self, slug: str) -> None:
        for service in _SERVICES:
            self._allowed.discard((slug, service))
            self.end(slug, service)

    def counts(self) -> Counter[str]:
        """Return for how many organizations each service forbids everything."""
        rows = self._table.scan(_PARTITION, "", "~")
        services = (row.key.rpartition("!")[2] for row in rows if self._is_everything(_streak_in(row)))
        return Counter(service for service in services if service in _SERVICES)

    def since(self, slug: str) -> dict[str, float]:
        """Return since when (epoch seconds) each service forbids everything for one organization."""
        streaks = {service: _streak_in(self._find(slug, service)) for service in _SERVICES}
        return {
            service: each.since
            for service, each in streaks.items()
            if each is not None and self._is_everything(each)
        }

    def _is_everything(self, streak: _Streak | None) -> bool:
        return (
            streak is not None
            and len(streak.things) >= _THINGS
            and streak.latest - streak.since >= _FOR
            and self._clock() - streak.latest <= _FORGOTTEN_AFTER
        )

    def _find(self, slug: str, service: str) -> Row | None:
        try:
            return self._table.get(_PARTITION, _key(slug, service))
        except NotFound:
            return None


def _key(slug: str, service: str) -> str:
    return f"{slug}!{service}"


def _continued(streak: _Streak | None, about: str, now: float) -> _Streak:
    """Return the streak with one more refusal, or as it was if that one is not worth a write."""
    if streak is None or now - streak.latest > _FORGOTTEN_AFTER:
        return _Streak(now, now, (about,))
    if about not in streak.things and len(streak.things) < _THINGS:
        return _Streak(streak.since, now, (*streak.things, about))
    return streak if now - streak.latest < _NOTED_EVERY else _Streak(streak.since, now, streak.things)


def _streak_in(row: Row | None) -> _Streak | None:
    """Return the streak of a row, or None for one that cannot be read: it begins anew."""
    return readable(row, _Streak) if row else None
