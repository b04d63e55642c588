"""One damaged row of any table, and everything else goes on: each damage with each operation."""

import json
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest

from functions import (
    activity,
    health,
    hook_watchdog,
    issue_links,
    org_config,
    organizations,
    reconcile,
    status,
)
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import ActivityEntry, Health, IssueStatus
from shared.flows.reconciling import Found, reconcile_all
from shared.flows.reconciling import reconcile as reconcile_one
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.store.keys import number
from shared.store.progress import Progress, Tally
from shared.store.tables import Insert, Replace
from shared.version import VERSION
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Scene
from tests.unit.workers import Workers

DAMAGES = {
    "a newer version's value": '{"of": "a newer version"}',
    "nothing": "",
    "null": "null",
    "other types": '{"organization":7,"since":"then","at":"now","links_after":7}',
    "times that no calendar has": (
        '{"checked_at":9007199254740992.0,"at":1e300,"since":1e12,"until":-1.0,"count":1,"last":1e300,'
        '"last_run":{"began":1e300,"took":0.0},"events":{"workitem.deleted":{"since":9007199254740992.0}},'
        '"outcome":"applied","latest":1e300,"things":[]}'
    ),
    "a mark that no calendar has": f'{{"marks":{{"0123456789ab":[{10**400}]}}}}',
    "cut short": '{"organization":"fabrikam",',
    "nested too deep": "[" * 100_000,
}
LINK = f"item!{number(32)}!200"
ODD = "odd!key"
ENTRY = f"{number(32)}!200!{number(7)}!99t"
# Table, partition, key; the link of 200 and 32 is nobody's but this test's.
ROWS = {
    "a link": ("links", SLUG, LINK),
    "the index of a link": ("links", SLUG, f"issue!200!{number(32)}"),
    "a link's odd key": ("links", SLUG, "item!x!y"),
    "an index's odd key": ("links", SLUG, "issue!100!x"),
    "an idempotency record": ("links", SLUG, "deed!create-for-200"),
    "an entry": ("activity", SLUG, ENTRY),
    "an entry's odd key": ("activity", SLUG, ODD),
    "progress": ("organizations", "progress", SLUG),
    "progress of nobody": ("organizations", "progress", ODD),
    "a refusal": ("organizations", "refusals", f"{SLUG}!sentry"),
    "a refusal of nobody": ("organizations", "refusals", ODD),
    "a ban": ("organizations", "forbidden", f"{SLUG}!sentry"),
    "a ban of nobody": ("organizations", "forbidden", ODD),
    "strangers' deliveries": ("organizations", "foreign", SLUG),
    "deliveries to nobody": ("organizations", "foreign", ODD),
    "subscriptions": ("organizations", "hooks", SLUG),
    "an examination": ("organizations", "examined", SLUG),
    "an end": ("organizations", "over", SLUG),
    "the end of nothing": ("organizations", "over", ODD),
}


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.link("200", 32)
    return scene


def call(handle: Any, scene: Scene, method: str = "GET", body: bytes = b"", **route: str) -> Any:
    request = func.HttpRequest(
        method, "/", headers={}, route_params={"organization": SLUG, **route}, body=body
    )
    answer = handle(request, scene.services)
    content = answer.get_body()
    return answer.status_code, json.loads(content) if content else None


# What goes on. Each fails unless all of it does.


def settling_inbound(scene: Scene) -> None:
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services) == ["applied"]


