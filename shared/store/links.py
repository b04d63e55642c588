"""The links table: two rows for each link, by issue and by work item, always written together.

The row by work item holds the link; the row by issue is an index. Beside them, one row for each end that we
wrote to says what we wrote, for all links of that end, and one for each link that ended what it may have left
there. Each organization is a partition, and each epoch of
its connection another one: callers name it by ``Organization.scope``. A row that cannot be read is passed
over, and the link that it was can be removed by its key.
"""

import itertools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress

import msgspec

from shared.domain.errors import AlreadyLinked, Conflict, NotFound, Undecidable
from shared.domain.model import End, EndRecord, IssueLink, Remnant, Side
from shared.store.keys import escaped, number
from shared.store.tables import (
    LARGEST_PAGE,
    Delete,
    Insert,
    Operation,
    Replace,
    Row,
    Table,
    etags_after,
    find_row,
    readable,
    remove_first,
)

_ITEM, _ISSUE, _WRITTEN, _REMNANT = "item", "issue", "end", "remnant"
_END = "~"  # sorts after everything that follows the "!" in a key
# Rows to read for each work item that is looked for. Most have one link.
_ROWS_FOR_EACH = 10
_ATTEMPTS = 5


class StoredLink(msgspec.Struct, frozen=True):
    """A link and the ETag of the version that was read."""

    link: IssueLink
    etag: str

    @property
    def place(self) -> str:
        """Name its place among all links, as the way through all of them does."""
        return _item_key(self.link.work_item_id, self.link.issue_id).removeprefix(f"{_ITEM}!")


class StoredEnd(msgspec.Struct, frozen=True):
    """What we wrote to an end of links, and the ETag under which it was read (None: there is no row)."""

    end: End
    record: EndRecord = EndRecord()
    etag: str | None = None


class StoredRemnant(msgspec.Struct, frozen=True):
    """What an ended link may have left on its ends, and the ETag of the version that was read."""

    remnant: Remnant
    etag: str


class Page(msgspec.Struct, frozen=True):
    """``unreadable`` are the keys of rows that were passed over."""

    links: tuple[StoredLink, ...]
    continuation: str | None
    unreadable: tuple[str, ...] = ()


class Passed(msgspec.Struct, frozen=True):
    """A row on the way through all links: its place among them, and the link unless it cannot be read."""

    place: str
    key: str
    stored: StoredLink | None

    @property
    def work_item(self) -> str:
        """Name the work item as the place does, also where the link cannot be read."""
        return self.place.partition("!")[0]


