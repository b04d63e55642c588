"""What an entry on an issue's page says of the link that Sentry's form made, as tables."""

import pytest
from msgspec.structs import replace

from shared.domain.model import (
    Ends,
    ExternalIssue,
    FormEntry,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
)
from shared.domain.rules.entries import is_removed, is_wanted_anew, looked_at

URL, OTHER_URL = (
    "https://dev.azure.com/fabrikam/_workitems/edit/31",
    "https://dev.azure.com/x/_workitems/edit/32",
)
MINE = ExternalIssue("1", "our-app", "Web#31", URL)
OTHER = replace(MINE, display_name="Web#32", web_url=OTHER_URL)
OF_JIRA = ExternalIssue("2", "jira", "ABC-1", "https://jira.example/ABC-1")
UNSEEN = FormEntry(5.0)
SEEN = FormEntry(5.0, URL, "our-app")


@pytest.mark.parametrize(
    ("form", "shown", "known"),
    [
        (UNSEEN, [], UNSEEN),
        (UNSEEN, [OF_JIRA], UNSEEN),
        (UNSEEN, [OTHER], UNSEEN),
        (UNSEEN, [OF_JIRA, MINE], SEEN),
        (SEEN, [MINE], SEEN),
        (SEEN, [], SEEN),
        (SEEN, [OTHER], SEEN),
        # It was written before the organization was renamed.
        (FormEntry(5.0, OTHER_URL, "our-app"), [OTHER], FormEntry(5.0, OTHER_URL, "our-app")),
    ],
)
def test_an_entry_is_known_once_it_was_seen(
    form: FormEntry, shown: list[ExternalIssue], known: FormEntry
) -> None:
    assert looked_at(form, URL, shown) == known


@pytest.mark.parametrize(
    ("form", "shown", "ours", "removed"),
    [
        (SEEN, [], [], True),
        (SEEN, [OF_JIRA], [], True),
        (SEEN, [MINE], [MINE], False),
        (SEEN, [MINE, OF_JIRA], [], False),
        (SEEN, [OTHER], [], True),  # somebody put another one in its place
        (SEEN, [OTHER], [OTHER], False),  # we did, or a merge
        (SEEN, [OF_JIRA], [OF_JIRA], True),  # another integration's says nothing of ours
        (UNSEEN, [], [], False),
        (UNSEEN, [OTHER], [], False),
    ],
)
def test_only_an_entry_that_was_seen_can_be_removed(
    form: FormEntry, shown: list[ExternalIssue], ours: list[ExternalIssue], removed: bool
) -> None:
    assert is_removed(form, shown, ours) is removed


@pytest.mark.parametrize(
    ("form", "shown", "wanted_type", "anew"),
    [
        (None, [], "Task", False),  # made by the API, or by an older version
        (SEEN, [MINE], "Task", False),
        (SEEN, [], "Bug", True),
        (SEEN, [OTHER], "Bug", True),
        (UNSEEN, [MINE], "Task", False),
        (UNSEEN, [], "Bug", False),  # submitted twice, or its answer was lost
        (UNSEEN, [], "Task", True),
    ],
)
def test_another_item_is_wanted_once_the_first_is_not_shown(
    form: FormEntry | None, shown: list[ExternalIssue], wanted_type: str, anew: bool
) -> None:
    assert is_wanted_anew(linked(form), wanted_type, URL, shown) is anew


def test_a_merge_begins_anew_what_is_known_of_the_entry() -> None:
    assert linked(SEEN).moved_to("200") == replace(linked(UNSEEN), issue_id="200")
    assert linked(None).moved_to("200").form is None


def linked(form: FormEntry | None) -> IssueLink:
    seen = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
    return IssueLink("fabrikam", "100", 31, "p", "Bug", seen, form=form)
