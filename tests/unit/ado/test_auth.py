"""How the app authenticates to Azure DevOps, and what happens when it cannot."""

from typing import Any

import pytest
import requests
import responses
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import CredentialUnavailableError
from requests.auth import AuthBase

from shared.ado.auth import SCOPE, EntraAuth, personal_access_token
from shared.ado.client import AdoClient
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import SyncError, Unauthorized, Unavailable
from shared.http import BackOff, new_session

URL = "https://dev.azure.com/fabrikam/"


class Credential:
    """Gives one token after the other, or fails on request."""

    def __init__(self, *tokens: str, error: Exception | None = None) -> None:
        self.tokens = list(tokens)
        self.error = error
        self.scopes: list[tuple[str, ...]] = []

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        self.scopes.append(scopes)
        if self.error is not None:
            raise self.error
        return AccessToken(self.tokens.pop(0), 0)


def authorized(auth: AuthBase) -> str:
    request = requests.Request("GET", URL, auth=auth).prepare()
    return request.headers["Authorization"]


def test_a_personal_access_token_is_the_password_of_an_empty_user_name() -> None:
    assert authorized(personal_access_token("token")) == "Basic OnRva2Vu"  # ":token"


def test_entra_gives_a_bearer_token_for_azure_devops() -> None:
    credential = Credential("first", "second")
    auth = EntraAuth(credential)
    # The credential itself remembers and renews; a token kept here would expire.
    assert [authorized(auth), authorized(auth)] == ["Bearer first", "Bearer second"]
    assert credential.scopes == [(SCOPE,), (SCOPE,)]


def test_the_scope_is_azure_devops_own_id_in_every_tenant() -> None:
    assert SCOPE == "499b84ac-1321-427f-aa17-267ca6975798/.default"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (ClientAuthenticationError("AADSTS700016: secret-in-text"), Unauthorized),
        (CredentialUnavailableError("no managed identity: secret-in-text"), Unauthorized),
        (ServiceRequestError("secret-in-text: no route to host"), Unavailable),
        (HttpResponseError("secret-in-text: 503"), Unavailable),
    ],
)
def test_a_token_that_entra_does_not_give_is_reported_in_our_own_words(
    failure: Exception, error: type[SyncError]
) -> None:
    with new_session(AddressPolicy()) as session, responses.RequestsMock() as vendor:
        ado = AdoClient(URL, session, EntraAuth(Credential(error=failure)), BackOff())
        with pytest.raises(error) as raised:
            ado.get_work_item(31)
        assert len(vendor.calls) == 0
    assert type(raised.value) is error
    assert "Entra" in raised.value.detail
    assert "secret-in-text" not in raised.value.detail


def test_an_app_without_an_identity_says_what_to_set() -> None:
    failure = CredentialUnavailableError("no managed identity")
    with pytest.raises(Unauthorized) as raised:
        authorized(EntraAuth(Credential(error=failure)))
    for remedy in ("ADO_PAT", "managed identity", "AZURE_CLIENT_ID"):
        assert remedy in raised.value.detail


def test_entra_is_not_asked_again_at_once_after_it_refused() -> None:
    credential = Credential(error=CredentialUnavailableError("no managed identity"))
    with new_session(AddressPolicy()) as session:
        ado = AdoClient(URL, session, EntraAuth(credential), BackOff())
        for _ in range(3):
            with pytest.raises(Unauthorized):
                ado.get_work_item(31)
    assert len(credential.scopes) == 1
