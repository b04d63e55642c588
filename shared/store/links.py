"""The links table: two rows for each link, by issue and by work item, always written together.

The row by work item holds the link; the row by issue is an index. Each organization is a partition, and each
epoch of its connection another one: callers name it by ``Organization.scope``.
"""

from collections.abc import Collection, Iterator

import msgspec

from shared.domain.errors import AlreadyLinked, Conflict, NotFound
from shared.domain.model import IssueLink
from shared.store.keys import escaped, number
from shared.store.tables import Delete, Insert, Operation, Replace, Row, Table, remove_first

_ITEM, _ISSUE = "item", "issue"
_END = "~"  # sorts after everything that follows the "!" in a key


class StoredLink(msgspec.Struct, frozen=True):
    """A link and the ETag of the version that was read."""

    link: IssueLink
    etag: str


class Page(msgspec.Struct, frozen=True):
    links: tuple[StoredLink, ...]
    continuation: str | None


class LinkStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization: str, issue_id: str, work_item_id: int) -> StoredLink:
        """Return one link, or raise NotFound."""
        try:
            return _stored(self._table.get(escaped(organization), _item_key(work_item_id, issue_id)))
        except NotFound as error:
            raise _not_linked(issue_id, work_item_id) from error

    def count(self, organization: str) -> int:
        """Count the links by their small rows."""
        return sum(1 for _ in self._table.scan(escaped(organization), f"{_ISSUE}!", f"{_ISSUE}!{_END}"))

    def linked_among(self, organization: str, pairs: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Return which of these pairs of issue and work item are linked, by one look over their range."""
        keys = {_issue_key(*pair): pair for pair in pairs}
        if not keys:
            return set()
        rows = self._table.scan(escaped(organization), min(keys), f"{max(keys)}{_END}")
        return {keys[row.key] for row in rows if row.key in keys}

    def for_work_item(self, organization: str, work_item_id: int) -> list[StoredLink]:
        prefix = f"{_ITEM}!{number(work_item_id)}!"
        return [_stored(row) for row in self._table.scan(escaped(organization), prefix, prefix + _END)]

    def for_issue(self, organization: str, issue_id: str) -> list[StoredLink]:
        prefix = f"{_ISSUE}!{escaped(issue_id)}!"
        found = []
        for row in self._table.scan(escaped(organization), prefix, prefix + _END):
            try:
                found.append(self.get(organization, issue_id, int(row.key.removeprefix(prefix))))
            except NotFound:
                continue  # Removed between the two reads.
        return found

    def page(self, organization: str, continuation: str | None, limit: int) -> Page:
        """Return up to ``limit`` links, ordered by work item, after the previous page's ``continuation``."""
        start = f"{_ITEM}!{continuation}!" if continuation else f"{_ITEM}!"
        found: list[StoredLink] = []
        key = ""
        rows = self._table.scan(escaped(organization), start, f"{_ITEM}!{_END}", page_size=limit + 1)
        for row in rows:
            if len(found) == limit:
                return Page(tuple(found), key.removeprefix(f"{_ITEM}!"))
            found.append(_stored(row))
            key = row.key
        return Page(tuple(found), None)

    def issue_ids_after(self, organization: str, issue_id: str | None, limit: int) -> list[str]:
        """Return the next linked issues in key order, each once; None starts from the beginning."""
        start = f"{_ISSUE}!{escaped(issue_id)}!{_END}" if issue_id else f"{_ISSUE}!"
        found: list[str] = []
        for row in self._table.scan(escaped(organization), start, f"{_ISSUE}!{_END}"):
            key = row.key.split("!")[1]
            if key in found[-1:]:
                continue
            if len(found) == limit:
                break
            found.append(key)
        return found

    def all(self, organization: str) -> Iterator[StoredLink]:
        for row in self._table.scan(escaped(organization), f"{_ITEM}!", f"{_ITEM}!{_END}"):
            yield _stored(row)

    def add(self, link: IssueLink) -> StoredLink:
        """Store a new link, or raise AlreadyLinked."""
        try:
            [etag, _] = self._table.apply(escaped(link.scope), *_insert(link))
        except Conflict as error:
            raise AlreadyLinked(
                f"issue {link.issue_id} and work item {link.work_item_id} are linked already"
            ) from error
        return StoredLink(link, etag)

    def replace(self, stored: StoredLink, link: IssueLink) -> StoredLink:
        """Replace the link that was read; raise Conflict if it changed, NotFound if it is gone."""
        key = _item_key(link.work_item_id, link.issue_id)
        [etag] = self._change(stored, Replace(key, _text(link), stored.etag))
        return StoredLink(link, etag)

    def remove(self, stored: StoredLink) -> None:
        """Remove the link that was read; raise Conflict if it changed, NotFound if it is gone."""
        self._change(stored, *_delete(stored))

    def move(self, stored: StoredLink, issue_id: str) -> StoredLink:
        """Link the work item to another issue instead: the one into which the old issue was merged.

        If that link exists already, only the old link is removed, and the existing one is returned. Raises
        Conflict if the old link changed, NotFound if it is gone.
        """
        moved = msgspec.structs.replace(stored.link, issue_id=issue_id)
        try:
            etags = self._change(stored, *_delete(stored), *_insert(moved))
        except Conflict as conflict:
            try:
                existing = self.get(moved.scope, issue_id, moved.work_item_id)
            except NotFound:
                raise conflict from None  # The old link changed.
            self.remove(stored)
            return existing
        return StoredLink(moved, etags[2])

    def _change(self, stored: StoredLink, *operations: Operation) -> list[str]:
        link = stored.link
        try:
            return self._table.apply(escaped(link.scope), *operations)
        except NotFound as error:
            raise _not_linked(link.issue_id, link.work_item_id) from error

    def remove_some(self, organization: str, limit: int) -> int:
        """Remove at most ``limit`` rows, also half a link of an older version; return how many there were."""
        return remove_first(self._table, escaped(organization), limit)


def _not_linked(issue_id: str, work_item_id: int) -> NotFound:
    return NotFound(f"issue {issue_id[:40]!r} and work item {work_item_id} are not linked", kind="not-linked")


def _insert(link: IssueLink) -> tuple[Insert, Insert]:
    return (
        Insert(_item_key(link.work_item_id, link.issue_id), _text(link)),
        Insert(_issue_key(link.issue_id, link.work_item_id), ""),
    )


def _delete(stored: StoredLink) -> tuple[Delete, Delete]:
    link = stored.link
    return (
        Delete(_item_key(link.work_item_id, link.issue_id), stored.etag),
        Delete(_issue_key(link.issue_id, link.work_item_id)),
    )


def _item_key(work_item_id: int, issue_id: str) -> str:
    return f"{_ITEM}!{number(work_item_id)}!{escaped(issue_id)}"


def _issue_key(issue_id: str, work_item_id: int) -> str:
    return f"{_ISSUE}!{escaped(issue_id)}!{number(work_item_id)}"


def _text(link: IssueLink) -> str:
    return msgspec.json.encode(link).decode()


def _stored(row: Row) -> StoredLink:
    return StoredLink(msgspec.json.decode(row.text, type=IssueLink), row.etag)
