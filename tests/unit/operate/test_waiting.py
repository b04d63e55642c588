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
from operate.errors import NotNow, ProblemFound
from operate.shown import Output

APP = "https://sync.example/"
LIST = f"{APP}api/organizations"
REBUILD = f"{LIST}/acme/rebuild"
AWAY = {"error": "unavailable", "detail": "Sentry asks us to wait"}
PAIR = {"issue_id": "100", "work_item_id": 31, "outcome": "linked"}


@pytest.fixture(autouse=True)
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[responses.RequestsMock]:
    monkeypatch.setattr(repeating, "_WAIT", 0.0)
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


@pytest.fixture
def rebuild(capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Run the command, and return what it says on both streams."""

    def run() -> str:
        try:
            taking_over.rebuild(Desk(APP, "key", org="acme", output=Output.TSV))
        except ProblemFound as error:
            print(error.sentence)
        return capsys.readouterr().out

    return run


def test_a_command_goes_on_where_a_service_was_away(
    app: responses.RequestsMock, rebuild: Callable[[], str]
) -> None:
    app.post(REBUILD, **page("entries:0:100:0"))
    app.post(REBUILD, **asked("60"))
    app.post(
        REBUILD,
        **page(None),
        match=[responses.matchers.query_param_matcher({"continuation": "entries:0:100:0"})],
    )
    assert "linked" in rebuild()


def test_a_command_that_gives_up_shows_what_it_has_come_to(
    app: responses.RequestsMock, rebuild: Callable[[], str]
) -> None:
    app.post(REBUILD, **page("entries:0:100:0", links=[{**PAIR, "outcome": "issue-not-found"}]))
    for _ in range(5):
        app.post(REBUILD, **asked("60"))
    said = rebuild()
    assert "issue-not-found" in said
    assert "1 of 1 are not linked" in said
    assert "It was stopped (Sentry asks us to wait (unavailable))" in said


def test_a_command_that_does_not_begin_says_why(app: responses.RequestsMock) -> None:
    app.post(REBUILD, **asked("60"))
    with pytest.raises(NotNow, match="Sentry asks us to wait"):
        taking_over.rebuild(Desk(APP, "key", org="acme", output=Output.TSV))


def test_what_could_not_be_read_is_told(app: responses.RequestsMock, rebuild: Callable[[], str]) -> None:
    app.post(REBUILD, **page("hyperlinks:0", unreadable=4))
    app.post(REBUILD, **page(None, unreadable=3))
    assert "7 issues or work items cannot be read" in rebuild()


def test_an_older_app_counts_nothing(app: responses.RequestsMock, rebuild: Callable[[], str]) -> None:
    older = page(None)
    del older["json"]["unreadable"]
    app.post(REBUILD, **older)
    assert "cannot be read" not in rebuild()


def pairs(*outcomes: str, remaining: int) -> dict[str, Any]:
    links = [{**PAIR, "issue_id": str(100 + at), "outcome": each} for at, each in enumerate(outcomes)]
    return {"json": {"links": links, "remaining": remaining}}


LINKS = f"{LIST}/acme/links"
STUCK = pairs("linked", "throttled", "already-linked", "not-yet", remaining=2)


@pytest.fixture
def many(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """Run a command for many links, and return what it says on both streams."""

    def run(name: str) -> str:
        desk = Desk(APP, "key", org="acme", output=Output.TSV, yes=True)
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
        except ProblemFound as error:
            print(error.sentence)
        said = capsys.readouterr()
        return said.out + said.err

    return run


def test_a_list_is_linked_by_as_many_requests_as_it_takes(
    app: responses.RequestsMock, many: Callable[[str], str]
) -> None:
    app.post(LINKS, **pairs("linked", "not-yet", "not-yet", remaining=2))
    app.post(LINKS, **pairs("already-linked", "linked", "not-yet", remaining=1))
    app.post(LINKS, **pairs("already-linked", "already-linked", "linked", remaining=0))
    said = many("link")
    assert "3 linked, 0 not" in said
    assert "not-yet" not in said


def test_a_list_goes_on_where_a_service_asked_to_wait(
    app: responses.RequestsMock, many: Callable[[str], str]
) -> None:
    for _ in range(3):
        app.post(LINKS, **STUCK)
    app.post(LINKS, **asked("60"))
    app.post(LINKS, **pairs("already-linked", "linked", "already-linked", "linked", remaining=0))
    assert "4 linked, 0 not" in many("link")


@pytest.mark.parametrize("command", ["link", "import"])
def test_a_list_that_gets_nowhere_is_given_up_and_says_why(
    app: responses.RequestsMock, many: Callable[[str], str], command: str
) -> None:
    if command == "import":
        app.get(f"{LIST}/acme/config", json={"config": {}}, headers={"ETag": "1"})
        app.get(LINKS, json={"links": [], "continuation": None})
    for _ in range(6):
        app.post(LINKS, **STUCK)
    said = many(command)
    assert "It was stopped (throttled). Start it again to go on." in said
    assert "101\t31\tthrottled" in said
    assert "103\t31\tnot-yet" in said


def test_nobody_waits_for_a_list_that_time_does_not_link(
    app: responses.RequestsMock, many: Callable[[str], str]
) -> None:
    for _ in range(2):
        app.post(LINKS, **pairs("unauthorized", "not-yet", remaining=2))
    said = many("link")
    assert "0 linked, 2 not" in said
    assert "It was stopped (unauthorized)" in said


def copies(*outcomes: str, continuation: str | None, remaining: bool = True) -> dict[str, Any]:
    answer = pairs(*outcomes, remaining=0)
    answer["json"] |= {"continuation": continuation, "remaining": remaining}
    return answer


@pytest.fixture
def apart(app: responses.RequestsMock) -> None:
    app.get(LINKS, json={"links": [{**PAIR, "issue_id": "100"}, PAIR], "continuation": None})


@pytest.mark.usefixtures("apart")
def test_copying_goes_on_where_a_service_asked_to_wait(
    app: responses.RequestsMock, many: Callable[[str], str]
) -> None:
    app.post(f"{LINKS}/copy", **copies("applied", "throttled", continuation="1"))
    app.post(f"{LINKS}/copy", **copies("throttled", continuation="1"))
    app.post(f"{LINKS}/copy", **asked("60"))
    app.post(f"{LINKS}/copy", **copies("applied", continuation=None, remaining=False))
    said = many("copy")
    assert "It was stopped" not in said
    assert said.count("100\t31") == 1


@pytest.mark.usefixtures("apart")
@pytest.mark.parametrize(("outcome", "requests"), [("throttled", 5), ("unauthorized", 1)])
def test_copying_that_gets_nowhere_is_given_up_and_says_why(
    app: responses.RequestsMock, many: Callable[[str], str], outcome: str, requests: int
) -> None:
    for _ in range(requests):
        app.post(f"{LINKS}/copy", **copies(outcome, continuation=None))
    said = many("copy")
    assert f"100\t31\t{outcome}" in said
    assert f"It was stopped ({outcome})" in said
