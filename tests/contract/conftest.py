"""What every contract runs on: a double and the real thing, or the client of a fake over real HTTP."""

import uuid
from collections.abc import Callable, Iterator

import pytest

from shared.settings import StorageAccount
from shared.store.tables import AzureTable, Table, table_service
from simulator.azurite import Azurite
from tests.doubles.tables import MemoryTable


@pytest.fixture(scope="session")
def azurite() -> Iterator[Azurite]:
    """Azurite is required, never skipped: a contract that only the double passes proves nothing."""
    with Azurite() as running:
        yield running


@pytest.fixture(params=["memory", "azurite"])
def new_table(request: pytest.FixtureRequest) -> Callable[[], Table]:
    """A function that makes a table nobody has written to yet."""
    if request.param == "memory":
        return MemoryTable
    azurite: Azurite = request.getfixturevalue("azurite")
    service = table_service(StorageAccount(connection_string=azurite.connection_string))
    return lambda: AzureTable(service.get_table_client(f"t{uuid.uuid4().hex}"))


@pytest.fixture
def table(new_table: Callable[[], Table]) -> Table:
    return new_table()
