"""When the states of a project are asked for, and when memory is enough."""

from collections.abc import Sequence

import pytest

from shared.ado.process import ProcessCache
from shared.domain.errors import Unavailable
from shared.domain.model import Assignee, Category, FoundWorkItems, State, WorkItem, WorkItemTypes
from shared.domain.ports import UNSET, Unset
from tests.doubles.clock import Clock

NEW, CLOSED, REVIEW = (
    State("New", Category.PROPOSED),
    State("Closed", Category.COMPLETED),
    State("In Review", Category.IN_PROGRESS),
)
BUG: WorkItemTypes = {"Bug": (NEW, CLOSED)}
REVIEWED: WorkItemTypes = {"Bug": (NEW, REVIEW, CLOSED)}


class Processes:
    """An Azure DevOps that only knows its projects' types, and counts how often it is asked."""

    def __init__(self) -> None:
        self.types = BUG
        self.asked: list[str] = []
        self.is_down = False

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        self.asked.append(project_id)
        if self.is_down:
            raise Unavailable("ado", "down")
        return self.types

    def get_work_item(self, work_item_id: int) -> WorkItem:
        raise AssertionError("a cache of types reads no work items")

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        raise AssertionError("a cache of types reads no work items")

    def update_work_item(
        self, work_item_id: int, rev: int, *, state: str | Unset = UNSET, assignee: Assignee | Unset = UNSET
    ) -> WorkItem:
        raise AssertionError("a cache of types writes nothing")


@pytest.fixture
def ado() -> Processes:
    return Processes()


@pytest.fixture
def cache(clock: Clock) -> ProcessCache:
    return ProcessCache(clock)


@pytest.mark.parametrize(("passed", "asked"), [(0.0, 1), (3599.0, 1), (3600.0, 2)])
def test_types_are_remembered_for_an_hour(
    cache: ProcessCache, ado: Processes, clock: Clock, passed: float, asked: int
) -> None:
    assert cache.types(ado, "acme", "p1") == BUG
    clock.now += passed
    assert cache.types(ado, "acme", "p1") == BUG
    assert len(ado.asked) == asked


def test_each_project_of_each_organization_is_remembered_by_itself(
    cache: ProcessCache, ado: Processes
) -> None:
    for organization, project in (("acme", "p1"), ("acme", "p2"), ("other", "p1")):
        cache.types(ado, organization, project)
    assert ado.asked == ["p1", "p2", "p1"]


def test_a_state_that_is_known_costs_no_call(cache: ProcessCache, ado: Processes, clock: Clock) -> None:
    cache.types(ado, "acme", "p1")
    clock.now += 1000
    assert cache.types_with(ado, "acme", "p1", "Bug", "Closed") == BUG
    assert len(ado.asked) == 1


def test_a_state_that_is_not_known_is_looked_up_again_at_once(
    cache: ProcessCache, ado: Processes, clock: Clock
) -> None:
    cache.types(ado, "acme", "p1")
    clock.now += 30
    ado.types = REVIEWED
    assert cache.types_with(ado, "acme", "p1", "Bug", "In Review") == REVIEWED
    assert cache.types(ado, "acme", "p1") == REVIEWED
    assert len(ado.asked) == 2


def test_a_state_counts_for_its_own_type_only(cache: ProcessCache, ado: Processes, clock: Clock) -> None:
    ado.types = {**REVIEWED, "Task": (NEW, CLOSED)}
    cache.types(ado, "acme", "p1")
    clock.now += 30
    cache.types_with(ado, "acme", "p1", "Task", "In Review")
    clock.now += 30
    cache.types_with(ado, "acme", "p1", "Epic", "In Review")
    assert len(ado.asked) == 3


def test_a_cold_look_up_is_one_call_even_for_an_unknown_state(cache: ProcessCache, ado: Processes) -> None:
    assert cache.types_with(ado, "acme", "p1", "Bug", "No Such State") == BUG
    assert len(ado.asked) == 1


def test_a_state_that_stays_unknown_is_not_asked_for_at_every_event(
    cache: ProcessCache, ado: Processes, clock: Clock
) -> None:
    for _ in range(60):
        cache.types_with(ado, "acme", "p1", "Bug", "No Such State")
        clock.now += 1
    assert len(ado.asked) == 2


@pytest.mark.parametrize(("passed", "asked"), [(0.0, 1), (29.0, 1), (30.0, 2)])
def test_states_to_show_are_at_most_half_a_minute_old(
    cache: ProcessCache, ado: Processes, clock: Clock, passed: float, asked: int
) -> None:
    cache.recent(ado, "acme", "p1")
    clock.now += passed
    assert cache.recent(ado, "acme", "p1") == BUG
    assert len(ado.asked) == asked


def test_what_nobody_believes_any_more_is_not_kept(cache: ProcessCache, ado: Processes, clock: Clock) -> None:
    for number in range(100):
        cache.types(ado, f"acme~{number}", "p1")
        clock.now += 600.0
    assert len(cache._kept) == 6


def test_asking_anew_renews_what_is_remembered(cache: ProcessCache, ado: Processes, clock: Clock) -> None:
    cache.types(ado, "acme", "p1")
    clock.now += 3000
    ado.types = REVIEWED
    assert cache.refresh(ado, "acme", "p1") == REVIEWED
    clock.now += 3000
    assert cache.types(ado, "acme", "p1") == REVIEWED
    assert len(ado.asked) == 2


def test_a_look_up_that_failed_is_not_remembered(cache: ProcessCache, ado: Processes) -> None:
    ado.is_down = True
    with pytest.raises(Unavailable):
        cache.types(ado, "acme", "p1")
    ado.is_down = False
    assert cache.types(ado, "acme", "p1") == BUG


def test_a_renewal_that_failed_leaves_what_was_known(
    cache: ProcessCache, ado: Processes, clock: Clock
) -> None:
    cache.types(ado, "acme", "p1")
    clock.now += 60
    ado.is_down = True
    with pytest.raises(Unavailable):
        cache.types_with(ado, "acme", "p1", "Bug", "In Review")
    assert cache.types(ado, "acme", "p1") == BUG
