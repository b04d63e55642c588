"""Requests drawn from the description, right and wrong ones, one after the other, on the running app."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.app import HOOK_SECRET, SIGNING_KEY, App, Pair
from tests.fuzz.aiming import OPERATIONS, Target, requests_to
from tests.fuzz.conftest import fuzzed
from tests.fuzz.oracle import longest_answer

# Words that only the other organization's data has.
CANARY = "canary-of-another-organization"
# They wait for a whole organization to be looked at.
_PATIENT = {"reconcile_now_post", "hooks_post"}


@pytest.fixture(scope="module")
def pairs(app: App) -> Iterator[tuple[Pair, Pair]]:
    """Two connected organizations: one that is asked about, and one that nobody may hear of."""
    with Pair.beside(app) as asked, Pair.beside(app) as other:
        other.connect()
        other.sentry.add_issue(title=CANARY, announce=False)
        other.linked(**{"System.Title": f"{CANARY} work item"})
        yield asked, other
        assert app.leaked() == []
        asked.ask("DELETE", "config")
        other.ask("DELETE", "config")
    app.clear()


@pytest.fixture
def target(app: App, pairs: tuple[Pair, Pair]) -> Target:
    """Whatever was asked before, removal and all: the organization is connected and has a link."""
    asked, other = pairs
    asked.connect()
    issue_id, work_item_id = asked.linked()
    single_issue, single_item = asked.sentry.add_issue(announce=False).id, asked.ado.add_item().id
    strange = [link[key] for link in other.links() for key in ("issue_id", "work_item_id")]
    names = [issue_id, work_item_id, single_issue, single_item, *strange, f"AB#{work_item_id}"]
    return Target(f"{app.url}/api", asked.slug, names, HOOK_SECRET, SIGNING_KEY)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.definition.raw["operationId"])
@fuzzed
@given(data=st.data())
def test_every_answer_is_described_and_nobody_elses(
    operation: Any, target: Target, app: App, data: st.DataObject
) -> None:
    """Answers are held to the description, in which there is no 500, and hold no secret (``App.send``)."""
    name = operation.definition.raw["operationId"]
    request = data.draw(requests_to(target, operation))
    logged = len(app.log())
    began = time.monotonic()
    answer = app.send(request)
    assert time.monotonic() - began < longest_answer() * (6 if name in _PATIENT else 1)
    assert CANARY not in answer.text
    assert "outcome=bug" not in app.log()[logged:]
