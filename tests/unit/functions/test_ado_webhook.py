"""Whose a delivery is: what is believed, turned away and learned, and what a cache may have missed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import ado_webhook, health, inbound_sync, sentry_webhook
from shared.domain.comments import InboundComments
from shared.domain.errors import Unavailable
from shared.domain.messages import decode_inbound, decode_outbound
from shared.domain.model import IssueStatus
from shared.flows.connecting import remove, store
from shared.flows.linking import link
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, sign
from shared.store.organizations import Organization
from shared.store.tables import Replace
from simulator.ado.catalog import default_catalog
from simulator.sentry.model import AlertRule
from tests.doubles import ado as ado_double
from tests.doubles import sentry as sentry_double
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.doubles.services import ADO_SECRET, SENTRY_SECRET, MemoryServices
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Scene

Webhook = Callable[[func.HttpRequest, MemoryServices], func.HttpResponse]
THERE = "https://dev.azure.com/contoso/"
ACCOUNT = {"id": "f0f0f0f0-0000-0000-0000-000000000000", "baseUrl": THERE}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def delivery(scene: Scene, rev: int = 9, **containers: Any) -> bytes:
    """Return what is sent when work item 31 is closed; by default without a word of whose it is."""
    fields = {STATE: "Closed", "System.WorkItemType": "Bug", "System.Title": "Order new chairs"}
    project = {"id": scene.ado.catalog.project("Fabrikam-Fiber").id}
    body = {
        "eventType": "workitem.updated",
        "resource": {
            "id": 9,
            "workItemId": ITEM,
            "rev": rev,
            "fields": {STATE: {"oldValue": "New", "newValue": "Closed"}},
            "revision": {"id": ITEM, "rev": rev, "fields": fields},
        },
        "resourceContainers": {"project": project, **containers},
    }
    return json.dumps(body).encode()


def receive(scene: Scene, body: bytes, services: MemoryServices | None = None) -> dict[str, Any]:
    headers = {"Shared-Secret": ADO_SECRET}
    request = func.HttpRequest("POST", "/", headers=headers, route_params={"organization": SLUG}, body=body)
    answer: dict[str, Any] = json.loads(ado_webhook.handle(request, services or scene.services).get_body())
    return answer


def work(scene: Scene) -> None:
    queue = scene.services.inbound
    while received := queue.receive():
        inbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
        queue.delete(received)


def problems(scene: Scene) -> list[str]:
    scene.now += 10.0  # What health says is kept for so long.
    answer = health.handle(func.HttpRequest("GET", "/", body=b""), scene.services)
    said: list[str] = json.loads(answer.get_body())["problems"]
    return said


@pytest.mark.parametrize("name", ["account", "collection", "server"])
def test_a_delivery_of_another_organization_is_not_believed(scene: Scene, name: str) -> None:
    answer = receive(scene, delivery(scene, **dict[str, Any]({name: ACCOUNT})))
    assert (answer["outcome"], "dev.azure.com/contoso" in answer["detail"]) == ("ignored", True)
    assert len(scene.services.inbound) == 0
    [problem] = problems(scene)
    assert "another Azure DevOps organization" in problem


@pytest.mark.parametrize("base", [BASE_URL, "https://fabrikam.visualstudio.com/"])
def test_one_that_is_known_by_its_address_is_believed_and_teaches_its_ids(scene: Scene, base: str) -> None:
    """That it calls itself what it answers when asked is an assumption: nothing is lost without it."""
    account, collection = {"id": "A1", "baseUrl": base}, {"id": "C1", "baseUrl": base}
    assert receive(scene, delivery(scene, account=account, collection=collection))["outcome"] == "queued"
    assert set(scene.organization.ado.delivered) == {"a1", "c1"}
    renamed = {"id": "A1", "baseUrl": THERE}
    assert receive(scene, delivery(scene, account=renamed))["outcome"] == "queued"


def test_one_that_is_known_by_what_it_answers_is_believed_under_any_address(scene: Scene) -> None:
    account = {"id": scene.ado.instance_id().upper(), "baseUrl": THERE}
    assert receive(scene, delivery(scene, account=account))["outcome"] == "queued"
    assert scene.organization.ado.delivered == ()  # only an address that is known teaches


def test_another_collection_of_the_same_server_is_another_organization(scene: Scene) -> None:
    server = {"id": "S1", "baseUrl": "https://dev.azure.com/"}
    ours, other = {"id": "C1", "baseUrl": BASE_URL}, {"id": "C2", "baseUrl": THERE}
    assert receive(scene, delivery(scene, collection=ours, server=server))["outcome"] == "queued"
    assert receive(scene, delivery(scene, collection=other, server=server))["outcome"] == "ignored"


def test_before_anybody_could_be_asked_everything_is_believed(scene: Scene) -> None:
    organization = scene.organization
    scene.services.organizations.remove(organization)
    scene.services.organizations.add(SLUG, organization.configuration)
    assert receive(scene, delivery(scene, account=ACCOUNT))["outcome"] == "queued"


def test_ids_are_learned_by_one_write(scene: Scene) -> None:
    account = {"id": "A1", "baseUrl": BASE_URL}
    receive(scene, delivery(scene, account=account))
    etag = scene.organization.etag
    for _ in range(5):
        receive(scene, delivery(scene, account=account))
    assert scene.organization.etag == etag


def test_who_cannot_count_or_learn_answers_all_the_same(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def down(*_: object) -> None:
        raise Unavailable("storage", "down")

    monkeypatch.setattr(scene.services.foreign, "note", down)
    monkeypatch.setattr(scene.services.organizations, "learn", down)
    assert receive(scene, delivery(scene, account=ACCOUNT))["outcome"] == "ignored"
    account = {"id": "A1", "baseUrl": BASE_URL}
    assert receive(scene, delivery(scene, account=account))["outcome"] == "queued"


# Another instance, which remembers an organization for a minute


def instance(scene: Scene) -> MemoryServices:
    """Return another instance of the app, which has read the organization a moment ago."""
    services = MemoryServices(scene.ado, scene.sentry, lambda: scene.now)
    services._named = scene.services._named
    services.inbound, services.outbound = scene.services.inbound, scene.services.outbound
    services.organizations.get(SLUG)
    return services


def repoint(scene: Scene) -> Organization:
    there = MemoryAdo(default_catalog("contoso", projects=5))
    there.add_item("Order new chairs", ITEM)
    scene.watched_ado.real = there
    current = scene.organization
    elsewhere = replace(current.configuration, ado_url=THERE)
    return store(scene.services, SLUG, elsewhere, current, "drop")


def test_who_remembers_the_old_place_looks_again_before_the_new_one_is_foreign(scene: Scene) -> None:
    other = instance(scene)
    begun = repoint(scene)
    scene.now += 5.0
    account = {"id": begun.connection.ado.ids[0], "baseUrl": THERE}
    assert receive(scene, delivery(scene, account=account), other)["outcome"] == "queued"
    received = scene.services.inbound.receive()
    assert received is not None
    assert decode_inbound(received.body).epoch == begun.epoch


def test_what_it_still_takes_from_the_old_place_does_nothing_to_the_new_one(scene: Scene) -> None:
    other, account = instance(scene), {"id": scene.ado.instance_id(), "baseUrl": BASE_URL}
    repoint(scene)
    link(scene.services, scene.organization, ISSUE, ITEM, None)
    assert receive(scene, delivery(scene, account=account), other)["outcome"] == "queued"
    work(scene)
    assert scene.status is IssueStatus.UNRESOLVED
    scene.now += 61.0
    assert receive(scene, delivery(scene, account=account), other)["outcome"] == "ignored"


def test_a_renamed_organization_loses_nothing_to_what_is_remembered(scene: Scene) -> None:
    other, account = instance(scene), {"id": scene.ado.instance_id(), "baseUrl": THERE}
    current = scene.organization
    store(scene.services, SLUG, replace(current.configuration, ado_url=THERE), current)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert receive(scene, delivery(scene, rev=2, account=account), other)["outcome"] == "queued"
    work(scene)
    assert scene.status is IssueStatus.RESOLVED


# What is told once


@dataclass
class Told:
    """The deliveries of a comment on either side, and of a rule that fired."""

    scene: Scene

    def by_sentry(self, happens: Callable[[], object]) -> tuple[Webhook, func.HttpRequest]:
        events: list[sentry_double.Event] = []
        self.scene.sentry.announce = events.append
        happens()
        body = self.scene.sentry.hook_body(events[-1])
        assert body is not None
        signed = {SIGNATURE_HEADER: sign(body, SENTRY_SECRET).decode(), RESOURCE_HEADER: events[-1].resource}
        return sentry_webhook.handle, self._request(signed, body)

    def by_ado(self, happens: Callable[[], object]) -> tuple[Webhook, func.HttpRequest]:
        events: list[ado_double.Event] = []
        self.scene.ado.announce = events.append
        happens()
        body = self.scene.ado.hook_body(events[-1])
        return ado_webhook.handle, self._request({"Shared-Secret": ADO_SECRET}, body)

    def comment_in_sentry(self) -> tuple[Webhook, func.HttpRequest]:
        return self.by_sentry(lambda: self.scene.sentry.comment(ISSUE, "It is the cache."))

    def rule(self) -> tuple[Webhook, func.HttpRequest]:
        asked = {"project": "p", "work_item_type": "Bug"}
        self.scene.sentry.rules = [AlertRule("New errors", asked)]
        return self.by_sentry(lambda: self.scene.sentry.fire_rules(ISSUE))

    def comment_in_ado(self) -> tuple[Webhook, func.HttpRequest]:
        return self.by_ado(lambda: self.scene.ado.comment(ITEM, "It is the cache."))

    @staticmethod
    def _request(headers: dict[str, str], body: bytes) -> func.HttpRequest:
        return func.HttpRequest("POST", "/", headers=headers, route_params={"organization": SLUG}, body=body)


TOLD_ONCE = pytest.mark.parametrize("told", [Told.comment_in_sentry, Told.rule, Told.comment_in_ado])
Telling = Callable[[Told], tuple[Webhook, func.HttpRequest]]


@pytest.fixture
def talking(scene: Scene) -> Scene:
    scene.configure(sync_comments=True, sync_comments_reverse=InboundComments.ALL)
    return scene


PASTED = f"It is {ADO_SECRET}, {SENTRY_SECRET}."


@pytest.mark.parametrize(
    "happen",
    [
        lambda told: told.by_sentry(lambda: told.scene.sentry.comment(ISSUE, PASTED)),
        lambda told: told.by_ado(lambda: told.scene.ado.comment(ITEM, PASTED)),
        lambda told: told.by_ado(
            lambda: told.scene.ado.edit(ITEM, **{"System.Title": PASTED, STATE: "Closed"})
        ),
    ],
    ids=["comment in Sentry", "comment in ADO", "title"],
)
def test_what_a_hook_tells_is_freed_of_our_secrets(talking: Scene, happen: Telling) -> None:
    handle, request = happen(Told(talking))
    assert handle(request, talking.services).status_code == 202
    queues = talking.services.inbound, talking.services.outbound
    [message] = [queue.receive_one(each).body.decode() for queue in queues for each in queue.visible()]
    assert "It is [removed], [removed]." in message
    assert ADO_SECRET not in message


def test_a_title_that_holds_one_is_stored_and_shown_without_it(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    body = delivery(scene, rev=2).replace(b"Order new chairs", PASTED.encode())
    assert receive(scene, body)["outcome"] == "queued"
    work(scene)
    assert scene.row.title == "It is [removed], [removed]."


def connect_anew(scene: Scene) -> Organization:
    configuration = scene.organization.configuration
    remove(scene.services, scene.organization)
    return store(scene.services, SLUG, configuration, None)


def epochs(services: MemoryServices) -> list[str]:
    queues = (services.inbound, decode_inbound), (services.outbound, decode_outbound)
    return [
        decode(queue.receive_one(each).body).epoch for queue, decode in queues for each in queue.visible()
    ]


@TOLD_ONCE
@pytest.mark.parametrize("since", [1.0, 20.0, 59.0])
def test_what_is_told_once_is_for_the_connection_of_this_moment(
    talking: Scene, told: Telling, since: float
) -> None:
    handle, request = told(Told(talking))
    other = instance(talking)
    begun = connect_anew(talking)
    talking.now += since
    assert handle(request, other).status_code == 202
    assert epochs(other) == [begun.epoch]


@TOLD_ONCE
def test_what_is_told_once_of_an_organization_that_is_gone_goes_nowhere(
    talking: Scene, told: Telling
) -> None:
    handle, request = told(Told(talking))
    other = instance(talking)
    remove(talking.services, talking.organization)
    talking.now += 20.0
    assert handle(request, other).status_code == 404
    assert epochs(other) == []


def test_a_comment_of_the_old_place_does_not_reach_the_new_one(talking: Scene) -> None:
    handle, request = Told(talking).comment_in_ado()
    other = instance(talking)
    repoint(talking)
    talking.now += 20.0
    answer = handle(request, other)
    assert (answer.status_code, json.loads(answer.get_body())["outcome"]) == (200, "ignored")
    assert epochs(other) == []


@TOLD_ONCE
def test_while_storage_is_down_what_is_delivered_only_once_is_taken_as_remembered(
    talking: Scene, told: Telling, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle, request = told(Told(talking))
    other = instance(talking)
    remembered = talking.organization

    def down(*_: object) -> None:
        raise Unavailable("storage", "down")

    monkeypatch.setattr(other.organizations, "get", down)
    talking.now += 20.0
    is_from_ado = handle is ado_webhook.handle
    assert handle(request, other).status_code == (503 if is_from_ado else 202)
    assert epochs(other) == ([] if is_from_ado else [remembered.epoch])


def test_what_the_reconciler_finds_anyway_costs_no_look(
    talking: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(talking)
    deliveries = [
        told.by_sentry(lambda: talking.sentry.resolve(ISSUE)),
        told.by_ado(lambda: talking.ado.edit(ITEM, **{STATE: "Closed"})),
    ]
    for handle, request in deliveries:  # What they teach is known from then on.
        handle(request, talking.services)
    other, looks = instance(talking), list[str]()
    monkeypatch.setattr(other.organizations, "get", looks.append)
    talking.now += 59.0
    assert [handle(request, other).status_code for handle, request in deliveries] == [202, 202]
    assert looks == []


# A snapshot that may be somebody else's


def test_a_snapshot_of_another_project_is_looked_up(scene: Scene) -> None:
    project = {"id": scene.ado.catalog.project("Scrum Team").id}
    receive(scene, delivery(scene, project=project))
    work(scene)
    assert scene.status is IssueStatus.UNRESOLVED
    assert scene.calls.made.count("get_work_item") == 1
    assert scene.row.title == "Fix login"


# A document that cannot be read


def test_hooks_of_an_organization_whose_document_cannot_be_read_are_to_come_again(scene: Scene) -> None:
    fresh = MemoryServices(scene.ado, scene.sentry, lambda: scene.now)
    fresh._named = scene.services._named
    fresh.organizations._table.apply("organizations", Replace(SLUG, '{"on_conflict": "newest"}', None))
    route = {"organization": SLUG}
    from_ado = func.HttpRequest(
        "POST", "/", headers={"Shared-Secret": ADO_SECRET}, route_params=route, body=delivery(scene)
    )
    signed = {SIGNATURE_HEADER: sign(b"{}", SENTRY_SECRET).decode(), RESOURCE_HEADER: "issue"}
    from_sentry = func.HttpRequest("POST", "/", headers=signed, route_params=route, body=b"{}")
    answers = [ado_webhook.handle(from_ado, fresh), sentry_webhook.handle(from_sentry, fresh)]
    assert [each.status_code for each in answers] == [503, 503]
    assert all(int(each.headers["Retry-After"]) > 0 for each in answers)
