"""What becomes of a link and of a message after each class of failure: docs/failures.md#the-classes."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    Malformed,
    MissingSetting,
    NotFound,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
    Upstream,
)
from shared.domain.model import Health, HealthWord

# Seconds before the reconciler retries a link: after the first failure, the second, and so on.
BACKOFF = (300.0, 900.0, 3600.0)


class Disposition(StrEnum):
    """What happens to a queue message after a failure, from mildest to gravest."""

    DROP = "drop"
    PUT_BACK = "put-back"
    RETRY = "retry"


class Consequence(msgspec.Struct, frozen=True):
    """``health`` None leaves the link's health unchanged; ``due`` says whether a later retry may succeed."""

    disposition: Disposition
    health: HealthWord | None = None
    due: bool = False


_CONSEQUENCES: dict[type[SyncError], Consequence] = {
    Malformed: Consequence(Disposition.DROP),
    Rejected: Consequence(Disposition.DROP),
    NotFound: Consequence(Disposition.DROP, HealthWord.ATTENTION),
    Busy: Consequence(Disposition.PUT_BACK),
    # After five lost races in one unit of work. The queue limits the attempts, so the retries end.
    Conflict: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
    Undecidable: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Refused: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Forbidden: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Unauthorized: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Throttled: Consequence(Disposition.PUT_BACK, HealthWord.PENDING, due=True),
    Unavailable: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
    Upstream: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
    MissingSetting: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    SyncError: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
}
# A missing link or organization has no health; the message has nothing left to do.
_NOTHING_LEFT = frozenset({"not-linked", "unknown-organization"})

WORK_ITEM_GONE = "work-item-gone"
_REASONS = {
    "work-item-not-found": WORK_ITEM_GONE,
    "issue-not-found": "issue-gone",
}


def consequence_of(error: SyncError) -> Consequence:
    """Return the most specific entry of the table; every error of the tree has one."""
    if error.kind in _NOTHING_LEFT:
        return Consequence(Disposition.DROP)
    if isinstance(error, Unauthorized) and error.service == "storage":
        # Nothing can be recorded on the link, so the message must survive.
        return _CONSEQUENCES[Unavailable]
    return next(_CONSEQUENCES[each] for each in type(error).__mro__ if each in _CONSEQUENCES)


def delay_of(error: SyncError) -> float:
    """Return the seconds for which a message is put back: 0 unless the error is Throttled or Busy."""
    return error.retry_after if isinstance(error, Throttled | Busy) else 0.0


def gravest(errors: Sequence[SyncError]) -> SyncError:
    """Return the error that decides the disposition of a message about several links."""
    return max(
        errors,
        key=lambda error: (list(Disposition).index(consequence_of(error).disposition), delay_of(error)),
    )


def reason_of(error: SyncError) -> str:
    """Return the word that a link's health carries as its reason."""
    return _REASONS.get(error.kind, error.kind)


def health_after(error: SyncError, before: Health, now: float) -> Health | None:
    """Return a link's health after a failed settling, or None if the error does not change it."""
    consequence = consequence_of(error)
    if consequence.health is None:
        return None
    return unwell(
        consequence.health, reason_of(error), error.detail, before, now, may_cure_itself=consequence.due
    )


def unwell(
    word: HealthWord, reason: str, detail: str, before: Health, now: float, *, may_cure_itself: bool
) -> Health:
    """Return the next health of a link that is not settled; a repeated reason waits longer each time."""
    again = before.word is not HealthWord.SETTLED and before.reason == reason
    attempts = before.attempts + 1 if again else 1
    due = now + BACKOFF[min(attempts, len(BACKOFF)) - 1] if may_cure_itself else None
    return Health(word, reason, detail, before.since if again else now, attempts, due)
