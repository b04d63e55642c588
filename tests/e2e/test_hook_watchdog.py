"""The subscriptions in Azure DevOps are made, healed, replaced and removed by the app as it is deployed."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from simulator.ado.faults import html_page, sign_in_page
from simulator.azurite import Azurite
from tests.e2e.app import ADO_TOKEN, HOOK_SECRET, PATIENCE, SECRETS, App, Pair, app_folder, eventually

EVENTS = ["workitem.deleted", "workitem.restored", "workitem.updated"]
WATCHED = ("updated", "deleted", "restored")
NEW_SECRET = "newer-hook-secret"
STATE = "System.State"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A host that knows its own address, on tables of its own."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        Azurite() as azurite,
        App(
            folder / "host.log",
            SECRETS,
            folder=app_folder(folder / "app"),
            storage=azurite.connection_string,
        ) as running,
    ):
        running.restart(PUBLIC_URL=running.url)
        yield running


@pytest.fixture
def pair(app: App) -> Iterator[Pair]:
    with connected(app) as pair:
        yield pair


@contextmanager
def connected(app: App, **choices: Any) -> Iterator[Pair]:
    with Pair.beside(app, **choices) as pair:
        assert pair.configure().status_code == 201
        pair.sentry.webhook_url = f"{app.url}/api/{pair.sentry_route}"
        yield pair
        pair.ado.allow()
        pair.ado.faults.clear()
        pair.ask("DELETE", "config")
    app.clear()


def watch(pair: Pair) -> dict[str, Any]:
    answer = pair.ask("POST", "hooks")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def states(told: dict[str, Any]) -> list[str]:
    return [each["state"] for each in told["subscriptions"]]


def ours(pair: Pair) -> list[str]:
    """Return the events of our subscriptions, all of which are enabled."""
    url = f"{pair.app.url}/api/{pair.ado_route}"
    kept = [each for each in pair.ado.subscriptions if each.url == url]
    assert {each.status for each in kept} <= {"enabled"}
    return sorted(each.event_type for each in kept)


def id_of(pair: Pair, event: str = "workitem.updated") -> str:
    [found] = [each.id for each in pair.ado.subscriptions if each.event_type == event]
    return found


def is_red_for(app: App, word: str) -> bool:
    told = app.ask("GET", "health").json()
    return told["status"] == "degraded" and any(word in problem for problem in told["problems"])


def test_from_nothing_to_three_and_a_change_arrives(pair: Pair) -> None:
    told = watch(pair)
    assert (told["made"], told["removed"], told["problem"], states(told)) == (3, 0, None, ["enabled"] * 3)
    assert ours(pair) == EVENTS
    issue_id, work_item_id = pair.linked()
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    pair.settle()
    assert pair.status(issue_id) == "resolved"
    assert {each.http_status for each in pair.ado.deliveries} == {202}
    again = watch(pair)
    assert (again["made"], again["removed"], ours(pair)) == (0, 0, EVENTS)
    assert pair.ask("GET", "hooks").json()["checked_at"] == again["checked_at"]


def test_the_timer_looks_after_every_organization(pair: Pair) -> None:
    pair.app.run_now("hook_watchdog")
    eventually(lambda: ours(pair) == EVENTS)


def test_a_password_that_somebody_changed_is_noticed_by_its_refusals_and_put_right(pair: Pair) -> None:
    watch(pair)
    issue_id, work_item_id = pair.linked()
    broken = id_of(pair)
    address = f"{pair.ado.organization_url}_apis/hooks/subscriptions/{broken}?api-version=7.1"
    body = requests.get(address, auth=("", ADO_TOKEN), timeout=10).json()
    body["consumerInputs"]["basicAuthPassword"] = "mistyped"
    assert requests.put(address, json=body, auth=("", ADO_TOKEN), timeout=10).status_code == 200
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    pair.ado.wait_for_deliveries()
    assert [each.status for each in pair.ado.subscriptions if each.id == broken] == ["onProbation"]
    told = watch(pair)
    assert (told["made"], told["removed"], ours(pair)) == (1, 1, EVENTS)
    [lost] = [each["lost"] for each in told["subscriptions"] if each["event"] == "workitem.updated"]
    assert lost["since"] <= lost["until"] <= told["checked_at"]
    # What was lost meanwhile is looked for at once.
    pair.settle()
    assert pair.status(issue_id) == "resolved"
    pair.ado.edit(work_item_id, **{STATE: "Active"})
    pair.settle()
    assert pair.status(issue_id) == "unresolved"


def test_what_somebody_deleted_is_made_anew_and_what_was_lost_is_found(pair: Pair) -> None:
    watch(pair)
    issue_id, work_item_id = pair.linked()
    for each in pair.ado.subscriptions:
        pair.ado.unsubscribe(each.id)
    pair.ado.edit(work_item_id, **{STATE: "Closed"})
    assert watch(pair)["made"] == 3
    pair.settle()
    assert (ours(pair), pair.status(issue_id)) == (EVENTS, "resolved")


def test_what_belonged_to_somebody_who_left_is_made_anew(pair: Pair) -> None:
    pair.subscribe(*WATCHED, httpHeaders=f"Shared-Secret: {HOOK_SECRET}")
    pair.ado.deactivate(pair.ado.service)
    told = watch(pair)
    assert (told["made"], told["removed"], ours(pair)) == (3, 3, EVENTS)


def test_twins_are_removed_and_what_is_not_ours_stays(pair: Pair) -> None:
    pair.subscribe(*WATCHED, httpHeaders=f"Shared-Secret: {HOOK_SECRET}")
    pair.ado.subscribe(f"{pair.app.url}/api/{pair.ado_route}", project="Fabrikam-Fiber")
    other = pair.ado.subscribe("http://127.0.0.1:9/elsewhere")
    watch(pair)
    pair.subscribe(*WATCHED, basicAuthUsername="me", basicAuthPassword=HOOK_SECRET)
    watch(pair)
    assert ours(pair) == EVENTS
    assert other in {each.id for each in pair.ado.subscriptions}


def test_what_a_user_disabled_stays_disabled_and_health_says_so(pair: Pair) -> None:
    watch(pair)
    disabled = id_of(pair)
    pair.ado.set_subscription_status(disabled, "disabledByUser")
    told = watch(pair)
    assert (told["made"], told["removed"], states(told)[0]) == (0, 0, "disabled-by-user")
    assert (id_of(pair), told["problem"]["kind"]) == (disabled, "disabled-by-user")
    eventually(lambda: is_red_for(pair.app, "disabled-by-user"))
    pair.ado.set_subscription_status(disabled, "enabled")
    assert watch(pair)["problem"] is None


@pytest.mark.parametrize("right", ["View", "Edit"])
def test_without_the_right_people_are_told_what_to_do(pair: Pair, right: str) -> None:
    pair.ado.deny(right)
    told = watch(pair)
    assert (told["made"], told["problem"]["kind"], len(told["by_hand"])) == (0, "forbidden", 3)
    assert told["problem"]["is_note"] is (right == "View")
    assert HOOK_SECRET not in str(told)
    # A refusal here is none of our credentials: everything else goes on.
    issue_id, work_item_id = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.state(work_item_id) == "Closed"
    pair.ado.allow()
    assert (watch(pair)["problem"], ours(pair)) == (None, EVENTS)


@pytest.mark.parametrize("fault", [html_page(500), sign_in_page(), html_page(404)])
def test_a_list_that_fails_is_unknown_and_never_none(pair: Pair, fault: Any) -> None:
    watch(pair)
    pair.ado.meet(fault, method="GET", path="subscriptions$")
    told = watch(pair)
    assert (states(told), told["made"], ours(pair)) == (["unknown"] * 3, 0, EVENTS)
    told = watch(pair)
    assert (states(told), told["made"], told["removed"]) == (["enabled"] * 3, 0, 0)


def test_an_empty_list_for_want_of_a_right_makes_no_second_ones(pair: Pair) -> None:
    """No document says whether such a list is refused or empty."""
    watch(pair)
    pair.ado.hooks.is_list_refused = False
    pair.ado.deny("View")
    told = watch(pair)
    assert (states(told), told["made"]) == (["unknown"] * 3, 0)
    pair.ado.allow()
    assert ours(pair) == EVENTS


def test_two_at_once_end_with_one_of_each(pair: Pair) -> None:
    pair.ado.meet(sign_in_page(), method="GET", path="subscriptions$")
    watch(pair)
    with ThreadPoolExecutor(4) as threads:
        answers = list(threads.map(lambda _: pair.ask("POST", "hooks"), range(4)))
    assert {each.status_code for each in answers} <= {200, 503}
    assert any(each.status_code == 200 for each in answers)
    assert all("Retry-After" in each.headers for each in answers if each.status_code == 503)
    assert ours(pair) == EVENTS


def test_two_organizations_at_one_account_do_not_fight(pair: Pair) -> None:
    second = Pair(pair.app, pair.ado, pair.sentry)
    assert second.configure().status_code == 201
    for _ in range(2):
        for each in (pair, second):
            watch(each)
            assert ours(each) in (EVENTS, [])
    assert (ours(pair), ours(second)) == (EVENTS, EVENTS)
    assert second.ask("DELETE", "config").status_code == 204
    assert (ours(pair), ours(second)) == (EVENTS, [])


def test_a_new_secret_loses_no_event(app: App) -> None:
    # Azure DevOps tries for three minutes while the app starts again, and here for twenty seconds.
    with connected(app, time_scale=0.1) as pair:
        watch(pair)
        work_item_id = pair.ado.add_item().id
        stop, edits = threading.Event(), list[int]()

        def edit() -> None:
            while not stop.wait(0.05):
                title = f"Fix login {len(edits)}"
                edits.append(pair.ado.edit(work_item_id, **{"System.Title": title}).rev)

        editing = threading.Thread(target=edit)
        editing.start()
        try:
            app.restart(ADO_WEBHOOK_SECRET=NEW_SECRET, ADO_WEBHOOK_SECRET_PREVIOUS=HOOK_SECRET)
            told = watch(pair)
            assert (told["made"], states(told)) == (3, ["enabled"] * 3)
            # An old one that has something on its way goes with a later look.
            watch(pair)
            stop.wait(0.3)
        finally:
            stop.set()
            editing.join()
        pair.ado.wait_for_deliveries(PATIENCE)
        watch(pair)
        assert ours(pair) == EVENTS
        assert {each.consumer_inputs["basicAuthPassword"] for each in pair.ado.subscriptions} == {NEW_SECRET}
        assert pair.ado.lost_events == []
        assert {each.http_status for each in pair.ado.deliveries} <= {200, 202, None}
        assert len(edits) > 10
        assert set(edits) <= arrived(pair)
        # Nothing needs the old one any more.
        app.restart(ADO_WEBHOOK_SECRET_PREVIOUS="")
        issue_id, work_item_id = pair.linked()
        pair.ado.edit(work_item_id, **{STATE: "Closed"})
        pair.settle()
        assert pair.status(issue_id) == "resolved"
    app.restart(ADO_WEBHOOK_SECRET=HOOK_SECRET)


def arrived(pair: Pair) -> set[object]:
    """Return the revisions whose events the app has taken."""
    bodies: list[Any] = [
        each.body
        for each in pair.ado.deliveries
        if each.http_status in {200, 202} and each.event_type == "workitem.updated"
    ]
    return {body["resource"]["rev"] for body in bodies}


def test_disconnecting_removes_them(pair: Pair) -> None:
    watch(pair)
    other = pair.ado.subscribe("http://127.0.0.1:9/elsewhere")
    answer = pair.ask("DELETE", "config")
    assert (answer.status_code, answer.content) == (204, b"")
    assert [each.id for each in pair.ado.subscriptions] == [other]


def test_what_cannot_be_removed_is_told_and_the_organization_is_gone(pair: Pair) -> None:
    watch(pair)
    pair.ado.deny("Delete")
    answer = pair.ask("DELETE", "config")
    assert answer.status_code == 200
    assert pair.ado_route in answer.json()["warnings"]["subscriptions"]
    assert pair.ask("GET", "config").status_code == 404
    assert pair.ask("GET", "hooks").status_code == 404


def test_the_log_names_no_secret(pair: Pair) -> None:
    watch(pair)
    assert HOOK_SECRET not in pair.app.log()
