"""What comes to the two doors is counted, and no delivery costs a call to a table."""

import json
from collections.abc import Iterator

import azure.functions as func
import pytest

from functions import ado_webhook, sentry_webhook
from shared.domain.messages import decode_inbound, decode_outbound
from shared.domain.model import Side
from shared.domain.traffic import Counts, total
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, sign
from shared.store.tables import Operation, Row
from tests.doubles.services import ADO_SECRET, SENTRY_SECRET
from tests.doubles.tables import MemoryTable
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Scene

UPDATED = {
    "eventType": "workitem.updated",
    "resource": {
        "id": 9,
        "workItemId": ITEM,
        "rev": 9,
        "fields": {STATE: {"oldValue": "New", "newValue": "Closed"}},
    },
}
TITLE = {
    "eventType": "workitem.updated",
    "resource": {"workItemId": ITEM, "rev": 9, "fields": {"System.Title": {"newValue": "Words"}}},
}
RESOLVED = {"action": "resolved", "data": {"issue": {"id": ISSUE}}}
CREATED = {"action": "created", "data": {"issue": {"id": ISSUE}}}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def from_ado(scene: Scene, body: object, secret: str = ADO_SECRET, slug: str = SLUG) -> int:
    headers = {"Shared-Secret": secret}
    request = func.HttpRequest(
        "POST", "/", headers=headers, route_params={"organization": slug}, body=json.dumps(body).encode()
    )
    return int(ado_webhook.handle(request, scene.services).status_code)


def from_sentry(scene: Scene, body: object, secret: str = SENTRY_SECRET, slug: str = SLUG) -> int:
    content = json.dumps(body).encode()
    headers = {RESOURCE_HEADER: "issue", SIGNATURE_HEADER: sign(content, secret).decode()}
    request = func.HttpRequest(
        "POST", "/", headers=headers, route_params={"organization": slug}, body=content
    )
    return int(sentry_webhook.handle(request, scene.services).status_code)


def counts(scene: Scene, side: Side) -> Counts:
    scene.services.ledger.flush()
    return total(scene.services.traffic.hours(scene.organization.scope, scene.now).values()).on(side)


def test_what_is_taken_is_counted_and_carries_its_moment(scene: Scene) -> None:
    assert (from_ado(scene, UPDATED), from_ado(scene, TITLE)) == (202, 200)
    assert (from_sentry(scene, RESOLVED), from_sentry(scene, CREATED)) == (202, 200)
    for side in Side:
        assert counts(scene, side) == Counts(taken=2, nothing_to_do=1, taken_at=scene.now)
    inbound, outbound = scene.services.inbound.receive(), scene.services.outbound.receive()
    assert inbound is not None
    assert outbound is not None
    assert decode_inbound(inbound.body).told_at == decode_outbound(outbound.body).told_at == scene.now


@pytest.mark.parametrize("slug", [SLUG, "nobody", "NOT A SLUG", "x" * 70])
def test_a_wrong_proof_is_counted_for_an_organization_that_is_there(scene: Scene, slug: str) -> None:
    assert from_ado(scene, UPDATED, "wrong", slug) == 401
    assert from_sentry(scene, RESOLVED, "wrong", slug) == 401
    refused = int(slug == SLUG)
    assert [counts(scene, side).refused for side in Side] == [refused, refused]


def test_a_right_proof_for_nobody_is_noted_under_the_name_that_it_gave(scene: Scene) -> None:
    assert (from_ado(scene, UPDATED, slug="gone"), from_ado(scene, UPDATED, slug="NO SLUG")) == (404, 404)
    scene.services.ledger.flush()
    assert [each.slug for each in scene.services.traffic.nobodys(scene.now)] == ["gone"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every call to any table."""
    made: list[str] = []
    get, scan, apply = MemoryTable.get, MemoryTable.scan, MemoryTable.apply

    def counted_get(self: MemoryTable, partition: str, key: str) -> Row:
        made.append("get")
        return get(self, partition, key)

    def counted_scan(
        self: MemoryTable, partition: str, start: str, end: str, *, page_size: int = 1000
    ) -> Iterator[Row]:
        made.append("scan")
        return scan(self, partition, start, end, page_size=page_size)

    def counted_apply(self: MemoryTable, partition: str, *operations: Operation) -> list[str]:
        made.append("apply")
        return apply(self, partition, *operations)

    monkeypatch.setattr(MemoryTable, "get", counted_get)
    monkeypatch.setattr(MemoryTable, "scan", counted_scan)
    monkeypatch.setattr(MemoryTable, "apply", counted_apply)
    return made


def test_no_delivery_costs_a_call_to_a_table(scene: Scene, calls: list[str]) -> None:
    for deliver, news, none in ((from_ado, UPDATED, TITLE), (from_sentry, RESOLVED, CREATED)):
        deliver(scene, news)  # who is connected is looked up once a minute
        calls.clear()
        for _ in range(50):
            deliver(scene, news)
            deliver(scene, none)
            deliver(scene, news, "wrong")
            deliver(scene, news, "wrong", "nobody")
        assert calls == []
