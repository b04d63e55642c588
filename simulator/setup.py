"""Sets a checkout up, given only Python and Node: `.venv`, `node_modules` and what tests need besides."""

# Every Python since 3.8 must be able to parse this file, so that one that is too old can say so.
from __future__ import annotations

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
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OLDEST_PYTHON = (3, 11)
OLDEST_NODE = 20
REQUIREMENTS = "requirements-dev.txt"  # all that is deployed is in it too
NODE_PACKAGES = ("package.json", "package-lock.json", ".npmrc")
# The tests run the app once more under Microsoft's own worker runtime, which only this version has.
RUNTIME_PYTHON = (3, 13)
BROWSER_PACKAGES = ("chromium", "chromium-driver", "fonts-liberation")
STAMP = ".set-up-from"
LOCK = ".set-up-lock"

_ASK_VERSION = "import sys; print(*sys.version_info[:2])"
_LINES_SHOWN = 30


class SetUpError(Exception):
    """The checkout cannot be set up; the message says what to do about it."""


def main() -> int:
    try:
        _verify_versions()
        with _alone():
            set_up_python(ROOT / ".venv", sys.executable)
            set_up_node(ROOT / "node_modules")
            if "--for-tests" in sys.argv[1:]:
                _set_up_runtime()
                _set_up_browser()
    except (SetUpError, OSError) as error:  # the folder may be read-only, the disk full
        print(f"Cannot set up: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; run the same command again to go on.")
        return 130
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for any other set-up of this checkout: two at once would delete each other's files."""
    with (ROOT / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed, however we end
        yield


def _verify_versions() -> None:
    if sys.version_info < OLDEST_PYTHON:
        raise SetUpError(
            f"Python {_dotted(OLDEST_PYTHON)} or newer is needed, and {sys.executable} is "
            f"{_dotted(sys.version_info[:2])}. Name a newer one: make demo PYTHON=python3.12"
        )
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        raise SetUpError(
            f"node or npm was not found. Install Node {OLDEST_NODE} or newer: https://nodejs.org"
        )
    said = _output_of([node, "--version"])
    found = re.match(r"v(\d+)", said)
    if found is None or int(found[1]) < OLDEST_NODE:
        raise SetUpError(f"Node {OLDEST_NODE} or newer is needed, and `node --version` says {said!r}")


def set_up_python(folder: Path, python: str) -> None:
    """Install the pinned packages into a virtual environment, unless it was made from the same files."""
    stamp = _stamp((REQUIREMENTS,), python)
    if _is_stamped(folder, stamp):
        return
    (folder / STAMP).unlink(missing_ok=True)
    own = str(folder / "bin" / "python")
    # An environment of another version cannot be made over; one of the same version keeps its packages.
    other_version = folder.exists() and _version_of(own) != _version_of(python)
    clear = ["--clear"] if other_version else []
    _run(f"{folder.name}: a virtual environment", [python, "-m", "venv", *clear, str(folder)])
    install = [own, "-m", "pip", "install", "--disable-pip-version-check"]
    _run(f"{folder.name}: Python packages", [*install, "--require-hashes", "--requirement", REQUIREMENTS])
    _put_stamp(folder, stamp)


def set_up_node(folder: Path) -> None:
    stamp = _stamp(NODE_PACKAGES)
    if _is_stamped(folder, stamp):
        return
    _run(f"{folder.name}: Azurite, the storage emulator", ["npm", "ci", "--no-audit", "--no-fund"])
    _put_stamp(folder, stamp)


def _set_up_runtime() -> None:
    if sys.version_info[:2] == RUNTIME_PYTHON:
        return  # .venv itself has it.
    python = find_python(RUNTIME_PYTHON)
    if python is None:
        print(f"  · no Python {_dotted(RUNTIME_PYTHON)} was found; its test will say that it was skipped")
        return
    set_up_python(ROOT / f".venv-{_dotted(RUNTIME_PYTHON)}", python)


def _set_up_browser() -> None:
    """Install a browser for the admin page's tests, only from Debian's packages, and only as root."""
    if _has_browser():
        return
    apt, later = shutil.which("apt-get"), "its tests will say that they were skipped"
    if apt is None or os.geteuid() != 0:
        print(f"  · no browser; {later} (they need Debian's {' and '.join(BROWSER_PACKAGES)})")
        return
    quietly = ["env", "DEBIAN_FRONTEND=noninteractive", apt]
    try:
        _run("a list of Debian's packages", [*quietly, "update"])
        _run("Chromium", [*quietly, "install", "--yes", "--no-install-recommends", *BROWSER_PACKAGES])
    except SetUpError as error:
        print(f"  · no browser; {later}: {error}")


def _has_browser() -> bool:
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    return browser is not None and shutil.which("chromedriver") is not None


def find_python(version: tuple[int, int]) -> str | None:
    """Return an interpreter of a version, on the path or among pyenv's, that really runs."""
    candidates = [f"python{_dotted(version)}"]
    if pyenv := shutil.which("pyenv"):
        versions = Path(_output_of([pyenv, "root"]), "versions")
        candidates += map(str, versions.glob(f"{_dotted(version)}*/bin/python"))
    return next((each for each in candidates if _version_of(each) == version), None)


def _version_of(python: str) -> tuple[int, ...]:
    """Return the version of an interpreter; nothing if it does not run, as pyenv's shims may not."""
    return tuple(map(int, _output_of([python, "-c", _ASK_VERSION]).split()))


def _output_of(command: list[str]) -> str:
    """Return what a command says, or nothing if it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _stamp(names: tuple[str, ...], python: str = "") -> str:
    digest = hashlib.sha256(repr(_version_of(python) if python else ()).encode())
    for name in names:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def _is_stamped(folder: Path, stamp: str) -> bool:
    try:
        return (folder / STAMP).read_text() == stamp
    except OSError:
        return False


def _put_stamp(folder: Path, stamp: str) -> None:
    """Leave the mark in the folder itself, so that removing one removes the other."""
    (folder / STAMP).write_text(stamp)


def _run(label: str, command: list[str]) -> None:
    """Run a command, showing that it is at work; show what it said only if it fails."""
    started = time.monotonic()
    is_terminal = sys.stdout.isatty()
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code = None
        while code is None:
            _show(f"  … {label}, {time.monotonic() - started:.0f} s", is_terminal=is_terminal)
            code = _wait(process, 1 if is_terminal else 10)
        said.seek(0)
        lines = said.read().decode(errors="replace").splitlines()
    if code != 0:
        shown = "\n".join(lines[-_LINES_SHOWN:])
        raise SetUpError(f"{label} ({os.path.basename(command[0])} answered {code}):\n{shown}")
    _show(f"  ✓ {label}, {time.monotonic() - started:.0f} s", is_terminal=is_terminal, is_last=True)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Return what a process answered, or None if it is still at work; Ctrl-C ends all that it started."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _show(text: str, *, is_terminal: bool, is_last: bool = False) -> None:
    """Write a line; on a terminal over the one before it."""
    start, end = ("\r", "\n" if is_last else "") if is_terminal else ("", "\n")
    print(start + text, end=end, flush=True)


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


if __name__ == "__main__":
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    # A running installation is stopped with us.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
