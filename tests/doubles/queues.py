"""A storage queue in memory: delays, visibility, redelivery and dequeue counts, on a clock of one's own."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.messages import Message, encode

# How long a received message stays hidden from others.
# https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue-trigger#concurrency
LEASE = 600.0  # seconds


@dataclass(frozen=True)
class Received:
    """A message as one receiver got it; ``receipt`` is its right to delete it, until the next one gets it."""

    id: int
    body: bytes
    dequeue_count: int
    receipt: int


class ReceiptLost(Exception):
    """Somebody else has received the message meanwhile, or it is gone."""


@dataclass
class _Waiting:
    body: bytes
    visible_at: float
    dequeue_count: int = 0
    receipt: int = 0


class MemoryQueue:
    """A ``shared.domain.ports.Queue``, and beside it what only the Functions host does."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = itertools.count(1)
        self._waiting: dict[int, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Message, *, delay: float = 0.0) -> None:
        # The service counts delays in whole seconds.
        visible_at = self._clock() + max(round(delay), 0)
        self._waiting[next(self._numbers)] = _Waiting(encode(message), visible_at)

    def verify(self) -> None:
        """A queue in memory can always be written."""

    @property
    def newest(self) -> int:
        """Return the number of the message that was put last."""
        return next(reversed(self._waiting))

    def receive(self, lease: float = LEASE) -> Received | None:
        """Take the oldest visible message, and hide it from others for a while."""
        now = self._clock()
        return next(
            (self._take(number, now + lease) for number in self._waiting if self._visible(number, now)), None
        )

    def visible(self) -> list[int]:
        now = self._clock()
        return [number for number, each in self._waiting.items() if each.visible_at <= now]

    def receive_one(self, number: int, lease: float = LEASE) -> Received:
        """Take one of the visible messages; a storage queue promises no order."""
        return self._take(number, self._clock() + lease)

    def delete(self, received: Received) -> None:
        self._held(received)
        del self._waiting[received.id]

    def release(self, received: Received, delay: float = 0.0) -> None:
        """Give a message back: it becomes visible again after ``delay`` seconds."""
        self._held(received).visible_at = self._clock() + delay

    def moments(self) -> list[float]:
        """Return when each message becomes visible, or became so."""
        return [each.visible_at for each in self._waiting.values()]

    def _visible(self, number: int, now: float) -> bool:
        return self._waiting[number].visible_at <= now

    def _take(self, number: int, until: float) -> Received:
        waiting = self._waiting[number]
        waiting.visible_at, waiting.receipt = until, next(self._numbers)
        waiting.dequeue_count += 1
        return Received(number, waiting.body, waiting.dequeue_count, waiting.receipt)

    def _held(self, received: Received) -> _Waiting:
        waiting = self._waiting.get(received.id)
        if waiting is None or waiting.receipt != received.receipt:
            raise ReceiptLost(received.id)
        return waiting
