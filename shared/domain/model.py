"""The values of the domain: issues, work items, people, links, and what was seen of them.

All are frozen. Those that are stored are msgspec structs, so that their JSON form is their definition.
"""

from collections.abc import Mapping
from enum import StrEnum

import msgspec

# The two fields of a link.
STATUS = "status"
ASSIGNEE = "assignee"

# Why an assignee was not carried across.
ASSIGNEE_NOT_FOUND = "assignee-not-found"
ASSIGNEE_UNREADABLE = "assignee-unreadable"
TEAM_ASSIGNEE = "team-assignee"


class Side(StrEnum):
    """One end of a link."""

    ADO = "ado"
    SENTRY = "sentry"

    @property
    def other(self) -> "Side":
        return Side.SENTRY if self is Side.ADO else Side.ADO


class IssueStatus(StrEnum):
    """Sentry's word for where an issue stands; also what a work item's state counts as."""

    RESOLVED = "resolved"
    UNRESOLVED = "unresolved"
    IGNORED = "ignored"


class Category(StrEnum):
    """What a state means, whatever a team calls it.

    https://learn.microsoft.com/azure/devops/boards/work-items/workflow-and-state-categories
    """

    PROPOSED = "Proposed"
    IN_PROGRESS = "InProgress"
    RESOLVED = "Resolved"
    COMPLETED = "Completed"
    REMOVED = "Removed"


class State(msgspec.Struct, frozen=True):
    """A state that a work item type allows; ``category`` is None if ADO names one we do not know."""

    name: str
    category: Category | None


# The states of each work item type of one project, in the order of its process.
WorkItemTypes = Mapping[str, tuple[State, ...]]


class Person(msgspec.Struct, frozen=True, tag="person"):
    """Somebody known by a lower-cased e-mail address: the only name both services share."""

    email: str


class Stranger(msgspec.Struct, frozen=True, tag="stranger"):
    """An assignee that cannot be carried across: a bare name, a ``DOMAIN\\user``, a Sentry team.

    ``reason`` is ASSIGNEE_UNREADABLE or TEAM_ASSIGNEE; ``label`` only tells strangers apart.
    """

    reason: str
    label: str


# None is nobody.
Assignee = Person | Stranger | None


class IssueSide(msgspec.Struct, frozen=True):
    """How a Sentry issue stands, as far as the sync cares."""

    status: IssueStatus
    assignee: Assignee = None

    def shown(self, field: str) -> IssueStatus | Assignee:
        """Return a field as people see it there."""
        return self.status if field == STATUS else self.assignee


class ItemSide(msgspec.Struct, frozen=True):
    """How a work item stands at ``rev``; ``status`` is what its state counted as when it was looked at.

    ``status`` is None where no category was known for the state. ``removed`` tells that the state is of
    the category Removed.
    """

    rev: int
    state: str
    status: IssueStatus | None
    assignee: Assignee = None
    removed: bool = False

    @property
    def may_be_written(self) -> bool:
        """A removed item is left alone, unless its organization counts being removed as being done."""
        return not self.removed or self.status is IssueStatus.RESOLVED

    def shown(self, field: str) -> str | Assignee:
        """Return a field as people see it there: the state's name, not what it counts as."""
        return self.state if field == STATUS else self.assignee


class Ends(msgspec.Struct, frozen=True):
    """Both ends of a link as they stood at one moment."""

    issue: IssueSide
    item: ItemSide

    def shown(self, side: Side, field: str) -> IssueStatus | str | Assignee:
        return self.item.shown(field) if side is Side.ADO else self.issue.shown(field)


class SentryIssue(msgspec.Struct, frozen=True):
    """A Sentry issue as it stood when asked; ``issue_id`` differs from the one asked for after a merge."""

    issue_id: str
    status: IssueStatus
    assignee: Assignee
    title: str
    permalink: str
    project_slug: str
    level: str = ""

    @property
    def side(self) -> IssueSide:
        return IssueSide(self.status, self.assignee)


class SentryComment(msgspec.Struct, frozen=True):
    """A comment on an issue; ``url`` leads to it and to no other."""

    id: str
    author: str
    text: str
    url: str


class WorkItem(msgspec.Struct, frozen=True, kw_only=True):
    """A work item at ``rev``. ``project_id`` is the project's GUID, which survives a rename; names do not."""

    id: int
    rev: int
    project_id: str
    work_item_type: str
    state: str
    assignee: Assignee = None
    title: str = ""
    area_path: str = ""


class HealthWord(StrEnum):
    SETTLED = "settled"
    PENDING = "pending"
    ATTENTION = "attention"


class Health(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a link does. ``due`` is when (epoch seconds) the reconciler takes it up again, if ever."""

    word: HealthWord = HealthWord.SETTLED
    reason: str = ""
    detail: str = ""
    since: float = 0.0
    attempts: int = 0
    due: float | None = None

    def is_due(self, now: float) -> bool:
        return self.due is not None and self.due <= now


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One value about to be written to one side."""

    side: Side
    field: str
    state: str | None = None
    status: IssueStatus | None = None
    assignee: Assignee = None

    @property
    def value(self) -> IssueStatus | str | Assignee:
        """The value as people see it on its side."""
        if self.field == ASSIGNEE:
            return self.assignee
        return self.state if self.side is Side.ADO else self.status


class Claim(msgspec.Struct, frozen=True):
    """A worker's announcement, stored before it writes: what, on what grounds, and until when it alone may.

    If the worker dies, the next one can tell its half-done work from a person's edit.
    """

    token: str
    until: float
    tested_rev: int
    intents: tuple[Intent, ...]
    after: Ends


class IssueLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """One Sentry issue joined to one work item; ``seen`` is how both stood when they last were settled.

    ``open_state`` is the state the item had before it was last done. ``owed`` names the side on which the
    other side's assignee was not known, so that it is tried again once somebody is added there.
    ``writes`` are the times (epoch seconds) of our own recent writes, for the guard against flapping.
    """

    organization: str
    issue_id: str
    work_item_id: int
    project_id: str
    work_item_type: str
    seen: Ends
    title: str = ""
    area_path: str = ""
    open_state: str | None = None
    owed: Side | None = None
    health: Health = Health()
    claim: Claim | None = None
    writes: tuple[float, ...] = ()

    @property
    def display_name(self) -> str:
        return f"{self.area_path}#{self.work_item_id}"


class ActivityEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was seen, decided, written or refused for a link. ``at`` is in epoch seconds."""

    at: float
    outcome: str
    direction: str | None = None
    field: str | None = None
    before: str | None = msgspec.field(default=None, name="from")
    after: str | None = msgspec.field(default=None, name="to")
    rev: int | None = None
    reason: str | None = None
