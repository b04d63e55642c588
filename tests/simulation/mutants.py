"""Breaks the code in known ways, one at a time, and counts the schedules until the witness complains."""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNBROKEN = 200  # schedules that the code itself must pass first
COPIED = ("shared", "functions", "simulator", "tests")


@dataclass(frozen=True)
class Mutant:
    """One way to be wrong. Each text is found in its file exactly once, or the mutant is out of date."""

    name: str
    changes: tuple[tuple[str, str, str], ...]


def _mutant(name: str, path: str, old: str, new: str) -> Mutant:
    return Mutant(name, ((f"shared/{path}", old, new),))


MUTANTS = (
    _mutant(
        "write whatever the revision",
        "settling/writing.py",
        "        written.now.item.rev,\n",
        "        ado.get_work_item(work_item_id).rev,\n",
    ),
    _mutant(
        "forget what was seen",
        "settling/recording.py",
        "        seen=seen,\n",
        "        seen=observation.seen,\n",
    ),
    _mutant(
        "let the other side win a conflict",
        "domain/rules/deciding.py",
        "    target = directions.on_conflict.other\n",
        "    target = directions.on_conflict\n",
    ),
    _mutant(
        "overwrite a link that another worker changed",
        "store/links.py",
        "Replace(key, _text(link), stored.etag)",
        "Replace(key, _text(link), None)",
    ),
    _mutant(
        "record before the write",
        "settling/settler.py",
        "replace(link, seen=observation.told_from, claim=claim, waiting=waiting)",
        "replace(link, seen=decision.after, claim=replace(claim, intents=()), waiting=waiting)",
    ),
    _mutant(
        "write without announcing it",
        "settling/settler.py",
        "        stored = self._store(stored, row, ends, unit)\n",
        "",
    ),
    _mutant(
        "ignore another worker's claim",
        "settling/observing.py",
        'claim.token not in {"", unit.token} and claim.until > now:',
        'claim.token not in {"", unit.token} and claim.until > now + 1e9:',
    ),
    _mutant(
        "take the own writes of a dead worker for a person's",
        "domain/rules/landing.py",
        "        if has_landed(intent, claim, now):\n            seen =",
        "        if has_landed(intent, claim, now) and claim is None:\n            seen =",
    ),
    _mutant(
        "treat archived as any other status",
        "domain/rules/deciding.py",
        "    if now.issue.status is IssueStatus.IGNORED and (issue_changed or item_changed):\n",
        "    if now.issue.status is None and (issue_changed or item_changed):\n",
    ),
    Mutant(
        "believe late snapshots",
        (
            (
                "shared/settling/settler.py",
                "known = item is not None and item.rev <= link.seen.item.rev",
                "known = item is not None and item.rev == link.seen.item.rev",
            ),
            (
                "shared/settling/observing.py",
                "        return None if is_late else item\n",
                "        return item or (None if is_late else item)\n",
            ),
        ),
    ),
    _mutant(
        "say nothing about a conflict",
        "settling/settler.py",
        "            if entry.outcome == Outcome.CONFLICT_RESOLVED\n        ]",
        "            if entry.outcome is None\n        ]",
    ),
    _mutant(
        "say nothing about what was left alone",
        "domain/activity.py",
        "{Outcome.SETTLED, Outcome.UNDECIDED}",
        "{Outcome.SETTLED, Outcome.UNDECIDED, Outcome.SKIPPED}",
    ),
    _mutant(
        "leave the claim behind",
        "settling/recording.py",
        "        claim=left,\n",
        "        claim=claim,\n",
    ),
    _mutant(
        "give up a person who is not known yet",
        "settling/recording.py",
        "        owed=owed,\n",
        "        owed=None,\n",
    ),
    _mutant(
        "unassign for a team or a bare name",
        "domain/rules/deciding.py",
        "    if choice.target is not None and isinstance(carried, Stranger):\n",
        "    if choice.target is not None and carried == 0:\n",
    ),
    _mutant(
        "guess that an unknown state is open",
        "domain/rules/done.py",
        "    if category is None:\n        raise Undecidable(",
        "    if category is None:\n        return IssueStatus.UNRESOLVED\n        raise Undecidable(",
    ),
    _mutant(
        "stay with an issue that was merged",
        "settling/settler.py",
        "        if issue.issue_id == stored.link.issue_id:\n            return stored\n",
        "        if issue.issue_id:\n            return stored\n",
    ),
    _mutant(
        "correct a hand-made state",
        "domain/rules/deciding.py",
        "        agree=now.issue.status is now.item.status,\n",
        "        agree=False,\n",
    ),
    _mutant(
        "let a person who is not known block a status",
        "settling/writing.py",
        "        if len(intents) == 1:\n",
        "        written.refused |= {each.field: refused for each in intents}\n        if intents:\n",
    ),
    _mutant(
        "never ask Sentry again",
        "flows/reconciling.py",
        "        for place, issue_id in enumerate(wanted):\n",
        "        for place, issue_id in enumerate(wanted[:0]):\n",
    ),
    _mutant(
        "never ask Azure DevOps again",
        "flows/reconciling.py",
        "        for message, marks in messages.values():\n",
        "        for message, marks in list(messages.values())[:0]:\n",
    ),
    _mutant(
        "forget a write whose answer was lost",
        "settling/recording.py",
        " if claim and written.uncertain else None",
        " if claim and written.uncertain and not written.error else None",
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.mutants", description=__doc__)
    parser.add_argument("--schedules", type=int, default=20_000, help="how many each mutant may survive")
    parser.add_argument("--only", default="", help="only the mutants whose name contains this")
    asked = parser.parse_args()
    chosen = [each for each in MUTANTS if asked.only in each.name]
    with tempfile.TemporaryDirectory() as folder:
        return run(chosen, Path(folder), asked.schedules)


def run(chosen: list[Mutant], folder: Path, schedules: int) -> int:
    """Judge each mutant on one copy of the code, so that edits made meanwhile do not count as a mutant's."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    _, complaint = verdict(folder, UNBROKEN)
    if complaint:
        raise RuntimeError(f"the code is broken without any mutant: {complaint}")
    width = max(len(each.name) for each in chosen)
    print(f"{'mutant':{width}}  {'schedules':>9}  {'seconds':>7}  complaint")
    survivors = 0
    for mutant in chosen:
        started = time.perf_counter()
        with changed(folder, mutant):
            passed, complaint = verdict(folder, schedules)
        survivors += complaint is None
        words = complaint or "SURVIVED"
        print(f"{mutant.name:{width}}  {passed:9}  {time.perf_counter() - started:7.1f}  {words}", flush=True)
    print(f"{len(chosen) - survivors} of {len(chosen)} mutants were caught.")
    return 1 if survivors else 0


def verdict(folder: Path, schedules: int) -> tuple[int, str | None]:
    """Return how many schedules the code in a folder survived, and the complaint that caught it, if any."""
    command = [sys.executable, "-B", "-m", "tests.simulation", "--until", "--schedules", str(schedules)]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    passed, _, complaint = said.stdout.strip().partition(" ")
    if not passed.isdigit():
        raise RuntimeError(f"the simulation did not run:\n{said.stderr}")
    return int(passed), complaint or None


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
