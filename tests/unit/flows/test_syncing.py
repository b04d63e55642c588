"""A message and its links: which are settled, what one failure means for others, whose credentials work."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    Busy,
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    SyncError,
    Unauthorized,
    Unavailable,
)
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import Health, HealthWord, IssueStatus, Person, SentryIssue
from shared.flows.syncing import made_due, settle_now, sync_inbound, sync_outbound
from shared.settings import Settings
from shared.store.organizations import Organization
from shared.store.tables import Operation, Row
from tests.doubles.services import KNOWN, MemoryServices
from tests.doubles.tables import MemoryTable
from tests.unit.scene import ASSIGNED_TO, BOB, CAROL, ISSUE, ITEM, SLUG, STATE, Died, Scene

if TYPE_CHECKING:
    from shared.sentry.client import SentryClient

REFUSED_TWICE = [Unauthorized("sentry", "HTTP 401")] * 2


@pytest.fixture
def scene() -> Scene:
    return Scene()


def refusals(scene: Scene) -> dict[str, int]:
    return dict(scene.services.organizations.refusals())


# Which links.


def test_what_is_not_linked_costs_no_call(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="300")
    assert scene.outbound("300") == ["not-linked"]
    scene.services.links.remove(scene.stored())
    assert scene.inbound() == ["not-linked"]
    assert scene.calls.made == []


def test_a_snapshot_settles_the_links_of_its_own_work_item_only(scene: Scene) -> None:
    scene.link("200", 32)
    scene.sentry.resolve("200")
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert scene.ado.item(32).state == "New"


def merged(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")


def test_a_link_that_another_worker_moves_meanwhile_hears_the_news_under_its_new_id(scene: Scene) -> None:
    """Issue 100 was merged: while one worker has the link of work item 31 in hand, another moves it."""
    merged(scene)
    item, real = scene.ado.edit(ITEM, **{STATE: "Closed"}), scene.watched_sentry.get_issue
    moved: list[list[str]] = []

    def get_issue(issue_id: str) -> SentryIssue:
        issue = real(issue_id)
        if not moved:
            moved.append([])
            moved[0] += scene.outbound(ISSUE)
        return issue

    scene.watched_sentry.get_issue = get_issue  # type: ignore[method-assign]  # for this scene
    assert scene.inbound(item) == ["applied"]
    assert moved == [["settled"]]
    assert scene.stored("200").link.seen.item.rev == item.rev
    assert scene.sentry.get_issue("200").status is IssueStatus.RESOLVED


def test_the_rest_of_a_message_reaches_a_link_that_moved_since_it_was_left(scene: Scene) -> None:
    merged(scene)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert scene.outbound(ISSUE) == ["settled"]
    message = InboundMessage(SLUG, ITEM, item.rev, snapshot=item, only=(ISSUE,))
    assert sync_inbound(message, scene.services) == ["not-linked", "applied"]
    assert scene.sentry.get_issue("200").status is IssueStatus.RESOLVED


def test_a_link_that_was_removed_meanwhile_leaves_the_others_of_the_rest_as_they_are(scene: Scene) -> None:
    scene.link("200")
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.inbound(item)
    scene.services.links.remove(scene.stored())
    scene.calls.made.clear()
    message = InboundMessage(SLUG, ITEM, item.rev, snapshot=item, only=(ISSUE,))
    assert sync_inbound(message, scene.services) == ["not-linked", "echo"]
    assert scene.calls.made == []


def test_a_failure_is_raised_after_the_other_links_were_settled(scene: Scene) -> None:
    scene.link("200")
    scene.calls.meet("get_issue", NotFound("no such issue", kind="issue-not-found"))
    with pytest.raises(NotFound):
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert scene.stored(ISSUE).link.health.word is HealthWord.ATTENTION
    assert scene.stored("200").link.health == Health()
    assert scene.sentry.get_issue("200").status is IssueStatus.RESOLVED


@pytest.mark.parametrize("odd", [ISSUE, "200", "300"])
@pytest.mark.parametrize("bug", [KeyError("odd"), RecursionError(), TypeError("odd")])
def test_a_bug_at_one_link_is_raised_after_the_other_links_were_settled(
    scene: Scene, odd: str, bug: Exception
) -> None:
    for name in ("200", "300"):
        scene.link(name)
    real = scene.watched_sentry.get_issue

    def get_issue(issue_id: str) -> SentryIssue:
        if issue_id == odd:
            raise bug
        return real(issue_id)

    scene.watched_sentry.get_issue = get_issue  # type: ignore[method-assign]  # for this scene
    with pytest.raises(type(bug)) as raised:
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert raised.value is bug
    resolved = [name for name in scene.issue_ids if real(name).status is IssueStatus.RESOLVED]
    assert set(resolved) == {ISSUE, "200", "300"} - {odd}


def test_the_first_of_two_bugs_is_raised_and_graver_than_a_failure_that_is_noted_too(scene: Scene) -> None:
    for name in ("200", "300"):
        scene.link(name)
    first = KeyError("first")
    refused = Unauthorized("sentry", "HTTP 401")
    scene.calls.meet("get_issue", first, TypeError("second"), refused)
    with pytest.raises(KeyError) as raised:
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert raised.value is first
    assert scene.calls.made.count("get_issue") == 3
    assert refusals(scene) == {"sentry": 1}


# On demand.


def test_what_no_hook_announced_is_found_on_demand(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert settle_now(scene.services, scene.organization, scene.stored()) == "applied"
    assert scene.calls.made == ["get_issue", "get_work_item", "set_status"]


def test_settling_on_demand_says_what_stopped_it(scene: Scene) -> None:
    scene.calls.meet("get_work_item", NotFound("gone", kind="work-item-not-found"))
    with pytest.raises(NotFound):
        settle_now(scene.services, scene.organization, scene.stored())
    assert scene.health.reason == "work-item-gone"


def test_settling_on_demand_does_not_interrupt_a_worker_that_writes(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Died())
    with pytest.raises(Died):
        scene.outbound()
    with pytest.raises(Busy):
        settle_now(scene.services, scene.organization, scene.stored())


def test_a_try_that_is_due_or_never_due_is_not_put_off_by_asking(scene: Scene) -> None:
    for due in (None, scene.now, scene.now - 1):
        stored = scene.stored()
        stored = scene.services.links.replace(stored, replace(stored.link, health=Health(due=due)))
        assert made_due(scene.services, stored) == stored == scene.stored()


def test_a_try_that_is_still_far_off_is_due_at_once(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    assert made_due(scene.services, scene.stored()).link.health.due == scene.now
    assert scene.health.due == scene.now
    assert (scene.health.reason, scene.health.attempts) == ("assignee-not-found", 1)


def test_a_link_that_was_settled_since_it_was_read_is_left_as_it_is(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    read = scene.stored()
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB}))
    assert made_due(scene.services, read) == read
    assert settle_now(scene.services, scene.organization, read) == "settled"
    assert scene.sentry.get_issue(ISSUE).assignee == Person(BOB)
    assert scene.health == Health()


# Whose credentials work.


def test_a_service_that_refuses_us_is_remembered_for_half_an_hour(scene: Scene) -> None:
    scene.calls.meet("get_issue", *REFUSED_TWICE)
    with pytest.raises(Unauthorized):
        scene.outbound()
    assert refusals(scene) == {"sentry": 1}
    scene.now += 1799.0
    assert refusals(scene) == {"sentry": 1}
    scene.now += 1.0
    assert refusals(scene) == {}


def forbid(scene: Scene, *, times: int = 1) -> None:
    for _ in range(times):
        for number in range(3):
            scene.calls.meet("get_issue", Forbidden("sentry", "HTTP 403", about=f"issue {number}"))
            with pytest.raises(Forbidden):
                scene.outbound()
            scene.now += 300.0


def test_a_service_that_forbids_everything_for_a_quarter_of_an_hour_lacks_a_permission(scene: Scene) -> None:
    forbid(scene)
    assert (refusals(scene), scene.services.forbidden.counts()) == ({}, {})
    forbid(scene)
    assert (refusals(scene), scene.services.forbidden.counts()) == ({}, {"sentry": 1})
    assert scene.outbound() == ["settled"]
    assert scene.services.forbidden.counts() == {}


def test_a_success_in_between_says_that_it_is_not_everything(scene: Scene) -> None:
    forbid(scene)
    scene.outbound()
    forbid(scene)
    assert scene.services.forbidden.counts() == {}


def test_a_refusal_is_noted_again_while_it_lasts(scene: Scene) -> None:
    for wait in (299.0, 2.0):
        scene.calls.meet("get_issue", Unauthorized("sentry", "HTTP 401"))
        with pytest.raises(Unauthorized):
            scene.outbound()
        scene.now += wait
    scene.calls.meet("get_issue", Unauthorized("sentry", "HTTP 401"))
    with pytest.raises(Unauthorized):
        scene.outbound()
    scene.now += 1700.0
    assert refusals(scene) == {"sentry": 1}


def test_only_the_service_that_was_asked_has_accepted_us(scene: Scene) -> None:
    for service in ("ado", "sentry"):
        scene.services.organizations.note_refusal(SLUG, service)
    assert scene.inbound(scene.ado.item(ITEM)) == ["echo"]
    assert refusals(scene) == {"ado": 1, "sentry": 1}
    assert scene.outbound() == ["settled"]
    assert refusals(scene) == {"ado": 1}
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert refusals(scene) == {}


def test_a_restarted_app_forgets_the_refusal_of_the_token_that_it_replaced(scene: Scene) -> None:
    scene.services.organizations.note_refusal(SLUG, "sentry")
    del scene.services.organizations  # What a process remembers goes with it.
    assert refusals(scene) == {"sentry": 1}
    scene.outbound()
    assert refusals(scene) == {}


def test_what_another_instance_is_refused_is_not_forgotten_at_every_success(scene: Scene) -> None:
    scene.outbound()
    ours = scene.services.organizations
    del scene.services.organizations
    scene.services.organizations.note_refusal(SLUG, "sentry")
    ours.note_acceptance(SLUG, "sentry")
    assert refusals(scene) == {"sentry": 1}


class Hiccuping(MemoryTable):
    """A table in which one partition gives no answer."""

    def __init__(self, partition: str) -> None:
        super().__init__()
        self._silent = partition

    def get(self, partition: str, key: str) -> Row:
        self._verify(partition)
        return super().get(partition, key)

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self._verify(partition)
        return super().apply(partition, *operations)

    def _verify(self, partition: str) -> None:
        if partition == self._silent:
            raise Unavailable("storage", "HTTP 500")


@pytest.fixture(params=["refusals", "forbidden"])
def hiccuping(scene: Scene, request: pytest.FixtureRequest) -> Scene:
    """A scene in which nothing can be noted for ``health``."""
    configuration = scene.organization.configuration
    scene.services._named["organizations"] = Hiccuping(request.param)
    del scene.services.organizations
    scene.services.organizations.add(SLUG, configuration, KNOWN)
    return scene


def test_what_is_done_is_done_though_an_acceptance_cannot_be_noted(hiccuping: Scene) -> None:
    closed = hiccuping.ado.edit(ITEM, **{STATE: "Closed"})
    assert hiccuping.inbound(closed) == ["applied"]
    assert (hiccuping.status, hiccuping.health) == (IssueStatus.RESOLVED, Health())


@pytest.mark.parametrize(
    "error",
    [
        Forbidden("sentry", "HTTP 403", about=f"issue {ISSUE}"),
        Unauthorized("sentry", "HTTP 401"),
        OrganizationGone("sentry", "HTTP 404"),
    ],
)
def test_a_failure_stays_what_it_was_though_it_cannot_be_noted(hiccuping: Scene, error: SyncError) -> None:
    hiccuping.calls.meet("get_issue", error)
    with pytest.raises(type(error)):
        hiccuping.outbound()


def test_a_failure_says_nothing_good_about_the_other_service(scene: Scene) -> None:
    scene.services.organizations.note_refusal(SLUG, "ado")
    scene.calls.meet("get_work_item", Unavailable("ado", "timed out"))
    with pytest.raises(Unavailable):
        scene.inbound()
    assert refusals(scene) == {"ado": 1}


class Tokenless(MemoryServices):
    """The services of an app that somebody deployed without SENTRY_TOKEN, on the tables of another's."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene.ado, scene.sentry, lambda: scene.now, Settings({}))
        self._named, self._tokens = scene.services._named, scene.services._tokens  # one storage, two apps

    def sentry(self, organization: Organization) -> "SentryClient":
        self.settings.sentry_token(organization.slug)
        return super().sentry(organization)


