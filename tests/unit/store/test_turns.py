"""Turns to watch the subscriptions, where somebody else is faster by a moment."""

from collections.abc import Callable

import pytest

from shared.domain.errors import Busy
from shared.domain.subscriptions import HookRecord
from shared.store.hooks import HookStore
from tests.doubles.clock import Clock
from tests.doubles.tables import MemoryTable, OvertakenTable

SCOPE = "fabrikam~e1"


def take(hooks: HookStore) -> None:
    hooks.take(SCOPE, 60.0)


def renew(hooks: HookStore) -> None:
    hooks.end(hooks.take(SCOPE, 60.0), HookRecord(5.0))


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("meanwhile", [take, renew])
def test_whoever_is_a_moment_later_comes_again_in_a_second(
    clock: Clock, was_there: bool, meanwhile: Callable[[HookStore], None]
) -> None:
    table = MemoryTable()
    hooks = HookStore(table, clock)
    if was_there:
        renew(hooks)
    late = HookStore(OvertakenTable(table, lambda: meanwhile(hooks)), clock)
    with pytest.raises(Busy) as busy:
        take(late)
    assert busy.value.retry_after == 1.0


def test_a_row_that_goes_in_the_same_moment_is_taken_a_second_later(clock: Clock) -> None:
    table = MemoryTable()
    hooks = HookStore(table, clock)
    renew(hooks)
    late = HookStore(OvertakenTable(table, lambda: hooks.forget(SCOPE)), clock)
    with pytest.raises(Busy):
        take(late)
    take(late)
