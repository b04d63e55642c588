"""What is kept of the subscriptions, and whose turn it is to change them: on memory and on Azurite."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from shared.domain.connection import scope_of
from shared.domain.errors import Busy
from shared.domain.problems import Problem
from shared.domain.subscriptions import Gap, HookEvent, HookRecord, HookState, WatchedEvent
from shared.store.hooks import HookStore, Turn
from shared.store.tables import Insert, Replace, Table
from tests.contract.test_damaged_rows import damages
from tests.doubles.clock import Clock

SCOPE, OTHER = scope_of("fabrikam", "0123456789abcdef"), scope_of("contoso", "0123456789abcdef")
RECORD = HookRecord(
    1_800_000_000.5,
    {
        HookEvent.UPDATED: WatchedEvent(HookState.ON_PROBATION, 1.0, "id", "mark", 2.0, 3.0, Gap(4.0, 5.0)),
        HookEvent.DELETED: WatchedEvent(HookState.ENABLED, 6.0),
    },
    Problem("forbidden", "HTTP 403", 7.0, is_note=True),
)


@pytest.fixture
def hooks(table: Table, clock: Clock) -> HookStore:
    return HookStore(table, clock)


def test_what_was_seen_is_kept_whole(hooks: HookStore) -> None:
    assert hooks.get(SCOPE) == HookRecord()
    turn = hooks.take(SCOPE, 60.0)
    assert turn.record.events == {}
    hooks.end(turn, RECORD)
    assert hooks.get(SCOPE) == RECORD
    assert hooks.take(SCOPE, 60.0).record == RECORD


def test_a_problem_is_told_like_those_of_the_reconciler_and_a_look_by_its_slug(hooks: HookStore) -> None:
    hooks.end(hooks.take(SCOPE, 60.0), RECORD)
    hooks.end(hooks.take(OTHER, 60.0), HookRecord(5.0))
    assert [each.problems for each in hooks.told()] == [{"hooks": RECORD.problem}]
    assert hooks.last_looks() == {"fabrikam": RECORD.checked_at, "contoso": 5.0}


def test_a_turn_is_one_worker_s_until_it_is_given_back_or_over(hooks: HookStore, clock: Clock) -> None:
    turn = hooks.take(SCOPE, 60.0)
    clock.now += 20.0
    with pytest.raises(Busy) as busy:
        hooks.take(SCOPE, 60.0)
    assert busy.value.retry_after == 40.0
    hooks.take(OTHER, 60.0)
    hooks.end(turn, RECORD)
    late = hooks.take(SCOPE, 60.0)
    clock.now += 60.0
    hooks.take(SCOPE, 60.0)
    # The word of whoever was too late does not count.
    hooks.end(late, HookRecord())
    assert hooks.get(SCOPE).events == RECORD.events
    with pytest.raises(Busy):
        hooks.take(SCOPE, 60.0)


def test_a_turn_of_a_clock_that_is_far_ahead_keeps_nobody_out(hooks: HookStore, clock: Clock) -> None:
    clock.now += 10_000.0
    hooks.take(SCOPE, 60.0)
    clock.now -= 10_000.0
    hooks.take(SCOPE, 60.0)


def test_of_many_at_once_one_has_the_turn(hooks: HookStore) -> None:
    def take(_number: int) -> Turn | None:
        with suppress(Busy):
            return hooks.take(SCOPE, 60.0)
        return None

    for _ in range(3):
        with ThreadPoolExecutor(4) as threads:
            [turn] = [each for each in threads.map(take, range(4)) if each is not None]
        hooks.end(turn, RECORD)


def test_what_is_forgotten_is_not_written_again_by_whoever_was_at_it(hooks: HookStore) -> None:
    turn = hooks.take(SCOPE, 60.0)
    hooks.forget(SCOPE)
    hooks.forget(SCOPE)
    hooks.end(turn, RECORD)
    assert (hooks.get(SCOPE), hooks.last_looks()) == (HookRecord(), {})


@damages
def test_a_row_that_cannot_be_read_is_written_over(hooks: HookStore, table: Table, damage: str) -> None:
    hooks.end(hooks.take(OTHER, 60.0), RECORD)
    table.apply("hooks", Insert(SCOPE, damage))
    assert hooks.get(SCOPE) == HookRecord()
    assert len(hooks.told()) == 1
    assert set(hooks.last_looks()) == {"fabrikam", "contoso"}
    hooks.end(hooks.take(SCOPE, 60.0), RECORD)
    assert hooks.get(SCOPE).events == RECORD.events


def test_a_newer_version_s_event_hides_none_of_ours(hooks: HookStore, table: Table) -> None:
    newer = (
        '{"events": {"workitem.commented": {"state": "enabled"}, "workitem.updated": {"state": "missing"}}}'
    )
    table.apply("hooks", Replace(SCOPE, newer, None))
    assert hooks.get(SCOPE).events[HookEvent.UPDATED].state is HookState.MISSING


def test_the_last_look_at_a_slug_is_that_of_any_of_its_connections(hooks: HookStore) -> None:
    for epoch, at in (("0000000000000000", 5.0), ("ffffffffffffffff", 0.5), ("aaaaaaaaaaaaaaaa", 9.0)):
        hooks.end(hooks.take(scope_of("fabrikam", epoch), 60.0), HookRecord(at))
    hooks.end(hooks.take(OTHER, 60.0), HookRecord(0.25))
    assert hooks.last_looks() == {"fabrikam": 9.0, "contoso": 0.25}


@pytest.mark.parametrize(
    ("passed", "wait"), [(0.0, 60.0), (58.0, 2.0), (59.0, 1.0), (59.5, 1.0), (60.0, None)]
)
def test_whoever_comes_too_early_is_told_when_to_come_again(
    hooks: HookStore, clock: Clock, passed: float, wait: float | None
) -> None:
    hooks.take(SCOPE, 60.0)
    clock.now += passed
    if wait is None:
        hooks.take(SCOPE, 60.0)
        return
    with pytest.raises(Busy) as busy:
        hooks.take(SCOPE, 60.0)
    assert busy.value.retry_after == wait
    assert busy.value.detail == "somebody else looks after the subscriptions at this moment"


def test_a_turn_that_was_given_back_is_free_at_once(hooks: HookStore, clock: Clock) -> None:
    clock.now = 0.5  # a moment before any that a turn could end at
    hooks.end(hooks.take(SCOPE, 60.0), RECORD)
    assert hooks.take(SCOPE, 60.0).ends == 60.5


def test_a_slug_of_digits_is_told_and_looked_at_like_any_other(hooks: HookStore) -> None:
    digits = scope_of("4711", "0123456789abcdef")
    hooks.end(hooks.take(digits, 60.0), RECORD)
    assert [each.problems for each in hooks.told()] == [{"hooks": RECORD.problem}]
    assert hooks.last_looks() == {"4711": RECORD.checked_at}
