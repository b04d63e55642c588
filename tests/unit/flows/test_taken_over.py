"""Somebody else at an address while no document changes: a server set up anew, a name that others took."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import ConnectionChanged, OrganizationGone, Rejected
from shared.domain.messages import OutboundMessage, RuleAction
from shared.domain.model import Health, IssueStatus, Side
from shared.flows.connecting import check, keep
from shared.flows.copying import copy_one
from shared.flows.creating_by_rule import create_by_rule
from shared.flows.examining import examine
from shared.flows.linking import link
from shared.flows.reconciling import Found, Part, messages, reconcile
from shared.store.progress import Look
from tests.unit.rounds import deliver
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Scene

HOUR = 3_600.0
BOTH = pytest.mark.parametrize("side", list(Side))


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    run(scene)
    return scene


def run(scene: Scene) -> Found:
    return reconcile(scene.services, scene.organization)


def take_over(scene: Scene, side: Side) -> None:
    """Have others answer at the address, who count from one as well: what they have is not ours."""
    (scene.ado if side is Side.ADO else scene.sentry).taken_by = "ffffffff-0000-4000-8000-000000000000"


def give_back(scene: Scene, side: Side) -> None:
    (scene.ado if side is Side.ADO else scene.sentry).taken_by = ""


def edit_both(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.sentry.assign(ISSUE, ANN)


def notice(scene: Scene, side: Side) -> Found:
    take_over(scene, side)
    edit_both(scene)
    scene.now += HOUR
    return run(scene)


def as_it_was(scene: Scene) -> bool:
    """Tell whether neither side shows anything of the other one's edit."""
    return scene.status is IssueStatus.UNRESOLVED and scene.ado.item(ITEM).assignee is None


@BOTH
def test_an_hour_later_it_is_a_problem_and_nothing_more_is_read_or_written(scene: Scene, side: Side) -> None:
    found = notice(scene, side)
    first = found.failures[0]
    assert (first.part, first.kind, "another organization" in first.detail) == (
        Part(side.value),
        "organization-gone",
        True,
    )
    assert (found.drifted if side is Side.ADO else found.issues) == 0
    for message in (scene.inbound, scene.outbound):
        with pytest.raises(OrganizationGone):
            message()
    assert as_it_was(scene)
    assert scene.organization.connection.taken == (side.value,)


@BOTH
def test_nobody_links_copies_or_creates_there(scene: Scene, side: Side) -> None:
    notice(scene, side)
    services, organization = scene.services, scene.organization
    scene.sentry.add_issue(issue_id="200")
    with pytest.raises(OrganizationGone):
        link(services, organization, "200", ITEM, None)
    with pytest.raises(OrganizationGone):
        copy_one(services, organization, ISSUE, ITEM, Side.ADO)
    action = RuleAction("New errors", scene.ado.catalog.project("Fabrikam-Fiber").id, "Bug")
    message = OutboundMessage(SLUG, "200", epoch=organization.epoch, action=action)
    with pytest.raises(Exception, match="another organization"):  # It waits, as while nobody is there.
        create_by_rule(message, services)
    assert (scene.ado.created(), as_it_was(scene)) == ([], True)


@BOTH
def test_once_the_right_one_answers_again_what_was_missed_is_carried_over(scene: Scene, side: Side) -> None:
    notice(scene, side)
    give_back(scene, side)
    scene.now += 300.0
    assert run(scene).failures == ()
    assert scene.organization.connection.taken == ()
    deliver(scene)
    run(scene)
    deliver(scene)
    assert scene.status is IssueStatus.RESOLVED
    assert scene.ado.item(ITEM).assignee == scene.sentry.get_issue(ISSUE).assignee


@BOTH
@pytest.mark.parametrize("is_noticed", [True, False])
def test_the_same_document_asks_first_whether_the_links_are_to_follow(
    scene: Scene, side: Side, *, is_noticed: bool
) -> None:
    if is_noticed:
        notice(scene, side)
    else:
        take_over(scene, side)
    services, current = scene.services, scene.organization
    with pytest.raises(ConnectionChanged):
        check(services, SLUG, current.configuration, current)
    stored = keep(services, check(services, SLUG, current.configuration, current, "keep"))
    assert (stored.connection.taken, stored.epoch) == ((), current.epoch)
    assert run(scene).failures == ()  # It is the same place under a new name, as somebody says who knows.
    taken_ids = getattr(scene.organization, side.value).ids
    assert len(taken_ids) == 2
    scene.now += HOUR
    give_back(scene, side)
    assert run(scene).failures == ()


