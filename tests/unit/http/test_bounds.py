"""What a vendor sends is bounded, mended and typed; and our credentials go to known hosts only."""

import gzip
import json
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
import requests
import responses
from requests.auth import AuthBase

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Refused, Rejected, Throttled, Unauthorized, Unavailable
from shared.domain.secrecy import REMOVED
from shared.http import BackOff, Caller, caller, new_session, session

LOCAL = AddressPolicy(loopback=True)
KNOWN = "https://dev.azure.com/fabrikam/"
MIB = 1024 * 1024


class Counted(AuthBase):
    """Credentials that know how often they were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.asked += 1
        request.headers["Authorization"] = "Bearer a-long-secret"
        return request


def calling(policy: AddressPolicy = LOCAL, auth: AuthBase | None = None, **more: Any) -> Caller:
    return Caller(
        "ado", new_session(policy), auth or Counted(), {}, lambda content: content["message"], **more
    )


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


# Where our credentials go

UNKNOWN = [
    "https://evil.example/",
    "https://dev.azure.com.evil.example/fabrikam/",
    "https://dev.azure.com@evil.example/",
    "https://evil.example\\@dev.azure.com/",
    "https://evil.example/?https://dev.azure.com/",
    "https://a.b.visualstudio.com/",
    "https://o1.ingest.sentry.io/",
    "http://dev.azure.com/fabrikam/",  # in the clear
    "http://evil.example/",
    "http://127.0.0.1:9/",  # not a local run
    "https://localhost/",
]


@pytest.mark.parametrize("url", UNKNOWN)
def test_a_host_that_nobody_knows_gets_no_request_and_credentials_are_not_even_made(
    vendor: responses.RequestsMock, url: str
) -> None:
    auth = Counted()
    with pytest.raises(Refused) as raised:
        calling(AddressPolicy(), auth).call("GET", url, object)
    assert auth.asked == 0
    assert len(vendor.calls) == 0
    assert raised.value.advice.startswith("we do not connect to ")


@pytest.mark.parametrize("url", [KNOWN, "https://dev.azure.com./fabrikam/", "https://acme.sentry.io/"])
def test_a_known_host_gets_them(vendor: responses.RequestsMock, url: str) -> None:
    auth = Counted()
    vendor.get(url, json={})
    assert calling(AddressPolicy(), auth).call("GET", url, object) == {}
    assert auth.asked == 1
    assert vendor.calls[0].request.headers["Authorization"] == "Bearer a-long-secret"


def test_the_session_itself_sends_no_credentials_elsewhere_however_they_got_on_the_request(
    vendor: responses.RequestsMock,
) -> None:
    for options in ({"auth": ("", "token")}, {"headers": {"Authorization": "Bearer token"}}):
        with pytest.raises(Rejected):
            new_session(AddressPolicy()).get("https://evil.example/", timeout=1, **options)
    assert len(vendor.calls) == 0


# How much is read


class Site:
    """A web server that sends what it is told, byte by byte if need be, until nobody listens."""

    def __init__(self) -> None:
        self.head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
        self.chunks: Iterator[bytes] = iter(())
        self.sent = 0
        self.asked = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked += 1
                try:
                    for chunk in site.chunks:
                        self.wfile.write(chunk)
                        site.sent += len(chunk)
                except OSError:
                    pass
                self.close_connection = True

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002  # the base's name
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"

    def answers(self, *headers: bytes, body: Iterator[bytes] | bytes) -> None:
        head = b"".join((self.head, *(header + b"\r\n" for header in headers), b"\r\n"))
        self.chunks = iter([head, body]) if isinstance(body, bytes) else _after(head, body)


def _after(head: bytes, body: Iterator[bytes]) -> Iterator[bytes]:
    yield head
    yield from body


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def endless() -> Iterator[bytes]:
    while True:
        yield b" " * 65536


def bomb(layers: int = 1) -> bytes:
    """Return a few hundred kilobytes of gzip that hold hundreds of megabytes."""
    packer = zlib.compressobj(wbits=31)
    packed = b"".join(packer.compress(b" " * MIB) for _ in range(300)) + packer.flush()
    for _ in range(layers - 1):
        packed = gzip.compress(packed)
    return packed


def test_an_answer_is_read_up_to_sixteen_mebibytes(site: Site) -> None:
    text = "x" * (16 * MIB - 2)
    site.answers(body=json.dumps(text).encode())
    assert calling().call("GET", site.url, str) == text
    site.answers(body=json.dumps(text + "x").encode())
    with pytest.raises(Unavailable, match="cannot be read"):
        calling().call("GET", site.url, str)
    assert caller.LARGEST_ANSWER == 16_777_216


@pytest.mark.parametrize("member", [b"0", b"{}", b"[]", b'[{"a":[]}]'])
def test_an_answer_of_many_small_values_is_not_made_into_any(site: Site, member: bytes) -> None:
    """Each value takes many times the memory of its text."""
    site.answers(body=b"[" + b",".join([member] * (15 * MIB // (len(member) + 1))) + b"]")
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="cannot be read"):
            calling().call("GET", site.url, object)
        assert tracemalloc.get_traced_memory()[1] < 64 * MIB
    finally:
        tracemalloc.stop()


def test_an_answer_may_be_as_large_as_a_service_makes_it(site: Site) -> None:
    items = [
        {"id": number, "fields": {"System.Title": "It fails, and nobody knows why. " * 100}}
        for number in range(4_000)
    ]
    site.answers(body=json.dumps(items).encode())
    assert calling().call("GET", site.url, list[object]) == items


def test_an_answer_without_an_end_is_let_go(site: Site) -> None:
    site.answers(body=endless())
    with pytest.raises(Unavailable):
        calling().call("GET", site.url, object)
    assert site.sent < 64 * MIB


@pytest.mark.parametrize("status", [b"301", b"302", b"303", b"307", b"308"])
def test_of_a_redirect_not_even_the_body_is_read(
    site: Site, monkeypatch: pytest.MonkeyPatch, status: bytes
) -> None:
    monkeypatch.setattr(session, "CALL_TIME", 1.0)
    site.head = site.head.replace(b"200", status)
    site.answers(b"Location: https://evil.example/", body=endless())
    with pytest.raises((Refused, Unauthorized)):
        calling().call("GET", site.url, object)
    assert (site.asked, site.sent < 16 * MIB) == (1, True)


@pytest.mark.parametrize("status", [b"200", b"400"])
def test_a_bomb_is_not_unpacked(site: Site, status: bytes) -> None:
    site.head = site.head.replace(b"200", status)
    site.answers(b"Content-Encoding: gzip", body=bomb())
    began = time.process_time()
    with pytest.raises((Unavailable, Refused)):
        calling().call("GET", site.url, object)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize("encoding", [b"gzip, gzip", b"br", b"deflate", b"zstd", b"gzip;q=1", b"x"])
def test_an_encoding_that_was_not_asked_for_is_no_usable_answer(site: Site, encoding: bytes) -> None:
    site.answers(b"Content-Encoding: " + encoding, body=b"{}")
    with pytest.raises(Unavailable):
        calling().call("GET", site.url, object)


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"GZIP"])
def test_gzip_is_read(site: Site, encoding: bytes) -> None:
    site.answers(b"Content-Encoding: " + encoding, body=gzip.compress(b'{"a": 1}'))
    assert calling().call("GET", site.url, object) == {"a": 1}


@pytest.mark.parametrize("packed", [gzip.compress(b'{"a": 1}', mtime=0)[:-9], b"\x1f\x8b\x08", b"x", b"{}"])
def test_half_of_it_is_not(site: Site, packed: bytes) -> None:
    site.answers(b"Content-Encoding: gzip", body=packed)
    with pytest.raises(Unavailable):
        calling().call("GET", site.url, object)


def drip(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" "
        threading.Event().wait(0.05)


def test_an_answer_that_comes_byte_by_byte_is_waited_for_only_so_long(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (session.CALL_TIME, session.BETWEEN_BYTES) == (30.0, 10.0)
    monkeypatch.setattr(session, "CALL_TIME", 0.3)
    heads = [b"", b"Transfer-Encoding: chunked\r\n\r\nfff\r\n", b"\r\n"]
    for head in heads:  # within the headers, within a chunk, within the body
        site.chunks = _after(site.head + head, drip(200))
        began = time.monotonic()
        with pytest.raises(Unavailable):
            calling().call("GET", site.url, object)
        assert time.monotonic() - began < 3.0


def test_after_a_time_out_the_service_is_left_alone_and_then_asked_by_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "CALL_TIME", 0.1)
    now = 1000.0
    slow = calling(back_off=BackOff(lambda: now))
    site.chunks = _after(site.head, drip(200))
    with pytest.raises(Unavailable):
        slow.call("GET", site.url, object)
    with pytest.raises(Throttled) as raised:
        slow.call("GET", site.url, object)
    assert (raised.value.retry_after, site.asked) == (30.0, 1)
    now += 30.0
    site.answers(body=b"{}")
    assert slow.call("GET", site.url, object) == {}
    site.answers(body=b"{}")
    assert slow.call("GET", site.url, object) == {}


def test_an_answer_that_tells_of_trouble_is_an_answer(vendor: responses.RequestsMock) -> None:
    vendor.get(KNOWN, status=500)
    one = calling(AddressPolicy())
    for _ in range(2):
        with pytest.raises(Unavailable):
            one.call("GET", KNOWN, object)
    assert len(vendor.calls) == 2


# What is made of it


class Shape(msgspec.Struct):
    id: int
    name: str = ""


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text-of-somebody"',
        b"{}",
        b'{"id": "text-of-somebody"}',
        b'{"id": 1.5}',
        b'{"id": true}',
        b'{"id": 1, "name": 5}',
        b'{"id": 1, "name": null}',
        b'{"id": 1, "name": ["text-of-somebody"]}',
        b'{"id": NaN}',
        b'{"id": 1',
        b"\xff\xfe{",
        b"[" * 200_000,
        b'{"id": ' + b"9" * 10_000 + b"}",
    ],
)
def test_a_wrong_type_anywhere_is_no_usable_answer_and_is_not_quoted(
    vendor: responses.RequestsMock, body: bytes
) -> None:
    vendor.get(KNOWN, body=body, content_type="application/json")
    with pytest.raises(Unavailable) as raised:
        calling(AddressPolicy()).call("GET", KNOWN, Shape)
    assert str(raised.value) == f"GET {KNOWN}: the answer cannot be read"
    assert raised.value.quoted == ""
    assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "mended"),
    [
        (rb"cut \ud83d", "cut \ufffd"),
        (rb"\ude00 cut", "\ufffd cut"),
        (rb"a\u0000b\u0000\u0000", "a\ufffdb\ufffd\ufffd"),
        (rb"a\\u0000b", "a\\u0000b"),
        (rb"\\\u0000", "\\\ufffd"),
        (rb"\u0000 and \ud83d", "\ufffd and \ufffd"),
        ("Prüfung 😀".encode(), "Prüfung 😀"),
    ],
)
def test_broken_characters_are_mended_where_they_come_in(
    vendor: responses.RequestsMock, name: bytes, mended: str
) -> None:
    vendor.get(KNOWN, body=b'\xef\xbb\xbf{"id": 1, "name": "' + name + b'"}')
    assert calling(AddressPolicy()).call("GET", KNOWN, Shape) == Shape(1, mended)


@pytest.mark.parametrize("gap", [r"\u0000", r"\ud83d", r"\ude00", r"\ud83d\u0000"])
def test_a_secret_is_known_again_between_broken_characters(vendor: responses.RequestsMock, gap: str) -> None:
    echoed = gap.join("a-long-secret")
    vendor.get(KNOWN, body=f'{{"id": 1, "name": "it is {echoed}."}}')
    assert calling(AddressPolicy()).call("GET", KNOWN, Shape) == Shape(1, f"itis{REMOVED}.")
    vendor.replace(responses.GET, KNOWN, status=400, body=f'{{"message": "bad header {echoed}"}}')
    with pytest.raises(Refused) as raised:
        calling(AddressPolicy()).call("GET", KNOWN, Shape)
    assert raised.value.quoted == f"badheader{REMOVED}"
