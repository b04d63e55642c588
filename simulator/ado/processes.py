"""The processes a project may follow, as tables: work item types, states, categories, rules, fields."""

from collections.abc import Mapping
from dataclasses import dataclass

CATEGORIES = {"P": "Proposed", "I": "InProgress", "R": "Resolved", "C": "Completed", "X": "Removed"}
COLORS = {
    "Proposed": "b2b2b2",
    "InProgress": "007acc",
    "Resolved": "ff9d00",
    "Completed": "339933",
    "Removed": "ffffff",
}


@dataclass(frozen=True)
class State:
    name: str
    category: str

    @property
    def color(self) -> str:
        return COLORS[self.category]


@dataclass(frozen=True)
class WorkItemType:
    name: str
    reference_name: str
    category: str
    states: tuple[State, ...]
    forbidden: frozenset[tuple[str, str]] = frozenset()
    # All the moves there are, by the state that they lead out of; without it, all but the forbidden ones.
    moves: Mapping[str, tuple[str, ...]] | None = None
    required: tuple[str, ...] = ("System.Title", "System.State")
    disabled: bool = False

    def find_state(self, name: str) -> State | None:
        return next((state for state in self.states if state.name.casefold() == name.casefold()), None)

    def moves_from(self, name: str) -> tuple[State, ...]:
        """List the states that a work item in state ``name`` may be set to, its own included."""
        current = self.find_state(name)
        if self.moves is not None:
            allowed = self.moves.get(name)
            return (
                self.states
                if allowed is None
                else tuple(s for s in self.states if s.name in {name, *allowed})
            )
        # Out of Removed a work item can only go back to where every work item starts.
        if current is not None and current.category == "Removed":
            return (self.states[0], current)
        return tuple(state for state in self.states if (name, state.name) not in self.forbidden)


@dataclass(frozen=True)
class Process:
    name: str
    id: str
    types: tuple[WorkItemType, ...]

    def find_type(self, name: str) -> WorkItemType | None:
        """Find a type by its name or reference name, in any case."""
        wanted = name.casefold()
        return next(
            (kind for kind in self.types if wanted in (kind.name.casefold(), kind.reference_name.casefold())),
            None,
        )


def _states(spelled: str) -> tuple[State, ...]:
    """Read "P New | C Closed": a letter for the category, then the name."""
    parts = (part.strip().split(" ", 1) for part in spelled.split("|"))
    return tuple(State(name, CATEGORIES[letter]) for letter, name in parts)


def _type(
    name: str,
    category: str,
    states: str,
    *,
    prefix: str = "Microsoft.VSTS.WorkItemTypes",
    forbidden: frozenset[tuple[str, str]] = frozenset(),
    required: tuple[str, ...] = (),
    disabled: bool = False,
) -> WorkItemType:
    return WorkItemType(
        name=name,
        reference_name=f"{prefix}.{name.replace(' ', '')}",
        category=f"Microsoft.{category}Category",
        states=_states(states),
        forbidden=forbidden,
        required=("System.Title", "System.State", *required),
        disabled=disabled,
    )


# Test plans and reviews are work items too; ADO keeps them out of pickers by the Hidden category.
_EVERYWHERE = (
    _type("Test Case", "TestCase", "P Design | I Ready | C Closed"),
    _type("Test Plan", "Hidden", "I Active | C Inactive"),
    _type("Test Suite", "Hidden", "I In Planning | I In Progress | C Completed"),
    _type("Code Review Request", "Hidden", "I Requested | C Closed"),
)
_BASIC_STATES = "P To Do | I Doing | C Done"
_AGILE_STATES = "P New | I Active | R Resolved | C Closed | X Removed"
_AGILE_BUG_STATES = "P New | I Active | R Resolved | C Closed"
_SCRUM_STATES = "P New | I In Progress | C Done | X Removed"
_BACKLOG_STATES = "P New | P Approved | I Committed | C Done | X Removed"
_CMMI_STATES = "P Proposed | I Active | R Resolved | C Closed"
# ADO quirk: CMMI's requirements and bugs cannot skip Active (process-customization-scripts, Import/CMMI).
_NO_SHORT_CUT = frozenset({("Proposed", "Resolved")})

