"""What the feed of revisions does: the double in memory, and the real client of the fake over HTTP."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import FeedLost, Unavailable
from shared.domain.model import RevisedItem, RevisionPage, Stranger, WorkItem
from shared.http import BackOff, new_session
from simulator.ado import FakeAdo
from simulator.ado.organization import TOKEN
from simulator.ado.revisions import FeedModes
from tests.doubles.ado import MemoryAdo
from tests.doubles.clock import START, Clock

ANN, BOB = "ann@corp.example", "bob@corp.example"
CLOSED = {"System.State": "Closed"}


@dataclass
class Bench:
    """``ado`` is what our token may do; ``people`` what people do, by the same names on both."""

    ado: MemoryAdo | AdoClient
    people: Any
    clock: Clock
    project_id: Callable[[str], str]

    def seen(self, page: RevisionPage) -> list[tuple[int, int]]:
        return [(item.id, item.rev) for item in page.items]


@pytest.fixture(params=["memory", "http"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    clock = Clock()
    if request.param == "memory":
        double = MemoryAdo(clock=clock)
        yield Bench(double, double, clock, lambda name: double.catalog.project(name).id)
        return
    with FakeAdo(now=clock.moment) as fake, new_session(AddressPolicy(loopback=True)) as session:
        client = AdoClient(fake.organization_url, session, personal_access_token(TOKEN), BackOff())
        yield Bench(client, fake, clock, fake.project_id)


def test_a_change_is_shown_with_all_that_the_sync_knows_of_it(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31, kind="Task", **{"System.AssignedTo": ANN})
    page = bench.ado.get_revisions(None)
    [item] = page.items
    assert (item.project, page.is_last) == ("Fabrikam-Fiber", True)
    project_ids = bench.ado.find_project_ids([item.project])
    expected = replace(bench.ado.get_work_item(31), reasons=None)
    assert item.in_project(project_ids["Fabrikam-Fiber"]) == expected


def test_nothing_changed_is_one_empty_last_page_with_the_same_token(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    token = bench.ado.get_revisions(None).token
    assert bench.ado.get_revisions(token) == RevisionPage((), frozenset(), frozenset(), token, is_last=True)


def test_of_each_work_item_only_its_newest_revision_is_shown(bench: Bench) -> None:
    for number in (31, 32):
        bench.people.add_item("Fix login", number)
    token = bench.ado.get_revisions(None).token
    bench.people.edit(31, **{"System.State": "Active"})
    bench.people.edit(31, **{"System.AssignedTo": BOB})
    assert bench.seen(bench.ado.get_revisions(token)) == [(31, 3)]


def test_pages_follow_each_other_until_the_last_and_lose_nothing(bench: Bench) -> None:
    bench.people.revision_log.page_size = 2
    for number in range(31, 36):
        bench.people.add_item("Fix login", number)
    bench.people.edit(31, **CLOSED)
    bench.people.edit(32, **CLOSED)
    token: str | None = None
    seen: list[tuple[int, int]] = []
    pages = 0
    while True:
        page = bench.ado.get_revisions(token)
        seen += bench.seen(page)
        token, pages = page.token, pages + 1
        if page.is_last:
            break
    # The first page holds nothing: of both items in it there are newer revisions.
    assert (pages, seen) == (4, [(33, 1), (34, 1), (35, 1), (31, 2), (32, 2)])


@pytest.mark.parametrize(
    ("deleted_as", "items", "deleted"),
    [("flagged", [], {31}), ("bare", [], {31}), ("unflagged", [(31, 2)], set()), ("absent", [], set())],
)
def test_a_deleted_item_is_told_apart_however_the_feed_shows_it(
    bench: Bench, deleted_as: Any, items: list[tuple[int, int]], deleted: set[int]
) -> None:
    bench.people.feed_modes = FeedModes(deleted_as=deleted_as)
    bench.people.add_item("Fix login", 31)
    token = bench.ado.get_revisions(None).token
    bench.people.delete(31)
    page = bench.ado.get_revisions(token)
    assert (bench.seen(page), set(page.deleted), set(page.unreadable)) == (items, deleted, set())
    bench.people.restore(31)
    page = bench.ado.get_revisions(page.token)
    assert (bench.seen(page), page.deleted) == ([(31, 3)], frozenset())


def test_a_late_revision_shows_up_behind_what_was_written_after_it(bench: Bench) -> None:
    bench.people.revision_log.lags = {31: 7.0}
    for number in (31, 32):
        bench.people.add_item("Fix login", number)
    page = bench.ado.get_revisions(None)
    assert (bench.seen(page), page.is_last) == ([(32, 1)], True)
    bench.clock.now += 6.9
    assert bench.seen(bench.ado.get_revisions(page.token)) == []
    bench.clock.now += 0.1
    assert bench.seen(bench.ado.get_revisions(page.token)) == [(31, 1)]


def test_of_several_late_revisions_the_one_that_is_due_first_comes_first(bench: Bench) -> None:
    bench.people.revision_log.lags = {31: 9.0, 32: 3.0}
    for number in (31, 32, 33):
        bench.people.add_item("Fix login", number)
    bench.clock.now += 10.0
    assert bench.seen(bench.ado.get_revisions(None)) == [(33, 1), (32, 1), (31, 1)]


def test_a_late_revision_that_is_not_the_newest_any_more_is_not_shown(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    token = bench.ado.get_revisions(None).token
    bench.people.revision_log.lag = 7.0
    bench.people.edit(31, **{"System.State": "Active"})
    bench.people.revision_log.lag = 0.0
    bench.people.edit(31, **CLOSED)
    page = bench.ado.get_revisions(token)
    assert bench.seen(page) == [(31, 3)]
    bench.people.revision_log.show_all()
    page = bench.ado.get_revisions(page.token)
    assert (bench.seen(page), page.is_last) == ([], True)


def test_a_time_shows_what_was_written_from_then_on(bench: Bench) -> None:
    for number in (31, 32, 33):
        bench.people.add_item("Fix login", number)
        bench.clock.now += 10.0
    assert bench.seen(bench.ado.get_revisions(None, since=START + 10.0)) == [(32, 1), (33, 1)]
    page = bench.ado.get_revisions(None, since=START + 30.0)
    assert (page.items, page.is_last) == ((), True)
    bench.people.edit(32, **CLOSED)
    assert bench.seen(bench.ado.get_revisions(page.token)) == [(32, 2)]


def test_a_quiet_feed_may_give_no_token_and_is_asked_by_time_again(bench: Bench) -> None:
    bench.people.feed_modes = FeedModes(empty_has_token=False)
    page = bench.ado.get_revisions(None, since=START)
    assert (page.items, page.token, page.is_last) == ((), None, True)
    bench.people.add_item("Fix login", 31)
    assert bench.seen(bench.ado.get_revisions(None, since=START)) == [(31, 1)]


@pytest.mark.parametrize("lost_token", [400, 404, 409, 410])
def test_a_token_that_is_lost_or_foreign_is_told_by_whatever_status(bench: Bench, lost_token: int) -> None:
    bench.people.feed_modes = FeedModes(lost_token=lost_token)
    bench.people.add_item("Fix login", 31)
    old = bench.ado.get_revisions(None).token
    bench.people.revision_log.forget_tokens()
    for token in (old, "7;31;7", "nonsense"):
        with pytest.raises(FeedLost) as raised:
            bench.ado.get_revisions(token)
        assert raised.value.kind == "feed-token-refused"
    new = bench.ado.get_revisions(None, since=START + 1).token
    assert bench.ado.get_revisions(new).is_last


def test_a_lost_token_may_look_like_an_outage_or_like_a_new_start(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.feed_modes = FeedModes(lost_token=500)
    with pytest.raises(Unavailable):
        bench.ado.get_revisions("7;31;7")
    bench.people.feed_modes = FeedModes(lost_token=200)
    assert bench.seen(bench.ado.get_revisions("7;31;7")) == [(31, 1)]


@pytest.mark.parametrize(
    ("refusal", "with_token", "without"),
    [
        (404, "feed-token-refused", "feed-unsupported"),
        (405, "feed-token-refused", "feed-unsupported"),
        (403, "feed-forbidden", "feed-forbidden"),
    ],
)
def test_a_server_without_a_feed_for_us_says_so(
    bench: Bench, refusal: int, with_token: str, without: str
) -> None:
    bench.people.add_item("Fix login", 31)
    token = bench.ado.get_revisions(None).token
    bench.people.feed_modes = FeedModes(refusal=refusal)
    for asked, kind in ((token, with_token), (None, without)):
        with pytest.raises(FeedLost) as raised:
            bench.ado.get_revisions(asked)
        assert raised.value.kind == kind
    # It is no refusal of our credentials: whatever else is asked is answered.
    for _ in range(3):
        with pytest.raises(FeedLost):
            bench.ado.get_revisions(None)
    assert bench.ado.get_work_item(31).rev == 1


def test_a_moved_item_names_its_new_project(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.move(31, "Tailored")
    [item] = bench.ado.get_revisions(None).items
    assert (item.project, item.area_path) == ("Tailored", "Tailored")


def test_somebody_without_an_address_is_a_stranger(bench: Bench) -> None:
    bench.people.add_person("Build Service", "")
    bench.people.add_item("Fix login", 31, **{"System.AssignedTo": "Build Service"})
    [item] = bench.ado.get_revisions(None).items
    assert isinstance(item.assignee, Stranger)
    assert item.assignee.reason == "assignee-unreadable"


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["Tailored", "No Such Project"],
        ["fabrikam-fiber"],
        ["Fabrikam-Fiber", "Scrum Team", "Basic Board", "CMMI Works", "No Such Project"],
    ],
)
def test_projects_are_found_by_name_and_those_that_are_gone_are_left_out(
    bench: Bench, names: list[str]
) -> None:
    found = bench.ado.find_project_ids(names)
    assert found == {name: bench.project_id(name) for name in names if name != "No Such Project"}


def test_a_snapshot_of_the_feed_is_the_item_as_it_would_be_read() -> None:
    item = RevisedItem(id=31, rev=3, project="P", work_item_type="Bug", state="New", title="T", area_path="A")
    assert item.in_project("guid") == WorkItem(
        id=31, rev=3, project_id="guid", work_item_type="Bug", state="New", title="T", area_path="A"
    )
