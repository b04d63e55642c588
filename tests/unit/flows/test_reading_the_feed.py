"""What the reconciler makes of the feed of revisions, and what it does where the feed cannot tell."""

import itertools
import json
from collections.abc import Iterator

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import health
from shared.domain.errors import (
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    RevisionPage,
)
from shared.flows.reconciling import Found, Part, reconcile
from simulator.ado.revisions import FeedModes, RevisionLog
from tests.unit.rounds import DAY, EVERY, at_rest, deliver, link_many, reconciled, run, waiting_about_items
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, ISSUE, ITEM, SLUG, STATE, Died, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
FULL_LOOK = ["get_revisions", "get_revisions", "find_work_items", "find_issues"]
QUIET = ["get_revisions", "find_issues"]


@pytest.fixture
def scene() -> Scene:
    return at_rest(Scene())


def notes(found: Found) -> list[tuple[Part, str]]:
    return [(note.part, note.kind) for note in found.notes]


# What it tells.


def test_nothing_changed_is_one_call_whatever_the_number_of_links(scene: Scene) -> None:
    link_many(scene, 450)
    scene.now += 2 * EVERY
    at_rest(scene)
    found = reconcile(scene.services, scene.organization)
    assert scene.calls.made.count("get_revisions") == 1
    assert [each for each in scene.calls.made if each != "find_issues"] == ["get_revisions"]
    assert found == Found(looked_at=451)


def test_the_first_run_looks_at_all_work_items_and_reads_the_feed_from_then_on() -> None:
    scene = Scene()
    link_many(scene, 450)
    scene.now += DAY
    scene.ado.edit(1001, **{STATE: "Closed"})
    scene.now += DAY
    found = reconcile(scene.services, scene.organization)
    assert (found.compared, found.drifted) == (451, 1)
    assert scene.calls.made.count("find_work_items") == 3
    deliver(scene)
    assert scene.sentry.get_issue("1001").status is RESOLVED


def test_what_is_not_linked_costs_no_message_and_no_further_call(scene: Scene) -> None:
    for number in range(700, 720):
        scene.ado.add_item("Not linked", number)
    run(scene)
    assert (scene.calls.made, waiting_about_items(scene)) == (QUIET, [])