class LinkStore:
    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization: str, issue_id: str, work_item_id: int) -> StoredLink:
        """Return one link, or raise NotFound, or Undecidable if its row cannot be read."""
        partition = escaped(organization)
        try:
            row = self._table.get(partition, _item_key(work_item_id, issue_id))
        except NotFound as error:
            raise _not_linked(issue_id, work_item_id) from error
        return _readable(partition, row)

    def end(self, organization: str, end: End) -> StoredEnd:
        """Return what we wrote to an end of links, as one row for all of them."""
        try:
            row = self._table.get(escaped(organization), _end_key(end))
        except NotFound:
            return StoredEnd(end)
        # A row that cannot be read says nothing, and is replaced by the next write.
        return StoredEnd(end, readable(row, EndRecord) or EndRecord(), row.etag)

    def count(self, organization: str) -> int:
        """Count the links by their small rows."""
        return sum(1 for _ in self._table.scan(escaped(organization), f"{_ISSUE}!", f"{_ISSUE}!{_END}"))

    def linked_among(self, organization: str, pairs: Collection[tuple[str, int]]) -> set[tuple[str, int]]:
        """Return which of these pairs of issue and work item are linked, by both of their rows."""
        keys = {_issue_key(*pair): pair for pair in pairs}
        if not keys:
            return set()
        rows = self._table.scan(escaped(organization), min(keys), f"{max(keys)}{_END}")
        indexed = {keys[row.key] for row in rows if row.key in keys}
        stored = self.of_work_items(organization, {work_item_id for _, work_item_id in indexed})
        return indexed & {(each.link.issue_id, each.link.work_item_id) for each in stored}

    def by_short_id(
        self, organization: str, pairs: Collection[tuple[str, int]]
    ) -> dict[tuple[str, int], str]:
        """Return the issue's id for each of these pairs of short id and work item that is linked."""
        if not pairs:
            return {}
        numbers = [work_item_id for _, work_item_id in pairs]
        start, end = (f"{_ITEM}!{number(each)}!" for each in (min(numbers), max(numbers)))
        links = (stored.link for stored in self._scan(organization, start, end + _END))
        return {
            (link.short_id.upper(), link.work_item_id): link.issue_id
            for link in links
            if (link.short_id.upper(), link.work_item_id) in pairs
        }

    def for_work_item(self, organization: str, work_item_id: int) -> list[StoredLink]:
        prefix = f"{_ITEM}!{number(work_item_id)}!"
        return list(self._scan(organization, prefix, prefix + _END))

    def for_issue(self, organization: str, issue_id: str, *, but: int | None = None) -> list[StoredLink]:
        """Return the links of an issue, except the one to the work item ``but``."""
        return [each for each in self.of_issue(organization, issue_id, but) if each is not None]

    def siblings(
        self, organization: str, issue_id: str, work_item_id: int, side: Side
    ) -> list[IssueLink | None]:
        """Return the other links of the end on a side of this link; None is one that cannot be read."""
        if side is Side.SENTRY:
            found = self.of_issue(organization, issue_id, work_item_id)
        else:
            found = self._of_work_item(organization, work_item_id, issue_id)
        return [None if each is None else each.link for each in found]

    def of_issue(
        self, organization: str, issue_id: str, but: int | None = None
    ) -> Iterator[StoredLink | None]:
        """Yield the links of an issue, except the one to ``but``; None is one that cannot be read."""
        prefix = f"{_ISSUE}!{escaped(issue_id)}!"
        for row in self._table.scan(escaped(organization), prefix, prefix + _END):
            work_item_id = _work_item_id_in(row.key)
            if work_item_id is None or work_item_id == but:
                continue
            with suppress(NotFound):  # It may have been removed between the two reads.
                try:
                    yield self.get(organization, issue_id, work_item_id)
                except Undecidable:
                    yield None

    def _of_work_item(self, organization: str, work_item_id: int, but: str) -> Iterator[StoredLink | None]:
        partition, prefix = escaped(organization), f"{_ITEM}!{number(work_item_id)}!"
        for row in self._table.scan(partition, prefix, prefix + _END):
            name = row.key.removeprefix(prefix)
            if name and "!" not in name and name != escaped(but):
                yield _stored(partition, row)

    def walk(
        self, organization: str, after: str | None = None, *, page_size: int = LARGEST_PAGE
    ) -> Iterator[Passed]:
        """Yield every row behind a place, ordered by work item; None begins with the first.

        However many there are, only a page of what storage answers is in memory.
        """
        # Each of our keys goes on with a digit. One before the first would name no place.
        start = f"{_ITEM}!{after}!" if after else f"{_ITEM}!0"
        partition = escaped(organization)
        for row in self._table.scan(partition, start, f"{_ITEM}!{_END}", page_size=page_size):
            yield Passed(row.key.removeprefix(f"{_ITEM}!"), row.key, _stored(partition, row))

    def page(self, organization: str, continuation: str | None, limit: int) -> Page:
        """Return up to ``limit`` links, ordered by work item, after the previous page's ``continuation``."""
        rows = list(itertools.islice(self.walk(organization, continuation, page_size=limit + 1), limit + 1))
        passed = rows[:limit]
        return Page(
            tuple(each.stored for each in passed if each.stored is not None),
            passed[-1].place if len(rows) > limit else None,
            tuple(each.key for each in passed if each.stored is None),
        )

    def of_work_items(self, organization: str, work_item_ids: Iterable[int]) -> Iterator[StoredLink]:
        """Yield the links of these work items, ordered by work item.

        A read goes on from the next one that is wanted. So there are at most as many reads as work items are
        wanted, and few where their links are close together.
        """
        partition = escaped(organization)
        wanted = deque(f"{_ITEM}!{number(each)}!" for each in sorted(set(work_item_ids)))
        names, behind = frozenset(wanted), ""
        while wanted:
            limit = min(LARGEST_PAGE, _ROWS_FOR_EACH * len(wanted))
            start = max(wanted[0], behind)
            rows = self._table.scan(partition, start, wanted[-1] + _END, page_size=limit)
            read = list(itertools.islice(rows, limit))
            found = (_stored(partition, row) for row in read if row.key.rpartition("!")[0] + "!" in names)
            yield from (stored for stored in found if stored is not None)
            if len(read) < limit:
                return
            behind = read[-1].key + "\0"
            while wanted and wanted[0] + _END < behind:
                wanted.popleft()

    def all(self, organization: str) -> Iterator[StoredLink]:
        return self._scan(organization, f"{_ITEM}!", f"{_ITEM}!{_END}")

    def _scan(self, organization: str, start: str, end: str) -> Iterator[StoredLink]:
        partition = escaped(organization)
        found = (_stored(partition, row) for row in self._table.scan(partition, start, end))
        return (stored for stored in found if stored is not None)

    def add(
        self, link: IssueLink, ends: Sequence[StoredEnd] = (), marks: Sequence[Replace] = ()
    ) -> StoredLink:
        """Store a new link, the rows of its ends, and the ``marks`` of the claims under which it is made.

        All or nothing: raises AlreadyLinked, or Conflict if an end or a claim changed.
        """
        try:
            etag, *_ = self._table.apply(escaped(link.scope), *_insert(link), *map(_put, ends), *marks)
        except (Conflict, NotFound) as error:
            if (ends or marks) and not any(self._halves(link.scope, link.issue_id, link.work_item_id)):
                raise Conflict("what the link depends on changed at this moment") from error
            raise AlreadyLinked(
                f"issue {link.issue_id} and work item {link.work_item_id} are linked already"
            ) from error
        return StoredLink(link, etag)

    def replace(self, stored: StoredLink, link: IssueLink) -> StoredLink:
        """Replace the link that was read; raise Conflict if it changed, NotFound if it is gone."""
        return self.replace_with_ends(stored, link, ())[0]

    def replace_with_ends(
        self, stored: StoredLink, link: IssueLink, ends: Sequence[StoredEnd]
    ) -> tuple[StoredLink, tuple[StoredEnd, ...]]:
        """Replace the link and the rows of its ends, all or none, each if it is as it was read."""
        key = _item_key(link.work_item_id, link.issue_id)
        etag, *etags = self._change(stored, Replace(key, _text(link), stored.etag), *map(_put, ends))
        kept = (msgspec.structs.replace(end, etag=each) for end, each in zip(ends, etags, strict=True))
        return StoredLink(link, etag), tuple(kept)

    def remove(
        self, stored: StoredLink, remnant: Remnant | None = None, others: Sequence[Delete] = ()
    ) -> None:
        """Remove the link that was read, and note at once what it may leave on its ends.

        ``others`` are rows that end with it. Raises Conflict if one of them or the link changed, NotFound if
        it is gone.
        """
        changes: list[Operation] = [*_delete(stored), *_left(remnant), *others]
        try:
            self._change(stored, *changes)
        except NotFound:
            # Storage repeats a removal by itself: nobody else leaves the very same remnant.
            if etags_after(self._table, escaped(stored.link.scope), changes) is None:
                raise

    def discard(
        self,
        organization: str,
        issue_id: str,
        work_item_id: int,
        remnant: Remnant | None = None,
        others: Callable[[], Sequence[Delete]] = tuple,
    ) -> None:
        """Remove a link by its key, in whatever version, or what can be found of it; or raise NotFound.

        What it may leave on its ends is noted at once, and what ``others`` finds ends with it. Raises
        Conflict if somebody changes it again and again. One that follows a merge at this moment is not there.
        """
        partition, gone = escaped(organization), None
        for attempt in range(_ATTEMPTS):
            item, index = self._halves(organization, issue_id, work_item_id)
            deletions = _deletions(item, index)
            if not deletions and attempt and (gone is None or not self._has_moved(gone.link)):
                return  # Somebody else removed it, or we did: storage repeats a call by itself.
            if not deletions:
                raise _not_linked(issue_id, work_item_id)
            gone = None if item is None else _stored(partition, item)
            with suppress(NotFound, Conflict):  # Somebody else removes or stores it at this moment.
                self._table.apply(partition, *deletions, *_left(remnant), *others())
                return
        raise Conflict(f"lost {_ATTEMPTS} races in a row")

    def _has_moved(self, link: IssueLink) -> bool:
        """Tell whether a link that is gone is another issue's by now, as after a merge."""
        others = (each.link for each in self.for_work_item(link.scope, link.work_item_id))
        # Links of an older version do not say when they were made.
        return any(link.issue_id in each.names or 0.0 < each.linked_at == link.linked_at for each in others)

    def mend(self, organization: str, issue_id: str, work_item_id: int) -> bool:
        """Make half a link whole, or remove what says nothing; tell whether the two are linked.

        Raises Undecidable if the row that holds the link cannot be read: it stays until somebody deletes it.
        """
        partition = escaped(organization)
        item, index = self._halves(organization, issue_id, work_item_id)
        if item is None:
            if index is not None:
                with suppress(NotFound, Conflict):  # Somebody else removes or stores it at this moment.
                    self._table.apply(partition, Delete(index.key, index.etag))
            return False
        _readable(partition, item)
        if index is None:
            missing = Insert(_issue_key(issue_id, work_item_id), "")
            try:
                self._table.apply(partition, Replace(item.key, item.text, item.etag), missing)
            except (NotFound, Conflict):
                return False
        return True

    def _halves(self, organization: str, issue_id: str, work_item_id: int) -> tuple[Row | None, Row | None]:
        """Return the row that holds a link, and the one of the index.

        No read shows two rows at one moment. A link that is stored between the two would look like a half.
        """
        partition, item_key = escaped(organization), _item_key(work_item_id, issue_id)
        issue_key = _issue_key(issue_id, work_item_id)
        for _ in range(_ATTEMPTS):
            keys = (issue_key, item_key, issue_key)
            before, item, index = (find_row(self._table, partition, key) for key in keys)
            if before == index:
                break
        return item, index

    def move(
        self,
        stored: StoredLink,
        issue_id: str,
        ends: Sequence[StoredEnd] = (),
        marks: Sequence[Insert | Replace] = (),
    ) -> StoredLink:
        """Link the work item to another issue instead: the one into which the old issue was merged.

        ``marks`` are records of the old issue that follow it. If the link exists already, the old one is
        removed, and the existing one learns its names and is returned. Raises Conflict if a link or what
        ``marks`` records changed, NotFound if the link is gone.
        """
        moved = stored.link.moved_to(issue_id)
        try:
            etags = self._change(stored, *_delete(stored), *_insert(moved), *map(_put, ends), *marks)
        except Conflict as conflict:
            try:
                existing = self.get(moved.scope, issue_id, moved.work_item_id)
            except NotFound:
                self.mend(moved.scope, issue_id, moved.work_item_id)
                raise conflict from None  # The old link changed, or half a link was in its place.
            remnant = None if stored.link.back_links is None else stored.link.remnant(due=0.0)
            known = existing.link.known_as(stored.link.names, 0.0)
            key = _item_key(known.work_item_id, known.issue_id)
            taught = [Replace(key, _text(known), existing.etag)] if known != existing.link else []
            etags = self._change(stored, *_delete(stored), *map(_put, ends), *_left(remnant), *marks, *taught)
            return StoredLink(known, etags[-1] if taught else existing.etag)
        return StoredLink(moved, etags[2])

    def _change(self, stored: StoredLink, *operations: Operation) -> list[str]:
        """Change a link that was read, and what depends on it; half a link is made whole first."""
        link = stored.link
        try:
            return self._table.apply(escaped(link.scope), *operations)
        except NotFound as error:
            if self.mend(link.scope, link.issue_id, link.work_item_id):
                raise Conflict("the link was half a link") from error
            raise _not_linked(link.issue_id, link.work_item_id) from error

    # What ended links may have left

    def leave(self, organization: str, remnant: Remnant) -> None:
        """Note what is to be taken away from the ends of a link that is removed."""
        key = _remnant_key(remnant.issue_id, remnant.work_item_id)
        self._table.apply(escaped(organization), Replace(key, _text(remnant), None))

    def find_remnant(self, organization: str, issue_id: str, work_item_id: int) -> StoredRemnant | None:
        try:
            row = self._table.get(escaped(organization), _remnant_key(issue_id, work_item_id))
        except NotFound:
            return None
        # A row that cannot be read says at least that there is one.
        return StoredRemnant(readable(row, Remnant) or Remnant(issue_id, work_item_id, 0.0), row.etag)

    def remnants(self, organization: str) -> Iterator[StoredRemnant]:
        """Yield what ended links may have left, ordered by work item."""
        for row in self._table.scan(escaped(organization), f"{_REMNANT}!", f"{_REMNANT}!{_END}"):
            remnant = readable(row, Remnant)
            if remnant is not None:
                yield StoredRemnant(remnant, row.etag)

    def replace_remnant(self, organization: str, stored: StoredRemnant, remnant: Remnant | None) -> None:
        """Replace what was read, or remove it; raise Conflict if it changed, NotFound if it is gone."""
        key = _remnant_key(stored.remnant.issue_id, stored.remnant.work_item_id)
        change: Operation = Delete(key, stored.etag)
        if remnant is not None:
            change = Replace(key, _text(remnant), stored.etag)
        self._table.apply(escaped(organization), change)

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


