"""What Sentry's form sent lately: the same once more, within an hour, is the same and no new wish."""

import msgspec

from shared.domain.errors import NotFound
from shared.domain.moments import Moment
from shared.store.keys import escaped
from shared.store.tables import Replace, Row, Table, readable, remove_rows

REMEMBERED_FOR = 3600.0  # seconds
_SEEN = "seen!"
_END = "seen~"


class Submission(msgspec.Struct, frozen=True):
    """The link that a submission led to, and when (epoch seconds)."""

    at: Moment
    issue_id: str
    work_item_id: int


class SubmissionStore:
    """Keeps a row for each signature beside an organization's links, so that they are removed together."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, organization: str, signature: str, now: float) -> Submission | None:
        """Return what a submission with this signature led to within the last hour."""
        try:
            row = self._table.get(escaped(organization), _key(signature))
        except NotFound:
            return None
        found = readable(row, Submission)
        return found if found is not None and _is_recent(found, now) else None

    def add(self, organization: str, signature: str, submission: Submission) -> None:
        row = Replace(_key(signature), msgspec.json.encode(submission).decode(), None)
        self._table.apply(escaped(organization), row)

    def prune(self, organization: str, now: float) -> int:
        """Remove the rows that are over, and return how many there were."""
        partition = escaped(organization)
        over = [row.key for row in self._table.scan(partition, _SEEN, _END) if _is_over(row, now)]
        return remove_rows(self._table, partition, over)


def _key(signature: str) -> str:
    return f"{_SEEN}{escaped(signature)}"


def _is_recent(submission: Submission, now: float) -> bool:
    return 0.0 <= now - submission.at <= REMEMBERED_FOR


def _is_over(row: Row, now: float) -> bool:
    found = readable(row, Submission)
    return found is None or not _is_recent(found, now)
