"""An organization's configuration over HTTP: the form, the document, every error at once, and its removal."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from simulator.ado import FakeAdo
from simulator.sentry import FakeSentry
from tests.e2e.app import SENTRY_TOKEN, SIGNING_KEY, App, Pair

FABRIKAM = "Fabrikam-Fiber"
FIELDS = [
    "sync_status_forward",
    "status_mapping",
    "sync_forward_assignment",
    "sync_comments",
    "sync_status_reverse",
    "sync_reverse_assignment",
]


@pytest.fixture
def pair(bystander: Pair) -> Pair:
    """An organization of a test's own whose two fakes are shared, since hardly a test here calls them."""
    return Pair(bystander.app, bystander.ado, bystander.sentry)


def mapped(pair: Pair, **mapping: Any) -> dict[str, Any]:
    """Return a document's mapping of one project."""
    return {"status_mapping": {pair.ado.project_id(FABRIKAM): mapping}}


def mapper(pair: Pair, **params: str) -> dict[str, Any]:
    fields = pair.ask("GET", "config", params=params).json()["fields"]
    found: dict[str, Any] = next(each for each in fields if each["name"] == "status_mapping")
    return found


def errors(pair: Pair, **changes: Any) -> dict[str, str]:
    """Return the errors of a document that is refused."""
    answer = pair.configure(**changes)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-configuration"), answer.text
    found: dict[str, str] = answer.json()["errors"]
    return found


# The document.


def test_a_document_is_created_then_replaced_and_each_version_has_its_etag(pair: Pair) -> None:
    created, replaced = pair.configure(), pair.configure(on_conflict="sentry")
    assert (created.status_code, replaced.status_code) == (201, 200)
    assert created.headers["ETag"] != replaced.headers["ETag"]
    shown = pair.ask("GET", "config")
    assert shown.headers["ETag"] == replaced.headers["ETag"]
    assert shown.json()["organization"] == pair.slug
    assert shown.json()["config"] == replaced.json()["config"]
    assert shown.json()["config"]["on_conflict"] == "sentry"


def test_what_is_left_out_takes_its_default_again(pair: Pair) -> None:
    pair.configure(sync_comments=True, people={"ann@corp.example": "ann@home.example"})
    config = pair.configure().json()["config"]
    assert (config["sync_comments"], config["people"], config["issue_sync"]) == (False, {}, True)


def test_what_get_shows_can_be_put_back(pair: Pair) -> None:
    pair.configure(**mapped(pair, on_resolve="Closed", on_unresolve="Active"), done_categories=["Completed"])
    config = pair.ask("GET", "config").json()["config"]
    answer = pair.ask("PUT", "config", json=config, headers={"If-Match": "*"})
    assert (answer.status_code, answer.json()["config"]) == (200, config)
    assert answer.json()["changed"] == []


def test_a_stale_etag_changes_nothing(pair: Pair) -> None:
    old = pair.configure().headers["ETag"]
    current = pair.configure(on_conflict="sentry").headers["ETag"]
    for method in ("PUT", "PATCH", "DELETE"):
        answer = pair.ask(method, "config", json=pair.document(), headers={"If-Match": old})
        assert (answer.status_code, answer.json()["error"]) == (412, "precondition-failed")
    assert pair.ask("GET", "config").headers["ETag"] == current


@pytest.mark.parametrize("etag", ['"anything"', "*"])
def test_if_match_on_a_new_organization_fails(pair: Pair, etag: str) -> None:
    answer = pair.ask("PUT", "config", json=pair.document(), headers={"If-Match": etag})
    assert answer.status_code == 412
    assert pair.ask("GET", "config").status_code == 404


def test_the_current_etag_lets_a_change_through(pair: Pair) -> None:
    etag = pair.configure().headers["ETag"]
    answer = pair.ask("PUT", "config", json=pair.document(on_conflict="sentry"), headers={"If-Match": etag})
    assert answer.status_code == 200
    current = {"If-Match": answer.headers["ETag"]}
    assert pair.ask("DELETE", "config", headers=current).status_code == 204


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unconnected_organization_is_unknown(pair: Pair, method: str) -> None:
    answer = pair.ask(method, "config", json={"sync_comments": True})
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown-organization")


