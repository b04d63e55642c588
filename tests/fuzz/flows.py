"""What the app does with both services, flow by flow, on the simulated ones: the clients are the real ones.

Tables and queues are in memory. All that stands between the services and the flows is the app's own.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import azure.functions as func
import requests

from functions import (
    adopt,
    copy_link,
    doctor,
    explain,
    hook_watchdog,
    inbound_sync,
    issue_links,
    org_config,
    outbound_sync,
    rebuild,
    reconcile,
    search,
    sentry_components,
    sentry_webhook,
)
from shared.domain.comments import SaidInAdo
from shared.domain.errors import SyncError
from shared.domain.messages import (
    InboundMessage,
    Message,
    OutboundMessage,
    RuleAction,
    decode_outbound,
    encode,
)
from shared.http.session import Session
from shared.sentry.hook import sign
from shared.services import Services
from shared.settings import Settings
from simulator.ado import FakeAdo
from simulator.sentry import FakeSentry
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import MemoryServices

PAT, TOKEN, CLIENT_SECRET = "pat-of-the-fuzzing-tests", "token-of-the-fuzzing-tests", "secret-of-the-forms"
SLUG, ANN = "acme", "ann@corp.example"
ENVIRONMENT = {
    "AzureWebJobsStorage": "UseDevelopmentStorage=true",
    "ADO_PAT": PAT,
    "ADO_WEBHOOK_SECRET": "secret-of-the-hooks",
    "SENTRY_TOKEN": TOKEN,
    "SENTRY_CLIENT_SECRET": CLIENT_SECRET,
    "PUBLIC_URL": "https://app.example/",
}
# No row of a link, of an entry or of what was counted is larger, whatever was answered.
_LARGEST_ROW = 40_000  # characters


class Wire(Session):
    """What stands between the app and the services; ``damage`` is done to one answer of those to come."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.addresses, settings.secrets)
        self.damage: Callable[[requests.Response], None] = lambda _answer: None
        self.spared = -1
        self._lock = threading.Lock()

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        answer = super().send(request, **options)
        with self._lock:
            self.spared -= 1
            is_chosen = self.spared == -1
        if is_chosen:
            self.damage(answer)
        return answer


class Wired(MemoryServices):
    """Tables and queues in memory, and the real clients of both services; a pause is over at once."""

    ado, ado_at_once = Services.ado, Services.ado_at_once
    sentry, sentry_at_once = Services.sentry, Services.sentry_at_once
    subscriptions = Services.subscriptions

    def __init__(self) -> None:
        self._ahead = 0.0
        settings = Settings(ENVIRONMENT)
        super().__init__(
            MemoryAdo(), MemorySentry(), lambda: time.time() + self._ahead, settings, pause=self._skip
        )
        self.wire = Wire(settings)
        self._session = self.wire

    def take(self, **settings: str) -> None:
        """Start anew with other settings, as Azure does when somebody changes one; the tables stay."""
        self.settings = Settings({**self.settings.environment, **settings})
        self._back_offs.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.wire.close()

    def _skip(self, seconds: float) -> None:
        self._ahead += seconds


