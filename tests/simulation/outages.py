"""When each service is away, and how; and the single things that somebody keeps us from."""

from dataclasses import dataclass

from shared.domain.errors import SyncError, Throttled, Unauthorized, Unavailable

ADO, SENTRY, STORAGE = "ado", "sentry", "storage"
# A part of storage that may be away by itself: the queues go on then.
TABLES = "tables"
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
        return self.how(STORAGE, now) if service == TABLES else None

    def is_reachable(self, service: str, now: float) -> bool:
        return self.how(service, now) in {None, "slow"}


def error_of(how: str, service: str) -> SyncError:
    """Return what a call to a service that is away raises."""
    match how:
        case "throttled":
            return Throttled(service, "asked us to wait", retry_after=ASKED_TO_WAIT)
        case "refuses-us":
            return Unauthorized(service, "does not accept our credentials")
        case "silent":
            return Unavailable(service, "no answer within 10 seconds")
        case _:
            return Unavailable(service, "HTTP 503")
