"""Status and assignee there and back, through real hooks of both sides: every process and odd case."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.app import HOOK_SECRET, OLD_HOOK_SECRET, Pair, Side

AGILE = "Fabrikam-Fiber"
STATE = "System.State"
ASSIGNED_TO = "System.AssignedTo"
ANN, BOB, CAROL = "ann@corp.example", "bob@corp.example", "carol@corp.example"
NOBODY = ""

# Project, work item type, an open state to start from, and what is written when the issue is resolved.
PROCESSES = [
    (AGILE, "Bug", "New", "Closed"),
    (AGILE, "Task", "Active", "Closed"),
    ("Tailored", "Störung", "In Klärung", "Closed"),
    *(
        pytest.param(*each, marks=pytest.mark.long)
        for each in (
            ("Scrum Team", "Product Backlog Item", "Approved", "Done"),
            ("Scrum Team", "Impediment", "Open", "Closed"),
            ("Basic Board", "Issue", "Doing", "Done"),
            ("CMMI Works", "Bug", "Proposed", "Closed"),
            ("Tailored", "Bug", "Triaged", "Closed"),
        )
    ),
]


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def ends(pair: Pair, issue_id: str, work_item_id: int) -> tuple[str, str, str | None, str | None]:
    """Return status and state, then who has the issue and who the work item."""
    return (
        pair.status(issue_id),
        pair.state(work_item_id),
        pair.issue_assignee(issue_id),
        pair.item_assignee(work_item_id),
    )


def does(pair: Pair, change: Callable[..., Any], *arguments: Any, **fields: Any) -> None:
    """Have a person do something, and wait until both sides have come to rest."""
    change(*arguments, **fields)
    pair.settle()


# Every process.


@pytest.mark.parametrize(("project", "kind", "open_state", "done_state"), PROCESSES)
def test_both_fields_travel_there_and_back_without_any_mapping(
    connected: Pair, project: str, kind: str, open_state: str, done_state: str
) -> None:
    ado, sentry = connected.ado, connected.sentry
    issue_id, item = connected.linked(project, kind, **{STATE: open_state})

    does(connected, sentry.resolve, issue_id)
    assert ends(connected, issue_id, item) == ("resolved", done_state, None, None)
    does(connected, sentry.unresolve, issue_id)
    assert ends(connected, issue_id, item) == ("unresolved", open_state, None, None)
    does(connected, sentry.assign, issue_id, ANN)
    assert ends(connected, issue_id, item) == ("unresolved", open_state, ANN, ANN)

    does(connected, ado.edit, item, **{STATE: done_state})
    assert ends(connected, issue_id, item) == ("resolved", done_state, ANN, ANN)
    does(connected, ado.edit, item, **{STATE: open_state})
    assert ends(connected, issue_id, item) == ("unresolved", open_state, ANN, ANN)
    does(connected, ado.edit, item, **{ASSIGNED_TO: BOB})
    assert ends(connected, issue_id, item) == ("unresolved", open_state, BOB, BOB)
    does(connected, ado.edit, item, **{ASSIGNED_TO: NOBODY})
    assert ends(connected, issue_id, item) == ("unresolved", open_state, None, None)
    assert connected.health(issue_id, item) == ("settled", None)


def test_an_unassign_in_sentry_travels_though_no_hook_announces_it(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, ANN)
    connected.sentry.unassign(issue_id)
    answer = connected.ask("POST", "reconcile")
    assert answer.status_code == 202, answer.text
    connected.settle()
    assert ends(connected, issue_id, item) == ("unresolved", "New", None, None)


def test_both_fields_changed_in_one_edit_travel_together(connected: Pair) -> None:
    issue_id, item = connected.linked()
    connected.sentry.webhook_url = None
    does(connected, connected.ado.edit, item, **{STATE: "Closed", ASSIGNED_TO: ANN})
    assert ends(connected, issue_id, item) == ("resolved", "Closed", ANN, ANN)


@pytest.mark.parametrize("version", ["1.0", "3.1-preview.3", "5.1-preview.3"])
@pytest.mark.parametrize("details", ["all", "minimal"])
def test_every_shape_of_hook_is_understood(pair: Pair, version: str, details: str) -> None:
    pair.configure()
    pair.ado.subscribe(
        f"{pair.app.url}/api/{pair.ado_route}",
        version=version,
        httpHeaders=f"Shared-Secret: {HOOK_SECRET}",
        resourceDetailsToSend=details,
    )
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{STATE: "Resolved", ASSIGNED_TO: BOB})
    assert ends(pair, issue_id, item) == ("resolved", "Resolved", BOB, BOB)


@pytest.mark.parametrize(
    "inputs",
    [
        {"basicAuthUsername": "anybody", "basicAuthPassword": HOOK_SECRET},
        {"basicAuthPassword": OLD_HOOK_SECRET},
        {"httpHeaders": f"Shared-Secret: {OLD_HOOK_SECRET}"},
        {"httpHeaders": f"X-Other: 1\nshared-secret:{HOOK_SECRET}"},
    ],
)
def test_a_subscription_may_prove_itself_in_any_way(pair: Pair, inputs: dict[str, str]) -> None:
    pair.configure()
    pair.subscribe(**inputs)
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{STATE: "Closed"})
    assert pair.status(issue_id) == "resolved"


# Mappings.


def test_a_mapping_of_a_type_wins_over_its_projects_and_that_over_the_default(pair: Pair) -> None:
    task = {"on_resolve": "Closed", "on_unresolve": "Active"}
    mapping = {"on_resolve": "Resolved", "on_unresolve": "New", "types": {"Task": task}}
    pair.connect(status_mapping={pair.ado.project_id(AGILE): mapping})
    kinds = {"Bug": ("Resolved", "New"), "User Story": ("Resolved", "New"), "Task": ("Closed", "Active")}
    issue_id = pair.sentry.add_issue(announce=False).id
    # The open state it had before would be the default.
    items = {kind: pair.ado.add_item(kind=kind, **{STATE: "Active"}).id for kind in kinds}
    other = pair.ado.add_item(kind="Bug", project="Tailored", **{STATE: "Triaged"}).id
    for item in (*items.values(), other):
        pair.link(issue_id, item)

    does(pair, pair.sentry.resolve, issue_id)
    assert {kind: pair.state(item) for kind, item in items.items()} == {
        kind: done for kind, (done, _) in kinds.items()
    }
    assert pair.state(other) == "Closed"
    does(pair, pair.sentry.unresolve, issue_id)
    assert {kind: pair.state(item) for kind, item in items.items()} == {
        kind: opened for kind, (_, opened) in kinds.items()
    }
    assert pair.state(other) == "Triaged"


def test_a_mapped_state_that_the_type_lacks_is_passed_over(pair: Pair) -> None:
    mapping = {"on_resolve": "Resolved", "on_unresolve": "Active"}
    pair.connect(status_mapping={pair.ado.project_id(AGILE): mapping})
    issue_id, item = pair.linked(kind="Task")
    does(pair, pair.sentry.resolve, issue_id)
    assert pair.state(item) == "Closed"


def test_a_state_that_the_mapping_calls_done_resolves(pair: Pair) -> None:
    mapping = {"on_resolve": "Closed", "on_unresolve": "New", "done_states": ["Active"]}
    pair.connect(status_mapping={pair.ado.project_id(AGILE): mapping})
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{STATE: "Active"})
    assert pair.status(issue_id) == "resolved"


def test_done_may_begin_at_completed_only(pair: Pair) -> None:
    pair.connect(done_categories=["Completed"])
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{STATE: "Resolved"})
    assert pair.status(issue_id) == "unresolved"
    does(pair, pair.ado.edit, item, **{STATE: "Closed"})
    assert pair.status(issue_id) == "resolved"


# Several links.


def test_every_work_item_of_an_issue_follows_it_and_no_other(connected: Pair) -> None:
    issue_id, bug = connected.linked()
    story = connected.ado.add_item(kind="Product Backlog Item", project="Scrum Team").id
    connected.link(issue_id, story)
    does(connected, connected.sentry.resolve, issue_id)
    assert (connected.state(bug), connected.state(story)) == ("Closed", "Done")
    # The issue is reopened with the first of them, and belongs to whom it is assigned last.
    does(connected, connected.ado.edit, story, **{STATE: "Committed"})
    does(connected, connected.ado.edit, story, **{ASSIGNED_TO: ANN})
    assert ends(connected, issue_id, story) == ("unresolved", "Committed", ANN, ANN)
    assert ends(connected, issue_id, bug) == ("unresolved", "Closed", ANN, None)
    # It becomes resolved with the last of them.
    does(connected, connected.ado.edit, bug, **{STATE: "Active"})
    does(connected, connected.ado.edit, bug, **{STATE: "Closed"})
    assert (connected.status(issue_id), connected.health(issue_id, bug)[1]) == (
        "unresolved",
        "waits-for-others",
    )
    does(connected, connected.ado.edit, story, **{STATE: "Done"})
    assert connected.status(issue_id) == "resolved"
    assert connected.health(issue_id, bug) == ("settled", None)


def test_every_issue_of_a_work_item_follows_it_and_no_other(connected: Pair) -> None:
    first, item = connected.linked()
    second = connected.sentry.add_issue(announce=False).id
    connected.link(second, item)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert (connected.status(first), connected.status(second)) == ("resolved", "resolved")
    does(connected, connected.sentry.unresolve, first)
    assert (connected.status(second), connected.state(item)) == ("resolved", "New")
    does(connected, connected.sentry.resolve, first)
    assert connected.state(item) == "Closed"


def test_the_parting_of_the_last_one_that_is_not_done_lets_the_others_finish(connected: Pair) -> None:
    issue_id, done = connected.linked()
    is_open = connected.ado.add_item().id
    connected.link(issue_id, is_open)
    does(connected, connected.ado.edit, done, **{STATE: "Closed"})
    assert connected.status(issue_id) == "unresolved"
    assert connected.ask("DELETE", f"links/{issue_id}/{is_open}").status_code == 204
    connected.settle()
    assert connected.status(issue_id) == "resolved"


def test_one_of_several_is_enough_where_the_document_says_so(connected: Pair) -> None:
    connected.configure(done_when="any")
    issue_id, done = connected.linked()
    is_open = connected.ado.add_item().id
    connected.link(issue_id, is_open)
    does(connected, connected.ado.edit, done, **{STATE: "Closed"})
    assert (connected.status(issue_id), connected.state(is_open)) == ("resolved", "New")


# People.


def test_people_with_two_addresses_are_known_under_both(pair: Pair) -> None:
    pair.connect(people={"Ann@corp.example": "ann@home.example"})
    pair.sentry.add_member("Ann@Home.example")
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{ASSIGNED_TO: ANN})
    assert str(pair.issue_assignee(issue_id)).lower() == "ann@home.example"
    does(pair, pair.ado.edit, item, **{ASSIGNED_TO: NOBODY})
    does(pair, pair.sentry.assign, issue_id, "ann@home.example")
    assert pair.item_assignee(item) == ANN


def test_a_person_unknown_to_sentry_is_recorded_once_and_blocks_no_status(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: ANN})
    does(connected, connected.ado.edit, item, **{STATE: "Closed", ASSIGNED_TO: CAROL})
    # Left as it was: not turned into an unassign.
    assert ends(connected, issue_id, item) == ("resolved", "Closed", ANN, CAROL)
    assert connected.health(issue_id, item) == ("attention", "assignee-not-found")
    does(connected, connected.ado.edit, item, **{STATE: "Active"})
    does(connected, connected.sentry.resolve, issue_id)
    assert ends(connected, issue_id, item) == ("resolved", "Closed", ANN, CAROL)
    assert connected.outcomes(issue_id, item).count(("refused", "assignee")) == 1
    # Ann, then Carol once: no event asks for her again.
    assert sum(path.endswith("/members/") for _, path, _ in connected.sentry.calls) == 2
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: BOB})
    assert ends(connected, issue_id, item) == ("resolved", "Closed", BOB, BOB)
    assert connected.health(issue_id, item) == ("settled", None)


def test_a_person_unknown_to_azure_devops_is_recorded_once_and_blocks_no_status(connected: Pair) -> None:
    connected.sentry.add_member("zoe@home.example")
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, ANN)
    with connected.calls() as calls, connected.one_hook(issue_id):
        connected.sentry.assign(issue_id, "zoe@home.example")
        connected.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 400", "PATCH 200"]
    assert ends(connected, issue_id, item) == ("resolved", "Closed", "zoe@home.example", ANN)
    assert connected.health(issue_id, item) == ("attention", "assignee-not-found")
    with connected.calls() as calls:
        connected.sentry.unresolve(issue_id)
    assert calls.ado == ["PATCH 200"]
    assert ends(connected, issue_id, item) == ("unresolved", "New", "zoe@home.example", ANN)
    assert connected.outcomes(issue_id, item).count(("refused", "assignee")) == 1


def test_an_identity_without_an_address_is_nobody_we_know(connected: Pair) -> None:
    connected.ado.add_person("Build Service", "")
    issue_id, item = connected.linked()
    does(connected, connected.ado.edit, item, **{ASSIGNED_TO: ANN})
    with connected.calls() as calls:
        connected.ado.edit(item, **{ASSIGNED_TO: "Build Service"})
    assert (connected.issue_assignee(issue_id), calls.writes) == (ANN, [])
    [entry] = [each for each in connected.activity(issue_id, item) if each["outcome"] == "skipped"]
    assert (entry["field"], entry["reason"]) == ("assignee", "assignee-unreadable")


def test_a_team_in_sentry_is_nobody_in_azure_devops(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.sentry.assign, issue_id, ANN)
    with connected.calls() as calls:
        connected.sentry.assign_team(issue_id, "frontend")
    assert (connected.item_assignee(item), calls.writes) == (ANN, [])
    [entry] = [each for each in connected.activity(issue_id, item) if each["outcome"] == "skipped"]
    assert (entry["field"], entry["reason"]) == ("assignee", "team-assignee")


# What is left alone.


@pytest.mark.parametrize(("before", "after"), [("New", "Active"), ("Resolved", "Closed"), ("Active", "New")])
def test_a_move_that_does_not_cross_the_done_line_writes_nothing(
    connected: Pair, before: str, after: str
) -> None:
    _, item = connected.linked(**{STATE: before})
    with connected.calls() as calls:
        connected.ado.edit(item, **{STATE: after})
    assert (calls.ado, calls.writes) == ([], [])


def test_a_title_costs_no_call(connected: Pair) -> None:
    _, item = connected.linked()
    with connected.calls() as calls:
        connected.ado.edit(item, **{"System.Title": "Fix login, really"})
    assert (calls.ado, calls.sentry) == ([], [])


def test_a_work_item_closed_by_hand_is_not_corrected_to_the_mapped_state(pair: Pair) -> None:
    mapping = {"on_resolve": "Resolved", "on_unresolve": "Active"}
    pair.connect(status_mapping={pair.ado.project_id(AGILE): mapping})
    issue_id, item = pair.linked()
    does(pair, pair.sentry.resolve, issue_id)
    assert pair.state(item) == "Resolved"
    does(pair, pair.ado.edit, item, **{STATE: "Closed"})
    assert ends(pair, issue_id, item)[:2] == ("resolved", "Closed")


def test_a_work_item_created_as_done_changes_nothing_until_it_crosses_the_line(connected: Pair) -> None:
    issue_id, item = connected.linked(**{STATE: "Closed"})
    with connected.calls() as calls:
        connected.ado.edit(item, **{STATE: "Active"})
    assert (calls.writes, connected.outcomes(issue_id, item)) == ([], [("agreed", "status")])
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert connected.status(issue_id) == "resolved"


def test_a_removed_work_item_is_not_done(connected: Pair) -> None:
    issue_id, item = connected.linked(kind="User Story")
    does(connected, connected.ado.edit, item, **{STATE: "Removed"})
    assert connected.status(issue_id) == "unresolved"


def test_an_archived_issue_stays_archived_and_its_work_item_as_it_was(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.calls() as calls:
        connected.sentry.archive(issue_id)
    assert (calls.writes, connected.state(item)) == ([], "New")
    for state in ("Closed", "Active"):
        does(connected, connected.ado.edit, item, **{STATE: state})
        assert (connected.status(issue_id), connected.state(item)) == ("ignored", state)
    reasons = [each["reason"] for each in connected.activity(issue_id, item) if each["outcome"] == "skipped"]
    assert reasons == ["archived"] * 3


@pytest.mark.parametrize(
    ("switch", "kept"),
    [
        ("sync_status_forward", ("resolved", "New", ANN, ANN)),
        ("sync_forward_assignment", ("resolved", "Closed", ANN, None)),
        ("issue_sync", ("resolved", "New", ANN, None)),
    ],
)
def test_what_is_switched_off_does_not_travel_out(pair: Pair, switch: str, kept: tuple[Any, ...]) -> None:
    pair.connect(**{switch: False})
    issue_id, item = pair.linked()
    does(pair, pair.sentry.resolve, issue_id)
    does(pair, pair.sentry.assign, issue_id, ANN)
    assert ends(pair, issue_id, item) == kept
    assert (("skipped", "status") in pair.outcomes(issue_id, item)) is (kept[1] == "New")


@pytest.mark.parametrize(
    ("switch", "kept"),
    [
        ("sync_status_reverse", ("unresolved", "Closed", ANN, ANN)),
        ("sync_reverse_assignment", ("resolved", "Closed", None, ANN)),
        ("issue_sync", ("unresolved", "Closed", None, ANN)),
    ],
)
def test_what_is_switched_off_does_not_travel_in(pair: Pair, switch: str, kept: tuple[Any, ...]) -> None:
    pair.connect(**{switch: False})
    issue_id, item = pair.linked()
    does(pair, pair.ado.edit, item, **{STATE: "Closed", ASSIGNED_TO: ANN})
    assert ends(pair, issue_id, item) == kept


# Both sides at one moment.


def conflict(pair: Pair, issue_id: str, item: int) -> dict[str, Any]:
    """Return the one conflict in the activity."""
    entries = pair.activity(issue_id, item)
    [entry] = [each for each in entries if each["outcome"] == "conflict-resolved"]
    return entry


@pytest.mark.parametrize("first", ["ado", "sentry"])
@pytest.mark.parametrize(("policy", "loser", "winner"), [("ado", BOB, ANN), ("sentry", ANN, BOB)])
def test_two_people_assigned_at_one_moment_are_decided_by_the_policy(
    pair: Pair, policy: str, loser: str, winner: str, first: Side
) -> None:
    pair.connect(on_conflict=policy)
    issue_id, item = pair.linked()
    with pair.at_once(first):
        pair.ado.edit(item, **{ASSIGNED_TO: ANN})
        pair.sentry.assign(issue_id, BOB)
    assert ends(pair, issue_id, item)[2:] == (winner, winner)
    entry = conflict(pair, issue_id, item)
    assert (entry["field"], entry["from"], entry["to"]) == ("assignee", loser, winner)


@pytest.mark.parametrize(
    ("policy", "outcome", "loser", "winner"),
    [
        ("ado", ("unresolved", "Active"), "resolved", "unresolved"),
        ("sentry", ("resolved", "Closed"), "Active", "Closed"),
    ],
)
def test_opposite_changes_at_one_moment_are_decided_by_the_policy(
    pair: Pair, policy: str, outcome: tuple[str, str], loser: str, winner: str
) -> None:
    pair.connect(on_conflict=policy)
    # They disagreed from the start; otherwise two changes are the same change.
    issue_id, item = pair.linked(**{STATE: "Closed"})
    with pair.at_once(first="ado"):
        pair.ado.edit(item, **{STATE: "Active"})
        pair.sentry.resolve(issue_id)
    assert ends(pair, issue_id, item)[:2] == outcome
    entry = conflict(pair, issue_id, item)
    assert (entry["field"], entry["from"], entry["to"]) == ("status", loser, winner)


def test_the_same_change_on_both_sides_is_no_conflict(connected: Pair) -> None:
    issue_id, item = connected.linked()
    with connected.calls() as calls, connected.at_once(first="ado"):
        connected.ado.edit(item, **{STATE: "Resolved", ASSIGNED_TO: ANN})
        connected.sentry.resolve(issue_id)
        connected.sentry.assign(issue_id, ANN)
    assert ends(connected, issue_id, item) == ("resolved", "Resolved", ANN, ANN)
    assert calls.writes == []
    assert connected.outcomes(issue_id, item) == [("agreed", "assignee"), ("agreed", "status")]


# Things that go, and come back.


def test_a_merged_issue_takes_its_link_along(connected: Pair) -> None:
    merged, item = connected.linked()
    survivor = connected.sentry.add_issue(announce=False).id
    connected.sentry.merge(merged, into=survivor)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert connected.status(survivor) == "resolved"
    assert [(link["issue_id"], link["health"]) for link in connected.links()] == [(survivor, "settled")]
    assert ("moved", None) in connected.outcomes(survivor, item)
    does(connected, connected.sentry.unresolve, survivor)
    assert connected.state(item) == "New"


def test_an_issue_merged_into_one_that_is_linked_already_leaves_one_link(connected: Pair) -> None:
    survivor, item = connected.linked()
    merged = connected.sentry.add_issue(announce=False).id
    connected.link(merged, item)
    connected.sentry.merge(merged, into=survivor)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert connected.status(survivor) == "resolved"
    assert [link["issue_id"] for link in connected.links()] == [survivor]


def test_a_deleted_work_item_needs_attention_until_it_is_restored(connected: Pair) -> None:
    issue_id, item = connected.linked()
    does(connected, connected.ado.delete, item)
    assert connected.health(issue_id, item) == ("attention", "work-item-gone")
    does(connected, connected.sentry.resolve, issue_id)
    assert connected.health(issue_id, item) == ("attention", "work-item-gone")
    does(connected, connected.ado.restore, item)
    assert ends(connected, issue_id, item)[:2] == ("resolved", "Closed")
    assert connected.health(issue_id, item) == ("settled", None)


def test_a_deleted_issue_needs_attention_and_its_work_item_stays(connected: Pair) -> None:
    issue_id, item = connected.linked()
    connected.sentry.delete(issue_id)
    does(connected, connected.ado.edit, item, **{STATE: "Closed"})
    assert connected.health(issue_id, item) == ("attention", "issue-gone")
    assert connected.state(item) == "Closed"


def test_a_work_item_that_moves_is_followed_into_its_new_project(connected: Pair) -> None:
    issue_id, item = connected.linked(kind="Task")
    does(connected, connected.ado.move, item, "Tailored")
    [link] = connected.links()
    assert link["project_id"] == connected.ado.project_id("Tailored")
    does(connected, connected.sentry.resolve, issue_id)
    assert connected.state(item) == "Closed"
