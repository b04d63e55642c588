"""Finding work items by number, address or words, including items that are not yet indexed."""

import re
from typing import Any
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import msgspec

from shared.ado.answers import FoundAnswer, QueryAnswer
from shared.ado.client import AdoClient
from shared.ado.text import LONGEST_TITLE
from shared.domain.errors import Forbidden, NotFound, Refused, Throttled, Unauthorized, Unavailable
from shared.domain.model import WorkItem
from shared.domain.text import one_line, units

_NUMBER = re.compile(r"(?:AB)?#?([0-9]{1,15})", re.IGNORECASE)
_EDIT_PATH = re.compile(r"/(?:_workitems/edit|_apis/wit/workitems)/([0-9]{1,15})\b", re.IGNORECASE)
_OLD_PATH = re.compile(r"/_workitems(?:/index)?/?\Z", re.IGNORECASE)
# ADO quirk: of the search service, 6.0 is a preview (docs/vendor_quirks.md#rest).
_VERSION = {"api-version": "6.0-preview.1"}
# The infoCode values of a complete answer; any other means a partial one (SearchCode in its REST reference).
_INDEX_IS_COMPLETE = frozenset({0, 8})


class Hit(msgspec.Struct, frozen=True):
    """A work item in a list of suggestions."""

    id: int
    title: str


def number_in(query: str, base_url: str) -> int | None:
    """Return the number that a work item is called by: 31, #31, AB#31, or its address below ``base_url``."""
    query = query.strip()
    if found := _NUMBER.fullmatch(query):
        return int(found[1]) or None
    if not is_url(query) or not is_within_organization(query, base_url):
        return None
    parts = urlsplit(query)
    if found := _EDIT_PATH.search(parts.path):
        return int(found[1])
    # A board shows a work item over itself; an old page names it by its id.
    name = "id" if _OLD_PATH.search(parts.path) else "workitem"
    [text] = (parse_qs(parts.query).get(name) or [""])[:1]
    return number_in(text, base_url) if _NUMBER.fullmatch(text) else None


def is_url(text: str) -> bool:
    return text.strip().lower().startswith(("https://", "http://"))


def is_within_organization(url: str, base_url: str) -> bool:
    """Tell whether a URL leads into the organization at ``base_url``, or on a Server into its collection."""
    try:
        parts, base = urlsplit(url.strip()), urlsplit(base_url)
        if ".." in _segments(parts):
            return False
        ours, theirs = _organization_in(base), _organization_in(parts)
        if ours or theirs:
            return ours == theirs
        collection = _segments(base)
        is_there = _segments(parts)[: len(collection)] == collection
        return bool(base.hostname) and is_there and _server(parts) == _server(base)
    except ValueError:
        return False  # It starts like a URL but is not one.