def settling_outbound(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    assert sync_outbound(OutboundMessage(SLUG, ISSUE), scene.services) == ["applied"]


def reconciling(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    found = reconcile_all(scene.services)[SLUG]
    assert isinstance(found, Found)
    assert (found.failures, found.remaining) == ((), False)
    Workers(scene).live(300.0)
    assert scene.status is IssueStatus.RESOLVED
    assert scene.health == Health()


def reconciling_on_demand(scene: Scene) -> None:
    status, content = call(reconcile.handle, scene, "POST")
    assert (status, content["remaining"]) == (202, False)


def listing_links(scene: Scene) -> None:
    for name, value in (("continuation", "0"), ("issue_id", ISSUE), ("work_item_id", str(ITEM))):
        status, content = call(issue_links.handle, scene, "GET", b"", **{name: value})
        assert status == 200
        assert (ISSUE, ITEM) in {(each["issue_id"], each["work_item_id"]) for each in content["links"]}


def storing_a_document(scene: Scene) -> None:
    body = b'{"ado_url": "https://dev.azure.com/fabrikam/", "on_conflict": "sentry"}'
    assert call(org_config.handle, scene, "PATCH", body)[0] == 200


def telling_activity(scene: Scene) -> None:
    scene.services.activity.add(SLUG, "200", 32, ActivityEntry(scene.now + 1.0, "applied"))
    status, content = call(activity.handle, scene, issue_id="200", work_item_id="32")
    assert (status, content["activity"][0]["outcome"]) == (200, "applied")


def unlinking(scene: Scene) -> None:
    assert call(issue_links.handle, scene, "DELETE", issue_id="200", work_item_id="32")[0] == 204
    assert scene.services.links.linked_among(SLUG, [("200", 32)]) == set()
    assert call(issue_links.handle, scene, "DELETE", issue_id="200", work_item_id="32")[0] == 404


def linking_anew(scene: Scene) -> None:
    unlinking(scene)
    scene.link("200", 32)
    assert scene.outcomes("200", 32)[-1:] == ["unlinked"]


def disconnecting(scene: Scene) -> None:
    assert call(org_config.handle, scene, "DELETE")[0] == 204


def telling_health(scene: Scene) -> None:
    assert call(health.handle, scene)[0] == 200


def telling_of_subscriptions(scene: Scene) -> None:
    assert call(hook_watchdog.handle, scene)[0] == 200
    hook_watchdog.handle_timer(scene.services)
    assert call(hook_watchdog.handle, scene)[1]["checked_at"] is not None


def telling_how_it_does(scene: Scene) -> None:
    for handle in (status.handle, organizations.handle):
        assert call(handle, scene)[0] == 200


OPERATIONS = (
    telling_of_subscriptions,
    telling_how_it_does,
    settling_inbound,
    settling_outbound,
    reconciling,
    reconciling_on_demand,
    listing_links,
    storing_a_document,
    telling_activity,
    unlinking,
    linking_anew,
    disconnecting,
    telling_health,
)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_a_damaged_row_stops_nothing_else(
    scene: Scene, row: tuple[str, str, str], damage: str, operation: Callable[[Scene], None]
) -> None:
    table, partition, key = row
    scene.services._table(table).apply(partition, Replace(key, damage, None))
    operation(scene)


# Who is told.


def test_a_damaged_link_is_logged_by_its_key_and_counted_in_health(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.services._table("links").apply(SLUG, Replace(LINK, "{", None))
    scene.services._table("activity").apply(SLUG, Insert(ODD, "{"))
    reconcile.handle_timer(scene.services)
    lines = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert lines == [f"outcome=unreadable organization={SLUG} row={key}" for key in (LINK, ODD)]
    assert call(health.handle, scene)[1] == {
        "status": "degraded",
        "version": VERSION,
        "problems": [
            f"1 stored row(s) of {what} cannot be read; the log names their keys"
            for what in ("links", "activity")
        ],
    }
    call(issue_links.handle, scene, "DELETE", issue_id="200", work_item_id="32")
    reconcile.handle_timer(scene.services)
    scene.now += 10.0  # What health says is kept for so long.
    assert len(call(health.handle, scene)[1]["problems"]) == 1


def test_the_list_of_links_names_what_it_passes_over(scene: Scene) -> None:
    scene.services._table("links").apply(SLUG, Replace(LINK, "{", None))
    assert call(issue_links.handle, scene)[1]["unreadable"] == [LINK]


# Where a link holds a time; those of its claim and its back-links are of shapes of their own.
TIMES = ("synced_at", "linked_at", "writes", "health.since", "health.due", "back_links.due", "form.at")


@pytest.mark.parametrize("number", [1e300, -1e14, 253_402_300_800.0])
@pytest.mark.parametrize("path", TIMES)
def test_a_link_with_a_time_that_no_calendar_has_is_told_beside_the_others(
    scene: Scene, path: str, number: float
) -> None:
    table = scene.services._table("links")
    row = json.loads(table.get(SLUG, LINK).text)
    *outer, name = path.split(".")
    place = row.setdefault(outer[0], {}) if outer else row
    place[name] = [number] if name == "writes" else number
    table.apply(SLUG, Replace(LINK, json.dumps(row), None))
    status, content = call(issue_links.handle, scene)
    assert (status, content["unreadable"]) == (200, [LINK])
    assert [each["issue_id"] for each in content["links"]] == [ISSUE]
    scene.sentry.resolve("200")
    assert sync_outbound(OutboundMessage(SLUG, "200"), scene.services) == ["not-linked"]


def test_a_damaged_link_that_is_asked_for_says_what_to_do(scene: Scene) -> None:
    scene.services._table("links").apply(SLUG, Replace(LINK, "{", None))
    body = b'{"issue_id": "200", "work_item_id": 32}'
    status, content = call(reconcile.handle, scene, "POST", body)
    assert (status, content["error"]) == (502, "unreadable-link")
    assert "delete it and link again" in content["detail"]


def test_many_runs_count_a_damaged_row_once(scene: Scene) -> None:
    scene.services._table("links").apply(SLUG, Replace(LINK, "{", None))
    for _ in range(3):
        reconcile.handle_timer(scene.services)
        assert scene.services.progress.get(SLUG).unreadable_links.last == 1


def test_a_run_for_everything_amid_a_pass_counts_a_damaged_row_once(scene: Scene) -> None:
    scene.services._table("links").apply(SLUG, Replace(LINK, "{", None))
    half_done = Progress(links_after="9", unreadable_links=Tally(last=1, so_far=1))
    scene.services.progress.put(SLUG, half_done)
    reconcile_one(scene.services, scene.organization, everything=True)
    assert scene.services.progress.get(SLUG).unreadable_links == Tally(last=1)
