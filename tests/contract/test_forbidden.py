"""When a service forbids us everything, as told from one forbidden thing: on memory and on Azurite."""

from collections.abc import Callable

import pytest

from shared.store.forbidden import ForbiddenStore
from shared.store.tables import Replace, Table

SLUG = "fabrikam"


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(new_table: Callable[[], Table]) -> Table:
    return new_table()


@pytest.fixture
def forbidden(table: Table, clock: Clock) -> ForbiddenStore:
    return ForbiddenStore(table, clock)


def note(forbidden: ForbiddenStore, clock: Clock, *steps: tuple[str, float]) -> None:
    for about, seconds in steps:
        forbidden.note(SLUG, "ado", about)
        clock.now += seconds


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([], False),
        ([("item 1", 0.0)], False),
        ([("item 1", 600.0), ("item 2", 600.0), ("item 2", 0.0)], False),  # two things
        ([("item 1", 1.0), ("item 2", 1.0), ("item 3", 0.0)], False),  # within seconds
        ([("item 1", 600.0), ("item 2", 300.0), ("item 3", 0.0)], True),
        ([("item 1", 1.0), ("item 2", 1.0), ("item 3", 898.0), ("item 1", 0.0)], True),
        ([("item 1", 1.0), ("item 2", 3600.0), ("item 3", 0.0)], True),  # as the back-off asks, hourly
        ([("item 1", 1.0), ("item 2", 7201.0), ("item 3", 0.0)], False),  # forgotten in between
    ],
)
def test_three_different_things_forbidden_for_a_quarter_of_an_hour_are_a_missing_permission(
    forbidden: ForbiddenStore, clock: Clock, steps: list[tuple[str, float]], told: bool
) -> None:
    note(forbidden, clock, *steps)
    assert forbidden.counts() == ({"ado": 1} if told else {})


MISSING = (("item 1", 600.0), ("item 2", 600.0), ("item 3", 0.0))


def test_one_thing_that_is_allowed_ends_it(forbidden: ForbiddenStore, clock: Clock) -> None:
    note(forbidden, clock, *MISSING)
    forbidden.end(SLUG, "sentry")
    assert forbidden.counts() == {"ado": 1}
    forbidden.end(SLUG, "ado")
    assert forbidden.counts() == {}
    note(forbidden, clock, *MISSING)
    assert forbidden.counts() == {"ado": 1}
    forbidden.end_all(SLUG)
    assert forbidden.counts() == {}


def test_it_is_told_for_two_hours_and_by_every_process(
    forbidden: ForbiddenStore, table: Table, clock: Clock
) -> None:
    note(forbidden, clock, *MISSING)
    other = ForbiddenStore(table, clock)
    clock.now += 7200.0
    assert other.counts() == {"ado": 1}
    clock.now += 1.0
    assert other.counts() == {}


def test_organizations_are_counted_apart(forbidden: ForbiddenStore, clock: Clock) -> None:
    for about, seconds in MISSING:
        for slug, service in (("a", "ado"), ("b", "ado"), ("b", "sentry")):
            forbidden.note(slug, service, about)
        clock.now += seconds
    assert forbidden.counts() == {"ado": 2, "sentry": 1}


def test_a_row_that_cannot_be_read_begins_anew(forbidden: ForbiddenStore, table: Table, clock: Clock) -> None:
    table.apply("forbidden", Replace(f"{SLUG}!ado", "of another version", None))
    assert forbidden.counts() == {}
    note(forbidden, clock, *MISSING)
    assert forbidden.counts() == {"ado": 1}
