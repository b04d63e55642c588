"""What the operator's command does when the app, or a service behind it, asks it to come back later."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import responses

from operate import repeating
from operate.client import Client
from operate.commands import mending, moving, taking_over
from operate.desk import Desk
from operate.errors import Ended, NotNow, ProblemFound
from operate.shown import Output

APP = "https://sync.example/"
LIST = f"{APP}api/organizations"
REBUILD = f"{LIST}/acme/rebuild"
AWAY = {"error": "unavailable", "detail": "Sentry asks us to wait"}
PAIR = {"issue_id": "100", "work_item_id": 31, "outcome": "linked"}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Take no time, and tell how much it would have been."""
    waited: list[float] = []
    monkeypatch.setattr(repeating, "sleep", waited.append)
    return waited


@pytest.fixture(autouse=True)
def app(waits: list[float]) -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(
        registry=responses.registries.OrderedRegistry, assert_all_requests_are_fired=True
    ) as mock:
        yield mock


def asked(wait: str = "0", **content: str) -> dict[str, Any]:
    return {"status": 503, "json": {**AWAY, **content}, "headers": {"Retry-After": wait}}


@pytest.mark.parametrize("error", ["unavailable", "busy"])
def test_a_service_that_asks_the_app_to_wait_is_waited_for(app: responses.RequestsMock, error: str) -> None:
    app.get(LIST, **asked(error=error))
    app.get(LIST, json={"organizations": []})
    assert Client(APP, "key").get("organizations") == {"organizations": []}


@pytest.mark.parametrize(("error", "wait"), [("missing-setting", "0"), ("unavailable", "16")])
def test_nobody_waits_for_what_time_does_not_cure_or_not_soon(
    app: responses.RequestsMock, error: str, wait: str
) -> None:
    app.get(LIST, **asked(wait, error=error))
    with pytest.raises(ProblemFound, match="Sentry asks us to wait"):
        Client(APP, "key").get("organizations")


def page(continuation: str | None, **more: Any) -> dict[str, Any]:
    return {"json": {"links": [PAIR], "continuation": continuation, "stopped": None, "unreadable": 0, **more}}


Run = Callable[[str], tuple[str, int]]


