"""How figures are taken: rounds in which the contestants take turns, spreads, and the size of a run."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bench.figures import FIGURES, Figure

Name = TypeVar("Name", str, int)


@dataclass(frozen=True)
class Scale:
    """How much work a run does. ``shrink`` divides the sizes of crowds: such a run proves no target."""

    name: str
    rounds: int
    requests: int  # of each contestant in a round, over all connections
    events: int  # in a round that measures the cost of one
    idle_seconds: float  # for events on an idle app; 0 takes two events and does not wait until it is idle
    busy_seconds: float  # for events at a steady rate
    burst: int  # events that arrive at once
    shrink: int = 1

    def of(self, size: int) -> int:
        return max(1, size // self.shrink)


FULL = Scale("full", 7, 96, 60, idle_seconds=60, busy_seconds=15, burst=150)
QUICK = Scale("quick", 5, 16, 20, idle_seconds=15, busy_seconds=5, burst=40, shrink=10)
SANITY = Scale("sanity", 1, 1, 2, idle_seconds=0, busy_seconds=0.2, burst=3, shrink=1_000)


@dataclass(frozen=True)
class Spread:
    """A figure with the lowest and the highest of what it was taken from."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    @classmethod
    def most_of(cls, counts: Sequence[float]) -> "Spread":
        """Of counts, the highest is the figure: one that is usually right is not right."""
        return cls(max(counts), min(counts), max(counts))

    @classmethod
    def percentile_95(cls, values: Sequence[float]) -> "Spread":
        return cls(sorted(values)[max(0, -(-len(values) * 95 // 100) - 1)], min(values), max(values))


@dataclass(frozen=True)
class Measured:
    """A figure and what it came to; ``beside`` holds what it is compared with, for people to read."""

    figure: Figure
    spread: Spread
    beside: Mapping[str, float] = field(default_factory=dict)

    @property
    def is_missed(self) -> bool:
        return self.figure.at_most is not None and self.spread.value > self.figure.at_most


def measured(chapter: str, name: str, spread: Spread, beside: Mapping[str, float] | None = None) -> Measured:
    """Pair a figure of the table with its spread; one that the table does not have is an error."""
    return Measured(FIGURES[chapter, name], spread, beside or {})


def take_turns(contestants: Mapping[Name, Callable[[], float]], rounds: int) -> dict[Name, list[float]]:
    """Let each contestant run once a round, so that whatever slows the machine down slows all of them.

    Each round begins with another contestant: none is always first after a pause.
    """
    taken: dict[Name, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(contestants[name]())
    return taken


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread:
    """Divide round by round, and spread the quotients."""
    return Spread.of([one / other for one, other in zip(over, under, strict=True)])


def medians_of(values: Sequence[float], rounds: int) -> list[float]:
    """Return the median of each round; the values are those of all rounds, one after the other."""
    each = len(values) // rounds
    return [statistics.median(values[at : at + each]) for at in range(0, each * rounds, each)]
