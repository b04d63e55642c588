"""Joining an issue to a work item: how they stand is noted, also where that cannot be known in full."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import AlreadyLinked, Busy, Unavailable
from shared.domain.model import End, Health, HealthWord, Intent, IssueStatus, Person, Side
from shared.flows.linking import link, unlink
from shared.store.keys import escaped, number
from shared.store.tables import Delete, Replace
from tests.unit.overtaken import Overtaken, scene_on
from tests.unit.rounds import deliver
from tests.unit.scene import BOB, ISSUE, ITEM, SLUG, STATE, Died, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
OTHER = "200"


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    scene.sentry.add_issue(issue_id=OTHER)
    return scene


@pytest.fixture
def strange(scene: Scene) -> Scene:
    """A work item in a state that its process lists no more."""
    scene.ado.edit(ITEM, **{STATE: "Resolved", "System.AssignedTo": BOB})
    scene.ado.unlisted = frozenset({"Resolved"})
    scene.now += 2 * 3600.0
    return scene


def joined(scene: Scene) -> Health:
    return scene.stored(OTHER).link.health


def test_a_work_item_in_an_unknown_state_is_linked_and_says_so(strange: Scene) -> None:
    link(strange.services, strange.organization, OTHER, ITEM, None)
    assert (joined(strange).word, joined(strange).reason) == (HealthWord.ATTENTION, "unknown-state")
    assert joined(strange).due is not None
    page = strange.services.activity.page(SLUG, OTHER, ITEM, None, 10)
    assert [entry.outcome for entry in page.entries] == ["failed", "linked"]
    assert page.entries[0].reason == "unknown-state: no category is known for state 'Resolved' of Bug"


def test_it_goes_on_saying_so_until_the_state_is_known_or_left(strange: Scene) -> None:
    link(strange.services, strange.organization, OTHER, ITEM, None)
    strange.sentry.assign(OTHER, "ann@corp.example")
    strange.outbound(OTHER)
    assert joined(strange).reason == "unknown-state"
    strange.ado.unlisted = frozenset()
    strange.now += 60.0
    strange.outbound(OTHER)
    assert joined(strange) == Health()
    assert strange.stored(OTHER).link.seen.item.status is RESOLVED
    # It was learned, and is no edit: nothing travels.
    assert strange.sentry.get_issue(OTHER).status is UNRESOLVED


def test_an_issue_that_is_resolved_takes_its_work_item_out_of_the_unknown_state(strange: Scene) -> None:
    unlink(strange.services, strange.organization, ISSUE, ITEM)
    link(strange.services, strange.organization, OTHER, ITEM, None)
    strange.sentry.resolve(OTHER)
    assert strange.outbound(OTHER) == ["applied"]
    assert (strange.state, joined(strange)) == ("Closed", Health())


def test_what_can_be_copied_is_copied_from_an_item_in_an_unknown_state(strange: Scene) -> None:
    link(strange.services, strange.organization, OTHER, ITEM, "ado")
    issue = strange.sentry.get_issue(OTHER)
    assert (issue.status, issue.assignee) == (UNRESOLVED, Person(BOB))
    assert joined(strange).reason == "unknown-state"


def test_a_removed_work_item_is_linked_as_what_it_is(scene: Scene) -> None:
    scene.ado.add_item("Fix login", 60, kind="Task", **{STATE: "Removed"})
    link(scene.services, scene.organization, OTHER, 60, "sentry")
    seen = scene.stored(OTHER, 60).link.seen.item
    assert (seen.removed, seen.status) == (True, UNRESOLVED)
    assert scene.ado.item(60).state == "Removed"


@pytest.mark.parametrize("until", [0.0, 1e11])
def test_what_people_changed_of_an_end_is_known_to_a_new_link_whenever_its_row_says_it_is_free(
    scene: Scene, until: float
) -> None:
    """We wrote Closed there, people reopened it, and a later Closed is theirs."""
    end = End(Side.ADO, str(ITEM))
    row, held = scene.stored(), scene.services.links.end(SLUG, end)
    ours = (Intent(Side.ADO, "status", state="Closed", status=RESOLVED),)
    odd = replace(held.record, token="other", until=until, ours=ours)
    scene.services.links.replace_with_ends(row, row.link, [replace(held, record=odd)])
    link(scene.services, scene.organization, OTHER, ITEM, None)
    assert scene.services.links.end(SLUG, end).record.ours == ()


def test_what_a_link_showed_that_cannot_be_read_is_looked_for(scene: Scene) -> None:
    links, scope = scene.services.links, scene.organization.scope
    links._table.apply(escaped(scope), Replace(f"item!{number(ITEM)}!{ISSUE}", "{", None))
    unlink(scene.services, scene.organization, ISSUE, ITEM)
    remnant = links.find_remnant(scope, ISSUE, ITEM)
    assert remnant is not None
    assert scene.now < remnant.remnant.due < remnant.remnant.watched_until + 300.0
    assert len(scene.services.outbound) == 1


@pytest.mark.parametrize(("seconds", "state"), [(120.0, "New"), (121.0, "Closed")])
def test_two_are_linked_as_they_were_two_minutes_ago_at_most(
    scene: Scene, seconds: float, state: str
) -> None:
    """What was told while the worker stood still met no link; at rest nobody tells it again."""

    def stand_still() -> None:
        scene.now += seconds
        scene.ado.edit(ITEM, **{STATE: "Closed"})

    scene.calls.after("get_issue", stand_still)
    link(scene.services, scene.organization, OTHER, ITEM, None)
    assert scene.stored(OTHER).link.seen.item.state == state


def test_a_link_whose_storing_was_repeated_is_made_and_told() -> None:
    links = Overtaken()
    scene = scene_on(links)
    scene.sentry.add_issue(issue_id=OTHER)
    links.is_meant = lambda text: f'"issue_id":"{OTHER}"' in text
    links.repeats = True
    made = link(scene.services, scene.organization, OTHER, ITEM, None)
    assert scene.stored(OTHER).link == made
    page = scene.services.activity.page(SLUG, OTHER, ITEM, None, 10)
    assert [entry.outcome for entry in page.entries] == ["linked"]
    scene.now += 1.0
    with pytest.raises(AlreadyLinked):
        link(scene.services, scene.organization, OTHER, ITEM, None)


def test_what_the_message_of_a_move_tells_is_carried_over_though_storage_repeats_the_move() -> None:
    links = Overtaken()
    scene = scene_on(links)
    scene.sentry.add_issue(issue_id=OTHER)
    scene.sentry.merge(ISSUE, into=OTHER)
    scene.sentry.resolve(OTHER)
    links.is_meant = lambda text: f'"issue_id":"{OTHER}"' in text
    links.repeats = True
    scene.outbound()
    assert (scene.issue_ids, scene.state) == ([OTHER], "Closed")


def test_who_waited_for_a_link_that_gave_way_to_another_goes_on_though_storage_repeats_its_removal() -> None:
    links = Overtaken()
    scene = scene_on(links)
    scene.link(OTHER, ITEM)
    scene.sentry.resolve(OTHER)
    scene.outbound(OTHER)
    assert scene.state == "New"  # It waits for the other issue, which is merged into this one.
    scene.now += 10.0
    scene.sentry.merge(ISSUE, into=OTHER)
    own = f"item!{ITEM:016}!{ISSUE}"
    attempts = iter([False, True])  # Only the second may be made: the first would move it onto the other.
    links.is_meant = lambda text: text == own and next(attempts, False)
    links.repeats = True
    scene.outbound()
    deliver(scene)
    assert (scene.issue_ids, scene.state) == ([OTHER], "Closed")


def test_a_link_that_another_worker_moved_and_claimed_is_left_to_it(scene: Scene) -> None:
    scene.sentry.merge(ISSUE, into=OTHER)
    scene.sentry.resolve(OTHER)

    def another() -> None:
        scene.calls.meet("update_work_item", Died())
        with pytest.raises(Died):
            scene.outbound()

    scene.calls.after("get_issue", another)
    with pytest.raises(Busy):
        scene.outbound()
    assert scene.state == "New"


@pytest.fixture
def links() -> Overtaken:
    return Overtaken()


@pytest.fixture
def merged(links: Overtaken) -> Scene:
    """Issue 100 was merged into another one, which is resolved; something happens before its link follows."""
    scene = scene_on(links)
    scene.sentry.add_issue(issue_id=OTHER)
    scene.sentry.merge(ISSUE, into=OTHER)
    scene.sentry.resolve(OTHER)
    links.is_meant = lambda text: f'"issue_id":"{OTHER}"' in text
    return scene


def test_a_move_that_lost_a_race_is_made_again(merged: Scene, links: Overtaken) -> None:
    def changed() -> None:
        stored = merged.stored()
        merged.services.links.replace(stored, replace(stored.link, short_id="FE-9"))

    links.before = changed
    assert merged.outbound() == ["applied"]
    assert (merged.issue_ids, merged.state) == ([OTHER], "Closed")


def test_a_move_that_found_half_a_link_is_made_again(merged: Scene, links: Overtaken) -> None:
    links.before = lambda: links.apply(SLUG, Delete(f"issue!{ISSUE}!{number(ITEM)}"))
    assert merged.outbound() == ["applied"]
    assert (merged.issue_ids, merged.state) == ([OTHER], "Closed")


def test_a_move_that_storage_refuses_is_recorded(merged: Scene, links: Overtaken) -> None:
    def refuse() -> None:
        raise Unavailable("storage", "HTTP 500")

    links.before = refuse
    with pytest.raises(Unavailable):
        merged.outbound()
    assert merged.row.health.reason == "unavailable"


def test_a_link_that_is_unlinked_before_it_moves_is_gone(merged: Scene, links: Overtaken) -> None:
    links.before = lambda: unlink(merged.services, merged.organization, ISSUE, ITEM)
    assert merged.outbound() == ["not-linked"]
    assert merged.issue_ids == []
