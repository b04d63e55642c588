"""What is written for a new work item: its fields, its place, its way back; and how it is found again."""

from collections.abc import Iterator
from html import unescape
from json import loads
from typing import Any

import pytest
import responses
from msgspec.structs import replace

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.domain.addresses import AddressPolicy
from shared.domain.configuration import CreateDefaults
from shared.domain.errors import NotFound, Rejected, Unavailable
from shared.http import BackOff, new_session

BASE = "https://dev.azure.com/fabrikam/"
PROJECT = "11111111-2222-3333-4444-555555555555"
ISSUE = "https://acme.sentry.io/issues/100/?a=1&b=2"
NEW = NewWorkItem(PROJECT, "Bug", "Fix login", "It fails.", issue_url=ISSUE, level="error")
PRIORITY = "Microsoft.VSTS.Common.Priority"
REPRO_STEPS = "Microsoft.VSTS.TCM.ReproSteps"
DESCRIPTION = "System.Description"


def field(reference: str, **facts: Any) -> dict[str, Any]:
    return {"referenceName": reference, "name": reference.rpartition(".")[2], **facts}


# What every type has, and what a bug of the Agile process has besides.
COMMON = (
    field("System.Title", alwaysRequired=True),
    field("System.State", alwaysRequired=True, defaultValue="New"),
    field("System.AreaId", alwaysRequired=True),
    field(DESCRIPTION),
)
BUG = (
    *COMMON,
    field(REPRO_STEPS),
    field(PRIORITY, alwaysRequired=True, defaultValue="2"),
    field("Microsoft.VSTS.Common.ValueArea", alwaysRequired=True, defaultValue="Business"),
)


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def ado() -> Iterator[AdoClient]:
    with new_session(AddressPolicy()) as session:
        yield AdoClient(BASE, session, personal_access_token("token"), BackOff())


def patch(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    fields: tuple[dict[str, Any], ...] = BUG,
    new: NewWorkItem = NEW,
    **changes: Any,
) -> dict[str, Any]:
    """Return what would be written: the fields by their reference names, and the relations."""
    new = replace(new, **changes)
    kind = new.work_item_type.replace(" ", "%20")
    path = f"{BASE}{PROJECT}/_apis/wit/workitemtypes/{kind}/fields"
    vendor.get(path, json={"value": list(fields)})
    written: dict[str, Any] = {"relations": []}
    for operation in patch_for(ado, new):
        assert operation["op"] == "add"
        if operation["path"] == "/relations/-":
            written["relations"].append(operation["value"])
        else:
            written[operation["path"].removeprefix("/fields/")] = operation["value"]
    return written


