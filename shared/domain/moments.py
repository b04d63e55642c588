"""Times as they are stored and sent: those that a calendar has, whoever wrote the row or the message."""

from typing import Annotated

from msgspec import Meta

# Seconds since the epoch. The last year that a datetime has is left out: what is reckoned from one stays one.
# https://docs.python.org/3/library/datetime.html#datetime.MAXYEAR
LAST_MOMENT = 253_370_764_799.0  # the end of 9998
Moment = Annotated[float, Meta(ge=0.0, le=LAST_MOMENT)]
WholeMoment = Annotated[int, Meta(ge=0, le=int(LAST_MOMENT))]
