"""Connecting an organization: storing its document, describing its projects, and removing its data."""

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
    """Create the organization or replace its document, after checking that every mapped state exists.

    Stores nothing and raises InvalidConfiguration for a wrong mapping, Unavailable if Azure DevOps does not
    answer, Conflict or StalePrecondition if ``current`` is not the stored version.
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
    """Raise InvalidConfiguration if a mapped project, type or state does not exist or does not read back."""
    errors: dict[str, str] = {}
    for project_id in organization.configuration.status_mapping:
        if not _GUID.fullmatch(project_id):
            # Azure DevOps would accept a name too, but work items name their project by id only.
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
    services: Services, organization: Organization, detailed: Collection[str]
) -> list[ProjectStates]:
    """Return every project, with the states of each that is mapped or that ``detailed`` names or ids."""
    ado = services.ado_at_once(organization)
    wanted = {each.lower() for each in (*organization.configuration.status_mapping, *detailed)}
    projects = []
    for project in ado.projects():
        types = None
        if project.id in wanted or project.name.lower() in wanted:
            types = services.processes.recent(ado, organization.slug, project.id)
        projects.append(ProjectStates(project.id, project.name, types))
    return projects


def remove(services: Services, organization: Organization) -> None:
    """Disconnect an organization: remove its document, its links and their activity.

    The document is removed after the rows, so that an interrupted removal can be repeated and the next
    owner of the slug inherits no links. A second pass removes rows that were added in the meantime.
    """
    _remove_rows(services, organization.slug)
    services.organizations.remove(organization)
    _remove_rows(services, organization.slug)


def _remove_rows(services: Services, slug: str) -> None:
    services.links.remove_all(slug)
    services.activity.remove_all(slug)
    services.progress.remove(slug)


def _make_due(services: Services, slug: str) -> None:
    """Make every link that needs attention due at once: the new document may fix it."""
    for stored in services.links.all(slug):
        health = stored.link.health
        if health.word is HealthWord.ATTENTION and health.due is not None:
            try:
                services.links.replace(
                    stored, replace(stored.link, health=replace(health, due=services.clock()))
                )
            except SyncError:
                continue  # A worker is settling it now, with the new document, or the link stays due anyway.
