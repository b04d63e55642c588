"""Several links at one end, settled on the doubles: an edit travels one hop, and done needs all partners."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.configuration import DoneWhen, ProjectMapping
from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Unavailable,
    Undecidable,
)
from shared.domain.messages import InboundMessage, OutboundMessage, decode_inbound, decode_outbound
from shared.domain.model import (
    STATUS,
    Claim,
    End,
    EndRecord,
    Health,
    HealthWord,
    IssueLink,
    IssueStatus,
    Person,
    SentryIssue,
    Side,
    WorkItem,
)
from shared.flows.linking import link, unlink
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.settling.observing import UnitOfWork
from shared.settling.partners import Partners
from shared.store.keys import number
from shared.store.links import StoredEnd, StoredLink
from shared.store.tables import Replace
from tests.unit.rounds import waiting_about_issues, waiting_about_items
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, CAROL, ISSUE, ITEM, SLUG, STATE, Died, Scene

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
OTHER_ITEM, OTHER_ISSUE = 32, "200"
A_TRY, CLAIMED_FOR = 300.0, 60.0


@pytest.fixture
def items() -> Scene:
    """One issue with two work items."""
    scene = Scene()
    scene.link(ISSUE, OTHER_ITEM)
    return scene


@pytest.fixture
def issues() -> Scene:
    """One work item with two issues."""
    scene = Scene()
    scene.link(OTHER_ISSUE, ITEM)
    return scene


def hook(scene: Scene, item: WorkItem) -> list[str]:
    """Handle the hook of a work item as it stands in a snapshot."""
    return sync_inbound(InboundMessage(SLUG, item.id, item.rev, snapshot=item), scene.services)


def edit(scene: Scene, work_item_id: int, **fields: str) -> list[str]:
    """Have a person edit a work item a second later, and its hook handled."""
    scene.now += 1.0
    return hook(scene, scene.ado.edit(work_item_id, **fields))


def rest(scene: Scene) -> None:
    """Handle whatever waits in the queues a second later; what is gone has no more to settle."""
    scene.now += 1.0
    while message := scene.services.inbound.receive():
        sync_inbound(decode_inbound(message.body), scene.services)
        scene.services.inbound.delete(message)
    while message := scene.services.outbound.receive():
        with suppress(NotFound):
            sync_outbound(decode_outbound(message.body), scene.services)
        scene.services.outbound.delete(message)


def status(scene: Scene, issue_id: str = ISSUE) -> IssueStatus:
    return scene.sentry.get_issue(issue_id).status


def state(scene: Scene, work_item_id: int = ITEM) -> str:
    return scene.ado.item(work_item_id).state


def stored(scene: Scene, issue_id: str = ISSUE, work_item_id: int = ITEM) -> IssueLink:
    return scene.stored(issue_id, work_item_id).link


def record(scene: Scene, side: Side, name: str) -> EndRecord:
    return scene.services.links.end(SLUG, End(side, name)).record


def partners(scene: Scene) -> Partners:
    """Return what knows the links of a connection that was made anew."""
    services = scene.services
    return Partners(SLUG, "e2", SLUG, services.links, lambda: services.inbound, lambda: services.outbound)


# An edit travels one hop.


def test_an_edit_goes_to_all_partners_of_its_end(items: Scene) -> None:
    items.sentry.resolve(ISSUE)
    items.sentry.assign(ISSUE, BOB)
    assert items.outbound() == ["applied", "applied"]
    assert (state(items), state(items, OTHER_ITEM)) == ("Closed", "Closed")
    assert items.ado.item(OTHER_ITEM).assignee == items.ado.item(ITEM).assignee == Person(BOB)


def test_our_own_write_is_no_change_for_the_other_links_of_an_end(items: Scene) -> None:
    assert edit(items, ITEM, **{ASSIGNED_TO: ANN}) == ["applied"]
    assert sorted(items.outbound()) == ["settled", "skipped"]
    assert items.ado.item(OTHER_ITEM).assignee is None
    [entry] = items.entries(ISSUE, OTHER_ITEM)
    assert (entry.reason, entry.direction, entry.field, entry.before, entry.after) == (
        "sibling",
        "outbound",
        "assignee",
        None,
        ANN,
    )
    # It is told once, and the two are well.
    assert items.outbound() == ["settled", "settled"]
    assert stored(items, ISSUE, OTHER_ITEM).health == Health()


def test_where_both_ends_agree_with_our_write_there_is_nothing_to_tell(items: Scene) -> None:
    assigned = items.ado.edit(OTHER_ITEM, **{ASSIGNED_TO: ANN})
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    assert hook(items, assigned) == ["agreed"]
    assert items.outbound() == ["settled", "settled"]
    assert [entry.reason for entry in items.entries(ISSUE, OTHER_ITEM)] == [None]


def test_two_work_items_of_one_issue_may_belong_to_two_people(items: Scene) -> None:
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.outbound()
    edit(items, OTHER_ITEM, **{ASSIGNED_TO: BOB})
    items.outbound()
    assert items.sentry.get_issue(ISSUE).assignee == Person(BOB)
    assert (items.ado.item(ITEM).assignee, items.ado.item(OTHER_ITEM).assignee) == (Person(ANN), Person(BOB))
    assert {entry.reason for entry in items.entries()} == {None, "sibling"}


def test_an_unassignment_of_ours_goes_no_further_either(items: Scene) -> None:
    items.sentry.assign(ISSUE, BOB)
    items.outbound()
    edit(items, ITEM, **{ASSIGNED_TO: ""})
    items.outbound()
    assert items.sentry.get_issue(ISSUE).assignee is None
    assert items.ado.item(OTHER_ITEM).assignee == Person(BOB)


def test_a_persons_edit_after_ours_travels(items: Scene) -> None:
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.outbound()
    items.sentry.assign(ISSUE, BOB)
    assert items.outbound() == ["applied", "applied"]
    assert items.ado.item(ITEM).assignee == items.ado.item(OTHER_ITEM).assignee == Person(BOB)


def test_a_persons_return_to_our_value_travels_once_the_edit_between_was_seen(items: Scene) -> None:
    """Link 31 sees the edit between; link 32 sees only the value that we had written before."""
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.sentry.assign(ISSUE, BOB)
    settler, unit = items.services.settler(items.organization), items.services.new_unit_of_work()
    settler.settle(items.stored(), unit)
    assert record(items, Side.SENTRY, ISSUE).ours == ()
    items.sentry.assign(ISSUE, ANN)
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee == Person(ANN)


def test_a_status_of_ours_goes_no_further_where_any_partner_is_enough(items: Scene) -> None:
    items.configure(done_when=DoneWhen.ANY)
    edit(items, ITEM, **{STATE: "Closed"})
    assert sorted(items.outbound()) == ["settled", "skipped"]
    assert (status(items), state(items, OTHER_ITEM)) == (RESOLVED, "New")
    assert [entry.reason for entry in items.entries(ISSUE, OTHER_ITEM)] == ["sibling"]


@pytest.mark.parametrize("lands", [True, False])
def test_what_a_dead_worker_wrote_is_no_edit_for_other_links(items: Scene, lands: bool) -> None:
    items.calls.meet("set_assignee", Died(), lands=lands)
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now += CLAIMED_FOR
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee is None
    items.inbound()
    assert items.sentry.get_issue(ISSUE).assignee == Person(ANN)
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee is None


@pytest.mark.parametrize("lands", [True, False])
def test_a_write_without_an_answer_is_no_edit_for_other_links(items: Scene, lands: bool) -> None:
    items.calls.meet("set_assignee", Unavailable("sentry", "timed out"), lands=lands)
    with pytest.raises(Unavailable):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.outbound()
    items.inbound()
    items.outbound()
    assert items.sentry.get_issue(ISSUE).assignee == Person(ANN)
    assert items.ado.item(OTHER_ITEM).assignee is None


@pytest.mark.parametrize("lands", [True, False])
def test_a_write_beside_one_without_an_answer_is_no_edit_for_the_next_link_either(
    items: Scene, lands: bool
) -> None:
    """The same worker looks at the next link, on what the answer to its first write said."""
    items.configure(done_when=DoneWhen.ANY)
    items.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: ANN})
    items.calls.meet("set_assignee", Unavailable("sentry", "timed out"), lands=lands)
    settler, unit = items.services.settler(items.organization), items.services.new_unit_of_work()
    unit.doubted.add(ITEM)
    with pytest.raises(Unavailable):
        settler.settle(items.stored(), unit)
    assert settler.settle(items.stored(ISSUE, OTHER_ITEM), unit) == "skipped"
    assert (status(items), state(items, OTHER_ITEM)) == (RESOLVED, "New")


def test_what_was_announced_and_never_came_is_not_ours_for_ever(items: Scene) -> None:
    """The worker dies before it assigns the issue; another link sees an edit of the status before that."""
    items.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now += CLAIMED_FOR + 10.0
    items.sentry.resolve(ISSUE)
    sync_outbound(OutboundMessage(SLUG, ISSUE, only=(str(OTHER_ITEM),)), items.services)
    edit(items, ITEM, **{ASSIGNED_TO: ""})
    items.now += 3600.0
    items.sentry.assign(ISSUE, ANN)
    assert items.outbound() == ["applied", "applied"]
    assert [items.ado.item(each).assignee for each in (ITEM, OTHER_ITEM)] == [Person(ANN)] * 2


def test_what_was_announced_for_a_link_that_is_gone_is_not_ours_for_ever(items: Scene) -> None:
    items.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now += CLAIMED_FOR + 10.0
    unlink(items.services, items.organization, ISSUE, ITEM)
    items.sentry.resolve(ISSUE)
    assert items.outbound() == ["applied"]
    items.sentry.assign(ISSUE, ANN)
    assert items.outbound() == ["applied"]
    assert items.ado.item(OTHER_ITEM).assignee == Person(ANN)


def test_a_look_at_the_end_of_a_dead_workers_claim_says_what_became_of_its_write(items: Scene) -> None:
    """The link for which it announced the write is gone."""
    items.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now = record(items, Side.SENTRY, ISSUE).until
    unlink(items.services, items.organization, ISSUE, ITEM)
    items.sentry.resolve(ISSUE)
    items.outbound()
    assert record(items, Side.SENTRY, ISSUE).ours == ()


def test_what_a_dead_worker_wrote_to_an_item_is_ours_though_its_link_is_gone(issues: Scene) -> None:
    issues.configure(done_when=DoneWhen.ANY)
    issues.sentry.resolve(ISSUE)
    issues.calls.meet("update_work_item", Died(), lands=True)
    with pytest.raises(Died):
        issues.outbound()
    issues.now += CLAIMED_FOR
    unlink(issues.services, issues.organization, ISSUE, ITEM)
    issues.inbound()
    after = record(issues, Side.ADO, "31")
    assert ([each.state for each in after.ours], after.token) == (["Closed"], "")
    assert status(issues, OTHER_ISSUE) is UNRESOLVED


def test_what_a_dead_worker_announced_for_one_end_says_nothing_of_the_other(items: Scene) -> None:
    items.sentry.resolve(ISSUE)
    items.outbound()
    before = record(items, Side.ADO, "31")
    items.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now += CLAIMED_FOR
    items.inbound()
    assert items.sentry.get_issue(ISSUE).assignee == Person(ANN)
    assert record(items, Side.ADO, "31") == before


def test_what_is_written_on_an_old_look_forgets_nothing_that_we_wrote_since(issues: Scene) -> None:
    """Issue 200's link still has the work item for open, and assigns it."""
    issues.configure(done_when=DoneWhen.ANY)
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    issues.sentry.assign(OTHER_ISSUE, BOB)
    issues.outbound(OTHER_ISSUE)
    assert issues.ado.item(ITEM).assignee == Person(BOB)
    assert (state(issues), status(issues, OTHER_ISSUE)) == ("Closed", UNRESOLVED)


