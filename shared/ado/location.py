"""Finds where an Azure DevOps account lives, from its id alone."""

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
    """The look-up is open to everybody, and so gets no credentials of ours."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def find_base_url(
    session: requests.Session, resource_areas_url: str, account_id: str, policy: AddressPolicy
) -> str:
    """Return the base URL of an account; raise Refused if nobody knows it, Unavailable if nobody answers."""
    answer = _asked(session, resource_areas_url, account_id)
    if not isinstance(answer, dict):
        raise Unavailable("ado", "the look-up of the account was answered with something else")
    location = answer.get("locationUrl")
    if not isinstance(location, str) or not location:
        raise Refused("ado", _UNKNOWN, advice=_UNKNOWN)
    try:
        return normalized_ado_url(location, policy)
    except Rejected as error:
        problem = f"the address of this ado_account_id {error.detail}"
        raise Refused("ado", problem, advice=problem) from error


def _asked(session: requests.Session, resource_areas_url: str, account_id: str) -> Any:
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
