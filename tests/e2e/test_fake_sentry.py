"""What the fake Sentry does over real HTTP: its API, its hooks, its form and its page."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import requests

from simulator.sentry import APPLICATION, SENTRY, FakeSentry, Modes, Weather
from simulator.sentry.components import ComponentFailed
from simulator.sentry.gate import ALL_SCOPES
from simulator.sentry.hooks import compact, sign
from simulator.sentry.model import Refused

PAYLOADS = Path(__file__).parent.parent / "payloads" / "sentry"
ANN = "ann@acme.example"


class Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """A web server that keeps what it is sent, and answers as ordered."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.answer: object = {}
        self.wait = threading.Event()
        self.wait.set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.take()

            def do_POST(self) -> None:
                self.take()

            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                receiver.requests.append(Request(self.command, self.path, dict(self.headers), body))
                receiver.wait.wait(10)
                self.send_response(receiver.status)
                for name, value in receiver.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(receiver.answer).encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its overridden name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/api/sentry/fabrikam/webhook?code=x"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def close(self) -> None:
        self.wait.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def events(self) -> list[str]:
        return [f"{r.headers['Sentry-Hook-Resource']}.{json.loads(r.body)['action']}" for r in self.requests]

    @property
    def last(self) -> dict[str, Any]:
        body: dict[str, Any] = json.loads(self.requests[-1].body)
        return body


class Api:
    """The integration's token, at work."""

    def __init__(self, sentry: FakeSentry) -> None:
        self.base = f"{sentry.url}/api/0/"
        self.headers = {"Authorization": f"Bearer {sentry.token}"}

    def __call__(self, method: str, path: str, body: object = None) -> requests.Response:
        return requests.request(method, self.base + path, json=body, headers=self.headers, timeout=5)

    def put(self, body: object, issue_id: str = "100") -> requests.Response:
        return self("PUT", f"organizations/acme/issues/{issue_id}/", body)

    def get(self, issue_id: str = "100", query: str = "") -> dict[str, Any]:
        answer = self("GET", f"organizations/acme/issues/{issue_id}/{query}")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def sentry() -> Iterator[FakeSentry]:
    """One issue, 100, and Ann; no hook announces what happens from here on."""
    with FakeSentry(page_size=2, webhook_timeout=5.0) as sentry:
        sentry.add_issue(issue_id="100")
        sentry.add_member(ANN, name="Ann Archer", other_emails=("ann@home.example",))
        yield sentry


@pytest.fixture
def api(sentry: FakeSentry) -> Api:
    return Api(sentry)


@pytest.fixture
def listening(sentry: FakeSentry, receiver: Receiver) -> FakeSentry:
    """The same, with a receiver of hooks."""
    sentry.webhook_url = receiver.url
    return sentry


# What the API answers.


@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic eDp5", "Bearer"])
def test_a_stranger_is_refused_in_json(sentry: FakeSentry, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.get(f"{sentry.url}/api/0/organizations/acme/issues/100/", headers=headers, timeout=5)
    assert answer.status_code == 401
    assert "detail" in answer.json()


def test_every_answer_says_how_much_is_left(api: Api) -> None:
    names = ("Limit", "Remaining", "Reset", "ConcurrentLimit", "ConcurrentRemaining")
    for path in ("organizations/acme/issues/100/", "organizations/acme/issues/9/", "nowhere/"):
        headers = api("GET", path).headers
        assert all(headers[f"X-Sentry-Rate-Limit-{name}"].isdigit() for name in names)


@pytest.mark.parametrize(
    "path",
    [
        "organizations/acme/issues/9/",
        "organizations/other/issues/100/",
        "organizations/acme/issues/100",  # no slash at its end
        "organizations/acme/shortids/FE-9/",
        "nowhere/",
    ],
)
def test_what_is_not_there_is_a_404_in_json(api: Api, path: str) -> None:
    answer = api("GET", path)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "The requested resource does not exist"}


def test_a_missing_scope_is_a_403() -> None:
    with FakeSentry(scopes=frozenset({"event:read"})) as sentry:
        sentry.add_issue(issue_id="100")
        assert Api(sentry).get()["id"] == "100"
        assert Api(sentry).put({"status": "resolved"}).status_code == 403


