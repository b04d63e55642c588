"""The REST routes around work items: projects, types, states, fields, people, search, resource areas."""

from typing import Any

from flask import Flask, Response, g, jsonify, request

from simulator.ado.catalog import Project, guid
from simulator.ado.http import is_switched_on, json_body, listed, renderer
from simulator.ado.item_routes import WIT
from simulator.ado.organization import Organization
from simulator.ado.processes import FIELDS, PICKLISTS, WorkItemType
from simulator.ado.render import Urls

Json = dict[str, Any]

# https://learn.microsoft.com/azure/devops/extend/develop/work-with-urls
AREAS = {
    "79134c72-4a58-4b42-976c-04e7115f32bf": "core",
    "5264459e-e5e0-4bd8-b118-0985e68a4ec5": "wit",
    "ea48a0a1-269c-42d8-b8ad-ddc8fcdcf578": "search",
}
MOST_PROJECTS = 100


def add_project_routes(app: Flask, organization: Organization) -> None:
    _add_projects(app, organization)
    _add_types(app, organization)
    _add_places(app, organization)
    _add_people_and_search(app, organization)


def _add_projects(app: Flask, organization: Organization) -> None:
    catalog = organization.catalog

    @app.get("/<organization>/_apis/projects")
    def list_projects(**_: str) -> Response:
        projects = sorted(catalog.projects.values(), key=lambda project: project.name.casefold())
        start = request.args.get("continuationToken", request.args.get("$skip", 0, type=int), type=int)
        # Whether a larger $top is honored was not confirmed; a client that pages to the end does not care.
        end = start + min(request.args.get("$top", MOST_PROJECTS, type=int), MOST_PROJECTS)
        answer = jsonify(
            listed([project_json(project, renderer(organization).urls) for project in projects[start:end]])
        )
        if end < len(projects):
            answer.headers["x-ms-continuationtoken"] = str(end)
        return answer

    @app.get("/<organization>/_apis/projects/<project>")
    def get_project(project: str, **_: str) -> Json:
        found = catalog.project(project)
        answer = project_json(found, renderer(organization).urls)
        if is_switched_on("includeCapabilities"):
            template = {"templateName": found.process.name, "templateTypeId": found.process.id}
            answer["capabilities"] = {"processTemplate": template}
        return answer


def _add_types(app: Flask, organization: Organization) -> None:
    catalog = organization.catalog

    def base() -> str:
        return renderer(organization).urls.base

    @app.get(f"/<organization>/<project>/{WIT}/workitemtypes")
    def list_types(project: str, **_: str) -> Json:
        found = catalog.project(project)
        return listed([type_json(found, kind, base(), catalog.transitions) for kind in found.process.types])

    @app.get(f"/<organization>/<project>/{WIT}/workitemtypes/<kind>")
    def get_type(project: str, kind: str, **_: str) -> Json:
        found = catalog.project(project)
        return type_json(found, found.type(kind), base(), catalog.transitions)

    @app.get(f"/<organization>/<project>/{WIT}/workitemtypes/<kind>/states")
    def list_states(project: str, kind: str, **_: str) -> Json:
        return listed(states_json(catalog.project(project).type(kind)))

    @app.get(f"/<organization>/<project>/{WIT}/workitemtypes/<kind>/fields")
    def list_type_fields(project: str, kind: str, **_: str) -> Json:
        found = catalog.project(project).type(kind)
        fields = [
            {
                "referenceName": field.reference_name,
                "name": field.name,
                "alwaysRequired": field.reference_name in found.required,
                "defaultValue": _default_of(found, field.reference_name),
                "allowedValues": _allowed_in(found, field.reference_name),
                "url": f"{base()}/_apis/wit/fields/{field.reference_name}",
            }
            for field in FIELDS.values()
            if not field.reference_name.startswith("Custom.") or field.reference_name in found.required
        ]
        return listed(fields)

    @app.get(f"/<organization>/{WIT}/fields")
    @app.get(f"/<organization>/<project>/{WIT}/fields")
    def list_fields(**_: str) -> Json:
        return listed(
            [
                {
                    "name": field.name,
                    "referenceName": field.reference_name,
                    "type": field.kind,
                    "usage": "workItem",
                    "readOnly": field.read_only,
                    "isIdentity": field.kind == "identity",
                    "url": f"{base()}/_apis/wit/fields/{field.reference_name}",
                }
                for field in FIELDS.values()
            ]
        )

    @app.get(f"/<organization>/<project>/{WIT}/workitemtypecategories")
    def list_categories(project: str, **_: str) -> Json:
        found = catalog.project(project)
        by_category: dict[str, list[Json]] = {}
        for kind in found.process.types:
            url = f"{base()}/{found.id}/_apis/wit/workItemTypes/{kind.name}"
            by_category.setdefault(kind.category, []).append({"name": kind.name, "url": url})
        return listed(
            [
                {
                    "name": reference_name.removeprefix("Microsoft.").replace("Category", " Category"),
                    "referenceName": reference_name,
                    "defaultWorkItemType": kinds[0],
                    "workItemTypes": kinds,
                    "url": f"{base()}/{found.id}/_apis/wit/workItemTypeCategories/{reference_name}",
                }
                for reference_name, kinds in by_category.items()
            ]
        )


