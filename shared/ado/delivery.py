"""What is read of a service hook delivery. All else in it is skipped, however long: descriptions above all.

https://learn.microsoft.com/azure/devops/service-hooks/events#work-item-updated
"""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType, field

from shared.ado.answers import WorkItemFields

_SNAPSHOT = [
    (each.name, Any, field(name=each.encode_name, default=UNSET))
    for each in msgspec.structs.fields(WorkItemFields)
]
_SnapshotFields = msgspec.defstruct("_SnapshotFields", _SNAPSHOT)


class _Revision(msgspec.Struct):
    rev: Any = UNSET
    fields: _SnapshotFields | UnsetType | None = UNSET  # type: ignore[valid-type]  # defined as it runs


class _Fields(msgspec.Struct):
    """The changes of an update, each with its old and its new value; or the texts of a comment's event."""

    state: Any = field(name="System.State", default=UNSET)
    assigned_to: Any = field(name="System.AssignedTo", default=UNSET)
    project: Any = field(name="System.TeamProject", default=UNSET)
    reason: Any = field(name="System.Reason", default=UNSET)
    history: Any = field(name="System.History", default=UNSET)
    changed_by: Any = field(name="System.ChangedBy", default=UNSET)


class _Resource(msgspec.Struct, rename="camel"):
    id: Any = UNSET
    rev: Any = UNSET
    work_item_id: Any = UNSET
    fields: _Fields | UnsetType | None = UNSET
    relations: Any = UNSET
    revision: _Revision | UnsetType | None = UNSET
    comment_version_ref: Any = UNSET
    multiline_fields_format: Any = UNSET


class Delivery(msgspec.Struct, rename="camel"):
    id: Any = UNSET
    event_type: Any = UNSET
    resource: _Resource | UnsetType | None = UNSET
    resource_containers: Any = UNSET