class Scene(NamedTuple):
    """A connected organization with a link, and an issue and an item without one."""

    services: Wired
    ado: FakeAdo
    sentry: FakeSentry
    issue_id: str
    work_item_id: int
    single_issue: str
    single_item: int

    @property
    def epoch(self) -> str:
        return self.services.organizations.get(SLUG).epoch

    @property
    def scope(self) -> str:
        return self.services.organizations.get(SLUG).scope

    def answer_of(self, flow: str) -> func.HttpResponse:
        answer = FLOWS[flow](self)
        assert isinstance(answer, func.HttpResponse)
        return answer

    @staticmethod
    def content_of(answer: func.HttpResponse) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(answer.get_body())
        return content

    @property
    def link(self) -> dict[str, str]:
        return {"issue_id": self.issue_id, "work_item_id": str(self.work_item_id)}

    def ask(
        self,
        handle: Any,
        method: str = "GET",
        content: Any = None,
        params: Any = None,
        headers: Any = None,
        **route: str,
    ) -> func.HttpResponse:
        body = b"" if content is None else json.dumps(content).encode()
        signature = sign(b"" if method == "GET" else body, CLIENT_SECRET).decode()
        answer: func.HttpResponse = handle(
            func.HttpRequest(
                method,
                "/",
                headers={"Sentry-App-Signature": signature, **(headers or {})},
                params=params or {},
                route_params={"organization": SLUG, **route},
                body=body,
            ),
            self.services,
        )
        assert answer.status_code != 500
        answer.get_body().decode()
        return answer

    def work(self, handle: Callable[[Any, Any], None], message: Message) -> None:
        """Handle a message as a worker does: an error of ours gives it back to the queue."""
        try:
            handle(func.QueueMessage(body=encode(message)), self.services)
        except SyncError as error:
            f"{error!r} {error.detail} {error.quoted} {error.told}".encode()

    def work_off(self) -> None:
        """Let a worker handle what waits for issues."""
        outbound = self.services.outbound
        while received := outbound.receive():
            self.work(outbound_sync.handle, decode_outbound(received.body))
            outbound.delete(received)

    def deliver(self, headers: dict[str, str], body: bytes) -> func.HttpResponse:
        request = func.HttpRequest(
            "POST", "/", headers=headers, params={}, route_params={"organization": SLUG}, body=body
        )
        answer: func.HttpResponse = sentry_webhook.handle(request, self.services)
        return answer

    def choose(self, name: str, **fields: str) -> None:
        chosen = {"dependentData": json.dumps({"project": "Fabrikam-Fiber", **fields}), "query": "fix"}
        self.ask(sentry_components.handle, params=chosen, area="options", name=name)

    def submit(self, name: str, **fields: str) -> None:
        filled = {"project": "Fabrikam-Fiber", "work_item_type": "Bug", **fields}
        self.ask(
            sentry_components.handle,
            "POST",
            {"issueId": self.single_issue, "fields": filled},
            area="issue-link",
            name=name,
        )


def _inbound(scene: Scene) -> None:
    item = scene.ado.edit(scene.work_item_id, **{"System.State": "Closed", "System.AssignedTo": ANN})
    scene.work(inbound_sync.handle, InboundMessage(SLUG, item.id, item.rev, epoch=scene.epoch))


def _outbound(scene: Scene) -> None:
    scene.sentry.resolve(scene.issue_id)
    scene.sentry.assign(scene.issue_id, ANN)
    scene.work(outbound_sync.handle, OutboundMessage(SLUG, scene.issue_id, epoch=scene.epoch))


def _comment_out(scene: Scene) -> None:
    comment_id = scene.sentry.comment(scene.issue_id, f"It **fails**, {time.monotonic_ns()}")
    message = OutboundMessage(SLUG, scene.issue_id, str(comment_id), epoch=scene.epoch)
    scene.work(outbound_sync.handle, message)


def _comment_in(scene: Scene) -> None:
    comment = scene.ado.comment(scene.work_item_id, f"<p>It fails, {time.monotonic_ns()}</p>")
    said, rev = SaidInAdo(str(comment.id), "Ann", None), scene.ado.item(scene.work_item_id).rev
    message = InboundMessage(SLUG, scene.work_item_id, rev, "commented", epoch=scene.epoch, comment=said)
    scene.work(inbound_sync.handle, message)


def _regression(scene: Scene) -> None:
    """Let the error come back, so that a worker settles, and tells the work item of it."""
    scene.sentry.resolve(scene.issue_id)
    scene.work(outbound_sync.handle, OutboundMessage(SLUG, scene.issue_id, epoch=scene.epoch))
    scene.sentry.regress(scene.issue_id, release="2.0")
    scene.work(outbound_sync.handle, OutboundMessage(SLUG, scene.issue_id, epoch=scene.epoch))
    scene.work_off()


def _rule(scene: Scene) -> None:
    action = RuleAction("New errors", scene.ado.project_id("Fabrikam-Fiber"), "Bug")
    message = OutboundMessage(SLUG, scene.single_issue, epoch=scene.epoch, action=action)
    scene.work(outbound_sync.handle, message)