BASIC = Process(
    "Basic",
    "b8a3a935-7e91-48b8-a94c-606d37c3e9f2",
    (
        _type("Epic", "Epic", _BASIC_STATES),
        _type("Issue", "Requirement", _BASIC_STATES),
        _type("Task", "Task", _BASIC_STATES),
        *_EVERYWHERE,
    ),
)
AGILE = Process(
    "Agile",
    "adcc42ab-9882-485e-a3ed-7678f01f66bc",
    (
        _type("Epic", "Epic", _AGILE_STATES),
        _type("Feature", "Feature", _AGILE_STATES),
        _type("User Story", "Requirement", _AGILE_STATES),
        _type("Bug", "Bug", _AGILE_BUG_STATES),
        _type("Task", "Task", "P New | I Active | C Closed | X Removed"),
        _type("Issue", "Issue", "I Active | C Closed"),
        *_EVERYWHERE,
    ),
)
SCRUM = Process(
    "Scrum",
    "6b724908-ef14-45cf-84f8-768b5384da45",
    (
        _type("Epic", "Epic", _SCRUM_STATES),
        _type("Feature", "Feature", _SCRUM_STATES),
        _type("Product Backlog Item", "Requirement", _BACKLOG_STATES),
        _type("Bug", "Bug", _BACKLOG_STATES),
        _type("Task", "Task", "P To Do | I In Progress | C Done | X Removed"),
        _type("Impediment", "Impediment", "I Open | C Closed"),
        *_EVERYWHERE,
    ),
)
CMMI = Process(
    "CMMI",
    "27450541-8e31-4150-9947-dc59f998fc01",
    (
        _type("Epic", "Epic", _CMMI_STATES),
        _type("Feature", "Feature", _CMMI_STATES),
        _type("Requirement", "Requirement", _CMMI_STATES, forbidden=_NO_SHORT_CUT),
        _type("Bug", "Bug", _CMMI_STATES, forbidden=_NO_SHORT_CUT),
        _type("Task", "Task", _CMMI_STATES),
        _type("Issue", "Issue", _CMMI_STATES),
        _type("Risk", "Risk", _CMMI_STATES),
        _type("Change Request", "ChangeRequest", _CMMI_STATES),
        _type("Review", "Review", "I Active | R Resolved | C Closed"),
        *_EVERYWHERE,
    ),
)
# An organization's own process: renamed and added states, a type that is not English, a required
# field of its own and a type that has been switched off.
TAILORED = Process(
    "Fabrikam Agile",
    "0c0ffee0-1234-4aaa-9bbb-f0bbf0bbf0bb",
    (
        _type(
            "Bug",
            "Bug",
            "P New | P Triaged | I Investigating | R Fix Ready | C Closed",
            prefix="FabrikamAgile",
        ),
        _type("Störung", "Requirement", "P Offen | I In Klärung | C Closed", prefix="FabrikamAgile"),
        _type(
            "Customer Request",
            "Requirement",
            "P Received | I Under Way | C Closed",
            prefix="FabrikamAgile",
            required=("Custom.CustomerImpact",),
        ),
        _type("User Story", "Requirement", _AGILE_STATES),
        _type("Task", "Task", "P New | I Active | C Closed | X Removed"),
        _type("Feature", "Feature", _AGILE_STATES, disabled=True),
        *_EVERYWHERE,
    ),
)


# Why a work item may be done; every state has besides what the service says of the mere move.
# https://learn.microsoft.com/azure/devops/boards/work-items/guidance/agile-process-workflow
DONE_REASONS = (
    "Fixed",
    "Fixed and verified",
    "As Designed",
    "Cannot Reproduce",
    "Copied to Backlog",
    "Deferred",
    "Duplicate",
    "Obsolete",
    "Won't fix",
)
OPEN_REASONS = (
    "New",
    "New defect reported",
    "Approved",
    "Investigate",
    "Not fixed",
    "Reactivated",
    "Regression",
)


