"""Makes the links anew that show on their ends, after the tables were lost. docs/api.md#rebuild."""

import azure.functions as func

from functions.edge import answer, api_boundary, continuation_of, seated, verify_parameters
from functions.shown import page_of_pairs
from shared.flows.rebuilding import rebuild
from shared.services import Services


@api_boundary
@seated("links")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "continuation")
    return answer(page_of_pairs(rebuild(services, organization, continuation_of(request))))
