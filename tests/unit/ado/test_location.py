"""How an organization's address is found from its account id, and what is never believed about it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import responses

from shared.ado.location import find_base_url
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Refused, SyncError, Throttled, Unauthorized, Unavailable
from shared.http import new_session

AREAS = "https://app.vssps.visualstudio.com/_apis/resourceareas"
LOOK_UP = f"{AREAS}/79134c72-4a58-4b42-976c-04e7115f32bf"
ACCOUNT = "f844ec47-a9db-4511-8281-8b63f4eaf94e"
LOCAL = AddressPolicy(loopback=True)
DEPLOYED = AddressPolicy(trusted_hosts=frozenset({"tfs.corp.example"}))


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def find(policy: AddressPolicy | None = None) -> str:
    policy = policy or DEPLOYED
    with new_session(policy) as session:
        return find_base_url(session, AREAS, ACCOUNT, policy)


@pytest.mark.parametrize(
    ("location", "base_url"),
    [
        ("https://dev.azure.com/fabrikam/", "https://dev.azure.com/fabrikam/"),
        ("https://dev.azure.com/fabrikam", "https://dev.azure.com/fabrikam/"),
        ("https://fabrikam.visualstudio.com/", "https://fabrikam.visualstudio.com/"),
        ("https://fabrikam.visualstudio.com/DefaultCollection/", "https://fabrikam.visualstudio.com/"),
        ("https://tfs.corp.example/tfs/DefaultCollection", "https://tfs.corp.example/tfs/DefaultCollection/"),
    ],
)
def test_the_location_is_the_organization_s_base_url(
    vendor: responses.RequestsMock, location: str, base_url: str
) -> None:
    vendor.get(LOOK_UP, json={"id": "79134c72", "name": "core", "locationUrl": location})
    assert find() == base_url


def test_the_look_up_is_one_call_without_credentials(vendor: responses.RequestsMock) -> None:
    query = {"hostId": ACCOUNT, "api-version": "5.0-preview.1"}
    vendor.get(
        LOOK_UP,
        json={"locationUrl": "https://dev.azure.com/fabrikam/"},
        match=[responses.matchers.query_param_matcher(query)],
    )
    find()
    assert len(vendor.calls) == 1
    assert "Authorization" not in vendor.calls[0].request.headers


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 404, "json": {"message": "VS800075: The host does not exist."}},
        {"status": 404, "body": ""},
        {"status": 400, "json": {"message": "not a GUID"}},
        {"json": {}},
        {"json": {"locationUrl": None}},
        {"json": {"locationUrl": ""}},
    ],
)
def test_an_unknown_account_is_refused(vendor: responses.RequestsMock, answer: dict[str, Any]) -> None:
    vendor.get(LOOK_UP, **answer)
    with pytest.raises(Refused) as raised:
        find()
    assert raised.value.service == "ado"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"json": None}, Unavailable),
        ({"json": []}, Unavailable),
        ({"json": {"locationUrl": 5}}, Unavailable),
        ({"json": "https://dev.azure.com/fabrikam/"}, Unavailable),
        ({"body": '{"locationUrl": "https://dev'}, Unavailable),
        ({"status": 500, "body": ""}, Unavailable),
        ({"body": requests.ConnectionError("no route")}, Unavailable),
        ({"status": 429, "headers": {"Retry-After": "5"}}, Throttled),
        ({"status": 203, "body": "<html>", "content_type": "text/html"}, Unauthorized),
        ({"status": 302, "headers": {"Location": "https://dev.azure.com/evil/"}}, Unauthorized),
    ],
)
def test_a_look_up_that_fails_finds_nothing(
    vendor: responses.RequestsMock, answer: dict[str, Any], error: type[SyncError]
) -> None:
    vendor.get(LOOK_UP, **answer)
    with pytest.raises(error) as raised:
        find()
    assert type(raised.value) is error


@pytest.mark.parametrize(
    ("location", "problem"),
    [
        ("http://dev.azure.com/fabrikam/", "https://"),
        ("http://169.254.169.254/", "https://"),
        ("https://169.254.169.254/", "never allowed"),
        ("https://10.0.0.1/", "ALLOWED_PRIVATE_HOSTS"),
        ("https://127.0.0.1/", "local runs only"),
        ("https://localhost/", "local runs only"),
        ("https://user:password@dev.azure.com/fabrikam/", "credentials"),
        ("https://dev.azure.com/", "names no organization"),
        ("https://dev.azure.com/fabrikam/?x=1", "query"),
        ("ftp://dev.azure.com/fabrikam/", "https://"),
        ("fabrikam", "https://"),
        ("https://evil.example/fabrikam/", "TRUSTED_HOSTS"),
        ("https://dev.azure.com/../fabrikam/", "or .."),
    ],
)
def test_an_address_that_may_not_be_stored_is_not_believed_either(
    vendor: responses.RequestsMock, location: str, problem: str
) -> None:
    vendor.get(LOOK_UP, json={"locationUrl": location})
    with pytest.raises(Refused, match=re.escape(problem)) as raised:
        find()
    assert "password" not in raised.value.detail


def test_in_a_local_run_an_account_may_live_on_loopback(vendor: responses.RequestsMock) -> None:
    vendor.get(LOOK_UP, json={"locationUrl": "http://127.0.0.1:8080/fabrikam"})
    assert find(LOCAL) == "http://127.0.0.1:8080/fabrikam/"
