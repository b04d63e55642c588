"""Whether the organization at an address is there: asked before a thing in it is called gone."""

import threading
import time
from collections.abc import Callable

_KNOWN_FOR = 60.0  # seconds
_MOST_KEPT = 1_000


class Presence:
    """Remembers for a minute which addresses answered: a thousand things that are gone cost one call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._answered: dict[str, float] = {}
        self._lock = threading.Lock()

    def is_there(self, address: str, ask: Callable[[], bool]) -> bool:
        """Return whether something is at the address; ``ask`` may raise if nobody can tell."""
        with self._lock:
            at = self._answered.get(address)
        if at is not None and self._clock() - at < _KNOWN_FOR:
            return True
        is_there = ask()
        with self._lock:
            if len(self._answered) >= _MOST_KEPT:
                self._answered.clear()
            if is_there:
                self._answered[address] = self._clock()
            else:
                self._answered.pop(address, None)
        return is_there
