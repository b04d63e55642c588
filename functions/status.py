"""Shows how an organization does: traffic, delay, links, problems and cures. docs/api.md#status."""

from collections.abc import Mapping
from typing import Any

import azure.functions as func

from functions.edge import answer, api_boundary, shown_at, verify_parameters
from functions.shown import shown_trouble
from shared.domain.comments import InboundComments
from shared.domain.model import Side
from shared.domain.subscriptions import HookRecord, WatchedEvent, needed
from shared.domain.traffic import HOUR, Counts, Hour, rounded
from shared.flows.watching import status_of
from shared.services import Services
from shared.version import VERSION


@api_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    organization = services.organizations.get(request.route_params["organization"])
    verify_parameters(request)
    status = status_of(services, organization)
    day = status.day
    return answer(
        {
            "organization": organization.slug,
            "version": VERSION,
            "ado": {
                **_door(Side.ADO, status.hours, status.last),
                "subscriptions": _subscriptions(
                    status.record, organization.configuration.sync_comments_reverse
                ),
            },
            "sentry": _door(Side.SENTRY, status.hours, status.last),
            "reconciler": {
                "last_run": shown_at(status.last_run),
                "next_run": shown_at(status.next_run),
                "untold": status.untold,
            },
            "delay": {
                "median": rounded(day.delays.quantile(0.5)),
                "p95": rounded(day.delays.quantile(0.95)),
                "longest": rounded(day.delays.longest) if day.delays.buckets else None,
            },
            "links": {name: getattr(status.links, name) for name in status.links.__struct_fields__},
            "problems": [shown_trouble(each) for each in status.problems],
        }
    )


def _door(side: Side, hours: Mapping[int, Hour], last: Hour) -> dict[str, Any]:
    counts = last.on(side)
    return {
        "last_event": shown_at(counts.taken_at),
        "last_refused": shown_at(counts.refused_at),
        "hours": [
            {"at": shown_at(number * HOUR), **_counted(hour.on(side))}
            for number, hour in hours.items()
            if _counted(hour.on(side)) != _counted(Counts())
        ],
    }


def _counted(counts: Counts) -> dict[str, int]:
    return {
        "taken": counts.taken,
        "nothing_to_do": counts.nothing_to_do,
        "not_linked": counts.not_linked,
        "refused": counts.refused,
    }


def _subscriptions(record: HookRecord, comments: InboundComments) -> list[dict[str, Any]]:
    found = [(event, record.events.get(event, WatchedEvent())) for event in needed(comments)]
    return [
        {"event": event.value, "state": watched.state.value, "since": shown_at(watched.since)}
        for event, watched in found
    ]
