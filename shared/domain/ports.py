"""What the core needs from the outside world, as protocols that tests replace with doubles.

The protocol of tables is beside its rows in ``shared/store/tables.py``.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from shared.domain.messages import Message
from shared.domain.model import (
    Assignee,
    FoundIssues,
    FoundWorkItems,
    IssueStatus,
    ResolveIn,
    RevisionPage,
    SentryIssue,
    WorkItem,
    WorkItemTypes,
)
from shared.domain.subscriptions import HookEvent, Subscription


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


class AdoFeed(Protocol):
    """What changed in Azure DevOps, for whoever looks for what no hook told."""

    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        """Return the next page of what changed behind ``token``, deleted work items included.

        Without a token, it is what was written from ``since`` (epoch seconds) on, or ever. A change may show
        up late and out of order. Raises FeedLost if only a full look can tell what changed.
        """
        ...

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        """Return the GUIDs of the projects with these names, without those that are gone or hidden."""
        ...


class AdoHooks(Protocol):
    """Azure DevOps' subscriptions of web hooks, for whoever looks after ours."""

    def web_hooks(self) -> list[Subscription]:
        """Return those that our credentials may see, ours or not, or raise Forbidden."""
        ...

    def find(self, subscription_id: str) -> Subscription | None:
        """Return a subscription, or None if there is none of this id."""
        ...

    def create(self, event: HookEvent, url: str, secret: str) -> Subscription:
        """Subscribe an address to an event of all projects, or raise Forbidden or Refused."""
        ...

    def remove(self, subscription_id: str) -> None:
        """Remove a subscription, whether it is still there or not, or raise Forbidden."""
        ...

    def is_idle(self, subscription_id: str) -> bool:
        """Tell whether nothing that a subscription has taken is still to be delivered."""
        ...

    def failing_since(self, subscription_id: str) -> float | None:
        """Return since when (epoch seconds) nothing was delivered, if that is told."""
        ...


class Sentry(Protocol):
    """Sentry, as far as the sync uses it."""

    def get_issue(self, issue_id: str) -> SentryIssue:
        """Return the current issue, under its new id if it was merged, or raise NotFound."""
        ...

    def set_status(
        self, issue_id: str, status: IssueStatus, resolve_in: ResolveIn = ResolveIn.NOW
    ) -> SentryIssue:
        """Write and return the issue, or raise NotFound, or Refused if its project has no such release."""
        ...

    def set_assignee(
        self, issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None] = lambda _: None
    ) -> SentryIssue:
        """Assign a person or nobody, return the issue; raise NotAssignable if the person cannot be.

        ``begin`` is called when it is known who is meant, just before the write, and may prevent it. It is
        told how Sentry shows them: by their primary address, or None if they have none.
        """
        ...

    def addresses_of(self, email: str) -> tuple[str, ...]:
        """Return the other verified addresses of the user with this primary one, in the order of Sentry."""
        ...

    def primary_of(self, email: str) -> str | None:
        """Return the address by which Sentry shows the one user who holds this one, or None."""
        ...


class SentryList(Protocol):
    """Many of Sentry's issues at once, for whoever looks for what no hook told."""

    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        """Return the existing ones among at most 100 issues, with their external issues.

        Raises Forbidden if a single one of them may not be read, and Refused where Sentry does not list
        the issues of several projects at once.
        """
        ...


class Queue(Protocol):
    def put(self, message: Message, *, delay: float = 0.0) -> None:
        """Add a message that becomes visible after ``delay`` seconds, or raise Unavailable."""
        ...

    def verify(self) -> None:
        """Raise an Upstream error unless the queue can be reached, and lets us in."""
        ...
