"""Every decision of the sync, row by row: docs/settling.md#deciding, and what must hold for all of them."""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration, DoneWhen, ProjectMapping, StatusMapping
from shared.domain.errors import SyncError, Unavailable, Undecidable
from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    Assignee,
    Category,
    Claim,
    Ends,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
    State,
    Stranger,
    WorkItemTypes,
)
from shared.domain.rules.deciding import (
    Choice,
    Decision,
    Directions,
    Outcome,
    choose,
    decide,
    recent_writes,
    verify_calm,
)
from shared.domain.rules.done import mapping_errors, states_for_status, status_of_state
from shared.domain.rules.landing import has_landed, seen_after_crash, with_field
from shared.domain.rules.people import Acquaintance, in_sentry, names_in_ado, same_person

ADO, SENTRY = Side.ADO, Side.SENTRY
RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
SETTLED, AGREED, SKIPPED = Outcome.SETTLED, Outcome.AGREED, Outcome.SKIPPED
APPLIED, CONFLICT_RESOLVED = Outcome.APPLIED, Outcome.CONFLICT_RESOLVED
UNDECIDED = Outcome.UNDECIDED

PROJECT = "b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05"
LETTERS = {
    "P": Category.PROPOSED,
    "I": Category.IN_PROGRESS,
    "R": Category.RESOLVED,
    "C": Category.COMPLETED,
    "X": Category.REMOVED,
    "?": None,
}


def states(spelled: str) -> tuple[State, ...]:
    """Read ``P New, C Closed``: a category's letter, then the name."""
    return tuple(State(each[2:], LETTERS[each[0]]) for each in spelled.split(", "))


AGILE: WorkItemTypes = {
    "Bug": states("P New, I Active, R Resolved, C Closed"),
    "User Story": states("P New, I Active, R Resolved, C Closed, X Removed"),
    "Task": states("P New, I Active, C Closed, X Removed"),
    "Issue": states("I Active, C Closed"),
}
SCRUM: WorkItemTypes = {
    "Bug": states("P New, P Approved, I Committed, C Done, X Removed"),
    "Task": states("P To Do, I In Progress, C Done, X Removed"),
    "Impediment": states("I Open, C Closed"),
}
BASIC: WorkItemTypes = {"Issue": states("P To Do, I Doing, C Done")}
CMMI: WorkItemTypes = {
    "Bug": states("P Proposed, I Active, R Resolved, C Closed"),
    "Review": states("I Active, R Resolved, C Closed"),
}
CUSTOM: WorkItemTypes = {
    "Bug": states("P Erfasst, I In Arbeit, R Behoben, C Geprüft, C Erledigt"),
    "Wish": states("P Idea, C Granted"),  # nothing in progress
    "Chore": states("I Doing, R Finished"),  # nothing completed
    "Note": states("P Written, X Torn up"),  # nothing done
    "Riddle": states("? Somewhere, C Solved"),
}


def configured(**changes: Any) -> Configuration:
    return Configuration(ado_url="https://dev.azure.com/fabrikam/", **changes)


def mapped(types: Mapping[str, StatusMapping] | None = None, **mapping: Any) -> Configuration:
    return configured(status_mapping={PROJECT: ProjectMapping(types=dict(types or {}), **mapping)})


DEFAULT = configured()


# What to do about one field

# issue changed, item changed, they agree, outbound, inbound, who wins; None stands for either.
CHOICES = [
    ((False, False, None, None, None, None), Choice(SETTLED)),
    ((True, False, True, None, None, None), Choice(AGREED)),
    ((False, True, True, None, None, None), Choice(AGREED)),
    ((True, True, True, None, None, None), Choice(AGREED)),
    ((True, False, False, True, None, None), Choice(APPLIED, ADO)),
    ((True, False, False, False, None, None), Choice(SKIPPED, reason="outbound-off")),
    ((False, True, False, None, True, None), Choice(APPLIED, SENTRY)),
    ((False, True, False, None, False, None), Choice(SKIPPED, reason="inbound-off")),
    ((True, True, False, True, True, ADO), Choice(CONFLICT_RESOLVED, SENTRY)),
    ((True, True, False, True, True, SENTRY), Choice(CONFLICT_RESOLVED, ADO)),
    # One-way sync stays one-way: the side whose changes do not travel cannot win.
    ((True, True, False, True, False, None), Choice(CONFLICT_RESOLVED, ADO)),
    ((True, True, False, False, True, None), Choice(CONFLICT_RESOLVED, SENTRY)),
    ((True, True, False, False, False, ADO), Choice(SKIPPED, reason="inbound-off")),
    ((True, True, False, False, False, SENTRY), Choice(SKIPPED, reason="outbound-off")),
]
FLAGS = (False, True)
SIDES = tuple(Side)


@pytest.mark.parametrize("facts", [*itertools.product(FLAGS, FLAGS, FLAGS, FLAGS, FLAGS, SIDES)])
def test_every_combination_of_facts_has_one_choice(facts: tuple[bool, bool, bool, bool, bool, Side]) -> None:
    rows = [
        choice
        for pattern, choice in CHOICES
        if all(wanted in {None, fact} for wanted, fact in zip(pattern, facts, strict=True))
    ]
    issue_changed, item_changed, agree, outbound, inbound, on_conflict = facts
    directions = Directions(outbound, inbound, on_conflict)
    assert [
        choose(issue_changed=issue_changed, item_changed=item_changed, agree=agree, directions=directions)
    ] == rows


# How both ends stood and stand


def ends(
    status: IssueStatus,
    state: str,
    *,
    in_sentry: Assignee = None,
    in_ado: Assignee = None,
    rev: int = 7,
    counts_as: IssueStatus | None = None,
    work_item_type: str = "User Story",
) -> Ends:
    """Return both ends of a link; the state counts as what it does by default, unless given."""
    if counts_as is None:
        counts_as = status_of_state(DEFAULT, PROJECT, work_item_type, state, AGILE)
    return Ends(IssueSide(status, in_sentry), ItemSide(rev, state, counts_as, in_ado))


def decided(
    seen: Ends,
    now: Ends,
    configuration: Configuration = DEFAULT,
    *,
    owed: Side | None = None,
    open_state: str | None = None,
    types: WorkItemTypes = AGILE,
    work_item_type: str = "User Story",
    problem: SyncError | None = None,
    waiting: Side | None = None,
    **more: Any,
) -> Decision:
    link = IssueLink(
        "fabrikam", "100", 31, PROJECT, work_item_type, seen, open_state=open_state, waiting=waiting
    )
    return decide(
        link, seen=seen, now=now, owed=owed, configuration=configuration, types=types, problem=problem, **more
    )


def written(decision: Decision, field: str) -> tuple[Side, Any] | None:
    """Return where a decision writes a field, and what."""
    found = [each for each in decision.intents if each.field == field]
    assert len(found) <= 1
    if not found:
        return None
    intent = found[0]
    if field == ASSIGNEE:
        return intent.side, intent.assignee
    return intent.side, intent.state if intent.side is ADO else intent.status


# Status


