"""What the fake Azure DevOps does, asked over real HTTP: it answers, and refuses, as the service does."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from simulator.ado import FakeAdo
from simulator.ado.delivery import Disposition, disposition_of
from simulator.ado.faults import dropped, hanging, html_page, overloaded, sign_in_page, slowed, throttled
from simulator.ado.revisions import FeedModes

JSON_PATCH = "application/json-patch+json"
TOKEN = "ado-token"
PAYLOADS = Path(__file__).parents[1] / "payloads" / "ado"
SELECT = "SELECT [System.Id] FROM WorkItems WHERE"
Ask = Callable[..., requests.Response]


@pytest.fixture
def ado() -> Iterator[FakeAdo]:
    with FakeAdo(time_scale=0.001) as fake:
        fake.add_item("Fix login", 31)
        yield fake


@pytest.fixture
def ask(ado: FakeAdo) -> Iterator[Ask]:
    """Send a genuine request; each refusal overrides one argument."""
    with requests.Session() as session:
        session.trust_env = False

        def send(
            method: str, path: str, *, version: str | None = "7.1", token: str = TOKEN, **options: Any
        ) -> requests.Response:
            params = {**options.pop("params", {}), **({"api-version": version} if version else {})}
            url = path if path.startswith("http") else ado.organization_url + path
            return session.request(method, url, params=params, auth=("", token), timeout=5, **options)

        yield send


class Receiver:
    """A web hook receiver that answers as ordered and keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.bodies.append(json.loads(body))
                receiver.headers.append(dict(self.headers))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def patch(ask: Ask, *operations: dict[str, Any], work_item_id: int = 31, **options: Any) -> requests.Response:
    headers = {"Content-Type": JSON_PATCH}
    return ask(
        "PATCH", f"_apis/wit/workitems/{work_item_id}", json=list(operations), headers=headers, **options
    )


def setting(name: str, value: object, op: str = "add") -> dict[str, Any]:
    return {"op": op, "path": f"/fields/{name}", "value": value}


def state(value: str) -> dict[str, Any]:
    return setting("System.State", value)


# Reading and writing work items.


def test_a_patch_makes_one_revision_and_returns_the_whole_work_item(ado: FakeAdo, ask: Ask) -> None:
    answer = patch(ask, {"op": "test", "path": "/rev", "value": 1}, state("resolved"))
    assert answer.status_code == 200
    assert (answer.json()["rev"], answer.json()["fields"]["System.State"]) == (2, "Resolved")
    assert f"/{ado.project_id('Fabrikam-Fiber')}/_apis/wit/workItems/31" in answer.json()["url"]
    assert ado.item(31).state == "Resolved"


def test_writing_over_a_change_we_have_not_seen_is_refused(ado: FakeAdo, ask: Ask) -> None:
    ado.edit(31, **{"System.State": "Active"})
    answer = patch(ask, {"op": "test", "path": "/rev", "value": 1}, state("Closed"))
    assert answer.status_code == 412
    assert answer.json()["typeKey"] == "TestPatchOperationFailedException"
    assert ado.item(31).state == "Active"


def test_a_patch_is_applied_whole_or_not_at_all(ado: FakeAdo, ask: Ask) -> None:
    answer = patch(ask, state("Active"), setting("System.AssignedTo", "nobody@corp.example"))
    assert answer.status_code == 400
    assert "is an unknown identity" in answer.json()["message"]
    assert (ado.item(31).state, ado.item(31).rev) == ("New", 1)


def test_a_patch_that_changes_nothing_makes_no_revision(ado: FakeAdo, ask: Ask) -> None:
    assert patch(ask, state("New")).json()["rev"] == 1


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (
            state("Done"),
            "The field 'State' contains the value 'Done' that is not in the list of supported values",
        ),
        (setting("System.Title", ""), "TF401320: Rule Error for field Title."),
        (setting("System.Title", "x" * 256), "TF401320: Rule Error for field Title."),
        (setting("System.ChangedDate", "2026-01-01"), "TF401320: Rule Error for field Changed Date."),
        (setting("System.AreaPath", "Elsewhere"), "TF401347"),
        (setting("System.Nonsense", "x"), "TF51535"),
        ({"op": "add"}, "You must pass a valid patch document"),
    ],
)
def test_a_broken_rule_is_named(ask: Ask, operation: dict[str, Any], message: str) -> None:
    answer = patch(ask, operation)
    assert answer.status_code == 400
    assert answer.json()["message"].startswith(message)


def test_a_state_that_cannot_be_reached_is_refused_like_one_that_does_not_exist(
    ado: FakeAdo, ask: Ask
) -> None:
    bug = ado.add_item(project="CMMI Works")
    answer = patch(ask, state("Resolved"), work_item_id=bug.id)
    assert answer.status_code == 400
    assert answer.json()["typeKey"] == "RuleValidationException"
    assert patch(ask, state("Active"), work_item_id=bug.id).status_code == 200
    assert patch(ask, state("Resolved"), work_item_id=bug.id).status_code == 200


@pytest.mark.parametrize(
    "operation", [setting("System.AssignedTo", ""), {"op": "remove", "path": "/fields/System.AssignedTo"}]
)
def test_an_unassigned_work_item_has_no_assignee_field(
    ado: FakeAdo, ask: Ask, operation: dict[str, Any]
) -> None:
    assigned = patch(ask, setting("System.AssignedTo", "bob@corp.example")).json()
    assert assigned["fields"]["System.AssignedTo"]["uniqueName"] == "bob@corp.example"
    assert "System.AssignedTo" not in patch(ask, operation).json()["fields"]
    assert ado.item(31).assignee is None


