"""The reconciler's progress through each organization: a run continues where the last one stopped."""

from contextlib import suppress

import msgspec

from shared.domain.errors import NotFound
from shared.store.tables import Delete, Replace, Table

_PARTITION = "progress"


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last link, issue and activity entry that a run handled; None starts from the beginning.

    ``pruned_at`` is when (epoch seconds) the last complete pass over the activity ended.
    """

    links_after: str | None = None
    issues_after: str | None = None
    pruned_at: float = 0.0
    pruned_until: str | None = None


class ProgressStore:
    """Keeps the progress beside the documents; losing it only repeats some reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization: str) -> Progress:
        try:
            return msgspec.json.decode(self._table.get(_PARTITION, organization).text, type=Progress)
        except (NotFound, msgspec.DecodeError):
            return Progress()

    def remove(self, organization: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(organization))

    def put(self, organization: str, progress: Progress) -> None:
        self._table.apply(_PARTITION, Replace(organization, msgspec.json.encode(progress).decode(), None))
