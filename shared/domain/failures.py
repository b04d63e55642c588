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
    OrganizationGone,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
    Unreadable,
    Upstream,
)
from shared.domain.messages import Message, parts_of, spread
from shared.domain.model import WAITS_FOR_OTHERS, Health, HealthWord
from shared.domain.moments import DAY, HOUR

# Seconds before the reconciler retries a link: after the first failure, the second, and so on.
BACKOFF = (300.0, 900.0, HOUR)
# Seconds before it asks again for what is gone: only a person can bring that back.
DAILY = DAY
# Seconds for which the reconciler takes a message of its own that left no trace to be on its way.
HANDLED_WITHIN = HOUR
_MAY_BE_OVER_IN, _AT_THE_LATEST_IN = 60.0, 600.0  # seconds
_WITHIN = 30.0  # seconds


class Disposition(StrEnum):
    """What happens to a queue message after a failure, from mildest to gravest."""

    DROP = "drop"
    PUT_BACK = "put-back"
    RETRY = "retry"


class Consequence(msgspec.Struct, frozen=True):
    """``health`` None leaves the link's health unchanged.

    ``due`` says whether time alone may cure it; what it cannot cure is asked for daily.
    """

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
    Unreadable: Consequence(Disposition.RETRY),
    Undecidable: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Refused: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Forbidden: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    # One problem of the organization. The reconciler finds what was missed, once the address is right.
    OrganizationGone: Consequence(Disposition.DROP),
    Unauthorized: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    Throttled: Consequence(Disposition.PUT_BACK, HealthWord.PENDING, due=True),
    Unavailable: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
    Upstream: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
    MissingSetting: Consequence(Disposition.DROP, HealthWord.ATTENTION, due=True),
    SyncError: Consequence(Disposition.RETRY, HealthWord.PENDING, due=True),
}
# These leave no trace on a link, and somebody or time may end them.
_UNTRACED = (OrganizationGone, Unreadable)
# A missing link or organization has no health; the message has nothing left to do.
_NOTHING_LEFT = frozenset({"not-linked", "unknown-organization"})

WORK_ITEM_GONE, ISSUE_GONE = "work-item-gone", "issue-gone"
_REASONS = {
    "work-item-not-found": WORK_ITEM_GONE,
    "issue-not-found": ISSUE_GONE,
}


def has_nothing_left(error: SyncError) -> bool:
    """Tell whether what a message or a request is about is not ours, or no longer: no news for anybody."""
    return error.kind in _NOTHING_LEFT


def consequence_of(error: SyncError) -> Consequence:
    """Return the most specific entry of the table; every error of the tree has one."""
    if has_nothing_left(error):
        return Consequence(Disposition.DROP)
    if isinstance(error, Unauthorized) and error.service == "storage":
        # Nothing can be recorded on the link, so the message must survive.
        return _CONSEQUENCES[Unavailable]
    return next(_CONSEQUENCES[each] for each in type(error).__mro__ if each in _CONSEQUENCES)


def disposition_of(error: SyncError, message: Message | None = None) -> Disposition:
    """Return what happens to a message, or to one that somebody's change caused.

    One that the reconciler put carries no news, so it is dropped: the link remembers, or the reconciler looks
    again. Where a service asks us to wait, it comes back once: a burst of them is more than Sentry answers.
    While storage fails, no link can remember, and it waits; the queue's own retries would end in the poison
    queue. Where no link is to remember, it waits as well, for as long as the reconciler counts on it.
    """
    consequence = consequence_of(error)
    if message is None or not message.again:
        return consequence.disposition
    if isinstance(error, Upstream) and error.service == "storage":
        return Disposition.PUT_BACK
    if isinstance(error, _UNTRACED):
        is_in_time = message.waited + _longer(message, error) <= HANDLED_WITHIN
        return Disposition.PUT_BACK if is_in_time else Disposition.DROP
    is_asked_to_wait = isinstance(error, Throttled) and not error.silent and not message.returned
    comes_back = consequence.health is None and consequence.disposition is Disposition.PUT_BACK
    return Disposition.PUT_BACK if comes_back or is_asked_to_wait else Disposition.DROP


def delay_of(error: SyncError) -> float:
    """Return the seconds for which a message that is put back waits."""
    return error.retry_after if isinstance(error, Throttled | Busy) else _MAY_BE_OVER_IN


def _longer(message: Message, error: SyncError) -> float:
    """Return the seconds for which a message waits that has waited before: as long again."""
    return min(max(delay_of(error), message.waited), _AT_THE_LATEST_IN)