@pytest.mark.parametrize(
    ("before", "change", "status", "substatus"),
    [
        ([], {"status": "resolved"}, "resolved", None),
        ([], {"status": "resolvedInNextRelease"}, "resolved", None),
        ([], {"status": "ignored"}, "ignored", "archived_forever"),
        (
            [],
            {"status": "ignored", "substatus": "archived_until_escalating"},
            "ignored",
            "archived_until_escalating",
        ),
        (
            [],
            {"status": "ignored", "statusDetails": {"ignoreDuration": 30}},
            "ignored",
            "archived_until_condition_met",
        ),
        (["resolved"], {"status": "unresolved"}, "unresolved", "regressed"),
        (["ignored"], {"status": "unresolved"}, "unresolved", "new"),
        # An equal status leaves even the substatus alone.
        ([], {"status": "unresolved", "substatus": "escalating"}, "unresolved", "new"),
    ],
)
def test_a_status_brings_its_substatus(
    api: Api, before: list[str], change: dict[str, Any], status: str, substatus: str | None
) -> None:
    for earlier in before:
        api.put({"status": earlier})
    answer = api.put(change)
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["substatus"]) == (status, substatus)
    assert api.get()["status"] == status


def test_an_old_issue_is_ongoing_once_it_is_unarchived(sentry: FakeSentry, api: Api) -> None:
    sentry.add_issue(issue_id="200", first_seen=datetime.now(UTC) - timedelta(days=8))
    sentry.archive("200")
    assert api.put({"status": "unresolved"}, "200").json()["substatus"] == "ongoing"


def test_the_next_release_is_a_detail_of_resolved(sentry: FakeSentry, api: Api) -> None:
    sentry.add_release("fe")
    api.put({"status": "resolved", "statusDetails": {"inNextRelease": True}})
    assert api.get()["statusDetails"] == {"inNextRelease": True}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"status": "done"}, "status"),
        ({"status": None}, "status"),
        ({"status": "resolved", "substatus": "new"}, "substatus"),
        ({"status": "resolved", "assignedTo": "user:999"}, "assignedTo"),
        ({"status": "resolved", "assignedTo": None}, "assignedTo"),
        ([], "detail"),
    ],
)
def test_a_refused_change_changes_nothing(api: Api, body: object, field: str) -> None:
    answer = api.put(body)
    assert answer.status_code == 400
    assert list(answer.json()) == [field]
    assert api.get()["status"] == "unresolved"


@pytest.mark.parametrize("identifier", [2, "2", "user:2", ANN, "ANN@acme.example"])
def test_a_user_is_named_in_many_ways(api: Api, identifier: object) -> None:
    answer = api.put({"assignedTo": identifier})
    assert answer.json()["assignedTo"] == {"type": "user", "id": "2", "name": "Ann Archer", "email": ANN}
    assert api.put({"assignedTo": ""}).json()["assignedTo"] is None


UNPARSEABLE = "Could not parse actor. Format should be `type:id` where type is `team` or `user`."


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("nobody@acme.example", UNPARSEABLE),
        ("single@acme.example", UNPARSEABLE),  # signs in without a password
        ("ann@home.example", UNPARSEABLE),  # not her primary address
        ("user:ann", UNPARSEABLE),
        ("robot:2", UNPARSEABLE),
        (True, UNPARSEABLE),
        ({"id": 2}, UNPARSEABLE),
        ("user:999", "User does not exist"),
        ("5002", "User does not exist"),  # a member's id is not its user's
        ("team:999", "Team does not exist"),
        ("user:3", "User is not a member of this organization"),
        ("user:4", "Cannot assign to non-team member"),
        ("team:46", "Cannot assign to a team without access to the project"),
        (None, "This field may not be null."),
    ],
)
def test_an_assignee_is_refused_in_sentrys_words(
    sentry: FakeSentry, api: Api, identifier: object, text: str
) -> None:
    sentry.add_member("gone@acme.example")
    sentry.directory.remove_member("gone@acme.example")
    sentry.add_member("outside@acme.example", teams=())
    sentry.add_member("single@acme.example", has_password=False)
    sentry.directory.add_team("elsewhere")
    answer = api.put({"assignedTo": identifier})
    assert (answer.status_code, answer.json()) == (400, {"assignedTo": [text]})


def test_old_versions_have_one_text_for_an_unknown_assignee(sentry: FakeSentry, api: Api) -> None:
    sentry.modes = Modes(legacy_assignee_errors=True)
    assert api.put({"assignedTo": "nobody@acme.example"}).json() == {"assignedTo": ["Unknown actor input"]}


@pytest.mark.parametrize(
    ("modes", "scopes", "status"),
    [
        (Modes(), ALL_SCOPES, 200),
        (Modes(open_team_membership=False), ALL_SCOPES, 400),
        (Modes(open_team_membership=False), ALL_SCOPES | {"team:admin"}, 200),
        (Modes(open_team_membership=False, team_membership_check=False), ALL_SCOPES, 200),
    ],
)
def test_a_closed_organization_keeps_integrations_from_teams(
    modes: Modes, scopes: frozenset[str], status: int
) -> None:
    with FakeSentry(modes=modes, scopes=scopes) as sentry:
        sentry.add_issue(issue_id="100")
        assert Api(sentry).put({"assignedTo": "team:45"}).status_code == status
        sentry.unassign("100")
        sentry.assign_team("100", "frontend", actor=SENTRY)  # as an ownership rule does
        sentry.unassign("100")
        sentry.assign_team("100", "frontend")  # a person of that team always may
        assert sentry.issue("100")["assignedTo"] == {"type": "team", "id": "45", "name": "frontend"}


