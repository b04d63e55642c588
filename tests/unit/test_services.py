"""What the composition root keeps apart: the waits of each organization at each address."""

from typing import Any

import pytest
import requests
import responses

from shared.domain.configuration import Configuration
from shared.domain.errors import SyncError, Throttled, Unauthorized, Unavailable
from shared.services import Services
from shared.settings import Settings
from shared.store.organizations import Organization

SETTINGS = Settings({"ADO_PAT": "pat", "SENTRY_TOKEN": "token", "TRUSTED_HOSTS": "tfs.example"})
ADO = "https://dev.azure.com/fabrikam/"
SERVERS = ("https://tfs.example/", "https://tfs.example:8443/")


def organization(slug: str = "fabrikam", url: str = ADO) -> Organization:
    return Organization(slug, Configuration(ado_url=url, ado_search_url=url), "etag")


@pytest.fixture
def services() -> Services:
    return Services(SETTINGS)


def calls_made(services: Services, each: Organization, error: type[SyncError], vendor: str = "ado") -> int:
    """Ask once for something that fails; return how many calls that made."""
    before = len(responses.calls)
    ado, sentry = services.ado(each), services.sentry(each)
    with pytest.raises(error):
        _ = ado.get_work_item(31) if vendor == "ado" else sentry.get_issue("100")
    return len(responses.calls) - before


@responses.activate
@pytest.mark.parametrize(
    ("answer", "error", "again"),
    [
        ({"status": 429, "headers": {"Retry-After": "3600"}}, Throttled, Throttled),
        ({"status": 401}, Unauthorized, Unauthorized),
        ({"body": requests.ConnectTimeout()}, Unavailable, Throttled),
    ],
)
def test_an_organization_that_moved_starts_without_the_waits_of_where_it_was(
    services: Services, answer: Any, error: type[SyncError], again: type[SyncError]
) -> None:
    for base in (ADO, *SERVERS):
        responses.add("GET", f"{base}_apis/wit/workitems/31", **answer)
    responses.add("GET", "https://sentry.io/api/0/organizations/fabrikam/issues/100/", **answer)
    assert calls_made(services, organization(), error) == 1
    assert calls_made(services, organization(), again) == 0
    # Another organization's address at the same server is not another server.
    assert calls_made(services, organization(url="https://dev.azure.com/contoso/"), again) == 0
    for url in SERVERS:
        assert calls_made(services, organization(url=url), error) == 1
        assert calls_made(services, organization(url=url), again) == 0
    # Nobody else waits along, nor does the other service.
    assert calls_made(services, organization("another"), error) == 1
    assert calls_made(services, organization(), error, "sentry") == 1


@responses.activate
def test_refusals_end_wherever_they_were_met(services: Services) -> None:
    both = [organization(), organization(url=SERVERS[0])]
    for base in (ADO, SERVERS[0]):
        responses.get(f"{base}_apis/wit/workitems/31", status=401)
    for each in both:
        calls_made(services, each, Unauthorized)
    services.end_refusals("fabrikam")
    assert [calls_made(services, each, Unauthorized) for each in both] == [1, 1]


@responses.activate
@pytest.mark.parametrize(
    "url", ["https://evil.example/", "http://dev.azure.com/fabrikam/", "http://169.254.169.254/"]
)
def test_a_stored_address_that_nobody_knows_gets_no_request(services: Services, url: str) -> None:
    """A row may have been edited, or be from before hosts were checked."""
    stored = Organization("fabrikam", Configuration(ado_url=url, ado_search_url=url, sentry_url=url), "etag")
    for call in (
        lambda: services.ado(stored).get_work_item(31),
        lambda: services.ado_at_once(stored).get_work_item(31),
        lambda: services.finder(stored).find("login", None, 5),
        lambda: services.sentry(stored).get_issue("100"),
    ):
        with pytest.raises(SyncError):
            call()
    assert len(responses.calls) == 0
