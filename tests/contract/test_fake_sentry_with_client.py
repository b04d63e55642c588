"""The Sentry client against the fake over real HTTP: who is who, refusals in Sentry's words, bad weather."""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    Assignee,
    ExternalIssue,
    IntegrationIssue,
    IssueStatus,
    Person,
    SentryIssue,
    Stranger,
)
from shared.http import BackOff, new_session
from shared.sentry.client import LARGEST_BATCH, BearerAuth, MemberCache, SentryClient
from simulator.sentry import FakeSentry, Modes
from simulator.sentry.gate import ISSUE_DETAILS_LIMIT, USUAL_LIMIT

ANN, HOME = "ann@acme.example", "ann@home.example"
RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
LOCAL = AddressPolicy(loopback=True)
Connect = Callable[..., SentryClient]


@pytest.fixture
def fake() -> Iterator[FakeSentry]:
    with FakeSentry() as fake:
        fake.add_member(ANN, name="Ann Archer", other_emails=(HOME,))
        fake.add_issue("TypeError", issue_id="100", announce=False)
        yield fake


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Make a client of a fake, which stands for a new instance of the app; some of it may be wrong."""
    with new_session(LOCAL) as session:

        def client(fake: FakeSentry, *, token: str | None = None, organization: str = "acme") -> SentryClient:
            auth = BearerAuth(fake.token if token is None else token)
            return SentryClient(f"{fake.url}/", organization, session, auth, BackOff(), MemberCache())

        yield client


@pytest.fixture
def sentry(fake: FakeSentry, connect: Connect) -> SentryClient:
    return connect(fake)


# Who goes by a name


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Ann Archer", [ANN]),
        (
            "ann  archer ",
            [],
        ),  # Sentry looks for the text as it is; whoever has two blanks is written with one
        ("ANN ARCHER", [ANN]),
        ("Ann", []),  # is part of a name
        ("ann@acme.example", []),  # is an address
        ("email:ann@acme.example", []),
    ],
)
def test_a_member_is_found_by_their_whole_name(sentry: SentryClient, name: str, found: list[str]) -> None:
    assert sentry.addresses_under(name) == found


def test_all_who_go_by_a_name_are_found(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.add_member("archer@acme.example", name="Ann Archer")
    assert sorted(sentry.addresses_under("Ann Archer")) == [ANN, "archer@acme.example"]


# How an issue stands


def test_an_issue_is_read_whole(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.assign("100", ANN)
    issue = sentry.get_issue("100")
    assert (issue.issue_id, issue.status, issue.assignee) == ("100", UNRESOLVED, Person(ANN))
    assert (issue.title, issue.project_slug, issue.level) == ("TypeError", "fe", "error")
    assert issue.permalink == f"{fake.url}/organizations/acme/issues/100/"


@pytest.mark.parametrize(
    ("happening", "status"),
    [
        (lambda fake: fake.resolve("100"), RESOLVED),
        (lambda fake: fake.resolve("100", in_next_release=True), RESOLVED),
        (lambda fake: fake.archive("100"), IGNORED),
        (lambda fake: fake.archive("100", substatus="archived_forever"), IGNORED),
        (lambda fake: (fake.resolve("100"), fake.regress("100")), UNRESOLVED),
        (lambda fake: (fake.archive("100"), fake.unarchive("100")), UNRESOLVED),
        # What it looks like is how it stands, before any task has changed it.
        (lambda fake: fake.auto_resolve("100"), RESOLVED),
        (lambda fake: (fake.archive("100"), fake.end_archiving("100")), UNRESOLVED),
    ],
)
def test_whatever_happens_to_an_issue_leaves_it_in_one_of_three_statuses(
    fake: FakeSentry, sentry: SentryClient, happening: Callable[[FakeSentry], Any], status: IssueStatus
) -> None:
    happening(fake)
    assert sentry.get_issue("100").status is status


def test_a_merged_issue_is_written_to_where_it_went(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.add_issue("TypeError", issue_id="200", announce=False)
    fake.merge("100", into="200")
    assert sentry.get_issue("100").issue_id == "200"
    assert sentry.set_status("100", RESOLVED).issue_id == "200"
    assert fake.issue("200")["status"] == "resolved"


def test_an_issue_that_is_not_there_is_not_found(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.delete("100")
    for call in (sentry.get_issue, lambda issue_id: sentry.set_status(issue_id, RESOLVED)):
        with pytest.raises(NotFound) as raised:
            call("100")
        assert raised.value.kind == "issue-not-found"


def test_a_comment_is_read_with_its_author(fake: FakeSentry, sentry: SentryClient) -> None:
    comment_id = fake.comment("100", "Seen <again>", actor=ANN)
    fake.comment("100", "Later")
    comment = sentry.get_comment("100", str(comment_id))
    assert (comment.author, comment.text) == ("Ann Archer", "Seen <again>")


# Many at once


def test_a_full_list_is_one_call(fake: FakeSentry, sentry: SentryClient) -> None:
    for number in range(1_000_000_000, 1_000_000_000 + LARGEST_BATCH):
        fake.add_issue(issue_id=str(number), announce=False)
    ids = [str(number) for number in range(1_000_000_000, 1_000_000_000 + LARGEST_BATCH)]
    assert sentry.find_issues(ids).found.keys() == set(ids)
    assert fake.calls == [("GET", "/api/0/organizations/acme/issues/", 200)]


def test_what_is_on_an_issue_s_page_comes_along(fake: FakeSentry, sentry: SentryClient) -> None:
    url = "https://dev.azure.com/fabrikam/web/_workitems/edit/31"
    entry = fake.issues.link("100", "azure-devops-sync", web_url=url, project="A&B", identifier="31")
    [found] = sentry.find_issues(["100"]).found.values()
    assert found.external_issues == (ExternalIssue(entry.id, "azure-devops-sync", "A&B#31", url),)
    assert sentry.get_issue("100").external_issues == ()


def test_lists_have_a_limit_of_their_own_and_are_left_in_peace_until_it_ends(connect: Connect) -> None:
    now = datetime.now(UTC)
    with FakeSentry(enforce_rate_limit=True, clock=lambda: now) as fake:
        fake.add_issue(issue_id="100", announce=False)
        sentry = connect(fake)
        for _ in range(USUAL_LIMIT):
            sentry.find_issues(["100"])
        for _ in range(3):
            with pytest.raises(Throttled) as raised:
                sentry.find_issues(["100"])
            assert 0 < raised.value.retry_after <= 1
        # The last answer said that it was the last one, so that none had to be refused.
        assert [http_status for _, _, http_status in fake.calls] == [200] * USUAL_LIMIT
        assert sentry.get_issue("100").issue_id == "100"


def test_lists_wait_while_others_use_up_what_is_allowed_at_once(connect: Connect) -> None:
    with FakeSentry(enforce_rate_limit=True, concurrent_limit=1) as fake:
        fake.add_issue(issue_id="100", announce=False)
        sentry = connect(fake)
        sentry.find_issues(["100"])
        with pytest.raises(Throttled):
            sentry.find_issues(["100"])
        assert len(fake.calls) == 1


# Who is who


@pytest.mark.parametrize("email", [ANN, HOME])
def test_a_person_is_found_by_any_of_their_addresses(
    fake: FakeSentry, sentry: SentryClient, email: str
) -> None:
    # The answer names the first address, whichever was asked for.
    assert sentry.set_assignee("100", Person(email)).assignee == Person(ANN)


@pytest.mark.parametrize("email", [ANN, HOME])
def test_who_is_to_be_assigned_is_told_as_sentry_will_show_them(
    fake: FakeSentry, sentry: SentryClient, email: str
) -> None:
    told: list[Assignee] = []
    sentry.set_assignee("100", Person(email), told.append)
    sentry.set_assignee("100", None, told.append)
    assert told == [Person(ANN), None]


def test_a_person_without_a_password_is_found(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.add_member("bob@acme.example", has_password=False)
    bob = Person("bob@acme.example")
    assert sentry.set_assignee("100", bob).assignee == bob


def test_a_person_is_found_among_more_members_than_fit_a_page(connect: Connect) -> None:
    with FakeSentry(page_size=2) as fake:
        for number in range(5):
            fake.add_member(f"person{number}@acme.example")
        fake.add_issue(issue_id="100", announce=False)
        last = Person("person4@acme.example")
        assert connect(fake).set_assignee("100", last).assignee == last


@pytest.mark.parametrize(
    ("kinds", "sentence"),
    [
        ({"teams": ()}, "assignedTo: Cannot assign to non-team member"),
        ({"invited": True}, "nobody in the organization"),
    ],
)
def test_somebody_who_may_not_have_the_issue_is_refused_and_it_stays_as_it_is(
    fake: FakeSentry, sentry: SentryClient, kinds: dict[str, Any], sentence: str
) -> None:
    fake.assign("100", ANN)
    fake.add_member("carol@acme.example", **kinds)
    with pytest.raises(Refused) as raised:
        sentry.set_assignee("100", Person("carol@acme.example"))
    assert re.search(sentence, raised.value.told)
    assert raised.value.service == "sentry"
    assert sentry.get_issue("100").assignee == Person(ANN)


def test_a_member_who_left_is_refused(fake: FakeSentry, sentry: SentryClient) -> None:
    sentry.set_assignee("100", Person(ANN))
    sentry.set_assignee("100", None)
    fake.directory.remove_member(ANN)
    # The first is refused by Sentry, as the user's id is still remembered here.
    with pytest.raises(Refused) as raised:
        sentry.set_assignee("100", Person(ANN))
    assert re.search("not a member of this organization", raised.value.quoted)
    assert sentry.get_issue("100").assignee is None


def test_a_stranger_is_refused_without_a_write(fake: FakeSentry, sentry: SentryClient) -> None:
    with pytest.raises(Refused, match="nobody in the organization"):
        sentry.set_assignee("100", Person("stranger@corp.example"))
    assert [method for method, _, _ in fake.calls] == ["GET"]


def test_a_team_is_a_stranger_and_can_be_taken_off(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.assign_team("100", "frontend")
    assert sentry.get_issue("100").assignee == Stranger("team-assignee", "45")
    assert sentry.set_assignee("100", None).assignee is None


@pytest.mark.parametrize("modes", [Modes(enhanced_privacy=True), Modes(assignee_type_prefix="actortype.")])
def test_a_read_returns_what_a_hook_leaves_out_or_misspells(
    fake: FakeSentry, sentry: SentryClient, modes: Modes
) -> None:
    fake.modes = modes
    fake.assign("100", ANN)
    assert sentry.get_issue("100").assignee == Person(ANN)


def test_no_one_is_assigned_by_a_display_name(fake: FakeSentry, sentry: SentryClient) -> None:
    fake.add_member("eve@evil.example", name=ANN)
    assert sentry.set_assignee("100", Person(ANN)).assignee == Person(ANN)


# Credentials


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_bad_token_is_tried_once(fake: FakeSentry, connect: Connect, token: str) -> None:
    sentry = connect(fake, token=token)
    for _ in range(3):
        with pytest.raises(Unauthorized):
            sentry.set_status("100", RESOLVED)
    assert len(fake.calls) == 1
    assert fake.issue("100")["status"] == "unresolved"


def test_a_token_without_a_scope_reads_what_it_may(connect: Connect) -> None:
    with FakeSentry(scopes=frozenset({"event:read"})) as fake:
        fake.add_issue(issue_id="100", announce=False)
        sentry = connect(fake)
        assert sentry.get_issue("100").status is UNRESOLVED
        with pytest.raises(Forbidden) as raised:
            sentry.set_status("100", RESOLVED)
        assert re.search("You do not have permission to perform this action", raised.value.quoted)
        assert sentry.get_issue("100").status is UNRESOLVED


def test_another_organization_is_not_found(fake: FakeSentry, connect: Connect) -> None:
    with pytest.raises(NotFound):
        connect(fake, organization="other").get_issue("100")


# Bad weather


@pytest.mark.parametrize(
    ("http_status", "headers", "error"),
    [
        (429, {}, Throttled),
        (429, {"Retry-After": "30"}, Throttled),
        (503, {"Retry-After": "30"}, Throttled),
        (500, {}, Unavailable),
        (502, {}, Unavailable),
        (504, {}, Unavailable),
        (409, {}, Conflict),
    ],
)
def test_bad_weather_has_a_name_and_writes_nothing(
    fake: FakeSentry, sentry: SentryClient, http_status: int, headers: dict[str, str], error: type[SyncError]
) -> None:
    fake.fail_next(1, http_status, headers)
    with pytest.raises(error):
        sentry.set_status("100", RESOLVED)
    assert fake.issue("100")["status"] == "unresolved"


def test_a_client_that_asks_too_often_learns_when_to_come_back_and_is_refused_until_then(
    connect: Connect,
) -> None:
    now = datetime.now(UTC)
    with FakeSentry(enforce_rate_limit=True, clock=lambda: now) as fake:
        fake.add_issue(issue_id="100", announce=False)
        sentry = connect(fake)
        for _ in range(ISSUE_DETAILS_LIMIT):
            sentry.get_issue("100")
        for _ in range(3):
            with pytest.raises(Throttled) as raised:
                sentry.get_issue("100")
            assert 0 < raised.value.retry_after <= 1
        assert [http_status for _, _, http_status in fake.calls] == [200] * ISSUE_DETAILS_LIMIT + [429]


def test_a_write_whose_answer_was_lost_has_landed_and_may_be_repeated(
    fake: FakeSentry, sentry: SentryClient, connect: Connect
) -> None:
    fake.drop_next(1, method="PUT")
    with pytest.raises(Unavailable):
        sentry.set_status("100", RESOLVED)
    assert fake.issue("100")["status"] == "resolved"
    with pytest.raises(Throttled):  # It is left alone for a while, and told so.
        sentry.set_status("100", RESOLVED)
    assert connect(fake).set_status("100", RESOLVED).status is RESOLVED


# What is linked


def test_linked_issues_come_in_pages_with_all_that_they_show(connect: Connect) -> None:
    with FakeSentry(page_size=2) as fake:
        for number in range(100, 105):
            fake.add_issue("TypeError", issue_id=str(number), announce=False)
        client, after, pages = connect(fake), None, 0
        found: dict[str, SentryIssue] = {}
        client.put_entry("100", "https://dev.azure.com/fabrikam/_workitems/edit/1", "F", "1")
        for number in range(101, 104):
            fake.link_by_integration(str(number), number)
        while True:
            page = client.linked_issues(after)
            found |= {each.issue_id: each for each in page.issues}
            pages, after = pages + 1, page.after
            if after is None:
                break
    assert (sorted(found), pages) == (["100", "101", "102", "103"], 2)
    assert found["100"].external_issues[0].display_name == "F#1"
    assert found["101"].integration_issues == (
        IntegrationIssue("101", "Fabrikam-Fiber#101", "vsts", "fabrikam"),
    )
