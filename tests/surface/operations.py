"""What each function reads and answers, by its name and method: the part that no binding tells.

Routes, methods and who may call come from the app's bindings. A function that takes several paths has a line
for each. Whoever adds a route adds a line, and runs `make openapi`.
"""

from dataclasses import dataclass, field
from typing import Any

from functions.edge import LARGEST_DOCUMENT, LARGEST_FORM, LARGEST_HOOK, LARGEST_LIST
from functions.issue_links import _LinkRequest
from functions.reconcile import _Wanted
from functions.sentry_components import _SERVED, _Saved, _Submitted
from functions.shown import _Copy
from shared.domain.configuration import Configuration
from shared.domain.model import HealthWord
from shared.domain.rules.apart import Sides
from tests.surface import answers

JSON = "application/json"
EMPTY = None


@dataclass(frozen=True)
class Operation:
    """One method of one path. ``answers`` are types by status.

    ``body`` is a type, or a type or schema for each media type.
    """

    function: str
    method: str
    path: str
    summary: str
    answers: dict[int, Any]
    query: tuple[dict[str, Any], ...] = ()
    headers: tuple[dict[str, Any], ...] = ()
    body: Any = None
    body_is_required: bool = True
    largest: int = LARGEST_FORM
    segments: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusals: tuple[int, ...] = ()


def _query(name: str, *, is_required: bool = False, **schema: Any) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": is_required,
        "schema": schema or {"type": "string"},
    }


def _header(name: str, *, is_required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": is_required, "schema": {"type": "string"}}


_PAGE = _query("continuation", type="string", maxLength=1024)
_IDS = (_query("issue_id"), _query("work_item_id"))
_ONE_LINK = (
    _query("issue_id", is_required=True, type="string"),
    _query("work_item_id", is_required=True, type="string"),
)
_TEXT: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 1000}
_FILTERS = (
    _query("health", enum=[each.value for each in HealthWord]),
    _query("sides", enum=[each.value for each in Sides]),
    _query("reason", **_TEXT),
    _query("project", **_TEXT),
    _query("q", **_TEXT),
)
_IF_MATCH = _header("If-Match")
_STORING = (_query("links", enum=["keep", "drop"]), _query("dry_run", enum=["1"]))
_ANY_OBJECT = {"type": "object"}


def _parts(area: str) -> list[str]:
    """Return what the form is served in one area."""
    return [place.partition("/")[2] for _, place in _SERVED if place.startswith(f"{area}/")]


