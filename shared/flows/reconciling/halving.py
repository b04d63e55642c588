"""Lists that get no usable answer are halved, until the one thing is found that keeps us from the others."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

Name = TypeVar("Name", int, str)

# One thing may keep a whole list from an answer. Where many do, halving finds nothing.
_HALVINGS_A_RUN = 30
_BETWEEN_RUNS = 300.0  # seconds, by the schedule in function_app.py


class Halving(msgspec.Struct):
    """What halving may take of one run.

    ``is_answering`` says that the service answers any of these lists in this run, None: nobody knows.
    """

    is_answering: bool | None = None
    _halvings: int = 0

    @property
    def is_used_up(self) -> bool:
        return self._halvings == _HALVINGS_A_RUN

    def is_worth_it(self, names: Sequence[Name], is_answered: Callable[[Name], bool], now: float) -> bool:
        """Tell whether another list is answered, be it that of one of two names alone."""
        if self.is_answering is None:
            self.is_answering = any(is_answered(name) for name in _tried(names, now))
        return self.is_answering and not self.is_used_up

    def halves(self, names: list[Name]) -> list[list[Name]]:
        """Return what to ask for instead, the first half last; nothing where it cannot be less."""
        if len(names) == 1 or self.is_used_up:
            return []
        self._halvings += 1
        middle = len(names) // 2
        return [names[middle:], names[:middle]]


def _tried(names: Sequence[Name], now: float) -> Sequence[Name]:
    """Return two names that lie apart: in each run the next ones, so that no two hide the others for ever."""
    first = int(now // _BETWEEN_RUNS)
    return [names[(first + apart) % len(names)] for apart in sorted({0, len(names) // 2})]
