"""Tells the story of one link, newest first: one request says why something did not sync."""

from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import msgspec

from functions.edge import answer, api_boundary
from shared.domain.ids import named_link
from shared.domain.model import ActivityEntry
from shared.services import Services

_ENTRIES_A_PAGE = 100


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    issue_id, work_item_id = named_link(request.route_params)
    page = services.activity.page(
        organization.scope, issue_id, work_item_id, request.params.get("continuation"), _ENTRIES_A_PAGE
    )
    if not page.entries:
        services.links.get(organization.scope, issue_id, work_item_id)  # NotFound, unless it is only quiet
    return answer({"activity": [_shown(entry) for entry in page.entries], "continuation": page.continuation})


def _shown(entry: ActivityEntry) -> dict[str, Any]:
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds")
    nothing = dict.fromkeys(("at", "outcome", "direction", "field", "from", "to", "rev", "reason"))
    return {**nothing, **msgspec.to_builtins(entry), "at": at}
