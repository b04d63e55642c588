"""Sets a checkout up, given only Python and Node: as much of it as the command at hand needs."""

# Python 3.6 must be able to read this file, so that it can say that it is too old: no newer syntax, and no
# annotation that is evaluated. Only what follows `_verify_python` may need more.
import errno
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
# Each is all of the one before it and more: what is deployed, what the demo runs, what checks and tests run.
DEMONSTRATION = "requirements-demo.txt"
DEVELOPMENT = "requirements-dev.txt"
NODE_PACKAGES = ("package.json", "package-lock.json", ".npmrc")
# The tests run the app once more under Microsoft's own worker runtime, which only this version has.
RUNTIME_PYTHON = (3, 13)
BROWSER_PACKAGES = ("chromium", "chromium-driver", "fonts-liberation")
STAMP = ".set-up-from"
LOCK = ".set-up-lock"
SAID = ".local/set-up.log"

_ASK_VERSION = "import sys; print(*sys.version_info[:2])"
_LINES_SHOWN = 30
_POLL_EVERY = 0.05  # seconds
# Without a network, pip would try for 15 seconds and npm for more than a minute.
_PATIENCE = {"PIP_RETRIES": "2", "NPM_CONFIG_FETCH_RETRY_MINTIMEOUT": "1000"}
_NO_WRITING = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
# What pip, npm and venv say, and what a person can do about it. The first that fits is told.
_CAUSES = {
    r"No space left on device|ENOSPC": "the disk is full. Make room, then run the same command again.",
    r"ensurepip is not available": (
        "this Python cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv"
    ),
    r"CERTIFICATE_VERIFY_FAILED|SELF_SIGNED_CERT|UNABLE_TO_(?:GET|VERIFY)": (
        "the package index shows a certificate that is not trusted here. Behind a proxy that reads along, "
        "name its certificate in PIP_CERT and NODE_EXTRA_CA_CERTS."
    ),
    r"NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError|Max retries exceeded"
    r"|\b(?:ENOTFOUND|EAI_AGAIN|ECONN(?:REFUSED|RESET)|E?TIMEDOUT|E(?:NET|HOST)UNREACH)\b": (
        "there is no network, or the package index does not answer. Packages are downloaded once: connect, "
        "or name a proxy (HTTPS_PROXY) or an index of your own (PIP_INDEX_URL, NPM_CONFIG_REGISTRY), then "
        "run the same command again."
    ),
    r"Permission denied|Read-only file system|\b(?:EACCES|EROFS|EPERM)\b": (
        "it may not write into this folder, or into its cache. Make both your own, then run the same "
        "command again."
    ),
}


class Purpose(NamedTuple):
    """What a command needs."""

    requirements: str
    has_node: bool = False
    is_test: bool = False


PURPOSES = {
    "demo": Purpose(DEMONSTRATION, has_node=True),
    "tools": Purpose(DEVELOPMENT),
    "check": Purpose(DEVELOPMENT, has_node=True),
    "work": Purpose(DEVELOPMENT, has_node=True),
    "test": Purpose(DEVELOPMENT, has_node=True, is_test=True),
}


class Step(NamedTuple):
    """One command of an installation, and what people see it called."""

    label: str
    command: "list[str]"


class SetUpError(Exception):
    """The checkout cannot be set up; the message says what to do about it."""


def main() -> int:
    purpose = PURPOSES[sys.argv[1] if len(sys.argv) > 1 else "work"]
    try:
        _verify_python()
        with _alone():
            chains = [python_steps(ROOT / ".venv", sys.executable, purpose.requirements)]
            if purpose.has_node:
                is_whole = purpose.requirements == DEVELOPMENT
                verify_node(is_whole=is_whole)
                chains.append(node_steps(ROOT / "node_modules", is_whole=is_whole))
            run_side_by_side(*chains)
            if purpose.is_test:
                _set_up_runtime()
                _set_up_browser()
    except SetUpError as error:
        return _refuse(str(error))
    except OSError as error:
        return _refuse(_advice_on(error))
    except KeyboardInterrupt:
        print("\nInterrupted; run the same command again to go on.")
        return 130
    return 0


def _refuse(sentence: str) -> int:
    print(f"Cannot set up: {sentence}", file=sys.stderr)
    return 1


def _advice_on(error: OSError) -> str:
    if error.errno in _NO_WRITING:
        return (
            f"the folder {ROOT} cannot be written to ({error.strerror}), and everything is installed into "
            "it. Run the command in a copy of your own, or as the user to whom the folder belongs."
        )
    if error.errno == errno.ENOSPC:
        return f"the disk of {ROOT} is full. Make room, then run the same command again."
    return str(error)


