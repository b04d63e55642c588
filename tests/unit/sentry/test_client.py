"""What the Sentry client sends for each call, and how it reads the answers that a fake never gives."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    OrganizationGone,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    Assignee,
    FoundIssues,
    IssueStatus,
    Person,
    ResolveIn,
    SentryEvent,
    SentryIssue,
    Stranger,
)
from shared.http import BackOff, Presence, new_session
from shared.sentry.client import BearerAuth, MemberCache, SentryClient
from shared.sentry.comments import note_of
from tests.doubles.clock import Clock

SENTRY = "https://sentry.io/"
POLICY = AddressPolicy(trusted_hosts=frozenset({"errors.corp.example"}))
BASE = f"{SENTRY}api/0/organizations/acme/"
ISSUE_URL = f"{BASE}issues/100/"
MEMBERS_URL = f"{BASE}members/"
ANN = Person("ann@acme.example")

Json = dict[str, Any]

ISSUE_JSON: Json = {
    "id": "100",
    "status": "unresolved",
    "assignedTo": {"type": "user", "id": "7", "name": "Ann", "email": "Ann@acme.example"},
    "title": "TypeError",
    "permalink": "https://acme.sentry.io/issues/100/",
    "project": {"id": "1", "slug": "fe"},
    "level": "error",
}
ISSUE = SentryIssue(
    issue_id="100",
    status=IssueStatus.UNRESOLVED,
    assignee=ANN,
    title="TypeError",
    permalink="https://acme.sentry.io/issues/100/",
    project_slug="fe",
    level="error",
)
HOME = {"email": "ann@home.example", "is_verified": True}
MEMBER_JSON: Json = {
    "id": "5002",
    "email": "ann@acme.example",
    "user": {"id": "7", "email": "ann@acme.example", "emails": [HOME]},
}


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def sentry(clock: Clock) -> Iterator[SentryClient]:
    with new_session(POLICY) as session:
        yield SentryClient(SENTRY, "acme", session, BearerAuth("token"), BackOff(), MemberCache(clock))


def sent(vendor: responses.RequestsMock, index: int = -1) -> tuple[str, str, list[tuple[str, str]], Any]:
    """Return method, URL without its query, the query, and the body of a request."""
    request = vendor.calls[index].request
    assert request.method is not None
    assert request.url is not None
    url = urlsplit(request.url)
    body = None if request.body is None else json.loads(request.body)
    return request.method, f"{url.scheme}://{url.netloc}{url.path}", parse_qsl(url.query), body


# What is sent


def test_an_issue_is_asked_for_without_its_heavy_parts(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUE_URL, json=ISSUE_JSON)
    assert sentry.get_issue("100") == ISSUE
    light = [("collapse", "release"), ("collapse", "tags"), ("collapse", "stats")]
    assert sent(vendor) == ("GET", ISSUE_URL, light, None)


def test_every_call_carries_the_token_and_asks_for_json(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUE_URL, json=ISSUE_JSON)
    sentry.get_issue("100")
    headers = vendor.calls[0].request.headers
    assert (headers["Authorization"], headers["Accept"]) == ("Bearer token", "application/json")


@pytest.mark.parametrize("status", IssueStatus)
def test_a_status_is_put_by_its_own_word(
    vendor: responses.RequestsMock, sentry: SentryClient, status: IssueStatus
) -> None:
    vendor.put(ISSUE_URL, json={**ISSUE_JSON, "status": status.value})
    assert sentry.set_status("100", status).status is status
    # Whatever happens again, it stays in the archive.
    details = {"substatus": "archived_forever"} if status is IssueStatus.IGNORED else {}
    assert sent(vendor) == ("PUT", ISSUE_URL, [], {"status": status.value, **details})


@pytest.mark.parametrize(
    ("resolve_in", "details"),
    [
        (ResolveIn.NOW, {}),
        (ResolveIn.NEXT_RELEASE, {"statusDetails": {"inNextRelease": True}}),
        (ResolveIn.CURRENT_RELEASE, {"statusDetails": {"inRelease": "latest"}}),
    ],
)
def test_an_issue_is_resolved_in_the_release_that_is_wanted(
    vendor: responses.RequestsMock, sentry: SentryClient, resolve_in: ResolveIn, details: dict[str, Any]
) -> None:
    vendor.put(ISSUE_URL, json={**ISSUE_JSON, "status": "resolved"})
    sentry.set_status("100", IssueStatus.RESOLVED, resolve_in)
    assert sent(vendor) == ("PUT", ISSUE_URL, [], {"status": "resolved", **details})


def test_nobody_is_put_as_an_empty_text(vendor: responses.RequestsMock, sentry: SentryClient) -> None:
    vendor.put(ISSUE_URL, json={**ISSUE_JSON, "assignedTo": None})
    assert sentry.set_assignee("100", None).assignee is None
    assert sent(vendor) == ("PUT", ISSUE_URL, [], {"assignedTo": ""})
    assert len(vendor.calls) == 1


@pytest.mark.parametrize("email", ["ann@acme.example", "ann@home.example"])
def test_a_person_is_looked_up_by_address_and_put_by_the_user_s_id(
    vendor: responses.RequestsMock, sentry: SentryClient, email: str
) -> None:
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    assert sentry.set_assignee("100", Person(email)) == ISSUE
    assert sent(vendor, 0) == ("GET", MEMBERS_URL, [("query", f"email:{email}")], None)
    assert sent(vendor, 1) == ("PUT", ISSUE_URL, [], {"assignedTo": "user:7"})


@pytest.mark.parametrize(
    ("assignee", "members", "look_ups"),
    [
        (None, [], 0),
        (ANN, [MEMBER_JSON], 1),
        # Of two accounts, the issue's project tells which one is meant.
        (ANN, [MEMBER_JSON, {**MEMBER_JSON, "user": {**MEMBER_JSON["user"], "id": "8"}}], 3),
    ],
)
@pytest.mark.parametrize("is_too_late", [False, True])
def test_a_write_begins_when_it_is_known_who_is_meant(
    vendor: responses.RequestsMock,
    sentry: SentryClient,
    assignee: Person | None,
    members: list[Json],
    look_ups: int,
    is_too_late: bool,
) -> None:
    vendor.assert_all_requests_are_fired = False
    vendor.get(MEMBERS_URL, json=members)
    vendor.get(ISSUE_URL, json=ISSUE_JSON)
    vendor.get(f"{SENTRY}api/0/projects/acme/fe/members/", json=members[:1])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    before = list[int]()

    def begin(_: Assignee) -> None:
        before.append(len(vendor.calls))
        if is_too_late:
            raise Conflict("too late")

    if is_too_late:
        with pytest.raises(Conflict):
            sentry.set_assignee("100", assignee, begin)
    else:
        sentry.set_assignee("100", assignee, begin)
    assert before == [look_ups]
    methods = [each.request.method for each in vendor.calls]
    assert methods == ["GET"] * look_ups + ["PUT"] * (not is_too_late)


ODD = ["", " ", ".", "..", "a/../b", "%252e%252e", "a\nb", "x" * 600]


@pytest.mark.parametrize("project", [None, {}, "fe", 7, {"slug": 7}, *({"slug": each} for each in ODD)])
def test_a_project_that_fits_no_path_is_no_answer_and_nobody_is_put(
    vendor: responses.RequestsMock, sentry: SentryClient, project: object
) -> None:
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON, {**MEMBER_JSON, "user": {**MEMBER_JSON["user"], "id": "8"}}])
    vendor.get(ISSUE_URL, json={**ISSUE_JSON, "project": project})
    with pytest.raises(Unavailable) as raised:
        sentry.set_assignee("100", ANN)
    assert raised.value.detail == "the project of issue 100 cannot be read"


@pytest.mark.parametrize("odd", ODD)
def test_no_answer_makes_a_client_say_that_its_caller_is_wrong(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: str
) -> None:
    """Whoever puts a name of an answer into a path without a look at it drops a change in silence."""
    vendor.assert_all_requests_are_fired = False
    entry = {"id": odd, "serviceType": odd, "displayName": odd, "webUrl": odd}
    issue = {**ISSUE_JSON, "project": {"slug": odd}, "shortId": odd, "permalink": odd}
    answers: dict[str, object] = {
        "/members/": [{**MEMBER_JSON, "user": {"id": each, "email": ANN.email}} for each in (odd, "7", "8")],
        "/issues/100/events/latest/": {"eventID": odd, "release": odd},
        "/issues/100/comments/": [{"id": odd, "user": {"name": odd}, "data": {"text": odd}}],
        "/issues/100/": {**issue, "sentryAppIssues": [entry]},
        "/issues/": [{**issue, "id": odd}, issue],
        "/sentry-app-installations/": [{"uuid": odd, "app": {"slug": odd}}],
        "/sentry-apps/": [{"name": odd, "slug": odd}],
        "/shortids/FE-1/": {"groupId": odd},
        "/organizations/acme/": {"id": odd},
    }
    for end, answer in answers.items():
        vendor.get(re.compile(rf".*{end}(\?.*)?\Z"), json=answer)
    calls: list[Callable[[], object]] = [
        lambda: sentry.set_assignee("100", ANN),
        lambda: sentry.get_issue_with_entries("100"),
        lambda: sentry.put_entry("100", "https://a.example/", "p", "31"),
        lambda: sentry.find_issues(["100"]),
        lambda: sentry.linked_issues(None),
        lambda: sentry.find_comment("100", "https://a.example/"),
        lambda: (event := sentry.latest_event("100")).id and sentry.event_url("100", event.id),
        lambda: sentry.find_issue_id("FE-1"),
        lambda: sentry.addresses_under("Ann"),
        sentry.integrations,
        sentry.organization_id,
    ]
    for call in calls:
        try:
            call()
        except SyncError as error:
            assert not isinstance(error, Rejected), error  # noqa: PT017  # any other is as good as none


@pytest.mark.parametrize(
    ("odd", "release"),
    [
        ({}, "9"),
        ({"release": {"version": "10"}}, "10"),
        ({"release": "11"}, "11"),
        ({"release": {"version": 7}}, "9"),
        ({"release": []}, "9"),
        ({"tags": [None, {"key": "release", "value": 5}, {"key": "environment", "value": "prod"}]}, ""),
    ],
)
def test_what_is_odd_of_an_event_is_not_told(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Json, release: str
) -> None:
    tags = [{"key": "release", "value": "9"}, {"key": "environment", "value": "prod"}]
    vendor.get(f"{ISSUE_URL}events/latest/", json={"eventID": "a" * 32, "tags": tags, **odd})
    assert sentry.latest_event("100") == SentryEvent("a" * 32, release, "prod")


@pytest.mark.parametrize("odd", [{"eventID": 5}, {"eventID": "x y"}, {"tags": {"release": "9"}}])
def test_an_event_may_tell_nothing(vendor: responses.RequestsMock, sentry: SentryClient, odd: Json) -> None:
    vendor.get(f"{ISSUE_URL}events/latest/", json=odd)
    assert sentry.latest_event("100") == SentryEvent()


@pytest.mark.parametrize(
    ("scopes", "known"), [(["org:read", None, 5], {"org:read"}), ([], set()), (None, None)]
)
def test_an_odd_scope_hides_no_other(
    vendor: responses.RequestsMock, sentry: SentryClient, scopes: Any, known: set[str] | None
) -> None:
    vendor.get(f"{SENTRY}api/0/", json={"auth": {"scopes": scopes}})
    assert sentry.scopes() == known


def test_what_is_kept_of_an_issue_has_a_length(vendor: responses.RequestsMock, sentry: SentryClient) -> None:
    long = "x" * 300_000  # more than a row of the table takes
    assigned = {"type": "user", "id": long, "email": f"{long}@acme.example"}
    vendor.get(ISSUE_URL, json={**ISSUE_JSON, "assignedTo": assigned, "shortId": long})
    issue = sentry.get_issue("100")
    assert (issue.assignee, issue.short_id) == (Stranger("assignee-unreadable", "x" * 254), "")


def test_an_address_with_a_plus_arrives_whole(vendor: responses.RequestsMock, sentry: SentryClient) -> None:
    email = "ann+errors@acme.example"
    vendor.get(MEMBERS_URL, json=[{**MEMBER_JSON, "user": {"id": "7", "email": email}}])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    sentry.set_assignee("100", Person(email))
    assert sent(vendor, 0)[2] == [("query", f"email:{email}")]


@pytest.mark.parametrize(
    ("organization", "issue_id", "path"),
    [
        ("a/c?m#e", "100", "a%2Fc%3Fm%23e/issues/100/"),
    ],
)
def test_a_name_cannot_change_the_path(
    vendor: responses.RequestsMock, organization: str, issue_id: str, path: str
) -> None:
    vendor.get(f"{SENTRY}api/0/organizations/{path}", json=ISSUE_JSON)
    with new_session(POLICY) as session:
        client = SentryClient(SENTRY, organization, session, BearerAuth("t"), BackOff(), MemberCache())
        assert client.get_issue(issue_id) == ISSUE


def test_a_self_hosted_sentry_may_live_below_a_path(vendor: responses.RequestsMock) -> None:
    base = "https://errors.corp.example/sentry/"
    vendor.get(f"{base}api/0/organizations/acme/issues/100/", json=ISSUE_JSON)
    with new_session(POLICY) as session:
        client = SentryClient(base, "acme", session, BearerAuth("t"), BackOff(), MemberCache())
        assert client.get_issue("100") == ISSUE


# Who is who


@pytest.mark.parametrize(
    ("members", "is_found"),
    [
        ([MEMBER_JSON], True),
        ([{**MEMBER_JSON, "email": "ANN@ACME.EXAMPLE", "user": {"id": "7"}}], True),
        ([{"id": "5002", "user": {"id": "7", "email": "Ann@Acme.Example"}}], True),
        (
            [
                {
                    "id": "5002",
                    "user": {"id": "7", "emails": [{"email": "ann@acme.example", "is_verified": True}]},
                }
            ],
            True,
        ),
        ([{"id": "1", "email": "bob@acme.example", "user": {"id": "9"}}, MEMBER_JSON], True),
        ([], False),
        # An invitation that nobody has accepted yet.
        ([{**MEMBER_JSON, "user": None}], False),
        # A search that is less exact than ours.
        ([{"id": "1", "email": "joann@acme.example", "user": {"id": "9", "emails": []}}], False),
        ([{**MEMBER_JSON, "email": None, "user": {"id": "7", "email": None, "emails": None}}], False),
    ],
)
def test_only_a_user_who_has_exactly_this_address_is_assigned(
    vendor: responses.RequestsMock, sentry: SentryClient, members: Any, is_found: bool
) -> None:
    vendor.get(MEMBERS_URL, json=members)
    if is_found:
        vendor.put(ISSUE_URL, json=ISSUE_JSON)
        sentry.set_assignee("100", ANN)
        assert sent(vendor)[3] == {"assignedTo": "user:7"}
        return
    with pytest.raises(Refused, match="nobody in the organization"):
        sentry.set_assignee("100", ANN)


def test_a_person_is_looked_up_once_in_ten_minutes(
    vendor: responses.RequestsMock, sentry: SentryClient, clock: Clock
) -> None:
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    for passed, calls in ((0, 2), (599, 3), (1, 5)):
        clock.now += passed
        sentry.set_assignee("100", ANN)
        assert len(vendor.calls) == calls


def test_somebody_who_was_not_known_is_looked_up_again_at_once(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(MEMBERS_URL, json=[])
    with pytest.raises(Refused):
        sentry.set_assignee("100", ANN)
    vendor.replace(responses.GET, MEMBERS_URL, json=[MEMBER_JSON])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    assert sentry.set_assignee("100", ANN) == ISSUE


def test_two_sentrys_with_one_organization_name_do_not_share_their_members(
    vendor: responses.RequestsMock,
) -> None:
    members = MemberCache()
    for number, base in enumerate((SENTRY, "https://errors.corp.example/")):
        api = f"{base}api/0/organizations/sentry/"
        vendor.get(f"{api}members/", json=[{**MEMBER_JSON, "user": {"id": str(number)}}])
        vendor.put(f"{api}issues/100/", json=ISSUE_JSON)
        with new_session(POLICY) as session:
            client = SentryClient(base, "sentry", session, BearerAuth("t"), BackOff(), members)
            client.set_assignee("100", ANN)
        assert sent(vendor)[3] == {"assignedTo": f"user:{number}"}


# How answers are read


@pytest.mark.parametrize(
    ("assigned_to", "assignee"),
    [
        (None, None),
        ({"type": "user", "id": "7", "email": "ANN@acme.example"}, ANN),
        ({"type": "actortype.user", "id": "7", "email": "ann@acme.example"}, ANN),
        ({"type": "team", "id": "45", "name": "frontend"}, Stranger("team-assignee", "45")),
        ({"type": "actortype.team", "id": "45"}, Stranger("team-assignee", "45")),
        ({"type": "Team", "id": 45}, Stranger("team-assignee", "45")),
        # Enhanced privacy leaves addresses out.
        ({"type": "user", "id": "7", "name": "Ann"}, Stranger("assignee-unreadable", "7")),
        ({"type": "user", "id": "7", "email": ""}, Stranger("assignee-unreadable", "7")),
        ({"id": "7"}, Stranger("assignee-unreadable", "7")),
    ],
)
def test_an_assignee_is_a_person_nobody_or_a_stranger(
    vendor: responses.RequestsMock, sentry: SentryClient, assigned_to: Any, assignee: Assignee
) -> None:
    vendor.get(ISSUE_URL, json={**ISSUE_JSON, "assignedTo": assigned_to})
    assert sentry.get_issue("100").assignee == assignee


def test_an_issue_may_come_without_what_is_only_for_people(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUE_URL, json={"id": 100, "status": "resolved", "title": None, "project": None})
    assert sentry.get_issue("100") == SentryIssue("100", IssueStatus.RESOLVED, None, "", "", "")


def test_an_issue_that_was_merged_comes_under_its_new_id(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUE_URL, json={**ISSUE_JSON, "id": "200"})
    assert sentry.get_issue("100").issue_id == "200"


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "text",
        {},
        {**ISSUE_JSON, "status": None},
        {**ISSUE_JSON, "status": "pending_merge"},
        {**ISSUE_JSON, "status": "reprocessing"},
        {**ISSUE_JSON, "assignedTo": "user:7"},
        {**ISSUE_JSON, "id": "../100"},
        {**ISSUE_JSON, "id": True},
        {**ISSUE_JSON, "id": 10**40},
        {**ISSUE_JSON, "assignedTo": {"email": 5}},
    ],
)
@pytest.mark.parametrize(
    "call",
    [lambda sentry: sentry.get_issue("100"), lambda sentry: sentry.set_status("100", IssueStatus.RESOLVED)],
)
def test_an_answer_that_is_not_an_issue_is_no_usable_answer(
    vendor: responses.RequestsMock, sentry: SentryClient, call: Callable[[SentryClient], Any], content: Any
) -> None:
    vendor.assert_all_requests_are_fired = False
    vendor.get(ISSUE_URL, json=content)
    vendor.put(ISSUE_URL, json=content)
    with pytest.raises(Unavailable):
        call(sentry)


def test_a_comment_is_found_among_an_issue_s_comments(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    comments = [
        {"id": "502", "data": {"text": "later"}, "user": {"name": "Bob"}},
        {"id": "501", "data": {"text": "seen <again>"}, "user": {"name": "Ann"}},
    ]
    vendor.get(f"{ISSUE_URL}comments/", json=comments)
    comment = sentry.get_comment("100", "501")
    assert (comment.author, comment.text) == ("Ann", "seen <again>")
    assert sent(vendor) == ("GET", f"{ISSUE_URL}comments/", [], None)


@pytest.mark.parametrize("comments", [[], [{"id": "502", "data": {"text": "later"}}]])
def test_a_comment_that_was_deleted_is_not_found(
    vendor: responses.RequestsMock, sentry: SentryClient, comments: Any
) -> None:
    vendor.get(f"{ISSUE_URL}comments/", json=comments)
    with pytest.raises(NotFound) as raised:
        sentry.get_comment("100", "501")
    assert raised.value.kind == "comment-not-found"


@pytest.mark.parametrize("comment", [{"id": 501}, {"id": "501", "user": None}])
def test_a_comment_without_an_author_is_somebody_s(
    vendor: responses.RequestsMock, sentry: SentryClient, comment: Json
) -> None:
    vendor.get(f"{ISSUE_URL}comments/", json=[{**comment, "data": {"text": "hi"}}])
    found = sentry.get_comment("100", "501")
    assert (found.author, found.text) == ("Somebody", "hi")


# Many at once

ISSUES_URL = f"{BASE}issues/"


def test_many_issues_are_asked_for_by_id_in_all_projects_without_heavy_parts(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUES_URL, json=[ISSUE_JSON])
    assert sentry.find_issues(["101", "100", "101"]) == FoundIssues({"100": ISSUE})
    query = [
        ("group", "100"),
        ("group", "101"),
        ("project", "-1"),
        ("collapse", "stats"),
        ("expand", "sentryAppIssues"),
    ]
    assert sent(vendor) == ("GET", ISSUES_URL, query, None)


def test_no_issues_cost_no_call(vendor: responses.RequestsMock, sentry: SentryClient) -> None:
    assert sentry.find_issues([]) == FoundIssues({})
    assert len(vendor.calls) == 0


@pytest.mark.parametrize("odd", [5, [], {"a": 1}, True])
@pytest.mark.parametrize(
    "part",
    [
        "title",
        "permalink",
        "level",
        "shortId",
        "substatus",
        "integrationIssues",
        "activity",
        "count",
        "project",
    ],
)
def test_what_only_people_read_of_an_issue_keeps_it_from_nobody(
    vendor: responses.RequestsMock, sentry: SentryClient, part: str, odd: Any
) -> None:
    vendor.get(ISSUE_URL, json={**ISSUE_JSON, part: odd})
    issue = sentry.get_issue("100")
    assert (issue.issue_id, issue.side, issue.hides_entries) == ("100", ISSUE.side, False)
    names = (issue.title, issue.permalink, issue.level, issue.short_id, issue.substatus, issue.project_slug)
    assert all(isinstance(each, str) for each in names)


ENTRY = {"id": "7", "serviceType": "azure", "displayName": "A#31", "webUrl": "https://dev.azure.com/31"}


LINK = {"key": 31, "integrationKey": "vsts", "integrationName": "fabrikam"}


@pytest.mark.parametrize(
    ("links", "read", "hides"),
    [
        (None, 0, False),
        ([], 0, False),
        ([LINK], 1, False),
        ([None, LINK], 1, True),
        ([LINK, {**LINK, "key": []}], 1, True),
        ({}, 0, True),
        ("", 0, True),
    ],
)
def test_an_odd_link_of_an_integration_hides_no_other_and_is_noticed(
    vendor: responses.RequestsMock, sentry: SentryClient, links: Any, read: int, hides: bool
) -> None:
    vendor.get(ISSUES_URL, json=[{**ISSUE_JSON, "integrationIssues": links}, {"id": "odd"}])
    page = sentry.linked_issues(None)
    [issue] = page.issues
    assert (len(issue.integration_issues), issue.hides_integration_issues) == (read, hides)
    assert page.unreadable == 1


@pytest.mark.parametrize(
    ("entries", "read", "hides"),
    [
        (None, 0, False),
        ([], 0, False),
        ([ENTRY], 1, False),
        ([None, ENTRY], 1, True),
        ([ENTRY, {**ENTRY, "id": None}], 1, True),
        ([{**ENTRY, "webUrl": 5}], 0, True),
        ({}, 0, True),
        ("", 0, True),
    ],
)
def test_an_odd_entry_keeps_its_issue_from_nobody_and_is_not_taken_for_gone(
    vendor: responses.RequestsMock, sentry: SentryClient, entries: Any, read: int, hides: bool
) -> None:
    row = {**ISSUE_JSON, "sentryAppIssues": entries}
    vendor.get(ISSUES_URL, json=[row])
    vendor.get(ISSUE_URL, json=row)
    issue = sentry.find_issues(["100"]).found["100"]
    assert (len(issue.external_issues), issue.hides_entries) == (read, hides)
    if hides:
        with pytest.raises(Unavailable, match="the entries of issue 100 cannot be read"):
            sentry.get_issue_with_entries("100")
    else:
        assert sentry.get_issue_with_entries("100") == issue


ODD_MEMBERS: list[Any] = [
    None,
    5,
    {"user": {"id": {}}},
    {"email": 5},
    {"user": {"id": 9, "emails": {"email": "x"}}},
    {"user": {}},
    {"user": {"id": ""}},
]
# Whether this one has verified the address, nobody can read.
SECRETIVE = {"email": "ann@acme.example", "user": {"id": "8", "email": "a@acme.example", "emails": [None]}}


@pytest.mark.parametrize("odd", ODD_MEMBERS)
def test_an_odd_member_hides_no_other(vendor: responses.RequestsMock, sentry: SentryClient, odd: Any) -> None:
    vendor.get(MEMBERS_URL, json=[odd, MEMBER_JSON])
    assert sentry.is_member("ann@acme.example")
    assert sentry.addresses_under("Ann") == []


@pytest.mark.parametrize("odd", ODD_MEMBERS)
def test_nobody_is_said_to_be_unknown_who_may_be_the_one_that_cannot_be_read(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    vendor.get(MEMBERS_URL, json=[odd])
    with pytest.raises(Unavailable):
        sentry.set_assignee("100", ANN)


@pytest.mark.parametrize("odd", [*ODD_MEMBERS, SECRETIVE])
def test_nobody_is_meant_beside_one_who_may_be_the_one_and_cannot_be_read(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    """Who is meant is not kept either: with the next answer it may be clear."""
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON, odd])
    for _ in range(2):
        with pytest.raises(Unavailable, match="1 members who may be meant"):
            sentry.set_assignee("100", ANN)
    with pytest.raises(Unavailable):
        sentry.addresses_of("ann@acme.example")
    vendor.replace(responses.GET, MEMBERS_URL, json=[MEMBER_JSON])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    assert sentry.set_assignee("100", ANN) == ISSUE


ALSO_ANN: Json = {**MEMBER_JSON, "user": {**MEMBER_JSON["user"], "id": "8"}}


@pytest.mark.parametrize("odd", [None, 5, {"user": 8}, {"user": {}}, {"user": {"id": ""}}])
def test_of_two_holders_none_is_meant_while_a_member_of_the_project_cannot_be_read(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON, ALSO_ANN])
    vendor.get(ISSUE_URL, json=ISSUE_JSON)
    vendor.get(f"{SENTRY}api/0/projects/acme/fe/members/", json=[MEMBER_JSON, odd])
    with pytest.raises(Unavailable, match="1 members of fe who may be meant"):
        sentry.set_assignee("100", ANN)


def test_of_a_member_of_the_project_nothing_but_the_id_needs_to_be_read(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(MEMBERS_URL, json=[MEMBER_JSON, ALSO_ANN])
    vendor.get(ISSUE_URL, json=ISSUE_JSON)
    odd = {"email": 5, "user": {"id": 8, "email": 5, "emails": 5}}
    vendor.get(f"{SENTRY}api/0/projects/acme/fe/members/", json=[odd, {"user": None}])
    vendor.put(ISSUE_URL, json=ISSUE_JSON)
    sentry.set_assignee("100", ANN)
    assert sent(vendor)[3] == {"assignedTo": "user:8"}


@pytest.mark.parametrize("odd", [None, 5, {"email": 5}, {"email": None, "is_verified": "yes"}])
def test_an_odd_address_hides_no_other_of_the_same_member(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    user = {"id": "7", "email": "ann@acme.example", "emails": [odd, HOME]}
    vendor.get(MEMBERS_URL, json=[{**MEMBER_JSON, "user": user}])
    assert sentry.addresses_of("ann@acme.example") == ("ann@home.example",)


ODD_COMMENTS: list[Any] = [
    None,
    5,
    {"id": None, "data": {"text": "hi"}},
    {"id": "5"},
    {"id": "5", "data": None},
    {"id": "5", "data": "hi"},
    {"id": "5", "data": []},
    {"id": "5", "data": {}},
    {"id": "5", "data": {"text": None}},
    {"id": "5", "data": {"text": 5}},
]


@pytest.mark.parametrize("odd", ODD_COMMENTS)
def test_an_odd_comment_hides_no_other(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    comment = {"id": "4", "user": {"name": "Ann"}, "data": {"text": "hi"}}
    vendor.get(f"{ISSUE_URL}comments/", json=[odd, comment])
    said = sentry.get_comment("100", "4")
    assert (said.author, said.text) == ("Ann", "hi")


@pytest.mark.parametrize("odd", ODD_COMMENTS)
def test_a_comment_that_cannot_be_read_is_neither_gone_nor_somebody_else_s(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    url = "https://dev.azure.com/fabrikam/Web/_workitems/edit/31#comment-7"
    ours = {"id": "6", "data": {"text": note_of("Ann", "hi", url)}}
    vendor.get(f"{ISSUE_URL}comments/", json=[odd, {"id": "4", "data": {"text": "hi"}}])
    with pytest.raises(Unavailable, match="1 comments of issue 100 that may be 5"):
        sentry.get_comment("100", "5")
    with pytest.raises(Unavailable, match="1 comments of issue 100 that may be ours"):
        sentry.find_comment("100", url)
    vendor.replace(responses.GET, f"{ISSUE_URL}comments/", json=[odd, ours])
    assert sentry.find_comment("100", url) == "6"


@pytest.mark.parametrize("user", [None, 5, [], {"name": 7}, {}])
def test_a_comment_by_whoever_cannot_be_read_is_somebody_s(
    vendor: responses.RequestsMock, sentry: SentryClient, user: Any
) -> None:
    vendor.get(f"{ISSUE_URL}comments/", json=[{"id": "4", "user": user, "data": {"text": "hi"}}])
    assert sentry.get_comment("100", "4").author == "Somebody"


@pytest.mark.parametrize("odd", [None, {"name": 5, "slug": "x"}, {"name": "x", "slug": "x", "events": 5}])
def test_an_odd_integration_hides_no_other(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any
) -> None:
    ours = {"name": "Sync", "slug": "sync", "webhookUrl": "https://x.example/", "events": ["issue", None]}
    vendor.get(f"{BASE}sentry-apps/", json=[odd, ours])
    [found] = sentry.integrations()
    assert (found.slug, found.events) == ("sync", ("issue",))


@pytest.mark.parametrize(
    ("odd", "unreadable"),
    [
        ({**ISSUE_JSON, "id": "101", "status": "pending_deletion"}, {"101"}),
        ({**ISSUE_JSON, "id": 101, "assignedTo": "ann"}, {"101"}),
        # It may be any of those that are absent.
        ({**ISSUE_JSON, "id": None}, {"101", "102"}),
        (None, {"101", "102"}),
        # One that nobody asked for says nothing of the others.
        ({**ISSUE_JSON, "id": "999"}, set()),
    ],
)
def test_an_odd_issue_is_named_and_hides_no_other(
    vendor: responses.RequestsMock, sentry: SentryClient, odd: Any, unreadable: set[str]
) -> None:
    vendor.get(ISSUES_URL, json=[odd, ISSUE_JSON])
    found = sentry.find_issues(["100", "101", "102"])
    assert (found.found, set(found.unreadable)) == ({"100": ISSUE}, unreadable)


@pytest.mark.parametrize("content", [None, {}, "text", {"detail": "no"}])
def test_what_is_no_list_is_no_usable_answer(
    vendor: responses.RequestsMock, sentry: SentryClient, content: Any
) -> None:
    vendor.get(ISSUES_URL, json=content)
    with pytest.raises(Unavailable):
        sentry.find_issues(["100"])


def test_a_list_that_is_forbidden_is_no_refusal_of_our_token(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(ISSUES_URL, status=403, json={"detail": "You do not have permission"})
    for _ in range(4):
        with pytest.raises(Forbidden) as raised:
            sentry.find_issues(["100", "101"])
        assert raised.value.about == "2 issues"
    assert len(vendor.calls) == 4


# Refusals


@pytest.mark.parametrize(
    ("call", "method"),
    [
        (lambda sentry: sentry.get_issue("100"), "GET"),
        (lambda sentry: sentry.set_status("100", IssueStatus.RESOLVED), "PUT"),
        (lambda sentry: sentry.set_assignee("100", None), "PUT"),
    ],
)
@pytest.mark.parametrize(
    "body", [{"json": {"detail": "The requested resource does not exist"}}, {"body": ""}]
)
def test_an_issue_that_is_not_there_is_named_by_its_kind(
    vendor: responses.RequestsMock,
    sentry: SentryClient,
    call: Callable[[SentryClient], Any],
    method: str,
    body: Json,
) -> None:
    vendor.add(method, ISSUE_URL, status=404, **body)
    with pytest.raises(NotFound) as raised:
        call(sentry)
    assert raised.value.kind == "issue-not-found"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"json": {"detail": "You may not."}}, "You may not."),
        ({"json": {"detail": {"code": "x", "message": "You may not."}}}, "You may not."),
        (
            {"json": {"assignedTo": ["Cannot assign"]}},
            "assignedTo: Cannot assign",
        ),
        (
            {"json": {"status": ['"x" is not valid.'], "other": ["y"]}},
            'status: "x" is not valid.',
        ),
        ({"json": {"detail": None, "status": ["Bad."]}}, ""),
        ({"json": {}}, ""),
        ({"json": {"detail": {}}}, ""),
        ({"json": {"status": []}}, ""),
        ({"json": []}, ""),
        ({"json": None}, ""),
        ({"body": "<html>", "content_type": "text/html"}, ""),
        ({"body": ""}, ""),
    ],
)
def test_a_refusal_quotes_sentry_s_own_sentence(
    vendor: responses.RequestsMock, sentry: SentryClient, body: Json, sentence: str
) -> None:
    vendor.put(ISSUE_URL, status=400, **body)
    with pytest.raises(Refused) as raised:
        sentry.set_status("100", IssueStatus.RESOLVED)
    assert raised.value.service == "sentry"
    assert str(raised.value) == raised.value.detail == f"PUT {ISSUE_URL}: HTTP 400"
    assert raised.value.quoted == sentence


@pytest.mark.parametrize(
    ("call", "about"),
    [
        (lambda sentry: sentry.get_issue("100"), "issue 100"),
        (lambda sentry: sentry.set_status("100", IssueStatus.RESOLVED), "issue 100"),
        (lambda sentry: sentry.set_assignee("100", None), "issue 100"),
        (lambda sentry: sentry.get_comment("100", "501"), "the comments of issue 100"),
        # The organization itself and its members are no single thing.
        (lambda sentry: sentry.organization_id(), None),
        (lambda sentry: sentry.set_assignee("100", ANN), "the members"),
    ],
)
def test_what_is_forbidden_says_what_it_is_about(
    vendor: responses.RequestsMock,
    sentry: SentryClient,
    call: Callable[[SentryClient], Any],
    about: str | None,
) -> None:
    vendor.assert_all_requests_are_fired = False
    for method in ("GET", "PUT"):
        vendor.add(method, re.compile(f"{BASE}.*"), status=403, json={"detail": "You do not have permission"})
    with pytest.raises(Unauthorized if about is None else Forbidden) as raised:
        call(sentry)
    assert raised.value.quoted == "You do not have permission"
    if isinstance(raised.value, Forbidden):
        assert raised.value.about == about


@pytest.mark.parametrize("name", ["..", ".", "", "../members", "1/../2", "\x00", "x" * 600])
def test_a_name_that_leads_elsewhere_is_asked_of_nobody(sentry: SentryClient, name: str) -> None:
    for call in (
        lambda: sentry.get_issue(name),
        lambda: sentry.set_status(name, IssueStatus.RESOLVED),
        lambda: sentry.get_comment(name, "501"),
        lambda: sentry.web_url(name),
    ):
        with pytest.raises(Rejected):
            call()
    with new_session(POLICY) as session, pytest.raises(Rejected):
        SentryClient(SENTRY, name, session, BearerAuth("t"), BackOff(), MemberCache())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 401, "json": {"detail": "Invalid token"}}, Unauthorized),
        ({"status": 302, "headers": {"Location": f"{SENTRY}auth/login/"}}, Unauthorized),
        ({"status": 200, "body": "<html>", "content_type": "text/html"}, Unauthorized),
        ({"status": 429, "json": {"detail": "too frequently"}}, Throttled),
        ({"status": 500, "json": {"detail": "Internal Error"}}, Unavailable),
        ({"status": 502, "body": "<html>", "content_type": "text/html"}, Unavailable),
        ({"status": 200, "body": '{"id": "10'}, Unavailable),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        lambda sentry: sentry.get_issue("100"),
        lambda sentry: sentry.set_status("100", IssueStatus.RESOLVED),
        lambda sentry: sentry.set_assignee("100", None),
        lambda sentry: sentry.set_assignee("100", ANN),
        lambda sentry: sentry.get_comment("100", "501"),
    ],
)
def test_a_failure_is_classified_alike_whatever_was_asked(
    vendor: responses.RequestsMock,
    sentry: SentryClient,
    call: Callable[[SentryClient], Any],
    answer: Json,
    error: type[SyncError],
) -> None:
    vendor.assert_all_requests_are_fired = False
    for method in ("GET", "PUT"):
        vendor.add(method, re.compile(f"{BASE}.*"), **answer)
    with pytest.raises(error) as raised:
        call(sentry)
    assert type(raised.value) is error


def test_an_organization_says_its_id_and_nothing_that_takes_long(
    vendor: responses.RequestsMock, sentry: SentryClient
) -> None:
    vendor.get(BASE, json={"id": "4500", "slug": "acme"})
    assert sentry.organization_id() == "4500"
    assert str(vendor.calls[0].request.url).endswith("?detailed=0")


@pytest.mark.parametrize("answer", [{}, [], None, {"id": None}, {"id": "acme"}, {"id": {}}])
def test_an_organization_without_an_id_is_not_known(
    vendor: responses.RequestsMock, sentry: SentryClient, answer: Any
) -> None:
    vendor.get(BASE, json=answer)
    with pytest.raises(Unavailable):
        sentry.organization_id()


# An organization that is gone.


@pytest.mark.parametrize("is_there", [True, False])
def test_a_short_id_is_unknown_only_where_there_is_an_organization(
    vendor: responses.RequestsMock, is_there: bool
) -> None:
    vendor.get(f"{BASE}shortids/FE-1/", status=404, json={"detail": "The requested resource does not exist"})
    vendor.get(BASE, status=200 if is_there else 404, json={"id": "1"})
    session, members = new_session(POLICY), MemberCache()
    presence = Presence(lambda: 0.0)
    client = SentryClient(SENTRY, "acme", session, BearerAuth("token"), BackOff(), members, presence)
    with pytest.raises(NotFound if is_there else OrganizationGone):
        client.find_issue_id("FE-1")
