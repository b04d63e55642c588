"""A row that cannot be read harms no other: each store, each damage, on the double and on Azurite."""

import itertools
import uuid
from collections.abc import Callable

import msgspec
import pytest

from shared.domain.errors import AlreadyLinked, Busy, NotFound, Undecidable
from shared.domain.model import ActivityEntry, End, Ends, IssueLink, IssueSide, IssueStatus, ItemSide, Side
from shared.settings import StorageAccount
from shared.store.activity import KEPT_FOR, ActivityStore
from shared.store.idempotency import ClaimedRecord, IdempotencyStore, creation_of
from shared.store.keys import number
from shared.store.links import LinkStore, Page
from shared.store.organizations import OrganizationStore
from shared.store.progress import Progress, ProgressStore, Tally
from shared.store.tables import AzureTable, Delete, Insert, Replace, Table, table_service
from simulator.azurite import Azurite

NOW = 1_800_000_000.0
OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
DAMAGES = {
    "a newer version's value": '{"of": "a newer version"}',
    "nothing": "",
    "null": "null",
    "a list": "[]",
    "a number": "7",
    "cut short": '{"organization":"acme","issue_id"',
    "other types": '{"organization":7,"issue_id":[],"at":"now","since":"then","until":null,"outcome":1}',
    "nested too deep": "[" * 100_000,
    "no text at all": "\x00\ufffd",
}
ODD_LINK_KEYS = (
    "item!",
    "item!!",
    "item!x!100",
    "item!31!100",
    "item!0000000000000031",
    "item!0000000000000031!1!2!3",
)
ODD_ISSUE_KEYS = (
    "issue!",
    "issue!100!",
    "issue!100!x",
    "issue!100!0000000000000031x",
    "issue!100!²",
    "issue!!!",
)
ODD_ACTIVITY_KEYS = (
    "a",
    "!",
    "!!",
    "a!b!c!d",
    "0000000000000031!100!x!99t",
    "0000000000000031!100!²!99t",
    "0000000000000031!100!\u0663!99t",
)

damages = pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())


@pytest.fixture
def links(table: Table) -> LinkStore:
    """Three links of one issue and one work item's; the one between them is to be damaged."""
    links = LinkStore(table)
    for issue_id, work_item_id in (("100", 30), ("100", 31), ("100", 32), ("99", 31)):
        links.add(link(issue_id, work_item_id))
    return links


def link(issue_id: str, work_item_id: int, organization: str = "acme") -> IssueLink:
    return IssueLink(organization, issue_id, work_item_id, "p", "Bug", OPEN)


KEY = f"item!{number(31)}!100"


def readable_ones(links: LinkStore) -> None:
    """Verify that everything but the link of 100 and 31 is found in every way."""
    others = [("100", 30), ("99", 31), ("100", 32)]
    assert [(each.link.issue_id, each.link.work_item_id) for each in links.all("acme")] == others
    assert [each.link.work_item_id for each in links.for_issue("acme", "100")] == [30, 32]
    assert [each.link.issue_id for each in links.for_work_item("acme", 31)] == ["99"]
    pages, continuation = list[Page](), None
    while not pages or continuation:
        pages.append(links.page("acme", continuation, 2))
        continuation = pages[-1].continuation
    found = [(each.link.issue_id, each.link.work_item_id) for page in pages for each in page.links]
    assert found == others
    assert [key for page in pages for key in page.unreadable] == [KEY]
    assert [len(page.links) + len(page.unreadable) for page in pages] == [2, 2]


