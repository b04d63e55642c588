"""Why something happened, or why nothing did, in sentences: for what is linked, and for what is not."""

from typing import Any

import pytest

from tests.e2e.app import Pair, eventually

STATE = "System.State"
CAROL = "carol@corp.example"


def explained(pair: Pair, **query: object) -> dict[str, Any]:
    answer = pair.ask("GET", "explain", params=query)
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    assert list(said) == ["issue", "work_item", "links", "sentences", "next"]
    return said


def told(pair: Pair, **query: object) -> str:
    return "\n".join(explained(pair, **query)["sentences"])


def test_what_is_linked_is_told_with_how_both_stand_and_what_happened(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    short_id = pair.sentry.issue(issue_id)["shortId"]
    said = explained(pair, issue_id=short_id)
    assert (said["issue"]["id"], said["issue"]["status"]) == (issue_id, "resolved")
    assert (said["work_item"]["id"], said["work_item"]["state"]) == (item, "Closed")
    assert [each["sides"] for each in said["links"]] == ["agree"]
    text = "\n".join(said["sentences"])
    assert f"{short_id} had changed, so #{item} was set to Closed (it was New). A hook told of it." in text
    assert said["next"] == "The next change on either side is carried over within seconds."
    assert explained(pair, work_item_id=f"AB#{item}")["sentences"]


def test_what_was_left_apart_is_told_with_its_reason_and_the_way_out(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.sentry.archive(issue_id)
    pair.settle()
    text = told(pair, work_item_id=item)
    assert "was left alone: archived is not done" in text
    assert "is archived in Sentry" in text
    assert f"sentry-ado copy FE-1 {item} --from" in explained(pair, work_item_id=item)["next"]


def test_who_is_not_known_is_named(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.ado.edit(item, **{"System.AssignedTo": CAROL})
    eventually(lambda: pair.health(issue_id, item)[1] == "assignee-not-found")
    text = told(pair, issue_id=issue_id)
    assert CAROL in text
    assert f"Nobody in the organization has the address {CAROL}" in text
    assert f"sentry-ado settings edit people.{CAROL}" in text
    assert "tried again at" in explained(pair, issue_id=issue_id)["next"]


def test_what_was_never_linked_is_no_error(pair: Pair) -> None:
    item = pair.connect().ado.add_item().id
    pair.ado.edit(item, **{STATE: "Closed"})
    pair.settle()
    said = explained(pair, work_item_id=item)
    assert (said["issue"], said["links"]) == (None, [])
    text = "\n".join(said["sentences"])
    assert f"#{item} is not linked." in text
    assert "of 1 from Azure DevOps in the last 24 hours, 1 were about something that is not linked" in text


@pytest.mark.parametrize("side", ["issue_id", "work_item_id"])
def test_what_is_linked_no_more_is_told_until_when_it_was(pair: Pair, side: str) -> None:
    issue_id, item = pair.connect().linked()
    assert pair.ask("DELETE", f"links/{issue_id}/{item}").status_code == 204
    text = told(pair, **{side: issue_id if side == "issue_id" else item})
    partner = f"#{item}" if side == "issue_id" else f"issue {issue_id}"
    assert f"It was linked to {partner} until 20" in text


def test_refusals_at_the_door_are_told(pair: Pair) -> None:
    item = pair.connect().ado.add_item().id
    for _ in range(6):
        pair.deliver({"eventType": "workitem.updated"}, secret="wrong")
    text = told(pair, work_item_id=item)
    assert "6 more were refused, since their secret or signature was missing or wrong." in text
    assert "A problem of the organization" in text


def test_a_service_that_does_not_answer_keeps_nothing_back(pair: Pair) -> None:
    issue_id, item = pair.connect().linked()
    pair.sentry.fail_next(1, 401)
    text = told(pair, issue_id=issue_id)
    assert "Issue FE-1: Sentry does not say now how it stands: our credentials are not accepted." in text
    assert f"Work item #{item}" in text


def test_a_pause_is_named(pair: Pair) -> None:
    issue_id, _ = pair.connect().linked()
    pair.configure(issue_sync=False)
    assert "switched off in the organization's document (issue_sync)" in told(pair, issue_id=issue_id)


def test_what_nobody_knows_is_not_found(pair: Pair) -> None:
    pair.connect()
    for query, error in (
        ({"issue_id": "999999"}, "issue-not-found"),
        ({"work_item_id": "999999"}, "work-item-not-found"),
        ({"issue_id": "FE-99999"}, "issue-not-found"),
    ):
        answer = pair.ask("GET", "explain", params=query)
        assert (answer.status_code, answer.json()["error"]) == (404, error)


@pytest.mark.parametrize(
    "query", [{}, {"issue_id": "?"}, {"work_item_id": "FE-1"}, {"issue": "1"},
              {"work_item_id": "https://dev.azure.com/contoso/P/_workitems/edit/31"}],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(pair: Pair, query: dict[str, str]) -> None:
    answer = pair.connect().ask("GET", "explain", params=query)
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")