def test_what_a_hook_told_already_costs_no_message(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    scene.calls.made.clear()
    run(scene)
    assert (scene.calls.made, waiting_about_items(scene)) == (QUIET, [])


def test_projects_are_looked_up_once_in_a_run(scene: Scene) -> None:
    scene.ado.revision_log.page_size = 1
    link_many(scene, 3)
    at_rest(scene)
    for number in (ITEM, 1001, 1002, 1003):
        scene.ado.edit(number, **{STATE: "Closed"})
    run(scene)
    assert scene.calls.made == [*["get_revisions"] * 4, "find_project_ids", "find_issues"]
    assert {each.snapshot and each.snapshot.state for each in waiting_about_items(scene)} == {"Closed"}


def test_without_its_project_an_item_is_asked_for(scene: Scene) -> None:
    scene.calls.meet("find_project_ids", Unavailable("ado", "HTTP 500"))
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert "get_work_item" in scene.calls.made
    assert scene.status is RESOLVED


def test_an_item_that_moved_gets_its_new_project(scene: Scene) -> None:
    before = scene.row.project_id
    scene.ado.move(ITEM, "Tailored")
    scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
    reconciled(scene)
    assert scene.row.project_id == scene.ado.item(ITEM).project_id != before
    assert scene.row.area_path == "Tailored"


@pytest.mark.parametrize("deleted_as", ["flagged", "bare"])
def test_a_deleted_item_is_marked(scene: Scene, deleted_as: str) -> None:
    scene.ado.feed_modes = FeedModes(deleted_as=deleted_as)  # type: ignore[arg-type]  # one of its literals
    scene.ado.delete(ITEM)
    reconciled(scene)
    assert scene.health.reason == "work-item-gone"
    assert "find_work_items" not in scene.calls.made


def test_a_deletion_is_told_though_the_edit_before_is_not_handled(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    scene.ado.delete(ITEM)
    run(scene)
    assert len(scene.services.inbound) == 2
    deliver(scene)
    assert scene.health.reason == "work-item-gone"


def test_an_edit_that_arrives_after_the_loss_of_its_item_is_not_believed(scene: Scene) -> None:
    late = scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.ado.delete(ITEM)
    reconciled(scene)
    with pytest.raises(NotFound):
        scene.inbound(late)
    assert scene.health.reason == "work-item-gone"
    assert scene.status is UNRESOLVED


@pytest.mark.parametrize("deleted_as", ["unflagged", "absent"])
def test_a_deletion_that_no_feed_shows_is_found_within_a_day(scene: Scene, deleted_as: str) -> None:
    scene.ado.feed_modes = FeedModes(deleted_as=deleted_as)  # type: ignore[arg-type]  # one of its literals
    scene.ado.delete(ITEM)
    reconciled(scene)
    assert scene.health == Health()
    scene.now += DAY
    reconciled(scene)
    assert scene.health.reason == "work-item-gone"


def test_a_row_that_cannot_be_read_has_the_item_asked_for(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    real = scene.ado.get_revisions

    def damaged(token: str | None, *, since: float | None = None) -> RevisionPage:
        page = real(token, since=since)
        return replace(page, items=(), unreadable=frozenset(each.id for each in page.items))

    scene.ado.get_revisions = damaged  # type: ignore[method-assign]  # for this scene
    reconciled(scene)
    assert (scene.status, scene.calls.made.count("get_work_item")) == (RESOLVED, 1)


def test_a_late_revision_is_told_by_a_later_run(scene: Scene) -> None:
    scene.ado.revision_log.lag = 400.0
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert scene.status is UNRESOLVED
    reconciled(scene)
    reconciled(scene)
    assert scene.status is RESOLVED


def test_a_quiet_feed_without_a_token_is_asked_by_the_same_time_again() -> None:
    scene = Scene()
    scene.ado.feed_modes = FeedModes(empty_has_token=False)
    scene.now += DAY
    at_rest(scene)
    reconciled(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert scene.status is RESOLVED


def test_many_changes_are_read_in_parts_and_none_is_lost(scene: Scene) -> None:
    link_many(scene, 5_000)
    scene.now += 2 * EVERY
    at_rest(scene)
    for number in range(1001, 6001):
        scene.ado.edit(number, **{STATE: "Closed"})
    counts, told = [], set[int]()
    for _ in range(4):
        run(scene)
        messages = waiting_about_items(scene)
        counts.append(len(messages))
        told |= {each.work_item_id for each in messages}
    assert (len(told), counts[-1]) == (5_000, 0)
    assert max(counts) <= 2_000


def test_what_is_told_about_a_link_in_the_making_is_told_to_the_next_run_as_well(scene: Scene) -> None:
    scene.ado.add_item("Fix login", 32)
    at_rest(scene)
    before = scene.ado.item(32)
    scene.ado.edit(32, **{STATE: "Closed"})
    run(scene)
    scene.sentry.add_issue(issue_id="200")
    seen = Ends(IssueSide(UNRESOLVED), ItemSide(before.rev, before.state, UNRESOLVED))
    scene.services.links.add(IssueLink(SLUG, "200", 32, before.project_id, "Bug", seen))
    reconciled(scene)
    assert scene.sentry.get_issue("200").status is RESOLVED


def test_what_was_told_twice_is_not_told_again(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    pages = []
    real = scene.ado.get_revisions

    def watching(token: str | None, *, since: float | None = None) -> RevisionPage:
        pages.append(real(token, since=since))
        return pages[-1]

    scene.ado.get_revisions = watching  # type: ignore[method-assign]  # for this scene
    for _ in range(3):
        reconciled(scene)
    assert [[item.rev for item in page.items] for page in pages] == [[2], [2], []]
    assert scene.calls.made.count("get_issue") == 1


# Crashes.


@pytest.mark.parametrize("name", ["get_revisions", "find_project_ids"])
def test_a_run_that_dies_on_the_way_loses_nothing(scene: Scene, name: str) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet(name, Died())
    with pytest.raises(Died):
        run(scene)
    reconciled(scene)
    assert scene.status is RESOLVED


def test_what_fails_in_the_middle_is_read_again(scene: Scene) -> None:
    scene.ado.revision_log.page_size = 1
    link_many(scene, 2)
    at_rest(scene)
    for number in (1001, 1002):
        scene.ado.edit(number, **{STATE: "Closed"})
    scene.watched_ado.slow = after_calls(scene, 1)
    run(scene)
    assert waiting_about_items(scene) == []
    scene.watched_ado.slow = lambda: None
    run(scene)
    assert [each.work_item_id for each in waiting_about_items(scene)] == [1001, 1002]


def after_calls(scene: Scene, count: int):  # type: ignore[no-untyped-def]  # a function for ``slow``
    scene.calls.made.clear()

    def fail() -> None:
        if len(scene.calls.made) >= count:
            raise Unavailable("ado", "HTTP 500")

    return fail


# Where it cannot tell.


def lose_token(scene: Scene, status: int = 400) -> None:
    scene.ado.feed_modes = FeedModes(lost_token=status)
    scene.ado.revision_log.forget_tokens()


@pytest.mark.parametrize("status", [400, 404, 409, 410])
def test_a_lost_token_is_made_up_for_by_a_full_look_in_the_same_run(scene: Scene, status: int) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.now += 3 * EVERY  # … so long ago that the new feed does not tell
    lose_token(scene, status)
    found = reconcile(scene.services, scene.organization)
    assert scene.calls.made == FULL_LOOK
    assert (found.compared, found.drifted, found.failures) == (1, 1, ())
    assert notes(found) == [(Part.FEED, "feed-token-refused")]
    deliver(scene)
    assert scene.status is RESOLVED
    scene.calls.made.clear()
    found = reconcile(scene.services, scene.organization)
    assert (scene.calls.made, notes(found)) == (QUIET, [])
    assert scene.services.progress.get(SLUG).problems == {}


@pytest.mark.parametrize(
    ("refusal", "first", "kind"),
    [(403, "feed-forbidden", "feed-forbidden"), (404, "feed-token-refused", "feed-unsupported")],
)
def test_without_a_feed_every_run_looks_at_all_work_items_and_says_so_once(
    scene: Scene, refusal: int, first: str, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    scene.ado.feed_modes = FeedModes(refusal=refusal)
    run(scene)
    caplog.clear()
    for _ in range(3):
        scene.calls.made.clear()
        scene.ado.edit(ITEM, **{ASSIGNED_TO: ANN})
        reconciled(scene)
        assert scene.calls.made[:2] == ["get_revisions", "find_work_items"]
        scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
        reconciled(scene)
        assert str(scene.sentry.get_issue(ISSUE).assignee) == str(scene.ado.item(ITEM).assignee)
    assert len([each for each in caplog.messages if "outcome=noted" in each]) <= 1
    problem = scene.services.progress.get(SLUG).problems["feed"]
    assert (problem.kind, problem.is_note) == (kind, True)
    answer = health.handle(func.HttpRequest("GET", "/", body=b""), scene.services)
    said = json.loads(answer.get_body())
    # No hook told of an edit here, which is all that is wrong.
    assert [each for each in said["problems"] if "no hook told" not in each] == []
    [note] = said["notes"]
    assert note.startswith(
        "all linked work items are looked at, as Azure DevOps does not tell what changed, for"
    )
    assert note.endswith(kind)
    assert scene.services.organizations.refusals() == {}
    # As soon as there is one, it is read again.
    scene.ado.feed_modes = FeedModes()
    reconciled(scene)
    scene.calls.made.clear()
    run(scene)
    assert (scene.calls.made, scene.services.progress.get(SLUG).problems) == (QUIET, {})


def test_a_token_that_is_answered_like_an_outage_is_given_up_after_three_runs(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.now += 3 * EVERY
    lose_token(scene, 500)
    compared = []
    for _ in range(3):
        compared.append(reconcile(scene.services, scene.organization).compared)
        deliver(scene)
    assert (compared, scene.status) == ([0, 0, 1], RESOLVED)
    found = reconcile(scene.services, scene.organization)
    assert (found.failures, scene.services.progress.get(SLUG).problems) == ((), {})


@pytest.mark.parametrize(
    "error",
    [Throttled("ado", "slower", retry_after=600.0), Forbidden("ado", "HTTP 403", about="an item")],
)
def test_a_service_that_only_is_not_to_be_asked_keeps_its_token(scene: Scene, error: SyncError) -> None:
    before = scene.services.progress.get(SLUG).feed
    for _ in range(4):
        scene.calls.meet("get_revisions", error)
        run(scene)
    assert scene.services.progress.get(SLUG).feed == before


def test_an_outage_costs_no_change(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_revisions", *[Unavailable("ado", "HTTP 500")] * 10)
    scene.calls.meet("find_work_items", *[Unavailable("ado", "HTTP 500")] * 10)
    for _ in range(5):
        reconciled(scene)
    assert scene.status is UNRESOLVED
    scene.calls.recover()
    reconciled(scene)
    assert scene.status is RESOLVED


def never_end(scene: Scene, tokens: Iterator[str], seconds: float = 0.0) -> None:
    """Let each page be empty, name the next token, and say that it is not the last one."""

    def get_revisions(token: str | None, *, since: float | None = None) -> RevisionPage:
        scene.now += seconds
        return RevisionPage((), frozenset(), frozenset(), next(tokens), is_last=False)

    scene.ado.get_revisions = get_revisions  # type: ignore[method-assign]  # for this scene


def numbered() -> Iterator[str]:
    return map(str, itertools.count())


@pytest.mark.parametrize(
    ("tokens", "seconds", "most"),
    [
        (itertools.repeat("same"), 0.0, 4),
        (itertools.cycle(["one", "other"]), 0.0, 6),
        (numbered(), 0.0, 1_001),
        (numbered(), 1.0, 60),
    ],
    ids=["same", "turning", "fresh", "slow"],
)
def test_a_feed_without_an_end_is_told_of_and_all_work_items_are_looked_at(
    scene: Scene, tokens: Iterator[str], seconds: float, most: int
) -> None:
    never_end(scene, tokens, seconds)
    for state, status in (("Closed", RESOLVED), ("New", UNRESOLVED), ("Closed", RESOLVED)):
        scene.ado.edit(ITEM, **{STATE: state})
        scene.calls.made.clear()
        found = reconcile(scene.services, scene.organization)
        assert scene.calls.made.count("get_revisions") <= most
        assert (found.failures, found.compared, "find_issues" in scene.calls.made) == ((), 1, True)
        problem = scene.services.progress.get(SLUG).problems["feed"]
        assert (problem.kind, problem.is_note) == ("feed-unreadable", True)
        deliver(scene)
        assert scene.status is status


def test_a_feed_with_much_to_tell_goes_on_in_each_run_and_leaves_the_issues_their_time(scene: Scene) -> None:
    scene.ado.revision_log.page_size = 1
    link_many(scene, 150)
    at_rest(scene)
    for number in range(1001, 1151):
        scene.ado.edit(number, **{STATE: "Closed"})
    slow_down(scene, 1.0)
    told = []
    for _ in range(4):
        began = scene.now
        found = reconcile(scene.services, scene.organization)
        assert (scene.now - began <= 60.0, notes(found), found.compared) == (True, [], 0)
        told.append(found.drifted)
    assert (sum(told), all(told[:2])) == (150, True)


def test_so_many_pages_are_read_in_a_run_and_the_next_one_goes_on(scene: Scene) -> None:
    scene.ado.revision_log.page_size = 1
    for number in range(5_000, 6_100):
        scene.ado.add_item("Not linked", number)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert reconcile(scene.services, scene.organization).drifted == 0
    assert scene.calls.made.count("get_revisions") == 1_000
    found = reconcile(scene.services, scene.organization)
    assert (found.drifted, notes(found), found.compared) == (1, [], 0)


def test_another_address_has_a_feed_of_its_own(scene: Scene) -> None:
    scene.configure(ado_url="https://ado.corp.example/Default/")
    found = reconcile(scene.services, scene.organization)
    assert (found.compared, scene.calls.made) == (1, ["get_revisions", "find_work_items", "find_issues"])
    # The same place in another spelling is no other place.
    scene.configure(ado_url="https://ado.corp.example/default/")
    assert reconcile(scene.services, scene.organization).compared == 0


# The full look.


def test_once_a_day_all_work_items_are_looked_at_again(scene: Scene) -> None:
    looks = []
    for _ in range(2 * 288 + 1):
        scene.calls.made.clear()
        run(scene)
        looks.append("find_work_items" in scene.calls.made)
        scene.now += EVERY
    assert sum(looks) == 2


def test_a_restored_backup_is_followed(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert scene.status is RESOLVED
    scene.ado.restore_backup(ITEM, 2)
    reconciled(scene)
    assert (scene.status, scene.row.seen.item.rev) == (UNRESOLVED, 2)


def test_a_restored_backup_that_no_token_tells_of_is_followed_within_a_day(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    del scene.ado._entries[ITEM].revisions[2:]
    scene.ado.revision_log = RevisionLog(lambda: scene.now)
    scene.ado.feed_modes = FeedModes(lost_token=200)
    scene.now += DAY
    reconciled(scene)
    assert (scene.status, scene.row.seen.item.rev) == (UNRESOLVED, 2)


def test_permissions_that_were_taken_away_are_found_within_a_day(scene: Scene) -> None:
    del scene.ado._entries[ITEM]
    scene.now += DAY
    reconciled(scene)
    assert scene.health.reason == "work-item-gone"


def test_an_item_that_cannot_be_read_is_neither_called_gone_nor_hides_another(scene: Scene) -> None:
    scene.link("200", 32)
    scene.watched_ado.unreadable = frozenset({ITEM})
    scene.ado.edit(32, **{STATE: "Closed"})
    scene.now += DAY
    reconciled(scene)
    assert scene.health == Health()
    assert scene.sentry.get_issue("200").status is RESOLVED


def slow_down(scene: Scene, seconds: float) -> None:
    def wait() -> None:
        scene.now += seconds

    scene.watched_ado.slow = wait


def test_a_look_that_takes_too_long_goes_on_where_it_stopped() -> None:
    scene = Scene()
    link_many(scene, 1_199)
    scene.now += DAY
    slow_down(scene, 25.0)
    compared = [reconcile(scene.services, scene.organization).compared for _ in range(5)]
    assert (sum(compared), compared[-1]) == (1_200, 0)
    assert all(compared[:2])


def test_a_look_that_is_half_done_when_the_token_is_lost_is_followed_by_another() -> None:
    scene = Scene()
    link_many(scene, 1_199)
    at_rest(scene)
    scene.now += DAY
    slow_down(scene, 40.0)
    assert 0 < reconcile(scene.services, scene.organization).compared < 1_000
    scene.ado.edit(ITEM, **{STATE: "Closed"})  # behind the back of the look
    scene.now += 3 * EVERY
    lose_token(scene)
    slow_down(scene, 1.0)
    found = reconcile(scene.services, scene.organization)
    assert found.compared > 1_200
    deliver(scene)
    assert scene.status is RESOLVED


def never_list(scene: Scene, error: Exception, *numbers: int) -> None:
    """Let each list that names one of these work items fail."""
    real, odd = scene.ado.find_work_items, set(numbers)

    def find_work_items(work_item_ids: list[int]):  # type: ignore[no-untyped-def]  # as in the double
        if odd & set(work_item_ids):
            raise error
        return real(work_item_ids)

    scene.ado.find_work_items = find_work_items  # type: ignore[method-assign, assignment]  # for this scene


AWAY = Unavailable("ado", "HTTP 500")


@pytest.mark.parametrize("odd", [[1001], [1100], [1199], [1020, 1170], [1198, 1199]])
@pytest.mark.parametrize(
    "error",
    [AWAY, Refused("ado", "HTTP 400"), Forbidden("ado", "HTTP 403"), Unauthorized("ado", "HTTP 403")],
)
def test_an_item_for_which_a_list_is_never_answered_hides_no_other(error: Exception, odd: list[int]) -> None:
    scene = Scene()
    link_many(scene, 199)
    at_rest(scene)
    scene.ado.feed_modes = FeedModes(refusal=403)
    never_list(scene, error, *odd)
    for number in range(1001, 1200):
        scene.ado.edit(number, **{STATE: "Closed"})
    found = reconcile(scene.services, scene.organization)
    assert (found.failures, found.compared) == ((), 200 - len(odd))
    # A worker asks for the one of which no list tells, and its link tells.
    asked = waiting_about_items(scene)
    assert sorted(each.work_item_id for each in asked) == list(range(1001, 1200))
    assert sorted(each.work_item_id for each in asked if each.snapshot is None) == odd
    scene.calls.made.clear()
    run(scene)
    assert waiting_about_items(scene) == []


@pytest.mark.parametrize("odd", [[ITEM, 1199], [ITEM, 1100], [1050, 1150], [ITEM, 1100, 1199]])
def test_items_for_which_no_list_is_answered_hide_the_others_from_no_second_run(odd: list[int]) -> None:
    # Of 200: whichever two are tried by themselves, odd ones may be among them.
    scene = Scene()
    link_many(scene, 199)
    at_rest(scene)
    scene.ado.feed_modes = FeedModes(refusal=403)
    never_list(scene, AWAY, *odd)
    others = sorted({ITEM, *range(1001, 1200)} - {*odd})
    for number in others:
        scene.ado.edit(number, **{STATE: "Closed"})
    asked: set[int] = set()
    for _ in range(2):
        run(scene)
        asked |= {each.work_item_id for each in waiting_about_items(scene)}
        scene.now += EVERY
    assert set(others) <= asked


def test_a_link_that_is_not_well_is_not_asked_about_for_what_no_list_tells() -> None:
    scene = Scene()
    link_many(scene, 9)
    at_rest(scene)
    ill = Health(HealthWord.ATTENTION, "unavailable", due=scene.now + DAY)
    scene.services.links.replace(scene.stored(), replace(scene.row, health=ill))
    scene.ado.feed_modes = FeedModes(refusal=403)
    never_list(scene, AWAY, ITEM)
    found = reconcile(scene.services, scene.organization)
    assert (found.failures, waiting_about_items(scene)) == ((), [])


def test_a_row_with_a_number_that_no_item_has_hides_no_other(scene: Scene) -> None:
    never_list(scene, Refused("ado", "HTTP 400"), 10**12)
    odd = IssueLink(SLUG, "777", 10**12, scene.row.project_id, "Bug", scene.row.seen)
    scene.services.links.add(odd)
    scene.ado.feed_modes = FeedModes(refusal=403)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert scene.status is RESOLVED


@pytest.mark.parametrize(
    ("error", "calls"), [(AWAY, 3), (Throttled("ado", "slower", retry_after=600.0), 1), (ValueError(), 1)]
)
def test_where_no_list_is_answered_none_is_halved(error: Exception, calls: int) -> None:
    scene = Scene()
    link_many(scene, 499)
    scene.now += DAY
    scene.calls.meet("find_work_items", *[error] * 100)
    assert [each.part for each in reconcile(scene.services, scene.organization).failures] == [Part.LOOK]
    assert scene.calls.made.count("find_work_items") == calls


def test_while_azure_devops_does_not_say_who_it_is_no_list_is_halved() -> None:
    scene = Scene()
    link_many(scene, 499)
    scene.now += DAY
    scene.calls.meet("find_work_items", AWAY)
    scene.calls.meet("instance_id", *[AWAY] * 10)
    assert reconcile(scene.services, scene.organization).compared == 0
    assert scene.calls.made.count("find_work_items") == 1


def test_lists_that_are_never_answered_hide_no_other_after_three_runs() -> None:
    scene = Scene()
    link_many(scene, 999)
    scene.now += DAY
    never_list(scene, AWAY, *range(1200, 1400))
    runs = []
    for _ in range(4):
        scene.calls.made.clear()
        runs.append(reconcile(scene.services, scene.organization))
        assert scene.calls.made.count("find_work_items") <= 70
    assert [bool(each.failures) for each in runs] == [True, True, True, False]
    assert [each.compared for each in runs] == [200, 0, 600, 0]


def test_a_look_that_is_halved_ends_with_its_time() -> None:
    scene = Scene()
    link_many(scene, 199)
    scene.now += DAY
    never_list(scene, AWAY, 1100)
    slow_down(scene, 20.0)
    for _ in range(3):
        scene.calls.made.clear()
        assert reconcile(scene.services, scene.organization).failures
        assert scene.calls.made.count("find_work_items") <= 5
    look = scene.services.progress.get(SLUG).look
    assert (look and look.after) is not None


def test_what_is_due_is_taken_up_though_nothing_can_be_looked_at(scene: Scene) -> None:
    due = Health(HealthWord.ATTENTION, "unauthorized", due=scene.now)
    scene.services.links.replace(scene.stored(), replace(scene.row, health=due))
    scene.calls.meet("get_revisions", Unavailable("ado", "HTTP 500"))
    assert reconcile(scene.services, scene.organization).drifted == 1
    deliver(scene)
    assert scene.health == Health()