@pytest.mark.parametrize("slug", ["Acme", "a_b", "-a", "a" * 64])
def test_no_organization_can_be_created_under_another_kind_of_slug(pair: Pair, slug: str) -> None:
    answer = pair.app.ask("PUT", f"organizations/{slug}/config", json=pair.document())
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown-organization")


# PUT names what it replaces, PATCH changes keys.


def test_a_short_document_never_wipes_a_long_one_unasked(pair: Pair) -> None:
    etag = pair.configure(people={"ann@corp.example": "ann@home.example"}).headers["ETag"]
    answer = pair.ask("PUT", "config", json=pair.document())
    assert (answer.status_code, answer.json()["error"]) == (428, "precondition-required")
    assert "If-Match: *" in answer.json()["detail"]
    assert pair.ask("GET", "config").headers["ETag"] == etag
    for version in ("{0}", '"other", {0}', "*"):
        headers = {"If-Match": version.format(etag)}
        replaced = pair.ask("PUT", "config", json=pair.document(), headers=headers)
        assert replaced.status_code == 200
        etag = replaced.headers["ETag"]


def test_a_put_says_what_it_changed(pair: Pair) -> None:
    created = pair.configure(sync_comments=True, people={"ann@corp.example": "ann@home.example"})
    assert created.json()["changed"] == [
        "ado_search_url",
        "ado_url",
        "back_links",
        "people.ann@corp.example",
        "sentry_organization",
        "sentry_url",
        "sync_comments",
    ]
    people = {"ann@corp.example": "ann@other.example", "bob@corp.example": "bob@home.example"}
    replaced = pair.configure(people=people, done_categories=["Completed"])
    assert replaced.json()["changed"] == [
        "done_categories",
        "people.ann@corp.example",
        "people.bob@corp.example",
        "sync_comments",
    ]


@pytest.mark.parametrize("media_type", ["application/merge-patch+json", "application/json", None])
def test_a_patch_changes_what_it_names_and_says_so(pair: Pair, media_type: str | None) -> None:
    pair.configure(
        sync_comments=True, people={"ann@corp.example": "ann@home.example", "bob@corp.example": "b@c"}
    )
    before = pair.ask("GET", "config")
    patch = {
        "on_conflict": "sentry",
        "sync_comments": None,
        "people": {"BOB@corp.example": None, "c@d": "e@f"},
    }
    answer = pair.ask(
        "PATCH",
        "config",
        data=json.dumps(patch).encode(),
        headers={"Content-Type": media_type} if media_type else {},
    )
    assert answer.status_code == 200, answer.text
    assert answer.text.endswith("}\n")
    assert answer.json()["changed"] == [
        "on_conflict",
        "people.bob@corp.example",
        "people.c@d",
        "sync_comments",
    ]
    after = pair.ask("GET", "config")
    assert answer.headers["ETag"] == after.headers["ETag"] != before.headers["ETag"]
    assert (
        answer.json()["config"]
        == after.json()["config"]
        == {
            **before.json()["config"],
            "on_conflict": "sentry",
            "sync_comments": False,
            "people": {"ann@corp.example": "ann@home.example", "c@d": "e@f"},
        }
    )


def test_a_patch_with_the_current_etag_or_whatever_is_there(pair: Pair) -> None:
    etag = pair.configure().headers["ETag"]
    for version in (etag, "*"):
        answer = pair.ask("PATCH", "config", json={"sync_comments": True}, headers={"If-Match": version})
        assert answer.status_code == 200
    assert answer.json()["changed"] == []


