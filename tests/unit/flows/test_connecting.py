"""Storing an organization's document: what it takes along, what it leaves behind, whose links they are."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration, ProjectMapping
from shared.domain.connection import Choice
from shared.domain.errors import (
    Conflict,
    ConnectionChanged,
    InvalidConfiguration,
    NotFound,
    StalePrecondition,
    Unauthorized,
    Unavailable,
    Unreadable,
)
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import IssueStatus, Side, WorkItemTypes
from shared.domain.problems import Problem
from shared.domain.rules.problems import Trouble
from shared.flows.connecting import described_projects, remove, remove_what_ended, store
from shared.flows.linking import link
from shared.flows.reconciling import reconcile
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.flows.watching import status_of
from shared.store.organizations import Organization, gone
from shared.store.progress import Progress
from shared.store.tables import Replace
from simulator.ado.catalog import default_catalog
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.unit.scene import ISSUE, ITEM, SLUG, STATE, Died, Scene

THERE = "https://dev.azure.com/contoso/"


@pytest.fixture
def scene() -> Scene:
    return Scene()


def move(scene: Scene) -> MemoryAdo:
    """Have another organization answer from now on, in which item 31 is about chairs."""
    there = MemoryAdo(default_catalog("contoso", projects=5))
    there.add_item("Order new chairs", ITEM)
    scene.watched_ado.real = there
    return there


def put(scene: Scene, choice: Choice | None = None, **changes: Any) -> Organization:
    current = scene.services.organizations.find(SLUG)
    assert current is not None
    return store(scene.services, SLUG, replace(current.configuration, **changes), current, choice)


def repoint(scene: Scene, choice: Choice | None = None) -> MemoryAdo:
    there = move(scene)
    put(scene, choice, ado_url=THERE)
    return there


def waiting_message(scene: Scene) -> InboundMessage:
    """Return what is still on the queue about our work item, at a revision that any other one is behind."""
    item = replace(scene.ado.edit(ITEM, **{STATE: "Closed"}), rev=9)
    return InboundMessage(SLUG, ITEM, item.rev, snapshot=item)


def rows(scene: Scene, scope: str) -> int:
    return scene.services.links.count(scope)


# A document that leads to the same place


@pytest.mark.parametrize(
    "changes", [{}, {"issue_sync": False}, {"ado_url": "https://fabrikam.visualstudio.com/"}]
)
def test_a_document_of_the_same_place_keeps_its_links(scene: Scene, changes: dict[str, Any]) -> None:
    put(scene, **changes)
    assert scene.issue_ids == [ISSUE]


def test_a_renamed_organization_keeps_its_links(scene: Scene) -> None:
    before = scene.organization.epoch
    put(scene, ado_url=THERE)
    assert (scene.organization.epoch, scene.issue_ids) == (before, [ISSUE])
    assert scene.organization.ado.places == ("dev.azure.com/fabrikam", "dev.azure.com/contoso")


def test_a_place_that_does_not_answer_under_its_known_address_is_the_same(scene: Scene) -> None:
    scene.calls.meet("instance_id", Unavailable("ado", "down"))
    scene.calls.meet("organization_id", Unauthorized("sentry", "401"))
    put(scene, on_conflict="sentry")
    assert scene.issue_ids == [ISSUE]
    assert scene.organization.connection.is_known


# One that leads elsewhere


def test_links_do_not_go_to_another_organization_unless_somebody_says_so(scene: Scene) -> None:
    with pytest.raises(ConnectionChanged, match=r"1 link\(s\)"):
        repoint(scene)
    assert scene.organization.configuration.ado_url == BASE_URL


@pytest.mark.parametrize("change", [{"sentry_url": "https://sentry.corp.example/"}])
def test_nor_to_another_sentry(scene: Scene, change: dict[str, Any]) -> None:
    with pytest.raises(ConnectionChanged):
        put(scene, **change)


def test_whether_a_place_is_another_one_is_never_guessed(scene: Scene) -> None:
    scene.calls.meet("instance_id", Unauthorized("ado", "401"), Unauthorized("ado", "401"))
    with pytest.raises(Unavailable) as refusal:
        put(scene, ado_url=THERE)
    assert "?links=keep" in refusal.value.advice
    assert scene.organization.configuration.ado_url == BASE_URL
    put(scene, "keep", ado_url=THERE)
    assert scene.issue_ids == [ISSUE]


def test_who_took_the_name_over_is_another_one(scene: Scene) -> None:
    move(scene)
    with pytest.raises(ConnectionChanged):
        put(scene)


def test_links_that_are_dropped_are_met_by_nobody(scene: Scene) -> None:
    """Nothing of the other organization's is read into ours, and nothing is written there."""
    there = repoint(scene, "drop")
    there.edit(ITEM, **{STATE: "Closed"})
    scene.sentry.resolve(ISSUE)
    scene.services.outbound.put(OutboundMessage(SLUG, ISSUE))
    reconcile(scene.services, scene.organization, everything=True)
    assert sync_outbound(OutboundMessage(SLUG, ISSUE, epoch=scene.organization.epoch), scene.services) == [
        "not-linked"
    ]
    assert list(scene.services.links.all(scene.organization.scope)) == []
    assert len(there.revisions(ITEM)) == 2


