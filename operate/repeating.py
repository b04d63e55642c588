"""Work that one request does not finish: it is asked for again until nothing is left, or nothing goes on."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from time import sleep
from typing import Any, NamedTuple

from operate.errors import PROBLEMS, CannotReach, Ended, NotNow, ProblemFound

# What got nowhere is asked for again so often, after so many seconds.
_TRIES, _WAIT = 5, 20.0
# The kinds of errors that time may cure; after any other one the same request gets nowhere again.
_PASSING = frozenset({"busy", "throttled", "unavailable"})
LINKED = frozenset({"linked", "already-linked", "would-link"})


class Turn(NamedTuple):
    """What one request came to; ``stopped`` is the kind of an error, if it got nowhere for that."""

    is_last: bool
    stopped: str | None = None


@dataclass
class Results:
    """What all requests have come to: each pair, or each line of a list, once.

    ``stopped`` is why nothing went on.
    """

    links: dict[Hashable, dict[str, Any]] = field(default_factory=dict)
    stopped: str | None = None
    exit_code: int = PROBLEMS

    def add(self, links: list[dict[str, Any]]) -> None:
        """Take in what became of some pairs, in place of what was known of them."""
        self.links |= {(each["issue_id"], each["work_item_id"]): each for each in links}

    @property
    def failed(self) -> int:
        """Return how many pairs are not linked."""
        return sum(each["outcome"] not in LINKED for each in self.links.values())

    def problem(self, *sentences: str) -> ProblemFound:
        """Return what ends a command that could not do all that it was asked to."""
        stopped = (f"It was stopped ({self.stopped}). Start it again to go on.",) if self.stopped else ()
        problem = ProblemFound(" ".join((*sentences, *stopped)))
        problem.exit_code = self.exit_code
        return problem


def repeat(results: Results, turn: Callable[[], Turn]) -> None:
    """Make requests until one is the last, or one after the other gets nowhere; note why in ``results``.

    Raises what ends the command before the first answer. What comes later loses nothing of the results.
    """
    tries, is_answered = 0, False
    while True:
        try:
            is_last, stopped = turn()
        except Ended as error:
            if not is_answered:
                raise
            is_last, stopped = False, error.sentence
            is_passing, results.exit_code = isinstance(error, NotNow | CannotReach), error.exit_code
        else:
            is_answered, is_passing, results.exit_code = True, stopped in _PASSING, PROBLEMS
        if is_last:
            return
        tries = tries + 1 if stopped else 0
        if stopped and (tries == _TRIES or not is_passing):
            results.stopped = stopped
            return
        if stopped:
            sleep(_WAIT)
