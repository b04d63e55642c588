"""A link that is still to be copied: what linking made up of its ends is neither believed nor lost."""

import pytest

from shared.domain.errors import SyncError, Unavailable
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import HealthWord, IssueStatus, Side
from shared.flows.copying import copy_one
from shared.flows.linking import link
from shared.flows.syncing import sync_inbound, sync_outbound
from tests.unit.overtaken import Overtaken, scene_on
from tests.unit.scene import ANN, ISSUE, ITEM, SLUG, STATE, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
OTHER_ISSUE, OTHER_ITEM = "200", 32
AWAY = Unavailable("ado", "ConnectTimeout")


@pytest.fixture
def links() -> Overtaken:
    return Overtaken()


@pytest.fixture
def scene(links: Overtaken) -> Scene:
    scene = scene_on(links)
    scene.ado.add_item("Fix logout", OTHER_ITEM)
    scene.sentry.add_issue(issue_id=OTHER_ISSUE)
    return scene


def settle(scene: Scene, issue_id: str = ISSUE, *, times: int = 3) -> None:
    """Have messages about the issue come, each when whatever failed before is due."""
    for _ in range(times):
        scene.now += 4000.0
        sync_outbound(OutboundMessage(SLUG, issue_id), scene.services)


def test_an_open_item_that_is_still_to_be_copied_keeps_its_issue_open(scene: Scene, links: Overtaken) -> None:
    """Between linking and copying it was left out, as if archived, and the other one resolved the issue."""
    scene.ado.edit(OTHER_ITEM, **{STATE: "Active"})

    def close_the_other() -> None:
        item = scene.ado.edit(ITEM, **{STATE: "Closed"})
        assert sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services) == [
            "skipped"
        ]

    links.is_meant, links.after = lambda text: '"initial"' in text, close_the_other
    link(scene.services, scene.organization, ISSUE, OTHER_ITEM, "ado")
    settle(scene)
    assert scene.sentry.get_issue(ISSUE).status is UNRESOLVED


def test_an_open_issue_that_is_still_to_be_copied_keeps_its_item_open(scene: Scene, links: Overtaken) -> None:
    def resolve_the_other() -> None:
        scene.sentry.resolve(ISSUE)
        assert sync_outbound(OutboundMessage(SLUG, ISSUE), scene.services) == ["skipped"]

    links.is_meant, links.after = lambda text: '"initial"' in text, resolve_the_other
    link(scene.services, scene.organization, OTHER_ISSUE, ITEM, "sentry")
    settle(scene, OTHER_ISSUE)
    assert scene.ado.item(ITEM).state == "New"


@pytest.mark.parametrize("is_ours", [True, False])
def test_a_copy_that_fails_is_made_later_whoever_chose_the_value(scene: Scene, is_ours: bool) -> None:
    """What we wrote through another link travels no further, but a copy is an order."""
    if is_ours:
        item = scene.ado.edit(ITEM, **{STATE: "Closed"})
        sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services)
    else:
        scene.sentry.resolve(ISSUE)
        settle(scene, times=1)
    scene.calls.meet("update_work_item", AWAY)
    with pytest.raises(Unavailable):
        link(scene.services, scene.organization, ISSUE, OTHER_ITEM, "sentry")
    settle(scene)
    assert scene.ado.item(OTHER_ITEM).state == "Closed"
    assert scene.stored(ISSUE, OTHER_ITEM).link.health.word is HealthWord.SETTLED


def test_an_assignee_that_is_still_to_be_copied_lets_no_status_of_ours_travel_on(scene: Scene) -> None:
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services)
    scene.sentry.assign(ISSUE, ANN)
    settle(scene, times=1)
    scene.ado.edit(OTHER_ITEM, **{STATE: "Closed"})
    scene.calls.meet("update_work_item", AWAY)
    with pytest.raises(Unavailable):
        link(scene.services, scene.organization, ISSUE, OTHER_ITEM, "sentry")
    item = scene.ado.edit(ITEM, **{STATE: "Active"})
    sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services)
    settle(scene)
    assert scene.sentry.get_issue(ISSUE).status is UNRESOLVED
    assert scene.ado.item(OTHER_ITEM).state == "Closed"


@pytest.mark.parametrize("presses", [1, 2, 3])
@pytest.mark.parametrize("side", [Side.ADO, Side.SENTRY])
def test_a_copy_that_is_asked_for_again_during_an_outage_is_made(
    scene: Scene, side: Side, presses: int
) -> None:
    scene.configure(issue_sync=False)
    scene.sentry.resolve(ISSUE)
    scene.ado.edit(ITEM, **{STATE: "Active"})
    settle(scene, times=1)
    scene.configure(issue_sync=True)
    for _ in range(presses):
        scene.calls.meet("set_status" if side is Side.ADO else "update_work_item", AWAY)
        scene.now += 20.0
        with pytest.raises(SyncError):
            copy_one(scene.services, scene.organization, ISSUE, ITEM, side)
    scene.calls.recover()
    settle(scene)
    done = scene.sentry.get_issue(ISSUE).status is RESOLVED, scene.ado.item(ITEM).state == "Closed"
    assert done == ((False, False) if side is Side.ADO else (True, True))