@contextmanager
def _alone() -> "Iterator[None]":
    """Wait for any other set-up of this checkout: two at once would delete each other's files."""
    with (ROOT / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, however we end
        yield


def _verify_python() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetUpError(
            f"Python {_dotted(OLDEST_PYTHON)} or newer is needed, and {sys.executable} is "
            f"{_dotted(sys.version_info[:2])}. Name a newer one: make demo PYTHON=python3.12"
        )


def verify_node(*, is_whole: bool = True) -> None:
    """Raise SetUpError unless Node is there, and npm too if something is left to install with it."""
    node = shutil.which("node")
    where = f"Install Node {OLDEST_NODE} or newer: https://nodejs.org"
    if node is None:
        raise SetUpError(f"node was not found; the storage emulator runs on it. {where}")
    said = _output_of([node, "--version"])
    found = re.match(r"v(\d+)", said)
    if found is None or int(found.group(1)) < OLDEST_NODE:
        raise SetUpError(
            f"Node {OLDEST_NODE} or newer is needed, and `node --version` says {said!r}. {where}"
        )
    if shutil.which("npm") is None and not _has_node_packages(ROOT / "node_modules", is_whole=is_whole):
        raise SetUpError(
            "npm was not found, though node was. It comes with Node from https://nodejs.org; "
            "Debian and Ubuntu have it as a package of its own: apt install npm"
        )


def python_steps(folder: Path, python: str, requirements: str = DEVELOPMENT) -> "Iterator[Step]":
    """Install the pinned packages into a virtual environment, unless it was made from the same files."""
    stamp = _stamp((requirements,), python)
    # Whoever can check and test can also show.
    if _is_stamped(folder, stamp, _stamp((DEVELOPMENT,), python)):
        return
    with suppress(FileNotFoundError):
        (folder / STAMP).unlink()
    own = str(folder / "bin" / "python")
    # An environment of another version cannot be made over; one of the same version keeps its packages.
    other_version = folder.exists() and _version_of(own) != _version_of(python)
    clear = ["--clear"] if other_version else []
    yield Step(f"{folder.name}: a virtual environment", [python, "-m", "venv", *clear, str(folder)])
    # What is never imported is never compiled: most of it.
    install = [own, "-m", "pip", "install", "--disable-pip-version-check", "--no-compile"]
    yield Step(
        f"{folder.name}: Python packages", [*install, "--require-hashes", "--requirement", requirements]
    )
    _put_stamp(folder, stamp)


def node_steps(folder: Path, *, is_whole: bool = True) -> "Iterator[Step]":
    """Install the pinned packages of Node, unless they were installed from the same files.

    Only the whole has what checks the admin page; what runs needs the storage emulator alone.
    """
    if _has_node_packages(folder, is_whole=is_whole):
        return
    # Each is pinned, so what the cache knows of it holds.
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--prefer-offline", *([] if is_whole else ["--omit=dev"])]
    more = ", and what checks the page" if is_whole else ""
    yield Step(f"{folder.name}: Azurite, the storage emulator{more}", npm)
    whole, emulator = _node_stamps()
    _put_stamp(folder, whole if is_whole else emulator)


def _has_node_packages(folder: Path, *, is_whole: bool) -> bool:
    whole, emulator = _node_stamps()
    # Whoever can check can also run.
    return _is_stamped(folder, whole) or (not is_whole and _is_stamped(folder, emulator))


def _node_stamps() -> "tuple[str, str]":
    """Return the stamp of all packages, and that of those without which nothing runs."""
    stamp = _stamp(NODE_PACKAGES)
    return stamp, f"{stamp} without tools"


def _set_up_runtime() -> None:
    if sys.version_info[:2] == RUNTIME_PYTHON:
        return  # .venv itself has it.
    python = find_python(RUNTIME_PYTHON)
    if python is None:
        print(f"  · no Python {_dotted(RUNTIME_PYTHON)} was found; its test will say that it was skipped")
        return
    run_side_by_side(python_steps(ROOT / f".venv-{_dotted(RUNTIME_PYTHON)}", python))


def _set_up_browser() -> None:
    """Install a browser for the admin page's tests, only from Debian's packages, and only as root."""
    if _has_browser():
        return
    apt, later = shutil.which("apt-get"), "its tests will say that they were skipped"
    if apt is None or os.geteuid() != 0:
        print(f"  · no browser; {later} (they need Debian's {' and '.join(BROWSER_PACKAGES)})")
        return
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", apt]
    install = [*quietly, "install", "--yes", "--no-install-recommends", *BROWSER_PACKAGES]
    steps = [Step("a list of Debian's packages", [*quietly, "update"]), Step("Chromium", install)]
    try:
        run_side_by_side(iter(steps))
    except SetUpError as error:
        print(f"  · no browser; {later}: {error}")


def _has_browser() -> bool:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    return browser is not None and shutil.which("chromedriver") is not None


def find_python(version: "tuple[int, int]") -> "str | None":
    """Return an interpreter of a version, on the path or among pyenv's, that really runs."""
    candidates = [f"python{_dotted(version)}"]
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        versions = Path(_output_of([pyenv, "root"]), "versions")
        candidates += map(str, versions.glob(f"{_dotted(version)}*/bin/python"))
    return next((each for each in candidates if _version_of(each) == version), None)


def _version_of(python: str) -> "tuple[int, ...]":
    """Return the version of an interpreter; nothing if it does not run, as pyenv's shims may not."""
    return tuple(map(int, _output_of([python, "-c", _ASK_VERSION]).split()))


def _output_of(command: "list[str]") -> str:
    """Return what a command says, or nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _stamp(names: "tuple[str, ...]", python: str = "") -> str:
    digest = hashlib.sha256(repr(_version_of(python) if python else ()).encode())
    for name in names:
        digest.update(name.encode())
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _is_stamped(folder: Path, *stamps: str) -> bool:
    try:
        return (folder / STAMP).read_text() in stamps
    except OSError:
        return False


def _put_stamp(folder: Path, stamp: str) -> None:
    """Leave the mark in the folder itself, so that removing one removes the other."""
    (folder / STAMP).write_text(stamp)


class _Job:
    """A step at work, and what comes after it; what it says is kept for the case that it fails."""

    def __init__(self, step: Step, rest: "Iterator[Step]") -> None:
        self.label = step.label
        self.rest = rest
        self._started = time.monotonic()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the job has ended
        try:
            self.process = subprocess.Popen(
                step.command,
                cwd=ROOT,
                env={**_PATIENCE, **os.environ},
                stdin=subprocess.DEVNULL,
                stdout=self._said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            self._said.close()
            raise

    def __str__(self) -> str:
        return f"{self.label}, {time.monotonic() - self._started:.0f} s"

    def end(self) -> str:
        """End all that it started, and return what it said."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        with self._said as said:
            said.seek(0)
            return said.read().decode(errors="replace")


def run_side_by_side(*chains: "Iterator[Step]") -> None:
    """Run each chain's steps in turn, and the chains at once; what fails, or Ctrl-C, ends all of them."""
    running = [job for job in map(_next_of, chains) if job is not None]
    progress = _Progress()
    try:
        while running:
            for job in [each for each in running if each.process.poll() is not None]:
                running.remove(job)
                said = job.end()
                if job.process.returncode != 0:
                    raise SetUpError(_told(job, said))
                progress.tell(f"  ✓ {job}")
                follower = _next_of(job.rest)
                running += [] if follower is None else [follower]
            if running:
                progress.show(f"  … {' · '.join(map(str, running))}")
                time.sleep(_POLL_EVERY)
    finally:
        progress.tell("")
        for job in running:
            job.end()


def _next_of(chain: "Iterator[Step]") -> "_Job | None":
    step = next(chain, None)
    return None if step is None else _Job(step, chain)


def _told(job: _Job, said: str) -> str:
    """Say what went wrong: in one sentence if the cause is known, else with the last lines."""
    cause = next((sentence for pattern, sentence in _CAUSES.items() if re.search(pattern, said)), None)
    if cause is None:
        shown = "\n".join(said.splitlines()[-_LINES_SHOWN:])
        return f"{job.label} (it ended with {job.process.returncode}):\n{shown}"
    with suppress(OSError):
        (ROOT / SAID).parent.mkdir(exist_ok=True)
        (ROOT / SAID).write_text(said)
        cause += f" ({SAID} has all that was said.)"
    return f"{job.label}: {cause}"


class _Progress:
    """Shows what is at work: on a terminal in one line that changes, elsewhere in a line now and then."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._shown = ""
        self._again_at = 0.0

    def show(self, text: str) -> None:
        if time.monotonic() < self._again_at and (not self._is_terminal or text == self._shown):
            return
        self._again_at = time.monotonic() + 10
        if self._is_terminal:
            self._overwrite(text[: shutil.get_terminal_size().columns - 1])
            self._shown = text
        else:
            print(text, flush=True)

    def tell(self, text: str) -> None:
        """Write a line that stays, over the one that changes."""
        if self._is_terminal:
            self._overwrite("")
            print(end="\r")
        self._shown, self._again_at = "", 0.0
        if text:
            print(text, flush=True)

    def _overwrite(self, text: str) -> None:
        print(f"\r{text.ljust(len(self._shown))}", end="", flush=True)


def _dotted(version: "tuple[int, ...]") -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    # A running installation is stopped with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
