"""Observing a link: what an observation takes over, and what becomes of a claim left behind."""

from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unavailable,
    Upstream,
)
from shared.domain.model import (
    ASSIGNEE,
    FIELDS,
    NOT_SEEN,
    STATUS,
    Claim,
    End,
    EndRecord,
    Ends,
    Health,
    HealthWord,
    Intent,
    IssueLink,
    IssueStatus,
    Person,
    Side,
    WorkItem,
)
from shared.domain.rules.landing import as_if_edited, with_field, with_intent
from shared.settling.observing import Observation, UnitOfWork, is_newer, named_as, shown_title, verify_free
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, ISSUE, ITEM, SLUG, START, STATE, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
CLOSE = Intent(Side.ADO, STATUS, state="Closed", status=IssueStatus.RESOLVED)
ASSIGN = Intent(Side.SENTRY, ASSIGNEE, assignee=Person(ANN))


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_snapshot_without_a_title_or_an_area_leaves_those_that_are_known(scene: Scene) -> None:
    row, unit = scene.row, UnitOfWork("t")
    assert row.title == "Fix login"
    unit.items[ITEM] = WorkItem(
        id=ITEM, rev=row.seen.item.rev + 1, project_id="p-2", work_item_type="Task", state="New"
    )
    observer = scene.services.settler(scene.organization).observer
    now = observer.observe(row, unit).link
    assert (now.title, now.area_path) == (row.title, row.area_path)
    assert (now.project_id, now.work_item_type) == ("p-2", "Task")


@pytest.mark.parametrize(
    ("landed", "token", "repeats"),
    [
        ((), "dead", True),
        ((CLOSE,), "dead", True),  # half of it
        ((ASSIGN,), "dead", True),
        ((CLOSE, ASSIGN), "dead", False),
        ((CLOSE,), "own", False),  # our own, which we know the disposition of
    ],
)
def test_a_claim_left_behind_is_repeated_unless_all_of_it_shows(
    scene: Scene, landed: tuple[Intent, ...], token: str, repeats: bool
) -> None:
    row = scene.row
    after = with_intent(with_intent(row.seen, CLOSE), ASSIGN)
    claim = Claim(token, scene.now - 1, row.seen.item.rev, (CLOSE, ASSIGN), after)
    if CLOSE in landed:
        scene.ado.edit(ITEM, **{STATE: "Closed"})
    if ASSIGN in landed:
        scene.sentry.set_assignee(ISSUE, Person(ANN))
    observer = scene.services.settler(scene.organization).observer
    observation = observer.observe(replace(row, claim=claim), UnitOfWork("own"))
    assert observation.repeats is repeats
    assert (observation.seen.item.state == "Closed") is (CLOSE in landed)
    assert (observation.seen.issue.assignee == Person(ANN)) is (ASSIGN in landed)


def test_an_assignment_that_a_dead_worker_made_has_landed_under_sentrys_name_for_the_person(
    scene: Scene,
) -> None:
    home = Person("ann@home.example")
    scene.sentry.add_member(home.email, other_emails=(ANN,))
    row = scene.row
    claim = Claim("dead", scene.now - 1, row.seen.item.rev, (ASSIGN,), with_intent(row.seen, ASSIGN))
    scene.sentry.set_assignee(ISSUE, Person(ANN))
    observer = scene.services.settler(scene.organization).observer
    observation = observer.observe(replace(row, claim=claim), UnitOfWork("own"))
    assert (observation.seen.issue.assignee, observation.repeats) == (home, False)


@pytest.mark.parametrize(
    ("health", "rev", "newer"),
    [
        (Health(), 6, False),
        (Health(), 7, False),
        (Health(), 8, True),
        (Health(HealthWord.PENDING, "unavailable", rev=9), 8, False),  # it came after a later one that failed
        (Health(HealthWord.PENDING, "unavailable", rev=9), 9, True),
        (Health(HealthWord.ATTENTION, "work-item-gone"), 8, False),  # it came after the loss
    ],
)
def test_what_comes_along_is_believed_if_nothing_later_is_known(
    scene: Scene, health: Health, rev: int, newer: bool
) -> None:
    seen = replace(scene.row.seen, item=replace(scene.row.seen.item, rev=7))
    item = replace(scene.ado.item(ITEM), rev=rev)
    assert is_newer(item, replace(scene.row, seen=seen, health=health)) is newer


@pytest.mark.parametrize(("forgets", "rev"), [(True, 2), (False, 1)])
def test_what_was_forgotten_is_asked_for_anew(scene: Scene, forgets: bool, rev: int) -> None:
    """Another worker has settled the link at rev 2, between our look at rev 1 and our reading of its row."""
    early = scene.ado.item(ITEM)
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    unit = UnitOfWork("t", doubted={ITEM})
    unit.item_answered(early, scene.now)
    if forgets:
        unit.forget_answers()
    observer = scene.services.settler(scene.organization).observer
    assert observer.observe(scene.row, unit).now.item.rev == rev


def linked_and_not_copied(scene: Scene) -> None:
    """Leave the link as a worker does that linked the two when both were somebody's, and died then."""
    stored = scene.stored()
    seen, rev = stored.link.seen, scene.ado.item(ITEM).rev
    made_up = Ends(replace(seen.issue, assignee=NOT_SEEN), replace(seen.item, rev=rev, assignee=NOT_SEEN))
    scene.services.links.replace(stored, replace(stored.link, seen=made_up))


def test_what_nobody_has_seen_yet_is_read_before_it_is_carried_over(scene: Scene) -> None:
    """Another link took the assignee from the issue meanwhile, and nothing tells of the item's."""
    scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
    linked_and_not_copied(scene)
    assert scene.outbound() == ["conflict-resolved"]
    assert scene.calls.made[:2] == ["get_issue", "get_work_item"]
    assert scene.ado.item(ITEM).assignee == scene.sentry.get_issue(ISSUE).assignee == Person(BOB)


def test_a_revision_at_which_two_were_linked_is_no_echo_until_it_is_carried_over(scene: Scene) -> None:
    item = scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
    linked_and_not_copied(scene)
    assert scene.inbound(item) == ["conflict-resolved"]
    assert scene.inbound(item) == ["echo"]


@pytest.mark.parametrize(
    ("answer", "lost_turn"),
    [
        (Unavailable("sentry", "HTTP 503"), True),
        (Throttled("sentry", "no answer a moment ago", retry_after=30.0, silent=True).unasked(), False),
    ],
    ids=["somebody was asked", "nobody was"],
)
def test_who_loses_a_turn_to_another_link_is_told_so(answer: Upstream, *, lost_turn: bool) -> None:
    unit = UnitOfWork("t")
    unit.note_silence(answer)
    with pytest.raises(type(answer)) as raised:
        unit.verify_heard("sentry")
    assert (raised.value.asked, raised.value.lost_turn) == (False, lost_turn)


# What is asked for, and of whom.


def observe(scene: Scene, unit: UnitOfWork, row: IssueLink | None = None) -> Observation:
    return scene.services.settler(scene.organization).observer.observe(row or scene.row, unit)


def test_the_latest_revision_is_that_of_the_item_or_of_a_message_about_it(scene: Scene) -> None:
    item = replace(scene.ado.item(ITEM), rev=7)
    unit = UnitOfWork("t", items={1: item, 2: item}, revs={1: 5, 2: 9, 3: 9})
    assert [unit.rev_of(each) for each in (1, 2, 3, 4)] == [7, 9, 9, 0]


def test_a_failure_of_our_own_storage_silences_no_service() -> None:
    unit, error = UnitOfWork("t"), Unavailable("storage", "HTTP 503")
    unit.note_silence(error)
    assert not unit.speaks_for(error)


@pytest.mark.parametrize(("service", "call"), [("ado", "get_work_item"), ("sentry", "get_issue")])
def test_a_service_that_was_silent_is_not_asked_for_its_end(scene: Scene, service: str, call: str) -> None:
    unit = UnitOfWork("t", doubted={ITEM})
    unit.note_silence(Unavailable(service, "HTTP 503"))
    with pytest.raises(Unavailable):
        observe(scene, unit)
    assert call not in scene.calls.made