def test_messages_of_before_are_dropped(scene: Scene) -> None:
    waiting = waiting_message(scene)
    repoint(scene, "drop")
    link(scene.services, scene.organization, ISSUE, ITEM, None)
    assert sync_inbound(waiting, scene.services) == ["other-connection"]
    assert sync_outbound(OutboundMessage(SLUG, ISSUE), scene.services) == ["other-connection"]
    assert scene.status is IssueStatus.UNRESOLVED


def test_without_links_a_document_may_lead_anywhere_and_begins_anew(scene: Scene) -> None:
    before = scene.organization
    scene.services.links.remove_some(before.scope, 10)
    repoint(scene)
    assert scene.organization.epoch != before.epoch
    assert scene.organization.ado.places == ("dev.azure.com/contoso",)


def test_the_same_place_under_a_new_name_is_known_by_both_from_then_on(scene: Scene) -> None:
    before = scene.organization.ado.ids
    there = repoint(scene, "keep")
    assert scene.issue_ids == [ISSUE]
    assert scene.organization.ado.ids == (*before, there.instance_id())
    put(scene, issue_sync=False)  # … also by whoever stores the next document.
    assert set(scene.organization.ado.ids) == {*before, there.instance_id()}


def test_what_must_be_done_once_may_be_done_again_elsewhere(scene: Scene) -> None:
    records, before = scene.services.idempotency, scene.organization.scope
    claim = records.claim(before, "create-for-500", scene.now)
    assert not isinstance(claim, str)
    records.done(before, claim, "31")
    repoint(scene, "drop")
    assert not isinstance(records.claim(scene.organization.scope, "create-for-500", scene.now), str)


def test_what_is_learned_meanwhile_is_no_change_of_the_document(scene: Scene) -> None:
    read = scene.organization
    scene.services.organizations.learn(read, replace(read.ado, delivered=("c",)))
    stored = store(scene.services, SLUG, replace(read.configuration, issue_sync=False), read)
    assert stored.ado.delivered == ("c",)
    with pytest.raises(StalePrecondition):
        store(scene.services, SLUG, read.configuration, read)


# What could not be asked


def test_who_could_not_be_asked_is_learned_at_the_first_call_that_succeeds(scene: Scene) -> None:
    down = [Unavailable("ado", "down")]
    scene.calls.meet("instance_id", *down)
    scene.calls.meet("organization_id", *down)
    document = Configuration(ado_url=BASE_URL)
    made = store(scene.services, "new", document, None)
    assert (made.epoch != "", made.connection.is_known) == (True, False)
    link(scene.services, made, ISSUE, ITEM, None)
    learned = scene.services.organizations.get("new")
    assert learned.connection.is_known
    assert learned.epoch == made.epoch
    assert learned.version == made.version


def test_who_cannot_say_it_is_not_asked_at_every_message(scene: Scene) -> None:
    document = Configuration(ado_url=BASE_URL)
    scene.services.organizations.add("new", document)
    for _ in range(3):
        scene.calls.meet("organization_id", Unavailable("sentry", "403"))
    organization = scene.services.organizations.get("new")
    link(scene.services, organization, ISSUE, ITEM, None)
    for _ in range(5):
        sync_outbound(OutboundMessage("new", ISSUE), scene.services)
        scene.now += 60.0
    assert scene.calls.made.count("organization_id") == 1


# Removing


def test_the_second_to_connect_a_slug_takes_nothing_from_the_first(scene: Scene) -> None:
    with pytest.raises(Conflict):
        store(scene.services, SLUG, scene.organization.configuration, None)
    assert scene.issue_ids == [ISSUE]


def test_a_slug_that_is_used_again_begins_anew(scene: Scene) -> None:
    """What was said of the first one's numbers is not said of the next one's."""
    waiting = waiting_message(scene)
    remove(scene.services, scene.organization)
    made = store(scene.services, SLUG, Configuration(ado_url=THERE), None)
    assert rows(scene, made.scope) == 0
    link(scene.services, made, ISSUE, ITEM, None)
    assert sync_inbound(waiting, scene.services) == ["other-connection"]
    assert scene.status is IssueStatus.UNRESOLVED
    again = scene.services.organizations.get(SLUG)
    remove(scene.services, again)
    assert store(scene.services, SLUG, again.configuration, None).epoch not in {"", again.epoch}


