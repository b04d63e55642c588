"""The demo's hands: they wait where the app asks for it, and no longer."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from simulator.hands import AppHands, HandsError
from simulator.stack import Stack

Answer = tuple[int, dict[str, str], bytes]

BUSY: Answer = (503, {"Retry-After": "1"}, b'{"error": "busy"}')
SETTLED: Answer = (200, {}, b'{"outcome": "agreed"}')


@contextmanager
def answering(*answers: Answer) -> Iterator[tuple[AppHands, list[Answer]]]:
    """Serve an app that gives these answers in turn; what is left was not asked for."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = left.pop(0)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield AppHands(Stack(port=server.server_port)), left
        server.shutdown()


def test_a_busy_link_is_waited_for_as_long_as_the_app_asks() -> None:
    with answering(BUSY, BUSY, SETTLED) as (app, left):
        started = time.monotonic()
        app.reconcile("100", 31)
        assert time.monotonic() - started >= 2
        assert left == []


@pytest.mark.parametrize("refused", [(503, {}, b"no time is named"), (502, {"Retry-After": "1"}, b"refused")])
def test_what_no_waiting_helps_is_told_at_once(refused: Answer) -> None:
    with answering(refused, SETTLED) as (app, left), pytest.raises(HandsError, match=f"HTTP {refused[0]}"):
        app.reconcile("100", 31)
    assert left == [SETTLED]
