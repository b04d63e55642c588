"""What Sentry does for the sync: the double in memory, and the real client of the fake over HTTP."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Forbidden, NotFound, Refused
from shared.domain.messages import RuleAction
from shared.domain.model import (
    OUR_ARCHIVE,
    TEAM_ASSIGNEE,
    FoundIssues,
    IssueStatus,
    Person,
    ResolveIn,
    SentryEvent,
    Stranger,
)
from shared.http import BackOff, new_session
from shared.sentry.client import BearerAuth, MemberCache, SentryClient
from shared.sentry.comments import note_of
from shared.sentry.hook import RESOURCE_HEADER, IssueHint, parse
from simulator.sentry import FakeSentry, Modes
from simulator.sentry.gate import ALL_SCOPES
from simulator.sentry.model import AlertRule
from tests.doubles.sentry import MemorySentry

ANN, BOB = "ann@acme.example", "bob@acme.example"
RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED


@dataclass
class Bench:
    """``sentry`` is what our token may do; ``people`` what people do, by the same names on both."""

    sentry: MemorySentry | SentryClient
    people: Any
    deliveries: Callable[[], list[bytes]]


def memory() -> Bench:
    double = MemorySentry()
    bodies: list[bytes | None] = []
    double.announce = lambda event: bodies.append(double.hook_body(event))
    return Bench(double, double, lambda: [body for body in bodies if body is not None])


def over_http(fake: FakeSentry) -> Bench:
    client = SentryClient(
        f"{fake.url}/",
        fake.organization,
        new_session(AddressPolicy(loopback=True)),
        BearerAuth(fake.token),
        BackOff(),
        MemberCache(),
    )

    def deliveries() -> list[bytes]:
        fake.hooks.drain()
        return [each.body for each in fake.deliveries]

    return Bench(client, fake, deliveries)


@pytest.fixture(params=["memory", "http"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        yield furnished(memory())
        return
    with FakeSentry(webhook_url="http://127.0.0.1:9/nobody-listens") as fake:
        yield furnished(over_http(fake))


def furnished(bench: Bench) -> Bench:
    for email in (ANN, BOB):
        bench.people.add_member(email)
    options = {"announce": False} if isinstance(bench.people, FakeSentry) else {}
    for issue_id in ("100", "101"):
        bench.people.add_issue("TypeError", issue_id=issue_id, **options)
    return bench


def actions(bench: Bench) -> list[str]:
    return [json.loads(body)["action"] for body in bench.deliveries()]


def test_an_organization_says_its_id(bench: Bench) -> None:
    assert bench.sentry.organization_id() == "1"


def test_an_issue_is_read_with_all_that_the_sync_knows_of_it(bench: Bench) -> None:
    bench.people.assign("100", ANN)
    issue = bench.sentry.get_issue("100")
    assert (issue.issue_id, issue.status, issue.assignee) == ("100", UNRESOLVED, Person(ANN))
    assert (issue.title, issue.project_slug) == ("TypeError", "fe")


@pytest.mark.parametrize("status", [RESOLVED, IGNORED, UNRESOLVED])
def test_a_write_of_a_status_answers_with_the_issue_as_it_stands(bench: Bench, status: IssueStatus) -> None:
    bench.people.assign("100", ANN)
    issue = bench.sentry.set_status("100", status)
    assert (issue.status, issue.assignee) == (status, Person(ANN))
    assert bench.sentry.get_issue("100").side == issue.side


@pytest.mark.parametrize("assignee", [Person(BOB), None])
def test_a_write_of_an_assignee_leaves_the_status_alone(bench: Bench, assignee: Person | None) -> None:
    bench.people.assign("100", ANN)
    bench.people.resolve("100")
    issue = bench.sentry.set_assignee("100", assignee)
    assert (issue.status, issue.assignee) == (RESOLVED, assignee)
    assert bench.sentry.get_issue("100").side == issue.side


def test_an_unknown_person_is_refused_and_nothing_changes(bench: Bench) -> None:
    bench.people.assign("100", ANN)
    with pytest.raises(Refused):
        bench.sentry.set_assignee("100", Person("stranger@acme.example"))
    assert bench.sentry.get_issue("100").assignee == Person(ANN)


def test_a_member_of_no_team_of_the_project_is_refused(bench: Bench) -> None:
    bench.people.add_member("loner@acme.example", teams=())
    with pytest.raises(Refused):
        bench.sentry.set_assignee("100", Person("loner@acme.example"))


def test_somebody_who_joins_later_is_known_then(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.sentry.set_assignee("100", Person("late@acme.example"))
    bench.people.add_member("late@acme.example")
    assert bench.sentry.set_assignee("100", Person("late@acme.example")).assignee == Person(
        "late@acme.example"
    )


def test_a_team_is_no_person_and_can_be_taken_off(bench: Bench) -> None:
    bench.people.assign_team("100", "frontend")
    assert bench.sentry.get_issue("100").assignee == Stranger(TEAM_ASSIGNEE, "45")
    assert bench.sentry.set_assignee("100", None).assignee is None


def test_the_id_of_a_merged_issue_finds_the_one_it_became(bench: Bench) -> None:
    bench.people.resolve("101")
    bench.people.merge("100", into="101")
    issue = bench.sentry.get_issue("100")
    assert (issue.issue_id, issue.status) == ("101", RESOLVED)
    assert bench.sentry.set_status("100", UNRESOLVED).issue_id == "101"
    assert bench.sentry.get_issue("101").status is UNRESOLVED


def test_merging_goes_on_from_issue_to_issue(bench: Bench) -> None:
    bench.people.merge("100", into="101")
    options = {"announce": False} if isinstance(bench.people, FakeSentry) else {}
    bench.people.add_issue("TypeError", issue_id="102", **options)
    bench.people.merge("101", into="102")
    assert bench.sentry.get_issue("100").issue_id == "102"


@pytest.mark.parametrize("issue_id", ["100", "999"])
def test_what_is_not_there_or_was_deleted_is_not_found(bench: Bench, issue_id: str) -> None:
    bench.people.delete("100")
    calls: list[Callable[[], object]] = [
        lambda: bench.sentry.get_issue(issue_id),
        lambda: bench.sentry.set_status(issue_id, RESOLVED),
        lambda: bench.sentry.set_assignee(issue_id, None),
    ]
    for call in calls:
        with pytest.raises(NotFound) as refusal:
            call()
        assert refusal.value.kind == "issue-not-found"


@pytest.mark.parametrize(
    ("done", "heard"),
    [
        (["resolve"], ["resolved"]),
        (["resolve", "resolve"], ["resolved"]),
        (["resolve", "unresolve"], ["resolved", "unresolved"]),
        (["archive"], ["ignored"]),
        (["archive", "unarchive"], ["ignored"]),  # Sentry quirk: no hook.
        (["archive", "resolve"], ["ignored", "resolved"]),
        (["assign"], ["assigned"]),
        (["assign", "assign"], ["assigned"]),
        (["assign", "unassign"], ["assigned"]),  # Sentry quirk: no hook.
        (["merge"], []),
        (["delete"], []),
    ],
)
def test_hooks_announce_what_people_do_except_what_sentry_keeps_to_itself(
    bench: Bench, done: list[str], heard: list[str]
) -> None:
    keywords = {"assign": {"email": ANN}, "merge": {"into": "101"}}
    for action in done:
        getattr(bench.people, action)("100", **keywords.get(action, {}))
        bench.deliveries()  # Sentry quirk: a hook shows the issue as it is when the hook is sent.
    assert actions(bench) == heard


def test_our_own_writes_come_back_as_hooks(bench: Bench) -> None:
    bench.sentry.set_status("100", RESOLVED)
    bench.sentry.set_assignee("100", Person(ANN))
    bench.sentry.set_assignee("100", None)
    assert actions(bench) == ["resolved", "assigned"]


def test_a_hook_names_its_issue(bench: Bench) -> None:
    bench.people.resolve("100")
    [body] = bench.deliveries()
    assert parse({RESOURCE_HEADER: "issue"}, body) == IssueHint("100")


def test_each_rule_that_fires_tells_what_it_asks_for(bench: Bench) -> None:
    asked = {"project": "p", "work_item_type": "Bug", "tags": "sentry"}
    bench.people.rules = [AlertRule("New errors", asked), AlertRule("Many users", {**asked, "tags": ""})]
    bench.people.fire_rules("100")
    hints = [parse({RESOURCE_HEADER: "event_alert"}, body) for body in bench.deliveries()]
    assert hints == [
        IssueHint("100", action=RuleAction("New errors", "p", "Bug", tags="sentry")),
        IssueHint("100", action=RuleAction("Many users", "p", "Bug")),
    ]


def test_a_rule_fires_for_what_an_issue_was_merged_into(bench: Bench) -> None:
    bench.people.rules = [AlertRule("New errors", {"project": "p", "work_item_type": "Bug"})]
    bench.people.merge("100", into="101")
    bench.people.fire_rules("100")
    [body] = bench.deliveries()
    hint = parse({RESOURCE_HEADER: "event_alert"}, body)
    assert hint is not None
    assert hint.issue_id == "101"


def test_writing_what_is_there_already_sends_no_hook(bench: Bench) -> None:
    bench.sentry.set_status("100", UNRESOLVED)
    bench.sentry.set_assignee("100", None)
    assert actions(bench) == []


# Many at once


def add_issue(bench: Bench, issue_id: str, project: str = "fe") -> None:
    options = {"announce": False} if isinstance(bench.people, FakeSentry) else {}
    bench.people.add_issue("TypeError", issue_id=issue_id, project=project, **options)


def test_many_issues_are_read_at_once_whatever_their_status(bench: Bench) -> None:
    bench.people.resolve("100")
    bench.people.assign("101", ANN)
    add_issue(bench, "102")
    bench.people.archive("102")
    found = bench.sentry.find_issues(["100", "101", "102"])
    assert found == FoundIssues({each: bench.sentry.get_issue(each) for each in ("100", "101", "102")})
    assert bench.sentry.find_issues([]) == FoundIssues({})


def test_what_was_merged_or_deleted_is_silently_absent(bench: Bench) -> None:
    bench.people.merge("100", into="101")
    add_issue(bench, "102")
    bench.people.delete("102")
    found = bench.sentry.find_issues(["100", "101", "102", "103"])
    assert (set(found.found), set(found.unreadable)) == ({"101"}, set())
    # Only a look at the single one tells the two apart.
    assert bench.sentry.get_issue("100").issue_id == "101"
    with pytest.raises(NotFound):
        bench.sentry.get_issue("102")


@pytest.mark.parametrize("pending", ["pending_merge", "pending_deletion"])
def test_what_is_being_merged_or_deleted_is_neither_there_nor_gone(bench: Bench, pending: str) -> None:
    bench.people.begin("100", pending)
    found = bench.sentry.find_issues(["100", "101"])
    assert (set(found.found), set(found.unreadable)) == ({"101"}, {"100"})
    with pytest.raises(NotFound):
        bench.sentry.get_issue("100")


def test_one_issue_that_we_may_not_see_spoils_the_rest(bench: Bench) -> None:
    bench.people.add_project("secret")
    add_issue(bench, "200", "secret")
    assert bench.sentry.find_issues(["100", "200"]).found.keys() == {"100", "200"}
    bench.people.forbid_project("secret")
    for _ in range(4):
        with pytest.raises(Forbidden):
            bench.sentry.find_issues(["100", "200"])
    # It says nothing of the others, nor of our token.
    assert bench.sentry.find_issues(["100"]).found.keys() == {"100"}
    bench.people.modes = Modes(forbidden_group="absent")
    assert bench.sentry.find_issues(["100", "200"]).found.keys() == {"100"}


def test_some_plans_do_not_list_several_projects_at_once(bench: Bench) -> None:
    bench.people.modes = Modes(multi_project=False)
    assert bench.sentry.find_issues(["100"]).found.keys() == {"100"}
    bench.people.add_project("second")
    with pytest.raises(Refused) as raised:
        bench.sentry.find_issues(["100"])
    assert "multi project stream" in raised.value.told


def test_it_is_told_in_which_way_an_issue_is_archived(bench: Bench) -> None:
    bench.people.archive("100")
    assert bench.sentry.get_issue("100").substatus == "archived_until_escalating"
    # What is archived already stays archived in its way.
    assert bench.sentry.set_status("100", IGNORED).substatus == "archived_until_escalating"
    bench.sentry.set_status("100", UNRESOLVED)
    assert bench.sentry.set_status("100", IGNORED).substatus == OUR_ARCHIVE


@pytest.mark.parametrize("resolve_in", [ResolveIn.NEXT_RELEASE, ResolveIn.CURRENT_RELEASE])
def test_an_issue_is_resolved_in_a_release_where_there_is_one(bench: Bench, resolve_in: ResolveIn) -> None:
    with pytest.raises(Refused) as refused:
        bench.sentry.set_status("100", RESOLVED, resolve_in)
    assert "No release data" in refused.value.told
    assert bench.sentry.get_issue("100").status is UNRESOLVED
    bench.people.add_release("fe", "2.0.0")
    assert bench.sentry.set_status("100", RESOLVED, resolve_in).status is RESOLVED


# Entries on an issue's page

TICKET = "https://dev.azure.com/fabrikam/_workitems/edit/31"


def test_an_entry_takes_the_place_of_the_one_before(bench: Bench) -> None:
    bench.sentry.put_entry("100", TICKET, "Fabrikam", "31")
    put = bench.sentry.put_entry("100", f"{TICKET}2", "Fabrikam", "312")
    assert (put.web_url, put.display_name) == (f"{TICKET}2", "Fabrikam#312")
    assert bench.sentry.get_issue_with_entries("100").external_issues == (put,)
    assert bench.sentry.get_issue_with_entries("101").external_issues == ()
    assert bench.sentry.get_issue("100").external_issues == ()


def test_an_entry_is_removed_whether_it_is_there_or_not(bench: Bench) -> None:
    put = bench.sentry.put_entry("100", TICKET, "Fabrikam", "31")
    for _ in range(2):
        bench.sentry.remove_entry(put, "100")
    assert bench.sentry.get_issue_with_entries("100").external_issues == ()


def test_an_entry_is_not_removed_without_event_admin(bench: Bench) -> None:
    put = bench.sentry.put_entry("100", TICKET, "Fabrikam", "31")
    if isinstance(bench.people, FakeSentry):
        bench.people.scopes = ALL_SCOPES - {"event:admin"}
    else:
        bench.people.may_remove_entries = False
    with pytest.raises(Forbidden):
        bench.sentry.remove_entry(put, "100")
    assert bench.sentry.get_issue_with_entries("100").external_issues == (put,)


def test_no_entry_is_put_for_an_issue_that_is_not_there(bench: Bench) -> None:
    with pytest.raises(NotFound) as refusal:
        bench.sentry.put_entry("404", TICKET, "Fabrikam", "31")
    assert refusal.value.kind == "issue-not-found"


def test_a_comment_of_ours_is_found_by_the_page_that_it_names(bench: Bench) -> None:
    pages = [f"https://dev.azure.com/fabrikam/_workitems/edit/31#comment-{number}" for number in (1, 12)]
    bench.people.comment("100", f"Somebody quotes **Ann** wrote in [Azure DevOps]({pages[0]}):", actor=ANN)
    added = [bench.sentry.add_comment("100", note_of("Ann", "Hello", page)) for page in pages]
    assert [bench.sentry.find_comment("100", page) for page in pages] == added
    assert None not in added
    assert bench.sentry.find_comment("100", pages[0].replace("-1", "-2")) is None
    assert bench.sentry.find_comment("101", pages[0]) is None


def test_a_comment_is_taken_once_within_an_hour(bench: Bench) -> None:
    note = note_of("Ann", "Hello", "https://dev.azure.com/fabrikam/_workitems/edit/31#comment-1")
    assert bench.sentry.add_comment("100", note) is not None
    assert bench.sentry.add_comment("100", note) is None
    assert bench.sentry.add_comment("101", note) is not None


def test_comments_of_a_merged_issue_are_found_on_the_one_it_became(bench: Bench) -> None:
    page = "https://dev.azure.com/fabrikam/_workitems/edit/31#comment-1"
    added = bench.sentry.add_comment("100", note_of("Ann", "Hello", page))
    bench.people.merge("100", into="101")
    assert bench.sentry.find_comment("101", page) == bench.sentry.find_comment("100", page) == added


def test_a_comment_on_an_issue_that_is_gone_is_not_found(bench: Bench) -> None:
    with pytest.raises(NotFound) as raised:
        bench.sentry.add_comment("999", "Hello")
    assert raised.value.kind == "issue-not-found"


def test_hooks_of_comments_bring_their_words(bench: Bench) -> None:
    bench.deliveries()
    comment_id = bench.people.comment("100", "First", actor=ANN)
    bench.people.edit_comment(comment_id, "Second")
    bench.people.delete_comment(comment_id)
    hints = [parse({RESOURCE_HEADER: "comment"}, body) for body in bench.deliveries()]
    told = [hint.comment for hint in hints if hint is not None and hint.comment_id == str(comment_id)]
    assert [(each.action, each.text) for each in told if each] == [
        ("created", "First"),
        ("updated", "Second"),
        ("deleted", "Second"),
    ]


def test_an_issue_that_happens_again_has_a_regression_and_its_event(bench: Bench) -> None:
    bench.people.resolve("100", actor=ANN)
    assert bench.sentry.get_issue("100").regression == ""
    bench.people.regress("100", release="web@1.4.0", environment="production")
    issue = bench.sentry.get_issue("100")
    assert (issue.status, bool(issue.regression), issue.count) == (UNRESOLVED, True, 2)
    event = bench.sentry.latest_event("100")
    assert (event.release, event.environment, len(event.id)) == ("web@1.4.0", "production", 32)
    bench.people.resolve("100", actor=ANN)
    bench.people.unresolve("100", actor=ANN)
    assert bench.sentry.get_issue("100").regression == ""
    bench.people.resolve("100", actor=ANN)
    bench.people.regress("100")
    assert bench.sentry.get_issue("100").regression not in {"", issue.regression}


def test_an_issue_without_events_has_no_latest_one(bench: Bench) -> None:
    assert bench.sentry.latest_event("100") == bench.sentry.latest_event("999") == SentryEvent()
