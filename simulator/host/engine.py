"""What calls the functions: the one interface of both engines."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Protocol

from azure.functions.meta import Datum

from simulator.host.app import HostedFunction


class InvocationFailed(Exception):
    """A function raised, or returned what it may not; the text is the traceback."""


class Engine(Protocol):
    name: str

    def load(self, function: HostedFunction) -> None:
        """Take a function in, or raise LoadError where the real worker would."""

    def invoke(self, function: HostedFunction, trigger: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        """Run a function and return its encoded answer, or raise InvocationFailed."""


def start_event_loop() -> asyncio.AbstractEventLoop:
    """Start the one loop on which all async functions run, as in the real worker."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="async functions", daemon=True).start()
    return loop