def _deletions(item: Row | None, index: Row | None) -> list[Delete]:
    """Return how to delete the rows of a link that are there: half a link only as it was read."""
    if item is not None and index is not None:
        return [Delete(item.key), Delete(index.key)]
    return [Delete(row.key, row.etag) for row in (item, index) if row is not None]


def _item_key(work_item_id: int, issue_id: str) -> str:
    return f"{_ITEM}!{number(work_item_id)}!{escaped(issue_id)}"


def _issue_key(issue_id: str, work_item_id: int) -> str:
    return f"{_ISSUE}!{escaped(issue_id)}!{number(work_item_id)}"


def _end_key(end: End) -> str:
    if end.side is Side.ADO:
        return f"{_WRITTEN}!{_ITEM}!{number(int(end.id))}"
    return f"{_WRITTEN}!{_ISSUE}!{escaped(end.id)}"


def _remnant_key(issue_id: str, work_item_id: int) -> str:
    return f"{_REMNANT}!{number(work_item_id)}!{escaped(issue_id)}"


def _left(remnant: Remnant | None) -> list[Replace]:
    if remnant is None:
        return []
    return [Replace(_remnant_key(remnant.issue_id, remnant.work_item_id), _text(remnant), None)]


def _put(stored: StoredEnd) -> Insert | Replace:
    key, text = _end_key(stored.end), _text(stored.record)
    return Insert(key, text) if stored.etag is None else Replace(key, text, stored.etag)


def _text(value: IssueLink | EndRecord | Remnant) -> str:
    return msgspec.json.encode(value).decode()


def _work_item_id_in(key: str) -> int | None:
    """Return the work item that a row by issue names, or None if its key is not one of ours."""
    name = key.rpartition("!")[2]
    return int(name) if name.isascii() and name.isdecimal() else None


def _stored(partition: str, row: Row) -> StoredLink | None:
    """Return the link in a row, or None if it cannot be read or is not the link that its key names."""
    link = readable(row, IssueLink)
    if link is None or (partition, row.key) != _place(link):
        return None
    return StoredLink(link, row.etag)


def _readable(partition: str, row: Row) -> StoredLink:
    stored = _stored(partition, row)
    if stored is None:
        problem = "the stored link cannot be read by this version of the app; delete it and link again"
        raise Undecidable(problem, kind="unreadable-link")
    return stored


def _place(link: IssueLink) -> tuple[str, str]:
    return escaped(link.scope), _item_key(link.work_item_id, link.issue_id)
