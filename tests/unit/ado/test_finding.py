"""How a query is read and asked: numbers, addresses of every kind of organization, words, and the index."""

from collections.abc import Iterator
from json import loads
from typing import Any

import pytest
import responses

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.ado.finding import Hit, WorkItemFinder
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import NotFound, Throttled, Unauthorized, Unavailable
from shared.http import BackOff, new_session

CLOUD = "https://dev.azure.com/fabrikam/"
OLD_CLOUD = "https://fabrikam.visualstudio.com/"
POLICY = AddressPolicy(private_hosts=frozenset({"tfs.corp.example"}))
SERVER = "https://tfs.corp.example/tfs/Main/"
INDEX = "https://almsearch.dev.azure.com/fabrikam/"
SEARCH = f"{INDEX}_apis/search/workitemsearchresults"
WIQL = f"{CLOUD}_apis/wit/wiql"
BATCH = f"{CLOUD}_apis/wit/workitemsbatch"


def item(work_item_id: int, title: str = "Fix login") -> dict[str, Any]:
    fields = {"System.WorkItemType": "Bug", "System.State": "New", "System.Title": title}
    project = "11111111-2222-3333-4444-555555555555"
    return {
        "id": work_item_id,
        "rev": 1,
        "fields": fields,
        "url": f"{CLOUD}{project}/_apis/wit/workItems/{work_item_id}",
    }


def result(work_item_id: object, **fields: str) -> dict[str, Any]:
    return {"fields": {"system.id": str(work_item_id), **fields}}


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


def finder(base_url: str = CLOUD) -> WorkItemFinder:
    session, auth = new_session(POLICY), personal_access_token("token")
    ado, index = (AdoClient(url, session, auth, BackOff()) for url in (base_url, INDEX))
    return WorkItemFinder(ado, index, base_url)


def body_of(vendor: responses.RequestsMock, index: int) -> Any:
    return loads(vendor.calls[index].request.body or "null")


# Numbers and addresses.


@pytest.mark.parametrize(
    ("base_url", "address"),
    [
        (CLOUD, "https://dev.azure.com/fabrikam/Web/_workitems/edit/31"),
        (CLOUD, "https://dev.azure.com/Fabrikam/_workitems/edit/31/"),
        (CLOUD, "HTTPS://DEV.AZURE.COM/fabrikam/Web/_WorkItems/Edit/31"),
        # Both names of one organization are one.
        (CLOUD, "https://fabrikam.visualstudio.com/Web/_workitems/edit/31"),
        (OLD_CLOUD, "https://dev.azure.com/fabrikam/Web/_workitems/edit/31"),
        (OLD_CLOUD, "https://fabrikam.visualstudio.com/DefaultCollection/Web/_workitems/edit/31"),
        (SERVER, "https://tfs.corp.example/tfs/Main/Web/_workitems/edit/31"),
        (SERVER, "https://TFS.corp.example:443/tfs/main/My%20Web/_workitems/edit/31/"),
        (SERVER, "https://tfs.corp.example/tfs/Main/Web/_workitems?id=31&_a=edit"),
        (CLOUD, "https://dev.azure.com/fabrikam/Web/_sprints/board?a=b&workitem=31"),
        (CLOUD, "https://dev.azure.com/fabrikam/_apis/wit/workItems/31"),
        (CLOUD, "  https://dev.azure.com/fabrikam/%2e/_workitems/edit/31\n"),
        (CLOUD, "ab#31"),
        (CLOUD, "0000031"),
    ],
)
def test_an_item_is_named_by_number_and_by_every_address_of_its_organization(
    vendor: responses.RequestsMock, base_url: str, address: str
) -> None:
    vendor.get(f"{base_url}_apis/wit/workitems/31", json=item(31))
    if "://" not in address:
        vendor.post(SEARCH, json={"results": []})
        vendor.post(WIQL, json={"workItems": []})
    assert finder(base_url).find(address, None, 5) == [Hit(31, "Fix login")]