@pytest.mark.parametrize(
    ("seen", "now", "outcome", "write"),
    [
        # Nothing happened, or nothing that counts.
        ((UNRESOLVED, "New"), (UNRESOLVED, "New"), SETTLED, None),
        ((UNRESOLVED, "New"), (UNRESOLVED, "Active"), SETTLED, None),  # neither is done
        ((RESOLVED, "Resolved"), (RESOLVED, "Closed"), SETTLED, None),  # both are done
        ((RESOLVED, "Closed"), (RESOLVED, "Resolved"), SETTLED, None),
        ((UNRESOLVED, "Active"), (UNRESOLVED, "Removed"), SETTLED, None),  # Removed is not done
        ((UNRESOLVED, "Removed"), (UNRESOLVED, "New"), SETTLED, None),
        ((RESOLVED, "New"), (RESOLVED, "New"), SETTLED, None),  # linked so: nobody asked for a change
        ((UNRESOLVED, "Closed"), (UNRESOLVED, "Closed"), SETTLED, None),
        # The work item changed.
        ((UNRESOLVED, "Active"), (UNRESOLVED, "Resolved"), APPLIED, (SENTRY, RESOLVED)),
        ((UNRESOLVED, "Active"), (UNRESOLVED, "Closed"), APPLIED, (SENTRY, RESOLVED)),
        ((UNRESOLVED, "New"), (UNRESOLVED, "Closed"), APPLIED, (SENTRY, RESOLVED)),
        ((RESOLVED, "Closed"), (RESOLVED, "Active"), APPLIED, (SENTRY, UNRESOLVED)),
        ((RESOLVED, "Resolved"), (RESOLVED, "Removed"), APPLIED, (SENTRY, UNRESOLVED)),
        ((RESOLVED, "New"), (RESOLVED, "Closed"), AGREED, None),  # now they do agree
        ((UNRESOLVED, "Closed"), (UNRESOLVED, "Active"), AGREED, None),
        # The issue changed.
        ((UNRESOLVED, "Active"), (RESOLVED, "Active"), APPLIED, (ADO, "Closed")),
        ((RESOLVED, "Closed"), (UNRESOLVED, "Closed"), APPLIED, (ADO, "Active")),
        ((UNRESOLVED, "Resolved"), (RESOLVED, "Resolved"), AGREED, None),  # done by hand is left as it is
        ((RESOLVED, "New"), (UNRESOLVED, "New"), AGREED, None),
        # Both changed.
        ((UNRESOLVED, "Active"), (RESOLVED, "Closed"), AGREED, None),
        ((UNRESOLVED, "Active"), (RESOLVED, "Resolved"), AGREED, None),
        ((RESOLVED, "Closed"), (UNRESOLVED, "New"), AGREED, None),
        ((UNRESOLVED, "Active"), (RESOLVED, "New"), APPLIED, (ADO, "Closed")),  # New counts like Active
        ((RESOLVED, "Active"), (UNRESOLVED, "Closed"), CONFLICT_RESOLVED, (SENTRY, RESOLVED)),
        ((UNRESOLVED, "Closed"), (RESOLVED, "Active"), CONFLICT_RESOLVED, (SENTRY, UNRESOLVED)),
        # Archived in Sentry.
        ((UNRESOLVED, "Active"), (IGNORED, "Active"), SKIPPED, None),
        ((IGNORED, "Active"), (IGNORED, "Closed"), SKIPPED, None),  # a done work item does not un-archive
        ((IGNORED, "Closed"), (IGNORED, "Active"), SKIPPED, None),
        ((UNRESOLVED, "Active"), (IGNORED, "Closed"), SKIPPED, None),
        ((IGNORED, "Active"), (IGNORED, "Active"), SETTLED, None),
        ((IGNORED, "New"), (IGNORED, "Active"), SETTLED, None),
        ((IGNORED, "Active"), (UNRESOLVED, "Active"), AGREED, None),  # back from the archive
        ((IGNORED, "Active"), (RESOLVED, "Active"), APPLIED, (ADO, "Closed")),
        ((IGNORED, "Closed"), (UNRESOLVED, "Closed"), APPLIED, (ADO, "Active")),
    ],
)
def test_a_status_follows_whichever_side_changed(
    seen: tuple[IssueStatus, str],
    now: tuple[IssueStatus, str],
    outcome: Outcome,
    write: tuple[Side, Any] | None,
) -> None:
    decision = decided(ends(*seen), ends(*now, rev=8))
    assert (decision.status.outcome, written(decision, STATUS)) == (outcome, write)


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (ends(UNRESOLVED, "Closed", rev=1), RESOLVED),  # created as done
        (ends(RESOLVED, "New", rev=1), UNRESOLVED),
    ],
)
def test_a_work_item_without_a_former_state_counts_from_what_it_is_now(
    now: Ends, status: IssueStatus
) -> None:
    seen = replace(now, item=ItemSide(0, "", now.issue.status))
    assert written(decided(seen, now), STATUS) == (SENTRY, status)


@pytest.mark.parametrize(
    "now", [ends(IGNORED, "Active"), ends(IGNORED, "Closed"), ends(IGNORED, "Closed", in_ado=Person("a@b"))]
)
def test_the_archive_is_recorded_as_the_reason(now: Ends) -> None:
    assert decided(ends(UNRESOLVED, "Active"), now).status == Choice(SKIPPED, reason="archived")


@pytest.mark.parametrize("on_conflict", SIDES)
@pytest.mark.parametrize("forward", FLAGS)
@pytest.mark.parametrize("reverse", FLAGS)
def test_the_archive_wins_whatever_is_configured(on_conflict: Side, forward: bool, reverse: bool) -> None:
    configuration = configured(
        on_conflict=on_conflict, sync_status_forward=forward, sync_status_reverse=reverse
    )
    for now in (ends(IGNORED, "Active"), ends(IGNORED, "Closed")):
        assert decided(ends(UNRESOLVED, "Active"), now, configuration).intents == ()


OPEN_BOTH = ends(UNRESOLVED, "Active")
ISSUE_MOVED = ends(RESOLVED, "Active")
ITEM_MOVED = ends(UNRESOLVED, "Closed")
# Only a link whose ends already differed can see both change and still differ.
DIFFERENT = ends(RESOLVED, "Active")
BOTH_MOVED = ends(UNRESOLVED, "Closed")


@pytest.mark.parametrize(
    ("changes", "seen", "now", "choice"),
    [
        ({"sync_status_forward": False}, OPEN_BOTH, ISSUE_MOVED, Choice(SKIPPED, reason="outbound-off")),
        ({"sync_status_forward": False}, OPEN_BOTH, ITEM_MOVED, Choice(APPLIED, SENTRY)),
        ({"sync_status_reverse": False}, OPEN_BOTH, ITEM_MOVED, Choice(SKIPPED, reason="inbound-off")),
        ({"sync_status_reverse": False}, OPEN_BOTH, ISSUE_MOVED, Choice(APPLIED, ADO)),
        ({"issue_sync": False}, OPEN_BOTH, ISSUE_MOVED, Choice(SKIPPED, reason="outbound-off")),
        ({"issue_sync": False}, OPEN_BOTH, ITEM_MOVED, Choice(SKIPPED, reason="inbound-off")),
        ({"sync_forward_assignment": False}, OPEN_BOTH, ISSUE_MOVED, Choice(APPLIED, ADO)),
        ({"sync_reverse_assignment": False}, OPEN_BOTH, ITEM_MOVED, Choice(APPLIED, SENTRY)),
        ({"on_conflict": ADO}, DIFFERENT, BOTH_MOVED, Choice(CONFLICT_RESOLVED, SENTRY)),
        ({"on_conflict": SENTRY}, DIFFERENT, BOTH_MOVED, Choice(CONFLICT_RESOLVED, ADO)),
        ({"sync_status_reverse": False}, DIFFERENT, BOTH_MOVED, Choice(CONFLICT_RESOLVED, ADO)),
        (
            {"on_conflict": SENTRY, "sync_status_forward": False},
            DIFFERENT,
            BOTH_MOVED,
            Choice(CONFLICT_RESOLVED, SENTRY),
        ),
        ({"issue_sync": False}, DIFFERENT, BOTH_MOVED, Choice(SKIPPED, reason="inbound-off")),
    ],
)
def test_a_status_travels_only_where_it_is_switched_on(
    changes: dict[str, Any], seen: Ends, now: Ends, choice: Choice
) -> None:
    assert decided(seen, now, configured(**changes)).status == choice


@pytest.mark.parametrize(
    ("was", "counts_now"), [(RESOLVED, UNRESOLVED), (UNRESOLVED, RESOLVED)], ids=["not-done", "done"]
)
def test_a_new_configuration_is_no_edit(was: IssueStatus, counts_now: IssueStatus) -> None:
    seen = ends(was, "Resolved", counts_as=was)
    now = ends(was, "Resolved", counts_as=counts_now, rev=8)
    decision = decided(seen, now)
    assert decision.status == Choice(SETTLED)
    assert decision.intents == ()
    # What the state counted as stays on record, so that the next real edit is measured from there.
    assert decision.after.item == ItemSide(8, "Resolved", was)


UNKNOWN = ItemSide(8, "Triaged", None)
SOMEBODY = Person("somebody@corp.example")


@pytest.mark.parametrize(
    ("seen", "issue", "changes", "choice"),
    [
        # The item was moved to it: it may have to be carried to Sentry, or not.
        ((UNRESOLVED, "Active"), UNRESOLVED, {}, Choice(UNDECIDED)),
        ((RESOLVED, "Closed"), RESOLVED, {}, Choice(UNDECIDED)),
        # … but not where nothing travels there, nor to an archived issue.
        ((UNRESOLVED, "Active"), UNRESOLVED, {"issue_sync": False}, Choice(SKIPPED, reason="inbound-off")),
        ((UNRESOLVED, "Active"), IGNORED, {}, Choice(SKIPPED, reason="archived")),
        # The issue was changed as well, and the item had counted as the other: it leaves the unknown state.
        ((UNRESOLVED, "Active"), RESOLVED, {}, Choice(APPLIED, ADO)),
        ((RESOLVED, "Closed"), UNRESOLVED, {}, Choice(APPLIED, ADO)),
        ((UNRESOLVED, "Active"), RESOLVED, {"issue_sync": False}, Choice(SKIPPED, reason="outbound-off")),
        # The issue came back to what the item had counted as: a conflict, or none.
        ((RESOLVED, "Active"), UNRESOLVED, {}, Choice(UNDECIDED)),
        ((RESOLVED, "Active"), UNRESOLVED, {"on_conflict": SENTRY}, Choice(CONFLICT_RESOLVED, ADO)),
        # The item stands where it was linked, in a state that nobody knew then.
        ((UNRESOLVED, "Triaged"), UNRESOLVED, {}, Choice(SETTLED)),
        ((UNRESOLVED, "Triaged"), RESOLVED, {}, Choice(APPLIED, ADO)),
        ((RESOLVED, "Triaged"), UNRESOLVED, {}, Choice(APPLIED, ADO)),
        ((RESOLVED, "Triaged"), IGNORED, {}, Choice(SKIPPED, reason="archived")),
    ],
)
def test_an_unknown_state_is_never_guessed_and_matters_only_where_it_may_travel(
    seen: tuple[IssueStatus, str], issue: IssueStatus, changes: dict[str, Any], choice: Choice
) -> None:
    status, state = seen
    before = Ends(IssueSide(status), UNKNOWN) if state == "Triaged" else ends(status, state)
    assert decided(before, Ends(IssueSide(issue), UNKNOWN), configured(**changes)).status == choice


