"""Makes both sides of one link agree, by copying one over to the other. docs/api.md#copy_link."""

import azure.functions as func

from functions.edge import LARGEST_FORM, answer, api_boundary, body_of, seated, verify_parameters
from functions.shown import side_in
from shared.flows.copying import copy_one
from shared.flows.naming import link_of
from shared.services import Services


@api_boundary
@seated("checks")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    body, route = body_of(request, LARGEST_FORM), request.route_params
    organization = services.organizations.get(route["organization"])
    verify_parameters(request)
    side = side_in(body)
    issue_id, work_item_id = link_of(services, organization, route)
    services.end_refusals(organization.slug)
    return answer({"outcome": copy_one(services, organization, issue_id, work_item_id, side)})
