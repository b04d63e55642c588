"""News that only its message holds: how it comes back, what it may take, and when it is given up."""

from collections.abc import Callable, Sized
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.comments import InboundComments, SaidInAdo, SaidInSentry
from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    MissingSetting,
    NotFound,
    NotTrusted,
    OrganizationGone,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from shared.domain.failures import put_back
from shared.domain.messages import InboundMessage, Message, OutboundMessage, RuleAction, decode_outbound
from shared.domain.model import SentryIssue
from shared.flows.commenting import sync_comment
from shared.flows.commenting_inbound import sync_ado_comment
from shared.flows.putting_off import carry_to_each, is_final, left_of, put_off
from shared.store.links import StoredLink
from tests.unit.scene import ISSUE, ITEM, SLUG, START, Scene
from tests.unit.workers import Workers

DAY, MINUTE = 86_400.0, 60.0
OUTBOUND, INBOUND = OutboundMessage(SLUG, ISSUE, "5"), InboundMessage(SLUG, ITEM, 3, "commented")
MESSAGES: list[Message] = [OUTBOUND, INBOUND]


def unreadable(service: str = "ado") -> Unavailable:
    return Unavailable(service, "the answer cannot be read")


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.configure(sync_comments=True, sync_comments_reverse=InboundComments.ALL)
    return scene


def comment(scene: Scene) -> OutboundMessage:
    said = SaidInSentry("created", "Ann", "It is the cache.", scene.now, is_cut=False)
    return OutboundMessage(SLUG, ISSUE, "5", comment=said)


def ado_comment() -> InboundMessage:
    return InboundMessage(SLUG, ITEM, 3, "commented", comment=SaidInAdo("7", "Ann", "It is the cache."))


# When it comes back


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize(
    ("age", "delay"),
    [
        (0.0, 60.0),
        (60.0, 60.0),
        (61.0, 61.0),
        (120.0, 120.0),
        (899.0, 899.0),
        (900.0, 900.0),
        (901.0, 900.0),
        (DAY - 1.0, 900.0),
    ],
)
def test_the_longer_it_failed_the_later_it_comes_back(
    scene: Scene, message: Message, age: float, delay: float
) -> None:
    failing: Message = replace(message, failing_since=START - age)
    error = put_off(scene.services, failing, unreadable())
    [(again, wait)] = put_back(failing, error)
    assert (wait, again) == (delay, failing)


@pytest.mark.parametrize("since", [0.0, START - DAY, START + 1.0])
def test_a_day_begins_with_the_first_failure_and_anew_when_it_is_over(scene: Scene, since: float) -> None:
    message = replace(OUTBOUND, failing_since=since)
    error = put_off(scene.services, message, unreadable())
    [(again, wait)] = put_back(message, error)
    assert (wait, again.failing_since) == (60.0, START)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (unreadable(), Throttled),
        (Unauthorized("ado", "401"), Throttled),
        (OrganizationGone("ado", "404"), Throttled),
        (MissingSetting("SENTRY_TOKEN", "we need it"), Busy),
        (Unreadable("the stored document cannot be read"), Busy),
    ],
)
def test_it_names_what_is_left_and_whose_trouble_it_is(
    scene: Scene, error: SyncError, kind: type[SyncError]
) -> None:
    error.left = ("31", "32")
    later = put_off(scene.services, OUTBOUND, error)
    assert (type(later), later.left, later.detail) == (kind, ("31", "32"), error.detail)
    assert getattr(later, "service", None) == getattr(error, "service", None)


# When it is given up


@pytest.mark.parametrize(
    ("error", "age", "is_over"),
    [
        (unreadable(), DAY, True),
        (unreadable(), DAY + 1.0, True),
        (unreadable(), DAY - 1.0, False),
        (unreadable(), 0.0, False),
        (Unavailable("sentry", "500"), DAY, True),
        (Unavailable("storage", "500"), DAY, False),
        (NotTrusted("sentry", "no", kind="no-tls", advice=""), DAY, True),
        (Throttled("ado", "429", retry_after=1.0), DAY, False),
        (Unauthorized("ado", "401"), DAY, False),
        (OrganizationGone("ado", "404"), DAY, False),
        (MissingSetting("SENTRY_TOKEN", "we need it"), DAY, False),
        (Unreadable("the stored document cannot be read"), DAY, False),
        (Conflict("taken over"), DAY, False),
        (NotFound("gone"), 0.0, True),
        (Forbidden("ado", "403"), 0.0, True),
        (Refused("ado", "400"), 0.0, True),
    ],
)
def test_what_can_never_be_done(scene: Scene, error: SyncError, age: float, is_over: bool) -> None:
    message = replace(OUTBOUND, failing_since=START - age)
    assert is_final(scene.services, scene.organization, message, error) is is_over