@pytest.mark.parametrize(
    ("tags", "stored"),
    [
        ("a, b;c", "a; b; c"),
        (" Web ;; web ", "Web"),
        ("\u2713 done; \u2192 next; \u00fcbung", None),
        ("x" * 400, None),
    ],
)
def test_tags_are_what_stands_between_the_separators(ask: Ask, tags: str, stored: str | None) -> None:
    answer = patch(ask, setting("System.Tags", tags))
    assert answer.json()["fields"]["System.Tags"] == (tags if stored is None else stored)


@pytest.mark.parametrize("tag", ["\U0001f916", "a \u2728 b", "web; \U0001f525hot", "x" * 401])
def test_a_tag_with_emoji_is_refused_with_all_the_rest(ask: Ask, ado: FakeAdo, tag: str) -> None:
    answer = patch(ask, setting("System.Tags", tag), setting("System.Title", "Renamed"))
    assert (answer.status_code, "TF401407" in answer.text) == (400, True)
    assert ado.item(31).title == "Fix login"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "add", "path": "/fields/System.Title", "value": "bell \x07"},
        {"op": "add", "path": "/fields/System.Title", "value": "\U0001f600" * 128},
        {"op": "add", "path": "/fields/System.Description", "value": "<p>\uffff</p>"},
        {"op": "add", "path": "/fields/System.History", "value": "\x1b[0m"},
        {"op": "add", "path": "/fields/System.History", "value": {"format": "Markdown", "text": "\x00"}},
        {"op": "add", "path": "/fields/System.Tags", "value": "a\x0bb"},
        {
            "op": "add",
            "path": "/relations/-",
            "value": {"rel": "Hyperlink", "url": "https://x/", "attributes": {"comment": "\ufffe"}},
        },
    ],
)
def test_text_that_cannot_be_stored_is_refused(ask: Ask, operation: dict[str, Any]) -> None:
    answer = patch(ask, operation)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_adding_tags_keeps_the_old_ones_and_replacing_does_not(ask: Ask) -> None:
    patch(ask, setting("System.Tags", "one; two"))
    merged = patch(ask, setting("System.Tags", "TWO; three")).json()
    assert merged["fields"]["System.Tags"] == "one; two; three"
    replaced = patch(ask, setting("System.Tags", "four", op="replace")).json()
    assert replaced["fields"]["System.Tags"] == "four"


def test_linking_work_items_leaves_both_revisions_alone(ado: FakeAdo, ask: Ask) -> None:
    other = ado.add_item("Other")
    link = {
        "rel": "System.LinkTypes.Hierarchy-Reverse",
        "url": f"{ado.organization_url}_apis/wit/workItems/{other.id}",
    }
    answer = patch(ask, {"op": "add", "path": "/relations/-", "value": link})
    assert (answer.json()["rev"], len(answer.json()["relations"])) == (1, 1)
    assert ado.item(other.id).rev == 1
    assert ado.item(other.id).relations[0].rel == "System.LinkTypes.Hierarchy-Forward"
    updates = ask("GET", "_apis/wit/workitems/31/updates").json()["value"]
    assert [(update["id"], update["rev"], "fields" in update) for update in updates] == [
        (1, 1, True),
        (2, 1, False),
    ]


def test_validating_only_changes_nothing(ado: FakeAdo, ask: Ask) -> None:
    answer = patch(ask, state("Active"), params={"validateOnly": "true"})
    assert (answer.json()["rev"], answer.json()["fields"]["System.State"]) == (1, "Active")
    assert ado.item(31).state == "New"


def test_the_content_type_of_a_patch_is_checked(ask: Ask) -> None:
    assert ask("PATCH", "_apis/wit/workitems/31", json=[state("Active")]).status_code == 415


def test_creating_needs_the_dollar_sign_and_every_required_field(ado: FakeAdo, ask: Ask) -> None:
    headers, title = {"Content-Type": JSON_PATCH}, setting("System.Title", "Slow")
    created = ask(
        "POST", "scrum team/_apis/wit/workitems/$Product Backlog Item", json=[title], headers=headers
    )
    assert (created.status_code, created.json()["rev"], created.json()["id"]) == (200, 1, 32)
    assert created.json()["fields"]["System.CreatedBy"]["uniqueName"] == "sync@corp.example"
    assert ask("POST", "Scrum Team/_apis/wit/workitems/Bug", json=[title], headers=headers).status_code == 404
    request_type = "Tailored/_apis/wit/workitems/$Customer Request"
    refused = ask("POST", request_type, json=[title], headers=headers)
    broken = refused.json()["customProperties"]["RuleValidationErrors"][0]
    assert (refused.status_code, broken["fieldReferenceName"]) == (400, "Custom.CustomerImpact")
    impact = setting("Custom.CustomerImpact", "High")
    assert ask("POST", request_type, json=[title, impact], headers=headers).status_code == 200


def test_what_is_missing_and_what_has_no_route_are_told_apart(ask: Ask) -> None:
    missing = ask("GET", "_apis/wit/workitems/99")
    assert missing.status_code == 404
    assert missing.json()["message"].startswith("TF401232: Work item 99 does not exist")
    for path in ("0", "-1"):
        unroutable = ask("GET", f"_apis/wit/workitems/{path}")
        assert (unroutable.status_code, unroutable.headers["Content-Type"]) == (
            404,
            "text/plain; charset=utf-8",
        )
    nowhere = ask("GET", "Nowhere/_apis/wit/workitems/31")
    assert (nowhere.status_code, nowhere.json()["message"][:8]) == (404, "TF200016")


