"""What the last examination of each organization found wrong, so that others can tell of it at once."""

from collections.abc import Callable, Sequence, Set
from contextlib import suppress

import msgspec

from shared.domain.errors import Conflict, NotFound
from shared.domain.model import Side
from shared.domain.moments import Moment
from shared.domain.rules.problems import Subject, Trouble
from shared.store.tables import Delete, Insert, Operation, Replace, Table, readable

_PARTITION = "examined"
_MOST_KEPT = 50


class _Kept(msgspec.Struct, frozen=True, omit_defaults=True):
    kind: str
    side: Side | None
    detail: str
    cure: str
    since: Moment | None = None
    about: str = ""

    @property
    def trouble(self) -> Trouble:
        return Trouble(self.kind, self.side, self.detail, self.cure, self.since, self.about)


class Examined(msgspec.Struct, frozen=True, omit_defaults=True):
    """The problems that were found ``at`` (epoch seconds; 0: nobody has looked)."""

    at: Moment = 0.0
    kept: tuple[_Kept, ...] = ()

    @property
    def troubles(self) -> list[Trouble]:
        return [each.trouble for each in self.kept]


class ExaminationStore:
    """A row for each connection, beside the documents. Losing it costs one examination."""

    def __init__(self, table: Table, clock: Callable[[], float]) -> None:
        self._table = table
        self._clock = clock

    def get(self, scope: str) -> Examined:
        try:
            return readable(self._table.get(_PARTITION, scope), Examined) or Examined()
        except NotFound:
            return Examined()

    def all(self) -> dict[str, Examined]:
        rows = ((row.key, readable(row, Examined)) for row in self._table.scan(_PARTITION, "", "~"))
        return {scope: examined for scope, examined in rows if examined is not None}

    def note(self, scope: str, troubles: Sequence[Trouble], unjudged: Set[Subject] = frozenset()) -> None:
        """Keep what was found just now, and what was known of that which could not be judged.

        A problem that was known keeps the moment since which it is.
        """
        now, known = self._clock(), self.get(scope).kept
        since = {(each.kind, each.detail): each.since for each in known}
        found = [_kept(each, since.get((each.kind, each.detail), now)) for each in troubles]
        told = {(each.kind, each.detail) for each in found}
        found += [
            each
            for each in known
            if each.trouble.subject in unjudged and (each.kind, each.detail) not in told
        ]
        self._keep(scope, Examined(now, tuple(found[:_MOST_KEPT])))

    def _keep(self, scope: str, examined: Examined) -> None:
        self._table.apply(_PARTITION, Replace(scope, msgspec.json.encode(examined).decode(), None))

    def touch(self, scope: str) -> None:
        """Write what is there already, to see whether it can be written; what changes meanwhile stays."""
        write: Operation = Insert(scope, msgspec.json.encode(Examined()).decode())
        with suppress(NotFound):
            row = self._table.get(_PARTITION, scope)
            write = Replace(scope, row.text, row.etag)
        with suppress(Conflict, NotFound):
            self._table.apply(_PARTITION, write)

    def remove(self, scope: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(scope))


def _kept(trouble: Trouble, since: float | None) -> _Kept:
    return _Kept(trouble.kind, trouble.side, trouble.detail, trouble.cure, since, trouble.about)
