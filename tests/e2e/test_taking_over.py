"""Links come back after the tables are lost, and are taken over from Sentry's own integration."""

from typing import Any

import pytest
from azure.data.tables import TableServiceClient

from tests.e2e.app import Pair
from tests.e2e.test_back_links import linked_by, shown_on_item, shown_on_page
from tests.e2e.test_sentry_form import filled, made, new_issue, submit


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect(back_links=True)
    pair.ado.seed()
    return pair


def wipe(pair: Pair) -> None:
    """Delete all rows of all tables, as somebody does who throws the state away; the queues are empty."""
    with TableServiceClient.from_connection_string(pair.app.storage) as service:
        for table in service.list_tables():
            with service.get_table_client(table.name) as client:
                for row in list(client.list_entities(select=["PartitionKey", "RowKey"])):
                    client.delete_entity(row["PartitionKey"], row["RowKey"])


def all_of(pair: Pair, path: str, **query: Any) -> list[tuple[str, int, str]]:
    """Send the request until nothing is left, and return what became of each pair."""
    found, continuation = [], query.pop("continuation", None)
    while True:
        answer = pair.ask("POST", path, params={**query, "continuation": continuation})
        assert answer.status_code == 200, answer.text
        content = answer.json()
        found += [(each["issue_id"], each["work_item_id"], each["outcome"]) for each in content["links"]]
        continuation = content["continuation"]
        if continuation is None:
            return found


def pairs(pair: Pair) -> list[tuple[str, int]]:
    return sorted((each["issue_id"], each["work_item_id"]) for each in pair.links())


def writes_of_values(pair: Pair, since: tuple[int, int]) -> list[Any]:
    """Return the calls that may write a status, a state or an assignee."""
    with pair.ado.lock:
        ado = [each for each in pair.ado.calls[since[0] :] if each.method == "PATCH"]
    sentry = [call for call in pair.sentry.calls[since[1] :] if call[0] == "PUT"]
    return [*ado, *sentry]


def count(pair: Pair) -> tuple[int, int]:
    return len(pair.ado.calls), len(pair.sentry.calls)


def test_all_links_come_back_after_the_tables_are_lost(connected: Pair) -> None:
    pair = connected
    ways = {way: linked_by(pair, way) for way in ("api", "bulk", "form", "create")}
    issue_id, item = ways["api"]
    second = pair.ado.add_item("A second ticket of the issue").id
    pair.link(issue_id, second)
    ended, unlinked = linked_by(pair, "api")
    assert pair.ask("DELETE", f"links/{ended}/{unlinked}").status_code == 204
    # The two ends of one pair stand apart, and are left so.
    pair.ask(
        "PUT", "config", json=pair.document(issue_sync=False, back_links=True), headers={"If-Match": "*"}
    )
    pair.settle()
    pair.sentry.resolve(ways["form"][0])
    pair.settle()
    before = pairs(pair)
    assert len(before) == 5

    wipe(pair)
    pair.settle()
    assert pair.ask("GET", "links").status_code == 404
    assert pair.configure(back_links=True).status_code == 201
    assert pair.links() == []
    since = count(pair)
    found = all_of(pair, "rebuild")
    pair.settle()
    assert pairs(pair) == before
    assert {outcome for _, _, outcome in found} == {"linked", "already-linked"}
    assert writes_of_values(pair, since) == []
    assert pair.state(ways["form"][1]) != "Closed"

    # The next edit travels, what they showed stays, and the form makes no second work item.
    pair.ado.edit(item, **{"System.State": "Closed"})
    pair.ado.edit(second, **{"System.State": "Closed"})
    pair.settle()
    assert pair.status(issue_id) == "resolved"
    assert shown_on_page(pair, issue_id) == [item]
    created, made_item = ways["create"]
    submit(pair, "create", created, **filled(pair))
    pair.settle()
    assert made(pair) == [made_item]
    assert pair.ask("DELETE", f"links/{issue_id}/{item}").status_code == 204
    pair.settle()
    assert shown_on_item(pair, item) == []


def test_a_rebuild_can_be_repeated(connected: Pair) -> None:
    linked = linked_by(connected, "api")
    assert {each[:2] for each in all_of(connected, "rebuild")} == {linked}
    assert {each[2] for each in all_of(connected, "rebuild")} == {"already-linked"}
    assert connected.outcomes(*linked) == []


def test_a_rebuild_takes_no_persons_hyperlink_for_ours(connected: Pair) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    page = connected.sentry.issue(issue_id)["permalink"]
    relation = {"rel": "Hyperlink", "url": page, "attributes": {"comment": "see also"}}
    connected.ado.patch(item, [{"op": "add", "path": "/relations/-", "value": relation}])
    assert all_of(connected, "rebuild") == []
    assert connected.links() == []


def test_a_rebuild_passes_over_what_is_gone(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "api")
    wiped = connected.ado.add_item("Deleted meanwhile").id
    other = new_issue(connected)
    connected.link(other, wiped)
    connected.settle()
    wipe(connected)
    connected.configure(back_links=True)
    connected.ado.delete(wiped)
    found = all_of(connected, "rebuild")
    assert (other, wiped, "work-item-not-found") in found
    assert pairs(connected) == [(issue_id, item)]


