"""Links over HTTP: made, listed, removed, and the activity of each one."""

from typing import Any

import pytest
import requests

from tests.e2e.app import Pair

STATE = "System.State"
ASSIGNED_TO = "System.AssignedTo"
ANN, BOB = "ann@corp.example", "bob@corp.example"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    return pair.connect()


def said(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# Making a link.


def test_a_link_says_what_it_joins(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    connected.ado.seed()
    project_id = connected.ado.project_id("Fabrikam-Fiber")
    assert connected.link(issue_id, 31) == {
        "issue_id": issue_id,
        "work_item_id": 31,
        "project_id": project_id,
        "work_item_type": "Bug",
        "title": "Fix login",
        "display_name": "Fabrikam-Fiber#31",
        "url": f"{connected.ado.organization_url}{project_id}/_workitems/edit/31",
    }


def test_linking_writes_nothing_and_costs_one_read_of_each_side(connected: Pair) -> None:
    connected.linked()
    issue_id = connected.sentry.add_issue(announce=False).id
    # They disagree in both fields, and are left to.
    work_item_id = connected.ado.add_item(**{STATE: "Closed", ASSIGNED_TO: ANN}).id
    with connected.calls() as calls:
        connected.link(issue_id, work_item_id)
    assert (calls.ado, calls.sentry) == (["GET 200"], ["GET 200"])
    assert connected.health(issue_id, work_item_id) == ("settled", None)


def test_a_work_item_that_is_not_there_cannot_be_linked(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    assert said(connected.post_link(issue_id, 404)) == (404, "work-item-not-found")
    assert connected.links() == []


def test_an_issue_that_is_not_there_cannot_be_linked(connected: Pair) -> None:
    work_item_id = connected.ado.add_item().id
    assert said(connected.post_link("999999", work_item_id)) == (404, "issue-not-found")
    assert connected.links() == []


def test_the_same_link_twice_is_a_conflict(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    assert said(connected.post_link(issue_id, work_item_id)) == (409, "already-linked")
    assert len(connected.links()) == 1


def test_nothing_is_linked_for_an_unconnected_organization(pair: Pair) -> None:
    assert said(pair.post_link("100", 31)) == (404, "unknown-organization")
    assert said(pair.ask("GET", "links")) == (404, "unknown-organization")
    assert said(pair.ask("GET", "links/100/31/activity")) == (404, "unknown-organization")


@pytest.mark.parametrize("issue_id", ["", "abc", "1 2", "../1", "1/2", "-1", "1" * 21, -1, None, True])
def test_an_issue_is_named_by_its_number(bystander: Pair, issue_id: object) -> None:
    assert said(bystander.post_link(issue_id, 31)) == (400, "bad-request")


@pytest.mark.parametrize("work_item_id", [0, -1, "FE-1", 1.5, 10**16, None, True, [31]])
def test_a_work_item_is_named_by_its_number(bystander: Pair, work_item_id: object) -> None:
    assert said(bystander.post_link("100", work_item_id)) == (400, "bad-request")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"[]",
        b"\xff",
        b'{"issue_id": "100"}',
        b'{"issue_id": "1", "work_item_id": 1, "x": 1}',
    ],
)
def test_a_body_that_is_not_a_link_is_refused(bystander: Pair, body: bytes) -> None:
    assert said(bystander.ask("POST", "links", data=body)) == (400, "bad-request")


def named(pair: Pair, issue_id: str, item: int) -> list[tuple[object, object]]:
    """Return the names that people have for an issue and a work item, form by form."""
    base, slug = pair.sentry.url, pair.sentry.organization
    boards = f"{pair.ado.organization_url}Fabrikam-Fiber/_boards/board/t/Team/Stories/"
    return [
        (int(issue_id), str(item)),
        (f" {issue_id} ", f"#{item}"),
        (pair.sentry.issue(issue_id)["shortId"], f"AB#{item}"),
        (
            f"{base}/organizations/{slug}/issues/{issue_id}/?project=1",
            f"{pair.ado.organization_url}_workitems/edit/{item}/",
        ),
        (f"{base}/organizations/{slug}/issues/{issue_id}/events/9f/", f"{boards}?workitem={item}"),
    ]


def test_both_ends_are_named_as_people_have_them_at_every_door(connected: Pair) -> None:
    issue_id, item = connected.sentry.add_issue(announce=False).id, connected.ado.add_item().id
    for issue, work_item in named(connected, issue_id, item):
        made = connected.post_link(issue, work_item)
        assert made.status_code == 201, made.text
        assert (made.json()["issue_id"], made.json()["work_item_id"]) == (issue_id, item)
        both = {"issue_id": issue, "work_item_id": work_item}
        for params in (both, {"issue_id": issue}, {"work_item_id": work_item}):
            [found] = connected.ask("GET", "links", params=params).json()["links"]
            assert (found["issue_id"], found["work_item_id"]) == (issue_id, item)
        assert connected.ask("POST", "reconcile", json=both).json() == {"outcome": "settled"}
        copied = connected.ask("POST", "links/copy", params=both, json={"from": "ado"})
        assert [each["issue_id"] for each in copied.json()["links"]] == [issue_id], copied.text
        assert connected.ask("GET", "explain", params=both).status_code == 200
        assert connected.ask("DELETE", "links", params=both).status_code == 204
        assert connected.links() == []


def test_a_route_takes_what_a_route_can_hold(connected: Pair) -> None:
    issue_id, item = connected.linked()
    short_id = connected.sentry.issue(issue_id)["shortId"]
    assert connected.ask("GET", f"links/{short_id}/AB%23{item}/activity").status_code == 200
    assert connected.ask("GET", f"links/{short_id.lower()}/%23{item}").status_code == 200
    copied = connected.ask("POST", f"links/{short_id}/%23{item}/copy", json={"from": "ado"})
    assert copied.status_code == 200, copied.text
    assert connected.ask("DELETE", f"links/{short_id}/{item}").status_code == 204


def test_an_address_of_another_organization_is_refused_and_its_number_never_taken(connected: Pair) -> None:
    issue_id, item = connected.linked()
    host = connected.sentry.url.split("://")[1]
    foreign_issues = [
        f"https://other.sentry.io/issues/{issue_id}/",
        f"{connected.sentry.url}/organizations/other/issues/{issue_id}/",
        f"http://evil.example/{host}/organizations/{connected.sentry.organization}/issues/{issue_id}/",
        f"{connected.sentry.url}/organizations/{connected.sentry.organization}/issues/?query=x",
    ]
    foreign_items = [
        f"https://dev.azure.com/contoso/_workitems/edit/{item}",
        connected.ado.organization_url.rstrip("/") + f"-other/_workitems/edit/{item}",
        f"{connected.ado.organization_url}_queries/query/{item}/",
    ]
    named = [(issue, item) for issue in foreign_issues] + [
        (issue_id, work_item) for work_item in foreign_items
    ]
    for issue, work_item in named:
        both = {"issue_id": issue, "work_item_id": work_item}
        for answer in (
            connected.ask("POST", "links", json=both),
            connected.ask("POST", "links", json=[both]),
            connected.ask("GET", "links", params=both),
            connected.ask("DELETE", "links", params=both),
            connected.ask("POST", "reconcile", json=both),
            connected.ask("POST", "links/copy", params=both, json={"from": "ado"}),
            connected.ask("GET", "explain", params=both),
        ):
            assert said(answer) == (400, "bad-request"), (both, answer.text)
            assert "address" in answer.json()["detail"]
    assert len(connected.links()) == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "issue_id is required; work_item_id is required"),
        ({"issue_id": "1"}, "work_item_id is required"),
        ({"issue_id": True, "work_item_id": 1}, "issue_id must be a text or a whole number"),
        (
            {"issue_id": "1", "work_item_id": 31, "x": 1},
            "x is not a known key: known are issue_id, work_item_id and initial",
        ),
        ("x", "the body must be an object"),
    ],
)
def test_what_is_wrong_with_a_body_is_said_in_sentences(bystander: Pair, body: object, detail: str) -> None:
    answer = bystander.ask("POST", "links", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_a_parameter_that_nobody_reads_does_nothing(connected: Pair) -> None:
    issue_id, item = connected.linked()
    both = {"issue_id": issue_id, "work_item_id": item}
    for method, path, options in (
        ("POST", "links", {"json": both, "params": {"dry_run": "1"}}),
        ("DELETE", f"links/{issue_id}/{item}", {"params": {"dry_run": "1"}}),
        ("POST", "reconcile", {"params": both}),
        ("GET", "links", {"params": {"limit": "1"}}),
    ):
        answer = connected.ask(method, path, **options)
        assert said(answer) == (400, "bad-request"), (method, path, answer.text)
    assert len(connected.links()) == 1


def test_linking_needs_both_services(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    work_item_id = connected.ado.add_item().id
    connected.ado.fail_next(http_status=503)
    assert said(connected.post_link(issue_id, work_item_id)) == (503, "unavailable")
    connected.sentry.fail_next(1, 502)
    assert said(connected.post_link(issue_id, work_item_id)) == (503, "unavailable")
    connected.link(issue_id, work_item_id)


def test_many_links_are_made_in_one_request_and_each_is_answered(connected: Pair) -> None:
    issue_id, first = connected.linked()
    second = connected.ado.add_item().id
    wanted = [(issue_id, first), (issue_id, second), (issue_id, 999), ("999", first), (issue_id, second)]
    body = [{"issue_id": issue, "work_item_id": item} for issue, item in wanted]
    answer = connected.ask("POST", "links", json=body)
    assert (answer.status_code, answer.json()["remaining"]) == (200, 0)
    outcomes = [link["outcome"] for link in answer.json()["links"]]
    already = "already-linked"
    assert outcomes == [already, "linked", "work-item-not-found", "issue-not-found", already]


# Copying one side over at once.


def test_the_work_item_may_be_copied_over_at_once(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    work_item_id = connected.ado.add_item(**{STATE: "Closed", ASSIGNED_TO: ANN}).id
    connected.link(issue_id, work_item_id, initial="ado")
    assert (connected.status(issue_id), connected.issue_assignee(issue_id)) == ("resolved", ANN)
    assert {call.method for call in connected.ado.calls} == {"GET"}


def test_the_issue_may_be_copied_over_at_once(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    connected.sentry.resolve(issue_id)
    connected.sentry.assign(issue_id, BOB)
    connected.settle()
    work_item_id = connected.ado.add_item(**{ASSIGNED_TO: ANN}).id
    with connected.calls() as calls:
        connected.link(issue_id, work_item_id, initial="sentry")
    assert (connected.state(work_item_id), connected.item_assignee(work_item_id)) == ("Closed", BOB)
    assert calls.writes == ["PATCH 200"]


@pytest.mark.parametrize("initial", ["ado", "sentry"])
def test_nothing_is_copied_where_both_sides_agree(connected: Pair, initial: str) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    work_item_id = connected.ado.add_item().id
    with connected.calls() as calls:
        connected.link(issue_id, work_item_id, initial=initial)
    assert calls.writes == []
    assert connected.health(issue_id, work_item_id) == ("settled", None)


@pytest.mark.parametrize("initial", ["both", "ADO", ""])
def test_only_one_of_the_two_sides_can_be_copied(bystander: Pair, initial: str) -> None:
    issue_id = bystander.sentry.add_issue(announce=False).id
    work_item_id = bystander.ado.add_item().id
    answer = bystander.post_link(issue_id, work_item_id, initial=initial)
    assert said(answer) == (400, "bad-request")
    assert answer.json()["detail"] == 'initial must be "ado" or "sentry"'


# Lists.


def test_links_are_listed_by_issue_by_work_item_and_all(connected: Pair) -> None:
    first, second = (connected.linked() for _ in range(2))
    connected.link(first[0], second[1])

    def found(**params: object) -> list[tuple[str, int]]:
        answer = connected.ask("GET", "links", params=params).json()
        assert answer["continuation"] is None
        return [(link["issue_id"], link["work_item_id"]) for link in answer["links"]]

    assert found() == [first, (first[0], second[1]), second]
    assert found(issue_id=first[0]) == [first, (first[0], second[1])]
    assert found(work_item_id=second[1]) == [(first[0], second[1]), second]
    assert found(issue_id=second[0], work_item_id=second[1]) == [second]
    assert found(issue_id="999") == found(work_item_id=999) == []


def test_a_list_is_paged_without_a_gap_or_a_repetition(connected: Pair) -> None:
    issue_id = connected.sentry.add_issue(announce=False).id
    wanted = [{"issue_id": issue_id, "work_item_id": connected.ado.add_item().id} for _ in range(103)]
    made = connected.ask("POST", "links", json=wanted).json()
    assert {link["outcome"] for link in made["links"]} == {"linked"}
    pages = list(paged(connected))
    assert [len(page) for page in pages] == [100, 3]
    listed = [link["work_item_id"] for page in pages for link in page]
    assert listed == [link["work_item_id"] for link in wanted]


def paged(pair: Pair) -> Any:
    continuation: str | None = ""
    while continuation is not None:
        answer = pair.ask("GET", "links", params={"continuation": continuation}).json()
        yield answer["links"]
        continuation = answer["continuation"]


def test_each_listed_link_shows_its_health(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    [link] = connected.links()
    assert (link["health"], link["reason"], link["detail"]) == ("settled", None, None)
    connected.ado.delete(work_item_id)
    connected.settle()
    [link] = connected.links()
    assert (link["health"], link["reason"]) == ("attention", "work-item-gone")
    assert connected.health(issue_id, work_item_id) == ("attention", "work-item-gone")


@pytest.mark.parametrize(
    "params", [{"issue_id": "x"}, {"work_item_id": "x"}, {"work_item_id": "0"}, {"issue_id": "1/2"}]
)
def test_a_list_asked_for_by_no_number_is_refused(bystander: Pair, params: dict[str, str]) -> None:
    assert said(bystander.ask("GET", "links", params=params)) == (400, "bad-request")


@pytest.mark.parametrize(
    "continuation", ["x", "!", "~", "item!", "../..", "'", "0000000000000001!1' or 1 eq 1"]
)
def test_a_forged_continuation_reaches_no_other_organization(connected: Pair, continuation: str) -> None:
    connected.linked()
    with Pair.beside(connected.app) as other:
        other.configure()
        answer = other.ask("GET", "links", params={"continuation": continuation})
        assert answer.status_code in {200, 400}
        assert answer.json().get("links", []) == []


# Removing.


def test_a_removed_link_no_longer_syncs(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    assert connected.ask("DELETE", f"links/{issue_id}/{work_item_id}").status_code == 204
    assert connected.links() == []
    with connected.calls() as calls:
        connected.sentry.resolve(issue_id)
    assert (calls.ado, calls.sentry) == ([], [])
    connected.link(issue_id, work_item_id)


def test_removing_one_link_leaves_the_others(connected: Pair) -> None:
    issue_id, first = connected.linked()
    second = connected.ado.add_item().id
    connected.link(issue_id, second)
    connected.ask("DELETE", f"links/{issue_id}/{first}")
    connected.sentry.resolve(issue_id)
    connected.settle()
    assert (connected.state(first), connected.state(second)) == ("New", "Closed")


def test_a_link_that_is_not_there_cannot_be_removed(bystander: Pair) -> None:
    assert said(bystander.ask("DELETE", "links/100/31")) == (404, "not-linked")


@pytest.mark.parametrize(
    "path",
    ["links", "links/100", "links/x/31", "links/100/x", "links/100/0", "links/a%2Fb/31", "links/100/%23"],
)
def test_a_link_is_removed_by_its_two_numbers_only(bystander: Pair, path: str) -> None:
    bystander.linked()
    before = bystander.links()
    assert said(bystander.ask("DELETE", path)) == (400, "bad-request")
    assert bystander.links() == before


# The activity.


def test_the_activity_lists_the_newest_first(connected: Pair) -> None:
    issue_id, work_item_id = connected.linked()
    connected.sentry.resolve(issue_id)
    connected.settle()
    connected.ado.edit(work_item_id, **{STATE: "Active"})
    connected.settle()
    newest, oldest, *_ = connected.activity(issue_id, work_item_id)
    assert set(newest) == {"at", "outcome", "direction", "field", "from", "to", "rev", "reason", "told_by"}
    assert newest["at"] > oldest["at"]
    assert (newest["outcome"], newest["direction"], newest["field"]) == ("applied", "inbound", "status")
    assert (newest["from"], newest["to"]) == ("resolved", "unresolved")
    assert (oldest["outcome"], oldest["direction"], oldest["field"]) == ("applied", "outbound", "status")
    assert (oldest["from"], oldest["to"]) == ("New", "Closed")


def test_the_activity_of_a_link_that_is_not_there_is_not_found(bystander: Pair) -> None:
    assert said(bystander.ask("GET", "links/100/31/activity")) == (404, "not-linked")


@pytest.mark.parametrize("path", ["links/x/31/activity", "links/100/x/activity", "links/100/0/activity"])
def test_an_activity_is_asked_for_by_two_numbers(bystander: Pair, path: str) -> None:
    assert said(bystander.ask("GET", path)) == (400, "bad-request")
