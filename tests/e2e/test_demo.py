"""The demo and the playground as processes: every change arrives, and nothing survives, however they end."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import requests

from shared.version import VERSION
from simulator.demo import CHAPTERS, Step, StepFailed, take
from simulator.hands import Hands

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds
POLL_EVERY = 0.1  # seconds
EVERYTHING_RUNS = "everything runs"
MARK = "DEMO_UNDER_TEST"
NOBODYS = cast("Hands", None)


class Run:
    """One run of a module; a mark in the environment identifies each of its descendants."""

    def __init__(self, module: str, *options: str) -> None:
        self._mark = f"{MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *options],
            cwd=ROOT,
            env={**os.environ, name: value, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def read_until(self, words: str) -> str:
        """Return what it says up to and including a line with these words."""
        said = []
        for line in self.process.stdout or ():
            said.append(line)
            if words in line:
                return "".join(said)
        raise AssertionError(f"it never said {words!r}:\n{''.join(said)}")

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode

    def survivors(self) -> dict[int, str]:
        """Return the command lines of its processes that still run, by number; a zombie has ended."""
        listed = subprocess.run(
            ["ps", "axeww", "-o", "pid=,stat=,command="],  # noqa: S607  # wherever the system keeps its ps
            capture_output=True,
            text=True,
            errors="replace",
            check=True,
        ).stdout
        found = (line.split(None, 2) for line in listed.splitlines() if self._mark in line)
        return {int(pid): command for pid, stat, command in found if not stat.startswith("Z")}


@contextmanager
def running(module: str, *options: str) -> Iterator[Run]:
    run = Run(module, *options)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.communicate()


@pytest.fixture
def demo() -> Iterator[Run]:
    with running("simulator.demo") as run:
        yield run


@pytest.fixture
def hasty_demo() -> Iterator[Run]:
    with running("simulator.demo", "--patience", "2") as run:
        yield run


@pytest.fixture
def playground() -> Iterator[Run]:
    with running("simulator.run") as run:
        yield run


def assert_nothing_survives(run: Run) -> None:
    deadline = time.monotonic() + PATIENCE
    while survivors := run.survivors():
        assert time.monotonic() < deadline, survivors
        time.sleep(POLL_EVERY)


def test_every_change_arrives_and_the_activity_is_shown(demo: Run) -> None:
    said, _ = demo.process.communicate(timeout=4 * PATIENCE)
    assert demo.process.returncode == 0, said
    steps = [step for chapter in CHAPTERS.values() for step in chapter]
    for step in steps:
        assert re.search(rf"✓ +\d+\.\d\d s  {re.escape(step.action)} → {re.escape(step.effect)}\n", said), (
            said
        )
    assert re.search(r"applied +inbound +status +unresolved → resolved\n", said), said
    assert said.rstrip().endswith(f"All {len(steps)} steps arrived. Stopping everything.")
    assert_nothing_survives(demo)


@pytest.mark.parametrize("moment", ["Starting", EVERYTHING_RUNS])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_behind(demo: Run, how: signal.Signals, moment: str) -> None:
    demo.read_until(moment)
    if moment == EVERYTHING_RUNS:
        assert len(demo.survivors()) == 5  # itself, Azurite, two fakes, the app
    code = demo.end(how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert_nothing_survives(demo)


def test_a_change_that_does_not_arrive_fails_the_demo_with_the_apps_last_words(hasty_demo: Run) -> None:
    hasty_demo.read_until("linking alone writes nothing")
    [app] = [pid for pid, command in hasty_demo.survivors().items() if "simulator.host" in command]
    os.kill(app, signal.SIGKILL)
    said, _ = hasty_demo.process.communicate(timeout=PATIENCE)
    assert hasty_demo.process.returncode == 1
    assert "✗ Ann resolves #31 in Azure DevOps → expected 'resolved', still 'unresolved' after 2 s" in said
    assert "The app's last words:" in said
    assert "outcome=" in said
    assert_nothing_survives(hasty_demo)


def test_a_change_where_none_belongs_fails_the_demo() -> None:
    observations = iter(["New", "New", "Closed"])
    step = Step(
        "Ann looks away", lambda _: None, "#31 stays New", lambda _: next(observations), "New", holds=True
    )
    with pytest.raises(StepFailed, match="expected 'New' to stay, but it became 'Closed'"):
        take(step, NOBODYS, patience=1.0)


def test_the_playground_says_where_everything_is_until_it_is_interrupted(playground: Run) -> None:
    said = playground.read_until("Ctrl-C stops everything")
    addresses = re.findall(r"^  \w[\w ]+ (http://\S+)$", said, re.MULTILINE)
    assert len(addresses) == 4, said
    with requests.Session() as session:
        session.trust_env = False
        ado, sentry, admin, health = addresses
        assert "simulated Azure DevOps" in session.get(ado, timeout=PATIENCE).text
        assert "Sentry simulator" in session.get(sentry, timeout=PATIENCE).text
        assert session.get(admin, timeout=PATIENCE).headers["Content-Type"].startswith("text/html")
        assert session.get(health, timeout=PATIENCE).json() == {
            "status": "ok",
            "version": VERSION,
            "problems": [],
        }
        key, links = re.findall(r"curl -s -H 'x-functions-key: (\S+)' (\S+/links)$", said, re.MULTILINE)[0]
        answer = session.get(links, headers={"x-functions-key": key}, timeout=PATIENCE)
        assert len(answer.json()["links"]) == 3
    assert playground.end(signal.SIGINT) == 0
    assert_nothing_survives(playground)
