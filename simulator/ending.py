"""Ctrl-C and SIGTERM, which end a program that serves until then."""

import math
import queue
import signal
import time

_LOOKS_EVERY = 1.0  # seconds


class Ending:
    """Takes both signals from its making on; only the main thread may make one.

    A signal's handler runs between two steps of the main thread, also while that thread holds the lock of
    the event it is about to wait for: ``Event.set`` would then wait for ever. A ``SimpleQueue`` may be put
    to at any step (https://docs.python.org/3/library/queue.html#simplequeue-objects).

    Nor does a signal end the main thread's waiting if another thread takes it, or if it comes right before
    the wait: so that thread takes a step now and then
    (https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers).
    """

    def __init__(self) -> None:
        self._signals = queue.SimpleQueue[int]()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: self._signals.put(number))

    def wait(self) -> None:
        self.comes_within(math.inf)

    def comes_within(self, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                self._signals.get(timeout=min(left, _LOOKS_EVERY))
            except queue.Empty:
                continue
            return True
        return False
