"""Azure Table Storage as rows of text under two keys, with its failures as our errors."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.data.tables import TableClient, TableServiceClient, TableTransactionError, UpdateMode

from shared.domain.decoding import Shape, decode
from shared.domain.errors import (
    Conflict,
    Malformed,
    NotFound,
    Rejected,
    SyncError,
    Unauthorized,
)
from shared.domain.moments import Moment
from shared.settings import StorageAccount
from shared.store.transport import new_transport
from shared.store.trouble import trouble_with

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# What a token must be for, to reach tables and queues.
# https://learn.microsoft.com/azure/storage/blobs/authorize-access-azure-active-directory#microsoft-entra-authentication
SCOPE = "https://storage.azure.com/.default"
_RETRIES: dict[str, Any] = {"retry_total": 2, "retry_backoff_factor": 0.3}
LARGEST_BATCH = 100
LARGEST_PAGE = 1000

# A property holds 64 KiB of UTF-16, in which a character takes at most four bytes. An entity holds 1 MiB.
# https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
_CHUNK = 16_000
LARGEST_TEXT = 240_000  # characters


class Row(msgspec.Struct, frozen=True):
    """One entity: its row key, its text, and the ETag of the version that was read."""

    key: str
    text: str
    etag: str


class Insert(msgspec.Struct, frozen=True):
    key: str
    text: str


class Replace(msgspec.Struct, frozen=True):
    """Replace the row that was read under ``etag``; None replaces or inserts unconditionally."""

    key: str
    text: str
    etag: str | None


class Delete(msgspec.Struct, frozen=True):
    key: str
    etag: str | None = None


Operation = Insert | Replace | Delete


class Table(Protocol):
    """The operations on which the stores are built; one contract for Azure and for the test double."""

    def get(self, partition: str, key: str) -> Row:
        """Return a row, or raise NotFound."""
        ...

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        """Yield the rows with ``start <= key < end`` in key order, ``page_size`` for each request."""
        ...

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        """Apply all of at most 100 operations, or none; return the new ETags ("" for a deletion).

        Raises Conflict if a row to insert exists or an ETag is stale, NotFound if a row to replace or
        delete does not exist.
        """
        ...


def readable(row: Row, kind: type[Shape]) -> Shape | None:
    """Return what a row holds, or None: a newer version of the app or somebody by hand may have written it.

    One row that cannot be read must not stop the others, so nobody raises for it.
    """
    try:
        return decode(row.text, kind)
    except Malformed:
        return None


def moment_in(row: Row) -> float | None:
    """Return the time that is all that a row holds, or None: see ``readable``."""
    kind: Any = Moment
    return readable(row, kind)


def apply_once(table: Table, partition: str, *operations: Operation) -> list[str]:
    """Apply operations whose texts nobody else stores, as ``Table.apply`` does.

    azure-data-tables quirk: it repeats a change after a 503, and the first one may have landed. Then the
    second one is refused, and all rows are as it was to leave them.
    """
    try:
        return table.apply(partition, *operations)
    except (Conflict, NotFound):
        etags = etags_after(table, partition, operations)
        if etags is None:
            raise
        return etags


def etags_after(table: Table, partition: str, operations: Iterable[Operation]) -> list[str] | None:
    """Return the ETags of rows that all are as the operations leave them ("" for a deletion), or None.

    None also where rows are only gone: nobody can tell who removed them.
    """
    etags = []
    for operation in operations:
        text = None if isinstance(operation, Delete) else operation.text
        row = find_row(table, partition, operation.key)
        if (row.text if row else None) != text:
            return None
        etags.append(row.etag if row else "")
    return etags if any(etags) else None


def find_row(table: Table, partition: str, key: str) -> Row | None:
    try:
        return table.get(partition, key)
    except NotFound:
        return None


def remove_rows(table: Table, partition: str, keys: Iterable[str]) -> int:
    """Delete rows in batches and return how many; rows that are already gone are skipped."""
    removed = 0
    for batch in _batches(keys):
        try:
            table.apply(partition, *(Delete(key) for key in batch))
            removed += len(batch)
        except NotFound:
            for key in batch:
                with suppress(NotFound):
                    table.apply(partition, Delete(key))
                    removed += 1
    return removed


def remove_first(table: Table, partition: str, limit: int) -> int:
    """Delete the first rows of a partition, up to so many, and return how many there were."""
    rows = table.scan(partition, "", "~", page_size=min(limit, LARGEST_PAGE))
    keys = [row.key for row in itertools.islice(rows, limit)]
    remove_rows(table, partition, keys)
    return len(keys)


def _batches(keys: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(keys)
    while batch := list(itertools.islice(remaining, LARGEST_BATCH)):
        yield batch


def table_service(
    account: StorageAccount,
    credential: "TokenCredential | None" = None,
    transport: RequestsTransport | None = None,
) -> TableServiceClient:
    """Return a client of the account's tables; a connection string needs no credential."""
    options = {"transport": transport or new_transport(), **_RETRIES}
    if account.connection_string is not None:
        # azure-data-tables quirk: "UseDevelopmentStorage=true;" with its semicolon is refused.
        text = account.connection_string.strip().rstrip(";")
        try:
            return TableServiceClient.from_connection_string(text, **options)
        except ValueError as error:  # for example an unresolved Key Vault reference
            raise Unauthorized("storage", "the connection string cannot be read") from error
    return TableServiceClient(account.table_url or "", credential=credential, **options)


