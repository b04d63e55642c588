"""Breaks a copy of the code in known ways, one at a time, and counts the schedules until that is noticed."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.simulation.mutants.known import MUTANTS, Mutant

ROOT = Path(__file__).parents[3]
UNBROKEN = 200  # schedules that the code itself must pass first
COPIED = ("shared", "functions", "simulator", "tests", "docs")
FILES = ("function_app.py", "host.json", "pyproject.toml", "local.settings.sample.json")
QUIETLY = ("-q", "-x", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header")


class UnjudgedError(RuntimeError):
    """The judges did not come to run."""


@dataclass(frozen=True)
class Verdict:
    """What caught a mutant (None: it survived), after how many schedules, and how long that took.

    One that no judge could run is ``unjudged``, and not caught.
    """

    mutant: Mutant
    passed: int
    complaint: str | None
    seconds: float
    unjudged: bool = False


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, help="how many each mutant may survive")
    parser.add_argument("--only", default="", help="only the mutants whose name contains this")
    parser.add_argument("--at-once", type=int, default=2, help="how many mutants are judged at once")
    asked = parser.parse_args()
    chosen = [each for each in MUTANTS if asked.only in each.name]
    with tempfile.TemporaryDirectory() as folder:
        return run(chosen, Path(folder), asked.schedules, asked.at_once)


def run(chosen: list[Mutant], folder: Path, schedules: int, at_once: int) -> int:
    """Judge each mutant on a copy of the code, so that edits made meanwhile do not count as a mutant's."""
    started = time.perf_counter()
    copies = Copies(folder, at_once)
    with copies.one() as copy:
        if complaint := complaint_about_the_code(copy, chosen):
            raise RuntimeError(f"the code is broken without any mutant: {complaint}")
    width = max(len(each.name) for each in chosen)
    print(f"{'mutant':{width}}  {'schedules':>9}  {'seconds':>7}  complaint")
    survivors = 0
    with ThreadPoolExecutor(at_once) as judges:
        for each in judges.map(lambda mutant: copies.judge(mutant, schedules), chosen):
            survivors += each.complaint is None
            passed = "-" if each.mutant.tests else str(each.passed)
            words = each.complaint or ("NOT JUDGED" if each.unjudged else "SURVIVED")
            print(f"{each.mutant.name:{width}}  {passed:>9}  {each.seconds:7.1f}  {words}", flush=True)
    took = time.perf_counter() - started
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants were caught, in {took:.0f} seconds.")
    return 1 if survivors else 0


class Copies:
    """A copy of the code for each judge; a mutant is one judge's alone while it is judged."""

    def __init__(self, folder: Path, number: int) -> None:
        self._free = [folder / str(place) for place in range(number)]
        self._lock = threading.Lock()
        for copy in self._free:
            for name in COPIED:
                shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            for name in FILES:
                shutil.copy(ROOT / name, copy / name)

    @contextmanager
    def one(self) -> Iterator[Path]:
        with self._lock:
            copy = self._free.pop()
        yield copy
        with self._lock:
            self._free.append(copy)

    def judge(self, mutant: Mutant, schedules: int) -> Verdict:
        started = time.perf_counter()
        passed, complaint, unjudged = 0, None, False
        with self.one() as copy, changed(copy, mutant):
            try:
                if mutant.tests:
                    complaint = failed_test(copy, mutant.tests)
                else:
                    passed, complaint = first_complaint(copy, schedules, mutant.theme)
            except UnjudgedError as error:
                unjudged = True
                print(error, file=sys.stderr)
        return Verdict(mutant, passed, complaint, time.perf_counter() - started, unjudged)


def complaint_about_the_code(copy: Path, chosen: list[Mutant]) -> str | None:
    tests = sorted({test for each in chosen for test in each.tests})
    if tests and (failed := failed_test(copy, tuple(tests))):
        return failed
    return first_complaint(copy, UNBROKEN, None)[1]


def first_complaint(copy: Path, schedules: int, theme: str | None) -> tuple[int, str | None]:
    """Return how many schedules the code in a folder survived, and the complaint that caught it, if any."""
    said = _python(
        copy,
        *("tests.simulation", "--until", "--seed", "0", "--schedules", str(schedules)),
        *(("--theme", theme) if theme else ()),
    )
    passed, _, complaint = said.stdout.strip().partition(" ")
    if not passed.isdigit():
        raise UnjudgedError(f"the simulation did not run:\n{said.stderr}")
    return int(passed), complaint or None


def failed_test(copy: Path, tests: tuple[str, ...]) -> str | None:
    """Return the first of these tests that fails, or None."""
    said = _python(copy, "pytest", *QUIETLY, *tests)
    lines = (line.split(" - ")[0] for line in said.stdout.splitlines())
    # What cannot even be loaded is an error of a whole file, and proves nothing.
    failed = next((each for each in lines if re.match(r"(FAILED|ERROR) tests\S*::", each)), None)
    if failed is None and said.returncode != 0:
        raise UnjudgedError(f"the tests did not run:\n{said.stdout}{said.stderr}")
    return failed


def _python(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-B", "-m", module, *arguments],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def changed(folder: Path, mutant: Mutant) -> Iterator[None]:
    """Break the code while the block lasts."""
    whole = {name: (folder / name).read_text(encoding="utf-8") for name, _, _ in mutant.changes}
    for name, old, new in mutant.changes:
        _change(folder / name, old, new)
    yield
    for name, text in whole.items():
        (folder / name).write_text(text, encoding="utf-8")


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise RuntimeError(f"{path.name} no longer has this once, so the mutant is out of date:\n{old}")
    path.write_text(text.replace(old, new), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
