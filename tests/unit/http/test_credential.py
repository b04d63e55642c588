"""One credential for the whole app: made when needed, asked once by however many, fetched ahead."""

import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.rest import HttpRequest

from shared.ado.auth import SCOPE as ADO
from shared.http.credential import Credential, IdentityUnavailable, Witness, new_credential
from shared.services import Services
from shared.settings import Settings
from shared.store.tables import SCOPE as STORAGE
from simulator.identity import IdentityEndpoint

ROOT = Path(__file__).parents[3]
PATIENCE = 10.0  # seconds


class Entra:
    """Hands out tokens when a test lets it, and counts what it was asked for."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.asked: list[str] = []
        self.reached = threading.Event()
        self.open = threading.Event()
        self.open.set()

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.asked.append(*scopes)
        self.reached.set()
        assert self.open.wait(PATIENCE)
        if self.errors:
            raise self.errors.pop(0)
        return AccessToken(f"{scopes[0]} {len(self.asked)}", 0)


class Made(list[Entra]):
    """The credentials that were made."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = errors

    def __call__(self) -> Entra:
        self.append(Entra(*self.errors))
        return self[-1]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def wait_until_blocked(threads: int) -> None:
    """Return when so many threads wait for what another one fetches."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while sum(map(_waits_for_another, sys._current_frames().values())) < threads:
        assert time.monotonic() < deadline
        pause.wait(0.005)


def _waits_for_another(frame: FrameType | None) -> bool:
    names = [each.f_code.co_name for each, _ in traceback.walk_stack(frame)]
    return "get_token" in names[names.index("result") :] if "result" in names else False


def wait_for_fetching() -> None:
    for thread in threading.enumerate():
        if thread.name == "fetch tokens ahead":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_it_is_made_with_the_first_token_and_once() -> None:
    made = Made()
    credential = Credential(made)
    assert made == []
    tokens = [credential.get_token(scope).token for scope in (STORAGE, ADO, STORAGE)]
    # It keeps no token itself: what it makes does that, and renews them.
    assert tokens == [f"{STORAGE} 1", f"{ADO} 2", f"{STORAGE} 3"]
    assert len(made) == 1


def test_threads_that_want_one_token_ask_for_it_once(pool: ThreadPoolExecutor) -> None:
    entra = Entra()
    credential = Credential(lambda: entra)
    entra.open.clear()
    first = pool.submit(credential.get_token, STORAGE)
    assert entra.reached.wait(PATIENCE)
    others = [pool.submit(credential.get_token, STORAGE) for _ in range(6)]
    entra.reached.clear()
    another = pool.submit(credential.get_token, ADO)
    assert entra.reached.wait(PATIENCE)  # It does not wait for the first one's.
    wait_until_blocked(len(others))
    entra.open.set()
    tokens = {each.result(PATIENCE).token for each in (first, *others)}
    assert len(tokens) == 1
    assert another.result(PATIENCE).token.startswith(ADO)
    assert entra.asked == [STORAGE, ADO]


def test_a_failure_is_raised_where_the_token_is_needed_and_the_next_one_asks_again() -> None:
    made = Made(ClientAuthenticationError("no identity"))
    credential = Credential(made)
    with pytest.raises(ClientAuthenticationError):
        credential.get_token(STORAGE)
    assert credential.get_token(STORAGE).token == f"{STORAGE} 2"


def test_one_that_cannot_be_made_is_tried_again() -> None:
    failures = [ValueError("no client id")]

    def make() -> Entra:
        if failures:
            raise failures.pop()
        return Entra()

    credential = Credential(make)
    with pytest.raises(ValueError, match="no client id"):
        credential.get_token(STORAGE)
    assert credential.get_token(STORAGE).token == f"{STORAGE} 1"


def test_what_is_fetched_ahead_is_waited_for_by_whoever_needs_it(pool: ThreadPoolExecutor) -> None:
    entra = Entra()
    entra.open.clear()
    credential = Credential(lambda: entra)
    credential.fetch_ahead(STORAGE, ADO)
    assert entra.reached.wait(PATIENCE)
    needed = pool.submit(credential.get_token, STORAGE)
    wait_until_blocked(1)
    entra.open.set()
    wait_for_fetching()
    assert needed.result(PATIENCE).token.startswith(STORAGE)
    assert entra.asked == [STORAGE, ADO]


def test_what_cannot_be_fetched_ahead_stops_neither_the_rest_nor_the_app() -> None:
    entra = Entra(ClientAuthenticationError("no identity"))
    credential = Credential(lambda: entra)
    credential.fetch_ahead(STORAGE, ADO)
    wait_for_fetching()
    assert entra.asked == [STORAGE, ADO]


ACCOUNT = {"AzureWebJobsStorage__accountName": "acmesyncstorage"}


@pytest.mark.parametrize(
    ("environment", "scopes"),
    [
        (ACCOUNT, [STORAGE, ADO]),
        ({**ACCOUNT, "ADO_PAT": ""}, [STORAGE, ADO]),
        ({**ACCOUNT, "ADO_PAT": "pat"}, [STORAGE]),
        # One organization's own token says nothing of the others.
        ({**ACCOUNT, "ADO_PAT__ACME": "pat"}, [STORAGE, ADO]),
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true"}, []),
        ({"AzureWebJobsStorage": "UseDevelopmentStorage=true", **ACCOUNT}, []),
        ({}, []),
    ],
)
def test_tokens_are_fetched_ahead_for_what_is_signed_in_to(
    environment: dict[str, str], scopes: list[str]
) -> None:
    entra = Entra()
    Services(Settings(environment), credential=Credential(lambda: entra)).fetch_tokens_ahead()
    wait_for_fetching()
    assert entra.asked == scopes


def test_importing_the_app_imports_no_identity_library_and_asks_for_no_token() -> None:
    script = "import sys, threading, function_app; print(threading.active_count(), *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    threads, *imported = run.stdout.split()
    assert threads == "1"
    assert "shared.http.credential" in imported
    assert [name for name in imported if name.startswith(("azure.identity", "msal"))] == []


# A hiccup and a refusal, at an endpoint like that of an app in Azure.


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    with IdentityEndpoint() as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


def hang_up(endpoint: IdentityEndpoint) -> None:
    endpoint.hangs_up = True


def be_behind_a_proxy(endpoint: IdentityEndpoint) -> None:
    endpoint.page = "<html>Bad Gateway</html>"


def answer(http_status: int) -> Callable[[IdentityEndpoint], None]:
    return lambda endpoint: setattr(endpoint, "http_status", http_status)


@pytest.mark.parametrize("is_managed", [True, False])
@pytest.mark.parametrize(
    ("weather", "is_hiccup"),
    [
        (answer(500), True),
        (answer(502), True),
        (answer(503), True),
        (answer(429), True),
        (answer(408), True),
        (hang_up, True),
        (be_behind_a_proxy, True),
        (answer(400), False),
        (answer(401), False),
        (answer(403), False),
        (answer(404), False),
    ],
)
def test_a_hiccup_of_the_endpoint_is_no_refusal(
    endpoint: IdentityEndpoint,
    weather: Callable[[IdentityEndpoint], None],
    is_hiccup: bool,
    is_managed: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The chain goes on to a developer's logins, which a test must not search for.
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "" if is_managed else "ManagedIdentityCredential")
    weather(endpoint)
    credential = new_credential("", is_managed=is_managed)
    # The library repeats some failures for a while without asking again.
    for _ in range(3):
        with pytest.raises(ClientAuthenticationError) as raised:
            credential.get_token(ADO)
        assert isinstance(raised.value, IdentityUnavailable) is is_hiccup


def test_an_endpoint_where_nobody_listens_is_a_hiccup(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "header")
    with pytest.raises(IdentityUnavailable):
        new_credential("", is_managed=True).get_token(ADO)


def test_it_is_remembered_how_the_last_request_ended_until_it_is_forgotten() -> None:
    witness = Witness()
    assert witness.failed is None
    with pytest.raises(AzureError):
        witness.send(HttpRequest("GET", "http://127.0.0.1:1/"))
    assert witness.failed is True
    witness.forget()
    assert witness.failed is None


def test_a_user_assigned_identity_is_asked_for_by_its_id(endpoint: IdentityEndpoint) -> None:
    endpoint.client_ids = ["theirs"]
    assert new_credential("theirs", is_managed=True).get_token(STORAGE).token
    assert endpoint.clients == ["theirs"]
    with pytest.raises(ClientAuthenticationError) as raised:
        new_credential("", is_managed=True).get_token(STORAGE)
    assert not isinstance(raised.value, IdentityUnavailable)


def test_a_credential_for_each_of_two_identities_and_one_for_the_same(endpoint: IdentityEndpoint) -> None:
    same = Services(Settings({**ACCOUNT, **endpoint.environment, "AZURE_CLIENT_ID": "one"}))
    assert same._storage_credential is same._ado_credential
    two = Services(
        Settings(
            {
                **ACCOUNT,
                **endpoint.environment,
                "AzureWebJobsStorage__clientId": "storage",
                "AZURE_CLIENT_ID": "ado",
            }
        )
    )
    two.fetch_tokens_ahead()
    wait_for_fetching()
    wait_for_fetching()
    assert sorted(zip(endpoint.asked, endpoint.clients, strict=True)) == [
        (ADO.removesuffix("/.default"), "ado"),
        (STORAGE.removesuffix("/.default"), "storage"),
    ]