def test_a_merged_issue_answers_with_the_one_it_became(sentry: FakeSentry, api: Api) -> None:
    sentry.add_issue(issue_id="200")
    sentry.merge("100", into="200")
    assert api.get("100")["id"] == "200"
    assert api.put({"status": "resolved"}, "100").json()["id"] == "200"
    sentry.delete("200")
    assert api("GET", "organizations/acme/issues/100/").status_code == 404


def test_a_short_id_finds_its_issue(api: Api) -> None:
    found = api("GET", "organizations/acme/shortids/FE-1/").json()
    assert (found["groupId"], found["group"]["shortId"], found["projectSlug"]) == ("100", "FE-1", "fe")


def test_issues_are_listed_by_query_or_exactly_by_group(sentry: FakeSentry, api: Api) -> None:
    for issue_id in ("200", "300"):
        sentry.add_issue("Time-out", issue_id=issue_id)
    sentry.resolve("200")

    def listed(query: str) -> set[str]:
        return {issue["id"] for issue in api("GET", f"organizations/acme/issues/?{query}").json()}

    assert listed("project=-1") == {"100", "300"}  # what is unresolved, unless asked otherwise
    assert listed("project=1&query=is:resolved") == {"200"}
    assert listed("project=-1&query=time-out") == {"200", "300"}
    assert listed("project=-1&query=&per_page=1") == {"300"}  # of whatever status, the last seen first
    assert listed("query=is:unresolved&project=2") == set()
    assert listed("project=-1&group=200&group=100&group=9&query=nothing") == {"100", "200"}
    assert listed("group=200&group=100") == listed("") == set()  # of no project that was named


def test_a_list_by_ids_has_no_pages_and_takes_only_numbers(sentry: FakeSentry, api: Api) -> None:
    ids = [str(number) for number in range(1000, 1100)]
    for issue_id in ids:
        sentry.add_issue(issue_id=issue_id, announce=False)
    query = "&".join(f"group={issue_id}" for issue_id in [*ids, ids[0]])
    answer = api("GET", f"organizations/acme/issues/?project=-1&collapse=stats&{query}")
    assert [issue["id"] for issue in answer.json()] == ids
    assert "Link" not in answer.headers
    assert "stats" not in answer.json()[0]
    refused = api("GET", "organizations/acme/issues/?project=-1&group=FE-1")
    assert (refused.status_code, refused.json()) == (400, {"detail": "Group ids must be integers"})
    too_long = api("GET", f"organizations/acme/issues/?project=-1&group={'9' * 9000}")
    assert too_long.status_code == 414


def test_a_list_by_query_comes_in_pages_of_what_was_seen_in_ninety_days() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with FakeSentry(page_size=2, clock=lambda: now[0]) as sentry:
        sentry.add_issue(issue_id="1", announce=False)
        now[0] += timedelta(days=91)
        for issue_id in ("2", "3", "4"):
            sentry.add_issue(issue_id=issue_id, announce=False)
        sentry.issues.link("3", "other", web_url="https://x.example", project="P", identifier="1")
        api, path = Api(sentry), "organizations/acme/issues/?project=-1&query="
        first = api("GET", path)
        assert len(first.json()) == 2
        second = requests.get(first.links["next"]["url"], headers=api.headers, timeout=5)
        assert {issue["id"] for issue in first.json() + second.json()} == {"2", "3", "4"}
        assert second.links["next"]["results"] == "false"
        linked = api("GET", f"{path}is:linked&expand=sentryAppIssues").json()
        assert [(issue["id"], len(issue["sentryAppIssues"])) for issue in linked] == [("3", 1)]


def test_a_project_can_be_out_of_reach(sentry: FakeSentry, api: Api) -> None:
    sentry.add_project("secret")
    sentry.add_issue(issue_id="200", project="secret")
    sentry.forbid_project("secret")
    assert api.put({"status": "resolved"}, "200").status_code == 403
    assert api("GET", "organizations/acme/issues/200/").status_code == 403
    assert api("GET", "organizations/acme/issues/?project=2").status_code == 403
    assert [issue["id"] for issue in api("GET", "organizations/acme/issues/?project=-1").json()] == ["100"]
    assert sentry.issue("200")["status"] == "unresolved"


