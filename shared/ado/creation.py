"""Creating a work item: the fields of its type, its area and iteration, its parent, and its link back."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any

import msgspec

from shared.ado.answers import (
    AnyFieldAnswer,
    FieldAnswer,
    Listed,
    QueryAnswer,
    RelatedAnswer,
    WorkItemAnswer,
)
from shared.ado.client import JSON_PATCH, LARGEST_BATCH, AdoClient
from shared.ado.text import html_of, tags_of, title_of
from shared.domain.configuration import CreateDefaults
from shared.domain.errors import NotFound, Rejected, Unavailable
from shared.domain.model import WorkItem
from shared.domain.rules.back_links import Mark
from shared.domain.rules.creating import (
    PRIORITY,
    TypeField,
    Value,
    body_of,
    find_field,
    lacking,
    problem_with,
)
from shared.domain.text import legible, one_line

_CLOCKS_DIFFER_BY = 300.0  # seconds
_MOST_FOUND = 19_999
# Sentry's levels, from fatal to harmless, on the four priorities of the system processes.
_PRIORITIES = {"fatal": 1, "error": 2, "warning": 3, "info": 4, "debug": 4}


class NewWorkItem(msgspec.Struct, frozen=True):
    """What a form or a rule asks for, and what Sentry says about the issue: its level and its address.

    The address becomes the link back, by which the work item can be found again, and whose comment says whose
    it is. ``fields`` are further ones,
    by their reference names or by those that people see. ``defaults`` are the document's.
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
    fields: Mapping[str, Value] = {}
    defaults: CreateDefaults = CreateDefaults()
    link_mark: Mark = Mark.PLAIN


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
    fields = type_fields(ado, new.project, new.work_item_type)
    values = _values(new, fields)
    if "System.Title" not in values:
        raise Rejected("title is required")
    if missing := lacking(fields, values):
        raise Rejected(lacks(new.work_item_type, missing))
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": f"/fields/{reference}", "value": value} for reference, value in values.items()
    ]
    patch.append(_relation("Hyperlink", new.issue_url, str(new.link_mark)))
    if new.parent is not None:
        url = ado.work_item_url(new.parent)
        patch.append(_relation("System.LinkTypes.Hierarchy-Reverse", url, "from Sentry"))
    return patch


def find_created(
    ado: AdoClient, is_its: Callable[[str], bool], since: float, *, but: Collection[int] = ()
) -> int | None:
    """Return the number of the work item that we created for an issue since a time (epoch seconds), or None.

    Of several it is the newest: clocks differ, so an older one may be of before. The search uses the link
    back, because a title is not unique: ``is_its`` tells whether an address is the issue's, which may have
    been merged since. Those in ``but`` are others. Raises Unavailable if it may be one that cannot be read.
    """
    created = _created_since(ado, datetime.fromtimestamp(since - _CLOCKS_DIFFER_BY, UTC))
    ids, unreadable = [each for each in created.ids if each not in but], created.unreadable
    for at in range(0, len(ids), LARGEST_BATCH):
        wanted = {"ids": ids[at : at + LARGEST_BATCH], "$expand": "relations", "errorPolicy": "omit"}
        found = ado.call(
            "POST", ("_apis", "wit", "workitemsbatch"), Listed[RelatedAnswer | None], json=wanted
        ).value
        there = [each for each in found if each is not None]
        its = (each for each in there if _shows(each, is_its))
        if newest := max((each.id for each in its), default=None):
            return newest
        # A relation that cannot be read may be the link back.
        unreadable += found.unreadable + sum(each.hides_relations for each in there)
    if unreadable:
        raise Unavailable("ado", f"{unreadable} work items that may be the created one cannot be read")
    return None


def _shows(item: RelatedAnswer, is_its: Callable[[str], bool]) -> bool:
    return any(is_its(relation.url or "") for relation in item.relations or ())


