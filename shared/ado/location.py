"""Finds the base URL of an Azure DevOps account from the account's id."""

import msgspec

from shared.domain.addresses import AddressPolicy, normalized_ado_url
from shared.domain.errors import NotFound, Refused, Rejected
from shared.domain.paths import below
from shared.http import Caller, Session

# The id of the core resource area, the same in every organization.
# https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls#how-to-get-an-organizations-url
_CORE_AREA = "79134c72-4a58-4b42-976c-04e7115f32bf"
_UNKNOWN = "no organization has this ado_account_id"


class _Area(msgspec.Struct, frozen=True, rename="camel"):
    location_url: str | None = None


def find_base_url(session: Session, resource_areas_url: str, account_id: str, policy: AddressPolicy) -> str:
    """Return an account's base URL; raise Refused if unknown or forbidden, Unavailable without an answer."""
    area = _core_area(session, resource_areas_url, account_id)
    if not area.location_url:
        raise Refused("ado", _UNKNOWN, advice=_UNKNOWN)
    try:
        return normalized_ado_url(area.location_url, policy)
    except Rejected as error:
        problem = f"the address of this ado_account_id {error.detail}"
        raise Refused("ado", problem, advice=problem) from error


def _core_area(session: Session, resource_areas_url: str, account_id: str) -> _Area:
    # The look-up is public, and so it gets no credentials.
    headers = {"Accept": "application/json"}
    caller = Caller("ado", session, None, headers, problem_of=lambda content: str(content["message"]))
    try:
        return caller.call(
            "GET",
            below(f"{resource_areas_url}/", _CORE_AREA),
            _Area,
            params={"hostId": account_id, "api-version": "5.0-preview.1"},
        )
    except NotFound as error:
        raise Refused("ado", _UNKNOWN, advice=_UNKNOWN) from error