@pytest.mark.parametrize(
    "sync",
    [
        lambda services: sync_inbound(InboundMessage(SLUG, ITEM, 2), services),
        lambda services: sync_outbound(OutboundMessage(SLUG, ISSUE), services),
    ],
    ids=["inbound", "outbound"],
)
def test_a_link_says_which_setting_it_waits_for(
    scene: Scene, sync: Callable[[MemoryServices], list[str]]
) -> None:
    with pytest.raises(MissingSetting):
        sync(Tokenless(scene))
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "missing-setting")
    assert "SENTRY_TOKEN" in scene.health.detail
    assert sync(scene.services) == ["settled"]
    assert scene.health.word is HealthWord.SETTLED


# Forged revisions.


def forged(scene: Scene, rev: int, **changes: object) -> InboundMessage:
    snapshot = replace(scene.ado.item(ITEM), rev=rev, **changes)
    return InboundMessage(SLUG, ITEM, rev, snapshot=snapshot)


@pytest.mark.parametrize("ahead", [1_001, 10**6, 2**53 - 100])
def test_a_revision_far_ahead_is_asked_about_and_makes_no_echo_of_what_is_genuine(
    scene: Scene, ahead: int
) -> None:
    known = scene.row.seen.item.rev
    sync_inbound(forged(scene, known + ahead, state="Closed"), scene.services)
    assert "get_work_item" in scene.calls.made
    assert scene.outcomes() == []
    assert scene.row.seen.item.rev == scene.ado.item(ITEM).rev
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert scene.status is IssueStatus.RESOLVED


def test_a_revision_a_thousand_ahead_is_believed(scene: Scene) -> None:
    sync_inbound(forged(scene, scene.row.seen.item.rev + 1_000, title="Edited often"), scene.services)
    assert "get_work_item" not in scene.calls.made


@pytest.mark.parametrize("with_snapshot", [True, False])
def test_a_revision_far_ahead_is_not_what_a_failure_remembers(scene: Scene, with_snapshot: bool) -> None:
    scene.calls.meet("get_work_item", Unavailable("ado", "timed out"))
    message = forged(scene, 2**53 - 1)
    with pytest.raises(Unavailable):
        sync_inbound(message if with_snapshot else replace(message, snapshot=None), scene.services)
    assert scene.health.rev < 1_000
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
