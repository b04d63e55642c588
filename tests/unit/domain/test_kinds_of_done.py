"""What kind of done: an item that archives its issue, the state of archived issues, and their round trip."""

import itertools
from typing import Any

import pytest
from msgspec.structs import replace

from shared.domain.configuration import Configuration, ProjectMapping, StatusMapping
from shared.domain.model import (
    STATUS,
    Category,
    Ends,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    ResolveIn,
    Side,
    WorkItemTypes,
)
from shared.domain.rules.deciding import Choice, Decision, Outcome, decide
from shared.domain.rules.done import counted, mapping_errors, may_archive, states_for_status, status_of_state
from shared.domain.rules.partners import Standing, all_done, standing
from tests.unit.domain.test_rules import AGILE, PROJECT, states

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
ADO, SENTRY = Side.ADO, Side.SENTRY
APPLIED, SKIPPED, SETTLED, AGREED = Outcome.APPLIED, Outcome.SKIPPED, Outcome.SETTLED, Outcome.AGREED
PATH = f"status_mapping.{PROJECT}"
STORY = "User Story"


def configured(on_archive: str | None = None, **changes: Any) -> Configuration:
    mapping = {PROJECT: ProjectMapping(on_archive=on_archive)} if on_archive else {}
    document = {"archive_reasons": ("Duplicate", "Won't fix"), "status_mapping": mapping, **changes}
    return Configuration(ado_url="https://dev.azure.com/fabrikam/", **document)


ARCHIVING = configured()
REMOVING = configured("Removed")
REMOVING_STORIES = configured(
    status_mapping={PROJECT: ProjectMapping(types={STORY: StatusMapping(on_archive="Removed")})}
)


@pytest.mark.parametrize(
    ("state", "reasons", "status"),
    [
        ("Closed", ("Duplicate",), IGNORED),
        ("Closed", ("Fixed",), RESOLVED),
        ("Closed", (), RESOLVED),
        ("Closed", (" dUPLICATE ",), IGNORED),  # whatever its case, as Azure DevOps compares
        ("Closed", ("Moved to state Closed", "Won't fix"), IGNORED),  # why it was resolved before
        ("Resolved", ("Duplicate",), IGNORED),
        ("Active", ("Duplicate",), UNRESOLVED),  # an item that is not done archives nothing
        ("Removed", ("Duplicate",), UNRESOLVED),
    ],
)
def test_an_item_that_is_done_for_such_a_reason_counts_as_archived(
    state: str, reasons: tuple[str, ...], status: IssueStatus
) -> None:
    assert status_of_state(ARCHIVING, PROJECT, STORY, state, AGILE, reasons) is status


@pytest.mark.parametrize("reasons", [(), ("Duplicate",), ("Fixed",)])
def test_the_state_for_archived_issues_counts_as_archived_for_whatever_reason(
    reasons: tuple[str, ...],
) -> None:
    assert status_of_state(REMOVING, PROJECT, STORY, "Removed", AGILE, reasons) is IGNORED
    side = counted(REMOVING, PROJECT, STORY, ItemSide(7, "Removed", None, reasons=reasons), AGILE)
    assert (side.removed, side.may_be_written) == (False, True)  # it has to come back from there


@pytest.mark.parametrize(
    ("mapping", "state", "reason", "status", "removed"),
    [
        (None, "Active", "Duplicate", UNRESOLVED, False),
        (None, "Closed", "Fixed", RESOLVED, False),
        (None, "Closed", "Duplicate", IGNORED, False),
        (None, "Removed", "Duplicate", UNRESOLVED, True),
        (ProjectMapping(on_archive="Removed"), "Removed", "Cut", IGNORED, False),
        (
            ProjectMapping(types={STORY: StatusMapping(on_archive="Removed")}),
            "Removed",
            "Cut",
            IGNORED,
            False,
        ),
        (
            ProjectMapping(types={"Task": StatusMapping(on_archive="Removed")}),
            "Removed",
            "Cut",
            UNRESOLVED,
            True,
        ),
    ],
)
def test_an_item_is_read_with_what_its_state_counts_as(
    mapping: ProjectMapping | None, state: str, reason: str, status: IssueStatus, removed: bool
) -> None:
    configuration = configured(status_mapping={PROJECT: mapping} if mapping else {})
    side = ItemSide(7, state, None, None, not removed, (reason,))
    read = replace(side, status=status, removed=removed)
    assert counted(configuration, PROJECT, STORY, side, AGILE) == read


