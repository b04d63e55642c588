"""What the reconciler finds, what it leaves alone, what it costs, and where it goes on."""

import json
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import inbound_sync, outbound_sync
from functions import reconcile as reconcile_function
from shared.domain.configuration import Configuration
from shared.domain.errors import Unauthorized, Unavailable, Unreadable
from shared.domain.messages import InboundMessage, decode_inbound, decode_outbound
from shared.domain.model import (
    ActivityEntry,
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    WorkItem,
)
from shared.flows.linking import link
from shared.flows.reconciling import ISSUES_A_RUN, Found, message_for, reconcile, reconcile_all
from shared.store.activity import KEPT_FOR
from shared.store.tables import Insert, Operation, Row
from tests.doubles.tables import MemoryTable
from tests.unit.scene import ANN, ASSIGNED_TO, CAROL, ISSUE, ITEM, SLUG, START, STATE, Died, Scene

RESOLVED = IssueStatus.RESOLVED
PENDING, ATTENTION = HealthWord.PENDING, HealthWord.ATTENTION
EVERY = 300.0  # seconds between two runs
DAY = 24 * 3600.0


@pytest.fixture
def scene() -> Scene:
    return Scene()


# The rule, for one link.

PROJECT = "11111111-1111-1111-1111-111111111111"
SEEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(7, "New", IssueStatus.UNRESOLVED))
LINK = IssueLink(SLUG, ISSUE, ITEM, PROJECT, "Bug", SEEN)
AT_7 = WorkItem(id=ITEM, rev=7, project_id=PROJECT, work_item_type="Bug", state="New")
AT_8 = replace(AT_7, rev=8, state="Closed")
ASK = InboundMessage(SLUG, ITEM, 7, again=True)
UNSEEN, ASK_6, ASK_8 = replace(ASK, rev=0), replace(ASK, rev=6), replace(ASK, rev=8)
NEWS = InboundMessage(SLUG, ITEM, 8, snapshot=AT_8, again=True)
TOMORROW = START + 24 * 3600.0
GONE = Health(ATTENTION, "work-item-gone", due=TOMORROW)
NO_ISSUE = Health(ATTENTION, "issue-gone", due=TOMORROW)
NOT_YET = Health(ATTENTION, "unauthorized", due=START + 0.1)
DUE = Health(ATTENTION, "unauthorized", due=START)
PENDING_DUE = Health(PENDING, "unavailable", due=START)
PENDING_LATER = Health(PENDING, "unavailable", due=START + 0.1)


@pytest.mark.parametrize(
    ("health", "item", "message"),
    [
        (Health(), AT_7, None),
        (Health(), AT_8, NEWS),
        (Health(), replace(AT_7, rev=6), ASK_6),  # restored from a backup
        (NOT_YET, replace(AT_7, rev=6), None),  # … and that was tried already
        (Health(), None, UNSEEN),  # deleted without a hook
        (GONE, None, None),  # known already
        (GONE, AT_7, ASK),  # restored without a hook
        (GONE, AT_8, ASK_8),  # asked for, because what was seen of it cannot be built on
        (replace(GONE, rev=8), AT_8, None),  # listed, and still not to be had
        (replace(GONE, due=START), None, UNSEEN),  # asked for daily
        (Health(ATTENTION, "work-item-gone"), None, UNSEEN),  # a row of an older version
        (NO_ISSUE, AT_7, None),
        (NO_ISSUE, None, None),
        (NO_ISSUE, AT_8, NEWS),
        (replace(NO_ISSUE, rev=8), AT_8, None),  # what failed at a revision is no news at it
        (replace(NO_ISSUE, due=START), AT_7, ASK),  # asked for daily
        (Health(ATTENTION, "issue-gone"), AT_7, ASK),
        (NOT_YET, AT_7, None),
        (NOT_YET, None, None),  # no call before it is due, not even for whether the item is gone
        (NOT_YET, AT_8, NEWS),
        (replace(NOT_YET, rev=8), AT_8, None),
        (replace(NOT_YET, rev=7), AT_8, NEWS),
        (DUE, AT_7, ASK),
        (DUE, None, UNSEEN),
        (replace(DUE, rev=8), AT_8, ASK_8),
        (PENDING_DUE, AT_7, ASK),
        (PENDING_LATER, AT_7, None),
    ],
)
def test_a_link_is_taken_up_when_something_may_be_off(
    health: Health, item: WorkItem | None, message: InboundMessage | None
) -> None:
    assert message_for(replace(LINK, health=health), item, START) == message


