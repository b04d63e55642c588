"""One call to a vendor: which answer is which error, when the next call waits, and whom we never talk to."""

import socket
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
import responses
import urllib3.util.connection
from requests.adapters import HTTPAdapter
from requests.auth import HTTPBasicAuth
from urllib3 import HTTPConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.http import BackOff, Caller, Session, Unguarded, new_session
from shared.http.session import VerifyingAdapter
from tests.doubles.clock import Clock

URL = "https://ado.example/_apis/wit/workitems/31"
TOKEN = "very-secret-token"
SIGN_IN = "<!DOCTYPE html><html><body>Sign in</body></html>"
HTML = "text/html; charset=utf-8"
LOCAL = AddressPolicy(loopback=True)
POLICY = AddressPolicy(trusted_hosts=frozenset({"ado.example"}))


@pytest.fixture
def caller(clock: Clock) -> Iterator[Caller]:
    with new_session(POLICY) as session:
        yield calling(session, BackOff(clock))


def calling(session: Session, back_off: BackOff | None = None) -> Caller:
    return Caller(
        service="ado",
        session=session,
        auth=HTTPBasicAuth("", TOKEN),
        headers={"Accept": "application/json"},
        problem_of=lambda content: str(content["message"]),
        back_off=back_off or BackOff(),
    )


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def answer_with(vendor: responses.RequestsMock, http_status: int, **answer: Any) -> None:
    vendor.add(responses.GET, URL, status=http_status, **answer)


# Which answer is which error


@pytest.mark.parametrize(
    ("http_status", "answer", "error"),
    [
        # ADO's ways to say "sign in first".
        (203, {"body": SIGN_IN, "content_type": HTML}, Unauthorized),
        (203, {"json": {}}, Unauthorized),
        (302, {"headers": {"Location": "https://ado.example/_signin"}}, Unauthorized),
        (303, {"headers": {"Location": "https://ado.example/_signin"}}, Unauthorized),
        (200, {"body": SIGN_IN, "content_type": HTML}, Unauthorized),
        (200, {"body": SIGN_IN, "content_type": "TEXT/HTML"}, Unauthorized),
        (401, {"json": {"message": "TF400813"}}, Unauthorized),
        (401, {"body": ""}, Unauthorized),
        # A call that is about no single thing.
        (403, {"json": {"message": "no permission"}}, Unauthorized),
        (403, {"body": SIGN_IN, "content_type": HTML}, Unauthorized),
        (400, {"json": {"message": "TF401320: Rule Error"}}, Refused),
        (405, {"body": ""}, Refused),
        (415, {"json": {"count": 1}}, Refused),
        (301, {"headers": {"Location": "https://elsewhere.example/"}}, Refused),
        (307, {"headers": {"Location": "https://elsewhere.example/"}}, Refused),
        (404, {"json": {"message": "TF401232"}}, NotFound),
        (404, {"body": "The controller was not found.", "content_type": "text/plain"}, NotFound),
        (410, {"body": ""}, NotFound),
        # A proxy's page, or a half-done deployment's: the service did not say that anything is gone.
        (404, {"body": "<html>nginx</html>", "content_type": "text/html"}, Unavailable),
        (410, {"body": "<html>nginx</html>", "content_type": "text/html"}, Unavailable),
        (409, {"json": {"message": "TF26071"}}, Conflict),
        (412, {"json": {"message": "VS403351"}}, Conflict),
        (408, {"body": ""}, Unavailable),
        (500, {"body": "<html>oops</html>", "content_type": HTML}, Unavailable),
        (502, {"body": "<html>bad gateway</html>", "content_type": HTML}, Unavailable),
        (503, {"body": ""}, Unavailable),
        (504, {"body": ""}, Unavailable),
        (429, {"body": ""}, Throttled),
        (429, {"headers": {"Retry-After": "7"}}, Throttled),
        (503, {"headers": {"Retry-After": "7"}}, Throttled),
        # A success that cannot be read is no usable answer.
        (200, {"body": '{"id": 31, "fie'}, Unavailable),
        (200, {"body": b"\xff\xfe\x00"}, Unavailable),
        (200, {"body": "[" * 100_000}, Unavailable),
    ],
)
def test_each_answer_is_the_error_that_says_what_to_do_next(
    vendor: responses.RequestsMock, caller: Caller, http_status: int, answer: Any, error: type[SyncError]
) -> None:
    answer_with(vendor, http_status, **answer)
    with pytest.raises(error) as raised:
        caller.call("GET", URL, object)
    assert type(raised.value) is error
    assert len(vendor.calls) == 1, "a call is made once, and a redirect is not followed"


