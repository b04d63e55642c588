"""What the reconciler finds, and how its parts fail alone: each a problem until it succeeds again."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import health
from functions import reconcile as reconcile_function
from functions.edge import Bug
from shared.domain.configuration import Configuration
from shared.domain.errors import (
    Forbidden,
    NotTrusted,
    OrganizationGone,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from shared.domain.failures import HANDLED_WITHIN
from shared.domain.model import ActivityEntry, Claim, Health, HealthWord, IssueStatus, Person, SentryIssue
from shared.flows.linking import link
from shared.flows.reconciling import Found, reconcile, reconcile_all, waiting
from shared.store.activity import KEPT_FOR
from shared.store.links import Passed
from shared.store.progress import Mark
from shared.store.tables import Insert, Operation, Row
from shared.version import VERSION
from tests.doubles.tables import MemoryTable
from tests.unit.rounds import (
    DAY,
    EVERY,
    at_rest,
    deliver,
    link_many,
    reconciled,
    run,
    waiting_about_issues,
    waiting_about_items,
)
from tests.unit.scene import ANN, ASSIGNED_TO, CAROL, ISSUE, ITEM, SLUG, STATE, Died, Scene

WELL = {"status": "ok", "version": VERSION, "problems": []}

RESOLVED = IssueStatus.RESOLVED
ATTENTION = HealthWord.ATTENTION


@pytest.fixture
def scene() -> Scene:
    return at_rest(Scene())


# What it finds.


def test_a_state_whose_hook_was_lost_is_found(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    assert scene.calls.made == ["get_revisions", "find_project_ids", "find_issues"]
    deliver(scene)
    assert scene.status is RESOLVED
    # The snapshot of the feed saves a call.
    assert scene.calls.made[3:] == ["get_issue", "set_status"]


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


def test_two_links_of_one_work_item_cost_one_message(scene: Scene) -> None:
    scene.link("200", ITEM)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert reconcile(scene.services, scene.organization) == Found(looked_at=2, drifted=1)
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


def test_without_links_no_service_is_asked_and_what_failed_before_is_no_problem(scene: Scene) -> None:
    scene.calls.meet("get_revisions", Unavailable("ado", "HTTP 500"))
    run(scene)
    scene.calls.made.clear()
    scene.services.links.remove(scene.stored())
    assert reconcile(scene.services, scene.organization) == Found()
    assert (scene.calls.made, told(scene)["status"]) == ([], "ok")


def test_links_that_are_made_anew_begin_anew(scene: Scene) -> None:
    scene.services.links.remove(scene.stored())
    run(scene)
    scene.link()
    found = reconcile(scene.services, scene.organization)
    assert (found.compared, scene.calls.made) == (1, ["get_revisions", "find_work_items", "find_issues"])


# What nobody has handled yet.


def test_what_nobody_has_handled_yet_is_not_put_again(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    scene.services.links.replace(
        scene.stored(), replace(scene.row, health=Health(ATTENTION, "work-item-gone", due=scene.now))
    )
    link_many(scene, 3)
    for number in range(1001, 1004):
        scene.sentry.resolve(str(number))
    run(scene)
    scene.now += EVERY
    run(scene)
    assert (len(scene.services.inbound), len(scene.services.outbound)) == (1, 3)


def test_where_nobody_handles_messages_they_come_more_and_more_seldom(scene: Scene) -> None:
    scene.sentry.resolve(ISSUE)
    at = []
    for number in range(30):
        before = len(scene.services.outbound)
        run(scene)
        at += [number] * (len(scene.services.outbound) - before)
        scene.now += EVERY
    # By the number of the run: after ten minutes, a quarter of an hour, and then every half hour.
    assert at == [0, 2, 5, 11, 17, 23, 29]


def test_a_change_that_was_undone_before_anybody_looked_is_found_when_it_is_made_again(scene: Scene) -> None:
    """Handling the message leaves no trace then: the link is as it was when the message was put."""
    scene.sentry.resolve(ISSUE)
    run(scene)
    scene.sentry.unresolve(ISSUE)
    deliver(scene)
    scene.sentry.resolve(ISSUE)
    for _ in range(2):
        scene.now += EVERY
        reconciled(scene)
    assert scene.ado.item(ITEM).state == "Closed"


def test_another_change_is_told_at_once_though_a_message_about_the_one_before_left_no_trace(
    scene: Scene,
) -> None:
    scene.sentry.resolve(ISSUE)
    run(scene)
    scene.sentry.unresolve(ISSUE)
    deliver(scene)
    scene.sentry.assign(ISSUE, ANN)
    scene.now += EVERY
    reconciled(scene)
    assert scene.ado.item(ITEM).assignee == Person(ANN)


def test_an_issue_that_was_asked_for_while_no_list_told_of_it_is_compared_once_one_does(scene: Scene) -> None:
    scene.calls.meet("find_issues", Forbidden("sentry", "HTTP 403", about="1 issues"))
    reconciled(scene)
    scene.sentry.assign(ISSUE, ANN)
    scene.now += EVERY
    reconciled(scene)
    assert scene.ado.item(ITEM).assignee == Person(ANN)


def test_a_later_edit_is_told_though_the_one_before_is_not_handled(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Active"})
    run(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    assert len(scene.services.inbound) == 2
    deliver(scene)
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


def test_what_waits_is_put_again_once_somebody_has_changed_the_document(scene: Scene) -> None:
    scene.calls.meet("get_issue", *[OrganizationGone("sentry", "HTTP 404")] * 10)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    reconciled(scene)
    assert len(scene.services.inbound) == 1
    scene.calls.recover()
    change_document(scene)
    run(scene)
    assert len(scene.services.inbound) == 2
    run(scene)
    assert len(scene.services.inbound) == 2


def change_document(scene: Scene) -> None:
    organization = scene.organization
    connection = replace(organization.connection, changed_at=scene.now)
    scene.services.organizations.replace(organization, organization.configuration, connection)
    scene.now += 1.0


def lose_one(scene: Scene) -> float:
    """Have a message put about one of a few links that nobody handles; return when it counts no more."""
    link_many(scene, 5)
    for _ in range(15):  # The second look at all items, an hour after the first, is over then.
        reconciled(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    run(scene)
    old_at = int(scene.now) + HANDLED_WITHIN
    assert [each.work_item_id for each in waiting_about_items(scene)] == [ITEM]
    return old_at


def test_a_mark_that_grows_old_during_a_walk_is_searched_for_by_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.now = lose_one(scene) - 1.0
    walk = scene.services.links.walk

    def slowly(*given: Any, **named: Any) -> Iterator[Passed]:
        for passed in walk(*given, **named):
            yield passed
            scene.now += 0.4

    monkeypatch.setattr(scene.services.links, "walk", slowly)
    run(scene)
    assert waiting_about_items(scene) == []
    run(scene)
    assert [each.work_item_id for each in waiting_about_items(scene)] == [ITEM]
    run(scene)
    assert (waiting_about_items(scene), marks(scene)) == ([], {})


def test_a_mark_that_grows_old_between_two_runs_of_a_walk_is_searched_for_by_the_next(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.now = lose_one(scene) - 1.0
    monkeypatch.setattr(waiting, "_AT_ONCE", 3)
    reconcile(scene.services, scene.organization, run_for=-1.0)  # ends behind the first links
    scene.now += EVERY
    run(scene)  # ends the walk
    assert waiting_about_items(scene) == []
    run(scene)
    assert [each.work_item_id for each in waiting_about_items(scene)] == [ITEM]


def test_a_mark_of_a_clock_that_was_ahead_is_forgotten(scene: Scene) -> None:
    lose_one(scene)
    scene.now -= 2 * DAY
    run(scene)
    run(scene)
    assert all(mark.at <= scene.now for mark in marks(scene).values())


def marks(scene: Scene) -> Mapping[str, Mark]:
    return scene.services.progress.get(scene.organization.scope).marks


def test_a_link_that_handling_leaves_as_it_was_is_asked_for_once_more_and_no_oftener(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_issue", *[ZeroDivisionError("a bug")] * 100)
    asked = 0
    for _ in range(60):
        run(scene)
        while received := scene.services.inbound.receive():
            asked += 1
            with pytest.raises(Bug, match="ZeroDivisionError"):
                reconcile_worker(scene, received.body)
            scene.services.inbound.delete(received)
        scene.now += EVERY
    assert asked == 2


def reconcile_worker(scene: Scene, body: bytes) -> None:
    from functions import inbound_sync  # noqa: PLC0415

    inbound_sync.handle(func.QueueMessage(body=body), scene.services)


# One organization and the others.


def add_organization(scene: Scene, slug: str) -> None:
    """Connect another organization that links the same two."""
    configuration = Configuration(ado_url="https://dev.azure.com/fabrikam/", back_links=False)
    organization = scene.services.organizations.add(slug, configuration)
    link(scene.services, organization, ISSUE, ITEM, None)
    scene.calls.made.clear()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        # It passes by itself.
        (Unavailable("ado", "timed out"), ("WARNING", "failed", " error=Unavailable kind=unavailable")),
        (Unauthorized("ado", "HTTP 401"), ("ERROR", "failed", " error=Unauthorized kind=unauthorized")),
        (ZeroDivisionError("a bug"), ("ERROR", "bug", "")),
    ],
)
def test_one_organization_that_fails_does_not_stop_the_next(
    scene: Scene, error: Exception, said: tuple[str, str, str], caplog: pytest.LogCaptureFixture
) -> None:
    level, outcome, reason = said
    add_organization(scene, "next")
    at_rest(scene)
    caplog.set_level("INFO")
    scene.calls.meet("get_revisions", error)
    run(scene)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        (level, f"outcome={outcome} organization=fabrikam part=feed{reason}"),
        ("INFO", "outcome=reconciled organization=fabrikam links=1 drifted=0 issues=0"),
        ("INFO", "outcome=reconciled organization=next links=1 drifted=0 issues=0"),
    ]


def test_an_unreadable_document_stops_no_other_organization(scene: Scene) -> None:
    newer = Insert("another", '{"on_conflict": "a-side-of-a-newer-version"}')
    scene.services.organizations._table.apply("organizations", newer)
    results = reconcile_all(scene.services)
    assert isinstance(results["another"], Unreadable)
    assert results[SLUG] == Found(looked_at=1)


def test_a_refusal_is_known_to_health_until_a_read_is_granted(scene: Scene) -> None:
    scene.calls.meet("get_revisions", Unauthorized("ado", "HTTP 401"))
    run(scene)
    assert scene.services.organizations.refusals() == {"ado": 1}
    run(scene)
    assert scene.services.organizations.refusals() == {}


def test_without_organizations_there_is_no_work(scene: Scene) -> None:
    scene.services.organizations.remove(scene.organization)
    assert reconcile_all(scene.services) == {}


def slow_down(scene: Scene, seconds: float) -> None:
    """Have each call to Azure DevOps take so long."""

    def wait() -> None:
        scene.now += seconds

    scene.watched_ado.slow = wait


def test_no_organization_is_always_the_one_without_time_left(scene: Scene) -> None:
    names = [SLUG, "next", "other"]
    for slug in names[1:]:
        add_organization(scene, slug)
    at_rest(scene)
    slow_down(scene, 101.0)
    reached = []
    for _ in range(6):
        reached.append(set(reconcile_all(scene.services)))
        scene.now = (scene.now // EVERY + 1) * EVERY
    assert [len(each) for each in reached] == [2] * 6
    assert all(one | other == set(names) for one, other in pairwise(reached))


def test_many_quick_organizations_and_a_slow_one_all_have_their_run(scene: Scene) -> None:
    link_many(scene, 2_000)
    small = [f"small-{number}" for number in range(20)]
    for slug in small:
        add_organization(scene, slug)
    scene.now += 2 * EVERY  # What was made before, no feed tells.
    slow_down(scene, 2.0)
    for _ in range(8):  # The first looks at all work items, which takes the big one several runs.
        results = reconcile_all(scene.services)
        assert results.keys() == {SLUG, *small}
        deliver(scene)
    assert list(results)[-1] == SLUG
    big = results[SLUG]
    assert isinstance(big, Found)
    assert (big.looked_at, big.failures, big.remaining) == (2_001, (), False)
    assert scene.services.progress.get(SLUG).look is None


# Parts that fail alone.

FAILS = Unavailable("ado", "GET https://dev.azure.com/fabrikam/: HTTP 500")


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
    table.breaks = True
    return table


def fail_calls(name: str, error: Exception) -> Callable[[Scene], Callable[[], None]]:
    def begin(scene: Scene) -> Callable[[], None]:
        scene.calls.meet(name, *[error] * 50)
        return scene.calls.recover

    return begin


def break_table(
    name: str, call: str, partition: str, start: str = ""
) -> Callable[[Scene], Callable[[], None]]:
    def begin(scene: Scene) -> Callable[[], None]:
        table = with_table(scene, name, Broken(call, partition, start))

        def end() -> None:
            table.breaks = False

        return end

    return begin


def told(scene: Scene) -> dict[str, Any]:
    scene.now += 10.0  # What health says is kept for so long.
    answer = health.handle(func.HttpRequest("GET", "/", body=b""), scene.services)
    said: dict[str, Any] = json.loads(answer.get_body())
    return said


@pytest.mark.parametrize(
    ("kind", "cure"),
    [
        ("unknown-certificate-authority", "REQUESTS_CA_BUNDLE"),
        ("unknown-host-name", "DNS"),
        ("unsupported-version", "Azure DevOps Server 2020"),
    ],
)
def test_health_names_the_cure_of_what_time_does_not_cure(scene: Scene, kind: str, cure: str) -> None:
    at_rest(scene)
    scene.calls.meet("get_revisions", NotTrusted("ado", "GET …", kind=kind, advice="…"))
    run(scene)
    [problem] = told(scene)["problems"]
    assert f": {kind} (" in problem
    assert cure in problem


PARTS = [
    (
        "feed",
        fail_calls("get_revisions", FAILS),
        "what changed in Azure DevOps cannot be read",
        "unavailable",
    ),
    ("feed", fail_calls("get_revisions", ZeroDivisionError()), "what changed in Azure DevOps cannot", "bug"),
    (
        "full-look",
        fail_calls("find_work_items", FAILS),
        "linked work items cannot be looked at",
        "unavailable",
    ),
    ("issues", fail_calls("find_issues", FAILS), "the linked issues cannot be read", "unavailable"),
    (
        "issues",
        fail_calls("find_issues", Throttled("sentry", "slower", retry_after=3600.0)),
        "the l",
        "throttled",
    ),
    (
        "links",
        break_table("links", "scan", SLUG, "item!"),
        "links that are due are not taken up",
        "unavailable",
    ),
    ("activity", break_table("activity", "scan", SLUG), "old activity cannot be removed", "unavailable"),
]


@pytest.mark.parametrize(("part", "begin", "words", "kind"), PARTS)
def test_a_part_that_fails_turns_health_red_until_it_succeeds_and_stops_no_other_part(
    scene: Scene, part: str, begin: Callable[[Scene], Callable[[], None]], words: str, kind: str
) -> None:
    add_organization(scene, "next")
    at_rest(scene)
    assert told(scene) == WELL
    scene.now += DAY  # All work items are to be looked at, and the activity is to be pruned.
    end = begin(scene)
    found = reconcile(scene.services, scene.organization)
    assert part in {each.part for each in found.failures}
    others = {"feed", "full-look", "issues", "links", "activity"} - {each.part for each in found.failures}
    assert len(others) == (2 if part == "links" else 4)
    said = told(scene)
    assert said["status"] == "degraded"
    [problem] = [each for each in said["problems"] if words in each]
    assert problem.endswith(f" for 1 organization(s) since 2027-01-16T08:20Z: {kind}"), problem
    scene.now += EVERY
    found = reconcile(scene.services, scene.organization)
    assert problem in told(scene)["problems"]
    end()
    found = reconcile(scene.services, scene.organization)
    assert (found.failures, told(scene)) == ((), WELL)


def test_every_part_that_fails_in_turn_turns_health_red_and_green_again(scene: Scene) -> None:
    at_rest(scene)
    for _, begin, words, kind in PARTS:
        scene.now += DAY
        end = begin(scene)
        reconcile(scene.services, scene.organization)
        said = told(scene)
        assert said["status"] == "degraded"
        assert [each for each in said["problems"] if words in each and each.endswith(kind)], words
        end()
        scene.now += EVERY
        reconcile(scene.services, scene.organization)
        said = told(scene)
        assert (said["status"], said["problems"]) == ("ok", []), words
    assert {part for part, *_ in PARTS} == {"feed", "full-look", "issues", "links", "activity"}


def test_a_part_that_fails_otherwise_than_before_fails_since_then(scene: Scene) -> None:
    scene.calls.meet("find_issues", FAILS)
    run(scene)
    scene.now += 7.0
    scene.calls.meet("find_issues", Refused("sentry", "HTTP 400"))
    scene.calls.meet("get_issue", Refused("sentry", "HTTP 400"))
    run(scene)
    problem = scene.services.progress.get(SLUG).problems["issues"]
    assert (problem.kind, problem.detail, problem.since) == ("refused", "HTTP 400", scene.now)


def test_what_a_bug_says_is_told_to_nobody(scene: Scene) -> None:
    scene.calls.meet("find_issues", ValueError("a title, or worse"))
    run(scene)
    problem = scene.services.progress.get(SLUG).problems["issues"]
    assert (problem.kind, problem.detail) == ("bug", "ValueError")


def test_progress_that_cannot_be_stored_stops_nothing(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.sentry.assign(ISSUE, ANN)
    broken = with_table(scene, "organizations", Broken("apply", "progress"))
    found = reconcile(scene.services, scene.organization)
    assert [each.part for each in found.failures] == ["progress"]
    assert (found.looked_at, found.drifted, found.issues) == (1, 1, 1)
    broken.breaks = False
    deliver(scene)
    assert (scene.status, scene.ado.item(ITEM).assignee) == (RESOLVED, Person(ANN))


def test_a_refusal_that_cannot_be_noted_stops_no_other_organization(scene: Scene) -> None:
    add_organization(scene, "next")
    at_rest(scene)
    with_table(scene, "organizations", Broken("apply", "refusals"))
    scene.calls.meet("get_revisions", Unauthorized("ado", "401"))
    results = reconcile_all(scene.services)
    assert results["next"] == Found(looked_at=1)
    found = results[SLUG]
    assert isinstance(found, Found)
    assert [type(each.error) for each in found.failures] == [Unauthorized]


@pytest.mark.parametrize(
    ("error", "paused"),
    [
        (Throttled("sentry", "slower", retry_after=1.0), 1.0),
        (Throttled("sentry", "slower", retry_after=20.0), 20.0),
        (Throttled("sentry", "slower", retry_after=21.0), None),
    ],
)
def test_a_short_wait_that_a_service_asks_for_is_waited_for(
    scene: Scene, error: SyncError, paused: float | None
) -> None:
    scene.calls.meet("find_issues", error)
    began = scene.now
    found = reconcile(scene.services, scene.organization)
    assert (found.failures == (), scene.now - began) == (paused is not None, paused or 0.0)


# On demand.


def ask(scene: Scene) -> dict[str, object]:
    request = func.HttpRequest("POST", "/", route_params={"organization": SLUG}, body=b"")
    answer = reconcile_function.handle(request, scene.services)
    assert answer.status_code == 202
    content: dict[str, object] = json.loads(answer.get_body())
    return content


def test_a_run_on_demand_looks_at_everything_and_says_so(scene: Scene) -> None:
    assert ask(scene) == {"outcome": "queued", "links": 1, "drifted": 0, "issues": 0, "remaining": False}
    who, examination = ["instance_id", "organization_id"], ["get_work_item_types"]
    assert scene.calls.made == [*who, "get_revisions", "find_work_items", "find_issues", *examination]


def test_what_a_new_document_may_cure_is_taken_up_by_the_next_run(scene: Scene) -> None:
    waiting = Health(ATTENTION, "refused", since=scene.now, attempts=3, due=scene.now + 3600.0)
    scene.services.links.replace(scene.stored(), replace(scene.row, health=waiting))
    scene.now += 60.0
    organization = scene.organization
    changed = replace(organization.connection, changed_at=scene.now)
    scene.services.organizations.replace(organization, organization.configuration, changed)

    def tick() -> float:
        scene.now += 0.001
        return scene.now

    scene.services.clock = tick
    assert reconcile(scene.services, scene.organization).drifted == 1
    assert reconcile(scene.services, scene.organization).drifted == 0


def test_a_link_that_falls_due_is_put_though_a_message_for_its_claim_changed_nothing(scene: Scene) -> None:
    """A worker could not tell what became of its write, and the link waits for the second step."""
    claim = Claim("dead", scene.now, 1, (), scene.row.seen)
    pending = Health(
        HealthWord.PENDING, "unavailable", since=scene.now, attempts=2, due=scene.now + 2 * EVERY
    )
    scene.services.links.replace(scene.stored(), replace(scene.row, claim=claim, health=pending))
    for _ in range(3):
        scene.calls.meet("get_issue", Unavailable("sentry", "timed out"))
        reconciled(scene)
    scene.calls.recover()
    scene.now += 900.0
    reconciled(scene)
    assert (scene.row.claim, scene.health) == (None, Health())


def test_on_demand_nothing_is_held_back(scene: Scene) -> None:
    scene.services.links.replace(
        scene.stored(), replace(scene.row, health=Health(ATTENTION, "unauthorized", due=scene.now + 3600.0))
    )
    scene.link("200", 32)
    scene.sentry.resolve("200")
    for _ in range(2):
        ask(scene)
    assert (len(scene.services.inbound), len(scene.services.outbound)) == (2, 2)


def test_what_a_run_on_demand_does_not_reach_the_next_runs_take_up(scene: Scene) -> None:
    link_many(scene, 1_499)
    late = Health(ATTENTION, "unauthorized", since=scene.now, attempts=3, due=scene.now + DAY)
    for stored in scene.services.links.all(SLUG):
        scene.services.links.replace(stored, replace(stored.link, health=late))
    answer = ask(scene)
    assert (answer["links"], answer["drifted"], answer["remaining"]) == (1_000, 1_000, True)
    assert [reconcile(scene.services, scene.organization).drifted for _ in range(2)] == [500, 0]


def test_on_demand_the_error_is_told_that_kept_us_from_any_look(scene: Scene) -> None:
    request = func.HttpRequest("POST", "/", route_params={"organization": SLUG}, body=b"")
    scene.calls.meet("find_work_items", FAILS, FAILS)
    assert reconcile_function.handle(request, scene.services).status_code == 503


# How fast the messages come.


def test_what_is_found_comes_no_faster_than_sentry_answers(scene: Scene) -> None:
    link_many(scene, 99)
    for number in range(1001, 1100):
        scene.sentry.resolve(str(number))
    run(scene)
    moments = sorted(scene.services.outbound.moments())
    assert [len([each for each in moments if each == moment]) for moment in sorted(set(moments))] == [
        *[4] * 24,
        3,
    ]
    assert moments[-1] < scene.now + EVERY


def test_what_is_more_than_sentry_answers_is_carried_over_by_two_runs(scene: Scene) -> None:
    link_many(scene, 100)
    for number in range(1001, 1101):
        scene.sentry.resolve(str(number))
    limit_look_ups(scene, 4)
    reconciled(scene)
    states = [scene.ado.item(number).state for number in range(1001, 1101)]
    assert states.count("Closed") >= 90
    reconciled(scene)
    assert {scene.ado.item(number).state for number in range(1001, 1101)} == {"Closed"}


def limit_look_ups(scene: Scene, most: int) -> None:
    """Have Sentry answer so many look-ups of an issue in each second."""
    answered: list[int] = []
    real = scene.sentry.get_issue

    def limited(issue_id: str) -> SentryIssue:
        second = int(scene.now)
        answered.append(second)
        if answered.count(second) > most:
            raise Throttled("sentry", "HTTP 429", retry_after=1.0)
        return real(issue_id)

    scene.sentry.get_issue = limited  # type: ignore[method-assign]  # for this scene


def test_a_run_puts_no_more_messages_than_are_handled_until_the_next(scene: Scene) -> None:
    link_many(scene, 1_300)
    for number in range(1001, 2301):
        scene.sentry.resolve(str(number))
    asked: set[str] = set()
    counts = []
    for _ in range(3):
        run(scene)
        messages = waiting_about_issues(scene)
        counts.append(len(messages))
        asked |= {each.issue_id for each in messages}
    assert len(asked) == 1_300
    assert max(counts) < 500 + 100
    assert all(each < EVERY for each in scene.services.outbound.moments())


# Old activity.


def add_activity(scene: Scene, age: float, count: int = 1) -> None:
    entries = [ActivityEntry(scene.now - age, "applied")] * count
    scene.services.activity.add(SLUG, ISSUE, ITEM, *entries)


def test_activity_is_deleted_after_ninety_days_also_that_of_removed_links(scene: Scene) -> None:
    scene.now += DAY
    add_activity(scene, KEPT_FOR + 1.0)
    add_activity(scene, KEPT_FOR - 1.0)
    scene.services.activity.add(SLUG, "999", 9, ActivityEntry(scene.now - KEPT_FOR - 1.0, "unlinked"))
    run(scene)
    assert scene.outcomes() == ["applied"]
    assert scene.outcomes("999", 9) == []


def test_old_activity_is_pruned_once_a_day(scene: Scene) -> None:
    scene.now += DAY
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
    scene.now += DAY
    for _ in range(101):
        add_activity(scene, 0.0, count=100)
    scene.services.activity.add(SLUG, "999", 99, ActivityEntry(scene.now - KEPT_FOR - 1.0, "unlinked"))
    run(scene)
    assert scene.outcomes("999", 99) == ["unlinked"]
    run(scene)
    assert scene.outcomes("999", 99) == []
