"""Connecting to Azure DevOps and to storage: addresses, look-ups, credentials, and what a PUT sets going."""

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import azure.functions as func
import pytest

from functions import health, org_config
from shared.ado.process import ProcessCache
from shared.domain.errors import Unauthorized
from shared.domain.messages import OutboundMessage
from shared.flows.connecting import described_projects
from shared.services import Services
from shared.settings import Settings
from simulator.ado import FakeAdo
from simulator.ado.faults import Fault, html_page, sign_in_page
from simulator.ado.processes import AGILE
from simulator.sentry import FakeSentry
from tests.e2e.app import SECRETS, SENTRY_TOKEN, SIGNING_KEY, App, Pair, eventually

FABRIKAM = "Fabrikam-Fiber"
MAPPING = {"on_resolve": "Closed", "on_unresolve": "Active"}
LOOK_UP = "resourceareas"


@pytest.fixture
def guest(bystander: Pair) -> Pair:
    """An organization of a test's own between fakes that are shared."""
    return Pair(bystander.app, bystander.ado, bystander.sentry)


@pytest.fixture
def located(app: App, account: FakeAdo) -> Iterator[Pair]:
    """Stand for an organization of which only the account's id is known."""
    with FakeSentry(token=SENTRY_TOKEN, client_secret=SIGNING_KEY) as sentry:
        yield Pair(app, account, sentry)


def mapped(pair: Pair, **mapping: Any) -> dict[str, Any]:
    return {"status_mapping": {pair.ado.project_id(FABRIKAM): {**MAPPING, **mapping}}}


def stored(pair: Pair) -> Any:
    return pair.ask("GET", "config").json()["config"]


def reason(pair: Pair) -> str:
    """Return why the mapping cannot be chosen at the moment."""
    fields = pair.ask("GET", "config").json()["fields"]
    [field] = [each for each in fields if each["disabled"]]
    assert field["name"] == "status_mapping"
    return str(field["disabled_reason"])


# Addresses.


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("https://dev.azure.com/fabrikam", "https://dev.azure.com/fabrikam/"),
        ("https://dev.azure.com/fabrikam/Web/_boards/board", "https://dev.azure.com/fabrikam/"),
        ("HTTPS://Dev.Azure.com/Fabrikam/", "https://dev.azure.com/Fabrikam/"),
        ("https://fabrikam.visualstudio.com", "https://fabrikam.visualstudio.com/"),
        ("https://fabrikam.visualstudio.com/DefaultCollection/Web/", "https://fabrikam.visualstudio.com/"),
        ("https://dev.azure.com./fabrikam/", "https://dev.azure.com/fabrikam/"),
        # Named in the app's settings.
        ("https://tfs.trusted.example/tfs/Main", "https://tfs.trusted.example/tfs/Main/"),
        ("https://tfs.trusted.example:8443/Main/", "https://tfs.trusted.example:8443/Main/"),
    ],
)
def test_an_address_is_kept_in_its_normal_form_without_a_call(guest: Pair, typed: str, kept: str) -> None:
    answer = guest.configure(ado_url=typed)
    assert (answer.status_code, answer.json()["config"]["ado_url"]) == (201, kept)


