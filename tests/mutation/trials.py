"""Tries changes in forks of one process that has collected all tests.

mutmut starts pytest anew for each change, and a start takes longer than the tests that notice most of them.
So it makes the changes and finds out which tests reach them, and this runs the tests. It runs in the copy
that mutmut has made, and writes where mutmut keeps its results.

Hundreds of tests reach a line, and one that notices is enough. So it runs as many as a time has room for, the
quickest of the change's own room first.
"""

import argparse
import json
import os
import resource
import signal
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Never

import pytest
from _pytest.runner import runtestprotocol
from mutmut.mutation.trampoline import set_mutant_under_test

STATISTICS = Path("mutmut-stats.json")
# Where the tests of a room are.
NEAR = {
    "domain": ("tests/unit/domain/",),
    "settling": ("tests/unit/settling/",),
    "store": ("tests/unit/store/", "tests/contract/"),
}
# pytest's exit codes as mutmut keeps them: no test failed, one did, no test reaches the place.
SURVIVED, KILLED, UNTESTED = 0, 1, 33
NOTHING = ""  # the name of no change


@dataclass(frozen=True)
class Trial:
    change: str
    tests: tuple[str, ...]
    seconds: float  # that its tests take


class Results:
    """What is known of each change, in mutmut's own files."""

    def __init__(self, folder: Path) -> None:
        self._files = {path: json.loads(path.read_text("utf-8")) for path in folder.rglob("*.meta")}
        self._file_of = {
            name: path for path, file in self._files.items() for name in file["exit_code_by_key"]
        }
        self._saved = time.monotonic()

    def __setitem__(self, change: str, code: int) -> None:
        self._files[self._file_of[change]]["exit_code_by_key"][change] = code
        if time.monotonic() - self._saved > 30:
            self.save()

    def save(self) -> None:
        for path, file in self._files.items():
            path.write_text(json.dumps(file, indent=4), encoding="utf-8")
        self._saved = time.monotonic()


class Forks:
    """Runs tests in forks of a session that has collected them and has run none itself."""

    def __init__(self, session: pytest.Session, children: int) -> None:
        self._session = session
        self._items = {item.nodeid: item for item in session.items}
        self._children = children
        self._running: dict[int, Trial] = {}

    def run(self, trials: Iterable[Trial]) -> Iterator[tuple[Trial, int]]:
        """Return how each trial ended, as soon as it has."""
        for trial in trials:
            if len(self._running) == self._children:
                yield self._ended()
            pid = os.fork()
            if pid == 0:
                self._try(trial)
            self._running[pid] = trial
        while self._running:
            yield self._ended()

    def _ended(self) -> tuple[Trial, int]:
        pid, status = os.wait()
        return self._running.pop(pid), os.waitstatus_to_exitcode(status)

    def _try(self, trial: Trial) -> Never:
        code = KILLED  # also by what ends pytest itself
        try:
            self._limit(trial.seconds)
            set_mutant_under_test(trial.change)
            code = KILLED if self._is_noticed(trial.tests) else SURVIVED
        finally:
            os._exit(code)

    def _limit(self, seconds: float) -> None:
        """Have the system end an endless loop, and what waits for ever."""
        patience = 20 + int(10 * seconds)
        resource.setrlimit(resource.RLIMIT_CPU, (patience, patience + 1))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(3 * patience)

    def _is_noticed(self, tests: tuple[str, ...]) -> bool:
        items = [self._items[test] for test in tests]
        for item, following in zip(items, [*items[1:], None], strict=True):
            reports = runtestprotocol(item, log=False, nextitem=following)
            if any(report.failed for report in reports):
                self._session._setupstate.teardown_exact(None)
                return True
        return False


class Trials:
    """A plugin for pytest: instead of each test once, run some for each change."""

    def __init__(self, changes: list[str], children: int, seconds: float) -> None:
        self._changes = changes
        self._children = children
        self._seconds = seconds

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        # One folder for all, made before anybody is two.
        session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
        forks, results = Forks(session, self._children), Results(Path())
        known = json.loads(STATISTICS.read_text(encoding="utf-8"))
        durations, reached = known["duration_by_test"], known["tests_by_mangled_function_name"]
        trials = list(trials_of(self._changes, reached, durations, self._seconds))
        insist(forks, {test for trial in trials for test in trial.tests}, durations)
        try:
            for trial, code in forks.run(trials):
                results[trial.change] = code if trial.tests else UNTESTED
        finally:
            results.save()
        return True


def insist(forks: Forks, tests: Iterable[str], durations: dict[str, float]) -> None:
    """Raise if one of the tests fails where nothing is changed: it would notice whatever there is."""
    by_file: dict[str, list[str]] = {}
    for test in sorted(tests):
        by_file.setdefault(test.partition("::")[0], []).append(test)
    trials = [Trial(NOTHING, tuple(some), sum(durations[test] for test in some)) for some in by_file.values()]
    for trial, code in forks.run(trials):
        if code != SURVIVED:
            pytest.exit(f"ended with {code}, and nothing was changed: {trial.tests[0].partition('::')[0]}", 2)


def trials_of(
    changes: Iterable[str], reached: dict[str, list[str]], durations: dict[str, float], seconds: float
) -> Iterator[Trial]:
    for change in changes:
        function = change.rpartition("__mutmut_")[0]
        tests = near_tests(function, reached.get(function, []), durations, seconds)
        yield Trial(change, tuple(tests), sum(durations[test] for test in tests))


def near_tests(function: str, tests: list[str], durations: dict[str, float], seconds: float) -> list[str]:
    """Return tests for so many seconds, the quickest of the function's own room first."""
    near = NEAR[function.split(".")[1]]
    chosen, took = list[str](), 0.0
    for test in sorted(tests, key=lambda test: (not test.startswith(near), durations[test])):
        if took > seconds:
            break
        chosen.append(test)
        took += durations[test]
    return chosen


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation.trials", description=__doc__)
    parser.add_argument("--children", type=int, default=1, help="how many changes are tried at once")
    parser.add_argument("--seconds", type=float, required=True, help="of tests for each change")
    asked = parser.parse_args()
    changes = sys.stdin.read().split()
    settings = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["mutmut"]
    # In memory: a file for what is printed would be one for all forks.
    quiet = ["--rootdir=.", "-q", "--capture=sys", "--tb=no", "-p", "no:cacheprovider"]
    options = [*quiet, *settings["pytest_add_cli_args"], *settings["pytest_add_cli_args_test_selection"]]
    return int(pytest.main(options, plugins=[Trials(changes, asked.children, asked.seconds)]))


if __name__ == "__main__":
    sys.exit(main())