def test_a_batch_keeps_positions_and_has_a_limit(ask: Ask) -> None:
    body = {"ids": [31, 99], "fields": ["system.state", "System.Rev"], "errorPolicy": "omit"}
    answer = ask("POST", "_apis/wit/workitemsbatch", json=body).json()
    assert answer["value"][0]["fields"] == {"System.State": "New", "System.Rev": 1}
    assert answer["value"][1] is None
    assert ask("POST", "_apis/wit/workitemsbatch", json={"ids": [31, 99]}).status_code == 404
    too_many = ask("POST", "_apis/wit/workitemsbatch", json={"ids": list(range(1, 202))})
    assert (too_many.status_code, too_many.json()["message"][:8]) == (400, "VS403474")


def test_a_deleted_work_item_can_be_restored(ado: FakeAdo, ask: Ask) -> None:
    assert ask("DELETE", "_apis/wit/workitems/31").status_code == 200
    assert ask("GET", "_apis/wit/workitems/31").status_code == 404
    assert ask("PATCH", "_apis/wit/recyclebin/31", json={"isDeleted": False}).status_code == 200
    assert ask("GET", "_apis/wit/workitems/31").json()["fields"]["System.State"] == "New"


def test_a_comment_makes_a_revision_and_is_found_under_its_project(ado: FakeAdo, ask: Ask) -> None:
    comments = "Fabrikam-Fiber/_apis/wit/workItems/31/comments"
    assert ask("POST", comments, json={"text": "Seen."}).status_code == 400  # a preview only
    posted = ask("POST", comments, json={"text": "Seen."}, version="7.1-preview.4")
    assert (posted.status_code, ado.item(31).rev) == (200, 2)
    listed = ask("GET", comments, version="7.1-preview.4").json()
    assert [comment["text"] for comment in listed["comments"]] == ["Seen."]
    assert ask("GET", "_apis/wit/workItems/31/comments", version="7.1-preview.4").status_code == 404
    assert "System.History" not in patch(ask, state("Active")).json()["fields"]


def test_a_moved_work_item_keeps_its_id_under_another_project(ado: FakeAdo, ask: Ask) -> None:
    refused = patch(ask, setting("System.TeamProject", "Scrum Team"))
    assert refused.status_code == 400  # its area is still in the old project
    moved = ado.move(31, "Scrum Team")
    assert (moved.id, moved.project) == (31, "Scrum Team")
    assert ado.project_id("Scrum Team") in ask("GET", "_apis/wit/workitems/31").json()["url"]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ("[System.Title] CONTAINS 'LOG'", [31]),
        ("[System.Title] CONTAINS WORDS 'log'", []),
        ("[System.Title] CONTAINS WORDS 'log*'", [31]),
        ("[System.Title] CONTAINS 'it''s'", [32]),
        ("[System.TeamProject] = @project AND [System.Id] >= 32", [32]),
        ("[System.State] IN ('New', 'Active') AND NOT [System.Id] = 31", [32]),
        ("([System.Id] = 31 OR [System.Id] = 33) AND [System.State] <> 'Closed'", [33, 31]),
        ("[System.AssignedTo] = 'ann@corp.example'", [33]),
        ("[System.ChangedDate] >= '2020-01-01'", [33, 32, 31]),
    ],
)
def test_a_query_finds(ado: FakeAdo, ask: Ask, where: str, found: list[int]) -> None:
    ado.add_item("When it's slow", 32)
    ado.add_item("Far", project="Basic Board", kind="Issue", **{"System.AssignedTo": "ann@corp.example"})
    query = f"{SELECT} {where} ORDER BY [System.Id] DESC"
    answer = ask("POST", "Fabrikam-Fiber/_apis/wit/wiql", json={"query": query})
    assert [reference["id"] for reference in answer.json()["workItems"]] == found


@pytest.mark.parametrize(
    "where", ["[System.Title] CONTAINS 'x", "[Nonsense] = 1", "[System.Id] =", "[System.Id] = 1 2"]
)
def test_a_query_that_cannot_be_read_is_refused(ask: Ask, where: str) -> None:
    assert ask("POST", "_apis/wit/wiql", json={"query": f"{SELECT} {where}"}).status_code == 400


# Around work items.


def test_all_projects_are_found_by_paging_to_the_end(ask: Ask) -> None:
    with FakeAdo(projects=230) as big:
        names: list[str] = []
        token: str | None = "0"
        while token is not None:
            page = ask(
                "GET",
                f"{big.organization_url}_apis/projects",
                params={"$top": 100, "continuationToken": token},
            )
            names += [project["name"] for project in page.json()["value"]]
            token = page.headers.get("x-ms-continuationtoken")
        assert (len(set(names)), len(big.calls)) == (230, 3)
        skipped = ask("GET", f"{big.organization_url}_apis/projects", params={"$skip": 225})
        assert skipped.json()["count"] == 5


def test_types_list_their_states_categories_and_required_fields(ask: Ask) -> None:
    states = ask("GET", "tailored/_apis/wit/workitemtypes/Störung/states").json()["value"]
    assert [(one["name"], one["category"]) for one in states] == [
        ("Offen", "Proposed"),
        ("In Klärung", "InProgress"),
        ("Closed", "Completed"),
    ]
    types = ask("GET", "Tailored/_apis/wit/workitemtypes").json()["value"]
    assert [one["name"] for one in types if one["isDisabled"]] == ["Feature"]
    categories = ask("GET", "Tailored/_apis/wit/workitemtypecategories").json()["value"]
    assert "Microsoft.HiddenCategory" in {one["referenceName"] for one in categories}
    fields = ask("GET", "Tailored/_apis/wit/workitemtypes/Customer Request/fields").json()["value"]
    required = {field["referenceName"] for field in fields if field["alwaysRequired"]}
    assert required == {"System.Title", "System.State", "Custom.CustomerImpact"}
    assert ask("GET", "Tailored/_apis/wit/workitemtypes/Epic/states").status_code == 404


