"""What is wrong with one thing alone, asked of real clients: a service that says who it is is not away."""

from typing import Any

import pytest
import requests
import responses

from shared.domain.configuration import Configuration
from shared.domain.errors import NotFound, SyncError, Throttled, Unavailable
from shared.flows.going_on import is_of_one
from shared.services import Services
from shared.settings import Settings
from shared.store.organizations import UNKNOWN_ORGANIZATION, Organization

ADO, SENTRY = "https://dev.azure.com/fabrikam/", "https://sentry.io/api/0/organizations/acme/"
ORGANIZATION = Organization("fabrikam", Configuration(ado_url=ADO, sentry_organization="acme"), "etag")
WHO = {"ado": f"{ADO}_apis/connectionData", "sentry": SENTRY}
ID = "0f0e0d0c-0b0a-4a0b-8c0d-0e0f10111213"
SELVES = {"ado": {"instanceId": ID}, "sentry": {"id": "7", "slug": "acme"}}
THINGS = {"ado": f"{ADO}_apis/wit/workitems/31", "sentry": f"{SENTRY}issues/100/"}
BOTH = pytest.mark.parametrize("service", WHO)


@pytest.fixture
def services() -> Services:
    return Services(Settings({"ADO_PAT": "pat", "SENTRY_TOKEN": "token"}))


def met(services: Services, service: str) -> SyncError:
    """Ask for one thing, and return what came in place of it."""
    with pytest.raises(SyncError) as raised:
        _ = (
            services.ado(ORGANIZATION).get_work_item(31)
            if service == "ado"
            else services.sentry(ORGANIZATION).get_issue("100")
        )
    return raised.value


ODD: list[dict[str, Any]] = [
    {"status": 500},
    {"status": 408},
    {"body": "no JSON"},
    {"json": {"id": {}}},
    {"body": requests.ReadTimeout()},
    {"body": requests.ConnectionError()},
]


@responses.activate
@BOTH
@pytest.mark.parametrize("odd", ODD)
def test_a_service_that_says_who_it_is_is_asked_for_the_next_thing_at_once(
    services: Services, service: str, odd: dict[str, Any]
) -> None:
    responses.get(THINGS[service], **odd)
    responses.get(WHO[service], json=SELVES[service])
    for calls in (1, 3):
        error = met(services, service)
        assert type(error) is Unavailable
        assert len(responses.calls) == calls
        assert is_of_one(services, ORGANIZATION, error)


@responses.activate
@BOTH
@pytest.mark.parametrize("who", [{"status": 503}, {"status": 401}, {"body": requests.ReadTimeout()}])
def test_a_service_that_does_not_say_who_it_is_is_away_and_left_alone(
    services: Services, service: str, who: dict[str, Any]
) -> None:
    responses.get(THINGS[service], body=requests.ReadTimeout())
    responses.get(WHO[service], **who)
    assert not is_of_one(services, ORGANIZATION, met(services, service))
    error = met(services, service)
    assert isinstance(error, Throttled)
    assert error.silent
    assert not is_of_one(services, ORGANIZATION, error)


@responses.activate
@BOTH
def test_only_what_answered_is_silent_no_longer(services: Services, service: str) -> None:
    for url in THINGS.values():
        responses.get(url, body=requests.ReadTimeout())
    responses.get(WHO[service], json=SELVES[service])
    troubles = {each: met(services, each) for each in THINGS}
    assert is_of_one(services, ORGANIZATION, troubles[service])
    for each in THINGS:
        assert type(met(services, each)) is (Unavailable if each == service else Throttled)


@responses.activate
@pytest.mark.parametrize(
    "error",
    [
        Unavailable("storage", "503"),
        NotFound("no such organization", kind=UNKNOWN_ORGANIZATION),
        Throttled("ado", "429", retry_after=1.0),
    ],
)
def test_what_all_the_others_would_meet_asks_nobody(services: Services, error: SyncError) -> None:
    assert not is_of_one(services, ORGANIZATION, error)
    assert len(responses.calls) == 0
