"""One HTTP call to a vendor: where it may go, when, how much of its answer is read, and what that means."""

from shared.http.back_off import BackOff
from shared.http.caller import Caller, Meaning
from shared.http.presence import Presence
from shared.http.session import Session, Unguarded, new_session

__all__ = ["BackOff", "Caller", "Meaning", "Presence", "Session", "Unguarded", "new_session"]