@pytest.mark.parametrize(
    "address",
    [
        "https://dev.azure.com/contoso/Web/_workitems/edit/31",
        "https://contoso.visualstudio.com/_workitems/edit/31",
        "https://dev.azure.com.evil.example/fabrikam/_workitems/edit/31",
        "https://evil.example/?https://dev.azure.com/fabrikam/_workitems/edit/31",
        "https://dev.azure.com/fabrikam/Web/_workitems/edit/31x1",
        "https://dev.azure.com/fabrikam/Web/_workitems/edit/3131313131313131",
        "https://dev.azure.com/fabrikam/Web/_git/31",
        "https://dev.azure.com/fabrikam/?workitem=",
        "https://dev.azure.com/fabrikam/?workitem=0",
        "https://dev.azure.com/fabrikam/?workitem=AB",
        "https://dev.azure.com/fabrikam/?workitem=" + "9" * 5_000,
        "https://dev.azure.com/fabrikam/?workitem=https://dev.azure.com/fabrikam/?workitem=31",
        "https://[31",
        "https://x:y/",
        "https://",
    ],
)
def test_any_other_address_costs_no_call(vendor: responses.RequestsMock, address: str) -> None:
    assert finder().find(address, None, 5) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://tfs.corp.example/tfs/Other/Web/_workitems/edit/31",
        "https://tfs.corp.example/tfs/Main2/_workitems/edit/31",
        "https://tfs.corp.example/_workitems/edit/31",
        "https://tfs.corp.example:8443/tfs/Main/Web/_workitems/edit/31",
    ],
)
def test_another_collection_of_the_same_server_counts_for_itself(
    vendor: responses.RequestsMock, address: str
) -> None:
    assert finder(SERVER).find(address, None, 5) == []


# Words.


def test_words_reach_the_index_as_they_are(vendor: responses.RequestsMock) -> None:
    vendor.post(SEARCH, json={"results": [result(31, **{"system.title": "Fix login"})], "infoCode": 0})
    assert finder().find(" fix\tlogin ", None, 7) == [Hit(31, "Fix login")]
    assert body_of(vendor, 0) == {"searchText": "fix login", "$skip": 0, "$top": 7}


def test_a_quote_is_doubled_and_nothing_else(vendor: responses.RequestsMock) -> None:
    vendor.post(SEARCH, json={"results": []})
    vendor.post(WIQL, json={"workItems": []})
    assert finder().find("x' OR ''='[\"]", None, 7) == []
    assert body_of(vendor, 1)["query"] == (
        "SELECT [System.Id] FROM WorkItems WHERE [System.Id] > 0 "
        "AND [System.Title] CONTAINS 'x'' OR ''''=''[\"]' ORDER BY [System.ChangedDate] DESC"
    )
    assert "%24top=7" in str(vendor.calls[1].request.url)


def test_the_order_of_a_query_is_kept(vendor: responses.RequestsMock) -> None:
    vendor.post(SEARCH, json={"results": []})
    vendor.post(WIQL, json={"workItems": [{"id": 33}, {"id": 31}, {"id": 32}]})
    vendor.post(BATCH, json={"value": [item(31), None, item(33)]})
    assert [hit.id for hit in finder().find("login", None, 7)] == [33, 31]


def test_an_odd_row_of_a_query_hides_no_other(vendor: responses.RequestsMock) -> None:
    vendor.post(SEARCH, json={"results": []})
    vendor.post(WIQL, json={"workItems": [{"id": 31}, {"id": "32"}, None, {"id": 33}]})
    vendor.post(BATCH, json={"value": [item(31), item(33)]})
    assert [hit.id for hit in finder().find("login", None, 7)] == [31, 33]


