"""What health says when all is well, when a vendor refuses us, and to whom the app opens at all."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import azure.functions as func
import pytest

from functions import health
from shared.services import Services
from shared.settings import Settings
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
    ("GET", "organizations/acme/status"),
    ("GET", "organizations/acme/events"),
    ("GET", "organizations/acme/explain?issue_id=100"),
    ("POST", "organizations/acme/links/copy?sides=apart"),
    ("POST", "organizations/acme/links/100/31/copy"),
]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A host that no other test has left an organization on."""
    with own_app(tmp_path_factory.mktemp("own")) as (running, _):
        yield running


def test_an_app_that_lacks_nothing_is_well(app: App) -> None:
    answer = app.ask("GET", "health")
    said = answer.json()
    said.pop("notes", None)  # Another test may have begun a rotation on the same storage.
    assert (answer.status_code, said) == (200, {"status": "ok", "version": VERSION, "problems": []})


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


# Storage of which only a part works.


class OlderStorage:
    """A queue service that lacks our version of the protocol, in the words of Azurite 3.31."""

    def __init__(self) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                version = self.headers["x-ms-version"]
                body = (
                    '<?xml version="1.0" encoding="UTF-8"?><Error><Code>InvalidHeaderValue</Code>'
                    f"<Message>The API version {version} is not supported by Azurite.</Message></Error>"
                ).encode()
                self.send_response(400)
                self.send_header("x-ms-error-code", "InvalidHeaderValue")
                self.send_header("Content-Type", "application/xml")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                """Keep quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}/devstoreaccount1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def health_with(app: App, service: str, url: str) -> dict[str, Any]:
    """Ask an app of which one part of the storage is somewhere else."""
    storage = re.sub(f"{service}Endpoint=[^;]+", f"{service}Endpoint={url}", app.storage)
    services = Services(Settings({**SECRETS, "AzureWebJobsStorage": storage}))
    answer = health.handle(func.HttpRequest("GET", "/api/health", body=b""), services)
    said: dict[str, Any] = json.loads(answer.get_body())
    return said


def test_an_older_emulator_is_named_as_such(app: App) -> None:
    with OlderStorage() as older:
        said = health_with(app, "Queue", older.url)
    assert said["status"] == "degraded"
    [problem] = said["problems"]
    assert problem.startswith("the queues cannot be used: Azure Storage: the queue storage lacks the version")
    assert "--skipApiVersionCheck" in problem


@pytest.mark.parametrize(("service", "what"), [("Queue", "queues"), ("Table", "tables")])
def test_queues_and_tables_are_looked_at_each_on_their_own(app: App, service: str, what: str) -> None:
    [problem] = health_with(app, service, "http://127.0.0.1:1/account")["problems"]
    assert problem.startswith(
        f"the {what} cannot be used: Azure Storage: the {what[:-1]} storage refuses the"
    )


def test_health_is_looked_at_once_in_ten_seconds(app: App) -> None:
    now = 1000.0
    services = Services(Settings({**SECRETS, "AzureWebJobsStorage": app.storage}), lambda: now)
    request = func.HttpRequest("GET", "/api/health", body=b"")

    def said() -> str:
        status: str = json.loads(health.handle(request, services).get_body())["status"]
        return status

    assert said() == "ok"
    services.organizations.note_refusal("nobody", "ado")
    now += 9.9
    assert said() == "ok"
    now += 0.2
    assert said() == "degraded"
    services.organizations.note_acceptance("nobody", "ado")