def test_whoever_waits_is_written_though_the_state_is_unknown_by_now() -> None:
    """The issue is resolved, and the work item waited to become done when somebody moved it.

    Had it not waited, nobody could say whether both agree now.
    """
    seen, now = ends(RESOLVED, "Active"), Ends(IssueSide(RESOLVED), UNKNOWN)
    assert decided(seen, now).status == Choice(UNDECIDED)
    decision = decided(seen, now, waiting=ADO)
    assert (decision.status, decision.waiting) == (Choice(APPLIED, ADO), ADO)


def test_a_state_that_becomes_known_where_it_stands_is_taken_note_of() -> None:
    seen = Ends(IssueSide(UNRESOLVED), UNKNOWN)
    now = Ends(IssueSide(UNRESOLVED), replace(UNKNOWN, status=RESOLVED))
    assert (decided(seen, now).status, decided(seen, now).after) == (Choice(SETTLED), now)


def test_an_undecided_status_stays_as_it_was_seen_and_holds_no_assignee_up() -> None:
    seen, problem = ends(UNRESOLVED, "Active"), Undecidable("who knows", kind="unknown-state")
    now = Ends(IssueSide(UNRESOLVED), replace(UNKNOWN, assignee=ANN))
    decision = decided(seen, now, problem=problem)
    assert (decision.problem, decision.intents) == (problem, (Intent(SENTRY, ASSIGNEE, assignee=ANN),))
    assert decision.after == Ends(IssueSide(UNRESOLVED, ANN), replace(seen.item, rev=8, assignee=ANN))


@pytest.mark.parametrize(
    ("problem", "types", "kind"),
    [
        (None, AGILE, "no-such-state"),
        (Undecidable("who knows", kind="unknown-state"), AGILE, "no-such-state"),
        # Where the types could not be asked for, that is the trouble, and not that they lack a state.
        (Undecidable("nobody answers", kind="unavailable"), {}, "unavailable"),
    ],
)
def test_a_state_that_cannot_be_found_holds_no_assignee_up(
    problem: Undecidable | None, types: WorkItemTypes, kind: str
) -> None:
    seen = ends(UNRESOLVED, "Active")
    now = ends(RESOLVED, "Active", in_sentry=ANN)
    decision = decided(seen, now, types=types, work_item_type="Risk", problem=problem)
    assert decision.problem is not None
    assert (decision.problem.kind, decision.status.outcome) == (kind, UNDECIDED)
    assert decision.intents == (Intent(ADO, ASSIGNEE, assignee=ANN),)
    assert decision.after == ends(UNRESOLVED, "Active", in_sentry=ANN, in_ado=ANN)


def test_an_item_that_may_be_removed_is_assigned_to_nobody() -> None:
    """Its process cannot be read, so nobody knows what the state that it moved to means."""
    problem = Unavailable("ado", "HTTP 500")
    seen, now = ends(UNRESOLVED, "Active"), Ends(IssueSide(UNRESOLVED, SOMEBODY), UNKNOWN)
    decision = decided(seen, now, types={}, problem=problem)
    assert (decision.assignee, decision.intents) == (Choice(UNDECIDED, problem=problem), ())
    assert decision.problem is problem
    assert decision.after == Ends(IssueSide(UNRESOLVED), replace(seen.item, rev=8))


@pytest.mark.parametrize(
    ("problem", "item", "side"),
    [
        # A state that the process does not list is none that is Removed.
        (Undecidable("who knows", kind="unknown-state"), UNKNOWN, ADO),
        # It stands where it stood when that was known.
        (Unavailable("ado", "HTTP 500"), ItemSide(8, "Active", UNRESOLVED), ADO),
        # An issue is none that may not be written to.
        (Unavailable("ado", "HTTP 500"), replace(UNKNOWN, assignee=SOMEBODY), SENTRY),
    ],
)
def test_a_process_that_cannot_be_read_holds_up_only_what_it_may_forbid(
    problem: SyncError, item: ItemSide, side: Side
) -> None:
    now = Ends(IssueSide(UNRESOLVED, None if item.assignee else SOMEBODY), item)
    decision = decided(ends(UNRESOLVED, "Active"), now, types={}, problem=problem)
    assert decision.intents == (Intent(side, ASSIGNEE, assignee=SOMEBODY),)


REMOVED = Choice(SKIPPED, reason="removed")


def removed(status: IssueStatus, in_sentry: Assignee = None, *, counts_as: IssueStatus = UNRESOLVED) -> Ends:
    return Ends(IssueSide(status, in_sentry), ItemSide(7, "Removed", counts_as, removed=True))


@pytest.mark.parametrize(
    ("seen", "now", "status", "assignee"),
    [
        (removed(UNRESOLVED), removed(RESOLVED), REMOVED, Choice(SETTLED)),
        (removed(UNRESOLVED), removed(UNRESOLVED, Person("a@b")), Choice(SETTLED), REMOVED),
        # Nor does it win a conflict: it cannot be written.
        (ends(UNRESOLVED, "Closed"), removed(RESOLVED), Choice(CONFLICT_RESOLVED, SENTRY), Choice(SETTLED)),
        # What a removed item says still travels: it is not done.
        (ends(RESOLVED, "Closed"), removed(RESOLVED), Choice(APPLIED, SENTRY), Choice(SETTLED)),
        # Where removed counts as done, it is a state like others.
        (
            removed(RESOLVED, counts_as=RESOLVED),
            removed(UNRESOLVED, counts_as=RESOLVED),
            Choice(APPLIED, ADO),
            Choice(SETTLED),
        ),
    ],
)
def test_a_removed_work_item_is_left_alone(seen: Ends, now: Ends, status: Choice, assignee: Choice) -> None:
    decision = decided(seen, now)
    assert (decision.status, decision.assignee) == (status, assignee)


def test_a_removed_work_item_that_is_reopened_is_removed_no_more() -> None:
    decision = decided(removed(RESOLVED, counts_as=RESOLVED), removed(UNRESOLVED, counts_as=RESOLVED))
    assert decision.after.item == ItemSide(7, "Active", UNRESOLVED)


def test_a_removed_work_item_is_not_written_in_a_conflict_either() -> None:
    decision = decided(ends(UNRESOLVED, "Closed"), removed(RESOLVED), configured(on_conflict=SENTRY))
    assert (decision.status, decision.after) == (REMOVED, removed(RESOLVED))


def test_a_skipped_change_is_taken_note_of() -> None:
    now = ends(RESOLVED, "Active", rev=8)
    assert decided(OPEN_BOTH, now, configured(issue_sync=False)).after == now


def test_the_weightier_of_two_outcomes_names_the_decision() -> None:
    seen = ends(RESOLVED, "Active")
    now = ends(UNRESOLVED, "Closed", in_sentry=TEAM)
    decision = decided(seen, now)
    assert (decision.status.outcome, decision.assignee.outcome) == (CONFLICT_RESOLVED, SKIPPED)
    assert decision.outcome is CONFLICT_RESOLVED
    assert decided(now, now).outcome is SETTLED
    assert decided(OPEN_BOTH, ends(UNRESOLVED, "Active", in_sentry=TEAM)).outcome is SKIPPED


# What counts as done


