"""Settling on the doubles: what it writes, what it costs, what it records, and what it survives."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from msgspec.structs import replace

from shared.domain.errors import (
    Busy,
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
)
from shared.domain.messages import InboundMessage
from shared.domain.model import (
    STATUS,
    Claim,
    Health,
    HealthWord,
    Intent,
    IssueLink,
    IssueStatus,
    Person,
    Side,
    WorkItem,
)
from shared.flows.copying import copy_one
from shared.settling.observing import UnitOfWork
from shared.store.idempotency import rule_of
from shared.store.links import StoredEnd, StoredLink
from tests.doubles.ado import Revision
from tests.unit.overtaken import Overtaken, scene_on
from tests.unit.rounds import waiting_about_issues
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, CAROL, ISSUE, ITEM, SLUG, STATE, Died, Scene
from tests.unit.workers import Workers

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
CLAIMED_FOR = 60.0
PROJECT = "Fabrikam-Fiber"
A_TRY = 300.0  # seconds until something is tried again for the first time


@pytest.fixture
def scene() -> Scene:
    return Scene()


# What a change costs and leaves behind.


def test_a_resolved_issue_costs_one_read_and_one_write(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.calls.made == ["get_issue", "update_work_item"]
    assert (scene.state, scene.outcomes(), scene.health) == ("Closed", ["applied"], Health())


def test_status_and_assignee_reach_azure_devops_in_one_write(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    assert scene.outbound() == ["applied"]
    assert scene.calls.made == ["get_issue", "addresses_of", "update_work_item"]
    assert scene.ado.item(ITEM).assignee == Person(BOB)
    assert scene.outcomes() == ["applied", "applied"]


def test_a_closed_work_item_costs_no_call_to_azure_devops(scene: Scene) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: ANN})
    assert scene.inbound(closed) == ["applied"]
    assert scene.calls.made == ["get_issue", "set_status", "set_assignee"]
    assert scene.status is RESOLVED
    assert scene.sentry.get_issue(ISSUE).assignee == Person(ANN)


def test_without_a_snapshot_the_work_item_is_asked_for(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert scene.inbound() == ["applied"]
    assert scene.calls.made == ["get_issue", "get_work_item", "set_status"]


def test_what_did_not_change_is_neither_written_nor_recorded_nor_stored_again(scene: Scene) -> None:
    before = scene.stored()
    assert scene.outbound() == ["settled"]
    assert scene.calls.made == ["get_issue"]
    assert (scene.outcomes(), scene.stored()) == ([], before)


@pytest.mark.parametrize("issue_sync", [True, False])
def test_an_edit_of_no_concern_only_moves_the_revision_on(scene: Scene, issue_sync: bool) -> None:
    scene.configure(issue_sync=issue_sync)
    retitled = scene.ado.edit(ITEM, **{"System.Title": "Fix the login"})
    assert scene.inbound(retitled) == ["settled"]
    assert (scene.row.seen.item.rev, scene.row.title, scene.outcomes()) == (2, "Fix the login", [])


def test_a_direction_that_is_off_is_recorded_once(scene: Scene) -> None:
    scene.configure(sync_status_forward=False)
    scene.sentry.resolve(ISSUE)
    assert [scene.outbound(), scene.outbound()] == [["skipped"], ["settled"]]
    [entry] = scene.entries()
    assert (entry.outcome, entry.reason, scene.state) == ("skipped", "outbound-off", "New")


def test_reopening_goes_back_to_the_state_before(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.sentry.unresolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.state == "Active"


def test_an_item_in_another_project_takes_its_link_along(scene: Scene) -> None:
    moved = scene.ado.move(ITEM, "CMMI Works")
    assert scene.inbound(moved) == ["settled"]
    assert scene.row.project_id == scene.ado.catalog.project("CMMI Works").id
    assert scene.row.display_name == "CMMI Works#31"


def test_a_state_of_a_project_without_any_types_is_not_guessed_at(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scene.ado, "get_work_item_types", lambda _project_id: {})
    scene.now += 2 * 3600.0  # What was known of them is forgotten.
    with pytest.raises(Undecidable):
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert (scene.health.word, scene.row.seen.item.state) == (HealthWord.ATTENTION, "New")


def test_a_server_that_was_restored_from_a_backup_is_followed_from_there(scene: Scene) -> None:
    ends = scene.row.seen
    ahead = replace(scene.row, seen=replace(ends, item=replace(ends.item, rev=1000)))
    scene.services.links.replace(scene.stored(), ahead)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.row.seen.item.rev) == ("Closed", 2)
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["applied"]
    assert scene.status is UNRESOLVED


def restored(scene: Scene, state: str) -> WorkItem:
    """Have Azure DevOps restored from a backup: the work item goes back by some revisions."""
    revisions = scene.ado._entries[ITEM].revisions
    revisions[:] = [Revision(replace(revisions[-1].item, rev=3, state=state), ANN)]
    return revisions[-1].item


@pytest.mark.parametrize("others", [1, 4])
def test_every_link_of_a_restored_work_item_follows_it(scene: Scene, others: int) -> None:
    issues = [ISSUE, *(str(200 + number) for number in range(others))]
    for issue_id in issues[1:]:
        scene.link(issue_id, ITEM)
    for title in "abcde":
        scene.inbound(scene.ado.edit(ITEM, **{"System.Title": title}))
    restored(scene, "Closed")
    scene.calls.made.clear()
    assert scene.inbound() == ["applied"] * len(issues)
    assert scene.calls.made.count("get_work_item") == 1
    assert {scene.sentry.get_issue(each).status for each in issues} == {RESOLVED}
    assert scene.inbound() == ["settled"] * len(issues)


def test_a_snapshot_from_before_the_backup_was_restored_is_still_late(scene: Scene) -> None:
    for title in "abcde":
        scene.inbound(scene.ado.edit(ITEM, **{"System.Title": title}))
    assert scene.inbound(restored(scene, "Closed")) == ["echo"]
    assert scene.status is UNRESOLVED


def test_a_link_says_when_both_its_ends_were_last_at_rest_after_a_change(scene: Scene) -> None:
    scene.now += 7.0
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert scene.row.synced_at == scene.now
    scene.now += 7.0
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL})) == ["refused"]
    assert scene.row.synced_at == scene.now - 7.0


def test_all_that_is_told_of_a_settling_says_who_noticed_the_change(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, BOB)
    scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN, STATE: "Closed"})
    unit = UnitOfWork("t", doubted={ITEM}, told_by="hook")
    scene.services.settler(scene.organization).settle(scene.stored(), unit)
    told = [("conflict-resolved", "assignee", "hook"), ("applied", "status", "hook")]
    assert [(each.outcome, each.field, each.told_by) for each in unit.told] == told
    assert {each.told_by for each in scene.entries()} == {"hook"}


def test_a_copy_is_told_without_what_agreed_already(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, BOB)
    assert copy_one(scene.services, scene.organization, ISSUE, ITEM, Side.SENTRY) == "applied"
    assert [(each.outcome, each.field) for each in scene.entries()] == [("applied", "assignee")]


# Echoes.


def test_our_own_write_comes_back_as_an_echo_that_costs_nothing(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.calls.made.clear()
    before = scene.stored()
    assert scene.inbound(scene.ado.item(ITEM)) == ["echo"]
    assert (scene.calls.made, scene.stored()) == ([], before)


def test_our_own_write_to_sentry_comes_back_as_settled(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    scene.calls.made.clear()
    assert scene.outbound() == ["settled"]
    assert scene.calls.made == ["get_issue"]


def test_a_late_snapshot_is_dropped(scene: Scene) -> None:
    early = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    scene.calls.made.clear()
    assert scene.inbound(early) == ["echo"]
    assert (scene.calls.made, scene.status) == ([], UNRESOLVED)


def test_a_rule_of_the_process_that_answers_our_write_is_news(scene: Scene) -> None:
    def assign(item: WorkItem) -> None:
        if item.state == "Closed":
            scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})

    scene.watched_ado.rule = assign
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.row.seen.item.rev == 1
    assert scene.inbound(scene.ado.item(ITEM)) == ["applied"]
    assert scene.sentry.get_issue(ISSUE).assignee == Person(BOB)
    assert scene.row.seen.item.rev == 3


# Lost races.


def test_a_work_item_edited_meanwhile_costs_a_second_decision(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{"System.Title": "Fix the login"})
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert scene.calls.made == [
        "get_issue",
        "update_work_item",
        "get_issue",
        "get_work_item",
        "update_work_item",
    ]
    assert (scene.state, scene.outcomes()) == ("Closed", ["applied"])


def test_a_work_item_closed_meanwhile_by_hand_is_left_as_it_is(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Resolved"})
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["agreed"]
    assert (scene.state, scene.ado.item(ITEM).rev) == ("Resolved", 2)


def test_five_lost_races_are_enough_for_one_unit_of_work(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        scene.outbound()
    assert scene.calls.made.count("update_work_item") == 5
    assert (scene.health.word, scene.health.due) == (HealthWord.PENDING, scene.now + A_TRY)
    assert scene.health.detail == "lost 5 races in a row"
    scene.now += CLAIMED_FOR  # No other worker waits for the claim of the one that gave up.
    assert scene.outbound() == ["applied"]


def test_a_worker_that_gives_up_releases_its_claim(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", *[Conflict("412")] * 5)
    with pytest.raises(Conflict):
        scene.outbound()
    assert scene.outbound() == ["applied"]


# Claims.


def claimed(scene: Scene, until: float) -> None:
    """Have another worker announce that it resolves the issue, as long as ``until``."""
    stored = scene.stored()
    intents = (Intent(Side.SENTRY, STATUS, status=RESOLVED),)
    claim = Claim("other", until, 1, intents, stored.link.seen)
    scene.services.links.replace(stored, replace(stored.link, claim=claim))


def test_a_link_that_another_worker_writes_for_is_left_alone(scene: Scene) -> None:
    claimed(scene, scene.now + 1)
    before = scene.stored()
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Busy) as caught:
        scene.outbound()
    assert (caught.value.told, caught.value.retry_after) == ("another worker is writing here", 2.0)
    assert (scene.calls.made, scene.stored(), scene.outcomes()) == ([], before, [])


def test_an_expired_claim_keeps_no_worker_away(scene: Scene) -> None:
    claimed(scene, scene.now)
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert (scene.state, scene.row.claim) == ("Closed", None)


@pytest.mark.parametrize("ahead", [2 * CLAIMED_FOR + 1, 30 * 86_400.0, 1e11])
def test_a_claim_that_nobody_can_have_made_keeps_no_worker_away(scene: Scene, ahead: float) -> None:
    claimed(scene, scene.now + ahead)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.services.inbound.put(InboundMessage(SLUG, ITEM, item.rev, snapshot=item))
    workers = Workers(scene)
    workers.live(900.0)
    assert (scene.status, scene.row.claim, workers.handled) == (RESOLVED, None, 1)


@pytest.mark.parametrize("ahead", [1.0, 2 * CLAIMED_FOR])
def test_a_claim_by_a_clock_that_is_a_little_ahead_is_waited_for(scene: Scene, ahead: float) -> None:
    claimed(scene, scene.now + ahead)
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Busy):
        scene.outbound()


def test_a_claim_holds_longer_than_the_calls_that_it_covers_may_take(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Died())
    with pytest.raises(Died):
        scene.outbound()
    assert scene.row.claim is not None
    assert scene.row.claim.until == scene.now + CLAIMED_FOR
    scene.now += CLAIMED_FOR - 1
    with pytest.raises(Busy):
        scene.outbound()


@pytest.mark.parametrize("lands", [True, False])
def test_a_dead_workers_write_is_found_or_made_but_never_made_twice(scene: Scene, lands: bool) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Died(), lands=lands)
    with pytest.raises(Died):
        scene.outbound()
    scene.now += CLAIMED_FOR
    scene.calls.made.clear()
    scene.outbound()
    assert scene.calls.made == ["get_issue", "get_work_item"] + ["update_work_item"] * (not lands)
    assert (scene.state, scene.ado.item(ITEM).rev, scene.row.claim) == ("Closed", 2, None)
    told = [entry.reason for entry in scene.entries() if entry.outcome == "repeated"]
    assert told == ["a-worker-stopped-before-its-write-showed"] * (not lands)
    # What happens next is a change, and not taken for the dead worker's.
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"})) == ["applied"]
    assert scene.status is UNRESOLVED


def test_what_a_dead_worker_wrote_is_no_edit_though_the_next_one_dies_as_well(scene: Scene) -> None:
    """Each dies at the assignment; the state was written by the first one."""
    scene.sentry.resolve(ISSUE)
    scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    scene.calls.meet("set_assignee", Died(), Died())
    for _ in range(2):
        with pytest.raises(Died):
            scene.inbound()
        scene.now += CLAIMED_FOR
    scene.sentry.unresolve(ISSUE)
    scene.inbound()
    assert (scene.state, scene.status) == ("New", UNRESOLVED)
    assert scene.sentry.get_issue(ISSUE).assignee == Person(ANN)


def test_a_conflict_is_on_record_with_both_values_before_anything_is_overwritten(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, BOB)
    assigned = scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    scene.calls.meet("set_assignee", Died())
    with pytest.raises(Died):
        scene.inbound(assigned)
    [entry] = scene.entries()
    assert (entry.outcome, entry.field, entry.before, entry.after) == (
        "conflict-resolved",
        "assignee",
        BOB,
        ANN,
    )
    assert scene.sentry.get_issue(ISSUE).assignee == Person(BOB)


@pytest.mark.parametrize(("winner", "person"), [(Side.ADO, ANN), (Side.SENTRY, BOB)])
def test_a_conflict_ends_as_the_organization_wants_it(scene: Scene, winner: Side, person: str) -> None:
    scene.configure(on_conflict=winner)
    scene.sentry.assign(ISSUE, BOB)
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})) == ["conflict-resolved"]
    assert scene.sentry.get_issue(ISSUE).assignee == scene.ado.item(ITEM).assignee == Person(person)
    assert scene.outcomes() == ["conflict-resolved"]


def test_an_archived_issue_stays_archived(scene: Scene) -> None:
    scene.sentry.archive(ISSUE)
    assert scene.outbound() == ["skipped"]
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["skipped"]
    assert (scene.status, scene.state) == (IGNORED, "Closed")
    assert [entry.reason for entry in scene.entries()] == ["archived", "archived"]


def after_a_pause(scene: Scene, seconds: float, happens: Callable[[], object]) -> Callable[[], None]:
    """Return what stands still once before a call, and lets something happen meanwhile."""
    pauses = [seconds]

    def slow() -> None:
        if pauses:
            scene.now += pauses.pop()
            happens()

    return slow


@pytest.mark.parametrize(("seconds", "written"), [(29.0, True), (31.0, False), (300.0, False)])
def test_no_write_is_begun_once_the_claim_leaves_no_time_for_it(
    scene: Scene, seconds: float, written: bool
) -> None:
    """The worker stands still between its two writes, while a person archives the issue."""
    scene.sentry.assign(ISSUE, ANN)
    scene.outbound()
    scene.configure(on_conflict=Side.SENTRY)
    scene.sentry.assign(ISSUE, BOB)  # which goes to Azure DevOps, and the state to Sentry
    closed = scene.ado.edit(ITEM, **{STATE: "Closed"})
    pause = after_a_pause(scene, seconds, lambda: scene.sentry.archive(ISSUE))
    scene.watched_ado.rule = lambda _item: pause()
    assert scene.inbound(closed) == ["skipped" if not written else "applied"]
    assert scene.status is (RESOLVED if written else IGNORED)
    assert scene.ado.item(ITEM).assignee == Person(BOB)
    assert (scene.row.claim, scene.health) == (None, Health())


def test_a_worker_that_stood_still_before_its_only_write_looks_again(scene: Scene) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed"})
    pause = after_a_pause(scene, 300.0, lambda: scene.sentry.archive(ISSUE))
    stores = scene.services.links.replace_with_ends

    def slowly(
        stored: StoredLink, link: IssueLink, ends: Sequence[StoredEnd]
    ) -> tuple[StoredLink, tuple[StoredEnd, ...]]:
        kept = stores(stored, link, ends)
        pause()
        return kept

    scene.services.links.replace_with_ends = slowly  # type: ignore[method-assign]
    scene.inbound(closed)
    assert (scene.status, scene.row.claim) == (IGNORED, None)
    assert [entry.reason for entry in scene.entries()] == ["archived"]


# Answers.


def test_a_status_that_sentry_did_not_take_is_refused_and_nothing_travels_back(scene: Scene) -> None:
    """Sentry shows an old issue as resolved before it is, and then takes no other status, yet answers 200."""
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    scene.watched_sentry.deaf = True
    reopened = scene.ado.edit(ITEM, **{STATE: "Active"})
    assert scene.inbound(reopened) == ["refused"]
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "refused")
    assert scene.health.due == scene.now + A_TRY
    [told] = [entry for entry in scene.entries() if entry.outcome == "refused"]
    assert (told.field, told.after, "shows no effect" in (told.reason or "")) == (
        "status",
        "unresolved",
        True,
    )
    assert scene.outbound() == ["refused"]
    assert (scene.state, scene.outcomes().count("refused")) == ("Active", 1)
    scene.watched_sentry.deaf = False
    assert scene.outbound() == ["applied"]
    assert (scene.status, scene.health) == (UNRESOLVED, Health())


def test_a_state_that_azure_devops_did_not_take_is_refused(scene: Scene) -> None:
    scene.watched_ado.deaf = True
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    assert scene.outbound() == ["refused"]
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "refused")
    assert scene.row.seen.issue.status is UNRESOLVED
    scene.watched_ado.deaf = False
    scene.now += A_TRY
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.ado.item(ITEM).assignee, scene.health) == ("Closed", Person(BOB), Health())


def test_an_assignee_that_sentry_did_not_take_is_tried_again(scene: Scene) -> None:
    scene.watched_sentry.deaf = True
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})) == ["refused"]
    assert (scene.row.owed, scene.sentry.get_issue(ISSUE).assignee) == (Side.SENTRY, None)
    scene.watched_sentry.deaf = False
    scene.now += A_TRY
    assert scene.inbound() == ["applied"]
    assert scene.sentry.get_issue(ISSUE).assignee == Person(BOB)


def test_a_third_value_in_sentrys_answer_is_somebody_elses_and_seen_next_time(scene: Scene) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.watched_sentry.then = lambda: scene.sentry.archive(ISSUE)
    assert scene.inbound(closed) == ["applied"]
    assert scene.row.seen.issue.status is RESOLVED
    assert scene.outbound() == ["skipped"]
    assert (scene.status, scene.state) == (IGNORED, "Closed")


# Writes whose answer never came.


@pytest.mark.parametrize("lands", [True, False])
def test_an_unanswered_write_is_looked_into_before_it_is_made_again(scene: Scene, lands: bool) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Unavailable("ado", "timed out"), lands=lands)
    with pytest.raises(Unavailable):
        scene.outbound()
    assert scene.health.word is HealthWord.PENDING
    scene.calls.made.clear()
    scene.outbound()
    assert scene.calls.made == ["get_issue", "get_work_item"] + ["update_work_item"] * (not lands)
    assert (scene.state, scene.health, scene.row.claim) == ("Closed", Health(), None)


@pytest.mark.parametrize("lands", [True, False])
def test_an_unanswered_write_to_sentry_is_looked_into_as_well(scene: Scene, lands: bool) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("set_status", Unavailable("sentry", "timed out"), lands=lands)
    with pytest.raises(Unavailable):
        scene.inbound(closed)
    scene.calls.made.clear()
    scene.inbound(closed)
    assert scene.calls.made.count("set_status") == (not lands)
    assert (scene.status, scene.health) == (RESOLVED, Health())


def test_what_landed_before_a_failure_is_not_written_again(scene: Scene) -> None:
    closed = scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: ANN})
    scene.calls.meet("set_assignee", Unavailable("sentry", "timed out"))
    with pytest.raises(Unavailable):
        scene.inbound(closed)
    scene.calls.made.clear()
    scene.inbound(closed)
    assert "set_status" not in scene.calls.made
    assert scene.sentry.get_issue(ISSUE).assignee == Person(ANN)


@pytest.mark.parametrize(
    "trouble",
    [
        Forbidden("sentry", "HTTP 403", about=f"issue {ISSUE}"),
        Unavailable("sentry", "the answer cannot be read"),
        Unavailable("sentry", "no answer within 10 seconds"),
    ],
)
@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("write", ["set_status", "set_assignee"])
def test_a_field_that_never_succeeds_does_not_keep_the_other_one(
    scene: Scene, write: str, trouble: SyncError, lands: bool
) -> None:
    changed = scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: ANN})
    scene.calls.meet(write, *[trouble] * 9, lands=lands and isinstance(trouble, Unavailable))
    for _ in range(2):
        with suppress(type(trouble)):
            scene.inbound(changed)
    issue = scene.sentry.get_issue(ISSUE)
    assert issue.assignee == Person(ANN) if write == "set_status" else issue.status is RESOLVED
    scene.calls.recover()
    scene.inbound(changed)
    issue = scene.sentry.get_issue(ISSUE)
    assert (issue.status, issue.assignee, scene.health) == (RESOLVED, Person(ANN), Health())
    assert scene.row.claim is None


@pytest.mark.parametrize(("seconds", "looks"), [(CLAIMED_FOR / 2, 1), (CLAIMED_FOR / 2 + 0.5, 2)])
def test_an_assignment_that_is_looked_up_too_long_is_decided_again_before_it_is_written(
    scene: Scene, seconds: float, looks: int
) -> None:
    assigned = scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    takes = [seconds]

    def look_up() -> None:
        scene.now += takes.pop() if takes else 0.0

    scene.watched_sentry.looks_up = look_up
    assert scene.inbound(assigned) == ["applied"]
    assert scene.calls.made.count("get_issue") == looks
    assert scene.calls.made.count("set_assignee") == 1
    assert (scene.health, scene.row.claim) == (Health(), None)


@pytest.mark.parametrize("lands", [True, False])
def test_two_writes_without_an_answer_are_both_looked_into(scene: Scene, lands: bool) -> None:
    scene.sentry.resolve(ISSUE)
    assigned = scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    scene.calls.meet("update_work_item", Unavailable("ado", "timed out"), lands=lands)
    scene.calls.meet("set_assignee", Unavailable("sentry", "timed out"), lands=lands)
    with pytest.raises(Unavailable):
        scene.inbound(assigned)
    claim = scene.row.claim
    assert claim is not None
    assert [(each.side, each.field) for each in claim.intents] == [
        (Side.ADO, "status"),
        (Side.SENTRY, "assignee"),
    ]
    scene.calls.made.clear()
    scene.inbound(assigned)
    writes = [each for each in scene.calls.made if each in {"update_work_item", "set_assignee"}]
    assert writes == ([] if lands else ["update_work_item", "set_assignee"])
    assert (scene.state, scene.sentry.get_issue(ISSUE).assignee) == ("Closed", Person(ANN))
    assert (scene.health, scene.row.claim) == (Health(), None)


def test_what_landed_before_a_conflict_is_recorded_and_the_rest_decided_again(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    assigned = scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    scene.calls.meet("set_assignee", Conflict("409"))
    assert scene.inbound(assigned) == ["applied"]
    assert scene.calls.made.count("update_work_item") == 1
    assert scene.sentry.get_issue(ISSUE).assignee == Person(ANN)
    applied = [entry.field for entry in scene.entries() if entry.outcome == "applied"]
    assert (sorted(filter(None, applied)), scene.health) == (["assignee", "status"], Health())


@pytest.mark.parametrize(
    "error",
    [
        Throttled("ado", "429", retry_after=7.0),
        Unauthorized("ado", "401"),
        Forbidden("ado", "HTTP 403", about="work item 31", quoted="TF237111: no rights"),
        Unavailable("ado", "timed out"),
        NotFound("gone", kind="work-item-not-found"),
    ],
)
def test_a_write_that_failed_is_recorded_once(scene: Scene, error: SyncError) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", error, error)
    for _ in range(2):
        with pytest.raises(type(error)):
            scene.outbound()
        assert (scene.outcomes().count("failed"), scene.health.attempts) == (1, 1)


def test_what_is_forbidden_is_told_in_the_vendor_s_words_and_tried_again_when_it_is_due(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    forbidden = Forbidden("ado", "HTTP 403", about="work item 31", quoted="TF237111: no rights")
    scene.calls.meet("update_work_item", forbidden)
    with pytest.raises(Forbidden):
        scene.outbound()
    words = "HTTP 403: TF237111: no rights"
    assert scene.health == Health(
        HealthWord.ATTENTION, "forbidden", words, scene.now, 1, scene.now + 300.0, rev=1
    )
    [entry] = scene.entries()
    assert (entry.outcome, entry.reason) == ("failed", "forbidden: HTTP 403: TF237111: no rights")
    assert scene.row.claim is None
    assert scene.outbound() == ["applied"]


def test_an_item_whose_type_was_disabled_goes_on_in_step(scene: Scene) -> None:
    scene.ado.disable_type("Fabrikam-Fiber", "Bug")
    scene.now += 3700.0  # as long as the states are remembered, and longer
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.ado.item(ITEM).assignee) == ("Closed", Person(BOB))


def test_a_project_that_was_believed_before_it_was_checked_is_looked_up(scene: Scene) -> None:
    true = scene.row.project_id
    scene.services.links.replace(scene.stored(), replace(scene.row, project_id="../otherorg/proj"))
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.row.project_id, scene.state) == (true, "Closed")


def test_a_write_that_was_refused_is_not_the_work_of_a_dead_worker(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Throttled("ado", "429", retry_after=7.0))
    with pytest.raises(Throttled):
        scene.outbound()
    assert scene.row.claim is None
    scene.now += 7.0
    assert scene.outbound() == ["applied"]
    assert scene.outcomes() == ["applied", "failed"]


def test_a_failure_is_told_by_who_noticed_the_change_and_recorded_with_its_revision(scene: Scene) -> None:
    unit = UnitOfWork("t", revs={ITEM: 2}, told_by="hook")
    scene.calls.meet("get_issue", Unavailable("sentry", "timed out"))
    with pytest.raises(Unavailable):
        scene.services.settler(scene.organization).settle(scene.stored(), unit)
    [entry] = scene.entries()
    assert (entry.outcome, entry.told_by, scene.health.rev) == ("failed", "hook", 2)


def test_a_failure_that_is_on_record_is_not_recorded_again_over_what_came_after() -> None:
    links = Overtaken()
    scene = scene_on(links)
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Forbidden("ado", "HTTP 403", about="work item 31"))
    links.is_meant, links.after = lambda text: '"forbidden"' in text, scene.outbound
    with pytest.raises(Forbidden):
        scene.outbound()
    assert (scene.state, scene.health) == ("Closed", Health())


# Refusals.


def test_an_unknown_person_does_not_hold_a_status_up(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, "stranger@elsewhere.example")
    assert scene.outbound() == ["refused"]
    assert scene.calls.made == ["get_issue", "addresses_of", "update_work_item", "update_work_item"]
    assert (scene.state, scene.ado.item(ITEM).assignee) == ("Closed", None)
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "assignee-not-found")
    assert scene.health.due == scene.now + A_TRY
    assert sorted((entry.outcome, entry.field) for entry in scene.entries()) == [
        ("applied", "status"),
        ("refused", "assignee"),
    ]


def test_a_person_who_is_still_unknown_is_recorded_once_and_costs_less_and_less(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    assert (scene.outcomes(), scene.row.owed) == (["refused"], Side.SENTRY)
    for wait in (300.0, 900.0, 3600.0, 3600.0):
        assert scene.health.due == scene.now + wait
        scene.now += wait - 1
        assert scene.inbound() == ["settled"]
        scene.now += 1
        assert scene.inbound() == ["refused"]
    assert scene.outcomes() == ["refused"]


def test_what_is_owed_and_due_is_tried_even_when_nothing_else_is_new(scene: Scene) -> None:
    assigned = scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL})
    scene.inbound(assigned)
    assert scene.inbound(assigned) == ["echo"]
    scene.now += A_TRY
    assert scene.inbound(assigned) == ["refused"]


def test_a_person_who_is_known_in_the_end_gets_what_was_owed(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    scene.sentry.add_member(CAROL)
    scene.now += A_TRY
    assert scene.inbound() == ["applied"]
    assert scene.sentry.get_issue(ISSUE).assignee == Person(CAROL)
    assert (scene.health, scene.row.owed) == (Health(), None)
    assert scene.outcomes() == ["recovered", "applied", "refused"]


def test_an_unknown_person_is_never_turned_into_an_unassign(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN}))
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    assert scene.sentry.get_issue(ISSUE).assignee == Person(ANN)
    # Nor does the one who was left in place travel back.
    assert scene.outbound() == ["settled"]
    assert scene.ado.item(ITEM).assignee == Person(CAROL)


def test_what_was_owed_is_forgotten_once_somebody_else_is_assigned(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    assert scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})) == ["applied"]
    assert (scene.health, scene.row.owed) == (Health(), None)


def only_closed(scene: Scene) -> None:
    """Leave Closed as the only state that a bug can be moved to."""
    scene.ado.restrict(PROJECT, "Bug", {"New": ("Closed",), "Closed": ()})
    scene.now += 60.0


def test_a_refused_state_quotes_the_vendors_words_and_lets_the_person_through(scene: Scene) -> None:
    only_closed(scene)
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    refused = Refused("ado", "TF401320: a rule says no")
    scene.calls.meet("update_work_item", refused, refused)
    assert scene.outbound() == ["refused"]
    writes = ["update_work_item"] * 3
    assert scene.calls.made == ["get_issue", "addresses_of", *writes, "get_work_item_types"]
    assert (scene.state, scene.ado.item(ITEM).assignee) == ("New", Person(BOB))
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "refused")
    assert scene.health.detail == "TF401320: a rule says no"
    [refusal] = [entry for entry in scene.entries() if entry.outcome == "refused"]
    assert (refusal.field, refusal.after, refusal.reason) == (
        "status",
        "Closed",
        "refused: TF401320: a rule says no",
    )


def test_a_refused_state_goes_through_once_the_rule_is_gone(scene: Scene) -> None:
    only_closed(scene)
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", *[Refused("ado", "TF401320: a rule says no")] * 2)
    scene.outbound()
    scene.now += A_TRY
    assert scene.outbound() == ["refused"]
    assert scene.health.due == scene.now + 900.0
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health) == ("Closed", Health())
    assert scene.outcomes() == ["recovered", "applied", "refused"]


def test_a_state_of_no_known_category_is_not_guessed(scene: Scene) -> None:
    scene.now += 60.0  # An unknown state is asked for at most every half minute.
    strange = replace(scene.ado.edit(ITEM, **{STATE: "Active"}), state="Verified")
    with pytest.raises(Undecidable):
        scene.inbound(strange)
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "unknown-state")
    assert scene.health.due == scene.now + A_TRY
    assert "'Verified' of Bug" in scene.health.detail
    assert scene.calls.made == ["get_issue", "get_work_item_types"]
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied"]
    assert scene.health == Health()


# What holds one field up holds no other up.


def unlist(scene: Scene, *states: str) -> None:
    """Have the process list some states no more, or none of them; items stay in them."""
    scene.ado.unlisted = frozenset(states or {"New", "Active", "Resolved", "Closed"})
    scene.now += 2 * 3600.0  # What was known of them is forgotten.


def test_an_undecidable_status_holds_no_assignee_up(scene: Scene) -> None:
    moved = scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: BOB})
    unlist(scene, "Closed")
    with pytest.raises(Undecidable):
        scene.inbound(moved)
    assert (scene.sentry.get_issue(ISSUE).assignee, scene.status) == (Person(BOB), UNRESOLVED)
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "unknown-state")
    seen = scene.row.seen
    assert (seen.item.state, seen.item.assignee, seen.issue.assignee) == ("New", Person(BOB), Person(BOB))
    assert scene.outcomes() == ["failed", "applied"]
    with pytest.raises(Undecidable):
        scene.inbound(moved)
    assert scene.outcomes() == ["failed", "applied"]
    unlist(scene, "none of them")
    assert scene.inbound() == ["applied"]
    assert (scene.status, scene.health, scene.outcomes()[0]) == (RESOLVED, Health(), "recovered")


@pytest.mark.parametrize("assign", [True, False])
def test_a_service_that_does_not_tell_the_states_holds_no_assignee_up(scene: Scene, assign: bool) -> None:
    scene.now += 2 * 3600.0
    fields = {STATE: "Closed", ASSIGNED_TO: BOB} if assign else {STATE: "Closed"}
    scene.calls.meet("get_work_item_types", Unavailable("ado", "timed out"))
    with pytest.raises(Unavailable):
        scene.inbound(scene.ado.edit(ITEM, **fields))
    assert scene.sentry.get_issue(ISSUE).assignee == (Person(BOB) if assign else None)
    assert (scene.health.word, scene.health.reason) == (HealthWord.PENDING, "unavailable")
    assert scene.inbound() == ["applied"]
    assert (scene.status, scene.health) == (RESOLVED, Health())


def test_a_type_without_a_state_to_write_holds_no_assignee_up(scene: Scene) -> None:
    unlist(scene)
    scene.sentry.resolve(ISSUE)
    scene.sentry.assign(ISSUE, BOB)
    with pytest.raises(Undecidable):
        scene.outbound()
    assert (scene.state, scene.ado.item(ITEM).assignee) == ("New", Person(BOB))
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "no-such-state")


def test_an_item_whose_state_did_not_move_needs_no_category(scene: Scene) -> None:
    unlist(scene, "New")
    scene.sentry.assign(ISSUE, BOB)
    assert scene.outbound() == ["applied"]
    assert scene.calls.made == ["get_issue", "addresses_of", "update_work_item"]
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health) == ("Closed", Health())


def test_an_item_in_an_unknown_state_leaves_it_for_the_issue(scene: Scene) -> None:
    moved = scene.ado.edit(ITEM, **{STATE: "Active"})
    unlist(scene, "Active")
    with pytest.raises(Undecidable):
        scene.inbound(moved)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health) == ("Closed", Health())


def test_a_state_that_somebody_chose_is_asked_for_anew_before_it_is_written_over(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Resolved"})
    unlist(scene, "Resolved")
    with pytest.raises(Undecidable):
        scene.inbound()
    scene.ado.unlisted = frozenset()  # It was listed a second later.
    scene.now += 1.0
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["agreed"]
    assert (scene.state, scene.health) == ("Resolved", Health())


# Removed.


@pytest.fixture
def removed(scene: Scene) -> Scene:
    scene.ado.add_item("Fix login", 60, kind="Task")
    scene.link("600", 60)
    scene.ado.edit(60, **{STATE: "Removed"})
    scene.services.settler(scene.organization).settle(scene.stored("600", 60), doubting(60))
    return scene


def doubting(work_item_id: int) -> UnitOfWork:
    return UnitOfWork("t", doubted={work_item_id})


def test_a_removed_work_item_is_not_written_to(removed: Scene) -> None:
    assert removed.stored("600", 60).link.seen.item.removed
    removed.calls.made.clear()
    removed.sentry.resolve("600")
    removed.sentry.assign("600", BOB)
    assert removed.outbound("600") == ["skipped"]
    # No write would find that it was taken back, so it is asked for.
    assert removed.calls.made == ["get_issue", "get_work_item", "addresses_of"]
    assert (removed.ado.item(60).state, removed.ado.item(60).assignee) == ("Removed", None)
    assert removed.stored("600", 60).link.health == Health()
    entries = removed.entries("600", 60)
    assert [(each.outcome, each.reason, each.field) for each in entries] == [
        ("skipped", "removed", "assignee"),
        ("skipped", "removed", "status"),
    ]


def test_a_work_item_that_comes_back_is_written_to_again(removed: Scene) -> None:
    removed.ado.edit(60, **{STATE: "New"})
    removed.services.settler(removed.organization).settle(removed.stored("600", 60), doubting(60))
    assert not removed.stored("600", 60).link.seen.item.removed
    removed.sentry.resolve("600")
    assert removed.outbound("600") == ["applied"]
    assert removed.ado.item(60).state == "Closed"


# Flapping.


@pytest.mark.parametrize(
    ("ahead", "outcome"), [(0.0, None), (3599.9, None), (3600.0, "applied"), (1e11, "applied")]
)
def test_writes_of_a_clock_that_was_ahead_are_forgotten(
    scene: Scene, ahead: float, outcome: str | None
) -> None:
    stored = scene.stored()
    writes = tuple(scene.now + ahead for _ in range(20))
    scene.services.links.replace(stored, replace(stored.link, writes=writes))
    scene.sentry.resolve(ISSUE)
    if outcome is None:
        with pytest.raises(Undecidable):
            scene.outbound()
    else:
        assert scene.outbound() == [outcome]
        assert scene.row.writes == (scene.now,)


@pytest.mark.parametrize("ahead", [8 * 3600.0, 86_400.0, 400 * 86_400.0])
def test_what_a_worker_put_off_whose_clock_was_ahead_is_made_up_for(scene: Scene, ahead: float) -> None:
    scene.sentry.resolve(ISSUE)
    scene.now += ahead
    scene.calls.meet("get_issue", Unavailable("sentry", "HTTP 503"))
    with pytest.raises(Unavailable):
        scene.outbound()
    scene.now -= ahead
    Workers(scene).live(600.0)
    assert scene.state == "Closed"


def test_a_state_that_somebody_keeps_changing_back_is_left_alone_for_a_while(scene: Scene) -> None:
    for _ in range(20):
        scene.sentry.resolve(ISSUE)
        assert scene.outbound() == ["applied"]
        scene.ado.edit(ITEM, **{STATE: "Active"})
        scene.sentry.unresolve(ISSUE)
        scene.inbound(scene.ado.item(ITEM))
        scene.now += 60.0
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Undecidable):
        scene.outbound()
    assert (scene.state, scene.health.reason, scene.outcomes()[0]) == ("Active", "flapping", "failed")
    assert scene.health.detail == "20 writes within an hour: something keeps changing it back"
    scene.now += 3600.0
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.health, scene.outcomes()[0]) == ("Closed", Health(), "recovered")


# Issues and work items that go elsewhere.


def test_a_merged_issues_link_follows_it(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.sentry.resolve("200")
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.issue_ids) == ("Closed", ["200"])
    reasons = {entry.outcome: entry.reason for entry in scene.entries("200")}
    assert reasons == {"moved": "merged-from-100", "applied": None}


def test_after_a_merge_a_lost_race_looks_at_the_issue_again(scene: Scene) -> None:
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.sentry.resolve("200")
    scene.calls.meet("update_work_item", Conflict("412"))
    assert scene.outbound() == ["applied"]
    assert scene.calls.made.count("get_issue") == 2


def test_what_happened_before_a_merge_is_found_under_the_id_that_is_named(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.outbound()
    [moved] = [entry for entry in scene.entries("200") if entry.outcome == "moved"]
    assert moved.reason == "merged-from-100"
    assert scene.outcomes(ISSUE) == ["applied"]


def test_what_a_rule_did_for_a_merged_issue_is_done_for_the_surviving_one(scene: Scene) -> None:
    records = scene.services.idempotency
    records.note(SLUG, rule_of(ISSUE), str(ITEM))
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge(ISSUE, into="200")
    scene.outbound()
    assert records.find(SLUG, rule_of("200")) == str(ITEM)


def test_an_issue_merged_into_one_that_is_linked_already_leaves_one_link(scene: Scene) -> None:
    scene.link("200")
    scene.sentry.merge(ISSUE, into="200")
    scene.sentry.resolve("200")
    assert scene.outbound() == ["applied"]
    assert (scene.state, scene.issue_ids) == ("Closed", ["200"])


@pytest.mark.parametrize("lost", ["issue", "work-item"])
def test_what_is_gone_is_recorded_once_and_recovers_when_it_is_back(scene: Scene, lost: str) -> None:
    call = "get_issue" if lost == "issue" else "get_work_item"
    gone = NotFound("it is not there", kind=f"{lost}-not-found")
    scene.calls.meet(call, gone, gone)
    for _ in range(2):
        with pytest.raises(NotFound):
            scene.inbound()
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, f"{lost}-gone")
    assert (scene.health.due, scene.outcomes()) == (scene.now + 24 * 3600.0, ["failed"])
    scene.now += 1.0
    scene.inbound()
    assert (scene.health, scene.outcomes()) == (Health(), ["recovered", "failed"])


def test_a_link_removed_meanwhile_leaves_no_trace_of_a_failure(scene: Scene) -> None:
    stored = scene.stored()
    scene.services.links.remove(stored)
    scene.sentry.resolve(ISSUE)
    with pytest.raises(NotFound) as caught:
        scene.services.settler(scene.organization).settle(stored, UnitOfWork("t"))
    assert (caught.value.kind, scene.outcomes(), scene.issue_ids) == ("not-linked", [], [])
    assert scene.state == "New"


# Regressions.


@pytest.mark.parametrize(("comes_back", "told"), [("regress", [((str(ITEM),), "1")]), ("unresolve", [])])
def test_an_item_is_told_why_it_is_reopened_only_if_sentry_unresolved_its_issue(
    scene: Scene, comes_back: str, told: list[tuple[tuple[str, ...], str]]
) -> None:
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    getattr(scene.sentry, comes_back)(ISSUE)
    assert (scene.outbound(), scene.state) == (["applied"], "New")
    assert [(each.only, each.regression) for each in waiting_about_issues(scene)] == told


def test_an_item_that_is_closed_is_told_of_no_regression(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.sentry._regressions[ISSUE] = "1"  # from before
    assert (scene.outbound(), waiting_about_issues(scene)) == (["applied"], [])


# Several links.


def test_an_issue_with_two_work_items_is_read_once_and_written_to_both(scene: Scene) -> None:
    scene.link(ISSUE, 32)
    scene.sentry.resolve(ISSUE)
    assert scene.outbound() == ["applied", "applied"]
    assert scene.calls.made == ["get_issue", "update_work_item", "update_work_item"]
    assert (scene.state, scene.ado.item(32).state) == ("Closed", "Closed")


def test_a_service_that_left_a_write_unanswered_is_not_asked_for_the_next_one(scene: Scene) -> None:
    scene.link(ISSUE, 32)
    scene.sentry.assign(ISSUE, BOB)
    scene.calls.meet("update_work_item", Unavailable("ado", "timed out"))
    with pytest.raises(Unavailable):
        scene.outbound()
    assert scene.calls.made.count("update_work_item") == 1
    assert (scene.outcomes(), scene.outcomes(ISSUE, 32)) == (["failed"], [])


def test_a_service_that_is_heard_no_more_beside_another_one_is_not_asked_again(scene: Scene) -> None:
    """Of both troubles the message meets that of Azure DevOps."""
    scene.link("200", ITEM)
    scene.sentry.assign(ISSUE, BOB)
    scene.calls.meet("update_work_item", Unavailable("ado", "timed out"))
    scene.calls.meet("set_status", Throttled("sentry", "429", retry_after=7.0))
    with pytest.raises(Unavailable):
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert scene.calls.made == ["get_issue", "addresses_of", "update_work_item", "set_status"]


def test_a_work_item_with_two_issues_resolves_both(scene: Scene) -> None:
    scene.link("200", ITEM)
    assert scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"})) == ["applied", "applied"]
    assert scene.calls.made == ["get_issue", "set_status"] * 2
    assert scene.sentry.get_issue("200").status is scene.status is RESOLVED


# A process that cannot be read when it is asked for once more.

UNREADABLE = [
    Unavailable("ado", "HTTP 503"),
    Forbidden("ado", "HTTP 403", about="the project"),
    Throttled("ado", "HTTP 429", retry_after=30.0),
]


@pytest.mark.parametrize("error", UNREADABLE)
def test_what_was_written_and_refused_is_told_though_nobody_knows_what_else_to_try(
    scene: Scene, error: SyncError
) -> None:
    scene.services.processes.refresh(scene.watched_ado, SLUG, scene.row.project_id)
    scene.now += 60.0  # The process is asked for again before anything is out of reach.
    scene.sentry.resolve(ISSUE)
    item = scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
    ruled = Refused("ado", "HTTP 400", quoted="TF401320: a root cause is required")
    scene.calls.meet("update_work_item", ruled, ruled, ruled)
    scene.calls.meet("get_work_item_types", error, error, error)
    assert scene.inbound(item) == ["refused"]
    assert scene.sentry.get_issue(ISSUE).assignee == Person(BOB)
    assert [(each.outcome, each.field) for each in scene.entries()] == [
        ("refused", "status"),
        ("applied", "assignee"),
        ("refused", "status"),
    ]
    assert (scene.health.word, scene.health.reason) == (HealthWord.ATTENTION, "refused")


@pytest.mark.parametrize("error", UNREADABLE)
def test_a_status_that_is_out_of_reach_holds_up_no_assignee_though_the_process_cannot_be_read(
    scene: Scene, error: SyncError
) -> None:
    unlist(scene, "Closed", "Resolved")
    scene.sentry.resolve(ISSUE)
    with pytest.raises(Undecidable):
        scene.outbound()
    scene.now += 60.0
    scene.sentry.assign(ISSUE, BOB)
    scene.calls.meet("get_work_item_types", error)
    with pytest.raises(Undecidable):
        scene.outbound()
    assert scene.ado.item(ITEM).assignee == Person(BOB)
    assert scene.health.reason == "no-such-state"


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Unavailable("ado", "HTTP 503"), "unavailable"), (Forbidden("ado", "HTTP 403", about="x"), "forbidden")],
)
def test_a_trouble_that_is_over_is_not_told_any_more_though_another_one_is_there(
    scene: Scene, error: SyncError, reason: str
) -> None:
    """Inbound status is off, so what the new state counts as is needed by nobody, and yet not known."""
    scene.configure(sync_status_reverse=False)
    scene.now += 4000.0
    scene.calls.meet("get_issue", Unavailable("sentry", "away"))
    scene.calls.meet("get_work_item_types", *[error] * 50)
    item = scene.ado.edit(ITEM, **{STATE: "Active"})
    with pytest.raises(Unavailable):
        scene.inbound(item)
    assert scene.health.detail == "away"
    scene.now += A_TRY
    scene.inbound()
    assert scene.health.reason == reason
    assert scene.health.detail != "away"
    assert scene.health.due is not None
    assert scene.health.due > scene.now
