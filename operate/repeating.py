"""Work that one request does not finish: it is asked for again until nothing is left, or nothing goes on."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import sleep
from typing import Any, NamedTuple

from operate.errors import NotNow

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
    """What all requests have come to; ``stopped`` is why nothing went on."""

    links: dict[tuple[str, int], dict[str, Any]] = field(default_factory=dict)
    stopped: str | None = None

    def add(self, links: list[dict[str, Any]]) -> None:
        """Take in what became of some pairs, in place of what was known of them."""
        self.links |= {(each["issue_id"], each["work_item_id"]): each for each in links}

    @property
    def failed(self) -> int:
        """Return how many pairs are not linked."""
        return sum(each["outcome"] not in LINKED for each in self.links.values())

    @property
    def why_stopped(self) -> str:
        return f"It was stopped ({self.stopped}). Start it again to go on." if self.stopped else ""


def repeat(results: Results, turn: Callable[[], Turn]) -> None:
    """Make requests until one is the last, or one after the other gets nowhere; note why in ``results``.

    Raises what ends the command; that the app is away for now does so only before there are results.
    """
    tries = 0
    while True:
        try:
            is_last, stopped = turn()
            is_passing = stopped in _PASSING
        except NotNow as error:
            if not results.links:
                raise
            is_last, stopped, is_passing = False, error.sentence, True
        if is_last:
            return
        tries = tries + 1 if stopped else 0
        if stopped and (tries == _TRIES or not is_passing):
            results.stopped = stopped
            return
        if stopped:
            sleep(_WAIT)
