"""The look at what every app of the end-to-end tests leaves finds a secret wherever it may lie."""

import base64
from pathlib import Path

import pytest
from azure.data.tables import TableServiceClient

from simulator.azurite import Azurite
from tests.e2e.app import ADO_TOKEN, SECRETS, SIGNING_KEY, App

SPELLINGS = [ADO_TOKEN, base64.b64encode(f":{ADO_TOKEN}".encode()).decode(), f"x {SIGNING_KEY} y"]


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_secret_in_a_row_is_noticed(app: App, spelled: str) -> None:
    with TableServiceClient.from_connection_string(app.storage) as service:
        table = service.create_table_if_not_exists("organizations")
        row = {"PartitionKey": "planted", "RowKey": "1", "text": spelled}
        table.upsert_entity(row)
        leaked = app.leaked()
        table.delete_entity("planted", "1")
    assert [spelled in each for each in leaked] == [True]
    assert app.leaked() == []


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_a_secret_in_a_queue_or_the_log_is_noticed(app: App, spelled: str) -> None:
    queue = app._queue("inbound-sync-poison")
    queue.create_queue()
    queue.send_message(base64.b64encode(spelled.encode()).decode())
    with app._log.open("a", encoding="utf-8") as log:
        log.write(f"\n{spelled}\n")
    assert app.leaked() == [spelled, spelled]
    queue.delete_queue()
    assert app.leaked() == []


OWN = {**SECRETS, "SENTRY_TOKEN__OWN": "token-of-one-organization"}


@pytest.fixture
def own(app: App, tmp_path: Path) -> App:
    """An app of a test's own, with a secret that no other one has. It never runs."""
    (tmp_path / "host.log").write_text("outcome=applied\n", encoding="utf-8")
    return App(tmp_path / "host.log", OWN, storage=app.storage)


def test_no_app_ends_before_its_log_was_looked_at(own: App) -> None:
    with own._log.open("a", encoding="utf-8") as log:
        log.write("Bearer token-of-one-organization\n")
    with pytest.raises(AssertionError, match="Bearer token-of-one-organization"):
        own.__exit__(None)


def test_no_app_ends_before_what_it_stored_was_looked_at(app: App, own: App) -> None:
    app.poison("outbound-sync", b"token-of-one-organization")
    with pytest.raises(AssertionError, match="token-of-one-organization"):
        own.__exit__(None)
    app.clear()


def test_an_app_that_failed_anyway_ends_with_its_own_error(own: App) -> None:
    own._log.write_text("token-of-one-organization", encoding="utf-8")
    own.__exit__(ValueError)


def test_an_app_whose_storage_is_gone_is_looked_at_by_its_log(tmp_path: Path) -> None:
    with Azurite() as azurite:
        storage = azurite.connection_string
    (tmp_path / "host.log").write_text("token-of-one-organization", encoding="utf-8")
    with pytest.raises(AssertionError, match="token-of-one-organization"):
        App(tmp_path / "host.log", OWN, storage=storage).__exit__(None)


def test_a_secret_that_an_app_was_given_later_is_looked_for_as_well(own: App) -> None:
    own._take({"ADO_PAT": "token-of-the-next-year"})
    own._log.write_text("token-of-the-next-year, token-of-one-organization", encoding="utf-8")
    with pytest.raises(AssertionError, match="token-of-the-next-year"):
        own.__exit__(None)
