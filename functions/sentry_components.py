"""Serves Sentry's "Link issue" form: its options and its two buttons. docs/api.md#sentry_components."""

from collections.abc import Callable
from functools import partial
from typing import Any

import azure.functions as func
import msgspec

from functions.edge import LARGEST_FORM, answer, body_of, component_boundary, read, seated, verify_sender
from shared.ado.creation import NewWorkItem
from shared.domain.decoding import decode
from shared.domain.errors import Malformed, NotFound, Rejected
from shared.domain.ids import issue_id_from
from shared.domain.messages import RuleAction
from shared.domain.model import IssueLink
from shared.flows.creatable import choices_needed, verify_action
from shared.flows.creating import create_and_link, link_by_form
from shared.flows.linking import initial_from
from shared.flows.naming import work_item_named
from shared.flows.resubmitting import link_of_earlier, remember
from shared.sentry.component_schema import MOST_REQUIRED
from shared.sentry.hook import settings_in, verify_signature
from shared.services import Services
from shared.store.organizations import Organization

SIGNATURE_HEADER = "Sentry-App-Signature"
_SUGGESTIONS = 50


class _Submitted(msgspec.Struct, rename="camel"):
    """What either button sends. Sentry quirk: ids are numbers, although the documentation says strings."""

    fields: dict[str, Any]
    issue_id: int | str


class _Saved(msgspec.Struct, rename="camel"):
    """What Sentry sends when a rule with our action is saved."""

    fields: list[Any] | dict[str, Any]


@component_boundary
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    """Serve whoever proves to be Sentry. Only they take a seat, and each organization's share of the pace.

    Whoever has seen one request for options can repeat it for as long as the secret lasts
    (docs/security.md#what-a-stranger-may-try).
    """
    _verify_sender(request, services)
    return _serve(request, services)


def _verify_sender(request: func.HttpRequest, services: Services) -> None:
    # Sentry quirk: requests for options sign the empty string, whatever the query contains.
    body = body_of(request, LARGEST_FORM)
    signed = b"" if request.method == "GET" else body
    is_signed = partial(verify_signature, signed, request.headers.get(SIGNATURE_HEADER))
    verify_sender(services.settings.sentry_client_secrets, request.route_params["organization"], is_signed)


