"""Ten thousand links without hooks, a hundred thousand at rest, and runs that are killed on the way."""

import random
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from msgspec.structs import replace

from shared.domain.messages import Message
from shared.domain.model import Ends, IssueLink, IssueSide, IssueStatus, ItemSide, Person
from shared.flows.reconciling import Found, reconcile
from shared.store.tables import Operation, Row
from tests.doubles.queues import MemoryQueue
from tests.doubles.tables import MemoryTable
from tests.unit.rounds import DAY, EVERY, at_rest, deliver, link_many, reconciled, run
from tests.unit.scene import ANN, ASSIGNED_TO, BOB, ITEM, SLUG, STATE, Calls, Died, Scene

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED

# Everything that nobody announces.


def test_a_hundred_edits_on_each_side_of_ten_thousand_links_are_carried_over_by_one_run() -> None:
    scene, chance = Scene(), random.Random(7)
    link_many(scene, 10_000)
    scene.now += DAY
    reconciled(scene)
    prepare(scene)
    numbers = chance.sample(range(1001, 11_001), 200)
    for_sentry, for_ado = numbers[:100], numbers[100:]
    for place, number in enumerate(for_ado):
        edit_item(scene, number, place % 5)
    for place, number in enumerate(for_sentry):
        edit_issue(scene, number, place % 5)
    scene.calls.made.clear()
    run(scene)
    # What the run itself asks: the feed, the names of the projects, and a hundred issues in a call.
    assert scene.calls.made[:2] == ["get_revisions", "find_project_ids"]
    assert scene.calls.made[2:] == ["find_issues"] * 101
    deliver(scene)
    for place, number in enumerate(for_ado):
        assert_carried_to_sentry(scene, number, place % 5)
    for place, number in enumerate(for_sentry):
        assert_carried_to_ado(scene, number, place % 5)
    assert all(stored.link.claim is None for stored in scene.services.links.all(SLUG))


def prepare(scene: Scene) -> None:
    """Let there be something to unassign and to un-archive on every side."""
    for number in range(1001, 11_001):
        issue_id = str(number)
        scene.sentry._issues[issue_id] = replace(scene.sentry._issues[issue_id], assignee=Person(ANN))
        entry = scene.ado._entries[number]
        entry.revisions[-1] = type(entry.revisions[-1])(replace(entry.item, assignee=Person(ANN)), ANN)
        stored = scene.stored(issue_id, number)
        seen = Ends(
            replace(stored.link.seen.issue, assignee=Person(ANN)),
            replace(stored.link.seen.item, assignee=Person(ANN)),
        )
        scene.services.links.replace(stored, replace(stored.link, seen=seen))


def edit_item(scene: Scene, number: int, kind: int) -> None:
    match kind:
        case 0:
            scene.ado.edit(number, **{STATE: "Closed"})
        case 1:
            scene.ado.edit(number, **{ASSIGNED_TO: ""})
        case 2:
            scene.ado.edit(number, **{ASSIGNED_TO: BOB})
        case 3:
            scene.ado.move(number, "Tailored")
        case _:
            scene.ado.delete(number)


def assert_carried_to_sentry(scene: Scene, number: int, kind: int) -> None:
    issue, row = scene.sentry.get_issue(str(number)), scene.stored(str(number), number).link
    match kind:
        case 0:
            assert issue.status is RESOLVED
        case 1:
            assert issue.assignee is None
        case 2:
            assert issue.assignee == Person(BOB)
        case 3:
            assert row.project_id == scene.ado.item(number).project_id
        case _:
            assert row.health.reason == "work-item-gone"


