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

    A setting of that name is a connection string; else `NAME__queueServiceUri` or `NAME__accountName` says
    where to go with an identity.
    """
    if text := environ.get(connection):
        return QueueClient.from_connection_string(text, queue, **_client_options())
    uri = environ.get(f"{connection}__queueServiceUri")
    account = environ.get(f"{connection}__accountName")
    if not uri and not account:
        raise LoadError(
            f"queue {queue!r}: there is no setting {connection}, nor {connection}__queueServiceUri"
        )
    credential = _credential(environ.get(f"{connection}__clientId"))
    return QueueClient(
        uri or f"https://{account}.queue.core.windows.net", queue, credential=credential, **_client_options()
    )


def _credential(client_id: str | None) -> Any:
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415 (165 ms that few local runs need)

    return DefaultAzureCredential(managed_identity_client_id=client_id)


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
