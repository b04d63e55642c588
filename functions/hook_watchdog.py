"""Looks after the service hook subscriptions: on a timer, and on request. docs/api.md#hooks."""

from typing import Any

import azure.functions as func

from functions.edge import LARGEST_FORM, answer, api_boundary, body_of, seated, shown_at
from functions.log import logger_for
from shared.domain.errors import Busy, SyncError
from shared.domain.subscriptions import HookEvent, HookRecord, WatchedEvent, needed
from shared.flows.subscribing import Watched, commands, unsubscribe, watch, watch_all
from shared.services import Services
from shared.store.organizations import Organization

logger = logger_for(__name__)


def handle_timer(services: Services) -> None:
    for slug, result in watch_all(services).items():
        if isinstance(result, Watched):
            _log(slug, result)
        elif isinstance(result, Busy):
            logger.info("outcome=busy organization=%s", slug)
        elif isinstance(result, SyncError):
            logger.error("outcome=failed organization=%s kind=%s", slug, result.kind)
        else:
            logger.error("outcome=bug organization=%s", slug, exc_info=result)


def _log(slug: str, watched: Watched) -> None:
    problem = watched.record.problem
    if problem is not None and (watched.is_news or not problem.is_note):
        word = "noted" if problem.is_note else "failed"
        logger.warning("outcome=%s organization=%s part=hooks kind=%s", word, slug, problem.kind)
    logger.info("outcome=watched organization=%s made=%s removed=%s", slug, watched.made, watched.removed)


@api_boundary
@seated("checks")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Tell how the subscriptions were seen last; by POST, look after them first; by DELETE, remove them."""
    body_of(request, LARGEST_FORM)
    organization = services.organizations.get(request.route_params["organization"])
    if request.method == "DELETE":
        left = unsubscribe(services, organization)
        services.hooks.forget(organization.scope)
        return answer({"organization": organization.slug, "left": left or None})
    if request.method != "POST":
        return answer(_told(services, organization, services.hooks.get(organization.scope)))
    services.end_refusals(organization.slug)
    watched = watch(services, organization)
    _log(organization.slug, watched)
    told = _told(services, organization, watched.record)
    return answer({**told, "made": watched.made, "removed": watched.removed})


def _told(services: Services, organization: Organization, record: HookRecord) -> dict[str, Any]:
    problem = record.problem
    return {
        "organization": organization.slug,
        "checked_at": shown_at(record.checked_at),
        "subscriptions": [
            _described(event, record.events.get(event, WatchedEvent()))
            for event in needed(organization.configuration.sync_comments_reverse)
        ],
        "problem": problem
        and {
            "kind": problem.kind,
            "since": shown_at(problem.since),
            "detail": problem.detail,
            "is_note": problem.is_note,
        },
        "by_hand": commands(services, organization, record) if problem else [],
    }


def _described(event: HookEvent, seen: WatchedEvent) -> dict[str, Any]:
    return {
        "event": event.value,
        "state": seen.state.value,
        "since": shown_at(seen.since),
        "id": seen.subscription_id or None,
        "seen_enabled_at": shown_at(seen.enabled_at),
        "lost": seen.gap and {"since": shown_at(seen.gap.since), "until": shown_at(seen.gap.until)},
    }
