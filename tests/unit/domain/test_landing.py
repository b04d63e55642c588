"""What a link begins with that is to be carried over: what nobody can have seen."""

import pytest

from shared.domain.model import (
    ASSIGNEE,
    NOT_SEEN,
    STATUS,
    Assignee,
    Ends,
    Intent,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
    Stranger,
)
from shared.domain.rules.landing import (
    announced_person,
    as_if_created,
    as_if_edited,
    is_unseen,
    with_field,
    with_intent,
)

OPEN, DONE, ARCHIVED = IssueStatus.UNRESOLVED, IssueStatus.RESOLVED, IssueStatus.IGNORED
ANN = Person("ann@corp.example")
NEW = ItemSide(4, "New", OPEN)
CLOSED = ItemSide(4, "Closed", DONE, reasons=("Fixed",))
BEFORE = ItemSide(3, "", OPEN)


@pytest.mark.parametrize(
    ("issue", "item", "seen"),
    [
        (IssueSide(OPEN), NEW, Ends(IssueSide(OPEN), NEW)),
        (IssueSide(DONE), NEW, Ends(IssueSide(OPEN), NEW)),
        (IssueSide(OPEN), CLOSED, Ends(IssueSide(OPEN), BEFORE)),
        (IssueSide(DONE), CLOSED, Ends(IssueSide(OPEN), BEFORE)),
        (IssueSide(OPEN, ANN), NEW, Ends(IssueSide(OPEN, NOT_SEEN), NEW)),
        (
            IssueSide(OPEN),
            ItemSide(4, "New", OPEN, ANN),
            Ends(IssueSide(OPEN), ItemSide(4, "New", OPEN, NOT_SEEN)),
        ),
        (IssueSide(DONE, ANN), NEW, Ends(IssueSide(OPEN, NOT_SEEN), NEW)),
        # Archived is neither open nor done, nobody knows what an unknown state counts as, and what is
        # Removed is left alone.
        (IssueSide(ARCHIVED), NEW, Ends(IssueSide(ARCHIVED), NEW)),
        (IssueSide(OPEN), ItemSide(4, "Odd", None), Ends(IssueSide(OPEN), ItemSide(4, "Odd", None))),
        (IssueSide(OPEN), ItemSide(4, "Closed", ARCHIVED), Ends(IssueSide(OPEN), BEFORE)),
        (
            IssueSide(OPEN),
            ItemSide(4, "Removed", DONE, removed=True),
            Ends(IssueSide(OPEN), ItemSide(4, "Removed", DONE, removed=True)),
        ),
    ],
)
def test_what_became_of_either_since_the_item_was_created_is_news(
    issue: IssueSide, item: ItemSide, seen: Ends
) -> None:
    assert as_if_created(Ends(issue, item)) == seen


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    "item", [NEW, CLOSED, ItemSide(1, "New", OPEN, ANN), ItemSide(4, "Removed", DONE, removed=True)]
)
@pytest.mark.parametrize("issue", [IssueSide(OPEN), IssueSide(DONE, ANN), IssueSide(ARCHIVED)])
def test_what_is_to_be_copied_was_seen_by_nobody(issue: IssueSide, item: ItemSide, side: Side) -> None:
    assert is_unseen(as_if_edited(Ends(issue, item), side))
    assert not is_unseen(Ends(issue, item))


@pytest.mark.parametrize(
    ("issue", "item", "unseen"),
    [
        (IssueSide(OPEN), NEW, False),
        (IssueSide(OPEN), CLOSED, True),
        (IssueSide(OPEN, ANN), NEW, True),
        (IssueSide(OPEN), ItemSide(4, "New", OPEN, ANN), True),
        (IssueSide(OPEN), ItemSide(4, "Removed", DONE, removed=True), False),
    ],
)
def test_what_became_of_an_item_since_a_rule_created_it_was_seen_by_nobody(
    issue: IssueSide, item: ItemSide, *, unseen: bool
) -> None:
    assert is_unseen(as_if_created(Ends(issue, item))) is unseen


def test_a_field_is_taken_whole_from_other_ends_and_the_rest_stays() -> None:
    ends = Ends(IssueSide(OPEN), ItemSide(4, "New", OPEN))
    source = Ends(IssueSide(DONE, ANN, unseen=True), ItemSide(9, "Cut", DONE, ANN, True, ("Fixed",)))
    assert with_field(ends, STATUS, source) == Ends(
        IssueSide(DONE, unseen=True), ItemSide(4, "Cut", DONE, None, True, ("Fixed",))
    )
    assert with_field(ends, ASSIGNEE, source) == Ends(IssueSide(OPEN, ANN), ItemSide(4, "New", OPEN, ANN))


def test_a_status_that_was_carried_over_is_real_and_the_answer_tells_the_reason() -> None:
    before = Ends(IssueSide(ARCHIVED, ANN, unseen=True), ItemSide(4, "Cut", OPEN, ANN, True, ("Fixed",)))
    assert with_intent(before, Intent(Side.SENTRY, STATUS, status=DONE)) == Ends(
        IssueSide(DONE, ANN), before.item
    )
    assert with_intent(before, Intent(Side.ADO, STATUS, state="Closed", status=DONE)) == Ends(
        before.issue, ItemSide(4, "Closed", DONE, ANN)
    )


BOB = Person("bob@corp.example")
TO_ANN = Intent(Side.SENTRY, ASSIGNEE, assignee=ANN)


@pytest.mark.parametrize(
    ("intent", "shown", "person"),
    [
        (TO_ANN, BOB, ANN),
        (TO_ANN, ANN, None),
        # Nobody, a team and whoever Sentry hides are no other spelling of Ann.
        (TO_ANN, None, None),
        (TO_ANN, Stranger("team-assignee", "45"), None),
        # How Sentry spells her is known already.
        (Intent(Side.SENTRY, ASSIGNEE, assignee=ANN, others=(Person("ann@home.example"),)), BOB, None),
        (Intent(Side.SENTRY, ASSIGNEE), BOB, None),
        (Intent(Side.SENTRY, ASSIGNEE, assignee=Stranger("team-assignee", "45")), BOB, None),
        (Intent(Side.SENTRY, STATUS, status=DONE), BOB, None),
        # Azure DevOps spells people as they were announced.
        (Intent(Side.ADO, ASSIGNEE, assignee=ANN), BOB, None),
        (Intent(Side.ADO, ASSIGNEE, assignee=ANN), None, None),
    ],
)
def test_who_shows_may_be_whom_we_meant_only_where_sentry_spells_them(
    intent: Intent, shown: Assignee, person: Person | None
) -> None:
    assert announced_person(intent, shown) == person