@pytest.mark.parametrize(
    ("health", "item", "message"),
    [
        (Health(), AT_7, None),
        (Health(), AT_8, NEWS),
        (GONE, None, UNSEEN),
        (NO_ISSUE, AT_7, ASK),
        (NOT_YET, AT_7, ASK),
        (PENDING_LATER, None, UNSEEN),
    ],
)
def test_on_demand_every_link_that_is_not_well_is_taken_up(
    health: Health, item: WorkItem | None, message: InboundMessage | None
) -> None:
    assert message_for(replace(LINK, health=health), item, START, everything=True) == message


@pytest.mark.parametrize(("until", "message"), [(START, ASK), (START + 0.1, None)])
@pytest.mark.parametrize("health", [Health(), NOT_YET])
def test_a_claim_left_behind_is_looked_into(
    until: float, message: InboundMessage | None, health: Health
) -> None:
    claim = Claim("other", until, 7, (), SEEN)
    assert message_for(replace(LINK, claim=claim, health=health), AT_7, START) == message


# What it finds.


def run(scene: Scene) -> None:
    reconcile_function.handle_timer(scene.services)


def deliver(scene: Scene) -> None:
    """Let the workers handle what becomes visible until the next run."""
    services, end = scene.services, scene.now + EVERY
    workers = ((services.inbound, inbound_sync.handle), (services.outbound, outbound_sync.handle))
    while moments := [moment for queue, _ in workers for moment in queue.moments() if moment < end]:
        scene.now = max(scene.now, min(moments))
        for queue, handle in workers:
            while received := queue.receive():
                handle(func.QueueMessage(body=received.body), services)
                queue.delete(received)
    scene.now = end


def reconciled(scene: Scene) -> None:
    run(scene)
    deliver(scene)