@pytest.mark.parametrize(
    ("configuration", "types", "work_item_type", "state", "status"),
    [
        (DEFAULT, AGILE, "Bug", "New", UNRESOLVED),
        (DEFAULT, AGILE, "Bug", "Active", UNRESOLVED),
        (DEFAULT, AGILE, "Bug", "Resolved", RESOLVED),
        (DEFAULT, AGILE, "Bug", "Closed", RESOLVED),
        (DEFAULT, AGILE, "Task", "Removed", UNRESOLVED),
        (DEFAULT, SCRUM, "Bug", "Committed", UNRESOLVED),
        (DEFAULT, SCRUM, "Bug", "Done", RESOLVED),
        (DEFAULT, BASIC, "Issue", "Doing", UNRESOLVED),
        (DEFAULT, BASIC, "Issue", "Done", RESOLVED),
        (DEFAULT, CMMI, "Review", "Resolved", RESOLVED),
        (DEFAULT, CUSTOM, "Bug", "Behoben", RESOLVED),
        (configured(done_categories=(Category.COMPLETED,)), AGILE, "Bug", "Resolved", UNRESOLVED),
        (configured(done_categories=(Category.COMPLETED,)), AGILE, "Bug", "Closed", RESOLVED),
        (
            configured(done_categories=(Category.COMPLETED, Category.REMOVED)),
            AGILE,
            "Task",
            "Removed",
            RESOLVED,
        ),
        (mapped(done_states=("Removed",)), AGILE, "Task", "Removed", RESOLVED),
        (mapped(done_states=("Removed",)), AGILE, "Task", "Closed", RESOLVED),  # it adds, it does not replace
        # A type's own mapping adds to its project's; another type's has nothing to do with it.
        (
            mapped(done_states=("Removed",), types={"Task": StatusMapping(done_states=("Active",))}),
            AGILE,
            "Task",
            "Active",
            RESOLVED,
        ),
        (
            mapped(done_states=("Removed",), types={"Task": StatusMapping(done_states=("Active",))}),
            AGILE,
            "Task",
            "Removed",
            RESOLVED,
        ),
        (mapped(types={"Task": StatusMapping(done_states=("Active",))}), AGILE, "Bug", "Active", UNRESOLVED),
        # A state that the mapping calls done needs no category.
        (mapped(done_states=("Somewhere",)), CUSTOM, "Riddle", "Somewhere", RESOLVED),
    ],
)
def test_a_state_counts_by_its_category_and_its_mapping(
    configuration: Configuration, types: WorkItemTypes, work_item_type: str, state: str, status: IssueStatus
) -> None:
    assert status_of_state(configuration, PROJECT, work_item_type, state, types) is status


def test_the_same_state_may_count_differently_for_another_type() -> None:
    types = {"Bug": states("I Ready"), "Task": states("C Ready")}
    assert status_of_state(DEFAULT, PROJECT, "Bug", "Ready", types) is UNRESOLVED
    assert status_of_state(DEFAULT, PROJECT, "Task", "Ready", types) is RESOLVED


@pytest.mark.parametrize("project_id", [PROJECT, PROJECT.upper()])
def test_a_project_is_known_by_its_id_in_any_case(project_id: str) -> None:
    configuration = mapped(done_states=("Active",))
    assert status_of_state(configuration, project_id, "Bug", "Active", AGILE) is RESOLVED
    assert status_of_state(configuration, "another", "Bug", "Active", AGILE) is UNRESOLVED


@pytest.mark.parametrize(
    ("work_item_type", "state", "types"),
    [
        ("Bug", "Triaged", AGILE),  # a state added a moment ago
        ("Risk", "Active", AGILE),  # a type added a moment ago
        ("Riddle", "Somewhere", CUSTOM),  # a category that nobody knows
        ("Bug", "active", AGILE),
        ("Bug", "Active", {}),
    ],
)
def test_a_state_without_a_known_category_is_never_guessed(
    work_item_type: str, state: str, types: WorkItemTypes
) -> None:
    with pytest.raises(Undecidable) as refusal:
        status_of_state(DEFAULT, PROJECT, work_item_type, state, types)
    assert refusal.value.kind == "unknown-state"
    assert refusal.value.told == f"no category is known for state {state!r} of {work_item_type}"


# Which state to write


@pytest.mark.parametrize(
    ("types", "work_item_type", "closed", "reopened"),
    [
        (AGILE, "Bug", "Closed", "Active"),
        (AGILE, "Task", "Closed", "Active"),
        (AGILE, "Issue", "Closed", "Active"),
        (SCRUM, "Bug", "Done", "Committed"),
        (SCRUM, "Task", "Done", "In Progress"),
        (SCRUM, "Impediment", "Closed", "Open"),
        (BASIC, "Issue", "Done", "Doing"),
        (CMMI, "Bug", "Closed", "Active"),
        (CUSTOM, "Bug", "Geprüft", "In Arbeit"),  # the first of two completed ones
        (CUSTOM, "Wish", "Granted", "Idea"),
        (CUSTOM, "Chore", "Finished", "Doing"),
    ],
)
def test_without_a_mapping_the_category_names_the_state(
    types: WorkItemTypes, work_item_type: str, closed: str, reopened: str
) -> None:
    assert states_for_status(DEFAULT, PROJECT, work_item_type, RESOLVED, None, types)[0] == closed
    assert states_for_status(DEFAULT, PROJECT, work_item_type, UNRESOLVED, None, types)[0] == reopened


@pytest.mark.parametrize(
    ("open_state", "reopened"),
    [
        ("New", "New"),
        ("Active", "Active"),
        (None, "Active"),
        ("Triaged", "Active"),  # gone from the process meanwhile
        ("Resolved", "Active"),  # done by today's configuration
        ("Removed", "Active"),  # nobody reopens an issue to see its work item removed
    ],
)
def test_a_reopened_work_item_goes_back_to_where_it_was(open_state: str | None, reopened: str) -> None:
    assert states_for_status(DEFAULT, PROJECT, "User Story", UNRESOLVED, open_state, AGILE)[0] == reopened
    assert states_for_status(DEFAULT, PROJECT, "User Story", RESOLVED, open_state, AGILE)[0] == "Closed"


FOR_TASKS = StatusMapping("Closed", "Active")


@pytest.mark.parametrize(
    ("configuration", "work_item_type", "open_state", "closed", "reopened"),
    [
        (mapped(on_resolve="Resolved", on_unresolve="New"), "Bug", None, "Resolved", "New"),
        # What somebody chose wins over what the work item was.
        (mapped(on_resolve="Resolved", on_unresolve="New"), "Bug", "Active", "Resolved", "New"),
        # A type that lacks the project's state takes its own default.
        (mapped(on_resolve="Resolved", on_unresolve="New"), "Task", None, "Closed", "New"),
        (mapped(on_resolve="Resolved", on_unresolve="New"), "Issue", None, "Closed", "Active"),
        (
            mapped({"Task": FOR_TASKS}, on_resolve="Resolved", on_unresolve="New"),
            "Task",
            "New",
            "Closed",
            "Active",
        ),
        (
            mapped({"Task": FOR_TASKS}, on_resolve="Resolved", on_unresolve="New"),
            "Bug",
            None,
            "Resolved",
            "New",
        ),
        # Its own states gone from the process, a type falls back to its project's, then to the categories.
        (
            mapped({"Bug": StatusMapping("Fixed", "Open")}, on_resolve="Resolved", on_unresolve="New"),
            "Bug",
            None,
            "Resolved",
            "New",
        ),
        (mapped({"Bug": StatusMapping("Fixed", "Open")}), "Bug", None, "Closed", "Active"),
        # States that would be read back as the opposite are passed over.
        (mapped(on_resolve="Active", on_unresolve="Closed"), "Bug", None, "Closed", "Active"),
        (mapped(done_states=("Active",)), "Bug", "Active", "Closed", "New"),
        (
            mapped(on_resolve="Removed", on_unresolve="New", done_states=("Removed",)),
            "Task",
            None,
            "Removed",
            "New",
        ),
        # With a narrower idea of done, a resolved work item is an open one.
        (configured(done_categories=(Category.RESOLVED,)), "Bug", None, "Resolved", "Active"),
        (configured(done_categories=(Category.REMOVED,)), "Task", None, "Removed", "Active"),
    ],
)
def test_a_mapping_names_the_state_as_far_as_the_type_has_it(
    configuration: Configuration, work_item_type: str, open_state: str | None, closed: str, reopened: str
) -> None:
    def state(status: IssueStatus) -> str:
        return states_for_status(configuration, PROJECT, work_item_type, status, open_state, AGILE)[0]

    assert (state(RESOLVED), state(UNRESOLVED)) == (closed, reopened)


def test_where_resolved_is_not_done_it_is_the_last_resort_for_an_open_state() -> None:
    configuration = configured(done_categories=(Category.COMPLETED,))
    types = {"Bug": states("R Fixed, C Verified")}
    assert states_for_status(configuration, PROJECT, "Bug", UNRESOLVED, None, types)[0] == "Fixed"


@pytest.mark.parametrize(
    ("types", "work_item_type", "status"),
    [(CUSTOM, "Note", RESOLVED), ({"Bug": states("C Done")}, "Bug", UNRESOLVED), (AGILE, "Risk", RESOLVED)],
)
def test_a_type_without_a_fitting_state_is_left_alone(
    types: WorkItemTypes, work_item_type: str, status: IssueStatus
) -> None:
    with pytest.raises(Undecidable) as refusal:
        states_for_status(DEFAULT, PROJECT, work_item_type, status, None, types)
    assert refusal.value.kind == "no-such-state"
    assert refusal.value.told == f"{work_item_type} has no state that counts as {status.value}"


def test_a_decision_reopens_into_the_state_the_link_remembers() -> None:
    decision = decided(ends(RESOLVED, "Closed"), ends(UNRESOLVED, "Closed"), open_state="New")
    assert decision.for_side(ADO) == (Intent(ADO, STATUS, state="New", status=UNRESOLVED),)
    assert decision.for_side(SENTRY) == ()
    assert decision.after == ends(UNRESOLVED, "New")


