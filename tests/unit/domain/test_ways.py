"""The way to a state where a process allows few moves, as tables: what it leads through, and what never."""

from collections.abc import Collection, Sequence
from typing import Any

import pytest

from shared.domain.configuration import Configuration, ProjectMapping, StatusMapping
from shared.domain.errors import Undecidable
from shared.domain.model import Category, Ends, IssueLink, IssueSide, IssueStatus, ItemSide, State
from shared.domain.rules.done import way_to_status
from shared.domain.rules.workflow import find_way
from tests.unit.domain.test_rules import LETTERS, PROJECT

RESOLVED, UNRESOLVED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED
BUG = "Bug"


def process(*spelled: str) -> tuple[State, ...]:
    """Read ``P New: Active Closed``: a category's letter, the name, and what it may become."""
    halves = [each.partition(":") for each in spelled]
    return tuple(State(name[2:], LETTERS[name[0]], tuple(to.split())) for name, _, to in halves)


FORKED = process("P A: B C", "I B: D X", "I C: D Y", "I X: E", "I Y: E F", "I D: E", "I E: G", "C F:", "C G:")
ALL = {each.name for each in FORKED}


@pytest.mark.parametrize(
    ("start", "goals", "detours", "way"),
    [
        # One step, in the order of the goals; none of more steps comes before it.
        ("A", ["D", "C", "B"], [ALL], ("C",)),
        ("D", ["E"], [()], ("E",)),
        # The first state of the process decides between ways of the same length.
        ("A", ["D"], [ALL], ("B", "D")),
        ("A", ["E"], [{"B", "C", "D"}], ("B", "D", "E")),
        ("A", ["Y", "X"], [ALL], ("C", "Y")),
        # The states of a detour are left only where no way leads through them.
        ("A", ["D"], [{"C"}, ALL], ("C", "D")),
        ("A", ["D"], [{"Y"}, {"C"}], ("C", "D")),
        ("A", ["D"], [{"X", "Y"}], None),
        ("A", ["F"], [ALL - {"Y"}], None),
        ("A", ["F"], [ALL], ("C", "Y", "F")),
        ("A", ["G"], [ALL], None),  # four steps
        ("F", ["A"], [ALL], None),
        # Out of a state that the type lists no more, every move is allowed.
        ("Gone", ["G"], [()], ("G",)),
    ],
)
def test_a_way_is_the_shortest_that_the_moves_allow(
    start: str, goals: Sequence[str], detours: Sequence[Collection[str]], way: tuple[str, ...] | None
) -> None:
    assert find_way(FORKED, start, goals, detours) == way


def way_of(
    types: tuple[State, ...],
    status: IssueStatus = RESOLVED,
    state: str = "New",
    *,
    open_state: str | None = None,
    but: Collection[str] = (),
    mapping: ProjectMapping | None = None,
    **more: Any,
) -> list[str | None]:
    now = ItemSide(7, state, UNRESOLVED)
    link = IssueLink("f", "100", 31, PROJECT, BUG, Ends(IssueSide(status), now), open_state=open_state)
    configuration = Configuration(status_mapping={PROJECT: mapping} if mapping else {}, **more)
    way = way_to_status(configuration, link, now, status, {BUG: types}, but=frozenset(but))
    return [each.state for each in way]


CAREFUL = process(
    "P New: Verified Odd Active", "I Active: Ready", "I Ready: Closed", "I Verified: Closed", "? Odd: Closed",
    "C Closed:",
)  # fmt: skip
VERIFIED = ProjectMapping("Closed", "Active", ("Verified",))


@pytest.mark.parametrize(
    ("but", "way"),
    [
        ((), ["Active", "Ready", "Closed"]),
        # What nobody knows, or counts as done already, is in the way only where no other one is.
        ({"Ready"}, ["Verified", "Closed"]),
        ({"Ready", "Verified"}, ["Odd", "Closed"]),
    ],
)
def test_a_way_leads_through_states_that_count_as_the_opposite_if_it_can(
    but: Collection[str], way: list[str]
) -> None:
    assert way_of(CAREFUL, but=but, mapping=VERIFIED) == way


@pytest.mark.parametrize(
    ("types", "but", "mapping"),
    [
        (process("P New: Cut", "X Cut: Closed", "C Closed:"), (), None),
        (process("P New: Parked", "I Parked: Closed", "C Closed:"), (), ProjectMapping(on_archive="Parked")),
        # Refused before: neither where it ends, nor on the way.
        (process("P New: Fixed", "R Fixed: Closed", "C Closed:"), {"Fixed"}, None),
        (process("P New: Active", "I Active: Closed", "C Closed:"), {"Active"}, None),
    ],
)
def test_a_status_is_out_of_reach_rather_than_reached_through_what_is_closed(
    types: tuple[State, ...], but: Collection[str], mapping: ProjectMapping | None
) -> None:
    with pytest.raises(Undecidable) as refusal:
        way_of(types, but=but, mapping=mapping)
    assert refusal.value.kind == "state-unreachable"
    assert refusal.value.detail == "no state of Bug that counts as resolved is within 3 steps of 'New'"


CUT = process("P New: Cut Active", "I Active: Closed", "C Closed:", "X Cut:")
CUT_ONLY = process("P New: Cut", "C Closed:", "X Cut:")
WITH_REMOVED = (Category.COMPLETED, Category.REMOVED)


@pytest.mark.parametrize(
    ("types", "mapping", "way"),
    [
        (CUT, None, ["Active", "Closed"]),
        (CUT_ONLY, None, ["Cut"]),
        (CUT, ProjectMapping("Cut"), ["Cut"]),
        (CUT, ProjectMapping(types={BUG: StatusMapping("Cut")}), ["Cut"]),
        (CUT, ProjectMapping(types={"Task": StatusMapping("Cut")}), ["Active", "Closed"]),
    ],
)
def test_being_removed_is_the_last_way_to_be_done_unless_a_mapping_says_so(
    types: tuple[State, ...], mapping: ProjectMapping | None, way: list[str]
) -> None:
    assert way_of(types, mapping=mapping, done_categories=WITH_REMOVED) == way


def test_an_item_goes_back_from_the_archived_state_of_its_type_to_where_it_was() -> None:
    types = process("P New:", "I Active:", "X Cut: New Active", "C Closed: New Active")
    mapping = ProjectMapping(types={BUG: StatusMapping("Closed", "Active", on_archive="Cut")})
    assert way_of(types, UNRESOLVED, "Cut", open_state="New", mapping=mapping) == ["New"]
    assert way_of(types, UNRESOLVED, "Closed", open_state="New", mapping=mapping) == ["Active"]
