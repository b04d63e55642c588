"""What can be created: a document's defaults, a rule's settings, and what a form still has to ask for."""

from collections.abc import Collection

from shared.ado.client import AdoClient
from shared.ado.creation import lacks, read_only_fields, type_fields
from shared.domain.configuration import CreateDefaults
from shared.domain.errors import InvalidConfiguration, NotFound, Rejected
from shared.domain.ids import is_guid
from shared.domain.messages import RuleAction
from shared.domain.rules.creating import (
    TypeField,
    creation_errors,
    filled_in,
    find_field,
    lacking,
    problem_with,
)
from shared.services import Services
from shared.store.organizations import Organization

_PLACES = {"area_path": "areas", "iteration_path": "iterations"}


def verify_creations(services: Services, organization: Organization) -> None:
    """Raise InvalidConfiguration if a default names what a project or a type does not have or not take."""
    errors: dict[str, str] = {}
    for project_id, types in organization.configuration.create.items():
        path = f"create.{project_id}"
        if not is_guid(project_id):
            errors[path] = "is no project's id: a GUID, which GET shows"
            continue
        ado = services.ado_at_once(organization)
        try:
            creatable = ado.creatable_types(project_id)
        except NotFound:
            errors[path] = "is no project of this Azure DevOps organization"
            continue
        for name, defaults in types.items():
            where = f"{path}.{name}"
            if name in creatable:
                fields = _fields_of(services, organization, project_id, name)
                places = _places_named(ado, project_id, defaults)
                errors |= creation_errors(where, name, defaults, fields, places)
            else:
                errors[where] = "is no work item type of the project of which new items can be created"
    if errors:
        raise InvalidConfiguration(errors)


def _places_named(ado: AdoClient, project_id: str, defaults: CreateDefaults) -> dict[str, Collection[str]]:
    """Return the paths that there are, of each kind that a default names."""
    return {key: ado.places(project_id, group) for key, group in _PLACES.items() if getattr(defaults, key)}


def verify_action(services: Services, organization: Organization, action: RuleAction) -> str:
    """Raise Rejected if a rule asks for what cannot be created; return the name of the project."""
    ado = services.ado_at_once(organization)
    for name, value in (("project", action.project), ("work_item_type", action.work_item_type)):
        if not value:
            raise Rejected(f"{name} is required")
    try:
        project = ado.get_project(action.project)
    except NotFound as error:
        raise Rejected("project: the project does not exist, or our credentials may not see it") from error
    kind = action.work_item_type
    if kind not in ado.creatable_types(project.id):
        raise Rejected(f"work_item_type: {kind[:80]!r} is no type of {project.name} to create items of")
    known = {path.casefold() for path in ado.places(project.id, "areas")} if action.area_path else set()
    if action.area_path and action.area_path.casefold() not in known:
        raise Rejected(f"area_path: {action.area_path[:80]!r} is no area of {project.name}")
    fields = _fields_of(services, organization, project.id, kind)
    if missing := lacking(fields, _given(organization, project.id, kind, fields)):
        raise Rejected(lacks(kind, missing))
    return project.name


def choices_needed(
    services: Services, organization: Organization, project: str, work_item_type: str
) -> list[TypeField]:
    """Return the fields that a new work item still needs, as far as their values can be offered."""
    ado = services.ado_at_once(organization)
    project_id = project if is_guid(project) else ado.get_project(project).id
    fields = _fields_of(services, organization, project_id, work_item_type)
    given = _given(organization, project_id, work_item_type, fields)
    return [each for each in lacking(fields, given) if each.allowed]


def _given(
    organization: Organization, project_id: str, work_item_type: str, fields: Collection[TypeField]
) -> list[str]:
    """Return the fields that get a value: from the app itself, or from the document if they still take it."""
    defaults = organization.configuration.creation(project_id, work_item_type).fields
    found = {name: find_field(fields, name) for name in defaults}
    accepted = (
        name
        for name, field in found.items()
        if field is not None and problem_with(field, defaults[name]) is None
    )
    return [*accepted, *filled_in(fields, work_item_type)]


def _fields_of(
    services: Services, organization: Organization, project_id: str, work_item_type: str
) -> tuple[TypeField, ...]:
    """Return the fields of a type, read less than a minute ago: a form asks for them several times."""
    ado, scope = services.ado_at_once(organization), organization.scope

    def read() -> tuple[TypeField, ...]:
        read_only = services.fields.kept((scope,), lambda: read_only_fields(ado))
        return type_fields(ado, project_id, work_item_type, read_only)

    return services.fields.kept((scope, project_id, work_item_type), read)