def test_search_lags_behind_and_speaks_lower_case_texts(ado: FakeAdo, ask: Ask) -> None:
    url = f"{ado.search_url}_apis/search/workitemsearchresults"
    assert ask("POST", url, json={"searchText": "login"}).json()["count"] == 0
    ado.reindex()
    found = ask("POST", url, json={"searchText": "login", "$top": 10}).json()
    assert (found["infoCode"], found["results"][0]["fields"]["system.id"]) == (0, "31")
    elsewhere = f"{ado.search_url}Scrum Team/_apis/search/workitemsearchresults"
    assert ask("POST", elsewhere, json={"searchText": "login"}).json()["count"] == 0
    ado.set_search_info_code(2)
    assert ask("POST", url, json={"searchText": "login"}).json() == {
        "count": 0,
        "results": [],
        "infoCode": 2,
        "facets": {},
    }
    assert ask("POST", "_apis/search/workitemsearchresults", json={"searchText": "x"}).status_code == 404


def test_an_account_is_found_without_credentials(ado: FakeAdo) -> None:
    area = f"{ado.resource_areas_url}/79134C72-4A58-4B42-976C-04E7115F32BF"
    found = requests.get(area, params={"hostId": ado.catalog.account_id}, timeout=5)
    assert found.json()["locationUrl"] == ado.organization_url
    unknown = requests.get(area, params={"hostId": "0" * 8}, timeout=5)
    assert unknown.json()["locationUrl"] is None


def test_who_we_are_is_in_every_answer(ado: FakeAdo, ask: Ask) -> None:
    assert ask("GET", "_apis/connectionData").status_code == 400
    user = ask("GET", "_apis/connectionData", version="7.1-preview").json()["authenticatedUser"]
    answer = ask("GET", "_apis/wit/workitems/31")
    assert answer.headers["X-VSS-UserData"].startswith(user["id"])
    assert answer.headers["ActivityId"]
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8; api-version=7.1"
    person = ask("GET", "_apis/identities", params={"filterValue": "ann@corp.example"}).json()["value"]
    assert [one["providerDisplayName"] for one in person] == ["Ann"]


# The feed of revisions.

FEED = "_apis/wit/reporting/workitemrevisions"


def test_the_feed_tells_every_revision_in_order_or_only_the_latest(ado: FakeAdo, ask: Ask) -> None:
    ado.edit(31, **{"System.State": "Active", "System.AssignedTo": "ann@corp.example"})
    ado.comment(31, "Seen.")
    every = ask("GET", FEED).json()
    assert [(row["id"], row["rev"]) for row in every["values"]] == [(31, 1), (31, 2), (31, 3)]
    assert (every["isLastBatch"], every["continuationToken"]) == (True, "3;31;3")
    latest = ask("GET", FEED, params={"includeLatestOnly": "true"}).json()
    assert [row["rev"] for row in latest["values"]] == [3]
    fields = latest["values"][0]["fields"]
    assert (fields["System.TeamProject"], fields["System.AssignedTo"]) == (
        "Fabrikam-Fiber",
        "Ann <ann@corp.example>",
    )
    assert "url" not in latest["values"][0]
    # A change of links alone is no revision.
    ado.add_item("Check out", 32)
    ado.patch(
        31,
        [
            {
                "op": "add",
                "path": "/relations/-",
                "value": {
                    "rel": "System.LinkTypes.Related",
                    "url": f"{ado.organization_url}_apis/wit/workItems/32",
                },
            }
        ],
    )
    assert [
        row["id"] for row in ask("GET", FEED, params={"continuationToken": "3;31;3"}).json()["values"]
    ] == [32]


def test_the_feed_spells_an_identity_shorter_than_a_work_item(ado: FakeAdo, ask: Ask) -> None:
    ado.edit(31, **{"System.AssignedTo": "ann@corp.example"})
    asked = {"fields": "system.assignedto", "includeIdentityRef": "true", "includeLatestOnly": "true"}
    [row] = ask("GET", FEED, params=asked).json()["values"]
    assert row["fields"].keys() == {"System.AssignedTo"}
    assert row["fields"]["System.AssignedTo"].keys() == {"id", "uniqueName"}
    assert row["fields"]["System.AssignedTo"]["uniqueName"] == "Ann <ann@corp.example>"


def test_the_feed_is_read_page_by_page_along_its_links(ado: FakeAdo, ask: Ask) -> None:
    for number in (32, 33, 34):
        ado.add_item("Check out", number)
    seen: list[int] = []
    answer = ask("GET", FEED, params={"$maxPageSize": "2", "fields": "System.State"}).json()
    while True:
        seen += [row["id"] for row in answer["values"]]
        if answer["isLastBatch"]:
            break
        answer = ask("GET", answer["nextLink"], version=None).json()
        assert all(row["fields"].keys() == {"System.State"} for row in answer["values"])
    assert seen == [31, 32, 33, 34]


def test_the_feed_can_be_asked_in_a_body_and_for_one_project_or_type(ado: FakeAdo, ask: Ask) -> None:
    ado.add_item("Order the board", 32, kind="Issue", project="Basic Board")
    ado.delete(31)
    body = {"fields": ["System.State"], "includeLatestOnly": True}
    assert [row["id"] for row in ask("POST", FEED, json=body).json()["values"]] == [32]
    with_deleted = ask("POST", FEED, json={**body, "includeDeleted": True, "types": ["bug"]}).json()
    assert [row["id"] for row in with_deleted["values"]] == [31]
    assert [row["id"] for row in ask("POST", f"Basic Board/{FEED}", json=body).json()["values"]] == [32]