@damages
def test_a_damaged_link_hides_no_other_and_can_be_removed_by_its_key(
    table: Table, links: LinkStore, damage: str
) -> None:
    table.apply("acme", Replace(KEY, damage, None))
    readable_ones(links)
    assert links.page("acme", None, 10).unreadable == (KEY,)
    assert [each.key for each in links.walk("acme") if each.stored is None] == [KEY]
    with pytest.raises(Undecidable) as raised:
        links.get("acme", "100", 31)
    assert raised.value.kind == "unreadable-link"
    assert str(raised.value) == (
        "the stored link cannot be read by this version of the app; delete it and link again"
    )
    assert links.linked_among("acme", [("100", 31)]) == set()
    with pytest.raises(Undecidable) as raised:
        links.mend("acme", "100", 31)
    assert raised.value.kind == "unreadable-link"
    links.discard("acme", "100", 31)
    assert links.linked_among("acme", [("100", 31)]) == set()
    with pytest.raises(NotFound):
        links.get("acme", "100", 31)
    with pytest.raises(NotFound):
        links.discard("acme", "100", 31)
    links.add(link("100", 31))


INDEX = f"issue!100!{number(31)}"


def test_a_link_without_its_index_is_completed(table: Table, links: LinkStore) -> None:
    before = table.get("acme", INDEX)
    table.apply("acme", Delete(INDEX))
    assert links.linked_among("acme", [("100", 31), ("100", 30)]) == {("100", 30)}
    with pytest.raises(AlreadyLinked):
        links.add(link("100", 31), [links.end("acme", End(Side.ADO, "31"))])
    assert links.mend("acme", "100", 31)
    assert links.linked_among("acme", [("100", 31)]) == {("100", 31)}
    assert table.get("acme", INDEX).text == before.text
    assert [each.link.work_item_id for each in links.for_issue("acme", "100")] == [30, 31, 32]


def test_an_index_without_its_link_is_removed(table: Table, links: LinkStore) -> None:
    table.apply("acme", Delete(KEY))
    assert links.linked_among("acme", [("100", 31), ("100", 30)]) == {("100", 30)}
    with pytest.raises(AlreadyLinked):
        links.add(link("100", 31), [links.end("acme", End(Side.ADO, "31"))])
    assert not links.mend("acme", "100", 31)
    assert INDEX not in [row.key for row in table.scan("acme", "", "~")]
    links.add(link("100", 31))


@damages
def test_an_unreadable_link_without_its_index_stays_until_somebody_deletes_it(
    table: Table, links: LinkStore, damage: str
) -> None:
    table.apply("acme", Delete(INDEX), Replace(KEY, damage, None))
    before = list(table.scan("acme", "", "~"))
    with pytest.raises(Undecidable):
        links.mend("acme", "100", 31)
    assert list(table.scan("acme", "", "~")) == before


def test_nothing_is_mended_of_a_link_that_is_whole_or_not_there(table: Table, links: LinkStore) -> None:
    before = list(table.scan("acme", "", "~"))
    assert links.mend("acme", "100", 31)
    assert not links.mend("acme", "101", 31)
    assert list(table.scan("acme", "", "~")) == before


@damages
def test_a_damaged_link_stands_among_the_other_links_of_its_ends(
    table: Table, links: LinkStore, damage: str
) -> None:
    table.apply("acme", Replace(KEY, damage, None))
    for key in (*ODD_LINK_KEYS, *ODD_ISSUE_KEYS):
        if key != "issue!100!":  # They name no link, and so hide none.
            table.apply("acme", Replace(key, damage, None))
    of_issue = links.siblings("acme", "100", 32, Side.SENTRY)
    assert [each and each.work_item_id for each in of_issue] == [30, None]
    assert [each and each.issue_id for each in links.siblings("acme", "99", 31, Side.ADO)] == [None]
    assert [each and each.work_item_id for each in links.siblings("acme", "100", 31, Side.SENTRY)] == [30, 32]
    assert [each and each.issue_id for each in links.siblings("acme", "100", 31, Side.ADO)] == ["99"]
    assert links.siblings("acme", "100", 32, Side.ADO) == links.siblings("acme", "7", 7, Side.SENTRY) == []
    links.discard("acme", "100", 31)
    assert [each and each.work_item_id for each in links.siblings("acme", "100", 32, Side.SENTRY)] == [30]
    assert links.siblings("acme", "99", 31, Side.ADO) == []


