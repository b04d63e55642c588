"""Work items whose type allows few moves: the way to a state, what is refused, and who comes between."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from shared.domain.configuration import DoneWhen, ProjectMapping
from shared.domain.errors import Refused, Unavailable, Undecidable
from shared.domain.model import Health, HealthWord, IssueStatus, Person, Side
from shared.flows.copying import copy_one
from simulator.ado.processes import CATEGORIES, State
from tests.unit.scene import ANN, BOB, ISSUE, ITEM, Died, Scene

PROJECT = "Fabrikam-Fiber"
STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
A_TRY = 300.0
# Nothing but New, then Active, then Resolved, then Closed, and back the same way.
CHAIN = {
    "New": ("Active",),
    "Active": ("New", "Resolved"),
    "Resolved": ("Active", "Closed"),
    "Closed": ("Resolved",),
}


def restricted(scene: Scene, moves: Mapping[str, tuple[str, ...]] | None, *states: State) -> Scene:
    """Give bugs another workflow; whatever was known of the old one is too old to be believed."""
    scene.ado.restrict(PROJECT, "Bug", moves, states)
    scene.now += 2 * 3600.0
    return scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def walked(scene: Scene) -> list[str]:
    return [each.item.state for each in scene.ado.revisions(ITEM)]


# The way.


def test_what_cannot_be_reached_in_one_step_is_reached_in_several_and_told_as_one(scene: Scene) -> None:
    restricted(scene, CHAIN)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert walked(scene) == ["New", "Active", "Resolved"]
    assert scene.calls.made == ["get_issue", "get_work_item_types", *["update_work_item"] * 2]
    [entry] = scene.entries()
    assert (entry.before, entry.after, entry.reason) == ("New", "Resolved", "via Active")
    assert (scene.health, scene.row.claim, scene.row.seen.item.rev) == (Health(), None, 3)


def test_three_steps_are_walked_and_four_are_not(scene: Scene) -> None:
    three = {"New": ("A",), "A": ("B",), "B": ("Closed",), "Closed": ()}
    names = (State("New", "Proposed"), State("A", "InProgress"), State("B", "InProgress"))
    restricted(scene, three, *names, State("Closed", "Completed"))
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert walked(scene) == ["New", "A", "B", "Closed"]


def test_a_state_out_of_reach_is_told_and_holds_no_assignee_up(scene: Scene) -> None:
    four = {"New": ("A",), "A": ("B",), "B": ("C",), "C": ("Closed",), "Closed": ()}
    names = (State("New", "Proposed"), *(State(each, "InProgress") for each in "ABC"))
    restricted(scene, four, *names, State("Closed", "Completed"))
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    with pytest.raises(Undecidable):
        scene.outbound()
    assert (scene.state, scene.ado.item(ITEM).assignee) == ("New", Person(BOB))
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "state-unreachable")
    # The workflow is changed, or a person moves the item.
    scene.ado.edit(ITEM, **{STATE: "A"})
    assert scene.inbound(scene.ado.item(ITEM)) == ["applied"]
    assert (scene.state, scene.health) == ("Closed", Health())


@pytest.mark.parametrize("moves", [None, {}])
def test_a_table_that_is_empty_or_absent_restricts_nothing(scene: Scene, moves: Any) -> None:
    restricted(scene, moves)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert walked(scene) == ["New", "Closed"]


def test_a_reopened_issue_goes_where_the_workflow_lets_it(scene: Scene) -> None:
    restricted(scene, {"New": ("Closed",), "Closed": ("Active",)})
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.sentry.unresolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert walked(scene) == ["New", "Closed", "Active"]  # it came from New, which cannot be reached at once


def test_no_way_leads_through_a_removed_state(scene: Scene) -> None:
    by_removed = {"New": ("Weg", "A"), "Weg": ("Closed",), "A": ("B",), "B": ("Closed",), "Closed": ()}
    names = (State("New", "Proposed"), State("Weg", "Removed"), State("A", "InProgress"))
    restricted(scene, by_removed, *names, State("B", "InProgress"), State("Closed", "Completed"))
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert walked(scene) == ["New", "A", "B", "Closed"]


def test_a_workflow_that_was_loosened_a_moment_ago_is_read_again_before_anything_is_out_of_reach(
    scene: Scene,
) -> None:
    restricted(scene, {"New": (), "Closed": ()})
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Undecidable):
        scene.outbound()
    scene.ado.restrict(PROJECT, "Bug", None)
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health) == ("Closed", Health())


def test_a_copy_is_made_by_a_workflow_that_was_loosened_a_moment_ago(scene: Scene) -> None:
    restricted(scene, {"New": (), "Closed": ()})
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Undecidable):
        scene.outbound()
    scene.configure(sync_status_forward=False)
    scene.ado.restrict(PROJECT, "Bug", None)
    scene.now += A_TRY
    assert copy_one(scene.services, scene.organization, ISSUE, ITEM, Side.SENTRY) == "applied"
    assert scene.state == "Closed"
    assert [each.reason for each in scene.entries() if each.outcome == "applied"] == ["copied"]


# Between two steps.


def dies_after(scene: Scene, calls: int) -> None:
    """Have a worker die at its n-th write, which lands."""

    def rule(_item: object) -> None:
        count[0] += 1
        if count[0] == calls:
            scene.watched_ado.rule = lambda _item: None
            raise Died

    count = [0]
    scene.watched_ado.rule = rule


@pytest.mark.parametrize("steps", [1, 2])
def test_a_worker_that_dies_on_the_way_is_made_up_for(scene: Scene, steps: int) -> None:
    moves = {"New": ("Active",), "Active": ("New", "Waiting"), "Waiting": ("Closed",), "Closed": ()}
    middle = (State("Active", "InProgress"), State("Waiting", "InProgress"))
    restricted(scene, moves, State("New", "Proposed"), *middle, State("Closed", "Completed"))
    scene.sentry.resolve(ISSUE)
    dies_after(scene, steps)
    with pytest.raises(Died):
        scene.outbound()
    scene.now += 120.0
    # Its own hooks come late, in any order, and say nothing new.
    for revision in reversed(scene.ado.revisions(ITEM)[1:]):
        scene.inbound(revision.item)
    assert (walked(scene), scene.health, scene.row.claim) == (
        ["New", "Active", "Waiting", "Closed"],
        Health(),
        None,
    )
    assert scene.status is RESOLVED


def test_the_hooks_of_all_steps_are_echoes(scene: Scene) -> None:
    restricted(scene, CHAIN)
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert [scene.inbound(each.item) for each in scene.ado.revisions(ITEM)[1:]] == [["echo"], ["echo"]]


@pytest.mark.parametrize(
    ("edit", "state", "status"),
    [
        ({"System.Title": "Renamed"}, "Resolved", RESOLVED),
        ({STATE: "New"}, "Resolved", RESOLVED),
        ({STATE: "Resolved"}, "Resolved", RESOLVED),
        ({ASSIGNED_TO: BOB}, "Resolved", RESOLVED),
    ],
)
def test_a_persons_edit_between_two_steps_is_decided_upon_anew(
    scene: Scene, edit: dict[str, str], state: str, status: IssueStatus
) -> None:
    restricted(scene, CHAIN)
    scene.sentry.resolve(ISSUE)

    def meanwhile() -> None:
        if scene.state == "Active":
            scene.watched_ado.slow = lambda: None
            scene.ado.edit(ITEM, actor=ANN, **edit)

    scene.watched_ado.slow = meanwhile
    scene.outbound()
    assert (scene.state, scene.status, scene.row.claim) == (state, status, None)
    assert scene.inbound(scene.ado.item(ITEM)) == ["echo"]


def test_an_answer_that_is_lost_on_the_way_is_looked_for(scene: Scene) -> None:
    restricted(scene, CHAIN)
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"), lands=True)
    with pytest.raises(Unavailable):
        scene.outbound()
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert (walked(scene), scene.health) == (["New", "Active", "Resolved"], Health())


def test_the_steps_for_one_link_are_no_edit_for_another(scene: Scene) -> None:
    scene.link("200")
    restricted(scene, CHAIN)
    scene.configure(done_when=DoneWhen.ANY)
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    for revision in scene.ado.revisions(ITEM)[1:]:
        scene.inbound(revision.item)
    assert scene.sentry.get_issue("200").status is UNRESOLVED
    assert [each.outcome for each in scene.entries("200")] == ["skipped"]


@pytest.mark.parametrize("lands", [True, False])
def test_a_step_before_one_without_an_answer_is_no_edit_for_another_link(scene: Scene, lands: bool) -> None:
    scene.link("200")
    restricted(scene, CHAIN)
    scene.configure(done_when=DoneWhen.ANY)
    scene.sentry.resolve(ISSUE)

    def then(_item: object) -> None:
        scene.watched_ado.rule = lambda _item: None
        scene.now += 1.0
        scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"), lands=lands)

    scene.watched_ado.rule = then
    with pytest.raises(Unavailable):
        scene.inbound()
    scene.now += A_TRY
    scene.inbound()
    assert (scene.state, scene.sentry.get_issue("200").status) == ("Resolved", UNRESOLVED)


def parked_on_the_way(scene: Scene) -> None:
    """Have the only way lead through a state that counts as done, and is never written as such."""
    scene.link("200")
    moves = {"New": ("Parked",), "Parked": ("Closed",), "Closed": ()}
    middle = State("Parked", "InProgress")
    restricted(scene, moves, State("New", "Proposed"), middle, State("Closed", "Completed"))
    project_id = scene.ado.catalog.project(PROJECT).id
    mapping = {project_id: ProjectMapping(done_states=("Parked",))}
    scene.configure(done_when=DoneWhen.ANY, status_mapping=mapping)
    scene.sentry.resolve(ISSUE)


def test_a_step_that_a_dead_worker_left_is_no_edit_for_another_link(scene: Scene) -> None:
    parked_on_the_way(scene)
    dies_after(scene, 1)
    with pytest.raises(Died):
        scene.outbound()
    scene.now += 120.0
    scene.outbound("200")
    scene.inbound(scene.ado.item(ITEM))
    assert scene.state in {"Parked", "Closed"}
    assert scene.sentry.get_issue("200").status is UNRESOLVED


def test_a_step_before_a_refused_one_is_no_edit_for_another_link(scene: Scene) -> None:
    parked_on_the_way(scene)
    refused = Refused("ado", "TF401320: no")
    scene.calls.after("update_work_item", lambda: scene.calls.meet("update_work_item", refused))
    assert scene.outbound() == ["refused"]
    scene.inbound(scene.ado.item(ITEM))
    assert (scene.state, scene.sentry.get_issue("200").status) == ("Parked", UNRESOLVED)


# What is refused.


def test_a_refused_state_is_passed_over_at_once_and_told(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Refused("ado", "TF401320: a rule says no"))
    assert scene.outbound() == ["applied"]
    assert (walked(scene), scene.health) == (["New", "Resolved"], Health())
    told = [(each.outcome, each.after) for each in scene.entries()]
    assert sorted(told) == [("applied", "Resolved"), ("refused", "Closed")]
    assert scene.row.passed_over is None


def test_three_states_are_tried_in_a_turn_and_the_others_at_later_ones(scene: Scene) -> None:
    done = tuple(State(f"Done {number}", "Completed") for number in range(5))
    restricted(scene, None, State("New", "Proposed"), *done)
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", *[Refused("ado", "TF401320: no")] * 3)
    assert scene.outbound() == ["refused"]
    assert scene.calls.made.count("update_work_item") == 3
    assert scene.row.passed_over is not None
    assert scene.row.passed_over.tried == ("Done 0", "Done 1", "Done 2")
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert scene.state == "Done 3"


def test_once_all_were_refused_the_first_is_tried_again_and_told_once(scene: Scene) -> None:
    scene.calls.meet("update_work_item", *[Refused("ado", "TF401320: no")] * 4)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["refused"]
    scene.now += A_TRY
    assert scene.outbound() == ["refused"]
    assert sorted(each.after or "" for each in scene.entries()) == ["Closed", "Resolved"]
    scene.now += 3 * A_TRY
    assert scene.outbound() == ["applied"]


def test_a_changed_item_is_asked_for_the_best_state_again(scene: Scene) -> None:
    scene.calls.meet("update_work_item", *[Refused("ado", "TF401320: a field is required")] * 2)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["refused"]
    renamed = scene.ado.edit(ITEM, **{"System.Title": "Now with what was required"})
    assert scene.inbound(renamed) == ["applied"]
    assert scene.state == "Closed"


def test_where_a_step_is_refused_the_item_stands_where_it_was_left_and_goes_on_from_there(
    scene: Scene,
) -> None:
    restricted(scene, CHAIN)
    scene.sentry.resolve(ISSUE)
    refused = Refused("ado", "TF401320: no")

    def then(_item: object) -> None:
        scene.watched_ado.rule = lambda _item: None
        scene.calls.meet("update_work_item", refused)

    scene.watched_ado.rule = then
    assert scene.outbound() == ["refused"]
    assert walked(scene) == ["New", "Active"]
    told = [(each.outcome, each.before, each.after) for each in scene.entries()]
    assert sorted(told) == [("applied", "New", "Active"), ("refused", "Active", "Resolved")]
    assert (scene.row.seen.item.state, scene.row.seen.issue.status) == ("Active", UNRESOLVED)
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.row.open_state, scene.health) == ("Resolved", "Active", Health())


# Any process.


@st.composite
def workflows(draw: st.DrawFn) -> tuple[tuple[State, ...], dict[str, tuple[str, ...]], str]:
    """Draw a process, the moves out of its states (or of some), and where a work item starts."""
    names = draw(
        st.lists(st.text("abcXYZ äß-/", min_size=1, max_size=6), min_size=2, max_size=7, unique=True)
    )
    assume(
        len({each.strip().casefold() for each in names}) == len(names) and all(n.strip() == n for n in names)
    )
    states = tuple(State(each, draw(st.sampled_from(sorted(CATEGORIES.values())))) for each in names)
    moves = {
        each: tuple(draw(st.lists(st.sampled_from(names), max_size=2, unique=True)))
        for each in names
        if draw(st.integers(0, 9)) > 0
    }
    return states, moves, draw(st.sampled_from(names))


def within_three(
    states: tuple[State, ...], moves: Mapping[str, tuple[str, ...]], start: str, goals: set[str]
) -> bool:
    """Tell, without any of our code, whether three moves lead to a goal through nothing that is Removed."""
    removed = {each.name for each in states if each.category == "Removed"}
    if not any(moves.values()):
        return bool(goals)  # a server that keeps no table
    reached = {start}
    for _ in range(3):
        around = {to for each in reached for to in moves.get(each, [state.name for state in states])}
        if around & goals:
            return True
        reached |= around - removed
    return False


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(workflows())
def test_in_any_process_nothing_invalid_is_written_and_what_can_be_reached_is_reached(
    workflow: tuple[tuple[State, ...], dict[str, tuple[str, ...]], str],
) -> None:
    states, moves, start = workflow
    category = {each.name: each.category for each in states}
    assume(category[start] != "Removed")
    assume(any(moves.values()))
    scene = restricted(Scene(), moves, *states)
    scene.ado.add_item("Anything", 60, **{STATE: start})
    scene.link("600", 60)
    was_done = category[start] in {"Resolved", "Completed"}
    if was_done:
        scene.sentry.resolve("600")
        assert scene.outbound("600") == ["agreed"]
        scene.sentry.unresolve("600")
        goals = {name for name, each in category.items() if each in {"Proposed", "InProgress"}}
    else:
        scene.sentry.resolve("600")
        goals = {name for name, each in category.items() if each in {"Resolved", "Completed"}}
    try:
        outcomes = scene.outbound("600")
    except Undecidable:
        outcomes = ["undecided"]
    refused = [each for each in scene.entries("600", 60) if each.outcome == "refused"]
    assert refused == []
    if within_three(states, moves, start, goals):
        assert (outcomes, scene.ado.item(60).state in goals) == (["applied"], True)
    else:
        assert (outcomes, scene.ado.item(60).state) == (["undecided"], start)
    assert len(scene.ado.revisions(60)) <= 4