_ORGANIZATION = "organizations/{organization}"
_LINKS = f"{_ORGANIZATION}/links"
_LINK = f"{_LINKS}/{{issue_id}}/{{work_item_id}}"

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "ado_webhook",
        "POST",
        "ado/{organization}/webhook",
        "Take a service hook delivery of Azure DevOps",
        {200: answers.Delivery, 202: answers.Delivery},
        body={
            JSON: {
                "type": "object",
                "required": ["eventType"],
                "properties": {"eventType": {"type": "string"}},
            }
        },
        largest=LARGEST_HOOK,
    ),
    Operation(
        "sentry_webhook",
        "POST",
        "sentry/{organization}/webhook",
        "Take a webhook of Sentry",
        {200: answers.Delivery, 202: answers.Delivery},
        headers=(_header("Sentry-Hook-Resource", is_required=True),),
        body={JSON: {"type": "object", "required": ["action"], "properties": {"action": {"type": "string"}}}},
        largest=LARGEST_HOOK,
    ),
    Operation(
        "sentry_components",
        "GET",
        "sentry/{organization}/options/{name}",
        "Offer the options of a field of Sentry's form",
        {200: list[answers.Option]},
        query=(_query("query"), _query("dependentData")),
        segments={"name": {"enum": _parts("options")}},
    ),
    Operation(
        "sentry_components",
        "POST",
        "sentry/{organization}/issue-link/{name}",
        "Link an issue by Sentry's form, or make a work item for it",
        {200: answers.ShownLink},
        body=_Submitted,
        segments={"name": {"enum": _parts("issue-link")}},
        refusals=(409,),
    ),
    Operation(
        "sentry_components",
        "POST",
        "sentry/{organization}/alert-rule/{name}",
        "Check the settings of our action in an alert rule of Sentry",
        {200: answers.RuleChecked},
        body=_Saved,
        segments={"name": {"enum": _parts("alert-rule")}},
    ),
    Operation(
        "org_config",
        "GET",
        f"{_ORGANIZATION}/config",
        "Show an organization's document, and a form for it",
        {200: answers.Document},
        query=(_query("project"),),
    ),
    Operation(
        "org_config",
        "PUT",
        f"{_ORGANIZATION}/config",
        "Connect an organization, or replace its whole document",
        {200: answers.Stored, 201: answers.Stored},
        query=_STORING,
        headers=(_IF_MATCH,),
        body=Configuration,
        largest=LARGEST_DOCUMENT,
        refusals=(409, 412, 428),
    ),
    Operation(
        "org_config",
        "PATCH",
        f"{_ORGANIZATION}/config",
        "Change single keys of a document",
        {200: answers.Stored},
        query=_STORING,
        headers=(_IF_MATCH,),
        body={"application/merge-patch+json": _ANY_OBJECT, JSON: _ANY_OBJECT},
        largest=LARGEST_DOCUMENT,
        refusals=(409, 412),
    ),
    Operation(
        "org_config",
        "DELETE",
        f"{_ORGANIZATION}/config",
        "Remove an organization with its links and its activity",
        {200: answers.Removed, 204: EMPTY},
        headers=(_IF_MATCH,),
        refusals=(409, 412),
    ),
    Operation(
        "issue_links",
        "GET",
        _LINKS,
        "List links",
        {200: answers.Links},
        query=(*_IDS, _PAGE, *_FILTERS),
    ),
    Operation(
        "issue_links",
        "GET",
        f"{_LINKS}/{{issue_id}}",
        "List the links of an issue",
        {200: answers.Links},
        query=(_query("work_item_id"), _PAGE, *_FILTERS),
    ),
    Operation(
        "issue_links",
        "GET",
        _LINK,
        "Show one link",
        {200: answers.Links},
        query=(_PAGE, *_FILTERS),
    ),
    Operation(
        "issue_links",
        "POST",
        _LINKS,
        "Link an issue to a work item, or many at once",
        {200: answers.ManyLinked, 201: answers.Link},
        body={
            JSON: _LinkRequest | list[Any],
            "text/csv": {"type": "string"},
        },
        largest=LARGEST_LIST,
        refusals=(409,),
    ),
    Operation(
        "issue_links",
        "POST",
        f"{_LINKS}/copy",
        "Copy one side of many links over to the other",
        {200: answers.ManyCopied},
        query=(*_IDS, _PAGE, *_FILTERS),
        body=_Copy,
        largest=LARGEST_LIST,
        refusals=(409,),
    ),
    Operation(
        "issue_links", "DELETE", _LINKS, "Remove a link", {204: EMPTY}, query=_ONE_LINK, refusals=(409,)
    ),
    Operation(
        "issue_links",
        "DELETE",
        f"{_LINKS}/{{issue_id}}",
        "Remove a link",
        {204: EMPTY},
        query=(_query("work_item_id", is_required=True, type="string"),),
        refusals=(409,),
    ),
    Operation("issue_links", "DELETE", _LINK, "Remove a link", {204: EMPTY}, refusals=(409,)),
    Operation(
        "activity",
        "GET",
        f"{_LINK}/activity",
        "Tell the story of a link",
        {200: answers.Activity},
        query=(_PAGE,),
    ),
    Operation(
        "copy_link",
        "POST",
        f"{_LINK}/copy",
        "Copy one side of a link over to the other",
        {200: answers.Outcome},
        body=_Copy,
        refusals=(409,),
    ),
    Operation(
        "issue_links",
        "POST",
        f"{_LINKS}/back-link",
        "See to it that all links show on their ends",
        {200: answers.BackLinks},
        query=(_PAGE,),
        largest=LARGEST_LIST,
        refusals=(409,),
    ),
    Operation(
        "adopt",
        "POST",
        f"{_ORGANIZATION}/adopt",
        "Take over the links of Sentry's own integration",
        {200: answers.Adopted},
        query=(_query("dry_run", enum=["0", "1"]), _query("integration", **_TEXT), _PAGE),
        refusals=(409,),
    ),
    Operation(
        "rebuild",
        "POST",
        f"{_ORGANIZATION}/rebuild",
        "Make the links anew that show on their ends",
        {200: answers.Rebuilt},
        query=(_PAGE,),
        refusals=(409,),
    ),
    Operation(
        "doctor",
        "GET",
        f"{_ORGANIZATION}/doctor",
        "Try all that the sync needs, and say how to mend it",
        {200: answers.Examination},
    ),
    Operation(
        "hooks",
        "DELETE",
        f"{_ORGANIZATION}/hooks",
        "Remove the service hook subscriptions",
        {200: answers.Unsubscribed},
        refusals=(409,),
    ),
    Operation(
        "explain",
        "GET",
        f"{_ORGANIZATION}/explain",
        "Explain why something happened, or why nothing did",
        {200: answers.Explanation},
        query=_IDS,
    ),
    Operation(
        "organizations", "GET", "organizations", "List what is connected", {200: answers.Organizations}
    ),
    Operation(
        "status", "GET", f"{_ORGANIZATION}/status", "Show how an organization does", {200: answers.Status}
    ),
    Operation(
        "events",
        "GET",
        f"{_ORGANIZATION}/events",
        "List what arrived about linked things",
        {200: answers.Events},
        query=(_PAGE,),
    ),
    Operation(
        "search",
        "GET",
        f"{_ORGANIZATION}/search",
        "Find work items",
        {200: list[answers.Option]},
        query=(
            _query("field", is_required=True, enum=["externalIssue"]),
            _query("query", is_required=True, type="string", minLength=1),
            _query("project"),
            _query("limit", type="integer", minimum=1, maximum=999_999_999),
        ),
    ),
    Operation(
        "reconcile_now",
        "POST",
        f"{_ORGANIZATION}/reconcile",
        "Settle one link, or look at the whole organization",
        {200: answers.Outcome, 202: answers.Queued},
        body=_Wanted,
        body_is_required=False,
        refusals=(409,),
    ),
    Operation(
        "hooks",
        "GET",
        f"{_ORGANIZATION}/hooks",
        "Show how the service hook subscriptions were seen last",
        {200: answers.Hooks},
    ),
    Operation(
        "hooks",
        "POST",
        f"{_ORGANIZATION}/hooks",
        "Look after the service hook subscriptions now",
        {200: answers.Hooks},
        refusals=(409,),
    ),
    Operation(
        "admin",
        "GET",
        f"{_ORGANIZATION}/admin",
        "Serve the admin page",
        {200: {"text/html": {"type": "string"}}},
    ),
    Operation("health", "GET", "health", "Tell whether the app can do its work", {200: answers.Health}),
    Operation("openapi", "GET", "openapi.json", "Serve this description", {200: {JSON: _ANY_OBJECT}}),
)
