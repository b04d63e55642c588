"""What one change costs in calls to either vendor: the promises of the design, counted by the fakes."""

import pytest

from tests.e2e.app import App, Pair, eventually

STATE = "System.State"
ASSIGNED_TO = "System.AssignedTo"
ANN = "ann@corp.example"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    """An organization whose project's states are known to the app already."""
    pair.connect().linked()
    return pair


def test_a_status_costs_one_call_to_azure_devops(connected: Pair) -> None:
    issue_id, _ = connected.linked()
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 200"]
    assert calls.sentry == ["GET 200"]


def test_an_assignee_costs_one_call_to_azure_devops(connected: Pair) -> None:
    issue_id, _ = connected.linked()
    with connected.calls() as calls:
        connected.sentry.assign(issue_id, ANN)
    assert calls.ado == ["PATCH 200"]


def test_both_fields_cost_one_call_to_azure_devops(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.calls() as calls, connected.one_hook(issue_id):
        connected.sentry.resolve(issue_id)
        connected.sentry.assign(issue_id, ANN)
    assert calls.ado == ["PATCH 200"]
    assert (connected.state(item), connected.item_assignee(item)) == ("Closed", ANN)


def test_the_cost_is_the_same_among_a_thousand_projects(app: App) -> None:
    with Pair.beside(app, projects=1000) as pair:
        issue_id, item = pair.connect().linked(project="Project 00987")
        with pair.calls() as calls:
            pair.sentry.resolve(issue_id)
    assert (calls.ado, item) == (["PATCH 200"], 1)


def test_a_work_item_edited_meanwhile_costs_three_calls(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.ado.held_deliveries():
        connected.ado.edit(item, **{"System.Title": "Fix login, really"})
        with connected.calls() as calls:
            connected.sentry.resolve(issue_id)
            connected.rest("sentry")
    assert calls.ado == ["PATCH 412", "GET 200", "PATCH 200"]
    assert connected.state(item) == "Closed"


def test_a_work_item_closed_meanwhile_is_not_written_again(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.ado.held_deliveries():
        connected.ado.edit(item, **{STATE: "Resolved"})
        with connected.calls() as calls:
            connected.sentry.resolve(issue_id)
            connected.rest("sentry")
    assert calls.ado == ["PATCH 412", "GET 200"]
    assert connected.state(item) == "Resolved"


def test_a_state_costs_no_call_to_azure_devops(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.calls() as calls:
        connected.ado.edit(item, **{STATE: "Closed"})
    assert calls.ado == []
    # Our own write comes back as a hook, and is read once.
    assert calls.sentry == ["GET 200", "PUT 200", "GET 200"]
    assert connected.status(issue_id) == "resolved"


def test_a_state_of_a_project_seen_for_the_first_time_costs_one_call(pair: Pair) -> None:
    pair.connect()
    issue_id = pair.sentry.add_issue(announce=False).id
    item = pair.ado.add_item().id
    with pair.calls() as linking:
        pair.link(issue_id, item)
    with pair.calls() as calls:
        pair.ado.edit(item, **{STATE: "Closed"})
    assert linking.ado == ["GET 200", "GET 200"]
    assert calls.ado == []


def test_a_stripped_hook_costs_one_call_to_azure_devops(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.ado.held_deliveries():
        connected.ado.edit(item, **{STATE: "Closed"})
        body = {"eventType": "workitem.updated", "resource": {"workItemId": item, "rev": 2}}
        with connected.calls() as calls:
            connected.deliver(body)
            eventually(lambda: connected.status(issue_id) == "resolved")
            connected.rest("sentry")
    assert calls.ado == ["GET 200"]


def test_our_own_write_costs_nothing_when_it_comes_back(connected: Pair) -> None:
    issue_id, _ = connected.linked()
    connected.sentry.resolve(issue_id)
    connected.settle()
    echo = connected.ado.deliveries[-1]
    with connected.calls() as calls:
        connected.deliver(dict(echo.body))
    assert (calls.ado, calls.sentry) == ([], [])


@pytest.mark.parametrize("links", [1, 3])
def test_each_link_of_an_issue_costs_one_write(connected: Pair, links: int) -> None:
    issue_id, first = connected.linked()
    items = [first, *(connected.ado.add_item().id for _ in range(links - 1))]
    for item in items[1:]:
        connected.link(issue_id, item)
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 200"] * links
    assert calls.sentry == ["GET 200"]


def test_a_quiet_reconciliation_asks_each_service_once_for_all_links(connected: Pair) -> None:
    for _ in range(3):
        connected.linked()
    connected.ask("POST", "reconcile")
    with connected.calls() as calls:
        assert connected.ask("POST", "reconcile").json()["links"] == 4
    # On demand, how all work items stand is asked for as well, who is there, and what our token may do.
    assert calls.ado == ["GET 200", "GET 200", "POST 200"]
    assert calls.sentry == ["GET 200"] * 4
