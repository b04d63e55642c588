"""What an outage costs, and how soon its end is noticed: the laws of the back-off."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
)
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import (
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    SentryIssue,
)
from tests.unit.rounds import run
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Scene
from tests.unit.workers import EVERY, Workers

HOUR, DAY = 3600.0, 24 * 3600.0
AWAY, GONE = Unavailable("sentry", "ReadTimeout"), OrganizationGone("sentry", "HTTP 404")


@pytest.fixture
def scene() -> Scene:
    return Scene()


def link_many(scene: Scene, count: int, first: int = 1001) -> None:
    for number in range(first, first + count):
        item = scene.ado.add_item("Fix login", number)
        seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, item.state, IssueStatus.UNRESOLVED))
        scene.services.links.add(IssueLink(SLUG, str(number), number, item.project_id, "Bug", seen))
        scene.sentry.add_issue(issue_id=str(number))


class Outage:
    """While it lasts, Sentry answers every look at an issue (or at one of them) with an error."""

    def __init__(self, scene: Scene, error: SyncError = AWAY, issue_id: str | None = None) -> None:
        self.calls: list[float] = []
        self._scene, self._client = scene, scene.services._sentry
        self._real = self._client.get_issue
        self._error, self._issue_id = error, issue_id
        self._client.get_issue = self._get_issue  # type: ignore[method-assign]  # until it is over

    def _get_issue(self, issue_id: str) -> SentryIssue:
        if self._issue_id in (None, issue_id):
            self.calls.append(self._scene.now)
            raise self._error
        return self._real(issue_id)

    def over(self) -> None:
        self._client.get_issue = self._real  # type: ignore[method-assign]


def close(scene: Scene, work_item_id: int) -> None:
    """Close a work item, and let its hook come."""
    item = scene.ado.edit(work_item_id, **{STATE: "Closed"})
    scene.services.inbound.put(InboundMessage(SLUG, work_item_id, item.rev, snapshot=item))


def resolve(scene: Scene, issue_id: str) -> None:
    scene.sentry.resolve(issue_id)
    scene.services.outbound.put(OutboundMessage(SLUG, issue_id))


# An outage of two minutes.


@pytest.mark.parametrize("links", [10, 4000])
@pytest.mark.parametrize("change", [close, resolve])
@pytest.mark.parametrize("began", [1.0, 200.0, 299.0])
def test_a_change_made_during_two_minutes_of_outage_is_carried_over_within_a_quarter_of_an_hour(
    scene: Scene, links: int, change: Callable[[Scene, object], None], began: float
) -> None:
    link_many(scene, links)
    number = 1000 + links
    workers = Workers(scene)
    workers.live(began)
    outage = Outage(scene)
    change(scene, number if change is close else str(number))
    workers.live(120.0)
    outage.over()
    workers.live(900.0)
    assert scene.ado.item(number).state == "Closed"
    assert scene.sentry.get_issue(str(number)).status is IssueStatus.RESOLVED


def begin(scene: Scene, error: SyncError | None) -> Callable[[], None]:
    """Have an outage begin, or the document damaged; return what ends it."""
    if error is GONE:
        return be_gone(scene)
    return scene.damage() if error is None else Outage(scene, error).over


def be_gone(scene: Scene) -> Callable[[], None]:
    for name in ("get_issue", "find_issues", "organization_id"):
        scene.calls.meet(name, *[GONE] * 20_000)
    return scene.calls.recover


@pytest.mark.parametrize("error", [AWAY, GONE, None], ids=["away", "gone", "damaged"])
@pytest.mark.parametrize("lasts", [120.0, 299.0, 1500.0, HOUR - 60.0, HOUR + 60.0, 5 * HOUR])
def test_what_a_run_found_before_an_outage_is_carried_over_soon_after_it(
    scene: Scene, error: SyncError | None, lasts: float
) -> None:
    workers = Workers(scene)
    workers.live(2 * HOUR)
    scene.ado.edit(ITEM, **{STATE: "Closed"})  # its hook gets lost
    run(scene)
    end = begin(scene, error)
    if lasts < EVERY:
        workers.work(until=scene.now + lasts)
    else:
        workers.live(lasts)
    end()
    workers.live(HOUR + EVERY if error is AWAY and lasts > EVERY else 900.0)
    assert (scene.status, workers.poison) == (IssueStatus.RESOLVED, [])


def test_an_organization_that_is_gone_keeps_no_message_for_ever(scene: Scene) -> None:
    link_many(scene, 10)
    workers = Workers(scene)
    workers.live(2 * HOUR)
    be_gone(scene)
    for number in range(1001, 1006):
        scene.ado.edit(number, **{STATE: "Closed"})
    stored = scene.stored()
    due = Health(HealthWord.ATTENTION, "refused", since=scene.now, attempts=1, due=scene.now)
    scene.services.links.replace(stored, replace(stored.link, health=due))
    waiting = []
    for _ in range(12 * 20):
        workers.live(EVERY)
        waiting.append(len(scene.services.inbound) + len(scene.services.outbound))
    assert max(waiting) <= 2 * 6
    assert max(waiting[12 * 3 :]) <= 2  # about the one link that is due
    assert workers.poison == []


@pytest.mark.parametrize(
    "error",
    [AWAY, Throttled("sentry", "HTTP 429", retry_after=20.0), Unauthorized("sentry", "HTTP 401")],
    ids=lambda error: error.kind,
)
def test_edits_during_an_outage_put_the_next_try_off_for_nobody(scene: Scene, error: SyncError) -> None:
    workers = Workers(scene)
    outage = Outage(scene, error)
    first = scene.now
    for state in ("Active", "Resolved", "Closed", "Active", "Closed"):
        item = scene.ado.edit(ITEM, **{STATE: state})
        scene.services.inbound.put(InboundMessage(SLUG, ITEM, item.rev, snapshot=item))
        workers.work(until=scene.now + 50.0)
        assert scene.health.due == first + 300.0
    outage.over()
    workers.live(600.0)
    assert (scene.status, scene.health) == (IssueStatus.RESOLVED, Health())


def test_an_edit_is_tried_at_once_however_late_the_next_try_is(scene: Scene) -> None:
    outage = Outage(scene, Undecidable("no such state", kind="no-such-state"))
    workers = Workers(scene)
    close(scene, ITEM)
    workers.live(3 * HOUR)
    assert scene.health.attempts == 5
    outage.over()
    item = scene.ado.edit(ITEM, **{"System.Title": "Fix the login"})
    scene.services.inbound.put(InboundMessage(SLUG, ITEM, item.rev, snapshot=item))
    workers.work(until=scene.now + 1.0)
    assert scene.status is IssueStatus.RESOLVED


@pytest.mark.parametrize("lasts", [20 * 60.0, 3 * HOUR, 2.5 * DAY])
def test_the_end_of_any_outage_is_noticed_within_an_hour(scene: Scene, lasts: float) -> None:
    link_many(scene, 20)
    workers, outage = Workers(scene), Outage(scene, Unauthorized("sentry", "HTTP 401"))
    close(scene, 1005)
    workers.live(lasts)
    outage.over()
    workers.live(HOUR + EVERY)
    assert scene.sentry.get_issue("1005").status is IssueStatus.RESOLVED
    assert {each.link.health.word for each in scene.services.links.all(SLUG)} == {HealthWord.SETTLED}


# An outage in which nobody does anything.


@pytest.mark.parametrize("links", [10, 4000])
@pytest.mark.parametrize(
    "error", [AWAY, Throttled("sentry", "HTTP 429", retry_after=20.0)], ids=lambda error: error.kind
)
def test_an_hour_of_outage_leaves_the_poison_queues_empty(scene: Scene, links: int, error: SyncError) -> None:
    link_many(scene, links)
    outage = Outage(scene, error)
    workers = Workers(scene)
    workers.live(HOUR)
    assert workers.poison == []
    # Each link is met once by the round of re-reads; then it is tried at its steps.
    assert len(outage.calls) <= 4 * min(links + 1, 12 * 120)
    assert len(scene.services.inbound) + len(scene.services.outbound) <= 4 * 120


def test_a_revision_that_cannot_be_settled_is_news_once(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})  # its hook gets lost
    outage, workers = Outage(scene), Workers(scene)
    workers.live(2 * HOUR)
    assert workers.poison == []
    assert len(outage.calls) <= 5  # found, then after 5, 15 and 60 minutes
    outage.over()
    workers.live(HOUR + EVERY)
    assert scene.status is IssueStatus.RESOLVED


@pytest.mark.parametrize("side", ["issue", "work item"])
def test_what_is_gone_costs_a_look_a_day(scene: Scene, side: str) -> None:
    link_many(scene, 5)
    if side == "issue":
        scene.sentry.delete(ISSUE)
        close(scene, ITEM)
    else:
        scene.ado.delete(ITEM)
    workers = Workers(scene)
    workers.live(2 * EVERY)
    assert scene.health.reason == f"{side.replace(' ', '-')}-gone"
    call = "get_issue" if side == "issue" else "get_work_item"
    scene.calls.made.clear()
    workers.live(3 * DAY - 2 * EVERY)
    assert 1 <= scene.calls.made.count(call) <= 3
    assert scene.outcomes() == ["failed"]
    assert workers.poison == []


def test_what_was_thought_gone_is_found_again_within_a_day(scene: Scene) -> None:
    close(scene, ITEM)
    hidden = Outage(scene, NotFound("no such issue", kind="issue-not-found"))
    workers = Workers(scene)
    workers.live(HOUR)
    hidden.over()
    workers.live(DAY)
    assert (scene.status, scene.health) == (IssueStatus.RESOLVED, Health())


def test_credentials_that_are_refused_for_a_weekend_cost_a_call_a_link_and_step(scene: Scene) -> None:
    link_many(scene, 9)
    outage = Outage(scene, Unauthorized("sentry", "HTTP 401"))
    workers = Workers(scene)
    workers.live(2.5 * DAY)
    assert workers.poison == []
    assert len(outage.calls) <= 10 * (3 + 60)