def test_members_come_in_pages(sentry: FakeSentry, api: Api) -> None:
    for number in range(3):
        sentry.add_member(f"m{number}@acme.example")
    seen: list[str] = []
    answer = api("GET", "organizations/acme/members/")
    while True:
        seen += [member["email"] for member in answer.json()]
        following = answer.links["next"]
        if following["results"] == "false":
            break
        answer = requests.get(following["url"], headers=api.headers, timeout=5)
    assert len(seen) == len(set(seen)) == 5
    assert answer.links["previous"]["results"] == "true"


@pytest.mark.parametrize(
    ("query", "emails"),
    [
        ("email:ann@acme.example", [ANN]),
        ("email:Ann@Home.example", [ANN]),  # any address of hers
        ("email:nobody@acme.example", []),
        ("user.id:2", [ANN]),
        ("archer", [ANN]),
        ("email:new@acme.example", ["new@acme.example"]),
    ],
)
def test_members_are_found_by_address(sentry: FakeSentry, api: Api, query: str, emails: list[str]) -> None:
    sentry.add_member("new@acme.example", invited=True)
    found = api("GET", f"organizations/acme/members/?query={query}").json()
    assert [member["email"] for member in found] == emails
    assert all((member["user"] is None) == member["pending"] for member in found)
    assert all(member["id"] != (member["user"] or {}).get("id") for member in found)


def test_only_people_of_the_projects_teams_are_its_users(sentry: FakeSentry, api: Api) -> None:
    sentry.add_member("outside@acme.example", teams=())
    users = api("GET", "organizations/acme/users/?project=1").json()
    assert [(user["email"], user["projects"]) for user in users][1:] == [(ANN, ["fe"])]
    assert [team["slug"] for team in api("GET", "organizations/acme/teams/").json()] == ["frontend"]
    assert [project["id"] for project in api("GET", "organizations/acme/projects/").json()] == ["1"]


def test_the_same_comment_is_refused_for_an_hour() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with FakeSentry(clock=lambda: now[0]) as sentry:
        sentry.add_issue(issue_id="100")
        api, path = Api(sentry), "organizations/acme/issues/100/comments/"
        assert api("POST", path, {"text": "Looking"}).status_code == 201
        again = api("POST", path, {"text": "Looking"})
        assert (again.status_code, again.json()) == (
            400,
            {"detail": "You have already posted that comment."},
        )
        sentry.comment("100", "Looking")  # another person may post it too
        now[0] += timedelta(hours=1)
        assert api("POST", path, {"text": "Looking"}).status_code == 201
        assert len(api("GET", path).json()) == 3
        assert api("POST", path, {}).status_code == 400


def test_an_issue_has_one_link_of_an_integration(sentry: FakeSentry, api: Api) -> None:
    (installation,) = api("GET", "organizations/acme/sentry-app-installations/").json()
    path = f"sentry-app-installations/{installation['uuid']}/external-issues/"
    link = {"issueId": 100, "webUrl": "https://dev.azure.com/o/W/_workitems/edit/1", "project": "A&B"}
    first = api("POST", path, {**link, "identifier": "1"}).json()
    second = api("POST", path, {**link, "identifier": "2"}).json()
    assert first["id"] == second["id"]
    assert second["displayName"] == "A&amp;B#2"
    assert second["serviceType"] == installation["app"]["slug"]
    assert api("GET", "organizations/acme/issues/100/external-issues/").json() == [second]
    assert api.get(query="?expand=sentryAppIssues")["sentryAppIssues"] == [second]
    assert api("DELETE", f"{path}{second['id']}/").status_code == 204
    assert api("DELETE", f"{path}{second['id']}/").status_code == 404
    assert sentry.external_issues("100") == []
    assert api("POST", path, {**link, "identifier": 1}).json() == {"identifier": ["Not a valid string."]}
    unknown = api("POST", path, {**link, "issueId": 9, "identifier": "1"})
    assert (unknown.status_code, unknown.content) == (404, b"")


def test_an_issue_can_look_resolved_before_it_is(listening: FakeSentry, receiver: Receiver, api: Api) -> None:
    listening.auto_resolve("100")
    assert (api.get()["status"], api.get()["statusDetails"]) == ("resolved", {"autoResolved": True})
    assert api.put({"status": "unresolved"}).json()["status"] == "resolved"  # it is unresolved already
    api.put({"status": "resolved"})
    listening.hooks.drain()
    assert receiver.events == ["issue.resolved"]


# What goes wrong.


