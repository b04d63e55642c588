"""Links, issues and work items as answers show them, and the filters that requests name them by."""

from typing import Any, Literal

import azure.functions as func
import msgspec

from functions.edge import choice_in, read, shown_at, text_in, word_in
from shared.domain.activity import named
from shared.domain.model import FIELDS, HealthWord, IssueLink, SentryIssue, Side, WorkItem
from shared.domain.pages import issue_page, work_item_page
from shared.domain.rules.apart import Sides, apart, differs, sides
from shared.domain.rules.diagnosing import Finding
from shared.domain.rules.listing import REASONS, Filter
from shared.domain.rules.problems import Trouble
from shared.flows.naming import issue_named, work_item_named
from shared.flows.pages_of_pairs import PageOfPairs
from shared.services import Services
from shared.store.organizations import Organization

COPY = "copy"  # Stands in a route where an issue's id may stand, and is none.
FILTERS = ("health", "sides", "reason", "project", "q")


class _Copy(msgspec.Struct, forbid_unknown_fields=True):
    side: Literal["ado", "sentry"] = msgspec.field(name="from")


def side_in(body: bytes) -> Side:
    """Return the side that is to be copied over, or raise Rejected."""
    return Side(read(body, _Copy).side)


def filter_in(request: func.HttpRequest, organization: Organization, services: Services) -> Filter:
    """Return which links a request names, by its route and its query; raise Rejected for a wrong value."""
    route = {name: each for name, each in request.route_params.items() if each != COPY}
    named = {**request.params, **route}
    issue, item = named.get("issue_id"), named.get("work_item_id")
    return Filter(
        issue_id=None if issue is None else issue_named(services, organization, issue, "issue_id"),
        work_item_id=None if item is None else work_item_named(organization, item, "work_item_id"),
        health=choice_in(request, "health", HealthWord),
        sides=choice_in(request, "sides", Sides),
        reason=word_in(request, "reason", REASONS),
        project=text_in(request, "project"),
        text=text_in(request, "q"),
    )


def described(link: IssueLink, organization: Organization, services: Services) -> dict[str, Any]:
    """Return a link. That needs no client: links are looked at above all while a service is in trouble."""
    return {
        "issue_id": link.issue_id,
        "work_item_id": link.work_item_id,
        "project_id": link.project_id,
        "work_item_type": link.work_item_type,
        "title": link.title,
        "display_name": link.display_name,
        "url": _work_item_page(link.project_id, link.work_item_id, organization, services),
    }


def listed(link: IssueLink, organization: Organization, services: Services) -> dict[str, Any]:
    """Return a link with its health, how both ends stood when they were last seen, and whether they agree."""
    health, configuration, seen = link.health, organization.configuration, link.seen
    stand = sides(link, configuration)
    return {
        **described(link, organization, services),
        "linked_by": "api" if link.form is None else "form",
        "health": health.word.value,
        "reason": health.reason or None,
        "detail": health.detail or None,
        "since": shown_at(health.since) if health.reason else None,
        "due": shown_at(health.due),
        "synced_at": shown_at(link.synced_at or link.linked_at),
        "sides": None if stand is None else stand.value,
        "apart": [msgspec.to_builtins(each) for each in apart(link, configuration)] if stand else [],
        "differ": [field for field in FIELDS if differs(field, seen, configuration)],
        "issue": {
            "short_id": link.short_id or None,
            "title": link.issue_title or None,
            "url": _issue_page(link.issue_id, organization),
            "status": seen.issue.status.value,
            "assignee": named(seen.issue.assignee),
        },
        "work_item": {
            "rev": seen.item.rev,
            "state": seen.item.state,
            "status": None if seen.item.status is None else seen.item.status.value,
            "assignee": named(seen.item.assignee),
            "reasons": _reasons(seen.item.reasons),
        },
    }


def _work_item_page(
    project_id: str, work_item_id: int, organization: Organization, services: Services
) -> str | None:
    """Return the address of a work item's page, or None while nobody has looked up where that is."""
    base_url = services.known_ado_url(organization)
    return None if base_url is None else work_item_page(base_url, project_id, work_item_id)


def _issue_page(issue_id: str, organization: Organization) -> str:
    configuration = organization.configuration
    slug = configuration.sentry_organization or organization.slug
    return issue_page(configuration.sentry_url, slug, issue_id)


def shown_finding(finding: Finding) -> dict[str, Any]:
    return {
        "area": finding.area.value,
        "check": finding.check,
        "standing": finding.standing.value,
        "detail": finding.detail,
        "cure": finding.cure,
        "side": None if finding.side is None else finding.side.value,
    }


def shown_trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "kind": trouble.kind,
        "side": None if trouble.side is None else trouble.side.value,
        "since": shown_at(trouble.since),
        "detail": trouble.detail,
        "cure": trouble.cure,
    }


def shown_issue(issue: SentryIssue) -> dict[str, Any]:
    return {
        "id": issue.issue_id,
        "short_id": issue.short_id or None,
        "title": issue.title,
        "url": issue.permalink or None,
        "status": issue.status.value,
        "assignee": named(issue.assignee),
    }


def shown_work_item(item: WorkItem, organization: Organization, services: Services) -> dict[str, Any]:
    return {
        "id": item.id,
        "rev": item.rev,
        "title": item.title,
        "type": item.work_item_type,
        "url": _work_item_page(item.project_id, item.id, organization, services),
        "state": item.state,
        "assignee": named(item.assignee),
        "reasons": _reasons(item.reasons),
    }


def _reasons(known: tuple[str, ...] | None) -> list[str] | None:
    return None if known is None else list(known)


def page_of_pairs(page: PageOfPairs) -> dict[str, Any]:
    """Show what became of the pairs of one request, and where the next one goes on."""
    links = [msgspec.to_builtins(each) for each in page.links]
    return {
        "links": links,
        "continuation": page.continuation,
        "stopped": page.stopped,
        "unreadable": page.unreadable,
    }
