"""How many threads those may hold who wait for a vendor's answer, so that hooks always find one."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.domain.errors import Busy

_RETRY_AFTER = 2.0  # seconds


class Seats:
    """Gives each caller who waits a seat: a quarter of the threads to one kind, three eighths to all kinds.

    The rest is for hooks, messages and whatever takes no time. Nobody queues for a seat, because a caller who
    waits in line holds a thread as well.
    """

    def __init__(self, threads: int) -> None:
        self.of_a_kind = max(1, threads // 4)
        self.in_all = max(1, threads * 3 // 8)
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def seat(self, kind: str) -> Iterator[None]:
        """Hold a seat for the time of the block, or raise Busy."""
        with self._lock:
            if self._taken[kind] >= self.of_a_kind or self._taken.total() >= self.in_all:
                raise Busy(
                    f"too many {kind} are waiting for an answer: try again in a moment",
                    retry_after=_RETRY_AFTER,
                )
            self._taken[kind] += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken[kind] -= 1
