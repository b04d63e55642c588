"""The hyperlinks of a work item: reading them, changing them, and finding the items that have any."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared.ado.answers import Listed, QueryAnswer, RelatedAnswer, Relation, WorkItemAnswer
from shared.ado.client import JSON_PATCH, AdoClient
from shared.domain.errors import Conflict, Refused, Unavailable
from shared.domain.model import WorkItem
from shared.domain.rules.back_links import HyperlinkChange, Mark

HYPERLINK = "Hyperlink"
_WITH_RELATIONS = {"$expand": "relations"}
_ITEMS = ("_apis", "wit", "workitems")
# Items that one query names; Azure DevOps ends at 20,000.
_A_QUERY = 2_000


class RelatedItem(msgspec.Struct, frozen=True):
    """A work item, and all that it is related to, in the order by which a change names it."""

    item: WorkItem
    relations: tuple[Relation, ...]


class FoundHyperlinks(msgspec.Struct, frozen=True):
    """Work items with their hyperlinks; of the ``unreadable`` ones these are not all."""

    items: Sequence[tuple[int, Sequence[Relation]]] = ()
    unreadable: int = 0


class _RelatedItemAnswer(WorkItemAnswer, frozen=True):
    relations: list[Relation] | None = None


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/get-work-item
def get_related(ado: AdoClient, work_item_id: int) -> RelatedItem:
    answer = ado.call(
        "GET",
        (*_ITEMS, str(work_item_id)),
        _RelatedItemAnswer,
        about=f"work item {work_item_id}",
        missing="work-item-not-found",
        params=_WITH_RELATIONS,
    )
    return _related(ado, answer)


# https://learn.microsoft.com/rest/api/azure/devops/wit/work-items/update
def change_hyperlinks(ado: AdoClient, related: RelatedItem, change: HyperlinkChange, url: str) -> RelatedItem:
    """Change the hyperlinks of a work item as it was read; raise Conflict if it is another one by now.

    ADO quirk: links between work items come and go without a new rev, and a change names a relation by its
    place (docs/vendor_quirks.md#rest). So the answer is looked at: what went by mistake is put back.
    """
    patch: list[dict[str, Any]] = [{"op": "test", "path": "/rev", "value": related.item.rev}]
    patch += [
        {"op": "replace", "path": f"/relations/{place}/attributes/comment", "value": str(mark)}
        for place, mark in change.mark
    ]
    patch += [
        {"op": "remove", "path": f"/relations/{place}"} for place in sorted(change.remove, reverse=True)
    ]
    if change.add:
        patch.append(_added(Relation(HYPERLINK, url, {"comment": str(Mark.LINKED)})))
    try:
        changed = _patched(ado, related.item.id, patch)
    except Refused as error:
        if change.add and _leads_to(get_related(ado, related.item.id), url):
            raise Conflict(error.detail) from error  # Somebody added it since the item was read.
        raise
    present = {(each.rel, each.url) for each in changed.relations}
    lost = [
        each
        for place, each in enumerate(related.relations)
        if place not in change.remove and (each.rel, each.url) not in present
    ]
    gone_by_mistake = change.remove and any(
        _same(related.relations, place, present) for place in change.remove
    )
    if lost and gone_by_mistake:
        changed = _patched(ado, related.item.id, [_added(each) for each in lost])
        raise Conflict("the relations of the work item moved while one was removed")
    return changed


def _same(relations: Sequence[Relation], place: int, present: set[tuple[str, str | None]]) -> bool:
    """Tell whether a relation that was to go is still there, so that another one went."""
    return (relations[place].rel, relations[place].url) in present


def _patched(ado: AdoClient, work_item_id: int, patch: list[dict[str, Any]]) -> RelatedItem:
    answer = ado.call(
        "PATCH",
        (*_ITEMS, str(work_item_id)),
        _RelatedItemAnswer,
        about=f"work item {work_item_id}",
        missing="work-item-not-found",
        json=patch,
        params=_WITH_RELATIONS,
        headers=JSON_PATCH,
    )
    return _related(ado, answer)


def _added(relation: Relation) -> dict[str, Any]:
    kept = {name: value for name, value in (relation.attributes or {}).items() if name in {"comment", "name"}}
    value = {"rel": relation.rel, "url": relation.url, "attributes": kept}
    return {"op": "add", "path": "/relations/-", "value": value}


def _leads_to(related: RelatedItem, url: str) -> bool:
    return any(each.rel == HYPERLINK and each.url == url for each in related.relations)


def _related(ado: AdoClient, answer: _RelatedItemAnswer) -> RelatedItem:
    return RelatedItem(ado.work_item_from(answer), tuple(answer.relations or ()))


def items_with_hyperlinks(ado: AdoClient, after: int) -> tuple[list[int], bool, int]:
    """Return the numbers of the next work items that have hyperlinks, whether they are the last, and how
    many of them cannot be read.

    ADO quirk: no query finds a hyperlink by its address; it finds the items that have any.
    https://learn.microsoft.com/azure/devops/boards/queries/linking-attachments
    """
    wiql = (
        "SELECT [System.Id] FROM WorkItems WHERE [System.HyperLinkCount] > 0 "  # noqa: S608  # contains no user text
        f"AND [System.Id] > {after} ORDER BY [System.Id] ASC"
    )
    answer = ado.call(
        "POST", ("_apis", "wit", "wiql"), QueryAnswer, json={"query": wiql}, params={"$top": _A_QUERY}
    )
    if answer.unreadable and not answer.ids:
        raise Unavailable("ado", "the numbers of the work items with hyperlinks cannot be read")
    return answer.ids, len(answer.ids) + answer.unreadable < _A_QUERY, answer.unreadable


def hyperlinks_of(ado: AdoClient, work_item_ids: Sequence[int]) -> FoundHyperlinks:
    """Return those of at most 200 work items that exist, each with its hyperlinks."""
    wanted = {"ids": list(work_item_ids), "errorPolicy": "omit", **_WITH_RELATIONS}
    answer = ado.call("POST", ("_apis", "wit", "workitemsbatch"), Listed[RelatedAnswer | None], json=wanted)
    there = [each for each in answer.value if each is not None]
    return FoundHyperlinks(
        [(each.id, [one for one in each.relations or () if one.rel == HYPERLINK]) for each in there],
        answer.value.unreadable + sum(each.hides_relations for each in there),
    )
