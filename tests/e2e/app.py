"""The app as it is deployed, for tests: a host process on a real Azurite, and fakes of both vendors."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, Self

import azure.functions as func
import requests
from azure.core.exceptions import (
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.data.tables import TableServiceClient
from azure.storage.queue import QueueClient

from functions import health
from shared.services import Services
from shared.settings import Settings
from shared.store.organizations import Organization
from simulator.ado import FakeAdo
from simulator.azurite import Azurite
from simulator.sentry import FakeSentry
from simulator.sentry.hooks import compact, sign
from tests.fuzz.oracle import secrets_among
from tests.surface.holding import faults_of

ROOT = Path(__file__).parents[2]
PAYLOADS = Path(__file__).parents[1] / "payloads"
QUEUES = ("inbound-sync", "outbound-sync")
PATIENCE = 30.0  # seconds
POLL_EVERY = 0.1  # seconds
LONG_AGO, A_MOMENT = datetime(2000, 1, 1, tzinfo=UTC), timedelta(seconds=2)

HOOK_SECRET = "hook-secret"
OLD_HOOK_SECRET = "old-hook-secret"
SIGNING_KEY = "signing-key"
OLD_SIGNING_KEY = "old-signing-key"
SENTRY_TOKEN = "sentry-token"
ADO_TOKEN = "ado-pat"

Side = Literal["ado", "sentry"]

SECRETS: Mapping[str, str] = {
    "ADO_WEBHOOK_SECRET": HOOK_SECRET,
    "ADO_WEBHOOK_SECRET_PREVIOUS": OLD_HOOK_SECRET,
    "SENTRY_CLIENT_SECRET": SIGNING_KEY,
    "SENTRY_CLIENT_SECRET_PREVIOUS": OLD_SIGNING_KEY,
    "SENTRY_TOKEN": SENTRY_TOKEN,
    "ADO_PAT": ADO_TOKEN,
}
# What a timer does at its own time would be counted among the calls of whichever test is running then.
NO_TIMERS = {
    "AzureWebJobs.reconcile.Disabled": "true",
    "AzureWebJobs.hook_watchdog.Disabled": "true",
}
# Storage is on this machine: it answers at once, or not at all.
IMPATIENT: Mapping[str, Any] = {"retry_total": 1, "connection_timeout": 2, "read_timeout": PATIENCE}
# A message that could not be put back, because storage stood still, is there again while its test waits.
BACK_SOON = ("--lease", "10")
# As many as docs/settings.md recommends.
THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": "32"}


def is_secret(setting: str) -> bool:
    """Tell whether a setting is one that nobody may ever read again, of all organizations or of one."""
    return setting.partition("__")[0] in SECRETS


def _secrets_in(environ: Mapping[str, str]) -> list[str]:
    return [value for name, value in environ.items() if is_secret(name)]


def eventually(is_true: Callable[[], object], *, patience: float = PATIENCE) -> None:
    """Check until it is true, or fail; the traceback shows what was waited for."""
    deadline = time.monotonic() + patience
    while not is_true():
        assert time.monotonic() < deadline, f"did not come true within {patience} s"
        time.sleep(POLL_EVERY)


def payload(name: str) -> dict[str, Any]:
    """Load a payload file, fresh for each caller."""
    loaded: dict[str, Any] = json.loads((PAYLOADS / name).read_text(encoding="utf-8"))
    return loaded


class App:
    """One host process. A killed or stopped one can be started again, and is then at the same address."""

    def __init__(
        self, log: Path, environ: Mapping[str, str], *options: str, folder: Path = ROOT, storage: str = ""
    ) -> None:
        self._log = log
        command = [sys.executable, "-m", "simulator.host", "--app", str(folder), "--quiet"]
        self._command = [*command, *BACK_SOON, *options]
        # Nothing of the developer's own environment may stand in for a setting that a test leaves out.
        inherited = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TZ"}}
        self._environ = {**inherited, **NO_TIMERS, **THREADS, **environ}
        if storage:
            self._environ["AzureWebJobsStorage"] = storage
        self.storage = storage
        self._queues: dict[str, QueueClient] = {}
        self._looked_at = 0  # bytes of the log
        self._rows_seen_at = LONG_AGO
        self._secrets = _secrets_in(self._environ)
        self._process: subprocess.Popen[str] | None = None
        self._session = requests.Session()
        self._session.trust_env = False
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                left = self._left_behind()
                assert not left, left
        finally:
            self.end(signal.SIGKILL)
            self._session.close()
            for queue in self._queues.values():
                queue.close()

    def start(self) -> None:
        port = self.url.rpartition(":")[2] or "0"
        with self._log.open("a", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [*self._command, "--port", port],
                cwd=ROOT,
                env=self._environ,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith("listening on"):
            self.end(signal.SIGKILL)
            raise RuntimeError(f"the host did not start:\n{self.log()}")
        self.url = line.rpartition(" ")[2].strip()

    def bring_key(self, key: str) -> None:
        """Send a function's key with every request from now on."""
        self._session.headers["x-functions-key"] = key

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the host: with SIGKILL it has no moment to finish anything."""
        if self._process is not None:
            with self._process as process:
                process.send_signal(how)
            self._process = None

    def restart(self, **settings: str) -> None:
        """Start again at the same address with other settings, as Azure does when somebody changes one."""
        self.end()
        self._take(settings)
        self.start()

    def _take(self, settings: Mapping[str, str]) -> None:
        self._environ.update(settings)
        # What was a secret stays one.
        self._secrets = sorted({*self._secrets, *_secrets_in(settings)})

    def log(self, since: int = 0) -> str:
        """Return the log, or what was written since it had so many bytes."""
        with self._log.open("rb") as file:
            file.seek(since)
            return file.read().decode("utf-8", "replace")

    def log_size(self) -> int:
        return self._log.stat().st_size

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request to a route of the app."""
        return self._held(
            self._session.request(method, f"{self.url}/api/{path}", timeout=PATIENCE, **options)
        )

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        return self._held(self._session.send(request, timeout=PATIENCE))

    def _held(self, answer: requests.Response) -> requests.Response:
        """Fail for an answer that is not described, and for one that holds a secret."""
        faults = list(faults_of(answer))
        assert not faults, faults
        leaked = secrets_among([answer.text, str(answer.headers)], self._secrets)
        assert not leaked, leaked
        return answer

    def health(self) -> dict[str, Any]:
        """Return what a fresh instance on the same storage says: a running one repeats itself for a while."""
        fresh = Services(Settings({**self._environ, "AzureWebJobsStorage": self.storage}))
        answer = health.handle(func.HttpRequest("GET", "/api/health", body=b""), fresh)
        said: dict[str, Any] = json.loads(answer.get_body())
        return said

    def run_now(self, function: str, text: str = "") -> None:
        """Run a function that no request starts, as an operator would, and wait for nothing."""
        answer = self._session.post(
            f"{self.url}/admin/functions/{function}", json={"input": text}, timeout=PATIENCE
        )
        assert answer.status_code == 202, answer.text

    def leaked(self) -> list[str]:
        """Return which lines of the log and rows since the last look, and which messages, hold a secret."""
        since, self._rows_seen_at = self._rows_seen_at, datetime.now(UTC) - A_MOMENT
        return self._secrets_among(*self._rows(since), *self._messages(), self._new_log())

    def _left_behind(self) -> list[str]:
        """Return the same when nobody uses the app any more. Its storage may have been stopped by then."""
        kept = [self._new_log()]
        if self.storage:
            with suppress(ServiceRequestError, ServiceResponseError):
                kept += [*self._rows(), *self._messages()]
        return self._secrets_among(*kept)

    def _new_log(self) -> str:
        since, self._looked_at = self._looked_at, self.log_size()
        return self.log(since)

    def _secrets_among(self, *kept: str) -> list[str]:
        return secrets_among((line for text in kept for line in text.splitlines()), self._secrets)

    def _rows(self, since: datetime = LONG_AGO) -> Iterator[str]:
        # Those of earlier tests are looked at once more at the end. A new client each time: Azurite closes
        # connections that are idle for some seconds.
        with TableServiceClient.from_connection_string(self.storage, **IMPATIENT) as service:
            for table in service.list_tables():
                changed = f"Timestamp ge datetime'{since:%Y-%m-%dT%H:%M:%S}Z'"
                for row in service.get_table_client(table.name).query_entities(changed):
                    yield json.dumps(row, default=str, ensure_ascii=False)

    def _messages(self) -> Iterator[str]:
        for name in (*QUEUES, *(f"{name}-poison" for name in QUEUES)):
            with suppress(ResourceNotFoundError):
                for message in self._queue(name).peek_messages(32):
                    yield base64.b64decode(message.content).decode("utf-8", "replace")

    def messages(self, suffix: str = "") -> int:
        """Count what is on the two queues: waiting, put back or being worked on."""
        return sum(self._length(name + suffix) for name in QUEUES)

    def poison(self, queue: str, body: bytes) -> None:
        """Put a message where the host puts one that failed five times."""
        poisoned = self._queue(f"{queue}-poison")
        with suppress(ResourceExistsError):
            poisoned.create_queue()
        poisoned.send_message(base64.b64encode(body).decode())

    def clear(self, *slugs: str) -> None:
        """Delete what a test left, so that it cannot affect the next one.

        The document of an organization goes, with all that is told of its slug; the rest is nobody's. Having
        the app remove all, as the tests of that do, takes longer than most tests.
        """
        with TableServiceClient.from_connection_string(self.storage, **IMPATIENT) as service:
            prefix = Settings(self._environ).table_prefix
            organizations = service.get_table_client(f"{prefix}organizations")
            # The app makes a table at its first write, and some tests are refused all that they send.
            with suppress(ResourceNotFoundError):
                for slug in slugs:
                    for row in organizations.query_entities(f"RowKey ge '{slug}' and RowKey lt '{slug}~~'"):
                        organizations.delete_entity(row["PartitionKey"], row["RowKey"])
        for name in (*QUEUES, *(f"{name}-poison" for name in QUEUES)):
            with suppress(ResourceNotFoundError):
                self._queue(name).clear_messages()

    def _length(self, name: str) -> int:
        try:
            return self._queue(name).get_queue_properties().approximate_message_count or 0
        except ResourceNotFoundError:
            return 0
        except ServiceResponseError:
            # Azurite had closed a connection that was idle for some seconds; the next call makes another.
            return self._queue(name).get_queue_properties().approximate_message_count or 0

    def _queue(self, name: str) -> QueueClient:
        # Kept, because making one takes longer than using it, and a test that waits checks often.
        if name not in self._queues:
            self._queues[name] = QueueClient.from_connection_string(
                self.storage, name, api_version="2025-11-05", **IMPATIENT
            )
        return self._queues[name]


