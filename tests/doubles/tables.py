"""A table in memory, with the ETags, the transactions and the refusals of Azure Table Storage."""

import itertools
import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator, Sequence

from shared.domain.errors import Conflict, NotFound, Rejected, Unavailable
from shared.store.tables import (
    LARGEST_BATCH,
    LARGEST_PAGE,
    LARGEST_TEXT,
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    Table,
)


class MemoryTable:
    """Rows by partition and key. Safe to share between threads, so that tests can race on it."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {}
        self._keys: dict[str, list[str]] = {}
        self._versions = itertools.count(1)
        self._lock = threading.Lock()

    def get(self, partition: str, key: str) -> Row:
        try:
            return self._rows[partition][key]
        except KeyError as error:
            raise NotFound(f"no row {key}") from error

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        """Yield each row as it is when it is reached: a row may go while others are read."""
        while True:
            with self._lock:
                keys = self._keys.get(partition, [])
                place = bisect_left(keys, start)
                if place == len(keys) or keys[place] >= end:
                    return
                row = self._rows[partition][keys[place]]
            yield row
            start = row.key + "\0"

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        with self._lock:
            rows = self._rows.setdefault(partition, {})
            _verify_batch(operations)
            for operation in operations:
                _verify(operation, rows.get(operation.key))
            return [self._do(operation, partition, rows) for operation in operations]

    def _do(self, operation: Operation, partition: str, rows: dict[str, Row]) -> str:
        keys = self._keys.setdefault(partition, [])
        if isinstance(operation, Delete):
            del rows[operation.key]
            del keys[bisect_left(keys, operation.key)]
            return ""
        if operation.key not in rows:
            insort(keys, operation.key)
        etag = f'W/"{next(self._versions)}"'
        rows[operation.key] = Row(operation.key, operation.text, etag)
        return etag


def _verify_batch(operations: Sequence[Operation]) -> None:
    # https://learn.microsoft.com/rest/api/storageservices/performing-entity-group-transactions
    if len(operations) == 1:
        return
    if len(operations) > LARGEST_BATCH or len({each.key for each in operations}) < len(operations):
        raise Unavailable("storage", "a transaction has at most 100 operations, each on a row of its own")


def _verify(operation: Operation, row: Row | None) -> None:
    """Raise what this one operation would be refused with."""
    if not isinstance(operation, Delete) and len(operation.text) > LARGEST_TEXT:
        raise Rejected(f"the document has {len(operation.text)} characters; {LARGEST_TEXT} can be stored")
    if isinstance(operation, Insert):
        if row is not None:
            raise Conflict(f"row {operation.key} exists")
        return
    if row is None:
        if isinstance(operation, Replace) and operation.etag is None:
            return
        raise NotFound(f"no row {operation.key}")
    if operation.etag is not None and operation.etag != row.etag:
        raise Conflict(f"row {operation.key} changed")


class OvertakenTable:
    """A table on which somebody else is faster: each of ``meanwhile`` happens just after one read."""

    def __init__(self, table: Table, *meanwhile: Callable[[], object]) -> None:
        self._table = table
        self._meanwhile = list(meanwhile)
        self.scan, self.apply = table.scan, table.apply

    def get(self, partition: str, key: str) -> Row:
        try:
            return self._table.get(partition, key)
        finally:
            if self._meanwhile:
                self._meanwhile.pop()()


class RepeatingTable:
    """A table whose every change lands and is answered with a 503, so that the client makes it again."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self.get, self.scan = table.get, table.scan

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self._table.apply(partition, *operations)
        return self._table.apply(partition, *operations)


class UnwritableTable:
    """A table of which everything can be read and nothing changed."""

    def __init__(self, table: Table) -> None:
        self.get, self.scan = table.get, table.scan

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        raise Unavailable("storage", "the table is not served for writing")