@pytest.mark.parametrize("key", ["ado_url", "ado_search_url", "sentry_url"])
@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://dev.azure.com/fabrikam/", "https://"),
        ("https://evil.example/fabrikam/", "TRUSTED_HOSTS"),
        ("https://dev.azure.com.evil.example/fabrikam/", "TRUSTED_HOSTS"),
        ("https://a.b.visualstudio.com/", "TRUSTED_HOSTS"),
        ("https://o1.ingest.sentry.io/", "TRUSTED_HOSTS"),
        ("https://dev.azure.com/../fabrikam/", "or .."),
        ("ftp://dev.azure.com/fabrikam/", "https://"),
        ("dev.azure.com/fabrikam", "https://"),
        ("https://ann:password@dev.azure.com/fabrikam/", "credentials"),
        ("https://dev.azure.com/fabrikam/?a=b", "query"),
        ("https://dev.azure.com/fabrikam/#a", "query"),
        ("https://169.254.169.254/metadata/", "metadata"),
        ("https://[fd00:ec2::254]/", "metadata"),
        ("https://168.63.129.16/", "metadata"),
        ("https://10.0.0.1/", "ALLOWED_PRIVATE_HOSTS"),
        ("https://[::ffff:10.0.0.1]/", "ALLOWED_PRIVATE_HOSTS"),
        ("https:///fabrikam/", "https://"),
        ("https://dev.azure.com\\@evil.example/", "credentials"),
        ("https://dev azure.com/", "spaces"),
        ("https://x:99999/", "https://"),
        ("", "characters"),
        ("https://dev.azure.com/" + "x" * 65_536, "characters"),
    ],
)
def test_an_address_that_the_app_may_not_connect_to_is_an_error_by_its_key(
    guest: Pair, key: str, url: str, problem: str
) -> None:
    answer = guest.configure(**{key: url})
    assert answer.status_code == 400
    assert problem in answer.json()["errors"][key]
    assert "password" not in answer.text
    assert guest.ask("GET", "config").status_code == 404


def test_a_redirect_leads_nowhere(guest: Pair) -> None:
    guest.configure()
    elsewhere = Fault(302, {"Location": f"{guest.sentry.url}/stolen"})
    guest.ado.meet(elsewhere)
    with guest.calls() as calls:
        assert "ADO_PAT" in reason(guest)
    assert (calls.ado, calls.sentry) == (["GET 302"], [])


# Look-ups.


@pytest.mark.parametrize("ado_url", [None, "fabrikam.visualstudio.com", "fabrikam.visualstudio.com/"])
def test_an_account_is_looked_up_for_the_mapping_of_its_first_document(
    located: Pair, ado_url: str | None
) -> None:
    with located.calls() as calls:
        answer = located.configure(
            ado_account_id=located.ado.catalog.account_id, ado_url=ado_url, **mapped(located)
        )
    assert answer.status_code == 201, answer.text
    assert answer.json()["config"]["ado_url"] == located.ado.organization_url
    assert calls.ado == ["GET 200"] * 3  # where it is, who it is, which states it has
    assert stored(located) == answer.json()["config"]
    assert located.ask("GET", "config").headers["ETag"] == answer.headers["ETag"]


def test_a_document_with_errors_is_not_stored_by_a_look_up(located: Pair) -> None:
    account = {"ado_account_id": located.ado.catalog.account_id, "ado_url": None}
    before = located.configure(**account)
    answer = located.configure(**account, on_conflict="sentry", **mapped(located, on_resolve="Nowhere"))
    assert answer.status_code == 400
    assert located.configure(**account, **mapped(located)).status_code == 200
    assert stored(located)["on_conflict"] == before.json()["config"]["on_conflict"]


def test_a_replaced_document_looks_its_account_up_as_well(located: Pair) -> None:
    account = {"ado_account_id": located.ado.catalog.account_id, "ado_url": None}
    located.configure()
    answer = located.configure(**account, **mapped(located))
    assert answer.status_code == 200, answer.text
    assert stored(located)["ado_url"] == located.ado.organization_url


def test_a_good_address_is_not_looked_up(located: Pair) -> None:
    located.configure(ado_account_id=located.ado.catalog.account_id, **mapped(located))
    with located.calls() as calls:
        reason_or_none = located.ask("GET", "config")
    assert reason_or_none.status_code == 200
    assert "resourceareas" not in " ".join(each.path.lower() for each in located.ado.calls[-len(calls.ado) :])


def test_one_request_looks_an_account_up_once(located: Pair) -> None:
    located.ado.fail_next(http_status=503, path=LOOK_UP)
    located.configure(
        ado_account_id=located.ado.catalog.account_id, ado_url=None, ado_search_url=located.ado.search_url
    )
    item = located.ado.add_item("Found where it lives").id
    before = len(located.ado.calls)
    answer = located.ask("GET", "search", params={"field": "externalIssue", "query": "where it lives"})
    assert [hit["value"] for hit in answer.json()] == [str(item)]
    asked = [call.path.lower() for call in located.ado.calls[before:]]
    assert sum(LOOK_UP in path for path in asked) == 1
    assert stored(located)["ado_url"] == located.ado.organization_url