@dataclass
class Pair:
    """An Azure DevOps and a Sentry organization of a test's own, and the app between them."""

    app: App
    ado: FakeAdo
    sentry: FakeSentry
    slug: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")

    @classmethod
    @contextmanager
    def beside(cls, app: App, **choices: Any) -> Iterator["Pair"]:
        with (
            FakeAdo(token=ADO_TOKEN, **{"time_scale": 0.01, **choices}) as ado,
            FakeSentry(token=SENTRY_TOKEN, client_secret=SIGNING_KEY) as sentry,
        ):
            for person in ("ann", "bob"):
                sentry.add_member(f"{person}@corp.example")
            yield cls(app, ado, sentry)

    # What an operator does.

    def document(self, **changes: Any) -> dict[str, Any]:
        """Return the least that a configuration has to say, with a test's own changes."""
        needed = {
            "ado_url": self.ado.organization_url,
            "ado_search_url": self.ado.search_url,
            "sentry_url": self.sentry.url,
            "sentry_organization": self.sentry.organization,
            # Showing links on their ends makes calls of its own: tests/e2e/test_back_links.py.
            "back_links": False,
        }
        return {**needed, **changes}

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.app.ask(method, f"organizations/{self.slug}/{path}", **options)

    def configure(self, **changes: Any) -> requests.Response:
        """Store a document, whatever is there."""
        document = self.document(**changes)
        answer = self.ask("PUT", "config", json=document)
        if answer.status_code == 428:
            answer = self.ask("PUT", "config", json=document, headers={"If-Match": "*"})
        return answer

    def connect(self, **changes: Any) -> Self:
        """Configure the organization and let the hooks of both sides reach the app."""
        answer = self.configure(**changes)
        assert answer.status_code in {200, 201}, answer.text
        self.subscribe(httpHeaders=f"Shared-Secret: {HOOK_SECRET}")
        self.sentry.webhook_url = f"{self.app.url}/api/{self.sentry_route}"
        return self

    def subscribe(self, *events: str, **inputs: str) -> None:
        for event in events or ("updated", "deleted", "restored", "commented"):
            self.ado.subscribe(f"{self.app.url}/api/{self.ado_route}", f"workitem.{event}", **inputs)

    def link(self, issue_id: str, work_item_id: int, **choices: str) -> dict[str, Any]:
        answer = self.post_link(issue_id, work_item_id, **choices)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def post_link(self, issue_id: object, work_item_id: object, **choices: Any) -> requests.Response:
        body = {"issue_id": issue_id, "work_item_id": work_item_id, **choices}
        return self.ask("POST", "links", json=body)

    def linked(self, project: str = "Fabrikam-Fiber", kind: str = "Bug", **fields: Any) -> tuple[str, int]:
        """Make an issue and a work item, join them, and return their ids."""
        issue_id = self.sentry.add_issue(announce=False).id
        work_item_id = self.ado.add_item(project=project, kind=kind, **fields).id
        self.link(issue_id, work_item_id)
        return issue_id, work_item_id

    @property
    def organization(self) -> Organization:
        """Return what is stored of the organization."""
        settings = Settings({"AzureWebJobsStorage": self.app.storage})
        return Services(settings).organizations.get(self.slug)

    # What a person reads.

    def links(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.ask("GET", "links").json()["links"]
        return listed

    def health(self, issue_id: str, work_item_id: int) -> tuple[str, str | None]:
        answer = self.ask("GET", "links", params={"issue_id": issue_id, "work_item_id": work_item_id})
        [link] = answer.json()["links"]
        return link["health"], link["reason"]

    def activity(self, issue_id: str, work_item_id: int) -> list[dict[str, Any]]:
        answer = self.ask("GET", f"links/{issue_id}/{work_item_id}/activity")
        assert answer.status_code == 200, answer.text
        entries: list[dict[str, Any]] = answer.json()["activity"]
        return entries

    def outcomes(self, issue_id: str, work_item_id: int) -> list[tuple[str, str | None]]:
        """Return the outcome and the field of each entry, newest first, but for the making of the link."""
        entries = [(entry["outcome"], entry["field"]) for entry in self.activity(issue_id, work_item_id)]
        return [entry for entry in entries if entry != ("linked", None)]

    # How things stand.

    def status(self, issue_id: str) -> str:
        return str(self.sentry.issue(issue_id)["status"])

    def issue_assignee(self, issue_id: str) -> str | None:
        assigned = self.sentry.issue(issue_id)["assignedTo"]
        return str(assigned["email"]) if assigned and assigned["type"] == "user" else None

    def state(self, work_item_id: int) -> str:
        return self.ado.item(work_item_id).state

    def item_assignee(self, work_item_id: int) -> str | None:
        return self.ado.item(work_item_id).assignee

    # What travels.

    @property
    def ado_route(self) -> str:
        return f"ado/{self.slug}/webhook"

    @property
    def sentry_route(self) -> str:
        return f"sentry/{self.slug}/webhook"

    def deliver(
        self, body: object, *, secret: str | None = HOOK_SECRET, slug: str | None = None, **options: Any
    ) -> requests.Response:
        """Send a service hook delivery by hand, with ``secret``."""
        headers = {"Content-Type": "application/json; charset=utf-8", **options.pop("headers", {})}
        if secret is not None:
            headers["Shared-Secret"] = secret
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.app.ask(
            "POST", f"ado/{slug or self.slug}/webhook", data=content, headers=headers, **options
        )

    def deliver_from_sentry(
        self,
        body: object,
        *,
        resource: str = "issue",
        key: str | None = SIGNING_KEY,
        slug: str | None = None,
    ) -> requests.Response:
        """Send a Sentry hook by hand, signed with ``key``."""
        content = body if isinstance(body, bytes) else compact(body)
        headers = {"Content-Type": "application/json", "Sentry-Hook-Resource": resource}
        if key is not None:
            headers["Sentry-Hook-Signature"] = sign(key, content)
        return self.app.ask("POST", f"sentry/{slug or self.slug}/webhook", data=content, headers=headers)

    def settle(self) -> None:
        """Wait until no hook is on its way and no message is left, those included that our writes caused."""
        seen = None
        while seen != (seen := self._traffic()):
            self.rest("sentry", "ado")

    def _traffic(self) -> tuple[int, ...]:
        hooks = len(self.ado.deliveries), len(self.sentry.deliveries)
        return *hooks, len(self.ado.calls), len(self.sentry.calls)

    @contextmanager
    def at_once(self, first: Side) -> Iterator[None]:
        """Make what is done inside the block happen at one moment, and one side's hooks arrive first."""
        holders = [self.ado.held_deliveries, self.sentry.hooks.held]
        outer, inner = reversed(holders) if first == "ado" else holders
        with outer():
            with inner():
                yield
            self.rest(first)
        self.settle()

    @contextmanager
    def one_hook(self, issue_id: str) -> Iterator[None]:
        """Have Sentry send one hook for all that is done to an issue inside the block."""
        url, self.sentry.webhook_url = self.sentry.webhook_url, None
        yield
        self.sentry.webhook_url = url
        self.deliver_from_sentry({"action": "resolved", "data": {"issue": {"id": issue_id}}})
        self.settle()

    def rest(self, *sides: Side) -> None:
        """Wait until no hook of these sides is on its way and no message is left."""
        if "sentry" in sides:
            self.sentry.hooks.drain(PATIENCE)
        if "ado" in sides:
            self.ado.wait_for_deliveries(PATIENCE)
        eventually(lambda: self.app.messages() == 0)

    @contextmanager
    def calls(self) -> Iterator["Calls"]:
        """Count what the app calls inside the block, which ends when everything has come to rest."""
        before_ado, before_sentry = len(self.ado.calls), len(self.sentry.calls)
        counted = Calls()
        yield counted
        self.settle()
        counted.ado = [f"{call.method} {call.http_status}" for call in self.ado.calls[before_ado:]]
        counted.sentry = [f"{method} {status}" for method, _, status in self.sentry.calls[before_sentry:]]


@dataclass
class Calls:
    """Each call to either vendor as its method and the status it was answered with (0: none)."""

    ado: list[str] = field(default_factory=list)
    sentry: list[str] = field(default_factory=list)

    @property
    def writes(self) -> list[str]:
        return [call for call in (*self.ado, *self.sentry) if not call.startswith("GET")]


# The app as it is deployed, but for one wait that a test would have to sit out.
_FUNCTION_APP = """
import shared.http.back_off
from deployed import app

shared.http.back_off.SILENT_FOR = 1.0
"""


def app_folder(folder: Path) -> Path:
    """Make a folder with the app in it, which leaves a silent service alone for a second only."""
    folder.mkdir()
    for name in ("functions", "shared", "host.json"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "deployed.py").symlink_to(ROOT / "function_app.py")
    (folder / "function_app.py").write_text(_FUNCTION_APP, encoding="utf-8")
    return folder


@contextmanager
def own_app(
    folder: Path, *options: str, retry_after: int = 1, outlives: bool = False
) -> Iterator[tuple[App, Azurite]]:
    """Run a host and a storage for tests that kill or stop them; a failed message is tried again at once.

    What is stored outlives the storage itself if it is to; a busy disk makes that wait for seconds.
    """
    own_folder = app_folder(folder / "app")
    (own_folder / "host.json").unlink()
    settings = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    settings["extensions"]["queues"]["visibilityTimeout"] = f"00:00:{retry_after:02d}"
    (own_folder / "host.json").write_text(json.dumps(settings), encoding="utf-8")
    with (
        Azurite(folder / "storage" if outlives else None) as azurite,
        App(
            folder / "host.log", SECRETS, *options, folder=own_folder, storage=azurite.connection_string
        ) as app,
    ):
        yield app, azurite