@pytest.mark.parametrize("other", [link("100", 32), link("98", 31), link("100", 31, organization="contoso")])
def test_a_row_that_holds_another_link_than_its_key_names_is_not_believed(
    table: Table, links: LinkStore, other: IssueLink
) -> None:
    table.apply("acme", Replace(KEY, msgspec.json.encode(other).decode(), None))
    readable_ones(links)


@pytest.mark.parametrize("key", [*ODD_LINK_KEYS, *ODD_ISSUE_KEYS])
@pytest.mark.parametrize("text", ["", msgspec.json.encode(link("100", 31)).decode()], ids=["empty", "a link"])
def test_a_row_with_an_odd_key_hides_nothing(table: Table, links: LinkStore, key: str, text: str) -> None:
    before = [each.link for each in links.all("acme")]
    table.apply("acme", Insert(key, text))
    assert [each.link for each in links.all("acme")] == before
    assert len(links.for_issue("acme", "100")) == 3
    assert len(links.for_work_item("acme", 31)) == 2
    found, continuation, asked = list[IssueLink](), None, 0
    while asked == 0 or continuation:
        page = links.page("acme", continuation, 1)
        found += [each.link for each in page.links]
        continuation, asked = page.continuation, asked + 1
    assert (found, asked <= 6) == (before, True)
    links.remove_some("acme", 100)
    assert list(table.scan("acme", "", "~")) == []


@pytest.mark.parametrize("half", [KEY, f"issue!100!{number(31)}"])
def test_half_a_link_can_be_removed_by_its_key(table: Table, links: LinkStore, half: str) -> None:
    for key in {KEY, f"issue!100!{number(31)}"} - {half}:
        table.apply("acme", Delete(key))
    if half != KEY:  # Nothing but the index is left, as when the link is removed between two reads.
        assert [each.link.work_item_id for each in links.for_issue("acme", "100")] == [30, 32]
    links.discard("acme", "100", 31)
    assert half not in {row.key for row in table.scan("acme", "", "~")}


# Activity.


@pytest.fixture
def activity(new_table: Callable[[], Table], table: Table) -> ActivityStore:
    numbers = itertools.count()
    store = ActivityStore(table, lambda: f"{next(numbers):08}")
    for at, outcome in ((NOW - 2, "a"), (NOW - 1, "b"), (NOW, "c")):
        store.add("acme", "100", 31, ActivityEntry(at, outcome))
    return store


def key_of(table: Table, outcome: str) -> str:
    return next(row.key for row in table.scan("acme", "", "~") if f'"outcome":"{outcome}"' in row.text)


@pytest.mark.parametrize(
    "damage", [*DAMAGES.values(), '{"at":1e300,"outcome":"b"}', '{"at":-1e300,"outcome":"b"}']
)
def test_a_damaged_entry_hides_no_other(table: Table, activity: ActivityStore, damage: str) -> None:
    key = key_of(table, "b")
    table.apply("acme", Replace(key, damage, None))
    page = activity.page("acme", "100", 31, None, 10)
    assert ([each.outcome for each in page.entries], page.unreadable) == (["c", "a"], (key,))
    told, passed, continuation, asked = list[str](), list[str](), None, 0
    while asked == 0 or continuation:
        page = activity.page("acme", "100", 31, continuation, 1)
        told += [each.outcome for each in page.entries]
        passed += page.unreadable
        continuation, asked = page.continuation, asked + 1
    assert (told, passed, asked) == (["c", "a"], [key], 3)
    assert activity.prune("acme", NOW).unreadable == (key,)
    assert activity.prune("acme", NOW + KEPT_FOR + 10).removed == 3


@pytest.mark.parametrize("key", ODD_ACTIVITY_KEYS)
def test_an_entry_with_an_odd_key_does_not_stop_the_pruning(
    table: Table, activity: ActivityStore, key: str
) -> None:
    table.apply("acme", Insert(key, '{"at":1.0,"outcome":"odd"}'))
    pruned = activity.prune("acme", NOW + KEPT_FOR + 10)
    assert (pruned.removed, pruned.unreadable) == (3, (key,))
    activity.remove_some("acme", 100)
    assert list(table.scan("acme", "", "~")) == []