def test_a_state_that_is_steps_away_is_written_by_way_of_the_states_between() -> None:
    new = State("New", Category.PROPOSED, ("Active",))
    active, closed = State("Active", Category.IN_PROGRESS), State("Closed", Category.COMPLETED)
    types = {"User Story": (new, active, closed)}
    decision = decided(ends(UNRESOLVED, "New"), ends(RESOLVED, "New"), types=types)
    way = (Intent(ADO, STATUS, state="Active", status=UNRESOLVED),)
    assert decision.intents == (Intent(ADO, STATUS, state="Closed", status=RESOLVED, via=way),)
    assert decision.after == ends(RESOLVED, "Closed")


# Which mapping may be stored


@pytest.mark.parametrize(
    ("configuration", "errors"),
    [
        (DEFAULT, {}),
        (mapped(), {}),
        (mapped(on_resolve="Closed", on_unresolve="Active"), {}),
        (mapped(on_resolve="Removed", on_unresolve="Active", done_states=("Removed",)), {}),
        (mapped({"Task": FOR_TASKS}, on_resolve="Resolved", on_unresolve="New"), {}),
        (
            mapped(on_resolve="Fertig", on_unresolve="Active", done_states=("Closed", "Weg")),
            {
                "on_resolve": "'Fertig' is no state of the project",
                "done_states[1]": "'Weg' is no state of the project",
            },
        ),
        (
            mapped(on_resolve="Closed", on_unresolve="Offen"),
            {"on_unresolve": "'Offen' is no state of the project"},
        ),
        ({"Risk": FOR_TASKS}, {"types.Risk": "is no work item type of the project"}),
        # All mistakes are named at once.
        (
            mapped(
                {
                    "Risk": FOR_TASKS,
                    "Task": StatusMapping("Resolved", "New"),
                    "Bug": StatusMapping("Active", "New"),
                },
                on_resolve="Fertig",
                on_unresolve="Active",
            ),
            {
                "on_resolve": "'Fertig' is no state of the project",
                "types.Risk": "is no work item type of the project",
                "types.Task.on_resolve": "'Resolved' is no state of Task",
                "types.Bug.on_resolve": "'Active' counts as not done for Bug, so the sync would undo itself. "
                "Choose a state of category Resolved or Completed, or name this one under done_states",
            },
        ),
        # A state of another type is a state of the project, but not of this type.
        (
            {"Task": StatusMapping("Resolved", "New")},
            {"types.Task.on_resolve": "'Resolved' is no state of Task"},
        ),
        (
            {"Bug": StatusMapping(done_states=("Removed",))},
            {"types.Bug.done_states[0]": "'Removed' is no state of Bug"},
        ),
        (
            {"Bug": StatusMapping("Active", "New")},
            {
                "types.Bug.on_resolve": "'Active' counts as not done for Bug, so the sync would undo itself. "
                "Choose a state of category Resolved or Completed, or name this one under done_states"
            },
        ),
        (
            {"Bug": StatusMapping("Closed", "Resolved")},
            {
                "types.Bug.on_unresolve": "'Resolved' counts as done for Bug, so the sync would undo itself. "
                "Choose one that does not"
            },
        ),
        (
            mapped(
                {"Issue": StatusMapping(done_states=("Active",))}, on_resolve="Closed", on_unresolve="Active"
            ),
            {
                "on_unresolve": "'Active' counts as done for Issue, so the sync would undo itself. "
                "Choose one that does not"
            },
        ),
        (
            mapped({"Bug": StatusMapping("Resolved", "Active")}, on_resolve="Closed", on_unresolve="Removed"),
            {},
        ),
        # A type that has open and done states by their categories keeps one of each.
        (
            {"Bug": StatusMapping(done_states=("New", "Active"))},
            {"types.Bug.done_states": "leaves Bug without a state to set that counts as open"},
        ),
        ({"Bug": StatusMapping(done_states=("Active",))}, {}),
        # *Issue* has no other open state, but *Bug* has: that is for whom it was meant.
        (mapped(done_states=("Active",)), {}),
        (
            {"Issue": StatusMapping(done_states=("Active",))},
            {"types.Issue.done_states": "leaves Issue without a state to set that counts as open"},
        ),
        # A removed item counts as open, and is not written to: it would stay so.
        (
            {"Task": StatusMapping(on_unresolve="Removed", done_states=("New", "Active"))},
            {"types.Task.done_states": "leaves Task without a state to set that counts as open"},
        ),
        ({"Task": StatusMapping(on_unresolve="Removed", done_states=("New",))}, {}),
        (
            {"Task": StatusMapping(done_states=("New", "Active", "Removed"))},
            {"types.Task.done_states": "leaves Task without a state to set that counts as open"},
        ),
    ],
)
def test_a_mapping_names_states_that_exist_and_read_back(
    configuration: Configuration | dict[str, StatusMapping], errors: dict[str, str]
) -> None:
    if isinstance(configuration, dict):
        configuration = mapped(configuration)
    prefixed = {f"status_mapping.{PROJECT}.{path}": problem for path, problem in errors.items()}
    assert mapping_errors(configuration, PROJECT, AGILE) == prefixed


@pytest.mark.parametrize(
    ("configuration", "types", "path", "problem"),
    [
        (
            mapped(on_resolve="Closed", on_unresolve="Active", done_states=("Active",)),
            {"Bug": AGILE["Bug"]},
            "on_unresolve",
            "'Active' counts as done for Bug, so the sync would undo itself. Choose one that does not",
        ),
        (
            mapped(on_resolve="Solved", on_unresolve="Somewhere"),
            {"Riddle": CUSTOM["Riddle"]},
            "on_unresolve",
            "'Somewhere' of Riddle has no category that is known. Choose another state",
        ),
        (
            configured(
                done_categories=(Category.COMPLETED,),
                status_mapping={PROJECT: ProjectMapping("Resolved", "Active")},
            ),
            {"Bug": AGILE["Bug"]},
            "on_resolve",
            (
                "'Resolved' counts as not done for Bug, so the sync would undo itself. "
                "Choose a state of category Completed, or name this one under done_states"
            ),
        ),
    ],
)
def test_a_mapping_that_would_not_read_back_is_named(
    configuration: Configuration, types: WorkItemTypes, path: str, problem: str
) -> None:
    assert mapping_errors(configuration, PROJECT, types) == {f"status_mapping.{PROJECT}.{path}": problem}


def subsets(names: Iterable[str]) -> Iterable[tuple[str, ...]]:
    every = tuple(names)
    return itertools.chain.from_iterable(
        itertools.combinations(every, size) for size in range(len(every) + 1)
    )


NAMES = ("New", "Active", "Resolved", "Closed")
SOME_DONE = [(Category.COMPLETED,), (Category.RESOLVED,), (Category.RESOLVED, Category.COMPLETED)]


@pytest.mark.parametrize("done_categories", SOME_DONE)
@pytest.mark.parametrize("work_item_type", ["Bug", None])
def test_a_mapping_without_errors_is_written_to_the_letter_and_reads_back(
    done_categories: tuple[Category, ...], work_item_type: str | None
) -> None:
    types = {"Bug": AGILE["Bug"]}
    for resolve, unresolve, done in itertools.product(NAMES, NAMES, subsets(NAMES)):
        project = ProjectMapping(resolve, unresolve, done)
        if work_item_type:
            project = ProjectMapping(types={work_item_type: StatusMapping(resolve, unresolve, done)})
        configuration = configured(done_categories=done_categories, status_mapping={PROJECT: project})
        reads = {
            name: status_of_state(configuration, PROJECT, "Bug", name, types) for name in (resolve, unresolve)
        }
        lawful = (reads[resolve], reads[unresolve]) == (RESOLVED, UNRESOLVED)
        assert (mapping_errors(configuration, PROJECT, types) == {}) is lawful, project
        if lawful:
            for status, state in ((RESOLVED, resolve), (UNRESOLVED, unresolve)):
                assert states_for_status(configuration, PROJECT, "Bug", status, "Active", types)[0] == state


@pytest.mark.parametrize("done_categories", SOME_DONE)
@pytest.mark.parametrize(
    "types", [AGILE, SCRUM, BASIC, CMMI, CUSTOM], ids=["Agile", "Scrum", "Basic", "CMMI", "own"]
)
def test_a_state_that_is_written_is_read_back_whatever_the_mapping_says(
    types: WorkItemTypes, done_categories: tuple[Category, ...]
) -> None:
    for work_item_type, own in types.items():
        names = [state.name for state in own]
        for resolve, unresolve, done in itertools.product(names, names, subsets(names)):
            project = ProjectMapping(resolve, unresolve, done)
            configuration = configured(done_categories=done_categories, status_mapping={PROJECT: project})
            for status in (RESOLVED, UNRESOLVED):
                try:
                    state, *_ = states_for_status(
                        configuration, PROJECT, work_item_type, status, unresolve, types
                    )
                except Undecidable:
                    continue
                assert status_of_state(configuration, PROJECT, work_item_type, state, types) is status


