"""A short run of the simulation, and proof that its schedules repeat, shrink and can be traced."""

from dataclasses import replace

import pytest

from tests.simulation.drawing import drawn
from tests.simulation.schedule import TROUBLES, Action, Schedule
from tests.simulation.shrinking import shrunk
from tests.simulation.trace import traced
from tests.simulation.world import World

QUIET = Schedule(
    seed=1,
    workers=1,
    second_kind=("Task", "Fabrikam-Fiber"),
    links=(("100", 31),),
    settings=(),
    actions=(Action("resolve", "100"),),
)


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_no_schedule_breaks_a_promise(first: int) -> None:
    failed = {
        seed: complaints for seed in range(first, first + 50) if (complaints := World(drawn(seed)).run())
    }
    assert failed == {}


def test_the_same_seed_gives_the_same_trace() -> None:
    assert traced(drawn(7), whole=True) == traced(drawn(7), whole=True)
    assert traced(drawn(7)) != traced(drawn(8))


def test_a_resolved_issue_closes_its_work_item() -> None:
    world = World(QUIET)
    assert world.run() == []
    assert (world.ado.item(31).state, world.witness.writes) == ("Closed", 1)


@pytest.mark.parametrize("trouble", sorted(set(TROUBLES)))
@pytest.mark.parametrize("workers", [1, 3])
def test_any_trouble_with_any_call_of_one_edit_is_survived(trouble: str, workers: int) -> None:
    undisturbed = World(QUIET)
    undisturbed.run()
    for call in range(undisturbed.calls):
        world = World(replace(QUIET, workers=workers, troubles=((call, trouble),)))
        assert (call, world.run()) == (call, [])
        assert world.ado.item(31).state == "Closed"


@pytest.mark.parametrize("stray", ["lost", "twice", "late"])
def test_a_stray_hook_delays_an_edit_and_loses_none(stray: str) -> None:
    world = World(replace(QUIET, strays=((0, stray),)))
    assert world.run() == []
    assert (world.ado.item(31).state, world.witness.writes) == ("Closed", 1)


def test_a_trace_says_who_did_what_and_how_it_ended() -> None:
    trace = traced(QUIET)
    for line in (
        "person          resolve 100",
        "PATCH work item 31 at rev 1: state Closed",
        "records: applied outbound status, New to Closed",
        "Work item 31 (Bug): Closed, nobody, rev 2",
    ):
        assert line in trace
    assert "VIOLATION" not in trace


def test_a_failing_schedule_is_stripped_of_all_that_does_not_matter() -> None:
    needed = {Action("resolve", "100"), Action("set-state", item=31, value="New")}

    def fails(schedule: Schedule) -> bool:
        return needed <= set(schedule.actions) and ("100", 31) in schedule.links

    large = replace(
        drawn(3),
        links=(("101", 31), ("100", 31), ("101", 32)),
        actions=(*drawn(3).actions, *needed, *drawn(4).actions),
        troubles=((1, "fails"), (9, "slow")),
        strays=((0, "lost"),),
    )
    small = shrunk(large, fails)
    assert (set(small.actions), small.links) == (needed, (("100", 31),))
    assert (small.workers, small.troubles, small.strays, small.settings) == (1, (), (), ())