class WorkItemFinder:
    """``index`` is a client of the search service. A URL outside ``base_url`` finds nothing."""

    def __init__(self, ado: AdoClient, index: AdoClient, base_url: str) -> None:
        self._ado = ado
        self._index = index
        self._base_url = base_url

    def find(self, query: str, project: str | None, limit: int) -> list[Hit]:
        """Return the best hits first: the item with that number or address, then items with the words."""
        named = self._named(query, project)
        by_words = [] if is_url(query) else self._by_words(one_line(query), project, limit)
        # The index may still hold an older title of the named item.
        known = {hit.id for hit in named}
        hits = [*named, *(hit for hit in by_words if hit.id not in known)]
        return hits[:limit]

    def recent(self, project: str | None, limit: int) -> list[Hit]:
        """Return the most recently changed items, which a form offers before anything is typed."""
        return self._by_query(_in_project(project), "[System.ChangedDate] DESC", project, limit)

    def _named(self, query: str, project: str | None) -> list[Hit]:
        number = number_in(query, self._base_url)
        if number is None:
            return []
        try:
            item = self._ado.get_work_item(number)
        except (NotFound, Forbidden):  # What we may not see is not there for whoever asks us.
            return []
        if project is not None and not self._is_in(item, project):
            return []
        return [Hit(item.id, item.title)]

    def _is_in(self, item: WorkItem, project: str) -> bool:
        if item.project_id == project.lower():
            return True
        try:
            return self._ado.get_project(project).id == item.project_id
        except NotFound:
            return False

    def _by_words(self, words: str, project: str | None, limit: int) -> list[Hit]:
        """Ask the search service; if it fails or finds nothing, query the titles of the work items."""
        if not words:
            return []
        try:
            hits = self._by_index(words, project, limit)
        except (NotFound, Forbidden, Refused, Unauthorized, Unavailable, Throttled):
            hits = []
        if hits or units(words) > LONGEST_TITLE:
            return hits
        condition = f"{_in_project(project)} AND [System.Title] CONTAINS {_quoted(words)}"
        return self._by_query(condition, "[System.ChangedDate] DESC", project, limit)

    # https://learn.microsoft.com/rest/api/azure/devops/search/work-item-search-results
    def _by_index(self, words: str, project: str | None, limit: int) -> list[Hit]:
        answer = self._index.call(
            "POST",
            (*_scope(project), "_apis", "search", "workitemsearchresults"),
            FoundAnswer,
            about=_about(project),
            json={"searchText": words, "$skip": 0, "$top": limit},
            params=_VERSION,
        )
        # ADO quirk: an index that is not ready answers 200 with few results and a code.
        if answer.info_code not in _INDEX_IS_COMPLETE:
            raise Unavailable("ado", "the search index is not ready")
        hits = map(_find_hit, answer.results or ())
        return [hit for hit in hits if hit is not None]

    def _by_query(self, condition: str, order: str, project: str | None, limit: int) -> list[Hit]:
        ids = self._ids(condition, order, project, limit)
        items = self._ado.find_work_items(ids).found
        return [Hit(each, items[each].title) for each in ids if each in items]

    # https://learn.microsoft.com/rest/api/azure/devops/wit/wiql/query-by-wiql
    def _ids(self, condition: str, order: str, project: str | None, limit: int) -> list[int]:
        # Every text in the condition is escaped by _quoted.
        wiql = f"SELECT [System.Id] FROM WorkItems WHERE {condition} ORDER BY {order}"  # noqa: S608
        answer = self._ado.call(
            "POST",
            (*_scope(project), "_apis", "wit", "wiql"),
            QueryAnswer,
            about=_about(project),
            missing="ado-organization-not-found" if project is None else "project-not-found",
            json={"query": wiql},
            params={"$top": limit},
        )
        return answer.ids[:limit]


def _in_project(project: str | None) -> str:
    # A query needs a condition; this one is true for every work item.
    return "[System.Id] > 0" if project is None else "[System.TeamProject] = @project"


def _scope(project: str | None) -> tuple[str, ...]:
    return () if project is None else (project,)


def _about(project: str | None) -> str:
    return "" if project is None else f"project {project}"


def _quoted(text: str) -> str:
    """Return a string literal of the query language, in which only the quote needs escaping."""
    return "'" + text.replace("'", "''") + "'"


def _organization_in(parts: SplitResult) -> str:
    """Return the organization of Azure DevOps Services that a URL of either form names, or ""."""
    host = (parts.hostname or "").lower()
    if host.endswith(".visualstudio.com"):
        return host.removesuffix(".visualstudio.com")
    return next(iter(_segments(parts)), "/") if host == "dev.azure.com" else ""


def _server(parts: SplitResult) -> tuple[str, int | None]:
    return (parts.hostname or "").lower(), None if parts.port in {80, 443} else parts.port


def _segments(parts: SplitResult) -> list[str]:
    return [unquote(each).lower() for each in parts.path.split("/") if each]


def _find_hit(result: Any) -> Hit | None:
    """Return a search result, or None for one that cannot be read: the others can."""
    try:
        # ADO quirk: field names are lower-case here, and every value is a string.
        return Hit(int(result["fields"]["system.id"]), str(result["fields"].get("system.title", "")))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
