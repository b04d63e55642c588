"""What arrives at an organization's two doors and what becomes of it: counts by the hour, delays, events."""

import math
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Annotated

import msgspec

from shared.domain.model import IssueSide, IssueStatus, Side, ToldBy
from shared.domain.moments import Count, Moment

HOUR = 3600.0  # seconds
# A delay is counted in the bucket whose upper end is the next power of this base.
_BASE, _SHORTEST, _BUCKETS = 1.1, 0.01, 160
Bucket = Annotated[int, msgspec.Meta(ge=0, le=_BUCKETS)]


class Happening(StrEnum):
    """What an event says of a message that failed, beside the outcomes of settling."""

    FAILED = "failed"
    PUT_BACK = "put-back"
    RETRY = "retry"
    BEGAN = "began"
    CURED = "cured"


# The kind of an event that tells of a problem of the organization: it began, or was cured.
PROBLEM = "problem"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that arrived about a link, or a problem of the organization, and what became of it.

    ``at`` is in epoch seconds, ``took`` the seconds from the hook to this outcome. ``side`` is where it came
    from.
    """

    at: Moment
    side: Side | None
    kind: str
    outcome: str
    issue_id: str | None = None
    work_item_id: int | None = None
    reason: str | None = None
    told_by: ToldBy | None = None
    took: float | None = None


class Counts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came from one side in one hour. ``taken`` is all that proved whose it is.

    Of the taken, ``nothing_to_do`` had no news and ``not_linked`` was about something without a link.
    ``untold`` are changes that the reconciler found first, ``given_up`` are links about which a hook had told
    and that nobody could look at. The moments are in epoch seconds; 0 is never.
    """

    taken: Count = 0
    nothing_to_do: Count = 0
    not_linked: Count = 0
    refused: Count = 0
    untold: Count = 0
    taken_at: Moment = 0.0
    refused_at: Moment = 0.0
    untold_at: Moment = 0.0
    given_up: Count = 0

    def joined(self, other: "Counts") -> "Counts":
        return Counts(
            self.taken + other.taken,
            self.nothing_to_do + other.nothing_to_do,
            self.not_linked + other.not_linked,
            self.refused + other.refused,
            self.untold + other.untold,
            max(self.taken_at, other.taken_at),
            max(self.refused_at, other.refused_at),
            max(self.untold_at, other.untold_at),
            self.given_up + other.given_up,
        )


def taken(at: float, *, nothing_to_do: bool = False) -> Counts:
    return Counts(taken=1, nothing_to_do=int(nothing_to_do), taken_at=at)


def refused(at: float) -> Counts:
    return Counts(refused=1, refused_at=at)


def untold(at: float) -> Counts:
    return Counts(untold=1, untold_at=at)


def unexplained(hours: Mapping[int, Counts]) -> dict[int, int]:
    """Return how many changes of each hour no hook had told, as far as anybody can know, oldest hour first.

    What a hook had told, and nobody could look at, the reconciler finds later: so many finds accuse no hook.
    """
    found, explained = dict[int, int](), 0
    for number in sorted(hours):
        counts = hours[number]
        explained += counts.given_up
        found[number] = max(counts.untold - explained, 0)
        explained = max(explained - counts.untold, 0)
    return found


class Delays(msgspec.Struct, frozen=True, omit_defaults=True):
    """How long it took from a hook to the write, as a histogram: its size does not grow with their number.

    ``buckets`` counts by the power of 1.1 that is the upper end, so that a quantile is at most a tenth off.
    """

    buckets: Mapping[Bucket, Count] = {}
    longest: float = 0.0

    def joined(self, other: "Delays") -> "Delays":
        keys = {*self.buckets, *other.buckets}
        both = {key: self.buckets.get(key, 0) + other.buckets.get(key, 0) for key in sorted(keys)}
        return Delays(both, max(self.longest, other.longest))

    def quantile(self, part: float) -> float | None:
        """Return the seconds within which this part of all was done; None if there was nothing to measure."""
        wanted, counted = math.ceil(sum(self.buckets.values()) * part), 0
        for bucket in sorted(self.buckets):
            counted += self.buckets[bucket]
            if counted >= wanted:
                return min(_SHORTEST * _BASE**bucket, self.longest)
        return None


def delay(seconds: float) -> Delays:
    """Return one measured delay."""
    known = max(seconds, 0.0)
    bucket = math.ceil(math.log(max(known, _SHORTEST) / _SHORTEST, _BASE))
    return Delays({min(bucket, _BUCKETS): 1}, known)


class Hour(msgspec.Struct, frozen=True, omit_defaults=True):
    """One hour of an organization, or what one instance of the app counted in it."""

    ado: Counts = Counts()
    sentry: Counts = Counts()
    delays: Delays = Delays()

    def joined(self, other: "Hour") -> "Hour":
        return Hour(
            self.ado.joined(other.ado), self.sentry.joined(other.sentry), self.delays.joined(other.delays)
        )

    def on(self, side: Side) -> Counts:
        return self.ado if side is Side.ADO else self.sentry


def of_side(side: Side, counts: Counts) -> Hour:
    return Hour(ado=counts) if side is Side.ADO else Hour(sentry=counts)


def hour_of(at: float) -> int:
    """Return the number of the hour since the epoch."""
    return int(at // HOUR)


def total(hours: Iterable[Hour]) -> Hour:
    whole = Hour()
    for each in hours:
        whole = whole.joined(each)
    return whole


def within_a_day(hours: Mapping[int, Hour], now: float) -> dict[int, Hour]:
    """Return the present hour and the 23 before it, as far as anything happened in them, newest first."""
    newest = hour_of(now)
    return {number: hours[number] for number in sorted(hours, reverse=True) if newest - 24 < number <= newest}


def is_announced(before: IssueSide, after: IssueSide) -> bool:
    """Tell whether Sentry sends a hook for what changed of an issue.

    None is sent when an issue is unassigned or un-archived (docs/vendor_quirks.md#sentry-hooks).
    """
    ended = after.status is not before.status and after.status is not IssueStatus.UNRESOLVED
    assigned = after.assignee != before.assignee and after.assignee is not None
    return ended or assigned


def rounded(seconds: float | None) -> float | None:
    """Return seconds as they are shown: a thousandth is exact enough."""
    return None if seconds is None else round(seconds, 3)
