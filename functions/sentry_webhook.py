"""Takes a Sentry delivery within its one second: verify, read, queue, answer. docs/api.md#sentry_webhook."""

from contextlib import suppress
from functools import partial

import azure.functions as func

from functions.edge import LARGEST_HOOK, body_of, outcome, verify_sender, webhook_boundary
from shared.domain.errors import Upstream
from shared.domain.messages import OutboundMessage, free_of_secrets
from shared.domain.model import Side
from shared.flows.counting import door, note_taken
from shared.sentry.hook import SIGNATURE_HEADER, parse, verify_signature
from shared.services import Services

_JUST_NOW = 1.0  # seconds


@webhook_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization, body = request.route_params["organization"], body_of(request, LARGEST_HOOK)
    with door(services, organization, Side.SENTRY):
        is_signed = partial(verify_signature, body, request.headers.get(SIGNATURE_HEADER))
        verify_sender(services.settings.sentry_client_secrets, organization, is_signed)
        connected = services.organizations.recent(organization)
        hint = parse(request.headers, body)
        if hint is not None and hint.is_told_once:
            # Another instance may have connected it anew. Sentry never sends again, so where storage says
            # nothing, what is remembered has to do.
            with suppress(Upstream):
                connected = services.organizations.recent(organization, within=_JUST_NOW)
    if hint is None or (hint.comment_id and not connected.configuration.sync_comments):
        note_taken(services, connected.scope, Side.SENTRY, nothing_to_do=True)
        return outcome("ignored", organization=organization, issue=hint.issue_id if hint else None)
    message = OutboundMessage(
        organization,
        hint.issue_id,
        hint.comment_id,
        connected.epoch,
        action=hint.action,
        comment=hint.comment,
        told_at=services.clock(),
    )
    services.outbound.put(free_of_secrets(message, services.spellings))
    note_taken(services, connected.scope, Side.SENTRY)
    return outcome("queued", 202, organization=organization, issue=hint.issue_id)
