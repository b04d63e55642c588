"""Rows that an older version of the app wrote are read, written over and removed by this one.

They are planted as that version left them, in Azurite entity by entity. Words in the code change; these stay.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration, ProjectMapping, StatusMapping
from shared.domain.errors import Busy, NotFound
from shared.domain.model import (
    ActivityEntry,
    Category,
    Claim,
    Ends,
    Health,
    HealthWord,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
    Stranger,
)
from shared.settings import StorageAccount
from shared.store.activity import KEPT_FOR, ActivityStore, Pruned
from shared.store.idempotency import ClaimedRecord, IdempotencyStore, comment_of, creation_of
from shared.store.links import LinkStore
from shared.store.organizations import OrganizationStore
from shared.store.progress import Progress, ProgressStore
from shared.store.tables import AzureTable, Insert, Table, table_service
from simulator.azurite import Azurite
from tests.doubles.tables import MemoryTable

ROWS = Path(__file__).parents[1] / "payloads" / "rows" / "bc49d4f.txt"
ACME, PROJECT, NOW = "acme", "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", 1_800_000_000.0
ANN = Person("ann@corp.example")
OPEN, RESOLVED = IssueStatus.UNRESOLVED, IssueStatus.RESOLVED

PLAIN = IssueLink(ACME, "100", 31, PROJECT, "Bug", Ends(IssueSide(OPEN), ItemSide(1, "New", OPEN)))
ACTIVE = ItemSide(7, "Active", OPEN, ANN)
FULL = IssueLink(
    ACME,
    "g/7",
    4_294_967_296,
    PROJECT,
    "User Story",
    Ends(IssueSide(OPEN, Stranger("team-assignee", "team:7")), ACTIVE),
    title="Crash",
    area_path="Fabrikam\\Web",
    open_state="Active",
    owed=Side.SENTRY,
    health=Health(
        HealthWord.ATTENTION,
        "assignee-not-found",
        "nobody on the other side had this address",
        since=NOW,
        attempts=2,
        due=NOW + 900,
    ),
    claim=Claim(
        "0123456789abcdef",
        until=NOW + 60,
        tested_rev=7,
        intents=(
            Intent(Side.ADO, "status", state="Closed", status=RESOLVED),
            Intent(Side.SENTRY, "assignee", assignee=ANN),
        ),
        after=Ends(IssueSide(RESOLVED, ANN), ACTIVE),
    ),
    writes=(NOW - 10, NOW),
)
STORY = (
    ActivityEntry(
        NOW + 1.5,
        "refused",
        direction="inbound",
        field="assignee",
        after="ann@corp.example",
        reason="assignee-not-found",
    ),
    ActivityEntry(
        NOW + 1.5, "applied", direction="outbound", field="status", before="New", after="Closed", rev=2
    ),
    ActivityEntry(NOW, "linked", rev=1),
)
DOCUMENT = Configuration(
    ado_url="https://dev.azure.com/fabrikam/",
    ado_account_id="1b6b0f2c-3a9e-4a52-8b1b-6c0a8f0e5f11",
    sentry_organization="acme-inc",
    sync_comments=True,
    done_categories=(Category.COMPLETED,),
    status_mapping={
        PROJECT: ProjectMapping("Closed", "New", ("Removed",), {"Bug": StatusMapping("Resolved", "Active")})
    },
    people={"ann@corp.example": "ann@home.example"},
    on_conflict=Side.SENTRY,
)


def rows_of(table: str) -> Iterable[tuple[str, str, str]]:
    """Yield partition, key and text; the row that finds a link by its issue has no text."""
    for line in ROWS.read_text(encoding="utf-8").splitlines():
        where, partition, key, *text = line.split(" ", 3)
        if where == table:
            yield partition, key, "".join(text)


def in_memory(name: str) -> Table:
    table = MemoryTable()
    for partition, key, text in rows_of(name):
        table.apply(partition, Insert(key, text))
    return table


def in_azurite(azurite: Azurite, name: str) -> Table:
    service = table_service(StorageAccount(connection_string=azurite.connection_string))
    client = service.create_table(f"t{uuid.uuid4().hex}")
    for partition, key, text in rows_of(name):
        client.create_entity({"PartitionKey": partition, "RowKey": key, **({"Text0": text} if text else {})})
    return AzureTable(client)


@pytest.fixture(params=["memory", "azurite"])
def stored(request: pytest.FixtureRequest) -> Callable[[str], Table]:
    """A function that returns a table as the older version left it."""
    if request.param == "memory":
        return in_memory
    azurite: Azurite = request.getfixturevalue("azurite")
    return lambda name: in_azurite(azurite, name)


@pytest.fixture
def links_table(stored: Callable[[str], Table]) -> Table:
    return stored("links")


@pytest.fixture
def links(links_table: Table) -> LinkStore:
    return LinkStore(links_table)


@pytest.fixture
def records(links_table: Table) -> IdempotencyStore:
    return IdempotencyStore(links_table)


@pytest.fixture
def activity(stored: Callable[[str], Table]) -> ActivityStore:
    return ActivityStore(stored("activity"), lambda: "fedcba9876543210")


@pytest.fixture
def organizations_table(stored: Callable[[str], Table]) -> Table:
    return stored("organizations")


@pytest.fixture
def organizations(organizations_table: Table) -> OrganizationStore:
    return OrganizationStore(organizations_table, lambda: NOW + 60)


@pytest.mark.parametrize("link", [PLAIN, FULL], ids=["plain", "full"])
def test_a_link_is_found_by_both_its_ends_with_all_that_it_holds(links: LinkStore, link: IssueLink) -> None:
    assert links.get(ACME, link.issue_id, link.work_item_id).link == link
    assert [each.link for each in links.for_issue(ACME, link.issue_id)] == [link]
    assert [each.link for each in links.for_work_item(ACME, link.work_item_id)] == [link]
    assert links.count(ACME) == 2


def test_all_links_are_found_in_turn(links: LinkStore) -> None:
    assert [each.link for each in links.all(ACME)] == [PLAIN, FULL]
    assert [each.stored.link for each in links.walk(ACME) if each.stored] == [PLAIN, FULL]


@pytest.mark.parametrize("link", [PLAIN, FULL], ids=["plain", "full"])
def test_a_link_is_written_over_in_its_place_and_removed_whole(
    links: LinkStore, links_table: Table, link: IssueLink
) -> None:
    settled = replace(link, claim=None, health=Health(), title="Settled")
    changed = links.replace(links.get(ACME, link.issue_id, link.work_item_id), settled)
    assert [each.link for each in links.for_issue(ACME, link.issue_id)] == [settled]
    links.remove(changed)
    left = [row.key for row in links_table.scan(ACME, "i", "j")]
    assert len(left) == 2
    assert links.count(ACME) == 1


def test_what_was_done_is_not_done_again(records: IdempotencyStore) -> None:
    assert records.claim(ACME, creation_of("100"), NOW) == "31"
    assert records.claim(ACME, comment_of("9", 31), NOW) == "commented"


def test_what_somebody_is_at_is_left_to_them_and_then_taken_over_in_doubt(records: IdempotencyStore) -> None:
    with pytest.raises(Busy):
        records.claim(ACME, creation_of("101"), NOW + 59)
    claim = records.claim(ACME, creation_of("101"), NOW + 60)
    assert isinstance(claim, ClaimedRecord)
    assert claim.since == NOW


def test_what_was_done_can_be_forgotten(records: IdempotencyStore, links_table: Table) -> None:
    links_table.apply(ACME, *records.forgetting(ACME, creation_of("100"), "31"))
    assert isinstance(records.claim(ACME, creation_of("100"), NOW), ClaimedRecord)


def test_a_story_goes_on_where_it_stopped(activity: ActivityStore) -> None:
    assert activity.page(ACME, "100", 31, None, 10).entries == STORY
    later = ActivityEntry(NOW + 2, "unlinked")
    activity.add(ACME, "100", 31, later)
    assert activity.page(ACME, "100", 31, None, 10).entries == (later, *STORY)


def test_an_entry_goes_when_it_is_too_old(activity: ActivityStore) -> None:
    assert activity.prune(ACME, NOW + KEPT_FOR + 1) == Pruned(1, None)
    assert activity.page(ACME, "100", 31, None, 10).entries == STORY[:2]


def test_the_reconciler_goes_on_where_it_stopped(
    organizations_table: Table, links: LinkStore, activity: ActivityStore
) -> None:
    progress = ProgressStore(organizations_table).get(ACME)
    last_entry = "0000000000000031!100!8199999999999999!990123456789abcdef"
    assert progress == Progress(links_after="0000000000000031!100", pruned_at=NOW, pruned_until=last_entry)
    assert [each.link for each in links.page(ACME, progress.links_after, 10).links] == [FULL]
    assert activity.prune(ACME, NOW + 2 * KEPT_FOR, progress.pruned_until) == Pruned(0, None)


def test_an_organization_is_still_connected_by_the_same_document(organizations: OrganizationStore) -> None:
    assert list(organizations.slugs()) == [ACME]
    assert organizations.get(ACME).configuration == DOCUMENT
    changed = organizations.replace(organizations.get(ACME), replace(DOCUMENT, issue_sync=False))
    organizations.remove(changed)
    with pytest.raises(NotFound):
        organizations.get(ACME)


def test_a_refusal_is_still_told_until_it_is_over(organizations: OrganizationStore) -> None:
    assert organizations.refusals() == Counter(ado=1)
    organizations.note_acceptance(ACME, "ado")
    assert organizations.refusals() == Counter()
