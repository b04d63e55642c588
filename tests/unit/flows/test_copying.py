"""Copying one side over: what it overrides, what it leaves, and what a list of links costs."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import Busy, NotFound, Refused, Unauthorized, Unavailable
from shared.domain.model import Claim, IssueStatus, Person, SentryIssue, Side
from shared.domain.rules.apart import Sides, sides
from shared.domain.rules.listing import Filter
from shared.flows.copying import copy_all, copy_one
from shared.flows.linking import link
from tests.unit.scene import ANN, BOB, CAROL, ISSUE, ITEM, STATE, Scene

ASSIGNED_TO = "System.AssignedTo"
ALL_OFF = {
    "sync_status_forward": False,
    "sync_status_reverse": False,
    "sync_forward_assignment": False,
    "sync_reverse_assignment": False,
}


@pytest.fixture
def scene() -> Scene:
    return Scene()


def copy(scene: Scene, side: Side, issue_id: str = ISSUE, item: int = ITEM) -> str:
    return copy_one(scene.services, scene.organization, issue_id, item, side)


def stands(scene: Scene) -> tuple[str, str, object, object]:
    issue, item = scene.sentry.get_issue(ISSUE), scene.ado.item(ITEM)
    return str(issue.status), item.state, issue.assignee, item.assignee


@pytest.mark.parametrize("switches", [{}, ALL_OFF, {"issue_sync": False}])
@pytest.mark.parametrize("side", Side)
def test_both_fields_are_copied_whatever_is_switched_off(
    scene: Scene, side: Side, switches: dict[str, bool]
) -> None:
    scene.configure(issue_sync=False)
    scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: ANN})
    scene.sentry.assign(ISSUE, BOB)
    scene.inbound()
    scene.outbound()
    scene.configure(**{"issue_sync": True, **switches})
    scene.now += 60.0
    assert copy(scene, side) == "applied"
    expected = ("resolved", "Closed", Person(ANN), Person(ANN))
    if side is Side.SENTRY:
        expected = ("unresolved", "New", Person(BOB), Person(BOB))
    assert stands(scene) == expected
    assert sides(scene.row, scene.organization.configuration) is Sides.AGREE
    assert {(each.outcome, each.reason, each.told_by) for each in scene.entries()[:2]} == {
        ("applied", "copied", None)
    }
    # It is over with that: nothing goes back, and nothing is written once more.
    scene.calls.made.clear()
    assert copy(scene, side) == "agreed"
    assert not {"update_work_item", "set_status", "set_assignee"} & set(scene.calls.made)


def test_sides_that_agree_stay_as_they_are_and_tell_nothing(scene: Scene) -> None:
    assert copy(scene, Side.ADO) == "agreed"
    assert scene.outcomes() == []


@pytest.mark.parametrize(
    ("side", "ends"), [(Side.ADO, ("unresolved", "New")), (Side.SENTRY, ("ignored", "New"))]
)
def test_archived_is_overwritten_and_has_nothing_to_be_copied_as(
    scene: Scene, side: Side, ends: tuple[str, str]
) -> None:
    scene.sentry.archive(ISSUE)
    scene.outbound()
    assert copy(scene, side) == ("applied" if side is Side.ADO else "skipped")
    assert stands(scene)[:2] == ends


def test_an_issue_that_was_archived_since_it_was_seen(scene: Scene) -> None:
    scene.sentry.archive(ISSUE)  # and no hook has told
    assert copy(scene, Side.SENTRY) == "skipped"
    assert scene.row.apart["status"] == "archived"


def test_a_removed_work_item_is_not_written_to(scene: Scene) -> None:
    scene.ado.add_item("Fix login", 60, kind="Task")
    scene.link(ISSUE, 60)
    scene.ado.edit(60, **{STATE: "Removed"})
    scene.sentry.resolve(ISSUE)
    assert copy(scene, Side.SENTRY, ISSUE, 60) == "skipped"
    assert scene.ado.item(60).state == "Removed"


def test_whoever_copies_has_decided_what_other_partners_would_have(scene: Scene) -> None:
    scene.link("101", ITEM)
    scene.ado.edit(ITEM, **{STATE: "New"})
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    assert scene.row.apart == {"status": "waits-for-others"}
    assert copy(scene, Side.SENTRY) == "applied"
    assert scene.state == "Closed"
    assert scene.sentry.get_issue("101").status is IssueStatus.UNRESOLVED


def test_somebody_who_is_not_known_is_told_and_the_status_goes(scene: Scene) -> None:
    scene.configure(issue_sync=False)
    scene.ado.edit(ITEM, **{STATE: "Closed", ASSIGNED_TO: CAROL})
    scene.inbound()
    scene.configure(issue_sync=True)
    assert copy(scene, Side.ADO) == "refused"
    assert (scene.status, scene.health.reason) == (IssueStatus.RESOLVED, "assignee-not-found")


def test_a_change_on_the_other_side_meanwhile_does_not_win(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)  # no hook has told
    assert copy(scene, Side.ADO) == "applied"
    assert stands(scene)[:2] == ("unresolved", "New")


def test_a_lost_race_copies_all_the_same(scene: Scene) -> None:
    scene.configure(issue_sync=False)
    scene.sentry.resolve(ISSUE)
    scene.outbound()
    edits = iter([{"System.Title": "Words"}])
    real = scene.watched_ado.update_work_item

    def overtaken(work_item_id: int, rev: int, **wanted: object) -> object:
        for edit in edits:
            scene.ado.edit(ITEM, **edit)
        return real(work_item_id, rev, **wanted)  # type: ignore[arg-type]  # what was given goes on

    scene.watched_ado.update_work_item = overtaken  # type: ignore[method-assign,assignment]
    assert copy(scene, Side.SENTRY) == "applied"
    assert scene.state == "Closed"


def test_a_worker_that_holds_the_link_is_waited_for(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    stored = scene.stored()
    claim = Claim("another", scene.now + 3.0, 1, (), stored.link.seen)
    scene.services.links.replace(stored, replace(stored.link, claim=claim))
    assert copy(scene, Side.SENTRY) == "applied"
    assert 3.0 <= scene.now - 1_800_000_000.0 <= 5.0


def test_a_worker_that_holds_it_for_longer_is_named(scene: Scene) -> None:
    stored = scene.stored()
    claim = Claim("another", scene.now + 60.0, 1, (), stored.link.seen)
    scene.services.links.replace(stored, replace(stored.link, claim=claim))
    with pytest.raises(Busy):
        copy(scene, Side.SENTRY)
    assert scene.now - 1_800_000_000.0 == 5.0


def test_what_is_not_linked_cannot_be_copied(scene: Scene) -> None:
    with pytest.raises(NotFound):
        copy(scene, Side.ADO, "100", 99)


# Many.


@pytest.fixture
def many(scene: Scene) -> Scene:
    """Five links whose work items were closed before they were linked."""
    for number in range(201, 206):
        scene.ado.add_item("Fix login", number)
        scene.ado.edit(number, **{STATE: "Closed"})
        scene.sentry.add_issue(issue_id=str(number))
        link(scene.services, scene.organization, str(number), number, None)
    return scene


APART = Filter(sides=Sides.APART)


def test_all_that_match_are_copied_and_the_rest_is_left(many: Scene) -> None:
    page = copy_all(many.services, many.organization, APART, None, Side.ADO)
    assert [(each.issue_id, each.outcome) for each in page.links] == [
        (str(number), "applied") for number in range(201, 206)
    ]
    assert (page.continuation, page.remaining) == (None, False)
    assert copy_all(many.services, many.organization, APART, None, Side.ADO).links == ()


def test_what_is_wrong_with_one_stops_no_other(many: Scene) -> None:
    many.sentry.delete("203")
    page = copy_all(many.services, many.organization, APART, None, Side.ADO)
    assert [each.outcome for each in page.links] == [
        "applied",
        "applied",
        "issue-not-found",
        "applied",
        "applied",
    ]


def test_a_service_that_refuses_us_stops_it_where_it_goes_on(many: Scene) -> None:
    many.calls.meet("set_status", Refused("sentry", "400"))
    many.calls.meet("get_work_item", Unauthorized("ado", "401"))
    page = copy_all(many.services, many.organization, APART, None, Side.ADO)
    assert ([each.outcome for each in page.links], page.remaining) == (["unauthorized"], True)
    again = copy_all(many.services, many.organization, APART, page.continuation, Side.ADO)
    assert {each.outcome for each in again.links} <= {"applied", "refused"}
    assert not again.remaining


@pytest.mark.parametrize("odd", [{"201"}, {"205"}, {"202", "203"}, {"201", "202", "203", "204"}])
def test_an_answer_that_nobody_can_read_stops_no_other(
    many: Scene, odd: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = many.watched_sentry.get_issue

    def get_issue(issue_id: str) -> SentryIssue:
        if issue_id in odd:
            raise Unavailable("sentry", "the answer cannot be read")
        return real(issue_id)

    monkeypatch.setattr(many.watched_sentry, "get_issue", get_issue)
    page = copy_all(many.services, many.organization, APART, None, Side.ADO)
    assert {each.issue_id: each.outcome for each in page.links} == {
        str(number): "unavailable" if str(number) in odd else "applied" for number in range(201, 206)
    }
    assert not page.remaining


def test_a_service_that_is_away_stops_it_where_it_goes_on(many: Scene) -> None:
    away = Unavailable("sentry", "503")
    many.calls.meet("get_issue", away)
    many.calls.meet("organization_id", away)
    page = copy_all(many.services, many.organization, Filter(), None, Side.ADO)
    assert ([each.outcome for each in page.links], page.remaining) == (["unavailable"], True)
    again = copy_all(many.services, many.organization, Filter(), page.continuation, Side.ADO)
    assert [each.outcome for each in again.links] == ["agreed", *["applied"] * 5]


def test_a_request_ends_after_a_minute_and_the_next_one_goes_on(many: Scene) -> None:
    def slow() -> None:
        many.now += 40.0

    many.watched_ado.slow = slow
    done: list[str] = []
    continuation = None
    for _ in range(10):
        page = copy_all(many.services, many.organization, APART, continuation, Side.ADO)
        done += [each.issue_id for each in page.links]
        continuation = page.continuation
        if not page.remaining:
            break
    assert done == [str(number) for number in range(201, 206)]


@pytest.mark.parametrize("wanted", [Filter(work_item_id=ITEM), Filter(issue_id=ISSUE)])
def test_a_request_about_all_links_of_one_end_goes_on_behind_the_last(scene: Scene, wanted: Filter) -> None:
    for number in range(201, 206):
        scene.link(ISSUE, number)
        scene.link(str(number), ITEM)

    def slow() -> None:
        scene.now += 40.0

    scene.watched_ado.slow = slow
    done: list[tuple[str, int]] = []
    continuation = None
    for _ in range(10):
        page = copy_all(scene.services, scene.organization, wanted, continuation, Side.ADO)
        done += [(each.issue_id, each.work_item_id) for each in page.links]
        continuation = page.continuation
        if not page.remaining:
            break
    assert not page.remaining
    others = range(201, 206)
    if wanted.issue_id is None:
        assert done == [(ISSUE, ITEM), *((str(each), ITEM) for each in others)]
    else:
        assert done == [(ISSUE, ITEM), *((ISSUE, each) for each in others)]


def test_a_service_that_refuses_us_stops_the_copy_of_one_end_where_it_goes_on(scene: Scene) -> None:
    for number in range(201, 204):
        scene.link(str(number), ITEM)
    wanted = Filter(work_item_id=ITEM)
    refusal = Unauthorized("sentry", "401")
    scene.calls.after("get_issue", lambda: scene.calls.meet("get_issue", refusal))
    page = copy_all(scene.services, scene.organization, wanted, None, Side.ADO)
    assert [each.outcome for each in page.links] == ["agreed", "unauthorized"]
    again = copy_all(scene.services, scene.organization, wanted, page.continuation, Side.ADO)
    assert [each.issue_id for each in again.links] == ["201", "202", "203"]
