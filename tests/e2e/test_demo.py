"""The demo and the playground as processes: every change arrives, and nothing survives, however they end."""

import os
import re
import signal
import socket
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
from simulator.stack import free_ports

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
@pytest.mark.parametrize(
    "how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.long), signal.SIGKILL]
)
def test_nothing_is_left_behind(demo: Run, how: signal.Signals, moment: str) -> None:
    demo.read_until(moment)
    if moment == EVERYTHING_RUNS:
        assert len(demo.survivors()) == 5  # itself, Azurite, two fakes, the app
    code = demo.end(how)
    assert code == (-signal.SIGKILL if how is signal.SIGKILL else 130)
    assert_nothing_survives(demo)


@pytest.mark.long
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


@pytest.mark.long
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


def addresses_in(said: str) -> list[str]:
    return re.findall(r"^  \w[\w ]+ (http://\S+)$", said, re.MULTILINE)


def settings_in(said: str) -> dict[str, str]:
    return dict(re.findall(r"^  ([A-Z_]+)=(\S+)$", said, re.MULTILINE))


def session() -> requests.Session:
    new = requests.Session()
    new.trust_env = False
    return new


@pytest.mark.long
def test_a_kept_playground_goes_on_at_its_port_with_its_key(tmp_path: Path) -> None:
    port = str(free_ports())
    with running("simulator.run", "--port", port, "--key", "mine", "--keep", str(tmp_path / "kept")) as run:
        said = run.read_until("What the app does")
        assert "routes" not in said
        assert "engine" not in said
        ado, sentry, admin, health = addresses_in(said)
        assert health == f"http://127.0.0.1:{port}/api/health"
        assert admin.endswith("#key=mine")
        with session() as asked:
            rows = "issue_id,work_item_id\n103,34\n104,35\n"
            headers = {"x-functions-key": "mine", "Content-Type": "text/csv"}
            links = f"http://127.0.0.1:{port}/api/organizations/demo/links"
            made = asked.post(links, data=rows, headers=headers, timeout=PATIENCE).json()["links"]
            assert [each["outcome"] for each in made] == ["linked", "linked"]
            moved = {"id": "31", "field": "System.State", "value": "Resolved"}
            asked.post(f"{ado}edit", data=moved, timeout=PATIENCE)
        # One line says when, which way, whose, which link and which values.
        line = run.read_until("unresolved → resolved").splitlines()[-1]
        assert re.fullmatch(r"\d\d:\d\d:\d\d inbound  demo 100↔#31 status unresolved → resolved", line)
        assert run.end(signal.SIGINT) == 0
        assert_nothing_survives(run)
    with running("simulator.run", "--keep", str(tmp_path / "kept")) as run:
        said = run.read_until("What the app does")
        assert addresses_in(said) == [ado, sentry, admin, health]
        with session() as asked:
            found = asked.get(links, headers={"x-functions-key": "mine"}, timeout=PATIENCE).json()["links"]
            assert len(found) == 5
            moved["value"] = "Active"
            asked.post(f"{ado}edit", data=moved, timeout=PATIENCE)
        run.read_until("demo 100↔#31 status resolved → unresolved")
        assert run.end(signal.SIGINT) == 0
        assert_nothing_survives(run)


def commands_of(page: str, first: str, last: str) -> str:
    """Return what a page tells people to type between two of its headings, but for what is set already."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    part = text[text.index(f"\n## {first}") : text.index(f"\n## {last}")]
    blocks = re.findall(r"^```sh\n(.*?)^```", part, re.MULTILINE | re.DOTALL)
    return re.sub(r"^[A-Z_]+=.*\n", "", "".join(blocks), flags=re.MULTILINE)


@pytest.mark.long
def test_a_second_organization_is_connected_by_hand_as_the_page_says(playground: Run, tmp_path: Path) -> None:
    said = playground.read_until("What the app does")
    known = settings_in(said)
    (tmp_path / "links.csv").write_text("issue_id,work_item_id\n104,35\n105,36\n")
    known |= {"API": f"{known['APP']}/api/organizations/fabrikam"}
    script = commands_of("connect.md", "3. Store", "Disconnect")
    typed = subprocess.run(
        ["bash", "-c", script.replace("4507", "103").replace("31", "34")],  # noqa: S607
        cwd=tmp_path,
        env={**os.environ, **known, "no_proxy": "*"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert '"sentry_organization": "acme"' in typed
    assert typed.count('"state": "enabled"') == 3, typed
    assert typed.count('"outcome": "linked"') >= 2, typed
    assert '"status": "ok"' in typed
    _, sentry, _, _ = addresses_in(said)
    with session() as asked:
        url = f"{known['APP']}/api/sentry/fabrikam/webhook"
        asked.post(f"{sentry}integration", data={"webhook_url": url}, timeout=PATIENCE)
        asked.post(f"{sentry}act/resolve/103", timeout=PATIENCE)
    line = playground.read_until("fabrikam 103↔#34 status To Do → Done").splitlines()[-1]
    assert line.split()[1] == "outbound"


@pytest.mark.parametrize("offset", [0, 1, 2])
def test_a_taken_port_is_told_in_one_sentence(offset: int) -> None:
    port = free_ports()
    with (
        socket.create_server(("127.0.0.1", port + offset)),
        running("simulator.run", "--port", str(port)) as run,
    ):
        said, _ = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 1
    told = said.splitlines()[-1]
    other = re.search(r"make run PORT=(\d+)$", told)
    assert told.startswith(f"Port {port + offset} (for ")
    assert other is not None
    assert abs(int(other[1]) - port) > 2
    assert_nothing_survives(run)


@pytest.mark.long
def test_a_verbose_playground_shows_what_the_app_itself_says() -> None:
    with running("simulator.run", "--verbose") as run:
        said = run.read_until("What the app does")
        assert "engine: " in said
        assert "inbound_sync queue" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--port", "0"), "is no port from 1 to 65533"),
        (("--port", "65534"), "is no port from 1 to 65533"),
        (("--port", "http"), "is no port from 1 to 65533"),
        (("--key", "two words"), "a key is of letters"),
    ],
)
def test_a_nonsensical_choice_is_refused_before_anything_starts(options: tuple[str, str], words: str) -> None:
    with running("simulator.run", *options) as run:
        said, _ = run.process.communicate(timeout=PATIENCE)
    assert run.process.returncode == 2
    assert words in said


@pytest.mark.long
def test_two_playgrounds_do_not_share_what_they_keep(tmp_path: Path) -> None:
    with running("simulator.run", "--keep", str(tmp_path)) as one:
        one.read_until("What the app does")
        with running("simulator.run", "--keep", str(tmp_path)) as other:
            said, _ = other.process.communicate(timeout=PATIENCE)
        assert other.process.returncode == 1
        assert said == f"Another run keeps its data in {tmp_path}, and is still running\n"
    with running("simulator.run", "--keep", str(tmp_path), "--port", str(free_ports())) as moved:
        said, _ = moved.process.communicate(timeout=PATIENCE)
    assert moved.process.returncode == 1
    assert "Leave PORT out" in said
