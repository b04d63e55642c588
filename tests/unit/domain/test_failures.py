"""What becomes of a message and of a link after each failure: docs/failures.md#the-classes, row by row."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    ConnectionChanged,
    FeedLost,
    Forbidden,
    InvalidConfiguration,
    InvalidList,
    Malformed,
    MissingSetting,
    NotAssignable,
    NotFound,
    NotTrusted,
    OrganizationGone,
    PreconditionRequired,
    Refused,
    Rejected,
    StalePrecondition,
    SubmittedBefore,
    SyncError,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Undecidable,
    Unreadable,
    Untried,
    UnusableSetting,
    Upstream,
)
from shared.domain.failures import (
    DAILY,
    HANDLED_WITHIN,
    Consequence,
    Disposition,
    consequence_of,
    delay_of,
    disposition_of,
    gravest,
    health_after,
    put_back,
    reason_of,
    unwell,
    waiting,
    was_set_before,
)
from shared.domain.messages import Message, OutboundMessage
from shared.domain.model import WAITS_FOR_OTHERS, Health, HealthWord
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
    InvalidList: Consequence(DROP),
    PreconditionRequired: Consequence(DROP),
    Untried: Consequence(RETRY, PENDING, due=True),  # no message is about a document
    NotFound: Consequence(DROP, ATTENTION),  # deleted: only a person can cure that
    Conflict: Consequence(RETRY, PENDING, due=True),
    AlreadyLinked: Consequence(RETRY, PENDING, due=True),
    ConnectionChanged: Consequence(RETRY, PENDING, due=True),
    Unreadable: Consequence(RETRY),
    StalePrecondition: Consequence(RETRY, PENDING, due=True),
    SubmittedBefore: Consequence(RETRY, PENDING, due=True),
    Busy: Consequence(PUT_BACK),  # the other worker writes the link's health
    Undecidable: Consequence(DROP, ATTENTION, due=True),
    Upstream: Consequence(RETRY, PENDING, due=True),
    NotAssignable: Consequence(DROP, ATTENTION, due=True),
    Refused: Consequence(DROP, ATTENTION, due=True),
    Forbidden: Consequence(DROP, ATTENTION, due=True),
    FeedLost: Consequence(RETRY, PENDING, due=True),  # no message is about a feed
    OrganizationGone: Consequence(DROP),  # a problem of the organization, and of no link
    Unauthorized: Consequence(DROP, ATTENTION, due=True),
    Throttled: Consequence(PUT_BACK, PENDING, due=True),
    Unavailable: Consequence(RETRY, PENDING, due=True),
    NotTrusted: Consequence(RETRY, PENDING, due=True),
    MissingSetting: Consequence(DROP, ATTENTION, due=True),
    UnusableSetting: Consequence(DROP, ATTENTION, due=True),
}


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_has_its_consequence(kind: type[SyncError]) -> None:
    assert consequence_of(an_error(kind)) == CONSEQUENCES[kind]


def test_while_storage_refuses_us_no_link_can_remember_and_the_message_survives() -> None:
    refused = Unauthorized("storage", "HTTP 403")
    assert consequence_of(refused) == Consequence(RETRY, PENDING, due=True)


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
        (Forbidden("ado", "403", about="work item 31"), "forbidden"),
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


def test_what_is_gone_is_asked_for_daily() -> None:
    error = NotFound("deleted", kind="work-item-not-found")
    gone = health_after(error, Health(), NOW)
    assert gone == Health(ATTENTION, "work-item-gone", "deleted", since=NOW, attempts=1, due=NOW + DAILY)
    again = health_after(error, gone, NOW + DAILY)
    assert again is not None
    assert again.due == NOW + 2 * DAILY


def test_what_an_older_version_left_without_a_time_gets_one() -> None:
    before = Health(ATTENTION, "issue-gone", "deleted", since=5.0, attempts=3)
    after = health_after(NotFound("deleted", kind="issue-not-found"), before, NOW)
    assert after == replace(before, attempts=4, due=NOW + DAILY)


# The steps go by time.

WAITING = Health(PENDING, "unavailable", "timed out", since=NOW, attempts=1, due=NOW + 300)


@pytest.mark.parametrize("at", [NOW, NOW + 1, NOW + 299.9])
@pytest.mark.parametrize("asked", [True, False])
def test_a_failure_before_the_link_is_due_takes_no_step(at: float, asked: bool) -> None:
    error = Unavailable("sentry", "HTTP 503")
    after = health_after(error if asked else error.unasked(), WAITING, at)
    assert after == replace(WAITING, detail="HTTP 503" if asked else "timed out", passed_by=not asked)


@pytest.mark.parametrize("due", [NOW + 3601, NOW + DAILY + 1, 2e11])
def test_a_next_try_that_a_wrong_clock_set_is_one_that_has_come(due: float) -> None:
    far = replace(WAITING, due=due)
    assert health_after(Unavailable("sentry", "HTTP 503"), far, NOW) == replace(
        WAITING, detail="HTTP 503", attempts=2, due=NOW + 900
    )
    after = health_after(Throttled("sentry", "429", retry_after=9.0), far, NOW)
    assert after == Health(PENDING, "throttled", "429", since=NOW, attempts=2, due=NOW + 900)
    waits = Health(HealthWord.SETTLED, "waits-for-others", since=NOW, attempts=1, due=due)
    assert waiting(waits, NOW).due == NOW + 900


@pytest.mark.parametrize(
    ("attempts", "then", "waits"),
    [
        (-10, 1, 300.0),
        (-4, 1, 300.0),
        (-1, 1, 300.0),
        (0, 1, 300.0),
        (2, 3, 3600.0),
        (10**30, 10**30 + 1, 3600.0),
    ],
)
def test_whoever_waits_goes_on_whatever_count_somebody_wrote(attempts: int, then: int, waits: float) -> None:
    before = Health(HealthWord.SETTLED, "waits-for-others", since=5.0, attempts=attempts, due=NOW)
    after = waiting(before, NOW)
    assert (after.attempts, after.due, after.since) == (then, NOW + waits, 5.0)


def test_however_many_failures_a_step_holds_the_steps_are_the_same() -> None:
    health, dues = Health(), list[float]()
    for second in range(2 * 3600 + 1800):
        if second % 7 == 0 or health.is_due(NOW + second):
            after = health_after(Unavailable("sentry", "HTTP 503"), health, NOW + second)
            assert after is not None
            if after.due is not None and after.due != health.due:
                dues.append(after.due)
            health = after
    assert [due - NOW for due in dues] == [300, 1200, 4800, 8400, 12000]


@pytest.mark.parametrize(
    ("at", "attempts", "due"),
    [(NOW + 10, 1, NOW + 300), (NOW + 299.9, 1, NOW + 300), (NOW + 300, 2, NOW + 1200)],
)
@pytest.mark.parametrize("asked", [True, False])
def test_another_trouble_of_a_service_goes_on_with_the_steps(
    at: float, attempts: int, due: float, *, asked: bool
) -> None:
    error = Throttled("sentry", "429", retry_after=9.0)
    after = health_after(error if asked else error.unasked(), WAITING, at)
    if at == NOW + 300 and not asked:
        attempts, due = 1, NOW + 600
    assert after == Health(PENDING, "throttled", "429", at, attempts, due, passed_by=not asked)


@pytest.mark.parametrize(
    "errors",
    [
        (Unavailable("ado", "HTTP 503"), Throttled("sentry", "429", retry_after=9.0)),
        (Unavailable("ado", "HTTP 503"), Unauthorized("ado", "HTTP 401")),
        (Forbidden("sentry", "HTTP 403", about="issue 100"), Unavailable("ado", "HTTP 503")),
        (Forbidden("sentry", "HTTP 403", about="issue 100"), Unauthorized("sentry", "HTTP 401")),
    ],
)
def test_services_that_fail_in_turns_are_asked_less_and_less(errors: tuple[SyncError, SyncError]) -> None:
    health, waits = Health(), list[float]()
    for turn in range(5):
        now = health.due or NOW
        after = health_after(errors[turn % 2], health, now)
        assert after is not None
        assert after.due is not None
        waits.append(after.due - now)
        health = after
    assert waits == [300, 900, 3600, 3600, 3600]


def test_a_trouble_of_another_kind_puts_nothing_off() -> None:
    before = Health(ATTENTION, "refused", "400", since=NOW - 9000.0, attempts=7, due=NOW + 20.0)
    after = health_after(Unavailable("ado", "HTTP 503"), before, NOW)
    assert after == Health(PENDING, "unavailable", "HTTP 503", NOW, 1, NOW + 20.0)
    later = health_after(Unavailable("ado", "HTTP 503"), before, NOW + 20.0)
    assert later == Health(PENDING, "unavailable", "HTTP 503", NOW + 20.0, 1, NOW + 320.0)


def test_what_is_gone_meanwhile_is_not_asked_for_the_sooner() -> None:
    after = health_after(NotFound("deleted", kind="issue-not-found"), WAITING, NOW + 10)
    assert after is not None
    assert after.due == NOW + 10 + DAILY


@pytest.mark.parametrize(
    ("lasted", "wait"), [(0.0, 300.0), (300.0, 900.0), (899.0, 900.0), (900.0, 3600.0), (1e6, 3600.0)]
)
def test_what_nobody_was_asked_about_is_no_attempt_and_waits_as_time_goes(lasted: float, wait: float) -> None:
    before = Health(ATTENTION, "unauthorized", "401", since=NOW - lasted, attempts=7, due=NOW)
    after = health_after(Unauthorized("sentry", "not asked again yet").unasked(), before, NOW)
    assert after is not None
    assert (after.attempts, after.due) == (7, NOW + wait)


@pytest.mark.parametrize("lasted", [0.0, 900.0, 1e6])
def test_a_link_that_lost_its_turn_to_another_one_has_it_soon(lasted: float) -> None:
    before = Health(PENDING, "unavailable", "HTTP 503", since=NOW - lasted, attempts=7, due=NOW)
    after = health_after(Unavailable("sentry", "HTTP 503").unasked(lost_turn=True), before, NOW)
    assert after == replace(before, due=NOW + 300, passed_by=True)


def test_a_first_failure_about_which_nobody_was_asked_counts_none() -> None:
    after = health_after(Unavailable("sentry", "HTTP 503").unasked(), Health(), NOW)
    assert after == Health(PENDING, "unavailable", "HTTP 503", NOW, attempts=0, due=NOW + 300, passed_by=True)
    asked = health_after(Unavailable("sentry", "HTTP 503"), after, NOW + 1)
    assert asked == replace(after, attempts=1, passed_by=False)


@pytest.mark.parametrize(("rev", "known"), [(7, 8), (8, 8), (9, 9), (0, 8)])
@pytest.mark.parametrize("is_asked", [True, False])
def test_a_failure_with_an_earlier_revision_takes_back_nothing(
    rev: int, known: int, *, is_asked: bool
) -> None:
    """Else a late snapshot that then succeeds would settle what nobody has seen."""
    error = Unavailable("sentry", "HTTP 503")
    told = health_after(error if is_asked else error.unasked(), replace(WAITING, rev=8), NOW, rev=rev)
    assert told is not None
    assert told.rev == known


def test_a_failure_remembers_the_latest_revision_that_it_saw() -> None:
    at_8 = health_after(Unavailable("sentry", "HTTP 503"), WAITING, NOW, rev=8)
    assert at_8 == replace(WAITING, detail="HTTP 503", rev=8)
    assert health_after(Unavailable("sentry", "HTTP 503"), at_8, NOW) == at_8
    first = health_after(Unavailable("sentry", "HTTP 503"), Health(), NOW, rev=8)
    assert first == replace(at_8, attempts=1)


@pytest.mark.parametrize(
    ("health", "set_at"),
    [
        (Health(ATTENTION, "refused", since=NOW, attempts=1, due=NOW + 300), NOW),
        (Health(ATTENTION, "refused", since=NOW - 300, attempts=2, due=NOW + 900), NOW),
        (Health(ATTENTION, "refused", since=NOW - 9000, attempts=5, due=NOW + 3600), NOW),
        (Health(ATTENTION, "issue-gone", since=NOW, attempts=1, due=NOW + DAILY), NOW),
        # Nobody was asked about these.
        (Health(PENDING, "unavailable", since=NOW, attempts=0, due=NOW + 300), NOW),
        (Health(PENDING, "unavailable", since=NOW - 299, attempts=0, due=NOW + 300), NOW),
        (Health(PENDING, "unavailable", since=NOW - 300, attempts=0, due=NOW + 900), NOW),
        (Health(PENDING, "unavailable", since=NOW - 9000, attempts=1, due=NOW + 3600), NOW),
    ],
)
def test_it_is_known_when_the_next_try_was_set(health: Health, set_at: float) -> None:
    assert was_set_before(health, set_at + 1.0)
    assert not was_set_before(health, set_at)


@pytest.mark.parametrize(
    ("health", "wait"),
    [
        (Health(PENDING, "unavailable", since=NOW - 300, attempts=1, due=NOW + 300), 900.0),
        (Health(PENDING, "unavailable", since=NOW - 1000, attempts=2, due=NOW + 900), 3600.0),
        (Health(PENDING, "unavailable", since=NOW - 300, attempts=3, due=NOW + 900), 3600.0),
    ],
)
def test_where_attempts_and_age_differ_the_longer_wait_is_believed(health: Health, wait: float) -> None:
    assert health.due is not None
    assert was_set_before(health, health.due - wait + 1.0)
    assert not was_set_before(health, health.due - wait)


def test_a_link_that_is_not_due_had_no_next_try_set() -> None:
    assert not was_set_before(Health(), NOW)


# The reconciler's own messages.

OWN = OutboundMessage("fabrikam", "100", again=True)


def test_a_look_of_our_own_comes_back_once_where_a_service_asks_us_to_wait() -> None:
    slower = Throttled("sentry", "429", retry_after=9.0)
    assert disposition_of(slower, OWN) is PUT_BACK
    [(returned, delay)] = put_back(OWN, slower)
    assert returned == replace(OWN, returned=True)
    assert 9.0 <= delay < 9.0 + 30.0
    assert disposition_of(slower, returned) is DROP
    assert disposition_of(Busy("writing", retry_after=2.0), returned) is PUT_BACK
    assert put_back(returned, Busy("writing", retry_after=2.0)) == [(returned, 2.0)]


def test_many_that_were_put_back_do_not_come_back_at_once() -> None:
    slower = Throttled("sentry", "429", retry_after=1.0)
    moments = [put_back(replace(OWN, issue_id=str(number)), slower)[0][1] for number in range(600)]
    counts = [sum(1.0 + second <= each < 2.0 + second for each in moments) for second in range(30)]
    assert (sum(counts), max(counts) < 40, min(counts) > 5) == (600, True, True)


def test_what_somebody_s_change_caused_comes_back_as_it_was_and_as_often_as_needed() -> None:
    news, slower = replace(OWN, again=False), Throttled("sentry", "429", retry_after=9.0)
    assert disposition_of(slower, news) is disposition_of(slower) is PUT_BACK
    assert put_back(news, slower) == [(news, 9.0)]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_no_look_of_our_own_ever_ends_as_poison(kind: type[SyncError]) -> None:
    for service in ("ado", "sentry", "storage"):
        error = an_error(kind, service)
        assert disposition_of(error, OWN) is not RETRY
        assert disposition_of(error) is consequence_of(error).disposition


@pytest.mark.parametrize(
    ("error", "disposition"),
    [
        (Unavailable("sentry", "HTTP 503"), DROP),  # the link remembers
        (Throttled("sentry", "did not answer", retry_after=9.0, silent=True), DROP),
        (Conflict("412"), DROP),
        (Busy("writing", retry_after=2.0), PUT_BACK),  # nothing went wrong
        (Unavailable("storage", "HTTP 503"), PUT_BACK),  # no link can remember anything
        (Unauthorized("storage", "HTTP 403"), PUT_BACK),
    ],
)
def test_a_look_of_our_own_is_dropped_where_the_link_remembers(
    error: SyncError, disposition: Disposition
) -> None:
    assert disposition_of(error, OWN) is disposition
    assert delay_of(error) > 0.0


@pytest.mark.parametrize("error", [OrganizationGone("sentry", "HTTP 404"), Unreadable("what is stored")])
def test_a_look_of_our_own_that_leaves_no_trace_waits_for_as_long_as_the_reconciler_counts_on_it(
    error: SyncError,
) -> None:
    message: Message = OWN
    delays = [60.0, 60.0, 120.0, 240.0, 480.0, *[600.0] * 4]
    for wait in delays:
        assert disposition_of(error, message) is PUT_BACK
        [(message, delay)] = put_back(message, error)
        assert delay == wait
    assert sum(delays) <= HANDLED_WITHIN < sum(delays) + delays[-1]
    assert (disposition_of(error, message), message.returned) == (DROP, False)
    latest = HANDLED_WITHIN - delays[-1]
    assert disposition_of(error, replace(OWN, waited=latest)) is PUT_BACK
    assert disposition_of(error, replace(OWN, waited=latest + 1.0)) is DROP


def test_what_waited_for_another_reason_waits_no_less_for_what_leaves_no_trace() -> None:
    slower, busy = Throttled("sentry", "429", retry_after=9.0), Busy("writing", retry_after=2.0)
    waiting = replace(OWN, waited=240.0)
    for error in (slower, busy, Unavailable("storage", "HTTP 503")):
        [(returned, delay)] = put_back(waiting, error)
        assert (returned.waited, delay < 61.0) == (240.0, True)
    news = replace(OWN, again=False)
    [(returned, delay)] = put_back(news, Unreadable("what is stored"))
    assert (returned, delay) == (news, 60.0)


def test_what_is_dropped_of_a_look_of_our_own_does_not_outweigh_what_comes_back() -> None:
    rest = Busy("the rest", retry_after=1.0)
    away = Unavailable("sentry", "HTTP 503")
    assert gravest([away, rest], OWN) is rest
    assert gravest([away, rest]) is away


def test_of_failures_that_are_put_back_the_one_that_asks_for_the_longest_wait_decides() -> None:
    short, long = (Throttled("sentry", "429", retry_after=each) for each in (9.0, 17.0))
    assert gravest([short, long]) is gravest([long, short]) is long


@pytest.mark.parametrize("error", [Busy("writing", retry_after=1.0), Malformed("no JSON")])
def test_a_failure_that_says_nothing_about_the_link_leaves_its_health(error: SyncError) -> None:
    assert health_after(error, Health(ATTENTION, "refused"), NOW) is None


def test_a_refused_person_may_be_added_later() -> None:
    health = unwell(ATTENTION, "assignee-not-found", "TF", Health(), NOW, may_cure_itself=True)
    assert health == Health(
        ATTENTION, "assignee-not-found", "TF", since=NOW, attempts=1, due=NOW + 300, rev=0
    )
    assert unwell(ATTENTION, "x", "", health, NOW, may_cure_itself=False).due == NOW + DAILY


def test_a_link_about_which_nobody_was_asked_waits_as_long_as_its_trouble_has_lasted() -> None:
    before = Health(PENDING, "unavailable", since=NOW - 9000, attempts=3, due=NOW)
    after = unwell(PENDING, "unavailable", "HTTP 503", before, NOW, may_cure_itself=True, asked=False)
    assert after.due == NOW + 3600


# A link that is well, and waits for others


def waits(attempts: int, due: float, since: float = NOW) -> Health:
    detail = "not all that this end is linked to is done"
    return Health(HealthWord.SETTLED, WAITS_FOR_OTHERS, detail, since, attempts, due)


@pytest.mark.parametrize(
    ("before", "at", "after"),
    [
        (Health(), NOW, waits(1, NOW + 300)),
        # Whatever was wrong before is over.
        (Health(ATTENTION, "refused", "400", NOW - 9000, 7, NOW + 50), NOW, waits(1, NOW + 300)),
        # It is settled once it is due, not before.
        (waits(1, NOW + 300), NOW + 299, waits(1, NOW + 300)),
        (waits(1, NOW + 300), NOW + 300, waits(2, NOW + 300 + 900)),
        (waits(2, NOW + 1200), NOW + 1200, waits(3, NOW + 1200 + 3600)),
        (waits(3, NOW + 4800), NOW + 4800, waits(4, NOW + 4800 + 3600)),
    ],
)
def test_a_link_that_waits_for_others_is_settled_less_and_less_often(
    before: Health, at: float, after: Health
) -> None:
    assert waiting(before, at) == after
