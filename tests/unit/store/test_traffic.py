"""How many calls traffic costs, and how much of it a run removes."""

import itertools

import pytest

from shared.domain.model import Side
from shared.domain.traffic import HOUR, Event, of_side, taken
from shared.store.tables import Operation
from shared.store.traffic import KEPT_FOR, TrafficStore
from tests.doubles.tables import MemoryTable

SCOPE = "fabrikam~e1"
NOW = 500_000 * HOUR


class CountedTable(MemoryTable):
    """A table that keeps how many operations each call brought."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self.calls.append(len(operations))
        return super().apply(partition, *operations)


@pytest.fixture
def table() -> CountedTable:
    return CountedTable()


@pytest.fixture
def store(table: CountedTable) -> TrafficStore:
    numbers = itertools.count()
    return TrafficStore(table, lambda: f"{next(numbers):08}")


def write_events(store: TrafficStore, at: float, many: int) -> None:
    store.write(SCOPE, "a", {}, [Event(at, Side.ADO, "updated", "applied")] * many)


@pytest.mark.parametrize(("many", "calls"), [(0, []), (100, [100]), (250, [100, 100, 50])])
def test_each_row_is_written_once_in_as_few_calls_as_possible(
    store: TrafficStore, table: CountedTable, many: int, calls: list[int]
) -> None:
    write_events(store, NOW, many)
    assert table.calls == calls


@pytest.mark.parametrize("hour", [0, 500_000])
def test_an_hour_is_removed_once_all_of_it_is_older_than_seven_days(store: TrafficStore, hour: int) -> None:
    store.write(SCOPE, "a", {hour: of_side(Side.ADO, taken(hour * HOUR))})
    over = (hour + 1) * HOUR + KEPT_FOR
    assert [store.prune(SCOPE, now) for now in (over - 1.0, over)] == [0, 1]


def test_of_many_old_events_a_run_removes_five_thousand(store: TrafficStore) -> None:
    write_events(store, NOW - KEPT_FOR - 1.0, 5_001)
    assert [store.prune(SCOPE, NOW) for _ in range(3)] == [5_000, 1, 0]
