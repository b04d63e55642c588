"""A TLS front before a simulated service, as a house puts one before its own servers."""

import socket
import ssl
import threading
from contextlib import suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from simulator.certificate import Certificate

LOOPBACK = "127.0.0.1"
_CHUNK = 64 * 1024  # bytes


class TlsFront:
    """Speaks TLS on a port of 127.0.0.1, and hands everything on to ``target`` as it is."""

    def __init__(self, target: str, certificate: Certificate) -> None:
        parts = urlsplit(target)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.path, certificate.key_path)
        behind = (parts.hostname or LOOPBACK, parts.port or 80)

        class Handler(BaseRequestHandler):
            def handle(self) -> None:
                with suppress(OSError), context.wrap_socket(self.request, server_side=True) as client:
                    _connect(client, behind)

        self._server = _Server((LOOPBACK, 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, host: str = LOOPBACK) -> str:
        """Return where it is, by one of the names of this machine."""
        return f"https://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    # A connection that somebody keeps open must not keep the test waiting.
    block_on_close = False


def _connect(client: ssl.SSLSocket, behind: tuple[str, int]) -> None:
    """Pass bytes on in both directions until one side is done."""
    with socket.create_connection(behind, timeout=10) as server:
        server.settimeout(None)
        back = threading.Thread(target=_pass_on, args=(server, client), daemon=True)
        back.start()
        _pass_on(client, server)
        back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR if not isinstance(sink, ssl.SSLSocket) else socket.SHUT_RDWR)