@BOTH
def test_whoever_drops_the_links_begins_anew_with_the_others(scene: Scene, side: Side) -> None:
    notice(scene, side)
    services, current = scene.services, scene.organization
    stored = keep(services, check(services, SLUG, current.configuration, current, "drop"))
    assert (stored.connection.taken, stored.epoch != current.epoch) == ((), True)
    assert run(scene).failures == ()
    link(services, stored, ISSUE, ITEM, None)


@BOTH
def test_a_document_that_nobody_can_try_leaves_the_trouble_as_it_is(scene: Scene, side: Side) -> None:
    notice(scene, side)
    services, current = scene.services, scene.organization
    name = "instance_id" if side is Side.ADO else "organization_id"
    scene.calls.meet(name, Rejected("no answer"))
    checked = check(services, SLUG, replace(current.configuration, sync_comments=True), current)
    assert checked.wanted.connection.taken == (side.value,)


@BOTH
def test_an_examination_tells_it_at_once_and_stores_nothing(scene: Scene, side: Side) -> None:
    take_over(scene, side)
    found = [each for each in examine(scene.services, scene.organization) if each.is_problem]
    assert [each.trouble.side for each in found if each.trouble.kind == "organization-not-found"] == [side]
    assert scene.organization.connection.taken == ()


@BOTH
def test_before_anybody_knew_who_is_there_whoever_answers_is_right(side: Side) -> None:
    scene = Scene()
    organization = scene.organization
    unknown = replace(organization.connection, **{side.value: replace(organization.ado, ids=())})
    scene.services.organizations.replace(organization, organization.configuration, unknown)
    take_over(scene, side)
    scene.now += HOUR
    assert run(scene).failures == ()
    assert scene.organization.connection.taken == ()


def test_a_service_that_was_heard_all_hour_is_asked_who_it_is(scene: Scene) -> None:
    scene.calls.made.clear()
    scene.now += HOUR
    run(scene)
    assert [scene.calls.made.count(each) for each in ("instance_id", "organization_id")] == [1, 1]
    scene.now += 300.0
    run(scene)
    assert [scene.calls.made.count(each) for each in ("instance_id", "organization_id")] == [1, 1]


def test_what_both_say_is_noted_once(scene: Scene) -> None:
    notice(scene, Side.ADO)
    before = scene.organization.etag
    scene.now += 300.0
    run(scene)
    assert scene.organization.etag == before


@pytest.mark.parametrize("is_looking", [False, True])
def test_what_came_while_sentry_knew_no_such_organization_is_carried_over_once_it_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, *, is_looking: bool
) -> None:
    """By then the feed has long gone on, and a look may have passed the link.

    The messages were dropped after an hour, and there were more of them than a run keeps in mind.
    """
    monkeypatch.setattr(messages, "_MOST_MARKS", 1)
    pairs = [(ISSUE, ITEM), ("200", 32), ("201", 33)]
    for issue_id, item in pairs[1:]:
        scene.ado.add_item("Other", item)
        scene.link(issue_id, item)
    for _ in range(15):  # The second look at all items, an hour after the first, is over then.
        run(scene)
        deliver(scene)
    gone = OrganizationGone("sentry", "HTTP 404")
    for name in ("get_issue", "find_issues", "organization_id"):
        scene.calls.meet(name, *[gone] * 1000)
    for _, item in pairs:
        scene.ado.edit(item, **{STATE: "Closed"})
    for _ in range(20):
        run(scene)
        deliver(scene)
    assert (scene.status, scene.health) == (IssueStatus.UNRESOLVED, Health())
    scene.calls.recover()
    if is_looking:
        store, scope = scene.services.progress, scene.organization.scope
        [*_, last] = scene.services.links.walk(scope)
        store.put(scope, replace(store.get(scope), look=Look(after=last.place)))
    for _ in range(2):
        run(scene)
        deliver(scene)
    assert {scene.sentry.get_issue(issue_id).status for issue_id, _ in pairs} == {IssueStatus.RESOLVED}