@pytest.mark.parametrize(
    ("mapping", "work_item_type", "types", "may"),
    [
        (REMOVING, STORY, AGILE, True),
        (REMOVING, "Bug", AGILE, False),  # which has no such state
        (REMOVING, "Bug", {}, True),  # its states are not known
        (ARCHIVING, STORY, AGILE, False),
        (ARCHIVING, STORY, {}, False),
    ],
)
def test_a_type_may_be_archived_if_it_has_the_state_for_it(
    mapping: Configuration, work_item_type: str, types: WorkItemTypes, may: bool
) -> None:
    assert may_archive(mapping, PROJECT, work_item_type, types) is may


def item(state: str, reason: str = "", configuration: Configuration = REMOVING) -> ItemSide:
    side = ItemSide(7, state, None, reasons=(reason,) if reason else None)
    return counted(configuration, PROJECT, STORY, side, AGILE)


def decided(
    seen: tuple[IssueStatus, ItemSide],
    now: tuple[IssueStatus, ItemSide],
    configuration: Configuration,
    *,
    own_archive: bool = False,
    open_state: str | None = "New",
    types: WorkItemTypes = AGILE,
) -> Decision:
    before, after = (Ends(IssueSide(status), side) for status, side in (seen, now))
    link = IssueLink("fabrikam", "100", 31, PROJECT, STORY, before, open_state=open_state)
    return decide(
        link,
        seen=before,
        now=after,
        owed=None,
        configuration=configuration,
        types=types,
        own_archive=own_archive,
    )


NEW, ACTIVE, CLOSED, GONE = item("New"), item("Active"), item("Closed"), item("Removed")
DUPLICATE, FIXED = item("Closed", "Duplicate"), item("Closed", "Fixed")


@pytest.mark.parametrize("mapping", [ARCHIVING, REMOVING])
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize(
    ("seen", "now", "choice", "write"),
    [
        # What an item is done for.
        ((UNRESOLVED, ACTIVE), (UNRESOLVED, DUPLICATE), Choice(APPLIED, SENTRY), IGNORED),
        ((UNRESOLVED, ACTIVE), (UNRESOLVED, FIXED), Choice(APPLIED, SENTRY), RESOLVED),
        # The reason may be put right later, and is not known of links of an older version.
        ((RESOLVED, FIXED), (RESOLVED, DUPLICATE), Choice(APPLIED, SENTRY), IGNORED),
        ((RESOLVED, CLOSED), (RESOLVED, replace(DUPLICATE, status=RESOLVED)), Choice(SETTLED), None),
        ((RESOLVED, CLOSED), (RESOLVED, DUPLICATE), Choice(SETTLED), None),
        # It is archived already, or resolved by somebody while the item is done.
        ((IGNORED, ACTIVE), (IGNORED, DUPLICATE), Choice(AGREED), None),
        ((IGNORED, DUPLICATE), (RESOLVED, DUPLICATE), Choice(AGREED), None),
        # Whoever takes it out of the archive reopens the item.
        ((IGNORED, DUPLICATE), (UNRESOLVED, DUPLICATE), Choice(APPLIED, ADO), "New"),
        # Done for another reason is not reopened.
        ((IGNORED, DUPLICATE), (IGNORED, FIXED), Choice(SKIPPED, reason="archived"), None),
    ],
)
def test_the_reason_decides_between_resolving_and_archiving(
    mapping: Configuration,
    own: bool,
    seen: tuple[IssueStatus, ItemSide],
    now: tuple[IssueStatus, ItemSide],
    choice: Choice,
    write: IssueStatus | str | None,
) -> None:
    decision = decided(seen, now, mapping, own_archive=own)
    assert decision.status == choice
    assert [each.value for each in decision.intents] == ([] if write is None else [write])


