"""Takes over the links of Sentry's own Azure DevOps integration. docs/api.md#adopt."""

import azure.functions as func

from functions.edge import answer, api_boundary, continuation_of, seated, text_in, verify_parameters
from functions.shown import page_of_pairs
from shared.flows.adopting import SWITCHES, adopt
from shared.services import Services


@api_boundary
@seated("links")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "dry_run", "integration", "continuation")
    is_dry_run = request.params.get("dry_run", "") not in {"", "0", "false"}
    page = adopt(
        services,
        organization,
        continuation_of(request),
        is_dry_run=is_dry_run,
        integration=text_in(request, "integration"),
    )
    switches = [{"key": key, "label": label} for key, label in SWITCHES.items()]
    return answer({"dry_run": is_dry_run, **page_of_pairs(page), "switch_off_in_sentry": switches})
