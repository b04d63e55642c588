"""How a page of the feed of revisions is read, row by row: one odd row hides no other.

https://learn.microsoft.com/rest/api/azure/devops/wit/reporting-work-item-revisions
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
from msgspec import field

from shared.ado.answers import LISTED_FIELDS, Name, Number, Text
from shared.ado.identity import assignee_from_identity
from shared.domain.decoding import convert
from shared.domain.errors import Conflict, FeedLost, Forbidden, NotFound, Refused, Unavailable
from shared.domain.model import (
    FEED_FORBIDDEN,
    FEED_TOKEN_REFUSED,
    FEED_UNREADABLE,
    FEED_UNSUPPORTED,
    RevisedItem,
    RevisionPage,
)

_FIELDS = (*LISTED_FIELDS, "System.IsDeleted")
_ASKED = {
    "fields": ",".join(_FIELDS),
    "includeIdentityRef": "true",
    "includeDeleted": "true",
    "includeLatestOnly": "true",
}


class PageAnswer(msgspec.Struct, frozen=True):
    values: list[Any]
    is_last: bool = field(name="isLastBatch")
    token: str | None = field(name="continuationToken", default=None)
    next_link: str | None = field(name="nextLink", default=None)


class _Marks(msgspec.Struct, frozen=True):
    is_deleted: bool = field(name="System.IsDeleted", default=False)


class _Marked(msgspec.Struct, frozen=True):
    """What every row has, even that of a deleted work item."""

    id: Number
    fields: _Marks = _Marks()


class _Fields(msgspec.Struct, frozen=True):
    work_item_type: Name = field(name="System.WorkItemType")
    state: Name = field(name="System.State")
    project: Name = field(name="System.TeamProject")
    # A person comes in several shapes, and whoever cannot be read is a stranger.
    assigned_to: Any = field(name="System.AssignedTo", default=None)
    title: Text | None = field(name="System.Title", default=None)
    area_path: Text | None = field(name="System.AreaPath", default=None)


class _Row(msgspec.Struct, frozen=True):
    id: Number
    rev: Number
    fields: _Fields

    @property
    def item(self) -> RevisedItem:
        return RevisedItem(
            id=self.id,
            rev=self.rev,
            project=self.fields.project,
            work_item_type=self.fields.work_item_type,
            state=self.fields.state,
            assignee=assignee_from_identity(self.fields.assigned_to),
            title=self.fields.title or "",
            area_path=self.fields.area_path or "",
        )


class _Id(msgspec.Struct, frozen=True):
    id: Number


def read_page(
    ask: Callable[[dict[str, str]], PageAnswer], token: str | None, since: float | None
) -> RevisionPage:
    """Return the page behind ``token``, or what was written from ``since`` on; raise FeedLost without a feed.

    ``ask`` makes the call with the query that it is given.
    """
    try:
        return page_from(ask(_ASKED | _start(token, since)))
    except Forbidden as error:
        raise FeedLost("ado", error.detail, kind=FEED_FORBIDDEN) from error
    except (NotFound, Refused, Conflict) as error:
        # ADO quirk: no source says how a token is refused, or how a server without the feed answers. So with
        # a token it is the token, without one the feed (docs/vendor_quirks.md#the-feed-of-revisions).
        kind = FEED_UNSUPPORTED if token is None else FEED_TOKEN_REFUSED
        raise FeedLost("ado", error.detail, kind=kind) from error


def _start(token: str | None, since: float | None) -> dict[str, str]:
    # ADO quirk: a token and a time exclude each other (docs/vendor_quirks.md#the-feed-of-revisions).
    if token is not None:
        return {"continuationToken": token}
    if since is None:
        return {}
    moment = datetime.fromtimestamp(since, UTC)
    return {"startDateTime": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")}


def page_from(page: PageAnswer) -> RevisionPage:
    """Read a page; raise Unavailable if no other can follow it, and FeedLost if a row names no work item."""
    items: list[RevisedItem] = []
    deleted: set[int] = set()
    unreadable: set[int] = set()
    for each in page.values:
        number = _number_of(each)
        if _is_deleted(each):
            deleted.add(number)
        elif (item := _find_readable(each)) is not None:
            items.append(item)
        else:
            unreadable.add(number)
    token = page.token or _token_in(page.next_link)
    if token is None and not page.is_last:
        raise Unavailable("ado", "a page of revisions that does not say where the next one is")
    return RevisionPage(tuple(items), frozenset(deleted), frozenset(unreadable), token, page.is_last)


def _number_of(row: Any) -> int:
    try:
        return convert(row, _Id).id
    except msgspec.ValidationError as error:
        raise FeedLost("ado", "a revision that names no work item", kind=FEED_UNREADABLE) from error


def _is_deleted(row: Any) -> bool:
    try:
        return convert(row, _Marked).fields.is_deleted
    except msgspec.ValidationError:
        return False


def _find_readable(row: Any) -> RevisedItem | None:
    try:
        return convert(row, _Row).item
    except msgspec.ValidationError:
        return None


def _token_in(next_link: str | None) -> str | None:
    """Return the token of an address.

    ADO quirk: some answers name it nowhere else (docs/vendor_quirks.md#the-feed-of-revisions).
    """
    try:
        query = parse_qs(urlsplit(next_link or "").query)
    except ValueError:
        return None
    return next(iter(query.get("continuationToken", ())), None)