def default_reason(state: str) -> str:
    return f"Moved to state {state}"


def reasons_for(state: State) -> tuple[str, ...]:
    is_done = state.category in {"Resolved", "Completed", "Removed"}
    return (default_reason(state.name), *(DONE_REASONS if is_done else OPEN_REASONS))


@dataclass(frozen=True)
class Field:
    reference_name: str
    name: str
    kind: str
    read_only: bool = False


# The values that a field is limited to, and the one that a new work item gets.
PICKLISTS: Mapping[str, tuple[tuple[str | int, ...], str | int | None]] = {
    "Microsoft.VSTS.Common.Priority": ((1, 2, 3, 4), 2),
    "Microsoft.VSTS.Common.Severity": (
        ("1 - Critical", "2 - High", "3 - Medium", "4 - Low"),
        "3 - Medium",
    ),
    "Custom.CustomerImpact": (("Low", "Medium", "High"), None),
}


def _fields(*rows: str) -> dict[str, Field]:
    """Read "reference name | name | kind", with an exclamation mark after a kind nobody may write."""
    fields = {}
    for row in rows:
        reference_name, name, kind = (part.strip() for part in row.split("|"))
        fields[reference_name.casefold()] = Field(reference_name, name, kind.rstrip("!"), kind.endswith("!"))
    return fields


FIELDS = _fields(
    "System.Id | ID | integer!",
    "System.Rev | Rev | integer!",
    "System.Watermark | Watermark | integer!",
    "System.AreaPath | Area Path | treePath",
    "System.TeamProject | Team Project | string",
    "System.IterationPath | Iteration Path | treePath",
    "System.WorkItemType | Work Item Type | string",
    "System.State | State | string",
    "System.Reason | Reason | string",
    "Microsoft.VSTS.Common.ResolvedReason | Resolved Reason | string!",
    "System.AssignedTo | Assigned To | identity",
    "System.CreatedDate | Created Date | dateTime!",
    "System.CreatedBy | Created By | identity!",
    "System.ChangedDate | Changed Date | dateTime!",
    "System.ChangedBy | Changed By | identity!",
    "System.AuthorizedDate | Authorized Date | dateTime!",
    "System.AuthorizedAs | Authorized As | identity!",
    "System.RevisedDate | Revised Date | dateTime!",
    "System.IsDeleted | Is Deleted | boolean!",
    "System.CommentCount | Comment Count | integer!",
    "System.HyperLinkCount | Hyperlink Count | integer!",
    "System.Title | Title | string",
    "System.Description | Description | html",
    "System.History | History | history",
    "System.Tags | Tags | plainText",
    "System.Parent | Parent | integer!",
    "Microsoft.VSTS.Common.Priority | Priority | integer",
    "Microsoft.VSTS.Common.Severity | Severity | string",
    "Microsoft.VSTS.Common.StateChangeDate | State Change Date | dateTime!",
    "Microsoft.VSTS.Common.ActivatedDate | Activated Date | dateTime!",
    "Microsoft.VSTS.Common.ActivatedBy | Activated By | identity!",
    "Microsoft.VSTS.Common.ResolvedDate | Resolved Date | dateTime!",
    "Microsoft.VSTS.Common.ResolvedBy | Resolved By | identity!",
    "Microsoft.VSTS.Common.ClosedDate | Closed Date | dateTime!",
    "Microsoft.VSTS.Common.ClosedBy | Closed By | identity!",
    "Microsoft.VSTS.Scheduling.RemainingWork | Remaining Work | double",
    "Microsoft.VSTS.Scheduling.Effort | Effort | double",
    "Microsoft.VSTS.TCM.ReproSteps | Repro Steps | html",
    "Custom.CustomerImpact | Customer Impact | string",
)
