"""What a link to an item that a rule created begins with: both open and nobody's, and all else is news."""

import pytest

from shared.domain.model import NOT_SEEN, Ends, IssueSide, IssueStatus, ItemSide, Person
from shared.domain.rules.landing import as_if_created

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
