"""The connections to storage, shared by the clients of all tables and queues."""

import requests
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

# The SDK's own time-outs are 300 seconds, longer than a webhook's caller waits.
_CONNECT_WITHIN = 3  # seconds
_ANSWER_WITHIN = 5  # seconds


def new_transport(connections: int = 10, bundle: str | None = None) -> RequestsTransport:
    """Return a transport that keeps so many connections to each host.

    With fewer than there are threads, the others would open one for each call and drop it. ``bundle`` is the
    file of the authorities that are trusted. Without it, the library takes what the environment names instead
    of all others, and stops if that is not there.
    """
    session = requests.Session()
    # As azure-core does it: its own policies try again, and an error must come as it is.
    adapter = HTTPAdapter(
        pool_maxsize=connections, max_retries=Retry(total=False, redirect=False, raise_on_status=False)
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return RequestsTransport(
        session=session,
        # No client may close it for the others.
        session_owner=False,
        connection_verify=bundle or True,
        connection_timeout=_CONNECT_WITHIN,
        read_timeout=_ANSWER_WITHIN,
    )
