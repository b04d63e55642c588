"""The load generator: POST requests over connections that stay open, each timed to the last byte."""

import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from bench.deliveries import Delivery


@dataclass(frozen=True)
class Target:
    """A path of the app and what is sent there; ``answers`` is the status that proves it did its work."""

    path: str
    delivery: Delivery
    answers: int


class Load:
    """Some connections to one host, each with a thread of its own."""

    def __init__(self, url: str, connections: int) -> None:
        self._host = urlsplit(url).netloc
        self.connections = connections
        self._mine = threading.local()
        self._opened: list[HTTPConnection] = []
        self._threads = ThreadPoolExecutor(connections, "load")

    @classmethod
    @contextmanager
    def on(cls, url: str, connections: int) -> Iterator["Load"]:
        load = cls(url, connections)
        with load._threads:
            try:
                yield load
            finally:
                for each in load._opened:
                    each.close()

    def seconds(self, target: Target, times: int) -> float:
        """Send ``times`` requests on each connection at once, and return the median of their latencies."""
        taken = self._threads.map(lambda _: self._post_each([target] * times), range(self.connections))
        return statistics.median([seconds for each in taken for seconds in each])

    def spread_over(self, targets: Sequence[Target]) -> None:
        """Send each target once, as fast as the connections take them."""
        list(self._threads.map(lambda target: self._post_each([target]), targets))

    def _post_each(self, targets: Sequence[Target]) -> list[float]:
        return [self._post(target) for target in targets]

    def _post(self, target: Target) -> float:
        connection = self._connection()
        began = time.perf_counter()
        connection.request("POST", target.path, target.delivery.body, dict(target.delivery.headers))
        with closing(connection.getresponse()) as answer:
            said = answer.read()
        taken = time.perf_counter() - began
        if answer.status != target.answers:
            raise RuntimeError(f"{target.path}: HTTP {answer.status}: {said[:200]!r}")
        return taken

    def _connection(self) -> HTTPConnection:
        if not hasattr(self._mine, "connection"):
            self._mine.connection = HTTPConnection(self._host, timeout=60)
            self._opened.append(self._mine.connection)
        connection: HTTPConnection = self._mine.connection
        return connection