class AzureTable:
    """A table that is created on the first write."""

    def __init__(self, client: TableClient) -> None:
        self._client = client

    def get(self, partition: str, key: str) -> Row:
        try:
            return _row(self._client.get_entity(partition, key))
        except ResourceNotFoundError as error:
            raise NotFound(f"no row {key}") from error
        except AzureError as error:
            raise _translated(error) from error

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        # azure-data-tables quirk: it finds parameters by splitting the query at single spaces.
        found = self._client.query_entities(
            "PartitionKey eq @partition and RowKey ge @start and RowKey lt @end",
            parameters={"partition": partition, "start": start, "end": end},
            results_per_page=page_size,
        )
        try:
            for entity in found:
                yield _row(entity)
        except ResourceNotFoundError:
            return  # A missing table has no rows; the first write creates it.
        except AzureError as error:
            raise _translated(error) from error

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        try:
            return self._apply(partition, operations)
        except (ResourceNotFoundError, TableTransactionError, HttpResponseError) as error:
            if not _table_is_missing(error):
                raise _translated(error) from error
        except AzureError as error:
            raise _translated(error) from error
        try:
            self._client.create_table()
        except ResourceExistsError:
            pass  # Another worker has just created it.
        except AzureError as error:
            raise _translated(error) from error
        try:
            return self._apply(partition, operations)
        except AzureError as error:
            raise _translated(error) from error

    def _apply(self, partition: str, operations: Sequence[Operation]) -> list[str]:
        match operations:
            case [Insert(key, text)]:
                return [self._client.create_entity(_entity(partition, key, text))["etag"]]
            case [Replace(key, text, None)]:
                entity = _entity(partition, key, text)
                return [self._client.upsert_entity(entity, mode=UpdateMode.REPLACE)["etag"]]
            case [Replace(key, text, str() as etag)]:
                answer = self._client.update_entity(
                    _entity(partition, key, text),
                    mode=UpdateMode.REPLACE,
                    etag=etag,
                    match_condition=MatchConditions.IfNotModified,
                )
                return [answer["etag"]]
        # Even a single deletion needs a transaction: only there is a missing row an error.
        answers = self._client.submit_transaction([_transacted(partition, each) for each in operations])
        return [answer.get("etag") or "" for answer in answers]


def _transacted(partition: str, operation: Operation) -> Any:
    match operation:
        case Insert(key, text):
            return ("create", _entity(partition, key, text))
        case Replace(key, text, None):
            return ("upsert", _entity(partition, key, text), {"mode": UpdateMode.REPLACE})
        case Replace(key, text, etag):
            return ("update", _entity(partition, key, text), {"mode": UpdateMode.REPLACE, **_if_match(etag)})
        case Delete(key, etag):
            entity = {"PartitionKey": partition, "RowKey": key}
            return ("delete", entity, _if_match(etag) if etag else {})


def _if_match(etag: str | None) -> dict[str, Any]:
    return {"etag": etag, "match_condition": MatchConditions.IfNotModified}


def _entity(partition: str, key: str, text: str) -> dict[str, str]:
    if len(text) > LARGEST_TEXT:
        raise Rejected(f"the document has {len(text)} characters; at most {LARGEST_TEXT} can be stored")
    chunks = {f"Text{at // _CHUNK}": text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK)}
    return {"PartitionKey": partition, "RowKey": key, **chunks}


def _row(entity: Any) -> Row:
    chunks: list[Any] = []
    while (part := entity.get(f"Text{len(chunks)}")) is not None:
        chunks.append(part)
    # Somebody who edits a row by hand can make a number of a text; then none of it can be read.
    text = "".join(chunks) if all(isinstance(chunk, str) for chunk in chunks) else ""
    return Row(entity["RowKey"], text, entity.metadata["etag"])


def _table_is_missing(error: AzureError) -> bool:
    return "TableNotFound" in str(error) or "TABLE_NOT_FOUND" in str(getattr(error, "error_code", ""))


def _translated(error: AzureError) -> SyncError:
    detail = f"table storage: {type(error).__name__}"
    status = getattr(error, "status_code", None)
    if isinstance(error, ResourceExistsError | ResourceModifiedError) or status in {409, 412}:
        return Conflict(detail)
    if isinstance(error, ResourceNotFoundError) or status == 404:
        return NotFound(detail)
    return trouble_with("table", error)
