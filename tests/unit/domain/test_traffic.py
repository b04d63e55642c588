"""Counts, delays and hours: what joins to what, and how far a quantile may be off."""

import random

import pytest

from shared.domain.model import IssueSide, IssueStatus, Person, Side
from shared.domain.traffic import (
    HOUR,
    Counts,
    Delays,
    Hour,
    delay,
    hour_of,
    is_announced,
    of_side,
    refused,
    rounded,
    taken,
    total,
    unexplained,
    untold,
    within_a_day,
)

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED

LOST = (Counts(given_up=2), Counts(given_up=3))


def test_counts_join_in_any_order_and_keep_the_latest_moments() -> None:
    parts = [
        taken(10.0),
        taken(30.0, nothing_to_do=True),
        refused(20.0),
        untold(5.0),
        Counts(not_linked=2),
        *LOST,
    ]
    whole = Counts(
        taken=2,
        nothing_to_do=1,
        not_linked=2,
        refused=1,
        untold=1,
        taken_at=30.0,
        refused_at=20.0,
        untold_at=5.0,
        given_up=5,
    )
    for order in (parts, parts[::-1]):
        joined = Counts()
        for each in order:
            joined = joined.joined(each)
        assert joined == whole


@pytest.mark.parametrize(
    ("seconds", "shown"), [(None, None), (0.0, 0.0), (1.23449, 1.234), (0.00051, 0.001), (12.0, 12.0)]
)
def test_seconds_are_shown_to_the_millisecond(seconds: float | None, shown: float | None) -> None:
    assert rounded(seconds) == shown


@pytest.mark.parametrize("part", [0.5, 0.95, 1.0])
def test_a_quantile_is_at_most_a_tenth_above(part: float) -> None:
    chance = random.Random(7)
    measured = sorted(chance.expovariate(0.5) + 0.02 for _ in range(2_000))
    delays = total(Hour(delays=delay(each)) for each in measured).delays
    exact = measured[int(len(measured) * part) - 1]
    found = delays.quantile(part)
    assert found is not None
    assert exact <= found * 1.0001
    assert found <= exact * 1.1001


def test_a_histogram_does_not_grow_with_what_it_measures() -> None:
    delays = Delays()
    for place in range(20_000):
        delays = delays.joined(delay(place * 1e3))
    assert len(delays.buckets) < 170
    assert delays.longest == 19_999e3


@pytest.mark.parametrize(("seconds", "shown"), [(0.0, 0.0), (-3.0, 0.0), (0.001, 0.001), (1e9, 1e9)])
def test_an_odd_delay_is_counted_all_the_same(seconds: float, shown: float) -> None:
    found = delay(seconds)
    assert (found.longest, sum(found.buckets.values())) == (shown, 1)
    assert (found.quantile(0.5) or 0.0) <= max(shown, 0.01)


def test_nothing_measured_has_no_quantile() -> None:
    assert Delays().quantile(0.5) is None


def test_a_day_is_the_present_hour_and_the_23_before_it() -> None:
    now = 100 * HOUR + 5.0
    hours = {number: of_side(Side.ADO, taken(number * HOUR)) for number in range(70, 103)}
    assert list(within_a_day(hours, now)) == list(range(100, 76, -1))
    assert within_a_day(hours, now + 48 * HOUR) == {}


@pytest.mark.parametrize(
    ("at", "hour"), [(0.0, 0), (HOUR - 0.1, 0), (HOUR, 1), (-0.1, -1), (-HOUR, -1), (-HOUR - 0.1, -2)]
)
def test_an_hour_begins_where_the_one_before_it_ends(at: float, hour: int) -> None:
    assert hour_of(at) == hour


@pytest.mark.parametrize(
    ("given_up", "found", "accusing"),
    [
        ([0, 0, 0], [1, 2, 3], [1, 2, 3]),
        ([2, 0, 0], [0, 2, 1], [0, 0, 1]),
        ([2, 0, 0], [1, 2, 1], [0, 1, 1]),
        ([0, 2, 0], [1, 0, 3], [1, 0, 1]),
    ],
)
def test_what_nobody_could_look_at_explains_as_many_later_finds(
    given_up: list[int], found: list[int], accusing: list[int]
) -> None:
    pairs = zip(given_up, found, strict=True)
    hours = {number: Counts(given_up=lost, untold=late) for number, (lost, late) in enumerate(pairs)}
    assert unexplained(hours) == dict(enumerate(accusing))


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (IssueSide(UNRESOLVED), IssueSide(RESOLVED), True),
        (IssueSide(UNRESOLVED), IssueSide(IGNORED), True),
        (IssueSide(IGNORED), IssueSide(UNRESOLVED), False),  # un-archived
        (IssueSide(RESOLVED), IssueSide(UNRESOLVED), False),
        (IssueSide(UNRESOLVED), IssueSide(UNRESOLVED, Person("a@x")), True),
        (IssueSide(UNRESOLVED, Person("a@x")), IssueSide(UNRESOLVED), False),  # unassigned
        (IssueSide(UNRESOLVED, Person("a@x")), IssueSide(RESOLVED), True),
        (IssueSide(UNRESOLVED), IssueSide(UNRESOLVED), False),
    ],
)
def test_what_sentry_sends_no_hook_for_is_no_lost_hook(
    before: IssueSide, after: IssueSide, told: bool
) -> None:
    assert is_announced(before, after) is told