@pytest.mark.parametrize("message", MESSAGES)
def test_what_never_failed_before_is_not_given_up(scene: Scene, message: Message) -> None:
    assert not is_final(scene.services, scene.organization, message, unreadable())


def test_a_service_that_is_away_has_a_day_more(scene: Scene) -> None:
    message = replace(OUTBOUND, failing_since=START - DAY)
    scene.calls.meet("instance_id", unreadable())
    assert not is_final(scene.services, scene.organization, message, unreadable())


# One after the other


def turn(scene: Scene, what: dict[str, Any], *, takes: float = 0.0) -> tuple[list[str], SyncError | None]:
    """Carry to links that have these errors or none, and return which were tried, and what came of it."""
    tried: list[str] = []

    def carry(name: str) -> str:
        scene.now += takes
        tried.append(name)
        if what[name] is not None:
            raise what[name]
        return name

    try:
        assert carry_to_each(scene.services, list(what), str, carry) == tried  # type: ignore[arg-type]  # names
    except SyncError as error:
        return tried, error
    return tried, None


def test_all_that_is_done_leaves_nothing(scene: Scene) -> None:
    assert turn(scene, dict.fromkeys("abc")) == (["a", "b", "c"], None)


@pytest.mark.parametrize(
    ("takes", "tried"), [(100.0, ["a"]), (99.0, ["a", "b"]), (50.0, ["a", "b"]), (34.0, ["a", "b", "c"])]
)
def test_nothing_is_begun_after_the_deadline_and_the_rest_comes_at_once(
    scene: Scene, takes: float, tried: list[str]
) -> None:
    found, error = turn(scene, dict.fromkeys("abcd"), takes=takes)
    assert found == tried
    assert isinstance(error, Busy)
    assert (error.retry_after, error.left) == (1.0, tuple("abcd"[len(tried) :]))


def test_what_failed_has_its_turn_after_all_others(scene: Scene) -> None:
    silent = Throttled("ado", "no answer a moment ago", retry_after=30.0, silent=True)
    what = {"a": unreadable(), "b": None, "c": silent, "d": None, "e": None}
    found, error = turn(scene, what, takes=25.0)
    assert found == ["a", "b", "c", "d"]
    assert isinstance(error, Busy)
    assert error.left == ("e", "c", "a")
    found, error = turn(scene, what)
    assert isinstance(error, Unavailable)
    assert error.left == ("c", "a")


def test_a_turn_that_brings_nothing_about_waits(scene: Scene) -> None:
    found, error = turn(scene, {"a": unreadable(), "b": unreadable(), "c": unreadable()}, takes=50.0)
    assert found == ["a", "b"]
    assert isinstance(error, Unavailable)
    assert error.left == ("c", "a", "b")


def test_one_link_alone_needs_no_name(scene: Scene) -> None:
    _, error = turn(scene, {"a": unreadable()})
    assert error is not None
    assert error.left == ()


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ((), ["31", "32", "33"]),
        (("33", "31"), ["33", "31"]),
        (("32",), ["32"]),
        (("33", "99"), ["31", "32", "33"]),  # One that went elsewhere may be any of them.
    ],
)
def test_a_rest_is_taken_in_its_order(scene: Scene, only: tuple[str, ...], left: list[str]) -> None:
    for number in (32, 33):
        scene.link(ISSUE, number)
    links = scene.services.links.for_issue(SLUG, ISSUE)
    message = replace(OUTBOUND, only=only)
    assert [number_of(each) for each in left_of(message, links, number_of)] == left


def number_of(stored: StoredLink) -> str:
    return str(stored.link.work_item_id)


# Comments to many


def test_a_comment_on_an_issue_of_many_work_items_takes_bounded_turns(scene: Scene) -> None:
    numbers = [ITEM, *range(200, 280)]
    for number in numbers[1:]:
        scene.link(ISSUE, number)
    scene.watched_ado.slow = lambda: setattr(scene, "now", scene.now + 3.0)
    scene.services.outbound.put(comment(scene))
    workers = Workers(scene)
    workers.work(until=scene.now + 600.0)
    assert [len(scene.ado.discussion(number)) for number in numbers] == [1] * 81
    assert (workers.longest, workers.handled, workers.poison) == (102.0, 3, [])


