"""Settling what kind of done an item is: who archived, what comes back, and what a crash leaves."""

import pytest
from msgspec.structs import replace

from shared.domain.configuration import ProjectMapping
from shared.domain.errors import Refused, Unavailable
from shared.domain.messages import InboundMessage
from shared.domain.model import OUR_ARCHIVE, IssueStatus, ResolveIn, Side, WorkItem
from shared.flows.syncing import sync_inbound
from shared.settling.observing import Observation, UnitOfWork
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Died, Scene

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
REASON = "System.Reason"
DUPLICATE = {STATE: "Closed", REASON: "Duplicate"}
SECOND = 32


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.configure(archive_reasons=("Duplicate", "Won't fix"))
    return scene


def test_a_duplicate_archives_its_issue_by_what_came_along(scene: Scene) -> None:
    assert scene.inbound(scene.ado.edit(ITEM, **DUPLICATE)) == ["applied"]
    assert scene.calls.made == ["get_issue", "set_status"]
    assert (scene.status, scene.outcomes()) == (IGNORED, ["applied"])
    assert scene.outbound() == ["settled"]


def test_it_is_archived_too_for_what_it_was_resolved_for(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Resolved", REASON: "Won't fix"})
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert scene.status is IGNORED


def test_what_a_list_found_is_asked_for(scene: Scene) -> None:
    scene.ado.edit(ITEM, **DUPLICATE)
    [item] = scene.ado.find_work_items([ITEM]).found.values()
    assert scene.inbound(item) == ["applied"]
    assert scene.calls.made == ["get_issue", "get_work_item", "set_status"]
    assert scene.status is IGNORED


def test_where_no_reason_archives_nobody_asks_for_one(scene: Scene) -> None:
    scene.configure(archive_reasons=())
    scene.ado.edit(ITEM, **DUPLICATE)
    [item] = scene.ado.find_work_items([ITEM]).found.values()
    assert scene.inbound(item) == ["applied"]
    assert (scene.calls.made, scene.status) == (["get_issue", "set_status"], RESOLVED)


def test_an_archiving_of_ours_ends_when_the_item_is_reopened(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["applied"]
    assert scene.status is UNRESOLVED


@pytest.mark.parametrize("unnoticed", [True, False])
def test_an_archiving_of_a_person_s_never_ends_so(scene: Scene, unnoticed: bool) -> None:
    scene.sentry.archive(ISSUE)
    if not unnoticed:
        scene.outbound()
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["skipped"]
    assert scene.status is IGNORED
    assert "archived" in {each.reason for each in scene.entries()}


def test_whoever_archives_again_after_us_is_a_person(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    scene.sentry.unarchive(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.state != "Closed"
    scene.sentry.archive(ISSUE)
    scene.outbound()
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed", REASON: "Fixed"}))
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["skipped"]
    assert scene.status is IGNORED


def test_whoever_archives_again_before_anybody_looks_is_a_person(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    scene.sentry.unarchive(ISSUE)  # of which Sentry tells nobody
    scene.sentry.archive(ISSUE)
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["skipped"]
    assert scene.status is IGNORED


@pytest.mark.parametrize("landed", [True, False])
def test_a_worker_that_dies_at_the_archiving_leaves_it_ours(scene: Scene, landed: bool) -> None:
    scene.calls.meet("set_status", Died(), lands=landed)
    with pytest.raises(Died):
        scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    scene.now += 61.0
    scene.inbound()
    assert scene.status is IGNORED
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["applied"]
    assert scene.status is UNRESOLVED


@pytest.mark.parametrize("landed", [True, False])
def test_a_lost_answer_to_the_archiving_leaves_it_ours(scene: Scene, landed: bool) -> None:
    scene.calls.meet("set_status", Unavailable("sentry", "timed out"), lands=landed)
    with pytest.raises(Unavailable):
        scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    scene.now += 400.0
    scene.inbound()
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    assert scene.status is UNRESOLVED


def test_a_hook_that_comes_again_archives_nothing_again(scene: Scene) -> None:
    duplicate = scene.ado.edit(ITEM, **DUPLICATE)
    assert scene.inbound(duplicate) == ["applied"]
    scene.sentry.unarchive(ISSUE)
    assert scene.inbound(duplicate) == ["echo"]
    assert (scene.status, scene.calls.made.count("set_status")) == (UNRESOLVED, 1)


def test_a_hook_that_comes_late_archives_nothing(scene: Scene) -> None:
    duplicate = scene.ado.edit(ITEM, **DUPLICATE)
    reopened = scene.ado.edit(ITEM, **{STATE: "Active"})
    scene.inbound(reopened)
    assert scene.inbound(duplicate) == ["echo"]
    assert (scene.status, scene.calls.made.count("set_status")) == (UNRESOLVED, 0)


def test_a_reason_that_is_put_right_is_carried_over(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed", REASON: "Fixed"}))
    assert scene.status is RESOLVED
    assert scene.inbound(scene.ado.edit(ITEM, **{REASON: "Duplicate"})) == ["applied"]
    assert scene.status is IGNORED


def test_a_reason_that_a_rule_chose_for_our_own_write_archives_nothing(scene: Scene) -> None:
    scene.configure(archive_reasons=("Moved to state Closed",))
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.inbound(scene.ado.item(ITEM)) == ["echo"]
    assert scene.inbound() == ["settled"]
    scene.inbound(scene.ado.edit(ITEM, **{"System.Title": "Another title"}))
    assert scene.status is RESOLVED
    scene.sentry.unresolve(ISSUE)
    assert (scene.outbound(), scene.state) == (["applied"], "New")


def test_two_items_archive_their_issue_together(scene: Scene) -> None:
    scene.link(ISSUE, SECOND)
    assert scene.inbound(scene.ado.edit(ITEM, **DUPLICATE)) == ["skipped"]
    assert scene.entries()[0].reason == "waits-for-others"
    other = scene.ado.edit(SECOND, **DUPLICATE)
    assert inbound_of(scene, SECOND, other) == ["applied"]
    assert scene.status is IGNORED
    # Whichever of them is reopened, the archiving was ours.
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["applied"]
    assert scene.status is UNRESOLVED


@pytest.mark.parametrize("duplicate_last", [True, False])
def test_one_item_that_is_fixed_resolves_their_issue(scene: Scene, duplicate_last: bool) -> None:
    scene.link(ISSUE, SECOND)
    fixed = {STATE: "Closed", REASON: "Fixed"}
    first, last = (fixed, DUPLICATE) if duplicate_last else (DUPLICATE, fixed)
    scene.inbound(scene.ado.edit(ITEM, **first))
    inbound_of(scene, SECOND, scene.ado.edit(SECOND, **last))
    scene.outbound()
    assert scene.status is RESOLVED
    assert scene.outbound() == ["settled", "settled"]


def inbound_of(scene: Scene, work_item_id: int, item: WorkItem) -> list[str]:
    message = InboundMessage(SLUG, work_item_id, scene.ado.item(work_item_id).rev, snapshot=item)
    return sync_inbound(message, scene.services)


def test_an_item_that_is_done_as_we_wrote_it_is_no_archived_one_for_the_reason_of_a_rule(
    scene: Scene,
) -> None:
    scene.configure(archive_reasons=("Moved to state Closed",))
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert scene.row.seen.item.reasons == ("Moved to state Closed",)
    scene.sentry.archive(ISSUE)
    assert scene.outbound() == ["skipped"]
    assert scene.row.seen.item.status is RESOLVED


def reopened(scene: Scene, unit: UnitOfWork) -> Observation:
    """Return what is observed once a person has reopened the work item."""
    unit.items[ITEM] = scene.ado.edit(ITEM, **{STATE: "Active"})
    return scene.services.settler(scene.organization).observer.observe(scene.row, unit)


def test_an_issue_that_we_resolved_was_not_archived_by_us(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed", REASON: "Fixed"}))
    assert scene.status is RESOLVED
    assert not reopened(scene, UnitOfWork("t")).own_archive


def test_an_archiving_of_ours_is_ours_where_sentry_does_not_say_in_which_way(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    issue = replace(scene.sentry.get_issue(ISSUE), substatus="")
    assert reopened(scene, UnitOfWork("t", issues={ISSUE: issue})).own_archive


@pytest.mark.parametrize("way", ["", OUR_ARCHIVE])
def test_an_archiving_that_we_never_announced_is_a_persons_in_whatever_way(scene: Scene, way: str) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed", REASON: "Fixed"}))
    scene.sentry.archive(ISSUE)
    issue = replace(scene.sentry.get_issue(ISSUE), substatus=way)
    assert not reopened(scene, UnitOfWork("t", issues={ISSUE: issue})).own_archive


def test_whose_archiving_it_is_says_the_very_row_that_is_replaced_when_it_ends(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **DUPLICATE))
    unit = UnitOfWork("t")
    assert reopened(scene, unit).own_archive
    assert scene.row.end(Side.SENTRY) in unit.ends


# The state of archived issues.


@pytest.fixture
def archiving(scene: Scene) -> Scene:
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    mapping = ProjectMapping("Closed", "Active", on_archive="Resolved")
    scene.configure(status_mapping={project: mapping})
    return scene


def test_an_archived_issue_moves_its_item_and_takes_it_back(archiving: Scene) -> None:
    archiving.sentry.archive(ISSUE)
    assert archiving.outbound() == ["applied"]
    assert archiving.calls.made == ["get_issue", "update_work_item"]
    assert archiving.state == "Resolved"
    # It is our own write, which nothing comes of.
    assert archiving.inbound(archiving.ado.item(ITEM)) == ["echo"]
    assert archiving.inbound() == ["settled"]
    archiving.sentry.unarchive(ISSUE)
    assert archiving.outbound() == ["applied"]
    assert archiving.state == "New"
    assert (archiving.status, archiving.outbound()) == (UNRESOLVED, ["settled"])


def test_an_item_that_is_reopened_leaves_a_person_s_archiving_alone(archiving: Scene) -> None:
    archiving.sentry.archive(ISSUE)
    archiving.outbound()
    assert archiving.inbound(archiving.ado.edit(ITEM, **{STATE: "Active"})) == ["skipped"]
    assert (archiving.status, archiving.state) == (IGNORED, "Active")
    archiving.sentry.unarchive(ISSUE)
    assert archiving.outbound() == ["agreed"]


@pytest.mark.parametrize("landed", [True, False])
def test_a_worker_that_dies_while_it_moves_the_item_is_made_up_for(archiving: Scene, landed: bool) -> None:
    archiving.sentry.archive(ISSUE)
    archiving.calls.meet("update_work_item", Died(), lands=landed)
    with pytest.raises(Died):
        archiving.outbound()
    archiving.now += 61.0
    archiving.outbound()
    assert archiving.state == "Resolved"
    archiving.sentry.unarchive(ISSUE)
    archiving.outbound()
    assert (archiving.state, archiving.status) == ("New", UNRESOLVED)


@pytest.mark.parametrize("landed", [True, False])
def test_a_lost_answer_of_the_move_is_made_up_for(archiving: Scene, landed: bool) -> None:
    archiving.sentry.archive(ISSUE)
    archiving.calls.meet("update_work_item", Unavailable("ado", "timed out"), lands=landed)
    with pytest.raises(Unavailable):
        archiving.outbound()
    archiving.now += 400.0
    archiving.outbound()
    assert archiving.state == "Resolved"
    assert archiving.calls.made.count("update_work_item") == (1 if landed else 2)
    archiving.sentry.unarchive(ISSUE)
    archiving.outbound()
    assert (archiving.state, archiving.status) == ("New", UNRESOLVED)


def test_a_hook_that_comes_again_or_late_moves_the_item_no_more(archiving: Scene) -> None:
    archiving.sentry.archive(ISSUE)
    assert [archiving.outbound(), archiving.outbound()] == [["applied"], ["settled"]]
    archiving.sentry.unarchive(ISSUE)
    assert [archiving.outbound(), archiving.outbound()] == [["applied"], ["settled"]]
    archiving.sentry.archive(ISSUE)
    archiving.sentry.unarchive(ISSUE)
    # The hook of the archiving: by now it is over.
    assert archiving.outbound() == ["settled"]
    assert (archiving.state, archiving.calls.made.count("update_work_item")) == ("New", 2)


# In which release.


@pytest.mark.parametrize("resolve_in", [ResolveIn.NEXT_RELEASE, ResolveIn.CURRENT_RELEASE])
def test_an_issue_is_resolved_in_the_release_that_is_wanted(scene: Scene, resolve_in: ResolveIn) -> None:
    scene.configure(resolve_in=resolve_in)
    scene.sentry.add_release("fe")
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert (scene.status, scene.sentry.resolved_in[ISSUE]) == (RESOLVED, resolve_in)
    assert scene.calls.made.count("set_status") == 1


def test_without_releases_it_is_resolved_at_once_and_that_is_told(scene: Scene) -> None:
    scene.configure(resolve_in=ResolveIn.NEXT_RELEASE)
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert (scene.status, scene.sentry.resolved_in[ISSUE]) == (RESOLVED, ResolveIn.NOW)
    [why] = [each for each in scene.entries() if each.reason]
    assert why.reason is not None
    assert why.reason.startswith("resolved-now: ")
    assert "No release data" in why.reason
    assert scene.health.word == "settled"


@pytest.fixture
def releasing(scene: Scene) -> Scene:
    scene.configure(resolve_in=ResolveIn.NEXT_RELEASE)
    scene.sentry.add_release("fe")
    return scene


@pytest.mark.parametrize("landed", [True, False])
@pytest.mark.parametrize("trouble", [Died(), Unavailable("sentry", "timed out")])
def test_a_crash_or_a_lost_answer_resolves_once_and_in_the_release(
    releasing: Scene, trouble: BaseException, landed: bool
) -> None:
    releasing.calls.meet("set_status", trouble, lands=landed)
    with pytest.raises(type(trouble)):
        releasing.inbound(releasing.ado.edit(ITEM, **{STATE: "Closed"}))
    releasing.now += 400.0
    releasing.inbound()
    assert (releasing.status, releasing.sentry.resolved_in[ISSUE]) == (RESOLVED, ResolveIn.NEXT_RELEASE)
    assert releasing.calls.made.count("set_status") == (1 if landed else 2)
    assert (releasing.inbound(), releasing.outbound()) == (["settled"], ["settled"])


def test_a_hook_that_comes_again_or_late_resolves_no_more(releasing: Scene) -> None:
    closed = releasing.ado.edit(ITEM, **{STATE: "Closed"})
    assert [releasing.inbound(closed), releasing.inbound(closed)] == [["applied"], ["echo"]]
    releasing.inbound(releasing.ado.edit(ITEM, **{STATE: "Active"}))
    assert releasing.inbound(closed) == ["echo"]
    assert (releasing.status, releasing.calls.made.count("set_status")) == (UNRESOLVED, 2)


@pytest.mark.parametrize("landed", [True, False])
def test_a_worker_that_dies_at_the_resolving_without_a_release_is_made_up_for(
    scene: Scene, landed: bool
) -> None:
    scene.configure(resolve_in=ResolveIn.CURRENT_RELEASE)
    scene.calls.meet("set_status", Died(), lands=False)
    with pytest.raises(Died):
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    scene.now += 61.0
    # The next worker is refused the release, and dies at what it does instead.
    refuse, die = "set_status", Died()
    scene.calls.meet(refuse, Refused("sentry", "statusDetails: No release data present in the system"))
    scene.calls.meet(refuse, die, lands=landed)
    with pytest.raises(Died):
        scene.inbound()
    scene.now += 61.0
    scene.inbound()
    assert (scene.status, scene.sentry.resolved_in[ISSUE]) == (RESOLVED, ResolveIn.NOW)
    assert (scene.inbound(), scene.outbound()) == (["settled"], ["settled"])
