"""Types that allow few moves, through real hooks of both sides."""

from typing import Any

import pytest

from tests.e2e.app import Pair

PROJECT = "Fabrikam-Fiber"
STATE = "System.State"
# Nothing but New, then Active, then Resolved, then Closed; back to Active from either.
CHAIN = {
    "New": ("Active",),
    "Active": ("New", "Resolved"),
    "Resolved": ("Active", "Closed"),
    "Closed": ("Active",),
}


def connected(pair: Pair, moves: Any, **changes: Any) -> Pair:
    pair.ado.catalog.restrict(PROJECT, "Bug", moves)
    return pair.connect(**changes)


# https://github.com/bluebasher/WorkItemUpdater/issues/46
def test_reopening_goes_to_the_first_state_that_the_workflow_allows(pair: Pair) -> None:
    connected(pair, {"New": ("Closed",), "Closed": ("Active",)})
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    with pair.calls() as calls:
        pair.sentry.unresolve(issue_id)
    assert (pair.state(item), pair.health(issue_id, item)) == ("Active", ("settled", None))
    assert calls.ado == ["PATCH 200"]


# https://github.com/fortify-ps/FortifyBugTrackerUtility/issues/57
def test_a_mapped_state_that_cannot_be_reached_gives_way_to_one_that_can(pair: Pair) -> None:
    pair.connect(
        status_mapping={
            pair.ado.catalog.project("CMMI Works").id: {"on_resolve": "Resolved", "on_unresolve": "Active"}
        }
    )
    issue_id, item = pair.linked("CMMI Works", "Bug")
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert (pair.state(item), pair.health(issue_id, item)) == ("Closed", ("settled", None))


def test_a_path_is_walked_and_its_hooks_are_our_own(pair: Pair) -> None:
    connected(pair, CHAIN)
    issue_id, item = pair.linked()
    with pair.calls() as calls:
        pair.sentry.resolve(issue_id)
        pair.settle()
    assert calls.ado.count("PATCH 200") == 2
    assert "PATCH 400" not in calls.ado
    assert (pair.state(item), pair.status(issue_id)) == ("Resolved", "resolved")
    assert pair.outcomes(issue_id, item).count(("applied", "status")) == 1
    newest = pair.activity(issue_id, item)[0]
    assert (newest["from"], newest["to"], newest["reason"]) == ("New", "Resolved", "via Active")
    pair.rest()
    assert (pair.state(item), pair.status(issue_id)) == ("Resolved", "resolved")


@pytest.mark.parametrize("table", ["empty", "absent"])
def test_a_server_without_a_table_of_moves_restricts_nothing(pair: Pair, table: Any) -> None:
    pair.ado.catalog.transitions = table
    pair.connect()
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.state(item) == "Closed"


def test_a_refused_state_is_passed_over_at_once(pair: Pair) -> None:
    pair.connect()
    issue_id, item = pair.linked()
    refusal = {"message": "TF401320: Rule Error for field Root Cause. Error code: Required."}
    pair.ado.fail_next(1, 400, body=refusal, method="PATCH", path="workitems")
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert (pair.state(item), pair.health(issue_id, item)) == ("Resolved", ("settled", None))
    assert ("refused", "status") in pair.outcomes(issue_id, item)


def test_what_is_out_of_reach_is_told_until_the_workflow_changes(pair: Pair) -> None:
    connected(pair, {"New": (), "Closed": ("Active",)})
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert (pair.state(item), pair.health(issue_id, item)) == ("New", ("attention", "state-unreachable"))
    pair.ado.edit(item, **{"System.Title": "Renamed"})
    pair.settle()
    assert pair.state(item) == "New"