def test_an_azure_devops_that_was_silent_is_not_asked_for_its_states(scene: Scene) -> None:
    scene.now += 2 * 3600.0
    unit = UnitOfWork("t", items={ITEM: scene.ado.edit(ITEM, **{STATE: "Closed"})})
    unit.note_silence(Unavailable("ado", "HTTP 503"))
    assert isinstance(observe(scene, unit).problem, Unavailable)
    assert scene.calls.made == ["get_issue"]


def test_a_known_state_that_meets_a_change_of_the_issue_costs_no_look_at_the_process(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    observe(scene, UnitOfWork("t", items={ITEM: scene.ado.edit(ITEM, **{STATE: "Active"})}))
    assert scene.calls.made == ["get_issue"]


def test_a_process_that_was_read_again_is_known_from_then_on(scene: Scene) -> None:
    moved = scene.ado.edit(ITEM, **{STATE: "Resolved"})
    scene.sentry.resolve(ISSUE)
    scene.ado.unlisted = frozenset({"Resolved"})
    scene.now += 2 * 3600.0
    scene.services.processes.types(scene.ado, SLUG, moved.project_id)
    scene.ado.unlisted = frozenset()
    for _ in range(2):
        assert observe(scene, UnitOfWork("t", items={ITEM: moved})).problem is None
    assert scene.calls.made.count("get_work_item_types") == 1


# What is taken over from a snapshot, and from the issue.


def test_a_snapshot_from_before_what_was_seen_changes_nothing(scene: Scene) -> None:
    early = scene.ado.item(ITEM)
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    assert observe(scene, UnitOfWork("t", items={ITEM: early})).now.item == scene.row.seen.item


def test_a_snapshot_of_what_was_seen_still_tells_what_an_older_version_did_not_keep(scene: Scene) -> None:
    item, row = scene.ado.item(ITEM), replace(scene.row, title="")
    assert item.rev == row.seen.item.rev
    assert observe(scene, UnitOfWork("t", items={ITEM: item}), row).link.title == "Fix login"


def test_where_no_reason_archives_none_is_taken_over(scene: Scene) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed", "System.Reason": "Duplicate"})
    assert closed.reasons
    assert observe(scene, UnitOfWork("t", items={ITEM: closed})).now.item.reasons is None


def test_a_link_goes_by_the_names_of_its_issue_and_keeps_those_that_are_not_told(scene: Scene) -> None:
    issue = replace(scene.sentry.get_issue(ISSUE), short_id="FE-7", title="Crash")
    named = named_as(scene.row, issue)
    assert (named.short_id, named.issue_title) == ("FE-7", "Crash")
    assert named_as(named, replace(issue, short_id="", title="")) == named


@pytest.mark.parametrize(
    ("title", "shown"), [("x" * 200, "x" * 200), ("x" * 201, "x" * 199 + "…"), ("x" * 500, "x" * 199 + "…")]
)
def test_of_a_title_200_characters_are_shown(title: str, shown: str) -> None:
    assert shown_title(title) == shown


# The rows of the ends.


def note(scene: Scene, end: End, **changes: Any) -> None:
    """Have the row of an end say something else."""
    stored, held = scene.stored(), scene.services.links.end(SLUG, end)
    changed = replace(held, record=replace(held.record, **changes))
    scene.services.links.replace_with_ends(stored, stored.link, [changed])


@pytest.mark.parametrize("side", Side)
def test_the_row_of_an_end_is_read_after_the_end_itself(scene: Scene, side: Side) -> None:
    observer, unit = scene.services.settler(scene.organization).observer, UnitOfWork("t", doubted={ITEM})
    end = scene.row.end(side)
    observer.end(end, unit)
    note(scene, end, at=scene.now)
    observe(scene, unit)
    assert observer.end(end, unit).record.at == scene.now


@pytest.mark.parametrize(
    "answer",
    [None, Forbidden("sentry", "403", about="the members"), NotFound("404"), Refused("sentry", "400")],
)
def test_whom_sentry_does_not_tell_of_has_no_other_name(scene: Scene, answer: SyncError | None) -> None:
    """Without an answer nobody holds the address, or several do."""
    observer, unit, end = (
        scene.services.settler(scene.organization).observer,
        UnitOfWork("t"),
        scene.row.end(Side.SENTRY),
    )
    unknown = replace(ASSIGN, assignee=Person("nobody@corp.example"), in_doubt=True)
    note(scene, end, ours=(unknown,))
    scene.sentry.assign(ISSUE, BOB)
    observer.issue(ISSUE, unit)
    if answer is not None:
        scene.calls.meet("primary_of", answer)
    assert observer.end(end, unit).record.ours == (unknown,)
    assert "primary_of" in scene.calls.made


def test_a_row_that_names_nobody_keeps_nobody_away() -> None:
    verify_free(EndRecord(until=START + 1.0), UnitOfWork("t"), START)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("side", Side)
def test_what_is_still_to_be_carried_over_is_nobodys_edit(scene: Scene, side: Side, field: str) -> None:
    row = scene.row
    row = replace(row, seen=with_field(row.seen, field, as_if_edited(row.seen, side)))
    observation = observe(scene, UnitOfWork("t"), row)
    assert (observation.siblings, observation.edited, observation.ends) == (frozenset(), frozenset(), {})


@pytest.mark.parametrize(
    ("before", "after", "issue_is_done", "reopened"),
    [
        ("Closed", "Active", True, Side.ADO),
        ("New", "Active", False, None),  # nothing was done
        ("New", "Closed", True, None),  # nothing was opened
    ],
)
def test_a_state_that_we_wrote_for_another_link_reopens_what_was_done(
    scene: Scene, before: str, after: str, issue_is_done: bool, reopened: Side | None
) -> None:
    counts_as = {"New": UNRESOLVED, "Active": UNRESOLVED, "Closed": RESOLVED}
    if issue_is_done:
        scene.sentry.resolve(ISSUE)
    row = scene.row
    item = replace(row.seen.item, state=before, status=counts_as[before])
    seen = Ends(scene.sentry.get_issue(ISSUE).side, item)
    ours = Intent(Side.ADO, STATUS, state=after, status=counts_as[after])
    note(scene, row.end(Side.ADO), ours=(ours,))
    scene.ado.edit(ITEM, **{STATE: after})
    observation = observe(scene, UnitOfWork("t", doubted={ITEM}), replace(row, seen=seen))
    assert (set(observation.siblings), observation.reopened) == ({(Side.ADO, STATUS)}, reopened)
    # A status may have to be written on account of it.
    assert observation.types


# Removed.


def removed(scene: Scene, status: IssueStatus) -> IssueLink:
    """Return the link as it was while its work item was in a state of the category Removed."""
    row = scene.row
    item = replace(row.seen.item, state="Removed", status=status, removed=True)
    return replace(row, seen=replace(row.seen, item=item))


def test_an_item_that_a_dead_worker_took_back_is_removed_no_more(scene: Scene) -> None:
    row = removed(scene, RESOLVED)
    back = Intent(Side.ADO, STATUS, state="Active", status=UNRESOLVED)
    claim = Claim("dead", scene.now - 1, row.seen.item.rev, (back,), with_intent(row.seen, back))
    scene.ado.edit(ITEM, **{STATE: "Active"})
    assert not observe(scene, UnitOfWork("t"), replace(row, claim=claim)).now.item.removed


def test_an_item_that_comes_back_to_a_state_nobody_can_look_up_is_not_taken_for_removed(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    scene.now += 2 * 3600.0
    scene.calls.meet("get_work_item_types", Unavailable("ado", "HTTP 503"))
    observation = observe(scene, UnitOfWork("t"), removed(scene, UNRESOLVED))
    assert isinstance(observation.problem, Unavailable)
    assert (observation.now.item.status, observation.now.item.removed) == (None, False)
