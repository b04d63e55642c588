"""Takes an Azure DevOps service hook delivery: verify, read, queue, answer. docs/api.md#ado_webhook."""

from contextlib import suppress
from functools import partial

import azure.functions as func
import msgspec

from functions.edge import LARGEST_HOOK, body_of, outcome, verify_sender, webhook_boundary
from shared.ado.hook import Foreign, Uninteresting, WorkItemEvent, parse, verify_secret
from shared.domain.connection import teaches
from shared.domain.errors import SyncError
from shared.domain.messages import InboundMessage, free_of_secrets
from shared.domain.model import Side
from shared.flows.counting import door, note_taken
from shared.services import Services
from shared.store.organizations import Organization

_JUST_NOW = 1.0  # seconds


@webhook_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    slug, body = request.route_params["organization"], body_of(request, LARGEST_HOOK)
    with door(services, slug, Side.ADO):
        verify_sender(services.settings.ado_webhook_secrets, slug, partial(verify_secret, request.headers))
        organization, event = _read(services, slug, body)
    if isinstance(event, Foreign):
        with suppress(SyncError):  # Who counts it is no concern of whoever sent it.
            services.foreign.note(slug)
        return outcome("ignored", organization=slug, detail=event.detail)
    if isinstance(event, Uninteresting):
        note_taken(services, organization.scope, Side.ADO, nothing_to_do=True)
        detail = event.detail or None
        return outcome(event.outcome, organization=slug, work_item=event.work_item_id, detail=detail)
    message = InboundMessage(
        slug,
        event.work_item_id,
        event.rev,
        event.event,
        event.snapshot,
        organization.epoch,
        comment=event.comment,
        told_at=services.clock(),
    )
    services.inbound.put(free_of_secrets(message, services.spellings))
    note_taken(services, organization.scope, Side.ADO)
    _learn(services, organization, event)
    return outcome("queued", 202, organization=slug, work_item=event.work_item_id, rev=event.rev)


def _read(
    services: Services, slug: str, body: bytes
) -> tuple[Organization, WorkItemEvent | Uninteresting | Foreign]:
    """Read a delivery as one to the organization that is remembered, or that has just been connected.

    A comment is read as one to the present connection, since nobody looks for it if its message is dropped.
    """
    organization = services.organizations.recent(slug)
    event = _parsed(organization, body)
    is_comment = isinstance(event, WorkItemEvent) and event.comment is not None
    if is_comment or isinstance(event, Foreign):
        organization = services.organizations.recent(slug, within=_JUST_NOW)
        event = _parsed(organization, body)
    return organization, event


def _parsed(organization: Organization, body: bytes) -> WorkItemEvent | Uninteresting | Foreign:
    configuration = organization.configuration
    reads_reasons = bool(configuration.archive_reasons)
    return parse(body, organization.ado, configuration.sync_comments_reverse, reads_reasons=reads_reasons)


def _learn(services: Services, organization: Organization, event: WorkItemEvent) -> None:
    """Keep what deliveries from this address call themselves; once, since then it is known."""
    if Side.ADO not in organization.connection.taken and teaches(organization.ado, event.origin):
        with suppress(SyncError):
            services.organizations.learn(organization, msgspec.structs.replace(event.origin, places=()))