# https://learn.microsoft.com/rest/api/azure/devops/wit/wiql/query-by-wiql
def _created_since(ado: AdoClient, moment: datetime) -> QueryAnswer:
    when = f"'{moment:%Y-%m-%dT%H:%M:%SZ}'"
    wiql = (
        "SELECT [System.Id] FROM WorkItems WHERE [System.CreatedBy] = @me "  # noqa: S608  # contains no user text
        f"AND [System.CreatedDate] >= {when} ORDER BY [System.Id] DESC"
    )
    # ADO quirk: without timePrecision, dates compare by day; a result of 20,000 items is an error.
    params = {"timePrecision": "true", "$top": _MOST_FOUND}
    return ado.call("POST", ("_apis", "wit", "wiql"), QueryAnswer, json={"query": wiql}, params=params)


def lacks(work_item_type: str, missing: Iterable[TypeField]) -> str:
    """Say what a new work item still needs, and where to give it."""
    names = ", ".join(each.name for each in missing)
    advice = 'choose them below, write "name = value" under other fields, or name them under create'
    return f"a {work_item_type} requires fields that are lacking here ({advice}): {names}"


# https://learn.microsoft.com/rest/api/azure/devops/wit/fields/list
def read_only_fields(ado: AdoClient) -> frozenset[str]:
    """Return the reference names of the organization's fields that nobody can write."""
    answer = ado.call("GET", ("_apis", "wit", "fields"), Listed[AnyFieldAnswer], about="the fields")
    return frozenset(each.reference_name for each in answer.value if each.read_only)


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types-field/list
def type_fields(
    ado: AdoClient, project: str, work_item_type: str, read_only: Collection[str] = ()
) -> tuple[TypeField, ...]:
    """Return the fields of a type, with what they are limited to, or raise Rejected if there is no such type.

    Which are ``read_only`` only the list of all fields shows.
    """
    path = (project, "_apis", "wit", "workitemtypes", work_item_type, "fields")
    about = f"project {project}"
    try:
        answer = ado.call("GET", path, Listed[FieldAnswer], about=about, params={"$expand": "all"})
    except NotFound as error:
        raise Rejected(f"the project has no work item type {work_item_type[:80]!r}") from error
    return tuple(each.field(read_only) for each in answer.value)


def _values(new: NewWorkItem, fields: Collection[TypeField]) -> dict[str, Any]:
    """Return the values to write by field reference, without the empty ones; the form's come first."""
    defaults, body = new.defaults, body_of(fields, new.work_item_type)
    further = {**_by_reference(defaults.fields, fields, new), **_chosen(new, fields)}
    wanted: dict[str, Any] = {
        "System.Title": title_of(new.title),
        body: _html(new, further.pop(body, "")),
        "System.AreaPath": one_line(new.area_path) or one_line(defaults.area_path),
        "System.IterationPath": one_line(new.iteration_path) or one_line(defaults.iteration_path),
        "System.Tags": tags_of(new.tags) or tags_of(defaults.tags),
    }
    values = {reference: value for reference, value in wanted.items() if value}
    if new.level in _PRIORITIES and any(each.reference_name == PRIORITY for each in fields):
        values[PRIORITY] = _PRIORITIES[new.level]
    return {**values, **further}


def _by_reference(
    given: Mapping[str, Value], fields: Collection[TypeField], new: NewWorkItem
) -> dict[str, Value]:
    """Return values by the reference names of their fields, or raise Rejected for what is no field."""
    values: dict[str, Value] = {}
    for name, value in given.items():
        field = find_field(fields, name)
        if field is None:
            raise Rejected(f"a {new.work_item_type} has no field {name[:80]!r}")
        values[field.reference_name] = legible(value) if isinstance(value, str) else value
    return values


def _chosen(new: NewWorkItem, fields: Collection[TypeField]) -> dict[str, Value]:
    """Return what the form gives for further fields, or raise Rejected for a value that one cannot have."""
    values = _by_reference(new.fields, fields, new)
    for field in fields:
        if field.reference_name in values:
            problem = problem_with(field, values[field.reference_name])
            if problem is not None:
                raise Rejected(problem)
    return values


def _html(new: NewWorkItem, template: Value) -> str:
    """Return the text: what was typed, what the document or the form says of this field, the link."""
    url = escape(new.issue_url)
    return f'{html_of(new.description)}{template}<p>Sentry issue: <a href="{url}">{url}</a></p>'


def _relation(kind: str, url: str, comment: str) -> dict[str, Any]:
    return {
        "op": "add",
        "path": "/relations/-",
        "value": {"rel": kind, "url": url, "attributes": {"comment": comment}},
    }
