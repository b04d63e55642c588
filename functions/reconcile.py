"""Finds the links that no hook reported and queues them: on a timer, and on request."""

import azure.functions as func
import msgspec

from functions.edge import (
    LARGEST_FORM,
    answer,
    api_boundary,
    body_of,
    log_unreadable,
    read,
    seated,
    verify_parameters,
    worker_boundary,
)
from functions.log import level_of, line, log_bug, logger_for, reason_of_refusal
from shared.domain.errors import SyncError
from shared.flows.connecting import remove_what_ended
from shared.flows.naming import link_named
from shared.flows.reconciling import Found, Part, reconcile, reconcile_all
from shared.flows.syncing import settle_patiently
from shared.services import Services

logger = logger_for(__name__)


class _Wanted(msgspec.Struct, forbid_unknown_fields=True):
    issue_id: str | int | None = None
    work_item_id: str | int | None = None


@worker_boundary
def handle_timer(services: Services) -> None:
    for slug, result in reconcile_all(services).items():
        if isinstance(result, SyncError):
            logger.log(level_of(result), line("failed", organization=slug, **reason_of_refusal(result)))
        elif isinstance(result, Exception):
            log_bug(logger, result, services, organization=slug)
        else:
            _log(services, slug, result)
    try:
        remove_what_ended(services)
    except SyncError as error:
        logger.log(level_of(error), line("failed", part="remove-what-ended", **reason_of_refusal(error)))


def _log(services: Services, slug: str, found: Found) -> None:
    for note in found.notes:
        logger.warning(line("noted", organization=slug, part=note.part, kind=note.kind))
    for failure in found.failures:
        if isinstance(failure.error, SyncError):
            reason = reason_of_refusal(failure.error)
            logger.log(
                level_of(failure.error), line("failed", organization=slug, part=failure.part, **reason)
            )
        else:
            log_bug(logger, failure.error, services, organization=slug, part=failure.part)
    log_unreadable(slug, found.unreadable)
    counts = {"links": found.looked_at, "drifted": found.drifted, "issues": found.issues}
    logger.info(line("reconciled", organization=slug, **counts))


@api_boundary
@seated("checks")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Settle the named link and answer with its outcome; without one, queue all links that need settling."""
    body = body_of(request, LARGEST_FORM)
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request)
    wanted = read(body, _Wanted)
    services.end_refusals(organization.slug)
    if wanted.issue_id is None and wanted.work_item_id is None:
        return _answer(services, organization.slug, reconcile(services, organization, everything=True))
    issue_id, work_item_id = link_named(services, organization, wanted.issue_id, wanted.work_item_id)
    return answer({"outcome": settle_patiently(services, organization, issue_id, work_item_id)})


def _answer(services: Services, slug: str, found: Found) -> func.HttpResponse:
    """Say what was queued and whether links remain for the next runs, or raise why none was looked at."""
    failed = [failure.error for failure in found.failures if failure.part in {Part.LINKS, Part.LOOK}]
    if failed and not found.compared:
        raise failed[0]
    _log(services, slug, found)
    content = {
        "outcome": "queued",
        "links": found.looked_at,
        "drifted": found.drifted,
        "issues": found.issues,
        "remaining": found.remaining or bool(failed),
    }
    return answer(content, 202)
