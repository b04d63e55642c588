"""Takes an Azure DevOps service hook delivery: verify, read, queue, answer. design.md §4.1."""

import azure.functions as func

from functions.edge import body_of, outcome, webhook_boundary
from shared.ado.hook import Uninteresting, parse, verify_secret, verify_size
from shared.errors import MissingSetting, Unauthenticated
from shared.messages import InboundMessage
from shared.services import Services


@webhook_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization, body = request.route_params["organization"], body_of(request)
    verify_size(body)
    _verify_sender(request, organization, services)
    services.organizations.recent(organization)
    event = parse(body)
    if isinstance(event, Uninteresting):
        return outcome(event.outcome, organization=organization, detail=event.detail or None)
    services.inbound.put(
        InboundMessage(organization, event.work_item_id, event.rev, event.event, event.snapshot)
    )
    return outcome("queued", 202, organization=organization, work_item=event.work_item_id, rev=event.rev)


def _verify_sender(request: func.HttpRequest, organization: str, services: Services) -> None:
    try:
        secrets = services.settings.ado_webhook_secrets(organization)
    except MissingSetting as error:
        raise Unauthenticated(error.detail) from error
    verify_secret(request.headers, secrets)
