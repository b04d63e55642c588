"""How the app authenticates to Azure DevOps: with a personal access token, or through Entra."""

from typing import TYPE_CHECKING

import requests
from azure.core.exceptions import AzureError, ClientAuthenticationError
from requests.auth import AuthBase, HTTPBasicAuth

from shared.domain.errors import MissingSetting, Unauthorized, Unavailable
from shared.http.credential import IdentityUnavailable

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

# The id of Azure DevOps in every Entra tenant.
# https://learn.microsoft.com/azure/devops/integrate/get-started/authentication/service-principal-managed-identity
SCOPE = "499b84ac-1321-427f-aa17-267ca6975798/.default"


def personal_access_token(token: str) -> AuthBase:
    return HTTPBasicAuth("", token)


class NoToken(AuthBase):
    """Stands in where a token is wanted and missing: no call is made, and what needs none goes on."""

    def __init__(self, missing: MissingSetting) -> None:
        self._missing = missing

    def __call__(self, _request: requests.PreparedRequest) -> requests.PreparedRequest:
        raise self._missing


class EntraAuth(AuthBase):
    """Adds a bearer token to each request; the credential keeps the token and renews it early.

    Raises Unauthorized if Entra issues no token, Unavailable if it does not answer.
    """

    def __init__(self, credential: "TokenCredential") -> None:
        self._credential = credential

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        try:
            token = self._credential.get_token(SCOPE).token
        # None keeps its cause: nobody knows what that quotes, and a traceback prints it.
        except IdentityUnavailable:
            advice = "Entra, or the app's identity endpoint, gives no token at the moment"
            raise Unavailable("ado", f"{advice}: it gave no answer, or failed", advice=advice) from None
        except ClientAuthenticationError:
            advice = (
                "Entra gave no token: set ADO_PAT, or give the app a managed identity "
                "(AZURE_CLIENT_ID when it is a user-assigned one) that is a user of the organization"
            )
            raise Unauthorized("ado", advice, advice=advice) from None
        except AzureError:
            raise Unavailable("ado", "Entra does not answer: no token for Azure DevOps") from None
        request.headers["Authorization"] = f"Bearer {token}"
        return request