def edit_issue(scene: Scene, number: int, kind: int) -> None:
    issue_id = str(number)
    match kind:
        case 0:
            scene.sentry.unassign(issue_id)
        case 1:
            # Archived, and closed on the other side meanwhile, which changes nothing until it is un-archived.
            scene.sentry.archive(issue_id)
            stored = scene.stored(issue_id, number)
            item = scene.ado.edit(number, **{STATE: "Closed"})
            seen = Ends(
                IssueSide(IssueStatus.IGNORED, Person(ANN)),
                ItemSide(item.rev, "Closed", RESOLVED, Person(ANN)),
            )
            scene.services.links.replace(stored, replace(stored.link, seen=seen, open_state="New"))
            scene.sentry.unarchive(issue_id)
        case 2:
            scene.sentry.assign(issue_id, BOB)
        case 3:
            scene.sentry.add_issue(issue_id=f"9{issue_id}")
            scene.sentry.merge(issue_id, into=f"9{issue_id}")
        case _:
            scene.sentry.delete(issue_id)


def assert_carried_to_ado(scene: Scene, number: int, kind: int) -> None:
    item = scene.ado.item(number)
    match kind:
        case 0:
            assert item.assignee is None
        case 1:
            assert item.state == "New"
        case 2:
            assert item.assignee == Person(BOB)
        case 3:
            assert [each.link.issue_id for each in scene.services.links.for_work_item(SLUG, number)] == [
                f"9{number}"
            ]
        case _:
            assert scene.stored(str(number), number).link.health.reason == "issue-gone"


# At rest.


def link_at_rest(scene: Scene, count: int) -> None:
    """Add as many links, and their issues, all of them as they were seen.

    Written into the table one by one, so many links would take longer than what is tried with them.
    """
    table = scene.services._named["links"]
    assert isinstance(table, MemoryTable)
    seen = Ends(IssueSide(UNRESOLVED), ItemSide(1, "New", UNRESOLVED))
    project_id = scene.ado.item(ITEM).project_id
    for number in range(1001, 1001 + count):
        scene.sentry.add_issue(issue_id=str(number))
        link = IssueLink(SLUG, str(number), number, project_id, "Bug", seen)
        key = f"item!{number:016d}!{number}"
        table._rows[SLUG][key] = Row(key, msgspec.json.encode(link).decode(), key)
    table._keys[SLUG] = sorted(table._rows[SLUG])
    progress = scene.services.progress.get(SLUG)
    scene.services.progress.put(SLUG, replace(progress, look_due=scene.now + DAY))


