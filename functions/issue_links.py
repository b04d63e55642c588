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
)
from shared.domain.ids import issue_id_from, named_link, work_item_id_from
from shared.domain.model import IssueLink
from shared.flows.bulk import Linked, link_all, pairs_from_csv, pairs_from_json
from shared.flows.linking import initial_from, link, unlink
from shared.services import Services
from shared.store.organizations import Organization

_PAGE_SIZE = 100  # links


class _LinkRequest(msgspec.Struct, forbid_unknown_fields=True):
    issue_id: str
    work_item_id: int
    initial: Any = None


@api_boundary
@seated("links")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    body = body_of(request, LARGEST_LIST)
    organization = services.organizations.get(request.route_params["organization"])
    match request.method:
        case "POST":
            return _add(request, body, organization, services)
        case "DELETE":
            issue_id, work_item_id = named_link(request.route_params)
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
    issue_id = issue_id_from(wanted.issue_id, "issue_id")
    work_item_id = work_item_id_from(str(wanted.work_item_id), "work_item_id")
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
    issue_id, work_item_id = _filter_in(request)
    continuation, passed_over = None, {}
    if issue_id and work_item_id:
        found = [services.links.get(organization.scope, issue_id, work_item_id)]
    elif issue_id:
        found = services.links.for_issue(organization.scope, issue_id)
    elif work_item_id:
        found = services.links.for_work_item(organization.scope, work_item_id)
    else:
        page = services.links.page(organization.scope, continuation_of(request), _PAGE_SIZE)
        found, continuation = list(page.links), page.continuation
        if page.unreadable:
            log_unreadable(organization.slug, page.unreadable)
            passed_over = {"unreadable": list(page.unreadable)}
    links = [{**described(each.link, organization, services), **health_of(each.link)} for each in found]
    return answer({"links": links, "continuation": continuation, **passed_over})


def _filter_in(request: func.HttpRequest) -> tuple[str | None, int | None]:
    """Return the issue and the work item that the route or the query names; None for one not named."""
    named = {**request.params, **request.route_params}
    issue_id, work_item_id = named.get("issue_id"), named.get("work_item_id")
    return (
        None if issue_id is None else issue_id_from(issue_id, "issue_id"),
        None if work_item_id is None else work_item_id_from(work_item_id, "work_item_id"),
    )


def described(link: IssueLink, organization: Organization, services: Services) -> dict[str, Any]:
    return {
        "issue_id": link.issue_id,
        "work_item_id": link.work_item_id,
        "project_id": link.project_id,
        "work_item_type": link.work_item_type,
        "title": link.title,
        "display_name": link.display_name,
        "url": services.ado(organization).web_url(link.project_id, link.work_item_id),
    }


def health_of(link: IssueLink) -> dict[str, Any]:
    health = link.health
    return {
        "health": health.word.value,
        "reason": health.reason or None,
        "detail": health.detail or None,
        "linked_by": "api" if link.form is None else "form",
    }
