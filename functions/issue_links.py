"""Links an issue to a work item, lists links with their health, and removes them. docs/api.md#issue_links."""

from typing import Any

import azure.functions as func
import msgspec

from functions.edge import (
    LARGEST_LIST,
    answer,
    api_boundary,
    body_of,
    continuation_of,
    log_unreadable,
    read,
    seated,
    verify_parameters,
)
from functions.shown import FILTERS, described, filter_in, listed, side_in
from shared.domain.errors import Rejected
from shared.flows.back_links import look_at_all
from shared.flows.bulk import Linked, link_all, pairs_from_csv, pairs_from_json
from shared.flows.copying import copy_all
from shared.flows.linking import initial_from, link, unlink
from shared.flows.listing import page_of
from shared.flows.naming import link_named
from shared.services import Services
from shared.store.organizations import Organization

_PAGE_SIZE = 100  # links


# They stand where an issue's id may stand, and are none.
COPY, BACK_LINK = "copy", "back-link"


class _LinkRequest(msgspec.Struct, forbid_unknown_fields=True):
    issue_id: str | int
    work_item_id: str | int
    initial: Any = None


@api_boundary
@seated("links")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    body = body_of(request, LARGEST_LIST)
    organization = services.organizations.get(request.route_params["organization"])
    match request.method:
        case "POST" if request.route_params.get("issue_id") == COPY and not request.route_params.get(
            "work_item_id"
        ):
            return _copy(request, body, organization, services)
        case "POST" if request.route_params.get("issue_id") == BACK_LINK and not request.route_params.get(
            "work_item_id"
        ):
            verify_parameters(request, "continuation")
            queued = look_at_all(services, organization, continuation_of(request))
            return answer({"queued": queued.queued, "continuation": queued.continuation})
        case "POST":
            return _add(request, body, organization, services)
        case "DELETE":
            route = request.route_params
            issue_id, work_item_id = link_named(
                services, organization, route.get("issue_id"), route.get("work_item_id")
            )
            unlink(services, organization, issue_id, work_item_id)
            return func.HttpResponse(status_code=204)
        case _:
            return _list(request, organization, services)


def _add(
    request: func.HttpRequest, body: bytes, organization: Organization, services: Services
) -> func.HttpResponse:
    is_csv = "csv" in request.headers.get("Content-Type", "").lower()
    if is_csv or body.lstrip()[:1] == b"[":
        pairs = pairs_from_csv(body) if is_csv else pairs_from_json(body)
        return _answer_all(list(link_all(services, organization, pairs)))
    wanted = read(body, _LinkRequest)
    issue_id, work_item_id = link_named(services, organization, wanted.issue_id, wanted.work_item_id)
    made = link(services, organization, issue_id, work_item_id, initial_from(wanted.initial))
    return answer(described(made, organization, services), 201)


def _answer_all(results: list[Linked]) -> func.HttpResponse:
    remaining = sum(not result.is_final for result in results)
    links = [
        {
            "issue_id": result.pair.issue_id,
            "work_item_id": result.pair.work_item_id,
            "outcome": result.outcome,
        }
        for result in results
    ]
    return answer({"links": links, "remaining": remaining})


def _list(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    verify_parameters(request, "issue_id", "work_item_id", "continuation", *FILTERS)
    wanted = filter_in(request, organization, services)
    page = page_of(services, organization, wanted, continuation_of(request), _PAGE_SIZE)
    log_unreadable(organization.slug, page.unreadable)
    passed_over = {"unreadable": list(page.unreadable)} if page.unreadable else {}
    links = [listed(each.link, organization, services) for each in page.links]
    return answer({"links": links, "continuation": page.continuation, **passed_over})


def _copy(
    request: func.HttpRequest, body: bytes, organization: Organization, services: Services
) -> func.HttpResponse:
    """Copy one side of all links that a filter names over to the other."""
    verify_parameters(request, "continuation", *FILTERS)
    wanted, side = filter_in(request, organization, services), side_in(body)
    if wanted.is_empty:
        raise Rejected("name the links by a filter; sides=apart are all whose sides differ")
    services.end_refusals(organization.slug)
    page = copy_all(services, organization, wanted, continuation_of(request), side)
    return answer(
        {
            "links": [msgspec.to_builtins(each) for each in page.links],
            "continuation": page.continuation,
            "remaining": page.remaining,
        }
    )