def put_back(message: Message, error: SyncError) -> list[tuple[Message, float]]:
    """Return what is put back of a message, each with the seconds for which it waits.

    What the reconciler put comes back within half a minute more, and not all of it at once; the longer it
    waited for what leaves no trace, the later.
    """
    is_returned = message.again and isinstance(error, Throttled)
    delay, waited = delay_of(error), message.waited
    if message.again and isinstance(error, _UNTRACED):
        delay = _longer(message, error)
        waited += delay
    returned = msgspec.structs.replace(
        message,
        returned=message.returned or is_returned,
        failing_since=error.failing_since or message.failing_since,
        waited=waited,
    )
    parts = parts_of(returned, error.left)
    return [(each, delay + (spread(each) * _WITHIN if is_returned else 0.0)) for each in parts]


def gravest(errors: Sequence[SyncError], message: Message | None = None) -> SyncError:
    """Return the error that decides the disposition of a message about several links."""
    dispositions = list(Disposition)
    return max(
        errors,
        key=lambda error: (dispositions.index(disposition_of(error, message)), delay_of(error)),
    )


def reason_of(error: SyncError) -> str:
    """Return the word that a link's health carries as its reason."""
    return _REASONS.get(error.kind, error.kind)


def health_after(error: SyncError, before: Health, now: float, *, rev: int = 0) -> Health | None:
    """Return a link's health after a failed settling at ``rev``, or None if the error does not change it."""
    consequence = consequence_of(error)
    if consequence.health is None:
        return None
    return unwell(
        consequence.health,
        reason_of(error),
        error.told,
        before,
        now,
        may_cure_itself=consequence.due,
        rev=rev,
        asked=error.asked,
        lost_turn=error.lost_turn,
    )


def unwell(
    word: HealthWord,
    reason: str,
    detail: str,
    before: Health,
    now: float,
    *,
    may_cure_itself: bool,
    rev: int = 0,
    asked: bool = True,
    lost_turn: bool = False,
) -> Health:
    """Return the next health of a link that is not settled.

    The steps of the back-off go by time. However many messages fail before the link is due, they take no
    further step and put nothing off; ``rev`` 0 is a failure that saw no revision, and an earlier revision
    takes back nothing of what a later one told. While services keep us from a link, its steps go on,
    whichever of them is in whatever trouble. A link that lost its turn to another one has it soon.
    """
    again = before.word is not HealthWord.SETTLED and before.reason == reason
    goes_on = again or (_is_kept_from(before.word, before.reason) and _is_kept_from(word, reason))
    since = before.since if again else now
    rev = max(rev, before.rev)
    still_to_come = None if before.is_due(now) else before.due
    if goes_on and still_to_come is not None:
        detail = before.detail if again and not asked else detail
        attempts = before.attempts or int(asked)
        return Health(word, reason, detail, since, attempts, still_to_come, rev, not asked)
    attempts = (before.attempts if goes_on else 0) + asked
    step = max(attempts, 1) if asked else _steps_within(0.0 if lost_turn else now - since)
    due = now + _wait(step, may_cure_itself=may_cure_itself)
    if may_cure_itself and still_to_come is not None:
        due = min(due, still_to_come)
    return Health(word, reason, detail, since, attempts, due, rev, not asked)


def _is_kept_from(word: HealthWord, reason: str) -> bool:
    """Tell whether a service keeps us from a link, be it away, be it not letting us in."""
    return word is HealthWord.PENDING or reason in {Unauthorized.kind, Forbidden.kind}


def _wait(step: int, *, may_cure_itself: bool) -> float:
    return BACKOFF[min(step, len(BACKOFF)) - 1] if may_cure_itself else DAILY


def _steps_within(seconds: float) -> int:
    """Return the step that a trouble of this age has reached, for a link about which nobody was asked."""
    return 1 + sum(seconds >= step for step in BACKOFF)


def waiting(before: Health, now: float) -> Health:
    """Return the health of a link that is well and waits for others; it is settled less and less often."""
    again = before.reason == WAITS_FOR_OTHERS
    if again and not before.is_due(now):
        return before
    # Fewer than none is what somebody wrote by hand. The link stays one that can be read, and begins anew.
    attempts = max(before.attempts, 0) + 1 if again else 1
    due = now + BACKOFF[min(attempts, len(BACKOFF)) - 1]
    detail = "not all that this end is linked to is done"
    since = before.since if again else now
    return Health(HealthWord.SETTLED, WAITS_FOR_OTHERS, detail, since, attempts, due)


def was_set_before(health: Health, moment: float) -> bool:
    """Tell whether the time of the next try was set before a moment at which somebody may have cured it."""
    if health.due is None:
        return False
    return health.due - _wait_until(health.due, health) < moment


def _wait_until(due: float, health: Health) -> float:
    """Return the wait that led to ``due``: by the reason, by the attempts, or by how long the trouble lasted.

    Where the last two differ the longer one is taken, which costs one try too many at most.
    """
    if health.reason in _REASONS.values():
        return DAILY
    by_age = next((step for step in BACKOFF if due - health.since < 2 * step), BACKOFF[-1])
    return max(by_age, _wait(max(health.attempts, 1), may_cure_itself=True))