@pytest.mark.parametrize("store_name", ["links", "activity"])
def test_a_removal_that_was_cut_short_is_finished_by_the_reconciler(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, store_name: str
) -> None:
    before = scene.organization

    def die(*_: object) -> None:
        raise Died

    monkeypatch.setattr(getattr(scene.services, store_name), "remove_some", die)
    with pytest.raises(Died):
        remove(scene.services, before)
    monkeypatch.undo()
    with pytest.raises(NotFound):
        scene.services.organizations.get(SLUG)
    remove_what_ended(scene.services)
    assert rows(scene, before.scope) == 0
    assert scene.services.activity.page(before.scope, ISSUE, ITEM, None, 1).entries == ()


def test_nobody_links_for_an_organization_that_was_removed_meanwhile(scene: Scene) -> None:
    before = scene.organization
    scene.sentry.add_issue(issue_id="200")
    remove(scene.services, before)
    with pytest.raises(NotFound) as refusal:
        link(scene.services, before, "200", ITEM, None)
    assert refusal.value.kind == "unknown-organization"
    store(scene.services, SLUG, before.configuration, None)
    with pytest.raises(NotFound):
        link(scene.services, before, "200", ITEM, None)
    assert rows(scene, before.scope) == 0


def test_the_last_row_of_somebody_who_was_at_it_still_is_removed(scene: Scene) -> None:
    before, row = scene.organization, scene.row
    remove(scene.services, before)
    scene.services.links.add(row)
    for _ in range(2):
        remove_what_ended(scene.services)
        scene.now += 1900.0
    assert rows(scene, before.scope) == 0
    assert scene.services.scopes.ended() != []
    remove_what_ended(scene.services)
    assert scene.services.scopes.ended() == []


def test_rows_of_another_epoch_go_so_many_at_a_time(scene: Scene) -> None:
    before = scene.organization.scope
    for number in range(200, 1300):
        scene.services.links.add(replace(scene.row, issue_id=str(number)))
    repoint(scene, "drop")
    left = []
    for _ in range(2):
        remove_what_ended(scene.services)
        left.append(rows(scene, before))
    assert left == [101, 0]


def test_an_end_that_did_not_come_removes_nothing(scene: Scene) -> None:
    scene.services.scopes.announce_end(scene.organization.scope)
    scene.now += 4000.0
    remove_what_ended(scene.services)
    assert scene.issue_ids == [ISSUE]
    assert scene.services.scopes.ended() == []


# What cannot be read

UNREADABLE = ['{"on_conflict": "newest"}', '{"ado_url": 5}', "not JSON", "[]", ""]


@pytest.mark.parametrize("text", UNREADABLE)
def test_a_document_that_cannot_be_read_can_be_replaced_and_removed(scene: Scene, text: str) -> None:
    organizations = scene.services.organizations
    for finish in ("replace", "remove"):
        organizations._table.apply("organizations", Replace(SLUG, text, None))
        with pytest.raises(Unreadable):
            organizations.get(SLUG)
        current = organizations.find(SLUG)
        assert current is not None
        assert organizations.refusals() == {"document": 1}
        if finish == "replace":
            store(scene.services, SLUG, Configuration(ado_url=BASE_URL), current)
            assert organizations.get(SLUG).configuration.ado_url == BASE_URL
            assert organizations.refusals() == {}
        else:
            remove(scene.services, current)
            assert organizations.find(SLUG) is None


def test_links_outlive_a_document_that_only_a_newer_version_can_read(scene: Scene) -> None:
    row = scene.services.organizations._table.get("organizations", SLUG)
    text = row.text.replace('"on_conflict":"ado"', '"on_conflict":"newest"')
    scene.services.organizations._table.apply("organizations", Replace(SLUG, text, None))
    assert put(scene, ado_url=BASE_URL).epoch == ""
    assert scene.issue_ids == [ISSUE]


def test_nor_do_they_follow_its_repair_to_another_place(scene: Scene) -> None:
    text = '{"ado_url": "https://dev.azure.com/fabrikam/", "on_conflict": "newest"}'
    scene.services.organizations._table.apply("organizations", Replace(SLUG, text, None))
    with pytest.raises(ConnectionChanged):
        repoint(scene)