@pytest.mark.parametrize(
    ("own", "now", "choice"),
    [
        (True, ACTIVE, Choice(APPLIED, SENTRY)),
        (True, NEW, Choice(APPLIED, SENTRY)),
        (True, FIXED, Choice(SKIPPED, reason="archived")),
        (False, ACTIVE, Choice(SKIPPED, reason="archived")),
        (False, FIXED, Choice(SKIPPED, reason="archived")),
    ],
)
def test_only_our_own_archiving_ends_with_the_reopening_of_the_item(
    own: bool, now: ItemSide, choice: Choice
) -> None:
    decision = decided((IGNORED, DUPLICATE), (IGNORED, now), REMOVING, own_archive=own)
    assert decision.status == choice
    off = configured("Removed", sync_status_reverse=False)
    there = decided((IGNORED, DUPLICATE), (IGNORED, now), off, own_archive=own)
    assert there.status.target is None


@pytest.mark.parametrize(
    ("mapping", "seen", "now", "choice", "write"),
    [
        (REMOVING, (UNRESOLVED, ACTIVE), (IGNORED, ACTIVE), Choice(APPLIED, ADO), "Removed"),
        (REMOVING_STORIES, (UNRESOLVED, ACTIVE), (IGNORED, ACTIVE), Choice(APPLIED, ADO), "Removed"),
        (REMOVING, (RESOLVED, CLOSED), (IGNORED, CLOSED), Choice(APPLIED, ADO), "Removed"),
        (ARCHIVING, (UNRESOLVED, ACTIVE), (IGNORED, ACTIVE), Choice(SKIPPED, reason="archived"), None),
        # Being archived wins over a change of the item, and both values are told.
        (
            REMOVING,
            (UNRESOLVED, ACTIVE),
            (IGNORED, CLOSED),
            Choice(Outcome.CONFLICT_RESOLVED, ADO),
            "Removed",
        ),
        # Back to where it was, or to what the issue is then.
        (REMOVING, (IGNORED, GONE), (UNRESOLVED, GONE), Choice(APPLIED, ADO), "New"),
        (REMOVING, (IGNORED, GONE), (RESOLVED, GONE), Choice(APPLIED, ADO), "Closed"),
        (REMOVING_STORIES, (IGNORED, GONE), (RESOLVED, GONE), Choice(APPLIED, ADO), "Closed"),
        # A person's move is an edit like any other.
        (REMOVING, (UNRESOLVED, ACTIVE), (UNRESOLVED, GONE), Choice(APPLIED, SENTRY), IGNORED),
        (REMOVING, (IGNORED, GONE), (IGNORED, ACTIVE), Choice(SKIPPED, reason="archived"), None),
        (REMOVING, (IGNORED, ACTIVE), (IGNORED, GONE), Choice(AGREED), None),
        (REMOVING, (IGNORED, GONE), (IGNORED, DUPLICATE), Choice(SETTLED), None),
    ],
)
def test_an_archived_issue_has_its_own_state(
    mapping: Configuration,
    seen: tuple[IssueStatus, ItemSide],
    now: tuple[IssueStatus, ItemSide],
    choice: Choice,
    write: str | None,
) -> None:
    decision = decided(seen, now, mapping)
    assert decision.status == choice
    assert [each.value for each in decision.intents] == ([] if write is None else [write])


