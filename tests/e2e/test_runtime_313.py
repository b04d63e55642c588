"""The app under Microsoft's own worker runtime, which only Python 3.13 has: it loads, and it syncs."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.version import VERSION
from simulator.hands import Hands
from simulator.stack import Stack
from tests.e2e.app import eventually

ROOT = Path(__file__).parents[2]


def find_runtime_python() -> Path | None:
    """Return a Python 3.13 with the packages of this project: this one, or the one that set-up made."""
    if sys.version_info[:2] == (3, 13):
        return Path(sys.executable)
    made = ROOT / ".venv-3.13/bin/python"
    return made if made.exists() else None


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    python = find_runtime_python()
    if python is None:
        pytest.skip("no Python 3.13 was found when this checkout was set up (make test looks for one)")
    with Stack(host_python=python, host_options=["--engine", "microsoft"]) as running:
        yield running


def test_every_function_passes_the_runtimes_own_checks_of_a_load(stack: Stack) -> None:
    eventually(lambda: "engine: microsoft" in stack.host_log)
    table_of_contents = (ROOT / "function_app.py").read_text(encoding="utf-8")
    declared = table_of_contents.count("@app.function_name(")
    listed = [
        line for line in stack.host_log.splitlines() if line.split()[1:2] in (["http"], ["queue"], ["timer"])
    ]
    assert len(listed) == declared > 0


def test_a_change_makes_the_round_trip(stack: Stack) -> None:
    hands = Hands(stack)
    hands.connect()
    hands.subscribe()
    hands.link()
    hands.ado.move(31, "Closed")
    eventually(lambda: hands.sentry.status("100") == "resolved")
    hands.sentry.unresolve("100")
    eventually(lambda: hands.ado.state(31) == "New")
    # A write shows before its activity does.
    eventually(lambda: len(hands.app.activity("100", 31)) == 3)
    [reopened, closed, linked] = hands.app.activity("100", 31)
    assert (closed["outcome"], closed["direction"], closed["to"]) == ("applied", "inbound", "resolved")
    assert (reopened["outcome"], reopened["direction"], reopened["to"]) == ("applied", "outbound", "New")
    assert linked["outcome"] == "linked"
    assert hands.app.health() == {"status": "ok", "version": VERSION, "problems": []}
