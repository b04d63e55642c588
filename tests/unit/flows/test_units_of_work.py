"""A message about many links: it ends in time, asks a silent service once, and comes back for the rest."""

import itertools
from collections.abc import Iterator

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import inbound_sync
from shared.domain.configuration import DoneWhen
from shared.domain.errors import Busy, NotFound, Refused, SyncError, Throttled, Unauthorized, Unavailable
from shared.domain.messages import MOST_NAMED, InboundMessage, OutboundMessage, decode_inbound, parts_of
from shared.domain.model import (
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    SentryIssue,
    WorkItem,
)
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.settling.observing import UnitOfWork
from shared.store.tables import Operation, Row
from tests.doubles.tables import MemoryTable
from tests.unit.scene import ASSIGNED_TO, BOB, ISSUE, ITEM, SLUG, STATE, Scene
from tests.unit.workers import EVERY, Workers

TIME_OUT = 13.0  # seconds: three to connect, ten of silence
FUNCTION_TIMEOUT = 300.0  # seconds; host.json
RESOLVED = IssueStatus.RESOLVED
AWAY = Unavailable("sentry", "ReadTimeout")


class Counted(MemoryTable):
    """A table that counts what it is asked, each at the price that Azure's has."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene
        self.reads = self.writes = 0

    def get(self, partition: str, key: str) -> Row:
        self.reads += 1
        self._scene.now += 0.008
        return super().get(partition, key)

    def scan(self, partition: str, start: str, end: str, *, page_size: int = 1000) -> Iterator[Row]:
        for place, row in enumerate(super().scan(partition, start, end, page_size=page_size)):
            if place % page_size == 0:
                self.reads += 1
                self._scene.now += 0.02
            yield row

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self.writes += 1
        self._scene.now += 0.008
        return super().apply(partition, *operations)


class SlowSentry:
    """Takes its time for each look at an issue, and answers some with an error."""

    def __init__(self, scene: Scene, seconds: float) -> None:
        self.seconds, self.calls = seconds, list[str]()
        self.errors: dict[str, SyncError] = {}
        self.every: SyncError | None = None
        self._scene, self._client = scene, scene.services._sentry
        self._real = self._client.get_issue
        self._client.get_issue = self._get_issue  # type: ignore[method-assign]  # for this scene

    def _get_issue(self, issue_id: str) -> SentryIssue:
        self.calls.append(issue_id)
        self._scene.now += self.seconds
        if error := self.every or self.errors.get(issue_id):
            raise error
        return self._real(issue_id)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def tables(scene: Scene) -> dict[str, Counted]:
    """The tables of links and activity, counting; the scene's own link is not among them."""
    tables = {name: Counted(scene) for name in ("links", "activity")}
    scene.services._named.update(tables)
    for store in ("links", "activity", "idempotency"):
        scene.services.__dict__.pop(store, None)
    return tables


def operations(tables: dict[str, Counted]) -> tuple[int, int]:
    """Return how much was read and written since the last time."""
    counted = sum(each.reads for each in tables.values()), sum(each.writes for each in tables.values())
    for each in tables.values():
        each.reads = each.writes = 0
    return counted


def issues_at_one_item(scene: Scene, count: int) -> list[str]:
    item = scene.ado.item(ITEM)
    seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(item.rev, item.state, IssueStatus.UNRESOLVED))
    names = [str(number) for number in range(1001, 1001 + count)]
    for name in names:
        scene.sentry.add_issue(issue_id=name)
        scene.services.links.add(IssueLink(SLUG, name, ITEM, item.project_id, "Bug", seen))
    return names


def items_at_one_issue(scene: Scene, count: int) -> list[int]:
    numbers = list(range(1001, 1001 + count))
    for number in numbers:
        item = scene.ado.add_item("Fix login", number)
        seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, item.state, IssueStatus.UNRESOLVED))
        scene.services.links.add(IssueLink(SLUG, ISSUE, number, item.project_id, "Bug", seen))
    return numbers


def put(scene: Scene, item: WorkItem) -> None:
    scene.services.inbound.put(InboundMessage(SLUG, item.id, item.rev, snapshot=item))