def test_what_was_destroyed_leaves_no_trace_in_the_feed(ado: FakeAdo, ask: Ask) -> None:
    assert ask("DELETE", "_apis/wit/workitems/31", params={"destroy": "true"}).status_code == 204
    answer = ask("GET", FEED, params={"includeDeleted": "true"}).json()
    assert (answer["values"], answer["continuationToken"]) == ([], "2;31;2")


@pytest.mark.parametrize(
    "params",
    [
        {"startDateTime": "yesterday"},
        {"startDateTime": "2026-01-01T00:00:00Z", "continuationToken": "1;31;1"},
        {"continuationToken": "1;31;2"},
        {"continuationToken": "99;31;1"},
    ],
)
def test_what_the_feed_cannot_start_from_is_refused(ask: Ask, params: dict[str, str]) -> None:
    assert ask("GET", FEED, params=params).status_code == 400


@pytest.mark.parametrize(
    ("modes", "http_status"),
    [
        (FeedModes(refusal=403), 403),
        (FeedModes(refusal=404), 404),
        (FeedModes(refusal=405), 405),
        (FeedModes(lost_token=410), 410),
        (FeedModes(lost_token=200), 200),
    ],
)
def test_the_feed_can_be_another_server_s(ado: FakeAdo, ask: Ask, modes: FeedModes, http_status: int) -> None:
    ado.feed_modes = modes
    assert ask("GET", FEED, params={"continuationToken": "7;7;7"}).status_code == http_status


def test_the_feed_may_name_its_token_in_its_link_only(ado: FakeAdo, ask: Ask) -> None:
    ado.feed_modes = FeedModes(names_token=False)
    answer = ask("GET", FEED).json()
    assert "continuationToken" not in answer
    assert "continuationToken=1;31;1" in answer["nextLink"]


# Credentials, versions and faults.


def test_a_bad_token_meets_a_sign_in_page_or_a_refusal(ado: FakeAdo, ask: Ask) -> None:
    page = ask("GET", "_apis/wit/workitems/31", token="stale")
    assert (page.status_code, page.headers["Content-Type"]) == (203, "text/html; charset=utf-8")
    refused = patch(ask, state("Active"), token="stale")
    assert (refused.status_code, refused.json()["message"][:8]) == (401, "TF400813")
    headers = {"X-TFS-FedAuthRedirect": "Suppress"}
    assert ask("GET", "_apis/wit/workitems/31", token="stale", headers=headers).status_code == 401
    bearer = {"Authorization": "Bearer ado-token"}
    url = f"{ado.organization_url}_apis/wit/workitems/31"
    assert requests.get(url, headers=bearer, timeout=5).status_code == 200


@pytest.mark.parametrize(
    ("method", "version", "http_status"),
    [
        ("GET", None, 200),
        ("POST", None, 400),
        ("GET", "7.2", 400),
        ("GET", "7.2-preview.3", 200),
        ("GET", "9.0", 400),
    ],
)
def test_versions_are_checked(ask: Ask, method: str, version: str | None, http_status: int) -> None:
    path = "_apis/wit/workitems/31" if method == "GET" else "_apis/wit/workitemsbatch"
    assert ask(method, path, version=version).status_code == http_status


def test_ordered_faults_are_met_once_each(ado: FakeAdo, ask: Ask) -> None:
    ado.meet(throttled(7), method="GET", path="workitems/31")
    ado.meet(slowed(3))
    ado.meet(sign_in_page())
    ado.meet(html_page(502))
    ado.fail_next(2, 500, body={"message": "boom"}, path="workitems")
    blocked = ask("GET", "_apis/wit/workitems/31")
    assert (blocked.status_code, blocked.headers["Retry-After"], blocked.text[:8]) == (429, "7", "TF400733")
    slow = ask("GET", "_apis/wit/workitems/31")
    assert (slow.status_code, slow.headers["Retry-After"], slow.json()["id"]) == (200, "3", 31)
    assert [ask("GET", "_apis/wit/workitems/31").status_code for _ in range(5)] == [203, 502, 500, 500, 200]
    assert [call.http_status for call in ado.calls] == [429, 200, 203, 502, 500, 500, 200]


def test_both_ways_to_ask_for_a_wait_say_for_how_long(ado: FakeAdo, ask: Ask) -> None:
    ado.meet(slowed(3))
    ado.meet(overloaded(4))
    slow, refused = (ask("GET", "_apis/wit/workitems/31") for _ in range(2))
    named = {"Retry-After", "X-RateLimit-Resource", "X-RateLimit-Limit", "X-RateLimit-Reset"}
    assert named | {"X-RateLimit-Remaining", "X-RateLimit-Delay"} <= slow.headers.keys()
    assert (slow.status_code, slow.headers["X-RateLimit-Remaining"]) == (200, "0")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "4")


def test_an_allowance_slows_before_it_refuses_and_begins_anew() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with FakeAdo(now=lambda: now[0]) as ado:
        ado.allowance.calls = 2

        def get() -> requests.Response:
            return requests.get(f"{ado.organization_url}_apis/projects", auth=("", TOKEN), timeout=5)

        answers = [get() for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 200, 429]
        assert [answer.headers.get("Retry-After") for answer in answers] == [None, None, "300", "300", "300"]
        assert answers[4].text.startswith("TF400733")
        now[0] += timedelta(seconds=300)
        assert "Retry-After" not in get().headers


@pytest.mark.parametrize(("lands", "rev"), [(True, 2), (False, 1)])
def test_an_answer_can_be_lost_before_and_after_the_write(
    ado: FakeAdo, ask: Ask, lands: bool, rev: int
) -> None:
    ado.meet(dropped(lands=lands))
    with pytest.raises(requests.ConnectionError):
        patch(ask, state("Active"))
    assert ado.item(31).rev == rev