@seated("forms")
def _serve(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    route = request.route_params
    served = _SERVED.get((request.method, f"{route['area']}/{route['name']}"))
    organization = services.organizations.get(route["organization"])
    if served is None:
        raise NotFound("the form has no such part", kind="not-found")
    services.form_pace.verify(organization.slug)
    return served(request, organization, services)


# Options


def _projects(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    typed = request.params.get("query", "").casefold()
    projects = services.ado_at_once(organization).projects()
    return _options((each.id, each.name) for each in projects if typed in each.name.casefold())


def _work_items(
    request: func.HttpRequest, organization: Organization, services: Services
) -> func.HttpResponse:
    finder, typed = services.finder(organization), request.params.get("query", "").strip()
    project = _dependent(request, "project")
    hits = finder.find(typed, project, _SUGGESTIONS) if typed else finder.recent(project, _SUGGESTIONS)
    return _options((str(hit.id), f"({hit.id}) {hit.title}") for hit in hits)


def _work_item_types(
    request: func.HttpRequest, organization: Organization, services: Services
) -> func.HttpResponse:
    project = _dependent(request, "project")
    names = services.ado_at_once(organization).creatable_types(project) if project else []
    return _options((name, name) for name in names)


def _areas(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    return _places(request, organization, services, "areas")


def _iterations(
    request: func.HttpRequest, organization: Organization, services: Services
) -> func.HttpResponse:
    return _places(request, organization, services, "iterations")


def _places(
    request: func.HttpRequest, organization: Organization, services: Services, group: str
) -> func.HttpResponse:
    project, typed = _dependent(request, "project"), request.params.get("query", "").casefold()
    paths = services.ado_at_once(organization).places(project, group) if project else []
    return _options((path, path) for path in paths if typed in path.casefold())


def _required(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    """Offer the values of the required field in this place, each with the name of its field."""
    project, kind = _dependent(request, "project"), _dependent(request, "work_item_type")
    place = int(request.route_params["name"].removeprefix("required-"))
    needed = choices_needed(services, organization, project, kind) if project and kind else []
    return _options(
        (f"{field.reference_name}={value}", f"{field.name}: {value}")
        for field in needed[place - 1 : place]
        for value in field.allowed
    )


def _options(options: Any) -> func.HttpResponse:
    return answer([{"value": value, "label": label} for value, label in options])


def _dependent(request: func.HttpRequest, name: str) -> str | None:
    """Return the value of the form's field ``name`` on which these options depend, if one is chosen."""
    try:
        chosen = decode(request.params.get("dependentData") or "{}", dict[str, Any])
    except Malformed as error:
        raise Malformed("dependentData must be a JSON object") from error
    value = chosen.get(name)
    return value if isinstance(value, str) and value else None


# Buttons


def _link(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    submitted = _submitted(request)
    work_item_id = work_item_named(organization, _text(submitted, "work_item"), "work_item")
    initial = initial_from(_text(submitted, "initial", required=False) or None)
    issue_id = _issue_id(submitted)
    linked = link_of_earlier(services, organization, _signature(request))
    if linked is None:
        linked = link_by_form(services, organization, issue_id, work_item_id, initial)
    return _linked(linked, request, organization, services)


def _create(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    submitted = _submitted(request)
    issue_id = _issue_id(submitted)
    parent = _text(submitted, "parent", required=False)
    new = NewWorkItem(
        project=_text(submitted, "project"),
        work_item_type=_text(submitted, "work_item_type"),
        title=_text(submitted, "title"),
        description=_text(submitted, "description", required=False),
        area_path=_text(submitted, "area_path", required=False),
        iteration_path=_text(submitted, "iteration_path", required=False),
        tags=_text(submitted, "tags", required=False),
        parent=work_item_named(organization, parent, "parent") if parent else None,
        fields=_further_fields(submitted),
    )
    initial = initial_from(_text(submitted, "initial", required=False) or None)
    # Where that link stands, creating is no second time, unless somebody removed its entry in Sentry.
    earlier = link_of_earlier(services, organization, _signature(request))
    repeats = earlier is not None
    linked = create_and_link(services, organization, issue_id, new, initial, repeats=repeats)
    return _linked(linked, request, organization, services)


def _signature(request: func.HttpRequest) -> str:
    return (request.headers.get(SIGNATURE_HEADER) or "").strip().lower()


def _further_fields(submitted: _Submitted) -> dict[str, str]:
    """Return what is chosen for required fields, and the lines of other fields, each "name = value"."""
    chosen = [_text(submitted, f"required_{each}", required=False) for each in range(1, MOST_REQUIRED + 1)]
    lines = [*filter(None, chosen), *_text(submitted, "other_fields", required=False).splitlines()]
    fields: dict[str, str] = {}
    for line in filter(str.strip, lines):
        name, sign, value = line.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise Rejected(f'other_fields: {line.strip()[:80]!r} is not "name = value"')
        fields[name.strip()] = value.strip()
    return fields


def _save_rule(
    request: func.HttpRequest, organization: Organization, services: Services
) -> func.HttpResponse:
    """Check the settings of our action in an alert rule; Sentry shows the message and saves the rule or not.

    https://docs.sentry.io/organization/integrations/integration-platform/ui-components/alert-rule-action/
    """
    settings = settings_in(read(body_of(request, LARGEST_FORM), _Saved).fields)
    action = RuleAction(
        "",
        settings.get("project", ""),
        settings.get("work_item_type", ""),
        settings.get("area_path", ""),
        settings.get("tags", ""),
    )
    project = verify_action(services, organization, action)
    return answer({"message": f"Work items will be created in {project}."})


def _submitted(request: func.HttpRequest) -> _Submitted:
    return read(body_of(request, LARGEST_FORM), _Submitted)


def _issue_id(submitted: _Submitted) -> str:
    return issue_id_from(str(submitted.issue_id), "issueId")


def _text(submitted: _Submitted, name: str, *, required: bool = True) -> str:
    value = submitted.fields.get(name)
    text = value.strip() if isinstance(value, str) else str(value) if isinstance(value, int) else ""
    if required and not text:
        raise Rejected(f"{name} is required")
    return text


def _linked(
    linked: IssueLink, request: func.HttpRequest, organization: Organization, services: Services
) -> func.HttpResponse:
    """Answer the three strings that Sentry's schema requires; Sentry stores its own copy of the link."""
    remember(services, organization, _signature(request), linked)
    ado = services.ado_at_once(organization)
    return answer(
        {
            "webUrl": ado.web_url(linked.project_id, linked.work_item_id),
            "project": linked.area_path or ado.get_project(linked.project_id).name,
            "identifier": str(linked.work_item_id),
        }
    )


_SERVED: dict[tuple[str, str], Callable[[func.HttpRequest, Organization, Services], func.HttpResponse]] = {
    ("GET", "options/projects"): _projects,
    ("GET", "options/work-items"): _work_items,
    ("GET", "options/work-item-types"): _work_item_types,
    ("GET", "options/areas"): _areas,
    ("GET", "options/iterations"): _iterations,
    ("POST", "issue-link/link"): _link,
    ("POST", "issue-link/create"): _create,
    ("POST", "alert-rule/save"): _save_rule,
    **{("GET", f"options/required-{each}"): _required for each in range(1, MOST_REQUIRED + 1)},
}