def test_a_state_whose_hook_was_lost_is_found(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert scene.status is RESOLVED
    assert scene.calls.made == ["find_work_items", "get_issue", "set_status", "get_issue"]


def test_a_status_whose_hook_was_lost_is_found(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    reconciled(scene)
    assert scene.state == "Closed"


def test_an_unassign_that_sentry_never_announces_is_found(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    scene.outbound()
    scene.sentry.unassign(ISSUE)
    reconciled(scene)
    assert scene.ado.item(ITEM).assignee is None


def test_an_unarchiving_that_sentry_never_announces_is_found(scene: Scene) -> None:
    scene.sentry.archive(ISSUE)
    scene.outbound()
    scene.inbound(scene.ado.edit(ITEM, **{STATE: "Closed"}))
    scene.sentry.unarchive(ISSUE)
    reconciled(scene)
    assert scene.state == "New"


def test_a_deleted_work_item_is_marked_once_and_recovers_once_it_is_restored(scene: Scene) -> None:
    scene.ado.delete(ITEM)
    reconciled(scene)
    assert (scene.health.word, scene.health.reason) == (ATTENTION, "work-item-gone")
    reconciled(scene)
    assert scene.outcomes() == ["failed"]
    scene.ado.restore(ITEM)
    reconciled(scene)
    assert (scene.health, scene.outcomes()) == (Health(), ["recovered", "failed"])


@pytest.mark.parametrize("error", [Unavailable("sentry", "timed out"), ZeroDivisionError("a bug")])
@pytest.mark.parametrize("side", ["ado", "sentry"])
def test_a_message_that_ended_as_poison_loses_nothing(scene: Scene, error: Exception, side: str) -> None:
    scene.calls.meet("get_issue", *[error] * 5)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"}) if side == "ado" else None
    if side == "sentry":
        scene.sentry.resolve(ISSUE)
    for _ in range(5):
        with pytest.raises(type(error)):
            scene.inbound(item) if side == "ado" else scene.outbound()
    scene.now += 3600.0
    reconciled(scene)
    assert (scene.state, scene.status) == ("Closed", RESOLVED)
    assert scene.health == Health()


def test_a_worker_that_died_is_made_up_for(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.calls.meet("update_work_item", Died())
    with pytest.raises(Died):
        scene.outbound()
    scene.now += 60.0
    reconciled(scene)
    assert (scene.state, scene.row.claim, scene.health) == ("Closed", None, Health())


def test_what_was_refused_is_tried_when_it_is_due_and_not_before(scene: Scene) -> None:
    scene.inbound(scene.ado.edit(ITEM, **{ASSIGNED_TO: CAROL}))
    scene.sentry.add_member(CAROL)
    scene.now -= 1.0
    reconciled(scene)
    assert scene.health.reason == "assignee-not-found"
    scene.now += 1.0
    reconciled(scene)
    assert scene.sentry.get_issue(ISSUE).assignee == Person(CAROL)
    assert scene.outcomes() == ["recovered", "applied", "refused"]


def test_the_snapshot_of_a_batch_saves_a_call(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconcile(scene.services, scene.organization)
    received = scene.services.inbound.receive()
    assert received is not None
    assert decode_inbound(received.body).snapshot == scene.ado.item(ITEM)


def test_two_links_of_one_work_item_cost_one_message(scene: Scene) -> None:
    scene.link("200", ITEM)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert reconcile(scene.services, scene.organization) == Found(looked_at=2, drifted=1, issues=2)
    assert len(scene.services.inbound) == 1
    deliver(scene)
    assert scene.sentry.get_issue("200").status is scene.status is RESOLVED


def test_two_runs_at_once_do_no_harm(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    run(scene)
    deliver(scene)
    assert scene.calls.made.count("set_status") == 1
    assert (scene.outcomes(), scene.ado.item(ITEM).rev) == (["applied"], 2)


# One organization and the others.


def add_organization(scene: Scene, slug: str) -> None:
    """Connect another organization that links the same two."""
    configuration = Configuration(ado_url="https://dev.azure.com/fabrikam/")
    organization = scene.services.organizations.add(slug, configuration)
    link(scene.services, organization, ISSUE, ITEM, None)
    scene.calls.made.clear()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("ado", "timed out"), "outcome=failed organization=fabrikam part=links kind=unavailable"),
        (
            Unauthorized("ado", "HTTP 401"),
            "outcome=failed organization=fabrikam part=links kind=unauthorized",
        ),
        (ZeroDivisionError("a bug"), "outcome=bug organization=fabrikam part=links"),
    ],
)
def test_one_organization_that_fails_does_not_stop_the_next(
    scene: Scene, error: Exception, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    add_organization(scene, "next")
    caplog.set_level("INFO")
    scene.calls.meet("find_work_items", error)
    scene.now = first_of_a_run(scene.now, of=2)
    run(scene)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", said),
        ("INFO", "outcome=reconciled organization=fabrikam links=0 drifted=0 issues=1"),
        ("INFO", "outcome=reconciled organization=next links=1 drifted=0 issues=1"),
    ]


def test_an_item_that_cannot_be_read_is_neither_called_gone_nor_hides_another(scene: Scene) -> None:
    scene.link("200", 32)
    scene.watched_ado.unreadable = frozenset({ITEM})
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.ado.edit(32, **{STATE: "Closed"})
    reconciled(scene)
    assert (scene.health, scene.status) == (Health(), IssueStatus.UNRESOLVED)
    assert scene.sentry.get_issue("200").status is RESOLVED
    scene.watched_ado.unreadable = frozenset()
    reconciled(scene)
    assert scene.status is RESOLVED


def test_a_link_that_is_due_is_taken_up_though_a_list_does_not_show_its_item(scene: Scene) -> None:
    scene.watched_ado.unreadable = frozenset({ITEM})
    scene.services.links.replace(scene.stored(), replace(scene.row, health=PENDING_DUE))
    reconciled(scene)
    assert scene.health == Health()


def test_an_unreadable_document_stops_no_other_organization(scene: Scene) -> None:
    newer = Insert("another", '{"on_conflict": "a-side-of-a-newer-version"}')
    scene.services.organizations._table.apply("organizations", newer)
    results = reconcile_all(scene.services)
    assert isinstance(results["another"], Unreadable)
    assert results[SLUG] == Found(looked_at=1, issues=1)


def first_of_a_run(now: float, *, of: int) -> float:
    """Return the next moment at which the organization that sorts first is the first of a run."""
    return now + (-(now // EVERY) % of) * EVERY


def test_a_refusal_is_known_to_health_until_a_read_is_granted(scene: Scene) -> None:
    scene.calls.meet("find_work_items", Unauthorized("ado", "HTTP 401"))
    run(scene)
    assert scene.services.organizations.refusals() == {"ado": 1}
    run(scene)
    assert scene.services.organizations.refusals() == {}


def test_without_organizations_there_is_no_work(scene: Scene) -> None:
    scene.services.organizations.remove(scene.organization)
    assert reconcile_all(scene.services) == {}


def test_no_organization_is_always_the_one_without_time_left(scene: Scene) -> None:
    names = [SLUG, "next", "other"]
    for slug in names[1:]:
        add_organization(scene, slug)
    at_each_call(scene, 101.0)
    reached = []
    for _ in names:
        reached.append(list(reconcile_all(scene.services)))
        scene.now = (scene.now // EVERY + 1) * EVERY
    assert all(len(each) == 2 for each in reached)
    assert {slug for each in reached for slug in each} == set(names)
    assert sorted(each[0] for each in reached) == names


def test_one_organization_leaves_the_others_their_share_of_the_time(scene: Scene) -> None:
    link_many(scene, 1000)
    add_organization(scene, "next")
    scene.now = first_of_a_run(scene.now, of=2)
    at_each_call(scene, 60.0)
    results = reconcile_all(scene.services)
    assert results == {SLUG: Found(400, 0, ISSUES_A_RUN, remaining=True), "next": Found(1, 0, 1)}


# Where it goes on, and what it costs.


def at_each_call(scene: Scene, seconds: float) -> None:
    def wait() -> None:
        scene.now += seconds

    scene.watched_ado.slow = wait


def link_many(scene: Scene, count: int, first: int = 1001) -> None:
    """Link as many more issues and work items as they stand."""
    for number in range(first, first + count):
        item = scene.ado.add_item("Fix login", number)
        seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, item.state, IssueStatus.UNRESOLVED))
        scene.services.links.add(IssueLink(SLUG, str(number), number, item.project_id, "Bug", seen))
        scene.sentry.add_issue(issue_id=str(number))


@pytest.mark.parametrize(("links", "calls"), [(1, 1), (200, 1), (201, 2), (450, 3)])
def test_a_steady_state_costs_a_call_for_two_hundred_links(scene: Scene, links: int, calls: int) -> None:
    link_many(scene, links - 1)
    assert reconcile(scene.services, scene.organization).looked_at == links
    assert scene.calls.made == ["find_work_items"] * calls
    assert len(scene.services.inbound) == 0


def test_without_links_no_service_is_asked(scene: Scene) -> None:
    scene.services.links.remove(scene.stored())
    assert reconcile(scene.services, scene.organization) == Found(0, 0, 0)
    assert scene.calls.made == []


def test_a_run_that_takes_too_long_goes_on_where_it_stopped(scene: Scene) -> None:
    link_many(scene, 699)
    at_each_call(scene, 120.0)
    counts = [reconcile(scene.services, scene.organization).looked_at for _ in range(3)]
    assert counts == [400, 300, 400]


def fail_at_batches(scene: Scene, *places: int) -> None:
    """Have these calls for a batch fail; the first has the place 0."""

    def fail() -> None:
        if len(scene.calls.made) in places:
            scene.calls.made.append("failed")
            raise Unavailable("ado", "HTTP 500")

    scene.watched_ado.slow = fail


def test_a_page_that_cannot_be_looked_at_hides_no_other(scene: Scene) -> None:
    link_many(scene, 699)
    fail_at_batches(scene, 1)
    found = reconcile(scene.services, scene.organization)
    assert (found.looked_at, found.issues, found.remaining) == (500, ISSUES_A_RUN, False)
    assert [(each.part, str(each.error)) for each in found.failures] == [("links", "HTTP 500")]


def test_a_service_that_is_away_is_asked_twice_and_the_next_run_goes_on_behind(scene: Scene) -> None:
    link_many(scene, 1199)
    fail_at_batches(scene, *range(1, 100))
    found = reconcile(scene.services, scene.organization)
    assert (found.looked_at, found.issues, found.remaining) == (200, ISSUES_A_RUN, True)
    assert len(scene.calls.made) == 3
    at_each_call(scene, 0.0)
    assert reconcile(scene.services, scene.organization).looked_at == 600
    assert reconcile(scene.services, scene.organization).looked_at == 1200


def test_what_is_due_is_taken_up_though_its_page_cannot_be_looked_at(scene: Scene) -> None:
    stored = scene.stored()
    scene.services.links.replace(stored, replace(stored.link, health=DUE))
    scene.calls.meet("find_work_items", Unavailable("ado", "HTTP 500"))
    assert reconcile(scene.services, scene.organization).drifted == 1
    deliver(scene)
    assert scene.health == Health()


class Broken(MemoryTable):
    """A table in which some kind of call meets an error, while it lasts."""

    def __init__(self, call: str, partition: str, start: str = "") -> None:
        super().__init__()
        self.breaks = False
        self._call, self._place = call, (partition, start)

    def get(self, partition: str, key: str) -> Row:
        self._verify("get", partition, key)
        return super().get(partition, key)

    def scan(self, partition: str, start: str, end: str, *, page_size: int = 1000) -> Iterator[Row]:
        self._verify("scan", partition, start)
        return super().scan(partition, start, end, page_size=page_size)

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        self._verify("apply", partition, operations[0].key)
        return super().apply(partition, *operations)

    def _verify(self, call: str, partition: str, key: str) -> None:
        wanted, start = self._place
        if self.breaks and call == self._call and partition == wanted and key.startswith(start):
            raise Unavailable("storage", "timed out")


def with_table(scene: Scene, name: str, table: Broken) -> Broken:
    """Put another table in the place of one, with the same rows."""
    old = scene.services._named[name]
    assert isinstance(old, MemoryTable)
    table._rows, table._keys, table._versions = old._rows, old._keys, old._versions
    scene.services._named[name] = table
    for store in ("links", "organizations", "progress", "activity", "idempotency"):
        scene.services.__dict__.pop(store, None)
    return table


@pytest.mark.parametrize(
    ("name", "table", "part"),
    [
        ("links", Broken("scan", SLUG, "item!"), "links"),
        ("links", Broken("scan", SLUG, "issue!"), "issues"),
        ("links", Broken("get", SLUG, "item!"), "issues"),
        ("activity", Broken("scan", SLUG), "activity"),
        ("organizations", Broken("apply", "progress"), "progress"),
    ],
)
def test_a_part_of_a_run_that_fails_stops_no_other_part_nor_organization(
    scene: Scene, name: str, table: Broken, part: str
) -> None:
    add_organization(scene, "next")
    with_table(scene, name, table).breaks = True
    results = reconcile_all(scene.services)
    found = results[SLUG]
    assert isinstance(found, Found)
    assert part in {each.part for each in found.failures}
    assert (found.looked_at, found.issues) == (0 if part == "links" else 1, 0 if part == "issues" else 1)
    assert isinstance(results["next"], Found)
    table.breaks = False
    assert reconcile(scene.services, scene.organization) == Found(1, 0, 1)


def test_a_refusal_that_cannot_be_noted_stops_no_other_organization(scene: Scene) -> None:
    add_organization(scene, "next")
    with_table(scene, "organizations", Broken("apply", "refusals")).breaks = True
    scene.calls.meet("find_work_items", Unauthorized("ado", "401"))
    scene.now = first_of_a_run(scene.now, of=2)
    results = reconcile_all(scene.services)
    assert results["next"] == Found(1, 0, 1)
    found = results[SLUG]
    assert isinstance(found, Found)
    assert [type(each.error) for each in found.failures] == [Unauthorized]


def test_activity_that_cannot_be_pruned_keeps_no_issue_from_its_turn(scene: Scene) -> None:
    link_many(scene, 2 * ISSUES_A_RUN)
    with_table(scene, "activity", Broken("scan", SLUG)).breaks = True
    asked = set()
    for _ in range(3):
        reconcile(scene.services, scene.organization)
        scene.now += EVERY
        asked |= set(issues_asked_for(scene))
    assert len(asked) == 2 * ISSUES_A_RUN + 1


def test_on_demand_all_links_are_read_from_the_first_one(scene: Scene) -> None:
    link_many(scene, 499)
    at_each_call(scene, 201.0)
    assert reconcile(scene.services, scene.organization).looked_at == 200
    at_each_call(scene, 0.0)
    assert reconcile(scene.services, scene.organization, everything=True).looked_at == 500


def test_what_a_run_on_demand_does_not_reach_the_next_runs_take_up(scene: Scene) -> None:
    link_many(scene, 499)
    late = Health(ATTENTION, "unauthorized", since=scene.now, attempts=3, due=scene.now + 3600.0)
    for stored in scene.services.links.all(SLUG):
        scene.services.links.replace(stored, replace(stored.link, health=late))
    at_each_call(scene, 201.0)
    answer = ask(scene)
    assert (answer["links"], answer["drifted"], answer["remaining"]) == (200, 200, True)
    assert [reconcile(scene.services, scene.organization).drifted for _ in range(2)] == [200, 100]
    at_each_call(scene, 0.0)
    assert reconcile(scene.services, scene.organization).drifted == 0


def test_a_run_on_demand_that_reached_all_says_so(scene: Scene) -> None:
    assert ask(scene) == {"outcome": "queued", "links": 1, "drifted": 0, "issues": 1, "remaining": False}


def ask(scene: Scene) -> dict[str, object]:
    request = func.HttpRequest("POST", "/", route_params={"organization": SLUG}, body=b"")
    answer = reconcile_function.handle(request, scene.services)
    assert answer.status_code == 202
    content: dict[str, object] = json.loads(answer.get_body())
    return content


def test_what_nobody_has_handled_yet_is_not_put_again(scene: Scene) -> None:
    link_many(scene, 1499)
    for stored in scene.services.links.all(SLUG):
        scene.ado.edit(stored.link.work_item_id, **{STATE: "Closed"})
    for _ in range(12):
        run(scene)
        scene.now += EVERY
    assert len(scene.services.inbound) == 1500


def test_a_later_edit_is_put_once_the_one_before_is_handled(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    run(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    assert len(scene.services.inbound) == 1
    deliver(scene)
    reconciled(scene)
    assert scene.status is RESOLVED


def test_a_message_that_left_no_trace_is_put_again_after_an_hour(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    for _ in range(12):
        run(scene)
        while received := scene.services.inbound.receive():
            scene.services.inbound.delete(received)  # somebody empties the queue
        scene.now += EVERY
    run(scene)
    deliver(scene)
    assert scene.status is RESOLVED


def test_on_demand_nothing_is_held_back(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    for _ in range(2):
        reconcile(scene.services, scene.organization, everything=True)
    assert len(scene.services.inbound) == 2


def test_issues_that_cannot_be_reached_take_nobodys_place(scene: Scene) -> None:
    link_many(scene, 3 * ISSUES_A_RUN)
    gone = Health(ATTENTION, "issue-gone", due=scene.now + 1e6)
    for number in range(1001, 1001 + 3 * ISSUES_A_RUN):
        if number % 3:
            stored = scene.services.links.get(SLUG, str(number), number)
            scene.services.links.replace(stored, replace(stored.link, health=gone))
    assert reconcile(scene.services, scene.organization).issues == ISSUES_A_RUN
    scene.now += EVERY
    asked = issues_asked_for(scene)
    assert asked[0] == ISSUE
    assert all(int(each) % 3 == 0 for each in asked[1:])


def test_a_run_reads_a_bounded_number_of_rows_to_find_what_can_be_reached(scene: Scene) -> None:
    resting = Health(PENDING, "unavailable", due=scene.now + 1e6)
    for number in range(1001, 3501):
        item = scene.ado.add_item("Fix login", number)
        seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, item.state, IssueStatus.UNRESOLVED))
        link = IssueLink(SLUG, str(number), number, item.project_id, "Bug", seen, health=resting)
        scene.services.links.add(link)
    scene.sentry.add_issue(issue_id="9999")
    scene.link("9999", ITEM)
    asked = [reconcile(scene.services, scene.organization).issues for _ in range(3)]
    assert asked == [1, 0, 1]
    scene.now += EVERY
    assert issues_asked_for(scene) == [ISSUE, "9999"]


def issues_asked_for(scene: Scene) -> list[str]:
    asked = []
    while received := scene.services.outbound.receive():
        asked.append(decode_outbound(received.body).issue_id)
        scene.services.outbound.delete(received)
    return asked


def test_issues_are_read_again_each_once_before_any_a_second_time(scene: Scene) -> None:
    link_many(scene, 2 * ISSUES_A_RUN)
    asked = []
    for _ in range(3):
        assert reconcile(scene.services, scene.organization).issues <= ISSUES_A_RUN
        scene.now += EVERY
        asked += issues_asked_for(scene)
    assert len(asked) == len(set(asked)) == 2 * ISSUES_A_RUN + 1
    reconcile(scene.services, scene.organization)
    scene.now += EVERY
    assert issues_asked_for(scene) == asked[:ISSUES_A_RUN]


def test_reconciling_on_demand_does_not_make_the_last_issues_wait_forever(scene: Scene) -> None:
    link_many(scene, 2 * ISSUES_A_RUN)
    asked = set()
    for _ in range(3):
        reconcile(scene.services, scene.organization, everything=True)
        scene.now += EVERY
        asked |= set(issues_asked_for(scene))
    assert len(asked) == 2 * ISSUES_A_RUN + 1


def test_issues_are_asked_for_well_below_sentrys_limit(scene: Scene) -> None:
    link_many(scene, ISSUES_A_RUN)
    reconcile(scene.services, scene.organization)
    moments = sorted(scene.services.outbound.moments())
    assert len(moments) == ISSUES_A_RUN
    # Sentry allows five look-ups of an issue a second; hooks need some of them.
    assert all(later - earlier >= 1.0 for earlier, later in pairwise(moments))
    assert moments[-1] < scene.now + EVERY


def test_only_a_page_of_links_is_in_memory_at_a_time(scene: Scene) -> None:
    link_many(scene, 399)
    few = peak_memory(scene)
    link_many(scene, 4600, first=2001)
    many = peak_memory(scene)
    assert many < 1.2 * few


def peak_memory(scene: Scene) -> int:
    reconcile(scene.services, scene.organization)
    tracemalloc.start()
    try:
        reconcile(scene.services, scene.organization)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


# Old activity.


def add_activity(scene: Scene, age: float, count: int = 1) -> None:
    entries = [ActivityEntry(scene.now - age, "applied")] * count
    scene.services.activity.add(SLUG, ISSUE, ITEM, *entries)


def test_activity_is_deleted_after_ninety_days_also_that_of_removed_links(scene: Scene) -> None:
    add_activity(scene, KEPT_FOR + 1.0)
    add_activity(scene, KEPT_FOR - 1.0)
    scene.services.activity.add(SLUG, "999", 9, ActivityEntry(scene.now - KEPT_FOR - 1.0, "unlinked"))
    run(scene)
    assert scene.outcomes() == ["applied"]
    assert scene.outcomes("999", 9) == []


def test_old_activity_is_pruned_once_a_day(scene: Scene) -> None:
    run(scene)
    add_activity(scene, KEPT_FOR + 1.0)
    scene.now += DAY
    run(scene)
    assert scene.outcomes() == ["applied"]
    scene.now += 1.0
    run(scene)
    assert scene.outcomes() == []


def test_much_activity_is_pruned_in_parts(scene: Scene) -> None:
    activity = scene.services.activity
    add_activity(scene, KEPT_FOR + 1.0, count=3)
    add_activity(scene, 0.0, count=3)
    parts = [activity.prune(SLUG, scene.now, limit=3)]
    while (last := parts[-1].continuation) is not None:
        parts.append(activity.prune(SLUG, scene.now, last, limit=3))
    # The making of the link is among what is kept, and what is new comes first.
    assert [each.removed for each in parts] == [0, 2, 1]
    assert scene.outcomes() == ["applied"] * 3


def test_the_next_run_goes_on_with_what_is_too_much_for_one(scene: Scene) -> None:
    for _ in range(101):
        add_activity(scene, 0.0, count=100)
    scene.services.activity.add(SLUG, "999", 99, ActivityEntry(scene.now - KEPT_FOR - 1.0, "unlinked"))
    run(scene)
    assert scene.outcomes("999", 99) == ["unlinked"]
    run(scene)
    assert scene.outcomes("999", 99) == []
