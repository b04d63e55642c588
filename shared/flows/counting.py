"""Taking note of what arrives and of what becomes of it, while nobody waits for it to be written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec

from shared.domain.errors import Busy, NotFound, OrganizationGone, SyncError, Unauthenticated
from shared.domain.failures import Disposition, disposition_of, reason_of
from shared.domain.ids import is_slug
from shared.domain.messages import InboundMessage, Message
from shared.domain.model import ActivityEntry, IssueSide, Side
from shared.domain.rules.deciding import Outcome
from shared.domain.traffic import (
    Counts,
    Event,
    Happening,
    Hour,
    delay,
    is_announced,
    of_side,
    rounded,
    taken,
    total,
    untold,
)
from shared.services import Services
from shared.settling.settler import ECHO
from shared.store.organizations import UNKNOWN_ORGANIZATION

ISSUE, COMMENT = "issue", "comment"
_NO_NEWS = frozenset({str(Outcome.SETTLED), ECHO})
_WRITTEN = frozenset({str(Outcome.APPLIED), str(Outcome.CONFLICT_RESOLVED)})
_HAPPENING = {
    Disposition.DROP: Happening.FAILED,
    Disposition.PUT_BACK: Happening.PUT_BACK,
    Disposition.RETRY: Happening.RETRY,
}


@contextmanager
def door(services: Services, slug: str, side: Side) -> Iterator[None]:
    """Take note of whoever is turned away inside the block."""
    try:
        yield
    except Unauthenticated:
        services.ledger.count_refused(slug, side)
        raise
    except NotFound as error:
        if error.kind == UNKNOWN_ORGANIZATION and is_slug(slug):
            services.ledger.count_nobodys(slug, side)
        raise


def note_taken(services: Services, scope: str, side: Side, *, nothing_to_do: bool = False) -> None:
    """Take note of a genuine delivery."""
    hour = of_side(side, taken(services.clock(), nothing_to_do=nothing_to_do))
    services.ledger.count(scope, hour)


class Settled(msgspec.Struct, frozen=True):
    """What became of one link of a message, by its outcome or by its error.

    ``before`` and ``after`` are the issue as it was seen and as it was found, if it was looked at.
    ``was_well`` says that nothing had kept the link from being settled before.
    """

    issue_id: str
    work_item_id: int
    outcome: str
    entries: tuple[ActivityEntry, ...] = ()
    error: SyncError | None = None
    before: IssueSide | None = None
    after: IssueSide | None = None
    was_well: bool = True


def side_of(message: Message) -> Side:
    return Side.ADO if isinstance(message, InboundMessage) else Side.SENTRY


def note_not_linked(services: Services, scope: str, message: Message) -> None:
    if message.told_by == "hook":
        services.ledger.count(scope, of_side(side_of(message), Counts(not_linked=1)))


def note_settled(services: Services, scope: str, message: Message, settled: Sequence[Settled]) -> None:
    """Take note of what became of the links of a message; without news, it is only counted."""
    now, side = services.clock(), side_of(message)
    news = [each for each in settled if each.error is not None or each.outcome not in _NO_NEWS]
    hours = [_hour(each, message, side, now) for each in news]
    if not news and message.told_by == "hook":
        hours.append(of_side(side, Counts(nothing_to_do=1)))
    events = [
        _event(each, message, side, now)
        for each in news
        # Somebody else is writing for the link, and tells what comes of it.
        if not isinstance(each.error, Busy)
    ]
    if hours or events:
        services.ledger.count(scope, total(hours), *events)


def _event(settled: Settled, message: Message, side: Side, now: float) -> Event:
    outcome, reason = settled.outcome, _reason(settled)
    if settled.error is not None:
        outcome, reason = _HAPPENING[disposition_of(settled.error, message)], reason_of(settled.error)
    return Event(
        at=now,
        side=side,
        kind=message.event if isinstance(message, InboundMessage) else ISSUE,
        outcome=outcome,
        issue_id=settled.issue_id,
        work_item_id=settled.work_item_id,
        reason=reason,
        told_by=message.told_by,
        took=rounded(now - message.told_at) if message.told_at else None,
    )


def _reason(settled: Settled) -> str | None:
    reasons = (each.reason for each in settled.entries if each.outcome == settled.outcome)
    return next((each for each in reasons if each), None)


def _hour(settled: Settled, message: Message, side: Side, now: float) -> Hour:
    """Return what a link's news count as: a delay from hook to write, or a change that no hook told."""
    if settled.error is not None:
        # Nothing is noted on the link then, so what the reconciler finds later looks like news.
        is_given_up = isinstance(settled.error, OrganizationGone) and message.told_by == "hook"
        return of_side(side, Counts(given_up=1)) if is_given_up else Hour()
    if message.told_by == "hook":
        measured = message.told_at and settled.outcome in _WRITTEN
        return Hour(delays=delay(now - message.told_at)) if measured else Hour()
    return of_side(side, untold(now)) if _was_to_be_told(settled, message) else Hour()


def _was_to_be_told(settled: Settled, message: Message) -> bool:
    """Tell whether a hook should have told of what the reconciler found: a link that was due is no find.

    Nor is one that was not well: a hook may have told, and nobody could settle it.
    """
    if not settled.was_well:
        return False
    if isinstance(message, InboundMessage):
        return message.rev > 0 and message.snapshot is not None
    before, after = settled.before, settled.after
    return before is not None and after is not None and is_announced(before, after)


def note_comment(
    services: Services,
    scope: str,
    issue_id: str,
    work_item_id: int,
    outcome: str,
    reason: str | None,
    side: Side = Side.SENTRY,
) -> None:
    event = Event(services.clock(), side, COMMENT, outcome, issue_id, work_item_id, reason, told_by="hook")
    services.ledger.count(scope, Hour(), event)
