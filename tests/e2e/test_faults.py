"""Crashes, silence, refusals and disorder: afterwards both ends agree, and no call was made too often."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from msgspec.structs import replace

from shared.settings import StorageAccount
from shared.store.links import LinkStore, StoredLink
from shared.store.tables import AzureTable, table_service
from simulator.ado.faults import dropped, hanging, slowed, throttled
from simulator.azurite import Azurite
from tests.e2e.app import ADO_TOKEN, PATIENCE, App, Pair, eventually, own_app

STATE = "System.State"
ASSIGNED_TO = "System.AssignedTo"
ANN = "ann@corp.example"
LONG = 120.0  # seconds for which a fake stays silent, unless the test ends before


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[App, Azurite]]:
    with own_app(tmp_path_factory.mktemp("own"), "--lease", "3", outlives=True) as running:
        yield running


@pytest.fixture
def fragile(own: tuple[App, Azurite]) -> Iterator[Pair]:
    app, _ = own
    # Hooks are tried again for longer than a killed host takes to start, however busy the machine is.
    with Pair.beside(app, time_scale=0.1) as pair:
        yield pair.connect()
    app.clear()


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def stored_links(pair: Pair) -> tuple[LinkStore, list[StoredLink]]:
    account = StorageAccount(connection_string=pair.app.storage)
    links = LinkStore(AzureTable(table_service(account).get_table_client("synclinks")))
    return links, list(links.all(pair.organization.scope))


def kill(pair: Pair) -> None:
    """End the app in the middle of a write, and let the minute pass for which its claims hold."""
    eventually(lambda: all(stored.link.claim for stored in stored_links(pair)[1]))
    pair.app.end(signal.SIGKILL)
    links, found = stored_links(pair)
    for stored in found:
        assert stored.link.claim is not None
        links.replace(stored, replace(stored.link, claim=replace(stored.link.claim, until=0.0)))


def send_hook(pair: Pair, issue_id: str) -> requests.Response:
    """Have Sentry announce an issue once more."""
    return pair.deliver_from_sentry({"action": "resolved", "data": {"issue": {"id": issue_id}}})


def agree(pair: Pair, issue_id: str, item: int) -> bool:
    is_done = pair.state(item) in {"Resolved", "Closed"}
    return is_done == (pair.status(issue_id) == "resolved") and pair.health(issue_id, item)[0] == "settled"


# The app dies.


def test_a_death_after_the_write_to_azure_devops_is_noticed_and_not_repeated(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.ado.meet(hanging(LONG, lands=True), method="PATCH")
    fragile.sentry.resolve(issue_id)
    eventually(lambda: fragile.state(item) == "Closed")
    before = len(fragile.ado.calls)
    kill(fragile)
    fragile.app.start()
    fragile.settle()
    assert agree(fragile, issue_id, item)
    assert {call.method for call in fragile.ado.calls[before:]} == {"GET"}
    assert fragile.ado.item(item).rev == 2
    # The next change is a change, and not taken for the one that was half recorded.
    fragile.ado.edit(item, **{STATE: "Active"})
    fragile.settle()
    assert fragile.status(issue_id) == "unresolved"


def test_what_a_person_did_while_the_app_was_dead_is_no_echo_of_its_last_write(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.ado.meet(hanging(LONG, lands=True), method="PATCH")
    fragile.sentry.resolve(issue_id)
    eventually(lambda: fragile.state(item) == "Closed")
    kill(fragile)
    fragile.sentry.unresolve(issue_id)
    fragile.sentry.hooks.drain(PATIENCE)
    fragile.app.start()
    fragile.settle()
    assert (fragile.status(issue_id), fragile.state(item)) == ("unresolved", "New")


def test_a_death_between_two_writes_to_sentry_loses_neither(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.sentry.webhook_url = None
    fragile.sentry.hang_next(1, LONG, path="*/members/")
    fragile.ado.edit(item, **{STATE: "Closed", ASSIGNED_TO: ANN})
    eventually(lambda: fragile.status(issue_id) == "resolved")
    kill(fragile)
    fragile.app.start()
    fragile.settle()
    assert agree(fragile, issue_id, item)
    assert fragile.issue_assignee(issue_id) == ANN
    written = [call for call in fragile.sentry.calls if call[0] == "PUT"]
    assert len(written) == 2


def test_a_death_with_a_full_queue_loses_nothing(fragile: Pair) -> None:
    # One more than newBatchThreshold in host.json: so many run at once even if they come one by one.
    pairs = [fragile.linked() for _ in range(3)]
    fragile.ado.meet(hanging(LONG), len(pairs), method="PATCH")
    for issue_id, _ in pairs:
        fragile.sentry.resolve(issue_id)
    fragile.sentry.hooks.drain(PATIENCE)
    eventually(lambda: len(fragile.ado.faults) == 0)
    kill(fragile)
    fragile.app.start()
    fragile.settle()
    assert all(agree(fragile, *pair) and fragile.state(pair[1]) == "Closed" for pair in pairs)


# An answer does not come.


def test_a_write_whose_answer_was_lost_is_found_and_not_repeated(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.ado.meet(dropped(lands=True), method="PATCH")
    with fragile.calls() as calls:
        fragile.sentry.resolve(issue_id)
    # The write's own hook may look as well, once the service is asked again.
    assert (calls.ado[0], set(calls.ado[1:])) == ("PATCH 0", {"GET 200"})
    assert agree(fragile, issue_id, item)


def test_a_write_that_never_arrived_is_made_again(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.ado.meet(dropped(lands=False), method="PATCH")
    with fragile.calls() as calls:
        fragile.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 0", "GET 200", "PATCH 200"]
    assert fragile.state(item) == "Closed"


def test_a_write_to_sentry_whose_answer_was_lost_is_found_and_not_repeated(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.sentry.webhook_url = None
    fragile.sentry.drop_next(1, method="PUT")
    with fragile.calls() as calls:
        fragile.ado.edit(item, **{STATE: "Closed"})
    assert calls.writes == ["PUT 200"]
    assert agree(fragile, issue_id, item)


def test_no_other_worker_writes_for_a_link_while_a_write_is_under_way(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.sentry.webhook_url = None
    fragile.sentry.hang_next(1, 1.0, method="PUT")
    with fragile.calls() as calls:
        fragile.ado.edit(item, **{STATE: "Closed"})
        eventually(lambda: stored_links(fragile)[1][0].link.claim)
        assert send_hook(fragile, issue_id).status_code == 202
    # The one that hung was answered first, and only then was anything written again.
    assert calls.writes == ["PUT 504", "PUT 200"]
    assert agree(fragile, issue_id, item)


def test_a_message_that_ends_as_poison_is_taken_up_by_the_reconciler(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.sentry.fail_next(5, 502, method="GET")
    fragile.ado.edit(item, **{STATE: "Closed"})
    eventually(lambda: fragile.app.messages("-poison"))
    assert fragile.health(issue_id, item)[0] == "pending"
    fragile.ask("POST", "reconcile")
    eventually(lambda: agree(fragile, issue_id, item))
    assert fragile.status(issue_id) == "resolved"


def test_a_lost_hook_is_made_up_for_by_the_reconciler(fragile: Pair) -> None:
    issue_id, item = fragile.linked()
    fragile.ado.set_weather(drop=1.0)
    fragile.ado.edit(item, **{STATE: "Closed"})
    fragile.app.run_now("reconcile")
    eventually(lambda: fragile.status(issue_id) == "resolved")


# The storage is away.


def test_without_storage_both_doors_ask_to_be_tried_again(own: tuple[App, Azurite]) -> None:
    app, azurite = own
    # Slow enough for Azure DevOps not to give up before the storage is back.
    with Pair.beside(app, time_scale=0.1) as pair:
        issue_id, item = pair.connect().linked()
        azurite.stop()
        try:
            pair.ado.edit(item, **{STATE: "Closed"})
            answers = [send_hook(pair, issue_id), pair.ask("GET", "links"), pair.configure()]
            health = app.health()
            eventually(lambda: pair.ado.deliveries)
        finally:
            azurite.start()
        assert {(answer.status_code, answer.json()["error"]) for answer in answers} == {(503, "unavailable")}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
        assert health["status"] == "degraded"
        assert pair.ado.deliveries[0].http_status == 503
        # Azure DevOps tries again by itself, later each time, and keeps the subscription.
        eventually(lambda: pair.status(issue_id) == "resolved", patience=90.0)
        assert not [each for each in pair.ado.deliveries if each.http_status not in {202, 503}]
        assert {each.status for each in pair.ado.subscriptions} == {"enabled"}
    app.clear()


# A vendor asks us to wait, or to go away.


def test_a_throttled_message_is_put_back_and_no_call_is_made_until_the_time_is_over(connected: Pair) -> None:
    first, *others = pairs = [connected.linked() for _ in range(3)]
    connected.ado.meet(throttled(3), method="PATCH")
    with connected.calls() as calls:
        connected.sentry.resolve(first[0])
        eventually(lambda: connected.health(*first) == ("pending", "throttled"))
        for issue_id, _ in others:
            connected.sentry.resolve(issue_id)
        eventually(lambda: {connected.health(*pair) for pair in others} == {("pending", "throttled")})
    assert (calls.ado.count("PATCH 429"), calls.ado.count("PATCH 200")) == (1, 3)
    assert len(calls.ado) <= 1 + 3 + 3
    assert all(agree(connected, *pair) for pair in pairs)
    assert connected.app.messages("-poison") == 0
    failed = [entry for pair in pairs for entry in connected.outcomes(*pair) if entry[0] == "failed"]
    assert len(failed) == len(pairs)


def test_sentrys_throttling_is_waited_out_as_well(connected: Pair) -> None:
    issue_id, item = connected.linked()
    connected.sentry.fail_next(1, 429, {"Retry-After": "1"}, method="PUT")
    with connected.calls() as calls:
        connected.ado.edit(item, **{STATE: "Closed"})
    assert [call for call in calls.sentry if call.startswith("PUT")] == ["PUT 429", "PUT 200"]
    assert agree(connected, issue_id, item)


def test_a_success_that_asks_for_a_pause_is_kept_and_the_pause_made(connected: Pair) -> None:
    first, second = connected.linked(), connected.linked()
    connected.ado.meet(slowed(1), method="PATCH")
    with connected.calls() as calls:
        connected.sentry.resolve(first[0])
        eventually(lambda: connected.state(first[1]) == "Closed")
        connected.sentry.resolve(second[0])
    assert calls.ado.count("PATCH 200") == 2
    assert agree(connected, *first)
    assert agree(connected, *second)
    assert connected.state(second[1]) == "Closed"


def test_a_refused_token_is_not_offered_over_and_over_and_a_new_one_cures_every_link(fragile: Pair) -> None:
    first, *others = pairs = [fragile.linked() for _ in range(3)]
    service = fragile.ado.tokens.pop(ADO_TOKEN)
    with fragile.calls() as calls:
        fragile.sentry.resolve(first[0])
        # Workers that are asking at this very moment cannot know of each other's refusal; the next ones do.
        eventually(lambda: fragile.health(*first) == ("attention", "unauthorized"))
        for issue_id, _ in others:
            fragile.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 401"]
    assert {fragile.health(*pair) for pair in pairs} == {("attention", "unauthorized")}
    health = fragile.app.health()
    assert health["status"] == "degraded"
    assert "Azure DevOps" in health["problems"][0]
    # Setting a new token restarts the app.
    fragile.ado.tokens[ADO_TOKEN] = service
    fragile.app.end()
    fragile.app.start()
    assert fragile.ask("POST", "reconcile").status_code == 202
    eventually(lambda: all(agree(fragile, *pair) for pair in pairs))
    assert {fragile.state(item) for _, item in pairs} == {"Closed"}


def test_a_refused_change_needs_attention_and_says_why(connected: Pair) -> None:
    # A rule that the list of moves does not show: whatever is tried, a field is missing.
    issue_id, item = connected.linked()
    refusal = {"message": "TF401320: Rule Error for field Root Cause. Error code: Required, InvalidEmpty."}
    connected.ado.fail_next(2, 400, body=refusal, method="PATCH", path="workitems")
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert connected.health(issue_id, item) == ("attention", "refused")
    assert connected.outcomes(issue_id, item) == [("refused", "status")] * 2
    [link] = connected.links()
    assert "Rule Error for field Root Cause" in link["detail"]
    assert [each for each in calls.ado if each.startswith("PATCH")] == ["PATCH 400"] * 2
    assert connected.app.messages("-poison") == 0


def test_a_work_item_that_refuses_does_not_stop_the_next(connected: Pair) -> None:
    issue_id, item = connected.linked()
    other = connected.ado.add_item().id
    connected.link(issue_id, other)
    connected.ado.delete(item)
    connected.settle()
    connected.sentry.resolve(issue_id)
    connected.settle()
    assert connected.state(other) == "Closed"
    assert connected.health(issue_id, item) == ("attention", "work-item-gone")
    assert connected.health(issue_id, other) == ("settled", None)


# Hooks come twice, late, or in another order.


def test_hooks_in_the_wrong_order_end_at_the_newest_state(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.calls() as calls, connected.ado.held_deliveries(backwards=True):
        for state in ("Closed", "Active", "Resolved"):
            connected.ado.edit(item, **{STATE: state})
    assert (connected.status(issue_id), connected.state(item)) == ("resolved", "Resolved")
    # Workers may take up several at once, and each state that is written was the newest one seen.
    assert set(calls.writes) == {"PUT 200"}
    assert len(calls.writes) <= 3
    assert agree(connected, issue_id, item)


def test_a_late_hook_changes_nothing(connected: Pair) -> None:
    issue_id, item = connected.linked()
    for state in ("Closed", "Active", "Resolved", "Active"):
        connected.ado.edit(item, **{STATE: state})
        connected.settle()
    late = [dict(delivery.body) for delivery in connected.ado.deliveries]
    with connected.calls() as calls:
        for body in late:
            assert connected.deliver(body).status_code == 202
    assert (calls.ado, calls.sentry) == ([], [])
    assert (connected.status(issue_id), connected.state(item)) == ("unresolved", "Active")


def test_many_deliveries_of_one_event_at_once_are_one_write(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.ado.held_deliveries(), connected.sentry.hooks.held():
        connected.ado.edit(item, **{STATE: "Closed"})
        body = delivery_of(connected, item)
        with ThreadPoolExecutor(6) as senders:
            answers = list(senders.map(lambda _: connected.deliver(body).status_code, range(6)))
        assert answers == [202] * 6
        eventually(lambda: connected.app.messages() == 0)
    connected.settle()
    assert [call for call in connected.sentry.calls if call[0] == "PUT"] == [
        ("PUT", f"/api/0/organizations/acme/issues/{issue_id}/", 200)
    ]
    assert agree(connected, issue_id, item)


def test_many_hints_of_one_issue_at_once_are_one_write(connected: Pair) -> None:
    issue_id, item = connected.linked()
    connected.sentry.webhook_url = None
    connected.sentry.resolve(issue_id)
    with connected.calls() as calls, ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda _: send_hook(connected, issue_id).status_code, range(6)))
    assert answers == [202] * 6
    assert [call for call in calls.ado if call == "PATCH 200"] == ["PATCH 200"]
    assert connected.ado.item(item).rev == 2
    assert agree(connected, issue_id, item)


def delivery_of(pair: Pair, item: int) -> dict[str, Any]:
    """Write the delivery of a work item's last change as its subscription would."""
    work_item = pair.ado.item(item)
    fields = {
        "System.State": work_item.state,
        "System.WorkItemType": work_item.fields["System.WorkItemType"],
        "System.TeamProject": work_item.project,
    }
    return {
        "eventType": "workitem.updated",
        "resource": {
            "workItemId": item,
            "rev": work_item.rev,
            "fields": {STATE: {"oldValue": "New", "newValue": work_item.state}},
            "revision": {"id": item, "rev": work_item.rev, "fields": fields},
        },
        "resourceContainers": {"project": {"id": pair.ado.project_id(work_item.project)}},
    }
