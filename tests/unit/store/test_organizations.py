"""What is noted of who answers for an organization, and what is not."""

import pytest

from shared.domain.configuration import Configuration
from shared.domain.connection import Connection
from shared.store.organizations import OrganizationStore, gone
from tests.doubles.clock import Clock
from tests.doubles.tables import MemoryTable

ADO = Configuration(ado_url="https://dev.azure.com/fabrikam/")


@pytest.fixture
def organizations(clock: Clock) -> OrganizationStore:
    return OrganizationStore(MemoryTable(), clock)


def test_who_answers_at_an_address_that_the_document_has_left_is_not_noted(
    organizations: OrganizationStore,
) -> None:
    left = organizations.add("acme", ADO, Connection("e1"))
    elsewhere = Configuration(ado_url="https://dev.azure.com/contoso/")
    now = organizations.replace(left, elsewhere, Connection("e2"))
    organizations.note_who_answers(left, "ado", taken=True)
    assert organizations.get("acme") == now


@pytest.mark.parametrize("taken", [True, False])
def test_who_answers_is_not_written_again_once_it_is_known(
    organizations: OrganizationStore, taken: bool
) -> None:
    added = organizations.add("acme", ADO, Connection("e1", taken=("sentry",)))
    organizations.note_who_answers(added, "ado", taken=taken)
    known = organizations.get("acme")
    assert set(known.connection.taken) == ({"ado", "sentry"} if taken else {"sentry"})
    organizations.note_who_answers(added, "ado", taken=taken)
    assert organizations.get("acme").etag == known.etag


def test_each_acceptance_ends_that_a_service_knew_nobody_there(organizations: OrganizationStore) -> None:
    for _ in range(2):
        organizations.note_refusal("acme", gone("ado"))
        assert organizations.refused_by("acme") == [gone("ado")]
        organizations.note_acceptance("acme", "ado")
        assert organizations.refused_by("acme") == []
