"""How links are put into batches by what they have in common."""

from collections.abc import Iterator

import pytest

from shared.domain.model import Ends, IssueLink, IssueSide, IssueStatus, ItemSide
from shared.flows.reconciling.batches import batches
from shared.store.links import Passed, StoredLink

SEEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))


def rows(*issue_ids: str | None) -> Iterator[Passed]:
    """Yield a row for each, in the order of work items; None is one that cannot be read."""
    for number, issue_id in enumerate(issue_ids, 1):
        link = IssueLink("acme", issue_id or "", number, "p", "Bug", SEEN)
        yield Passed(f"{number}", f"item!{number}", None if issue_id is None else StoredLink(link, "etag"))


def by_issue(link: IssueLink) -> str | None:
    return link.issue_id if link.issue_id != "left out" else None


@pytest.mark.parametrize(
    ("issue_ids", "expected"),
    [
        ([], []),
        (["a"], [(["a"], "1")]),
        (["a", "b"], [(["a", "b"], "2")]),
        (["a", "b", "c"], [(["a", "b"], "2"), (["c"], "3")]),
        (["a", "a", "b", "a", "c"], [(["a", "b"], "4"), (["c"], "5")]),  # one that is there takes no place
        (["a", None, "left out", "b", None], [(["a", "b"], "4")]),
        ([None, "left out"], []),
    ],
)
def test_a_batch_holds_so_many_different_ones(
    issue_ids: list[str | None], expected: list[tuple[list[str], str]]
) -> None:
    assert [(list(each.links), each.end) for each in batches(rows(*issue_ids), by_issue, 2)] == expected


def test_a_batch_holds_no_more_links_than_memory_has_room_for() -> None:
    sizes = [len(each.links["a"]) for each in batches(rows(*["a"] * 4_500), by_issue, 2)]
    assert sizes == [2_000, 2_000, 500]
