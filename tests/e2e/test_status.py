"""What an operator sees: status, events, all organizations, copies, and health in six broken states."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from shared.version import VERSION
from tests.e2e.app import App, Pair, eventually, own_app

STATE = "System.State"
ANN = "ann@corp.example"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A host that no other test has left anything on: health speaks of all organizations."""
    with own_app(tmp_path_factory.mktemp("own")) as (running, _):
        yield running


@pytest.fixture
def pair(app: App) -> Iterator[Pair]:
    with Pair.beside(app) as pair:
        yield pair
        pair.ask("DELETE", "config")
    app.clear()


def status(pair: Pair) -> dict[str, Any]:
    answer = pair.ask("GET", "status")
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


def kinds(pair: Pair) -> list[tuple[str, str | None]]:
    return [(each["kind"], each["side"]) for each in status(pair)["problems"]]


def events(pair: Pair) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pair.ask("GET", "events").json()["events"]
    return found


def turns_red(pair: Pair, words: str) -> None:
    """Wait until health names a problem, which it may say ten seconds late."""

    def is_told() -> bool:
        said = pair.app.ask("GET", "health").json()
        return said["status"] == "degraded" and any(words in each for each in said["problems"])

    eventually(is_told)


# Status and events.


def test_status_of_an_organization_where_nothing_happened(pair: Pair) -> None:
    pair.connect()
    said = status(pair)
    next_run = said["reconciler"].pop("next_run")
    assert next_run.endswith("+00:00")
    assert said == {
        "organization": pair.slug,
        "version": VERSION,
        "ado": {
            "last_event": None,
            "last_refused": None,
            "hours": [],
            "subscriptions": [
                {"event": f"workitem.{event}", "state": "unknown", "since": None}
                for event in ("updated", "deleted", "restored")
            ],
        },
        "sentry": {"last_event": None, "last_refused": None, "hours": []},
        "reconciler": {"last_run": None, "untold": 0},
        "delay": {"median": None, "p95": None, "longest": None},
        "links": {"total": 0, "settled": 0, "pending": 0, "attention": 0, "agree": 0, "apart": 0},
        "problems": [],
    }