def test_the_rate_limit_is_five_a_second_for_each_method() -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    with FakeSentry(enforce_rate_limit=True, clock=lambda: now[0]) as sentry:
        sentry.add_issue(issue_id="100")
        api = Api(sentry)
        answers = [api("GET", "organizations/acme/issues/100/") for _ in range(6)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429]
        refused = answers[-1]
        assert refused.json()["detail"].endswith("Limit is 5 requests in 1 seconds")
        assert "Retry-After" not in refused.headers
        assert refused.headers["X-Sentry-Rate-Limit-Remaining"] == "0"
        assert refused.headers["X-Sentry-Rate-Limit-Reset"] == str(int(now[0].timestamp()) + 1)
        assert api.put({"status": "resolved"}).status_code == 200
        now[0] += timedelta(seconds=1)
        assert api.get()["status"] == "resolved"


def test_too_many_calls_at_once_are_refused() -> None:
    with FakeSentry(enforce_rate_limit=True, concurrent_limit=1) as sentry:
        sentry.add_issue(issue_id="100")
        api = Api(sentry)
        alone = api("GET", "organizations/acme/issues/100/")
        assert (alone.status_code, alone.headers["X-Sentry-Rate-Limit-ConcurrentRemaining"]) == (200, "0")
        sentry.hang_next(1)
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{api.base}organizations/acme/projects/", headers=api.headers, timeout=0.2)
        refused = api("GET", "organizations/acme/issues/100/")
        assert (refused.status_code, refused.json()["detail"][-22:]) == (429, "Concurrency limit is 1")
        assert refused.headers["X-Sentry-Rate-Limit-ConcurrentLimit"] == "1"


@pytest.mark.parametrize(("status", "kind"), [(429, "json"), (500, "json"), (502, "html"), (403, "json")])
def test_a_call_can_be_made_to_fail(sentry: FakeSentry, api: Api, status: int, kind: str) -> None:
    sentry.fail_next(1, status, method="PUT", path="*/issues/100/")
    assert api.get()["status"] == "unresolved"
    answer = api.put({"status": "resolved"})
    assert answer.status_code == status
    assert kind in answer.headers["Content-Type"]
    assert "X-Sentry-Rate-Limit-Reset" in answer.headers
    assert api.get()["status"] == "unresolved"
    assert api.put({"status": "resolved"}).status_code == 200
    assert sentry.calls[1] == ("PUT", "/api/0/organizations/acme/issues/100/", status)


def test_a_failure_can_bring_its_own_headers(sentry: FakeSentry, api: Api) -> None:
    sentry.fail_next(1, 503, {"Retry-After": "7"}, "<p>busy</p>")
    answer = api("GET", "organizations/acme/issues/100/")
    assert (answer.status_code, answer.headers["Retry-After"], answer.text) == (503, "7", "<p>busy</p>")


def test_a_connection_can_break_after_the_write(sentry: FakeSentry, api: Api) -> None:
    sentry.drop_next(1, method="PUT")
    with pytest.raises(requests.ConnectionError):
        api.put({"status": "resolved"})
    assert sentry.issue("100")["status"] == "resolved"


def test_a_call_can_hang_without_being_done(sentry: FakeSentry, api: Api) -> None:
    sentry.hang_next(1, method="PUT")
    with pytest.raises(requests.ReadTimeout):
        requests.put(
            f"{api.base}organizations/acme/issues/100/", json={}, headers=api.headers, timeout=(5, 0.1)
        )
    assert sentry.issue("100")["status"] == "unresolved"


# What hooks say, and when there is none.


Action = Callable[[FakeSentry], object]


@pytest.mark.parametrize(
    ("actions", "events"),
    [
        ([lambda s: s.resolve("100")], ["issue.resolved"]),
        ([lambda s: s.resolve("100"), lambda s: s.resolve("100")], ["issue.resolved"]),
        ([lambda s: s.resolve("100"), lambda s: s.unresolve("100")], ["issue.resolved", "issue.unresolved"]),
        ([lambda s: s.resolve("100"), lambda s: s.regress("100")], ["issue.resolved", "issue.unresolved"]),
        ([lambda s: s.archive("100"), lambda s: s.regress("100")], ["issue.ignored", "issue.unresolved"]),
        ([lambda s: s.archive("100"), lambda s: s.unarchive("100")], ["issue.ignored"]),
        ([lambda s: s.regress("100")], []),
        ([lambda s: s.unresolve("100")], []),
        ([lambda s: s.assign("100", ANN), lambda s: s.assign("100", ANN)], ["issue.assigned"]),
        ([lambda s: s.assign("100", ANN), lambda s: s.unassign("100")], ["issue.assigned"]),
        ([lambda s: s.assign_team("100", "frontend")], ["issue.assigned"]),
        ([lambda s: s.delete("100")], []),
        ([lambda s: s.add_issue()], ["issue.created"]),
        ([lambda s: s.add_issue(announce=False)], []),
        ([lambda s: s.edit_comment(s.comment("100", "a"), "b")], ["comment.created", "comment.updated"]),
        ([lambda s: s.delete_comment(s.comment("100", "a"))], ["comment.created", "comment.deleted"]),
        ([lambda s: s.send_hook("installation", "created", {})], ["installation.created"]),
    ],
)
def test_a_hook_is_sent_for_this_and_not_for_that(
    listening: FakeSentry, receiver: Receiver, actions: list[Action], events: list[str]
) -> None:
    for action in actions:
        action(listening)
    listening.hooks.drain()
    assert receiver.events == events


