"""Explains why something happened to an issue or a work item, or why nothing did. docs/api.md#explain."""

import azure.functions as func

from functions.edge import answer, api_boundary, seated, verify_parameters
from functions.shown import listed, shown_issue, shown_work_item
from shared.domain.errors import Rejected
from shared.flows.explaining import explain
from shared.flows.naming import issue_named, work_item_named
from shared.services import Services


@api_boundary
@seated("checks")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request, "issue_id", "work_item_id")
    issue, item = request.params.get("issue_id"), request.params.get("work_item_id")
    if issue is None and item is None:
        raise Rejected("name an issue by issue_id, a work item by work_item_id, or both")
    explained = explain(
        services,
        organization,
        None if issue is None else issue_named(services, organization, issue, "issue_id"),
        None if item is None else work_item_named(organization, item, "work_item_id"),
    )
    found = explained.work_item
    return answer(
        {
            "issue": None if explained.issue is None else shown_issue(explained.issue),
            "work_item": None if found is None else shown_work_item(found, organization, services),
            "links": [listed(each, organization, services) for each in explained.links],
            "sentences": list(explained.sentences),
            "next": explained.next,
        }
    )