def test_going_back_comes_before_the_mapping() -> None:
    mapping = ProjectMapping("Closed", "Active", on_archive="Removed")
    configuration = configured(status_mapping={PROJECT: mapping})
    assert decided((IGNORED, GONE), (UNRESOLVED, GONE), configuration).intents[0].state == "New"
    # From elsewhere, the mapping says where to.
    assert decided((RESOLVED, CLOSED), (UNRESOLVED, CLOSED), configuration).intents[0].state == "Active"


def test_a_direction_that_is_off_keeps_the_item_where_it_is() -> None:
    off = configured("Removed", sync_status_forward=False)
    there = decided((UNRESOLVED, ACTIVE), (IGNORED, ACTIVE), off)
    assert there.status == Choice(SKIPPED, reason="outbound-off")


def test_states_that_cannot_be_looked_up_keep_an_archiving_for_later() -> None:
    there = decided((UNRESOLVED, ACTIVE), (IGNORED, ACTIVE), REMOVING, types={})
    assert (there.status.outcome, there.after.issue.status) == (Outcome.UNDECIDED, UNRESOLVED)


@pytest.mark.parametrize("now", [ACTIVE, CLOSED, FIXED, DUPLICATE, GONE])
@pytest.mark.parametrize("status", IssueStatus)
@pytest.mark.parametrize("own", [True, False])
@pytest.mark.parametrize("mapping", [ARCHIVING, REMOVING])
def test_what_was_written_asks_for_no_second_write(
    now: ItemSide, status: IssueStatus, own: bool, mapping: Configuration
) -> None:
    """Whatever stands at both ends, and however they stood: one step leads to rest."""
    for seen_status in IssueStatus:
        for seen in (NEW, CLOSED, DUPLICATE, GONE):
            before, after = (counted(mapping, PROJECT, STORY, each, AGILE) for each in (seen, now))
            first = decided((seen_status, before), (status, after), mapping, own_archive=own)
            rest = first.after
            # The answer to a write tells the reason; that is no change of a person's.
            again = decided(
                (rest.issue.status, rest.item), (rest.issue.status, rest.item), mapping, own_archive=own
            )
            assert again.intents == ()


@pytest.mark.parametrize(
    ("resolve_in", "status", "written"),
    [
        ("now", FIXED, None),
        ("next_release", FIXED, ResolveIn.NEXT_RELEASE),
        ("current_release", FIXED, ResolveIn.CURRENT_RELEASE),
        ("next_release", DUPLICATE, None),
    ],
)
def test_only_what_is_resolved_is_so_in_a_release(
    resolve_in: str, status: ItemSide, written: ResolveIn | None
) -> None:
    configuration = configured(resolve_in=ResolveIn(resolve_in))
    decision = decided((UNRESOLVED, ACTIVE), (UNRESOLVED, status), configuration)
    assert [each.resolve_in for each in decision.intents] == [written]


# Several links at one end.


def link(status: IssueStatus, side: ItemSide) -> IssueLink:
    return IssueLink("fabrikam", "100", 31, PROJECT, STORY, Ends(IssueSide(status), side))


@pytest.mark.parametrize(
    ("side", "how", "done", "archived"),
    [
        (ACTIVE, Standing.OPEN, False, False),
        (CLOSED, Standing.DONE, True, False),
        (DUPLICATE, Standing.LEFT_OUT, True, True),
        (GONE, Standing.LEFT_OUT, True, True),
    ],
)
def test_an_issue_is_archived_when_no_other_item_says_otherwise(
    side: ItemSide, how: Standing, done: bool, archived: bool
) -> None:
    other = link(UNRESOLVED, side)
    assert standing(other, ADO) is how
    assert all_done([other], SENTRY) is done
    assert all_done([other], SENTRY, archives=True) is archived


# The round trip.

TYPED = {"Task": StatusMapping("Closed", "Active", on_archive="Closed")}


