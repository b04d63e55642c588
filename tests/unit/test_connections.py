"""As many connections are kept as there are threads: none is opened anew for each call."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.core.rest import HttpRequest

from shared.domain.errors import Unauthorized
from shared.domain.messages import OutboundMessage
from shared.services import Services
from shared.settings import Settings
from shared.store.transport import new_transport

THREADS = 24  # more than any library keeps by itself
PATIENCE = 20.0  # seconds
ENVIRONMENT = {"AzureWebJobsStorage": "UseDevelopmentStorage=true", "PYTHON_THREADPOOL_THREAD_COUNT": "24"}


class Server(ThreadingHTTPServer):
    """Answers when as many requests are there as there are threads; counts the connections."""

    daemon_threads = True
    request_queue_size = THREADS

    def __init__(self) -> None:
        self.together = threading.Barrier(THREADS)
        self.connections = 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.together.wait(PATIENCE)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def from_a_vendor(services: Services, url: str) -> None:
    services._session.get(url, timeout=PATIENCE).raise_for_status()


def from_storage(services: Services, url: str) -> None:
    services._transport.send(HttpRequest("GET", url)).raise_for_status()


@pytest.mark.parametrize("call", [from_a_vendor, from_storage])
def test_every_thread_keeps_its_connection(server: Server, call: Callable[[Services, str], None]) -> None:
    services = Services(Settings(ENVIRONMENT))
    _ = services._session, services._transport
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in range(3):
            list(threads.map(lambda _: call(services, server.url), range(THREADS)))
    assert server.connections == THREADS


class Recording:
    """A transport that sends nothing, and keeps where it would have gone."""

    def __init__(self) -> None:
        self.paths: list[str] = []

    def sleep(self, _seconds: float) -> None:
        """Go on at once."""

    def send(self, request: Any, **_: Any) -> Any:
        self.paths.append(urlsplit(request.url).path.partition("(")[0])
        raise ClientAuthenticationError("refused")


def test_all_tables_and_queues_share_one_transport() -> None:
    services = Services(Settings(ENVIRONMENT))
    services._transport = recording = Recording()
    message = OutboundMessage("acme", "100")
    for ask in (
        lambda: services.organizations.get("acme"),
        lambda: services.links.get("acme", "100", 31),
        lambda: services.inbound.put(message),
        lambda: services.outbound.put(message),
    ):
        with pytest.raises(Unauthorized):
            ask()
    names = ("syncorganizations", "synclinks", "inbound-sync/messages", "outbound-sync/messages")
    assert list(dict.fromkeys(recording.paths)) == [f"/devstoreaccount1/{name}" for name in names]


def test_a_transport_outlives_the_clients_that_use_it(server: Server) -> None:
    transport = new_transport()
    server.together = threading.Barrier(1)
    for _ in range(2):
        with transport:
            transport.send(HttpRequest("GET", server.url))
    assert server.connections == 1
