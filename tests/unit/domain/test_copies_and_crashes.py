"""What a copy and a crash make of what was seen, as tables of whole values."""

import pytest
from msgspec.structs import replace

from shared.domain.model import (
    ASSIGNEE,
    NOT_SEEN,
    STATUS,
    Assignee,
    BackLinks,
    Claim,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Remnant,
    Side,
)
from shared.domain.rules.landing import as_if_edited, has_landed, seen_after_crash

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
ANN, HOME, BOB = Person("ann@corp.example"), Person("ann@home.example"), Person("bob@corp.example")


def ends(issue: IssueStatus, counts_as: IssueStatus | None, in_ado: Assignee = BOB, rev: int = 7) -> Ends:
    return Ends(IssueSide(issue, ANN), ItemSide(rev, "Active", counts_as, in_ado))


@pytest.mark.parametrize(
    ("issue", "counts_as", "before"),
    [
        (UNRESOLVED, RESOLVED, IGNORED),
        (RESOLVED, UNRESOLVED, IGNORED),
        (RESOLVED, None, IGNORED),
        # Archived: as if it had stood like its work item.
        (IGNORED, RESOLVED, RESOLVED),
        (IGNORED, UNRESOLVED, UNRESOLVED),
        (IGNORED, None, UNRESOLVED),
    ],
)
def test_a_copy_of_sentrys_side_is_an_edit_of_both_its_fields(
    issue: IssueStatus, counts_as: IssueStatus | None, before: IssueStatus
) -> None:
    now = ends(issue, counts_as)
    assert as_if_edited(now, Side.SENTRY) == Ends(IssueSide(before, NOT_SEEN, unseen=True), now.item)


@pytest.mark.parametrize(
    ("counts_as", "before"),
    [(UNRESOLVED, IGNORED), (RESOLVED, IGNORED), (None, IGNORED), (IGNORED, UNRESOLVED)],
)
def test_a_copy_of_the_work_items_side_is_an_edit_of_both_its_fields(
    counts_as: IssueStatus | None, before: IssueStatus
) -> None:
    now = ends(UNRESOLVED, counts_as)
    assert as_if_edited(now, Side.ADO) == Ends(now.issue, ItemSide(6, "", before, NOT_SEEN))


# A person who has several names in Azure DevOps: each is tried until one is taken.
ASSIGN = Intent(Side.ADO, ASSIGNEE, assignee=ANN, others=(HOME,))


@pytest.mark.parametrize(("in_ado", "landed"), [(ANN, True), (HOME, True), (BOB, False), (None, False)])
def test_an_assignment_has_landed_under_whichever_name(in_ado: Assignee, landed: bool) -> None:
    now = ends(UNRESOLVED, UNRESOLVED, in_ado, rev=9)
    claim = Claim("dead", 0.0, 8, (ASSIGN,), ends(UNRESOLVED, UNRESOLVED, ANN))
    seen = ends(UNRESOLVED, UNRESOLVED, None)
    assert has_landed(ASSIGN, claim, now) is landed
    # The name that it landed under is no edit of a person.
    assert seen_after_crash(seen, claim, now) == (
        replace(seen, item=replace(seen.item, assignee=in_ado)) if landed else seen
    )


def test_a_state_is_nobodys_other_name() -> None:
    intent = Intent(Side.SENTRY, STATUS, status=RESOLVED)
    claim = Claim("dead", 0.0, 8, (intent,), ends(RESOLVED, RESOLVED))
    assert has_landed(intent, claim, ends(RESOLVED, RESOLVED))
    assert not has_landed(intent, claim, ends(UNRESOLVED, RESOLVED))


@pytest.mark.parametrize(
    ("back_links", "merged"),
    [(None, ()), (BackLinks(), ()), (BackLinks(merged=("98", "99")), ("98", "99"))],
)
def test_a_link_that_ends_leaves_all_that_may_show_it(
    back_links: BackLinks | None, merged: tuple[str, ...]
) -> None:
    link = IssueLink("fabrikam", "100", 31, "p", "Bug", ends(RESOLVED, RESOLVED), back_links=back_links)
    assert link.remnant(5.0) == Remnant("100", 31, 5.0, merged=merged)
    assert link.remnant(5.0, 9.0) == Remnant("100", 31, 5.0, merged=merged, watched_until=9.0)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("issue", IssueStatus)
@pytest.mark.parametrize("counts_as", [UNRESOLVED, RESOLVED, IGNORED, None])
def test_a_copy_that_is_asked_for_twice_is_made_from_the_same_past(
    side: Side, issue: IssueStatus, counts_as: IssueStatus | None
) -> None:
    once = as_if_edited(ends(issue, counts_as), side)
    assert as_if_edited(once, side) == once
    other = Side.ADO if side is Side.SENTRY else Side.SENTRY
    assert once.on(other) == ends(issue, counts_as).on(other)


def test_a_copy_is_made_of_an_assignee_that_was_carried_over_since() -> None:
    once = as_if_edited(ends(UNRESOLVED, RESOLVED), Side.SENTRY)
    carried = replace(once, issue=replace(once.issue, assignee=None))
    assert as_if_edited(carried, Side.SENTRY) == once
    once = as_if_edited(ends(UNRESOLVED, RESOLVED), Side.ADO)
    carried = replace(once, item=replace(once.item, assignee=None))
    assert as_if_edited(carried, Side.ADO) == once
