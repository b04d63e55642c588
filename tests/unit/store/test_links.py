"""What is left of a link that ends, and who is told that it has moved."""

import pytest
from msgspec.structs import replace

from shared.domain.errors import Conflict, NotFound
from shared.domain.model import BackLinks, Ends, IssueLink, IssueSide, IssueStatus, ItemSide, Remnant
from shared.store.links import LinkStore
from shared.store.tables import Delete, Insert
from tests.doubles.tables import MemoryTable, OvertakenTable

OPEN = Ends(IssueSide(IssueStatus.UNRESOLVED), ItemSide(1, "New", IssueStatus.UNRESOLVED))
LINK = IssueLink("acme", "100", 31, "p", "Bug", OPEN, linked_at=5.0)


def test_a_link_that_follows_a_merge_while_it_is_unlinked_is_not_found_and_stays() -> None:
    table = MemoryTable()
    links = LinkStore(table)
    stored = links.add(LINK)
    overtaken = OvertakenTable(table, lambda: links.move(stored, "200"), *[lambda: None] * 2)
    with pytest.raises(NotFound):
        LinkStore(overtaken).discard("acme", "100", 31)
    assert [each.link.issue_id for each in links.for_work_item("acme", 31)] == ["200"]


def test_what_is_found_to_end_with_a_link_is_removed_with_it() -> None:
    table = MemoryTable()
    links = LinkStore(table)
    links.add(LINK)
    table.apply("acme", Insert("deed!create-for-100", ""))
    links.discard("acme", "100", 31, others=lambda: [Delete("deed!create-for-100")])
    assert list(table.scan("acme", "", "~")) == []


@pytest.mark.parametrize(
    ("shown", "left"),
    [
        (None, []),
        (BackLinks(), [Remnant("100", 31, 0.0)]),
        (BackLinks(merged=("99",)), [Remnant("100", 31, 0.0, merged=("99",))]),
    ],
)
def test_a_link_that_gives_way_after_a_merge_leaves_what_it_shows_to_be_taken_away_at_once(
    shown: BackLinks | None, left: list[Remnant]
) -> None:
    links = LinkStore(MemoryTable())
    kept = links.add(replace(LINK, issue_id="200"))
    assert links.move(links.add(replace(LINK, back_links=shown)), "200") == kept
    assert [each.remnant for each in links.remnants("acme")] == left


def test_a_link_that_changes_as_another_one_is_moved_onto_it_is_not_overwritten() -> None:
    table = MemoryTable()
    links = LinkStore(table)
    kept = links.add(replace(LINK, issue_id="200", back_links=BackLinks()))
    stored = links.add(LINK)
    changed = replace(kept.link, title="changed")
    overtaken = LinkStore(OvertakenTable(table, lambda: links.replace(kept, changed)))
    with pytest.raises(Conflict):
        overtaken.move(stored, "200")
    assert links.get("acme", "200", 31).link == changed
    assert links.get("acme", "100", 31) == stored


def test_a_remnant_from_the_list_is_replaced_only_as_it_was_read() -> None:
    links, remnant = LinkStore(MemoryTable()), Remnant("100", 31, 5.0)
    links.leave("acme", remnant)
    [read] = links.remnants("acme")
    links.leave("acme", replace(remnant, due=6.0))
    with pytest.raises(Conflict):
        links.replace_remnant("acme", read, None)
    [again] = links.remnants("acme")
    links.replace_remnant("acme", again, None)
    assert list(links.remnants("acme")) == []