def test_a_refused_write_leaves_what_we_wrote_before(items: Scene) -> None:
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    edit(items, ITEM, **{ASSIGNED_TO: CAROL})  # whom Sentry does not know
    assert [each.assignee for each in record(items, Side.SENTRY, ISSUE).ours] == [Person(ANN)]
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee is None


def test_a_write_that_lost_its_race_is_not_taken_for_ours(issues: Scene) -> None:
    """The state was announced, and never written; then a person chooses that very state."""
    issues.configure(done_when=DoneWhen.ANY)
    issues.sentry.resolve(ISSUE)
    issues.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        issues.outbound()
    assert record(issues, Side.ADO, "31") == EndRecord(until=0.0)
    hook(issues, issues.ado.edit(ITEM, **{STATE: "Closed"}))
    assert status(issues, OTHER_ISSUE) is RESOLVED


def test_a_write_that_lost_its_race_leaves_what_we_wrote_before(issues: Scene) -> None:
    issues.sentry.assign(ISSUE, BOB)
    issues.outbound()
    before = record(issues, Side.ADO, "31")
    assert [each.assignee for each in before.ours] == [Person(BOB)]
    issues.configure(done_when=DoneWhen.ANY)
    issues.sentry.resolve(ISSUE)
    issues.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        issues.outbound()
    assert record(issues, Side.ADO, "31") == before


@pytest.mark.parametrize(("later", "ours"), [(-1.0, [Person(ANN)]), (0.0, []), (1.0, [])])
def test_only_a_look_from_after_a_dead_workers_claim_says_what_became_of_its_write(
    items: Scene, later: float, ours: list[Person]
) -> None:
    """Until its claim ends, a call of the dead worker may still arrive."""
    items.calls.meet("set_assignee", Died(), lands=False)
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    claim = stored(items).claim
    assert claim is not None
    items.now = claim.until + 1.0
    items.ado.edit(ITEM, **{ASSIGNED_TO: ""})
    unit = items.services.new_unit_of_work()
    unit.issue_answered(ISSUE, items.sentry.get_issue(ISSUE), claim.until + later)
    assert items.services.settler(items.organization).settle(items.stored(), unit) == "settled"
    assert [each.assignee for each in record(items, Side.SENTRY, ISSUE).ours] == ours


def test_the_value_is_ours_as_the_service_spells_it(items: Scene) -> None:
    items.configure(people={ANN: "ann@home.example"})
    items.sentry.add_member("ann@work.example", other_emails=("ann@home.example",))
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    assert [each.assignee for each in record(items, Side.SENTRY, ISSUE).ours] == [Person("ann@work.example")]
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee is None


