"""The names by which Azure DevOps knows Sentry's users, where several had to be tried."""

import threading
import time
from collections.abc import Callable

from shared.domain.model import Assignee

_KEPT_FOR = 3600.0  # seconds
_MOST = 10_000


class NameCache:
    """A cache of this instance of the app; a miss costs one refused call for each name tried first."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[Assignee, float]] = {}
        self._lock = threading.Lock()

    def find(self, scope: str, email: str) -> Assignee:
        """Return the name of the user with this primary address, or None if none is known."""
        with self._lock:
            name, at = self._kept.get((scope, email), (None, 0.0))
        return name if self._clock() - at < _KEPT_FOR else None

    def add(self, scope: str, email: str, name: Assignee) -> None:
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            self._kept[scope, email] = (name, self._clock())