@pytest.mark.parametrize(
    ("mapping", "errors"),
    [
        (ProjectMapping(on_archive="Removed"), {}),
        (ProjectMapping("Closed", "Active", on_archive="Resolved"), {}),
        (ProjectMapping(on_archive="Nowhere"), {"on_archive": "'Nowhere' is no state of the project"}),
        (
            ProjectMapping("Closed", "Active", on_archive="Closed"),
            {"on_resolve": "'Closed' counts as archived for "},
        ),
        (
            ProjectMapping("Closed", "Active", on_archive="Active"),
            {"on_unresolve": "'Active' counts as archived for "},
        ),
        (
            ProjectMapping("Resolved", "Active", ("Closed",), on_archive="Closed"),
            {"on_archive": "'Closed' is among done_states"},
        ),
        (
            ProjectMapping(done_states=("Removed",), types={STORY: StatusMapping(on_archive="Removed")}),
            {f"types.{STORY}.on_archive": "'Removed' is among done_states"},
        ),
        (
            ProjectMapping(types={STORY: StatusMapping(done_states=("Removed",), on_archive="Removed")}),
            {f"types.{STORY}.on_archive": "'Removed' is among done_states"},
        ),
        # What counts for one type says nothing of another.
        (
            ProjectMapping(
                types={
                    STORY: StatusMapping(on_archive="Removed"),
                    "Task": StatusMapping(done_states=("Removed",)),
                }
            ),
            {},
        ),
        (
            ProjectMapping(types={"Task": StatusMapping(on_archive="Resolved")}),
            {"types.Task.on_archive": "'Resolved' is no state of Task"},
        ),
        (ProjectMapping(types=TYPED), {"types.Task.on_resolve": "'Closed' counts as archived for Task"}),
        # The one state that means done, or open, is taken away.
        (
            ProjectMapping(types={"Task": StatusMapping(on_archive="Closed")}),
            {"types.Task.on_archive": "leaves Task without a state to set that counts as done"},
        ),
    ],
)
def test_a_state_for_archived_issues_is_read_back_as_such(
    mapping: ProjectMapping, errors: dict[str, str]
) -> None:
    found = mapping_errors(configured(status_mapping={PROJECT: mapping}), PROJECT, AGILE)
    assert found.keys() == {f"{PATH}.{path}" for path in errors}
    for path, problem in errors.items():
        assert problem in found[f"{PATH}.{path}"]


def test_who_is_told_that_a_state_is_another_ones_is_told_what_to_do() -> None:
    twice = ProjectMapping("Closed", "Active", on_archive="Closed")
    assert mapping_errors(configured(status_mapping={PROJECT: twice}), PROJECT, AGILE)[
        f"{PATH}.on_resolve"
    ].endswith(", by on_archive. Choose another state, or another one for on_archive")
    done = ProjectMapping("Resolved", "Active", ("Closed",), on_archive="Closed")
    assert mapping_errors(configured(status_mapping={PROJECT: done}), PROJECT, AGILE) == {
        f"{PATH}.on_archive": "'Closed' is among done_states, so it would count as done and as archived. "
        "Choose another state"
    }


@pytest.mark.parametrize("name", ["P New, I Active, C Closed, X Removed", "I Open, C Closed, C Dropped"])
def test_every_state_that_is_accepted_goes_there_and_back(name: str) -> None:
    types = {STORY: states(name)}
    for state in types[STORY]:
        configuration = configured(state.name)
        if mapping_errors(configuration, PROJECT, types):
            continue
        for status in IssueStatus:
            [first, *_] = states_for_status(configuration, PROJECT, STORY, status, None, types)
            assert status_of_state(configuration, PROJECT, STORY, first, types) is status