@pytest.mark.parametrize("error", [Unavailable("sentry", "no answer"), Died()])
@pytest.mark.parametrize("spelled", ["ann@home.example", "ann@work.example"])
@pytest.mark.parametrize("wins", list(Side))
def test_a_write_without_an_answer_is_ours_however_its_service_spells_the_person(
    items: Scene, wins: Side, spelled: str, error: Exception
) -> None:
    items.sentry.add_member("ann@home.example", other_emails=("ann@work.example",))
    for each in ("ann@home.example", "ann@work.example", BOB):
        items.ado.add_person(each, each)
    items.configure(on_conflict=wins)
    items.calls.meet("set_assignee", error, lands=True)
    with pytest.raises(type(error)):
        edit(items, ITEM, **{ASSIGNED_TO: spelled})
    items.now += 400.0
    items.outbound()
    assert items.ado.item(OTHER_ITEM).assignee is None
    edit(items, ITEM, **{ASSIGNED_TO: BOB})
    assert items.sentry.get_issue(ISSUE).assignee == items.ado.item(ITEM).assignee == Person(BOB)


HOME, WORK = "ann@home.example", "ann@work.example"


@pytest.fixture
def aliased(items: Scene) -> Scene:
    """Ann has two addresses, and Sentry shows her by the one at home."""
    items.sentry.add_member(HOME, other_emails=(WORK,))
    for each in (HOME, WORK, BOB):
        items.ado.add_person(each, each)
    return items


@pytest.mark.parametrize("error", [Unavailable("sentry", "no answer"), Died()])
def test_who_shows_in_place_of_a_lost_assignment_is_news_where_an_address_is_shared(
    aliased: Scene, error: Exception
) -> None:
    """Bob has verified Ann's address at work as well, so it does not tell whom we meant."""
    aliased.configure(on_conflict=Side.SENTRY)
    aliased.sentry.primary_of = lambda email: None if email == WORK else email  # type: ignore[method-assign]
    aliased.calls.meet("set_assignee", error, lands=False)
    with pytest.raises(type(error)):
        edit(aliased, ITEM, **{ASSIGNED_TO: WORK})
    aliased.now += 400.0
    aliased.sentry.assign(ISSUE, BOB)
    aliased.outbound()
    assert aliased.ado.item(OTHER_ITEM).assignee == Person(BOB)


@pytest.mark.parametrize("wins", list(Side))
def test_whether_a_write_is_ours_is_not_guessed_while_members_cannot_be_read(
    aliased: Scene, wins: Side
) -> None:
    aliased.configure(on_conflict=wins)
    aliased.calls.meet("set_assignee", Died(), lands=True)
    with pytest.raises(Died):
        edit(aliased, ITEM, **{ASSIGNED_TO: WORK})
    aliased.now += 400.0
    aliased.calls.meet("primary_of", Unavailable("sentry", "a member cannot be read"))
    with pytest.raises(Unavailable):
        aliased.outbound()
    aliased.calls.recover()
    aliased.now += 400.0
    aliased.outbound()
    assert aliased.ado.item(ITEM).assignee == Person(WORK)
    assert aliased.ado.item(OTHER_ITEM).assignee is None


@pytest.mark.parametrize(
    "error",
    [Forbidden("sentry", "403", about="the members"), NotFound("404"), Refused("sentry", "400")],
)
def test_where_members_may_not_be_read_nobody_was_assigned(aliased: Scene, error: SyncError) -> None:
    aliased.calls.meet("set_assignee", Died(), lands=False)
    with pytest.raises(Died):
        edit(aliased, ITEM, **{ASSIGNED_TO: WORK})
    aliased.now += 400.0
    aliased.sentry.assign(ISSUE, BOB)
    aliased.configure(on_conflict=Side.SENTRY)
    aliased.calls.meet("primary_of", error)
    aliased.outbound()
    assert aliased.ado.item(OTHER_ITEM).assignee == Person(BOB)


@pytest.mark.parametrize("error", [None, Unavailable("sentry", "no answer"), Died()])
@pytest.mark.parametrize("spelled", [HOME, WORK])
def test_who_is_assigned_over_what_was_looked_into_is_nobody_s_doubt(
    aliased: Scene, spelled: str, error: Exception | None
) -> None:
    if error is None:
        edit(aliased, ITEM, **{ASSIGNED_TO: spelled})
    else:
        aliased.calls.meet("set_assignee", error, lands=True)
        with pytest.raises(type(error)):
            edit(aliased, ITEM, **{ASSIGNED_TO: spelled})
    aliased.now += 400.0
    aliased.outbound()
    aliased.now += 400.0
    aliased.calls.made.clear()
    aliased.sentry.assign(ISSUE, BOB)
    aliased.outbound()
    assert "primary_of" not in aliased.calls.made
    assert aliased.ado.item(ITEM).assignee == aliased.ado.item(OTHER_ITEM).assignee == Person(BOB)


@pytest.mark.parametrize("spelled", [HOME, WORK])
@pytest.mark.parametrize("other", [ITEM, OTHER_ITEM])
def test_a_lost_assignment_that_arrives_after_another_write_is_ours(
    aliased: Scene, spelled: str, other: int
) -> None:
    """By an answer from before the claim's end the status is written, whose worker knows of no doubt."""
    aliased.configure(done_when=DoneWhen.ANY)
    aliased.calls.meet("set_assignee", Died(), lands=False)
    with pytest.raises(Died):
        edit(aliased, ITEM, **{ASSIGNED_TO: spelled})
    claim = stored(aliased).claim
    assert claim is not None
    aliased.now = claim.until + 1.0
    aliased.ado.edit(other, **{STATE: "Closed", **({ASSIGNED_TO: ""} if other == ITEM else {})})
    unit = aliased.services.new_unit_of_work()
    unit.doubted.add(other)
    unit.issue_answered(ISSUE, aliased.sentry.get_issue(ISSUE), claim.until - 1.0)
    aliased.services.settler(aliased.organization).settle(aliased.stored(ISSUE, other), unit)
    aliased.sentry.set_assignee(ISSUE, Person(spelled))
    aliased.now += 100.0
    aliased.outbound()
    assert aliased.ado.item(OTHER_ITEM).assignee is None


@pytest.mark.parametrize("before", ["", ANN])
def test_who_is_assigned_before_an_answer_is_made_is_news_to_all_partners(items: Scene, before: str) -> None:
    """Whoever shows there was assigned by somebody else than we, whether we assign somebody or nobody."""
    for each in (ANN, BOB):
        items.ado.add_person(each, each)
    if before:
        edit(items, ITEM, **{ASSIGNED_TO: before})
    items.watched_sentry.then = lambda: items.sentry.assign(ISSUE, BOB)
    edit(items, ITEM, **{ASSIGNED_TO: "" if before else ANN})
    items.watched_sentry.then = lambda: None
    items.now += 1.0
    items.outbound()
    assert items.ado.item(ITEM).assignee == items.ado.item(OTHER_ITEM).assignee == Person(BOB)


def test_a_snapshot_from_before_our_write_is_not_judged_but_read_again(issues: Scene) -> None:
    """Its value was ours as well, of which the row tells no more."""
    issues.sentry.assign(ISSUE, BOB)
    issues.outbound()
    late = issues.ado.item(ITEM)
    issues.sentry.assign(ISSUE, ANN)
    issues.outbound()
    issues.calls.made.clear()
    hook(issues, late)
    assert issues.calls.made.count("get_work_item") == 1
    assert issues.sentry.get_issue(OTHER_ISSUE).assignee is None
    assert stored(issues, OTHER_ISSUE).seen.item.assignee == Person(ANN)


def test_whoever_is_owed_gives_way_to_whom_another_link_brought(issues: Scene) -> None:
    issues.sentry.assign(ISSUE, "dave@elsewhere.example")
    issues.outbound()
    issues.sentry.assign(OTHER_ISSUE, BOB)
    issues.outbound(OTHER_ISSUE)
    issues.now += A_TRY
    issues.ado.add_person("Dave", "dave@elsewhere.example")
    issues.inbound()
    assert issues.ado.item(ITEM).assignee == Person(BOB)
    assert (stored(issues).owed, stored(issues).health) == (None, Health())
    assert issues.entries()[0].outcome == "recovered"