@pytest.mark.parametrize(
    ("patch", "paths"),
    [
        ({"on_conflict": "both", "colour": "red"}, ["colour", "on_conflict"]),
        ({"ado_url": None}, ["ado_url"]),
        ({"people": {"ann@corp.example": "carol"}}, ["people.ann@corp.example"]),
        ({"status_mapping": {"11111111-2222-3333-4444-555555555555": {}}}, ["status_mapping.1"]),
        ([{"op": "remove", "path": "/people"}], ["$"]),
    ],
)
def test_a_patch_that_breaks_the_document_stores_nothing(pair: Pair, patch: object, paths: list[str]) -> None:
    etag = pair.configure().headers["ETag"]
    answer = pair.ask("PATCH", "config", json=patch)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-configuration")
    found = sorted(answer.json()["errors"])
    assert all(path.startswith(start) for path, start in zip(found, paths, strict=True)), found
    assert pair.ask("GET", "config").headers["ETag"] == etag


def test_a_switch_is_turned_while_azure_devops_is_down(pair: Pair) -> None:
    """The mapping was checked when it was stored: whoever stops the sync does not wait for it."""
    pair.configure(**mapped(pair, on_resolve="Closed", on_unresolve="Active"))
    pair.ado.fail_next(2, http_status=503)
    answer = pair.ask("PATCH", "config", json={"issue_sync": False})
    assert (answer.status_code, answer.json()["changed"]) == (200, ["issue_sync"])
    assert "status_mapping" in answer.json()["warnings"]


@pytest.mark.parametrize("status", [401, 503])
def test_a_mapping_in_a_patch_is_not_stored_unasked(pair: Pair, status: int) -> None:
    etag = pair.configure().headers["ETag"]
    pair.ado.fail_next(http_status=status, path="workitemtypes")
    patch = mapped(pair, on_resolve="Closed", on_unresolve="Active")
    answer = pair.ask("PATCH", "config", json=patch)
    assert answer.status_code == 503
    assert pair.ask("GET", "config").headers["ETag"] == etag


# A dry run.


def test_a_dry_run_creates_nothing(pair: Pair) -> None:
    answer = pair.ask("PUT", "config", params={"dry_run": "1"}, json=pair.document())
    assert answer.status_code == 201
    assert "ado_url" in answer.json()["changed"]
    assert "ETag" not in answer.headers
    assert pair.ask("GET", "config").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_dry_run_answers_as_it_would_and_changes_nothing(pair: Pair, method: str) -> None:
    etag = pair.configure().headers["ETag"]
    document = pair.document(sync_comments=True, on_conflict="sentry")
    pair.sentry.fail_next(1, 401)
    answer = pair.ask(method, "config", params={"dry_run": "1"}, json=document)
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["changed"] == ["on_conflict", "sync_comments"]
    assert "sentry_organization" in said["warnings"]
    assert (said["config"]["on_conflict"], said["dry_run"]) == ("sentry", True)
    assert answer.headers["ETag"] == etag
    assert pair.ask("GET", "config").headers["ETag"] == etag
    refused = pair.ask(method, "config", params={"dry_run": "1"}, json={**document, "on_conflict": "both"})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["on_conflict"])
    stale = pair.ask(
        method, "config", params={"dry_run": "1"}, json=document, headers={"If-Match": '"stale"'}
    )
    assert stale.status_code == 412


@pytest.mark.parametrize("value", ["", "0", "true", "yes", "2"])
def test_a_dry_run_is_asked_for_by_one_value(pair: Pair, value: str) -> None:
    answer = pair.ask("PUT", "config", params={"dry_run": value}, json=pair.document())
    assert (answer.status_code, answer.json()["detail"]) == (400, "dry_run must be 1, or be left out")
    assert pair.ask("GET", "config").status_code == 404


def test_a_parameter_that_nobody_reads_is_refused(pair: Pair) -> None:
    etag = pair.configure().headers["ETag"]
    for method, name in (
        ("PUT", "dryrun"),
        ("PATCH", "project"),
        ("GET", "dry_run"),
        ("DELETE", "dry_run"),
    ):
        answer = pair.ask(method, "config", params={name: "1"}, json=pair.document(sync_comments=True))
        assert (answer.status_code, answer.json()["error"]) == (400, "bad-request"), (method, name)
        assert name in answer.json()["detail"]
    assert pair.ask("GET", "config").headers["ETag"] == etag