def test_the_etag_shown_beside_a_looked_up_address_is_the_one_to_send_back(located: Pair) -> None:
    located.configure(ado_account_id=located.ado.catalog.account_id, ado_url=None)
    shown = located.ask("GET", "config")
    assert shown.json()["config"]["ado_url"] == located.ado.organization_url
    current = {"If-Match": shown.headers["ETag"]}
    assert located.ask("PUT", "config", json=shown.json()["config"], headers=current).status_code == 200


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (Fault(503), 503),
        (Fault(drops=True), 503),
        (Fault(404), 502),
        (Fault(200, {"Content-Type": "application/json"}, '{"locationUrl": null}'), 502),
        (
            Fault(200, {"Content-Type": "application/json"}, '{"locationUrl": "https://169.254.169.254/"}'),
            502,
        ),
        (Fault(200, {"Content-Type": "application/json"}, '{"locationUrl": "http://evil.example/"}'), 502),
        (Fault(200, {}, "<html>"), 503),
    ],
)
def test_a_look_up_that_fails_stores_nothing(located: Pair, trouble: Fault, status: int) -> None:
    account = {"ado_account_id": located.ado.catalog.account_id, "ado_url": None}
    located.ado.meet(trouble, path=LOOK_UP)
    answer = located.configure(**account, **mapped(located))
    assert answer.status_code == status, answer.text
    if status == 502:
        assert "ado_account_id" in answer.json()["detail"]
    assert located.ask("GET", "config").status_code == 404
    assert located.configure(**account, **mapped(located)).status_code == 201


def test_the_look_up_needs_no_credentials(located: Pair) -> None:
    located.ado.tokens.clear()
    try:
        located.configure(ado_account_id=located.ado.catalog.account_id, ado_url=None)
        assert "ADO_PAT" in reason(located)
        assert stored(located)["ado_url"] == located.ado.organization_url
    finally:
        located.ado.tokens["ado-pat"] = located.ado.service


# Credentials.

JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "trouble",
    [
        Fault(401),
        Fault(401, JSON, '{"message": "TF400813: The user \'\' is not authorized to access this resource."}'),
        Fault(203, {}, "<html>"),
        sign_in_page(),
        html_page(200),
        Fault(302, {"Location": "https://spsprodeus.vssps.visualstudio.com/_signin"}),
        Fault(303, {"Location": "/_signin"}),
    ],
)
def test_each_way_of_refusing_us_is_one_error_with_its_cure(guest: Pair, trouble: Fault) -> None:
    guest.configure()
    work_item_id = guest.ado.add_item().id
    issue_id = guest.sentry.add_issue(announce=False).id
    guest.ado.meet(trouble)
    answer = guest.post_link(issue_id, work_item_id)
    assert (answer.status_code, answer.json()["error"]) == (502, "ado-refused-us")
    for word in ("ADO_PAT", "ado_url", "tenant"):
        assert word in answer.json()["detail"]
    assert "secret words" not in answer.text
    assert guest.post_link(issue_id, work_item_id).status_code == 201


@pytest.mark.parametrize(
    "trouble", [html_page(502), html_page(503), Fault(200, {}, "ready"), Fault(200, JSON, "5"), Fault(500)]
)
def test_what_is_not_an_answer_is_no_refusal(guest: Pair, trouble: Fault) -> None:
    guest.configure()
    guest.ado.meet(trouble)
    answer = guest.post_link("1", 31)
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")


def test_what_is_forbidden_is_named_with_its_own_cure(guest: Pair) -> None:
    guest.configure()
    work_item_id = guest.ado.add_item().id
    issue_id = guest.sentry.add_issue(announce=False).id
    guest.ado.meet(Fault(403, JSON, '{"message": "TF237111: Access denied, secret words"}'))
    answer = guest.post_link(issue_id, work_item_id)
    assert (answer.status_code, answer.json()["error"]) == (502, "ado-forbidden")
    for word in ("TF237111", "area path"):
        assert word in answer.json()["detail"]
    assert "secret words" not in answer.text
    guest.sentry.fail_next(1, 403)
    answer = guest.post_link(issue_id, work_item_id)
    assert (answer.status_code, answer.json()["error"]) == (502, "sentry-forbidden")
    assert "permissions" in answer.json()["detail"]
    assert guest.post_link(issue_id, work_item_id).status_code == 201


