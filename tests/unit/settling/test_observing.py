"""Observing a link: what an observation takes over, and what becomes of a claim left behind."""

import pytest
from msgspec.structs import replace

from shared.domain.model import ASSIGNEE, STATUS, Claim, Intent, IssueStatus, Person, Side, WorkItem
from shared.domain.rules.landing import with_intent
from shared.settling.observing import UnitOfWork
from tests.unit.scene import ANN, ISSUE, ITEM, STATE, Scene

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


@pytest.mark.parametrize(("late", "rev"), [(True, 2), (False, 1)])
def test_an_answer_is_behind_a_row_that_was_read_after_it(scene: Scene, late: bool, rev: int) -> None:
    """Another worker has settled the link at rev 2, between our look at rev 1 and our reading of its row."""
    early = scene.ado.item(ITEM)
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Active"}))
    unit = UnitOfWork("t", doubted={ITEM}, rows_come_late=late)
    unit.item_answered(early, scene.now)
    observer = scene.services.settler(scene.organization).observer
    assert observer.observe(scene.row, unit).now.item.rev == rev
