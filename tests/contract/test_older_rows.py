"""What an older version of the app left in storage, to the letter, and how it is taken over where it is.

Of an organization that was stored then, everything goes on: its epoch is "" until its connection changes.
"""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.connection import NOBODY
from shared.domain.messages import decode_inbound, decode_outbound
from shared.domain.model import IssueStatus
from shared.flows.connecting import store
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.services import Services
from shared.store.organizations import Organization
from shared.store.tables import Insert, Table
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import MemoryServices

SLUG, NOW = "fabrikam", 1_800_000_000.0
DOCUMENT = (
    '{"ado_url":"https://dev.azure.com/fabrikam/","ado_account_id":null,"ado_search_url":null,'
    '"sentry_url":"https://sentry.io/","sentry_organization":null,"issue_sync":true,'
    '"sync_status_forward":true,"sync_status_reverse":true,"sync_forward_assignment":true,'
    '"sync_reverse_assignment":true,"sync_comments":false,"done_categories":["Resolved","Completed"],'
    '"status_mapping":{},"people":{},"on_conflict":"ado"}'
)
LINK = (
    '{"organization":"fabrikam","issue_id":"100","work_item_id":31,'
    '"project_id":"5650f68f-fd3f-564d-822e-b895cdbc5229","work_item_type":"Bug",'
    '"seen":{"issue":{"status":"unresolved","assignee":null},'
    '"item":{"rev":1,"state":"New","status":"unresolved","assignee":null}},'
    '"title":"Fix login","area_path":"Fabrikam-Fiber","open_state":"New","health":{}}'
)
ROWS = [
    ("organizations", "organizations", "fabrikam", DOCUMENT),
    ("organizations", "progress", "fabrikam", '{"pruned_at":1800000000.0}'),
    ("links", "fabrikam", "item!0000000000000031!100", LINK),
    ("links", "fabrikam", "issue!100!0000000000000031", ""),
    ("links", "fabrikam", "deed!create-for-500", '{"since":0.0,"until":0.0,"result":"31"}'),
    (
        "activity",
        "fabrikam",
        "0000000000000031!100!8199999999999999!9900000001",
        '{"at":1800000000.0,"outcome":"linked","rev":1}',
    ),
]
INBOUND = (
    b'{"organization":"fabrikam","work_item_id":31,"rev":2,"snapshot":{"id":31,"rev":2,'
    b'"project_id":"5650f68f-fd3f-564d-822e-b895cdbc5229","work_item_type":"Bug","state":"Closed",'
    b'"assignee":null,"title":"Fix login","area_path":"Fabrikam-Fiber"}}'
)
OUTBOUND = b'{"organization":"fabrikam","issue_id":"100"}'


class StoredServices(MemoryServices):
    """The services between the doubles, on the tables of the contract."""

    def __init__(self, new_table: Callable[[], Table], ado: MemoryAdo, sentry: MemorySentry) -> None:
        super().__init__(ado, sentry, lambda: NOW)
        self._new_table = new_table

    def _table(self, name: str) -> Table:
        if name not in self._named:
            self._named[name] = self._new_table()
        return self._named[name]


@pytest.fixture
def sentry() -> MemorySentry:
    sentry = MemorySentry()
    sentry.add_issue(issue_id="100")
    return sentry


@pytest.fixture
def services(new_table: Callable[[], Table], sentry: MemorySentry) -> Services:
    ado = MemoryAdo()
    ado.add_item("Fix login", 31)
    services = StoredServices(new_table, ado, sentry)
    for table, partition, key, text in ROWS:
        services._table(table).apply(partition, Insert(key, text))
    return services


@pytest.fixture
def organization(services: Services) -> Organization:
    return services.organizations.get(SLUG)


def test_everything_of_it_is_found_where_it_was(services: Services, organization: Organization) -> None:
    assert (organization.epoch, organization.scope) == ("", SLUG)
    [stored] = services.links.all(organization.scope)
    assert (stored.link.scope, stored.link.title) == (SLUG, "Fix login")
    assert services.links.for_issue(organization.scope, "100") == [stored]
    assert services.idempotency.claim(organization.scope, "create-for-500", NOW) == "31"
    page = services.activity.page(organization.scope, "100", 31, None, 10)
    assert [entry.outcome for entry in page.entries] == ["linked"]
    assert services.progress.get(organization.scope).pruned_at == NOW


def test_messages_of_then_are_for_it(services: Services, sentry: MemorySentry) -> None:
    assert sync_inbound(decode_inbound(INBOUND), services) == ["applied"]
    assert sentry.get_issue("100").status is IssueStatus.RESOLVED
    assert sync_outbound(decode_outbound(OUTBOUND), services) == ["settled"]


def test_who_is_there_is_learned_and_the_rows_stay(services: Services, organization: Organization) -> None:
    assert (organization.connection.ado, organization.connection.sentry) == (NOBODY, NOBODY)
    sync_outbound(decode_outbound(OUTBOUND), services)
    learned = services.organizations.get(SLUG)
    assert (learned.connection.is_known, learned.scope) == (True, SLUG)


def test_a_document_that_is_replaced_keeps_the_rows_where_they_are(
    services: Services, organization: Organization
) -> None:
    changed = replace(organization.configuration, issue_sync=False)
    assert store(services, SLUG, changed, organization).scope == SLUG
    assert services.links.count(SLUG) == 1


def test_one_that_leads_elsewhere_leaves_them_behind(services: Services, organization: Organization) -> None:
    elsewhere = replace(organization.configuration, sentry_url="https://sentry.corp.example/")
    scope = store(services, SLUG, elsewhere, organization, "drop").scope
    assert scope != SLUG
    assert services.links.count(scope) == 0
    assert sync_outbound(decode_outbound(OUTBOUND), services) == ["other-connection"]


def test_what_is_stored_now_can_be_read_by_that_version(services: Services) -> None:
    """It passes over what it does not know, and the rows of epoch "" are where it looks."""
    sync_outbound(decode_outbound(OUTBOUND), services)
    row = services._table("organizations").get("organizations", SLUG)
    assert Configuration.from_stored(row.text) == Configuration(ado_url="https://dev.azure.com/fabrikam/")
    assert row.text.startswith(DOCUMENT[:-1])
