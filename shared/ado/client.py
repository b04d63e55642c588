"""The Azure DevOps REST client: one method for each call, named after its meaning."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from requests.auth import AuthBase

from shared.ado.answers import (
    LISTED_FIELDS,
    Acknowledged,
    CategoryAnswer,
    ConnectionAnswer,
    Listed,
    Number,
    Place,
    ProjectAnswer,
    TypeAnswer,
    WorkItemAnswer,
)
from shared.ado.feed import PageAnswer, read_page
from shared.ado.identity import assignee_from_identity, name_of
from shared.ado.refusals import meaning_of
from shared.domain.decoding import Shape, convert
from shared.domain.errors import (
    Forbidden,
    NotFound,
    OrganizationGone,
    Refused,
    Rejected,
    Unauthorized,
    Unavailable,
)
from shared.domain.ids import GUID
from shared.domain.model import Assignee, FoundWorkItems, RevisionPage, WorkItem, WorkItemTypes
from shared.domain.pages import work_item_page
from shared.domain.paths import below
from shared.domain.ports import UNSET, Unset
from shared.http import BackOff, Caller, Presence, Session

# The newest that Azure DevOps Server 2020 has, so that it and all newer ones understand us. Each call that is
# made with it exists in this version, with the same answer (docs/vendor_quirks.md#rest).
# https://github.com/MicrosoftDocs/vsts-rest-api-specs/tree/master/specification/wit/azure-devops-server-6.0
API_VERSION = {"api-version": "6.0"}
_OLDEST_SERVER = "Azure DevOps Server 2020"
_LATEST_VERSION = re.compile(r"latest REST API version this server supports is ([0-9]+\.[0-9]+)")
LARGEST_BATCH = 200
JSON_PATCH = {"Content-Type": "application/json-patch+json"}
_PROJECTS_A_PAGE = 100
_MOST_PAGES = 1_000
# Up to so many names, asking for each is cheaper than listing every project.
_FEW_NAMES = 3
_MAX_DEPTH = 14  # levels of areas or iterations; Azure DevOps allows no more
_HIDDEN = "Microsoft.HiddenCategory"
_WORK_ITEMS = ("_apis", "wit", "workitems")
_PROJECT_IN_URL = re.compile(f"/({GUID})/_apis/", re.IGNORECASE)


class Project(msgspec.Struct, frozen=True):
    id: str
    name: str


class AdoClient:
    """``base_url`` is the URL of the organization or collection and ends with a slash.

    Every call raises NotFound, Conflict or an Upstream error unless it succeeds, and Rejected for a name that
    can be none.
    """

    def __init__(
        self,
        base_url: str,
        session: Session,
        auth: AuthBase,
        back_off: BackOff,
        presence: Presence | None = None,
    ) -> None:
        self._base_url = base_url
        self._presence = presence
        self._caller = Caller(
            service="ado",
            session=session,
            auth=auth,
            # ADO quirk: without this header, the answer to a bad token is a sign-in page and not a 401.
            headers={"Accept": "application/json", "X-TFS-FedAuthRedirect": "Suppress"},
            problem_of=_problem_of,
            missing_version_in=_missing_version_in,
            meaning_of=meaning_of,
            back_off=back_off,
        )

    def instance_id(self) -> str:
        """Return the id of the organization, or of the collection on a Server.

        ADO quirk: this resource was never released from preview, and a plain version is refused.
        """
        version = {"api-version": "5.0-preview"}
        answer = self._asked("GET", ("_apis", "connectionData"), ConnectionAnswer, params=version)
        return answer.instance_id.strip().lower()

    def is_there(self) -> bool:
        """Tell whether an organization or collection answers, be it to refuse us; raise if nobody knows."""
        page = {"$top": 1}
        try:
            self._asked("GET", ("_apis", "projects"), Acknowledged, about="the organization", params=page)
        except NotFound:
            return False
        except (Forbidden, Unauthorized, Refused):
            return True
        return True

    def clock_ahead(self) -> float | None:
        """Return by how many seconds its clock is ahead of ours, or None if it has not said."""
        return self._caller.clock_ahead(self._base_url)

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
    def try_to_write(self, item: WorkItem) -> None:
        """Have a write of what is there already validated, and nothing stored; raise what a write would."""
        self.call(
            "PATCH",
            (*_WORK_ITEMS, str(item.id)),
            object,
            about=f"work item {item.id}",
            missing="work-item-not-found",
            json=[{"op": "add", "path": "/fields/System.State", "value": item.state}],
            params={"validateOnly": "true"},
            headers=JSON_PATCH,
        )

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-item
    def get_work_item(self, work_item_id: int) -> WorkItem:
        answer = self.call(
            "GET",
            (*_WORK_ITEMS, str(work_item_id)),
            WorkItemAnswer,
            about=f"work item {work_item_id}",
            missing="work-item-not-found",
        )
        return self._same_item(answer, work_item_id)

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-items-batch
    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        """Return the existing ones among at most 200 work items; an odd one hides no other."""
        wanted = frozenset(work_item_ids)
        if not wanted:
            return FoundWorkItems()
        answer = self.call(
            "POST",
            ("_apis", "wit", "workitemsbatch"),
            Listed[Any],
            json={"ids": list(work_item_ids), "fields": list(LISTED_FIELDS), "errorPolicy": "omit"},
        )
        found: dict[int, WorkItem] = {}
        unreadable: set[int] = set()
        project_ids: dict[str, str | None] = {}
        # ADO quirk: with errorPolicy "omit", a missing item may be a null in the list.
        for each in answer.value:
            if each is None:
                continue
            work_item_id = _number_of(each)
            item = self._find_readable(each, project_ids)
            if item is not None and item.id in wanted:
                found[item.id] = item
            else:
                # One without a number may be any of those that are missing.
                unreadable |= wanted if work_item_id is None else {work_item_id} & wanted
        return FoundWorkItems(found, frozenset(unreadable - found.keys()))

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
            patch.append({"op": "add", "path": "/fields/System.AssignedTo", "value": name_of(assignee)})
        answer = self.call(
            "PATCH",
            (*_WORK_ITEMS, str(work_item_id)),
            WorkItemAnswer,
            about=f"work item {work_item_id}",
            missing="work-item-not-found",
            json=patch,
            headers=JSON_PATCH,
        )
        return self._same_item(answer, work_item_id)

    # https://learn.microsoft.com/rest/api/azure/devops/wit/reporting-work-item-revisions
    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        def ask(query: dict[str, str]) -> PageAnswer:
            path = ("_apis", "wit", "reporting", "workitemrevisions")
            return self.call("GET", path, PageAnswer, params=query, about="the feed of revisions")

        return read_page(ask, token, since)

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        """Return the states of every type. One that is disabled for new items goes on for those there are."""
        return {each.name: each.states_with_moves for each in self._types(project_id)}

    def creatable_types(self, project: str) -> list[str]:
        """Return the types that a person may create: not disabled, and not in the hidden category.

        Raises Unavailable if one cannot be read that may be hidden: it would be offered otherwise.
        https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-type-categories/list
        """
        categories = self.call(
            "GET",
            (project, "_apis", "wit", "workitemtypecategories"),
            Listed[CategoryAnswer],
            about=f"project {project}",
        )
        of_tools = [each for each in categories.value if each.reference_name == _HIDDEN]
        if categories.value.unreadable or any(each.hides_types for each in of_tools):
            raise Unavailable("ado", f"not all types that project {project} hides can be read")
        hidden = {each.name for category in of_tools for each in category.work_item_types or ()}
        types = self._types(project)
        return [each.name for each in types if not each.is_disabled and each.name not in hidden]

    # https://learn.microsoft.com/rest/api/azure/devops/wit/work-item-types/list
    def _types(self, project: str) -> list[TypeAnswer]:
        path = (project, "_apis", "wit", "workitemtypes")
        return self.call("GET", path, Listed[TypeAnswer], about=f"project {project}").value

    # https://learn.microsoft.com/rest/api/azure/devops/core/projects/get
    def get_project(self, name_or_id: str) -> Project:
        answer = self.call(
            "GET",
            ("_apis", "projects", name_or_id),
            ProjectAnswer,
            about=f"project {name_or_id}",
            missing="project-not-found",
        )
        return Project(answer.id.lower(), answer.name)

    # https://learn.microsoft.com/rest/api/azure/devops/core/projects/list
    def projects(self) -> Iterator[Project]:
        """Yield every project that our credentials may see, up to a page that is not full or not new."""
        seen: set[str] = set()
        for page in range(_MOST_PAGES):
            skip = {"$top": _PROJECTS_A_PAGE, "$skip": page * _PROJECTS_A_PAGE}
            answer = self.call(
                "GET",
                ("_apis", "projects"),
                Listed[ProjectAnswer],
                params={"stateFilter": "wellFormed", **skip},
            )
            new = {each.id.lower(): each.name for each in answer.value if each.id.lower() not in seen}
            yield from (Project(*each) for each in new.items())
            seen |= new.keys()
            if len(answer.value) + answer.value.unreadable < _PROJECTS_A_PAGE or not new:
                return

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        """Return the GUIDs of the projects that exist under these names, whatever their case."""
        if len(names) > _FEW_NAMES:
            known = {project.name.casefold(): project.id for project in self.projects()}
            return {name: known[name.casefold()] for name in names if name.casefold() in known}
        found: dict[str, str] = {}
        for name in names:
            with suppress(NotFound, Forbidden, Refused, Rejected):
                found[name] = self.get_project(name).id
        return found

    # https://learn.microsoft.com/rest/api/azure/devops/wit/classification-nodes/get
    def places(self, project: str, group: str) -> list[str]:
        """Return the paths of a project's ``areas`` or ``iterations``, spelled as in work items."""
        root = self.call(
            "GET",
            (project, "_apis", "wit", "classificationnodes", group),
            Place,
            about=f"project {project}",
            params={"$depth": _MAX_DEPTH},
        )
        return list(_paths(root, ""))

    def work_item_url(self, work_item_id: int) -> str:
        return below(self._base_url, "_apis", "wit", "workItems", str(work_item_id))

    def web_url(self, project_id: str, work_item_id: int) -> str:
        return work_item_page(self._base_url, project_id, work_item_id)

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        kind: type[Shape],
        *,
        about: str = "",
        missing: str = "not-found",
        json: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Shape:
        """Call a path below the organization's URL, each segment as it is meant, and return the answer.

        Raises OrganizationGone, and not NotFound, if there is no organization at all.
        """
        sent = {"json": json, "params": params, "headers": headers}
        try:
            return self._asked(method, path, kind, about=about, missing=missing, **sent)
        except NotFound as error:
            if self._presence is None or self._presence.is_there(self._base_url, self.is_there):
                raise
            raise OrganizationGone("ado", error.detail) from None

    def _asked(
        self,
        method: str,
        path: tuple[str, ...],
        kind: type[Shape],
        *,
        params: dict[str, Any] | None = None,
        **sent: Any,
    ) -> Shape:
        query = {**API_VERSION, **(params or {})}
        return self._caller.call(method, below(self._base_url, *path), kind, params=query, **sent)

    def work_item_from(
        self, answer: WorkItemAnswer, project_ids: dict[str, str | None] | None = None
    ) -> WorkItem:
        """Return a work item with its project's GUID; ``project_ids`` keeps the names that were looked up."""
        fields = answer.fields
        return WorkItem(
            id=answer.id,
            rev=answer.rev,
            project_id=self._project_id(answer, {} if project_ids is None else project_ids),
            work_item_type=fields.work_item_type,
            state=fields.state,
            assignee=assignee_from_identity(fields.assigned_to),
            title=fields.title or "",
            area_path=fields.area_path or "",
            reasons=fields.reasons,
        )

    def _same_item(self, answer: WorkItemAnswer, work_item_id: int) -> WorkItem:
        if answer.id != work_item_id:
            raise Unavailable("ado", f"work item {work_item_id}: the answer is about another one")
        return self.work_item_from(answer)

    def _find_readable(self, content: Any, project_ids: dict[str, str | None]) -> WorkItem | None:
        """Return an item of a list, or None if it, or its project, cannot be read."""
        try:
            return self.work_item_from(convert(content, WorkItemAnswer), project_ids)
        except (msgspec.ValidationError, Unavailable):
            return None

    def _project_id(self, answer: WorkItemAnswer, project_ids: dict[str, str | None]) -> str:
        if named := _PROJECT_IN_URL.search(answer.url or ""):
            return named[1].lower()
        # ADO quirk: old servers return a URL without the project.
        name = answer.fields.project or ""
        if name not in project_ids:
            project_ids[name] = self._find_project_id(name)
        project_id = project_ids[name]
        if project_id is None:
            raise Unavailable("ado", f"work item {answer.id}: its project cannot be looked up")
        return project_id

    def _find_project_id(self, name: str) -> str | None:
        try:
            return self.get_project(name).id
        except (NotFound, Forbidden, Refused, Rejected, Unavailable):
            return None


def _number_of(content: Any) -> int | None:
    try:
        return convert(content.get("id") if isinstance(content, dict) else None, Number)
    except msgspec.ValidationError:
        return None


def _paths(place: Place, above: str) -> Iterator[str]:
    path = f"{above}{place.name}"
    yield path
    for child in place.children or ():
        yield from _paths(child, f"{path}\\")


def _problem_of(content: Any) -> str:
    """Return the sentence in an error body, which has one of two shapes."""
    message = content.get("message") or content["value"]["Message"]
    return str(message)


def _missing_version_in(content: Any) -> str:
    """Return our advice if the server is too old for the version that was asked for; otherwise nothing.

    Servers speak other languages, so the exception's name decides. Their newest version is told if it can be
    read.
    """
    if not str(content["typeKey"]).startswith(("VssVersion", "VssInvalidPreviewVersion")):
        return ""
    newest = _LATEST_VERSION.search(str(content.get("message")))
    has = f" (the newest that it has is {newest[1]})" if newest else ""
    lacked = f"the server lacks the version {API_VERSION['api-version']} of the REST API{has}"
    return f"{lacked}: {_OLDEST_SERVER} or a newer one is needed"
