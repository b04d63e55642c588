"""Work items that fit, by the document, the form and a rule, over HTTP; and what kind of done they are."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import azure.functions as func
import pytest

from functions import outbound_sync
from shared.domain.messages import OutboundMessage, RuleAction, encode
from shared.services import Services
from shared.settings import Settings
from shared.store.idempotency import ClaimedRecord, IdempotencyStore
from shared.store.tables import Replace, Table
from simulator.ado.faults import dropped, throttled
from simulator.ado.items import WorkItem
from simulator.sentry.components import ComponentFailed
from tests.doubles.clock import ShiftedClock
from tests.e2e.app import SECRETS, Pair, eventually
from tests.e2e.test_sentry_form import services_on

FABRIKAM, TAILORED = "Fabrikam-Fiber", "Tailored"
SEVERITY, IMPACT = "Microsoft.VSTS.Common.Severity", "Custom.CustomerImpact"
REQUEST = "Customer Request"
CREATE = r"workitems/\$"
RULE = "New errors"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect()
    return pair


def new_issue(pair: Pair, title: str = "TypeError: x is undefined") -> str:
    return pair.sentry.add_issue(title, announce=False).id


def made(pair: Pair) -> list[WorkItem]:
    with pair.ado.lock:
        return [each for each in pair.ado.work_items.all() if each.revisions[0].by == pair.ado.service]


def project_id(pair: Pair, name: str = FABRIKAM) -> str:
    return pair.ado.project_id(name)


def creation(pair: Pair, kind: str = "Bug", project: str = FABRIKAM, **defaults: Any) -> dict[str, Any]:
    return {"create": {project_id(pair, project): {kind: defaults}}}


def told(pair: Pair, issue_id: str, work_item_id: int, word: str) -> list[str]:
    """Return the reasons in the activity that hold a word, or are those of an outcome."""
    entries = pair.activity(issue_id, work_item_id)
    return [
        each["reason"] for each in entries if each["outcome"] == word or word in (each.get("reason") or "")
    ]


def submit(pair: Pair, issue_id: str, **fields: Any) -> WorkItem:
    filled = {"project": project_id(pair), "work_item_type": "Bug", "title": "Fix it", **fields}
    pair.sentry.submit(f"/api/sentry/{pair.slug}/issue-link/create", issue_id, filled)
    [item] = made(pair)
    return item


def save_rule(pair: Pair, name: str = RULE, **settings: Any) -> None:
    uri = f"/api/sentry/{pair.slug}/alert-rule/save"
    fields = {"project": project_id(pair), "work_item_type": "Bug", **settings}
    pair.sentry.save_rule(uri, fields, name)


def fire(pair: Pair, issue_id: str) -> None:
    pair.sentry.fire_rules(issue_id)
    pair.settle()


# Defaults, checked when they are stored.


@pytest.mark.parametrize(
    ("kind", "project", "defaults", "path", "said"),
    [
        ("Bug", FABRIKAM, {"fields": {"Custom.Nothing": "x"}}, "fields.Custom.Nothing", "is no field of Bug"),
        ("Bug", FABRIKAM, {"fields": {SEVERITY: "5 - Who cares"}}, f"fields.{SEVERITY}", "choose one of"),
        ("Bug", FABRIKAM, {"fields": {SEVERITY: " "}}, f"fields.{SEVERITY}", "must not be empty"),
        ("Bug", FABRIKAM, {"fields": {"System.CreatedDate": "x"}}, "fields.System.CreatedDate", "read-only"),
        ("Bug", FABRIKAM, {"fields": {"System.Tags": "x"}}, "fields.System.Tags", "is said by tags"),
        ("Bug", FABRIKAM, {"area_path": "Nowhere"}, "area_path", "is no path"),
        ("Bug", FABRIKAM, {"iteration_path": "Never"}, "iteration_path", "is no path"),
        ("Story", FABRIKAM, {}, "", "is no work item type"),
        ("Test Plan", FABRIKAM, {}, "", "is no work item type"),  # nobody may create one
        ("Feature", TAILORED, {}, "", "is no work item type"),  # it is disabled
        (REQUEST, TAILORED, {"tags": "x"}, f"fields.{IMPACT}", "is required"),
        (REQUEST, TAILORED, {"fields": {IMPACT: ""}}, f"fields.{IMPACT}", "is required"),
    ],
)
def test_a_default_that_azure_devops_would_not_take_is_refused_by_its_path(
    connected: Pair, kind: str, project: str, defaults: Any, path: str, said: str
) -> None:
    before = connected.ask("GET", "config").json()["config"]
    answer = connected.ask(
        "PUT",
        "config",
        json=connected.document(create={project_id(connected, project): {kind: defaults}}),
        headers={"If-Match": "*"},
    )
    where = f"create.{project_id(connected, project)}.{kind}"
    [(found, problem)] = answer.json()["errors"].items()
    assert (answer.status_code, found) == (400, f"{where}.{path}" if path else where)
    assert said in problem
    assert connected.ask("GET", "config").json()["config"] == before


@pytest.mark.parametrize("key", ["Fabrikam-Fiber", "00000000-0000-0000-0000-000000000000"])
def test_a_project_that_is_none_is_refused(connected: Pair, key: str) -> None:
    answer = connected.configure(create={key: {"Bug": {}}})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [f"create.{key.lower()}"])


def test_defaults_fill_what_the_form_leaves_open(connected: Pair) -> None:
    defaults: dict[str, Any] = {
        "fields": {SEVERITY: "1 - Critical", "Microsoft.VSTS.Common.Priority": 4},
        "area_path": r"Fabrikam-Fiber\Web",
        "iteration_path": r"Fabrikam-Fiber\Sprint 1",
        "tags": "sentry",
    }
    assert connected.configure(**creation(connected, **defaults)).status_code == 200
    item = submit(connected, new_issue(connected), tags="mine", other_fields="Severity = 2 - High")
    assert item.fields[SEVERITY] == "2 - High"  # what the form says wins
    assert item.fields["Microsoft.VSTS.Common.Priority"] == 4  # over what the issue's level would give
    assert item.fields["System.AreaPath"] == r"Fabrikam-Fiber\Web"
    assert item.fields["System.IterationPath"] == r"Fabrikam-Fiber\Sprint 1"
    assert item.fields["System.Tags"] == "mine"


def options(pair: Pair, name: str, **dependent: str) -> list[str]:
    uri = f"/api/sentry/{pair.slug}/options/{name}"
    return [each["label"] for each in pair.sentry.load_options(uri, dependent=dependent)]


def test_the_form_asks_for_what_a_type_still_needs(connected: Pair) -> None:
    wanted = {"project": project_id(connected, TAILORED), "work_item_type": REQUEST}
    with pytest.raises(ComponentFailed) as refused:
        submit(connected, new_issue(connected), **wanted)
    assert refused.value.status == 400
    assert "Customer Impact" in str(refused.value)
    # Sentry's schema is the same for all types, so what one requires is offered in its turn.
    assert options(connected, "required-1", **wanted) == [
        "Customer Impact: Low",
        "Customer Impact: Medium",
        "Customer Impact: High",
    ]
    assert options(connected, "required-2", **wanted) == options(connected, "required-1") == []
    item = submit(connected, new_issue(connected), **wanted, required_1=f"{IMPACT}=High")
    assert item.fields[IMPACT] == "High"


def test_a_required_field_may_be_written_as_a_line(connected: Pair) -> None:
    wanted = {"project": project_id(connected, TAILORED), "work_item_type": REQUEST}
    item = submit(connected, new_issue(connected), **wanted, other_fields="customer impact = Low\n\n")
    assert item.fields[IMPACT] == "Low"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("Severity", "is not"),
        ("Nothing = x", "no field 'Nothing'"),
        ("Severity = 9", "choose one of"),
        ("Created Date = x", "TF401320"),
    ],
)
def test_a_line_that_means_no_field_is_said_in_the_form(connected: Pair, lines: str, said: str) -> None:
    with pytest.raises(ComponentFailed) as refused:
        submit(connected, new_issue(connected), other_fields=lines)
    assert said in str(refused.value)
    assert made(connected) == []


# By a rule.


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"project": ""}, "project is required"),
        ({"work_item_type": None}, "work_item_type is required"),
        ({"project": "00000000-0000-0000-0000-000000000000"}, "project does not exist"),
        ({"work_item_type": "Story"}, "no type of Fabrikam-Fiber"),
        ({"area_path": "Nowhere"}, "no area of Fabrikam-Fiber"),
    ],
)
def test_settings_that_cannot_work_are_refused_when_the_rule_is_saved(
    connected: Pair, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ComponentFailed) as refused:
        save_rule(connected, **settings)
    assert refused.value.status == 400
    assert said in str(refused.value)


def test_a_rule_needs_what_its_type_requires(connected: Pair) -> None:
    wanted = {"project": project_id(connected, TAILORED), "work_item_type": REQUEST}
    with pytest.raises(ComponentFailed, match="Customer Impact"):
        save_rule(connected, **wanted)
    connected.configure(**creation(connected, REQUEST, TAILORED, fields={IMPACT: "High"}))
    save_rule(connected, **wanted)
    fire(connected, new_issue(connected))
    [item] = made(connected)
    assert (item.fields["System.WorkItemType"], item.fields[IMPACT]) == (REQUEST, "High")


def test_nobody_saves_a_rule_without_the_secret(connected: Pair) -> None:
    answer = connected.app.ask("POST", f"sentry/{connected.slug}/alert-rule/save", json={"fields": []})
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")


def test_a_rule_creates_a_work_item_and_links_it(connected: Pair) -> None:
    issue_id = new_issue(connected, "TypeError: it broke")
    connected.sentry.add_member("ann@corp.example")
    connected.sentry.assign(issue_id, "ann@corp.example")
    save_rule(connected, area_path=r"Fabrikam-Fiber\Web", tags="sentry, rule")
    fire(connected, issue_id)
    [item] = made(connected)
    assert item.title == "TypeError: it broke"
    assert item.fields["System.AreaPath"] == r"Fabrikam-Fiber\Web"
    assert item.fields["System.Tags"] == "sentry; rule"
    assert item.assignee == "ann@corp.example"
    assert RULE in str(item.fields["Microsoft.VSTS.TCM.ReproSteps"])
    assert [each["work_item_id"] for each in connected.links()] == [item.id]
    connected.sentry.resolve(issue_id)
    connected.settle()
    assert connected.state(item.id) == "Closed"


def test_however_many_rules_and_events_fire_there_is_one_item(connected: Pair) -> None:
    issue_id = new_issue(connected)
    for name in (RULE, "Many users", "Regressions"):
        save_rule(connected, name)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: connected.sentry.fire_rules(issue_id), range(4)))
    connected.settle()
    [item] = made(connected)
    assert [each["work_item_id"] for each in connected.links()] == [item.id]
    fire(connected, issue_id)
    again = told(connected, issue_id, item.id, "already-linked")
    assert len(again) == len(set(again)) == 3


def test_an_issue_that_is_linked_gets_none_and_that_is_told_once(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    save_rule(connected)
    fire(connected, issue_id)
    fire(connected, issue_id)
    assert made(connected) == []
    assert told(connected, issue_id, work_item_id, "already-linked") == [f"rule: {RULE}"]


def test_a_rule_makes_no_second_item_after_somebody_unlinked_the_first(connected: Pair) -> None:
    issue_id = new_issue(connected)
    save_rule(connected)
    fire(connected, issue_id)
    [item] = made(connected)
    assert connected.ask("DELETE", f"links/{issue_id}/{item.id}").status_code == 204
    fire(connected, issue_id)
    assert (made(connected), connected.links()) == ([item], [])


@pytest.mark.long
def test_the_rule_of_a_merged_issue_finds_what_it_became(connected: Pair) -> None:
    issue_id, other = new_issue(connected), new_issue(connected, "Another")
    save_rule(connected)
    with connected.sentry.hooks.held():
        connected.sentry.fire_rules(issue_id)
        connected.sentry.merge(issue_id, into=other)
    # Its hook is gone with it; a repeated one says the old id.
    event = {"issue_id": issue_id, "title": "x"}
    settings = [
        {"name": "project", "value": project_id(connected)},
        {"name": "work_item_type", "value": "Bug"},
    ]
    content = {"event": event, "triggered_rule": RULE, "issue_alert": {"title": RULE, "settings": settings}}
    for _ in range(2):
        body = {"action": "triggered", "data": content}
        assert connected.deliver_from_sentry(body, resource="event_alert").status_code == 202
    connected.settle()
    [item] = made(connected)
    assert [(each["issue_id"], each["work_item_id"]) for each in connected.links()] == [(other, item.id)]


class Died(BaseException):
    """The worker died."""


class DyingRecords(IdempotencyStore):
    """The records of a worker that dies when it is about to note one result."""

    def __init__(self, table: Table, name: str) -> None:
        super().__init__(table)
        self._name = name

    def done(self, organization: str, claim: ClaimedRecord, result: str) -> None:
        if self._name in claim.key:
            raise Died
        super().done(organization, claim, result)

    def marks(self, claims: Iterable[ClaimedRecord], result: str) -> list[Replace]:
        held = list(claims)
        if any(self._name in claim.key for claim in held):
            raise Died
        return super().marks(held, result)


class DyingServices(Services):
    """One more instance of the app, whose worker dies between a write and its record."""

    def __init__(self, pair: Pair, name: str) -> None:
        super().__init__(Settings({**SECRETS, "AzureWebJobsStorage": pair.app.storage}), time.time)
        self._dies_at = name

    @cached_property
    def idempotency(self) -> IdempotencyStore:
        return DyingRecords(self._table("links"), self._dies_at)


@pytest.mark.parametrize("record", ["create-for-", "rule-for-"])
def test_a_worker_that_dies_between_write_and_record_leaves_one_item(connected: Pair, record: str) -> None:
    issue_id = new_issue(connected)
    action = RuleAction(RULE, project_id(connected), "Bug")
    message = OutboundMessage(connected.slug, issue_id, epoch=connected.organization.epoch, action=action)
    with pytest.raises(Died):
        outbound_sync.handle(queued(message), DyingServices(connected, record))
    [item] = made(connected)
    clock = ShiftedClock()
    clock.ahead = 61.0
    for _ in range(2):  # It was put twice, and the second comes late.
        outbound_sync.handle(queued(message), services_on(connected.app.storage, clock))
        assert made(connected) == [item]
        links = [(each["issue_id"], each["work_item_id"]) for each in connected.links()]
        assert links == [(issue_id, item.id)]


def queued(message: OutboundMessage) -> func.QueueMessage:
    return func.QueueMessage(body=encode(message))


@pytest.mark.long
@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_makes_no_second_item(connected: Pair, lands: bool) -> None:
    save_rule(connected)
    connected.ado.meet(dropped(lands=lands), path=CREATE)
    issue_id = new_issue(connected)
    connected.sentry.fire_rules(issue_id)
    eventually(lambda: len(connected.links()) == 1, patience=180)
    assert len(made(connected)) == 1


@pytest.mark.long
def test_a_throttled_creation_waits_its_time(connected: Pair) -> None:
    save_rule(connected)
    connected.ado.meet(throttled(1), path=CREATE)
    connected.sentry.fire_rules(new_issue(connected))
    # Until its claim is over, the call may still be on its way.
    eventually(lambda: len(connected.links()) == 1, patience=180)
    assert len(made(connected)) == 1


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"event": {"issue_id": "100"}},  # a rule that only notifies us
        {"event": {"issue_id": "100"}, "issue_alert": {"settings": []}},
        {"event": {}, "issue_alert": {"settings": [{"name": "project", "value": "x"}]}},
        {"event": {"issue_id": "1/2"}, "issue_alert": {"settings": None}},
        {"event": [], "issue_alert": {"settings": [7, {"name": 1}]}},
    ],
)
def test_an_alert_without_our_action_is_nothing_to_us(connected: Pair, data: dict[str, Any]) -> None:
    answer = connected.deliver_from_sentry({"action": "triggered", "data": data}, resource="event_alert")
    assert (answer.status_code, answer.json()["outcome"]) == (200, "ignored")


# What kind of done.


def archived_by(pair: Pair, **document: Any) -> tuple[str, int]:
    assert pair.configure(archive_reasons=["Duplicate"], **document).status_code == 200
    return pair.linked()


def test_a_duplicate_archives_and_its_reopening_takes_it_back(connected: Pair) -> None:
    issue_id, number = archived_by(connected)
    connected.ado.edit(number, **{"System.State": "Closed", "System.Reason": "Duplicate"})
    connected.settle()
    assert connected.sentry.issue(issue_id)["substatus"] == "archived_forever"
    connected.ado.edit(number, **{"System.State": "Active"})
    connected.settle()
    assert connected.status(issue_id) == "unresolved"


def test_what_no_hook_told_is_found_with_its_reason(pair: Pair) -> None:
    pair.configure()
    issue_id, number = archived_by(pair)
    pair.ask("POST", "reconcile")
    pair.settle()
    pair.ado.edit(number, **{"System.State": "Closed", "System.Reason": "Duplicate"})
    pair.ask("POST", "reconcile")
    eventually(lambda: pair.status(issue_id) == "ignored", patience=60)


def test_a_state_for_archived_issues_is_gone_to_and_come_back_from(connected: Pair) -> None:
    mapping = {project_id(connected): {"on_archive": "Resolved"}}
    issue_id, number = archived_by(connected, status_mapping=mapping)
    connected.sentry.archive(issue_id)
    connected.settle()
    assert connected.state(number) == "Resolved"
    connected.sentry.unarchive(issue_id)
    connected.ask("POST", "reconcile", json={"issue_id": issue_id, "work_item_id": number})
    eventually(lambda: connected.state(number) == "New", patience=60)
    assert connected.status(issue_id) == "unresolved"


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ({"archive_reasons": ["Duplicate", "duplicate"]}, "archive_reasons[1]"),
        ({"archive_reasons": [" "]}, "archive_reasons[0]"),
        ({"archive_reasons": "Duplicate"}, "archive_reasons"),
        ({"resolve_in": "someday"}, "resolve_in"),
        ({"create": []}, "create"),
    ],
)
def test_a_document_that_means_no_kind_of_done_is_refused(
    connected: Pair, keys: dict[str, Any], path: str
) -> None:
    answer = connected.configure(**keys)
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [path])


def test_the_round_trip_of_archiving_is_held_when_stored(connected: Pair) -> None:
    project = project_id(connected)
    mapping = {project: {"on_resolve": "Closed", "on_unresolve": "Active", "on_archive": "Closed"}}
    answer = connected.configure(status_mapping=mapping)
    assert (answer.status_code, list(answer.json()["errors"])) == (
        400,
        [f"status_mapping.{project}.on_resolve"],
    )


@pytest.mark.parametrize(
    ("resolve_in", "details"),
    [("next_release", {"inNextRelease": True}), ("current_release", {"inRelease": "1.0.0"}), ("now", {})],
)
@pytest.mark.parametrize("released", [True, False])
def test_it_is_resolved_in_a_release_if_there_is_one(
    connected: Pair, resolve_in: str, details: dict[str, Any], released: bool
) -> None:
    if released:
        connected.sentry.add_release("fe", "1.0.0")
    issue_id, number = archived_by(connected, resolve_in=resolve_in)
    connected.ado.edit(number, **{"System.State": "Closed"})
    connected.settle()
    issue = connected.sentry.issue(issue_id)
    assert (issue["status"], issue["statusDetails"]) == ("resolved", details if released else {})
    is_told = bool(told(connected, issue_id, number, "resolved-now"))
    assert is_told is (not released and resolve_in != "now")
    assert connected.health(issue_id, number) == ("settled", None)
