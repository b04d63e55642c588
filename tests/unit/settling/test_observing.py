"""Observing a link: what an observation takes over, and what becomes of a claim left behind."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import Throttled, Unavailable, Upstream
from shared.domain.model import (
    ASSIGNEE,
    NOT_SEEN,
    STATUS,
    Claim,
    Ends,
    Health,
    HealthWord,
    Intent,
    IssueStatus,
    Person,
    Side,
    WorkItem,
)
from shared.domain.rules.landing import with_intent
from shared.settling.observing import UnitOfWork, is_newer
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, ISSUE, ITEM, STATE, Scene

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
