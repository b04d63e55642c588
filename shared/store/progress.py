"""The reconciler's progress through each organization: a run continues where the last one stopped."""

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from shared.domain.errors import NotFound
from shared.store.tables import Delete, Replace, Table, readable

_PARTITION = "progress"


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """A count that is taken over several runs: what the last complete pass counted, and this one so far."""

    last: int = 0
    so_far: int = 0

    def counted(self, more: int, *, ends: bool) -> "Tally":
        total = self.so_far + more
        return Tally(total) if ends else Tally(self.last, total)


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last link, issue and activity entry that a run handled; None starts from the beginning.

    ``pruned_at`` is when (epoch seconds) the last complete pass over the activity ended. ``everything`` says
    that somebody asked for all links and the rest of them is still to come. ``asked`` maps each link for
    which a message was put, as it stood then, to when (epoch seconds). The tallies count rows that cannot be
    read.
    """

    links_after: str | None = None
    issues_after: str | None = None
    pruned_at: float = 0.0
    pruned_until: str | None = None
    everything: bool = False
    asked: Mapping[str, int] = {}
    unreadable_links: Tally = Tally()
    unreadable_entries: Tally = Tally()


class ProgressStore:
    """Keeps the progress beside the documents; losing it only repeats some reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization: str) -> Progress:
        try:
            return readable(self._table.get(_PARTITION, organization), Progress) or Progress()
        except NotFound:
            return Progress()

    def unreadable(self) -> tuple[int, int]:
        """Return how many rows of links and of activity cannot be read, in all organizations together."""
        found = [readable(row, Progress) for row in self._table.scan(_PARTITION, "", "~")]
        known = [each for each in found if each is not None]
        return sum(each.unreadable_links.last for each in known), sum(
            each.unreadable_entries.last for each in known
        )

    def remove(self, organization: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(organization))

    def put(self, organization: str, progress: Progress) -> None:
        self._table.apply(_PARTITION, Replace(organization, msgspec.json.encode(progress).decode(), None))
