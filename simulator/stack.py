"""Azurite, both fakes and the app as one stack: started together on free ports, and stopped together."""

import os
import re
import secrets
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from simulator.azurite import Azurite, AzuriteError

ROOT = Path(__file__).parents[1]
ADO_ORGANIZATION = "fabrikam"
SENTRY_ORGANIZATION = "acme"
SLUG = "demo"

_LOOPBACK = "127.0.0.1"
_LISTENING = re.compile(r"listening on (http://\S+)")
_START_SECONDS = 60
# Longer than the host takes to finish its running work.
_STOP_SECONDS = 15
_LINES_KEPT = 200
_LEASE_SECONDS = "5"

# What listens one, two ports above the app when that has a port of its own.
_ADO_PORT, _SENTRY_PORT = 1, 2
# Three that the demo links, and three to link by hand.
_ISSUES = 6

LineReader = Callable[[str], None]


class StackError(RuntimeError):
    """Something did not start; the message holds its last words."""


@dataclass(frozen=True)
class Secrets:
    """What the app and the fakes know each other by; every run has its own."""

    ado_token: str = field(default_factory=secrets.token_hex, repr=False)
    ado_hook: str = field(default_factory=secrets.token_hex, repr=False)
    sentry_token: str = field(default_factory=secrets.token_hex, repr=False)
    sentry_client: str = field(default_factory=secrets.token_hex, repr=False)
    function_key: str = field(default_factory=lambda: secrets.token_urlsafe(12), repr=False)


class Child:
    """One process that says where it listens, and that ends when we end."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        python: Path | None = None,
        environ: Mapping[str, str] | None = None,
        on_line: LineReader | None = None,
    ) -> None:
        self.name = name
        self._tail: deque[str] = deque(maxlen=_LINES_KEPT)
        self._on_line = on_line
        self._url: str | None = None
        self._spoken = threading.Event()
        self._popen = subprocess.Popen(
            [str(python or sys.executable), "-m", "simulator.leash", *command],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            # A session of its own: Ctrl-C reaches us alone, and we end it in good order.
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, name=f"{name}-log", daemon=True)
        self._reader.start()

    @property
    def log(self) -> str:
        return "".join(self._tail.copy())

    @property
    def has_ended(self) -> bool:
        return self._popen.poll() is not None

    def wait_until_it_listens(self) -> str:
        self._spoken.wait(_START_SECONDS)
        if self._url is None:
            raise StackError(f"{self.name} did not start:\n{self.log}")
        return self._url

    def let_go(self) -> None:
        """Ask it to end, without waiting for that."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()

    def stop(self) -> None:
        self.let_go()
        with self._popen as process:
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            self._reader.join()

    def _read(self) -> None:
        for line in self._popen.stdout or ():
            self._tail.append(line)
            if self._url is None and (match := _LISTENING.search(line)):
                self._url = match[1]
                self._spoken.set()
            elif self._on_line is not None:
                self._on_line(line)
        self._spoken.set()


