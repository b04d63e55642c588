"""Making a work item that fits the board: its type's own fields, its place, its parent, its way back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import quote

from shared.ado.client import JSON_PATCH, AdoClient, list_in
from shared.errors import NotFound, Rejected
from shared.model import WorkItem

LONGEST_TITLE = 255
_REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"
_PRIORITY = "Microsoft.VSTS.Common.Priority"
_DESCRIPTION = "System.Description"
# Sentry's levels, from bad to harmless, on the four priorities of the system processes.
_PRIORITIES = {"fatal": 1, "error": 2, "warning": 3, "info": 4, "debug": 4}


@dataclass(frozen=True)
class NewWorkItem:
    """What somebody filled in. ``issue_url`` becomes the link back, and is what it is found by again."""

    project: str
    work_item_type: str
    title: str
    description: str
    issue_url: str
    level: str = ""
    area_path: str = ""
    iteration_path: str = ""
    tags: str = ""
    parent: int | None = None

    @property
    def shortened_title(self) -> str:
        one_line = " ".join(self.title.split())
        return one_line if len(one_line) <= LONGEST_TITLE else f"{one_line[: LONGEST_TITLE - 1]}…"


@dataclass(frozen=True)
class _TypeField:
    name: str
    required: bool
    has_default: bool


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/create
def create_work_item(ado: AdoClient, new: NewWorkItem) -> WorkItem:
    """Create a work item in one call, or raise Rejected naming what the form lacks, Refused, NotFound."""
    fields = _type_fields(ado, new.project, new.work_item_type)
    values = _values(new, fields)
    missing = [
        field.name
        for reference, field in fields.items()
        if field.required
        and not field.has_default
        and reference not in values
        # Azure DevOps itself fills in the fields of its own that every type requires.
        and not reference.startswith("System.")
    ]
    if missing:
        raise Rejected(f"a {new.work_item_type} requires fields that this form lacks: {', '.join(missing)}")
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": f"/fields/{reference}", "value": value} for reference, value in values.items()
    ]
    patch.append(_relation("Hyperlink", new.issue_url, "Sentry issue"))
    if new.parent is not None:
        url = ado.work_item_url(new.parent)
        patch.append(_relation("System.LinkTypes.Hierarchy-Reverse", url, "from Sentry"))
    # ADO quirk: the type follows a literal dollar sign, and a success is 200, not 201.
    path = f"{quote(new.project, safe='')}/_apis/wit/workitems/${quote(new.work_item_type, safe='')}"
    return ado.work_item_from(ado.call("POST", path, json=patch, headers=JSON_PATCH))


def find_created(ado: AdoClient, candidates: Iterable[int], issue_url: str) -> int | None:
    """Return the candidate that links back to the issue, if one does."""
    for work_item_id in candidates:
        answer = ado.call("GET", f"_apis/wit/workitems/{work_item_id}", params={"$expand": "relations"})
        if any(each.get("url") == issue_url for each in answer.get("relations") or ()):
            return work_item_id
    return None


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types-field/list
def _type_fields(ado: AdoClient, project: str, work_item_type: str) -> dict[str, _TypeField]:
    path = f"{quote(project, safe='')}/_apis/wit/workitemtypes/{quote(work_item_type, safe='')}/fields"
    try:
        answer = ado.call("GET", path, params={"$expand": "all"})
    except NotFound as error:
        raise Rejected(f"the project has no work item type {work_item_type[:80]!r}") from error
    return {
        each["referenceName"]: _TypeField(
            each.get("name") or each["referenceName"],
            bool(each.get("alwaysRequired")),
            each.get("defaultValue") not in (None, ""),
        )
        for each in list_in(answer)
    }


def _values(new: NewWorkItem, fields: Mapping[str, _TypeField]) -> dict[str, Any]:
    """Return the values to write, of which only those that the type has a field for."""
    # ADO quirk: the form of a bug shows its repro steps and hides its description.
    body = _REPRO_STEPS if _REPRO_STEPS in fields and new.work_item_type == "Bug" else _DESCRIPTION
    wanted: dict[str, Any] = {
        "System.Title": new.shortened_title,
        body: _html(new),
        "System.AreaPath": new.area_path,
        "System.IterationPath": new.iteration_path,
        "System.Tags": new.tags,
    }
    values = {reference: value for reference, value in wanted.items() if value}
    if _PRIORITY in fields and new.level in _PRIORITIES:
        values[_PRIORITY] = _PRIORITIES[new.level]
    return values


def _html(new: NewWorkItem) -> str:
    text = escape(new.description).replace("\r\n", "\n").replace("\n", "<br>")
    url = escape(new.issue_url)
    return f'<p>{text}</p><p>Sentry issue: <a href="{url}">{url}</a></p>'


def _relation(kind: str, url: str, comment: str) -> dict[str, Any]:
    return {
        "op": "add",
        "path": "/relations/-",
        "value": {"rel": kind, "url": url, "attributes": {"comment": comment}},
    }
