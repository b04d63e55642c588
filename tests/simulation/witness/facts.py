"""How both services stand, and what that means: spelled out once more, independently of the code."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from shared.domain.configuration import Configuration
from shared.domain.errors import NotFound
from shared.domain.model import Assignee, IssueLink, IssueStatus, Person, SentryIssue, Stranger, WorkItem
from simulator.ado.processes import WorkItemType
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry

STATUS, ASSIGNEE = "status", "assignee"
FIELDS = (STATUS, ASSIGNEE)
ISSUE, ITEM = 0, 1
Pair = tuple[str, int]
Values = tuple[object, object]  # of one field, on the issue and on the work item


class Worker(Protocol):
    """Somebody who makes our calls.

    ``observed`` holds each issue as they last read it, ``since`` is when they took up their work, and
    ``began`` when they began the call they are making. ``partition`` is that of the connection that their
    message was about, and ``about`` the issue or work item that it names.
    ``copies`` is the side, "ado" or "sentry", that a person has copied over to the other; "" for neither.
    """

    token: str
    partition: str
    about: str
    observed: dict[str, SentryIssue]
    since: float
    began: float
    copies: str

    @property
    def is_form(self) -> bool: ...


# Half a minute, and the minute for which a claim holds.
_STATES_KNOWN_WITHIN = 90.0  # seconds


class Facts:
    """Reads the doubles, not the tables.

    ``bad`` are the ends that somebody keeps us from, ``restored`` the work items that went back to an earlier
    revision: from then on a revision's number names two. ``forgotten`` are the states that a process did not
    list for a while, ``listed_at`` is since when it lists those that it did not. ``unreadable`` are the pairs
    of which there is a row of a link that nobody can read, ``ending`` those whose link ended while its work
    item was deleted, ``cleared`` the issues from whose pages somebody removed an entry, ``survivors``
    those into which others were merged.
    """

    def __init__(
        self,
        places: Mapping[str, MemoryAdo],
        sentry: MemorySentry,
        configuration: Callable[[], Configuration],
        partition: Callable[[], str],
        links: Callable[[], Iterator[IssueLink]],
        unreadable: Callable[[], set[Pair]],
        ending: Callable[[], set[Pair]],
        clock: Callable[[], float],
    ) -> None:
        self._places = places
        self.sentry = sentry
        self._configuration = configuration
        self._partition = partition
        self.links = links
        self.unreadable = unreadable
        self.ending = ending
        self.clock = clock
        self.bad: dict[str, str] = {}
        self.cleared: set[str] = set()
        self.survivors: set[str] = set()
        self.restored: set[int] = set()
        self.forgotten: set[str] = set()
        self.listed_at: dict[str, float] = {}
        self._lost: dict[tuple[int, int], list[WorkItem]] = {}
        self.reconfigured = self.reinterpreted = False

    @property
    def configuration(self) -> Configuration:
        return self._configuration()

    @property
    def partition(self) -> str:
        """Return the partition of the links of the connection there is now."""
        return self._partition()

    @property
    def ado(self) -> MemoryAdo:
        """Return the Azure DevOps organization that the document names now."""
        return self._places[self.configuration.ado_url or ""]

    def revisions_at(self, work_item_id: int, rev: int) -> list[WorkItem]:
        """Return the work item as it stood at a revision, before and after it went back to an earlier one."""
        now = self.ado.revisions(work_item_id)[rev - 1 : rev]
        return [*self._lost.get((work_item_id, rev), ()), *(each.item for each in now)]

    def forget_after(self, work_item_id: int, rev: int) -> None:
        """Note the revisions that a restored backup takes away, and that somebody may still have read."""
        self.restored.add(work_item_id)
        for each in self.ado.revisions(work_item_id)[rev - 1 :]:
            self._lost.setdefault((work_item_id, each.item.rev), []).append(each.item)

    def kind_of(self, item: WorkItem) -> WorkItemType:
        home = next(each for each in self._places.values() if item.project_id in each.catalog.projects)
        return home.kind_of(item)

    def category_of(self, item: WorkItem) -> str | None:
        state = self.kind_of(item).find_state(item.state)
        return None if state is None else state.category

    def may_be_unknown(self, state: str) -> bool:
        """Tell whether a worker may not know a state: a process is read again half a minute later at most.

        A worker that stands still for as long as its claim holds goes by what it had read then.
        """
        listed_at = self.listed_at.get(state, -math.inf)
        return state in self.ado.unlisted or self.clock() - listed_at < _STATES_KNOWN_WITHIN

    def is_removed(self, item: WorkItem) -> bool:
        """Tell whether a work item is Removed, and no mapping means an archived issue by that."""
        mapping = self.configuration.project_mapping(item.project_id)
        means_archived = mapping is not None and mapping.on_archive == item.state
        return self.category_of(item) == "Removed" and not means_archived

    def status_of(self, item: WorkItem) -> IssueStatus:
        configuration = self.configuration
        mapping = configuration.project_mapping(item.project_id)
        if mapping and any(item.state in each.done_states for each in mapping.for_type(item.work_item_type)):
            return IssueStatus.RESOLVED
        if mapping and item.state == mapping.on_archive:
            return IssueStatus.IGNORED
        done = self.category_of(item) in [each.value for each in configuration.done_categories]
        if done and set(item.reasons or ()) & set(configuration.archive_reasons):
            return IssueStatus.IGNORED
        return IssueStatus.RESOLVED if done else IssueStatus.UNRESOLVED

    def same_person(self, in_ado: Assignee, in_sentry: Assignee) -> bool:
        if isinstance(in_ado, Stranger) or isinstance(in_sentry, Stranger):
            return False
        if isinstance(in_ado, Person):
            in_ado = Person(self.configuration.people.get(in_ado.email, in_ado.email))
        return in_ado == in_sentry

    def values(self, name: str, issue: SentryIssue, item: WorkItem) -> Values:
        if name == STATUS:
            return issue.status, self.status_of(item)
        return issue.assignee, item.assignee

    def agree(self, name: str, values: Values, issue: SentryIssue, item: WorkItem) -> bool:
        if name == STATUS:
            mapping = self.configuration.project_mapping(item.project_id)
            is_state = mapping is not None and mapping.on_archive == item.state
            # Whoever resolves an issue finds an item that is done, for whatever reason.
            done = not is_state and values == (IssueStatus.RESOLVED, IssueStatus.IGNORED)
            return done or values[ISSUE] is values[ITEM]
        return self.same_person(item.assignee, issue.assignee)

    def find_issue(self, issue_id: str) -> SentryIssue | None:
        try:
            return self.sentry.get_issue(issue_id)
        except NotFound:
            return None

    def find_item(self, work_item_id: int) -> WorkItem | None:
        return None if self.ado.is_deleted(work_item_id) else self.ado.item(work_item_id)

    def changed_in_issue(self, before: SentryIssue, after: SentryIssue) -> list[str]:
        return [name for name in FIELDS if getattr(before, name) != getattr(after, name)]

    def changed_in_item(self, before: WorkItem, after: WorkItem) -> list[str]:
        changed = (self.status_of(before) is not self.status_of(after), before.assignee != after.assignee)
        return [name for name, has_changed in zip(FIELDS, changed, strict=True) if has_changed]

    def is_kept_from(self, link: IssueLink) -> bool:
        """Tell whether somebody forbids us an end of the link, or garbles it."""
        return bool(self.bad.keys() & {issue_end(link.issue_id), item_end(link.work_item_id)})


def issue_end(issue_id: str) -> str:
    return f"issue {issue_id}"


def item_end(work_item_id: int) -> str:
    return f"item {work_item_id}"


def ends_of(pair: Pair) -> tuple[str, str]:
    return issue_end(pair[0]), item_end(pair[1])


def pair_of(link: IssueLink) -> Pair:
    return link.issue_id, link.work_item_id
