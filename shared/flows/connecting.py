"""Connecting an organization: storing its document, describing its form, and removing every trace of it."""

import re
from collections.abc import Collection

from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.errors import InvalidConfiguration, NotFound, SyncError
from shared.domain.model import HealthWord
from shared.domain.rules.done import mapping_errors
from shared.flows.form import ProjectStates
from shared.services import Services
from shared.store.organizations import Organization

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def find_organization(services: Services, slug: str) -> Organization | None:
    try:
        return services.organizations.get(slug)
    except NotFound:
        return None


def store(
    services: Services, slug: str, configuration: Configuration, current: Organization | None
) -> Organization:
    """Create the organization or replace its document, once every mapped state is known to exist.

    Raises InvalidConfiguration with nothing stored, or Unavailable when Azure DevOps cannot be asked.
    """
    if configuration.status_mapping:
        configuration = services.located(configuration)
        verify_mapping(services, Organization(slug, configuration, current.etag if current else ""))
    if current is None:
        return services.organizations.add(slug, configuration)
    stored = services.organizations.replace(current, configuration)
    if configuration != current.configuration:
        services.end_refusals(slug)
        _make_due(services, slug)
    return stored


def verify_mapping(services: Services, organization: Organization) -> None:
    """Raise InvalidConfiguration if a mapped project, type or state does not exist, or does not read back."""
    errors: dict[str, str] = {}
    for project_id in organization.configuration.status_mapping:
        if not _GUID.fullmatch(project_id):
            # Azure DevOps would take a name as well, but work items are known by their project's id alone.
            errors[f"status_mapping.{project_id}"] = "is no project's id: a GUID, which GET shows"
            continue
        try:
            types = services.processes.refresh(
                services.ado_at_once(organization), organization.slug, project_id
            )
        except NotFound:
            errors[f"status_mapping.{project_id}"] = "is no project of this Azure DevOps organization"
        else:
            errors |= mapping_errors(organization.configuration, project_id, types)
    if errors:
        raise InvalidConfiguration(errors)


def described_projects(
    services: Services, organization: Organization, asked_for: Collection[str]
) -> list[ProjectStates]:
    """Return every project, with states for those that are mapped and those that somebody asks for."""
    ado = services.ado_at_once(organization)
    wanted = {each.lower() for each in (*organization.configuration.status_mapping, *asked_for)}
    projects = []
    for project in ado.projects():
        types = None
        if project.id in wanted or project.name.lower() in wanted:
            types = services.processes.recent(ado, organization.slug, project.id)
        projects.append(ProjectStates(project.id, project.name, types))
    return projects


def remove(services: Services, organization: Organization) -> None:
    """Disconnect: the links and their activity go with the document.

    The document goes last, so that a removal which is cut short can be asked for again, and never leaves
    links to whoever gets the slug next. What was made while it went is taken along by a second look.
    """
    _remove_rows(services, organization.slug)
    services.organizations.remove(organization)
    _remove_rows(services, organization.slug)


def _remove_rows(services: Services, slug: str) -> None:
    services.links.remove_all(slug)
    services.activity.remove_all(slug)
    services.progress.remove(slug)


def _make_due(services: Services, slug: str) -> None:
    """Have the reconciler take up at once what needs attention: the new document may be the cure."""
    for stored in services.links.all(slug):
        health = stored.link.health
        if health.word is HealthWord.ATTENTION and health.due is not None:
            try:
                services.links.replace(
                    stored, replace(stored.link, health=replace(health, due=services.clock()))
                )
            except SyncError:
                continue  # It is being settled at this moment, with the new document or due again anyway.
