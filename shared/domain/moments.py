"""Times and counts as they are stored and sent: those that can be, and which times to come are believed."""

from typing import Annotated

from msgspec import Meta

from shared.domain.ids import LARGEST_NUMBER

# Seconds since the epoch. The last year that a datetime has is left out: what is reckoned from one stays one.
# https://docs.python.org/3/library/datetime.html#datetime.MAXYEAR
LAST_MOMENT = 253_370_764_799.0  # the end of 9998
Moment = Annotated[float, Meta(ge=0.0, le=LAST_MOMENT)]
WholeMoment = Annotated[int, Meta(ge=0, le=int(LAST_MOMENT))]

# How often something happened. What is reckoned from many of these is still a number that JSON can hold.
Count = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]

HOUR, DAY = 3600.0, 24 * 3600.0  # seconds


def believed(moment: float, now: float, *, within: float) -> float:
    """Return a moment to wait for, or 0, which is long ago, for one that is further ahead than any is set.

    A clock that was wrong has set it, or somebody by hand. Nobody waits for it.
    """
    return moment if moment <= now + within else 0.0


def is_due(due: float, now: float, *, within: float = DAY) -> bool:
    """Tell whether the time has come to look again at something that waits no longer than that."""
    return believed(due, now, within=within) <= now
