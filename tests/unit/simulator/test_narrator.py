"""The app's log as it is told to a person: each line of it, and the values that only the activity has."""

import re
from typing import Any, cast

import pytest

from simulator.hands import AppHands
from simulator.narrator import Line, Narrator, told

AT = "2026-11-28T10:32:05.120+00:00"
BEFORE = "2026-11-28T10:32:00.000+00:00"


def entry(outcome: str = "applied", **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(("direction", "field", "from", "to", "rev", "reason"))
    return {**empty, "at": AT, "outcome": outcome, **values}


class PretendedApp:
    """Knows the activity of one link, and notes what it was asked."""

    def __init__(self, *entries: dict[str, Any]) -> None:
        self.held = list(entries)
        self.asked: list[tuple[str, dict[str, object]]] = []

    def entries(self, organization: str, **end: object) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        self.asked.append((organization, end))
        return [({"issue_id": "100", "work_item_id": 31}, each) for each in self.held]


def narrator(*entries: dict[str, Any]) -> Narrator:
    return Narrator(cast("AppHands", PretendedApp(*entries)), _since=BEFORE)


def untimed(lines: list[str]) -> list[str]:
    timed = [re.fullmatch(r"\d\d:\d\d:\d\d (.*)", line) for line in lines]
    assert all(timed), lines
    return [line[1] for line in timed if line]


REFUSED = entry(
    "refused",
    direction="inbound",
    field="assignee",
    to="carol@corp.example",
    reason="assignee-not-found: nobody in Sentry has this address",
)


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (entry(field="status", **{"from": "New", "to": "Closed"}), "status New → Closed"),
        (entry(field="assignee", **{"from": "ann@x.example"}), "assignee ann@x.example → nobody"),
        (entry(field="assignee", to="ann@x.example"), "assignee nobody → ann@x.example"),
        (REFUSED, "assignee → carol@corp.example refused: nobody in Sentry has this address"),
        (
            entry("skipped", field="status", reason="inbound-off", to="Closed", **{"from": "New"}),
            "status New → Closed skipped: inbound-off",
        ),
        (entry("failed", reason="unavailable: GET /: ReadTimeout"), "failed: GET /: ReadTimeout"),
        (entry("linked"), "linked"),
    ],
)
def test_an_entry_is_told_with_its_values(one: dict[str, Any], words: str) -> None:
    assert told(one) == words


def test_a_line_of_the_log_becomes_what_it_did() -> None:
    told_of = narrator(REFUSED)
    line = "[functions.inbound_sync] INFO outcome=refused organization=demo work_item=31 rev=4"
    assert untimed(told_of.lines_of(line)) == [
        "inbound  demo 100↔#31 assignee → carol@corp.example refused: nobody in Sentry has this address"
    ]
    assert untimed(told_of.lines_of(line)) == ["inbound  demo #31 refused"]  # it was told


def test_what_was_there_before_is_not_told() -> None:
    told_of = narrator({**REFUSED, "at": BEFORE})
    line = "[functions.inbound_sync] INFO outcome=agreed organization=demo work_item=31 rev=4"
    assert untimed(told_of.lines_of(line)) == ["inbound  demo #31 agreed"]


@pytest.mark.parametrize("outcome", ["applied", "agreed,applied"])
def test_a_write_that_another_line_told_is_not_told_twice(outcome: str) -> None:
    line = f"[functions.outbound_sync] INFO outcome={outcome} organization=demo issue=100"
    assert narrator().lines_of(line) == []


def test_a_line_without_an_organization_is_told_of_the_one_that_its_delivery_named() -> None:
    told_of = narrator()
    assert told_of.lines_of("[functions.edge] INFO outcome=queued organization=mine work_item=35 rev=2") == []
    line = "[functions.inbound_sync] INFO outcome=not-linked work_item=35 rev=2"
    assert untimed(told_of.lines_of(line)) == ["inbound  mine #35 not-linked"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[functions.edge] INFO outcome=ignored organization=demo", "app      demo ignored"),
        (
            "[functions.edge] INFO outcome=nothing-to-sync organization=demo work_item=31",
            "inbound  demo #31 nothing-to-sync",
        ),
        (
            "[functions.edge] WARNING outcome=refused error=NotFound kind=not-linked ",
            "app      refused: not-linked",
        ),
        (
            "[functions.edge] WARNING outcome=refused kind=unauthenticated no secret fits",
            "app      refused: no secret fits",
        ),
        (
            '[functions.edge] ERROR outcome=refused function=ado_webhook why="no \\"secret\\" fits=x"',
            'inbound  refused: no "secret" fits=x function=ado_webhook',
        ),
        (
            "[functions.edge] INFO outcome=refused function=activity issue=100 work_item=31 kind=not-linked",
            "app      100↔#31 refused: not-linked function=activity",
        ),
        (
            "[functions.reconcile] INFO outcome=reconciled organization=demo links=3 drifted=0",
            "timer    demo reconciled links=3 drifted=0",
        ),
    ],
)
def test_every_line_says_who_speaks_and_of_what(line: str, words: str) -> None:
    assert untimed(narrator().lines_of(line)) == [words]


@pytest.mark.parametrize("line", ["Traceback (most recent call last):", "[host] INFO engine: library", ""])
def test_what_tells_no_outcome_is_shown_as_it_is(line: str) -> None:
    assert Line.parse(line) is None
    assert narrator().lines_of(line) == [f"  {line}"]
