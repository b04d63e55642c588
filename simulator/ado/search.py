"""The search service: an index that lags behind the work items, and answers made of texts only."""

import html
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from simulator.ado.catalog import Catalog
from simulator.ado.errors import bad_request
from simulator.ado.items import Revision, WorkItem
from simulator.ado.render import Urls, identity_text, spelled
from simulator.ado.wiql import has_words

SEARCHED = ("System.Title", "System.Description", "System.Tags")
SHOWN = (
    "System.WorkItemType",
    "System.Title",
    "System.AssignedTo",
    "System.State",
    "System.Tags",
    "System.CreatedDate",
    "System.ChangedDate",
)
OK, INVALID, NO_PREFIX_WILDCARD, TRIMMED = 0, 3, 4, 8
MOST = 1000


class SearchIndex:
    """What the search service knows; with an ``info_code`` other than 0 it is not ready and finds nothing."""

    def __init__(
        self, catalog: Catalog, work_items: Callable[[], Iterable[WorkItem]], now: Callable[[], datetime]
    ) -> None:
        self._catalog = catalog
        self._work_items = work_items
        self._now = now
        self._indexed: dict[int, Revision] = {}
        self.info_code = OK
        self.lag: timedelta | None = None

    def reindex(self) -> None:
        self._indexed = {work_item.id: work_item.latest for work_item in self._work_items()}

    def find(self, request: Any, urls: Urls, project: str | None) -> dict[str, Any]:
        if not isinstance(request, dict) or not isinstance(request.get("searchText"), str):
            raise bad_request("The search request is not valid.", "InvalidSearchException")
        text, top, skip = request["searchText"], request.get("$top", 50), request.get("$skip", 0)
        code = self.info_code or _complaint(text, top)
        self._catch_up()
        filters = dict(request.get("filters") or {})
        if project is not None:
            filters["System.TeamProject"] = [project]
        found = [] if code not in {OK, TRIMMED} else self._matching(text, filters)
        page = found[skip : skip + min(top, MOST)]
        results = [self._result(work_item_id, revision, text, urls) for work_item_id, revision in page]
        return {"count": len(found), "results": results, "infoCode": code, "facets": {}}

    def _catch_up(self) -> None:
        """Take in what is older than the lag; without one the index only moves on request."""
        if self.lag is None:
            return
        until = self._now() - self.lag
        known = {
            work_item.id: [revision for revision in work_item.revisions if revision.at <= until]
            for work_item in self._work_items()
        }
        self._indexed = {
            work_item_id: revisions[-1] for work_item_id, revisions in known.items() if revisions
        }

    def _matching(self, text: str, filters: Mapping[str, list[str]]) -> list[tuple[int, Revision]]:
        return [
            (work_item_id, revision)
            for work_item_id, revision in self._indexed.items()
            if has_words(" ".join(str(revision.fields.get(name, "")) for name in SEARCHED), text)
            and all(
                spelled(revision.fields.get(name), identity_text) in values
                for name, values in filters.items()
            )
        ]

    def _result(self, work_item_id: int, revision: Revision, text: str, urls: Urls) -> dict[str, Any]:
        project = self._catalog.project(str(revision.fields["System.TeamProject"]))
        # ADO quirk: keys are lower-case here, and every value is a string (REST specification, search).
        fields = {"system.id": str(work_item_id), "system.rev": str(revision.rev)}
        for name in SHOWN:
            value = spelled(revision.fields.get(name), identity_text)
            fields[name.casefold()] = "" if value is None else str(value)
        highlight = f"<highlighthit>{html.escape(text)}</highlighthit>"
        return {
            "project": {"name": project.name, "id": project.id},
            "fields": fields,
            "hits": [{"fieldReferenceName": "system.title", "highlights": [highlight]}],
            "url": f"{urls.base}/_apis/wit/workItems/{work_item_id}",
        }


def _complaint(text: str, top: int) -> int:
    if not text.strip():
        return INVALID
    if any(word.startswith("*") for word in text.split()):
        return NO_PREFIX_WILDCARD
    return TRIMMED if top > MOST else OK
