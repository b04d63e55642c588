"""The first minutes: a document is tried when it is stored, and what it lacks is named where it is wrong."""

from pathlib import Path
from typing import Any

import pytest

from simulator.ado.faults import Fault, html_page
from tests.e2e.app import SECRETS, App, Pair, eventually, own_app

STATE = "System.State"


def errors(pair: Pair, **changes: Any) -> dict[str, str]:
    answer = pair.configure(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-configuration"), answer.text
    assert pair.ask("GET", "config").status_code == 404
    found: dict[str, str] = answer.json()["errors"]
    return found


# No such organization.


@pytest.mark.parametrize("name", ["acme-old", "acme typo", "nope"])
def test_a_sentry_organization_that_nobody_knows_is_an_error_by_its_key(pair: Pair, name: str) -> None:
    found = errors(pair, sentry_organization=name)
    assert list(found) == ["sentry_organization"]
    assert name in found["sentry_organization"]


def test_the_slug_that_is_taken_in_its_place_is_named_by_the_same_key(pair: Pair) -> None:
    found = errors(pair, sentry_organization=None)
    assert list(found) == ["sentry_organization"]
    assert pair.slug in found["sentry_organization"]


def test_an_ado_organization_that_nobody_knows_is_an_error_by_its_key(pair: Pair) -> None:
    assert list(errors(pair, ado_url=f"{pair.ado.url}/nobody/")) == ["ado_url"]


def test_both_are_named_together(pair: Pair) -> None:
    found = errors(pair, ado_url=f"{pair.ado.url}/nobody/", sentry_organization="nope")
    assert set(found) == {"ado_url", "sentry_organization"}


def test_what_answers_like_no_sentry_at_all_is_an_error_of_the_address(pair: Pair) -> None:
    # The fake of the other service knows no such path, and says so in other words than Sentry's.
    assert list(errors(pair, sentry_url=pair.ado.url)) == ["sentry_url"]


def test_one_resource_that_is_not_there_is_no_missing_organization(pair: Pair) -> None:
    pair.ado.fail_next(http_status=404, path="connectionData")
    answer = pair.configure()
    assert (answer.status_code, list(answer.json()["warnings"])) == (201, ["ado_url"])


# Addresses as people paste them.


@pytest.mark.parametrize(
    "path",
    [
        "",
        "Fabrikam-Fiber/_workitems/edit/31",
        "_settings/projects",
        "Fabrikam-Fiber/_git/web/",
        "_apis/projects",
    ],
)
def test_a_pages_address_on_a_server_is_cut_to_its_collection(pair: Pair, path: str) -> None:
    answer = pair.configure(ado_url=f"{pair.ado.organization_url}{path}")
    assert answer.status_code == 201, answer.text
    assert answer.json()["config"]["ado_url"] == pair.ado.organization_url
    assert "warnings" not in answer.json()


def test_a_page_of_nowhere_is_refused(pair: Pair) -> None:
    assert list(errors(pair, ado_url=f"{pair.ado.url}/nobody/Web/_workitems/edit/1")) == ["ado_url"]


def test_a_projects_address_is_refused(pair: Pair) -> None:
    assert list(errors(pair, ado_url=f"{pair.ado.organization_url}Fabrikam-Fiber/")) == ["ado_url"]


@pytest.mark.parametrize(
    "path", ["organizations/acme/issues/100/", "issues/100/", "settings/acme/", "api/0/"]
)
def test_a_page_of_sentry_is_cut_to_its_server(pair: Pair, path: str) -> None:
    answer = pair.configure(sentry_url=f"{pair.sentry.url.rstrip('/')}/{path}")
    assert answer.status_code == 201, answer.text
    assert answer.json()["config"]["sentry_url"].rstrip("/") == pair.sentry.url.rstrip("/")


@pytest.mark.parametrize("path", ["acme/frontend/", "sentry/", "x"])
def test_any_other_path_on_sentry_is_refused(pair: Pair, path: str) -> None:
    assert list(errors(pair, sentry_url=f"{pair.sentry.url.rstrip('/')}/{path}")) == ["sentry_url"]


# What could not be tried.


def test_a_document_that_could_be_tried_has_no_warnings(pair: Pair) -> None:
    assert "warnings" not in pair.configure().json()
    assert "warnings" not in pair.configure(on_conflict="sentry").json()


@pytest.mark.parametrize("trouble", [Fault(401), Fault(503), Fault(drops=True), html_page(404), Fault(302)])
def test_an_ado_that_does_not_take_us_is_a_warning(pair: Pair, trouble: Fault) -> None:
    pair.ado.meet(trouble)
    answer = pair.configure()
    assert (answer.status_code, list(answer.json()["warnings"])) == (201, ["ado_url"])
    assert "Azure DevOps" in answer.json()["warnings"]["ado_url"]
    pair.ado.meet(trouble)
    assert list(pair.configure(on_conflict="sentry").json()["warnings"]) == ["ado_url"]


@pytest.mark.parametrize(("status", "word"), [(401, "SENTRY_TOKEN"), (403, "SENTRY_TOKEN"), (500, "Sentry")])
def test_a_sentry_that_does_not_take_us_is_a_warning(pair: Pair, status: int, word: str) -> None:
    pair.sentry.fail_next(1, status)
    answer = pair.configure()
    assert (answer.status_code, list(answer.json()["warnings"])) == (201, ["sentry_organization"])
    assert word in answer.json()["warnings"]["sentry_organization"]


def test_a_page_that_answers_for_a_slug_is_named(pair: Pair) -> None:
    pair.sentry.fail_next(1, 200, body="<html><body>Welcome</body></html>")
    warning = pair.configure(sentry_organization="acme").json()["warnings"]["sentry_organization"]
    for word in ("acme", "web page", "sentry_url", "sentry_organization"):
        assert word in warning


def test_only_a_mapping_waits_for_an_answer(pair: Pair) -> None:
    mapping = {pair.ado.project_id("Fabrikam-Fiber"): {"on_resolve": "Closed", "on_unresolve": "Active"}}
    pair.ado.fail_next(5, http_status=503)
    assert pair.configure(status_mapping=mapping).status_code == 503
    assert pair.ask("GET", "config").status_code == 404


def test_the_document_may_come_before_the_tokens(tmp_path: Path) -> None:
    without = {name: value for name, value in SECRETS.items() if name != "SENTRY_TOKEN"}
    with own_app(tmp_path) as (app, azurite):
        storage = azurite.connection_string
        with App(tmp_path / "tokenless.log", without, storage=storage) as own, Pair.beside(own) as pair:
            answer = pair.configure()
            assert answer.status_code == 201
            assert "SENTRY_TOKEN" in answer.json()["warnings"]["sentry_organization"]
        assert app.ask("GET", "health").status_code == 200


# Mappings.


@pytest.mark.parametrize(
    ("changes", "lacking"),
    [
        ({"done_states": ["New", "Active", "Resolved", "Closed"]}, "open"),
        ({"types": {"Bug": {"done_states": ["New", "Active", "Resolved", "Closed"]}}}, "open"),
    ],
)
def test_a_mapping_that_leaves_a_type_without_an_open_state_is_an_error(
    pair: Pair, changes: dict[str, Any], lacking: str
) -> None:
    project = pair.ado.project_id("Fabrikam-Fiber")
    [(path, problem), *_] = errors(pair, status_mapping={project: changes}).items()
    assert path.startswith(f"status_mapping.{project}")
    assert path.endswith(".done_states")
    assert problem.endswith(f"without a state to set that counts as {lacking}")


def test_a_mapping_that_leaves_a_type_without_a_done_state_is_an_error(pair: Pair) -> None:
    project = pair.ado.project_id("Fabrikam-Fiber")
    found = errors(pair, done_categories=["Resolved"], status_mapping={project: {"done_states": ["Closed"]}})
    assert all(each.endswith("counts as done") for each in found.values())


# Organizations that are renamed or deleted later.


def test_an_ado_organization_that_is_gone_is_one_problem_and_no_link_is_gone(tmp_path: Path) -> None:
    with own_app(tmp_path) as (app, _), Pair.beside(app) as pair:
        pair.connect()
        linked = [pair.linked() for _ in range(3)]
        pair.ado.fail_next(10_000, http_status=404, body="nobody is called so")
        for issue_id, _ in linked:
            pair.sentry.resolve(issue_id)
        pair.settle()
        app.run_now("reconcile")
        pair.settle()
        assert {pair.health(*each) for each in linked} == {("settled", None)}
        [problem] = app.ask("GET", "health").json()["problems"]
        assert "Azure DevOps knows no organization" in problem
        answer = pair.post_link(pair.sentry.add_issue(announce=False).id, 31)
        assert (answer.status_code, answer.json()["error"]) == (502, "ado-organization-gone")
        pair.ado.faults.clear()
        assert pair.configure(on_conflict="sentry").status_code == 200
        app.run_now("reconcile")
        eventually(lambda: [pair.state(item) for _, item in linked] == ["Closed"] * 3)
        eventually(lambda: not any("no organization" in each for each in app.health()["problems"]))


def test_a_sentry_organization_that_is_gone_is_one_problem_and_no_link_is_gone(tmp_path: Path) -> None:
    with own_app(tmp_path) as (app, _), Pair.beside(app) as pair:
        pair.connect()
        linked = [pair.linked() for _ in range(3)]
        pair.sentry.rename("renamed")
        for _, item in linked:
            pair.ado.edit(item, **{STATE: "Closed"})
        pair.settle()
        app.run_now("reconcile")
        pair.settle()
        assert {pair.health(*each) for each in linked} == {("settled", None)}
        [problem] = app.ask("GET", "health").json()["problems"]
        assert "Sentry knows no organization" in problem
        assert pair.configure(sentry_organization="renamed").status_code == 200
        app.run_now("reconcile")
        eventually(lambda: [pair.status(issue) for issue, _ in linked] == ["resolved"] * 3)
        eventually(lambda: not any("no organization" in each for each in app.health()["problems"]))


def test_a_thing_that_is_gone_is_still_gone(pair: Pair) -> None:
    pair.connect()
    issue_id, item = pair.linked()
    pair.ado.delete(item)
    pair.settle()
    assert pair.health(issue_id, item) == ("attention", "work-item-gone")


# Secrets that are none.


def test_what_stands_in_for_a_secret_lets_nobody_in_and_is_named(tmp_path: Path) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/name)"
    stand_ins = {
        "ADO_WEBHOOK_SECRET": reference,
        "SENTRY_CLIENT_SECRET": "<your secret>",
        "SENTRY_TOKEN": "changeme",
        "ADO_PAT": reference,
    }
    with own_app(tmp_path) as (_, azurite):
        environ = {**SECRETS, **stand_ins}
        storage = azurite.connection_string
        with App(tmp_path / "own.log", environ, storage=storage) as app, Pair.beside(app) as pair:
            answer = pair.configure()
            assert set(answer.json()["warnings"]) == {"ado_url", "sentry_organization"}
            body = {"eventType": "workitem.updated"}
            assert pair.deliver(body, secret=reference).status_code == 401
            hook = {"action": "resolved", "data": {"issue": {"id": "1"}}}
            assert pair.deliver_from_sentry(hook, key="<your secret>").status_code == 401
            assert pair.ado.calls == []
            problems = " ".join(app.ask("GET", "health").json()["problems"])
            for name in stand_ins:
                assert f"{name} is a" in problems
            assert "vault.example" not in problems


