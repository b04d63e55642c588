"""A short run of the simulation, and proof that its schedules repeat, shrink and can be traced."""

import ast
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import pytest

from tests.simulation.drawing import THEMES, drawn
from tests.simulation.mutants.known import MUTANTS
from tests.simulation.schedule import (
    CALM,
    LAGS,
    LOST_TOKENS,
    OUTAGES,
    OUTAGES_OF_PARTS,
    PARTS,
    REST,
    TROUBLES,
    TROUBLES_OF_RUNS,
    Action,
    Schedule,
)
from tests.simulation.shrinking import shrunk
from tests.simulation.trace import spelled, traced
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]
QUIET = Schedule(
    seed=1,
    workers=1,
    second_kind=("Task", "Fabrikam-Fiber"),
    links=(("100", 31),),
    settings=(),
    actions=(Action("resolve", "100"),),
)


def complaints(seeds: range, theme: str | None = None) -> dict[int, list[str]]:
    return {seed: found for seed in seeds if (found := World(drawn(seed, theme)).run())}


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_no_schedule_breaks_a_promise(first: int) -> None:
    assert complaints(range(first, first + 50)) == {}


@pytest.mark.parametrize("theme", THEMES)
def test_no_schedule_of_any_theme_breaks_a_promise(theme: str) -> None:
    assert complaints(range(20), theme) == {}


@pytest.mark.parametrize("how", OUTAGES)
@pytest.mark.parametrize("service", ["ado", "sentry", "storage", "tables"])
def test_an_edit_is_carried_over_once_a_service_is_back(service: str, how: str) -> None:
    for actions in permutations((Action("outage", value=f"{service} {how} 120"), *QUIET.actions)):
        world = World(replace(QUIET, actions=actions))
        assert world.run() == []
        assert world.ado.item(31).state == "Closed"


@pytest.mark.parametrize("bad", [Action("forbid", item=31), Action("garble", item=31)])
def test_a_work_item_that_we_are_kept_from_keeps_no_other_from_being_written(bad: Action) -> None:
    world = World(replace(QUIET, links=(("100", 31), ("100", 32)), actions=(bad, *QUIET.actions)))
    assert world.run() == []
    assert [world.ado.item(each).state for each in (31, 32)] == ["New", "Closed"]


def test_an_hour_in_which_sentry_is_away_and_nobody_edits_leaves_no_poison() -> None:
    quiet_hour = (Action("outage", value="sentry fails 3700"), Action("pass", value="3600"))
    world = World(replace(QUIET, links=(("100", 31), ("101", 32)), actions=quiet_hour))
    assert world.run() == []
    assert world.host.poison == []


def test_a_comment_reaches_both_work_items_of_its_issue_once() -> None:
    links, settings = (("100", 31), ("100", 32)), ("sync_comments=on",)
    world = World(replace(QUIET, links=links, settings=settings, actions=(Action("comment", "100"),)))
    assert world.run() == []
    assert [len(world.ado.discussion(each)) for each in (31, 32)] == [1, 1]


def test_the_same_seed_gives_the_same_trace() -> None:
    assert traced(drawn(7), whole=True) == traced(drawn(7), whole=True)
    assert traced(drawn(7)) != traced(drawn(8))


def test_a_resolved_issue_closes_its_work_item() -> None:
    world = World(QUIET)
    assert world.run() == []
    assert (world.ado.item(31).state, world.witness.writes) == ("Closed", 1)


@pytest.mark.parametrize("trouble", sorted(set(TROUBLES)))
@pytest.mark.parametrize("workers", [1, pytest.param(3, marks=pytest.mark.long)])
def test_any_trouble_with_any_call_of_one_edit_is_survived(trouble: str, workers: int) -> None:
    undisturbed = World(QUIET)
    undisturbed.run()
    for call in range(undisturbed.calls):
        world = World(replace(QUIET, workers=workers, troubles=((call, trouble),)))
        assert (call, world.run()) == (call, [])
        assert world.ado.item(31).state == "Closed"


FIRED = replace(QUIET, links=(), actions=(Action("fire", "100", value="New errors"),))


@pytest.mark.parametrize("trouble", sorted(set(TROUBLES)))
def test_any_trouble_with_any_call_of_a_rule_leads_to_one_item_that_is_linked(trouble: str) -> None:
    undisturbed = World(FIRED)
    assert undisturbed.run() == []
    # The hook takes the first two, and what was not taken is nobody's.
    for call in range(2, min(undisturbed.calls, 32)):
        world = World(replace(FIRED, troubles=((call, trouble),)))
        assert (call, world.run(), world.ado.created()) == (call, [], [33])