def test_what_a_hook_told_is_counted_timed_and_listed(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    said = status(pair)
    [hour] = said["sentry"]["hours"][:1]
    assert (hour["taken"], hour["refused"]) == (1, 0)
    assert said["sentry"]["last_event"] is not None
    assert 0.0 < said["delay"]["median"] <= said["delay"]["p95"] <= said["delay"]["longest"] < 30.0
    assert said["links"] == {
        "total": 1, "settled": 1, "pending": 0, "attention": 0, "agree": 1, "apart": 0,
    }  # fmt: skip
    [event] = [each for each in events(pair) if each["outcome"] == "applied"]
    assert event.pop("at")
    assert event.pop("took") > 0.0
    assert event == {
        "side": "sentry", "kind": "issue", "issue_id": issue_id, "work_item_id": item,
        "outcome": "applied", "reason": None, "told_by": "hook",
    }  # fmt: skip
    assert pair.activity(issue_id, item)[0]["told_by"] == "hook"


def test_our_own_write_that_comes_back_is_counted_and_not_kept(pair: Pair) -> None:
    issue_id, _ = pair.connect().linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    [hour] = status(pair)["ado"]["hours"]
    assert (hour["taken"], hour["nothing_to_do"], hour["not_linked"]) == (1, 1, 0)
    assert [each["outcome"] for each in events(pair)] == ["applied"]


def test_what_is_not_linked_is_counted_and_not_kept(pair: Pair) -> None:
    pair.connect()
    item = pair.ado.add_item().id
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.ado.edit(item, **{"System.Title": "New words"})
    pair.sentry.resolve(pair.sentry.add_issue(announce=False).id)
    pair.settle()
    said = status(pair)
    assert [said[side]["hours"][0]["not_linked"] for side in ("ado", "sentry")] == [1, 1]
    assert said["ado"]["hours"][0]["nothing_to_do"] == 1  # the title
    assert events(pair) == []


def test_a_change_that_the_reconciler_found_first_is_told_as_its_own(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.ask("POST", "reconcile")
    pair.settle()
    with pair.ado.held_deliveries():
        pair.ado.edit(item, **{STATE: "Closed"})
        pair.ask("POST", "reconcile")
        eventually(lambda: pair.status(issue_id) == "resolved")
        # The worker is done with it when its message is gone.
        eventually(lambda: pair.app.messages() == 0)
    pair.settle()
    assert status(pair)["reconciler"]["untold"] == 1
    [event] = [each for each in events(pair) if each["outcome"] == "applied"]
    assert (event["told_by"], event["took"]) == ("reconciler", None)
    # The hook came after all, so there is nothing to look into.
    assert status(pair)["problems"] == []


def test_events_are_paged(pair: Pair) -> None:
    pair.connect()
    assert pair.ask("GET", "events", params={"limit": 1}).status_code == 400
    assert pair.ask("GET", "events").json() == {"events": [], "continuation": None}


def test_a_body_ends_with_its_line(pair: Pair) -> None:
    assert pair.connect().ask("GET", "status").text.endswith("}\n")


def test_all_organizations_are_listed(pair: Pair) -> None:
    pair.connect()
    said = pair.app.ask("GET", "organizations").json()
    [own] = [each for each in said["organizations"] if each["organization"] == pair.slug]
    assert (own["ado_url"], own["problems"]) == (pair.ado.organization_url, [])


# The six states that were silent.


def test_a_sentry_organization_that_does_not_exist_is_named(pair: Pair) -> None:
    pair.connect()
    pair.sentry.rename("elsewhere")
    pair.ask("POST", "reconcile")
    assert kinds(pair) == [("organization-not-found", "sentry")]
    turns_red(pair, "Sentry knows no organization")
    pair.configure(sentry_organization="elsewhere")
    assert kinds(pair) == []


@pytest.mark.long
def test_a_refused_ado_token_is_named_without_a_link(pair: Pair) -> None:
    pair.ado.tokens.clear()
    pair.connect()
    assert kinds(pair) == [("unauthorized", "ado")]
    turns_red(pair, "Azure DevOps does not accept our credentials")


@pytest.mark.long
def test_a_token_that_is_refused_later_is_found_by_a_run_and_so_is_the_cure(pair: Pair) -> None:
    pair.connect()
    assert kinds(pair) == []
    pair.sentry.fail_next(1, 401)
    pair.configure(sync_comments=True)
    assert kinds(pair) == [("unauthorized", "sentry")]
    turns_red(pair, "Sentry does not accept our credentials")
    pair.ask("POST", "reconcile")
    assert kinds(pair) == []


def test_a_problem_is_put_among_the_events_once(pair: Pair) -> None:
    pair.connect()
    accepted = dict(pair.ado.tokens)
    pair.ado.tokens.clear()
    pair.configure(sync_comments=True)
    for _ in range(3):
        pair.ask("POST", "reconcile")
    pair.ado.tokens |= accepted
    pair.ask("POST", "reconcile")
    told = [(each["kind"], each["outcome"], each["reason"]) for each in events(pair)]
    assert told == [
        ("problem", "cured", "unauthorized"),
        ("problem", "began", "unauthorized"),
    ]


@pytest.mark.parametrize("side", ["ado", "sentry"])
def test_hooks_with_a_wrong_proof_are_named(pair: Pair, side: str) -> None:
    pair.connect()

    def turn_away() -> requests.Response:
        if side == "ado":
            return pair.deliver({"eventType": "workitem.updated"}, secret="wrong")
        return pair.deliver_from_sentry({"action": "resolved", "data": {}}, key="wrong")

    assert [turn_away().status_code for _ in range(4)] == [401] * 4
    assert kinds(pair) == []
    turn_away()
    assert kinds(pair) == [("deliveries-refused", side)]
    assert status(pair)[side]["hours"][0]["refused"] == 5
    turns_red(pair, "are refused")


@pytest.mark.long
def test_hooks_without_any_subscription_are_named(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.ask("POST", "reconcile")
    pair.settle()
    for subscription in list(pair.ado.hooks):
        pair.ado.hooks.remove(subscription.id)
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.ask("POST", "reconcile")
    eventually(lambda: pair.status(issue_id) == "resolved")
    pair.settle()
    assert kinds(pair) == [("changes-untold", "ado")]
    turns_red(pair, "that no hook told")


def test_deliveries_after_a_disconnect_are_named(pair: Pair) -> None:
    pair.connect()
    assert pair.ask("DELETE", "config").status_code == 204
    item = pair.ado.add_item().id
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.ado.wait_for_deliveries()
    turns_red(pair, "that are not connected")
    [own] = [
        each
        for each in pair.app.ask("GET", "organizations").json()["not_connected"]
        if each["organization"] == pair.slug
    ]
    assert own["side"] == "ado"


def test_a_stranger_who_knows_a_door_makes_no_problem_while_others_come_in(pair: Pair) -> None:
    pair.connect()
    assert pair.deliver({"eventType": "workitem.created"}).status_code == 200
    for _ in range(9):
        pair.deliver({"eventType": "workitem.updated"}, secret="wrong")
    assert kinds(pair) == []


# Agree, apart, copy.


def of(pair: Pair, issue_id: str, **query: str) -> list[dict[str, Any]]:
    answer = pair.ask("GET", "links", params={"issue_id": issue_id, **query})
    assert answer.status_code == 200, answer.text
    links: list[dict[str, Any]] = answer.json()["links"]
    return links


@pytest.fixture
def paused(pair: Pair) -> tuple[Pair, str, int]:
    """A work item that was closed while the sync was off, which is on again."""
    issue_id, item = pair.connect().linked()
    pair.configure(issue_sync=False)
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.settle()
    pair.configure()
    pair.settle()
    return pair, issue_id, item


def test_sides_that_a_pause_left_apart_are_not_called_settled_alone(paused: tuple[Pair, str, int]) -> None:
    pair, issue_id, _ = paused
    [link] = of(pair, issue_id)
    assert (link["health"], link["sides"], link["differ"]) == ("settled", "apart", ["status"])
    assert link["apart"] == [{"field": "status", "reason": "inbound-off"}]
    assert (link["issue"]["status"], link["work_item"]["state"]) == ("unresolved", "Closed")
    assert [len(of(pair, issue_id, sides=each)) for each in ("agree", "apart")] == [0, 1]
    assert status(pair)["links"]["apart"] == 1


@pytest.mark.parametrize(
    ("side", "ends"), [("ado", ("resolved", "Closed")), ("sentry", ("unresolved", "New"))]
)
def test_a_copy_makes_both_agree_from_either_side(
    paused: tuple[Pair, str, int], side: str, ends: tuple[str, str]
) -> None:
    pair, issue_id, item = paused
    answer = pair.ask("POST", f"links/{issue_id}/{item}/copy", json={"from": side})
    assert (answer.status_code, answer.json()) == (200, {"outcome": "applied"})
    pair.settle()
    assert (pair.status(issue_id), pair.state(item)) == ends
    assert of(pair, issue_id)[0]["sides"] == "agree"
    entry = pair.activity(issue_id, item)[0]
    assert (entry["outcome"], entry["reason"], entry["told_by"]) == ("applied", "copied", None)


def test_all_that_match_a_filter_are_copied(paused: tuple[Pair, str, int]) -> None:
    pair, issue_id, item = paused
    pair.linked()
    assert pair.ask("POST", "links/copy", json={"from": "ado"}).status_code == 400
    answer = pair.ask("POST", "links/copy", params={"sides": "apart"}, json={"from": "ado"})
    assert answer.json() == {
        "links": [{"issue_id": issue_id, "work_item_id": item, "outcome": "applied"}],
        "continuation": None,
        "remaining": False,
    }
    assert pair.status(issue_id) == "resolved"


def test_an_archived_issue_is_copied_over_when_somebody_says_so(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.sentry.archive(issue_id)
    pair.settle()
    [link] = of(pair, issue_id)
    assert link["apart"] == [{"field": "status", "reason": "archived"}]
    pair.ask("POST", f"links/{issue_id}/{item}/copy", json={"from": "ado"})
    assert pair.status(issue_id) == "unresolved"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"health": "settled"}, True), ({"health": "attention"}, False), ({"sides": "agree"}, True),
        ({"reason": "archived"}, False), ({"project": "fabrikam-fiber"}, True), ({"project": "Else"}, False),
        ({"q": "login"}, True), ({"q": "FE-"}, True), ({"q": "nobody"}, False),
    ],
)  # fmt: skip
def test_filters_are_the_servers(pair: Pair, query: dict[str, str], found: bool) -> None:
    pair.connect().linked()
    links = pair.ask("GET", "links", params=query).json()["links"]
    assert len(links) == int(found)


@pytest.mark.parametrize("query", [{"limit": "1"}, {"health": "well"}, {"sides": "both"}])
def test_a_filter_that_nobody_knows_is_refused(pair: Pair, query: dict[str, str]) -> None:
    answer = pair.connect().ask("GET", "links", params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")


def names_of(pair: Pair, issue_id: str, item: int) -> list[tuple[object, object]]:
    short_id = pair.sentry.issue(issue_id)["shortId"]
    page = (
        f"{pair.sentry.url.rstrip('/')}/organizations/{pair.sentry.organization}/issues/{issue_id}/?project=1"
    )
    edit = f"{pair.ado.organization_url}Fabrikam-Fiber/_workitems/edit/{item}"
    return [(issue_id, item), (int(issue_id), str(item)), (short_id, f"AB#{item}"), (page, edit)]


def test_ids_are_taken_as_people_have_them(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    for issue, work_item in names_of(pair, issue_id, item):
        pair.ask("DELETE", f"links/{issue_id}/{item}")
        answer = pair.post_link(issue, work_item)
        assert answer.status_code == 201, (issue, work_item, answer.text)
        assert (answer.json()["issue_id"], answer.json()["work_item_id"]) == (issue_id, item)
        assert len(of(pair, str(issue))) == 1
