"""NCRONTAB schedules of six fields, seconds first: which moments they mean."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# 29 February on a given weekday comes back within 40 years, even across 2100.
_HORIZON_DAYS = 41 * 366


class ScheduleError(ValueError):
    """Text that is no six-field NCRONTAB expression, or one that never comes."""


@dataclass(frozen=True)
class _Field:
    name: str
    first: int
    last: int
    words: tuple[str, ...] = ()

    def parse(self, text: str) -> frozenset[int]:
        return frozenset(value for part in text.lower().split(",") for value in self._range(part))

    def _range(self, part: str) -> range:
        span, slash, step_text = part.partition("/")
        step = self._number(step_text) if slash else 1
        if span == "*":
            start, end = self.first, self.last
        elif "-" in span:
            start, end = (self._value(bound) for bound in span.split("-", 1))
        else:
            start = self._value(span)
            # "5/15" is 5 and every 15 from there; "5" is 5 alone.
            end = self.last if slash else start
        if start > end or step < 1:
            raise ScheduleError(f"{part!r} is no range of {self.name}")
        return range(start, end + 1, step)

    def _value(self, text: str) -> int:
        if text in self.words:
            return self.words.index(text) + self.first
        value = self._number(text)
        if not self.first <= value <= self.last:
            raise ScheduleError(f"{self.name} go from {self.first} to {self.last}, not {text}")
        return value

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdigit()):
            raise ScheduleError(f"{text!r} is no number for {self.name}")
        return int(text)


_FIELDS = (
    _Field("seconds", 0, 59),
    _Field("minutes", 0, 59),
    _Field("hours", 0, 23),
    _Field("days", 1, 31),
    _Field("months", 1, 12, _MONTHS),
    _Field("weekdays", 0, 6, _WEEKDAYS),
)


@dataclass(frozen=True)
class Schedule:
    """A set of moments, in UTC, to the second. Day and weekday must both fit, unlike in Unix cron."""

    text: str
    _seconds: frozenset[int]
    _minutes: frozenset[int]
    _hours: frozenset[int]
    _days: frozenset[int]
    _months: frozenset[int]
    _weekdays: frozenset[int]

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        parts = text.split()
        if len(parts) != len(_FIELDS):
            raise ScheduleError(f"schedule {text!r} has {len(parts)} fields; six are needed, seconds first")
        try:
            schedule = cls(text, *(field.parse(part) for field, part in zip(_FIELDS, parts, strict=True)))
            schedule.after(datetime(2000, 1, 1, tzinfo=UTC))
        except ScheduleError as error:
            raise ScheduleError(f"schedule {text!r}: {error}") from error
        return schedule

    def after(self, moment: datetime) -> datetime:
        """Return the first moment of the schedule that is later than this one."""
        moment = moment.astimezone(UTC)
        for offset in range(_HORIZON_DAYS):
            day = moment.date() + timedelta(days=offset)
            if not self._has(day):
                continue
            found = next(self._times(after=moment.time() if offset == 0 else None), None)
            if found is not None:
                return datetime.combine(day, found, UTC)
        raise ScheduleError("it never comes")

    def _has(self, day: date) -> bool:
        return day.month in self._months and day.day in self._days and day.isoweekday() % 7 in self._weekdays

    def _times(self, after: time | None) -> Iterator[time]:
        for hour in sorted(self._hours):
            if after and hour < after.hour:
                continue
            for minute, second in itertools.product(sorted(self._minutes), sorted(self._seconds)):
                at = time(hour, minute, second)
                if after is None or at > after:
                    yield at