def damage(scene: Scene, connection: object) -> None:
    table = scene.services.organizations._table
    document = json.loads(table.get("organizations", SLUG).text)
    table.apply("organizations", Replace(SLUG, json.dumps({**document, "connection": connection}), None))


@pytest.mark.parametrize(
    "connection", [{"changed_at": 1e12}, {"ado": {"ids": "x"}}, {"ado": None}, {"epoch": "", "sentry": 7}]
)
def test_links_go_on_while_their_epoch_is_known(scene: Scene, connection: object) -> None:
    damage(scene, connection)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    assert sync_inbound(InboundMessage(SLUG, ITEM, item.rev, snapshot=item), scene.services) == ["applied"]
    put(scene, ado_url=BASE_URL)
    assert scene.issue_ids == [ISSUE]
    assert scene.organization.connection.is_known


UNKNOWN_EPOCHS = [{"epoch": 5}, {"epoch": None}, [], "x", None]


@pytest.mark.parametrize("connection", UNKNOWN_EPOCHS)
def test_a_message_waits_while_nobody_knows_the_epoch_of_its_links(scene: Scene, connection: object) -> None:
    message = waiting_message(scene)
    damage(scene, connection)
    with pytest.raises(Unreadable):
        sync_inbound(message, scene.services)
    assert scene.status is IssueStatus.UNRESOLVED


@pytest.mark.parametrize("connection", UNKNOWN_EPOCHS)
@pytest.mark.parametrize("is_replaced_first", [False, True])
def test_whoever_disconnects_an_organization_leaves_no_row_of_an_epoch_that_nobody_knew(
    scene: Scene, connection: object, is_replaced_first: bool
) -> None:
    reconcile(scene.services, scene.organization)
    damage(scene, connection)
    if is_replaced_first:
        put(scene, ado_url=BASE_URL)
    current = scene.services.organizations.find(SLUG)
    assert current is not None
    assert (current.scope, rows(scene, SLUG)) != (SLUG, 0)
    remove(scene.services, current)
    remove_what_ended(scene.services)
    assert (rows(scene, SLUG), rows(scene, current.scope)) == (0, 0)
    assert scene.services.progress.scopes_of(SLUG) == []


@pytest.mark.parametrize("connection", UNKNOWN_EPOCHS)
def test_whoever_replaces_a_row_whose_epoch_nobody_knew_leaves_nothing_of_that_behind(
    scene: Scene, connection: object
) -> None:
    before = scene.organization.scope
    trouble = Trouble("clock", Side.ADO, "the clock is off", "Set it.")
    scene.services.examinations.note(before, [trouble])
    problems = {"feed": Problem("unavailable", "no answer", scene.now)}
    scene.services.progress.put(before, Progress(problems=problems))
    damage(scene, connection)
    put(scene, ado_url=BASE_URL)
    remove_what_ended(scene.services)
    assert rows(scene, before) == 0
    assert before not in {*scene.services.progress.told(), *scene.services.examinations.all()}
    assert scene.organization.scope != before


def test_what_an_organization_is_told_of_is_told_of_no_other_in_its_place(scene: Scene) -> None:
    """Nor that it forbids everything, nor that it refuses our credentials, nor whose deliveries came."""
    for thing in ("item 1", "item 2", "item 3", "item 4"):
        for side in Side:
            scene.services.forbidden.note(SLUG, side, thing)
        scene.now += 400.0
    scene.services.foreign.note(SLUG)
    for side in Side:
        scene.services.organizations.note_refusal(SLUG, side)
        scene.services.organizations.note_refusal(SLUG, gone(side))
    before = status_of(scene.services, scene.organization).problems
    assert {each.kind for each in before} > {"forbidden", "unauthorized", "other-organization"}
    put(scene, sync_comments=True)  # … which is the same organization still
    assert "forbidden" in {each.kind for each in status_of(scene.services, scene.organization).problems}
    repoint(scene, "drop")
    assert status_of(scene.services, scene.organization).problems == []