@pytest.mark.parametrize(
    ("http_status", "answer", "content"),
    [
        (200, {"json": {"id": 31}}, {"id": 31}),
        (201, {"json": [1]}, [1]),
        (200, {"json": None}, None),
        (204, {"body": ""}, None),
        (204, {"body": "", "content_type": HTML}, None),  # a type of nothing
        (200, {"body": ""}, None),
        # Some proxies lose the content type; what is inside is what counts.
        (200, {"body": '{"id": 31}', "content_type": "text/plain"}, {"id": 31}),
    ],
)
def test_a_success_is_its_content(
    vendor: responses.RequestsMock, caller: Caller, http_status: int, answer: Any, content: Any
) -> None:
    answer_with(vendor, http_status, **answer)
    assert caller.call("GET", URL, object) == content


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectTimeout("slow"),
        requests.ReadTimeout("slow"),
        requests.ConnectionError("refused"),
        requests.exceptions.SSLError("bad certificate"),
        requests.exceptions.ChunkedEncodingError("cut off"),
        requests.exceptions.ContentDecodingError("not gzip"),
        urllib3.exceptions.ProtocolError("cut off"),
        OSError("no route"),
    ],
)
def test_no_answer_is_unavailable(vendor: responses.RequestsMock, caller: Caller, failure: Exception) -> None:
    answer_with(vendor, 200, body=failure)
    with pytest.raises(Unavailable):
        caller.call("GET", URL, object)


# What is told of a refusal


def test_the_vendor_s_sentence_is_kept_apart_from_ours_and_shortened(
    vendor: responses.RequestsMock, caller: Caller
) -> None:
    answer_with(vendor, 400, json={"message": "TF401320: " + "x" * 1000})
    with pytest.raises(Refused) as raised:
        caller.call("GET", URL, object, params={"api-version": "7.1"})
    assert str(raised.value) == raised.value.detail == f"GET {URL}: HTTP 400"
    assert raised.value.quoted.startswith("TF401320: x")
    assert len(raised.value.quoted) == 300
    assert raised.value.told == f"{raised.value.detail}: {raised.value.quoted}"


@pytest.mark.parametrize(
    "answer",
    [
        {"body": "no"},
        {"body": "[" * 100_000},
        {"body": b"\xff"},
        {"json": []},
        {"json": None},
        {"json": {}},
        {"json": "text"},
        {"json": {"message": "x" * 100_000}},  # more than is read of a refusal
        {"body": SIGN_IN},
        {"body": b"no gzip", "headers": {"Content-Encoding": "gzip"}},
        {"body": "{}", "headers": {"Content-Encoding": "br"}},
    ],
)
def test_a_refusal_without_a_sentence_is_still_a_refusal(
    vendor: responses.RequestsMock, caller: Caller, answer: Any
) -> None:
    answer_with(vendor, 400, **answer)
    with pytest.raises(Refused) as raised:
        caller.call("GET", URL, object)
    assert raised.value.quoted == ""
    assert raised.value.told == raised.value.detail


# What is sent


def test_every_call_has_time_outs_and_follows_nothing() -> None:
    sent = []

    class Silent(requests.adapters.HTTPAdapter):
        def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
            sent.append(options)
            raise requests.ReadTimeout

    with new_session(POLICY) as session:
        session.mount("https://", Silent())
        with pytest.raises(Unavailable):
            calling(session).call("GET", URL, object)
    assert [(each["timeout"], each["stream"]) for each in sent] == [((3.05, 10.0), True)]