def _document(scene: Scene) -> dict[str, Any]:
    return {
        "ado_url": scene.ado.organization_url,
        "ado_search_url": scene.ado.search_url,
        "sentry_url": scene.sentry.url,
        "sentry_organization": scene.sentry.organization,
        "status_mapping": {
            scene.ado.project_id("Fabrikam-Fiber"): {"on_resolve": "Closed", "on_unresolve": "Active"}
        },
        "sync_comments": True,
        "sync_comments_reverse": "all",
    }


def _search(scene: Scene) -> None:
    for query in ("Fix", str(scene.work_item_id)):
        scene.ask(search.handle, params={"field": "externalIssue", "query": query})


FLOWS: dict[str, Callable[[Scene], object]] = {
    "store the document": lambda scene: scene.ask(
        org_config.handle, "PUT", _document(scene), headers={"If-Match": "*"}
    ),
    "show the document": lambda scene: scene.ask(
        org_config.handle, params={"project": scene.ado.project_id("Fabrikam-Fiber")}
    ),
    "link": lambda scene: scene.ask(
        issue_links.handle, "POST", {"issue_id": scene.single_issue, "work_item_id": scene.single_item}
    ),
    "unlink": lambda scene: scene.ask(issue_links.handle, "DELETE", **scene.link),
    "copy": lambda scene: scene.ask(copy_link.handle, "POST", {"from": "sentry"}, **scene.link),
    "search": _search,
    "projects": lambda scene: scene.choose("projects"),
    "types": lambda scene: scene.choose("work-item-types"),
    "areas": lambda scene: scene.choose("areas"),
    "iterations": lambda scene: scene.choose("iterations"),
    "items": lambda scene: scene.choose("work-items"),
    "link by the form": lambda scene: scene.submit("link", work_item=str(scene.single_item)),
    "create by the form": lambda scene: scene.submit("create", title="Fix it", description="It fails"),
    "create by a rule": _rule,
    "inbound": _inbound,
    "outbound": _outbound,
    "comment out": _comment_out,
    "comment in": _comment_in,
    "regression": _regression,
    "reconcile": lambda scene: scene.ask(reconcile.handle, "POST"),
    "timer": lambda scene: reconcile.handle_timer(scene.services),
    "reconcile one": lambda scene: scene.ask(reconcile.handle, "POST", scene.link),
    "explain": lambda scene: scene.ask(explain.handle, params=scene.link),
    "doctor": lambda scene: scene.ask(doctor.handle),
    "hooks": lambda scene: scene.ask(hook_watchdog.handle, "POST"),
    "adopt": lambda scene: scene.ask(adopt.handle, "POST"),
    "rebuild": lambda scene: scene.ask(rebuild.handle, "POST"),
}


@contextmanager
def connected() -> Iterator[Scene]:
    """Start both services, and connect an organization that has a link."""
    with (
        FakeAdo(token=PAT, time_scale=0.01, search_lag=None) as ado,
        FakeSentry(token=TOKEN, client_secret=CLIENT_SECRET) as sentry,
        Wired() as services,
    ):
        sentry.add_member(ANN)
        yield set_up(services, ado, sentry)


def set_up(services: Wired, ado: FakeAdo, sentry: FakeSentry) -> Scene:
    issues = [sentry.add_issue(announce=False).id for _ in range(2)]
    items = [ado.add_item("Fix login").id for _ in range(2)]
    scene = Scene(services, ado, sentry, issues[0], items[0], issues[1], items[1])
    document = {name: value for name, value in _document(scene).items() if name != "status_mapping"}
    assert scene.ask(org_config.handle, "PUT", document).status_code == 201
    linked = {"issue_id": scene.issue_id, "work_item_id": scene.work_item_id}
    assert scene.ask(issue_links.handle, "POST", linked).status_code == 201
    return scene


def everything_can_be_read(services: Wired) -> None:
    services.ledger.flush()
    for organization in services.organizations.all():
        assert organization.is_readable
        scope = organization.scope
        assert services.links.page(scope, None, 100).unreadable == ()
        assert services.activity.prune(scope, services.clock()).unreadable == ()
        assert services.traffic.events(scope, None, 100).unreadable == ()
    for table in services._named.values():
        for row in (row for rows in table._rows.values() for row in rows.values()):  # type: ignore[attr-defined]  # it is the double
            (row.key + row.text).encode()
            assert len(row.text) < _LARGEST_ROW