@pytest.mark.parametrize("error", [Unavailable("storage", "no"), RuntimeError("a bug")])
def test_a_connection_whose_rows_cannot_be_removed_keeps_no_other_from_its_turn(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    remove_some, asked = scene.services.links.remove_some, []

    def removed(scope: str, limit: int) -> int:
        asked.append(scope)
        if scope == "aaa~1":
            raise error
        return remove_some(scope, limit)

    monkeypatch.setattr(scene.services.links, "remove_some", removed)
    for scope in ("aaa~1", "bbb~1", "ccc~1"):
        scene.services.scopes.announce_end(scope)
        scene.services.progress.put(scope, Progress())
    scene.now += 4000.0
    with pytest.raises(type(error)):
        remove_what_ended(scene.services)
    assert asked == ["aaa~1", "bbb~1", "ccc~1"]
    assert [each.scope for each in scene.services.scopes.ended()] == ["aaa~1"]
    assert scene.services.progress.told() == {}


# What is remembered of one connection


def cloned(scene: Scene, ado: MemoryAdo) -> MemoryAdo:
    """Have another collection answer whose projects have the ids of ours, as those of a clone have."""
    ado.taken_by = "33333333-3333-3333-3333-333333333333"
    scene.watched_ado.real = ado
    return ado


def states(scene: Scene, project: str) -> WorkItemTypes | None:
    shown = described_projects(scene.services, scene.organization, [project])
    return next(each.types for each in shown if each.id == project)


def test_the_states_of_another_organization_are_read_anew_though_its_projects_have_the_same_ids(
    scene: Scene,
) -> None:
    project = scene.row.project_id
    assert states(scene, project) == scene.ado.get_work_item_types(project)
    there = cloned(scene, MemoryAdo())
    there.unlisted = frozenset({"Resolved"})
    put(scene, "drop", ado_url=THERE)
    link(scene.services, scene.organization, ISSUE, there.add_item("Order new chairs", ITEM).id, None)
    assert states(scene, project) == there.get_work_item_types(project)
    assert states(scene, project) != scene.ado.get_work_item_types(project)


def test_a_check_that_is_not_finished_does_not_go_on_in_another_organization(scene: Scene) -> None:
    slow = _SlowProcesses(scene)
    scene.watched_ado.real = slow
    mapping = {each: ProjectMapping() for each in slow.catalog.projects}
    document = Configuration(ado_url=BASE_URL, status_mapping=mapping)
    with pytest.raises(Unavailable):
        store(scene.services, "new", document, None)
    cloned(scene, _SlowProcesses(scene))
    scene.calls.made.clear()
    with pytest.raises(Unavailable):
        store(scene.services, "new", replace(document, ado_url=THERE), None)
    assert scene.calls.made.count("get_work_item_types") == 4


# What a document sets going


def test_what_waits_for_a_cure_is_taken_up_by_the_next_run_and_once(scene: Scene) -> None:
    scene.calls.meet("get_issue", *[Unauthorized("sentry", "401")] * 2)
    item = scene.ado.edit(ITEM, **{STATE: "Closed"})
    with pytest.raises(Unauthorized):
        scene.inbound(item)
    scene.now += 20.0
    reconcile(scene.services, scene.organization)
    assert not scene.health.is_due(scene.now)
    put(scene)  # … which changes nothing
    reconcile(scene.services, scene.organization)
    assert not scene.health.is_due(scene.now)
    put(scene, sync_comments=True)
    assert not scene.health.is_due(scene.now)  # not in the request, however many links there are
    reconcile(scene.services, scene.organization)
    assert scene.health.is_due(scene.now)
    with pytest.raises(Unauthorized):
        scene.inbound()
    reconcile(scene.services, scene.organization)
    assert not scene.health.is_due(scene.now)


def test_storing_a_document_reads_no_links_but_their_number(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred thousand links, or one that cannot be read, are none of its business."""

    def none(_scope: str) -> Iterator[None]:
        raise AssertionError("it reads them all")

    monkeypatch.setattr(scene.services.links, "all", none)
    put(scene, sync_comments=True)


class _SlowProcesses(MemoryAdo):
    """Takes its time over the states of each project."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self._scene = scene

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        self._scene.now += 30.0
        return super().get_work_item_types(project_id)


def test_a_document_with_more_projects_than_a_request_can_check_is_stored_in_the_end(scene: Scene) -> None:
    slow = _SlowProcesses(scene)
    scene.watched_ado.real = slow
    mapping = {each: ProjectMapping() for each in slow.catalog.projects}
    document, requests = Configuration(ado_url=BASE_URL, status_mapping=mapping), 0
    while scene.services.organizations.find("new") is None:
        before, requests = scene.now, requests + 1
        with suppress(Unavailable):
            store(scene.services, "new", document, None)
        assert scene.now - before <= 150.0
    assert requests == 2


def test_a_mapping_is_checked_against_the_states_of_now(scene: Scene) -> None:
    project = scene.ado.catalog.project("Fabrikam-Fiber").id
    mapping = ProjectMapping(on_resolve="Resolved", on_unresolve="Active")
    document = replace(scene.organization.configuration, status_mapping={project: mapping})
    store(scene.services, SLUG, document, scene.organization)
    scene.ado.unlisted = frozenset({"Resolved"})
    with pytest.raises(InvalidConfiguration):
        store(scene.services, SLUG, document, scene.organization)
