"""When a service forbids us everything, as told from one forbidden thing: on memory and on Azurite."""

import pytest

from shared.store.forbidden import ForbiddenStore
from shared.store.tables import Replace, Table
from tests.doubles.clock import Clock
from tests.doubles.tables import OvertakenTable

SLUG = "fabrikam"


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
        ([("item 1", 1.0), ("item 2", 7200.0), ("item 3", 0.0)], True),
        ([("item 1", 1.0), ("item 2", 7201.0), ("item 3", 0.0)], False),  # forgotten in between
    ],
)
def test_three_different_things_forbidden_for_a_quarter_of_an_hour_are_a_missing_permission(
    forbidden: ForbiddenStore, clock: Clock, steps: list[tuple[str, float]], told: bool
) -> None:
    began = clock.now
    note(forbidden, clock, *steps)
    assert forbidden.counts() == ({"ado": 1} if told else {})
    assert forbidden.since(SLUG) == ({"ado": began} if told else {})


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


def test_an_end_is_asked_of_storage_once_a_process(
    forbidden: ForbiddenStore, table: Table, clock: Clock
) -> None:
    forbidden.end(SLUG, "ado")
    note(ForbiddenStore(table, clock), clock, *MISSING)
    forbidden.end(SLUG, "ado")
    assert forbidden.counts() == {"ado": 1}
    ForbiddenStore(table, clock).end(SLUG, "ado")
    assert forbidden.counts() == {}


def test_an_end_is_not_remembered_past_the_next_refusal(
    forbidden: ForbiddenStore, table: Table, clock: Clock
) -> None:
    for _ in range(2):
        note(forbidden, clock, *MISSING)
        forbidden.end(SLUG, "ado")
        assert forbidden.counts() == {}
    note(ForbiddenStore(table, clock), clock, *MISSING)
    forbidden.end_all(SLUG)
    assert forbidden.counts() == {}


def test_what_is_known_already_is_written_every_five_minutes(
    forbidden: ForbiddenStore, table: Table, clock: Clock
) -> None:
    note(forbidden, clock, ("item 1", 1.0), ("item 2", 1.0), ("item 3", 0.0))
    written = table.get("forbidden", f"{SLUG}!ado")
    clock.now += 299.0
    for about in ("item 1", "item 4"):  # three things are enough
        forbidden.note(SLUG, "ado", about)
    assert table.get("forbidden", f"{SLUG}!ado") == written
    clock.now += 1.0
    forbidden.note(SLUG, "ado", "item 4")
    assert table.get("forbidden", f"{SLUG}!ado").etag != written.etag


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
        for slug, service in (("4711", "ado"), ("b", "ado"), ("b", "sentry")):
            forbidden.note(slug, service, about)
        clock.now += seconds
    assert forbidden.counts() == {"ado": 2, "sentry": 1}


def test_a_row_that_cannot_be_read_begins_anew(forbidden: ForbiddenStore, table: Table, clock: Clock) -> None:
    table.apply("forbidden", Replace(f"{SLUG}!ado", "of another version", None))
    assert forbidden.counts() == {}
    note(forbidden, clock, *MISSING)
    assert forbidden.counts() == {"ado": 1}


@pytest.mark.parametrize("other", ["notes one, too", "allows something"])
def test_a_worker_that_is_overtaken_changes_nothing(table: Table, clock: Clock, other: str) -> None:
    def meanwhile() -> None:
        if other == "allows something":
            first.end(SLUG, "ado")
        else:
            first.note(SLUG, "ado", "item 2")

    first = ForbiddenStore(table, clock)
    first.note(SLUG, "ado", "item 1")
    clock.now += 900.0
    ForbiddenStore(OvertakenTable(table, meanwhile), clock).note(SLUG, "ado", "item 3")
    rows = [row.text for row in table.scan("forbidden", "", "~")]
    assert ["item 2" in text for text in rows] == ([] if other == "allows something" else [True])


def test_the_first_refusal_may_be_noted_by_two_at_once(table: Table, clock: Clock) -> None:
    first = ForbiddenStore(table, clock)
    overtaken = OvertakenTable(table, lambda: first.note(SLUG, "ado", "item 1"))
    ForbiddenStore(overtaken, clock).note(SLUG, "ado", "item 2")
    note(first, clock, ("item 2", 900.0), ("item 3", 0.0))
    assert first.counts() == {"ado": 1}
