"""How far the reconciler has come with each organization: a run goes on where the last one stopped."""

from contextlib import suppress

import msgspec

from shared.domain.errors import NotFound
from shared.store.tables import Delete, Replace, Table

_PARTITION = "progress"


class Progress(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last link, issue and activity that were looked at (None: begin anew).

    ``pruned_at`` is when all that was too old among the activity had last been removed.
    """

    links_after: str | None = None
    issues_after: str | None = None
    pruned_at: float = 0.0
    pruned_until: str | None = None


class ProgressStore:
    """Kept beside the organizations' documents; losing it costs one look at what was looked at already."""

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