def test_a_call_s_own_headers_win_over_the_client_s(vendor: responses.RequestsMock, caller: Caller) -> None:
    answer_with(vendor, 200, json={})
    caller.call("GET", URL, object, headers={"Accept": "text/plain", "X-Own": "1"})
    sent = vendor.calls[0].request.headers
    assert (sent["Accept"], sent["X-Own"]) == ("text/plain", "1")


# When the next call waits


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


def epoch(seconds: float) -> str:
    return str(int(datetime.now(UTC).timestamp() + seconds))


@pytest.mark.parametrize(
    ("headers", "at_least", "at_most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "0.25"}, 1, 1),
        ({"Retry-After": "0"}, 1, 1),
        ({"Retry-After": "-5"}, 1, 1),
        ({"Retry-After": "1e9"}, 3600, 3600),
        ({"Retry-After": "inf"}, 3600, 3600),
        ({"Retry-After": "-inf"}, 1, 1),
        ({"Retry-After": "nan"}, 1, 3600),
        ({"Retry-After": "soon"}, 10, 10),
        ({"Retry-After": ""}, 10, 10),
        ({"Retry-After": "Wed, 32 Oct 2026 07:28:00 GMT"}, 10, 10),
        ({"Retry-After": "Wed, 21 Oct 99999999999 07:28:00 GMT"}, 10, 10),
        ({}, 10, 10),
        ({"X-Sentry-Rate-Limit-Reset": "9" * 400}, 3600, 3600),
        ({"X-Sentry-Rate-Limit-Reset": "soon"}, 10, 10),
        ({"X-Sentry-Rate-Limit-Reset": "²"}, 10, 10),
        ({"Retry-After": "7", "X-Sentry-Rate-Limit-Reset": "9" * 400}, 7, 7),
    ],
)
def test_a_throttled_call_says_for_how_long(
    vendor: responses.RequestsMock, caller: Caller, headers: dict[str, str], at_least: float, at_most: float
) -> None:
    answer_with(vendor, 429, headers=headers)
    with pytest.raises(Throttled) as raised:
        caller.call("GET", URL, object)
    assert at_least <= raised.value.retry_after <= at_most


@pytest.mark.parametrize(("status", "may_have_landed"), [(429, False), (503, True), (500, True)])
def test_a_wait_is_no_proof_that_nothing_was_done(
    vendor: responses.RequestsMock, caller: Caller, status: int, *, may_have_landed: bool
) -> None:
    answer_with(vendor, status, headers={"Retry-After": "7"})
    with pytest.raises(Throttled) as raised:
        caller.call("GET", URL, object)
    assert (raised.value.retry_after, raised.value.may_have_landed) == (7, may_have_landed)


@pytest.mark.parametrize(
    ("header", "spelled"),
    [
        ("Retry-After", http_date),
        # Sentry says only when its window ends.
        ("X-Sentry-Rate-Limit-Reset", epoch),
    ],
)
@pytest.mark.parametrize(("seconds", "at_least", "at_most"), [(60, 50, 60), (-60, 1, 1), (10**8, 3600, 3600)])
def test_a_wait_may_be_given_by_its_end(
    vendor: responses.RequestsMock,
    caller: Caller,
    header: str,
    spelled: Callable[[float], str],
    seconds: float,
    at_least: float,
    at_most: float,
) -> None:
    answer_with(vendor, 429, headers={header: spelled(seconds)})
    with pytest.raises(Throttled) as raised:
        caller.call("GET", URL, object)
    assert at_least <= raised.value.retry_after <= at_most