def test_a_project_is_a_part_of_the_path(vendor: responses.RequestsMock) -> None:
    project = "Web / 50% & more"
    path = "Web%20%2F%2050%25%20%26%20more/"
    vendor.post(f"{INDEX}{path}_apis/search/workitemsearchresults", json={"results": []})
    vendor.post(f"{CLOUD}{path}_apis/wit/wiql", json={"workItems": []})
    assert finder().find("login", project, 7) == []
    assert "[System.TeamProject] = @project" in body_of(vendor, 1)["query"]


@pytest.mark.parametrize(
    "answer",
    [
        {"json": {"results": [], "infoCode": 0}},
        {"json": {"results": [result(9)], "infoCode": 1}},
        {"json": {"results": None}},
        {"json": {"results": [{}]}},
        {"json": {"results": [result("nine")]}},
        {"json": {"results": [None]}},
        {"json": []},
        {"json": None},
        {"body": "soon"},
        {"status": 401},
        {"status": 403, "json": {"message": "no"}},
        {"status": 404},
        {"status": 400, "json": {"message": "no"}},
        {"status": 429, "headers": {"Retry-After": "30"}},
        {"status": 503},
    ],
)
def test_whatever_the_index_does_the_work_items_are_asked(
    vendor: responses.RequestsMock, answer: dict[str, Any]
) -> None:
    vendor.post(SEARCH, **answer)
    vendor.post(WIQL, json={"workItems": [{"id": 31}]})
    vendor.post(BATCH, json={"value": [item(31)]})
    assert finder().find("login", None, 7) == [Hit(31, "Fix login")]


def test_an_item_that_we_may_not_read_hides_no_other(vendor: responses.RequestsMock) -> None:
    vendor.get(f"{CLOUD}_apis/wit/workitems/31", status=403, json={"message": "TF237111"})
    vendor.post(SEARCH, json={"results": [result(32), {"fields": {}}, result("nine"), None, result(33)]})
    assert [hit.id for hit in finder().find("31", None, 7)] == [32, 33]


def test_an_item_that_the_index_knows_by_an_older_title_is_shown_once(vendor: responses.RequestsMock) -> None:
    vendor.get(f"{CLOUD}_apis/wit/workitems/31", json=item(31, "Today's title"))
    vendor.post(SEARCH, json={"results": [result(31, **{"system.title": "Before"}), result(32)]})
    assert finder().find("31", None, 7) == [Hit(31, "Today's title"), Hit(32, "")]


def test_an_index_that_shows_only_its_best_is_ready(vendor: responses.RequestsMock) -> None:
    vendor.post(SEARCH, json={"results": [result(31)], "infoCode": 8})
    assert finder().find("login", None, 7) == [Hit(31, "")]


@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (429, Throttled), (503, Unavailable), (404, NotFound)]
)
def test_when_the_work_items_cannot_be_asked_either_that_is_the_error(
    vendor: responses.RequestsMock, status: int, error: type[Exception]
) -> None:
    vendor.post(SEARCH, status=503)
    vendor.post(WIQL, status=status)
    with pytest.raises(error):
        finder().find("login", None, 7)


@pytest.mark.parametrize(
    ("project", "kind"), [(None, "ado-organization-not-found"), ("Web", "project-not-found")]
)
def test_what_is_not_there_is_named(vendor: responses.RequestsMock, project: str | None, kind: str) -> None:
    scope = "" if project is None else f"{project}/"
    vendor.post(f"{CLOUD}{scope}_apis/wit/wiql", status=404)
    with pytest.raises(NotFound) as raised:
        finder().recent(project, 7)
    assert raised.value.kind == kind


def test_the_latest_are_offered_where_nothing_was_typed(vendor: responses.RequestsMock) -> None:
    vendor.post(WIQL, json={"workItems": [{"id": 31}]})
    vendor.post(BATCH, json={"value": [item(31)]})
    assert finder().recent(None, 7) == [Hit(31, "Fix login")]
    assert body_of(vendor, 0)["query"].endswith("WHERE [System.Id] > 0 ORDER BY [System.ChangedDate] DESC")