@pytest.mark.parametrize(
    ("modes", "events"),
    [
        (Modes(), ["resolved", "unresolved", "ignored"]),
        (
            Modes(resolved_again_sends_webhook=True),
            ["resolved", "resolved", "unresolved", "ignored"],
        ),
        (Modes(archived_action="archived"), ["resolved", "unresolved", "archived"]),
        (Modes(archived_action="both"), ["resolved", "unresolved", "ignored", "archived"]),
        (Modes(unresolved_sends_webhook=False), ["resolved", "ignored"]),
    ],
)
def test_versions_differ_in_what_they_send(
    listening: FakeSentry, receiver: Receiver, modes: Modes, events: list[str]
) -> None:
    listening.modes = modes
    listening.resolve("100")
    listening.resolve("100")
    listening.unresolve("100")
    listening.archive("100")
    listening.hooks.drain()
    assert [event.partition(".")[2] for event in receiver.events] == events


def test_a_hook_is_signed_over_the_bytes_it_sends(listening: FakeSentry, receiver: Receiver) -> None:
    listening.comment("100", "Grüße, <b>")
    listening.hooks.drain()
    (request,) = receiver.requests
    assert request.body.isascii()
    assert request.body == compact(json.loads(request.body))
    expected = hmac.new(listening.client_secret.encode(), request.body, hashlib.sha256).hexdigest()
    assert request.headers["Sentry-Hook-Signature"] == expected
    assert len(request.headers["Request-ID"]) == 32
    assert request.headers["Sentry-Hook-Timestamp"].isdigit()
    assert request.path.endswith("/webhook?code=x")


def test_of_many_at_once_one_resolves(listening: FakeSentry, receiver: Receiver, api: Api) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(api.put, [{"status": "resolved"}] * 16))
    listening.hooks.drain()
    assert {answer.status_code for answer in answers} == {200}
    assert receiver.events == ["issue.resolved"]
    assert len(listening.calls) == 16


@pytest.mark.parametrize("actor", [ANN, SENTRY, APPLICATION])
def test_a_hook_says_who_did_it(listening: FakeSentry, receiver: Receiver, actor: Any) -> None:
    listening.resolve("100", actor=actor)
    listening.hooks.drain()
    assert (
        receiver.last["actor"]
        == {
            ANN: {"type": "user", "id": 2, "name": "Ann Archer"},
            SENTRY: {"type": "application", "id": "sentry", "name": "Sentry"},
            APPLICATION: {
                "type": "application",
                "id": listening.integration.uuid,
                "name": listening.integration.name,
            },
        }[actor]
    )


def test_our_own_write_comes_back_as_ours(listening: FakeSentry, receiver: Receiver, api: Api) -> None:
    listening.add_release("fe")
    api.put({"status": "resolved", "statusDetails": {"inNextRelease": True}})
    listening.hooks.drain()
    assert receiver.last["actor"]["id"] == listening.integration.uuid
    assert receiver.last["data"]["resolution_type"] == "in_next_release"


def test_a_hook_shows_the_issue_as_it_is_when_sent(listening: FakeSentry, receiver: Receiver) -> None:
    with listening.hooks.held():
        listening.resolve("100")
        listening.unresolve("100")
        listening.assign("100", ANN)
    listening.hooks.drain()
    first = json.loads(receiver.requests[0].body)
    assert (first["action"], first["data"]["issue"]["status"]) == ("resolved", "unresolved")
    assert first["data"]["issue"]["assignedTo"]["email"] == ANN
    assert receiver.last["data"]["assignee"] == {"type": "user", "id": 2, "name": "Ann Archer", "email": ANN}


def test_a_hook_for_what_was_deleted_meanwhile_is_not_sent(listening: FakeSentry, receiver: Receiver) -> None:
    with listening.hooks.held():
        listening.resolve("100")
        listening.delete("100")
    listening.hooks.drain()
    assert receiver.requests == []
    assert [delivery.outcome for delivery in listening.deliveries] == ["issue-gone"]