def test_a_sentry_that_refuses_us_is_named_with_its_cure(guest: Pair) -> None:
    guest.configure()
    guest.sentry.fail_next(1, 401)
    answer = guest.post_link("1", guest.ado.add_item().id)
    assert (answer.status_code, answer.json()["error"]) == (502, "sentry-refused-us")
    for word in ("SENTRY_TOKEN", "sentry_organization"):
        assert word in answer.json()["detail"]


def test_an_address_that_leads_to_no_organization_is_said_in_the_form(guest: Pair) -> None:
    guest.configure()
    guest.ado.fail_next(2, http_status=404)  # what is asked for, and then whether anything is there
    assert "ado_url" in reason(guest)


def test_a_refusal_is_said_in_the_form_with_its_cure(guest: Pair) -> None:
    guest.configure()
    guest.ado.fail_next(http_status=401)
    assert "ADO_PAT" in reason(guest)


def test_a_vendors_words_are_not_said_in_the_form(guest: Pair) -> None:
    guest.configure()
    for status in (400, 403, 404, 409):
        guest.ado.fail_next(http_status=status, body={"message": "secret words"})
        assert "secret words" not in reason(guest)


# Storage.


def config_of(services: Services, slug: str) -> func.HttpResponse:
    request = func.HttpRequest("GET", "/", body=b"", route_params={"organization": slug})
    return org_config.handle(request, services)


@pytest.mark.parametrize(
    ("environment", "status", "words"),
    [
        ({}, 503, ["AzureWebJobsStorage", "accountName"]),
        ({"AzureWebJobsStorage__tableServiceUri": "https://x.example/"}, 503, ["AzureWebJobsStorage"]),
    ],
)
def test_missing_storage_is_named(environment: dict[str, str], status: int, words: list[str]) -> None:
    answer = config_of(Services(Settings(environment)), "fabrikam")
    assert answer.status_code == status
    assert all(word in json.loads(answer.get_body())["detail"] for word in words)


def test_a_storage_key_that_is_refused_is_named(app: App) -> None:
    wrong = re.sub(r"AccountKey=[^;]+", "AccountKey=d3Jvbmcga2V5", app.storage)
    answer = config_of(Services(Settings({**SECRETS, "AzureWebJobsStorage": wrong})), "fabrikam")
    said = json.loads(answer.get_body())
    assert answer.status_code == 502
    assert "AzureWebJobsStorage" in said["detail"]
    assert "Storage Table Data Contributor" in said["detail"]
    assert "d3Jvbmcga2V5" not in str(said)


def test_an_invalid_connection_string_is_named() -> None:
    unresolved = "@Microsoft.KeyVault(SecretUri=https://vault.example/secrets/storage)"
    services = Services(Settings({**SECRETS, "AzureWebJobsStorage": unresolved}))
    answer = config_of(services, "fabrikam")
    assert (answer.status_code, "AzureWebJobsStorage" in answer.get_body().decode()) == (502, True)
    request = func.HttpRequest("GET", "/api/health", body=b"")
    assert json.loads(health.handle(request, services).get_body())["status"] == "degraded"
    with pytest.raises(Unauthorized):
        services.inbound.put(OutboundMessage("fabrikam", "100"))


# What a PUT sets going, and what a form shows.


@pytest.mark.long
def test_a_new_mapping_has_what_needs_attention_settled_at_once(pair: Pair) -> None:
    pair.connect()
    issue_id, work_item_id = pair.linked()
    pair.ado.fail_next(100, http_status=400, method="PATCH")
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.health(issue_id, work_item_id)[0] == "attention"
    pair.ado.faults.clear()
    pair.configure(**mapped(pair, on_resolve="Resolved"))
    pair.app.run_now("reconcile")
    eventually(lambda: pair.health(issue_id, work_item_id)[0] == "settled")
    assert pair.state(work_item_id) == "Resolved"


