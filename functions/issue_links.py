"""Links an issue to a work item, lists links with their health, and removes them. docs/api.md#issue_links."""

import codecs
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
from functions.shown import COPY, FILTERS, described, filter_in, listed, side_in
from shared.domain.errors import NotFound, Rejected
from shared.flows.back_links import look_at_all
from shared.flows.bulk import Linked, is_csv, link_all, pairs_from_csv, pairs_from_json
from shared.flows.copying import copy_all
from shared.flows.linking import initial_from, link, unlink
from shared.flows.listing import page_of
from shared.flows.naming import link_named, link_of
from shared.services import Services
from shared.store.organizations import Organization

_PAGE_SIZE = 100  # links
_IDS = ("issue_id", "work_item_id")
# It stands where an issue's id may stand, and is none.
BACK_LINK = "back-link"


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
        case "POST" if request.route_params.get("work_item_id"):
            raise NotFound("a link is made by POST to links, with its two ids in the body")
        case "POST" if request.route_params.get("issue_id") == COPY:
            return _copy(request, body, organization, services)
        case "POST" if request.route_params.get("issue_id") == BACK_LINK:
            verify_parameters(request, "continuation")
            queued = look_at_all(services, organization, continuation_of(request))
            return answer({"queued": queued.queued, "continuation": queued.continuation})
        case "POST" if request.route_params.get("issue_id"):
            raise NotFound("a link is made by POST to links, with its two ids in the body")
        case "POST":
            return _add(request, body, organization, services)
        case "DELETE":
            verify_parameters(request, *_IDS)
            issue_id, work_item_id = link_of(
                services, organization, {**request.params, **request.route_params}
            )
            unlink(services, organization, issue_id, work_item_id)
            return func.HttpResponse(status_code=204)
        case _:
            return _list(request, organization, services)


def _add(
    request: func.HttpRequest, body: bytes, organization: Organization, services: Services
) -> func.HttpResponse:
    verify_parameters(request)
    if is_csv(body, request.headers.get("Content-Type", "")):
        return _answer_all(list(link_all(services, organization, pairs_from_csv(body, organization))))
    if body.removeprefix(codecs.BOM_UTF8).lstrip()[:1] == b"[":
        return _answer_all(list(link_all(services, organization, pairs_from_json(body, organization))))
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
    verify_parameters(request, *_IDS, "continuation", *FILTERS)
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
    verify_parameters(request, *_IDS, "continuation", *FILTERS)
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
