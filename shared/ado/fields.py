"""What was read of fields, kept for half a minute: a form, and a document, ask for the same several times."""

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

Read = TypeVar("Read")

_KEPT_FOR = 30.0  # seconds; whoever has just edited a process does not wait long
_MOST_KEPT = 1_000


class FieldCache:
    """A cache of this instance of the app; a miss costs one call."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, ...], tuple[Any, float]] = {}
        self._lock = threading.Lock()

    def kept(self, key: tuple[str, ...], read: Callable[[], Read]) -> Read:
        """Return what was read under a key a moment ago, or read it."""
        with self._lock:
            value, at = self._kept.get(key, (None, -_KEPT_FOR))
        if self._clock() - at < _KEPT_FOR and value is not None:
            return cast("Read", value)
        fresh = read()
        with self._lock:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (fresh, self._clock())
        return fresh
