"""Finds work items for whoever wants to link one. docs/api.md#search."""

import azure.functions as func

from functions.edge import answer, api_boundary, seated, verify_parameters
from shared.domain.errors import Rejected
from shared.services import Services

_DEFAULT_LIMIT = 50
_MAX_LIMIT = 200


@api_boundary
@seated("searches")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "field", "query", "limit", "project")
    field, query = _required(request, "field"), _required(request, "query")
    if field != "externalIssue":
        raise Rejected("field must be externalIssue")
    finder = services.finder(organization)
    hits = finder.find(query, request.params.get("project") or None, _limit(request))
    return answer([{"value": str(hit.id), "label": f"({hit.id}) {hit.title}"} for hit in hits])


def _required(request: func.HttpRequest, name: str) -> str:
    value: str | None = request.params.get(name)
    if not value or not value.strip():
        raise Rejected(f"{name} is a required parameter")
    return value


def _limit(request: func.HttpRequest) -> int:
    text = request.params.get("limit") or str(_DEFAULT_LIMIT)
    if not text.isascii() or not text.isdigit() or len(text) > 9 or int(text) == 0:
        raise Rejected("limit must be a positive number")
    return min(int(text), _MAX_LIMIT)
