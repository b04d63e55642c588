"""Reads, writes and removes an organization's configuration document. docs/api.md#org_config."""

import azure.functions as func
import msgspec

from functions.edge import LARGEST_DOCUMENT, answer, api_boundary, body_of, seated, sentence_of
from shared.domain.configuration import Configuration
from shared.domain.connection import Choice
from shared.domain.errors import (
    Conflict,
    ConnectionChanged,
    NotFound,
    OrganizationGone,
    Rejected,
    StalePrecondition,
    SyncError,
)
from shared.flows.connecting import check, described_projects, keep, remove
from shared.flows.form import ProjectStates, described_fields
from shared.services import Services
from shared.store.organizations import Organization, unknown


@api_boundary
@seated("documents")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    slug = request.route_params["organization"]
    match request.method:
        case "PUT":
            return _put(request, body_of(request, LARGEST_DOCUMENT), slug, services)
        case "DELETE":
            organization = services.organizations.find(slug)
            if organization is None:
                raise unknown(slug)
            _verify_if_match(request, organization)
            left = remove(services, organization)
            if left:
                return answer({"organization": slug, "warnings": {"subscriptions": left}})
            return func.HttpResponse(status_code=204)
        case _:
            return _get(request, services.organizations.get(slug), services)


def _get(request: func.HttpRequest, organization: Organization, services: Services) -> func.HttpResponse:
    projects, unreachable = _projects(request, organization, services)
    organization = services.organizations.recent(organization.slug)  # Its address may be new.
    return answer(
        {
            "organization": organization.slug,
            "fields": described_fields(organization.configuration, projects, unreachable),
            "config": msgspec.to_builtins(organization.configuration),
        },
        headers={"ETag": organization.version},
    )


def _put(request: func.HttpRequest, body: bytes, slug: str, services: Services) -> func.HttpResponse:
    current, choice = services.organizations.find(slug), _choice(request)
    _verify_if_match(request, current)
    configuration = Configuration.from_json(body, services.settings.addresses)
    try:
        is_page = Configuration.names_page(body)
        checked = check(services, slug, configuration, current, choice, of_page=is_page)
        stored = keep(services, checked)
    except ConnectionChanged:
        raise
    except Conflict as error:
        raise StalePrecondition("somebody else changed the document in the meantime") from error
    content = {"organization": slug, "config": msgspec.to_builtins(stored.configuration)}
    warnings = {key: sentence_of(error) for key, error in checked.warnings.items()}
    return answer(
        {**content, "warnings": warnings} if warnings else content,
        200 if current else 201,
        {"ETag": stored.version},
    )


def _choice(request: func.HttpRequest) -> Choice | None:
    """Return what is to become of links whose place changes with the document."""
    match request.params.get("links"):
        case None:
            return None
        case "keep":
            return "keep"
        case "drop":
            return "drop"
        case _:
            raise Rejected("links must be keep or drop")


def _verify_if_match(request: func.HttpRequest, current: Organization | None) -> None:
    wanted = request.headers.get("If-Match")
    if wanted is None or (wanted == "*" and current is not None):
        return
    if current is None or wanted != current.version:
        raise StalePrecondition("If-Match names a version of the document that is not the stored one")


def _projects(
    request: func.HttpRequest, organization: Organization, services: Services
) -> tuple[list[ProjectStates], str | None]:
    """Return the projects, or none and the reason why Azure DevOps did not list them."""
    detailed = [each for each in request.params.get("project", "").split(",") if each]
    try:
        return described_projects(services, organization, detailed), None
    except (NotFound, OrganizationGone):
        return [], "Azure DevOps knows no organization at ado_url."
    except SyncError as error:
        return [], f"Projects and states cannot be listed. {sentence_of(error)}."
