"""Observing a link: both its ends now, with as few calls as possible, and what counts as seen."""

import math
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from shared.ado.process import ProcessCache
from shared.domain.configuration import Configuration
from shared.domain.errors import SyncError, Throttled, Unauthorized, Unavailable, Upstream
from shared.domain.failures import WORK_ITEM_GONE
from shared.domain.ids import is_guid
from shared.domain.model import (
    Ends,
    IssueLink,
    ItemSide,
    SentryIssue,
    WorkItem,
    WorkItemTypes,
)
from shared.domain.ports import Ado, Sentry
from shared.domain.rules.deciding import state_moved, status_moved
from shared.domain.rules.done import status_of_state
from shared.domain.rules.landing import has_landed, seen_after_crash


@dataclass
class UnitOfWork:
    """One worker's work on one message: what it has read so far, and the token of its claims.

    ``items`` starts with the snapshot of a delivery or a batch. Without a snapshot, what was last seen of a
    work item is trusted, unless the item is in ``doubted``. Wrong trust costs only a second decision,
    because a write depends on the revision that was seen. ``revs`` are the revisions that a message told of.
    ``merged`` maps old issue ids to new ones; ``recorded`` is an error that is already recorded on its link.

    After ``deadline`` no further link is begun. ``silent`` holds the services that gave no usable answer,
    with the answer they gave: they are not asked again in this unit of work.
    """

    token: str
    items: dict[int, WorkItem] = field(default_factory=dict)
    issues: dict[str, SentryIssue] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    recorded: SyncError | None = None
    revs: dict[int, int] = field(default_factory=dict)
    deadline: float = math.inf
    silent: dict[str, Upstream] = field(default_factory=dict)

    def rev_of(self, work_item_id: int) -> int:
        """Return the latest revision that this unit of work knows of, or 0."""
        item = self.items.get(work_item_id)
        return max(item.rev if item is not None else 0, self.revs.get(work_item_id, 0))

    def note_silence(self, error: SyncError) -> None:
        if isinstance(error, Unavailable | Throttled | Unauthorized) and error.service != "storage":
            self.silent.setdefault(error.service, error)

    def speaks_for(self, error: SyncError) -> bool:
        """Tell whether an error repeats what its service answered about an earlier link."""
        return isinstance(error, Upstream) and error.service in self.silent

    def verify_heard(self, service: str) -> None:
        """Raise what a service answered before, if that was no use, instead of asking it again."""
        if (answer := self.silent.get(service)) is not None:
            raise answer.unasked()

    def doubt(self, work_item_id: int) -> None:
        """Believe nothing of the work item, neither what came along nor what was last seen of it."""
        self.items.pop(work_item_id, None)
        self.doubted.add(work_item_id)

    def start_over(self, link: IssueLink) -> None:
        self.doubt(link.work_item_id)
        self.issues.pop(link.issue_id, None)

    def current_issue_id(self, issue_id: str) -> str:
        return self.merged.get(issue_id, issue_id)


class Observation(msgspec.Struct, frozen=True):
    """A link, what counts as seen of it, both ends now, and the project's states (empty if not needed).

    ``repeats`` says that a dead worker announced a write which has not landed.
    """

    link: IssueLink
    seen: Ends
    now: Ends
    types: WorkItemTypes
    repeats: bool = False


@dataclass(frozen=True)
class Observer:
    """Observes the links of one organization."""

    organization: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    processes: ProcessCache

    def issue(self, issue_id: str, unit: UnitOfWork) -> SentryIssue:
        """Return the issue, read once in each unit of work."""
        if issue_id not in unit.issues:
            unit.verify_heard("sentry")
            unit.issues[issue_id] = self.sentry.get_issue(issue_id)
        return unit.issues[issue_id]

    def observe(self, link: IssueLink, unit: UnitOfWork) -> Observation:
        item = self._item(link, unit)
        if item is not None:
            link = _updated(link, item)
        now = Ends(self.issue(link.issue_id, unit).side, _item_side(link, item))
        types = self._types(link, now, unit)
        if types is not None:
            status = status_of_state(
                self.configuration, link.project_id, link.work_item_type, now.item.state, types
            )
            now = replace(now, item=replace(now.item, status=status))
        claim = link.claim
        if claim is None:
            return Observation(link, link.seen, now, types or {})
        repeats = claim.token != unit.token and not all(
            has_landed(each, claim, now) for each in claim.intents
        )
        return Observation(link, seen_after_crash(link.seen, claim, now), now, types or {}, repeats)

    def _item(self, link: IssueLink, unit: UnitOfWork) -> WorkItem | None:
        """Return the work item, or None if what was last seen of it can be trusted."""
        item = unit.items.get(link.work_item_id)
        if item is not None and is_newer(item, link) and link.claim is None:
            return item
        if is_doubtful(link) or link.work_item_id in unit.doubted:
            unit.verify_heard("ado")
            # A fresh read is the truth even at a lower revision: a server may be restored from a backup.
            item = unit.items[link.work_item_id] = self.ado.get_work_item(link.work_item_id)
            return item
        is_late = item is not None and item.rev < link.seen.item.rev
        return None if is_late else item

    def _types(self, link: IssueLink, now: Ends, unit: UnitOfWork) -> WorkItemTypes | None:
        """Return the types of the link's project, or None if nothing changed for which they are needed."""
        if not (state_moved(link.seen, now) or status_moved(link.seen, now) or link.claim):
            return None
        unit.verify_heard("ado")
        return self.processes.types_with(
            self.ado, self.organization, link.project_id, link.work_item_type, now.item.state
        )


def is_of_link(item: WorkItem, link: IssueLink) -> bool:
    """Tell whether a work item that came along is the linked one, which moves only with word of it.

    Two organizations count alike, and so their work items have the same numbers.
    """
    return item.project_id == link.project_id


def is_newer(item: WorkItem, link: IssueLink) -> bool:
    """Tell whether a work item that came along is newer than what is known of it.

    An edit may arrive after a later one at which settling failed, or after the loss of the item, which left
    no rev behind.
    """
    is_late = item.rev <= link.seen.item.rev or item.rev < link.health.rev
    return not is_late and link.health.reason != WORK_ITEM_GONE


def is_doubtful(link: IssueLink) -> bool:
    """Tell whether what was last seen cannot be trusted: a settling failed or stopped halfway.

    An unknown assignee raises no doubt: both sides were seen and left as they are.
    """
    if not is_guid(link.project_id):
        return True  # Nobody can have read it off a work item; it was believed before that was checked.
    return link.claim is not None or not link.health.is_observed


def _updated(link: IssueLink, item: WorkItem) -> IssueLink:
    """Return the link with the work item's current project, type, title and area path."""
    return replace(
        link,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        title=item.title or link.title,
        area_path=item.area_path or link.area_path,
    )


def _item_side(link: IssueLink, item: WorkItem | None) -> ItemSide:
    """Return the work item's side; its status is the last seen one, which the caller updates if it moved."""
    if item is None:
        return link.seen.item
    return ItemSide(item.rev, item.state, link.seen.item.status, item.assignee)