def _add_places(app: Flask, organization: Organization) -> None:
    catalog = organization.catalog

    @app.get(f"/<organization>/<project>/{WIT}/classificationnodes/<group>")
    def get_classification(project: str, group: str, **_: str) -> Json:
        found = catalog.project(project)
        is_area = group == "areas"
        root, *children = found.areas if is_area else found.iterations
        kind = "area" if is_area else "iteration"

        def node(path: str) -> Json:
            leading = path.replace(root, rf"\{root}\{kind.title()}", 1)
            identifier = guid(kind, path)
            return {
                "identifier": identifier,
                "name": path.rpartition("\\")[2],
                "structureType": kind,
                "path": leading,
            }

        return {
            **node(root),
            "hasChildren": True,
            "children": [{**node(path), "hasChildren": False} for path in children],
        }

    # The service answers this at two hosts; both are found here, as two paths.
    @app.get("/_apis/resourceareas/<area>")
    @app.get("/<organization>/_apis/resourceareas/<area>")
    def resource_area(area: str, **_: str) -> Json:
        name = AREAS.get(area)
        host = request.args.get("hostId") or request.args.get("accountName") or catalog.account_id
        known = host.casefold() in {catalog.account_id, catalog.collection_id, organization.name.casefold()}
        search = "_search/" if name == "search" else ""
        location = f"{request.host_url}{search}{organization.name}/"
        # What an unknown account is answered with was not confirmed; null is the worse surprise.
        return {"id": area, "name": name, "locationUrl": location if known and name else None}


def _add_people_and_search(app: Flask, organization: Organization) -> None:
    catalog = organization.catalog

    @app.get("/<organization>/_apis/connectiondata")
    def connection_data(**_: str) -> Json:
        person = g.person
        return {
            "authenticatedUser": {
                "id": person.id,
                "descriptor": person.descriptor,
                "subjectDescriptor": person.descriptor,
                "providerDisplayName": person.name,
                "isActive": True,
                "properties": {"Account": {"$type": "System.String", "$value": person.unique_name}},
            },
            "instanceId": organization.instance_id,
            "locationServiceData": {"serviceOwner": "00025394-6065-48ca-87d9-7f5672854ef7"},
        }

    @app.get("/<organization>/_apis/identities")
    def list_identities(**_: str) -> Json:
        wanted = request.args.get("filterValue", "").casefold()
        found = [
            p
            for p in catalog.people
            if wanted and wanted in (p.unique_name.casefold(), p.name.casefold(), p.id)
        ]
        return listed(
            [
                {
                    "id": person.id,
                    "subjectDescriptor": person.descriptor,
                    "providerDisplayName": person.name,
                    "isActive": True,
                    "properties": {"Mail": {"$type": "System.String", "$value": person.unique_name}},
                }
                for person in found
            ]
        )

    # ADO quirk: search lives at a host of its own (almsearch.dev.azure.com), here a path of its own;
    # asked at the organization's host it is not found (vsts-rest-api-specs issue 373).
    @app.post("/_search/<organization>/_apis/search/workitemsearchresults")
    @app.post("/_search/<organization>/<project>/_apis/search/workitemsearchresults")
    def search_work_items(project: str | None = None, **_: str) -> Json:
        name = None if project is None else catalog.project(project).name
        return organization.index.find(json_body(), renderer(organization).urls, name)


def project_json(project: Project, urls: Urls) -> Json:
    return {
        "id": project.id,
        "name": project.name,
        "url": f"{urls.base}/_apis/projects/{project.id}",
        "state": "wellFormed",
        "revision": 11,
        "visibility": "private",
        "lastUpdateTime": "2026-01-01T10:00:00Z",
    }


def _default_of(kind: WorkItemType, reference_name: str) -> str | None:
    if reference_name == "System.State":
        return kind.states[0].name
    _, default = PICKLISTS.get(reference_name, ((), None))
    return None if default is None else str(default)


def _allowed_in(kind: WorkItemType, reference_name: str) -> list[str]:
    """List the values that a field is limited to, if they are asked for.

    https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types-field/list
    """
    if request.args.get("$expand", "none").casefold() not in {"allowedvalues", "all"}:
        return []
    if reference_name == "System.State":
        return [state.name for state in kind.states]
    allowed, _ = PICKLISTS.get(reference_name, ((), None))
    return [str(each) for each in allowed]


def states_json(kind: WorkItemType) -> list[Json]:
    return [{"name": state.name, "color": state.color, "category": state.category} for state in kind.states]


def type_json(project: Project, kind: WorkItemType, base: str, table: str = "served") -> Json:
    transitions = {
        state.name: [{"to": to.name, "actions": None} for to in kind.moves_from(state.name)]
        for state in kind.states
        if kind.moves is None or state.name in kind.moves
    }
    answer = {
        "name": kind.name,
        "referenceName": kind.reference_name,
        "description": "",
        "color": "CC293D",
        "icon": {"id": "icon_insect", "url": f"{base}/_apis/wit/workItemIcons/icon_insect"},
        "isDisabled": kind.disabled,
        # The empty name stands for the state before a work item's first.
        "transitions": {"": [{"to": kind.states[0].name, "actions": None}], **transitions},
        "states": states_json(kind),
        "url": f"{base}/{project.id}/_apis/wit/workItemTypes/{kind.name}",
    }
    # What an old server answers was not confirmed; a client must read either as no restriction.
    if table == "empty":
        answer["transitions"] = {}
    elif table == "absent":
        del answer["transitions"]
    return answer
