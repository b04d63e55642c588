"""What people reported in public of integrations like this one, done to this one: docs/field_reports.md."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from simulator.ado.faults import Fault
from tests.e2e.app import HOOK_SECRET, Pair

ANN, BOB = "ann@corp.example", "bob@corp.example"
STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def does(pair: Pair, act: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
    act(*args, **kwargs)
    pair.settle()


def reconcile(pair: Pair) -> None:
    assert pair.ask("POST", "reconcile").status_code < 300
    pair.settle()


def refusal(status: int, message: str) -> Fault:
    return Fault(status, JSON, f'{{"message": "{message}"}}')


# Several at one end.


def test_a_duplicate_that_is_closed_closes_nothing_that_is_being_worked_on(connected: Pair) -> None:
    survivor, worked_on = connected.linked()
    merged, duplicate = connected.linked()
    connected.sentry.merge(merged, into=survivor)
    reconcile(connected)
    does(connected, connected.ado.edit, duplicate, **{STATE: "Closed"})
    assert (connected.status(survivor), connected.state(worked_on)) == ("unresolved", "New")
    does(connected, connected.ado.edit, worked_on, **{STATE: "Closed"})
    assert connected.status(survivor) == "resolved"


def test_a_closed_ticket_of_merged_issues_is_not_reopened_until_the_error_returns(connected: Pair) -> None:
    survivor, item = connected.linked()
    merged = connected.sentry.add_issue(announce=False).id
    connected.link(merged, item)
    connected.sentry.merge(merged, into=survivor)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    for _ in range(2):
        reconcile(connected)
        assert (connected.status(survivor), connected.state(item)) == ("resolved", "Closed")
    assert [link["issue_id"] for link in connected.links()] == [survivor]
    does(connected, connected.sentry.regress, survivor)
    assert connected.state(item) == "New"


def test_the_assignee_of_the_surviving_issue_is_carried_over_by_a_merge(connected: Pair) -> None:
    survivor = connected.sentry.add_issue(announce=False).id
    connected.sentry.assign(survivor, ANN)
    merged, item = connected.linked()
    connected.sentry.merge(merged, into=survivor)
    reconcile(connected)
    assert connected.item_assignee(item) == ANN
    assert ("moved", None) in connected.outcomes(survivor, item)


# People.


def test_an_address_is_the_same_in_any_case(connected: Pair) -> None:
    connected.sentry.add_member("dora.lind@corp.example")
    connected.ado.add_person("Dora Lind", "Dora.Lind@Corp.Example")
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: "Dora.Lind@Corp.Example"})
    assert connected.issue_assignee(issue_id) == "dora.lind@corp.example"
    does(connected, connected.sentry.assign, issue_id, ANN)
    does(connected, connected.sentry.assign, issue_id, "dora.lind@corp.example")
    assert (connected.item_assignee(item) or "").lower() == "dora.lind@corp.example"


GUEST = "gail_home.example#EXT#@corp.onmicrosoft.example"


@pytest.mark.parametrize("is_named", [True, False])
def test_a_guest_is_known_by_an_entry_and_left_alone_without_one(pair: Pair, *, is_named: bool) -> None:
    pair.connect(people={GUEST: "gail@home.example"} if is_named else {})
    pair.sentry.add_member("gail@home.example")
    pair.ado.add_person("Gail", GUEST)
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{ASSIGNED_TO: GUEST})
    assert pair.issue_assignee(issue_id) == ("gail@home.example" if is_named else None)
    assert pair.health(issue_id, item)[0] == ("settled" if is_named else "attention")
    does(pair, pair.sentry.assign, issue_id, ANN)
    does(pair, pair.sentry.assign, issue_id, "gail@home.example")
    assert (pair.item_assignee(item) or "").lower() == (GUEST.lower() if is_named else ANN)


def test_a_login_name_that_changes_unassigns_nobody(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, ANN)
    connected.ado.add_person("Ann Archer", "ann.bell@corp.example")
    connected.ado.edit(item, **{ASSIGNED_TO: "ann.bell@corp.example"})
    connected.settle()
    does(connected, connected.sentry.resolve, issue_id)
    assert (connected.state(item), connected.issue_assignee(issue_id)) == ("Closed", ANN)
    assert connected.item_assignee(item) == "ann.bell@corp.example"
    assert connected.health(issue_id, item) == ("attention", "assignee-not-found")


def test_an_identity_that_azure_devops_cannot_tell_keeps_no_state_back(connected: Pair) -> None:
    issue_id, item = connected.linked()
    message = "The identity value 'ann@corp.example' for field 'Assigned To' is an ambiguous identity."
    with connected.one_hook(issue_id):
        connected.ado.meet(refusal(400, message), method="PATCH")
        connected.sentry.assign(issue_id, ANN)
        connected.sentry.resolve(issue_id)
    assert connected.state(item) == "Closed"


# Refusals.


def test_items_that_may_not_be_edited_stop_no_other(connected: Pair) -> None:
    message = "TF237111: The current user does not have permissions to save work items."
    kept_away = [connected.linked() for _ in range(3)]
    for _, item in kept_away:
        connected.ado.meet(refusal(403, message), 99, method="PATCH", path=f"/{item}")
    for issue_id, _ in kept_away:
        does(connected, connected.sentry.resolve, issue_id)
    issue_id, item = connected.linked()
    does(connected, connected.sentry.resolve, issue_id)
    assert connected.state(item) == "Closed"
    reconcile(connected)
    for issue_id, item in kept_away:
        assert connected.health(issue_id, item) == ("attention", "forbidden")
        assert message in connected.activity(issue_id, item)[0]["reason"]
    # Of this organization alone: the health names those of other tests as well.
    kinds = {each["kind"] for each in connected.ask("GET", "status").json()["problems"]}
    assert "unauthorized" not in kinds


@pytest.mark.parametrize("status", [409, 412])
def test_a_lost_race_is_decided_again_at_once(connected: Pair, status: int) -> None:
    issue_id, item = connected.linked()
    connected.ado.meet(
        refusal(status, "TF26071: This work item has been changed by someone else."), method="PATCH"
    )
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert calls.ado == [f"PATCH {status}", "GET 200", "PATCH 200"]
    assert connected.state(item) == "Closed"
    assert connected.health(issue_id, item) == ("settled", None)


# Without hooks.


def test_what_no_hook_told_of_is_found_by_one_look(pair: Pair) -> None:
    pair.configure()
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    reconcile(pair)
    assert pair.state(item) == "Closed"


def test_many_edits_whose_hooks_are_all_lost_are_found_by_one_look(pair: Pair) -> None:
    pair.configure()
    links = [pair.linked() for _ in range(12)]
    for _, item in links:
        pair.ado.edit(item, **{STATE: "Closed"})
    reconcile(pair)
    assert {pair.status(issue_id) for issue_id, _ in links} == {"resolved"}


# What an error does next.


def test_a_regression_reopens_where_the_work_was(connected: Pair) -> None:
    issue_id, item = connected.linked()
    for state in ("Active", "Closed"):
        does(connected, connected.ado.edit, item, **{STATE: state})
    assert connected.status(issue_id) == "resolved"
    does(connected, connected.sentry.regress, issue_id)
    assert (connected.status(issue_id), connected.state(item)) == ("unresolved", "Active")


def test_an_archived_issue_whose_ticket_is_done_comes_back_when_it_escalates(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.archive, issue_id)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert (connected.status(issue_id), connected.state(item)) == ("ignored", "Closed")
    does(connected, connected.sentry.regress, issue_id)
    reconcile(connected)
    assert connected.status(issue_id) == "unresolved"
    assert connected.state(item) == "New"


def test_resolved_in_the_next_release_stays_that(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.resolve, issue_id, in_next_release=True)
    reconcile(connected)
    assert connected.state(item) == "Closed"
    assert connected.sentry.issue(issue_id)["statusDetails"].get("inNextRelease") is True


# Deliveries.


def test_one_hook_many_times_at_once_is_one_comment(pair: Pair) -> None:
    pair.connect(sync_comments=True)
    issue_id, item = pair.linked()
    comment_id = pair.sentry.comment(issue_id, "Once.", actor=ANN)
    content = {"comment_id": comment_id, "issue_id": int(issue_id), "comment": "", "project_slug": "web"}
    body = {"action": "created", "data": content, "actor": {"type": "user", "id": 1, "name": "Ann"}}
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: pair.deliver_from_sentry(body, resource="comment"), range(6)))
    assert {answer.status_code for answer in answers} == {202}
    pair.settle()
    assert len(pair.ado.item(item).comments) == 1


def test_a_delivery_without_a_length_is_malformed_and_does_no_harm(connected: Pair) -> None:
    headers = {"Content-Type": "application/json", "Shared-Secret": HOOK_SECRET}
    answer = connected.app.ask("POST", connected.ado_route, data=iter([b"{}"]), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed-payload")