@pytest.mark.parametrize("name", ["Remaining", "ConcurrentRemaining"])
@pytest.mark.parametrize("http_status", [200, 403])
def test_calls_of_one_kind_wait_once_the_last_one_for_now_was_made(
    vendor: responses.RequestsMock, caller: Caller, clock: Clock, http_status: int, name: str
) -> None:
    headers = {f"X-Sentry-Rate-Limit-{name}": "0", "X-Sentry-Rate-Limit-Reset": epoch(30)}
    answer_with(vendor, http_status, json={"id": 31}, headers=headers)
    with nullcontext() if http_status == 200 else pytest.raises(Forbidden):
        caller.call("GET", URL, object, about="lists", quota="lists")
    with pytest.raises(Throttled) as raised:
        caller.call("GET", URL, object, quota="lists")
    assert 20 <= raised.value.retry_after <= 30
    assert len(vendor.calls) == 1
    clock.now += 31
    answer_with(vendor, 200, json={"id": 31}, headers={f"X-Sentry-Rate-Limit-{name}": "0"})
    assert caller.call("GET", URL, object, quota="lists") == {"id": 31}


@pytest.mark.parametrize(
    "headers", [{}, {"Remaining": "1", "ConcurrentRemaining": "24"}, {"Remaining": "00"}]
)
def test_calls_of_one_kind_go_on_while_more_are_granted(
    vendor: responses.RequestsMock, caller: Caller, headers: dict[str, str]
) -> None:
    named = {f"X-Sentry-Rate-Limit-{name}": value for name, value in headers.items()}
    answer_with(vendor, 200, json=[], headers=named)
    for _ in range(2):
        assert caller.call("GET", URL, object, quota="lists") == []


def test_calls_of_other_kinds_do_not_wait_for_one_that_is_used_up(
    vendor: responses.RequestsMock, caller: Caller
) -> None:
    answer_with(vendor, 200, json=[], headers={"X-Sentry-Rate-Limit-Remaining": "0"})
    for quota in ("", "lists", "", "others"):
        assert caller.call("GET", URL, object, quota=quota) == []


@pytest.mark.parametrize("http_status", [429, 500, 503, 200, 404])
def test_after_a_wait_was_asked_for_the_next_call_is_refused_without_being_made(
    vendor: responses.RequestsMock, caller: Caller, clock: Clock, http_status: int
) -> None:
    answer_with(vendor, http_status, json={"id": 31}, headers={"Retry-After": "30"})
    if http_status == 200:
        assert caller.call("GET", URL, object) == {"id": 31}
    else:
        with pytest.raises(Throttled):
            caller.call("GET", URL, object)
    clock.now += 10
    with pytest.raises(Throttled) as raised:
        caller.call("GET", URL, object)
    assert raised.value.retry_after == pytest.approx(20)
    assert len(vendor.calls) == 1
    clock.now += 20
    vendor.replace(responses.GET, URL, json={"id": 32})
    assert caller.call("GET", URL, object) == {"id": 32}


def test_after_refused_credentials_no_call_is_made_for_five_minutes(
    vendor: responses.RequestsMock, caller: Caller, clock: Clock
) -> None:
    answer_with(vendor, 401)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            caller.call("GET", URL, object)
    assert len(vendor.calls) == 1
    clock.now += 299
    with pytest.raises(Unauthorized):
        caller.call("GET", URL, object)
    assert len(vendor.calls) == 1
    clock.now += 1
    vendor.replace(responses.GET, URL, json={"id": 31})
    assert caller.call("GET", URL, object) == {"id": 31}


def test_ending_a_refusal_ends_its_pause_and_no_other(vendor: responses.RequestsMock, caller: Caller) -> None:
    answer_with(vendor, 401)
    for _ in range(2):
        with pytest.raises(Unauthorized, match="HTTP 401"):
            caller.call("GET", URL, object)
        caller.back_off.end_refusal()
    vendor.replace(responses.GET, URL, status=429)
    for _ in range(2):
        with pytest.raises(Throttled):
            caller.call("GET", URL, object)
        caller.back_off.end_refusal()
    assert len(vendor.calls) == 3


def test_one_missing_permission_stops_no_other_call(vendor: responses.RequestsMock, caller: Caller) -> None:
    answer_with(vendor, 403)
    for _ in range(2):
        with pytest.raises(Unauthorized, match="HTTP 403"):
            caller.call("GET", URL, object)
    assert len(vendor.calls) == 2


