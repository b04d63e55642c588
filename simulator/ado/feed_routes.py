"""The feed of revisions: what changed since a token or a time, page by page.

https://learn.microsoft.com/rest/api/azure/devops/wit/reporting-work-item-revisions
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask, request

from simulator.ado.catalog import Person
from simulator.ado.errors import Refused, Unroutable, bad_request, forbidden, lost_token
from simulator.ado.http import json_body, renderer
from simulator.ado.item_routes import WIT, either
from simulator.ado.items import Revision, WorkItem
from simulator.ado.organization import Organization
from simulator.ado.patch import Value
from simulator.ado.render import identity_text, spelled

Json = dict[str, Any]

IS_DELETED = "System.IsDeleted"
# Long texts come only with $expand=fields.
LONG = frozenset({"System.Description", "System.History", "Microsoft.VSTS.TCM.ReproSteps"})


@dataclass(frozen=True)
class Asked:
    """What a caller wants to see; ``fields`` and ``types`` are case-folded, empty for all."""

    fields: frozenset[str]
    types: frozenset[str]
    deleted: bool
    latest_only: bool
    identity_refs: bool
    everything: bool
    project: str | None

    @classmethod
    def from_request(cls, project: str | None) -> "Asked":
        """Read the query, or the body of a POST, which has the same names."""
        body = json_body() if request.method == "POST" else request.args
        asked = body if isinstance(body, Mapping) else {}
        return cls(
            fields=_names(asked.get("fields")),
            types=_names(asked.get("types")),
            deleted=_is_true(asked.get("includeDeleted")),
            latest_only=_is_true(asked.get("includeLatestOnly")),
            identity_refs=_is_true(asked.get("includeIdentityRef")),
            everything=request.args.get("$expand", "").casefold() == "fields",
            project=project,
        )


def add_feed_routes(app: Flask, organization: Organization) -> None:
    log = organization.revision_log

    @either(app, f"{WIT}/reporting/workitemrevisions", "GET", "POST")
    def read_revisions(project: str | None = None, **_: str) -> Json:
        modes = organization.feed_modes
        _refuse(modes.refusal)
        if project is not None:
            project = organization.catalog.project(project).name
        asked, start = Asked.from_request(project), _start(organization)
        most = request.args.get("$maxPageSize", type=int)
        page = log.read(start, latest_only=asked.latest_only, most=most)
        token = log.token(page.end)
        body: Json = {"values": list(_rows(organization, page.entries, asked)), "isLastBatch": page.is_last}
        if not page.entries and "startDateTime" in request.args and not modes.empty_has_token:
            return body
        body["nextLink"] = _next_link(organization, token)
        # ADO quirk: in some published answers only nextLink has the token (vsts-rest-api-specs, 5.0, POST).
        if modes.names_token:
            body["continuationToken"] = token
        return body


def _refuse(http_status: int | None) -> None:
    if http_status == 404:
        raise Unroutable(request.path)
    if http_status == 403:
        raise forbidden()
    if http_status is not None:
        message = f"The requested resource does not support http method '{request.method}'."
        raise Refused(http_status, message, "VssServiceException")


def _start(organization: Organization) -> int:
    """Return the position that a call reads on from."""
    token, since = request.args.get("continuationToken"), request.args.get("startDateTime")
    if token and since:
        raise bad_request("The startDateTime parameter can not be used with the continuationToken parameter.")
    if since:
        return organization.revision_log.since(_moment(since))
    if not token:
        return 0
    position = organization.revision_log.position(token)
    if position is None and organization.feed_modes.lost_token != 200:
        raise lost_token(organization.feed_modes.lost_token)
    return position or 0


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise bad_request(f"The value '{text}' is not valid for startDateTime.") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _rows(organization: Organization, entries: Any, asked: Asked) -> Iterator[Json]:
    for entry in entries:
        work_item = organization.work_items.find(entry.work_item_id)
        # What was destroyed leaves no trace.
        if work_item is None or not _is_wanted(work_item, asked, organization.feed_modes.deleted_as):
            continue
        yield _row(organization, work_item, work_item.revisions[entry.rev - 1], asked)


def _is_wanted(work_item: WorkItem, asked: Asked, deleted_as: str) -> bool:
    if work_item.is_deleted and (not asked.deleted or deleted_as == "absent"):
        return False
    kind = str(work_item.fields["System.WorkItemType"]).casefold()
    return (not asked.types or kind in asked.types) and asked.project in (None, work_item.project)


def _row(organization: Organization, work_item: WorkItem, revision: Revision, asked: Asked) -> Json:
    """Spell one revision.

    ADO quirk: unlike a work item it has no url, so that only a name tells its project (vsts-rest-api-specs).
    """
    fields = {**revision.fields, "System.Id": work_item.id, "System.Rev": revision.rev}
    if IS_DELETED in fields:
        deleted_as = organization.feed_modes.deleted_as
        if deleted_as == "unflagged":
            del fields[IS_DELETED]
        if deleted_as == "bare":
            fields = {name: fields[name] for name in ("System.Id", "System.Rev", IS_DELETED)}
    return {
        "id": work_item.id,
        "rev": revision.rev,
        "fields": {
            name: _spelled(value, asked)
            for name, value in fields.items()
            if (name.casefold() in asked.fields if asked.fields else asked.everything or name not in LONG)
        },
    }


def _spelled(value: Value | None, asked: Asked) -> Any:
    # ADO quirk: the identity here has less than in a work item, and the address in brackets behind the name
    # (vsts-rest-api-specs, 5.0, GET with includeIdentityRef).
    def reference(person: Person) -> Json:
        return {"id": person.id, "uniqueName": person.text}

    return spelled(value, reference if asked.identity_refs else identity_text)


def _next_link(organization: Organization, token: str) -> str:
    carried = {name: value for name, value in request.args.items() if name != "startDateTime"}
    query = urlencode({**carried, "continuationToken": token}, safe=";")
    return f"{renderer(organization).urls.base}/{WIT}/reporting/workItemRevisions?{query}"


def _names(asked: Any) -> frozenset[str]:
    names = asked.split(",") if isinstance(asked, str) else asked or ()
    return frozenset(str(name).strip().casefold() for name in names if str(name).strip())


def _is_true(asked: Any) -> bool:
    return asked is True or str(asked).casefold() == "true"