def test_silence_lasts_as_long_as_ordered(ado: FakeAdo) -> None:
    ado.meet(hanging(60))
    with pytest.raises(requests.Timeout):
        requests.get(f"{ado.organization_url}_apis/projects", auth=("", "ado-token"), timeout=0.2)


# Service hooks.


def subscription(receiver: Receiver, **inputs: str) -> dict[str, Any]:
    return {
        "publisherId": "tfs",
        "eventType": "workitem.updated",
        "resourceVersion": "1.0",
        "consumerId": "webHooks",
        "consumerActionId": "httpRequest",
        "publisherInputs": {},
        "consumerInputs": {"url": receiver.url, **inputs},
    }


def test_a_subscription_delivers_with_its_secrets_and_masks_them(
    ado: FakeAdo, ask: Ask, receiver: Receiver
) -> None:
    wanted = subscription(
        receiver, httpHeaders="Shared-Secret:s3cret", basicAuthUsername="ado", basicAuthPassword="pw"
    )
    made = ask("POST", "_apis/hooks/subscriptions", json=wanted).json()
    assert (made["status"], made["consumerInputs"]["basicAuthPassword"]) == ("enabled", "********")
    ado.edit(
        31, actor="bob@corp.example", **{"System.State": "Active", "System.AssignedTo": "ann@corp.example"}
    )
    ado.wait_for_deliveries()
    body, headers = receiver.bodies[0], receiver.headers[0]
    assert (headers["Shared-Secret"], headers["Authorization"]) == ("s3cret", "Basic YWRvOnB3")
    assert body["resource"]["fields"]["System.State"] == {"oldValue": "New", "newValue": "Active"}
    assert body["resource"]["fields"]["System.AssignedTo"] == {"newValue": "Ann <ann@corp.example>"}
    assert body["resource"]["revision"]["fields"]["System.ChangedBy"] == "Bob <bob@corp.example>"
    assert (body["resource"]["workItemId"], body["resource"]["rev"], body["notificationId"]) == (31, 2, 1)
    history = ask("GET", f"_apis/hooks/subscriptions/{made['id']}/notifications").json()["value"]
    assert [one["result"] for one in history] == ["succeeded"]


def shape(event: dict[str, Any]) -> dict[str, object]:
    """Reduce an event to the names in it, and to the ends of its change of assignee."""
    resource, revision = event["resource"], event["resource"]["revision"]
    places = {"envelope": event, "resource": resource, "revision": revision, "by": resource["revisedBy"]}
    names: dict[str, object] = {place: sorted(value) for place, value in places.items()}
    assigned = resource["fields"]["System.AssignedTo"]
    return names | {
        "containers": {name: sorted(value) for name, value in event["resourceContainers"].items()},
        "links": (sorted(resource["_links"]), sorted(revision["_links"])),
        "assigned": {
            end: sorted(value) if isinstance(value, dict) else "text" for end, value in assigned.items()
        },
    }


@pytest.mark.parametrize(
    ("payload", "version", "people"),
    [
        ("assigned.v1.0", "1.0", ["ann@corp.example"]),
        ("reassigned.v1.0", "1.0", ["ann@corp.example", "bob@corp.example"]),
        ("unassigned.v1.0", "1.0", ["bob@corp.example", ""]),
        ("assigned.v5.1", "5.1-preview.3", ["bob@corp.example", "ann@corp.example"]),
    ],
)
def test_events_have_the_shape_of_the_payload_files(
    ado: FakeAdo, receiver: Receiver, payload: str, version: str, people: list[str]
) -> None:
    ado.subscribe(receiver.url, version=version)
    for person in people:
        ado.edit(31, **{"System.AssignedTo": person})
    ado.wait_for_deliveries()
    expected = json.loads((PAYLOADS / f"workitem.updated.{payload}.json").read_text("utf-8"))
    assert shape(receiver.bodies[-1]) == shape(expected)


@pytest.mark.parametrize("payload", sorted(PAYLOADS.glob("*.test-button.*.json")), ids=lambda path: path.stem)
def test_the_test_button_sends_the_payload_files(
    ado: FakeAdo, ask: Ask, receiver: Receiver, payload: Path
) -> None:
    expected = json.loads(payload.read_text("utf-8"))
    hook = ado.subscribe(receiver.url, expected["eventType"])
    ask("POST", "_apis/hooks/testnotifications", json={"subscriptionId": hook})
    ado.wait_for_deliveries()
    numbers = {"subscriptionId": hook, "notificationId": 1}
    assert receiver.bodies == [{**expected, **numbers}]


@pytest.mark.parametrize(
    ("version", "spelling"),
    [("3.1-preview.3", "Ann <ann@corp.example>"), ("5.1-preview.3", "ann@corp.example")],
)
def test_later_resource_versions_spell_people_as_objects(
    ado: FakeAdo, receiver: Receiver, version: str, spelling: str
) -> None:
    ado.subscribe(receiver.url, version=version)
    ado.edit(31, **{"System.AssignedTo": "ann@corp.example"})
    ado.wait_for_deliveries()
    assert receiver.bodies[0]["resource"]["fields"]["System.AssignedTo"]["newValue"]["uniqueName"] == spelling


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ({"projectId": "Scrum Team"}, 0),
        ({"projectId": "Fabrikam-Fiber"}, 2),
        ({"changedFields": "System.State"}, 1),
        ({"workItemType": "Task"}, 0),
        ({"tag": "sentry"}, 1),
        ({"areaPath": "\\Fabrikam-Fiber\\"}, 2),
        ({"areaPath": "\\Fabrikam-Fiber\\Web\\"}, 0),
    ],
)
def test_filters_let_pass_what_they_name(
    ado: FakeAdo, ask: Ask, receiver: Receiver, inputs: dict[str, str], expected: int
) -> None:
    if "projectId" in inputs:
        inputs = {"projectId": ado.project_id(inputs["projectId"])}
    ask("POST", "_apis/hooks/subscriptions", json={**subscription(receiver), "publisherInputs": inputs})
    ado.edit(31, **{"System.State": "Active"})
    ado.edit(31, **{"System.Tags": "sentry"})
    ado.wait_for_deliveries()
    assert len(receiver.bodies) == expected