# Who is who

ANN, BOB = Person("ann@corp.example"), Person("bob@corp.example")
ANN_AT_HOME = Person("ann@home.example")
TEAM = Stranger("team-assignee", "#backend")
BARE_NAME = Stranger("assignee-unreadable", "Jamal Hartnett")
ALIASED = configured(people={"ann@corp.example": "ann@home.example"})


@pytest.mark.parametrize(
    ("configuration", "in_ado_now", "in_sentry_now", "same"),
    [
        (DEFAULT, None, None, True),
        (DEFAULT, ANN, ANN, True),
        (DEFAULT, ANN, BOB, False),
        (DEFAULT, ANN, None, False),
        (DEFAULT, None, ANN, False),
        (DEFAULT, ANN, TEAM, False),
        (DEFAULT, BARE_NAME, None, False),
        (DEFAULT, BARE_NAME, BARE_NAME, False),  # two strangers are never known to be one person
        (ALIASED, ANN, ANN_AT_HOME, True),
        (ALIASED, ANN, ANN, False),
        (ALIASED, BOB, BOB, True),
        (ALIASED, ANN_AT_HOME, ANN, False),  # an alias has a direction
    ],
)
def test_two_assignees_are_the_same_person_by_address_or_alias(
    configuration: Configuration, in_ado_now: Assignee, in_sentry_now: Assignee, same: bool
) -> None:
    assert same_person(configuration, in_ado_now, in_sentry_now) is same


@pytest.mark.parametrize("assignee", [None, ANN, BOB, TEAM, BARE_NAME])
def test_a_person_carried_over_and_back_is_the_same_person(assignee: Assignee) -> None:
    assert names_in_ado(ALIASED, in_sentry(ALIASED, assignee))[0] == assignee


def people(in_ado: Assignee, in_sentry: Assignee) -> Ends:
    return ends(UNRESOLVED, "Active", in_ado=in_ado, in_sentry=in_sentry)


@pytest.mark.parametrize(
    ("seen", "now", "choice", "write"),
    [
        # (in ADO, in Sentry), before and after
        ((None, None), (None, None), Choice(SETTLED), None),
        ((ANN, BOB), (ANN, BOB), Choice(SETTLED), None),  # linked so
        ((ANN, TEAM), (ANN, TEAM), Choice(SETTLED), None),
        ((None, None), (None, ANN), Choice(APPLIED, ADO), (ADO, ANN)),
        ((None, None), (ANN, None), Choice(APPLIED, SENTRY), (SENTRY, ANN)),
        ((ANN, ANN), (ANN, BOB), Choice(APPLIED, ADO), (ADO, BOB)),
        ((ANN, ANN), (BOB, ANN), Choice(APPLIED, SENTRY), (SENTRY, BOB)),
        # Unassigning travels both ways.
        ((ANN, ANN), (ANN, None), Choice(APPLIED, ADO), (ADO, None)),
        ((ANN, ANN), (None, ANN), Choice(APPLIED, SENTRY), (SENTRY, None)),
        # Both changed.
        ((None, None), (ANN, ANN), Choice(AGREED), None),
        ((ANN, ANN), (None, None), Choice(AGREED), None),
        ((None, None), (ANN, BOB), Choice(CONFLICT_RESOLVED, SENTRY), (SENTRY, ANN)),
        ((ANN, ANN), (None, BOB), Choice(CONFLICT_RESOLVED, SENTRY), (SENTRY, None)),
        # The other side caught up by itself.
        ((ANN, None), (ANN, ANN), Choice(AGREED), None),
        ((None, ANN), (ANN, ANN), Choice(AGREED), None),
        # A team is no person: recorded, and the work item is left alone.
        ((None, None), (None, TEAM), Choice(SKIPPED, reason="team-assignee"), None),
        ((ANN, ANN), (ANN, TEAM), Choice(SKIPPED, reason="team-assignee"), None),
        ((ANN, TEAM), (BOB, TEAM), Choice(APPLIED, SENTRY), (SENTRY, BOB)),
        ((ANN, TEAM), (ANN, BOB), Choice(APPLIED, ADO), (ADO, BOB)),
        ((None, TEAM), (None, None), Choice(AGREED), None),
        ((ANN, TEAM), (None, TEAM), Choice(SKIPPED, reason="team-assignee"), None),
        # So is a bare display name: never turned into an unassign.
        ((ANN, ANN), (BARE_NAME, ANN), Choice(SKIPPED, reason="assignee-unreadable"), None),
        ((None, None), (BARE_NAME, None), Choice(SKIPPED, reason="assignee-unreadable"), None),
        ((BARE_NAME, ANN), (None, ANN), Choice(APPLIED, SENTRY), (SENTRY, None)),
        ((BARE_NAME, None), (BARE_NAME, ANN), Choice(APPLIED, ADO), (ADO, ANN)),
        ((None, None), (BARE_NAME, ANN), Choice(SKIPPED, reason="assignee-unreadable"), None),
        ((None, None), (ANN, TEAM), Choice(CONFLICT_RESOLVED, SENTRY), (SENTRY, ANN)),
    ],
)
def test_an_assignee_follows_whichever_side_changed(
    seen: tuple[Assignee, Assignee],
    now: tuple[Assignee, Assignee],
    choice: Choice,
    write: tuple[Side, Assignee] | None,
) -> None:
    decision = decided(people(*seen), people(*now))
    assert (decision.assignee, written(decision, ASSIGNEE)) == (choice, write)
    assert decision.status == Choice(SETTLED)


@pytest.mark.parametrize(
    ("changes", "seen", "now", "choice"),
    [
        (
            {"sync_forward_assignment": False},
            (ANN, ANN),
            (ANN, BOB),
            Choice(SKIPPED, reason="outbound-off"),
        ),
        ({"sync_forward_assignment": False}, (ANN, ANN), (BOB, ANN), Choice(APPLIED, SENTRY)),
        ({"sync_reverse_assignment": False}, (ANN, ANN), (BOB, ANN), Choice(SKIPPED, reason="inbound-off")),
        ({"sync_reverse_assignment": False}, (ANN, ANN), (ANN, BOB), Choice(APPLIED, ADO)),
        ({"issue_sync": False}, (ANN, ANN), (ANN, None), Choice(SKIPPED, reason="outbound-off")),
        ({"issue_sync": False}, (ANN, ANN), (None, ANN), Choice(SKIPPED, reason="inbound-off")),
        ({"sync_status_forward": False}, (ANN, ANN), (ANN, BOB), Choice(APPLIED, ADO)),
        ({"sync_status_reverse": False}, (ANN, ANN), (BOB, ANN), Choice(APPLIED, SENTRY)),
        ({"on_conflict": SENTRY}, (None, None), (ANN, BOB), Choice(CONFLICT_RESOLVED, ADO)),
        ({"on_conflict": SENTRY}, (None, None), (ANN, TEAM), Choice(SKIPPED, reason="team-assignee")),
        ({"sync_reverse_assignment": False}, (None, None), (ANN, BOB), Choice(CONFLICT_RESOLVED, ADO)),
        (
            {"on_conflict": SENTRY, "sync_forward_assignment": False},
            (None, None),
            (ANN, BOB),
            Choice(CONFLICT_RESOLVED, SENTRY),
        ),
    ],
)
def test_an_assignee_travels_only_where_it_is_switched_on(
    changes: dict[str, Any],
    seen: tuple[Assignee, Assignee],
    now: tuple[Assignee, Assignee],
    choice: Choice,
) -> None:
    assert decided(people(*seen), people(*now), configured(**changes)).assignee == choice


@pytest.mark.parametrize(
    ("now", "write"),
    [
        ((ANN, None), (SENTRY, ANN_AT_HOME)),
        ((None, ANN_AT_HOME), (ADO, ANN)),
        ((ANN, ANN_AT_HOME), None),
        ((BOB, None), (SENTRY, BOB)),
        ((None, BOB), (ADO, BOB)),
    ],
)
def test_a_person_is_written_by_the_name_of_the_other_side(
    now: tuple[Assignee, Assignee], write: tuple[Side, Assignee] | None
) -> None:
    assert written(decided(people(None, None), people(*now), ALIASED), ASSIGNEE) == write


def test_a_person_is_known_by_each_address_that_they_verified() -> None:
    ann = Acquaintance(("ann@home.example",), known_as=ANN_AT_HOME)
    there = decided(people(None, None), people(ANN_AT_HOME, ANN), acquaintance=ann)
    assert there.assignee == Choice(AGREED)
    # The name that Azure DevOps took last comes first.
    decision = decided(people(None, None), people(None, ANN), acquaintance=ann)
    assert decision.intents == (Intent(ADO, ASSIGNEE, assignee=ANN_AT_HOME, others=(ANN,)),)


