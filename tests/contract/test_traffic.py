"""Counts and events as they are stored: on memory and on Azurite."""

import itertools
from collections.abc import Callable

import pytest

from shared.domain.model import ActivityEntry, End, Side
from shared.domain.traffic import HOUR, Counts, Event, Hour, delay, hour_of, of_side, taken
from shared.store.activity import ActivityStore
from shared.store.keys import escaped
from shared.store.tables import Insert, Table
from shared.store.traffic import KEPT_FOR, Nobodys, TrafficStore

SCOPE, OTHER = "fabrikam!e1", "contoso!e2"
NOW = 500_000 * HOUR + 60.0
THIS_HOUR = hour_of(NOW)


def tokens() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"{next(numbers):08d}"


@pytest.fixture
def store(table: Table) -> TrafficStore:
    return TrafficStore(table, tokens())


def event(at: float, outcome: str = "applied") -> Event:
    return Event(at, Side.ADO, "updated", outcome, "100", 31, told_by="hook", took=0.4)


def test_what_instances_counted_is_added_up(store: TrafficStore) -> None:
    one = of_side(Side.ADO, taken(NOW)).joined(Hour(delays=delay(0.5)))
    store.write(SCOPE, "a", {THIS_HOUR: one})
    store.write(SCOPE, "b", {THIS_HOUR: one, THIS_HOUR - 1: one})
    store.write(OTHER, "a", {THIS_HOUR: one})
    hours = store.hours(SCOPE, NOW)
    assert {number: hour.ado.taken for number, hour in hours.items()} == {THIS_HOUR - 1: 1, THIS_HOUR: 2}
    assert sum(hours[THIS_HOUR].delays.buckets.values()) == 2


def test_a_write_that_is_repeated_counts_nothing_twice(store: TrafficStore) -> None:
    for count in (1, 3, 3):
        store.write(SCOPE, "a", {THIS_HOUR: of_side(Side.SENTRY, Counts(taken=count))})
    assert store.hours(SCOPE, NOW)[THIS_HOUR].sentry.taken == 3


@pytest.mark.parametrize(
    ("at", "place"), [(NOW, f"{9_999_999_999_999_999 - 1_800_000_060_000_000:016}"), (2e10, "0" * 16)]
)
def test_an_event_is_stored_by_the_microseconds_to_the_end_of_time(
    store: TrafficStore, table: Table, at: float, place: str
) -> None:
    store.write(SCOPE, "a", {}, [event(at)])
    assert [row.key for row in table.scan(escaped(SCOPE), "event!", "event!~")] == [f"event!{place}!00000001"]


def test_events_come_newest_first_and_page_by_page(store: TrafficStore) -> None:
    store.write(SCOPE, "a", {}, [event(NOW - age) for age in range(250)])
    seen: list[float] = []
    page, continuation = store.events(SCOPE, None, 100), None
    while True:
        page = store.events(SCOPE, continuation, 100)
        seen += [each.at for each in page.events]
        if (continuation := page.continuation) is None:
            break
    assert seen == [NOW - age for age in range(250)]
    assert store.events(OTHER, None, 100).events == ()


def test_two_events_of_one_moment_are_two(store: TrafficStore) -> None:
    store.write(SCOPE, "a", {}, [event(NOW), event(NOW)])
    assert len(store.events(SCOPE, None, 10).events) == 2


def test_what_is_older_than_seven_days_is_removed(store: TrafficStore) -> None:
    old, young = NOW - KEPT_FOR - 2 * HOUR, NOW - KEPT_FOR + 2 * HOUR
    hours = {hour_of(at): of_side(Side.ADO, taken(at)) for at in (old, young)}
    store.write(SCOPE, "a", hours, [event(old), event(young)])
    assert store.prune(SCOPE, NOW) == 2
    assert [each.at for each in store.events(SCOPE, None, 10).events] == [young]
    assert list(store.hours(SCOPE, NOW, back=2 * KEPT_FOR)) == [hour_of(young)]
    assert store.prune(SCOPE, NOW) == 0


def test_rows_that_cannot_be_read_are_passed_over(store: TrafficStore, table: Table) -> None:
    store.write(SCOPE, "a", {THIS_HOUR: of_side(Side.ADO, taken(NOW))}, [event(NOW)])
    partition = "fabrikam=21e1"
    odd = ("event!0000000000000001!x", f"hour!{THIS_HOUR:016d}!b", "hour!9999999999999999!c", "hour!x")
    for key in odd:
        table.apply(partition, Insert(key, "{"))
    assert store.hours(SCOPE, NOW)[THIS_HOUR].ado.taken == 1
    page = store.events(SCOPE, None, 10)
    assert (len(page.events), page.unreadable) == (1, (odd[0],))


