"""Lists the activity of one link, newest first; it explains why something did not sync."""

from typing import Any

import azure.functions as func
import msgspec

from functions.edge import answer, api_boundary, continuation_of, log_unreadable, shown_at, verify_parameters
from shared.domain.model import ActivityEntry
from shared.flows.naming import link_of
from shared.services import Services

_PAGE_SIZE = 100  # entries


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "continuation")
    route = request.route_params
    issue_id, work_item_id = link_of(services, organization, route)
    page = services.activity.page(
        organization.scope, issue_id, work_item_id, continuation_of(request), _PAGE_SIZE
    )
    log_unreadable(organization.slug, page.unreadable)
    if not page.entries and not page.unreadable:
        # An existing link may have no entries; a missing link raises NotFound.
        services.links.get(organization.scope, issue_id, work_item_id)
    return answer(
        {"activity": [_described(each) for each in page.entries], "continuation": page.continuation}
    )


def _described(entry: ActivityEntry) -> dict[str, Any]:
    names = ("at", "outcome", "direction", "field", "from", "to", "rev", "reason", "told_by")
    return {**dict.fromkeys(names), **msgspec.to_builtins(entry), "at": shown_at(entry.at)}