def test_what_is_forbidden_about_one_thing_stops_nothing_else(
    vendor: responses.RequestsMock, caller: Caller
) -> None:
    answer_with(vendor, 403, json={"message": "TF237111: no rights"})
    for number in range(10):
        with pytest.raises(Forbidden) as raised:
            caller.call("GET", URL, object, about=f"work item {number}")
        assert (raised.value.about, raised.value.quoted) == (f"work item {number}", "TF237111: no rights")
    assert len(vendor.calls) == 10


def test_a_count_of_refusals_ends_with_its_pause(
    vendor: responses.RequestsMock, caller: Caller, clock: Clock
) -> None:
    answer_with(vendor, 403)
    for _ in range(4):
        with pytest.raises(Unauthorized):
            caller.call("GET", URL, object)
    assert len(vendor.calls) == 3
    clock.now += 301
    for _ in range(2):  # The next one alone does not start the pause anew.
        with pytest.raises(Unauthorized):
            caller.call("GET", URL, object)
    assert len(vendor.calls) == 5


def test_the_third_missing_permission_in_a_row_is_about_the_credentials(
    vendor: responses.RequestsMock, caller: Caller
) -> None:
    answer_with(vendor, 403)
    for _ in range(4):
        with pytest.raises(Unauthorized):
            caller.call("GET", URL, object)
    assert len(vendor.calls) == 3


def test_a_success_between_missing_permissions_starts_the_count_anew(
    vendor: responses.RequestsMock, caller: Caller
) -> None:
    other = "https://ado.example/_apis/wit/workitems/32"
    answer_with(vendor, 403)
    vendor.add(responses.GET, other, json={})
    for _ in range(2):
        for _ in range(2):
            with pytest.raises(Unauthorized):
                caller.call("GET", URL, object)
        caller.call("GET", other, object)
    assert len(vendor.calls) == 6


def test_one_service_s_back_off_is_not_another_s(vendor: responses.RequestsMock) -> None:
    answer_with(vendor, 429, headers={"Retry-After": "30"})
    with new_session(POLICY) as session:
        for _ in range(2):
            with pytest.raises(Throttled):
                calling(session).call("GET", URL, object)
    assert len(vendor.calls) == 2


# What no error reveals


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 400, "json": {"message": "refused"}},
        {"status": 401, "json": {}},
        {"status": 403, "json": {"message": "forbidden"}},
        {"status": 500, "body": "oops"},
        {"status": 200, "body": "{"},
        {"body": requests.ConnectionError(f"Authorization: {TOKEN}")},
        {"body": ValueError(f"Invalid header value b'Bearer {TOKEN}\\n'")},
    ],
)
def test_neither_credentials_nor_the_query_get_into_an_error(
    vendor: responses.RequestsMock, caller: Caller, answer: dict[str, Any]
) -> None:
    vendor.add(responses.GET, URL, **answer)
    with pytest.raises(SyncError) as raised:
        caller.call("GET", f"{URL}?from=bob@corp.example", object, params={"query": "email:ann@corp.example"})
    assert TOKEN not in str(raised.value)
    assert "bob@" not in str(raised.value)
    assert "ann@" not in str(raised.value)


# Real connections


class Site:
    """A web server that keeps the requests it gets, and answers as ordered."""

    def __init__(self) -> None:
        self.headers: list[dict[str, str]] = []
        self.connections = 0
        self.bytes_read = 0
        self.answer: tuple[int, Mapping[str, str], bytes] = (200, {}, b"{}")
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.headers.append(dict(self.headers))
                http_status, headers, body = site.answer
                self.send_response(http_status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}/"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    thread = threading.Thread(target=site.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield site
    site.server.shutdown()
    thread.join()
    site.server.server_close()


def ask(site: Site, url: str | None = None, policy: AddressPolicy = LOCAL) -> object:
    with new_session(policy) as session:
        return calling(session).call("GET", url or site.url, object)