def test_a_key_twice_is_an_error_by_its_path(pair: Pair) -> None:
    body = json.dumps(pair.document()).replace(
        "{", '{"people": {"a@b": "c@d", "a@b": "e@f"}, "ado_url": "x", '
    )
    answer = pair.ask("PUT", "config", data=body.encode())
    assert (answer.status_code, answer.json()["errors"]) == (
        400,
        {"people.a@b": "is there twice", "ado_url": "is there twice"},
    )


# Errors.


def test_every_error_is_reported_at_once_and_nothing_is_stored(pair: Pair) -> None:
    found = errors(
        pair,
        ado_url="http://dev.azure.com/fabrikam/",
        sentry_url="https://169.254.169.254/",
        sync_comments="yes",
        on_conflict="nobody",
        done_categories=["Proposed"],
        colour="red",
        people={"ann": "ann@home.example"},
        status_mapping={"11111111-2222-3333-4444-555555555555": {"on_resolve": "Closed"}},
    )
    assert set(found) == {
        "ado_url",
        "sentry_url",
        "sync_comments",
        "on_conflict",
        "done_categories",
        "colour",
        "people.ann",
        "status_mapping.11111111-2222-3333-4444-555555555555",
    }
    assert pair.ask("GET", "config").status_code == 404


@pytest.mark.parametrize("body", [b"", b"not JSON", b"[]", b"null", b"\xff", b'"x"'])
def test_a_body_that_is_not_an_object_is_an_error_of_the_whole(pair: Pair, body: bytes) -> None:
    answer = pair.ask("PUT", "config", data=body)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid-configuration")
    assert set(answer.json()["errors"]) == {"$"}


@pytest.mark.parametrize("mapping", [{"on_resolve": "Closed"}, {"on_unresolve": "Active"}])
def test_half_a_mapping_is_an_error(pair: Pair, mapping: dict[str, str]) -> None:
    [(path, problem)] = errors(pair, **mapped(pair, **mapping)).items()
    assert path == f"status_mapping.{pair.ado.project_id(FABRIKAM)}"
    assert problem == "Resolve and unresolve status are required."


def test_half_a_mapping_of_a_type_is_an_error(pair: Pair) -> None:
    [(path, problem)] = errors(pair, **mapped(pair, types={"Bug": {"on_resolve": "Closed"}})).items()
    assert path.endswith(".types.Bug")
    assert problem == "Resolve and unresolve status are required."


@pytest.mark.parametrize(
    ("mapping", "path"),
    [
        ({"on_resolve": "Done", "on_unresolve": "Active"}, ".on_resolve"),
        ({"on_resolve": "Closed", "on_unresolve": "Open"}, ".on_unresolve"),
        ({"on_resolve": "closed", "on_unresolve": "Active"}, ".on_resolve"),
        ({"on_resolve": "Closed", "on_unresolve": "Active", "done_states": ["Fertig"]}, ".done_states[0]"),
        ({"types": {"Story": {"on_resolve": "Closed", "on_unresolve": "Active"}}}, ".types.Story"),
        # The project has it, the type has not.
        (
            {"types": {"Task": {"on_resolve": "Resolved", "on_unresolve": "Active"}}},
            ".types.Task.on_resolve",
        ),
        # Written and read back, each must give what was written.
        ({"on_resolve": "Active", "on_unresolve": "New"}, ".on_resolve"),
        ({"on_resolve": "Closed", "on_unresolve": "Resolved"}, ".on_unresolve"),
        ({"on_resolve": "Removed", "on_unresolve": "Active"}, ".on_resolve"),
        (
            {"on_resolve": "Closed", "on_unresolve": "Active", "done_states": ["Active"]},
            ".on_unresolve",
        ),
    ],
)
def test_a_mapping_that_the_projects_process_contradicts_is_an_error(
    pair: Pair, mapping: dict[str, Any], path: str
) -> None:
    found = errors(pair, **mapped(pair, **mapping))
    assert f"status_mapping.{pair.ado.project_id(FABRIKAM)}{path}" in found
    assert pair.ask("GET", "config").status_code == 404


def test_a_state_may_be_declared_done_against_its_category(pair: Pair) -> None:
    document = mapped(pair, on_resolve="Active", on_unresolve="New", done_states=["Active"])
    assert pair.configure(**document).status_code == 201


