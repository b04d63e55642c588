"""What is logged of those whom nobody knows: a line a minute, however many they are."""

import threading
from collections import Counter
from weakref import WeakKeyDictionary

from functions.log import line, logger_for
from shared.services import Services

logger = logger_for(__name__)

_EVERY = 60.0  # seconds


class RefusedStrangers:
    """Counts refusals by function and kind, both words of ours, and tells of them once a minute.

    The first is told at once. What comes within a minute of a line is told together when that is over.
    """

    def __init__(self, services: Services) -> None:
        # The services hold these counts by weak reference; the other way round both would live for ever.
        self._clock, self._later = services.clock, services.later
        self._counts: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._is_awaited = False
        self._lock = threading.Lock()

    def note(self, function: str, kind: str) -> None:
        with self._lock:
            self._counts[f"{function}:{kind}"] += 1
            left = self._told_at + _EVERY - self._clock()
            if not 0.0 < left <= _EVERY:
                self._tell()
            elif not self._is_awaited:
                self._is_awaited = True
                try:
                    self._later(left, self._tell_rest)
                except (
                    RuntimeError
                ):  # There is no thread left: the next refusal after that tells of this one.
                    self._is_awaited = False

    def _tell_rest(self) -> None:
        with self._lock:
            self._is_awaited = False
            self._tell()

    def _tell(self) -> None:
        if self._counts:
            counts = dict(sorted(self._counts.items()))
            logger.warning(line("refused", count=self._counts.total(), **counts))
            self._counts.clear()
            self._told_at = self._clock()


_all: WeakKeyDictionary[Services, RefusedStrangers] = WeakKeyDictionary()
_making = threading.Lock()


def refused_strangers(services: Services) -> RefusedStrangers:
    """Return the counts of this process."""
    with _making:
        return _all.setdefault(services, RefusedStrangers(services))
