"""The HTTP/1.1 server of the host: bytes on a connection to requests, and answers back.

The standard library's server and not Werkzeug's, because the latter closes every connection after one answer
and gives the path away already decoded.
"""

import logging
import socketserver
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from simulator.host.http import Answer, Request, Site
from simulator.host.work import Work

_BODYLESS = {204, 205, 304}
# What frames an answer is the server's business, whatever the function says.
_FRAMING = {"connection", "content-length", "transfer-encoding"}

logger = logging.getLogger("host.http")


class Server(ThreadingHTTPServer):
    """Listens on loopback; a thread per connection."""

    request_queue_size = 128

    def __init__(self, port: int, site: Site, work: Work, body_limit: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.site = site
        self.work = work
        self.is_stopping = False
        self.body_limit = body_limit

    def server_bind(self) -> None:
        # HTTPServer would look up the machine's name here, which takes seconds on some networks.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: object, client_address: object) -> None:
        del request
        error = sys.exception()
        if isinstance(error, ConnectionError):
            logger.info("%s hung up", client_address)
        else:
            logger.error("a request was not answered", exc_info=error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet: in two, each answer on a kept connection would wait for an
    # acknowledgement that the client delays.
    wbufsize = -1
    server: Server

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for do_GET, do_POST and so on; which methods exist is the routes' business.
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _serve(self) -> None:
        started = time.perf_counter()
        if self.server.is_stopping:
            self.close_connection = True
            self._send(Answer(503))
            return
        with self.server.work.piece():
            request = Request(self.command, self.path, self._lower_case_headers(), self._read_body())
            answer = self.server.site.answer(request)
            self._send(answer)
        # Without the query, which may hold a key.
        took = (time.perf_counter() - started) * 1000
        logger.info("%s %s %d in %.1f ms", self.command, request.path, answer.status, took)

    def _lower_case_headers(self) -> dict[str, str]:
        headers: dict[str, str] = {}
        for name, value in self.headers.items():
            key = name.lower()
            headers[key] = f"{headers[key]},{value}" if key in headers else value
        return headers

    def _read_body(self) -> bytes | None:
        """Return the body, or None when it is over the limit; the connection is then at the next request."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            # Functions quirk: only a body with a Content-Length reaches a function; any other arrives empty
            # (GrpcMessageConversionExtensions.cs).
            self._skip_chunks()
            return b""
        length = self.headers.get("Content-Length", "0")
        if not (length.isascii() and length.isdigit()):
            self.close_connection = True
            return b""
        if int(length) <= self.server.body_limit:
            return self.rfile.read(int(length))
        self._skip(int(length))
        return None

    def _skip_chunks(self) -> None:
        try:
            while size := int(self.rfile.readline(1024).partition(b";")[0], 16):
                self._skip(size)
                self.rfile.readline(3)
        except ValueError:
            self.close_connection = True
            return
        while self.rfile.readline(65537) not in {b"\r\n", b"\n", b""}:
            pass

    def _skip(self, length: int) -> None:
        while length > 0 and (read := self.rfile.read(min(length, 65536))):
            length -= len(read)

    def _send(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        self.send_header("Date", self.date_time_string())
        for name, value in answer.headers:
            if name.lower() not in _FRAMING:
                self.send_header(name, value)
        if answer.status not in _BODYLESS:
            self.send_header("Content-Length", str(len(answer.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and answer.status not in _BODYLESS:
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the overridden method's name)
        logger.warning(format, *args)