def test_a_project_that_is_not_there_is_an_error(pair: Pair) -> None:
    nowhere = "11111111-2222-3333-4444-555555555555"
    found = errors(pair, status_mapping={nowhere: {"on_resolve": "Closed", "on_unresolve": "Active"}})
    assert set(found) == {f"status_mapping.{nowhere}"}


def test_a_projects_name_is_not_its_id(pair: Pair) -> None:
    """By its name it would be found, and its mapping then never used: links know projects by their ids."""
    answer = pair.configure(status_mapping={FABRIKAM: {"on_resolve": "Closed", "on_unresolve": "Active"}})
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [f"status_mapping.{FABRIKAM.lower()}"]


def test_two_people_with_one_address_in_sentry_are_an_error(pair: Pair) -> None:
    people = {"ann@corp.example": "Both@home.example", "bob@corp.example": "both@home.example"}
    assert set(errors(pair, people=people)) == {"people.bob@corp.example"}


def test_a_mapping_that_cannot_be_checked_is_not_stored(pair: Pair) -> None:
    pair.configure()
    pair.ado.fail_next(http_status=503, path="workitemtypes")
    answer = pair.configure(**mapped(pair, on_resolve="Closed", on_unresolve="Active"))
    assert (answer.status_code, answer.json()["error"]) == (503, "unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    assert pair.ask("GET", "config").json()["config"]["status_mapping"] == {}


def test_each_service_is_asked_once_who_it_is_and_need_not_answer(pair: Pair) -> None:
    pair.ado.fail_next(http_status=503)
    pair.sentry.fail_next(1, 401)
    with pair.calls() as calls:
        assert pair.configure().status_code == 201
    assert (calls.ado, calls.sentry) == (["GET 503"], ["GET 401"])


def test_an_error_says_nothing_of_a_token(pair: Pair) -> None:
    pair.ado.fail_next(http_status=401, path="workitemtypes")
    answer = pair.configure(**mapped(pair, on_resolve="Closed", on_unresolve="Active"))
    assert (answer.status_code, answer.json()["error"]) == (503, "ado-refused-us")
    assert int(answer.headers["Retry-After"]) > 0
    assert "token" not in answer.text
    assert pair.ask("GET", "config").status_code == 404


# The form.


def test_the_form_has_its_fields_in_their_order(pair: Pair) -> None:
    pair.configure()
    fields = pair.ask("GET", "config").json()["fields"]
    assert [field["name"] for field in fields] == FIELDS
    for field in fields:
        assert {"name", "type", "label", "help", "disabled", "disabled_reason", "default"} <= set(field)
        assert (field["disabled"], field["disabled_reason"]) == (False, None)
    assert [field["default"] for field in fields] == [True, {}, True, False, True, True]


def test_every_project_is_listed_and_states_are_shown_for_those_asked_for(pair: Pair) -> None:
    pair.configure(**mapped(pair, on_resolve="Closed", on_unresolve="Active"))
    projects = {each["name"]: each for each in mapper(pair, project="scrum team")["projects"]}
    assert set(projects) == {each.name for each in pair.ado.catalog.projects.values()}
    assert {name for name, each in projects.items() if each["types"]} == {FABRIKAM, "Scrum Team"}
    assert projects[FABRIKAM]["id"] == pair.ado.project_id(FABRIKAM)
    assert projects[FABRIKAM]["types"]["Bug"] == [
        {"name": "New", "category": "Proposed"},
        {"name": "Active", "category": "InProgress"},
        {"name": "Resolved", "category": "Resolved"},
        {"name": "Closed", "category": "Completed"},
    ]
    assert projects["Basic Board"]["types"] is None


def test_projects_are_listed_to_the_last_page_and_states_asked_for_once(app: App) -> None:
    with Pair.beside(app, projects=203) as pair:
        pair.configure()
        with pair.calls() as calls:
            first = mapper(pair, project="Project 00203")["projects"]
            second = mapper(pair, project="Project 00203")["projects"]
    assert len({each["id"] for each in first}) == 203
    assert first == second
    assert [each["name"] for each in first if each["types"]] == ["Project 00203"]
    assert calls.ado == ["GET 200"] * (3 + 1 + 3)


@pytest.mark.parametrize("status", [401, 429, 503])
def test_a_form_without_azure_devops_is_shown_but_for_the_mapping(pair: Pair, status: int) -> None:
    pair.configure()
    pair.ado.fail_next(http_status=status)
    answer = pair.ask("GET", "config")
    assert answer.status_code == 200
    disabled = {field["name"]: field["disabled_reason"] for field in answer.json()["fields"]}
    assert [name for name, reason in disabled.items() if reason] == ["status_mapping"]
    assert "Azure DevOps" in disabled["status_mapping"]


def test_with_issue_sync_off_every_field_is_disabled_with_a_reason(pair: Pair) -> None:
    pair.configure(issue_sync=False)
    fields = pair.ask("GET", "config").json()["fields"]
    assert all(field["disabled"] and "issue_sync" in field["disabled_reason"] for field in fields)


# Where the organization lives.


@pytest.fixture
def located(app: App, account: FakeAdo) -> Iterator[Pair]:
    """Stand for an organization of which only the account's id is known."""
    with FakeSentry(token=SENTRY_TOKEN, client_secret=SIGNING_KEY) as sentry:
        yield Pair(app, account, sentry)


@pytest.mark.parametrize("ado_url", [None, "fabrikam.visualstudio.com"])
def test_an_account_is_looked_up_once_and_its_address_written_back(
    located: Pair, ado_url: str | None
) -> None:
    account_id = located.ado.catalog.account_id
    located.ado.fail_next(http_status=503, path="resourceareas")
    assert located.configure(ado_account_id=account_id, ado_url=ado_url).status_code == 201
    with located.calls() as calls:
        answers = [located.ask("GET", "config") for _ in range(2)]
    assert not any(field["disabled"] for answer in answers for field in answer.json()["fields"])
    # The look-up, the projects twice, and once who is there, which could not be asked before.
    assert calls.ado == ["GET 200"] * 4
    assert answers[1].json()["config"]["ado_url"] == located.ado.organization_url


def test_a_look_up_that_fails_stores_nothing_and_is_made_again(located: Pair) -> None:
    located.ado.fail_next(2, http_status=503, path="resourceareas")
    located.configure(ado_account_id=located.ado.catalog.account_id, ado_url=None)
    failed, found = located.ask("GET", "config"), located.ask("GET", "config")
    assert [field["name"] for field in failed.json()["fields"] if field["disabled"]] == ["status_mapping"]
    assert failed.json()["config"]["ado_url"] is None
    assert not any(field["disabled"] for field in found.json()["fields"])


def test_an_unknown_account_disables_the_mapping_alone(located: Pair) -> None:
    unknown = "11111111-2222-3333-4444-555555555555"
    assert located.configure(ado_account_id=unknown, ado_url=None).status_code == 201
    fields = located.ask("GET", "config").json()["fields"]
    assert [field["name"] for field in fields if field["disabled"]] == ["status_mapping"]


# The end.


def test_removing_an_organization_takes_its_links_and_activity_along(pair: Pair) -> None:
    pair.connect()
    issue_id, work_item_id = pair.linked()
    pair.sentry.resolve(issue_id)
    pair.settle()
    assert pair.activity(issue_id, work_item_id)
    assert pair.ask("DELETE", "config").status_code == 204
    assert pair.ask("GET", "links").status_code == 404
    assert pair.deliver({"eventType": "workitem.updated"}).status_code == 404
    pair.configure()
    assert pair.links() == []
    assert pair.ask("GET", f"links/{issue_id}/{work_item_id}/activity").status_code == 404


def test_removing_one_organization_leaves_the_next_alone(pair: Pair) -> None:
    pair.connect()
    issue_id, _ = pair.linked()
    with Pair.beside(pair.app) as other:
        # Its slug starts with the whole of the first one's.
        other.slug = f"{pair.slug}-2"
        other.connect().linked()
        assert other.ask("DELETE", "config").status_code == 204
    assert [link["issue_id"] for link in pair.links()] == [issue_id]