def test_a_state_that_was_added_a_minute_ago_is_shown_at_once(pair: Pair) -> None:
    """A team edits its process, goes back to the form, and wants to choose the new state."""
    pair.configure()
    services = Services(Settings({**SECRETS, "AzureWebJobsStorage": pair.app.storage}))
    now = 0.0
    services.processes = ProcessCache(lambda: now)
    organization = services.organizations.get(pair.slug)

    def states() -> list[str]:
        shown = described_projects(services, organization, ["fabrikam-fiber"])
        [types] = [each.types for each in shown if each.types]
        return [state.name for state in types["Task"]]

    assert "Done" not in states()
    project = pair.ado.catalog.project(FABRIKAM)
    scrum = pair.ado.catalog.project("Scrum Team")
    pair.ado.catalog.projects[project.id] = type(project)(project.id, project.name, scrum.process)
    now = 60.0
    assert "Done" in states()
    assert project.process is AGILE


def test_more_than_a_thousand_projects_are_all_shown(app: App) -> None:
    with Pair.beside(app, projects=1005) as pair:
        pair.configure()
        fields = pair.ask("GET", "config").json()["fields"]
    [mapper] = [each for each in fields if each["name"] == "status_mapping"]
    assert len({each["id"] for each in mapper["projects"]}) == 1005


# No secret leaks.


def test_a_session_full_of_failures_reveals_no_secret(
    app: App, tmp_path_factory: pytest.TempPathFactory
) -> None:
    secrets = {name: f"{name.lower().replace('_', '-')}-0f1e2d3c" for name in SECRETS}
    broken = {"ADO_PAT__BROKEN": "broken-pat-0f1e2d3c\n", "SENTRY_TOKEN__BROKEN": "broken-token-0f1e2d3c\r\n"}
    log = tmp_path_factory.mktemp("secrets") / "host.log"
    said: list[str] = []
    with App(log, {**secrets, **broken}, storage=app.storage) as own, Pair.beside(own) as pair:
        for slug in (pair.slug, "broken"):
            pair.slug = slug
            said += every_failure(pair)
            pair.ask("DELETE", "config")
        own.end(signal.SIGTERM)
        said.append(own.log())
    key = re.search(r"AccountKey=([^;]+)", app.storage)
    assert key is not None
    for secret in [*secrets.values(), *(each.strip() for each in broken.values()), key[1]]:
        assert not [text for text in said if secret in text]
    assert "0f1e2d3c" not in "".join(said)
    assert len(said) > 40


def every_failure(pair: Pair) -> list[str]:
    """Have everything asked of fakes that do not know our tokens, and return all that was answered."""
    said = []

    def heard(answer: Any) -> None:
        said.append(f"{answer.status_code} {dict(answer.headers)} {answer.text}")

    for changes in ({}, {"ado_url": "http://x"}, {"sentry_url": "https://a:b@c/"}, mapped(pair)):
        heard(pair.configure(**changes))
    for trouble in (None, Fault(401), Fault(500), sign_in_page(), Fault(drops=True)):
        for method, path in [
            ("GET", "config"),
            ("GET", "search?field=externalIssue&query=login"),
            ("GET", "links"),
            ("GET", "links/1/31/activity"),
            ("POST", "links"),
            ("POST", "reconcile"),
            ("DELETE", "links/1/31"),
        ]:
            if trouble:
                pair.ado.meet(trouble)
            body = {"issue_id": "1", "work_item_id": 31} if path == "links" and method == "POST" else {}
            heard(pair.ask(method, path, json=body))
            pair.ado.faults.clear()
    for path in (pair.ado_route, pair.sentry_route, f"sentry/{pair.slug}/issue-link/create"):
        heard(pair.app.ask("POST", path, data=b"{}", headers={"Shared-Secret": "wrong"}))
    heard(pair.deliver({"eventType": "workitem.updated"}, secret="ado-webhook-secret-0f1e2d3c"))
    heard(pair.app.ask("GET", f"sentry/{pair.slug}/options/projects"))
    heard(pair.app.ask("GET", "health"))
    return said
