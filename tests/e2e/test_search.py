"""Search over HTTP: by number, by address, by words, within a project, and how each failure is reported."""

import pytest
import requests

from simulator.ado.faults import Fault, html_page, sign_in_page, throttled
from tests.e2e.app import Pair

FABRIKAM, SCRUM = "Fabrikam-Fiber", "Scrum Team"
SEARCH, WIQL = "workitemsearchresults", "wit/wiql"
# What could end a text of the query language, be an operator of either search, or not survive a URL.
HOSTILE = [
    "O'Brien's login",
    "x' OR [System.Id] > 0 OR [System.Title] = '",
    'say "cheese"',
    "[System.Title] in brackets",
    "a AND (b OR c) NOT d",
    "state:New -tag:blue",
    "*star at both ends*",
    "100% of /path\\to?file=1#top",
    '{"json": ["1"]}',
    "Ünïcödé 日本語 😀 ﷽",
    "two -- dashes; DROP TABLE",
    "@project @me",
]


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.configure()
    pair.ado.seed()
    return pair


def ask(pair: Pair, query: str, **params: object) -> requests.Response:
    return pair.ask("GET", "search", params={"field": "externalIssue", "query": query, **params})


def found(pair: Pair, query: str, **params: object) -> list[str]:
    answer = ask(pair, query, **params)
    assert answer.status_code == 200, answer.text
    return [hit["value"] for hit in answer.json()]


