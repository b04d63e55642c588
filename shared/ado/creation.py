"""Creating a work item: the fields of its type, its area and iteration, its parent, and its link back."""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

from shared.ado.answers import FieldAnswer, Listed, QueryAnswer, RelatedAnswer, WorkItemAnswer
from shared.ado.client import JSON_PATCH, LARGEST_BATCH, AdoClient
from shared.ado.text import html_of, tags_of, title_of
from shared.domain.errors import NotFound, Rejected
from shared.domain.model import WorkItem
from shared.domain.rules.back_links import PLAIN
from shared.domain.text import one_line

_CLOCKS_DIFFER_BY = 300.0  # seconds
_MOST_FOUND = 19_999
_REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"
_PRIORITY = "Microsoft.VSTS.Common.Priority"
_DESCRIPTION = "System.Description"
# Sentry's levels, from fatal to harmless, on the four priorities of the system processes.
_PRIORITIES = {"fatal": 1, "error": 2, "warning": 3, "info": 4, "debug": 4}


class NewWorkItem(msgspec.Struct, frozen=True):
    """A submitted form, and what Sentry says about the issue: its level and its address.

    The address becomes the link back, by which the work item can be found again; its comment says whose it
    is.
    """

    project: str
    work_item_type: str
    title: str
    description: str
    issue_url: str = ""
    level: str = ""
    area_path: str = ""
    iteration_path: str = ""
    tags: str = ""
    parent: int | None = None
    link_comment: str = PLAIN


class _TypeField(msgspec.Struct, frozen=True):
    name: str
    required: bool
    has_default: bool


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/create
def create_work_item(ado: AdoClient, new: NewWorkItem, patch: list[dict[str, Any]]) -> WorkItem:
    """Create a work item in one call; raise Refused if Azure DevOps rejects a value."""
    # ADO quirk: the type follows a literal dollar sign, and success is 200, not 201.
    path = (new.project, "_apis", "wit", "workitems", f"${new.work_item_type}")
    about = f"project {new.project}"
    return ado.work_item_from(
        ado.call("POST", path, WorkItemAnswer, about=about, json=patch, headers=JSON_PATCH)
    )


def patch_for(ado: AdoClient, new: NewWorkItem) -> list[dict[str, Any]]:
    """Return the document that creates a work item, or raise Rejected naming what the form lacks."""
    fields = _type_fields(ado, new.project, new.work_item_type)
    values = _values(new, fields)
    if "System.Title" not in values:
        raise Rejected("title is required")
    missing = [
        field.name
        for reference, field in fields.items()
        if field.required
        and not field.has_default
        and reference not in values
        # Azure DevOps fills in the system fields that every type requires.
        and not reference.startswith("System.")
    ]
    if missing:
        raise Rejected(f"a {new.work_item_type} requires fields that this form lacks: {', '.join(missing)}")
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": f"/fields/{reference}", "value": value} for reference, value in values.items()
    ]
    patch.append(_relation("Hyperlink", new.issue_url, new.link_comment))
    if new.parent is not None:
        url = ado.work_item_url(new.parent)
        patch.append(_relation("System.LinkTypes.Hierarchy-Reverse", url, "from Sentry"))
    return patch


def find_created(ado: AdoClient, issue_url: str, since: float) -> int | None:
    """Return the number of a work item that we created for an issue after ``since`` (epoch seconds), or None.

    The search uses the link back, because a title is not unique.
    """
    ids = _created_since(ado, datetime.fromtimestamp(since - _CLOCKS_DIFFER_BY, UTC))
    for at in range(0, len(ids), LARGEST_BATCH):
        wanted = {"ids": ids[at : at + LARGEST_BATCH], "$expand": "relations", "errorPolicy": "omit"}
        answer = ado.call(
            "POST", ("_apis", "wit", "workitemsbatch"), Listed[RelatedAnswer | None], json=wanted
        )
        for each in answer.value:
            if each and any(relation.url == issue_url for relation in each.relations or ()):
                return each.id
    return None


# https://learn.microsoft.com/rest/api/azure/devops/wit/wiql/query-by-wiql
def _created_since(ado: AdoClient, moment: datetime) -> list[int]:
    when = f"'{moment:%Y-%m-%dT%H:%M:%SZ}'"
    wiql = (
        "SELECT [System.Id] FROM WorkItems WHERE [System.CreatedBy] = @me "  # noqa: S608  # contains no user text
        f"AND [System.CreatedDate] >= {when} ORDER BY [System.Id] ASC"
    )
    # ADO quirk: without timePrecision, dates compare by day; a result of 20,000 items is an error.
    params = {"timePrecision": "true", "$top": _MOST_FOUND}
    return ado.call("POST", ("_apis", "wit", "wiql"), QueryAnswer, json={"query": wiql}, params=params).ids


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types-field/list
def _type_fields(ado: AdoClient, project: str, work_item_type: str) -> dict[str, _TypeField]:
    path = (project, "_apis", "wit", "workitemtypes", work_item_type, "fields")
    about = f"project {project}"
    try:
        answer = ado.call("GET", path, Listed[FieldAnswer], about=about, params={"$expand": "all"})
    except NotFound as error:
        raise Rejected(f"the project has no work item type {work_item_type[:80]!r}") from error
    return {
        each.reference_name: _TypeField(
            each.name or each.reference_name,
            bool(each.always_required),
            each.default_value not in (None, ""),
        )
        for each in answer.value
    }


def _values(new: NewWorkItem, fields: Mapping[str, _TypeField]) -> dict[str, Any]:
    """Return the values to write by field reference, without the empty ones."""
    # ADO quirk: a bug's form shows its repro steps and hides its description.
    body = _REPRO_STEPS if _REPRO_STEPS in fields and new.work_item_type == "Bug" else _DESCRIPTION
    wanted: dict[str, Any] = {
        "System.Title": title_of(new.title),
        body: _html(new),
        "System.AreaPath": one_line(new.area_path),
        "System.IterationPath": one_line(new.iteration_path),
        "System.Tags": tags_of(new.tags),
    }
    values = {reference: value for reference, value in wanted.items() if value}
    if _PRIORITY in fields and new.level in _PRIORITIES:
        values[_PRIORITY] = _PRIORITIES[new.level]
    return values


def _html(new: NewWorkItem) -> str:
    url = escape(new.issue_url)
    return f'{html_of(new.description)}<p>Sentry issue: <a href="{url}">{url}</a></p>'


def _relation(kind: str, url: str, comment: str) -> dict[str, Any]:
    return {
        "op": "add",
        "path": "/relations/-",
        "value": {"rel": kind, "url": url, "attributes": {"comment": comment}},
    }