def test_what_is_skipped_beside_a_write_is_told_though_the_write_loses_its_race(items: Scene) -> None:
    """The status was ours and goes no further; the assignee, a person's, is written at the second try."""
    items.configure(done_when=DoneWhen.ANY)
    edit(items, ITEM, **{STATE: "Closed"})
    items.sentry.assign(ISSUE, BOB)
    items.calls.meet("update_work_item", Conflict("412"))
    settler, unit = items.services.settler(items.organization), items.services.new_unit_of_work()
    assert settler.settle(items.stored(ISSUE, OTHER_ITEM), unit) == "applied"
    assert "sibling" in {entry.reason for entry in items.entries(ISSUE, OTHER_ITEM)}
    assert items.ado.item(OTHER_ITEM).assignee == Person(BOB)


# One writer an end at a time.


def claimed(scene: Scene, end: End, until: float) -> None:
    """Have another worker announce a write to an end, for a link that we need not know."""
    row = scene.stored()
    held = scene.services.links.end(SLUG, end)
    taken = replace(held.record, token="other", until=until)
    scene.services.links.replace_with_ends(row, row.link, [replace(held, record=taken)])


@pytest.mark.parametrize("end", [End(Side.ADO, "31"), End(Side.SENTRY, ISSUE)])
def test_an_end_that_another_worker_writes_to_is_left_alone(items: Scene, end: End) -> None:
    claimed(items, end, items.now + 1)
    items.sentry.resolve(ISSUE)
    with pytest.raises(Busy) as caught:
        items.outbound()
    assert caught.value.retry_after == 2.0
    assert (state(items), stored(items).claim, stored(items).health) == ("New", None, Health())
    items.now += 1
    assert set(items.outbound()) <= {"applied", "settled"}
    assert state(items) == "Closed"


@pytest.mark.parametrize("end", [End(Side.ADO, "31"), End(Side.SENTRY, ISSUE)])
@pytest.mark.parametrize(
    "times", [{"until": 2e11}, {"at": 2e11}, {"until": 2e11, "at": 2e11, "of": (ISSUE, ITEM)}]
)
def test_an_end_whose_row_holds_a_time_that_nobody_set_is_free(
    items: Scene, end: End, times: dict[str, Any]
) -> None:
    row = items.stored()
    held = items.services.links.end(SLUG, end)
    odd = replace(held.record, token="other", **times)
    items.services.links.replace_with_ends(row, row.link, [replace(held, record=odd)])
    items.sentry.resolve(ISSUE)
    assert set(items.outbound()) <= {"applied", "settled"}
    assert (state(items), state(items, OTHER_ITEM)) == ("Closed", "Closed")


def test_a_dead_workers_write_is_looked_into_whatever_its_claim_says(items: Scene) -> None:
    """Its clock was ahead: its claim ends in a year, on the link and on the end."""
    items.now += 365 * 86_400.0
    items.calls.meet("set_assignee", Died(), lands=True)
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.now -= 365 * 86_400.0
    items.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
    items.inbound()
    assert items.sentry.get_issue(ISSUE).assignee == Person(BOB)
    assert record(items, Side.SENTRY, ISSUE).token == ""


def test_a_claim_on_an_end_keeps_nobody_from_what_is_not_about_it(items: Scene) -> None:
    claimed(items, End(Side.ADO, "31"), items.now + 1)
    edit(items, OTHER_ITEM, **{ASSIGNED_TO: ANN})
    assert items.sentry.get_issue(ISSUE).assignee == Person(ANN)


@pytest.mark.parametrize("fails", [True, False])
def test_an_end_is_free_once_its_worker_gave_up_its_link(items: Scene, fails: bool) -> None:
    """Storage fails between the announcement and the write; the claim on the link is given back at once."""
    add = items.services.activity.add

    def failing(*_told: object) -> None:
        items.services.activity.add = add  # type: ignore[method-assign]
        raise Unavailable("storage", "HTTP 500") if fails else Died

    items.sentry.assign(ISSUE, BOB)
    items.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    items.services.activity.add = failing  # type: ignore[assignment,method-assign]
    with pytest.raises(Unavailable if fails else Died):  # in telling of the conflict
        items.inbound()
    assert record(items, Side.SENTRY, ISSUE).of == (ISSUE, ITEM)
    if fails:
        edit(items, OTHER_ITEM, **{ASSIGNED_TO: BOB})
        assert items.ado.item(OTHER_ITEM).assignee == Person(BOB)
    else:
        with pytest.raises(Busy):
            edit(items, OTHER_ITEM, **{ASSIGNED_TO: BOB})


@pytest.mark.parametrize(
    "of",
    [(ISSUE, ITEM), ("999", ITEM), (ISSUE, OTHER_ITEM), (OTHER_ISSUE, ITEM)],
    ids=["unclaimed", "gone", "unreadable", "claimed by another"],
)
def test_an_end_whose_link_says_nothing_of_its_worker_is_held_as_long_as_its_own_row_says(
    items: Scene, of: tuple[str, int]
) -> None:
    items.link(OTHER_ISSUE, ITEM)
    other = items.stored(OTHER_ISSUE, ITEM)
    claim = Claim("third", items.now, other.link.seen.item.rev, (), other.link.seen)
    items.services.links.replace(other, replace(other.link, claim=claim))
    row, held = items.stored(), items.services.links.end(SLUG, End(Side.SENTRY, ISSUE))
    taken = replace(held, record=replace(held.record, token="other", until=items.now + 1, of=of))
    items.services.links.replace_with_ends(row, row.link, [taken])
    damage(items, ISSUE, OTHER_ITEM, "null")
    observer = items.services.settler(items.organization).observer
    with pytest.raises(Busy):
        observer.end(held.end, UnitOfWork("t"))
    items.now += 1
    assert observer.end(held.end, UnitOfWork("t")).record.of == of


def test_two_workers_that_announce_a_write_to_one_end_do_not_both_write(issues: Scene) -> None:
    """The second one announces while the first one writes: it comes back later."""
    issues.configure(done_when=DoneWhen.ANY)
    issues.sentry.resolve(ISSUE)
    issues.sentry.resolve(OTHER_ISSUE)
    met: list[str] = []

    def other(_item: WorkItem) -> None:
        issues.watched_ado.rule = lambda _item: None
        with pytest.raises(Busy):
            issues.outbound(OTHER_ISSUE)
        met.append("busy")

    issues.watched_ado.rule = other
    assert issues.outbound() == ["applied"]
    assert (met, issues.ado.item(ITEM).rev) == (["busy"], 2)
    assert issues.outbound(OTHER_ISSUE) == ["agreed"]


def test_a_row_of_an_end_that_cannot_be_read_says_nothing(items: Scene) -> None:
    items.services._table("links").apply(SLUG, Replace("end!issue!100", '{"ours": 7}', None))
    items.sentry.resolve(ISSUE)
    assert items.outbound() == ["applied", "applied"]
    edit(items, ITEM, **{STATE: "Active"})
    assert status(items) is UNRESOLVED


# Done needs all.