def resolved(scene: Scene, names: list[str]) -> int:
    return sum(scene.sentry.get_issue(name).status is RESOLVED for name in names)


# A silent service.


def test_a_thousand_issues_under_a_silent_sentry_cost_one_time_out_and_a_write_each(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    issues_at_one_item(scene, 1000)
    sentry = SlowSentry(scene, TIME_OUT)
    sentry.every = AWAY
    operations(tables)
    item, began = scene.ado.edit(ITEM, **{STATE: "Closed"}), scene.now
    with pytest.raises(Unavailable):
        scene.inbound(item)
    assert len(sentry.calls) == 1
    reads, writes = operations(tables)
    assert reads <= 10
    assert writes <= 1000 + 5
    assert scene.now - began < FUNCTION_TIMEOUT / 3
    healths = [each.link.health for each in scene.services.links.all(SLUG)]
    assert {(each.word, each.reason, each.rev) for each in healths} == {
        (HealthWord.PENDING, "unavailable", item.rev)
    }
    assert sum(each.attempts for each in healths) == 1
    operations(tables)
    for _ in range(4):  # the queue's other tries
        scene.now += 30.0
        with pytest.raises(Unavailable):
            scene.inbound(item)
    reads, writes = operations(tables)
    assert (reads <= 40, writes <= 20) == (True, True)


def test_a_thousand_issues_come_through_once_sentry_speaks_again(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    names = issues_at_one_item(scene, 1000)
    sentry, workers = SlowSentry(scene, TIME_OUT), Workers(scene)
    sentry.every = AWAY
    put(scene, scene.ado.edit(ITEM, **{STATE: "Closed"}))
    workers.live(3600.0)
    assert workers.longest < FUNCTION_TIMEOUT / 2
    # The message was tried five times; since then, it is the steps of the back-off.
    assert len(workers.poison) == 1
    assert len(sentry.calls) < 20 + workers.handled
    sentry.every, sentry.seconds = None, 0.1
    workers.live(3600.0 + EVERY)
    assert resolved(scene, names) == 1000
    assert {each.link.health for each in scene.services.links.all(SLUG)} == {Health()}
    assert workers.longest < FUNCTION_TIMEOUT / 2


def test_one_issue_at_which_sentry_hangs_does_not_starve_the_others(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    names = issues_at_one_item(scene, 40)
    sentry, workers = SlowSentry(scene, 0.1), Workers(scene)
    sentry.errors = {names[0]: AWAY, names[20]: AWAY}
    put(scene, scene.ado.edit(ITEM, **{STATE: "Closed"}))
    workers.live(900.0)
    assert resolved(scene, names) == 38


def test_issues_that_cannot_be_read_keep_the_others_from_no_turn(scene: Scene) -> None:
    """Whichever of the two fails, what is well is settled before the other one is tried."""
    names = issues_at_one_item(scene, 4)
    sentry = SlowSentry(scene, 0.1)
    sentry.errors = {names[1]: AWAY, names[2]: AWAY}
    for state in ("Closed", "Active") * 5:
        scene.now += 3600.0
        before = [scene.stored(name).link.health for name in names]
        with pytest.raises(Unavailable):
            scene.inbound(scene.ado.edit(ITEM, **{STATE: state}))
        if all(each.attempts for each in before[1:3]):
            assert [scene.stored(name).link.health for name in (names[0], names[3])] == [Health(), Health()]
    asked = [sentry.calls.count(name) for name in names[1:3]]
    assert min(asked) >= 4


@pytest.mark.parametrize(
    "error",
    [AWAY, Throttled("sentry", "429", retry_after=10.0), Unauthorized("sentry", "401")],
    ids=lambda error: error.kind,
)
def test_a_service_that_gave_no_usable_answer_is_not_asked_again(scene: Scene, error: SyncError) -> None:
    for name in ("200", "300"):
        scene.link(name)
    scene.calls.meet("get_issue", error)
    with pytest.raises(type(error)):
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert scene.calls.made == ["get_issue"]
    healths = [scene.stored(name).link.health for name in (ISSUE, "200", "300")]
    assert {each.reason for each in healths} == {error.kind}
    assert [each.attempts for each in healths] == [1, 0, 0]
    # Whom nobody asked about has nothing to tell but what its health says.
    assert [scene.outcomes(name) for name in (ISSUE, "200", "300")] == [["failed"], [], []]


def test_a_write_that_is_not_answered_is_announced_for_one_link_only(scene: Scene) -> None:
    for number in (32, 33):
        scene.link(ISSUE, number)
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"))
    with pytest.raises(Unavailable):
        scene.outbound()
    assert scene.calls.made == ["get_issue", "update_work_item"]
    claims = [scene.stored(ISSUE, number).link.claim for number in (ITEM, 32, 33)]
    assert [claim is not None for claim in claims] == [True, False, False]
    assert scene.outbound() == ["applied"] * 3


@pytest.mark.parametrize(
    ("call", "snapshot", "field"),
    [
        ("get_work_item", False, STATE),
        ("get_work_item_types", True, STATE),
        ("set_status", True, STATE),
        ("set_assignee", True, ASSIGNED_TO),
    ],
)
def test_whatever_call_is_not_answered_is_not_made_for_the_next_link(
    scene: Scene, call: str, snapshot: bool, field: str
) -> None:
    for name in ("200", "300"):
        scene.link(name)
    scene.now += 4000.0  # the states of the project are asked for again
    item = scene.ado.edit(ITEM, **{field: "Closed" if field == STATE else BOB})
    scene.calls.meet(call, Unavailable("sentry" if call.startswith("set") else "ado", "ReadTimeout"))
    with pytest.raises(Unavailable):
        scene.inbound(item if snapshot else None)
    assert scene.calls.made.count(call) == 1
    healths = [scene.stored(name).link.health for name in (ISSUE, "200", "300")]
    assert [(each.reason, each.attempts) for each in healths] == [("unavailable", n) for n in (1, 0, 0)]
    # Whether a snapshot came along or not, and wherever it failed: that revision is no news any more.
    assert {each.rev for each in healths} == {item.rev}


def test_of_two_services_that_fall_silent_at_one_link_neither_is_asked_for_the_next(scene: Scene) -> None:
    scene.link("200")
    scene.configure(done_when=DoneWhen.ANY)
    scene.sentry.resolve(ISSUE)
    item = scene.ado.edit(ITEM, **{ASSIGNED_TO: BOB})
    scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"))
    scene.calls.meet("set_assignee", Unavailable("sentry", "ReadTimeout"))
    with pytest.raises(Unavailable):
        scene.inbound(item)
    assert scene.calls.made == ["get_issue", "update_work_item", "set_assignee"]
    healths = [scene.stored(name).link.health for name in (ISSUE, "200")]
    assert [(each.reason, each.attempts) for each in healths] == [("unavailable", 1), ("unavailable", 0)]


def test_an_assignment_that_is_not_answered_is_announced_for_one_link_only(scene: Scene) -> None:
    for number in (32, 33):
        scene.link(ISSUE, number)
    scene.sentry.assign(ISSUE, BOB)
    scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"))
    with pytest.raises(Unavailable):
        scene.outbound()
    assert scene.calls.made.count("update_work_item") == 1
    assert [scene.stored(ISSUE, number).link.claim for number in (32, 33)] == [None, None]


def test_a_link_that_needs_nothing_of_a_silent_service_is_settled(scene: Scene) -> None:
    for number in (32, 33):
        scene.link(ISSUE, number)
    scene.ado.edit(33, **{STATE: "Resolved"})
    stored = scene.stored(ISSUE, 33)
    scene.sentry.resolve(ISSUE)
    scene.services.links.replace(stored, with_item(stored.link, scene.ado.item(33)))
    scene.calls.meet("update_work_item", Unavailable("ado", "ReadTimeout"))
    with pytest.raises(Unavailable):
        scene.outbound()
    assert scene.stored(ISSUE, 32).link.health.reason == "unavailable"
    assert scene.stored(ISSUE, 33).link.health == Health()


def with_item(link: IssueLink, item: WorkItem) -> IssueLink:
    """Return the link as if it had been settled at a state that counts as resolved already."""
    seen = Ends(IssueSide(RESOLVED), ItemSide(item.rev, item.state, RESOLVED))
    return replace(link, seen=seen)


def test_what_one_link_is_refused_is_asked_for_the_next(scene: Scene) -> None:
    scene.link(ISSUE, 32)
    scene.ado.restrict("Fabrikam-Fiber", "Bug", {"New": ("Closed",), "Closed": ()})
    scene.now += 60.0
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Refused("ado", "TF401320"))
    assert scene.outbound() == ["refused", "applied"]


# A service that asks to wait.


def test_a_throttled_message_about_a_thousand_links_costs_a_few_operations_each_time_it_comes_back(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    issues_at_one_item(scene, 1000)
    sentry, workers = SlowSentry(scene, 0.1), Workers(scene)
    sentry.every = Throttled("sentry", "HTTP 429", retry_after=10.0)
    put(scene, scene.ado.edit(ITEM, **{STATE: "Closed"}))
    workers.work(until=scene.now + 1.0)
    assert operations(tables)[1] <= 2 * 1000 + 10  # the making of the links included
    returns = workers.handled
    workers.work(until=scene.now + 280.0)
    returns = workers.handled - returns
    assert returns >= 20
    reads, writes = operations(tables)
    assert (reads <= 5 * returns, writes <= 2 * returns) == (True, True)
    assert len(sentry.calls) == returns + 1


@pytest.mark.parametrize("side", ["one item", "one issue"])
def test_a_thousand_links_at_one_end_come_through_a_narrow_limit_at_a_linear_price(
    scene: Scene, tables: dict[str, Counted], side: str
) -> None:
    workers = Workers(scene)
    if side == "one item":
        names = issues_at_one_item(scene, 1000)
        name = "get_issue"
    else:
        numbers = items_at_one_issue(scene, 1000)
        name = "update_work_item"
    operations(tables)
    narrow(scene, name, 25)
    if side == "one item":
        put(scene, scene.ado.edit(ITEM, **{STATE: "Closed"}))
    else:
        scene.sentry.resolve(ISSUE)
        scene.services.outbound.put(OutboundMessage(SLUG, ISSUE))
    workers.work(until=scene.now + 3000.0)
    if side == "one item":
        assert resolved(scene, names) == 1000
    else:
        assert {scene.ado.item(number).state for number in numbers} == {"Closed"}
    reads, writes = operations(tables)
    # Four looks (the link, its end there, the others of that end, and one while it waited) and four writes
    # (announce, tell, record, and one while it waited) for each link.
    assert (reads < 4500, writes < 6000) == (True, True)
    assert workers.poison == []


def narrow(scene: Scene, name: str, at_once: int) -> None:
    """Let a service answer only so many of these calls in ten seconds."""
    client = scene.services._sentry if name == "get_issue" else scene.watched_ado
    service = "sentry" if name == "get_issue" else "ado"
    real = getattr(client, name)
    window = [0.0, 0.0]

    def limited(*args: object, **kwargs: object) -> object:
        if scene.now - window[0] >= 10.0:
            window[:] = [scene.now, 0.0]
        window[1] += 1
        if window[1] > at_once:
            raise Throttled(service, "HTTP 429", retry_after=10.0)
        return real(*args, **kwargs)

    setattr(client, name, limited)


# The deadline.


def test_after_a_hundred_seconds_the_rest_of_the_links_comes_back_without_counting_a_try(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    names = issues_at_one_item(scene, 100)
    sentry, workers = SlowSentry(scene, 9.0), Workers(scene)  # it answers, just in time
    put(scene, scene.ado.edit(ITEM, **{STATE: "Closed"}))
    began = scene.now
    workers.work(until=scene.now + 3600.0)
    assert resolved(scene, names) == 100
    assert sorted(sentry.calls) == names  # each was asked for once
    assert workers.longest < 120.0
    assert (workers.poison, workers.handled) == ([], 9)
    assert scene.now - began < 3601.0


def test_one_link_is_settled_however_late_the_worker_began(scene: Scene) -> None:
    unit = scene.services.new_unit_of_work()
    assert unit.deadline == scene.now + 100.0
    scene.link("200")
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    frozen(scene, 130.0)
    with pytest.raises(Busy) as raised:
        scene.inbound(item)
    assert raised.value.left == ("200",)
    assert scene.status is RESOLVED


def test_a_worker_that_is_late_from_the_start_settles_one_link_all_the_same(scene: Scene) -> None:
    scene.link("200")
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    real = scene.services.new_unit_of_work

    def late() -> UnitOfWork:
        unit = real()
        scene.now += 200.0  # so many links to read
        return unit

    scene.services.new_unit_of_work = late  # type: ignore[method-assign]  # for this scene
    with pytest.raises(Busy) as raised:
        scene.inbound(item)
    assert (raised.value.left, scene.status) == (("200",), RESOLVED)


def frozen(scene: Scene, seconds: float) -> None:
    """Let the machine stand still in the middle of the next look at an issue."""
    real = scene.services._sentry.get_issue
    pauses = itertools.chain([seconds], itertools.repeat(0.0))

    def paused(issue_id: str) -> SentryIssue:
        scene.now += next(pauses)
        return real(issue_id)

    scene.services._sentry.get_issue = paused  # type: ignore[method-assign]  # for this scene


def test_a_look_of_the_reconcilers_own_comes_back_for_its_rest_as_well(
    scene: Scene, tables: dict[str, Counted]
) -> None:
    names = issues_at_one_item(scene, 100)
    SlowSentry(scene, 9.0)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    workers = Workers(scene)
    workers.live(1500.0)
    assert resolved(scene, names) == 100
    assert workers.poison == []


def test_what_fails_for_good_is_not_among_the_rest(scene: Scene, tables: dict[str, Counted]) -> None:
    names = issues_at_one_item(scene, 30)
    sentry = SlowSentry(scene, 9.0)
    sentry.errors = {name: NotFound("no such issue", kind="issue-not-found") for name in names[:5]}
    with pytest.raises(Busy) as raised:
        scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    assert set(raised.value.left) == set(names[12:])


def test_of_a_rest_only_what_is_still_linked_is_settled(scene: Scene) -> None:
    scene.link("200")
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    message = InboundMessage(SLUG, ITEM, item.rev, snapshot=item, only=("200",))
    assert sync_inbound(message, scene.services) == ["applied"]
    assert scene.status is IssueStatus.UNRESOLVED
    outbound = OutboundMessage(SLUG, ISSUE, only=("31", "32"))
    assert sync_outbound(outbound, scene.services) == ["settled", "not-linked"]


def test_more_names_than_a_message_holds_make_several_messages() -> None:
    message = InboundMessage(SLUG, ITEM, 7)
    left = tuple(str(4_000_000_000 + number) for number in range(2 * MOST_NAMED + 1))
    parts = parts_of(message, left)
    assert [len(part.only) for part in parts] == [MOST_NAMED, MOST_NAMED, 1]
    assert tuple(name for part in parts for name in part.only) == left
    assert parts_of(message, ()) == [message]


def test_a_busy_link_of_many_comes_back_alone(scene: Scene) -> None:
    scene.link("200")
    stored = scene.stored("200")
    claim = Claim("other", scene.now + 60.0, stored.link.seen.item.rev, (), stored.link.seen)
    scene.services.links.replace(stored, replace(stored.link, claim=claim))
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    put(scene, item)
    received = scene.services.inbound.receive()
    assert received is not None
    inbound_sync.handle(func.QueueMessage(body=received.body), scene.services)
    scene.services.inbound.delete(received)
    scene.now += 60.0
    [comes_back] = [scene.services.inbound.receive()]
    assert comes_back is not None
    assert decode_inbound(comes_back.body).only == ("200",)


# What was read a while ago.


def test_an_issue_that_was_read_half_a_minute_ago_is_read_again(scene: Scene) -> None:
    for number in (32, 33):
        scene.link(ISSUE, number)
    scene.sentry.resolve(ISSUE)

    def archived_meanwhile() -> None:
        scene.now += 31.0
        scene.sentry.archive(ISSUE)

    scene.watched_ado.slow = archived_meanwhile
    scene.outbound()
    assert scene.calls.made.count("get_issue") >= 2
    assert scene.ado.item(32).state == "New"
