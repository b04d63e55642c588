"""The work in progress on the host: it is run, counted, and announced when it ends."""

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping

from azure.functions.meta import Datum

from simulator.host.app import HostedFunction
from simulator.host.engine import Engine, InvocationFailed


def report(function: str, problem: str) -> None:
    """Log why an invocation failed; its caller never learns it."""
    logging.getLogger(f"Function.{function}").error("failed: %s", problem.rstrip())


class Work:
    """Runs functions for all triggers.

    A stopping host waits here for what is in flight. Each piece that ends rings the listeners' bells, since
    it may have put a message on a queue.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._bells: list[threading.Event] = []
        self._pieces = 0
        self._changed = threading.Condition()

    def ring_when_done(self, bell: threading.Event) -> None:
        self._bells.append(bell)

    @contextlib.contextmanager
    def piece(self) -> Iterator[None]:
        with self._changed:
            self._pieces += 1
        try:
            yield
        finally:
            with self._changed:
                self._pieces -= 1
                self._changed.notify_all()
            for bell in self._bells:
                bell.set()

    def wait_until_done(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._pieces == 0, seconds)

    def run(
        self, function: HostedFunction, trigger: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> Datum | None:
        """Run a function to its end, or log why it failed and raise InvocationFailed."""
        try:
            return self._engine.invoke(function, trigger, metadata or {})
        except InvocationFailed as failure:
            report(function.name, str(failure))
            raise

    def try_run(
        self, function: HostedFunction, trigger: Datum, metadata: Mapping[str, Datum] | None = None
    ) -> bool:
        """Run a function whose answer nobody reads; whether it succeeded."""
        try:
            self.run(function, trigger, metadata)
        except InvocationFailed:
            return False
        return True
