"""Lists the activity of one link, newest first; it explains why something did not sync."""

from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import msgspec

from functions.edge import answer, api_boundary, continuation_of
from shared.domain.ids import named_link
from shared.domain.model import ActivityEntry
from shared.services import Services

_PAGE_SIZE = 100  # entries


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    issue_id, work_item_id = named_link(request.route_params)
    page = services.activity.page(
        organization.scope, issue_id, work_item_id, continuation_of(request), _PAGE_SIZE
    )
    if not page.entries:
        # An existing link may have no entries; a missing link raises NotFound.
        services.links.get(organization.scope, issue_id, work_item_id)
    return answer(
        {"activity": [_described(each) for each in page.entries], "continuation": page.continuation}
    )


def _described(entry: ActivityEntry) -> dict[str, Any]:
    at = datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="milliseconds")
    empty = dict.fromkeys(("at", "outcome", "direction", "field", "from", "to", "rev", "reason"))
    return {**empty, **msgspec.to_builtins(entry), "at": at}