def test_only_created_has_urls_unless_sentry_is_new(listening: FakeSentry, receiver: Receiver) -> None:
    listening.add_issue(issue_id="200")
    listening.resolve("200")
    listening.hooks.drain()
    listening.modes = Modes(urls_on_all_actions=True)
    listening.unresolve("200")
    listening.hooks.drain()
    issues = [json.loads(request.body)["data"]["issue"] for request in receiver.requests]
    assert ["web_url" in issue for issue in issues] == [True, False, True]
    assert [issue["firstSeen"][-6:] == "+00:00" for issue in issues] == [True, False, False]


def test_resolving_an_unassigned_issue_may_assign_it(listening: FakeSentry, receiver: Receiver) -> None:
    listening.add_member("keen@acme.example", assigns_self_on_resolve=True)
    listening.resolve("100", actor="keen@acme.example")
    listening.hooks.drain()
    assert receiver.events == ["issue.resolved", "issue.assigned"]


@pytest.mark.parametrize(
    ("status", "outcome"), [(202, "delivered"), (302, "delivered"), (404, "refused"), (503, "refused")]
)
def test_a_hook_is_sent_once_and_follows_nowhere(
    listening: FakeSentry, receiver: Receiver, status: int, outcome: str
) -> None:
    receiver.status = status
    receiver.headers = {"Location": receiver.url}
    listening.resolve("100")
    listening.hooks.drain()
    assert len(receiver.requests) == 1
    (delivery,) = listening.deliveries
    assert (delivery.outcome, delivery.status) == (outcome, status)


def test_a_slow_receiver_loses_the_hook(receiver: Receiver) -> None:
    with FakeSentry(webhook_url=receiver.url, webhook_timeout=0.1) as sentry:
        sentry.add_issue(announce=False, issue_id="100")
        receiver.wait.clear()
        sentry.resolve("100")
        sentry.hooks.drain()
        assert [delivery.outcome for delivery in sentry.deliveries] == ["timeout"]


def test_hooks_are_lost_doubled_delayed_and_reordered_as_ordered(
    listening: FakeSentry, receiver: Receiver
) -> None:
    listening.weather = Weather(loss=1.0)
    listening.resolve("100")
    listening.hooks.drain()
    assert receiver.events == []
    listening.weather = Weather(duplication=1.0, delay=0.02)
    listening.unresolve("100")
    listening.hooks.drain()
    assert receiver.events == ["issue.unresolved", "issue.unresolved"]
    assert receiver.requests[0].headers["Request-ID"] == receiver.requests[1].headers["Request-ID"]
    receiver.requests.clear()
    listening.weather = Weather(reorder=0.3)
    for number in range(8):
        listening.comment("100", str(number))
    listening.hooks.drain()
    said = [json.loads(request.body)["data"]["comment"] for request in receiver.requests]
    assert sorted(said) == [str(number) for number in range(8)] != said


def shape(value: object) -> object:
    """Keep the keys and drop what they hold."""
    return {key: shape(child) for key, child in value.items()} if isinstance(value, dict) else None


@pytest.mark.parametrize(
    ("payload", "action"),
    [
        ("issue.resolved", lambda s: s.resolve("100")),
        ("issue.ignored", lambda s: s.archive("100")),
        ("issue.assigned.user", lambda s: s.assign("100", ANN)),
        ("issue.assigned.team", lambda s: s.assign_team("100", "frontend")),
        ("issue.created", lambda s: s.add_issue()),
        ("comment.created", lambda s: s.comment("100", "hello")),
    ],
)
def test_the_payload_files_have_the_shape_of_what_is_sent(
    listening: FakeSentry, receiver: Receiver, payload: str, action: Action
) -> None:
    action(listening)
    listening.hooks.drain()
    written = json.loads((PAYLOADS / f"{payload}.json").read_text(encoding="utf-8"))
    assert shape(comparable(written)) == shape(comparable(receiver.last))


def comparable(body: dict[str, Any]) -> dict[str, Any]:
    """Drop what differs from issue to issue and from version to version."""
    for loose in ("metadata", "assignedTo", "seerFixabilityScore"):
        body["data"].get("issue", {}).pop(loose, None)
    return body


# What the form asks, and what becomes of the answer.


def test_options_are_asked_with_a_signature_of_nothing(listening: FakeSentry, receiver: Receiver) -> None:
    receiver.answer = [{"value": "31", "label": "(31) Fix login"}]
    found = listening.load_options("/api/x/options", query="log in", dependent={"project": "p1"})
    assert found == receiver.answer
    (request,) = receiver.requests
    assert request.path == (
        f"/api/x/options?installationId={listening.integration.installation_uuid}&projectSlug=fe"
        "&query=log+in&dependentData=%7B%22project%22%3A+%22p1%22%7D"
    )
    assert request.headers["Sentry-App-Signature"] == sign(listening.client_secret, b"")


