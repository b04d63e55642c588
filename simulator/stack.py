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

_LISTENING = re.compile(r"listening on (http://\S+)")
_START_SECONDS = 60
# Longer than the host takes to finish its running work.
_STOP_SECONDS = 15
_LINES_KEPT = 200
_LEASE_SECONDS = "5"

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
    """What runs side by side. ``host_python`` and ``host_options`` are for the app alone."""

    def __init__(
        self,
        *,
        host_python: Path | None = None,
        host_options: Sequence[str] = (),
        on_host_line: LineReader | None = None,
    ) -> None:
        self.secrets = Secrets()
        self.ado_url = self.sentry_url = ""
        # The app and Sentry have to know the app's address before the app runs.
        self.app_url = f"http://127.0.0.1:{_free_port()}"
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
        ado = self._launch(
            undo,
            "the fake Azure DevOps",
            ["simulator.ado", "--organization", ADO_ORGANIZATION, "--token", known.ado_token],
        )
        sentry = self._launch(
            undo,
            "the fake Sentry",
            [
                *("simulator.sentry", "--organization", SENTRY_ORGANIZATION),
                *("--token", known.sentry_token, "--client-secret", known.sentry_client),
                *("--webhook-url", self.sentry_webhook_url),
            ],
        )
        try:
            azurite = undo.enter_context(Azurite())
        except AzuriteError as error:
            raise StackError(str(error)) from error
        self.ado_url = ado.wait_until_it_listens()
        host = self._launch_host(undo, azurite.connection_string)
        self.sentry_url = sentry.wait_until_it_listens()
        host.wait_until_it_listens()
        # All are asked to end before the first is waited for.
        for child in self._children:
            undo.callback(child.let_go)

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


def _free_port() -> int:
    """Return a port that is free now. The host takes it a moment later, and says so if it cannot."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
