"""Ctrl-C and SIGTERM, which end a program that serves until then."""

import queue
import signal


class Ending:
    """Takes both signals from its making on; only the main thread may make one.

    A signal's handler runs between two steps of the main thread, also while that thread holds the lock of
    the event it is about to wait for: ``Event.set`` would then wait for ever. A ``SimpleQueue`` may be put
    to at any step (https://docs.python.org/3/library/queue.html#simplequeue-objects).
    """

    def __init__(self) -> None:
        self._signals = queue.SimpleQueue[int]()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: self._signals.put(number))

    def wait(self) -> None:
        self._signals.get()

    def comes_within(self, seconds: float) -> bool:
        try:
            self._signals.get(timeout=seconds)
        except queue.Empty:
            return False
        return True
