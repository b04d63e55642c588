"""What any queue must do for ``put`` and for the host: the double in memory, and Azurite's storage queues."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import BinaryBase64DecodePolicy, BinaryBase64EncodePolicy, QueueClient
from msgspec.structs import replace

from shared.domain.errors import NotTrusted, Unauthorized, Unavailable
from shared.domain.messages import (
    LARGEST_MESSAGE,
    InboundMessage,
    Message,
    OutboundMessage,
    decode_inbound,
    decode_outbound,
    encode,
)
from shared.domain.model import Person, WorkItem
from shared.settings import StorageAccount
from shared.store.queues import AzureQueue, queue_client
from simulator.azurite import Azurite
from tests.doubles.queues import MemoryQueue, ReceiptLost, Received

MESSAGE = OutboundMessage("acme", "100")
SNAPSHOT = WorkItem(
    id=31,
    rev=7,
    project_id="6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c",
    work_item_type="Bug",
    state="Closed",
    assignee=Person("ann@corp.example"),
    title="Größe < 3 ☃",
)
PATIENCE = 20.0  # seconds


class Bench(Protocol):
    """A queue, and what the Functions host does with it."""

    queue: Any

    def receive(self, lease: float = 60.0) -> Received | None: ...
    def delete(self, received: Received) -> None: ...
    def release(self, received: Received, delay: float = 0.0) -> None: ...
    def receive_within(self, seconds: float) -> Received:
        """Return a message that becomes visible in this time."""
        ...


class MemoryBench:
    def __init__(self) -> None:
        self._now = 1_000.0
        self.queue = MemoryQueue(lambda: self._now)
        self.receive, self.delete, self.release = self.queue.receive, self.queue.delete, self.queue.release

    def receive_within(self, seconds: float) -> Received:
        self._now += seconds
        received = self.receive(60.0)
        assert received is not None
        return received


class AzureBench:
    def __init__(self, client: QueueClient) -> None:
        self.queue = AzureQueue(client)
        self._client = client
        self._received: dict[int, Any] = {}

    def receive(self, lease: float = 60.0) -> Received | None:
        message = self._client.receive_message(visibility_timeout=round(lease))
        if message is None:
            return None
        number = len(self._received)
        self._received[number] = message
        return Received(number, message.content, message.dequeue_count or 0, 0)

    def delete(self, received: Received) -> None:
        self._with_receipt(self._client.delete_message, received)

    def release(self, received: Received, delay: float = 0.0) -> None:
        self._with_receipt(
            lambda message: self._client.update_message(message, visibility_timeout=round(delay)), received
        )

    def _with_receipt(self, call: Callable[[Any], object], received: Received) -> None:
        try:
            call(self._received[received.id])
        except HttpResponseError as error:
            raise ReceiptLost(received.id) from error

    def receive_within(self, seconds: float) -> Received:
        deadline = time.monotonic() + seconds + PATIENCE
        while (received := self.receive()) is None:
            assert time.monotonic() < deadline
        return received


@pytest.fixture(params=["memory", "azurite"])
def bench(request: pytest.FixtureRequest) -> Bench:
    if request.param == "memory":
        return MemoryBench()
    azurite: Azurite = request.getfixturevalue("azurite")
    account = StorageAccount(connection_string=azurite.connection_string)
    name = f"q{uuid.uuid4().hex}"
    client = queue_client(account, name)
    # What the host does: read the base64 that the trigger expects.
    client._message_decode_policy = BinaryBase64DecodePolicy()
    return AzureBench(client)


def received(bench: Bench, lease: float = 60.0) -> Received:
    found = bench.receive(lease)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "message",
    [
        OutboundMessage("acme", "100"),
        OutboundMessage("acme", "100", comment_id="7"),
        InboundMessage("acme", 31, 7, "deleted"),
        InboundMessage("acme", 31, 7, snapshot=SNAPSHOT),
    ],
    ids=["issue", "comment", "deleted", "snapshot"],
)
def test_a_message_arrives_as_it_was_put(bench: Bench, message: Message) -> None:
    bench.queue.put(message)
    body = received(bench).body
    decoded = decode_inbound(body) if isinstance(message, InboundMessage) else decode_outbound(body)
    assert decoded == message


def test_the_largest_message_fits_and_a_snapshot_that_does_not_is_left_out(bench: Bench) -> None:
    room = LARGEST_MESSAGE - len(encode(InboundMessage("acme", 31, 7, snapshot=replace(SNAPSHOT, title=""))))
    for title, arrives in (("x" * room, True), ("x" * (room + 1), False), ("x" * 200_000, False)):
        snapshot = replace(SNAPSHOT, title=title)
        bench.queue.put(InboundMessage("acme", 31, 7, snapshot=snapshot))
        found = decode_inbound(received(bench).body)
        assert found == InboundMessage("acme", 31, 7, snapshot=snapshot if arrives else None)


def test_a_queue_that_does_not_exist_is_created_by_the_first_message(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    bench.queue.put(MESSAGE)
    assert (received(bench).dequeue_count, received(bench).dequeue_count) == (1, 1)


def test_a_queue_can_be_looked_at_before_and_after_its_first_message(bench: Bench) -> None:
    bench.queue.verify()
    bench.queue.put(MESSAGE)
    bench.queue.verify()
    assert received(bench).dequeue_count == 1  # Looking took nothing.


@pytest.fixture(scope="module")
def strict() -> Iterator[Azurite]:
    with Azurite(checks_versions=True) as running:
        yield running


def test_a_storage_knows_the_version_that_we_speak(strict: Azurite) -> None:
    queue = AzureQueue(queue_client(StorageAccount(strict.connection_string), "known"))
    queue.put(MESSAGE)
    queue.verify()


def test_a_storage_that_is_too_old_is_told_apart_from_an_outage(strict: Azurite) -> None:
    newer = QueueClient.from_connection_string(
        strict.connection_string,
        "newer",
        api_version="2026-10-06",
        message_encode_policy=BinaryBase64EncodePolicy(),
    )
    for use in (AzureQueue(newer).verify, lambda: AzureQueue(newer).put(MESSAGE)):
        with pytest.raises(NotTrusted, match="--skipApiVersionCheck") as raised:
            use()
        assert (raised.value.service, raised.value.kind) == ("storage", "unsupported-version")


def test_a_storage_where_nobody_listens_is_an_outage_and_one_that_turns_us_away_is_not(
    azurite: Azurite,
) -> None:
    away = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YWFh;QueueEndpoint=http://127.0.0.1:1/a;"
    with pytest.raises(Unavailable, match="refuses the connection") as raised:
        AzureQueue(queue_client(StorageAccount(away), "away")).verify()
    assert raised.value.kind == "unavailable"
    other_key = re.sub("AccountKey=[^;]+", "AccountKey=YWFh", azurite.connection_string)
    with pytest.raises(Unauthorized):
        AzureQueue(queue_client(StorageAccount(other_key), "locked")).verify()


def test_racing_writers_to_a_queue_that_is_not_there_all_succeed(bench: Bench) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: bench.queue.put(OutboundMessage("acme", str(number))), range(4)))
    assert {decode_outbound(received(bench).body).issue_id for _ in range(4)} == set("0123")


def test_a_message_under_way_is_hidden_from_others(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    received(bench)
    assert bench.receive() is None


def test_a_delayed_message_comes_later_and_not_before(bench: Bench) -> None:
    bench.queue.put(MESSAGE, delay=2.0)
    assert bench.receive() is None
    assert decode_outbound(bench.receive_within(2.0).body) == MESSAGE


@pytest.mark.parametrize("delay", [-5.0, 0.0, 0.2])
def test_a_delay_of_less_than_half_a_second_is_none(bench: Bench, delay: float) -> None:
    bench.queue.put(MESSAGE, delay=delay)
    assert received(bench).dequeue_count == 1


def test_a_message_given_back_counts_how_often_it_was_taken(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    bench.release(received(bench))
    assert received(bench).dequeue_count == 2


def test_a_message_given_back_with_a_delay_comes_later(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    bench.release(received(bench), delay=2.0)
    assert bench.receive() is None
    assert bench.receive_within(2.0).dequeue_count == 2


def test_a_message_whose_receiver_died_comes_back_when_its_lease_ends(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    received(bench, lease=1.0)
    assert bench.receive_within(1.0).dequeue_count == 2


def test_a_deleted_message_is_gone(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    found = received(bench)
    bench.delete(found)
    assert bench.receive() is None
    with pytest.raises(ReceiptLost):
        bench.release(found)


def test_a_late_receiver_cannot_delete_what_another_one_has(bench: Bench) -> None:
    bench.queue.put(MESSAGE)
    late = received(bench, lease=1.0)
    second = bench.receive_within(1.0)
    with pytest.raises(ReceiptLost):
        bench.delete(late)
    bench.delete(second)
