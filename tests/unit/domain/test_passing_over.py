"""States that Azure DevOps refused: for how long they are passed over, and what is left to try."""

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration
from shared.domain.model import (
    Category,
    Ends,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    PassedOver,
    Side,
    State,
)
from shared.domain.rules.deciding import (
    Choice,
    Directions,
    Outcome,
    choose_status,
    decide,
    has_another_way,
    passing_over,
    was_refused,
)

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
TYPES = {
    "Bug": (
        State("New", Category.PROPOSED),
        State("Closed", Category.COMPLETED),
        State("Done", Category.COMPLETED),
    ),
    "Task": (State("New", Category.PROPOSED),),
}
NOW = Ends(IssueSide(RESOLVED), ItemSide(7, "New", UNRESOLVED))
LATER = replace(NOW, item=replace(NOW.item, rev=8))
LINK = IssueLink("fabrikam", "100", 31, "p", "Bug", NOW)


def kept(*refused: str, tried: tuple[str, ...] = (), rev: int = 7, of: str = "Bug") -> PassedOver:
    return PassedOver(rev, of, refused, tried)


@pytest.mark.parametrize(
    ("before", "state", "after"),
    [
        (None, "Closed", kept("Closed", tried=("Closed",), rev=8)),
        (kept("Closed", tried=("Closed",)), "Done", kept("Closed", "Done", tried=("Closed", "Done"), rev=8)),
        # Asked for again, since all had been tried: a new round begins.
        (
            kept("Closed", "Done", tried=("Closed", "Done")),
            "Closed",
            kept("Closed", "Done", tried=("Closed",), rev=8),
        ),
        # Of another revision or type, nothing is on record.
        (kept("Closed", tried=("Closed",), rev=6), "Done", kept("Done", tried=("Done",), rev=8)),
        (kept("Closed", tried=("Closed",), of="Task"), "Done", kept("Done", tried=("Done",), rev=8)),
    ],
)
def test_what_is_refused_is_kept_until_the_item_changes(
    before: PassedOver | None, state: str, after: PassedOver
) -> None:
    assert passing_over(replace(LINK, passed_over=before), NOW, LATER, state) == after


@pytest.mark.parametrize(
    ("passed_over", "state", "refused"),
    [
        (None, "Closed", False),
        (kept("Closed"), "Closed", True),
        (kept("Closed"), "Done", False),
        (kept("Closed"), None, False),
        (kept("Closed", rev=6), "Closed", False),
        (kept("Closed", of="Task"), "Closed", False),
    ],
)
def test_a_refusal_is_on_record_for_the_revision_it_was_of(
    passed_over: PassedOver | None, state: str | None, refused: bool
) -> None:
    assert was_refused(replace(LINK, passed_over=passed_over), NOW, state) is refused


@pytest.mark.parametrize(
    ("passed_over", "there_is"),
    [
        (None, True),
        (kept("Closed", tried=("Closed",)), True),
        (kept("Closed", "Done", tried=("Closed", "Done")), False),
        (kept("Closed", "Done", tried=("Closed", "Done"), rev=6), True),
    ],
)
def test_another_state_is_tried_as_long_as_there_is_one(
    passed_over: PassedOver | None, there_is: bool
) -> None:
    link = replace(LINK, passed_over=passed_over)
    assert has_another_way(link, NOW, Configuration(), TYPES) is there_is


def test_a_type_without_such_a_state_has_no_way_at_all() -> None:
    assert not has_another_way(replace(LINK, work_item_type="Task"), NOW, Configuration(), TYPES)


@pytest.mark.parametrize(
    ("passed_over", "state"),
    [
        (None, "Closed"),
        (kept("Closed", tried=("Closed",)), "Done"),
        (kept("Closed", tried=("Closed",), rev=6), "Closed"),
        # All were refused, perhaps by a rule that is gone: they are asked for again.
        (kept("Closed", "Done", tried=("Closed", "Done")), "Closed"),
    ],
)
def test_a_state_that_was_refused_is_not_written_as_long_as_there_is_another(
    passed_over: PassedOver | None, state: str
) -> None:
    link, seen = replace(LINK, passed_over=passed_over), replace(NOW, issue=IssueSide(UNRESOLVED))
    decision = decide(link, seen=seen, now=NOW, owed=None, configuration=Configuration(), types=TYPES)
    assert [each.state for each in decision.intents] == [state]


BOTH_ON = Directions(outbound=True, inbound=True, on_conflict=Side.ADO)


@pytest.mark.parametrize(
    ("status", "copies", "choice"),
    [
        (RESOLVED, Side.SENTRY, Choice(Outcome.APPLIED, Side.ADO)),
        (UNRESOLVED, Side.SENTRY, Choice(Outcome.APPLIED, Side.ADO)),
        (UNRESOLVED, Side.ADO, Choice(Outcome.UNDECIDED)),
        (UNRESOLVED, None, Choice(Outcome.SETTLED)),
    ],
)
def test_a_copy_out_of_an_unknown_state_goes_to_azure_devops_only(
    status: IssueStatus, copies: Side | None, choice: Choice
) -> None:
    now = Ends(IssueSide(status), ItemSide(7, "Odd", None))
    assert choose_status(now, now, BOTH_ON, None, copies=copies) == choice
