"""Eight things are broken, one at a time: ``doctor`` and ``health`` name each and its cure."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.rules.diagnosing import Standing
from shared.services import Services
from shared.settings import Settings
from simulator.ado.catalog import Project
from simulator.sentry.gate import ALL_SCOPES
from tests.e2e.app import App, Pair
from tests.e2e.operating import Operator, Said, operated, public_app

FIBER = "Fabrikam-Fiber"
CAROL = "carol@corp.example"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    with public_app(tmp_path_factory.mktemp("doctor")) as running:
        yield running


@pytest.fixture
def both(app: App) -> Iterator[tuple[Pair, Operator]]:
    with operated(app) as (pair, operator):
        yield pair, operator


def findings(said: Said, standing: str = "problem") -> list[dict[str, Any]]:
    return [each for each in said.json["findings"] if each["standing"] == standing]


def is_told(app: App, words: str) -> bool:
    said = app.health()
    return said["status"] == "degraded" and any(words in each for each in said["problems"])


def expect(both: tuple[Pair, Operator], detail: str, cure: str, health: str) -> None:
    """Expect the problem, its cure, and the same from health, which does not tell whose it is."""
    pair, operator = both
    said = operator.run("doctor", "-o", "json")
    assert said.code == 1
    told = [(each["detail"], each["cure"]) for each in findings(said)]
    assert any(detail in one and cure in two for one, two in told), told
    assert is_told(pair.app, health), pair.app.health()
    assert pair.slug not in str(pair.app.health())
    shown = operator.run("doctor")
    assert detail in shown.out
    assert f"mend: {told[0][1]}" in shown.out


def expect_well(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    said = operator.run("doctor", "-o", "json")
    assert (findings(said), said.code) == ([], 0)
    assert pair.app.health()["status"] == "ok"


def test_a_pair_that_works_is_told_so_and_nothing_is_written(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    issue_id, item = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    rev, writes = pair.ado.item(item).rev, [each for each in pair.sentry.calls if each[0] != "GET"]
    said = operator.run("doctor", "-o", "json")
    assert (said.code, said.json["problems"]) == (0, 0)
    checks = {(each["area"], each["check"]) for each in said.json["findings"] if each["standing"] == "fine"}
    assert checks == {
        ("here", "network"), ("here", "clock"), ("app", "storage"), ("app", "settings"),
        ("app", "test-event"),
        ("ado", "clock"), ("ado", "projects"), ("ado", "work-items"), ("ado", "subscriptions"),
        ("sentry", "clock"), ("sentry", "credentials"), ("sentry", "scopes"), ("sentry", "hook"),
        ("sentry", "deliveries"), ("ado", "deliveries"), ("states", "mapping"), ("people", "people"),
    }  # fmt: skip
    assert {each["cure"] for each in findings(said, "fine")} == {None}
    assert pair.ado.item(item).rev == rev
    assert [each for each in pair.sentry.calls if each[0] != "GET"] == writes
    assert "Everything that was tried works." in operator.run("doctor").out
    rows = operator.run("doctor", "-o", "tsv").rows
    assert {len(row) for row in rows} == {5}
    assert {row[2] for row in rows} <= set(Standing)


def test_a_test_event_is_no_delivery(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    operator.run("doctor")
    said = pair.ask("GET", "status").json()
    assert (said["ado"]["last_event"], said["sentry"]["last_event"], said["ado"]["hours"]) == (None, None, [])


# The eight.


def test_a_refused_token(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.sentry.fail_next(100, 401)
    expect(
        both,
        "Sentry: it does not accept our credentials",
        "set SENTRY_TOKEN",
        "does not accept our credentials",
    )


@pytest.mark.long
def test_a_token_that_azure_devops_refuses(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.ado.tokens.clear()
    expect(
        both,
        "Azure DevOps: it does not accept",
        "set ADO_PAT",
        "Azure DevOps does not accept our credentials",
    )


@pytest.mark.parametrize(
    ("scope", "permission"),
    [("event:write", "Issue & Event: Read & Write"), ("member:read", "Member: Read")],
)
def test_a_missing_scope(both: tuple[Pair, Operator], scope: str, permission: str) -> None:
    pair, _ = both
    pair.sentry.grant(ALL_SCOPES - {scope, "event:admin"})
    expect(both, f"lacks the scope {scope}", permission, "a scope of the token is missing in Sentry")
    pair.sentry.grant(ALL_SCOPES)
    expect_well(both)


@pytest.mark.parametrize(
    "status",
    [
        "disabledBySystem",
        *(pytest.param(each, marks=pytest.mark.long) for each in ("onProbation", "disabledByUser")),
    ],
)
def test_a_disabled_hook(both: tuple[Pair, Operator], status: str) -> None:
    pair, operator = both
    broken = next(each for each in pair.ado.subscriptions if each.event_type == "workitem.updated")
    pair.ado.hooks.get(broken.id).status = status
    expect(both, "workitem.updated: ", "", "a subscription in Azure DevOps is not in order")
    if status != "disabledByUser":
        assert operator.run("hooks", "repair").code == 0
        expect_well(both)


@pytest.mark.long
def test_a_hook_of_sentry_that_is_not_ticked(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.sentry.integration.events.discard("issue")
    expect(both, 'does not send "issue"', "tick issue under Webhooks", "Sentry does not send us its webhooks")
    pair.sentry.integration.events.add("issue")
    expect_well(both)


@pytest.mark.long
def test_a_hook_of_sentry_that_leads_elsewhere(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.sentry.webhook_url = "https://elsewhere.example/hook"
    expect(both, "no integration sends its webhooks to", "under Webhook URL", "does not send us its webhooks")


@pytest.mark.parametrize("side", ["Azure DevOps", pytest.param("Sentry", marks=pytest.mark.long)])
def test_a_wrong_secret(both: tuple[Pair, Operator], side: str) -> None:
    pair, _ = both
    if side == "Sentry":
        pair.deliver_from_sentry({"action": "resolved"}, key="another")
        expect(
            both, "a delivery from Sentry was", "SENTRY_CLIENT_SECRET", "deliveries from Sentry are refused"
        )
    else:
        pair.deliver({"eventType": "workitem.updated"}, secret="another")
        expect(
            both, "their secret is not ADO_WEBHOOK_SECRET", "sentry-ado hooks repair", "deliveries from Azure"
        )


def test_a_renamed_state(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    project = pair.ado.catalog.project(FIBER)
    mapping = {project.id: {"on_resolve": "Closed", "on_unresolve": "Active"}}
    assert pair.ask("PATCH", "config", json={"status_mapping": mapping}).status_code in {200, 404}
    if not pair.ask("GET", "config").json()["config"]["status_mapping"]:
        answer = pair.ask(
            "PUT", "config", json=pair.document(status_mapping=mapping), headers={"If-Match": "*"}
        )
        assert answer.status_code == 200, answer.text
    expect_well(both)
    pair.ado.catalog.projects[project.id] = renamed(project, "Closed", "Finished")
    # What is older than half a minute is asked for again; a fresh instance knows nothing.
    pair.app.restart()
    expect(
        both, "'Closed'", "sentry-ado settings edit status_mapping.", "a state of the mapping does not exist"
    )
    pair.ado.catalog.projects[project.id] = project
    pair.app.restart()
    expect_well(both)


def renamed(project: Project, old: str, new: str) -> Project:
    types = tuple(
        dataclasses.replace(
            kind,
            states=tuple(dataclasses.replace(s, name=new) if s.name == old else s for s in kind.states),
            forbidden=frozenset(),
            moves=None,
        )
        for kind in project.process.types
    )
    return dataclasses.replace(project, process=dataclasses.replace(project.process, types=types))


def test_an_unknown_person(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    _, item = pair.linked()
    pair.ado.edit(item, **{"System.AssignedTo": CAROL})
    pair.settle()
    expect(
        both,
        f"{CAROL}, who is assigned",
        f"settings edit people.{CAROL}",
        "assignees of work items are nobody",
    )
    assert CAROL not in str(pair.app.health())
    pair.sentry.add_member(CAROL)
    operator = both[1]
    assert findings(operator.run("doctor", "-o", "json")) == []


@pytest.mark.long
def test_whoever_has_one_name_and_two_addresses_is_offered_and_not_mapped(
    both: tuple[Pair, Operator],
) -> None:
    """Before anything is linked, as ``connect`` ends with the same examination."""
    pair, operator = both
    pair.ado.catalog.add_person("Dora Dean", "dora@corp.example")
    pair.ado.add_item("Fix login", **{"System.AssignedTo": "dora@corp.example"})
    pair.sentry.add_member("dora@home.example", name="Dora Dean")
    said = operator.run("doctor", "-o", "json")
    [offer] = [each for each in findings(said, "note") if each["check"] == "namesake"]
    assert (
        offer["detail"] == "Dora Dean is dora@corp.example in Azure DevOps, and dora@home.example in Sentry"
    )
    command = "sentry-ado settings edit people.dora@corp.example dora@home.example"
    assert offer["cure"] == f"If they are the same person: {command}"
    assert (said.code, pair.ask("GET", "config").json()["config"]["people"]) == (0, {})
    assert operator.run(*command.split()[1:], "--yes").code == 0
    said = operator.run("doctor", "-o", "json")
    assert [each for each in findings(said, "note") if each["check"] == "namesake"] == []


@pytest.mark.long
def test_a_renamed_organization(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.ado.rename("fabrikam-new")
    expect(
        both, "knows no organization at ado_url", "sentry-ado settings edit ado_url", "knows no organization"
    )


@pytest.mark.long
def test_a_renamed_organization_in_sentry(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.sentry.issues.site = dataclasses.replace(pair.sentry.issues.site, organization="acme-new")
    expect(both, "Sentry knows no organization", "settings edit sentry_organization", "knows no organization")


@pytest.mark.parametrize(
    ("side", "seconds"),
    [
        ("ado", 600.0),
        ("sentry", -600.0),
        pytest.param("ado", -600.0, marks=pytest.mark.long),
        pytest.param("sentry", 600.0, marks=pytest.mark.long),
    ],
)
def test_a_clock_that_is_off_by_ten_minutes(both: tuple[Pair, Operator], side: str, seconds: float) -> None:
    pair, _ = both
    service = pair.ado if side == "ado" else pair.sentry
    service.clock_ahead = seconds
    way = "10 minutes behind" if seconds > 0 else "10 minutes ahead of"
    expect(both, f"the app's clock is {way}", "NTP", "the clocks of the app and")
    service.clock_ahead = 0.0
    expect_well(both)


# Others.


@pytest.mark.long
def test_what_is_on_a_poison_queue(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.app.poison("inbound-sync", b'{"organization": "t", "work_item_id": 1}')
    expect(
        both,
        "1 message is on the queue inbound-sync-poison",
        "sentry-ado replay",
        "messages on a poison queue",
    )
    pair.app.clear()
    expect_well(both)


def an_hour_goes_by(pair: Pair) -> None:
    """Let the reconciler have looked long ago."""
    services = Services(Settings({"AzureWebJobsStorage": pair.app.storage}))
    scope = pair.organization.scope
    services.progress.put(scope, replace(services.progress.get(scope), asked_at=0.0))


@pytest.mark.long
def test_the_reconciler_tells_without_anybody_asking(both: tuple[Pair, Operator]) -> None:
    pair, _ = both
    pair.sentry.grant(ALL_SCOPES - {"member:read"})
    an_hour_goes_by(pair)
    assert pair.ask("POST", "reconcile").status_code in {200, 202}
    assert is_told(pair.app, "a scope of the token is missing")
    kinds = {each["kind"] for each in pair.ask("GET", "status").json()["problems"]}
    assert "scope-missing" in kinds
    pair.sentry.grant(ALL_SCOPES)
    pair.ask("POST", "reconcile")
    assert pair.app.health()["status"] == "ok"


@pytest.mark.long
def test_an_address_that_does_not_lead_to_the_app(both: tuple[Pair, Operator]) -> None:
    pair, operator = both
    pair.app.restart(PUBLIC_URL="http://127.0.0.1:9/")
    try:
        said = operator.run("doctor", "-o", "json")
    finally:
        pair.app.restart(PUBLIC_URL=pair.app.url)
    told = [each for each in findings(said) if each["check"] == "test-event"]
    assert [each["side"] for each in told] == ["ado", "sentry"]
    assert "Set PUBLIC_URL" in told[0]["cure"]
