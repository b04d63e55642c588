"""Clocks that tests move."""

import time
from datetime import UTC, datetime

START = 1_800_000_000.0  # epoch seconds


class Clock:
    """A clock that only moves on request."""

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def moment(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)


class ShiftedClock:
    """The time, moved on at will: a claim outlives a crash by a minute."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead
