"""Links that Sentry's form made: they end there as well, and nothing else ends them."""

from typing import Any

import pytest

from simulator.sentry.components import ComponentFailed
from tests.e2e.app import Pair
from tests.e2e.test_sentry_form import filled, new_issue, submit


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect()
    pair.ado.seed()
    return pair


def items(pair: Pair, issue_id: str) -> list[int]:
    found = pair.ask("GET", f"links?issue_id={issue_id}").json()["links"]
    return sorted(each["work_item_id"] for each in found)


def link(pair: Pair, issue_id: str, item: int, **more: str) -> None:
    submit(pair, "link", issue_id, work_item=str(item), **more)


def create(pair: Pair, issue_id: str, **changes: Any) -> int:
    submit(pair, "create", issue_id, **filled(pair, **changes))
    [shown] = pair.sentry.external_issues(issue_id)
    return int(shown["webUrl"].rpartition("/")[2])


def remove_in_sentry(pair: Pair, issue_id: str) -> None:
    [entry] = pair.sentry.external_issues(issue_id)
    pair.sentry.issues.unlink(entry["id"])


def reconcile(pair: Pair) -> None:
    assert pair.ask("POST", "reconcile").status_code in {200, 202}
    pair.settle()


def story(pair: Pair, issue_id: str, item: int) -> list[tuple[str, str | None]]:
    entries = pair.ask("GET", f"links/{issue_id}/{item}/activity").json()["activity"]
    return [(each["outcome"], each.get("reason")) for each in entries]


@pytest.fixture
def linked(connected: Pair) -> tuple[Pair, str, int]:
    """An issue linked by the form to a new work item, whose entry was seen."""
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    link(connected, issue_id, item)
    reconcile(connected)
    return connected, issue_id, item


def test_a_link_that_a_person_removes_in_sentry_ends(linked: tuple[Pair, str, int]) -> None:
    pair, issue_id, item = linked
    remove_in_sentry(pair, issue_id)
    reconcile(pair)
    assert items(pair, issue_id) == []
    assert story(pair, issue_id, item) == [("unlinked", "removed-in-sentry"), ("linked", None)]
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.ado.item(item).state != "Closed"


def test_another_link_by_the_form_takes_the_place_of_the_first(linked: tuple[Pair, str, int]) -> None:
    pair, issue_id, first = linked
    second = pair.ado.add_item("The right ticket").id
    link(pair, issue_id, second)
    assert items(pair, issue_id) == [second]
    assert story(pair, issue_id, first)[0] == ("unlinked", "replaced")
    reconcile(pair)
    reconcile(pair)
    assert items(pair, issue_id) == [second]


@pytest.mark.parametrize("url", ["https://elsewhere.example/1", "{ado}Fabrikam-Fiber/_workitems/edit/999999"])
def test_an_entry_that_we_did_not_write_takes_the_place_of_ours(
    linked: tuple[Pair, str, int], url: str
) -> None:
    pair, issue_id, _ = linked
    [entry] = pair.sentry.external_issues(issue_id)
    url = url.format(ado=pair.ado.organization_url)
    pair.sentry.issues.link(issue_id, entry["serviceType"], web_url=url, project="x", identifier="1")
    reconcile(pair)
    assert items(pair, issue_id) == []


def test_an_entry_of_ours_ends_nothing(linked: tuple[Pair, str, int]) -> None:
    pair, issue_id, item = linked
    other = pair.ado.add_item("Linked by the API").id
    pair.link(issue_id, other)
    [entry] = pair.sentry.external_issues(issue_id)
    url = entry["webUrl"].replace(f"/{item}", f"/{other}")
    pair.sentry.issues.link(issue_id, entry["serviceType"], web_url=url, project="x", identifier=str(other))
    reconcile(pair)
    reconcile(pair)
    assert items(pair, issue_id) == [item, other]


def test_what_was_never_seen_is_not_missed(connected: Pair) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    link(connected, issue_id, item)
    remove_in_sentry(connected, issue_id)
    reconcile(connected)
    reconcile(connected)
    assert items(connected, issue_id) == [item]


def test_links_by_the_api_know_no_entry(connected: Pair) -> None:
    issue_id, item = new_issue(connected), connected.ado.add_item("The ticket").id
    connected.link(issue_id, item)
    url = f"{connected.ado.organization_url}x/_workitems/edit/{item}"
    entry = connected.sentry.issues.link(issue_id, "our-app", web_url=url, project="x", identifier=str(item))
    reconcile(connected)
    connected.sentry.issues.unlink(entry.id)
    reconcile(connected)
    assert items(connected, issue_id) == [item]


def test_a_merge_ends_no_link(linked: tuple[Pair, str, int]) -> None:
    pair, issue_id, item = linked
    survivor, other = new_issue(pair), pair.ado.add_item("The survivor's").id
    link(pair, survivor, other)
    reconcile(pair)
    pair.sentry.merge(issue_id, into=survivor)
    for _ in range(3):
        reconcile(pair)
    assert items(pair, survivor) == sorted([item, other])


def test_a_link_in_trouble_that_a_person_removes_ends_too(linked: tuple[Pair, str, int]) -> None:
    pair, issue_id, item = linked
    pair.ado.fail_next(50, http_status=400, path=rf"/workitems/{item}")
    pair.sentry.resolve(issue_id)
    pair.settle()
    [shown] = pair.ask("GET", f"links?issue_id={issue_id}").json()["links"]
    assert (shown["health"], shown["linked_by"]) == ("attention", "form")
    remove_in_sentry(pair, issue_id)
    for _ in range(2):  # The first may meet the worker that tries the link again.
        reconcile(pair)
    assert items(pair, issue_id) == []


def test_another_type_is_another_work_item_once_the_first_is_removed_there(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first = create(connected, issue_id)
    remove_in_sentry(connected, issue_id)
    second = create(connected, issue_id, work_item_type="Task", title="Another")
    assert second != first
    assert items(connected, issue_id) == [second]


def test_the_same_type_is_another_work_item_once_the_removal_shows(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first = create(connected, issue_id)
    reconcile(connected)
    remove_in_sentry(connected, issue_id)
    assert create(connected, issue_id) != first


def test_unlinking_here_makes_room_for_another(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first = create(connected, issue_id)
    assert connected.ask("DELETE", f"links/{issue_id}/{first}").status_code == 204
    second = create(connected, issue_id, work_item_type="Task", title="Another")
    assert second != first
    assert connected.ado.item(second).title == "Another"


# What a new link begins with.


def test_a_created_work_item_gets_the_issues_assignee(connected: Pair) -> None:
    issue_id = new_issue(connected)
    connected.sentry.assign(issue_id, "ann@corp.example")
    item = create(connected, issue_id)
    assert connected.item_assignee(item) == "ann@corp.example"
    connected.settle()
    assert story(connected, issue_id, item)[-1] == ("linked", None)


def test_a_created_work_item_of_nobodys_issue_is_nobodys(connected: Pair) -> None:
    item = create(connected, new_issue(connected))
    assert connected.item_assignee(item) is None


@pytest.mark.parametrize(
    ("initial", "status", "state"),
    [
        ("", "unresolved", "Closed"),
        ("ado", "resolved", "Closed"),
        ("sentry", "unresolved", "Active"),
    ],
)
def test_the_form_offers_which_side_is_copied(connected: Pair, initial: str, status: str, state: str) -> None:
    issue_id = new_issue(connected)
    item = connected.ado.add_item("Done already", **{"System.State": "Closed"}).id
    link(connected, issue_id, item, initial=initial)
    connected.settle()
    assert (connected.status(issue_id), connected.state(item)) == (status, state)


def test_what_is_no_side_is_named(connected: Pair) -> None:
    issue_id = new_issue(connected)
    with pytest.raises(ComponentFailed, match='initial must be "ado" or "sentry"'):
        link(connected, issue_id, 31, initial="both")
    for odd in ("both", "", 5, ["ado"]):
        answer = connected.post_link(issue_id, 31, initial=odd)
        assert (answer.status_code, answer.json()["detail"]) == (400, 'initial must be "ado" or "sentry"')
    assert items(connected, issue_id) == []