# What is done once.


@pytest.mark.parametrize(
    "damage",
    [
        *DAMAGES.values(),
        '{"since":1800000000.0,"until":9e99}',  # claimed for ever
        '{"since":1e300,"until":0}',
        '{"since":-1e300,"until":0}',
    ],
)
def test_a_damaged_record_is_in_doubt_and_claimed_by_nobody(table: Table, damage: str) -> None:
    records = IdempotencyStore(table)
    records.done("acme", claimed(records), "31")
    [key] = [row.key for row in table.scan("acme", "", "~")]
    table.apply("acme", Replace(key, damage, None))
    assert records.forgetting("acme", creation_of("100"), "31") == []
    again = claimed(records)
    assert again.since is not None  # whoever takes it over looks first
    with pytest.raises(Busy):
        records.claim("acme", creation_of("100"), NOW)
    records.done("acme", again, "32")
    assert records.claim("acme", creation_of("100"), NOW) == "32"


def claimed(records: IdempotencyStore) -> ClaimedRecord:
    claim = records.claim("acme", creation_of("100"), NOW)
    assert isinstance(claim, ClaimedRecord)
    return claim


# Progress and refusals.


@damages
def test_damaged_progress_begins_anew_and_counts_nowhere(table: Table, damage: str) -> None:
    progress = ProgressStore(table)
    progress.put("other", Progress(unreadable_links=Tally(last=2), unreadable_entries=Tally(last=1)))
    table.apply("progress", Replace("acme", damage, None))
    assert progress.get("acme") == Progress()
    assert unreadable_in(progress) == (2, 1)
    progress.put("acme", Progress(unreadable_links=Tally(last=1)))
    progress.put("4711", Progress(unreadable_links=Tally(last=1)))
    assert unreadable_in(progress) == (4, 1)


def unreadable_in(progress: ProgressStore) -> tuple[int, int]:
    told = progress.told().values()
    links = sum(each.unreadable_links.last for each in told)
    return links, sum(each.unreadable_entries.last for each in told)


@pytest.mark.parametrize("damage", [*(each for each in DAMAGES.values() if each != "7"), "9e99", "-1"])
@pytest.mark.parametrize("key", ["acme!ado", "acme", "!", "acme!a-newer-service"])
def test_a_damaged_refusal_hides_no_other(table: Table, damage: str, key: str) -> None:
    organizations = OrganizationStore(table, lambda: NOW)
    organizations.note_refusal("other", "ado")
    table.apply("refusals", Replace(key, damage, None))
    assert organizations.refusals() == {"ado": 1}
    organizations.note_acceptance("acme", "ado")
    assert organizations.refusals() == {"ado": 1}


@pytest.mark.parametrize("key", ["acme", "acme!a-newer-service"])
def test_a_refusal_by_nobody_we_know_is_not_told(table: Table, key: str) -> None:
    organizations = OrganizationStore(table, lambda: NOW)
    table.apply("refusals", Insert(key, str(NOW)))
    assert organizations.refusals() == {}


def test_a_text_that_was_made_a_number_by_hand_cannot_be_read(azurite: Azurite) -> None:
    table = own_table(azurite)
    links = LinkStore(table)
    for work_item_id in (30, 31):
        links.add(link("100", work_item_id))
    table._client.upsert_entity({"PartitionKey": "acme", "RowKey": KEY, "Text0": 7})
    assert links.page("acme", None, 10).unreadable == (KEY,)
    assert [each.link.work_item_id for each in links.for_issue("acme", "100")] == [30]
    links.discard("acme", "100", 31)


def own_table(azurite: Azurite) -> AzureTable:
    service = table_service(StorageAccount(connection_string=azurite.connection_string))
    return AzureTable(service.get_table_client(f"t{uuid.uuid4().hex}"))
