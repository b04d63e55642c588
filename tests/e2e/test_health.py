"""What health says when all is well, when a vendor refuses us, and to whom the app opens at all."""

from collections.abc import Iterator

import pytest

from shared.version import VERSION
from simulator.azurite import Azurite
from tests.e2e.app import ADO_TOKEN, HOOK_SECRET, SECRETS, SENTRY_TOKEN, SIGNING_KEY, App, Pair, own_app

FUNCTION_KEY = "function-key"
GUARDED = [
    ("GET", "organizations/acme/config"),
    ("PUT", "organizations/acme/config"),
    ("DELETE", "organizations/acme/config"),
    ("GET", "organizations/acme/search?field=externalIssue&query=login"),
    ("GET", "organizations/acme/links"),
    ("POST", "organizations/acme/links"),
    ("DELETE", "organizations/acme/links/100/31"),
    ("GET", "organizations/acme/links/100/31/activity"),
    ("POST", "organizations/acme/reconcile"),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A host that no other test has left an organization on."""
    with own_app(tmp_path_factory.mktemp("own")) as (running, _):
        yield running


def test_an_app_that_lacks_nothing_is_well(app: App) -> None:
    answer = app.ask("GET", "health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": VERSION, "problems": []})


def test_health_says_nothing_secret(app: App) -> None:
    said = app.ask("GET", "health").text
    assert not any(secret in said for secret in (HOOK_SECRET, SIGNING_KEY, SENTRY_TOKEN, ADO_TOKEN))


# Function keys.


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    log = tmp_path_factory.mktemp("locked") / "host.log"
    with (
        Azurite() as azurite,
        App(log, SECRETS, "--function-key", FUNCTION_KEY, storage=azurite.connection_string) as app,
    ):
        yield app


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_no_caller_without_the_key_is_admitted(locked: App, method: str, path: str) -> None:
    assert locked.ask(method, path).status_code == 401
    assert locked.ask(method, path, headers={"x-functions-key": "guessed"}).status_code == 401


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_the_key_opens_every_door(locked: App, method: str, path: str) -> None:
    answer = locked.ask(method, path, headers={"x-functions-key": FUNCTION_KEY})
    assert answer.status_code in {400, 404}, answer.text
    assert answer.json()["error"]


def test_hooks_and_health_need_no_key(locked: App) -> None:
    with Pair.beside(locked) as pair:
        headers = {"x-functions-key": FUNCTION_KEY}
        assert pair.ask("PUT", "config", json=pair.document(), headers=headers).status_code == 201
        assert pair.deliver({"eventType": "workitem.created"}).status_code == 200
        assert pair.deliver_from_sentry({"action": "created", "data": {}}).status_code == 200
    assert locked.ask("GET", "health").status_code == 200
