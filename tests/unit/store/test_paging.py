"""A page reads one row more than it shows, however many there are."""

from collections.abc import Callable, Iterator

import pytest

from shared.domain.model import ActivityEntry, End, Ends, IssueLink, IssueSide, IssueStatus, ItemSide, Side
from shared.domain.traffic import Event
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore
from shared.store.tables import LARGEST_PAGE, Row
from shared.store.traffic import TrafficStore
from tests.doubles.tables import MemoryTable

OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))


class CountedTable(MemoryTable):
    """A table that counts the rows that are read from it, and keeps how many were asked for at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.asked: list[int] = []

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        self.asked.append(page_size)
        for row in super().scan(partition, start, end, page_size=page_size):
            self.read += 1
            yield row


def links(table: CountedTable) -> Callable[[int], object]:
    store = LinkStore(table)
    for item in range(1, 21):
        store.add(IssueLink("acme", "100", item, "p", "Bug", OPEN))
    return lambda limit: store.page("acme", None, limit)


def events(table: CountedTable) -> Callable[[int], object]:
    store = TrafficStore(table, lambda: "00000001")
    store.write("acme", "a", {}, [Event(1_000.0 + age, Side.ADO, "updated", "applied") for age in range(20)])
    return lambda limit: store.events("acme", None, limit)


def entries(table: CountedTable) -> Callable[[int], object]:
    store = activity(table)
    for at in range(20):
        store.add("acme", "100", 31, ActivityEntry(1_000.0 + at, "applied"))
    return lambda limit: store.page("acme", "100", 31, None, limit)


def activity(table: CountedTable) -> ActivityStore:
    return ActivityStore(table, lambda: "00000001")


@pytest.mark.parametrize("kind", [links, events, entries])
@pytest.mark.parametrize("limit", [1, 7, 19])
def test_a_page_reads_one_row_more_than_it_shows(
    kind: Callable[[CountedTable], Callable[[int], object]], limit: int
) -> None:
    table = CountedTable()
    page = kind(table)
    table.read = 0
    page(limit)
    assert (table.read, table.asked) == (limit + 1, [limit + 1])


def test_of_work_items_that_are_far_apart_little_is_read_between_them() -> None:
    table = CountedTable()
    store = LinkStore(table)
    for item in range(1, 101):
        store.add(IssueLink("acme", "100", item, "p", "Bug", OPEN))
    found = [each.link.work_item_id for each in store.of_work_items("acme", [1, 100])]
    assert (found, table.read, table.asked) == ([1, 100], 20 + 1, [20, 10])


def test_of_many_links_that_are_over_no_more_are_read_than_are_told() -> None:
    table = CountedTable()
    store = activity(table)
    for item in range(1, 31):
        store.add("acme", "100", item, ActivityEntry(1_000.0 + item, "unlinked"))
    table.read = 0
    assert len(store.ended("acme", End(Side.SENTRY, "100"))) == table.read == 20
