"""Whether both sides of a link agree, why they do not, and which links a filter keeps."""

from typing import Any

import pytest

from shared.domain.configuration import Configuration
from shared.domain.model import (
    Assignee,
    Ends,
    Health,
    HealthWord,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
    Stranger,
)
from shared.domain.rules.apart import REASONS, Sides, apart, reasons_after, sides
from shared.domain.rules.deciding import Choice, Decision, Outcome
from shared.domain.rules.listing import Filter, matches
from shared.domain.sentences import APART

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
CONFIGURATION = Configuration(ado_url="https://dev.azure.com/fabrikam/", people={"ann@corp": "ann@home"})
TEAM = Stranger("team-assignee", "45")


def link_with(
    issue: IssueStatus = UNRESOLVED,
    item: IssueStatus | None = UNRESOLVED,
    issue_assignee: Assignee = None,
    item_assignee: str | None = None,
    word: HealthWord = HealthWord.ATTENTION,
    reason: str = "refused",
    since: float = 1.0,
    detail: str = "a detail",
    removed: bool = False,
    **more: Any,
) -> IssueLink:
    side = ItemSide(3, "New", item, None if item_assignee is None else Person(item_assignee), removed)
    seen = Ends(IssueSide(issue, issue_assignee), side)
    health = Health(word, reason, detail, since)
    named = {
        "title": "Fix login",
        "area_path": "Fabrikam\\Web",
        "short_id": "FE-1",
        "issue_title": "TypeError",
    }
    return IssueLink("fabrikam", "100", 31, "5650f68f", "Bug", seen, health=health, **{**named, **more})


def settled(**more: Any) -> IssueLink:
    return link_with(word=HealthWord.SETTLED, reason="", **more)


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (settled(), []),
        (settled(issue=RESOLVED, item=RESOLVED), []),
        (settled(issue=RESOLVED, item=IGNORED), []),  # done for a reason that archives is done as well
        (settled(item_assignee="ann@corp", issue_assignee=Person("ann@home")), []),  # mapped under people
        (settled(item=RESOLVED), [("status", "differed-when-linked")]),
        (settled(item=RESOLVED, apart={"status": "inbound-off"}), [("status", "inbound-off")]),
        (settled(apart={"status": "inbound-off"}), []),  # they agree by now
        (settled(issue=IGNORED), [("status", "archived")]),
        (settled(issue=RESOLVED, removed=True), [("status", "removed")]),
        (settled(issue=RESOLVED, waiting=Side.ADO), [("status", "waits-for-others")]),
        (settled(item=None), []),  # nobody knows what it counts as
        (settled(issue_assignee=TEAM), [("assignee", "team-assignee")]),
        (settled(item_assignee="bob@x"), [("assignee", "differed-when-linked")]),
        (settled(item_assignee="bob@x", owed=Side.SENTRY), [("assignee", "assignee-not-found")]),
        (
            settled(item_assignee="bob@x", owed=Side.SENTRY, owed_reason="assignee-ambiguous"),
            [("assignee", "assignee-ambiguous")],
        ),
        (
            settled(item=RESOLVED, item_assignee="bob@x", apart={"assignee": "sibling"}),
            [("status", "differed-when-linked"), ("assignee", "sibling")],
        ),
    ],
)
def test_sides_that_differ_have_a_reason(link: IssueLink, found: list[tuple[str, str]]) -> None:
    assert [(each.field, each.reason) for each in apart(link, CONFIGURATION)] == found
    assert sides(link, CONFIGURATION) == ("apart" if found else "agree")


def test_what_is_not_settled_is_neither() -> None:
    assert sides(link_with(item=RESOLVED), CONFIGURATION) is None


def test_every_reason_has_its_sentence() -> None:
    assert set(APART) == REASONS


SETTLED = Choice(Outcome.SETTLED)


