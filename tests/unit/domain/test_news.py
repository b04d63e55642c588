"""What the reconciler takes for news, as tables."""

import pytest
from msgspec.structs import replace

from shared.domain.messages import InboundMessage
from shared.domain.model import (
    TEAM_ASSIGNEE,
    Assignee,
    Claim,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    SentryIssue,
    Stranger,
    WorkItem,
)
from shared.domain.rules.news import (
    differs,
    due_after_look,
    due_at_beginning,
    is_compared,
    is_given_up,
    is_news,
    message_for_deletion,
    message_for_due,
    message_for_item,
    message_for_rev,
)

SLUG, ISSUE, ITEM, NOW = "fabrikam", "100", 31, 1_800_000_000.0
DAY = 24 * 3600.0
PENDING, ATTENTION = HealthWord.PENDING, HealthWord.ATTENTION
PROJECT = "11111111-1111-1111-1111-111111111111"
SEEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(7, "New", IssueStatus.UNRESOLVED))
LINK = IssueLink(SLUG, ISSUE, ITEM, PROJECT, "Bug", SEEN, epoch="e")
AT_7 = WorkItem(id=ITEM, rev=7, project_id=PROJECT, work_item_type="Bug", state="New")
AT_6, AT_8 = replace(AT_7, rev=6), replace(AT_7, rev=8, state="Closed")
ASK = InboundMessage(SLUG, ITEM, 0, epoch="e", again=True)
ASK_6, ASK_7, ASK_8 = replace(ASK, rev=6), replace(ASK, rev=7), replace(ASK, rev=8)
NEWS = replace(ASK_8, snapshot=AT_8)

WELL = Health()
GONE = Health(ATTENTION, "work-item-gone", due=NOW + DAY)
NO_ISSUE = Health(ATTENTION, "issue-gone", due=NOW + DAY)
NOT_YET = Health(ATTENTION, "unauthorized", due=NOW + 0.1)
DUE = Health(ATTENTION, "unauthorized", due=NOW)
OLDER_VERSION_S = Health(ATTENTION, "work-item-gone")
NOT_FOUND = Health(ATTENTION, "assignee-not-found", due=NOW + DAY)


@pytest.mark.parametrize(
    ("health", "message", "on_demand"),
    [
        (WELL, None, None),
        (DUE, ASK, ASK),
        (replace(DUE, rev=8), ASK, ASK),
        (NOT_YET, None, ASK),
        (Health(PENDING, "unavailable", due=NOW), ASK, ASK),
        (Health(PENDING, "unavailable", due=NOW + 0.1), None, ASK),
        (GONE, None, ASK),
        (replace(GONE, due=NOW), ASK, ASK),  # asked for daily
        (replace(GONE, due=NOW + DAY + 1.0), ASK, ASK),  # by a clock that was ahead
        (NO_ISSUE, None, ASK),
        (OLDER_VERSION_S, ASK, ASK),
    ],
)
def test_a_link_is_taken_up_when_it_is_due_and_on_demand_when_it_is_not_well(
    health: Health, message: InboundMessage | None, on_demand: InboundMessage | None
) -> None:
    link = replace(LINK, health=health)
    assert message_for_due(link, NOW) == message
    assert message_for_due(link, NOW, everything=True) == on_demand


@pytest.mark.parametrize(
    ("link", "message"),
    [
        (LINK, ASK),
        (replace(LINK, health=NOT_YET), None),  # it waits for its next try
        (replace(LINK, claim=Claim("worker", NOW + 60.0, 7, (), SEEN)), None),  # it is being settled
    ],
)
def test_a_link_that_was_made_and_never_settled_is_taken_up(
    link: IssueLink, message: InboundMessage | None
) -> None:
    unseen = replace(SEEN, item=replace(SEEN.item, rev=0))
    assert message_for_due(replace(link, seen=unseen), NOW) == message


@pytest.mark.parametrize(
    ("until", "message"),
    [(NOW, ASK), (NOW + 0.1, None), (NOW + 120.0, None), (NOW + 121.0, ASK), (2e11, ASK)],
)
@pytest.mark.parametrize("health", [WELL, NOT_YET])
def test_a_claim_left_behind_is_looked_into(
    until: float, message: InboundMessage | None, health: Health
) -> None:
    link = replace(LINK, claim=Claim("other", until, 7, (), SEEN), health=health)
    assert message_for_due(link, NOW) == message


