"""What is linked is shown while a service is in trouble: without a token, an address, or who was there."""

import json
from collections.abc import Callable
from typing import Any

import azure.functions as func
import pytest
import responses
from msgspec.structs import replace

from functions import explain, issue_links
from shared.domain.configuration import Configuration
from shared.services import Services
from shared.settings import Settings
from tests.doubles.services import SENTRY_SECRET, MemoryServices
from tests.unit.scene import ISSUE, ITEM, SLUG, Scene

ISSUE_PAGE = f"https://sentry.io/organizations/{SLUG}/issues/{ISSUE}/"
ACCOUNT = "0b0f5ee8-7a0c-4a4f-9d6f-1f5f0a8f2c11"
LOOK_UP = "https://app.vssps.visualstudio.com/_apis/resourceareas/79134c72-4a58-4b42-976c-04e7115f32bf"


class OwnClients(MemoryServices):
    """Makes its clients as the app does, of the settings and the document."""

    ado, ado_at_once = Services.ado, Services.ado_at_once
    sentry, sentry_at_once = Services.sentry, Services.sentry_at_once


@pytest.fixture
def scene() -> Scene:
    return Scene()


def own_clients(scene: Scene) -> Services:
    """Return services that share the tables of the scene, and have no token."""
    secrets = {"ADO_WEBHOOK_SECRET": "ado-webhook-secret", "SENTRY_CLIENT_SECRET": SENTRY_SECRET}
    settings = Settings({"AzureWebJobsStorage": "UseDevelopmentStorage=true", **secrets})
    services = OwnClients(scene.ado, scene.sentry, lambda: scene.now, settings)
    services._named = scene.services._named
    return services


def shown(handle: Any, services: Services, **query: str) -> dict[str, Any]:
    request = func.HttpRequest("GET", "/", route_params={"organization": SLUG}, params=query, body=b"")
    answer = handle(request, services)
    assert answer.status_code == 200, answer.get_body()
    content: dict[str, Any] = json.loads(answer.get_body())
    return content


def addresses(services: Services) -> set[tuple[str | None, str]]:
    """Return what a list and both explanations say of the pages of the link."""
    answers = [
        shown(issue_links.handle, services),
        shown(explain.handle, services, issue_id=ISSUE),
        shown(explain.handle, services, work_item_id=str(ITEM)),
    ]
    assert all(each["links"] for each in answers)
    return {(link["url"], link["issue"]["url"]) for each in answers for link in each["links"]}


@pytest.mark.parametrize("side", ["ado", "sentry"])
def test_links_are_shown_while_somebody_else_is_at_an_address(scene: Scene, side: str) -> None:
    page = scene.ado.web_url(scene.row.project_id, ITEM)
    scene.services.organizations.note_who_answers(scene.organization, side, taken=True)
    assert addresses(scene.services) == {(page, ISSUE_PAGE)}


@responses.activate
def test_links_are_shown_without_a_token(scene: Scene) -> None:
    page = scene.ado.web_url(scene.row.project_id, ITEM)
    assert addresses(own_clients(scene)) == {(page, ISSUE_PAGE)}


def only_the_account(configuration: Configuration) -> Configuration:
    return replace(configuration, ado_url=None, ado_account_id=ACCOUNT)


def a_bare_host(configuration: Configuration) -> Configuration:
    return replace(configuration, ado_url="dev.azure.com", ado_account_id=ACCOUNT)


@responses.activate
@pytest.mark.parametrize("unlocated", [only_the_account, a_bare_host])
def test_a_work_item_has_no_address_until_it_is_looked_up(
    scene: Scene, unlocated: Callable[[Configuration], Configuration]
) -> None:
    organization = scene.organization
    scene.services.organizations.replace(organization, unlocated(organization.configuration))
    responses.get(LOOK_UP, status=503)
    services = own_clients(scene)
    assert addresses(services) == {(None, ISSUE_PAGE)}
    # Once it is, it is shown by whoever had read the document before.
    stored = services.organizations.get(SLUG)
    responses.replace("GET", LOOK_UP, json={"locationUrl": "https://dev.azure.com/fabrikam/"})
    services.ado(stored)
    assert services.known_ado_url(stored) == "https://dev.azure.com/fabrikam/"
    assert addresses(services) == {(scene.ado.web_url(scene.row.project_id, ITEM), ISSUE_PAGE)}


def test_what_is_seen_of_a_work_item_has_an_address_too(scene: Scene) -> None:
    found = shown(explain.handle, scene.services, work_item_id=str(ITEM))
    assert found["work_item"]["url"] == scene.ado.web_url(scene.row.project_id, ITEM)
