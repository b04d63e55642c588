"""Looking at a link: how both its ends stand now, asking no more than it takes, and what counts as seen."""

from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from shared.ado.process import ProcessCache
from shared.domain.configuration import Configuration
from shared.domain.errors import SyncError
from shared.domain.model import (
    ASSIGNEE_NOT_FOUND,
    Ends,
    HealthWord,
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
    """One worker's turn at a message: what it has looked at so far, and the token of its claims.

    ``items`` starts with the snapshot that a delivery or a batch brought along. Without one, what was
    seen of a work item last is believed, unless it is in ``doubted``. A wrong belief costs nothing but a
    second decision, because the write is tied to the revision that was seen.
    """

    token: str
    items: dict[int, WorkItem] = field(default_factory=dict)
    issues: dict[str, SentryIssue] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)
    merged: dict[str, str] = field(default_factory=dict)
    recorded: SyncError | None = None

    def start_over(self, link: IssueLink) -> None:
        self.items.pop(link.work_item_id, None)
        self.issues.pop(link.issue_id, None)
        self.doubted.add(link.work_item_id)

    def current_issue_id(self, issue_id: str) -> str:
        return self.merged.get(issue_id, issue_id)


class Observation(msgspec.Struct, frozen=True):
    """A link, what counts as seen of it, how both ends stand now, and the states there are (if needed)."""

    link: IssueLink
    seen: Ends
    now: Ends
    types: WorkItemTypes
    repeats: bool = False


@dataclass(frozen=True)
class Observer:
    """Looks at the links of one organization."""

    organization: str
    configuration: Configuration
    ado: Ado
    sentry: Sentry
    processes: ProcessCache

    def issue(self, issue_id: str, unit: UnitOfWork) -> SentryIssue:
        """Return how the issue stands, asked for once a turn."""
        if issue_id not in unit.issues:
            unit.issues[issue_id] = self.sentry.get_issue(issue_id)
        return unit.issues[issue_id]

    def observe(self, link: IssueLink, unit: UnitOfWork) -> Observation:
        item = self._item(link, unit)
        if item is not None:
            link = _following(link, item)
        now = Ends(self.issue(link.issue_id, unit).side, _item_side(link, item))
        types = self._types(link, now)
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
        """Return how the work item stands, or None where what was seen of it may be believed."""
        item = unit.items.get(link.work_item_id)
        if item is not None and item.rev > link.seen.item.rev and link.claim is None:
            return item
        if is_doubtful(link) or link.work_item_id in unit.doubted:
            # Asked for just now it is the truth, at a lower revision too: servers are restored from backups.
            item = unit.items[link.work_item_id] = self.ado.get_work_item(link.work_item_id)
            return item
        is_late = item is not None and item.rev < link.seen.item.rev
        return None if is_late else item

    def _types(self, link: IssueLink, now: Ends) -> WorkItemTypes | None:
        """Return the types of the link's project, or None while nothing moved that they would explain."""
        if not (state_moved(link.seen, now) or status_moved(link.seen, now) or link.claim):
            return None
        return self.processes.types_with(
            self.ado, self.organization, link.project_id, link.work_item_type, now.item.state
        )


def is_of_link(item: WorkItem, link: IssueLink) -> bool:
    """Tell whether a work item that came along is the linked one, which moves only with word of it.

    Two organizations count alike, and so their work items have the same numbers.
    """
    return item.project_id == link.project_id


def is_doubtful(link: IssueLink) -> bool:
    """Tell whether what was seen last cannot be built on: something went wrong, or stopped half-way.

    A person who is not known on the other side is no doubt: both sides were seen, and left as they are.
    """
    well = link.health.word is HealthWord.SETTLED or link.health.reason == ASSIGNEE_NOT_FOUND
    return link.claim is not None or not well


def _following(link: IssueLink, item: WorkItem) -> IssueLink:
    """Take over what a look at the work item says beside its state: it may be another type or project now."""
    return replace(
        link,
        project_id=item.project_id,
        work_item_type=item.work_item_type,
        title=item.title or link.title,
        area_path=item.area_path or link.area_path,
    )


def _item_side(link: IssueLink, item: WorkItem | None) -> ItemSide:
    """Return how the work item stands, its status as it was seen: still to be looked up if it moved."""
    if item is None:
        return link.seen.item
    return ItemSide(item.rev, item.state, link.seen.item.status, item.assignee)
