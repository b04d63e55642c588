"""Linking the pairs of a page: what is wrong with one stops no other, and what stops all is said."""

import pytest

from shared.domain.errors import NotFound, SyncError, Unauthorized, Unavailable
from shared.domain.model import SentryIssue
from shared.flows.pages_of_pairs import FIRST, Linker, Pair, Place, Tried
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
    linker = Linker(scene.services, scene.organization, Place(FIRST), rebuilt=True)
    was_all = linker.link_each(linker.left_of(PAIRS))
    return was_all, linker.page.stopped, [each.outcome for each in linker.page.links]


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


# A page that takes longer than a request.


def tried_from(scene: Scene, place: Place, pairs: list[Pair]) -> tuple[list[Tried], Place | None]:
    linker = Linker(scene.services, scene.organization, place, rebuilt=True)
    was_all = linker.link_each(linker.left_of(pairs))
    return list(linker.page.links), None if was_all else linker.place


def test_a_page_of_what_cannot_be_linked_is_ended_after_finitely_many_requests(scene: Scene) -> None:
    """Each of them takes 25 s, so three are tried in a request, which would try them again for ever."""

    def take_long() -> None:
        scene.now += 25.0

    scene.watched_ado.slow = take_long
    gone = [Pair(f"9{number}", number) for number in NUMBERS]
    place: Place | None = Place(FIRST)
    outcomes, requests = [], 0
    while place is not None:
        tried, place = tried_from(scene, place, [*gone, *PAIRS])
        outcomes += [each.outcome for each in tried]
        requests += 1
        assert place is None or Place.parse(str(place)) == place
        assert requests < 20
    assert outcomes == ["issue-not-found"] * 5 + ["linked"] * 5


def test_a_page_goes_on_behind_the_last_pair_that_was_tried(scene: Scene) -> None:
    tried, left = tried_from(scene, Place("0:100:0", "203-203"), PAIRS)
    assert ([each.issue_id for each in tried], left) == (["204", "205"], None)


@pytest.mark.parametrize("last", ["", "999-999", "203"])
def test_a_page_that_holds_the_last_pair_no_more_is_begun_anew(scene: Scene, last: str) -> None:
    tried, left = tried_from(scene, Place("0:100:0", last), PAIRS)
    assert ([each.outcome for each in tried], left) == (["linked"] * 5, None)


def test_a_service_that_is_away_at_once_leaves_the_place_as_it_was(scene: Scene) -> None:
    away = Unavailable("sentry", "503")
    scene.calls.meet("get_issue", away)
    scene.calls.meet("organization_id", away)
    place = Place("0:100:0", "202-202")
    assert tried_from(scene, place, PAIRS) == ([], place)


@pytest.mark.parametrize("place", [Place(FIRST), Place("0:100:0", "1-2"), Place("31", "1-0")])
def test_a_place_is_named_so_that_it_needs_no_quoting(place: Place) -> None:
    assert Place.parse(str(place)) == place
    assert set(str(place)) <= set("first0123456789:~-")
