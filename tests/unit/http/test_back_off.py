"""When one service may next be called for one organization: each wait by itself, and who asks first again."""

import pytest

from shared.domain.errors import Throttled, Unauthorized
from shared.http import BackOff
from shared.http.back_off import SILENT_FOR
from tests.doubles.clock import Clock


@pytest.fixture
def back_off(clock: Clock) -> BackOff:
    return BackOff(clock)


def wait(back_off: BackOff, quota: str = "") -> float:
    with pytest.raises(Throttled) as raised:
        back_off.verify("ado", quota)
    return raised.value.retry_after


@pytest.mark.parametrize("waits", [(60.0, 1.0), (1.0, 60.0), (60.0, 0.0, 60.0)])
def test_of_two_waits_the_later_end_counts(back_off: BackOff, waits: tuple[float, ...]) -> None:
    for seconds in waits:
        back_off.slow(seconds)
    assert wait(back_off) == 60.0


@pytest.mark.parametrize("waits", [(60.0, 1.0), (1.0, 60.0), (60.0, 0.0, 60.0)])
def test_of_two_ends_of_a_quota_the_later_one_counts(
    back_off: BackOff, clock: Clock, waits: tuple[float, ...]
) -> None:
    for seconds in waits:
        back_off.spent("lists", seconds)
        back_off.spent("others", 5.0)
    assert (wait(back_off, "lists"), wait(back_off, "others")) == (60.0, 5.0)
    clock.now += 60.0
    back_off.verify("ado", "lists")


def test_a_pause_for_bad_credentials_and_a_wait_end_each_by_itself(back_off: BackOff, clock: Clock) -> None:
    back_off.slow(600.0)
    back_off.refused(certain=True)
    with pytest.raises(Unauthorized):
        back_off.verify("ado")
    back_off.end_refusal()
    assert wait(back_off) == 600.0
    back_off.refused(certain=True)
    clock.now += 301.0
    assert wait(back_off) == 299.0


def test_a_service_that_gave_no_answer_is_left_alone_for_thirty_seconds(
    back_off: BackOff, clock: Clock
) -> None:
    back_off.silent()
    clock.now += 10.0
    assert (SILENT_FOR, wait(back_off)) == (30.0, 20.0)
    clock.now += 20.0
    back_off.verify("ado")


def test_after_a_silence_one_call_asks_and_the_others_wait_for_what_comes_of_it(
    back_off: BackOff, clock: Clock
) -> None:
    back_off.silent()
    clock.now += SILENT_FOR
    back_off.verify("ado")  # This one asks.
    assert wait(back_off) == SILENT_FOR
    back_off.answered()
    back_off.verify("ado")
    back_off.verify("ado")


def test_a_call_that_asks_and_never_returns_is_followed_by_another(back_off: BackOff, clock: Clock) -> None:
    back_off.silent()
    for _ in range(3):
        clock.now += SILENT_FOR
        back_off.verify("ado")
        assert wait(back_off) == SILENT_FOR


def test_an_answer_ends_a_silence_and_no_wait_that_was_asked_for(back_off: BackOff) -> None:
    back_off.slow(60.0)
    back_off.silent()
    back_off.answered()
    assert wait(back_off) == 60.0


def test_a_refusal_that_is_not_certain_pauses_at_the_third_in_a_row(back_off: BackOff) -> None:
    for _ in range(2):
        back_off.refused(certain=False)
    back_off.accepted()
    for _ in range(2):
        back_off.refused(certain=False)
        back_off.verify("ado")
    back_off.refused(certain=False)
    with pytest.raises(Unauthorized):
        back_off.verify("ado")
