"""How the host reaches a storage account: the settings that a binding's `connection` names."""

import functools
import logging
from collections.abc import Mapping
from typing import Any

import requests
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import QueueClient
from requests.adapters import HTTPAdapter

from simulator.host.app import LoadError

# The host polls all day; the app's own storage calls are logged as the app decides.
_silence = logging.getLogger("host.storage")
_silence.setLevel(logging.CRITICAL)


def queue_client(connection: str, queue: str, environ: Mapping[str, str]) -> QueueClient:
    """Return a client for one queue, which passes texts on as they are; nothing is sent yet.

    A setting of that name is a connection string; else `NAME__accountName`, and only without one
    `NAME__queueServiceUri`, says where to go with an identity. That is the order of the host itself:
    `StorageClientProvider.TryGetServiceUri` of Microsoft.Azure.WebJobs.Extensions.Clients.
    """
    text = environ.get(connection, "")
    if text.strip():
        return QueueClient.from_connection_string(text, queue, **_client_options())
    uri = environ.get(f"{connection}__queueServiceUri")
    account = environ.get(f"{connection}__accountName")
    if account is not None:
        uri = f"https://{account}.queue.core.windows.net"
    if not uri:
        raise LoadError(
            f"queue {queue!r}: there is no setting {connection}, nor {connection}__queueServiceUri"
        )
    return QueueClient(uri, queue, credential=_credential(connection, environ), **_client_options())


def _credential(connection: str, environ: Mapping[str, str]) -> Any:
    """Return whom the host signs in as.

    https://learn.microsoft.com/azure/azure-functions/functions-reference#common-properties-for-identity-based-connections
    """
    # 165 ms that few local runs need.
    from azure.identity import DefaultAzureCredential, ManagedIdentityCredential  # noqa: PLC0415

    client_id = environ.get(f"{connection}__clientId") or None
    if environ.get(f"{connection}__credential", "").casefold() == "managedidentity":
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential(**({"managed_identity_client_id": client_id} if client_id else {}))


@functools.cache
def _transport() -> RequestsTransport:
    # More threads than the ten connections that requests keeps by default would open and drop the others.
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_maxsize=64))
    session.mount("https://", HTTPAdapter(pool_maxsize=64))
    return RequestsTransport(session=session, session_owner=False, connection_timeout=5, read_timeout=20)


def _client_options() -> dict[str, Any]:
    return {
        "transport": _transport(),
        "logger": _silence,
        # The listener tries again by itself; it must learn of an outage at once.
        "retry_total": 0,
    }