@pytest.mark.parametrize(
    ("answers", "deliveries", "hook_status"),
    [
        ([503, 504, 200], 3, "enabled"),
        ([503] * 9, 9, "onProbation"),  # eight retries, then it counts as lasting
        ([500], 1, "onProbation"),
        ([429], 1, "onProbation"),
        ([302], 1, "onProbation"),
        ([410], 1, "disabledBySystem"),
    ],
)
def test_the_answer_decides_whether_a_hook_lives(
    ado: FakeAdo, receiver: Receiver, answers: list[int], deliveries: int, hook_status: str
) -> None:
    receiver.answers = list(answers)
    ado.subscribe(receiver.url)
    ado.edit(31, **{"System.State": "Active"})
    ado.wait_for_deliveries()
    assert [delivery.http_status for delivery in ado.deliveries] == answers[:deliveries]
    assert [hook.status for hook in ado.subscriptions] == [hook_status]


def test_a_hook_on_probation_loses_events_until_one_attempt_succeeds(
    ado: FakeAdo, receiver: Receiver
) -> None:
    receiver.answers = [500, 500]
    hook = ado.subscribe(receiver.url)
    ado.edit(31, **{"System.State": "Active"})
    ado.wait_for_deliveries()
    ado.edit(31, **{"System.State": "Resolved"})
    ado.probe(hook)
    ado.wait_for_deliveries()
    assert ado.subscriptions[0].status == "onProbation"
    ado.probe(hook)
    ado.wait_for_deliveries()
    ado.edit(31, **{"System.State": "Closed"})
    ado.wait_for_deliveries()
    assert ado.subscriptions[0].status == "enabled"
    assert len(ado.lost_events) == 1
    assert [body["resource"]["rev"] for body in receiver.bodies] == [2, 2, 2, 4]


def test_a_hook_is_given_up_after_seven_attempts_on_probation(ado: FakeAdo, receiver: Receiver) -> None:
    receiver.answers = [500] * 8
    hook = ado.subscribe(receiver.url)
    ado.edit(31, **{"System.State": "Active"})
    for _ in range(8):
        ado.wait_for_deliveries()
        ado.probe(hook)
    assert ado.subscriptions[0].status == "disabledBySystem"
    assert len(ado.deliveries) == 8


@pytest.mark.parametrize(
    ("http_status", "attempts", "disposition"),
    [
        (204, 1, Disposition.DELIVERED),
        (408, 8, Disposition.RETRY),
        (408, 9, Disposition.RESTRICT),
        (None, 1, Disposition.RETRY),
        (401, 1, Disposition.RESTRICT),
        (410, 1, Disposition.DISABLE),
    ],
)
def test_the_disposition_of_a_notification(
    http_status: int | None, attempts: int, disposition: Disposition
) -> None:
    assert disposition_of(http_status, attempts) is disposition


def test_the_weather_loses_doubles_and_reorders(ado: FakeAdo, receiver: Receiver) -> None:
    ado.subscribe(receiver.url)
    ado.set_weather(drop=1)
    ado.edit(31, **{"System.State": "Active"})
    ado.set_weather(duplicate=1)
    ado.edit(31, **{"System.State": "Resolved"})
    ado.wait_for_deliveries()
    ado.set_weather()
    with ado.held_deliveries(backwards=True):
        ado.edit(31, **{"System.State": "Closed"})
        ado.edit(31, **{"System.State": "Active"})
    ado.wait_for_deliveries()
    assert [body["resource"]["rev"] for body in receiver.bodies] == [3, 3, 5, 4]


def test_the_test_button_speaks_of_work_item_zero(ado: FakeAdo, ask: Ask, receiver: Receiver) -> None:
    wanted = {"details": subscription(receiver)}
    assert ask("POST", "_apis/hooks/testnotifications", json=wanted).status_code == 200
    ado.wait_for_deliveries()
    assert receiver.bodies[0]["id"] == "27646e0e-b520-4d2b-9411-bba7524947cd"
    assert receiver.bodies[0]["resource"]["workItemId"] == 0
    assert receiver.bodies[0]["subscriptionId"] == "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("details", "fields"), [("minimal", ["id", "workItemId", "rev", "url"]), ("none", None)]
)
def test_details_can_be_left_out(
    ado: FakeAdo, receiver: Receiver, details: str, fields: list[str] | None
) -> None:
    ado.subscribe(receiver.url, resourceDetailsToSend=details, messagesToSend="none")
    ado.edit(31, **{"System.State": "Active"})
    ado.wait_for_deliveries()
    resource = receiver.bodies[0]["resource"]
    assert (resource if fields is None else list(resource)) == fields
    assert receiver.bodies[0]["message"] is None


