"""How the feed of revisions is asked, and how the pages are read that a fake never gives."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import FeedLost, SyncError, Throttled, Unauthorized, Unavailable
from shared.domain.model import Person, RevisedItem, RevisionPage
from shared.http import BackOff, new_session

BASE = "https://dev.azure.com/fabrikam/"
FEED = f"{BASE}_apis/wit/reporting/workitemrevisions"
PROJECT = "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05"
NEXT = f"{BASE}_apis/wit/reporting/workItemRevisions?continuationToken=813;350;1&api-version=2.0"

Json = dict[str, Any]


def row(work_item_id: int = 31, **fields: Any) -> Json:
    """Write a row as the feed does; ``fields`` replace or, with None, remove."""
    everything = {
        "System.TeamProject": "Fabrikam-Fiber",
        "System.WorkItemType": "Bug",
        "System.State": "Active",
        "System.AssignedTo": {"id": "d291", "uniqueName": "Ann <ANN@corp.example>"},
        "System.Title": "Fix login",
        "System.AreaPath": "Fabrikam-Fiber",
        **fields,
    }
    kept = {name: value for name, value in everything.items() if value is not None}
    return {"id": work_item_id, "rev": 3, "fields": kept}


def page(*rows: Any, **more: Any) -> Json:
    return {"values": list(rows), "continuationToken": "813;350;1", "isLastBatch": True, **more}


ITEM = RevisedItem(
    id=31,
    rev=3,
    project="Fabrikam-Fiber",
    work_item_type="Bug",
    state="Active",
    assignee=Person("ann@corp.example"),
    title="Fix login",
    area_path="Fabrikam-Fiber",
)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def ado() -> Iterator[AdoClient]:
    with new_session(AddressPolicy()) as session:
        yield AdoClient(BASE, session, personal_access_token("token"), BackOff())


# What is sent


@pytest.mark.parametrize(
    ("token", "since", "start"),
    [
        (None, None, {}),
        ("813;350;1", None, {"continuationToken": "813;350;1"}),
        (None, 1_800_000_000.25, {"startDateTime": "2027-01-15T08:00:00.250Z"}),
        ("813;350;1", 1_800_000_000.0, {"continuationToken": "813;350;1"}),
    ],
)
def test_the_feed_is_asked_for_no_more_than_is_read(
    vendor: responses.RequestsMock, ado: AdoClient, token: str | None, since: float | None, start: Json
) -> None:
    vendor.get(FEED, json=page(row()))
    ado.get_revisions(token, since=since)
    assert dict(parse_qsl(urlsplit(vendor.calls[0].request.url or "").query)) == {
        "api-version": "6.0",
        "fields": "System.Id,System.Rev,System.State,System.AssignedTo,System.WorkItemType,System.Title,"
        "System.AreaPath,System.TeamProject,System.IsDeleted",
        "includeIdentityRef": "true",
        "includeDeleted": "true",
        "includeLatestOnly": "true",
        **start,
    }
    # No project is looked up: of most changes nobody wants to know.
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(("names", "calls"), [(3, 3), (4, 1)])
def test_a_few_projects_are_asked_for_singly_and_many_are_listed(
    vendor: responses.RequestsMock, ado: AdoClient, names: int, calls: int
) -> None:
    vendor.assert_all_requests_are_fired = False
    ids = {f"Project {number}": f"{PROJECT[:-1]}{number}" for number in range(names)}
    projects = [{"id": guid.upper(), "name": name} for name, guid in ids.items()]
    for project in projects:
        vendor.get(f"{BASE}_apis/projects/{project['name'].replace(' ', '%20')}", json=project)
    vendor.get(f"{BASE}_apis/projects", json={"value": projects})
    assert ado.find_project_ids(list(ids)) == ids
    assert len(vendor.calls) == calls


# How answers are read


@pytest.mark.parametrize(
    ("content", "token"),
    [
        (page(row()), "813;350;1"),
        (page(row(), continuationToken=None, nextLink=NEXT), "813;350;1"),
        (page(row(), continuationToken=None, nextLink=NEXT.replace(";", "%3B")), "813;350;1"),
        (page(row(), continuationToken=None), None),
        (page(row(), continuationToken=None, nextLink="http://[nonsense"), None),
    ],
)
def test_the_next_token_is_read_wherever_it_is(
    vendor: responses.RequestsMock, ado: AdoClient, content: Json, token: str | None
) -> None:
    vendor.get(FEED, json=content)
    assert ado.get_revisions(None) == RevisionPage((ITEM,), frozenset(), frozenset(), token, is_last=True)


@pytest.mark.parametrize(
    "odd",
    [
        row(32, **{"System.State": None}),
        row(32, **{"System.WorkItemType": 7}),
        row(32, **{"System.TeamProject": ""}),
        {"id": 32, "rev": "3", "fields": {}},
        {"id": 32, "fields": None},
        {"id": 32},
    ],
)
def test_an_odd_row_is_named_and_hides_no_other(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Json
) -> None:
    vendor.get(FEED, json=page(row(), odd, row(33)))
    found = ado.get_revisions(None)
    assert ([item.id for item in found.items], set(found.unreadable)) == ([31, 33], {32})


@pytest.mark.parametrize("bare", [{}, {"System.State": 7}, {"System.TeamProject": None}])
def test_a_deleted_row_needs_nothing_but_its_number(
    vendor: responses.RequestsMock, ado: AdoClient, bare: Json
) -> None:
    vendor.get(FEED, json=page({"id": 32, "fields": {"System.IsDeleted": True, **bare}}))
    found = ado.get_revisions(None)
    assert (found.items, set(found.deleted), set(found.unreadable)) == ((), {32}, set())


@pytest.mark.parametrize("odd", [None, [], 7, {}, {"id": None}, {"id": "32"}, {"id": 0}, {"rev": 3}])
def test_a_row_that_names_no_work_item_asks_for_a_full_look(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    vendor.get(FEED, json=page(row(), odd))
    with pytest.raises(FeedLost) as raised:
        ado.get_revisions(None)
    assert raised.value.kind == "feed-unreadable"


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"values": []},
        {"values": None, "isLastBatch": True},
        page(isLastBatch="yes"),
        page(continuationToken=7),
        # It would be asked for for ever.
        page(row(), continuationToken=None, isLastBatch=False),
    ],
)
def test_what_is_no_page_is_no_usable_answer(
    vendor: responses.RequestsMock, ado: AdoClient, content: Any
) -> None:
    vendor.get(FEED, json=content)
    with pytest.raises(Unavailable):
        ado.get_revisions(None)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401}, Unauthorized),
        ({"status": 203, "body": "<html>", "content_type": "text/html"}, Unauthorized),
        ({"status": 429, "headers": {"Retry-After": "7"}}, Throttled),
        ({"status": 503, "headers": {"Retry-After": "7"}}, Throttled),
        ({"status": 500}, Unavailable),
        ({"status": 404, "body": "<html>", "content_type": "text/html"}, Unavailable),
    ],
)
def test_trouble_that_passes_is_not_the_end_of_the_feed(
    vendor: responses.RequestsMock, ado: AdoClient, answer: Json, error: type[SyncError]
) -> None:
    vendor.get(FEED, **answer)
    with pytest.raises(error):
        ado.get_revisions("813;350;1")
