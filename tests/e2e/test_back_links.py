"""Links show on both their ends: a hyperlink on the work item, an entry on the issue's page in Sentry."""

from typing import Any

import pytest

from shared.domain.rules.back_links import Mark
from simulator.ado.faults import dropped
from simulator.ado.patch import Relation
from simulator.sentry.gate import ALL_SCOPES
from tests.e2e.app import Pair, eventually
from tests.e2e.test_sentry_form import filled, new_issue, submit

WAYS = ("api", "bulk", "form", "create")


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect(back_links=True)
    pair.ado.seed()
    return pair


def linked_by(pair: Pair, way: str) -> tuple[str, int]:
    issue_id = new_issue(pair)
    if way == "create":
        submit(pair, "create", issue_id, **filled(pair))
        [made] = pair.ask("GET", f"links?issue_id={issue_id}").json()["links"]
        pair.settle()
        return issue_id, int(made["work_item_id"])
    item = pair.ado.add_item("The ticket").id
    if way == "api":
        pair.link(issue_id, item)
    elif way == "bulk":
        answer = pair.ask("POST", "links", json=[{"issue_id": issue_id, "work_item_id": item}])
        assert answer.json()["remaining"] == 0
    else:
        submit(pair, "link", issue_id, work_item=str(item))
    pair.settle()
    return issue_id, item


def hyperlinks(pair: Pair, item: int) -> list[Relation]:
    return [each for each in pair.ado.item(item).relations if each.is_hyperlink]


def shown_on_item(pair: Pair, item: int) -> list[tuple[str, str]]:
    """Return the issue and the comment of each hyperlink."""
    return [
        (each.url.rstrip("/").rpartition("/")[2], str(each.attributes.get("comment", "")))
        for each in hyperlinks(pair, item)
    ]


def shown_on_page(pair: Pair, issue_id: str) -> list[int]:
    return [int(each["webUrl"].rpartition("/")[2]) for each in pair.sentry.external_issues(issue_id)]


def page_url(pair: Pair, issue_id: str) -> str:
    return str(pair.sentry.issue(issue_id)["permalink"])


def unlink(pair: Pair, issue_id: str, item: int) -> None:
    assert pair.ask("DELETE", f"links/{issue_id}/{item}").status_code == 204
    pair.settle()


def reconcile(pair: Pair) -> None:
    assert pair.ask("POST", "reconcile").status_code in {200, 202}
    pair.settle()


@pytest.mark.parametrize("way", WAYS)
def test_a_link_shows_on_both_ends(connected: Pair, way: str) -> None:
    issue_id, item = linked_by(connected, way)
    mark = Mark.CREATED if way == "create" else Mark.LINKED
    assert shown_on_item(connected, item) == [(issue_id, str(mark))]
    assert shown_on_page(connected, issue_id) == [item]


@pytest.mark.parametrize("way", WAYS)
def test_unlinking_takes_both_away(connected: Pair, way: str) -> None:
    issue_id, item = linked_by(connected, way)
    unlink(connected, issue_id, item)
    # Where a work item comes from is told as long as it exists.
    assert shown_on_item(connected, item) == ([(issue_id, str(Mark.PLAIN))] if way == "create" else [])
    assert shown_on_page(connected, issue_id) == []


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_shown_where_the_document_says_so(pair: Pair, way: str) -> None:
    pair.connect(back_links=False)
    pair.ado.seed()
    issue_id, item = linked_by(pair, way)
    assert shown_on_item(pair, item) == ([(issue_id, str(Mark.PLAIN))] if way == "create" else [])
    assert shown_on_page(pair, issue_id) == ([item] if way in {"form", "create"} else [])
    unlink(pair, issue_id, item)
    assert len(hyperlinks(pair, item)) == (way == "create")


@pytest.mark.parametrize(
    "spelling", ["{page}", "{page}?project=1", "{page}events/0123/", "{upper}", "{short}"]
)
def test_a_hyperlink_that_is_there_is_enough(connected: Pair, spelling: str) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    page, short = page_url(connected, issue_id), connected.sentry.issue(issue_id)["shortId"]
    upper, by_short_id = page.replace("http://", "HTTP://"), page.replace(f"/{issue_id}/", f"/{short}/")
    url = spelling.format(page=page, upper=upper, short=by_short_id)
    relation = {"rel": "Hyperlink", "url": url, "attributes": {"comment": "mine"}}
    patch_item(connected, item, {"op": "add", "path": "/relations/-", "value": relation})
    connected.link(issue_id, item)
    connected.settle()
    assert [each.url for each in hyperlinks(connected, item)] == [url]
    unlink(connected, issue_id, item)
    assert [each.url for each in hyperlinks(connected, item)] == [url]


def patch_item(pair: Pair, item: int, *operations: dict[str, Any]) -> None:
    pair.ado.patch(item, list(operations))


def test_two_links_of_an_item_are_two_hyperlinks(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "api")
    other = new_issue(connected)
    connected.link(other, item)
    connected.settle()
    assert [issue for issue, _ in shown_on_item(connected, item)] == [issue_id, other]
    unlink(connected, issue_id, item)
    assert [issue for issue, _ in shown_on_item(connected, item)] == [other]
    assert shown_on_page(connected, other) == [item]


# Whose the entry is


def test_the_entry_belongs_to_the_oldest_link_and_then_to_the_next(connected: Pair) -> None:
    issue_id, first = linked_by(connected, "api")
    others = [connected.ado.add_item(f"Ticket {number}").id for number in range(2)]
    for item in others:
        connected.link(issue_id, item)
        connected.settle()
    assert shown_on_page(connected, issue_id) == [first]
    unlink(connected, issue_id, others[0])
    assert shown_on_page(connected, issue_id) == [first]
    unlink(connected, issue_id, first)
    assert shown_on_page(connected, issue_id) == [others[1]]