def test_a_reference_for_one_organization_only_closes_that_one(tmp_path: Path) -> None:
    reference = "@Microsoft.KeyVault(VaultName=v;SecretName=s)"
    environ = {**SECRETS, "ADO_WEBHOOK_SECRET__BROKEN": reference}
    with own_app(tmp_path) as (_, azurite):
        storage = azurite.connection_string
        with App(tmp_path / "own.log", environ, storage=storage) as app, Pair.beside(app) as pair:
            pair.configure()
            assert pair.deliver({"eventType": "x"}).status_code == 200
            assert pair.deliver({"eventType": "x"}, slug="broken").status_code == 401
            assert pair.deliver({"eventType": "x"}, secret=reference, slug="broken").status_code == 401
            [problem] = app.ask("GET", "health").json()["problems"]
            assert problem.startswith("ADO_WEBHOOK_SECRET__BROKEN is a Key Vault reference")


def test_a_line_break_around_a_secret_is_no_part_of_it(tmp_path: Path) -> None:
    environ = {name: f"{value}\n" for name, value in SECRETS.items()}
    with own_app(tmp_path) as (_, azurite):
        storage = azurite.connection_string
        with App(tmp_path / "own.log", environ, storage=storage) as app, Pair.beside(app) as pair:
            pair.connect()
            issue_id, item = pair.linked()
            pair.sentry.resolve(issue_id)
            pair.settle()
            assert pair.state(item) == "Closed"
            assert app.ask("GET", "health").json()["status"] == "ok"