@pytest.mark.long
@pytest.mark.parametrize("trouble", sorted(set(TROUBLES)))
@pytest.mark.parametrize(
    "then",
    [
        (CALM, Action("merge", "100")),
        (CALM, Action("merge", "100"), Action("fire", "101", value="Many users")),
        (CALM, Action("unlink", "100", 33), Action("pass", value="900"), *FIRED.actions),
        (CALM, Action("set-state", item=33, value="Closed")),
        (CALM, Action("delete-item", item=33), Action("pass", value="900"), *FIRED.actions),
    ],
    ids=["merged", "merged and fired", "unlinked", "closed", "deleted"],
)
def test_whatever_a_person_does_when_a_worker_for_a_rule_met_trouble(
    then: tuple[Action, ...], trouble: str
) -> None:
    schedule = replace(FIRED, actions=(*FIRED.actions, *then))
    for call in range(2, 32):
        assert (call, World(replace(schedule, troubles=((call, trouble),))).run()) == (call, [])


# What no hook told: an edit on each side, of which nobody hears.
UNHEARD = replace(
    QUIET,
    links=(("100", 31), ("101", 32)),
    actions=(
        REST,
        Action("assign-issue", "100", value="bob@corp.example"),
        Action("set-state", item=32, value="Closed"),
    ),
    strays=tuple((number, "lost") for number in range(20)),
)


def carried_over(world: World) -> tuple[str, str]:
    return str(world.ado.item(31).assignee), world.sentry.get_issue("101").status


CARRIED_OVER = ("Person(email='bob@corp.example')", "resolved")


def test_what_no_hook_told_is_carried_over_by_the_next_run() -> None:
    world = World(UNHEARD)
    assert world.run() == []
    assert (carried_over(world), world.unheard.most_runs) == (CARRIED_OVER, 1)
    assert 0 < world.unheard.longest < 400


AT_ONCE = {"answer-lost", "dies-after", "dies-before", "fails", "frozen-after", "lost-race"}


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(each, marks=[] if each in AT_ONCE else [pytest.mark.long])
        for each in sorted(set(TROUBLES_OF_RUNS))
    ],
)
def test_a_run_that_meets_trouble_at_any_of_its_steps_leaves_it_to_the_next_two(trouble: str) -> None:
    undisturbed = World(UNHEARD)
    undisturbed.run()
    for call in range(undisturbed.run_calls):
        world = World(replace(UNHEARD, run_troubles=((call, trouble),)))
        assert (call, world.run(), carried_over(world)) == (call, [], CARRIED_OVER)


@pytest.mark.parametrize("how", OUTAGES_OF_PARTS)
@pytest.mark.parametrize("part", sorted(set(PARTS)))
def test_what_only_the_reconciler_asks_may_be_away(part: str, how: str) -> None:
    away = Action("outage", value=f"{part} {how} 700")
    world = World(replace(UNHEARD, actions=(*UNHEARD.actions, away, Action("pass", value="600"))))
    assert (world.run(), carried_over(world)) == ([], CARRIED_OVER)


@pytest.mark.parametrize(
    "action",
    [
        *(Action("lose-tokens", value=status) for status in LOST_TOKENS),
        *(Action("lag", value=seconds) for seconds in LAGS),
        *(Action("refuse-feed", value=status) for status in ("400", "403", "404")),
    ],
)
def test_a_feed_may_lose_its_tokens_lag_or_be_refused(action: Action) -> None:
    world = World(replace(UNHEARD, actions=(REST, action, *UNHEARD.actions[1:])))
    assert (world.run(), carried_over(world)) == ([], CARRIED_OVER)


@pytest.mark.parametrize("stray", ["lost", "twice", "late"])
def test_a_stray_hook_delays_an_edit_and_loses_none(stray: str) -> None:
    world = World(replace(QUIET, strays=((0, stray),)))
    assert world.run() == []
    assert (world.ado.item(31).state, world.witness.writes) == ("Closed", 1)


def test_a_trace_says_who_did_what_and_how_it_ended() -> None:
    trace = traced(QUIET)
    for line in (
        "person          resolve 100",
        ": state Closed",
        "records: applied outbound status, New to Closed",
        "Work item 31 (Bug): Closed, nobody, rev ",
    ):
        assert line in trace
    assert "VIOLATION" not in trace


def test_a_schedule_is_spelled_as_python_that_makes_it_again() -> None:
    schedule = drawn(3, "outages")
    assert schedule.issues
    assert eval(spelled(schedule), {"Schedule": Schedule, "Action": Action}) == schedule  # noqa: S307  # our own text


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


def test_every_mutant_breaks_what_is_there_once_and_has_judges_that_are_there() -> None:
    for mutant in MUTANTS:
        for path, old, new in mutant.changes:
            text = (ROOT / path).read_text(encoding="utf-8")
            assert text.count(old) == 1, mutant.name
            # What Python cannot read is caught by anything, and proves nothing.
            assert ast.parse(text.replace(old, new)) is not None, mutant.name
            assert old != new
        for test in mutant.tests:
            assert (ROOT / test.partition("::")[0]).exists(), mutant.name
            # A judge's copy has no Azurite, on which some cases of a contract run.
            assert "::" in test or not test.startswith("tests/contract/"), mutant.name
        assert mutant.theme is None or mutant.theme in THEMES
