"""Examines an organization: tries all that the sync needs, and says how to mend it. docs/api.md#doctor."""

import time
from collections import Counter

import azure.functions as func

from functions.edge import answer, api_boundary, seated, shown_at, verify_parameters
from functions.shown import shown_finding
from shared.domain.rules.diagnosing import Standing
from shared.flows.examining import examine
from shared.services import Services
from shared.version import VERSION


@api_boundary
@seated("checks")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request)
    services.end_refusals(organization.slug)
    findings = examine(services, organization)
    count = Counter(each.standing for each in findings)
    return answer(
        {
            "organization": organization.slug,
            "version": VERSION,
            "at": shown_at(time.time()),
            "problems": count[Standing.PROBLEM],
            "findings": [shown_finding(each) for each in findings],
        }
    )
