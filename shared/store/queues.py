"""Azure Storage queues, written without a binding, which allows delays and typed errors for an outage."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import BinaryBase64EncodePolicy, LinearRetry, QueueClient

from shared.domain.errors import Unauthorized
from shared.domain.messages import Message, encode
from shared.settings import StorageAccount
from shared.store.transport import new_transport
from shared.store.trouble import trouble_with

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

INBOUND_QUEUE = "inbound-sync"
OUTBOUND_QUEUE = "outbound-sync"

_LONGEST_DELAY = 7 * 24 * 3600 - 1  # seconds; the service allows less than seven days
# azure-storage-queue quirk: its newest protocol version is newer than any released Azurite speaks
# (docs/vendor_quirks.md#storage). Nothing after this one is used.
_API_VERSION = "2025-11-05"
_NEVER = -1
_TRIED_FOR = 60  # seconds
POISON = "-poison"  # behind the name of a queue: where the Functions host puts what failed five times


def queue_client(
    account: StorageAccount,
    name: str,
    credential: "TokenCredential | None" = None,
    transport: RequestsTransport | None = None,
) -> QueueClient:
    """Return a client of one queue; a connection string needs no credential."""
    # Functions quirk: the trigger expects base64, which the client does not do by itself.
    options: dict[str, Any] = {
        "transport": transport or new_transport(),
        "api_version": _API_VERSION,
        "message_encode_policy": BinaryBase64EncodePolicy(),
        # azure-storage-queue quirk: its retries heed no retry_backoff_factor and wait 15 seconds and more,
        # longer than a webhook's caller does.
        "retry_policy": LinearRetry(backoff=0, random_jitter_range=0, retry_total=2),
    }
    if account.connection_string is not None:
        try:
            return QueueClient.from_connection_string(account.connection_string, name, **options)
        except ValueError as error:
            raise Unauthorized("storage", "the connection string cannot be read") from error
    return QueueClient(account.queue_url or "", name, credential=credential, **options)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ResourceNotFoundError:
        raise
    except AzureError as error:
        raise trouble_with("queue", error) from error


class AzureQueue:
    """A queue that is created on the first write; its messages never expire."""

    def __init__(self, client: QueueClient) -> None:
        self._client = client

    def put(self, message: Message, *, delay: float = 0.0) -> None:
        body = encode(message)
        seconds = min(max(round(delay), 0), _LONGEST_DELAY)
        try:
            try:
                self._send(body, seconds)
            except ResourceNotFoundError:
                self._create()
                self._send(body, seconds)
        except AzureError as error:
            raise trouble_with("queue", error) from error

    def verify(self) -> None:
        """Raise what a write would, without writing. A queue that is not there yet is well."""
        try:
            self._client.get_queue_properties()
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise trouble_with("queue", error) from error

    def try_out(self) -> None:
        """Put a message that nobody can see and take it away again; raise Unauthorized or Unavailable."""
        with _translated():
            try:
                sent = self._client.send_message(
                    b"", visibility_timeout=_TRIED_FOR, time_to_live=_TRIED_FOR + 1
                )
            except ResourceNotFoundError:
                self._create()
                return
            self._client.delete_message(sent.id, sent.pop_receipt)

    def length(self) -> int:
        """Return about how many messages there are; none if nobody has made the queue."""
        with _translated(), suppress(ResourceNotFoundError):
            return self._client.get_queue_properties().approximate_message_count or 0
        return 0

    def _send(self, body: bytes, delay: int) -> None:
        self._client.send_message(body, visibility_timeout=delay, time_to_live=_NEVER)

    def _create(self) -> None:
        with suppress(ResourceExistsError):  # Another worker has just created it.
            self._client.create_queue()
