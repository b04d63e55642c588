"""An app that was deployed without a single setting: it loads, and each function says what it lacks."""

from collections.abc import Iterator

import pytest

from tests.e2e.app import App

STORAGE = "AzureWebJobsStorage"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """Without storage the host itself cannot listen to queues, so these two are switched off."""
    off = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("inbound_sync", "outbound_sync")}
    with App(tmp_path_factory.mktemp("bare") / "host.log", off) as app:
        yield app


@pytest.mark.parametrize("path", ["ado/acme/webhook", "sentry/acme/webhook"])
def test_without_a_secret_everybody_is_refused(bare: App, path: str) -> None:
    signed = {"Shared-Secret": "", "Sentry-Hook-Signature": "", "Authorization": "Basic Og=="}
    for headers in ({}, signed):
        answer = bare.ask("POST", path, json={"eventType": "workitem.updated"}, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "organizations/acme/config"),
        ("PUT", "organizations/acme/config"),
        ("DELETE", "organizations/acme/config"),
        ("GET", "organizations/acme/search?field=externalIssue&query=login"),
        ("GET", "organizations/acme/links"),
        ("POST", "organizations/acme/links"),
        ("DELETE", "organizations/acme/links/100/31"),
        ("GET", "organizations/acme/links/100/31/activity"),
        ("POST", "organizations/acme/reconcile"),
    ],
)
def test_every_function_names_the_setting_that_it_misses(bare: App, method: str, path: str) -> None:
    answer = bare.ask(method, path, json={"ado_url": "https://dev.azure.com/fabrikam/"})
    assert (answer.status_code, answer.json()["error"]) == (503, "missing-setting")
    assert STORAGE in answer.json()["detail"]


def test_health_names_everything_that_is_missing_at_once(bare: App) -> None:
    answer = bare.ask("GET", "health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    named = " ".join(answer.json()["problems"])
    for name in (STORAGE, "ADO_WEBHOOK_SECRET", "SENTRY_TOKEN", "SENTRY_CLIENT_SECRET"):
        assert name in named