@pytest.mark.long
def test_a_hundred_thousand_links_at_rest_cost_one_call_and_no_more_memory_than_a_hundred() -> None:
    peaks = []
    for links in (99, 99_999):
        scene = Scene()
        scene.now += DAY
        reconciled(scene)
        link_at_rest(scene, links)
        scene.calls.made.clear()
        tracemalloc.start()
        found = reconcile(scene.services, scene.organization, run_for=200.0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert found == Found(looked_at=links + 1)
        assert scene.calls.made.count("get_revisions") == 1
        assert scene.calls.made.count("find_issues") == min(-(-(links + 1) // 100), 120)
        assert len(scene.calls.made) == 1 + scene.calls.made.count("find_issues")
        assert len(scene.services.inbound) == len(scene.services.outbound) == 0
    few, many = peaks
    assert many < 1.2 * few, peaks


# Killed on the way.


class Steps:
    """Counts what a run does outside itself, and dies before or after one of these steps."""

    def __init__(self) -> None:
        self.taken = 0
        self.last: int | None = None

    def take(self) -> bool:
        """Take a step; return whether to die behind it."""
        self.taken += 1
        if self.last is not None and self.taken == self.last // 2 + 1:
            if self.last % 2 == 0:
                raise Died
            return True
        return False


class SteppingCalls(Calls):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        dies = self._steps.take()
        with super().one(name):
            yield
        if dies:
            raise Died


class SteppingTable(MemoryTable):
    def __init__(self, steps: Steps) -> None:
        super().__init__()
        self._steps = steps

    def get(self, partition: str, key: str) -> Row:
        row = super().get(partition, key)
        if self._steps.take():
            raise Died
        return row

    def scan(self, partition: str, start: str, end: str, *, page_size: int = 1000) -> Iterator[Row]:
        if self._steps.take():
            raise Died
        return super().scan(partition, start, end, page_size=page_size)

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        dies = self._steps.take()
        etags = super().apply(partition, *operations)
        if dies:
            raise Died
        return etags


class SteppingQueue(MemoryQueue):
    def __init__(self, scene: Scene, steps: Steps) -> None:
        super().__init__(lambda: scene.now)
        self._steps = steps

    def put(self, message: Message, *, delay: float = 0.0) -> None:
        dies = self._steps.take()
        super().put(message, delay=delay)
        if dies:
            raise Died


def stepping_scene(later: float) -> tuple[Scene, Steps]:
    """Return a scene in which each step of a run counts, and in which there is much to find.

    A day later everything is looked at; until then, only what changed.
    """
    steps = Steps()
    scene = Scene(calls=SteppingCalls(steps))
    for name in ("organizations", "links", "activity"):
        old, table = scene.services._named[name], SteppingTable(steps)
        assert isinstance(old, MemoryTable)
        table._rows, table._keys, table._versions = old._rows, old._keys, old._versions
        scene.services._named[name] = table
    for store in ("links", "organizations", "progress", "activity", "idempotency", "forbidden", "scopes"):
        scene.services.__dict__.pop(store, None)
    scene.services.__dict__["inbound"] = SteppingQueue(scene, steps)
    scene.services.__dict__["outbound"] = SteppingQueue(scene, steps)
    for number in range(32, 37):
        scene.link(str(number), number)
    at_rest(scene)
    scene.now += later
    scene.ado.edit(31, **{STATE: "Closed"})
    scene.ado.edit(32, **{ASSIGNED_TO: ANN})
    scene.ado.delete(33)
    scene.sentry.resolve("34")
    scene.sentry.add_issue(issue_id="200")
    scene.sentry.merge("35", into="200")
    scene.sentry.delete("36")
    return scene, steps


def outcome(scene: Scene) -> object:
    rows = sorted(
        (each.link.work_item_id, each.link.issue_id, each.link.health.reason)
        for each in scene.services.links.all(SLUG)
    )
    writes = [each for each in scene.calls.made if each.startswith(("set_", "update_"))]
    return (
        rows,
        scene.status,
        scene.sentry.get_issue("32").assignee,
        scene.ado.item(34).state,
        sorted(writes),
        len(scene.services.inbound) + len(scene.services.outbound),
    )


@pytest.mark.parametrize("later", [EVERY, DAY])
def test_a_run_that_is_killed_between_any_two_of_its_steps_does_no_harm(later: float) -> None:
    scene, steps = stepping_scene(later)
    steps.taken = 0
    run(scene)
    count = steps.taken
    deliver(scene)
    expected = outcome(scene)
    assert count > 20
    for last in range(2 * count):
        scene, steps = stepping_scene(later)
        steps.taken, steps.last = 0, last
        with pytest.raises(Died):
            run(scene)
        steps.last = None
        reconciled(scene)
        assert outcome(scene) == expected, last
        scene.calls.made.clear()
        reconciled(scene)
        assert set(scene.calls.made) <= {"get_revisions", "find_issues"}, last


def test_two_runs_whose_steps_alternate_do_no_harm() -> None:
    scene, _ = stepping_scene(DAY)
    expected_scene, _ = stepping_scene(DAY)
    reconciled(expected_scene)
    # The second run begins and ends inside the first one, at its first message.
    queue = scene.services.outbound
    real, began = queue.put, list[bool]()

    def put(message: Message, *, delay: float = 0.0) -> None:
        if not began:
            began.append(True)
            run(scene)
        real(message, delay=delay)

    queue.put = put  # type: ignore[method-assign]  # for this scene
    run(scene)
    deliver(scene)
    assert outcome(scene) == outcome(expected_scene)