def test_an_issue_becomes_resolved_with_the_last_of_its_work_items(items: Scene) -> None:
    assert edit(items, ITEM, **{STATE: "Closed"}) == ["skipped"]
    assert status(items) is UNRESOLVED
    waits = stored(items)
    assert (waits.waiting, waits.health.word, waits.health.reason) == (
        Side.SENTRY,
        HealthWord.SETTLED,
        "waits-for-others",
    )
    assert waits.health.due == items.now + A_TRY
    [entry] = items.entries()
    assert (entry.outcome, entry.reason, entry.direction) == ("skipped", "waits-for-others", "inbound")
    assert edit(items, OTHER_ITEM, **{STATE: "Closed"}) == ["applied"]
    assert status(items) is RESOLVED
    assert items.outbound() == ["settled", "settled"]
    assert (stored(items).waiting, stored(items).health) == (None, Health())


def test_a_work_item_becomes_done_with_the_last_of_its_issues(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    assert issues.outbound() == ["skipped"]
    assert (state(issues), stored(issues).waiting) == ("New", Side.ADO)
    issues.sentry.resolve(OTHER_ISSUE)
    assert issues.outbound(OTHER_ISSUE) == ["applied"]
    assert state(issues) == "Closed"


def test_one_of_several_is_enough_where_the_document_says_so(items: Scene) -> None:
    items.configure(done_when=DoneWhen.ANY)
    assert edit(items, ITEM, **{STATE: "Closed"}) == ["applied"]
    assert status(items) is RESOLVED


def test_what_waits_goes_through_once_the_document_says_so(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    items.configure(done_when=DoneWhen.ANY)
    items.inbound()
    assert (status(items), stored(items).waiting) == (RESOLVED, None)


def test_an_end_is_reopened_with_the_first_of_its_partners(items: Scene) -> None:
    items.sentry.resolve(ISSUE)
    items.outbound()
    assert edit(items, ITEM, **{STATE: "Active"}) == ["applied"]
    assert status(items) is UNRESOLVED
    items.now += 1.0
    items.outbound()
    assert state(items, OTHER_ITEM) == "Closed"
    # The other one waits from now on, and says so.
    assert stored(items, ISSUE, OTHER_ITEM).waiting is Side.SENTRY
    assert items.entries(ISSUE, OTHER_ITEM)[0].reason == "waits-for-others"
    edit(items, ITEM, **{STATE: "Closed"})
    assert status(items) is RESOLVED


@pytest.mark.parametrize("trouble", ["none", "away", "forbidden"])
def test_a_state_that_nobody_knows_counts_as_open_whatever_else_is_wrong(items: Scene, trouble: str) -> None:
    """The state of work item 31 is said to be unknown, until another trouble takes the place of that."""
    edit(items, ITEM, **{STATE: "Closed"})
    rest(items)
    items.now += 7200.0
    if trouble == "forbidden":
        items.calls.meet("set_assignee", Forbidden("sentry", "HTTP 403", about="issue 100"))
    moved = items.ado.edit(ITEM, **{STATE: "Active", ASSIGNED_TO: BOB})
    items.ado.unlisted = frozenset({"Active"})
    with suppress(Forbidden, Undecidable):
        hook(items, moved)
    if trouble == "away":
        items.now += 400.0
        items.calls.meet("get_issue", Unavailable("sentry", "HTTP 503"))
        with pytest.raises(Unavailable):
            items.outbound()
        items.calls.recover()
    with suppress(Forbidden, Undecidable):
        edit(items, OTHER_ITEM, **{STATE: "Closed"})
    assert (status(items), stored(items).undecided) == (UNRESOLVED, True)
    items.ado.unlisted = frozenset()
    items.now += 7200.0
    items.calls.recover()
    items.inbound()
    assert not stored(items).undecided
    edit(items, ITEM, **{STATE: "Closed"})
    assert status(items) is RESOLVED


def test_an_item_that_moved_while_nobody_told_what_its_state_counts_as_says_why_it_is_apart(
    items: Scene,
) -> None:
    """One of two items resolves the issue; the other moves while the states of its project cannot be read."""
    items.configure(done_when=DoneWhen.ANY)
    items.now += 7200.0
    moved = items.ado.edit(OTHER_ITEM, **{STATE: "Active"})
    edit(items, ITEM, **{STATE: "Closed"})
    items.now += 7200.0
    items.calls.meet("get_work_item_types", *[Unavailable("ado", "HTTP 503")] * 2)
    with suppress(Unavailable):
        hook(items, moved)
    assert "agreed" not in items.outcomes(ISSUE, OTHER_ITEM)
    items.calls.recover()
    items.now += 400.0
    items.outbound()
    assert (status(items), state(items, OTHER_ITEM)) == (RESOLVED, "Active")
    assert stored(items, ISSUE, OTHER_ITEM).apart == {STATUS: "sibling"}


@pytest.mark.parametrize("first", [ISSUE, OTHER_ISSUE])
def test_what_we_closed_for_a_link_stays_its_own_when_that_follows_a_merge(first: str) -> None:
    """Item 31 was closed for an issue that is merged into 100, whose other item is reopened and parted."""
    scene = Scene()
    if first != ISSUE:
        scene.link(first, ITEM)
        unlink(scene.services, scene.organization, ISSUE, ITEM)
    scene.link(ISSUE, OTHER_ITEM)
    for each in dict.fromkeys((first, ISSUE)):
        scene.sentry.resolve(each)
        scene.outbound(each)
        scene.now += 1.0
    if first != ISSUE:
        scene.sentry.merge(first, into=ISSUE)
        scene.outbound(first)
    assert record(scene, Side.ADO, "31").of == (ISSUE, ITEM)
    edit(scene, OTHER_ITEM, **{STATE: "Active"})
    rest(scene)
    scene.outbound()
    assert (status(scene), stored(scene).waiting) == (UNRESOLVED, Side.SENTRY)
    unlink(scene.services, scene.organization, ISSUE, OTHER_ITEM)
    rest(scene)
    assert (status(scene), state(scene)) == (RESOLVED, "Closed")


def test_a_merge_writes_no_row_of_an_item_that_nobody_wrote_to() -> None:
    scene = Scene()
    scene.sentry.add_issue(issue_id=OTHER_ISSUE)
    scene.sentry.merge(ISSUE, into=OTHER_ISSUE)
    scene.outbound()
    assert stored(scene, OTHER_ISSUE).work_item_id == ITEM
    assert scene.services.links.end(SLUG, End(Side.ADO, str(ITEM))).etag is None


def test_what_we_closed_for_another_link_waits_for_nobody(issues: Scene) -> None:
    """Issue 100 is reopened with work item 32; 31 was closed for issue 200, which is nothing to 100."""
    issues.link(ISSUE, OTHER_ITEM)
    for each in (ISSUE, OTHER_ISSUE):
        issues.sentry.resolve(each)
        issues.outbound(each)
    assert record(issues, Side.ADO, "31").of == (OTHER_ISSUE, ITEM)
    hook(issues, issues.ado.item(ITEM))
    edit(issues, OTHER_ITEM, **{STATE: "Active"})
    issues.now += 1.0
    issues.outbound()
    assert (status(issues), state(issues)) == (UNRESOLVED, "Closed")
    assert (stored(issues).waiting, issues.entries()[0].reason) == (None, "sibling")


def test_waiting_is_told_once_and_looked_at_less_and_less_often(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    for wait in (300.0, 900.0, 3600.0, 3600.0):
        assert stored(items).health.due == items.now + wait
        items.now += wait - 1
        items.inbound()
        assert stored(items).health.due == items.now + 1
        items.now += 1
        assert items.inbound() == ["settled"]
    assert items.outcomes() == ["skipped"]
    assert stored(items).health.since < items.now


def test_waiting_is_told_though_the_write_beside_it_loses_its_race(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.sentry.assign(ISSUE, BOB)
    issues.calls.meet("update_work_item", Conflict("412"))
    assert issues.outbound() == ["applied"]
    assert {entry.reason for entry in issues.entries()} == {None, "waits-for-others"}
    assert (stored(issues).waiting, issues.ado.item(ITEM).assignee) == (Side.ADO, Person(BOB))


def test_what_was_reopened_and_waits_is_told_though_the_write_beside_it_loses_its_race(items: Scene) -> None:
    items.sentry.resolve(ISSUE)
    items.outbound()
    edit(items, ITEM, **{STATE: "Active"})
    items.sentry.assign(ISSUE, BOB)
    items.calls.meet("update_work_item", Conflict("412"))
    sync_outbound(OutboundMessage(SLUG, ISSUE, only=(str(OTHER_ITEM),)), items.services)
    assert items.ado.item(OTHER_ITEM).assignee == Person(BOB)
    assert "waits-for-others" in {entry.reason for entry in items.entries(ISSUE, OTHER_ITEM)}


def test_a_state_that_nobody_knew_a_moment_ago_is_read_again_before_a_waiting_write(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    unlink(issues.services, issues.organization, OTHER_ISSUE, ITEM)
    moved = issues.ado.edit(ITEM, **{STATE: "Resolved"})
    issues.ado.unlisted = frozenset({"Resolved"})
    issues.now += 2 * 3600.0
    issues.services.processes.types(issues.watched_ado, SLUG, moved.project_id)
    issues.ado.unlisted = frozenset()
    issues.now += 1.0
    assert hook(issues, moved) == ["agreed"]
    assert state(issues) == "Resolved"


def test_two_issues_on_one_work_item_never_close_each_other(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    rest(issues)
    issues.inbound()
    assert (state(issues), status(issues, OTHER_ISSUE)) == ("New", UNRESOLVED)


def test_a_duplicate_that_is_closed_after_a_merge_closes_nothing_that_is_worked_on(issues: Scene) -> None:
    scene = Scene()
    scene.link(OTHER_ISSUE, OTHER_ITEM)
    scene.sentry.merge(OTHER_ISSUE, into=ISSUE)
    scene.outbound(OTHER_ISSUE)
    edit(scene, OTHER_ITEM, **{STATE: "Closed"})
    rest(scene)
    assert (status(scene), state(scene)) == (UNRESOLVED, "New")
    assert scene.issue_ids == [ISSUE, ISSUE]


# Who is left out of "all", and what sets those free that wait.

REMOVED = {STATE: "Removed"}


def wakes(scene: Scene, event: Callable[[], object]) -> None:
    """See that a waiting end is settled by what the event puts into the queues."""
    assert status(scene) is UNRESOLVED
    event()
    rest(scene)
    assert status(scene) is RESOLVED
    assert stored(scene).waiting is None


@pytest.fixture
def waiting() -> Scene:
    """Issue 100 waits for work item 60, a Task; 31 is closed."""
    scene = Scene()
    scene.ado.add_item("Fix login", 60, kind="Task")
    scene.link(ISSUE, 60)
    edit(scene, ITEM, **{STATE: "Closed"})
    return scene


def test_a_partner_that_is_removed_is_waited_for_no_more(waiting: Scene) -> None:
    wakes(waiting, lambda: edit(waiting, 60, **REMOVED))


def test_a_partner_that_is_deleted_is_waited_for_no_more(waiting: Scene) -> None:
    def delete() -> None:
        waiting.ado.delete(60)
        with pytest.raises(NotFound):
            sync_inbound(InboundMessage(SLUG, 60, 2, "deleted"), waiting.services)

    wakes(waiting, delete)


def test_a_partner_that_is_unlinked_is_waited_for_no_more(waiting: Scene) -> None:
    wakes(waiting, lambda: unlink(waiting.services, waiting.organization, ISSUE, 60))


def test_a_partner_that_becomes_done_by_our_own_write_is_waited_for_no_more(waiting: Scene) -> None:
    """Issue 200 is linked to 60 alone of these: it closes 60, which goes no further but as a fact."""
    waiting.configure(done_when=DoneWhen.ANY)
    waiting.link(OTHER_ISSUE, 60)
    waiting.sentry.resolve(OTHER_ISSUE)
    waiting.outbound(OTHER_ISSUE)
    waiting.configure(done_when=DoneWhen.ALL)
    wakes(waiting, lambda: hook(waiting, waiting.ado.item(60)))


def test_an_archived_issue_is_waited_for_no_more(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    issues.sentry.archive(OTHER_ISSUE)
    issues.outbound(OTHER_ISSUE)
    rest(issues)
    assert (state(issues), stored(issues).waiting) == ("Closed", None)
    assert status(issues, OTHER_ISSUE) is IGNORED


def test_an_issue_that_another_one_gave_way_to_is_waited_for_no_more(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    issues.sentry.merge(OTHER_ISSUE, into=ISSUE)
    issues.outbound(OTHER_ISSUE)
    rest(issues)
    assert (state(issues), issues.issue_ids) == ("Closed", [ISSUE])


def test_who_gives_way_to_an_archived_issue_is_waited_for_no_more(issues: Scene) -> None:
    issues.link("300", ITEM)
    issues.sentry.resolve("300")
    issues.sentry.archive(ISSUE)
    for each in ("300", ISSUE):
        issues.outbound(each)
    rest(issues)
    assert state(issues) == "New"  # 200 is open still
    issues.sentry.merge(OTHER_ISSUE, into=ISSUE)
    issues.outbound(OTHER_ISSUE)
    rest(issues)
    assert (state(issues), sorted(issues.issue_ids)) == ("Closed", [ISSUE, "300"])


UNREADABLE = ['{"of":"a newer version"}', "", "null", '{"organization":"fabrikam","issue_id"']


def damage(scene: Scene, issue_id: str, work_item_id: int, text: str) -> str:
    """Make a link's row one that cannot be read, and return what it held."""
    table, key = scene.services._table("links"), f"item!{number(work_item_id)}!{issue_id}"
    before = table.get(SLUG, key).text
    table.apply(SLUG, Replace(key, text, None))
    return before


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("unlinks", [True, False])
def test_an_issue_waits_for_a_work_item_whose_link_cannot_be_read(
    items: Scene, text: str, unlinks: bool
) -> None:
    before = damage(items, ISSUE, OTHER_ITEM, text)
    edit(items, ITEM, **{STATE: "Closed"})
    assert (status(items), stored(items).waiting) == (UNRESOLVED, Side.SENTRY)
    items.now += A_TRY
    items.inbound()
    assert (status(items), stored(items).health.reason) == (UNRESOLVED, "waits-for-others")
    if unlinks:
        unlink(items.services, items.organization, ISSUE, OTHER_ITEM)
        rest(items)
    else:
        damage(items, ISSUE, OTHER_ITEM, before)
        edit(items, OTHER_ITEM, **{STATE: "Closed"})
    assert status(items) is RESOLVED


@pytest.mark.parametrize("text", UNREADABLE)
@pytest.mark.parametrize("archived", [True, False])
def test_a_work_item_waits_for_an_issue_whose_link_cannot_be_read(
    issues: Scene, text: str, archived: bool
) -> None:
    project = issues.row.project_id
    issues.configure(status_mapping={project: ProjectMapping("Closed", "Active", on_archive="Resolved")})
    damage(issues, OTHER_ISSUE, ITEM, text)
    (issues.sentry.archive if archived else issues.sentry.resolve)(ISSUE)
    issues.outbound()
    assert (state(issues), stored(issues).waiting) == ("New", Side.ADO)
    unlink(issues.services, issues.organization, OTHER_ISSUE, ITEM)
    rest(issues)
    assert state(issues) == ("Resolved" if archived else "Closed")


def test_an_issue_that_waited_is_settled_without_news_and_within_its_connection(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    partners(items).unlinked(ISSUE, OTHER_ITEM)
    assert waiting_about_issues(items) == [OutboundMessage(SLUG, ISSUE, epoch="e2", again=True)]
    assert waiting_about_items(items) == []


def test_a_work_item_that_waited_is_settled_without_news_and_within_its_connection(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    partners(issues).unlinked(OTHER_ISSUE, ITEM)
    assert waiting_about_items(issues) == [InboundMessage(SLUG, ITEM, 0, epoch="e2", again=True)]
    assert waiting_about_issues(issues) == []


@pytest.mark.parametrize("archives", [True, False])
def test_a_partner_that_is_done_in_the_usual_way_lets_an_end_be_done_and_not_archived(
    issues: Scene, archives: bool
) -> None:
    issues.sentry.resolve(OTHER_ISSUE)
    issues.outbound(OTHER_ISSUE)
    assert partners(issues).all_done(stored(issues), Side.ADO, archives=archives) is not archives


def test_a_message_that_is_lost_delays_it_until_it_falls_due(waiting: Scene) -> None:
    edit(waiting, 60, **REMOVED)
    waiting.now += A_TRY
    waiting.inbound()
    assert status(waiting) is RESOLVED


@pytest.mark.parametrize("first", [ITEM, OTHER_ITEM])
def test_of_two_that_become_done_at_once_whoever_records_last_writes(items: Scene, first: int) -> None:
    """Each worker looks at the other's row before that is recorded; one of them has to look again."""
    second = OTHER_ITEM if first == ITEM else ITEM
    closed = {each: items.ado.edit(each, **{STATE: "Closed"}) for each in (first, second)}
    links = items.services.links
    store = links.replace_with_ends
    outcomes: list[str] = []

    def slowly(row: StoredLink, changed: IssueLink, ends: list[StoredEnd]) -> object:
        links.replace_with_ends = store  # type: ignore[method-assign]
        outcomes.extend(hook(items, closed[second]))
        return store(row, changed, ends)

    links.replace_with_ends = slowly  # type: ignore[assignment,method-assign]
    outcomes.extend(hook(items, closed[first]))
    assert (status(items), sorted(outcomes)) == (RESOLVED, ["applied", "skipped"])


def test_a_partner_whose_state_nobody_knows_is_waited_for(items: Scene) -> None:
    moved = items.ado.edit(OTHER_ITEM, **{STATE: "Resolved"})
    items.ado.unlisted = frozenset({"Resolved"})
    items.now += 2 * 3600.0
    with pytest.raises(Undecidable):
        hook(items, moved)
    assert edit(items, ITEM, **{STATE: "Closed"}) == ["skipped"]
    items.ado.unlisted = frozenset()
    items.now += 60.0
    assert hook(items, moved) == ["applied"]
    assert status(items) is RESOLVED


def test_a_waiting_write_that_is_refused_is_made_later(issues: Scene) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    issues.ado.restrict("Fabrikam-Fiber", "Bug", {"New": ("Closed",), "Closed": ()})
    issues.now += 60.0
    unlinking = Refused("ado", "TF401320: a rule says no")
    issues.calls.meet("update_work_item", unlinking)
    unlink(issues.services, issues.organization, OTHER_ISSUE, ITEM)
    rest(issues)
    assert (state(issues), stored(issues).health.reason, stored(issues).waiting) == (
        "New",
        "refused",
        Side.ADO,
    )
    issues.now += A_TRY
    issues.inbound()
    assert (state(issues), stored(issues).waiting, stored(issues).health) == ("Closed", None, Health())


@pytest.mark.parametrize("lands", [True, False])
def test_a_worker_that_dies_in_a_waiting_write_leaves_it_waiting(issues: Scene, lands: bool) -> None:
    issues.sentry.resolve(ISSUE)
    issues.outbound()
    unlink(issues.services, issues.organization, OTHER_ISSUE, ITEM)
    issues.calls.meet("update_work_item", Died(), lands=lands)
    with pytest.raises(Died):
        issues.inbound()
    issues.now += CLAIMED_FOR
    issues.inbound()
    assert (state(issues), issues.ado.item(ITEM).rev) == ("Closed", 2)
    assert (stored(issues).waiting, stored(issues).health) == (None, Health())


def test_a_worker_that_dies_at_an_end_that_was_reopened_leaves_it_waiting(items: Scene) -> None:
    items.sentry.resolve(ISSUE)
    items.outbound()
    edit(items, ITEM, **{STATE: "Active"})
    unlink(items.services, items.organization, ISSUE, ITEM)
    items.calls.meet("set_status", Died())
    with pytest.raises(Died):
        items.outbound()
    assert stored(items, ISSUE, OTHER_ITEM).waiting is Side.SENTRY
    items.now += CLAIMED_FOR
    items.outbound()
    assert (status(items), stored(items, ISSUE, OTHER_ITEM).waiting) == (RESOLVED, None)


def test_whoever_reopens_what_waits_ends_its_waiting(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    edit(items, ITEM, **{STATE: "Active"})
    assert (stored(items).waiting, stored(items).health) == (None, Health())
    edit(items, OTHER_ITEM, **{STATE: "Closed"})
    assert status(items) is UNRESOLVED


def test_a_person_who_resolves_the_end_ends_all_waiting(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    items.sentry.resolve(ISSUE)
    items.outbound()
    assert (state(items, OTHER_ITEM), stored(items).waiting, stored(items).health) == (
        "Closed",
        None,
        Health(),
    )


def test_nothing_waits_where_its_direction_is_off(items: Scene) -> None:
    edit(items, ITEM, **{STATE: "Closed"})
    items.configure(sync_status_reverse=False)
    items.now += 1.0
    items.inbound()
    assert (stored(items).waiting, stored(items).health) == (None, Health())
    assert items.entries()[0].reason == "inbound-off"


# Links that come and go.


def test_copying_a_side_over_copies_what_we_wrote_there_as_well(items: Scene) -> None:
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.ado.add_item("Third", 33)
    link(items.services, items.organization, ISSUE, 33, "sentry")
    assert items.ado.item(33).assignee == Person(ANN)


def test_a_new_link_takes_no_persons_return_to_our_old_value_for_ours(items: Scene) -> None:
    """Nobody noticed that a person had changed it in between: the links of then are gone."""
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    for item in (ITEM, OTHER_ITEM):
        unlink(items.services, items.organization, ISSUE, item)
    items.sentry.assign(ISSUE, BOB)
    items.ado.add_item("Third", 33)
    link(items.services, items.organization, ISSUE, 33, None)
    assert record(items, Side.SENTRY, ISSUE).ours == ()
    items.sentry.assign(ISSUE, ANN)
    items.outbound()
    assert items.ado.item(33).assignee == Person(ANN)


def test_a_link_is_made_on_a_look_from_after_our_last_write(items: Scene) -> None:
    items.ado.add_item("Third", 33)
    real = items.watched_sentry.get_issue

    def written_after(issue_id: str) -> SentryIssue:
        issue = real(issue_id)
        items.watched_sentry.get_issue = real  # type: ignore[method-assign]
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
        return issue

    items.watched_sentry.get_issue = written_after  # type: ignore[method-assign]
    link(items.services, items.organization, ISSUE, 33, None)
    assert stored(items, ISSUE, 33).seen.issue.assignee == Person(ANN)
    items.outbound()
    assert items.ado.item(33).assignee is None


def test_a_link_that_is_made_while_its_end_is_written_knows_our_write(items: Scene) -> None:
    items.ado.add_item("Third", 33)

    def link_meanwhile() -> None:
        items.watched_sentry.then = lambda: None
        items.sentry.set_assignee(ISSUE, None)  # as if our write were still on its way
        link(items.services, items.organization, ISSUE, 33, None)
        items.sentry.set_assignee(ISSUE, Person(ANN))

    items.watched_sentry.then = link_meanwhile
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.outbound()
    assert items.ado.item(33).assignee is None


def merges_before_the_write(scene: Scene) -> None:
    """Have issue 100 merged into 200 between our look at it and our write, which Sentry makes to 200."""
    real = scene.watched_sentry.get_issue

    def merged_after(issue_id: str) -> object:
        issue = real(issue_id)
        if issue.issue_id != OTHER_ISSUE:
            scene.watched_sentry.get_issue = real  # type: ignore[method-assign]
            scene.sentry.merge(ISSUE, into=OTHER_ISSUE)
        return issue

    scene.watched_sentry.get_issue = merged_after  # type: ignore[assignment,method-assign]


@pytest.mark.parametrize("assigned", [False, True])
def test_what_was_written_to_a_merged_issue_is_no_edit_of_the_surviving_one(
    items: Scene, assigned: bool
) -> None:
    """We may have written to the surviving issue at the same moment."""
    items.ado.add_item("Third", 33)
    items.link(OTHER_ISSUE, 33)
    before = Person(BOB) if assigned else None
    if assigned:
        hook(items, items.ado.edit(33, **{ASSIGNED_TO: BOB}))
    merges_before_the_write(items)
    hook(items, items.ado.edit(ITEM, **{ASSIGNED_TO: ANN}))
    assert items.sentry.get_issue(OTHER_ISSUE).assignee == Person(ANN)
    items.outbound(OTHER_ISSUE)
    assert items.ado.item(33).assignee == before


def test_what_was_written_to_a_merged_issue_is_ours_for_the_same_workers_next_link(items: Scene) -> None:
    """It has read the surviving issue's row before, for an assignment by a person."""
    for each in (33, 34):
        items.ado.add_item("Third", each)
        items.link(OTHER_ISSUE, each)
    items.sentry.assign(OTHER_ISSUE, BOB)
    items.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    settler, unit = items.services.settler(items.organization), items.services.new_unit_of_work()
    unit.doubted.add(ITEM)
    settler.settle(items.stored(OTHER_ISSUE, 33), unit)
    merges_before_the_write(items)
    settler.settle(items.stored(), unit)
    settler.settle(items.stored(OTHER_ISSUE, 34), unit)
    assert items.sentry.get_issue(OTHER_ISSUE).assignee == Person(ANN)
    assert items.ado.item(34).assignee is None


def test_the_answer_to_a_write_tells_of_a_merge_for_the_other_links_of_the_issue(items: Scene) -> None:
    items.sentry.add_issue(issue_id=OTHER_ISSUE)
    items.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    merges_before_the_write(items)
    settler, unit = items.services.settler(items.organization), items.services.new_unit_of_work()
    unit.doubted.add(ITEM)
    for each in (ITEM, OTHER_ITEM):
        settler.settle(items.stored(ISSUE, each), unit)
    assert OTHER_ISSUE in items.issue_ids
    assert stored(items, OTHER_ISSUE, OTHER_ITEM).seen.issue.assignee == Person(ANN)


@pytest.mark.parametrize("pair", [False, True])
def test_what_a_dead_worker_announced_for_a_merged_issue_is_no_edit_of_the_surviving_one(
    items: Scene, pair: bool
) -> None:
    """The surviving issue has a link to another work item, or to the very same."""
    items.ado.add_item("Third", 33)
    items.link(OTHER_ISSUE, 33)
    if pair:
        items.link(OTHER_ISSUE, ITEM)
    items.calls.meet("set_assignee", Died(), lands=False)
    with pytest.raises(Died):
        edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.sentry.merge(ISSUE, into=OTHER_ISSUE)
    items.sentry.set_assignee(OTHER_ISSUE, Person(ANN))  # The write lands late, on the survivor.
    items.now += CLAIMED_FOR
    items.outbound()
    items.outbound(OTHER_ISSUE)
    assert items.ado.item(33).assignee is None


def test_what_a_dead_worker_announced_for_a_work_item_says_nothing_of_a_surviving_issue(
    items: Scene,
) -> None:
    """Another dead worker had announced a write to the surviving issue, which may still show."""
    items.sentry.add_issue(issue_id=OTHER_ISSUE)
    items.sentry.assign(ISSUE, BOB)
    items.calls.meet("update_work_item", Died(), lands=False)
    with pytest.raises(Died):
        items.outbound()
    claimed(items, End(Side.SENTRY, OTHER_ISSUE), items.now)
    before = record(items, Side.SENTRY, OTHER_ISSUE)
    items.sentry.merge(ISSUE, into=OTHER_ISSUE)
    items.now += CLAIMED_FOR
    items.outbound()
    assert OTHER_ISSUE in items.issue_ids
    assert record(items, Side.SENTRY, OTHER_ISSUE) == before


# What it costs.


def test_what_we_write_through_one_link_costs_the_others_no_call_to_azure_devops(items: Scene) -> None:
    edit(items, ITEM, **{ASSIGNED_TO: ANN})
    items.calls.made.clear()
    items.outbound()
    assert items.calls.made == ["get_issue"]


def reads_of_ends(scene: Scene) -> list[str]:
    """Return what fills with the keys of the rows of ends, as they are read."""
    table, reads = scene.services._table("links"), []
    real = table.get

    def get(partition: str, key: str) -> object:
        if key.startswith("end!"):
            reads.append(key)
        return real(partition, key)

    table.get = get  # type: ignore[assignment,method-assign]
    return reads


def test_a_message_about_many_links_reads_their_shared_end_once(items: Scene) -> None:
    reads = reads_of_ends(items)
    items.sentry.resolve(ISSUE)
    items.outbound()
    assert sorted(reads) == ["end!issue!100", "end!item!0000000000000031", "end!item!0000000000000032"]


def test_what_a_dead_worker_announced_costs_no_second_look_at_a_surviving_issue(items: Scene) -> None:
    """The first link reads its row, and the second one once more after it has moved."""
    items.sentry.add_issue(issue_id=OTHER_ISSUE)
    items.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        edit(items, OTHER_ITEM, **{ASSIGNED_TO: ANN})
    items.sentry.merge(ISSUE, into=OTHER_ISSUE)
    items.sentry.assign(OTHER_ISSUE, BOB)
    items.now += CLAIMED_FOR
    reads = reads_of_ends(items)
    items.outbound()
    assert reads.count("end!issue!200") == 2
    assert items.issue_ids == [OTHER_ISSUE, OTHER_ISSUE]


def test_a_regression_is_told_within_its_connection(items: Scene) -> None:
    services = items.services
    partners(items).tell_of_regression(items.stored().link, "7")
    assert services.outbound.moments() == [items.now + 2.0]
    items.now += 2.0
    received = services.outbound.receive()
    assert received is not None
    assert decode_outbound(received.body) == OutboundMessage(
        SLUG, ISSUE, epoch="e2", only=(str(ITEM),), regression="7"
    )
