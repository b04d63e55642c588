"""What strangers, senders with a secret and callers with a key may try, over HTTP."""

from typing import Any

import pytest
import requests

from simulator.sentry.components import ComponentFailed
from simulator.sentry.hooks import compact, sign
from tests.e2e.app import SIGNING_KEY, Pair, payload
from tests.e2e.test_sentry_form import filled, new_issue, options, submit

STEPS = ["..", ".", "../other", "%2e%2e", "..%2fother", ".. ", "a/../b", "..\\other", "a\x00b"]
STATE_CHANGED = "ado/workitem.updated.new-to-active.v1.0"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect()
    pair.ado.seed()
    return pair


def asked(pair: Pair) -> list[str]:
    return [each.path for each in pair.ado.requests]


@pytest.mark.parametrize("project", STEPS)
def test_a_step_in_a_parameter_leads_nowhere(connected: Pair, project: str) -> None:
    answer = connected.ask(
        "GET", "search", params={"field": "externalIssue", "query": "login", "project": project}
    )
    assert answer.status_code < 500 or answer.status_code == 503
    assert answer.status_code in {200, 400, 404}


def test_no_answer_with_data_is_kept_on_the_way(connected: Pair) -> None:
    issue_id, item = connected.linked()
    for path in ("config", "links", f"links/{issue_id}/{item}/activity", "status", "search?field=x&query=1"):
        assert connected.ask("GET", path).headers["Cache-Control"] == "no-store", path
    health = requests.get(f"{connected.app.url}/api/health", timeout=10)
    assert health.headers["Cache-Control"] == "no-store"
    refused = requests.post(f"{connected.app.url}{connected.ado_route}", data=b"{}", timeout=10)
    assert (refused.status_code, refused.headers["Cache-Control"]) == (401, "no-store")
