"""What the values of the domain tell of themselves."""

import pytest
from msgspec.structs import replace

from shared.domain.model import (
    BackLinks,
    Category,
    End,
    Ends,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Remnant,
    Side,
    State,
)

OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
LINK = IssueLink("fabrikam", "100", 31, "p", "Bug", OPEN)


def test_a_link_has_its_issue_at_one_end_and_its_work_item_at_the_other() -> None:
    assert [LINK.end(side) for side in Side] == [End(Side.ADO, "31"), End(Side.SENTRY, "100")]


@pytest.mark.parametrize(
    ("moves", "may"), [(None, True), ((), False), (("Active",), False), (("Closed",), True)]
)
def test_an_item_may_become_what_its_state_names_or_anything_if_it_names_none(
    moves: tuple[str, ...] | None, may: bool
) -> None:
    assert State("New", Category.PROPOSED, moves).may_become("Closed") is may


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None),
        (BackLinks(), BackLinks(due=0.0, merged=("100",))),
        (
            BackLinks(due=5.0, reason="forbidden", merged=("98", "99")),
            BackLinks(due=0.0, merged=("98", "99", "100")),
        ),
    ],
)
def test_after_a_merge_the_back_links_are_looked_at_and_every_former_issue_is_remembered(
    before: BackLinks | None, after: BackLinks | None
) -> None:
    merged = replace(LINK, back_links=before).moved_to("200")
    assert merged == replace(LINK, issue_id="200", back_links=after)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, None),
        (BackLinks(), BackLinks(due=7.0, merged=("98", "99"))),
        (
            BackLinks(due=5.0, reason="forbidden", merged=("97", "99")),
            BackLinks(due=7.0, reason="forbidden", merged=("97", "98", "99")),
        ),
    ],
)
def test_a_link_that_learns_names_of_its_issue_is_to_be_shown_and_its_own_is_none_of_them(
    before: BackLinks | None, after: BackLinks | None
) -> None:
    link = replace(LINK, back_links=before)
    assert link.known_as(["99", LINK.issue_id, "98"], 7.0) == replace(LINK, back_links=after)


def test_what_ended_may_show_under_any_name_that_its_issue_had() -> None:
    assert Remnant("100", 31, 0.0, merged=("98", "99")).names == {"98", "99", "100"}