@pytest.mark.parametrize(
    ("status", "assignee", "refused", "waiting", "after"),
    [
        (SETTLED, SETTLED, {}, None, {"status": "sibling"}),  # nobody changed it
        (Choice(Outcome.SKIPPED, reason="inbound-off"), SETTLED, {}, None, {"status": "inbound-off"}),
        (Choice(Outcome.SKIPPED), SETTLED, {}, None, {"status": ""}),  # how both sides stand tells it
        (Choice(Outcome.APPLIED, Side.ADO), SETTLED, {}, None, {}),
        (Choice(Outcome.AGREED), SETTLED, {}, None, {}),
        (Choice(Outcome.CONFLICT_RESOLVED, Side.ADO), SETTLED, {}, None, {}),
        (Choice(Outcome.UNDECIDED), SETTLED, {}, None, {"status": "sibling"}),
        (SETTLED, SETTLED, {}, Side.ADO, {"status": "waits-for-others"}),
        (
            SETTLED,
            Choice(Outcome.APPLIED, Side.SENTRY),
            {"assignee": "assignee-not-found"},
            None,
            {"status": "sibling", "assignee": "assignee-not-found"},
        ),
        (
            SETTLED,
            Choice(Outcome.APPLIED, Side.SENTRY),
            {"assignee": "assignee-ambiguous"},
            None,
            {"status": "sibling", "assignee": "assignee-ambiguous"},
        ),
        (
            SETTLED,
            Choice(Outcome.APPLIED, Side.ADO),
            {"assignee": "refused"},
            None,
            {"status": "sibling", "assignee": "refused"},
        ),
    ],
)
def test_the_last_decision_about_a_field_gives_its_reason(
    status: Choice, assignee: Choice, refused: dict[str, str], waiting: Side | None, after: dict[str, str]
) -> None:
    link = settled(apart={"status": "sibling"})
    decision = Decision(status, assignee, (), link.seen, waiting)
    assert reasons_after(link, decision, refused) == after


@pytest.mark.parametrize(
    ("wanted", "kept"),
    [
        (Filter(), True),
        (Filter(issue_id="100", work_item_id=31), True),
        (Filter(issue_id="101"), False),
        (Filter(work_item_id=32), False),
        (Filter(health=HealthWord.SETTLED), True),
        (Filter(health=HealthWord.PENDING), False),
        (Filter(reason="archived"), True),
        (Filter(reason="refused"), False),
        (Filter(project="FABRIKAM"), True),
        (Filter(project="5650F68F"), True),
        (Filter(project="Fabrikam\\Web"), False),  # an area, and no project
        (Filter(text="login"), True),
        (Filter(text="fe-1"), True),
        (Filter(text="typeerror"), True),
        (Filter(text="#31"), True),
        (Filter(text=" 31 "), True),
        (Filter(text="None"), False),
        (Filter(text="AB#31"), True),
        (Filter(text="100"), True),
        (Filter(text="the backend"), True),  # a team is known by its name
        (Filter(text="3"), False),  # a part of a number is another number
        (Filter(text="ANN@"), True),
        (Filter(text="bob@"), False),
        (Filter(health=HealthWord.SETTLED, text="nothing"), False),
    ],
)
def test_a_filter_keeps_what_it_names(wanted: Filter, kept: bool) -> None:
    backend = Stranger("team-assignee", "The Backend")
    link = settled(issue=IGNORED, item_assignee="ann@corp", issue_assignee=backend)
    assert matches(link, wanted, CONFIGURATION) is kept


def test_a_filter_by_whether_both_sides_agree_knows_the_map_of_people() -> None:
    link = settled(item_assignee="ann@corp", issue_assignee=Person("ann@home"))
    assert matches(link, Filter(sides=Sides.AGREE), CONFIGURATION)
    assert not matches(link, Filter(sides=Sides.AGREE), Configuration())


def test_a_project_is_the_root_of_an_area_however_deep() -> None:
    link = settled(area_path="Fabrikam\\Web\\Shop")
    assert matches(link, Filter(project="fabrikam"), CONFIGURATION)
    assert not matches(link, Filter(project="fabrikam\\web"), CONFIGURATION)


def test_a_reason_of_the_health_is_found_too() -> None:
    assert matches(link_with(), Filter(reason="refused"), CONFIGURATION)