class Stack:
    """What runs side by side. ``host_python`` and ``host_options`` are for the app alone.

    With a ``port`` the app listens there and the fakes behind it; without one all take what is free. In a
    ``folder`` everything is kept that Azurite and the fakes know.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        known: Secrets | None = None,
        folder: Path | None = None,
        host_python: Path | None = None,
        host_options: Sequence[str] = (),
        on_host_line: LineReader | None = None,
    ) -> None:
        self.secrets = known or Secrets()
        self.ado_url = self.sentry_url = ""
        self._port = port
        self._folder = folder
        # The app and Sentry have to know the app's address before the app runs.
        self.app_url = f"http://127.0.0.1:{port or free_port()}"
        self._host_python = host_python
        self._host_options = host_options
        self._on_host_line = on_host_line
        self._children: list[Child] = []
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._undo.close()

    @property
    def ado_organization_url(self) -> str:
        return f"{self.ado_url}/{ADO_ORGANIZATION}/"

    @property
    def ado_webhook_url(self) -> str:
        return f"{self.app_url}/api/ado/{SLUG}/webhook"

    @property
    def sentry_webhook_url(self) -> str:
        return f"{self.app_url}/api/sentry/{SLUG}/webhook"

    @property
    def host_log(self) -> str:
        return next((child.log for child in self._children if child.name == "the app"), "")

    def find_ended(self) -> str | None:
        """Return the name of something that should still be running, and is not."""
        return next((child.name for child in self._children if child.has_ended), None)

    def _start(self, undo: ExitStack) -> None:
        """Start what can be started side by side, then wait for each."""
        known = self.secrets
        if self._port is not None:
            verify_free(self._port)
        ado = self._launch(
            undo,
            "the fake Azure DevOps",
            [
                *("simulator.ado", "--organization", ADO_ORGANIZATION, "--token", known.ado_token),
                *self._placed(_ADO_PORT, "ado"),
            ],
        )
        sentry = self._launch(
            undo,
            "the fake Sentry",
            [
                *("simulator.sentry", "--organization", SENTRY_ORGANIZATION),
                *("--token", known.sentry_token, "--client-secret", known.sentry_client),
                *("--webhook-url", self.sentry_webhook_url, "--issues", str(_ISSUES)),
                *self._placed(_SENTRY_PORT, "sentry"),
            ],
        )
        try:
            azurite = undo.enter_context(Azurite(self._folder / "azurite" if self._folder else None))
        except AzuriteError as error:
            raise StackError(str(error)) from error
        self.ado_url = ado.wait_until_it_listens()
        host = self._launch_host(undo, azurite.connection_string)
        self.sentry_url = sentry.wait_until_it_listens()
        host.wait_until_it_listens()
        # All are asked to end before the first is waited for.
        for child in self._children:
            undo.callback(child.let_go)

    def _placed(self, offset: int, name: str) -> list[str]:
        """Say where a fake listens and what it keeps, if that was asked for."""
        port = [] if self._port is None else ["--port", str(self._port + offset)]
        return port if self._folder is None else [*port, "--keep", str(self._folder / name)]

    def _launch_host(self, undo: ExitStack, storage: str) -> Child:
        known = self.secrets
        settings = {
            "AzureWebJobsStorage": storage,
            "ADO_PAT": known.ado_token,
            "ADO_WEBHOOK_SECRET": known.ado_hook,
            "ADO_RESOURCE_AREAS_URL": f"{self.ado_url}/_apis/resourceareas",
            "SENTRY_TOKEN": known.sentry_token,
            "SENTRY_CLIENT_SECRET": known.sentry_client,
            "PUBLIC_URL": self.app_url,
            "PYTHON_THREADPOOL_THREAD_COUNT": "32",
            "SIMULATOR_FUNCTION_KEY": known.function_key,
        }
        port = self.app_url.rpartition(":")[2]
        command = ["simulator.host", "--port", port, "--lease", _LEASE_SECONDS, "--quiet"]
        return self._launch(
            undo,
            "the app",
            [*command, *self._host_options],
            python=self._host_python,
            environ=settings,
            on_line=self._on_host_line,
        )

    def _launch(
        self,
        undo: ExitStack,
        name: str,
        command: Sequence[str],
        *,
        python: Path | None = None,
        environ: Mapping[str, str] | None = None,
        on_line: LineReader | None = None,
    ) -> Child:
        child = Child(name, command, python=python, environ=environ, on_line=on_line)
        undo.callback(child.stop)
        self._children.append(child)
        return child


def free_port() -> int:
    """Return a port that is free now. The host takes it a moment later, and says so if it cannot."""
    with socket.socket() as probe:
        probe.bind((_LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def verify_free(port: int) -> None:
    """Raise StackError if somebody listens on one of the ports that ``port`` stands for."""
    for offset, name in ((0, "the app"), (_ADO_PORT, "Azure DevOps"), (_SENTRY_PORT, "Sentry")):
        if not is_free(port + offset):
            raise StackError(
                f"Port {port + offset} (for {name}) is taken by another program. End that one, or choose "
                f"another port; the two behind it are used as well: make run PORT={_next_free(port)}"
            )


def free_ports() -> int:
    """Return a port that is free, as are those that the fakes then take."""
    return _next_free(free_port() - _SENTRY_PORT)


def _next_free(port: int) -> int:
    """Return the next port above with room for all."""
    last = 65_535 - _SENTRY_PORT
    first: int
    for first in (*range(port + 10, last, 10), *range(1030, last, 10)):
        if all(is_free(first + offset) for offset in range(_SENTRY_PORT + 1)):
            return first
    raise StackError("No three free ports in a row were found")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: what lingers of an ended connection is in nobody's way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
    return True