@pytest.mark.parametrize(
    ("owed", "seen", "now", "choice", "write"),
    [
        # The other side did not know the person: left as it is, and tried again.
        (ADO, (None, ANN), (None, ANN), Choice(APPLIED, ADO), (ADO, ANN)),
        (SENTRY, (ANN, BOB), (ANN, BOB), Choice(APPLIED, SENTRY), (SENTRY, ANN)),
        (ADO, (None, ANN), (None, BOB), Choice(APPLIED, ADO), (ADO, BOB)),
        # Somebody did it by hand meanwhile.
        (ADO, (None, ANN), (ANN, ANN), Choice(AGREED), None),
        (SENTRY, (ANN, None), (ANN, ANN), Choice(AGREED), None),
        # What a person does now counts more than what is still owed: no conflict.
        (ADO, (None, ANN), (BOB, ANN), Choice(APPLIED, SENTRY), (SENTRY, BOB)),
        (SENTRY, (ANN, None), (ANN, BOB), Choice(APPLIED, ADO), (ADO, BOB)),
        # But when both did something, it is one.
        (ADO, (None, ANN), (BOB, None), Choice(CONFLICT_RESOLVED, SENTRY), (SENTRY, BOB)),
        (None, (None, ANN), (None, ANN), Choice(SETTLED), None),
    ],
)
def test_a_person_who_was_not_known_is_still_owed(
    owed: Side | None,
    seen: tuple[Assignee, Assignee],
    now: tuple[Assignee, Assignee],
    choice: Choice,
    write: tuple[Side, Assignee] | None,
) -> None:
    decision = decided(people(*seen), people(*now), owed=owed)
    assert (decision.assignee, written(decision, ASSIGNEE)) == (choice, write)


@pytest.mark.parametrize(
    ("owed", "switch", "reason"),
    [
        (ADO, "sync_forward_assignment", "outbound-off"),
        (SENTRY, "sync_reverse_assignment", "inbound-off"),
    ],
)
def test_nothing_is_owed_in_a_direction_that_was_switched_off(owed: Side, switch: str, reason: str) -> None:
    decision = decided(people(ANN, BOB), people(ANN, BOB), configured(**{switch: False}), owed=owed)
    assert decision.assignee == Choice(SKIPPED, reason=reason)


def test_both_fields_go_to_whichever_side_each_of_them_needs() -> None:
    seen = ends(UNRESOLVED, "Active", in_ado=ANN, in_sentry=ANN)
    decision = decided(seen, ends(RESOLVED, "Active", in_ado=BOB, in_sentry=ANN, rev=8))
    assert decision.for_side(ADO) == (Intent(ADO, STATUS, state="Closed", status=RESOLVED),)
    assert decision.for_side(SENTRY) == (Intent(SENTRY, ASSIGNEE, assignee=BOB),)
    assert decision.after == ends(RESOLVED, "Closed", in_ado=BOB, in_sentry=BOB, rev=8)
    assert decision.outcome is APPLIED


def test_a_status_and_an_assignee_share_one_write_to_the_work_item() -> None:
    decision = decided(OPEN_BOTH, ends(RESOLVED, "Active", in_sentry=ANN))
    assert [intent.field for intent in decision.for_side(ADO)] == [STATUS, ASSIGNEE]


# Several links at one end


@pytest.mark.parametrize(
    ("now", "facts", "choice", "waiting"),
    [
        (ITEM_MOVED, {"waiting": SENTRY}, Choice(APPLIED, SENTRY), SENTRY),
        (ISSUE_MOVED, {"waiting": ADO}, Choice(APPLIED, ADO), ADO),
        (ISSUE_MOVED, {"reopened": ADO}, Choice(APPLIED, ADO), ADO),
        # Where one partner is enough, reopening it on account of another one is the last word.
        (
            ISSUE_MOVED,
            {"reopened": ADO, "configuration": configured(done_when=DoneWhen.ANY)},
            Choice(SETTLED),
            None,
        ),
        # Both are done by now, for whatever reason.
        (ends(RESOLVED, "Closed"), {"waiting": ADO}, Choice(SETTLED), None),
        (ends(IGNORED, "Closed"), {"waiting": ADO}, Choice(SETTLED), None),
        # What does not travel is not waited for; what is not known still is.
        (
            ISSUE_MOVED,
            {"waiting": ADO, "configuration": configured(sync_status_forward=False)},
            Choice(SKIPPED, reason="outbound-off"),
            None,
        ),
        (Ends(IssueSide(UNRESOLVED), UNKNOWN), {"waiting": SENTRY}, Choice(UNDECIDED), SENTRY),
    ],
)
def test_a_side_that_waits_is_written_though_nothing_changed(
    now: Ends, facts: dict[str, Any], choice: Choice, waiting: Side | None
) -> None:
    decision = decided(now, now, **facts)
    assert (decision.status, decision.waiting) == (choice, waiting)


@pytest.mark.parametrize(
    ("seen", "now", "waiting", "kept_open", "choice"),
    [
        (OPEN_BOTH, ITEM_MOVED, None, SENTRY, Choice(SKIPPED, reason="waits-for-others")),
        (OPEN_BOTH, ISSUE_MOVED, None, ADO, Choice(SKIPPED, reason="waits-for-others")),
        # It is told once, and again when its partner is done in another way.
        (ITEM_MOVED, ITEM_MOVED, SENTRY, SENTRY, Choice(SETTLED)),
        (ISSUE_MOVED, ISSUE_MOVED, ADO, ADO, Choice(SETTLED)),
        (
            ends(UNRESOLVED, "Closed", counts_as=IGNORED),
            ITEM_MOVED,
            SENTRY,
            SENTRY,
            Choice(SKIPPED, reason="waits-for-others"),
        ),
    ],
)
def test_a_side_that_others_keep_open_waits_and_says_so_once(
    seen: Ends, now: Ends, waiting: Side | None, kept_open: Side, choice: Choice
) -> None:
    decision = decided(seen, now, waiting=waiting, kept_open=kept_open)
    assert (decision.status, decision.intents, decision.waiting) == (choice, (), kept_open)


BY_ANOTHER_LINK = Choice(SKIPPED, reason="sibling")


@pytest.mark.parametrize(
    ("status", "field", "choices"),
    [
        (RESOLVED, STATUS, (BY_ANOTHER_LINK, Choice(SETTLED))),
        (IGNORED, STATUS, (Choice(SKIPPED, reason="archived"), Choice(SETTLED))),
        (RESOLVED, ASSIGNEE, (Choice(SETTLED), BY_ANOTHER_LINK)),
    ],
)
def test_a_field_that_differs_through_another_link_says_so(
    status: IssueStatus, field: str, choices: tuple[Choice, Choice]
) -> None:
    apart, agreed = ends(status, "Active", in_ado=ANN, in_sentry=BOB), people(ANN, ANN)
    siblings = frozenset({(ADO, field)})
    # Whoever was assigned through the other link was chosen later than the one who is owed.
    decision = decided(apart, apart, siblings=siblings, owed=ADO if field == ASSIGNEE else None)
    assert (decision.status, decision.assignee, decision.intents) == (*choices, ())
    assert decided(agreed, agreed, siblings=siblings).outcome is SETTLED


# A person has one side copied over


@pytest.mark.parametrize("configuration", [DEFAULT, configured(issue_sync=False)], ids=["on", "off"])
@pytest.mark.parametrize(
    ("copies", "intents"),
    [
        (
            SENTRY,
            (
                Intent(ADO, STATUS, state="Closed", status=RESOLVED),
                Intent(ADO, ASSIGNEE, assignee=BOB),
            ),
        ),
        (ADO, (Intent(SENTRY, STATUS, status=UNRESOLVED), Intent(SENTRY, ASSIGNEE, assignee=ANN))),
    ],
)
def test_a_side_is_copied_over_unchanged_and_in_a_direction_that_is_off(
    configuration: Configuration, copies: Side, intents: tuple[Intent, ...]
) -> None:
    now = ends(RESOLVED, "Active", in_ado=ANN, in_sentry=BOB)
    decision = decided(now, now, configuration, copies=copies)
    copied = Choice(APPLIED, copies.other, reason="copied")
    assert (decision.status, decision.assignee, decision.intents) == (copied, copied, intents)


# The guard against flapping

AN_HOUR_AGO = 1_800_000_000.0
NOW = AN_HOUR_AGO + 3600


def link_written_at(*times: float) -> IssueLink:
    return IssueLink("fabrikam", "100", 31, PROJECT, "Bug", OPEN_BOTH, writes=times)


def test_only_what_we_wrote_within_an_hour_is_recent() -> None:
    link = link_written_at(AN_HOUR_AGO - 1, AN_HOUR_AGO, AN_HOUR_AGO + 1, NOW)
    assert recent_writes(link, NOW) == (AN_HOUR_AGO + 1, NOW)


