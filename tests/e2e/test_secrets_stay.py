"""The look at what every end-to-end test leaves finds a secret wherever it may lie."""

import base64

import pytest
from azure.data.tables import TableServiceClient

from tests.e2e.app import ADO_TOKEN, SIGNING_KEY, App

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