def test_the_entry_belongs_to_the_forms_link_as_long_as_there_is_one(connected: Pair) -> None:
    issue_id, first = linked_by(connected, "api")
    second = connected.ado.add_item("By the form").id
    submit(connected, "link", issue_id, work_item=str(second))
    connected.settle()
    assert shown_on_page(connected, issue_id) == [second]
    third = connected.ado.add_item("By the API").id
    connected.link(issue_id, third)
    connected.settle()
    assert shown_on_page(connected, issue_id) == [second]
    unlink(connected, issue_id, second)
    assert shown_on_page(connected, issue_id) == [first]


def test_what_a_person_removes_in_sentry_goes_from_the_item_too(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "form")
    reconcile(connected)
    [entry] = connected.sentry.external_issues(issue_id)
    connected.sentry.issues.unlink(entry["id"])
    reconcile(connected)
    assert connected.links() == []
    assert hyperlinks(connected, item) == []
    assert shown_on_page(connected, issue_id) == []


def test_an_entry_of_ours_is_no_persons(connected: Pair) -> None:
    """The form's link was seen; ours takes its place when it ends, and nothing else ends by that."""
    issue_id, first = linked_by(connected, "api")
    second = connected.ado.add_item("By the form").id
    submit(connected, "link", issue_id, work_item=str(second))
    reconcile(connected)
    unlink(connected, issue_id, second)
    reconcile(connected)
    reconcile(connected)
    assert [each["work_item_id"] for each in connected.links()] == [first]


def test_without_event_admin_the_entry_stays_and_that_is_told_once(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "api")
    connected.sentry.scopes = ALL_SCOPES - {"event:admin"}
    unlink(connected, issue_id, item)
    reconcile(connected)
    assert hyperlinks(connected, item) == []
    assert shown_on_page(connected, issue_id) == [item]
    told = [each["reason"] for each in connected.activity(issue_id, item) if each["outcome"] == "failed"]
    assert told == ["entry-stays"]


# What a change of hyperlinks causes


@pytest.mark.parametrize("makes_revision", [True, False])
def test_a_change_of_hyperlinks_alone_is_no_news(connected: Pair, *, makes_revision: bool) -> None:
    connected.ado.work_items.hyperlinks_make_revisions = makes_revision
    issue_id, item = linked_by(connected, "api")
    assert connected.ado.item(item).rev == (2 if makes_revision else 1)
    with connected.calls() as calls:
        reconcile(connected)
    assert not [each for each in calls.writes if not each.startswith("POST 200")]
    assert connected.outcomes(issue_id, item) == []
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert calls.ado == ["PATCH 200"]
    connected.ado.edit(item, **{"System.State": "Active"})
    connected.settle()
    assert connected.status(issue_id) == "unresolved"


# What goes wrong


@pytest.mark.parametrize("lands", [True, False])
def test_a_lost_answer_makes_no_second_hyperlink(connected: Pair, *, lands: bool) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    connected.ado.faults.order(dropped(lands=lands), 1, method="PATCH", path=rf"/workitems/{item}")
    connected.link(issue_id, item)
    connected.settle()
    # A service that fell silent is left alone for a moment.
    eventually(lambda: connected.ask("POST", "reconcile").status_code in {200, 202})
    connected.settle()
    assert len(hyperlinks(connected, item)) == 1
    assert shown_on_page(connected, issue_id) == [item]


def look_again(pair: Pair) -> None:
    """Have all pairs looked at that do not show on their ends."""
    answer = pair.ask("POST", "links/back-link")
    assert answer.status_code == 200, answer.text
    pair.settle()


@pytest.mark.parametrize("http_status", [403, 400])
def test_what_is_refused_is_told_once(connected: Pair, http_status: int) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    connected.ado.fail_next(5, http_status=http_status, path=rf"/workitems/{item}\?.*expand")
    connected.ado.fail_next(5, http_status=http_status, method="PATCH", path=rf"/workitems/{item}")
    connected.link(issue_id, item)
    connected.settle()
    look_again(connected)
    told = [each["outcome"] for each in connected.activity(issue_id, item)]
    assert told.count("failed") == 1
    assert connected.health(issue_id, item) == ("settled", None)


def test_a_deleted_item_keeps_nothing_from_ending(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "api")
    connected.ado.delete(item)
    connected.settle()
    unlink(connected, issue_id, item)
    assert shown_on_page(connected, issue_id) == []


def test_a_merge_leads_to_the_issue_that_survives(connected: Pair) -> None:
    issue_id, item = linked_by(connected, "api")
    survivor = new_issue(connected)
    connected.sentry.merge(issue_id, into=survivor)
    for _ in range(3):
        reconcile(connected)
    assert shown_on_item(connected, item) == [(survivor, str(Mark.LINKED))]
    assert shown_on_page(connected, survivor) == [item]
    unlink(connected, survivor, item)
    assert hyperlinks(connected, item) == []


def test_older_links_are_shown_when_somebody_asks(pair: Pair) -> None:
    pair.connect(back_links=False)
    issue_id, item = pair.linked()
    assert hyperlinks(pair, item) == []
    pair.configure(back_links=True)
    answer = pair.ask("POST", "links/back-link").json()
    assert answer == {"queued": 1, "continuation": None}
    pair.settle()
    assert shown_on_item(pair, item) == [(issue_id, str(Mark.LINKED))]
    assert shown_on_page(pair, issue_id) == [item]
    assert pair.ask("POST", "links/back-link").json()["queued"] == 0
