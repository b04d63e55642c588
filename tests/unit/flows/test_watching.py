"""What is noted of each message, whom the reconciler asks without being asked, and what health keeps."""

import json
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest
from msgspec.structs import replace

from functions import health
from shared.domain.errors import (
    MissingSetting,
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.messages import InboundMessage, OutboundMessage, decode_inbound
from shared.domain.model import Health, HealthWord, Side
from shared.domain.traffic import Counts, Event, total
from shared.flows.reconciling import Part, reconcile
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.flows.watching import status_of, troubles
from shared.settings import Settings
from tests.doubles.services import SETTINGS
from tests.unit.rounds import EVERY, at_rest, deliver, reconciled, run
from tests.unit.scene import ANN, CAROL, ISSUE, ITEM, SLUG, STATE, Scene


@pytest.fixture
def scene() -> Scene:
    return Scene()


def events(scene: Scene) -> list[Event]:
    scene.services.ledger.flush()
    return list(scene.services.traffic.events(scene.organization.scope, None, 100).events)


def counts(scene: Scene, side: Side) -> Counts:
    scene.services.ledger.flush()
    return total(scene.services.traffic.hours(scene.organization.scope, scene.now).values()).on(side)


def told_by_hook(scene: Scene, age: float = 2.0) -> InboundMessage:
    item = scene.ado.item(ITEM)
    return InboundMessage(SLUG, ITEM, item.rev, snapshot=item, told_at=scene.now - age)


# Messages.


def test_a_change_is_an_event_with_its_delay(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    sync_inbound(told_by_hook(scene), scene.services)
    assert events(scene) == [
        Event(scene.now, Side.ADO, "updated", "applied", ISSUE, ITEM, None, "hook", 2.0)
    ]  # fmt: skip
    status = status_of(scene.services, scene.organization)
    assert (status.day.delays.longest, counts(scene, Side.ADO)) == (2.0, Counts())


def test_what_was_skipped_has_its_reason_and_no_delay(scene: Scene) -> None:
    scene.configure(issue_sync=False)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    sync_inbound(told_by_hook(scene), scene.services)
    [event] = events(scene)
    assert (event.outcome, event.reason) == ("skipped", "inbound-off")
    assert status_of(scene.services, scene.organization).day.delays.buckets == {}


def test_a_repeated_delivery_is_counted_and_not_kept(scene: Scene) -> None:
    sync_inbound(told_by_hook(scene), scene.services)
    assert (events(scene), counts(scene, Side.ADO)) == ([], Counts(nothing_to_do=1))


def test_what_is_not_linked_is_counted_and_not_kept(scene: Scene) -> None:
    sync_outbound(OutboundMessage(SLUG, "999", told_at=scene.now), scene.services)
    assert (events(scene), counts(scene, Side.SENTRY)) == ([], Counts(not_linked=1))


def test_a_message_of_an_older_version_is_a_hooks_without_a_delay(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    sync_inbound(decode_inbound(b'{"organization":"fabrikam","work_item_id":31,"rev":2}'), scene.services)
    [event] = events(scene)
    assert (event.outcome, event.told_by, event.took) == ("applied", "hook", None)


@pytest.mark.parametrize(
    ("error", "outcome", "reason"),
    [
        (Unauthorized("sentry", "401"), "failed", "unauthorized"),
        (Unavailable("sentry", "503"), "retry", "unavailable"),
        (Throttled("sentry", "429", retry_after=9.0), "put-back", "throttled"),
        (NotFound("gone", kind="issue-not-found"), "failed", "issue-gone"),
    ],
)
def test_a_failure_is_an_event_with_what_becomes_of_the_message(
    scene: Scene, error: SyncError, outcome: str, reason: str
) -> None:
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_issue", error)
    with pytest.raises(type(error)):
        sync_inbound(told_by_hook(scene), scene.services)
    [event] = events(scene)
    assert (event.outcome, event.reason, event.issue_id) == (outcome, reason, ISSUE)


# What no hook told.


@pytest.mark.parametrize(
    ("edit", "side", "untold"),
    [
        (lambda scene: scene.ado.edit(ITEM, **{STATE: "Closed"}), Side.ADO, 1),
        (lambda scene: scene.ado.edit(ITEM, **{"System.Title": "Words"}), Side.ADO, 0),
        (lambda scene: scene.sentry.resolve(ISSUE), Side.SENTRY, 1),
        (lambda scene: scene.sentry.assign(ISSUE, ANN), Side.SENTRY, 1),
    ],
)
def test_a_change_that_the_reconciler_finds_first_is_counted(
    scene: Scene, edit: Callable[[Scene], object], side: Side, untold: int
) -> None:
    at_rest(scene)
    edit(scene)
    reconciled(scene)
    reconciled(scene)
    assert counts(scene, side).untold == untold
    assert counts(scene, side.other).untold == 0
    found = [each.kind for each in troubles(scene.services, scene.organization, progress(scene))]
    assert found == (["changes-untold"] if untold else [])


def progress(scene: Scene) -> Any:
    return scene.services.progress.get(scene.organization.scope)


def test_what_sentry_never_tells_is_no_lost_hook(scene: Scene) -> None:
    scene.sentry.assign(ISSUE, ANN)
    scene.outbound()
    at_rest(scene)
    scene.sentry.unassign(ISSUE)
    reconciled(scene)
    assert scene.ado.item(ITEM).assignee is None
    assert counts(scene, Side.SENTRY).untold == 0


def test_a_link_that_was_due_is_no_find(scene: Scene) -> None:
    at_rest(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_issue", Unavailable("sentry", "503"))
    with pytest.raises(Unavailable):
        sync_inbound(told_by_hook(scene), scene.services)
    for _ in range(3):
        reconciled(scene)
    assert str(scene.status) == "resolved"
    assert counts(scene, Side.ADO).untold == 0


def test_a_link_that_was_not_well_is_no_find(scene: Scene) -> None:
    """A hook may have told, and what it told of is read from the feed as well."""
    at_rest(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    for _ in range(2):
        scene.calls.meet("get_issue", Unavailable("sentry", "503"))
        with pytest.raises(Unavailable):
            sync_inbound(told_by_hook(scene), scene.services)
    scene.ado.edit(ITEM, **{"System.Title": "Words"})
    for _ in range(3):
        reconciled(scene)
    assert str(scene.status) == "resolved"
    assert counts(scene, Side.ADO).untold == 0


@pytest.mark.parametrize("service", ["ado", "sentry"])
def test_what_a_hook_told_while_an_organization_was_gone_accuses_no_hook(scene: Scene, service: str) -> None:
    at_rest(scene)
    scene.ado.edit(ITEM, **{STATE: "Closed"})
    scene.calls.meet("get_issue", OrganizationGone(service, "404"))
    with pytest.raises(OrganizationGone):
        sync_inbound(told_by_hook(scene), scene.services)
    reconciled(scene)
    reconciled(scene)
    assert str(scene.status) == "resolved"
    assert {each.told_by for each in events(scene)} == {"hook", "reconciler"}
    status = status_of(scene.services, scene.organization)
    assert ([each.kind for each in status.problems], status.untold) == ([], 0)
    # One more than was given up.
    scene.ado.edit(ITEM, **{STATE: "Active"})
    reconciled(scene)
    reconciled(scene)
    status = status_of(scene.services, scene.organization)
    assert ([each.kind for each in status.problems], status.untold) == (["changes-untold"], 1)


def test_an_examination_is_made_when_somebody_asks(scene: Scene) -> None:
    """Which is what "Test again" on the page and ``sentry-ado retry --all`` do."""
    at_rest(scene)
    reconcile(scene.services, scene.organization)
    examined = scene.services.examinations.get(scene.organization.scope).at
    scene.now += 60.0
    reconcile(scene.services, scene.organization)
    assert scene.services.examinations.get(scene.organization.scope).at == examined
    reconcile(scene.services, scene.organization, everything=True)
    assert scene.services.examinations.get(scene.organization.scope).at == scene.now


@pytest.mark.parametrize(
    ("reason", "explains"),
    [("forbidden", True), ("refused", True), ("assignee-not-found", True), ("unavailable", False)],
)
def test_an_examination_follows_when_a_link_falls_ill(scene: Scene, reason: str, explains: bool) -> None:
    """What is wrong is named by the next run, and not an hour later; and looked into once."""
    at_rest(scene)
    reconcile(scene.services, scene.organization)
    first = examined_at(scene)
    scene.now += 60.0
    ill = Health(HealthWord.ATTENTION, reason, "no", scene.now, 1, scene.now + 3600.0)
    scene.services.links.replace(scene.stored(), replace(scene.row, health=ill))
    scene.now += 60.0
    reconcile(scene.services, scene.organization)
    assert examined_at(scene) == (scene.now if explains else first)
    scene.now += 60.0
    reconcile(scene.services, scene.organization)
    assert examined_at(scene) == (scene.now - 60.0 if explains else first)


def examined_at(scene: Scene) -> float:
    return scene.services.examinations.get(scene.organization.scope).at


# Asking who is there.


def empty(scene: Scene) -> Scene:
    scene.services.links.remove(scene.stored())
    scene.calls.made.clear()
    return scene


WHO = ["instance_id", "organization_id"]


def test_both_services_are_asked_once_an_hour_links_or_not(scene: Scene) -> None:
    empty(scene)
    for _ in range(13):
        run(scene)
        scene.now += EVERY
    assert scene.calls.made == WHO * 2


@pytest.mark.parametrize(("call", "side"), [("instance_id", "ado"), ("organization_id", "sentry")])
def test_one_that_does_not_answer_is_a_problem_until_it_does(scene: Scene, call: str, side: str) -> None:
    empty(scene)
    scene.calls.meet(call, *[Unauthorized(side, "401")] * 3)
    began = scene.now
    for _ in range(3):
        run(scene)
        found = troubles(scene.services, scene.organization, progress(scene))
        assert [(each.kind, each.side, each.since) for each in found] == [("unauthorized", side, began)]
        scene.now += EVERY
    run(scene)
    assert troubles(scene.services, scene.organization, progress(scene)) == []
    told = [(each.kind, each.side, each.outcome, each.reason) for each in events(scene)]
    assert told == [
        ("problem", side, "cured", "unauthorized"),
        ("problem", side, "began", "unauthorized"),
    ]


@pytest.mark.parametrize("name", ["unauthorized storage", "unauthorized ADO", "x y z", " ado", ""])
def test_a_problem_of_which_nobody_knows_the_name_ends_untold_and_keeps_no_run(
    scene: Scene, name: str
) -> None:
    run(scene)
    known = {name: scene.now, "unauthorized ado": scene.now}
    scene.services.progress.put(scene.organization.scope, replace(progress(scene), known=known))
    assert reconcile(scene.services, scene.organization).failures == ()
    assert [(each.side, each.reason) for each in events(scene)] == [("ado", "unauthorized")]
    assert progress(scene).known == {}


@pytest.mark.parametrize("call", ["fill_in", "tell_problems"])
def test_a_bug_at_the_end_of_a_run_is_a_problem_of_the_organization(
    scene: Scene, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(f"shared.flows.reconciling.{call}", fail)
        found = reconcile(scene.services, scene.organization)
    assert [(each.part, each.kind) for each in found.failures] == [(Part.EVENTS, "bug")]
    [problem] = said(scene)["problems"]
    assert problem.startswith("what began or ended cannot be put among the events for 1 organization(s)")
    run(scene)
    assert progress(scene).problems == {}


def test_one_that_asks_us_to_wait_is_well(scene: Scene) -> None:
    empty(scene)
    scene.calls.meet("instance_id", Throttled("ado", "429", retry_after=60.0))
    run(scene)
    assert troubles(scene.services, scene.organization, progress(scene)) == []


def test_a_changed_document_is_asked_about_at_once(scene: Scene) -> None:
    run(empty(scene))
    scene.now += 5.0
    organization = scene.organization
    connection = replace(organization.connection, changed_at=scene.now)
    scene.services.organizations.replace(organization, organization.configuration, connection)
    scene.calls.made.clear()
    run(scene)
    assert scene.calls.made == WHO


# Health, and what a look at all links counts.


def said(scene: Scene) -> dict[str, Any]:
    answer = health.handle(func.HttpRequest("GET", "/", body=b""), scene.services)
    content: dict[str, Any] = json.loads(answer.get_body())
    return content


def test_health_is_looked_at_every_ten_seconds(scene: Scene) -> None:
    scene.services.keeps_health_for = 10.0
    assert said(scene)["status"] == "ok"
    scene.services.organizations.note_refusal(SLUG, "ado")
    scene.now += 9.0
    assert said(scene)["status"] == "ok"
    scene.now += 1.0
    assert said(scene)["status"] == "degraded"


REFUSED = (
    "Azure DevOps does not accept our credentials for 1 organization(s): give ADO_PAT a token that is valid, "
    "or the app's identity access"
)


def test_a_refusal_that_a_worker_met_too_is_told_once(scene: Scene) -> None:
    scene.calls.meet("instance_id", Unauthorized("ado", "401"))
    run(scene)
    scene.services.organizations.note_refusal(SLUG, "ado")
    assert said(scene)["problems"] == [REFUSED]


def without(name: str) -> Settings:
    return Settings({key: value for key, value in SETTINGS.environment.items() if key != name})


@pytest.mark.parametrize(
    "settings",
    [without("SENTRY_TOKEN"), Settings({**SETTINGS.environment, "SENTRY_TOKEN": "<your token>"})],
    ids=["absent", "placeholder"],
)
def test_a_setting_that_is_missing_is_told_once(scene: Scene, settings: Settings) -> None:
    scene.services.settings = settings
    with pytest.raises(MissingSetting) as missing:
        settings.sentry_token(SLUG)
    scene.calls.meet("organization_id", missing.value)
    run(empty(scene))
    assert said(scene)["problems"] == [missing.value.detail]


def test_what_one_organization_lacks_is_told_without_its_name(scene: Scene) -> None:
    scene.calls.meet("organization_id", MissingSetting(f"SENTRY_TOKEN__{SLUG.upper()}", "the token"))
    run(empty(scene))
    [problem] = said(scene)["problems"]
    assert problem.startswith("a setting for Sentry is missing for 1 organization(s)")


def test_links_are_counted_by_health_and_by_whether_they_agree(scene: Scene) -> None:
    scene.link("101", 41)
    scene.link("102", 42)
    scene.sentry.archive("101")
    scene.outbound("101")
    scene.ado.edit(42, **{"System.AssignedTo": CAROL})
    sync_outbound(OutboundMessage(SLUG, "102"), scene.services)
    sync_inbound(InboundMessage(SLUG, 42, scene.ado.item(42).rev), scene.services)
    links = status_of(scene.services, scene.organization).links
    assert (links.total, links.settled, links.attention, links.agree, links.apart) == (3, 2, 1, 1, 1)
    run(scene)
    deliver(scene)
    assert progress(scene).links == links  # what a passing run counts


def test_links_that_need_somebody_are_a_problem_with_a_cure(scene: Scene) -> None:
    scene.ado.edit(ITEM, **{"System.AssignedTo": CAROL})
    scene.inbound()
    [problem] = status_of(scene.services, scene.organization).problems
    assert (problem.kind, problem.side, problem.since) == ("assignee-not-found", "sentry", scene.now)
    assert CAROL in problem.detail
    assert "People" in problem.cure