def test_only_what_was_given_is_written(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    written = patch(vendor, ado)
    assert set(written) == {"System.Title", REPRO_STEPS, PRIORITY, "relations"}
    assert written["System.Title"] == "Fix login"


def test_its_place_is_written_as_it_was_chosen(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    written = patch(
        vendor, ado, area_path="Web\\Shop", iteration_path="Web\\Sprint 1", tags="sentry; shop", parent=7
    )
    assert written["System.AreaPath"] == "Web\\Shop"
    assert written["System.IterationPath"] == "Web\\Sprint 1"
    assert written["System.Tags"] == "sentry; shop"
    [_, parent] = written["relations"]
    assert (parent["rel"], parent["url"]) == (
        "System.LinkTypes.Hierarchy-Reverse",
        f"{BASE}_apis/wit/workItems/7",
    )


def test_it_links_back_to_its_issue(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    written = patch(vendor, ado)
    [link] = written["relations"]
    assert (link["rel"], link["url"]) == ("Hyperlink", ISSUE)
    assert f'<a href="{ISSUE}">{ISSUE}</a>' in unescape(written[REPRO_STEPS])
    assert "a=1&amp;b=2" in written[REPRO_STEPS]


@pytest.mark.parametrize(
    ("kind", "fields", "body"),
    [
        ("Bug", BUG, REPRO_STEPS),
        ("Task", COMMON, DESCRIPTION),
        ("Task", BUG, DESCRIPTION),
        # A bug of a process that took the field away.
        ("Bug", COMMON, DESCRIPTION),
    ],
)
def test_the_text_stands_where_the_types_form_shows_it(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    kind: str,
    fields: tuple[dict[str, Any], ...],
    body: str,
) -> None:
    written = patch(vendor, ado, fields, work_item_type=kind)
    assert "It fails." in written[body]
    assert len({REPRO_STEPS, DESCRIPTION} & set(written)) == 1


@pytest.mark.parametrize(
    ("changes", "kind", "body", "text"),
    [
        ({REPRO_STEPS: "<b>Steps:</b>"}, "Bug", REPRO_STEPS, "<p>It fails.</p><b>Steps:</b>"),
        ({REPRO_STEPS.lower(): "Steps:"}, "Bug", REPRO_STEPS, "<p>It fails.</p>Steps:"),
        ({DESCRIPTION: "<i>Why?</i>"}, "Task", DESCRIPTION, "<p>It fails.</p><i>Why?</i>"),
        # It is not the field that the type's form shows.
        ({DESCRIPTION: "<i>Why?</i>"}, "Bug", REPRO_STEPS, "<p>It fails.</p>"),
        ({PRIORITY: 3}, "Bug", REPRO_STEPS, "<p>It fails.</p>"),
    ],
)
def test_a_default_of_the_text_stands_below_what_was_typed_and_above_the_link(
    vendor: responses.RequestsMock,
    ado: AdoClient,
    changes: dict[str, Any],
    kind: str,
    body: str,
    text: str,
) -> None:
    written = patch(vendor, ado, work_item_type=kind, defaults=CreateDefaults(fields=changes))
    url = ISSUE.replace("&", "&amp;")
    assert written[body] == f'{text}<p>Sentry issue: <a href="{url}">{url}</a></p>'
    others = {name: value for name, value in changes.items() if name.casefold() != body.casefold()}
    assert {name: written[name] for name in others} == others


def test_what_the_form_says_of_the_texts_field_replaces_its_default_alone(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    defaults = CreateDefaults(fields={REPRO_STEPS: "template", PRIORITY: 3})
    new = replace(NEW, fields={"reprosteps": "chosen"}, defaults=defaults)
    written = patch(vendor, ado, new=new)
    assert written[REPRO_STEPS].startswith("<p>It fails.</p>chosen<p>Sentry issue: ")
    assert "template" not in written[REPRO_STEPS]
    assert written[PRIORITY] == 3


@pytest.mark.parametrize(
    ("description", "html"),
    [
        ("", ""),
        ("a\nb\r\nc", "<p>a<br>b<br>c</p>"),
        ("<script>alert('&')</script>", "<p>&lt;script&gt;alert('&amp;')&lt;/script&gt;</p>"),
        ("tab\tbell\x07nul\x00\ufffe😀", "<p>tab\tbell nul  😀</p>"),
        # What Sentry's form suggests.
        (
            "Sentry Issue: [WEB-1](https://acme.sentry.io/issues/1/)\n\n```\nTypeError: <x>\n```",
            (
                '<p>Sentry Issue: <a href="https://acme.sentry.io/issues/1/">WEB-1</a></p>\n'
                "<pre><code>TypeError: &lt;x&gt;\n</code></pre>"
            ),
        ),
    ],
)
def test_a_description_is_markdown_and_no_html(
    vendor: responses.RequestsMock, ado: AdoClient, description: str, html: str
) -> None:
    body = patch(vendor, ado, description=description)[REPRO_STEPS]
    assert body.startswith(f"{html}<p>Sentry issue: <a href=")


def test_every_field_is_mended(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    odd = "\x1b[31mWeb\x1b[0m\x07\ud83d"
    places: dict[str, Any] = dict.fromkeys(
        ("title", "description", "area_path", "iteration_path", "tags"), odd
    )
    written = patch(vendor, ado, issue_url=ISSUE, **places)
    assert written["System.Title"] == written["System.Tags"] == written["System.AreaPath"] == "Web"
    assert written["System.IterationPath"] == "Web"
    assert written[REPRO_STEPS].startswith("<p>Web</p><p>")


@pytest.mark.parametrize("title", ["\x00", "\x1b[31m", "\u202e\x07", " \n "])
def test_a_title_of_which_nothing_is_left_is_missing(
    vendor: responses.RequestsMock, ado: AdoClient, title: str
) -> None:
    with pytest.raises(Rejected, match="title is required"):
        patch(vendor, ado, title=title)


@pytest.mark.parametrize(
    ("level", "priority"),
    [("fatal", 1), ("error", 2), ("warning", 3), ("info", 4), ("debug", 4), ("sample", None), ("", None)],
)
def test_the_level_is_the_priority(
    vendor: responses.RequestsMock, ado: AdoClient, level: str, priority: int | None
) -> None:
    assert patch(vendor, ado, level=level).get(PRIORITY) == priority


def test_a_type_without_a_priority_gets_none(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    assert PRIORITY not in patch(vendor, ado, COMMON, level="fatal")


@pytest.mark.parametrize(
    ("facts", "is_missing"),
    [
        ({"alwaysRequired": True}, True),
        ({"alwaysRequired": True, "defaultValue": None}, True),
        ({"alwaysRequired": True, "defaultValue": ""}, True),
        ({"alwaysRequired": True, "defaultValue": "Low"}, False),
        ({"alwaysRequired": True, "defaultValue": 0}, False),
        ({"alwaysRequired": True, "defaultValue": False}, False),
        ({"alwaysRequired": False}, False),
        ({}, False),
    ],
)
def test_a_field_that_the_form_lacks_is_named_in_advance(
    vendor: responses.RequestsMock, ado: AdoClient, facts: dict[str, Any], is_missing: bool
) -> None:
    fields = (*BUG, field("Custom.CustomerImpact", **facts), field("Custom.Other", alwaysRequired=True))
    with pytest.raises(Rejected, match=r"Other$") as raised:
        patch(vendor, ado, fields)
    assert ("CustomerImpact" in raised.value.detail) is is_missing


def test_a_required_priority_that_the_level_does_not_give_is_missing(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    fields = (*COMMON, field(PRIORITY, alwaysRequired=True))
    assert patch(vendor, ado, fields)[PRIORITY] == 2
    with pytest.raises(Rejected, match="Priority"):
        patch(vendor, ado, fields, level="")


def test_a_type_that_is_not_there_is_named(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    vendor.get(f"{BASE}{PROJECT}/_apis/wit/workitemtypes/Bug/fields", status=404)
    with pytest.raises(Rejected, match="'Bug'"):
        patch_for(ado, NEW)


# Calls.


def test_creating_is_one_call_to_the_types_own_address(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    fields = {"System.WorkItemType": "User Story", "System.State": "New", "System.Title": "Fix login"}
    made = {"id": 31, "rev": 1, "fields": fields, "url": f"{BASE}{PROJECT}/_apis/wit/workItems/31"}
    vendor.post(f"{BASE}{PROJECT}/_apis/wit/workitems/$User%20Story", json=made)
    assert create_work_item(ado, replace(NEW, work_item_type="User Story"), [{"op": "add"}]).id == 31
    assert vendor.calls[0].request.headers["Content-Type"] == "application/json-patch+json"
    assert loads(vendor.calls[0].request.body or "") == [{"op": "add"}]


def test_a_project_that_is_not_there_creates_nothing(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    vendor.post(f"{BASE}{PROJECT}/_apis/wit/workitems/$Bug", status=404)
    with pytest.raises(NotFound):
        create_work_item(ado, NEW, [])


# Found again.


def found(
    vendor: responses.RequestsMock, ado: AdoClient, *batches: list[Any], count: int | None = None
) -> int | None:
    ids = [each["id"] for batch in batches for each in batch if each]
    ids += range(1000, 1000 + (0 if count is None else count - len(ids)))
    vendor.post(f"{BASE}_apis/wit/wiql", json={"workItems": [{"id": each} for each in ids]})
    for batch in batches:
        vendor.post(f"{BASE}_apis/wit/workitemsbatch", json={"value": batch})
    return find_created(ado, ISSUE.__eq__, 1_800_000_300.0)


def with_links(work_item_id: int, *urls: str | None) -> dict[str, Any]:
    return {"id": work_item_id, "relations": [{"rel": "Hyperlink", "url": url} for url in urls]}


def test_what_we_made_since_then_is_searched_to_the_second(
    vendor: responses.RequestsMock, ado: AdoClient
) -> None:
    assert found(vendor, ado) is None
    [call] = vendor.calls
    assert loads(call.request.body or "")["query"] == (
        "SELECT [System.Id] FROM WorkItems WHERE [System.CreatedBy] = @me "
        "AND [System.CreatedDate] >= '2027-01-15T08:00:00Z' ORDER BY [System.Id] DESC"
    )
    assert "timePrecision=true" in str(call.request.url)


@pytest.mark.parametrize(
    ("items", "work_item_id"),
    [
        ([with_links(31, ISSUE)], 31),
        ([with_links(30, "https://acme.sentry.io/issues/10/"), with_links(31, None, ISSUE)], 31),
        ([with_links(31, f"{ISSUE}0")], None),
        ([with_links(31, "https://acme.sentry.io/issues/100/")], None),
        ([None, {"id": 30}, {"id": 31, "relations": None}], None),
        # The newest of several, in whatever order they come.
        ([with_links(30, ISSUE), with_links(31, ISSUE)], 31),
        ([with_links(31, ISSUE), with_links(30, ISSUE)], 31),
        # What cannot be read hides neither the item beside it nor the link beside it.
        ([{"id": 30, "relations": 5}, with_links(31, ISSUE)], 31),
        ([{"id": 31, "relations": [None, {"rel": 5}, {"rel": "Hyperlink", "url": ISSUE}]}], 31),
    ],
)
def test_it_is_known_by_its_link_back_alone(
    vendor: responses.RequestsMock, ado: AdoClient, items: list[Any], work_item_id: int | None
) -> None:
    assert found(vendor, ado, items) == work_item_id


@pytest.mark.parametrize("odd", [{"id": 30, "relations": 5}, {"id": 30, "relations": {}}])
def test_one_that_cannot_be_read_may_be_the_one_that_was_created(
    vendor: responses.RequestsMock, ado: AdoClient, odd: dict[str, Any]
) -> None:
    with pytest.raises(Unavailable, match="1 work items that may be the created one"):
        found(vendor, ado, [odd, with_links(31, "https://acme.sentry.io/issues/10/")])


@pytest.mark.parametrize("odd", [None, {"id": "30"}, {"id": 0}])
def test_neither_is_an_odd_row_of_the_query_one_that_is_not_it(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    vendor.post(f"{BASE}_apis/wit/wiql", json={"workItems": [odd, {"id": 31}]})
    vendor.post(f"{BASE}_apis/wit/workitemsbatch", json={"value": [with_links(31)]})
    with pytest.raises(Unavailable, match="1 work items that may be the created one"):
        find_created(ado, ISSUE.__eq__, 1_800_000_300.0)
    vendor.replace("POST", f"{BASE}_apis/wit/workitemsbatch", json={"value": [with_links(31, ISSUE)]})
    assert find_created(ado, ISSUE.__eq__, 1_800_000_300.0) == 31


@pytest.mark.parametrize(
    "odd",
    [
        None,
        {"rel": 5, "url": ISSUE},
        {"rel": "Hyperlink", "url": {"href": ISSUE}},
        {"rel": "Hyperlink", "url": ISSUE, "attributes": "odd"},
    ],
)
def test_a_relation_that_cannot_be_read_may_be_the_link_back(
    vendor: responses.RequestsMock, ado: AdoClient, odd: Any
) -> None:
    newer = {"id": 32, "relations": [odd]}
    with pytest.raises(Unavailable, match="1 work items that may be the created one"):
        found(vendor, ado, [newer, with_links(30)])
    assert found(vendor, ado, [newer, with_links(31, ISSUE)]) == 31


@pytest.mark.parametrize("answer", [{}, {"workItems": None}, {"workItems": {}}, {"count": 0, "value": []}])
def test_without_a_list_nobody_knows_what_was_created(
    vendor: responses.RequestsMock, ado: AdoClient, answer: dict[str, Any]
) -> None:
    vendor.post(f"{BASE}_apis/wit/wiql", json=answer)
    with pytest.raises(Unavailable):
        find_created(ado, ISSUE.__eq__, 1_800_000_300.0)


@pytest.mark.parametrize("odd", [None, 5, {"referenceName": ""}, {"referenceName": "X", "name": 5}])
def test_an_odd_field_hides_no_other(vendor: responses.RequestsMock, ado: AdoClient, odd: Any) -> None:
    written = patch(vendor, ado, fields=(odd, *BUG))
    assert written["System.Title"] == "Fix login"


def test_hundreds_are_searched_batch_by_batch(vendor: responses.RequestsMock, ado: AdoClient) -> None:
    first = [with_links(each) for each in range(1, 201)]
    assert found(vendor, ado, first, [with_links(31, ISSUE)], count=350) == 31
    batches = [loads(call.request.body or "") for call in list(vendor.calls)[1:]]
    assert [len(batch["ids"]) for batch in batches] == [200, 150]
    assert all((batch["$expand"], batch["errorPolicy"]) == ("relations", "omit") for batch in batches)