def test_a_link_that_we_wrote_twenty_times_within_an_hour_is_flapping() -> None:
    verify_calm(link_written_at(AN_HOUR_AGO, *[NOW] * 19), NOW)
    with pytest.raises(Undecidable) as refusal:
        verify_calm(link_written_at(*[NOW] * 20), NOW)
    assert refusal.value.kind == "flapping"


# After a crash

SEEN = ends(UNRESOLVED, "Active", rev=7)
BEFORE_WRITING = ends(RESOLVED, "Active", in_sentry=ANN, rev=8)
CLOSE = Intent(ADO, STATUS, state="Closed", status=RESOLVED)
ASSIGN = Intent(ADO, ASSIGNEE, assignee=ANN)
RESOLVE = Intent(SENTRY, STATUS, status=RESOLVED)
ASSIGN_ISSUE = Intent(SENTRY, ASSIGNEE, assignee=ANN)


def claimed(*intents: Intent, after: Ends, tested_rev: int = 8) -> Claim:
    return Claim("dead", 0.0, tested_rev, intents, after)


WRITTEN = ends(RESOLVED, "Closed", in_ado=ANN, in_sentry=ANN, rev=9)


@pytest.mark.parametrize(
    ("intent", "now", "landed"),
    [
        (CLOSE, WRITTEN, True),
        (CLOSE, replace(WRITTEN, issue=IssueSide(IGNORED, BOB)), True),  # the issue has moved on since
        (CLOSE, ends(RESOLVED, "Closed", rev=12), True),  # and so has the work item
        (CLOSE, ends(RESOLVED, "Closed", rev=8), False),  # a write makes a new revision
        (CLOSE, ends(RESOLVED, "Active", rev=9), False),
        (CLOSE, ends(RESOLVED, "Resolved", rev=9), False),  # done, but not by this write
        # What the state counts as is no part of the write: a new configuration changes it.
        (CLOSE, ends(RESOLVED, "Closed", rev=9, counts_as=UNRESOLVED), True),
        (ASSIGN, WRITTEN, True),
        (ASSIGN, ends(RESOLVED, "Closed", rev=9), False),
        (ASSIGN, ends(RESOLVED, "Closed", in_ado=ANN, rev=8), False),
        (RESOLVE, WRITTEN, True),
        (RESOLVE, ends(RESOLVED, "Closed", rev=1), True),  # Sentry has no revisions
        (RESOLVE, ends(UNRESOLVED, "Closed", rev=9), False),
        (RESOLVE, ends(IGNORED, "Closed", rev=9), False),
        (ASSIGN_ISSUE, WRITTEN, True),
        (ASSIGN_ISSUE, ends(RESOLVED, "Closed", in_sentry=BOB), False),
    ],
)
def test_an_announced_write_has_landed_when_its_side_shows_it(
    intent: Intent, now: Ends, landed: bool
) -> None:
    assert has_landed(intent, claimed(intent, after=WRITTEN), now) is landed


def test_what_a_dead_worker_wrote_is_no_edit() -> None:
    claim = claimed(CLOSE, ASSIGN, after=WRITTEN)
    seen = seen_after_crash(SEEN, claim, WRITTEN)
    assert seen == replace(WRITTEN, item=replace(WRITTEN.item, rev=7))
    assert decided(seen, WRITTEN).outcome is SETTLED


def test_what_a_dead_worker_did_not_write_is_decided_anew() -> None:
    claim = claimed(CLOSE, ASSIGN, after=WRITTEN)
    assert seen_after_crash(SEEN, claim, BEFORE_WRITING) == SEEN
    assert decided(SEEN, BEFORE_WRITING).intents == (CLOSE, ASSIGN)


@pytest.mark.parametrize(
    ("now", "seen"),
    [
        # Only the status landed, and only that counts as seen.
        (ends(RESOLVED, "Closed", in_sentry=ANN, rev=9), ends(RESOLVED, "Closed", rev=7)),
        (
            ends(RESOLVED, "Active", in_sentry=ANN, in_ado=ANN, rev=9),
            ends(UNRESOLVED, "Active", in_sentry=ANN, in_ado=ANN, rev=7),
        ),
    ],
)
def test_each_write_of_a_dead_worker_counts_for_its_own_field(now: Ends, seen: Ends) -> None:
    assert seen_after_crash(SEEN, claimed(CLOSE, ASSIGN, after=WRITTEN), now) == seen


def test_an_edit_made_after_the_crash_still_travels() -> None:
    claim = claimed(CLOSE, after=WRITTEN)
    reopened = ends(UNRESOLVED, "Closed", in_ado=ANN, in_sentry=ANN, rev=9)
    seen = seen_after_crash(SEEN, claim, reopened)
    assert written(decided(with_field(seen, ASSIGNEE, reopened), reopened), STATUS) == (ADO, "Active")


# What holds for every decision

STATUSES = tuple(IssueStatus)
SOME_STATES = ("New", "Active", "Closed", "Removed")
SOME_PEOPLE: tuple[Assignee, ...] = (None, ANN, BOB, TEAM)
SOME_NAMES: tuple[Assignee, ...] = (None, ANN, BOB, BARE_NAME)


def switched(forward: bool, reverse: bool, on_conflict: Side) -> Configuration:
    return configured(
        sync_status_forward=forward,
        sync_forward_assignment=forward,
        sync_status_reverse=reverse,
        sync_reverse_assignment=reverse,
        on_conflict=on_conflict,
    )


def status_changes() -> Iterable[tuple[Ends, Ends, Side | None]]:
    """Yield every way in which a status may have moved, beside an assignee that stays or does not."""
    for status, state, status_now, state_now in itertools.product(
        STATUSES, SOME_STATES, STATUSES, SOME_STATES
    ):
        for in_sentry_now in (None, ANN):
            yield ends(status, state), ends(status_now, state_now, in_sentry=in_sentry_now, rev=8), None


def assignee_changes() -> Iterable[tuple[Ends, Ends, Side | None]]:
    for before, after in itertools.product(itertools.product(SOME_NAMES, SOME_PEOPLE), repeat=2):
        for owed in (None, ADO, SENTRY):
            yield people(*before), people(*after), owed


EVERY_CHANGE = [*status_changes(), *assignee_changes()]
EVERY_SWITCH = [
    pytest.param(switched(*switches), id="-".join(map(str, switches)))
    for switches in itertools.product(FLAGS, FLAGS, SIDES)
]


@pytest.mark.parametrize("configuration", EVERY_SWITCH)
def test_nothing_is_written_to_a_side_whose_direction_is_off(configuration: Configuration) -> None:
    allowed = {ADO} if configuration.sync_status_forward else set()
    allowed |= {SENTRY} if configuration.sync_status_reverse else set()
    for seen, now, owed in EVERY_CHANGE:
        decision = decided(seen, now, configuration, owed=owed)
        assert {intent.side for intent in decision.intents} <= allowed


@pytest.mark.parametrize("configuration", EVERY_SWITCH)
def test_a_field_is_written_to_one_side_at_most(configuration: Configuration) -> None:
    for seen, now, owed in EVERY_CHANGE:
        decision = decided(seen, now, configuration, owed=owed)
        fields = [intent.field for intent in decision.intents]
        assert len(fields) == len(set(fields))
        for choice, field in ((decision.status, STATUS), (decision.assignee, ASSIGNEE)):
            assert (field in fields) is (choice.outcome in {APPLIED, CONFLICT_RESOLVED})


@pytest.mark.parametrize("configuration", EVERY_SWITCH)
def test_a_decision_that_was_carried_out_leaves_nothing_to_decide(configuration: Configuration) -> None:
    for seen, now, owed in EVERY_CHANGE:
        after = decided(seen, now, configuration, owed=owed).after
        read_back = ends(
            after.issue.status,
            after.item.state,
            in_sentry=after.issue.assignee,
            in_ado=after.item.assignee,
            rev=9,
        )
        assert decided(after, read_back, configuration).outcome is SETTLED


@pytest.mark.parametrize("configuration", EVERY_SWITCH)
def test_a_field_that_was_written_is_the_same_on_both_sides(configuration: Configuration) -> None:
    for seen, now, owed in EVERY_CHANGE:
        decision = decided(seen, now, configuration, owed=owed)
        after = decision.after
        for intent in decision.intents:
            if intent.field == STATUS:
                assert (
                    status_of_state(DEFAULT, PROJECT, "User Story", after.item.state, AGILE)
                    is after.issue.status
                )
                assert after.item.status is after.issue.status
            else:
                assert same_person(configuration, after.item.assignee, after.issue.assignee)


@pytest.mark.parametrize("configuration", EVERY_SWITCH)
def test_nobody_is_unassigned_for_being_unknown(configuration: Configuration) -> None:
    for seen, now, owed in EVERY_CHANGE:
        for intent in decided(seen, now, configuration, owed=owed).intents:
            if intent.field == ASSIGNEE:
                source = now.issue.assignee if intent.side is ADO else now.item.assignee
                assert intent.assignee == source
                assert not isinstance(intent.assignee, Stranger)
