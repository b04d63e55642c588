"""Real TLS, names and ports on this machine: what is told of a connection that comes to nothing."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from requests.auth import HTTPBasicAuth

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import NotTrusted, Throttled, Unavailable
from shared.http import BackOff, Caller, new_session
from shared.http.trouble import place_of, trouble_with_connection
from shared.http.trust import trust_in
from simulator.ado import FakeAdo
from simulator.certificate import Authority, Certificate, make_certificate
from simulator.front import TlsFront

DAYS = timedelta(days=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def house(folder: Path) -> Authority:
    return Authority(folder)


@pytest.fixture(scope="module")
def bundle(house: Authority) -> str:
    return trust_in(str(house.path)).bundle


@pytest.fixture(scope="module")
def ado() -> Iterator[FakeAdo]:
    with FakeAdo(is_server=True) as fake:
        yield fake


def call(url: str, bundle: str | None, back_off: BackOff | None = None) -> Any:
    with new_session(AddressPolicy(loopback=True), bundle=bundle) as session:
        caller = Caller(
            "ado",
            session,
            HTTPBasicAuth("", "ado-token"),
            {"Accept": "application/json"},
            problem_of=str,
            back_off=back_off or BackOff(),
        )
        query = {"api-version": "6.0-preview"}
        return caller.call("GET", f"{url}/fabrikam/_apis/connectionData", dict, params=query)


def refused(url: str, bundle: str | None = None) -> Unavailable:
    with pytest.raises(Unavailable) as raised:
        call(url, bundle)
    return raised.value


def test_an_authority_of_the_house_is_trusted_whatever_else_the_environment_says(
    house: Authority, bundle: str, ado: FakeAdo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    with TlsFront(ado.url, house.issue("127.0.0.1", "localhost")) as front:
        for host in ("127.0.0.1", "localhost"):
            assert call(front.url(host), bundle)["instanceId"] == ado.instance_id


def issued(house: Authority, folder: Path, what: str) -> Certificate:
    match what:
        case "self-signed":
            return make_certificate(folder)
        case "of another authority":
            return Authority(folder, "stranger").issue("127.0.0.1")
        case "expired":
            return house.issue("127.0.0.1", valid_from=-9 * DAYS)
        case "of tomorrow":
            return house.issue("127.0.0.1", valid_from=DAYS)
        case _:
            return house.issue(what)


@pytest.mark.parametrize(
    ("what", "kind", "cure"),
    [
        ("self-signed", "unknown-certificate-authority", "REQUESTS_CA_BUNDLE"),
        ("of another authority", "unknown-certificate-authority", "REQUESTS_CA_BUNDLE"),
        ("expired", "expired-certificate", "renew it"),
        ("of tomorrow", "expired-certificate", "clock"),
        ("tfs.corp.example", "certificate-of-another-name", "use the name that it is for"),
        ("127.0.0.2", "certificate-of-another-name", "use the name that it is for"),
    ],
)
def test_a_certificate_that_is_not_trusted_says_why_and_names_the_cure(
    house: Authority, folder: Path, bundle: str, ado: FakeAdo, what: str, kind: str, cure: str
) -> None:
    with TlsFront(ado.url, issued(house, folder, what)) as front:
        error = refused(front.url(), bundle)
    assert isinstance(error, NotTrusted)
    assert error.kind == kind
    assert cure in error.advice
    assert error.advice.startswith("the certificate of 127.0.0.1 ")
    assert error.detail.endswith(error.advice)


def test_the_public_authorities_do_not_know_the_house(house: Authority, ado: FakeAdo) -> None:
    with TlsFront(ado.url, house.issue("127.0.0.1")) as front:
        assert refused(front.url()).kind == "unknown-certificate-authority"


def test_a_server_that_speaks_no_tls_is_told_so(ado: FakeAdo) -> None:
    error = refused(ado.url.replace("http://", "https://"))
    assert error.kind == "no-tls"
    assert "scheme and port" in error.advice


def test_a_port_on_which_nobody_listens_is_named(ado: FakeAdo) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for scheme in ("http", "https"):
        error = refused(f"{scheme}://127.0.0.1:{port}")
        assert type(error) is Unavailable
        assert error.advice.startswith(f"127.0.0.1:{port} refuses the connection")


# What this machine cannot do by itself: the errors that the libraries raise elsewhere.

POOL = urllib3.HTTPSConnectionPool("tfs.corp.example")
CONNECTION = urllib3.connection.HTTPSConnection("tfs.corp.example")


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (
            requests.ConnectionError(
                urllib3.exceptions.MaxRetryError(
                    POOL,
                    "/",
                    urllib3.exceptions.NameResolutionError(
                        "tfs.corp.example", CONNECTION, socket.gaierror(-2, "Name or service not known")
                    ),
                )
            ),
            "unknown-host-name",
            "DNS",
        ),
        (socket.gaierror(-3, "Temporary failure in name resolution"), "unknown-host-name", "DNS"),
        (
            requests.ConnectTimeout(
                urllib3.exceptions.MaxRetryError(
                    POOL, "/", urllib3.exceptions.ConnectTimeoutError(CONNECTION, "timed out")
                )
            ),
            "unavailable",
            "takes no connection in time",
        ),
        (requests.ReadTimeout("secret"), "unavailable", ""),
        (
            requests.ConnectionError(urllib3.exceptions.ProtocolError("secret", OSError("secret"))),
            "unavailable",
            "",
        ),
    ],
)
def test_each_trouble_below_http_has_its_sentence(error: Exception, kind: str, said: str) -> None:
    trouble = trouble_with_connection("ado", "GET /", error, host="tfs.corp.example")
    assert trouble.kind == kind
    assert said in trouble.advice
    assert bool(trouble.advice) is bool(said)
    assert "secret" not in trouble.told


def test_silence_is_told_in_words_before_the_call_that_met_it() -> None:
    silent = trouble_with_connection(
        "sentry", "GET https://s.example/x/", requests.ReadTimeout(), host="s.example"
    )
    assert silent.detail == "s.example did not answer in time (GET https://s.example/x/: ReadTimeout)"
    cut = trouble_with_connection(
        "sentry", "GET /", requests.exceptions.ChunkedEncodingError(), host="s.example"
    )
    assert cut.detail == "s.example gave no whole answer (GET /: ChunkedEncodingError)"


def test_errors_that_lead_back_to_each_other_come_to_an_end() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    assert trouble_with_connection("ado", "GET /", first, host="x").advice == ""


def test_who_comes_after_a_silence_is_told_what_it_was(ado: FakeAdo) -> None:
    back_off = BackOff()
    url = ado.url.replace("http://", "https://")
    with pytest.raises(NotTrusted):
        call(url, None, back_off)
    with pytest.raises(Throttled, match=r"did not answer a moment ago: .* does not speak TLS") as raised:
        call(url, None, back_off)
    assert raised.value.silent


@pytest.mark.parametrize(
    ("url", "host", "place"),
    [
        ("https://user:secret@TFS.example:8443/a", "tfs.example", "TFS.example:8443"),
        ("https://[dev/", "", ""),
        ("https://ev\u2100il.example/", "", ""),
    ],
)
def test_where_an_address_leads_is_told_of_any_text(url: str, host: str, place: str) -> None:
    assert place_of(url) == {"host": host, "place": place}
