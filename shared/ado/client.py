"""The Azure DevOps REST client: one method for each call, named after its meaning."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
import requests
from requests.auth import AuthBase

from shared.ado.feed import read_page
from shared.ado.identity import assignee_from_identity
from shared.domain.errors import NotFound, Unavailable
from shared.domain.model import Assignee, Category, Person, RevisionPage, State, WorkItem, WorkItemTypes
from shared.domain.ports import UNSET, Unset
from shared.http import BackOff, Caller, reading

API_VERSION = {"api-version": "7.1"}
LARGEST_BATCH = 200
_PROJECTS_A_PAGE = 100
# Up to so many names, asking for each is cheaper than listing every project.
_FEW_NAMES = 3
_MAX_DEPTH = 14  # levels of areas or iterations; Azure DevOps allows no more
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_FIELDS = (
    "System.Id",
    "System.Rev",
    "System.State",
    "System.AssignedTo",
    "System.WorkItemType",
    "System.Title",
    "System.AreaPath",
    "System.TeamProject",
)


class Project(msgspec.Struct, frozen=True):
    id: str
    name: str


class AdoClient:
    """``base_url`` is the URL of the organization or collection and ends with a slash.

    Every call raises NotFound, Conflict or an Upstream error unless it succeeds.
    """

    def __init__(self, base_url: str, session: requests.Session, auth: AuthBase, back_off: BackOff) -> None:
        self._base_url = base_url
        self._caller = Caller(
            service="ado",
            session=session,
            auth=auth,
            # ADO quirk: without this header, the answer to a bad token is a sign-in page and not a 401.
            headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
            problem_of=_problem_of,
            back_off=back_off,
        )

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-item
    def get_work_item(self, work_item_id: int) -> WorkItem:
        try:
            answer = self.call("GET", f"_apis/wit/workitems/{work_item_id}")
        except NotFound as error:
            raise NotFound(error.detail, kind="work-item-not-found") from error
        return self.work_item_from(answer)

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-items-batch
    def find_work_items(self, work_item_ids: Sequence[int]) -> dict[int, WorkItem]:
        if not work_item_ids:
            return {}
        answer = self.call(
            "POST",
            "_apis/wit/workitemsbatch",
            json={"ids": list(work_item_ids), "fields": list(_FIELDS), "errorPolicy": "omit"},
        )
        # ADO quirk: with errorPolicy "omit", a missing item may be a null in the list.
        found = [self.work_item_from(each) for each in list_in(answer) if each is not None]
        return {each.id: each for each in found}

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
    def update_work_item(
        self,
        work_item_id: int,
        rev: int,
        *,
        state: str | Unset = UNSET,
        assignee: Assignee | Unset = UNSET,
    ) -> WorkItem:
        patch: list[dict[str, Any]] = [{"op": "test", "path": "/rev", "value": rev}]
        if not isinstance(state, Unset):
            patch.append({"op": "add", "path": "/fields/System.State", "value": state})
        if not isinstance(assignee, Unset):
            # ADO quirk: an empty string means nobody; null is not accepted.
            address = assignee.email if isinstance(assignee, Person) else ""
            patch.append({"op": "add", "path": "/fields/System.AssignedTo", "value": address})
        try:
            answer = self.call("PATCH", f"_apis/wit/workitems/{work_item_id}", json=patch, headers=JSON_PATCH)
        except NotFound as error:
            raise NotFound(error.detail, kind="work-item-not-found") from error
        return self.work_item_from(answer)

    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        def ask(query: dict[str, str]) -> Any:
            path = "_apis/wit/reporting/workitemrevisions"
            return self.call("GET", path, params=query, about="the feed of revisions")

        return read_page(ask, token, since)

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types/list
    @reading("ado", "a list of work item types")
    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        answer = self.call("GET", f"{quote(project_id, safe='')}/_apis/wit/workitemtypes")
        return {
            each["name"]: tuple(_state(state) for state in each.get("states") or ())
            for each in list_in(answer)
            if not each.get("isDisabled")
        }

    # https://learn.microsoft.com/rest/api/azure/devops/core/projects/get
    @reading("ado", "a project")
    def get_project(self, name_or_id: str) -> Project:
        try:
            answer = self.call("GET", f"_apis/projects/{quote(name_or_id, safe='')}")
        except NotFound as error:
            raise NotFound(error.detail, kind="project-not-found") from error
        return Project(answer["id"].lower(), answer["name"])

    # https://learn.microsoft.com/rest/api/azure/devops/core/projects/list
    def projects(self) -> Iterator[Project]:
        """Yield every project that our credentials may see; the first page that is not full is the last."""
        skip = 0
        while True:
            page = list_in(
                self.call(
                    "GET",
                    "_apis/projects",
                    params={"stateFilter": "wellFormed", "$top": _PROJECTS_A_PAGE, "$skip": skip},
                )
            )
            with reading("ado", "a list of projects"):
                found = [Project(each["id"].lower(), each["name"]) for each in page]
            yield from found
            if len(page) < _PROJECTS_A_PAGE:
                return
            skip += len(page)

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        """Return the GUIDs of the projects that exist under these names, whatever their case."""
        if len(names) > _FEW_NAMES:
            known = {project.name.casefold(): project.id for project in self.projects()}
            return {name: known[name.casefold()] for name in names if name.casefold() in known}
        found: dict[str, str] = {}
        for name in names:
            with suppress(NotFound):
                found[name] = self.get_project(name).id
        return found

    @reading("ado", "a list of work item types")
    def creatable_types(self, project: str) -> list[str]:
        """Return the types that a person may create: not disabled, and not in the hidden category.

        https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-type-categories/list
        """
        categories = self.call("GET", f"{quote(project, safe='')}/_apis/wit/workitemtypecategories")
        hidden = {
            each["name"]
            for category in list_in(categories)
            if category.get("referenceName") == "Microsoft.HiddenCategory"
            for each in category.get("workItemTypes") or ()
        }
        return [name for name in self.get_work_item_types(project) if name not in hidden]

    # https://learn.microsoft.com/rest/api/azure/devops/wit/classification-nodes/get
    @reading("ado", "a tree of places")
    def places(self, project: str, group: str) -> list[str]:
        """Return the paths of a project's ``areas`` or ``iterations``, spelled as in work items."""
        root = self.call(
            "GET",
            f"{quote(project, safe='')}/_apis/wit/classificationnodes/{group}",
            params={"$depth": _MAX_DEPTH},
        )
        return list(_paths(root, ""))

    def work_item_url(self, work_item_id: int) -> str:
        return f"{self._base_url}_apis/wit/workItems/{work_item_id}"

    def web_url(self, project_id: str, work_item_id: int) -> str:
        return f"{self._base_url}{project_id}/_workitems/edit/{work_item_id}"

    def call(
        self,
        method: str,
        path: str,
        *,
        about: str = "",
        json: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        """Call a path below the organization's URL and return the decoded JSON body."""
        answer = self._caller.call(
            method,
            self._base_url + path,
            about=about,
            json=json,
            params={**API_VERSION, **(params or {})},
            headers=headers,
        )
        return answer.content

    @reading("ado", "a work item")
    def work_item_from(self, content: Any) -> WorkItem:
        """Read a work item, or raise Unavailable; only the item's URL contains the project's GUID."""
        fields = content["fields"]
        return WorkItem(
            id=int(content["id"]),
            rev=int(content["rev"]),
            project_id=self._project_id(content, fields),
            work_item_type=fields["System.WorkItemType"],
            state=fields["System.State"],
            assignee=assignee_from_identity(fields.get("System.AssignedTo")),
            title=fields.get("System.Title", ""),
            area_path=fields.get("System.AreaPath", ""),
        )

    def _project_id(self, content: Any, fields: dict[str, Any]) -> str:
        segments = urlsplit(content.get("url") or "").path.split("/")
        if "_apis" in segments:
            candidate = segments[segments.index("_apis") - 1]
            if len(candidate) == 36 and candidate.count("-") == 4:
                return candidate.lower()
        # ADO quirk: old servers return a URL without the project.
        return self.get_project(fields["System.TeamProject"]).id


def _paths(node: Any, above: str) -> Iterator[str]:
    path = f"{above}{node['name']}"
    yield path
    for child in node.get("children") or ():
        yield from _paths(child, f"{path}\\")


def _state(content: Any) -> State:
    try:
        return State(content["name"], Category(content.get("category")))
    except ValueError:
        return State(content["name"], None)


def list_in(answer: Any) -> list[Any]:
    """Return the list that an answer wraps, or raise Unavailable."""
    value = answer.get("value") if isinstance(answer, dict) else None
    if not isinstance(value, list):
        raise Unavailable("ado", "a list that cannot be read")
    return value


def _problem_of(response: requests.Response) -> str:
    """Return the sentence in an error body, which has one of two shapes."""
    content = response.json()
    message = content.get("message") or content["value"]["Message"]
    return str(message)
