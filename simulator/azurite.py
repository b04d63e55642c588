"""Azurite, the storage emulator, started for one test run or one demo and always stopped with it.

It listens on ports of the system's choosing, so that any number of runs share a machine.
"""

import atexit
import re
import subprocess
import threading
import time
from pathlib import Path
from queue import Empty, Queue
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from simulator.certificate import Certificate

_SCRIPT = Path(__file__).parents[1] / "node_modules/azurite/dist/src/azurite.js"
_LISTENING = re.compile(
    r"Azurite (Blob|Queue|Table) service is successfully listening at https?://127\.0\.0\.1:(\d+)"
)
_START_SECONDS = 60
_STOP_SECONDS = 10

# The public development account: https://learn.microsoft.com/azure/storage/common/storage-use-azurite
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="

# Our end of its standard input closes when we end, however we end; then it ends too. (A parent-death signal
# would do the same, on Linux only.)
_END_WITH_PARENT = (
    "data:text/javascript,process.stdin.resume().on('end',()=>process.kill(process.pid,'SIGTERM')).unref()"
)


class AzuriteError(RuntimeError):
    """Azurite is not installed, or did not start."""


class Azurite:
    """One Azurite process; in memory, or in a folder that outlives it.

    A stopped one can be started again and then has the same ports, so that a test can take the storage away
    from a running app and give it back. In memory it comes back empty.

    With a ``certificate`` it speaks https, and takes the tokens of ``simulator.identity`` beside the key.
    One that ``checks_versions`` refuses a version of the protocol that is newer than itself.
    """

    def __init__(
        self,
        location: Path | None = None,
        *,
        certificate: "Certificate | None" = None,
        checks_versions: bool = False,
    ) -> None:
        self._location = location
        self._checks_versions = checks_versions
        self._certificate = certificate
        self._ports = {"Blob": 0, "Queue": 0, "Table": 0}
        self._process: _Process | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def connection_string(self) -> str:
        endpoints = "".join(f"{service}Endpoint={self.url(service)};" for service in self._ports)
        return f"DefaultEndpointsProtocol={self._scheme};AccountName={_ACCOUNT};AccountKey={_KEY};{endpoints}"

    def url(self, service: str) -> str:
        """Return the account's address at one of Blob, Queue and Table."""
        return f"{self._scheme}://127.0.0.1:{self._ports[service]}/{_ACCOUNT}"

    @property
    def _scheme(self) -> str:
        return "http" if self._certificate is None else "https"

    def start(self) -> None:
        """Return when all three services listen."""
        if not _SCRIPT.exists():
            raise AzuriteError("Azurite is not installed: run `npm ci` first")
        self._process = _Process(self._command())
        atexit.register(self.stop)
        try:
            self._ports = self._process.wait_until_it_listens()
        except AzuriteError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it, keeping what a folder holds; harmless when it does not run."""
        atexit.unregister(self.stop)
        if self._process is not None:
            self._process.stop()
            self._process = None

    def _command(self) -> list[str]:
        persistence = ["--location", str(self._location)] if self._location else ["--inMemoryPersistence"]
        ports = [word for name, port in self._ports.items() for word in (f"--{name.lower()}Port", str(port))]
        options = ["--silent", "--disableTelemetry"]
        if not self._checks_versions:
            options.append("--skipApiVersionCheck")
        if self._certificate is not None:
            files = ["--cert", str(self._certificate.path), "--key", str(self._certificate.key_path)]
            options += [*files, "--oauth", "basic"]
        # node itself and not npx: npx is a parent that would have to be ended as well.
        return ["node", "--import", _END_WITH_PARENT, str(_SCRIPT), *options, *persistence, *ports]


class _Process:
    """The operating system process."""

    def __init__(self, command: list[str]) -> None:
        # A session of its own: Ctrl-C reaches us alone, and we end it after everything that needs it.
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_until_it_listens(self) -> dict[str, int]:
        """Return the ports it prints, so that another process on a port cannot answer instead."""
        ports: dict[str, int] = {}
        said: list[str] = []
        deadline = time.monotonic() + _START_SECONDS
        while len(ports) < 3:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                line = None
            if line is None:
                raise AzuriteError("Azurite did not start:\n" + "".join(said))
            said.append(line)
            if match := _LISTENING.search(line):
                ports[match[1]] = int(match[2])
        return ports

    def stop(self) -> None:
        with self._popen as process:
            if process.stdin is not None:
                process.stdin.close()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            self._reader.join()

    def _read(self) -> None:
        # To the very end: a full pipe would block Azurite.
        for line in self._popen.stdout or ():
            self._lines.put(line)
        self._lines.put(None)
