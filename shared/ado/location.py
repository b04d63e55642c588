"""Finds the base URL of an Azure DevOps account from the account's id."""

from typing import Any

import requests

from shared.domain.addresses import AddressPolicy, normalized_ado_url
from shared.domain.errors import NotFound, Refused, Rejected, Unavailable
from shared.http import BackOff, Caller

# The id of the core resource area, the same in every organization.
# https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls#how-to-get-an-organizations-url
_CORE_AREA = "79134c72-4a58-4b42-976c-04e7115f32bf"
_UNKNOWN = "no organization has this ado_account_id"


class _NoAuth(requests.auth.AuthBase):
    """Sends no credentials, because the look-up is public."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def find_base_url(
    session: requests.Session, resource_areas_url: str, account_id: str, policy: AddressPolicy
) -> str:
    """Return an account's base URL; raise Refused if unknown or forbidden, Unavailable without an answer."""
    answer = _core_area(session, resource_areas_url, account_id)
    if not isinstance(answer, dict):
        raise Unavailable("ado", "the answer to the account look-up cannot be read")
    location = answer.get("locationUrl")
    if not isinstance(location, str) or not location:
        raise Refused("ado", _UNKNOWN, advice=_UNKNOWN)
    try:
        return normalized_ado_url(location, policy)
    except Rejected as error:
        problem = f"the address of this ado_account_id {error.detail}"
        raise Refused("ado", problem, advice=problem) from error


def _core_area(session: requests.Session, resource_areas_url: str, account_id: str) -> Any:
    caller = Caller(
        "ado",
        session,
        _NoAuth(),
        {"Accept": "application/json"},
        lambda response: str(response.json()["message"]),
        BackOff(),
    )
    try:
        return caller.call(
            "GET",
            f"{resource_areas_url}/{_CORE_AREA}",
            params={"hostId": account_id, "api-version": "5.0-preview.1"},
        ).content
    except NotFound as error:
        raise Refused("ado", _UNKNOWN, advice=_UNKNOWN) from error
