"""A service that takes every call and answers none: whoever waits for it holds a part of the threads only."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from simulator.ado.faults import hanging
from simulator.azurite import Azurite
from simulator.sentry.hooks import sign
from tests.e2e.app import SECRETS, SIGNING_KEY, App, Pair, eventually

CALLERS = 8
FOR_EVER = 3600.0  # seconds
ENOUGH = 1000  # calls that hang
LINKED = ("100", 31)
UNLINKED = ("101", 32)
RESOLVED = {"action": "resolved", "data": {"issue": {"id": "101"}}}


def search(pair: Pair) -> requests.Response:
    return pair.ask("GET", "search", params={"field": "externalIssue", "query": "login"})


def open_form(pair: Pair) -> requests.Response:
    headers = {"Sentry-App-Signature": sign(SIGNING_KEY, b"")}
    return pair.app.ask("GET", f"sentry/{pair.slug}/options/projects", headers=headers)


def check(pair: Pair) -> requests.Response:
    return pair.ask("POST", "reconcile", json={"issue_id": LINKED[0], "work_item_id": LINKED[1]})


def read_document(pair: Pair) -> requests.Response:
    return pair.ask("GET", "config")


def link(pair: Pair) -> requests.Response:
    return pair.post_link(*UNLINKED)


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    with Azurite() as azurite:
        yield azurite.connection_string


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    """As many people as there are threads for them; they give up when the app is gone."""
    with ThreadPoolExecutor(CALLERS) as people:
        yield people


@pytest.fixture
def start(callers: ThreadPoolExecutor, storage: str, tmp_path: Path) -> Iterator[Callable[[int], Pair]]:
    """Start an app with so many threads, connect an organization, and let its Azure DevOps fall silent."""
    del callers  # They end after the app.
    log = tmp_path / "host.log"
    with ExitStack() as running:

        def started(threads: int) -> Pair:
            environ = {**SECRETS, "PYTHON_THREADPOOL_THREAD_COUNT": str(threads)}
            app = running.enter_context(App(log, environ, storage=storage))
            pair = running.enter_context(Pair.beside(app)).connect()
            for issue_id, work_item_id in (LINKED, UNLINKED):
                pair.sentry.add_issue(issue_id=issue_id, announce=False)
                pair.ado.add_item("Fix login", work_item_id)
            pair.link(*LINKED)
            pair.ado.meet(hanging(FOR_EVER), ENOUGH)
            return pair

        yield started


@pytest.mark.parametrize(
    ("threads", "ask", "waiting"),
    [
        (32, search, 8),
        # Fewer threads than callers: without a bound, no hook would find one.
        (8, search, 2),
        (8, open_form, 2),
        *(pytest.param(8, each, 2, marks=pytest.mark.long) for each in (check, read_document, link)),
    ],
)
def test_hooks_are_taken_while_callers_wait_for_ever(
    start: Callable[[int], Pair],
    callers: ThreadPoolExecutor,
    threads: int,
    ask: Callable[[Pair], requests.Response],
    waiting: int,
) -> None:
    pair = start(threads)
    asked = [callers.submit(ask, pair) for _ in range(CALLERS)]
    eventually(lambda: len(pair.ado.faults) == ENOUGH - waiting)
    eventually(lambda: count_of(asked, done=True) == CALLERS - waiting)
    for state in ("Active", "Resolved", "Active", "Closed"):
        assert pair.deliver_from_sentry(RESOLVED).status_code == 202
        pair.ado.edit(UNLINKED[1], **{"System.State": state})
        pair.ado.wait_for_deliveries()
    assert [delivery.http_status for delivery in pair.ado.deliveries] == [202] * 4
    assert pair.app.ask("GET", "health").json()["status"] == "ok"
    assert count_of(asked, done=False) == waiting
    for turned_away in (each.result() for each in asked if each.done()):
        assert (turned_away.status_code, turned_away.json()["error"]) == (503, "busy")
        assert turned_away.headers["Retry-After"] == "2"


def count_of(asked: list[Future[requests.Response]], *, done: bool) -> int:
    return sum(each.done() is done for each in asked)
