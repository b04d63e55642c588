"""What becomes of a message and of a link after each failure: docs/failures.md#the-classes, row by row."""

import pytest

from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    FeedLost,
    Forbidden,
    InvalidConfiguration,
    Malformed,
    MissingSetting,
    NotFound,
    Refused,
    Rejected,
    StalePrecondition,
    SyncError,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Undecidable,
    Upstream,
)
from shared.domain.failures import (
    Consequence,
    Disposition,
    consequence_of,
    delay_of,
    health_after,
    reason_of,
    unwell,
)
from shared.domain.model import Health, HealthWord
from tests.unit.error_tree import EVERY_ERROR, an_error

DROP, PUT_BACK, RETRY = Disposition.DROP, Disposition.PUT_BACK, Disposition.RETRY
PENDING, ATTENTION = HealthWord.PENDING, HealthWord.ATTENTION
NOW = 1_000_000.0

CONSEQUENCES = {
    SyncError: Consequence(RETRY, PENDING, due=True),
    Rejected: Consequence(DROP),
    Unauthenticated: Consequence(DROP),
    TooLarge: Consequence(DROP),
    Malformed: Consequence(DROP),
    InvalidConfiguration: Consequence(DROP),
    NotFound: Consequence(DROP, ATTENTION),  # deleted: only a person can cure that
    Conflict: Consequence(RETRY, PENDING, due=True),
    AlreadyLinked: Consequence(RETRY, PENDING, due=True),
    StalePrecondition: Consequence(RETRY, PENDING, due=True),
    Busy: Consequence(PUT_BACK),  # the other worker writes the link's health
    Undecidable: Consequence(DROP, ATTENTION, due=True),
    Upstream: Consequence(RETRY, PENDING, due=True),
    Refused: Consequence(DROP, ATTENTION, due=True),
    Forbidden: Consequence(DROP, ATTENTION, due=True),
    FeedLost: Consequence(RETRY, PENDING, due=True),  # no message is about a feed
    Unauthorized: Consequence(DROP, ATTENTION, due=True),
    Throttled: Consequence(PUT_BACK, PENDING, due=True),
    Unavailable: Consequence(RETRY, PENDING, due=True),
    MissingSetting: Consequence(DROP, ATTENTION, due=True),
}


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_has_its_consequence(kind: type[SyncError]) -> None:
    assert consequence_of(an_error(kind)) == CONSEQUENCES[kind]


@pytest.mark.parametrize("kind", ["not-linked", "unknown-organization"])
def test_a_message_about_something_that_is_not_ours_any_more_has_nothing_left_to_do(kind: str) -> None:
    error = NotFound("gone", kind=kind)
    assert consequence_of(error) == Consequence(DROP)
    assert health_after(error, Health(), NOW) is None


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Throttled("ado", "wait", retry_after=17.2), 17.2),
        (Busy("writing", retry_after=3.0), 3.0),
    ],
)
def test_a_message_is_put_back_for_as_long_as_the_service_asked(error: SyncError, seconds: float) -> None:
    assert delay_of(error) == seconds


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotFound("gone", kind="work-item-not-found"), "work-item-gone"),
        (NotFound("gone", kind="issue-not-found"), "issue-gone"),
        (Undecidable("no category", kind="unknown-state"), "unknown-state"),
        (Unauthorized("ado", "401"), "unauthorized"),
        (Refused("sentry", "400"), "refused"),
        (MissingSetting("SENTRY_TOKEN", "…"), "missing-setting"),
    ],
)
def test_a_link_says_in_one_word_what_is_wrong(error: SyncError, reason: str) -> None:
    assert reason_of(error) == reason


# How a link's health goes on


def test_a_first_failure_is_due_in_five_minutes() -> None:
    health = health_after(Unavailable("ado", "timed out"), Health(), NOW)
    assert health == Health(PENDING, "unavailable", "timed out", since=NOW, attempts=1, due=NOW + 300)


@pytest.mark.parametrize(("attempts", "waits"), [(1, 900.0), (2, 3600.0), (3, 3600.0), (50, 3600.0)])
def test_the_same_failure_again_waits_longer_up_to_an_hour(attempts: int, waits: float) -> None:
    before = Health(ATTENTION, "unauthorized", "401", since=5.0, attempts=attempts, due=NOW)
    assert health_after(Unauthorized("ado", "403"), before, NOW) == Health(
        ATTENTION, "unauthorized", "403", since=5.0, attempts=attempts + 1, due=NOW + waits
    )


@pytest.mark.parametrize(
    "before",
    [
        Health(ATTENTION, "refused", "400", since=5.0, attempts=9, due=7.0),  # another trouble
        Health(reason="unavailable", since=5.0, attempts=9),  # it was well in between
    ],
)
def test_another_failure_starts_from_the_beginning(before: Health) -> None:
    assert health_after(Unavailable("ado", "timed out"), before, NOW) == Health(
        PENDING, "unavailable", "timed out", since=NOW, attempts=1, due=NOW + 300
    )


def test_what_time_cannot_cure_is_never_due() -> None:
    gone = health_after(NotFound("deleted", kind="work-item-not-found"), Health(), NOW)
    assert gone == Health(ATTENTION, "work-item-gone", "deleted", since=NOW, attempts=1, due=None)


@pytest.mark.parametrize("error", [Busy("writing", retry_after=1.0), Malformed("no JSON")])
def test_a_failure_that_says_nothing_about_the_link_leaves_its_health(error: SyncError) -> None:
    assert health_after(error, Health(ATTENTION, "refused"), NOW) is None


def test_a_refused_person_may_be_added_later() -> None:
    health = unwell(ATTENTION, "assignee-not-found", "TF", Health(), NOW, may_cure_itself=True)
    assert health.due == NOW + 300
    assert unwell(ATTENTION, "x", "", health, NOW, may_cure_itself=False).due is None