def test_a_submitted_form_becomes_the_issues_link(listening: FakeSentry, receiver: Receiver) -> None:
    receiver.answer = {"webUrl": "https://dev.azure.com/o/W/_workitems/edit/31", "project": "W"}
    with pytest.raises(ComponentFailed, match="Invalid response format"):
        listening.submit("/api/x/link", "100", {"work_item": "31"})
    receiver.answer = {**receiver.answer, "identifier": "31"}
    link = listening.submit("/api/x/link", "100", {"work_item": "31"}, actor=ANN)
    assert listening.external_issues("100") == [link]
    assert link["displayName"] == "W#31"
    request = receiver.requests[-1]
    assert request.headers["Sentry-App-Signature"] == sign(listening.client_secret, request.body)
    assert receiver.last == {
        "fields": {"work_item": "31"},
        "issueId": 100,
        "installationId": listening.integration.installation_uuid,
        "webUrl": f"{listening.url}/organizations/acme/issues/100/",
        "project": {"slug": "fe", "id": 1},
        "actor": {"type": "user", "id": 2, "name": "Ann Archer"},
    }


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (200, {}, "Missing `value` or `label`"),
        (200, [{"value": 31, "label": "x"}], "Missing `value` or `label`"),
        (400, {"message": "Choose a project"}, "Choose a project"),
        (500, [], "HTTP 500"),
    ],
)
def test_a_bad_answer_is_what_the_form_shows(
    listening: FakeSentry, receiver: Receiver, status: int, answer: object, message: str
) -> None:
    receiver.status, receiver.answer = status, answer
    with pytest.raises(ComponentFailed, match=message):
        listening.load_options("/api/x/options")


# The page, and the program.


def test_the_page_shows_and_does(listening: FakeSentry, receiver: Receiver) -> None:
    listening.add_issue("<script>alert(1)</script>", issue_id="200", announce=False)
    receiver.answer = [{"value": "p<1>", "label": "<i>Web</i>"}]
    listening.issues.link("100", "x", web_url="javascript:alert(1)", project="<b>", identifier="1")
    home = requests.get(listening.url, timeout=5)
    assert "<script>" not in home.text
    assert "&lt;script&gt;" in home.text
    assert "javascript:" not in home.text
    for verb, form in (("resolve", {}), ("assign", {"to": "user:2"}), ("comment", {"text": "<u>hm</u>"})):
        answer = requests.post(f"{listening.url}/act/{verb}/100", data=form, timeout=5)
        assert (answer.status_code, answer.url) == (200, f"{listening.url}/")
    listening.hooks.drain()
    assert listening.issue("100")["assignedTo"]["name"] == "Ann Archer"
    assert "issue.resolved" in requests.get(listening.url, timeout=5).text
    detail = requests.get(f"{listening.issue('100')['permalink']}?project=p<1>", timeout=5).text
    assert "&lt;u&gt;hm" in detail
    assert "&lt;i&gt;Web" in detail
    assert receiver.requests[-1].path.startswith("/api/sentry/fabrikam/options/work-items?")
    refused = requests.post(f"{listening.url}/act/assign/100", data={"to": "user:99"}, timeout=5)
    assert "User does not exist" in refused.text


def test_the_page_links_a_work_item(listening: FakeSentry, receiver: Receiver) -> None:
    receiver.answer = {
        "webUrl": "https://dev.azure.com/o/W/_workitems/edit/31",
        "project": "W",
        "identifier": "31",
    }
    form = {"project": "p1", "work_item": "31"}
    requests.post(f"{listening.url}/link/link/100", data=form, timeout=5, allow_redirects=False)
    assert receiver.requests[0].path == "/api/sentry/fabrikam/issue-link/link"
    assert receiver.last["fields"] == form
    assert len(listening.external_issues("100")) == 1


def test_a_person_is_refused_as_a_token_is(sentry: FakeSentry) -> None:
    sentry.add_member("outside@acme.example", teams=())
    with pytest.raises(Refused, match="non-team member"):
        sentry.assign("100", "outside@acme.example")


def test_the_program_says_where_it_listens() -> None:
    command = [sys.executable, "-m", "simulator.sentry", "--port", "0", "--token", "t", "--organization", "o"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        url = program.stdout.readline().removeprefix("listening on ").strip()
        answer = requests.get(
            f"{url}/api/0/organizations/o/issues/?project=-1",
            headers={"Authorization": "Bearer t"},
            timeout=5,
        )
        program.terminate()
    assert len(answer.json()) == 3
