"""What the Azure DevOps client sends for each call, and how it reads the answers that a fake never gives."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
import responses
from msgspec.structs import replace
from responses.matchers import query_param_matcher

from shared.ado import client
from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient, Project
from shared.ado.comments import (
    FoundComment,
    add_comment,
    delete_comment,
    edit_comment,
    find_comment_with,
    get_comment,
    rendered,
)
from shared.ado.creation import NewWorkItem, create_work_item, patch_for
from shared.ado.finding import WorkItemFinder
from shared.domain.addresses import AddressPolicy
from shared.domain.comments import SaidInAdo
from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    Assignee,
    Category,
    FoundWorkItems,
    Person,
    SentryComment,
    State,
    Stranger,
    WorkItem,
)
from shared.http import BackOff, new_session

BASE = "https://dev.azure.com/fabrikam/"
POLICY = AddressPolicy(private_hosts=frozenset({"tfs.corp.example"}))
SERVER = "https://tfs.corp.example/tfs/DefaultCollection/"
PROJECT = "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05"
ITEM_URL = f"{BASE}_apis/wit/workitems/31"
ANN = Person("ann@corp.example")

Json = dict[str, Any]


def item_json(work_item_id: int = 31, /, **fields: Any) -> Json:
    """Write a work item as REST does; ``fields`` replace or, with None, remove."""
    everything = {
        "System.TeamProject": "Fabrikam-Fiber",
        "System.WorkItemType": "Bug",
        "System.State": "Active",
        "System.AssignedTo": {"displayName": "Ann", "uniqueName": "ann@corp.example"},
        "System.Title": "Fix login",
        "System.AreaPath": "Fabrikam-Fiber\\Web",
        **fields,
    }
    return {
        "id": work_item_id,
        "rev": 3,
        "fields": {name: value for name, value in everything.items() if value is not None},
        "url": f"{BASE}{PROJECT}/_apis/wit/workItems/{work_item_id}",
    }


ITEM = WorkItem(
    id=31,
    rev=3,
    project_id=PROJECT,
    work_item_type="Bug",
    state="Active",
    assignee=ANN,
    title="Fix login",
    area_path="Fabrikam-Fiber\\Web",
)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def ado() -> Iterator[AdoClient]:
    with new_session(POLICY) as session:
        yield AdoClient(BASE, session, personal_access_token("token"), BackOff())


def sent(vendor: responses.RequestsMock, index: int = -1) -> tuple[str, str, Json, Any]:
    """Return method, URL without its query, the query, and the body of a request."""
    request = vendor.calls[index].request
    assert request.method is not None
    assert request.url is not None
    url = urlsplit(request.url)
    body = None if request.body is None else json.loads(request.body)
    return request.method, f"{url.scheme}://{url.netloc}{url.path}", dict(parse_qsl(url.query)), body


# What is sent

VERSION = {"api-version": "6.0"}
BATCH_FIELDS = [
    "System.Id",
    "System.Rev",
    "System.State",
    "System.AssignedTo",
    "System.WorkItemType",
    "System.Title",
    "System.AreaPath",
    "System.TeamProject",
]


@pytest.mark.parametrize(
    ("call", "method", "path", "query", "body", "answer"),
    [
        (lambda ado: ado.get_work_item(31), "GET", "_apis/wit/workitems/31", {}, None, item_json()),
        (
            lambda ado: ado.find_work_items([31, 32]),
            "POST",
            "_apis/wit/workitemsbatch",
            {},
            {"ids": [31, 32], "fields": BATCH_FIELDS, "errorPolicy": "omit"},
            {"value": []},
        ),
        (
            lambda ado: ado.get_work_item_types(PROJECT),
            "GET",
            f"{PROJECT}/_apis/wit/workitemtypes",
            {},
            None,
            {"value": []},
        ),
        (
            lambda ado: ado.get_project("Fabrikam-Fiber"),
            "GET",
            "_apis/projects/Fabrikam-Fiber",
            {},
            None,
            {"id": PROJECT, "name": "Fabrikam-Fiber"},
        ),
        (
            lambda ado: list(ado.projects()),
            "GET",
            "_apis/projects",
            {"stateFilter": "wellFormed", "$top": "100", "$skip": "0"},
            None,
            {"value": []},
        ),
        (
            lambda ado: ado.places(PROJECT, "areas"),
            "GET",
            f"{PROJECT}/_apis/wit/classificationnodes/areas",
            {"$depth": "14"},
            None,
            {"name": "Fabrikam-Fiber"},
        ),
    ],
)
def test_a_call_is_sent_exactly_so(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    call: Callable[[AdoClient], Any],
    method: str,
    path: str,
    query: Json,
    body: Any,
    answer: Any,
) -> None:
    vendor.add(method, BASE + path, json=answer)
    call(ado)
    assert sent(vendor) == (method, BASE + path, {**VERSION, **query}, body)
    assert len(vendor.calls) == 1


def test_every_call_asks_for_json_and_for_no_sign_in_page(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    vendor.get(ITEM_URL, json=item_json())
    ado.get_work_item(31)
    headers = vendor.calls[0].request.headers
    assert headers["Accept"] == "application/json"
    assert headers["X-TFS-FedAuthRedirect"] == "Suppress"
    assert headers["Authorization"] == "Basic OnRva2Vu"  # ":token"


TEST_REV: Json = {"op": "test", "path": "/rev", "value": 3}


@pytest.mark.parametrize(
    ("changes", "patch"),
    [
        ({}, []),
        ({"state": "Closed"}, [{"op": "add", "path": "/fields/System.State", "value": "Closed"}]),
        (
            {"assignee": ANN},
            [{"op": "add", "path": "/fields/System.AssignedTo", "value": "ann@corp.example"}],
        ),
        ({"assignee": None}, [{"op": "add", "path": "/fields/System.AssignedTo", "value": ""}]),
        (
            {"state": "Closed", "assignee": ANN},
            [
                {"op": "add", "path": "/fields/System.State", "value": "Closed"},
                {"op": "add", "path": "/fields/System.AssignedTo", "value": "ann@corp.example"},
            ],
        ),
    ],
)
def test_a_write_is_one_patch_that_is_tied_to_the_revision_seen(
    vendor: responses.RequestsMock, ado: AdoClient, changes: Json, patch: list[Json]
) -> None:
    vendor.patch(ITEM_URL, json=item_json())
    assert ado.update_work_item(31, 3, **changes) == ITEM
    assert sent(vendor) == ("PATCH", ITEM_URL, VERSION, [TEST_REV, *patch])
    assert vendor.calls[0].request.headers["Content-Type"] == "application/json-patch+json"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("Störung & Co", "St%C3%B6rung%20%26%20Co"),
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
    ],
)
def test_a_name_cannot_change_the_path(
    vendor: responses.RequestsMock, ado: AdoClient, name: str, path: str
) -> None:
    vendor.get(f"{BASE}_apis/projects/{path}", json={"id": PROJECT, "name": name})
    assert ado.get_project(name) == Project(PROJECT, name)
    vendor.get(f"{BASE}{path}/_apis/wit/workitemtypes", json={"value": []})
    assert ado.get_work_item_types(name) == {}


def test_an_empty_list_of_work_items_costs_no_call(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    assert ado.find_work_items([]) == FoundWorkItems()
    assert len(vendor.calls) == 0


@pytest.mark.parametrize("base", [BASE, SERVER, "https://fabrikam.visualstudio.com/"])
def test_every_form_of_an_organization_s_address_is_built_upon(
    vendor: responses.RequestsMock, base: str
) -> None:
    vendor.get(f"{base}_apis/wit/workitems/31", json=item_json())
    with new_session(POLICY) as session:
        ado = AdoClient(base, session, personal_access_token("token"), BackOff())
        assert ado.get_work_item(31) == ITEM
    assert ado.web_url(PROJECT, 31) == f"{base}{PROJECT}/_workitems/edit/31"


# How answers are read


@pytest.mark.parametrize(
    ("identity", "assignee"),
    [
        ({"displayName": "Ann", "uniqueName": "ANN@corp.example"}, ANN),
        ("Ann <ann@corp.example>", ANN),
        (None, None),
        ({"displayName": "Bot", "uniqueName": ""}, Stranger("assignee-unreadable", "bot")),
        ({"displayName": "Ann", "uniqueName": "CORP\\ann"}, Stranger("assignee-unreadable", "corp\\ann")),
    ],
)
def test_an_assignee_is_read_in_every_spelling(
    vendor: responses.RequestsMock, ado: AdoClient, identity: Any, assignee: Assignee
) -> None:
    vendor.get(ITEM_URL, json=item_json(**{"System.AssignedTo": identity}))
    assert ado.get_work_item(31).assignee == assignee


@pytest.mark.parametrize(
    "url",
    [
        f"{BASE}{PROJECT}/_apis/wit/workItems/31",
        f"{BASE}{PROJECT.upper()}/_apis/wit/workItems/31",
        f"{SERVER}{PROJECT}/_apis/wit/workItems/31",
        f"https://fabrikam.visualstudio.com/{PROJECT}/_apis/wit/workItems/31",
    ],
)
def test_a_project_s_guid_is_read_off_the_item_s_own_address(
    vendor: responses.RequestsMock, ado: AdoClient, url: str
) -> None:
    vendor.get(ITEM_URL, json={**item_json(), "url": url})
    assert ado.get_work_item(31).project_id == PROJECT
    assert len(vendor.calls) == 1


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        f"{BASE}_apis/wit/workItems/31",
        f"{SERVER}_apis/wit/workItems/31",
        f"{BASE}Fabrikam-Fiber/_apis/wit/workItems/31",
        f"{BASE}a-b-c-d-e/_apis/wit/workItems/31",
        f"{BASE}{'a' * 36}/_apis/wit/workItems/31",
        "not a url",
    ],
)
def test_a_project_that_the_address_does_not_name_is_looked_up_by_its_name(
    vendor: responses.RequestsMock, ado: AdoClient, url: str | None
) -> None:
    vendor.get(ITEM_URL, json={**item_json(), "url": url})
    vendor.get(f"{BASE}_apis/projects/Fabrikam-Fiber", json={"id": PROJECT.upper(), "name": "Fabrikam-Fiber"})
    assert ado.get_work_item(31) == ITEM
    assert len(vendor.calls) == 2


def test_items_that_are_not_there_are_left_out_of_a_batch(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    vendor.post(
        f"{BASE}_apis/wit/workitemsbatch",
        json={"count": 3, "value": [None, item_json(), None, item_json(33)]},
    )
    found = ado.find_work_items([30, 31, 32, 33])
    assert set(found.found) == {31, 33}
    assert found.unreadable == frozenset()


BATCH = f"{BASE}_apis/wit/workitemsbatch"


@pytest.mark.parametrize(
    "odd",
    [
        {**item_json(32), "fields": {"System.WorkItemType": "Bug"}},
        {**item_json(32), "rev": "three"},
        {**item_json(32), "rev": 0},
        {**item_json(32), "fields": None},
        {"id": 32},
        item_json(32, **{"System.Title": 5}),
        item_json(32, **{"System.Title": "x" * 100_000}),
        item_json(32, **{"System.AreaPath": {"a": 1}}),
        item_json(32, **{"System.WorkItemType": None}),
        item_json(32, **{"System.State": ""}),
    ],
)
def test_an_odd_item_hides_no_other_and_is_neither_found_nor_missing(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Json
) -> None:
    vendor.post(BATCH, json={"value": [odd, item_json(31)]})
    assert ado.find_work_items([31, 32, 33]) == FoundWorkItems({31: ITEM}, frozenset({32}))


@pytest.mark.parametrize("odd", [5, "text", [], {}, {**item_json(32), "id": "thirty-two"}, {"id": True}])
def test_an_item_without_a_number_may_be_any_that_is_missing(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    vendor.post(BATCH, json={"value": [odd, item_json(31)]})
    assert ado.find_work_items([31, 32, 33]) == FoundWorkItems({31: ITEM}, frozenset({32, 33}))


def test_an_item_that_nobody_asked_for_is_left_out(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    vendor.post(BATCH, json={"value": [item_json(31), item_json(40)]})
    assert ado.find_work_items([31]) == FoundWorkItems({31: ITEM})


def test_an_answer_about_another_item_is_no_usable_answer(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    vendor.get(ITEM_URL, json=item_json(32))
    vendor.patch(ITEM_URL, json=item_json(32))
    with pytest.raises(Unavailable, match="about another one"):
        ado.get_work_item(31)
    with pytest.raises(Unavailable, match="about another one"):
        ado.update_work_item(31, 3, state="Closed")


def test_half_a_character_in_a_title_is_mended(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    body = json.dumps({"value": [item_json(31, **{"System.Title": "cut \ud83d\0"})]})
    vendor.post(BATCH, body=body, content_type="application/json; charset=utf-8")
    assert ado.find_work_items([31]).found[31].title == "cut \ufffd\ufffd"


def nameless(work_item_id: int, project: Any) -> Json:
    """Write an item as an old server does, whose addresses name no project."""
    url = f"{BASE}_apis/wit/workItems/{work_item_id}"
    return {**item_json(work_item_id, **{"System.TeamProject": project}), "url": url}


def test_the_name_of_a_project_is_looked_up_once_for_a_list(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    vendor.post(BATCH, json={"value": [nameless(number, "Fabrikam-Fiber") for number in range(1, 201)]})
    vendor.get(f"{BASE}_apis/projects/Fabrikam-Fiber", json={"id": PROJECT, "name": "Fabrikam-Fiber"})
    found = ado.find_work_items(range(1, 201)).found
    assert (len(found), {item.project_id for item in found.values()}) == (200, {PROJECT})
    assert len(vendor.calls) == 2


@pytest.mark.parametrize("project", ["Gone", "..", "", None, "../x", 5])
def test_a_project_that_cannot_be_looked_up_hides_no_item_of_another(
    vendor: responses.RequestsMock, ado: AdoClient, project: Any
) -> None:
    vendor.assert_all_requests_are_fired = False
    vendor.post(BATCH, json={"value": [nameless(30, project), nameless(32, project), item_json(31)]})
    vendor.get(f"{BASE}_apis/projects/Gone", status=404, json={"message": "TF200016"})
    assert ado.find_work_items([30, 31, 32]) == FoundWorkItems({31: ITEM}, frozenset({30, 32}))
    assert len(vendor.calls) <= 2


@pytest.mark.parametrize("project_id", ["Fabrikam-Fiber", "", "..", f"{PROJECT}/x", 5, None])
def test_what_is_no_guid_is_believed_to_be_no_project_s_id(
    vendor: responses.RequestsMock, ado: AdoClient, project_id: Any
) -> None:
    answer = {"id": project_id, "name": "Fabrikam-Fiber"}
    vendor.get(f"{BASE}_apis/projects/Fabrikam-Fiber", json=answer)
    vendor.get(f"{BASE}_apis/projects", json={"value": [answer]})
    vendor.get(ITEM_URL, json=nameless(31, "Fabrikam-Fiber"))
    for call in (
        lambda: ado.get_project("Fabrikam-Fiber"),
        lambda: ado.get_work_item(31),
    ):
        with pytest.raises(Unavailable):
            call()
    assert list(ado.projects()) == []


STEPS = ["..", ".", "", "../_apis", "a/../b", "..\\x", "\x00", "a\nb", "\ud800", "x" * 600, " "]


@pytest.mark.parametrize("name", STEPS)
def test_a_name_that_leads_elsewhere_is_asked_of_nobody(ado: AdoClient, name: str) -> None:
    new = NewWorkItem(project=name, work_item_type="Bug", title="t", description="")
    comment = SentryComment("1", "Ann", "text", "https://sentry.io/")
    for call in (
        lambda: ado.get_project(name),
        lambda: ado.get_work_item_types(name),
        lambda: ado.creatable_types(name),
        lambda: ado.places(name, "areas"),
        lambda: patch_for(ado, new),
        lambda: patch_for(ado, replace(new, project="Web", work_item_type=name)),
        lambda: create_work_item(ado, new, []),
        lambda: add_comment(ado, name, 31, rendered(comment, comment.url)),
        lambda: find_comment_with(ado, name, 31, comment.url),
        lambda: edit_comment(ado, name, 31, 7, "text"),
        lambda: delete_comment(ado, name, 31, 7),
        lambda: get_comment(ado, name, 31, 7),
        lambda: WorkItemFinder(ado, ado, BASE).recent(name, 5),
        lambda: WorkItemFinder(ado, ado, BASE).find("login", name, 5),
    ):
        with pytest.raises(Rejected):
            call()


@pytest.mark.parametrize("project_id", [*STEPS, "Fabrikam-Fiber"])
def test_the_page_of_an_item_is_found_without_what_is_no_project_s_id(
    ado: AdoClient, project_id: str
) -> None:
    assert ado.web_url(project_id, 31) == f"{BASE}_workitems/edit/31"


@pytest.mark.parametrize(
    ("address", "is_there"),
    [
        ("https://sentry.io/organizations/acme/issues/100/activity/#event_5", True),
        ("https://sentry.io/organizations/acme/issues/200/activity/#event_5", True),
        ("https://sentry.io/organizations/acme/issues/100/activity/#event_55", False),
        ("https://sentry.io/organizations/other/issues/100/activity/#event_5", False),
    ],
)
def test_a_comment_is_known_also_by_its_address_before_a_merge(
    vendor: responses.RequestsMock, ado: AdoClient, address: str, *, is_there: bool
) -> None:
    comment = SentryComment("5", "Ann", "text", address)
    comments = [{"text": rendered(comment, comment.url)}]
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workItems/31/comments", json={"comments": comments})
    asked_for = "https://sentry.io/organizations/acme/issues/200/activity/#event_5"
    assert (find_comment_with(ado, PROJECT, 31, asked_for) is not None) is is_there


@pytest.mark.parametrize(
    "odd", [None, {"id": PROJECT, "name": ""}, {"id": "x", "name": "y"}, {"name": "y"}, 5]
)
def test_an_odd_project_hides_no_other(vendor: responses.RequestsMock, ado: AdoClient, odd: Any) -> None:
    page = [{"id": f"{PROJECT[:-4]}{number:04}", "name": f"P{number}"} for number in range(99)]
    last = {"id": f"{PROJECT[:-4]}9999", "name": "Last"}
    for skip, value in (("0", [odd, *page]), ("100", [odd, last])):
        asked = query_param_matcher({"$skip": skip}, strict_match=False)
        vendor.get(f"{BASE}_apis/projects", json={"value": value}, match=[asked])
    assert [each.name for each in ado.projects()] == [*(each["name"] for each in page), "Last"]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {},
        {"name": None},
        {"name": "", "states": []},
        {"name": "Odd", "states": {"name": "New"}},
    ],
)
def test_an_odd_type_is_absent_and_hides_no_other(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    bug = {"name": "Bug", "states": [{"name": "New", "category": "Proposed"}], "isDisabled": None}
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes", json={"value": [odd, bug]})
    assert ado.get_work_item_types(PROJECT) == {"Bug": (State("New", Category.PROPOSED),)}


@pytest.mark.parametrize(
    "odd",
    [None, 5, {"id": 7}, {"id": 7, "text": None}, *({"id": each, "text": "t"} for each in ("7", 0))],
)
def test_an_odd_comment_hides_no_other_and_may_be_ours(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    url = "https://sentry.io/organizations/acme/issues/100/activity/#event_5"
    ours = rendered(SentryComment("5", "Ann", "Hello", url), url)
    path = f"{BASE}{PROJECT}/_apis/wit/workItems/31/comments"
    vendor.get(path, json={"comments": [odd, {"id": 8, "text": ours}]})
    assert find_comment_with(ado, PROJECT, 31, url) == FoundComment(8)
    vendor.replace("GET", path, json={"comments": [odd, {"id": 8, "text": "Hello"}]})
    with pytest.raises(Unavailable, match="1 comments that may be ours"):
        find_comment_with(ado, PROJECT, 31, url)


@pytest.mark.parametrize("answer", [{}, {"comments": None}, {"count": 0, "value": []}])
def test_without_a_list_nobody_knows_whether_a_comment_is_there(
    vendor: responses.RequestsMock, ado: AdoClient, answer: Json
) -> None:
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workItems/31/comments", json=answer)
    with pytest.raises(Unavailable):
        find_comment_with(ado, PROJECT, 31, "https://sentry.io/")


@pytest.mark.parametrize("name", ["id", "commentId"])
def test_a_comment_is_read_under_either_name_of_its_id(
    vendor: responses.RequestsMock, ado: AdoClient, name: str
) -> None:
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workItems/31/comments/7", json={name: 7, "text": "Hello"})
    assert get_comment(ado, PROJECT, 31, 7) == SaidInAdo("7", "", "Hello")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"id": 7},
        {"id": 7, "text": None},
        {"text": "of nobody knows whom"},
        {"id": 8, "text": "another's"},
    ],
)
def test_what_is_not_this_comment_with_its_text_is_no_answer(
    vendor: responses.RequestsMock, ado: AdoClient, answer: Json
) -> None:
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workItems/31/comments/7", json=answer)
    with pytest.raises(Unavailable):
        get_comment(ado, PROJECT, 31, 7)


def test_a_list_of_projects_that_makes_no_progress_ends(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    page = [{"id": f"{PROJECT[:-4]}{number:04}", "name": f"P{number}"} for number in range(100)]
    vendor.get(f"{BASE}_apis/projects", json={"value": page})
    assert len(list(ado.projects())) == 100
    assert len(vendor.calls) == 2


def test_a_list_of_projects_without_an_end_ends(
    vendor: responses.RequestsMock, ado: AdoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client._MOST_PAGES == 1_000
    monkeypatch.setattr(client, "_MOST_PAGES", 20)

    def page(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        skip = int(dict(parse_qsl(urlsplit(str(request.url)).query))["$skip"])
        names = range(skip, skip + 100)
        value = [{"id": f"{PROJECT[:-8]}{number:08}", "name": f"P{number}"} for number in names]
        return 200, {}, json.dumps({"value": value})

    vendor.add_callback("GET", f"{BASE}_apis/projects", page)
    assert sum(1 for _ in ado.projects()) == 2_000
    assert len(vendor.calls) == 20


def test_the_types_of_a_project_keep_their_order_and_strange_categories(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    states = [
        {"name": "New", "category": "Proposed"},
        {"name": "Active", "category": "InProgress"},
        {"name": "Resolved", "category": "Resolved"},
        {"name": "Closed", "category": "Completed"},
        {"name": "Cut", "category": "Removed"},
        {"name": "Odd", "category": "Tomorrow"},
        {"name": "Odder"},
    ]
    value = [
        {"name": "Bug", "states": states},
        {"name": "Old", "states": states[:1], "isDisabled": True},
        {"name": "Task", "states": None},
        {"name": "Epic", "isDisabled": False},
    ]
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes", json={"value": value})
    assert ado.get_work_item_types(PROJECT) == {
        "Bug": (
            State("New", Category.PROPOSED),
            State("Active", Category.IN_PROGRESS),
            State("Resolved", Category.RESOLVED),
            State("Closed", Category.COMPLETED),
            State("Cut", Category.REMOVED),
            State("Odd", None),
            State("Odder", None),
        ),
        "Task": (),
        "Epic": (),
        # Nobody can create one any more, but those that exist go on.
        "Old": (State("New", Category.PROPOSED),),
    }


@pytest.mark.parametrize(
    "odd",
    [
        [],
        "none",
        7,
        {"New": {"to": "Active"}},
        {"New": [{"to": 3}]},
        {"New": ["Active"]},
        {"New": [{"to": "Active"}], "Active": "New"},
    ],
)
def test_an_odd_table_of_transitions_hides_the_moves_of_its_type_and_no_state(
    vendor: responses.RequestsMock, ado: AdoClient, odd: object
) -> None:
    states = [{"name": "New", "category": "Proposed"}, {"name": "Active", "category": "InProgress"}]
    well = {"New": [{"to": "New"}], "Active": [{"to": "New"}]}
    value = [
        {"name": "Bug", "states": states, "transitions": odd},
        {"name": "Task", "states": states, "transitions": well},
    ]
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes", json={"value": value})
    types = ado.get_work_item_types(PROJECT)
    assert types["Bug"] == (State("New", Category.PROPOSED), State("Active", Category.IN_PROGRESS))
    assert [each.moves for each in types["Task"]] == [("New",), None]


NEW, CLOSED = {"name": "New", "category": "Proposed"}, {"name": "Closed", "category": "Completed"}


@pytest.mark.parametrize(
    ("odd", "more"),
    [
        (None, ()),
        ("Odd", ()),
        ({"name": None}, ()),
        ({"name": ""}, ()),
        ({"name": "x" * 513, "category": "Proposed"}, ()),
        ({"name": "Odd", "category": 7}, (State("Odd", None),)),
        ({"name": "Odd", "category": []}, (State("Odd", None),)),
    ],
)
def test_an_odd_state_hides_no_other(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any, more: tuple[State, ...]
) -> None:
    bug = {"name": "Bug", "states": [NEW, odd, CLOSED]}
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes", json={"value": [bug]})
    assert ado.get_work_item_types(PROJECT) == {
        "Bug": (State("New", Category.PROPOSED), *more, State("Closed", Category.COMPLETED))
    }


@pytest.mark.parametrize("odd", ["false", "true", 0, 1, [], {}])
def test_an_odd_flag_hides_no_type(vendor: responses.RequestsMock, ado: AdoClient, odd: Any) -> None:
    for path, value in (
        ("types", [{"name": "Bug", "states": [NEW], "isDisabled": odd}]),
        ("typecategories", []),
    ):
        vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitem{path}", json={"value": value})
    assert ado.get_work_item_types(PROJECT) == {"Bug": (State("New", Category.PROPOSED),)}
    assert ado.creatable_types(PROJECT) == ["Bug"]


@pytest.mark.parametrize(
    "odd",
    [
        {"referenceName": "Microsoft.HiddenCategory", "workItemTypes": [{"name": None}]},
        {"referenceName": "Microsoft.HiddenCategory", "workItemTypes": 5},
        {"referenceName": "Microsoft.HiddenCategory"},
        {"referenceName": 5, "workItemTypes": [{"name": "Bug"}]},
        None,
    ],
)
@pytest.mark.parametrize("odd_type", [[], [{"name": 7}]])
def test_what_is_hidden_stays_so_beside_something_odd(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any, odd_type: list[Any]
) -> None:
    types = [{"name": "Bug"}, {"name": "Test Suite"}]
    hidden = {"referenceName": "Microsoft.HiddenCategory", "workItemTypes": [*odd_type, types[1]]}
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypecategories", json={"value": [hidden, odd]})
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes", json={"value": types})
    assert ado.creatable_types(PROJECT) == ["Bug"]


@pytest.mark.parametrize("odd", [None, "Odd", {"name": None}, {"name": "Odd", "children": 5}])
def test_an_odd_place_hides_no_other(vendor: responses.RequestsMock, ado: AdoClient, odd: Any) -> None:
    web = {"name": "Web", "children": [odd, {"name": "Cart"}]}
    root = {"name": "Fabrikam", "children": [odd, web]}
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/classificationnodes/areas", json=root)
    assert ado.places(PROJECT, "areas") == ["Fabrikam", "Fabrikam\\Web", "Fabrikam\\Web\\Cart"]


def test_types_that_only_tools_make_are_not_offered(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    vendor.get(
        f"{BASE}{PROJECT}/_apis/wit/workitemtypecategories",
        json={
            "value": [
                {"referenceName": "Microsoft.HiddenCategory", "workItemTypes": [{"name": "Test Suite"}]},
                {"referenceName": "Microsoft.BugCategory", "workItemTypes": [{"name": "Bug"}]},
            ]
        },
    )
    vendor.get(
        f"{BASE}{PROJECT}/_apis/wit/workitemtypes",
        json={"value": [{"name": "Bug"}, {"name": "Test Suite"}, {"name": "Old", "isDisabled": True}]},
    )
    assert ado.creatable_types(PROJECT) == ["Bug"]


def test_places_are_spelled_as_paths(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    root = {
        "name": "Fabrikam",
        "children": [{"name": "Web", "children": [{"name": "Cart"}]}, {"name": "Service", "children": None}],
    }
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/classificationnodes/areas", json=root)
    places = ["Fabrikam", "Fabrikam\\Web", "Fabrikam\\Web\\Cart", "Fabrikam\\Service"]
    assert ado.places(PROJECT, "areas") == places


@pytest.mark.parametrize(
    ("projects", "skips"), [(0, [0]), (99, [0]), (100, [0, 100]), (101, [0, 100]), (250, [0, 100, 200])]
)
def test_projects_are_listed_page_by_page_until_one_is_not_full(
    vendor: responses.RequestsMock, ado: AdoClient, projects: int, skips: list[int]
) -> None:
    everything = [
        {"id": f"{PROJECT[:-4].upper()}{number:04}", "name": f"P{number}"} for number in range(projects)
    ]
    for skip in skips:
        vendor.get(
            f"{BASE}_apis/projects",
            json={"value": everything[skip : skip + 100]},
            match=[
                responses.matchers.query_param_matcher({"$skip": str(skip)}, strict_match=False),
            ],
        )
    expected = [Project(each["id"].lower(), each["name"]) for each in everything]
    assert list(ado.projects()) == expected
    assert len(vendor.calls) == len(skips)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "text",
        5,
        {},
        {**item_json(), "fields": None},
        {**item_json(), "fields": []},
        {**item_json(), "id": None},
        {**item_json(), "rev": "three"},
        {**item_json(), "url": 5},
        {**item_json(), "url": "https://[broken"},
        item_json(**{"System.State": None}),
        item_json(**{"System.WorkItemType": None}),
    ],
)
def test_an_answer_that_is_not_a_work_item_is_no_usable_answer(
    vendor: responses.RequestsMock, ado: AdoClient, content: Any
) -> None:
    vendor.get(ITEM_URL, json=content)
    with pytest.raises(Unavailable):
        ado.get_work_item(31)


@pytest.mark.parametrize("content", [None, [], {}, {"value": None}, {"value": {}}, {"count": 0}, "text"])
def test_an_answer_without_its_list_is_no_usable_answer(
    vendor: responses.RequestsMock, ado: AdoClient, content: Any
) -> None:
    vendor.post(f"{BASE}_apis/wit/workitemsbatch", json=content)
    with pytest.raises(Unavailable):
        ado.find_work_items([31])


# Refusals


@pytest.mark.parametrize(
    ("call", "method", "path", "kind"),
    [
        (lambda ado: ado.get_work_item(31), "GET", "_apis/wit/workitems/31", "work-item-not-found"),
        (lambda ado: ado.update_work_item(31, 3), "PATCH", "_apis/wit/workitems/31", "work-item-not-found"),
        (lambda ado: ado.get_project("X"), "GET", "_apis/projects/X", "project-not-found"),
    ],
)
def test_what_is_not_there_is_named_by_its_kind(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    call: Callable[[AdoClient], Any],
    method: str,
    path: str,
    kind: str,
) -> None:
    vendor.add(method, BASE + path, status=404, json={"message": "TF401232: does not exist"})
    with pytest.raises(NotFound) as raised:
        call(ado)
    assert raised.value.kind == kind


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"json": {"message": "TF401320: Rule Error for Effort."}},
            "TF401320: Rule Error for Effort.",
        ),
        # The shape that model binding answers with.
        ({"json": {"count": 1, "value": {"Message": "An error has occurred."}}}, "An error has occurred."),
        ({"json": {"message": None, "value": {"Message": "Elsewhere."}}}, "Elsewhere."),
        ({"body": "The controller was not found.", "content_type": "text/plain"}, ""),
        ({"json": {}}, ""),
        ({"json": {"value": []}}, ""),
    ],
)
def test_a_refusal_quotes_azure_devops_own_sentence(
    vendor: responses.RequestsMock, ado: AdoClient, body: Json, sentence: str
) -> None:
    vendor.patch(ITEM_URL, status=400, **body)
    with pytest.raises(Refused) as raised:
        ado.update_work_item(31, 3, state="Closed")
    assert raised.value.service == "ado"
    assert str(raised.value) == raised.value.detail == f"PATCH {ITEM_URL}: HTTP 400"
    assert raised.value.quoted == sentence


@pytest.mark.parametrize(
    ("call", "about"),
    [
        (lambda ado: ado.get_work_item(31), "work item 31"),
        (lambda ado: ado.update_work_item(31, 3, state="Closed"), "work item 31"),
        (lambda ado: ado.get_work_item_types(PROJECT), f"project {PROJECT}"),
        (lambda ado: ado.creatable_types(PROJECT), f"project {PROJECT}"),
        (lambda ado: ado.places(PROJECT, "areas"), f"project {PROJECT}"),
        (lambda ado: ado.get_project("Web"), "project Web"),
        (lambda ado: add_comment(ado, PROJECT, 31, "text"), "the comments of work item 31"),
        (lambda ado: find_comment_with(ado, PROJECT, 31, "url"), "the comments of work item 31"),
        (lambda ado: edit_comment(ado, PROJECT, 31, 7, "text"), "the comments of work item 31"),
        (lambda ado: delete_comment(ado, PROJECT, 31, 7), "the comments of work item 31"),
        (lambda ado: get_comment(ado, PROJECT, 31, 7), "the comments of work item 31"),
        (lambda ado: WorkItemFinder(ado, ado, BASE).recent("Web", 5), "project Web"),
        # About no single thing.
        (lambda ado: ado.find_work_items([31]), None),
        (lambda ado: ado.instance_id(), None),
        (lambda ado: list(ado.projects()), None),
        (lambda ado: WorkItemFinder(ado, ado, BASE).recent(None, 5), None),
    ],
)
def test_what_is_forbidden_says_what_it_is_about(
    vendor: responses.RequestsMock, ado: AdoClient, call: Callable[[AdoClient], Any], about: str | None
) -> None:
    vendor.assert_all_requests_are_fired = False
    for method in ("GET", "POST", "PATCH", "DELETE"):
        vendor.add(method, re.compile(f"{BASE}.*"), status=403, json={"message": "TF237111: no rights"})
    with pytest.raises(Unauthorized if about is None else Forbidden) as raised:
        call(ado)
    assert raised.value.quoted == "TF237111: no rights"
    if isinstance(raised.value, Forbidden):
        assert raised.value.about == about


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 412, "json": {"message": "VS403351"}}, Conflict),
        ({"status": 409, "json": {"message": "TF26071"}}, Conflict),
        ({"status": 401, "json": {"message": "TF400813"}}, Unauthorized),
        ({"status": 203, "body": "<html>", "content_type": "text/html"}, Unauthorized),
        ({"status": 302, "headers": {"Location": f"{BASE}_signin"}}, Unauthorized),
        ({"status": 200, "body": "<html>", "content_type": "text/html; charset=utf-8"}, Unauthorized),
        ({"status": 429, "body": "TF400733", "headers": {"Retry-After": "5"}}, Throttled),
        ({"status": 503, "body": "<html>", "content_type": "text/html"}, Unavailable),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda ado: ado.get_work_item(31),
        lambda ado: ado.update_work_item(31, 3, state="Closed"),
        lambda ado: ado.find_work_items([31]),
        lambda ado: ado.get_work_item_types(PROJECT),
        lambda ado: ado.get_project(PROJECT),
        lambda ado: list(ado.projects()),
    ],
)
def test_a_failure_is_classified_alike_whatever_was_asked(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    call: Callable[[AdoClient], Any],
    answer: Json,
    error: type[SyncError],
) -> None:
    vendor.assert_all_requests_are_fired = False
    for method in ("GET", "POST", "PATCH"):
        vendor.add(method, re.compile(f"{BASE}.*"), **answer)
    with pytest.raises(error) as raised:
        call(ado)
    assert type(raised.value) is error


def test_an_organization_says_its_id_in_a_preview(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    vendor.get(f"{BASE}_apis/connectionData", json={"instanceId": "A1F0C6B8-92D4", "authenticatedUser": {}})
    assert ado.instance_id() == "a1f0c6b8-92d4"
    assert sent(vendor)[2] == {"api-version": "5.0-preview"}


@pytest.mark.parametrize(
    "answer", [{}, [], None, {"instanceId": 5}, {"instanceId": " "}, {"instanceId": "x" * 999}]
)
def test_who_does_not_say_its_id_is_nobody_we_know(
    vendor: responses.RequestsMock, ado: AdoClient, answer: Any
) -> None:
    vendor.get(f"{BASE}_apis/connectionData", json=answer)
    with pytest.raises(Unavailable):
        ado.instance_id()
