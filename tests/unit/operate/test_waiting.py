"""What the operator's command does when the app, or a service behind it, asks it to come back later."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses

from operate.client import Client
from operate.commands import taking_over
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
    monkeypatch.setattr(taking_over, "_WAIT", 0.0)
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
