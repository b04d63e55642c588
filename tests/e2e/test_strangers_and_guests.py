"""What strangers, senders with a secret and callers with a key may try, over HTTP."""

import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import unquote

import pytest

from simulator.sentry.components import ComponentFailed
from simulator.sentry.hooks import compact, sign
from tests.e2e.app import SIGNING_KEY, Pair, payload
from tests.e2e.test_sentry_form import filled, new_issue, options, submit

STEPS = ["..", ".", "../other", "%2e%2e", "..%2fother", "..\\other", "a/../../b", ".. ", "a\x00b"]


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect()
    pair.ado.seed()
    return pair


def refused(act: Callable[[], object]) -> None:
    """Try something that may be refused, and may find nothing; wait until the form has a share left."""
    time.sleep(0.25)
    statuses = []
    try:
        act()
    except ComponentFailed as failed:
        statuses.append(failed.status)
    assert set(statuses) <= {400, 404, 502}


@pytest.mark.long
def test_a_step_in_any_parameter_stays_below_the_organization(connected: Pair) -> None:
    pair, issue_id, before = connected, new_issue(connected), len(connected.ado.calls)
    for number, step in enumerate(STEPS):
        known = {"field": "externalIssue", "query": "login", "project": step}
        answers = [
            pair.ask("GET", "search", params=known),
            pair.ask("GET", "config", params={"project": step}),
            pair.post_link(issue_id, step),
            pair.post_link(step, 31),
        ]
        assert {each.status_code for each in answers} <= {200, 400, 404}, step
        refused(partial(options, pair, "work-items", project=step))
        refused(partial(options, pair, "work-item-types", project=step))
        refused(partial(submit, pair, "create", issue_id, **{**filled(pair), "project": step}))
        fields = {**filled(pair), "work_item_type": step, "title": f"Attempt {number}"}
        refused(partial(submit, pair, "create", issue_id, **fields))
    name = pair.ado.organization_url.rstrip("/").rpartition("/")[2]
    places = [unquote(unquote(call.path)).removeprefix("/_search") for call in pair.ado.calls[before:]]
    assert [each for each in places if not each.startswith(f"/{name}/")] == []
    assert [each for each in places if ".." in re.split(r"[/\\]", each)] == []
    assert pair.links() == []


@pytest.mark.parametrize("step", ["/../other/", "/./", "/%2e%2e/other/", "/..%2fother/"])
def test_a_step_in_an_address_is_refused(connected: Pair, step: str) -> None:
    url = connected.ado.organization_url.rstrip("/") + step
    for key in ("ado_url", "ado_search_url"):
        answer = connected.configure(**{key: url})
        assert answer.status_code == 400, answer.text
        assert "must not contain empty segments" in answer.json()["errors"][key]


@pytest.mark.parametrize("size", [5_000, 40_000, 200_000])
def test_a_hook_of_any_title_is_taken_and_settled(connected: Pair, size: int) -> None:
    issue_id, item = connected.linked()
    body = payload("ado/workitem.updated.new-to-active.v1.0.json")
    state = connected.state(item)
    body["resource"].update(workItemId=item, rev=connected.ado.item(item).rev + 1)
    body["resource"]["fields"]["System.State"] = {"oldValue": "New", "newValue": "Closed"}
    body["resource"]["revision"].update(id=item, rev=body["resource"]["rev"])
    body["resource"]["revision"]["fields"].update({"System.State": "Closed", "System.Title": "x" * size})
    body["resourceContainers"]["project"]["id"] = connected.ado.project_id("Fabrikam-Fiber")
    for each in ("account", "collection"):
        body["resourceContainers"].pop(each, None)
    assert connected.deliver(body).status_code == 202
    connected.settle()
    assert connected.app.messages("-poison") == 0
    assert connected.health(issue_id, item)[0] == "settled"
    assert connected.state(item) == state


def test_a_continuation_of_any_size_is_the_callers_mistake(connected: Pair) -> None:
    for text in ("x" * 1_025, "x" * 7_000):
        answer = connected.ask("GET", "links", params={"continuation": text})
        assert answer.status_code == 400, answer.text


def test_no_answer_with_data_is_kept_on_the_way(connected: Pair) -> None:
    issue_id, item = connected.linked()
    for path in ("config", "links", f"links/{issue_id}/{item}/activity", "status", "search?field=x&query=1"):
        assert connected.ask("GET", path).headers["Cache-Control"] == "no-store", path
    for answer in (connected.app.ask("GET", "health"), connected.deliver(b"{}", secret=None)):
        assert answer.headers["Cache-Control"] == "no-store"


def test_nobody_learns_at_the_doors_who_is_connected(connected: Pair) -> None:
    told = set()
    for slug in (connected.slug, "nobody", "NOBODY", "not a slug"):
        answers: list[Any] = [
            connected.deliver(b"{}", secret=None, slug=slug),
            connected.deliver(b"{}", secret="wrong", slug=slug),
            connected.deliver_from_sentry({}, key="wrong", slug=slug),
            connected.deliver_from_sentry({}, key=None, slug=slug),
        ]
        told |= {(each.status_code, each.text, each.headers["Content-Type"]) for each in answers}
    assert len(told) == 1
    [(status, text, _)] = told
    assert status == 401
    assert connected.slug not in text


def replay(pair: Pair, issue_id: str, item: int) -> Any:
    """Send a captured request to link the two once more."""
    body = compact({"fields": {"work_item": str(item)}, "issueId": int(issue_id)})
    headers = {"Sentry-App-Signature": sign(SIGNING_KEY, body), "Content-Type": "application/json"}
    return pair.app.ask("POST", f"sentry/{pair.slug}/issue-link/link", data=body, headers=headers)


def test_a_captured_form_is_answered_alike_and_links_nothing_that_was_unlinked(connected: Pair) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    first = replay(connected, issue_id, item)
    again = replay(connected, issue_id, item)
    assert (first.status_code, first.text) == (again.status_code, again.text)
    assert first.status_code == 200
    assert len(connected.activity(issue_id, item)) == 1
    assert connected.ask("DELETE", f"links/{issue_id}/{item}").status_code == 204
    answer = replay(connected, issue_id, item)
    assert (answer.status_code, answer.json()["error"]) == (409, "submitted-before")
    assert connected.links() == []


def test_a_form_that_asks_without_end_is_slowed_down(connected: Pair) -> None:
    headers = {"Sentry-App-Signature": sign(SIGNING_KEY, b"")}
    path = f"sentry/{connected.slug}/options/projects"
    answers = [connected.app.ask("GET", path, headers=headers) for _ in range(60)]
    assert {each.status_code for each in answers} == {200, 503}
    assert {each.headers["Retry-After"] for each in answers if each.status_code == 503} == {"1"}
    # It is the form alone that waits.
    assert connected.ask("GET", "links").status_code == 200
