"""When each service is away, and how; and the single things that somebody keeps us from."""

from dataclasses import dataclass

from shared.domain.errors import (
    FeedLost,
    Forbidden,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import FEED_FORBIDDEN, FEED_UNREADABLE

ADO, SENTRY, STORAGE = "ado", "sentry", "storage"
# Parts that may be away by themselves, while all else goes on: of storage the tables, and of the services
# what only the reconciler asks, which is the feed, work items in batches, and issues in lists.
TABLES, FEED, BATCHES, LISTS = "tables", "feed", "batches", "lists"
_WHOLES = {TABLES: STORAGE, FEED: ADO, BATCHES: ADO, LISTS: SENTRY}
# A call that nobody answers ends by its time-outs, of the connection and of the answer.
SILENCE = 13.0  # seconds
ASKED_TO_WAIT = 60.0  # seconds
SLOWEST = 3.0  # seconds


@dataclass(frozen=True)
class Outage:
    how: str
    until: float


class Outages:
    """``began_at`` is when the first one began, if any did, ``over_at`` when the last one ends."""

    def __init__(self) -> None:
        self._away: dict[str, Outage] = {}
        self.began_at: float | None = None
        self.over_at = 0.0

    def begin(self, service: str, how: str, now: float, lasts: float) -> None:
        self._away[service] = Outage(how, now + lasts)
        self.began_at = now if self.began_at is None else self.began_at
        self.over_at = max(self.over_at, now + lasts)

    def how(self, service: str, now: float) -> str | None:
        """Return how a service is away now, or None if it is there."""
        if not self._away:
            return None
        outage = self._away.get(service)
        if outage is not None and outage.until > now:
            return outage.how
        return self.how(_WHOLES[service], now) if service in _WHOLES else None

    def is_reachable(self, service: str, now: float) -> bool:
        return self.how(service, now) in {None, "slow"}


def whole(service: str) -> str:
    """Return the service that something is a part of, or the service itself."""
    return _WHOLES.get(service, service)


def error_of(how: str, part: str) -> SyncError:
    """Return what a call to a service, or to a part of it, raises while that is away."""
    service = whole(part)
    match how:
        case "forbidden" if part == FEED:
            return FeedLost(service, "HTTP 403", kind=FEED_FORBIDDEN)
        case "forbidden" if part == LISTS:
            return Forbidden(service, "HTTP 403", about="some issues")
        case "refused" if part == FEED:
            return FeedLost(service, "HTTP 400", kind=FEED_UNREADABLE)
        case "refused" if part in {BATCHES, LISTS}:
            return Refused(service, "HTTP 400")
        case "throttled":
            return Throttled(service, "asked us to wait", retry_after=ASKED_TO_WAIT)
        case "refuses-us" | "forbidden":
            return Unauthorized(service, "does not accept our credentials")
        case "silent":
            return Unavailable(service, "no answer within 10 seconds")
        case _:
            return Unavailable(service, "HTTP 503")
