"""Runs mutmut over the core and compares what survives with what somebody has accepted, and why.

mutmut changes what stands inside functions, one expression at a time, and finds out which tests reach it. It
is told where to look, and with which tests, in pyproject.toml. It works on a copy, which keeps its results.

A few quick tests notice most changes. What they do not notice meets more of them, twice, unless it is
accepted; what a dozen seconds of tests do not notice lacks one that is nearer.
"""

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mutmut.mutation.diff_apply import get_diff_for_mutant

ROOT = Path(__file__).parents[2]
COPY = ROOT / ".local" / "mutation"
RESULTS = COPY / "mutants"
COPIED = ("shared", "functions", "simulator", "tests", "docs")
ROUNDS = (0.3, 3.0, 12.0)  # seconds of tests
FILES = ("function_app.py", "host.json", "local.settings.sample.json", "pyproject.toml")
ACCEPTED = Path(__file__).with_name("accepted.toml")
# pytest's exit codes as mutmut keeps them: no test failed, and no test reaches the place.
SURVIVED, UNTESTED = 0, frozenset({5, 33})


@dataclass(frozen=True)
class Change:
    """One line and what became of it; mutmut's own numbers change with every edit of the code."""

    path: str
    was: str
    became: str


@dataclass(frozen=True)
class Result:
    name: str
    module: str
    exit_code: int | None

    @property
    def word(self) -> str:
        if self.exit_code is None:
            return "untried"
        if self.exit_code in UNTESTED:
            return "untested"
        return "survived" if self.exit_code == SURVIVED else "killed"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="such as shared.domain.failures; without any, all of them")
    parser.add_argument("--children", type=int, default=2, help="how many mutants are tried at once")
    asked = parser.parse_args()
    started = time.perf_counter()
    renew_copy()
    ran = try_all(asked.modules, asked.children)
    wanted = [each for each in found() if is_asked_for(each, asked.modules)]
    results = [each for each in wanted if each.exit_code is not None]
    print_figures(results)
    print(f"{time.perf_counter() - started:.0f} s")
    verdict = judge(results, whole=not asked.modules)
    if len(results) < len(wanted) or not results:
        print(ran.stdout[-3000:], ran.stderr[-3000:], sep="\n", file=sys.stderr)
        print(f"The trials ended before their time: {len(wanted) - len(results)} changes were not tried")
        return 2
    return verdict


def try_all(modules: list[str], children: int) -> subprocess.CompletedProcess[str]:
    """Try what was not tried yet, and what survived before there was a test for it."""
    command = [sys.executable, "-m"]
    # Whatever mutmut is asked to try, it begins by making all changes and by running all tests.
    ran = run([*command, "mutmut", "run", "--max-children", str(children), "shared.domain.moments.*"], COPY)
    trials = [*command, "tests.mutation.trials", "--children", str(children), "--seconds"]
    accepted = accepted_changes()
    for seconds in ROUNDS:
        unknown = [each for each in found() if each.word != "killed" and is_asked_for(each, modules)]
        open_ones = [each for each in unknown if each.exit_code is None or change_of(each) not in accepted]
        if ran.returncode != 0 or not open_ones:
            break
        print(f"{len(open_ones)} changes meet {seconds} s of tests.", flush=True)
        ran = run([*trials, str(seconds)], RESULTS, "\n".join(each.name for each in open_ones))
    return ran


def run(command: list[str], folder: Path, told: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, input=told, capture_output=True, text=True, check=False)


def renew_copy() -> None:
    COPY.mkdir(parents=True, exist_ok=True)
    for name in COPIED:
        shutil.rmtree(COPY / name, ignore_errors=True)
        shutil.copytree(ROOT / name, COPY / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, COPY / name)


def is_asked_for(result: Result, modules: Iterable[str]) -> bool:
    return not modules or any(result.module == f"{module.replace('.', '/')}.py" for module in modules)


def found() -> Iterator[Result]:
    for path in sorted(RESULTS.rglob("*.meta")):
        module = str(path.relative_to(RESULTS).with_suffix(""))
        for name, exit_code in json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"].items():
            yield Result(name, module, exit_code)


def print_figures(results: list[Result]) -> None:
    words = ("killed", "survived", "untested")
    print(f"{'module':38} {'killed':>8} {'survived':>9} {'untested':>9}")
    for module in sorted({each.module for each in results}):
        counted = Counter(each.word for each in results if each.module == module)
        print(f"{module:38} {counted[words[0]]:8} {counted[words[1]]:9} {counted[words[2]]:9}")
    counted = Counter(each.word for each in results)
    print(f"{'all':38} {counted[words[0]]:8} {counted[words[1]]:9} {counted[words[2]]:9}")


def judge(results: list[Result], *, whole: bool) -> int:
    """Print each survivor that nobody accepted, and each accepted one that is there no longer."""
    accepted = accepted_changes()
    survivors = {change_of(each): each for each in results if each.word != "killed"}
    for change, result in survivors.items():
        if change not in accepted:
            print(f"\n{result.word}: {result.name}\n  {change.path}\n  - {change.was}\n  + {change.became}")
    stale = accepted - survivors.keys() if whole else set()
    for change in stale:
        print(f"\nno survivor any more: {change.path}\n  - {change.was}\n  + {change.became}")
    unknown = survivors.keys() - accepted
    print(f"\n{len(survivors)} survivors, {len(survivors) - len(unknown)} of them accepted with a reason.")
    return 1 if unknown or stale else 0


def accepted_changes() -> set[Change]:
    entries = tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).get("accepted", [])
    return {Change(each["path"], each["was"], each["became"]) for each in entries}


def change_of(result: Result) -> Change:
    with contextlib.chdir(COPY):
        return change_in(result.module, get_diff_for_mutant(result.name, path=result.module))


def change_in(path: str, diff: str) -> Change:
    """Return what a diff replaces; several lines become one."""
    lines = diff.partition("@@")[2].splitlines()[1:]
    was, became = (" ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Change(path, was, became)


if __name__ == "__main__":
    sys.exit(main())
