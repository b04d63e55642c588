"""What the core needs from the outside world, as protocols that tests replace with doubles.

The protocol of tables is beside its rows in ``shared/store/tables.py``.
"""

from collections.abc import Sequence
from typing import Protocol

from shared.domain.messages import Message
from shared.domain.model import Assignee, FoundWorkItems, IssueStatus, SentryIssue, WorkItem, WorkItemTypes


class Unset:
    """The type of UNSET, which leaves a field unchanged; None would mean nobody."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


class Ado(Protocol):
    """Azure DevOps, as far as the sync uses it."""

    def get_work_item(self, work_item_id: int) -> WorkItem:
        """Return the work item, or raise NotFound if it is deleted or hidden from us."""
        ...

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        """Return the existing ones among at most 200 work items, and which could not be read."""
        ...

    def update_work_item(
        self,
        work_item_id: int,
        rev: int,
        *,
        state: str | Unset = UNSET,
        assignee: Assignee | Unset = UNSET,
    ) -> WorkItem:
        """Write and return the item; raise Conflict if it is not at ``rev``, Refused if a rule forbids it."""
        ...

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        """Return every type of a project with its states, in the order of its process."""
        ...


class Sentry(Protocol):
    """Sentry, as far as the sync uses it."""

    def get_issue(self, issue_id: str) -> SentryIssue:
        """Return the current issue, under its new id if it was merged, or raise NotFound."""
        ...

    def set_status(self, issue_id: str, status: IssueStatus) -> SentryIssue:
        """Write and return the issue, or raise NotFound."""
        ...

    def set_assignee(self, issue_id: str, assignee: Assignee) -> SentryIssue:
        """Assign a person or nobody, return the issue; raise Refused if the person cannot be assigned."""
        ...


class Queue(Protocol):
    def put(self, message: Message, *, delay: float = 0.0) -> None:
        """Add a message that becomes visible after ``delay`` seconds, or raise Unavailable."""
        ...
