"""In which order organizations have their runs, and how much of the time is theirs."""

import pytest

from shared.domain.rules.turns import LastRun, in_turn, share_of

NOW = 1_800_000_000.0
RECENT = NOW - 300.0


@pytest.mark.parametrize(
    ("runs", "order"),
    [
        ({}, ["a", "b", "c"]),
        # The quick ones first: what they leave of their shares is for the others.
        ({"a": LastRun(RECENT, 90.0), "b": LastRun(RECENT, 0.1), "c": LastRun(RECENT, 2.0)}, ["b", "c", "a"]),
        # One that the last run did not reach is not left out again, however long it took.
        ({"a": LastRun(NOW - 600.0, 90.0), "b": LastRun(RECENT), "c": LastRun(RECENT)}, ["a", "b", "c"]),
        ({"a": LastRun(NOW - 600.0), "b": LastRun(NOW - 900.0), "c": LastRun(RECENT)}, ["b", "a", "c"]),
        ({"a": LastRun(RECENT), "b": LastRun(RECENT)}, ["c", "a", "b"]),  # c is new
        ({"a": LastRun(NOW - 450.0, 90.0), "b": LastRun(RECENT), "c": LastRun(RECENT)}, ["a", "b", "c"]),
        # Whoever began this very moment was reached.
        ({"a": LastRun(NOW, 90.0), "b": LastRun(RECENT), "c": LastRun(RECENT)}, ["b", "c", "a"]),
        # A run that is to come was noted by a clock that went wrong.
        ({"a": LastRun(RECENT), "b": LastRun(RECENT), "c": LastRun(NOW + 1.0)}, ["c", "a", "b"]),
    ],
)
def test_who_waited_goes_first_and_then_who_is_quick(runs: dict[str, LastRun], order: list[str]) -> None:
    assert in_turn(["c", "a", "b"], runs, NOW) == order


@pytest.mark.parametrize(("left", "waiting", "share"), [(200.0, 4, 50.0), (30.0, 1, 30.0), (30.0, 0, 30.0)])
def test_each_has_an_equal_share_of_what_is_left(left: float, waiting: int, share: float) -> None:
    assert share_of(left, waiting) == share
