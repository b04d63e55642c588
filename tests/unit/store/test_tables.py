"""What the app makes of Table Storage's answers; what the service itself does is the contract's matter."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
import responses

from shared.domain.errors import Conflict, NotFound, Rejected, SyncError, Unauthorized, Unavailable, Upstream
from shared.settings import StorageAccount
from shared.store.tables import LARGEST_TEXT, AzureTable, Delete, Insert, Operation, Replace, table_service

TABLES = "http://127.0.0.1:10002/account"
CONNECTION = f"AccountName=account;AccountKey=a2V5;TableEndpoint={TABLES};"
ETAG = "W/\"datetime'2026-01-01T00%3A00%3A00.0000000Z'\""
ENTITY = f"{TABLES}/links(PartitionKey='p',RowKey='k')"
INSERTS, ENTITIES = f"{TABLES}/links", f"{TABLES}/links()"


@pytest.fixture
def table() -> AzureTable:
    return AzureTable(table_service(StorageAccount(CONNECTION)).get_table_client("links"))


def answer(
    service: responses.RequestsMock, method: str, url: str, status: int, code: str = "", **more: Any
) -> None:
    problem = {"odata.error": {"code": code, "message": {"lang": "en-US", "value": "why"}}}
    service.add(method, url, json=problem if code else more, status=status, headers={"ETag": ETAG})


ERRORS = [
    (400, "InvalidInput", Unavailable),
    (401, "AuthenticationFailed", Unauthorized),
    (403, "AuthorizationFailure", Unauthorized),
    (404, "EntityNotFound", NotFound),
    (409, "EntityAlreadyExists", Conflict),
    (409, "TableBeingDeleted", Conflict),
    (412, "UpdateConditionNotSatisfied", Conflict),
]


def verify(error: SyncError, kind: type[SyncError]) -> None:
    """Verify that it is of this kind, and names the storage and the client's error, but not its text."""
    assert type(error) is kind
    assert re.fullmatch(r".*table storage: \w+Error\)?", str(error))
    if isinstance(error, Upstream):
        assert error.service == "storage"


@pytest.mark.parametrize(("status", "code", "kind"), ERRORS)
def test_each_refusal_of_a_change_is_one_of_our_errors(
    table: AzureTable, status: int, code: str, kind: type[SyncError]
) -> None:
    with responses.RequestsMock() as service:
        answer(service, "POST", INSERTS, status, code)
        with pytest.raises(SyncError) as raised:
            table.apply("p", Insert("k", "text"))
    verify(raised.value, kind)


@pytest.mark.parametrize(("status", "code", "kind"), [each for each in ERRORS if each[0] != 404])
def test_each_refusal_of_a_read_is_one_of_our_errors(
    table: AzureTable, status: int, code: str, kind: type[SyncError]
) -> None:
    with responses.RequestsMock() as service:
        for url in (ENTITY, ENTITIES):
            answer(service, "GET", url, status, code)
        for read in (lambda: table.get("p", "k"), lambda: list(table.scan("p", "", "~"))):
            with pytest.raises(SyncError) as raised:
                read()
            verify(raised.value, kind)


def test_what_is_not_there_is_not_found_or_no_rows(table: AzureTable) -> None:
    with responses.RequestsMock() as service:
        for url in (ENTITY, ENTITIES):
            answer(service, "GET", url, 404, "TableNotFound")
        with pytest.raises(NotFound, match=r"^no row k$"):
            table.get("p", "k")
        assert list(table.scan("p", "", "~")) == []


def sent(text: str) -> dict[str, str]:
    """Return the texts of the entity that is sent for an insert."""
    table = AzureTable(table_service(StorageAccount(CONNECTION)).get_table_client("links"))
    with responses.RequestsMock() as service:
        answer(service, "POST", INSERTS, 201)
        assert table.apply("p", Insert("k", text)) == [ETAG]
        entity = json.loads(service.calls[0].request.body or "")
    assert (entity.pop("PartitionKey"), entity.pop("RowKey")) == ("p", "k")
    return {name: value for name, value in entity.items() if "@odata.type" not in name}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", {}),
        ("short", {"Text0": "short"}),
        ("x" * 16_000, {"Text0": "x" * 16_000}),
        ("x" * 16_000 + "y", {"Text0": "x" * 16_000, "Text1": "y"}),
    ],
    ids=["empty", "short", "a-part", "over-a-part"],
)
def test_a_text_is_kept_in_parts_that_fit_a_property(text: str, parts: dict[str, str]) -> None:
    assert sent(text) == parts


def test_a_text_that_no_row_can_hold_is_refused_before_it_is_sent(table: AzureTable) -> None:
    changes: list[Callable[[str], Operation]] = [
        lambda text: Insert("k", text),
        lambda text: Replace("k", text, None),
        lambda text: Replace("k", text, ETAG),
    ]
    for change in changes:
        with pytest.raises(Rejected) as raised:
            table.apply("p", change("x" * (LARGEST_TEXT + 1)))
        assert str(raised.value) == "the document has 240001 characters; at most 240000 can be stored"
    assert len(sent("x" * LARGEST_TEXT)) == 15


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({}, ""),
        ({"Text0": "a", "Text1": "b", "Text3": "not next"}, "ab"),
        ({"Text0": "a", "Text1": 7}, ""),  # made a number by hand
    ],
)
def test_the_parts_are_joined_if_all_are_texts(table: AzureTable, parts: dict[str, Any], text: str) -> None:
    with responses.RequestsMock() as service:
        answer(service, "GET", ENTITY, 200, PartitionKey="p", RowKey="k", **parts, **{"odata.etag": ETAG})
        row = table.get("p", "k")
    assert (row.key, row.text, row.etag) == ("k", text, ETAG)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(201, "", None), (409, "TableAlreadyExists", None), (403, "AuthorizationFailure", Unauthorized)],
)
def test_a_table_that_is_missed_is_created(
    table: AzureTable, status: int, code: str, kind: type[SyncError] | None
) -> None:
    with responses.RequestsMock() as service:
        answer(service, "POST", INSERTS, 404, "TableNotFound")
        answer(service, "POST", f"{TABLES}/Tables", status, code)
        if kind is not None:
            with pytest.raises(kind):
                table.apply("p", Insert("k", "text"))
            return
        answer(service, "POST", INSERTS, 201)
        assert table.apply("p", Insert("k", "text")) == [ETAG]


@pytest.mark.parametrize(
    "text", ["", "@Microsoft.KeyVault(SecretUri=https://vault.example/)", "AccountName=x"]
)
def test_a_connection_string_that_cannot_be_read_is_told_without_it(text: str) -> None:
    with pytest.raises(Unauthorized) as raised:
        table_service(StorageAccount(text))
    assert (raised.value.service, str(raised.value)) == ("storage", "the connection string cannot be read")


@pytest.mark.parametrize(("deletion", "condition"), [(Delete("k", ETAG), ETAG), (Delete("k"), "*")])
def test_a_deletion_names_the_version_that_was_read(
    table: AzureTable, deletion: Delete, condition: str
) -> None:
    with responses.RequestsMock() as service:
        answer(service, "POST", f"{TABLES}/$batch", 400, "InvalidInput")
        with pytest.raises(Unavailable):
            table.apply("p", deletion)
        body = service.calls[0].request.body
    assert isinstance(body, bytes)
    assert f"If-Match: {condition}" in body.decode()