def said(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


# By number.


@pytest.mark.parametrize("query", ["31", "#31", "AB#31", "ab#31", " 31 ", "0031"])
def test_an_item_is_found_by_its_number(connected: Pair, query: str) -> None:
    assert ask(connected, query).json() == [{"value": "31", "label": "(31) Fix login"}]


@pytest.mark.parametrize(
    "path",
    [
        "Fabrikam-Fiber/_workitems/edit/31",
        "Fabrikam-Fiber/_workitems/edit/31/",
        "Fabrikam-Fiber/_workitems/edit/31?fullScreen=true#discussion",
        "_workitems/edit/31",
        "Fabrikam-Fiber/_boards/board/t/Team/Stories?workitem=31",
        "_apis/wit/workItems/31",
    ],
)
def test_an_item_is_found_by_its_address(connected: Pair, path: str) -> None:
    assert found(connected, connected.ado.organization_url + path) == ["31"]


@pytest.mark.parametrize(
    "address",
    [
        "https://dev.azure.com/contoso/Web/_workitems/edit/31",
        "http://127.0.0.1:1/fabrikam/_workitems/edit/31",
        "https://example.com/",
        "https://",
        "https://[31/_workitems/edit/31",
        "https://dev.azure.com:port/fabrikam/_workitems/edit/31",
    ],
)
def test_an_address_of_somebody_else_finds_nothing(connected: Pair, address: str) -> None:
    assert found(connected, address) == []


@pytest.mark.parametrize("query", ["404", "#404", "0", "999999999999999"])
def test_a_number_that_no_item_has_finds_nothing(connected: Pair, query: str) -> None:
    assert found(connected, query) == []


def test_the_item_of_a_number_comes_before_those_that_have_it_in_their_titles(connected: Pair) -> None:
    other = connected.ado.add_item("HTTP 31 is no status").id
    connected.ado.reindex()
    assert found(connected, "31") == ["31", str(other)]


def test_an_item_that_has_its_number_in_its_title_is_shown_once(connected: Pair) -> None:
    connected.ado.edit(31, **{"System.Title": "Work item 31"})
    connected.ado.reindex()
    assert found(connected, "31") == ["31"]


# By words.


def test_an_item_is_found_by_its_words(connected: Pair) -> None:
    assert ask(connected, "login fix").json() == [{"value": "31", "label": "(31) Fix login"}]


def test_an_item_made_a_moment_ago_is_found(connected: Pair) -> None:
    fresh = connected.ado.add_item("Not in the index yet").id
    assert found(connected, "the index") == [str(fresh)]


def test_nothing_like_it_is_no_error(connected: Pair) -> None:
    assert found(connected, "nobody wrote this") == []


@pytest.mark.parametrize(
    "trouble",
    [
        Fault(401),
        Fault(403),
        Fault(404),
        Fault(500),
        Fault(200, {"Content-Type": "text/plain"}, "ready soon"),
        Fault(200, {"Content-Type": "application/json"}, '{"results": [], "infoCode": 2}'),
        Fault(200, {"Content-Type": "application/json"}, "[]"),
        throttled(30),
        sign_in_page(),
        html_page(503),
        Fault(drops=True),
    ],
)
def test_without_the_search_service_the_work_items_themselves_are_asked(
    connected: Pair, trouble: Fault
) -> None:
    connected.ado.meet(trouble, path=SEARCH)
    assert found(connected, "login") == ["31"]


@pytest.mark.parametrize("code", [1, 2, 6, 7, 11])
def test_an_index_that_is_not_ready_hides_nothing(connected: Pair, code: int) -> None:
    connected.ado.set_search_info_code(code)
    assert found(connected, "login") == ["31"]


@pytest.mark.parametrize("is_indexed", [False, True])
def test_no_text_breaks_out_of_its_query(connected: Pair, is_indexed: bool) -> None:
    titles = {title: str(connected.ado.add_item(title).id) for title in HOSTILE}
    if is_indexed:
        connected.ado.reindex()
    for title, value in titles.items():
        assert found(connected, title) == [value], title


@pytest.mark.parametrize(
    "query", ["'", "''", '"', "\\", "%", "[", "(", "*", "😀", "\t", "\x00", "\x7f\u2028", "&"]
)
def test_a_single_sign_is_a_text_like_any_other(connected: Pair, query: str) -> None:
    connected.ado.add_item('It\'s "[(100%)]" \\ * & 😀')
    assert ask(connected, query).status_code in {200, 400}


def test_a_line_break_in_a_text_is_a_space(connected: Pair) -> None:
    fresh = connected.ado.add_item("first line second line").id
    assert found(connected, "line\r\n second") == [str(fresh)]


def test_a_text_longer_than_any_title_finds_nothing_at_no_price(connected: Pair) -> None:
    with connected.calls() as calls:
        assert found(connected, "long " * 400) == []
    assert calls.ado == ["POST 200"]


# Within a project, and only so many.


@pytest.mark.parametrize("is_fresh", [False, True])
def test_a_search_stays_in_its_project(connected: Pair, is_fresh: bool) -> None:
    here = connected.ado.add_item("Twins", project=FABRIKAM).id
    there = connected.ado.add_item("Twins", project=SCRUM).id
    if not is_fresh:
        connected.ado.reindex()
    assert found(connected, "twins", project=SCRUM) == [str(there)]
    assert found(connected, "twins", project=connected.ado.project_id(FABRIKAM)) == [str(here)]
    assert set(found(connected, "twins")) == {str(here), str(there)}


@pytest.mark.parametrize(("project", "values"), [(FABRIKAM, ["31"]), ("fabrikam-fiber", ["31"]), (SCRUM, [])])
def test_a_number_too_is_looked_for_in_the_project_only(
    connected: Pair, project: str, values: list[str]
) -> None:
    assert found(connected, "31", project=project) == values


@pytest.mark.parametrize("project", ["Nowhere", "11111111-2222-3333-4444-555555555555", "a/b", "'", "%"])
def test_a_project_that_is_not_there_is_named(connected: Pair, project: str) -> None:
    assert said(ask(connected, "login", project=project)) == (404, "project-not-found")


@pytest.mark.parametrize("project", ["..", ".", "../fabrikam", "a\\..\\b", "\x00", "x" * 1000])
def test_a_project_that_leads_elsewhere_is_asked_of_nobody(connected: Pair, project: str) -> None:
    before = len(connected.ado.calls)
    assert said(ask(connected, "login", project=project)) == (400, "bad-request")
    assert len(connected.ado.calls) == before


def test_no_more_are_shown_than_asked_for(connected: Pair) -> None:
    for number in range(205):
        connected.ado.add_item(f"Same {number}")
    assert len(found(connected, "same")) == 50
    assert len(found(connected, "same", limit=1)) == 1
    assert len(found(connected, "same", limit=200)) == len(found(connected, "same", limit=100_000)) == 200
    connected.ado.reindex()
    assert len(found(connected, "same")) == 50
    assert len(found(connected, "same", limit=100_000)) == 200


@pytest.mark.parametrize("limit", ["0", "-1", "x", "1.5", "٣", " 1", "1" * 10])
def test_a_limit_is_a_number(connected: Pair, limit: str) -> None:
    assert said(ask(connected, "login", limit=limit)) == (400, "bad-request")


# Errors.


@pytest.mark.parametrize(
    ("params", "detail"),
    [
        ({}, "field is a required parameter"),
        ({"query": "login"}, "field is a required parameter"),
        ({"field": "", "query": "login"}, "field is a required parameter"),
        ({"field": "externalIssue"}, "query is a required parameter"),
        ({"field": "externalIssue", "query": ""}, "query is a required parameter"),
        ({"field": "externalIssue", "query": "  "}, "query is a required parameter"),
        ({"field": "assignee", "query": "ann"}, "field must be externalIssue"),
    ],
)
def test_what_is_missing_is_named(connected: Pair, params: dict[str, str], detail: str) -> None:
    answer = connected.ask("GET", "search", params=params)
    assert (answer.status_code, answer.json()) == (400, {"error": "bad-request", "detail": detail})


def test_nothing_is_searched_for_an_unconnected_organization(pair: Pair) -> None:
    assert said(ask(pair, "login")) == (404, "unknown-organization")


@pytest.mark.parametrize("trouble", [Fault(401), Fault(403), sign_in_page(), Fault(302)])
@pytest.mark.parametrize("query", ["31", "login"])
def test_refused_credentials_are_named_with_their_cure(connected: Pair, query: str, trouble: Fault) -> None:
    connected.ado.meet(trouble, 3)
    answer = ask(connected, query)
    assert said(answer) == (502, "ado-refused-us")
    assert "ADO_PAT" in answer.json()["detail"]
    connected.ado.faults.clear()
    assert found(connected, query) == ["31"]


@pytest.mark.parametrize(
    "trouble", [Fault(500), html_page(503), Fault(200, {}, "not JSON"), Fault(drops=True)]
)
def test_an_azure_devops_that_is_down_is_unavailable(connected: Pair, trouble: Fault) -> None:
    connected.ado.meet(trouble, 3)
    answer = ask(connected, "login")
    assert said(answer) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_throttled_search_says_when_to_come_back(connected: Pair) -> None:
    connected.ado.meet(throttled(17), 3)
    answer = ask(connected, "login")
    assert said(answer) == (503, "unavailable")
    assert answer.headers["Retry-After"] == "17"


def test_an_address_that_leads_to_no_organization_is_named(connected: Pair) -> None:
    connected.ado.fail_next(20, http_status=404)
    answer = ask(connected, "login")
    assert said(answer) == (502, "ado-organization-gone")
    assert "ado_url" in answer.json()["detail"]
