"""Finds the links that no hook reported and queues them: on a timer, and on request."""

import logging

import azure.functions as func
import msgspec

from functions.edge import LARGEST_FORM, answer, api_boundary, body_of, read
from shared.domain.errors import SyncError
from shared.domain.ids import issue_id_from, work_item_id_from
from shared.flows.connecting import remove_what_ended
from shared.flows.reconciling import reconcile, reconcile_all
from shared.flows.syncing import settle_now
from shared.services import Services

logger = logging.getLogger(__name__)


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    issue_id: str | None = None
    work_item_id: int | None = None


def handle_timer(services: Services) -> None:
    for slug, result in reconcile_all(services).items():
        if isinstance(result, SyncError):
            logger.error("outcome=failed organization=%s kind=%s", slug, result.kind)
        elif isinstance(result, Exception):
            logger.error("outcome=bug organization=%s", slug, exc_info=result)
        else:
            logger.info(
                "outcome=reconciled organization=%s links=%s drifted=%s issues=%s",
                slug,
                result.looked_at,
                result.drifted,
                result.issues,
            )
    try:
        remove_what_ended(services)
    except SyncError as error:
        logger.error("outcome=failed part=remove-what-ended kind=%s", error.kind)  # noqa: TRY400  # no bug


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Settle the named link and answer with its outcome; without one, queue all links that need settling."""
    body = body_of(request, LARGEST_FORM)
    organization = services.organizations.get(request.route_params["organization"])
    wanted = read(body, _Wanted)
    services.end_refusals(organization.slug)
    if wanted.issue_id is None and wanted.work_item_id is None:
        found = reconcile(services, organization, everything=True)
        return answer(
            {"outcome": "queued", "links": found.looked_at, "drifted": found.drifted, "issues": found.issues},
            202,
        )
    issue_id = issue_id_from(wanted.issue_id or "", "issue_id")
    work_item_id = work_item_id_from(str(wanted.work_item_id or ""), "work_item_id")
    stored = services.links.get(organization.scope, issue_id, work_item_id)
    return answer({"outcome": settle_now(services, organization, stored)})
