"""Lists what arrived about linked things, and what became of it, newest first. docs/api.md#events."""

from typing import Any

import azure.functions as func
import msgspec

from functions.edge import answer, api_boundary, continuation_of, log_unreadable, shown_at, verify_parameters
from shared.domain.traffic import Event
from shared.services import Services

_PAGE_SIZE = 100  # events
_KEYS = ("at", "side", "kind", "issue_id", "work_item_id", "outcome", "reason", "told_by", "took")


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "continuation")
    services.ledger.flush()
    page = services.traffic.events(organization.scope, continuation_of(request), _PAGE_SIZE)
    log_unreadable(organization.slug, page.unreadable)
    return answer({"events": [_shown(each) for each in page.events], "continuation": page.continuation})


def _shown(event: Event) -> dict[str, Any]:
    return {**dict.fromkeys(_KEYS), **msgspec.to_builtins(event), "at": shown_at(event.at)}
