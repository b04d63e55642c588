"""The REST routes of work items: read, create, patch, delete, restore, history, comments and queries."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from flask import Flask, Response, g, request

from simulator.ado.errors import Refused, Unroutable, bad_request, broken_rule, no_work_item
from simulator.ado.http import is_switched_on, json_body, listed, paged, renderer, wish
from simulator.ado.items import WorkItem, instant, utc_now
from simulator.ado.organization import Organization
from simulator.ado.patch import Patch
from simulator.ado.render import identity_ref
from simulator.ado.wiql import parse, run

JSON_PATCH = "application/json-patch+json"
MOST_IDS = 200
MOST_FOUND = 20_000
WIT = "_apis/wit"
COMMENTS = f"/<organization>/<project>/{WIT}/workitems/<work_item_id>/comments"

Json = dict[str, Any]
View = TypeVar("View", bound=Callable[..., Any])


def add_item_routes(app: Flask, organization: Organization) -> None:
    _add_reads(app, organization)
    _add_writes(app, organization)
    _add_histories(app, organization)
    _add_comments(app, organization)
    _add_queries(app, organization)


def _add_reads(app: Flask, organization: Organization) -> None:
    @either(app, f"{WIT}/workitems/<work_item_id>", "GET")
    def get_work_item(work_item_id: str, project: str | None = None, **_: str) -> Json:
        only, expand = asked_fields(request.args.get("fields"), request.args.get("$expand"))
        work_item = find(organization, work_item_id, project)
        return renderer(organization).work_item(work_item, only=only, expand=expand)

    @either(app, f"{WIT}/workitems", "GET")
    def list_work_items(project: str | None = None, **_: str) -> Json:
        ids = [part.strip() for part in request.args.get("ids", "").split(",") if part.strip()]
        return many(organization, ids, project, request.args)

    @either(app, f"{WIT}/workitemsbatch", "POST")
    def batch_work_items(project: str | None = None, **_: str) -> Json:
        body = json_body()
        if not isinstance(body, dict) or not isinstance(body.get("ids"), list):
            raise bad_request("Value cannot be null. Parameter name: workItemGetRequest")
        return many(organization, body["ids"], project, body)


def _add_writes(app: Flask, organization: Organization) -> None:
    items = organization.work_items

    @either(app, f"{WIT}/workitems/<work_item_id>", "PATCH", "POST")
    def write_work_item(work_item_id: str, project: str | None = None, **_: str) -> Json | tuple[Json, int]:
        # ADO quirk: creating means writing to the type behind a literal dollar sign; without it there is
        # no route (vsts-rest-api-specs issue 49).
        is_new = work_item_id.startswith("$") and project is not None
        if not is_new and request.method == "POST":
            raise Unroutable(request.path)
        work_item = None if is_new else find(organization, work_item_id, project)
        # Whether the refusal is 415 or 400 was not confirmed.
        if request.mimetype != JSON_PATCH:
            message = f"The request's Content-Type '{request.mimetype}' is not supported; send {JSON_PATCH}."
            return {"count": 1, "value": {"Message": message}}, 415
        patch = Patch.from_json(json_body())
        if work_item is None:
            kind = work_item_id.removeprefix("$")
            work_item = items.create(str(project), kind, patch, wish())
        else:
            work_item = items.patch(work_item, patch, wish())
        return renderer(organization).work_item(work_item, expand=request.args.get("$expand", "relations"))

    @either(app, f"{WIT}/workitems/<work_item_id>", "DELETE")
    def delete_work_item(work_item_id: str, project: str | None = None, **_: str) -> Json | tuple[str, int]:
        work_item = find(organization, work_item_id, project)
        items.delete(work_item, g.person, destroy=is_switched_on("destroy"))
        return ("", 204) if is_switched_on("destroy") else in_recycle_bin(organization, work_item)

    @either(app, f"{WIT}/recyclebin/<int:work_item_id>", "GET")
    def get_deleted_work_item(work_item_id: int, **_: str) -> Json:
        return in_recycle_bin(organization, items.get_deleted(work_item_id))

    @either(app, f"{WIT}/recyclebin/<int:work_item_id>", "PATCH")
    def restore_work_item(work_item_id: int, **_: str) -> Json:
        body = json_body()
        if not isinstance(body, dict) or body.get("isDeleted") is not False:
            raise bad_request("The only change to a deleted work item is isDeleted: false.")
        work_item = items.get_deleted(work_item_id)
        items.restore(work_item, g.person)
        return in_recycle_bin(organization, work_item)


def _add_histories(app: Flask, organization: Organization) -> None:
    @either(app, f"{WIT}/workitems/<work_item_id>/updates", "GET")
    def list_updates(work_item_id: str, project: str | None = None, **_: str) -> Json:
        work_item, spell = find(organization, work_item_id, project), renderer(organization)
        updates = paged(work_item.updates, MOST_IDS)
        return listed([spell.update(work_item, update, identity_ref(spell.urls)) for update in updates])

    @either(app, f"{WIT}/workitems/<work_item_id>/revisions", "GET")
    def list_revisions(work_item_id: str, project: str | None = None, **_: str) -> Json:
        work_item, spell = find(organization, work_item_id, project), renderer(organization)
        revisions = paged(work_item.revisions, MOST_IDS)
        return listed([spell.work_item(work_item, revision) for revision in revisions])

    @either(app, f"{WIT}/workitems/<work_item_id>/revisions/<int:rev>", "GET")
    def get_revision(work_item_id: str, rev: int, project: str | None = None, **_: str) -> Json:
        work_item = find(organization, work_item_id, project)
        if not 1 <= rev <= work_item.rev:
            raise no_work_item(work_item.id)
        return renderer(organization).work_item(work_item, work_item.revisions[rev - 1])


def _add_comments(app: Flask, organization: Organization) -> None:
    # ADO quirk: comments, unlike work items, are only found under their project.
    @app.get(COMMENTS)
    def list_comments(work_item_id: str, project: str, **_: str) -> Json:
        work_item = find(organization, work_item_id, project)
        is_oldest_first = request.args.get("order", "desc").casefold() == "asc"
        ordered = work_item.comments if is_oldest_first else work_item.comments[::-1]
        start = request.args.get("continuationToken", 0, type=int)
        end = start + request.args.get("$top", MOST_IDS, type=int)
        page = [renderer(organization).comment(work_item, comment) for comment in ordered[start:end]]
        answer: Json = {"totalCount": len(ordered), "count": len(page), "comments": page}
        if end < len(ordered):
            answer["continuationToken"] = str(end)
        return answer

    @app.post(COMMENTS)
    def add_comment(work_item_id: str, project: str, **_: str) -> Json:
        work_item, body = find(organization, work_item_id, project), json_body()
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise broken_rule("System.History", "History", "required", "invalidEmpty")
        comment = organization.work_items.comment(work_item, text, wish())
        return renderer(organization).comment(work_item, comment)

    @app.get(f"{COMMENTS}/<int:comment_id>")
    def get_comment(work_item_id: str, project: str, comment_id: int, **_: str) -> Json:
        work_item = find(organization, work_item_id, project)
        comment = organization.work_items.find_comment(work_item, comment_id)
        return renderer(organization).comment(work_item, comment)

    @app.patch(f"{COMMENTS}/<int:comment_id>")
    def edit_comment(work_item_id: str, project: str, comment_id: int, **_: str) -> Json:
        work_item, body = find(organization, work_item_id, project), json_body()
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str):
            raise broken_rule("System.History", "History", "required", "invalidEmpty")
        comment = organization.work_items.edit_comment(work_item, comment_id, text, wish())
        return renderer(organization).comment(work_item, comment)

    @app.delete(f"{COMMENTS}/<int:comment_id>")
    def delete_comment(work_item_id: str, project: str, comment_id: int, **_: str) -> Response:
        work_item = find(organization, work_item_id, project)
        organization.work_items.delete_comment(work_item, comment_id, wish())
        answer = Response(status=204)
        del answer.headers["Content-Type"]
        return answer


def _add_queries(app: Flask, organization: Organization) -> None:
    @app.post(f"/<organization>/<project>/<team>/{WIT}/wiql")
    @either(app, f"{WIT}/wiql", "POST")
    def query_work_items(project: str | None = None, **_: str) -> Json:
        body = json_body()
        macros = {"@me": g.person.text}
        if project is not None:
            macros["@project"] = organization.catalog.project(project).name
        text = body.get("query") if isinstance(body, dict) else None
        query = parse(text, macros=macros, time_precision=is_switched_on("timePrecision"))
        matching = run(query, organization.work_items.all())
        top = request.args.get("$top", type=int)
        if top is None and len(matching) > MOST_FOUND:
            raise bad_request(
                f"VS402337: The number of work items returned exceeds the size limit of {MOST_FOUND}."
                " Change the query to return fewer items."
            )
        base = renderer(organization).urls.base
        return {
            "queryType": "flat",
            "queryResultType": "workItem",
            "asOf": instant(utc_now()),
            "columns": [{"referenceName": name} for name in query.columns],
            "workItems": [
                {"id": work_item.id, "url": f"{base}/_apis/wit/workItems/{work_item.id}"}
                for work_item in matching[:top]
            ],
        }


def either(app: Flask, path: str, *methods: str) -> Callable[[View], View]:
    """Route a path both under the organization and under a project of it."""

    def register(view: View) -> View:
        for prefix in ("/<organization>/", "/<organization>/<project>/"):
            app.add_url_rule(f"{prefix}{path}", view.__name__, view, methods=list(methods))
        return view

    return register


def find(organization: Organization, work_item_id: object, project: str | None) -> WorkItem:
    # ADO quirk: an id that is not positive has no route, and a text answer (azure-devops-cli-extension).
    digits = str(work_item_id)
    if not digits.isdecimal() or int(digits) <= 0:
        raise Unroutable(request.path)
    project_id = None if project is None else organization.catalog.project(project).id
    return organization.work_items.get(int(digits), project_id)


def many(organization: Organization, ids: Iterable[Any], project: str | None, asked: Any) -> Json:
    """Read up to 200 work items; ``asked`` holds fields, $expand and errorPolicy."""
    wanted = list(ids)
    if len(wanted) > MOST_IDS:
        raise bad_request(
            f"VS403474: You requested {len(wanted)} work items which exceeds the limit of {MOST_IDS}"
        )
    only, expand = asked_fields(asked.get("fields"), asked.get("$expand"))
    omits = str(asked.get("errorPolicy")).casefold() == "omit"
    values: list[Json | None] = []
    for work_item_id in wanted:
        try:
            work_item = find(organization, work_item_id, project)
        except Refused:
            if not omits:
                raise
            # Whether a missing one is null or left out was not confirmed; null keeps the positions.
            values.append(None)
        else:
            values.append(renderer(organization).work_item(work_item, only=only, expand=expand))
    return listed(values)


def in_recycle_bin(organization: Organization, work_item: WorkItem) -> Json:
    spell = renderer(organization)
    return {
        "id": work_item.id,
        "type": work_item.fields["System.WorkItemType"],
        "name": work_item.title,
        "project": work_item.project,
        "deletedDate": instant(work_item.latest.at),
        "deletedBy": work_item.latest.by.text,
        "url": spell.url(work_item).replace("/workItems/", "/recyclebin/"),
        "resource": spell.work_item(work_item),
    }


def asked_fields(fields: Any, expand: Any) -> tuple[frozenset[str], str]:
    """Read which fields are wanted, from a text with commas or a list, and how much else."""
    expansion = str(expand or "none").casefold()
    names = fields.split(",") if isinstance(fields, str) else fields or []
    only = frozenset(str(name).strip().casefold() for name in names if str(name).strip())
    if only and expansion not in {"none", "links"}:
        message = "The expand parameter can not be used with the fields parameter."
        raise bad_request(message, "ConflictingParametersException")
    return only, expansion