def test_a_comment_on_a_work_item_of_many_issues_takes_bounded_turns(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    issues = [ISSUE, *(str(number) for number in range(200, 280))]
    for issue_id in issues[1:]:
        scene.link(issue_id)
    real = scene.watched_sentry.get_issue

    def slowly(issue_id: str) -> SentryIssue:
        scene.now += 3.0
        return real(issue_id)

    monkeypatch.setattr(scene.watched_sentry, "get_issue", slowly)
    scene.services.inbound.put(ado_comment())
    workers = Workers(scene)
    workers.work(until=scene.now + 600.0)
    assert [len(scene.sentry.discussion(issue_id)) for issue_id in issues] == [1] * 81
    assert (workers.longest, workers.handled, workers.poison) == (102.0, 3, [])
    # Whoever hears of it once more asks about none of the issues.
    scene.calls.made.clear()
    assert sync_ado_comment(ado_comment(), scene.services) == ["already-commented"] * 81
    assert scene.calls.made == []


def test_a_rest_reaches_an_issue_that_was_merged_meanwhile(scene: Scene) -> None:
    scene.link("200")
    scene.sentry.add_issue(issue_id="300")
    scene.calls.meet("add_comment", Throttled("sentry", "429", retry_after=5.0))
    with pytest.raises(Throttled) as raised:
        sync_ado_comment(ado_comment(), scene.services)
    assert raised.value.left == (ISSUE,)
    scene.sentry.merge(ISSUE, into="300")
    scene.services.links.move(scene.stored(), "300")
    rest = replace(ado_comment(), only=(ISSUE,))
    assert sync_ado_comment(rest, scene.services) == ["already-commented", "commented"]
    assert [len(scene.sentry.discussion(each)) for each in ("200", "300")] == [1, 1]


# What one can never take


def break_item(scene: Scene, monkeypatch: pytest.MonkeyPatch, number: int = ITEM) -> list[float]:
    """Have no call about the discussion of a work item get a usable answer; return when there was one."""
    real, asked = scene.watched_ado.call, list[float]()

    def call(method: str, path: tuple[str, ...], kind: type[Any], **sent: Any) -> Any:
        if str(number) in path:
            asked.append(scene.now)
            raise unreadable()
        return real(method, path, kind, **sent)

    monkeypatch.setattr(scene.watched_ado, "call", call)
    return asked


def break_issue(scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str = "get_issue") -> list[float]:
    """Have no call of a name about the issue get a usable answer; return when there was one."""
    real, asked = getattr(scene.watched_sentry, name), list[float]()

    def call(issue_id: str, *rest: Any) -> Any:
        if issue_id == ISSUE:
            asked.append(scene.now)
            raise unreadable("sentry")
        return real(issue_id, *rest)

    monkeypatch.setattr(scene.watched_sentry, name, call)
    return asked


def let_a_week_go_by(scene: Scene) -> Workers:
    workers = Workers(scene)
    workers.work(until=scene.now + 7 * DAY)
    assert (len(scene.services.outbound), len(scene.services.inbound), workers.poison) == (0, 0, [])
    assert workers.handled <= 110
    return workers


def test_a_work_item_that_can_never_take_a_comment_keeps_it_from_no_other_and_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.link(ISSUE, 32)
    asked = break_item(scene, monkeypatch)
    scene.services.outbound.put(comment(scene))
    Workers(scene).work(until=scene.now + 1.0)
    assert len(scene.ado.discussion(32)) == 1
    let_a_week_go_by(scene)
    assert asked[:6] == [START + after for after in (0.0, 60.0, 120.0, 240.0, 480.0, 960.0)]
    assert DAY <= asked[-1] - START < DAY + 900.0
    [told] = scene.entries()
    assert (told.outcome, told.reason) == ("unavailable", "comment-5: the answer cannot be read")
    assert scene.outcomes(ISSUE, 32) == ["commented"]


@pytest.mark.parametrize("name", ["get_issue", "add_comment"])
def test_an_issue_that_can_never_take_a_comment_keeps_it_from_no_other_and_says_so(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    scene.link("200")
    asked = break_issue(scene, monkeypatch, name)
    scene.services.inbound.put(ado_comment())
    Workers(scene).work(until=scene.now + 1.0)
    assert len(scene.sentry.discussion("200")) == 1
    let_a_week_go_by(scene)
    assert DAY <= asked[-1] - START < DAY + 900.0
    [told] = scene.entries()
    assert (told.outcome, told.reason) == ("unavailable", "comment-7: the answer cannot be read")


def test_a_comment_that_can_never_be_read_is_told_of_each_link(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.link("200")
    break_item(scene, monkeypatch)
    said = SaidInAdo("7", "Ann")
    scene.services.inbound.put(InboundMessage(SLUG, ITEM, 3, "commented", comment=said))
    let_a_week_go_by(scene)
    assert [scene.outcomes(each) for each in (ISSUE, "200")] == [["unavailable"]] * 2


def test_an_issue_that_cannot_be_read_gets_its_comment_carried_over_in_the_end(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_issue(scene, monkeypatch)
    scene.services.outbound.put(comment(scene))
    let_a_week_go_by(scene)
    assert len(scene.ado.discussion(ITEM)) == 1


def test_an_issue_that_cannot_be_read_and_nobody_linked_is_waited_for_no_longer_than_a_day(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.services.links.remove(scene.stored())
    asked = break_issue(scene, monkeypatch)
    scene.services.outbound.put(comment(scene))
    let_a_week_go_by(scene)
    assert DAY <= asked[-1] - START < DAY + 2 * 3600.0


def test_a_note_of_a_regression_is_given_up_too(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.sentry.regress(ISSUE)
    break_item(scene, monkeypatch)
    scene.outbound()
    let_a_week_go_by(scene)
    told = next(each for each in scene.entries() if each.field == "comment")
    assert (told.outcome, told.reason) == ("unavailable", "regression-1: the answer cannot be read")


@pytest.mark.parametrize("away", [unreadable(), Unauthorized("ado", "401"), OrganizationGone("ado", "404")])
def test_a_service_that_is_away_for_a_week_loses_no_comment(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, away: SyncError
) -> None:
    back = START + 7 * DAY

    def unless_away(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **sent: Any) -> Any:
            if scene.now < back:
                raise away
            return real(*arguments, **sent)

        return call

    for name in ("call", "instance_id", "get_work_item"):
        monkeypatch.setattr(scene.watched_ado, name, unless_away(getattr(scene.watched_ado, name)))
    scene.services.outbound.put(comment(scene))
    Workers(scene).work(until=back + 900.0)
    assert len(scene.ado.discussion(ITEM)) == 1
    assert scene.outcomes() == ["commented"]


def rule_of(scene: Scene) -> OutboundMessage:
    scene.sentry.add_issue(issue_id="200")
    action = RuleAction("New errors", scene.ado.catalog.project("Fabrikam-Fiber").id, "Bug")
    return OutboundMessage(SLUG, "200", action=action)


def regression_of(scene: Scene) -> OutboundMessage:
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.sentry.regress(ISSUE)
    scene.outbound()
    queue = scene.services.outbound
    scene.now = max(queue.moments())
    received = queue.receive()
    assert received is not None
    queue.delete(received)
    return decode_outbound(received.body)


@pytest.mark.parametrize(
    ("message", "came_of_it"),
    [
        (comment, lambda scene: scene.ado.discussion(ITEM)),
        (lambda _: ado_comment(), lambda scene: scene.sentry.discussion(ISSUE)),
        (rule_of, lambda scene: scene.ado.created()),
        (regression_of, lambda scene: scene.ado.discussion(ITEM)),
    ],
    ids=["comment", "ado-comment", "rule", "regression"],
)
@pytest.mark.parametrize("lasts", [2 * MINUTE, 10 * MINUTE, 2 * DAY])
def test_what_only_its_message_holds_outlives_a_damaged_document(
    scene: Scene, message: Callable[[Scene], Message], came_of_it: Callable[[Scene], Sized], lasts: float
) -> None:
    news, services, workers = message(scene), scene.services, Workers(scene)
    queue = services.inbound if isinstance(news, InboundMessage) else services.outbound
    queue.put(news)
    mend = scene.damage()
    workers.work(until=scene.now + lasts)
    assert (len(came_of_it(scene)), len(queue)) == (0, 1)
    mend()
    workers.work(until=scene.now + 901.0)
    assert (len(came_of_it(scene)), len(queue), workers.poison) == (1, 0, [])


def test_a_comment_on_an_issue_that_was_merged_twice_waits_under_the_id_that_it_has_now(scene: Scene) -> None:
    for issue_id in ("200", "300"):
        scene.sentry.add_issue(issue_id=issue_id)
    scene.sentry.merge(ISSUE, into="200")
    scene.outbound()  # This merge is followed; the next one is not yet.
    scene.sentry.merge("200", into="300")
    assert sync_comment(comment(scene), scene.services) == ["waits-for-link"]
    scene.outbound("200")
    Workers(scene).work(until=scene.now + MINUTE + 1.0)
    assert len(scene.ado.discussion(ITEM)) == 1
    assert scene.outcomes("300")[0] == "commented"
