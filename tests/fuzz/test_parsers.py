"""Every parser of what comes from outside: it reads, or raises what it says, within bounds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.edge import LARGEST_DOCUMENT, read
from functions.issue_links import _LinkRequest
from functions.reconcile import _Wanted
from functions.sentry_components import _Submitted
from functions.shown import _Copy
from shared.ado.hook import parse as parse_ado
from shared.ado.hook import verify_secret
from shared.domain.addresses import AddressPolicy
from shared.domain.configuration import Configuration, Submitted
from shared.domain.errors import (
    InvalidConfiguration,
    InvalidList,
    Malformed,
    Rejected,
    SyncError,
    Unauthenticated,
)
from shared.domain.messages import InboundMessage, OutboundMessage, decode_inbound, decode_outbound, encode
from shared.flows.bulk import is_csv, pairs_from_csv, pairs_from_json
from shared.sentry.hook import parse as parse_sentry
from shared.sentry.hook import sign, verify_signature
from tests.fuzz.conftest import fuzzed
from tests.fuzz.damage import TEXTS, body_like, damaged_bytes
from tests.fuzz.oracle import bounded, frugal
from tests.unit.scene import SLUG, Scene

PAYLOADS = Path(__file__).parents[1] / "payloads"
POLICY = AddressPolicy()
SCENE = Scene()
ORGANIZATION = SCENE.organization


def payloads(folder: str) -> list[Any]:
    files = sorted((PAYLOADS / folder).glob("*.json"))
    return [json.loads(each.read_text(encoding="utf-8")) for each in files]


DOCUMENT: dict[str, Any] = {
    "ado_url": "https://dev.azure.com/fabrikam/",
    "ado_account_id": None,
    "sentry_url": "https://sentry.io/",
    "sentry_organization": "acme",
    "issue_sync": True,
    "done_categories": ["Resolved", "Completed"],
    "status_mapping": {
        "5650f68f-fd3f-564d-822e-b895cdbc5229": {
            "on_resolve": "Closed",
            "on_unresolve": "Active",
            "done_states": ["Closed"],
            "types": {"Bug": {"on_resolve": "Done", "on_unresolve": "New"}},
        }
    },
    "people": {"ann@corp.example": "ann@home.example"},
    "on_conflict": "ado",
    "done_when": "all",
}


def read_document(body: bytes) -> None:
    """What is accepted is stored as it is, and read again as the same."""
    document = Configuration.from_submitted(Submitted.from_json(body), POLICY)
    document.to_json().encode()
    assert Configuration.from_stored(document.to_json()) == document


def read_list(body: bytes) -> None:
    read_pairs = pairs_from_csv if is_csv(body, "") else pairs_from_json
    for pair in read_pairs(body, ORGANIZATION):
        assert 0 < pair.work_item_id < 2**31


def read_inbound(body: bytes) -> None:
    """What is read can be put back as it was read."""
    message = decode_inbound(body)
    assert decode_inbound(encode(message)) == message


def read_outbound(body: bytes) -> None:
    message = decode_outbound(body)
    assert decode_outbound(encode(message)) == message


def like(*values: Any) -> st.SearchStrategy[bytes]:
    return st.sampled_from(values).flatmap(body_like)


MESSAGES = [
    json.loads(encode(InboundMessage(SLUG, 31, 9, "updated", told_at=1.0))),
    json.loads(encode(InboundMessage(SLUG, 31, 9, snapshot=SCENE.ado.item(31)))),
]
CSV = b"issue_id,work_item_id\r\n100,31\r\nFE-1,#32\r\n"
Case = tuple[
    st.SearchStrategy[bytes], Callable[[bytes], object], type[SyncError] | tuple[type[SyncError], ...]
]

PARSERS: dict[str, Case] = {
    "ado hook": (like(*payloads("ado")), parse_ado, Malformed),
    "sentry hook": (
        like(*payloads("sentry")),
        lambda body: parse_sentry({"Sentry-Hook-Resource": "issue"}, body),
        Malformed,
    ),
    "sentry comment": (
        like(*payloads("sentry")),
        lambda body: parse_sentry({"Sentry-Hook-Resource": "comment"}, body),
        Malformed,
    ),
    "inbound message": (like(*MESSAGES), read_inbound, Malformed),
    "outbound message": (
        like(json.loads(encode(OutboundMessage(SLUG, "100", "501", told_at=1.0)))),
        read_outbound,
        Malformed,
    ),
    "document": (like(DOCUMENT), read_document, (InvalidConfiguration, Rejected)),
    "list": (
        like([{"issue_id": "100", "work_item_id": 31}, {"issue_id": "FE-1", "work_item_id": "#32"}]),
        read_list,
        (Rejected, InvalidList),
    ),
    "csv": (damaged_bytes(CSV), read_list, (Rejected, InvalidList)),
    "link": (
        like({"issue_id": "100", "work_item_id": 31, "initial": "ado"}),
        lambda body: read(body, _LinkRequest),
        Rejected,
    ),
    "reconcile": (
        like({"issue_id": "100", "work_item_id": 31}),
        lambda body: read(body, _Wanted),
        Rejected,
    ),
    "copy": (like({"from": "ado"}), lambda body: read(body, _Copy), Rejected),
    "form": (
        like({"fields": {"work_item": "31", "title": "x"}, "issueId": 4507}),
        lambda body: read(body, _Submitted),
        Rejected,
    ),
}


@pytest.mark.parametrize("name", PARSERS)
@fuzzed
@given(data=st.data())
def test_a_parser_reads_or_says_what_is_wrong(name: str, data: st.DataObject) -> None:
    bodies, parse, refusals = PARSERS[name]
    body = data.draw(bodies)
    with bounded():
        try:
            parse(body)
        except refusals as error:
            said = f"{error.detail} {getattr(error, 'errors', '')}"
            said.encode()  # It can be answered and logged.
            assert len(said) < 20_000 + 60 * len(body) ** 0.5


# As large as a body may be, and as dense as JSON and CSV can make it.
DENSE = {
    "lists": b"[" + b"[]," * (LARGEST_DOCUMENT // 3) + b"[]]",
    "objects": b"[" + b"{}," * (LARGEST_DOCUMENT // 3) + b"{}]",
    "keys": b"{" + b",".join(b'"%x":0' % each for each in range(LARGEST_DOCUMENT // 10)) + b"}",
    "same key": b"{" + b",".join([b'"a":0'] * (LARGEST_DOCUMENT // 7)) + b"}",
    "depth": b"[" * LARGEST_DOCUMENT,
    "number": b"1" * LARGEST_DOCUMENT,
    "text": b'"' + b"\\u0000" * (LARGEST_DOCUMENT // 6) + b'"',
    "lines": b"1,1\n" * (LARGEST_DOCUMENT // 4),
    "commas": b"," * LARGEST_DOCUMENT,
    "quotes": b'"' * LARGEST_DOCUMENT,
}


@pytest.mark.parametrize("dense", DENSE)
@pytest.mark.parametrize("name", PARSERS)
def test_a_parser_is_bounded_by_the_size_of_the_body(name: str, dense: str) -> None:
    _, parse, refusals = PARSERS[name]
    with frugal():
        try:
            parse(DENSE[dense])
        except refusals:
            return


@fuzzed
@given(st.one_of(TEXTS, st.none()), st.binary(max_size=200))
def test_no_signature_but_the_right_one_is_taken(signature: str | None, body: bytes) -> None:
    with pytest.raises(Unauthenticated):
        verify_signature(body, signature, ["secret-of-sentry"])
    verify_signature(body, sign(body, "secret-of-sentry").decode(), ["another-one", "secret-of-sentry"])


@fuzzed
@given(damaged_bytes(sign(b"{}", "secret-of-sentry")))
def test_a_damaged_signature_is_refused(signature: bytes) -> None:
    right = sign(b"{}", "secret-of-sentry").decode()
    text = signature.decode("latin-1")
    if text != right:
        with pytest.raises(Unauthenticated):
            verify_signature(b"{}", text, ["secret-of-sentry"])


@fuzzed
@given(
    st.dictionaries(st.sampled_from(["Shared-Secret", "Authorization"]), TEXTS),
    st.sampled_from(["", "Basic ", "Bearer "]),
)
def test_no_secret_but_the_right_one_is_taken(headers: dict[str, str], kind: str) -> None:
    if "Authorization" in headers:
        headers["Authorization"] = kind + headers["Authorization"]
    with pytest.raises(Unauthenticated):
        verify_secret(headers, ["secret-of-hooks"])
