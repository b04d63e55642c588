"""How often the same may be asked: as fast as people type, and no faster for long."""

import threading
from collections.abc import Callable

from shared.domain.errors import Busy

RATE = 5.0  # calls a second, for as long as anybody likes
BURST = 10.0  # calls at once: a form that opens asks for several lists, and somebody types a word


class Pace:
    """A token bucket for each name. An instance of the app has its own, in memory.

    Names are those of what exists; a stranger cannot add any.
    """

    def __init__(self, clock: Callable[[], float], rate: float = RATE, burst: float = BURST) -> None:
        self._clock = clock
        self._rate = rate
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def verify(self, name: str) -> None:
        """Take a call's share, or raise Busy with when there is one again."""
        with self._lock:
            now = self._clock()
            left, at = self._left.get(name, (self._burst, now))
            left = min(self._burst, left + max(0.0, now - at) * self._rate)
            if left < 1.0:
                self._left[name] = (left, now)
                wait = (1.0 - left) / self._rate
                raise Busy("the form asks too often: try again in a moment", retry_after=wait)
            self._left[name] = (left - 1.0, now)
