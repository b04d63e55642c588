"""How soon the reconciler finds what no hook told: in runs of it, and in the time of the world."""

from collections.abc import Sequence

MOST_RUNS = 2


class Unheard:
    """Counts the runs that go well, from the last moment at which somebody did something or a call failed.

    ``most_runs`` and ``longest`` (seconds) are what it took at most until links knew what no hook had told.
    """

    def __init__(self, now: float) -> None:
        self._since = now
        self._runs = 0
        self._stored_at = now
        self._is_open = False
        self.most_runs = 0
        self.longest = 0.0

    def upset(self, until: float) -> None:
        """Begin to count anew from a moment, which may be yet to come: a feed shows a change late."""
        self._since, self._runs = max(self._since, until), 0

    def leave_out(self, now: float) -> None:
        """Begin to count anew, and count nothing of what is unheard by now: nothing is promised of it."""
        self._is_open = False
        self.upset(now)

    def carried_over(self, now: float, until: float) -> None:
        """Note a write of ours, which is a change like any other for the other links of that end."""
        if self._is_open:
            self._took(now)
        self.upset(until)

    def stored(self, now: float) -> None:
        """Note that a link was stored: what comes after the last time was no news."""
        self._stored_at = now

    def run_ended(self, began: float) -> None:
        """Note that a run ended in which nothing went wrong."""
        self._runs += began >= self._since

    def judge(self, unheard: Sequence[str]) -> Sequence[str]:
        """Take what the links do not know of while nothing is under way, and return it if it is late."""
        if unheard:
            self._is_open = True
            return unheard if self._runs >= MOST_RUNS else ()
        if self._is_open:
            self._is_open = False
            self._took(self._stored_at)
        return ()

    def _took(self, now: float) -> None:
        self.most_runs = max(self.most_runs, self._runs)
        self.longest = max(self.longest, now - self._since)
