"""Deliveries that are somebody else's, as one organization is told of them."""

from shared.store.foreign import ForeignStore
from tests.doubles.clock import Clock
from tests.doubles.tables import MemoryTable


def test_an_organization_is_told_of_its_own_foreign_deliveries_for_a_day(clock: Clock) -> None:
    foreign = ForeignStore(MemoryTable(), clock)
    foreign.note("acme")
    for _ in range(2):
        clock.now += 60.0
        foreign.note("acme-2")
    assert [foreign.count_of(slug) for slug in ("acme", "acme-2", "other")] == [1, 2, 0]
    clock.now += 24 * 3600.0 - 1.0
    assert [foreign.count_of(slug) for slug in ("acme", "acme-2")] == [0, 2]
    clock.now += 1.0
    assert foreign.count_of("acme-2") == 0