@pytest.mark.parametrize(
    "name", ["P To Do, I Doing, C Done", "P New, I Active, R Resolved, C Closed, X Removed"]
)
@pytest.mark.parametrize("categories", [("Completed",), ("Resolved",), ("Resolved", "Completed")])
def test_every_mapping_that_is_accepted_has_a_state_to_set_for_each_status(
    name: str, categories: tuple[str, ...]
) -> None:
    types = {STORY: states(name)}
    names = [each.name for each in types[STORY]]
    done = [some for size in range(3) for some in itertools.combinations(names, size)]
    for on_archive, done_states in itertools.product((None, *names), done):
        mapping = {PROJECT: ProjectMapping(on_archive=on_archive, done_states=done_states)}
        done_categories = tuple(Category(each) for each in categories)
        configuration = configured(status_mapping=mapping, done_categories=done_categories)
        if mapping_errors(configuration, PROJECT, types):
            continue
        for status in (RESOLVED, UNRESOLVED):
            assert states_for_status(configuration, PROJECT, STORY, status, None, types)


@pytest.mark.parametrize(
    ("categories", "mapping", "error"),
    [
        # *Doing* counts as done, but nothing says that it is to be set.
        (None, ProjectMapping(on_archive="Done", done_states=("Doing",)), ("on_archive", "done")),
        (None, ProjectMapping("Doing", on_archive="Done", done_states=("Doing",)), None),
        (
            None,
            ProjectMapping(types={"Issue": StatusMapping(on_archive="Done", done_states=("Doing",))}),
            ("types.Issue.on_archive", "done"),
        ),
        (
            None,
            ProjectMapping(
                on_archive="Done", types={"Issue": StatusMapping("Doing", done_states=("Doing",))}
            ),
            None,
        ),
        # *Done* counts as open, and likewise.
        ((Category.RESOLVED,), ProjectMapping(done_states=("To Do", "Doing")), ("done_states", "done")),
        (
            (Category.RESOLVED,),
            ProjectMapping("Doing", done_states=("To Do", "Doing")),
            ("done_states", "open"),
        ),
        ((Category.RESOLVED,), ProjectMapping("Doing", "Done", ("To Do", "Doing")), None),
    ],
)
def test_a_state_that_counts_as_wanted_is_one_that_can_be_set(
    categories: tuple[Category, ...] | None, mapping: ProjectMapping, error: tuple[str, str] | None
) -> None:
    changes: dict[str, Any] = {"done_categories": categories} if categories else {}
    configuration = configured(status_mapping={PROJECT: mapping}, **changes)
    errors = mapping_errors(configuration, PROJECT, {"Issue": states("P To Do, I Doing, C Done")})
    problem = "leaves Issue without a state to set that counts as"
    assert errors == ({f"{PATH}.{error[0]}": f"{problem} {error[1]}"} if error else {})


def test_an_intent_of_a_status_is_the_only_one() -> None:
    decision = decided((UNRESOLVED, ACTIVE), (UNRESOLVED, DUPLICATE), ARCHIVING)
    assert [each.field for each in decision.intents] == [STATUS]
    assert (decision.completes, decision.archives) == (SENTRY, True)


@pytest.mark.parametrize(
    ("issue", "done", "lacks"),
    [
        ("I Active, C Closed", "Active", None),  # for the sake of bugs, which keep New
        ("I Active, C Closed, C Done", "Active", None),
        ("I Active, I Doing, C Closed", "Active", None),
        ("I Doing, C Closed", "Doing", "open"),  # no bug has such a state
        ("I Doing, C Closed, C Done", "Doing", "open"),
    ],
)
def test_an_only_open_state_is_called_done_for_other_types_alone(
    issue: str, done: str, lacks: str | None
) -> None:
    types = {"Bug": states("P New, I Active, C Closed"), "Issue": states(issue)}
    mapping = ProjectMapping(done_states=(done,))
    errors = mapping_errors(configured(status_mapping={PROJECT: mapping}), PROJECT, types)
    expected = {f"{PATH}.done_states": f"leaves Issue without a state to set that counts as {lacks}"}
    assert errors == (expected if lacks else {})