def test_a_subscription_is_found_replaced_and_removed(ado: FakeAdo, ask: Ask, receiver: Receiver) -> None:
    made = ask("POST", "_apis/hooks/subscriptions", json=subscription(receiver)).json()
    condition = {"inputId": "url", "operator": "equals", "inputValue": receiver.url}
    query = {"publisherId": "tfs", "consumerInputFilters": [{"conditions": [condition]}]}
    found = ask("POST", "_apis/hooks/subscriptionsquery", json=query).json()["results"]
    assert [one["id"] for one in found] == [made["id"]]
    path = f"_apis/hooks/subscriptions/{made['id']}"
    ado.set_subscription_status(made["id"], "disabledBySystem")
    replaced = ask("PUT", path, json={**subscription(receiver), "status": "enabled"}).json()
    assert replaced["status"] == "disabledBySystem"
    assert ask("DELETE", path).status_code == 204
    assert ask("GET", path).status_code == 404
    refused = ask("POST", "_apis/hooks/subscriptions", json=subscription(receiver, url="ftp://x"))
    assert refused.status_code == 400


@pytest.mark.parametrize(
    ("right", "method", "path"),
    [
        ("Edit", "POST", ""),
        ("View", "GET", ""),
        ("View", "GET", "/{id}"),
        ("View", "GET", "/{id}/notifications"),
        ("Edit", "PUT", "/{id}"),
        ("Delete", "DELETE", "/{id}"),
    ],
)
def test_each_call_about_subscriptions_takes_its_right(
    ado: FakeAdo, ask: Ask, receiver: Receiver, right: str, method: str, path: str
) -> None:
    made = ask("POST", "_apis/hooks/subscriptions", json=subscription(receiver)).json()
    ado.deny(right)
    address = f"_apis/hooks/subscriptions{path.format(id=made['id'])}"
    refused = ask(method, address, json=subscription(receiver))
    assert refused.status_code == 403
    assert f"PublisherSecurity to perform this action: {right} Subscription" in refused.json()["message"]
    ado.allow()
    assert ask(method, address, json=subscription(receiver)).ok


def test_a_right_may_be_lacking_in_one_project(ado: FakeAdo, ask: Ask, receiver: Receiver) -> None:
    project = ado.project_id("Scrum Team")
    ado.deny("Edit", project="Scrum Team")
    confined = {**subscription(receiver), "publisherInputs": {"projectId": project.upper()}}
    refused = ask("POST", "_apis/hooks/subscriptions", json=confined)
    assert (refused.status_code, f"PublisherSecurity/{project}" in refused.text) == (403, True)
    assert ask("POST", "_apis/hooks/subscriptions", json=subscription(receiver)).ok
    ado.subscribe(receiver.url, project="Scrum Team")
    ado.deny("View", project="Scrum Team")
    assert len(ask("GET", "_apis/hooks/subscriptions").json()["value"]) == 1


def test_what_belongs_to_somebody_who_left_is_disabled(ado: FakeAdo, receiver: Receiver) -> None:
    ado.subscribe(receiver.url)
    ado.deactivate(ado.add_person("Olive", "olive@corp.example"))
    assert [each.status for each in ado.subscriptions] == ["enabled"]
    ado.deactivate(ado.service)
    ado.edit(31, **{"System.Title": "Nobody hears of it"})
    ado.wait_for_deliveries()
    assert [each.status for each in ado.subscriptions] == ["disabledByInactiveIdentity"]
    assert receiver.bodies == []
    assert len(ado.lost_events) == 1


def test_a_probe_leaves_its_date(ado: FakeAdo, ask: Ask, receiver: Receiver) -> None:
    receiver.answers = [401, 401]
    hook = ado.subscribe(receiver.url)
    ado.edit(31, **{"System.Title": "Fix log-in"})
    ado.wait_for_deliveries()
    path = f"_apis/hooks/subscriptions/{hook}"
    assert "lastProbationRetryDate" not in ask("GET", path).json()
    ado.probe(hook)
    ado.wait_for_deliveries()
    assert ask("GET", path).json()["lastProbationRetryDate"]


def test_a_server_has_a_server_and_people_of_a_domain(receiver: Receiver) -> None:
    with FakeAdo(is_server=True, time_scale=0.001) as server:
        server.add_person("Dora", r"FABRIKAM\dora")
        server.add_item("Fix login", 7)
        server.subscribe(receiver.url)
        server.edit(7, **{"System.AssignedTo": r"FABRIKAM\dora"})
        server.wait_for_deliveries()
    assert set(receiver.bodies[0]["resourceContainers"]) == {"collection", "server", "project"}
    assigned = receiver.bodies[0]["resource"]["fields"]["System.AssignedTo"]
    assert assigned == {"newValue": r"Dora <FABRIKAM\dora>"}


# The page and the command.


def test_a_person_can_move_a_work_item_on_the_page(ado: FakeAdo) -> None:
    ado.edit(31, **{"System.Title": "<script>alert(1)</script>"})
    page = requests.get(ado.url, timeout=5).text
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    form = {"id": "31", "field": "System.State", "value": "Closed"}
    assert requests.post(f"{ado.url}/edit", data=form, timeout=5).status_code == 200
    assert ado.item(31).state == "Closed"
    stranger = {"Origin": "https://evil.example"}
    assert requests.post(f"{ado.url}/edit", data=form, headers=stranger, timeout=5).status_code == 403
    refused = requests.post(f"{ado.url}/edit", data={**form, "value": "Nonsense"}, timeout=5)
    assert refused.status_code == 400
    assert "is not in the list of supported values" in refused.text


def test_the_command_says_where_it_listens() -> None:
    command = [sys.executable, "-m", "simulator.ado", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().removeprefix("listening on ").strip()
        answer = requests.get(f"{url}/fabrikam/_apis/wit/workitems/31", auth=("", "ado-token"), timeout=5)
        running.terminate()
    assert answer.json()["fields"]["System.Title"] == "Fix login"