@pytest.mark.parametrize("key", ["hour!9", "hour!9x!a", "hour!9\u0663!a", "hour!9!a!b"])
def test_an_hour_with_an_odd_key_counts_nothing(store: TrafficStore, table: Table, key: str) -> None:
    store.write(SCOPE, "a", {THIS_HOUR: of_side(Side.ADO, taken(NOW))})
    table.apply("fabrikam=21e1", Insert(key, "{}"))
    assert list(store.hours(SCOPE, NOW)) == [THIS_HOUR]


def test_all_of_an_organization_is_removed(store: TrafficStore) -> None:
    store.write(SCOPE, "a", {THIS_HOUR: of_side(Side.ADO, taken(NOW))}, [event(NOW)])
    assert store.remove_some(SCOPE, 10) == 2
    assert store.hours(SCOPE, NOW) == {}


def test_deliveries_to_nobody_are_told_for_a_day(store: TrafficStore) -> None:
    store.note_nobodys([Nobodys("gone", Side.ADO, NOW), Nobodys("gone", Side.SENTRY, NOW - 25 * HOUR)])
    assert store.nobodys(NOW) == [Nobodys("gone", Side.ADO, NOW)]
    assert store.nobodys(NOW + 25 * HOUR) == []
    assert store.nobodys(NOW) == []


def test_links_that_are_over_are_found_by_both_ends(table: Table) -> None:
    activity = ActivityStore(table, tokens())
    activity.add(SCOPE, "100", 31, ActivityEntry(NOW - 9.0, "linked"))
    activity.add(SCOPE, "100", 31, ActivityEntry(NOW, "unlinked", reason="replaced"))
    activity.add(SCOPE, "100", 32, ActivityEntry(NOW - 5.0, "unlinked"))
    found = activity.ended(SCOPE, End(Side.SENTRY, "100"))
    assert [(each.partner, each.at, each.reason) for each in found] == [
        ("31", NOW, "replaced"),
        ("32", NOW - 5.0, None),
    ]
    assert [each.partner for each in activity.ended(SCOPE, End(Side.ADO, "31"))] == ["100"]
    assert activity.ended(SCOPE, End(Side.ADO, "3")) == []
    assert activity.ended(OTHER, End(Side.ADO, "31")) == []
    # The history of the link is as it was, and the index is pruned with it.
    page = activity.page(SCOPE, "100", 31, None, 10)
    assert [each.outcome for each in page.entries] == ["unlinked", "linked"]
    pruned = activity.prune(SCOPE, NOW + 91 * 24 * HOUR)
    assert (pruned.removed, pruned.unreadable) == (7, ())


def test_the_end_of_a_link_is_indexed_under_the_moment_of_its_entry(table: Table) -> None:
    ActivityStore(table, tokens()).add(SCOPE, "100", 31, ActivityEntry(NOW, "unlinked"))
    moments = {row.key.split("!")[0]: row.key.split("!")[2] for row in table.scan("fabrikam=21e1", "", "~")}
    moment = f"{9_999_999_999_999_999 - round(NOW * 1e6):016d}"
    assert moments == {f"{31:016d}": moment, "of-item": moment, "of-issue": moment}


@pytest.mark.parametrize(("limit", "pages"), [(1, [1, 1, 1]), (2, [2, 1]), (3, [3]), (4, [3])])
def test_a_page_of_events_that_is_the_last_says_so(store: TrafficStore, limit: int, pages: list[int]) -> None:
    store.write(SCOPE, "a", {}, [event(NOW - age) for age in range(3)])
    found = [store.events(SCOPE, None, limit)]
    while found[-1].continuation is not None:
        found.append(store.events(SCOPE, found[-1].continuation, limit))
    assert [len(page.events) for page in found] == pages


def test_nobodys_are_told_for_a_day_and_then_removed(store: TrafficStore) -> None:
    day = 24 * HOUR
    young, old = Nobodys("4711", Side.ADO, NOW - day + 1.0), Nobodys("b", Side.ADO, NOW - day)
    store.note_nobodys([old, young])
    assert store.nobodys(NOW) == [young]
    # What was too old is gone, and what was not is still there.
    assert store.nobodys(NOW - HOUR) == [young]
    store.note_nobodys([Nobodys("4711", Side.ADO, NOW)])
    assert store.nobodys(NOW) == [Nobodys("4711", Side.ADO, NOW)]


def test_of_the_links_that_are_over_the_last_are_told(table: Table) -> None:
    activity = ActivityStore(table, tokens())
    for item in range(1, 31):
        activity.add(SCOPE, "100", item, ActivityEntry(NOW + item, "unlinked"))
    table.apply("fabrikam=21e1", Insert("of-issue!100!0", "{"))
    found = activity.ended(SCOPE, End(Side.SENTRY, "100"))
    assert [each.partner for each in found] == [str(item) for item in range(30, 11, -1)]
    assert len(activity.ended(SCOPE, End(Side.SENTRY, "100"), 100)) == 30