@pytest.mark.parametrize(
    ("health", "item", "message"),
    [
        (WELL, AT_7, None),
        (WELL, AT_8, NEWS),
        (WELL, AT_6, ASK_6),  # from a backup
        (WELL, None, ASK),  # deleted without a hook
        (NOT_YET, AT_6, None),  # … and that was tried already
        (NOT_YET, AT_7, None),
        (NOT_YET, AT_8, NEWS),
        (NOT_YET, None, None),  # no call before it is due: what we are kept from is in no list
        (replace(NOT_YET, reason="forbidden"), None, None),
        (replace(NOT_YET, reason="assignee-not-found"), None, ASK),
        (replace(NOT_YET, reason="refused"), None, ASK),
        (replace(NOT_YET, rev=8), AT_8, None),  # what failed at a revision is no news at it
        (replace(NOT_YET, rev=7), AT_8, NEWS),
        (NO_ISSUE, AT_7, None),
        (NO_ISSUE, AT_8, NEWS),
        (replace(NO_ISSUE, rev=8), AT_8, None),
        (NO_ISSUE, None, None),
        (GONE, None, None),  # known already
        (GONE, AT_7, ASK_7),  # restored without a hook
        (GONE, AT_8, ASK_8),  # asked for, because what was seen of it cannot be built on
        (replace(GONE, rev=8), AT_8, None),  # listed, and still not to be had
    ],
)
def test_a_work_item_that_was_looked_at_is_news_unless_it_is_as_it_was_seen(
    health: Health, item: WorkItem | None, message: InboundMessage | None
) -> None:
    assert message_for_item(replace(LINK, health=health), item) == message


@pytest.mark.parametrize(("health", "message"), [(WELL, ASK), (NOT_YET, ASK), (GONE, None), (NO_ISSUE, None)])
def test_a_deletion_is_news_to_a_link_whose_ends_are_both_there(
    health: Health, message: InboundMessage | None
) -> None:
    assert message_for_deletion(replace(LINK, health=health)) == message


@pytest.mark.parametrize(
    ("health", "rev", "news"),
    [
        (WELL, 6, False),  # late, or told again
        (WELL, 7, False),
        (WELL, 8, True),
        (replace(NOT_YET, rev=8), 8, False),
        (replace(NOT_YET, rev=8), 9, True),
        (GONE, 6, True),
        (replace(GONE, rev=6), 6, False),
    ],
)
def test_a_revision_that_the_feed_tells_is_news_once(health: Health, rev: int, news: bool) -> None:
    link, snapshot = replace(LINK, health=health), replace(AT_7, rev=rev)
    assert is_news(link, rev) is news
    assert (message_for_rev(link, rev, snapshot) is not None) is news
    asked = message_for_rev(link, rev, None)
    assert asked == (replace(ASK, rev=rev) if news else None)


def test_a_snapshot_of_the_feed_is_sent_along() -> None:
    assert message_for_rev(LINK, 8, AT_8) == NEWS
    assert message_for_rev(replace(LINK, health=GONE), 8, AT_8) == ASK_8


@pytest.mark.parametrize(
    ("issue_id", "status", "assignee", "news"),
    [
        (ISSUE, IssueStatus.UNRESOLVED, None, False),
        (ISSUE, IssueStatus.RESOLVED, None, True),
        (ISSUE, IssueStatus.IGNORED, None, True),
        (ISSUE, IssueStatus.UNRESOLVED, Person("ann@corp.example"), True),
        (ISSUE, IssueStatus.UNRESOLVED, Stranger(TEAM_ASSIGNEE, "7"), True),
        ("200", IssueStatus.UNRESOLVED, None, True),  # merged
    ],
)
def test_an_issue_is_news_unless_it_stands_as_it_was_seen(
    issue_id: str, status: IssueStatus, assignee: Assignee, news: bool
) -> None:
    issue = SentryIssue(issue_id, status, assignee, "Renamed", "https://sentry.io/", "another-project")
    assert differs(LINK, issue) is news


@pytest.mark.parametrize(
    ("link", "compared"),
    [
        (LINK, True),
        (replace(LINK, health=NOT_FOUND), True),  # both sides were seen nevertheless
        (replace(LINK, health=NO_ISSUE), False),
        (replace(LINK, health=DUE), False),
        (replace(LINK, claim=Claim("worker", NOW + 60.0, 7, (), SEEN)), False),
    ],
)
def test_an_issue_is_compared_if_what_was_seen_of_it_is_how_it_stood(link: IssueLink, compared: bool) -> None:
    assert is_compared(link) is compared


@pytest.mark.parametrize(
    ("due", "then"),
    [(0.0, NOW + DAY), (NOW, NOW + DAY), (NOW + 3600.0, NOW + 3600.0), (NOW + DAY + 1.0, NOW + DAY)],
)
def test_after_a_look_the_next_one_is_due_in_a_day_or_when_it_is_wanted(due: float, then: float) -> None:
    assert due_after_look(due, NOW) == then


def test_after_the_feed_began_there_is_a_look_once_all_is_handled_that_was_on_its_way() -> None:
    assert due_after_look(due_at_beginning(NOW), NOW + 60.0) == NOW + 3600.0


@pytest.mark.parametrize(("failures", "given_up"), [(1, False), (2, False), (3, True), (4, True)])
def test_a_token_is_given_up_after_three_failures(failures: int, given_up: bool) -> None:
    assert is_given_up(failures) is given_up