@pytest.fixture
def many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command for many links, and return what it says on both streams, and its exit code."""

    def run(name: str) -> tuple[str, int]:
        desk, code = Desk(APP, "key", org="acme", output=Output.TSV, yes=True), 0
        (tmp_path / "acme.json").write_text("{}", encoding="utf-8")
        lines = tmp_path / "acme.links.csv"
        lines.write_text("100,31\n101,31\n102,31\n103,31\n", encoding="utf-8")
        try:
            match name:
                case "link":
                    mending.link(desk, csv=lines)
                case "copy":
                    mending.copy(desk, side="ado", apart=True)
                case "import":
                    moving.import_(desk, tmp_path)
                case "rebuild":
                    taking_over.rebuild(desk)
        except Ended as error:
            print(error.sentence)
            code = error.exit_code
        said = capsys.readouterr()
        return said.out + said.err, code

    return run


def test_a_command_goes_on_where_a_service_was_away(app: responses.RequestsMock, many: Run) -> None:
    app.post(REBUILD, **page("entries:0:100:0"))
    app.post(REBUILD, **asked("60"))
    app.post(
        REBUILD,
        **page(None),
        match=[responses.matchers.query_param_matcher({"continuation": "entries:0:100:0"})],
    )
    assert "linked" in many("rebuild")[0]


def test_a_command_that_gives_up_shows_what_it_has_come_to(app: responses.RequestsMock, many: Run) -> None:
    app.post(REBUILD, **page("entries:0:100:0", links=[{**PAIR, "outcome": "issue-not-found"}]))
    for _ in range(5):
        app.post(REBUILD, **asked("60"))
    said = many("rebuild")[0]
    assert "issue-not-found" in said
    assert "1 of 1 are not linked" in said
    assert "It was stopped (Sentry asks us to wait (unavailable))" in said


def test_a_command_that_does_not_begin_says_why(app: responses.RequestsMock) -> None:
    app.post(REBUILD, **asked("60"))
    with pytest.raises(NotNow, match="Sentry asks us to wait"):
        taking_over.rebuild(Desk(APP, "key", org="acme", output=Output.TSV))


def test_what_could_not_be_read_is_told(app: responses.RequestsMock, many: Run) -> None:
    app.post(REBUILD, **page("hyperlinks:0", unreadable=4))
    app.post(REBUILD, **page(None, unreadable=3))
    assert "7 issues or work items cannot be read" in many("rebuild")[0]


def test_an_older_app_counts_nothing(app: responses.RequestsMock, many: Run) -> None:
    older = page(None)
    del older["json"]["unreadable"]
    app.post(REBUILD, **older)
    assert "cannot be read" not in many("rebuild")[0]


# Many links: each request names all that it was asked for, and how many another one may still link.


def pairs(outcomes: dict[int, str], remaining: int) -> dict[str, Any]:
    links = [{**PAIR, "issue_id": str(issue), "outcome": each} for issue, each in outcomes.items()]
    return {"json": {"links": links, "remaining": remaining}}


def asked_for(*issues: int) -> list[Any]:
    """Match a request for these and no others."""
    return [
        responses.matchers.json_params_matcher(
            [{"issue_id": str(each), "work_item_id": 31} for each in issues]
        )
    ]


LINKS = f"{LIST}/acme/links"
FOUR = {100: "linked", 101: "throttled", 102: "already-linked", 103: "not-yet"}
STUCK = {101: "throttled", 103: "not-yet"}
LATER = {101: "linked", 103: "linked"}


def test_a_list_is_linked_by_as_many_requests_as_it_takes(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(LINKS, **pairs({1: "linked", 2: "not-yet", 3: "not-yet"}, 2))
    app.post(LINKS, **pairs({2: "linked", 3: "not-yet"}, 1), match=asked_for(2, 3))
    app.post(LINKS, **pairs({3: "linked"}, 0), match=asked_for(3))
    said, code = many("link")
    assert "3 linked, 0 not" in said
    assert "not-yet" not in said
    assert (code, waits) == (0, [])


def test_what_can_never_be_linked_keeps_nothing_behind_it_from_its_turn(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    """A minute, or what a service allows, may be over before the first pair that can be linked."""
    dead = dict.fromkeys((1, 2, 3), "work-item-not-found")
    app.post(LINKS, **pairs({**dead, 4: "not-yet", 5: "not-yet"}, 2))
    app.post(LINKS, **pairs({4: "refused", 5: "throttled"}, 1), match=asked_for(4, 5))
    app.post(LINKS, **pairs({5: "linked"}, 0), match=asked_for(5))
    said, code = many("link")
    assert "1 linked, 4 not" in said
    assert "It was stopped" not in said
    assert (code, waits) == (1, [])


def test_each_line_has_its_result_in_its_order(app: responses.RequestsMock, many: Run) -> None:
    links = [{**PAIR, "outcome": each} for each in ("linked", "already-linked", "already-linked")]
    app.post(LINKS, json={"links": links, "remaining": 0})
    said, _ = many("link")
    assert "3 linked, 0 not" in said
    assert [line.split("\t")[2] for line in said.splitlines()[:3]] == [each["outcome"] for each in links]


@pytest.mark.parametrize("kind", ["throttled", "unavailable", "busy"])
def test_a_list_goes_on_where_a_service_asked_to_wait(
    app: responses.RequestsMock, many: Run, waits: list[float], kind: str
) -> None:
    app.post(LINKS, **pairs({**FOUR, 101: kind}, 2))
    for _ in range(3):
        app.post(LINKS, **pairs({**STUCK, 101: kind}, 2), match=asked_for(101, 103))
    app.post(LINKS, **asked("60"))
    app.post(LINKS, **pairs(LATER, 0), match=asked_for(101, 103))
    said, code = many("link")
    assert "4 linked, 0 not" in said
    assert (code, waits) == (0, [20.0] * 4)


def test_patience_begins_anew_with_each_step(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(LINKS, **pairs(FOUR, 2))
    for _ in range(4):
        app.post(LINKS, **pairs(STUCK, 2))
    app.post(LINKS, **pairs({101: "linked", 103: "throttled"}, 1))
    for _ in range(4):
        app.post(LINKS, **pairs({103: "throttled"}, 1))
    app.post(LINKS, **pairs({103: "linked"}, 0))
    assert "4 linked, 0 not" in many("link")[0]
    assert waits == [20.0] * 8


@pytest.mark.parametrize("command", ["link", "import"])
def test_a_list_that_gets_nowhere_is_given_up_and_says_why(
    app: responses.RequestsMock, many: Run, waits: list[float], command: str
) -> None:
    if command == "import":
        app.get(f"{LIST}/acme/config", json={"config": {}}, headers={"ETag": "1"})
        app.get(LINKS, json={"links": [], "continuation": None})
    app.post(LINKS, **pairs(FOUR, 2))
    for _ in range(5):
        app.post(LINKS, **pairs(STUCK, 2))
    said, code = many(command)
    assert "It was stopped (throttled). Start it again to go on." in said
    assert "101\t31\tthrottled" in said
    assert "103\t31\tnot-yet" in said
    assert (code, waits) == (1, [20.0] * 4)


def test_nobody_waits_for_a_list_that_time_does_not_link(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(LINKS, **pairs({1: "unauthorized", 2: "not-yet"}, 2))
    said, code = many("link")
    assert "0 linked, 2 not" in said
    assert "It was stopped (unauthorized)" in said
    assert (code, waits) == (1, [])


def test_an_app_that_is_not_reached_in_between_costs_no_result(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(LINKS, **pairs(FOUR, 2))
    for _ in range(5):
        app.post(LINKS, status=502)
    said, code = many("link")
    assert "2 linked, 2 not" in said
    assert "It was stopped (The app answers 502." in said
    assert (code, waits) == (3, [20.0] * 4)


def test_what_cannot_be_mended_by_waiting_ends_it_with_what_it_has_come_to(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(REBUILD, **page("entries:0:100:0", stopped="unauthorized"))
    app.post(REBUILD, status=502, json={"error": "sentry-refused-us", "detail": "Sentry refuses us"})
    said, code = many("rebuild")
    assert "100\t31\tlinked" in said
    assert "It was stopped (Sentry refuses us (sentry-refused-us))" in said
    assert (code, waits) == (1, [])


def test_a_first_page_without_a_pair_is_an_answer(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(REBUILD, **page("entries:abc", links=[], unreadable=3))
    app.post(REBUILD, **asked("60"))
    app.post(
        REBUILD,
        **page(None),
        match=[responses.matchers.query_param_matcher({"continuation": "entries:abc"})],
    )
    said, code = many("rebuild")
    assert "100\t31\tlinked" in said
    assert "3 issues or work items cannot be read" in said
    assert (code, waits) == (1, [20.0])


def test_a_walk_that_is_stopped_at_one_place_is_given_up(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    for _ in range(6):
        app.post(REBUILD, **page("entries:abc", links=[], stopped="throttled"))
    said, code = many("rebuild")
    assert "It was stopped (throttled)" in said
    assert (code, waits) == (1, [20.0] * 4)


def copies(outcomes: dict[int, str], continuation: str | None, *, remaining: bool = True) -> dict[str, Any]:
    answer = pairs(outcomes, 0)
    answer["json"] |= {"continuation": continuation, "remaining": remaining}
    return answer


@pytest.fixture
def apart(app: responses.RequestsMock) -> None:
    app.get(LINKS, json={"links": [{**PAIR, "issue_id": "100"}, PAIR], "continuation": None})


@pytest.mark.usefixtures("apart")
def test_copying_goes_on_where_a_service_asked_to_wait(
    app: responses.RequestsMock, many: Run, waits: list[float]
) -> None:
    app.post(f"{LINKS}/copy", **copies({100: "applied", 101: "throttled"}, "1"))
    app.post(f"{LINKS}/copy", **copies({101: "throttled"}, "1"))
    app.post(f"{LINKS}/copy", **asked("60"))
    app.post(f"{LINKS}/copy", **copies({101: "applied"}, None, remaining=False))
    said, code = many("copy")
    assert "100\t31\tapplied\n101\t31\tapplied" in said
    assert "throttled" not in said
    assert (code, waits) == (0, [20.0] * 2)


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(("outcome", "waited"), [("throttled", 4), ("unauthorized", 0)])
def test_copying_that_gets_nowhere_is_given_up_and_says_why(
    app: responses.RequestsMock, many: Run, waits: list[float], outcome: str, waited: int
) -> None:
    for _ in range(waited + 1):
        app.post(f"{LINKS}/copy", **copies({100: outcome}, None))
    said, code = many("copy")
    assert f"100\t31\t{outcome}" in said
    assert f"It was stopped ({outcome})" in said
    assert (code, len(waits)) == (1, waited)
