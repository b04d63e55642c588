"""Which organization the reconciler takes up next, and for how long."""

from collections.abc import Iterable, Mapping

import msgspec

from shared.domain.moments import Moment

# Whoever did not have a run for that long goes first. Between two runs of the timer are five minutes.
_LONG_AGO = 450.0  # seconds


class LastRun(msgspec.Struct, frozen=True):
    """When (epoch seconds) an organization's last run began, and the seconds that it took."""

    began: Moment = 0.0
    took: float = 0.0


_NEVER = LastRun()


def in_turn(slugs: Iterable[str], runs: Mapping[str, LastRun], now: float) -> list[str]:
    """Return the organizations in the order of their runs.

    Those that an earlier run did not reach come first. Of the others, the quick ones do: what they leave of
    their shares of the time falls to those that need more.
    """

    def place(slug: str) -> tuple[float, float, str]:
        last = runs.get(slug, _NEVER)
        is_late = not 0.0 <= now - last.began < _LONG_AGO
        return (0.0, last.began, slug) if is_late else (1.0, last.took, slug)

    return sorted(slugs, key=place)


def share_of(left: float, waiting: int) -> float:
    """Return the seconds for the next of so many organizations, of those that are left for all of them."""
    return left / max(waiting, 1)
