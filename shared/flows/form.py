"""The form of an organization's configuration: a description of its six fields for a user interface."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from shared.domain.configuration import Configuration
from shared.domain.errors import Undecidable
from shared.domain.model import IssueStatus, WorkItemTypes
from shared.domain.rules.done import states_for_status

_WRITTEN = (IssueStatus.RESOLVED, IssueStatus.UNRESOLVED)
SWITCHED_OFF = "Issue sync is switched off for this organization (issue_sync)."


class ProjectStates(msgspec.Struct, frozen=True):
    """A project and the states of each of its types; ``types`` is None if nobody asked for them."""

    id: str
    name: str
    types: WorkItemTypes | None = None


class _Field(msgspec.Struct, frozen=True):
    name: str
    label: str
    help: str
    type: str = "boolean"


# The order is part of the contract.
_FIELDS = (
    _Field(
        "sync_status_forward",
        "Sync Sentry status to Azure DevOps",
        "When an issue is resolved or unresolved in Sentry, the state of its work items follows.",
    ),
    _Field(
        "status_mapping",
        "States by project",
        "Which state to write for resolved and unresolved. Without a choice, the state's category decides.",
        "choice_mapper",
    ),
    _Field(
        "sync_forward_assignment",
        "Sync Sentry assignment to Azure DevOps",
        "When an issue is assigned or unassigned in Sentry, its work items follow.",
    ),
    _Field(
        "sync_comments",
        "Sync Sentry comments to Azure DevOps",
        "A comment on an issue is copied to the discussion of its work items; edits and deletions follow.",
    ),
    _Field(
        "sync_status_reverse",
        "Sync Azure DevOps state to Sentry",
        "When a work item becomes done or is reopened, its issues are resolved or unresolved.",
    ),
    _Field(
        "sync_reverse_assignment",
        "Sync Azure DevOps assignment to Sentry",
        "When a work item is assigned or unassigned, its issues follow.",
    ),
)


def described_fields(
    configuration: Configuration, projects: Iterable[ProjectStates], unreachable: str | None
) -> list[dict[str, Any]]:
    """Describe the form; ``unreachable`` says why Azure DevOps did not list projects and states."""
    defaults = {field.name: field for field in msgspec.structs.fields(Configuration)}
    switched_off = None if configuration.issue_sync else SWITCHED_OFF
    described = []
    for field in _FIELDS:
        is_mapper = field.type == "choice_mapper"
        reason = switched_off or (unreachable if is_mapper else None)
        entry: dict[str, Any] = {
            "name": field.name,
            "type": field.type,
            "label": field.label,
            "help": field.help,
            "disabled": reason is not None,
            "disabled_reason": reason,
            "default": {} if is_mapper else defaults[field.name].default,
        }
        if is_mapper:
            entry["projects"] = [_project(each, configuration) for each in projects]
        described.append(entry)
    return described


def _project(project: ProjectStates, configuration: Configuration) -> dict[str, Any]:
    types = project.types
    return {
        "id": project.id,
        "name": project.name,
        "types": None if types is None else _types(types),
        "by_category": None if types is None else _by_category(project.id, types, configuration),
    }


def _types(types: WorkItemTypes) -> Mapping[str, Any]:
    return {
        name: [{"name": state.name, "category": state.category} for state in states]
        for name, states in types.items()
    }


def _by_category(
    project_id: str, types: WorkItemTypes, configuration: Configuration
) -> Mapping[str, Mapping[str, str | None]]:
    """Return for each type what is written for each status where nobody has chosen a state."""
    unmapped = msgspec.structs.replace(configuration, status_mapping={})
    return {
        name: {status.value: _written(unmapped, project_id, name, status, types) for status in _WRITTEN}
        for name in types
    }


def _written(
    configuration: Configuration, project_id: str, name: str, status: IssueStatus, types: WorkItemTypes
) -> str | None:
    try:
        return states_for_status(configuration, project_id, name, status, None, types)[0]
    except Undecidable:
        return None
