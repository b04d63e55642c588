"""Bad input at every door: a clear 4xx, nothing stored, nothing of others seen."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests

from simulator.sentry.hooks import sign
from tests.e2e.app import HOOK_SECRET, SIGNING_KEY, Pair

# What could leave a path, a key, a filter or a line of a log.
HOSTILE = [
    "a/b",
    "..",
    "../..",
    "a\\b",
    "#",
    "?",
    "%",
    "%2e%2e",
    "%00",
    "'",
    "' or 1 eq 1 or '",
    '"',
    "\x00",
    "\x01",
    "\x1f",
    "\x7f",
    "\x85",
    "\r\nX-Injected: yes",
    "a!b",
    "~",
    "*",
    " ",
    "Ä",
    "😀",
    "٣١",
    "1e3",
    "0x1F",
    "+31",
    "31 ",
    "3_1",
    "x" * 4_000,
]
LONG = "x" * 65_536
# Blanks around a number are no part of it.
NO_NUMBERS = [each for each in HOSTILE if each.strip() != "31"]
BAD_BODIES = [
    b"",
    b" ",
    b"not JSON",
    b"{",
    b"null",
    b"5",
    b'"text"',
    b"[]",
    b"\xff\xfe",
    b'{"issue_id": "\\ud800"}',
    b"[" * 100_000,
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    json.dumps(LONG).encode(),
    b"\x00" * 1_000,
]


@pytest.fixture(scope="module")
def victim(bystander: Pair) -> Iterator[Pair]:
    """An organization with a link, which no other organization may see or change."""
    bystander.linked()
    before = snapshot(bystander)
    yield bystander
    assert snapshot(bystander) == before
    assert bystander.app.messages() == 0


@pytest.fixture
def guest(victim: Pair) -> Iterator[Pair]:
    """Another organization of the same app, on whose behalf everything here is sent."""
    guest = Pair(victim.app, victim.ado, victim.sentry)
    guest.configure()
    yield guest
    assert guest.links() == []


def snapshot(pair: Pair) -> tuple[Any, ...]:
    return pair.links(), pair.ask("GET", "config").json()["config"]


def refused(answer: requests.Response, *statuses: int) -> None:
    """Fail unless it is a 4xx that says why, in JSON, and quotes nobody."""
    assert answer.status_code in (statuses or (400, 404)), answer.text
    if answer.status_code != 405 and answer.headers.get("Content-Type", "").startswith("application/json"):
        said = answer.json()
        assert said["error"]
        assert said["detail"]
        assert len(answer.text) < 2_000
        assert "Traceback" not in answer.text
    assert "X-Injected" not in answer.headers


# Organizations.


@pytest.mark.parametrize("slug", [*(each for each in HOSTILE if each != "1e3"), "nobody", "A" * 64])
def test_an_organization_by_another_name_is_unknown(guest: Pair, slug: str) -> None:
    named = quote(slug, safe="")
    for method, path in [
        ("GET", "config"),
        ("PUT", "config"),
        ("PATCH", "config"),
        ("DELETE", "config"),
        ("GET", "links"),
        ("POST", "links"),
        ("POST", "reconcile"),
        ("GET", "links/1/31/activity"),
        ("GET", "search?field=externalIssue&query=login"),
    ]:
        if (method, slug) == ("PUT", "nobody"):
            continue  # This request creates an organization.
        body = guest.document() if path == "config" else {"issue_id": "1", "work_item_id": 31}
        refused(guest.app.ask(method, f"organizations/{named}/{path}", json=body), 404)
    headers = {"Shared-Secret": HOOK_SECRET, "Sentry-Hook-Signature": sign(SIGNING_KEY, b"{}")}
    for vendor in ("ado", "sentry"):
        refused(guest.app.ask("POST", f"{vendor}/{named}/webhook", data=b"{}", headers=headers), 404)
    options = {"Sentry-App-Signature": sign(SIGNING_KEY, b"")}
    refused(guest.app.ask("GET", f"sentry/{named}/options/projects", headers=options), 404)


# Ids.


@pytest.mark.parametrize("text", HOSTILE)
def test_an_id_that_is_not_a_number_is_refused_in_a_path(guest: Pair, text: str) -> None:
    named = quote(text, safe="")
    for issue_id, work_item_id in [(named, "31"), ("1", named)]:
        path = f"links/{issue_id}/{work_item_id}"
        refused(guest.ask("DELETE", path))
        refused(guest.ask("GET", f"{path}/activity"))


@pytest.mark.parametrize("text", [*NO_NUMBERS, LONG[:8_000]])
def test_an_id_that_is_not_a_number_is_refused_in_a_query(guest: Pair, text: str) -> None:
    for name in ("issue_id", "work_item_id"):
        refused(guest.ask("GET", "links", params={name: text}), 400)


@pytest.mark.parametrize("text", [*NO_NUMBERS, LONG, ""])
def test_an_id_that_is_not_a_number_is_refused_in_a_body(guest: Pair, text: str) -> None:
    refused(guest.ask("POST", "links", json={"issue_id": text, "work_item_id": 31}), 400)
    refused(guest.ask("POST", "links", json={"issue_id": "1", "work_item_id": text}), 400)
    refused(guest.ask("POST", "links", json=[{"issue_id": text, "work_item_id": 31}]), 400)
    refused(guest.ask("POST", "reconcile", json={"issue_id": text, "work_item_id": 31}), 400, 413)


@pytest.mark.parametrize("text", [each for each in HOSTILE if each.strip()])
def test_a_forged_continuation_shows_nothing_of_others(guest: Pair, text: str) -> None:
    for path in ("links", "links/1/31/activity"):
        answer = guest.ask("GET", path, params={"continuation": text})
        assert answer.status_code in {200, 400, 404}
        assert not answer.json().get("links")


# Bodies.


@pytest.mark.parametrize("body", BAD_BODIES, ids=lambda body: repr(body[:20]))
def test_a_meaningless_body_is_refused(guest: Pair, body: bytes) -> None:
    refused(guest.ask("POST", "links", data=body), 400)
    for method in ("PUT", "PATCH"):
        refused(guest.ask(method, "config", data=body), 400, 413)
    if body.strip():
        refused(guest.ask("POST", "reconcile", data=body), 400, 413)
    refused(guest.deliver(body), 400)
    refused(guest.deliver_from_sentry(body), 400)


def fields(pair: Pair) -> list[tuple[str, Any]]:
    """Return each key of a document with a value of another type than it takes."""
    document = pair.ask("GET", "config").json()["config"]
    return [
        (key, junk) for key in document for junk in (5, [5], {"a": 5}, "\x00", LONG) if junk != document[key]
    ]


def test_no_key_of_a_document_takes_a_value_of_another_kind(guest: Pair) -> None:
    before = guest.ask("GET", "config")
    for key, junk in fields(guest):
        answer = guest.configure(**{key: junk})
        refused(answer, 400)
        assert any(path.startswith(key) for path in answer.json()["errors"]), (key, junk, answer.text)
    after = guest.ask("GET", "config")
    assert (after.headers["ETag"], after.json()["config"]) == (
        before.headers["ETag"],
        before.json()["config"],
    )


@pytest.mark.parametrize("key", [each for each in HOSTILE if len(each) < 100 and each != "a\\b"])
def test_a_hostile_key_is_named_and_not_stored(guest: Pair, key: str) -> None:
    project = guest.ado.project_id("Fabrikam-Fiber")
    mapping = {"on_resolve": "Closed", "on_unresolve": "Active"}
    for changes in (
        {key: 1},
        {"people": {key: "ann@corp.example"}},
        {"people": {"ann@corp.example": key}},
        {"status_mapping": {key: mapping}},
        {"status_mapping": {project: {key: mapping}}},
        {"status_mapping": {project: {"types": {key: mapping}}}},
    ):
        refused(guest.configure(**changes), 400)


def test_a_document_too_large_for_a_row_is_refused(guest: Pair) -> None:
    people = {f"{number}-{'x' * 200}@corp.example": f"{number}@home.example" for number in range(2_000)}
    refused(guest.configure(people=people), 400)


@pytest.mark.parametrize("etag", ["x", '""', "W/", "*" * 1_000, "' or 1 eq 1", '"a", "b"'])
def test_a_forged_etag_matches_nothing(guest: Pair, etag: str) -> None:
    for method in ("PUT", "PATCH", "DELETE"):
        answer = guest.ask(method, "config", json=guest.document(), headers={"If-Match": etag})
        refused(answer, 412)


@pytest.mark.parametrize(
    ("method", "path", "most"),
    [
        ("PUT", "config", 512 * 1024),
        ("POST", "links", 1024 * 1024),
        ("POST", "reconcile", 64 * 1024),
    ],
)
def test_a_body_is_read_up_to_its_bound(guest: Pair, method: str, path: str, most: int) -> None:
    refused(guest.ask(method, path, data=b"[" * most), 400)
    answer = guest.ask(method, path, data=b"[" * (most + 1))
    refused(answer, 413)
    assert answer.json()["error"] == "too-large"
    # Before anything else: of whom it is about nothing is said.
    refused(guest.app.ask(method, f"organizations/nobody/{path}", data=b"[" * (most + 1)), 413)


@pytest.mark.parametrize(("route", "most"), [("webhook", 2 * 1024 * 1024), ("issue-link/link", 64 * 1024)])
def test_a_body_of_sentry_is_bounded_before_its_signature_is_looked_at(
    guest: Pair, route: str, most: int
) -> None:
    path = f"sentry/{guest.slug}/{route}"
    refused(guest.app.ask("POST", path, data=b"x" * most), 401)
    refused(guest.app.ask("POST", path, data=b"x" * (most + 1)), 413)


@pytest.mark.parametrize("project", ["..", ".", "../_apis", "a/../b", "..\\x", "\x00", "x" * 1_000])
def test_a_form_leads_nowhere_else(guest: Pair, project: str) -> None:
    before = len(guest.ado.calls)
    params = {"dependentData": json.dumps({"project": project})}
    headers = {"Sentry-App-Signature": sign(SIGNING_KEY, b"")}
    for name in ("work-items", "work-item-types", "areas", "iterations"):
        path = f"sentry/{guest.slug}/options/{name}"
        refused(guest.app.ask("GET", path, params=params, headers=headers), 400)
    issue_id = guest.sentry.add_issue(announce=False).id
    for fields in (
        {"project": project, "work_item_type": "Bug", "title": "t"},
        {"project": "Fabrikam-Fiber", "work_item_type": project, "title": "t"},
    ):
        body = json.dumps({"fields": fields, "issueId": issue_id}).encode()
        signed = {"Sentry-App-Signature": sign(SIGNING_KEY, body)}
        refused(
            guest.app.ask("POST", f"sentry/{guest.slug}/issue-link/create", data=body, headers=signed), 400
        )
    assert len(guest.ado.calls) == before


# Long texts.


def test_a_long_text_is_not_sent_back(guest: Pair) -> None:
    for body in (
        {"issue_id": "1", "work_item_id": 31, "initial": LONG},
        {"issue_id": "1", "work_item_id": 31, LONG: 1},
        [{"issue_id": "1", "work_item_id": LONG}],
    ):
        refused(guest.ask("POST", "links", json=body), 400)
    form = json.dumps({"fields": {"project": LONG, "work_item_type": LONG, "title": LONG}, "issueId": LONG})
    for button in ("link", "create"):
        headers = {"Sentry-App-Signature": sign(SIGNING_KEY, form.encode())}
        path = f"sentry/{guest.slug}/issue-link/{button}"
        refused(guest.app.ask("POST", path, data=form.encode(), headers=headers), 413)


def test_a_text_of_64_kib_breaks_nothing(guest: Pair) -> None:
    for path, params in [
        ("search", {"field": "externalIssue", "query": LONG}),
        ("search", {"field": LONG, "query": "login"}),
        ("search", {"field": "externalIssue", "query": "login", "project": LONG}),
        ("search", {"field": "externalIssue", "query": "login", "limit": LONG}),
        ("links", {"issue_id": LONG}),
        ("links", {"continuation": LONG}),
        ("config", {"project": LONG}),
    ]:
        answer = guest.ask("GET", path, params=params)
        assert answer.status_code < 500, (path, list(params))


@pytest.mark.parametrize("query", ["9" * 5_000, "#" + "9" * 5_000, "AB#"])
def test_a_number_too_long_to_be_one_finds_nothing(guest: Pair, query: str) -> None:
    base = f"{guest.ado.organization_url}_workitems/edit/1?workitem="
    for text in (query, base + query.lstrip("#")):
        answer = guest.ask("GET", "search", params={"field": "externalIssue", "query": text})
        assert answer.status_code == 200


# Verbs and addresses.


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "config"),
        ("POST", "search?field=externalIssue&query=login"),
        ("PUT", "links"),
        ("PATCH", "links"),
        ("GET", "reconcile"),
        ("POST", "links/1/31/activity"),
        ("DELETE", "links/1/31/activity"),
        ("GET", "nothing"),
        ("GET", ""),
    ],
)
def test_a_wrong_verb_or_address_does_nothing(guest: Pair, method: str, path: str) -> None:
    refused(guest.ask(method, path, json={"issue_id": "1", "work_item_id": 31}), 404, 405)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_a_hook_is_posted_or_not_at_all(guest: Pair, method: str) -> None:
    for path in (guest.ado_route, guest.sentry_route):
        answer = guest.app.ask(method, path, headers={"Shared-Secret": HOOK_SECRET})
        refused(answer, 401, 404, 405)


def test_a_link_is_not_made_where_a_link_is(guest: Pair) -> None:
    """A POST beside the ids of a link is about that link, and makes none of the body's."""
    body = {"issue_id": "1", "work_item_id": 31}
    refused(guest.ask("POST", "links/2/32", json=body), 400, 404, 405)