@pytest.mark.parametrize("is_heard", [True, False])
def test_a_rebuild_goes_on_where_it_was_stopped(connected: Pair, *, is_heard: bool) -> None:
    linked = [linked_by(connected, "api") for _ in range(3)]
    wipe(connected)
    connected.configure(back_links=True)
    connected.ado.fail_next(2, http_status=503, path=rf"/workitems/{linked[1][1]}|connectionData")
    first = connected.ask("POST", "rebuild").json()
    assert first["stopped"] == "unavailable"
    assert first["continuation"]
    # Whoever did not hear the answer begins anew.
    all_of(connected, "rebuild", continuation=first["continuation"] if is_heard else None)
    assert pairs(connected) == sorted(linked)


@pytest.mark.parametrize("continuation", ["nonsense", "hyperlinks:x", "hyperlinks:-1"])
def test_a_continuation_that_no_answer_named_is_refused(connected: Pair, continuation: str) -> None:
    assert connected.ask("POST", "rebuild", params={"continuation": continuation}).status_code == 400


# Sentry's own integration


@pytest.fixture
def built_in(connected: Pair) -> tuple[Pair, list[tuple[str, int]]]:
    """Two issues that Sentry's own integration linked, one of them with both ends apart."""
    pair, linked = connected, []
    for number in range(2):
        issue_id, item = new_issue(pair), pair.ado.add_item(f"Ticket {number}").id
        pair.sentry.link_by_integration(issue_id, item)
        linked.append((issue_id, item))
    pair.sentry.resolve(linked[0][0])
    pair.settle()
    return pair, linked


def test_the_links_of_sentrys_own_integration_are_taken_over(
    built_in: tuple[Pair, list[tuple[str, int]]],
) -> None:
    pair, linked = built_in
    dry = all_of(pair, "adopt", dry_run=1)
    assert sorted(dry) == sorted((*each, "would-link") for each in linked)
    assert pair.links() == []
    since = count(pair)
    assert {each[2] for each in all_of(pair, "adopt")} == {"linked"}
    assert pairs(pair) == sorted(linked)
    assert {each[2] for each in all_of(pair, "adopt")} == {"already-linked"}
    pair.settle()
    assert not [call for call in pair.sentry.calls[since[1] :] if call[0] == "PUT"]
    assert {pair.ado.item(item).fields["System.State"] for _, item in linked} == {"New"}
    issue_id, item = linked[0]
    assert (pair.status(issue_id), pair.state(item)) == ("resolved", "New")
    assert shown_on_page(pair, issue_id) == [item]


@pytest.mark.parametrize("is_heard", [True, False])
def test_taking_over_goes_on_where_it_was_stopped(
    built_in: tuple[Pair, list[tuple[str, int]]], *, is_heard: bool
) -> None:
    pair, linked = built_in
    pair.ado.fail_next(2, http_status=503, path=rf"/workitems/{linked[1][1]}|connectionData")
    first = pair.ask("POST", "adopt").json()
    assert first["stopped"] == "unavailable"
    assert len(pair.links()) < 2
    found = all_of(pair, "adopt", continuation=first["continuation"] if is_heard else None)
    assert {outcome for _, _, outcome in found} <= {"linked", "already-linked"}
    assert pairs(pair) == sorted(linked)
    pair.settle()
    assert (pair.status(linked[0][0]), pair.state(linked[0][1])) == ("resolved", "New")


def test_what_is_not_taken_over_says_why(connected: Pair) -> None:
    pair, issue_id = connected, new_issue(connected)
    gone = pair.ado.add_item("Deleted").id
    pair.ado.delete(gone)
    item = pair.ado.add_item("Elsewhere").id
    pair.sentry.link_by_integration(issue_id, gone)
    pair.sentry.link_by_integration(issue_id, item, name="contoso")
    pair.sentry.link_by_integration(issue_id, item, provider="jira")
    assert all_of(pair, "adopt", dry_run=1) == [
        (issue_id, gone, "work-item-not-found"),
        (issue_id, item, "other-organization"),
    ]
    named = all_of(pair, "adopt", dry_run=1, integration="contoso")
    assert (issue_id, item, "would-link") in named


def test_the_switches_that_must_be_off_are_named(connected: Pair) -> None:
    content = connected.ask("POST", "adopt", params={"dry_run": 1}).json()
    assert content["dry_run"] is True
    assert [each["key"] for each in content["switch_off_in_sentry"]] == [
        "sync_status_forward",
        "sync_forward_assignment",
        "sync_comments",
        "sync_status_reverse",
        "sync_reverse_assignment",
    ]


def test_a_batch_that_gets_no_answer_ends_nothing(built_in: tuple[Pair, list[tuple[str, int]]]) -> None:
    pair, linked = built_in
    pair.ado.fail_next(1, http_status=500, path="workitemsbatch")
    content = pair.ask("POST", "adopt", params={"dry_run": 1}).json()
    assert sorted(each["work_item_id"] for each in content["links"]) == sorted(item for _, item in linked)
    assert {each["outcome"] for each in content["links"]} == {"would-link"}
    assert (content["continuation"], content["stopped"], content["unreadable"]) == (None, None, 0)
