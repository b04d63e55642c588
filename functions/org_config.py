"""Reads, writes, changes and removes an organization's configuration document. docs/api.md#org_config."""

from typing import Any

import azure.functions as func
import msgspec

from functions.edge import (
    LARGEST_DOCUMENT,
    answer,
    api_boundary,
    body_of,
    parameter_in,
    seated,
    sentence_of,
    verify_parameters,
)
from shared.domain.configuration import Configuration, Submitted
from shared.domain.connection import Choice
from shared.domain.errors import (
    Busy,
    Conflict,
    ConnectionChanged,
    NotFound,
    OrganizationGone,
    PreconditionRequired,
    Rejected,
    StalePrecondition,
    SyncError,
)
from shared.flows.connecting import Checked, check, described_projects, keep, remove
from shared.flows.form import ProjectStates, described_fields
from shared.services import Services
from shared.store.organizations import Organization, unknown, unreadable

_ATTEMPTS = 5
_WHATEVER_IS_THERE = "*"
# What a change of the mapping shows by: those keys say what has to be asked before they are stored.
_OF_THE_MAPPING = frozenset(
    ("status_mapping", "done_categories", "ado_url", "ado_account_id", "sentry_url", "sentry_organization")
)


@api_boundary
@seated("documents")
def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
    slug = request.route_params["organization"]
    match request.method:
        case "PUT" | "PATCH":
            body = body_of(request, LARGEST_DOCUMENT)
            verify_parameters(request, "links", "dry_run")
            return _store(request, body, slug, services)
        case "DELETE":
            verify_parameters(request)
            organization = services.organizations.find(slug)
            if organization is None:
                raise unknown(slug)
            _verify_if_match(request, organization)
            left = remove(services, organization)
            if left:
                return answer({"organization": slug, "warnings": {"subscriptions": left}})
            return func.HttpResponse(status_code=204)
        case _:
            verify_parameters(request, "project")
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


def _store(request: func.HttpRequest, body: bytes, slug: str, services: Services) -> func.HttpResponse:
    """Try a document, store it unless this is a dry run, and say what it changes."""
    choice, is_dry_run = _choice(request), _is_dry_run(request)
    for _ in range(_ATTEMPTS):
        current = _current(request, slug, services)
        submitted, wanted = _read(request, body, current, services)
        if not is_dry_run:
            _verify_sighted(request, current)
        is_patch = request.method == "PATCH"
        try:
            checked = check(
                services,
                slug,
                wanted,
                current,
                choice,
                of_page=submitted.names_page,
                with_mapping=not is_patch or not _OF_THE_MAPPING.isdisjoint(submitted.document),
            )
            stored = checked.wanted if is_dry_run else keep(services, checked)
        except (ConnectionChanged, Busy):
            raise
        except Conflict as error:
            if _named_version(request) not in {None, _WHATEVER_IS_THERE}:
                raise StalePrecondition("somebody else changed the document in the meantime") from error
        else:
            return _answer(checked, stored, is_dry_run=is_dry_run)
    raise Conflict("the document keeps changing")


def _current(request: func.HttpRequest, slug: str, services: Services) -> Organization | None:
    """Return what a request would replace or change, or raise why it may not, whatever its body says."""
    current = services.organizations.find(slug)
    if request.method == "PATCH":
        if current is None:
            raise unknown(slug)
        if not current.is_readable:
            raise unreadable(slug)
    _verify_if_match(request, current)
    return current


def _read(
    request: func.HttpRequest, body: bytes, current: Organization | None, services: Services
) -> tuple[Submitted, Configuration]:
    """Return what was sent, and the document that it is, or that it makes of the current one."""
    submitted = wanted = Submitted.from_json(body)
    if request.method == "PATCH" and current is not None:
        wanted = submitted.applied_to(current.configuration)
    return submitted, Configuration.from_submitted(wanted, services.settings.addresses)


def _answer(checked: Checked, stored: Organization, *, is_dry_run: bool) -> func.HttpResponse:
    before = checked.current if checked.current is not None and checked.current.is_readable else None
    content: dict[str, Any] = {
        "organization": stored.slug,
        "config": msgspec.to_builtins(stored.configuration),
        "changed": stored.configuration.changed_from(None if before is None else before.configuration),
    }
    if checked.warnings:
        content["warnings"] = {key: sentence_of(error) for key, error in checked.warnings.items()}
    if is_dry_run:
        content["dry_run"] = True
    shown = checked.current if is_dry_run else stored
    return answer(
        content,
        201 if checked.current is None else 200,
        {} if shown is None else {"ETag": shown.version},
    )


def _is_dry_run(request: func.HttpRequest) -> bool:
    wanted = parameter_in(request, "dry_run")
    if wanted not in {None, "1"}:
        raise Rejected("dry_run must be 1, or be left out")
    return wanted is not None


def _choice(request: func.HttpRequest) -> Choice | None:
    """Return what is to become of links whose place changes with the document."""
    match parameter_in(request, "links"):
        case None:
            return None
        case "keep":
            return "keep"
        case "drop":
            return "drop"
        case _:
            raise Rejected("links must be keep or drop")


def _verify_sighted(request: func.HttpRequest, current: Organization | None) -> None:
    """Raise PreconditionRequired for a whole document from somebody who may not know of the stored one."""
    if request.method == "PUT" and current is not None and _named_version(request) is None:
        raise PreconditionRequired(
            "the organization is connected already, and PUT replaces its whole document: name the version "
            "that you have read in If-Match, or send If-Match: * to replace whatever is there; PATCH changes "
            "single keys"
        )


def _verify_if_match(request: func.HttpRequest, current: Organization | None) -> None:
    wanted = _named_version(request)
    if wanted is None or (wanted == _WHATEVER_IS_THERE and current is not None):
        return
    # A list of versions is allowed: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.1
    if current is None or current.version not in {each.strip() for each in wanted.split(",")}:
        raise StalePrecondition("If-Match names a version of the document that is not the stored one")


def _named_version(request: func.HttpRequest) -> str | None:
    wanted: str | None = request.headers.get("If-Match")
    return None if wanted is None or not wanted.strip() else wanted.strip()


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
