"""Takes an Azure DevOps service hook delivery: verify, read, queue, answer. docs/api.md#ado_webhook."""

import azure.functions as func

from functions.edge import body_of, outcome, secrets_or_refusal, webhook_boundary
from shared.ado.hook import Uninteresting, parse, verify_secret, verify_size
from shared.domain.messages import InboundMessage
from shared.services import Services


@webhook_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization, body = request.route_params["organization"], body_of(request)
    verify_size(body)
    secrets = secrets_or_refusal(services.settings.ado_webhook_secrets, organization)
    verify_secret(request.headers, secrets)
    services.organizations.recent(organization)
    event = parse(body)
    if isinstance(event, Uninteresting):
        return outcome(event.outcome, organization=organization, detail=event.detail or None)
    services.inbound.put(
        InboundMessage(organization, event.work_item_id, event.rev, event.event, event.snapshot)
    )
    return outcome("queued", 202, organization=organization, work_item=event.work_item_id, rev=event.rev)