def test_no_cookie_is_kept_from_one_call_to_the_next(site: Site) -> None:
    site.answer = (200, {"Set-Cookie": "session=1; Path=/"}, b"{}")
    with new_session(LOCAL) as session:
        for _ in range(2):
            calling(session).call("GET", site.url, object)
    assert all("Cookie" not in headers for headers in site.headers)


def test_a_redirect_is_not_followed_and_gets_no_credentials(site: Site) -> None:
    site.answer = (307, {"Location": f"{site.url}elsewhere"}, b"")
    with pytest.raises(Refused):
        ask(site)
    assert len(site.headers) == 1


def test_a_proxy_in_the_environment_is_not_used(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")  # where nobody listens
    assert ask(site) == {}


def test_a_netrc_file_does_not_replace_our_credentials(
    site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    ask(site)
    assert site.headers[0]["Authorization"] == requests.auth._basic_auth_str("", TOKEN)


def test_a_server_that_does_not_run_is_unavailable() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with new_session(LOCAL) as session, pytest.raises(Unavailable):
            calling(session).call("GET", f"http://127.0.0.1:{port}/", object)


def test_an_unknown_host_name_is_unavailable() -> None:
    with (
        new_session(AddressPolicy(trusted_hosts=frozenset({"no-such-host.invalid"}))) as session,
        pytest.raises(Unavailable),
    ):
        calling(session).call("GET", "https://no-such-host.invalid/", object)


def test_an_answer_cut_off_in_the_middle_is_unavailable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer_half() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

        thread = threading.Thread(target=answer_half, daemon=True)
        thread.start()
        with new_session(LOCAL) as session, pytest.raises(Unavailable):
            calling(session).call("GET", f"http://127.0.0.1:{listener.getsockname()[1]}/", object)
        thread.join()


def test_what_was_asked_for_is_in_no_traceback(vendor: responses.RequestsMock, caller: Caller) -> None:
    address = "ann@corp.example"
    failure = requests.ConnectionError(f"Max retries exceeded with url: /members/?query={address}")
    answer_with(vendor, 200, body=failure)
    with pytest.raises(Unavailable) as raised:
        caller.call("GET", URL, object, params={"query": address})
    assert address not in "".join(traceback.format_exception(raised.value))


def test_a_token_with_a_line_break_is_refused_and_not_quoted(site: Site) -> None:
    class Bearer(requests.auth.AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {TOKEN}\n"
            return request

    with new_session(LOCAL) as session:
        caller = Caller("sentry", session, Bearer(), {}, lambda content: "")
        with pytest.raises(Unauthorized) as raised:
            caller.call("GET", site.url, object)
    assert TOKEN not in str(raised.value)
    # A traceback would print the cause, which quotes the header.
    assert raised.value.__suppress_context__
    assert raised.value.__cause__ is None


def test_a_token_that_no_header_can_hold_is_refused(site: Site) -> None:
    with new_session(LOCAL) as session:
        caller = Caller("ado", session, HTTPBasicAuth("", "tok\u2013en"), {}, lambda content: "")
        with pytest.raises(Unauthorized, match="cannot be sent in a header"):
            caller.call("GET", site.url, object)


# Whom we never talk to


Elsewhere = Callable[[str], None]


@pytest.fixture
def resolver(site: Site, monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    """Let every name lead to the given address, and every connection to the local server in its place."""
    pretended: list[str] = []

    class Disguised(socket.socket):
        def getpeername(self) -> Any:
            return (pretended[-1], site.port)

    def resolve(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (pretended[-1], site.port))]

    def connect(place: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        assert place[0] == pretended[-1]
        connection = socket.socket()
        connection.connect(("127.0.0.1", site.port))
        return Disguised(fileno=connection.detach())

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect)
    return pretended.append


INTERNAL = [
    "127.0.0.1",
    "127.8.8.8",
    "::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",  # the carrier's own
    "fd12::1",
    "::ffff:10.0.0.1",
    "169.254.169.254",
    "169.254.1.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "fe80::1",
    "fe80::1%eth0",
    "168.63.129.16",
    "fd00:ec2::254",
    "0.0.0.0",  # noqa: S104 - an address to refuse, not to listen on
    "::",
    "224.0.0.1",
]
NEVER = ["169.254.169.254", "169.254.1.1", "fe80::1", "168.63.129.16", "fd00:ec2::254", "224.0.0.1"]


@pytest.mark.parametrize("address", INTERNAL)
def test_a_name_that_resolves_into_our_own_network_is_refused_before_a_byte_is_sent(
    site: Site, resolver: Elsewhere, address: str
) -> None:
    resolver(address)
    with pytest.raises(Refused) as raised:
        ask(site, "https://ado.example/", POLICY)
    assert raised.value.service == "ado"
    assert site.headers == []


@pytest.mark.parametrize("address", NEVER)
def test_a_host_that_may_be_private_may_still_not_be_the_platform(
    site: Site, resolver: Elsewhere, address: str
) -> None:
    resolver(address)
    with pytest.raises(Refused):
        ask(site, "https://tfs.corp.example/", AddressPolicy(frozenset({"tfs.corp.example"}), loopback=True))
    assert site.headers == []


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "fd12::1"])
@pytest.mark.parametrize("host", ["tfs.corp.example", "TFS.Corp.Example"])
def test_a_host_that_is_named_may_be_private(
    site: Site, resolver: Elsewhere, host: str, address: str
) -> None:
    resolver(address)
    with pytest.raises(Unavailable, match="does not speak TLS"):  # It is connected to, and speaks no TLS.
        ask(site, f"https://{host}/", AddressPolicy(frozenset({"tfs.corp.example"})))


def test_a_private_host_does_not_open_the_door_to_its_neighbor(site: Site, resolver: Elsewhere) -> None:
    resolver("10.0.0.1")
    with pytest.raises(Refused):
        ask(
            site,
            "https://ado.example/",
            AddressPolicy(frozenset({"tfs.corp.example"}), frozenset({"ado.example"})),
        )


@pytest.mark.parametrize("address", ["13.107.42.20", "2620:1ec:21::20"])
def test_a_public_address_is_connected_to(site: Site, resolver: Elsewhere, address: str) -> None:
    resolver(address)
    with pytest.raises(Unavailable, match="does not speak TLS"):  # It is connected to, and speaks no TLS.
        ask(site, "https://ado.example/", POLICY)


def test_the_check_holds_for_https_too(site: Site, resolver: Elsewhere) -> None:
    resolver("169.254.169.254")
    with pytest.raises(Refused, match="link-local"):
        ask(site, "https://ado.example/", POLICY)


def test_a_name_that_resolves_to_loopback_is_refused_without_any_disguise(site: Site) -> None:
    with pytest.raises(Refused, match="loopback"):
        ask(site, f"http://localhost:{site.port}/", AddressPolicy())
    assert site.headers == []


def leads_to(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> list[tuple[str, int]]:
    """Let every name lead to the addresses, none of which takes a connection; return what is connected to."""
    tried: list[tuple[str, int]] = []

    def resolve(_host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in addresses]

    def connect(place: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        tried.append(place)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(urllib3.util.connection, "create_connection", connect)
    return tried


@pytest.mark.parametrize("address", INTERNAL)
def test_a_refused_address_is_not_connected_to_at_all(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    tried = leads_to(monkeypatch, address)
    for port in (443, 22):
        with new_session(POLICY) as session, pytest.raises(Refused):
            calling(session).call("GET", f"https://ado.example:{port}/", object)
    assert tried == []


@pytest.mark.parametrize("second", ["10.0.0.1", "169.254.169.254", "127.0.0.1"])
def test_one_refused_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch, second: str) -> None:
    tried = leads_to(monkeypatch, "13.107.42.20", second)
    with new_session(POLICY) as session, pytest.raises(Refused):
        calling(session).call("GET", "https://ado.example/", object)
    assert tried == []


def test_the_verified_addresses_are_connected_to_and_the_name_is_not_looked_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = leads_to(monkeypatch, "13.107.42.20", "2620:1ec:21::20")
    with new_session(POLICY) as session, pytest.raises(Unavailable, match="refuses the connection"):
        calling(session).call("GET", "https://ado.example/", object)
    assert tried == [("13.107.42.20", 443), ("2620:1ec:21::20", 443)]


def test_an_open_port_of_a_refused_host_looks_like_a_closed_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as opened, socket.create_server(("127.0.0.1", 0)) as closing:
        ports = [each.getsockname()[1] for each in (opened, closing)]
        closing.close()
        told = []
        for port in ports:
            with new_session(AddressPolicy()) as session, pytest.raises(Refused) as raised:
                calling(session).call("GET", f"http://localhost:{port}/", object)
            told.append((raised.value.detail.replace(str(port), ""), raised.value.advice))
        opened.settimeout(0.1)
        with pytest.raises(TimeoutError):
            opened.accept()
    assert told[0] == told[1]


def test_a_name_that_no_server_knows_and_one_that_is_none_are_told_apart_from_credentials() -> None:
    policy = AddressPolicy(trusted_hosts=frozenset({f"{'x' * 70}.example"}))
    with new_session(policy) as session, pytest.raises(Unavailable):
        calling(session).call("GET", f"https://{'x' * 70}.example/", object)


# The check is a method of urllib3's own, overridden: does it still take effect?


class Listener:
    """A socket on loopback that keeps the first bytes of each connection, and says nothing."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"

    def _listen(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            self.received.append(connection.recv(65536))

    def close(self) -> None:
        self._thread.join(5)
        self._socket.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


SCHEMES = [("http", b"GET / HTTP/1.1"), ("https", b"\x16\x03")]  # the latter is how TLS begins


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_refused_address_sees_no_connection(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with pytest.raises(Rejected, match="loopback"):
            VerifyingAdapter(AddressPolicy()).reach(f"{scheme}://127.0.0.1:{server.getsockname()[1]}/")
        server.settimeout(0.1)
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize(("scheme", "beginning"), SCHEMES)
def test_an_allowed_address_is_spoken_to(listener: Listener, scheme: str, beginning: bytes) -> None:
    with new_session(LOCAL) as session, pytest.raises(Unavailable):
        calling(session).call("GET", f"{scheme}://{listener.address}/", object)
    listener.close()
    assert [first.startswith(beginning) for first in listener.received] == [True]


def connect_past_the_check(connection: HTTPConnection) -> None:
    connection.sock = socket.create_connection((connection.host, connection.port), 1.0)


def hold_a_pool_of_its_own(manager: PoolManager, *_: Any, **__: Any) -> HTTPConnectionPool:
    return HTTPConnectionPool("127.0.0.1", 1)


def ask_no_manager(adapter: HTTPAdapter, request: requests.PreparedRequest, **_: Any) -> HTTPConnectionPool:
    return HTTPConnectionPool("127.0.0.1", 1)


@pytest.mark.parametrize("policy", [AddressPolicy(), LOCAL])
@pytest.mark.parametrize(
    ("changed", "name", "change"),
    [
        # What the check overrides is not called any more,
        (HTTPConnection, "connect", connect_past_the_check),
        (HTTPSConnection, "connect", connect_past_the_check),
        # or not there any more.
        (HTTPConnection, "_new_conn", None),
        # Our pools are not used any more, by urllib3 or by requests.
        (PoolManager, "_new_pool", hold_a_pool_of_its_own),
        (HTTPAdapter, "get_connection_with_tls_context", ask_no_manager),
        (HTTPAdapter, "get_connection_with_tls_context", None),
        # Something forbidden is reached, and even answers.
        (HTTPConnectionPool, "urlopen", lambda *_, **__: None),
    ],
)
def test_libraries_that_pass_our_check_by_are_not_used(
    monkeypatch: pytest.MonkeyPatch, policy: AddressPolicy, changed: type, name: str, change: Any
) -> None:
    if change is None:
        monkeypatch.delattr(changed, name)
    else:
        monkeypatch.setattr(changed, name, change)
    with pytest.raises(Unguarded, match=r"urllib3 [\d.]+ and requests [\d.]+: https? connections"):
        new_session(policy)
