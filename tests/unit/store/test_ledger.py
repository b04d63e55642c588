"""Taking note costs no call; what was noted is written soon, together, by nobody who waits."""

import threading
from collections.abc import Callable, Iterable, Mapping

import pytest

from shared.domain.errors import Unavailable
from shared.domain.model import Side
from shared.domain.traffic import HOUR, Counts, Event, Hour, hour_of, of_side, taken
from shared.store.ledger import COUNTS_EVERY, EVENTS_EVERY, Ledger, start_later
from shared.store.tables import Operation
from shared.store.traffic import TrafficStore
from tests.doubles.tables import MemoryTable

SCOPE = "fabrikam!e1"
START = 500_000 * HOUR + 60.0


class CountedTable(MemoryTable):
    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.error: Exception | None = None

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        if self.error is not None:
            raise self.error
        self.writes += 1
        return super().apply(partition, *operations)


class World:
    """A ledger on a clock that a test moves, with a timer that goes by it."""

    def __init__(self) -> None:
        self.now = START
        self.table = CountedTable()
        self.store = TrafficStore(self.table, self._token)
        self.looks = self._tokens = 0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.organizations = {"fabrikam": SCOPE}
        self.ledger = self.instance("a")

    def instance(self, name: str) -> Ledger:
        return Ledger(lambda: self.store, self._scopes, lambda: self.now, name, self._later)

    def _token(self) -> str:
        self._tokens += 1
        return f"{self._tokens:08d}"

    def _scopes(self) -> dict[str, str]:
        self.looks += 1
        return dict(self.organizations)

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + seconds, call))

    def live(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [each for each in self.timers if each[0] <= end]:
            first = min(due, key=lambda each: each[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end

    def counts(self, side: Side = Side.ADO) -> Counts:
        return self.store.hours(SCOPE, self.now).get(hour_of(self.now), Hour()).on(side)


@pytest.fixture
def world() -> World:
    return World()


def note(world: World, *events: Event) -> None:
    world.ledger.count(SCOPE, of_side(Side.ADO, taken(world.now)), *events)


def an_event(world: World) -> Event:
    return Event(world.now, Side.ADO, "updated", "applied")


def test_no_delivery_costs_a_table_call(world: World) -> None:
    for _ in range(1_000):
        note(world)
        world.ledger.count_refused("fabrikam", Side.ADO)
        world.ledger.count_refused("nobody", Side.ADO)
        world.ledger.count_nobodys("gone", Side.ADO)
    assert (world.table.writes, world.looks) == (0, 0)


def test_the_first_of_a_quiet_organization_is_written_at_once_and_the_rest_in_a_minute(world: World) -> None:
    note(world)
    world.live(0.0)
    assert world.counts().taken == 1
    for _ in range(59):
        note(world)
        world.live(1.0)
    assert (world.table.writes, world.counts().taken) == (1, 1)
    world.live(COUNTS_EVERY)
    assert (world.table.writes, world.counts().taken) == (2, 60)


def test_a_busy_organization_is_written_once_a_minute(world: World) -> None:
    for _ in range(600):
        note(world)
        world.live(1.0)
    assert world.table.writes <= 11


def test_events_come_sooner(world: World) -> None:
    note(world, an_event(world))
    world.live(0.0)
    note(world, an_event(world))
    world.live(EVENTS_EVERY)
    assert len(world.store.events(SCOPE, None, 10).events) == 2


def test_nothing_more_is_written_when_nothing_more_comes(world: World) -> None:
    note(world)
    world.live(10 * COUNTS_EVERY)
    assert (world.table.writes, world.timers) == (1, [])


def test_what_storage_does_not_take_is_kept_and_counted_once(world: World) -> None:
    world.table.error = Unavailable("storage", "down")
    note(world, an_event(world))
    world.live(30.0)
    world.table.error = None
    note(world)
    world.live(COUNTS_EVERY)
    assert world.counts().taken == 2
    assert len(world.store.events(SCOPE, None, 10).events) == 1


def test_two_instances_count_together(world: World) -> None:
    other = world.instance("b")
    note(world)
    other.count(SCOPE, of_side(Side.ADO, taken(world.now)))
    for each in (world.ledger, other):
        each.flush()
    assert world.counts().taken == 2


def test_the_next_hour_has_its_own_count(world: World) -> None:
    note(world)
    world.live(HOUR)
    note(world)
    world.live(COUNTS_EVERY)
    hours = world.store.hours(SCOPE, world.now)
    assert [hours[each].ado.taken for each in sorted(hours)] == [1, 1]


def test_of_an_hour_that_is_over_no_more_is_kept_than_storage_has_not_taken(world: World) -> None:
    note(world)
    world.ledger.flush()
    world.now += HOUR
    note(world)
    world.ledger.flush()
    assert list(world.ledger._open[SCOPE].hours) == [hour_of(world.now)]


def test_what_arrives_in_the_next_hour_while_the_last_one_is_written_is_counted_too(world: World) -> None:
    class Slow(TrafficStore):
        """A store in which an hour passes, and something arrives, before the first write has ended."""

        def write(
            self, scope: str, instance: str, hours: Mapping[int, Hour], events: Iterable[Event] = ()
        ) -> None:
            world.store = store
            world.now += HOUR
            note(world)
            super().write(scope, instance, hours, events)

    store = world.store
    world.store = Slow(world.table, world._token)
    note(world)
    world.ledger.flush()
    world.ledger.flush()
    hours = world.store.hours(SCOPE, world.now)
    assert [hours[each].ado.taken for each in sorted(hours)] == [1, 1]


def test_several_notes_that_are_due_at_one_time_start_one_timer(world: World) -> None:
    for _ in range(3):
        note(world)
    assert len(world.timers) == 1


# Who is turned away.


def test_a_refusal_is_counted_for_whoever_is_connected(world: World) -> None:
    for _ in range(5):
        world.ledger.count_refused("fabrikam", Side.SENTRY)
    world.ledger.flush()
    assert (world.counts(Side.SENTRY).refused, world.counts(Side.SENTRY).refused_at) == (5, world.now)


def test_a_refusal_that_is_written_in_the_next_hour_counts_for_the_last_second_of_its_own(
    world: World,
) -> None:
    world.ledger.count_refused("fabrikam", Side.SENTRY)
    world.now += HOUR
    world.ledger.flush()
    hours, end = world.store.hours(SCOPE, world.now), (hour_of(START) + 1) * HOUR
    assert hours == {hour_of(START): of_side(Side.SENTRY, Counts(refused=1, refused_at=end - 1.0))}


@pytest.mark.parametrize(("later", "looks"), [(0.0, 1), (0.5, 1), (59.0, 1), (60.0, 2), (-1.0, 2)])
def test_who_is_connected_is_known_for_a_minute_unless_the_clock_is_set_back(
    world: World, later: float, looks: int
) -> None:
    for _ in range(2):
        world.ledger.count_refused("fabrikam", Side.ADO)
        world.ledger.flush()
        world.now += later
    assert world.looks == looks


def test_who_is_turned_away_at_a_known_door_is_written_with_what_waits_there(world: World) -> None:
    note(world)
    world.live(0.0)
    world.live(5.0)
    note(world)
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.live(COUNTS_EVERY)
    assert (world.table.writes, world.counts().refused) == (2, 1)


def test_a_stranger_fills_nothing(world: World) -> None:
    for number in range(10_000):
        world.ledger.count_refused(f"made-up-{number}", Side.ADO)
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.flush()
    assert world.table.writes <= 1
    assert len(world.ledger._refused) == 0
    # Now that it is known who is connected, made-up names cannot crowd anybody out.
    for number in range(10_000):
        world.ledger.count_refused(f"made-up-{number}", Side.ADO)
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.live(2 * COUNTS_EVERY)
    assert world.counts().refused >= 1
    assert world.looks <= 4


def made_up(world: World, many: int) -> None:
    for number in range(many):
        world.ledger.count_refused(f"made-up-{number}", Side.ADO)


def test_of_names_that_a_stranger_makes_up_sixty_four_are_kept(world: World) -> None:
    made_up(world, 65)
    world.ledger.count_refused("made-up-0", Side.ADO)
    world.ledger.count_refused("fabrikam", Side.ADO)
    kept = {slug: count for (slug, _, _), count in world.ledger._refused.items()}
    assert kept == {"made-up-0": 2, **{f"made-up-{number}": 1 for number in range(1, 64)}}


def test_however_many_names_are_made_up_whoever_is_known_to_be_connected_is_counted(world: World) -> None:
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.flush()  # From here on it is known.
    made_up(world, 65)
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.count_refused("made-up-64", Side.ADO)
    world.ledger.flush()
    assert world.counts().refused == 2


def test_a_refusal_of_whoever_is_known_is_written_with_what_else_is_due(world: World) -> None:
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.flush()
    world.timers.clear()
    world.now += 10.0
    world.ledger._wakes_at = None
    world.ledger.count_refused("fabrikam", Side.ADO)
    assert [at for at, _ in world.timers] == [START + COUNTS_EVERY]


def test_a_refusal_waits_for_the_next_write_to_whoever_is_known(world: World) -> None:
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.flush()
    world.now += 30.0
    note(world)
    world.ledger.flush()
    world.timers.clear()
    world.ledger._wakes_at = None
    world.ledger.count_refused("fabrikam", Side.ADO)
    assert [at for at, _ in world.timers] == [START + 30.0 + COUNTS_EVERY]


def test_who_is_not_known_is_looked_up_once_a_minute(world: World) -> None:
    world.ledger.count_refused("fabrikam", Side.ADO)
    assert [at for at, _ in world.timers] == [START]  # The first of all is looked up at once.
    world.live(0.0)
    world.now += 10.0
    world.ledger.count_refused("made-up", Side.ADO)
    assert [at for at, _ in world.timers] == [START + 60.0]


def test_the_timer_writes_what_is_due_and_comes_again_for_the_rest(world: World) -> None:
    world.organizations["contoso"] = "contoso!e2"
    note(world, an_event(world))
    world.live(0.0)
    world.now += 2.0
    note(world, an_event(world))  # due at 5.0
    world.ledger.count("contoso!e2", of_side(Side.ADO, taken(world.now)))  # due at once
    world.live(0.0)
    assert world.store.hours("contoso!e2", world.now)[hour_of(world.now)].ado.taken == 1
    assert world.counts().taken == 1
    assert {at for at, _ in world.timers} == {START + EVENTS_EVERY}
    world.live(EVENTS_EVERY)
    assert world.counts().taken == 2


def test_what_storage_did_not_take_is_tried_again_in_a_second(world: World) -> None:
    world.table.error = Unavailable("storage", "HTTP 503")
    note(world, an_event(world))
    world.live(0.0)
    assert [at for at, _ in world.timers] == [START + EVENTS_EVERY]
    world.now += 30.0
    world.timers.pop()[1]()
    world.now += 60.0
    world.timers.clear()
    world.ledger._write_what_is_due()
    assert [at - world.now for at, _ in world.timers] == [EVENTS_EVERY]


def test_what_is_overdue_since_storage_failed_before_it_waits_a_second(world: World) -> None:
    world.table.error = Unavailable("storage", "HTTP 503")
    note(world)
    world.ledger.count_nobodys("gone", Side.ADO)
    world.live(0.0)
    assert [at for at, _ in world.timers] == [START + 1.0]
    world.table.error = None
    world.live(1.0)
    assert (world.counts().taken, world.timers) == (1, [])


def test_an_organization_that_was_connected_a_moment_ago_is_counted_too(world: World) -> None:
    world.ledger.count_refused("fabrikam", Side.ADO)
    world.ledger.flush()
    world.organizations["contoso"] = "contoso!e2"
    world.ledger.count_refused("contoso", Side.ADO)
    world.ledger.flush()
    assert world.store.hours("contoso!e2", world.now)[hour_of(world.now)].ado.refused == 1


def test_without_a_thread_nothing_fails(world: World) -> None:
    def none_left(_seconds: float, _call: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    ledger = Ledger(lambda: world.store, world._scopes, lambda: world.now, "a", none_left)
    ledger.count(SCOPE, of_side(Side.ADO, taken(world.now)))
    ledger.flush()
    assert world.counts().taken == 1


# Deliveries that belong to nobody.


def nobodys(world: World) -> list[tuple[str, Side, float]]:
    return sorted((each.slug, each.side, each.at) for each in world.store.nobodys(world.now))


def test_a_new_nobody_is_written_at_once_and_the_next_deliveries_in_a_minute(world: World) -> None:
    world.ledger.count_nobodys("gone", Side.ADO)
    assert [at for at, _ in world.timers] == [world.now]
    world.live(0.0)
    assert nobodys(world) == [("gone", Side.ADO, START)]


def test_a_nobody_that_is_waiting_to_be_written_wakes_nobody_sooner(world: World) -> None:
    waits: list[float] = []

    def busy_at_first(seconds: float, _call: Callable[[], None]) -> None:
        waits.append(seconds)
        if len(waits) == 1:
            raise RuntimeError("can't start new thread")

    ledger = Ledger(lambda: world.store, world._scopes, lambda: world.now, "a", busy_at_first)
    ledger.count_nobodys("gone", Side.ADO)
    ledger.count_nobodys("gone", Side.ADO)
    assert waits == [0.0, COUNTS_EVERY]


def test_nobodys_are_kept_up_to_a_number_of_names(world: World) -> None:
    for number in range(65):
        world.ledger.count_nobodys(f"gone-{number:02}", Side.SENTRY)
        world.now += 1.0
    world.ledger.count_nobodys("gone-00", Side.SENTRY)
    world.ledger.count_nobodys("gone-00", Side.ADO)
    world.ledger.flush()
    kept = nobodys(world)
    assert [slug for slug, _, _ in kept] == [f"gone-{number:02}" for number in range(64)]
    assert kept[0] == ("gone-00", Side.SENTRY, START + 65.0)  # those that are known are told anew


def test_a_timer_keeps_no_process_from_ending() -> None:
    def call() -> None:
        raise AssertionError("nobody waits that long")

    start_later(3_600.0, call)
    timers = (each for each in threading.enumerate() if isinstance(each, threading.Timer))
    [timer] = [each for each in timers if each.function is call]
    try:
        assert (timer.daemon, timer.interval) == (True, 3_600.0)
    finally:
        timer.cancel()
        timer.join()


def test_a_bug_is_told_to_whoever_reads_and_loses_nothing(world: World) -> None:
    """What a thread of its own raises goes past every filter of the log, and may hold anything."""
    world.table.error = ValueError("a bug")
    note(world, an_event(world))
    world.live(EVENTS_EVERY)
    with pytest.raises(ValueError, match="a bug"):
        world.ledger.flush()
    world.table.error = None
    world.live(EVENTS_EVERY)
    assert world.counts().taken == 1
    assert len(world.store.events(SCOPE, None, 10).events) == 1
