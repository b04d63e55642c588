"""Linking the pairs of a page: what is wrong with one stops no other, and what stops all is said."""

import pytest

from shared.domain.errors import NotFound, SyncError, Unauthorized, Unavailable
from shared.domain.model import SentryIssue
from shared.flows.pages_of_pairs import Linker, Pair
from tests.unit.scene import Scene

NUMBERS = range(201, 206)
PAIRS = [Pair(str(number), number) for number in NUMBERS]


@pytest.fixture
def scene() -> Scene:
    scene = Scene()
    for number in NUMBERS:
        scene.sentry.add_issue(issue_id=str(number))
        scene.ado.add_item("Fix login", number)
    return scene


def linked(scene: Scene) -> tuple[bool, str | None, list[str]]:
    linker = Linker(scene.services, scene.organization, rebuilt=True)
    was_all = linker.link_all(PAIRS)
    return was_all, linker.stopped, [each.outcome for each in linker.tried]


@pytest.mark.parametrize(
    ("trouble", "word"),
    [
        (Unavailable("sentry", "the answer cannot be read"), "unavailable"),
        (NotFound("gone", kind="issue-not-found"), "issue-not-found"),
    ],
)
@pytest.mark.parametrize("odd", [{"201"}, {"205"}, {"202", "203"}, {"201", "202", "203", "204", "205"}])
def test_what_is_wrong_with_some_stops_no_other(
    scene: Scene, odd: set[str], trouble: SyncError, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = scene.watched_sentry.get_issue

    def get_issue(issue_id: str) -> SentryIssue:
        if issue_id in odd:
            raise trouble
        return real(issue_id)

    monkeypatch.setattr(scene.watched_sentry, "get_issue", get_issue)
    assert linked(scene) == (
        True,
        None,
        [word if str(number) in odd else "linked" for number in NUMBERS],
    )


@pytest.mark.parametrize("away", [Unavailable("sentry", "503"), Unauthorized("sentry", "401")])
def test_a_service_that_is_away_stops_the_page_and_the_next_request_begins_there(
    scene: Scene, away: SyncError
) -> None:
    scene.calls.after("get_issue", lambda: scene.calls.meet("get_issue", away))
    scene.calls.meet("organization_id", away)
    assert linked(scene) == (False, away.kind, ["linked"])
    scene.calls.recover()
    assert linked(scene) == (True, None, ["already-linked", *["linked"] * 4])
