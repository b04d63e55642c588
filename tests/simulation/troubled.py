"""The doubles as our workers meet them: each call is a moment at which others go on, and may go wrong."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol

from msgspec.structs import replace

from shared.ado.answers import WorkItemAnswer
from shared.ado.client import Project
from shared.domain.decoding import Shape
from shared.domain.errors import Conflict, SyncError, Throttled, Unauthorized, Unavailable
from shared.domain.messages import Message
from shared.domain.model import (
    Assignee,
    ExternalIssue,
    FoundIssues,
    FoundWorkItems,
    Integration,
    IssueStatus,
    ResolveIn,
    RevisionPage,
    SentryComment,
    SentryEvent,
    SentryIssue,
    WorkItem,
    WorkItemTypes,
)
from shared.domain.ports import UNSET, Unset
from shared.store.tables import LARGEST_PAGE, Operation, Row
from tests.doubles.queues import MemoryQueue
from tests.doubles.sentry import MemorySentry
from tests.doubles.tables import MemoryTable
from tests.simulation.outages import ADO, BATCHES, FEED, LISTS, SENTRY, STORAGE, TABLES
from tests.simulation.places import Place


class Crashed(BaseException):
    """The worker dies in the middle of its work; none of our code may catch this."""


class Stage(Protocol):
    """What the calls need of the world in which they are made."""

    def before_call(self, service: str, what: str) -> str | None:
        """Let others go on; then raise what keeps the call from being made, or return a later trouble."""
        ...

    def after_call(self, service: str, trouble: str) -> None:
        """Raise the trouble that meets the answer of a call that was carried out."""
        ...

    def met_trouble(self) -> None:
        """Note that a service answered like one that is away."""
        ...

    def verify_allowed(self, end: str, *, writes: bool) -> None:
        """Raise what a call about one thing meets that somebody keeps us from."""
        ...

    def is_garbled(self, end: str) -> bool: ...
    def asked_ado(self, place: Place, numbers: Iterable[int]) -> None: ...
    def observed(self, issue_id: str, issue: SentryIssue) -> None: ...
    def wrote_issue(self, issue_id: str, before: SentryIssue, after: SentryIssue) -> None: ...
    def wrote_item(self, place: Place, before: WorkItem, after: WorkItem) -> None: ...
    def revised(self) -> None: ...
    def commented(self, work_item_id: int, html: str) -> None: ...
    def created(self, place: Place, work_item_id: int, addresses: Collection[str]) -> None: ...
    def noted(self, text: str) -> None: ...
    def put(self, name: str, number: int, message: Message) -> None: ...
    def stored(self, table: str, partition: str, operations: Sequence[Operation]) -> None: ...


def error_before(trouble: str, service: str) -> SyncError | None:
    """Return what a call raises that was never carried out."""
    if trouble == "throttled" and service != STORAGE:
        return Throttled(service, "asked us to wait", retry_after=30.0)
    if trouble == "refuses-us" and service != STORAGE:
        return Unauthorized(service, "does not accept our credentials")
    if trouble == "lost-race" and service == ADO:
        return Conflict("HTTP 409")
    if trouble in {"fails", "throttled", "refuses-us"} or (trouble == "lost-race" and service == SENTRY):
        return Unavailable(service, "HTTP 500")
    return None


def error_after(trouble: str, service: str) -> SyncError | None:
    """Return what a call raises whose answer was lost.

    azure-data-tables quirk: the client repeats a request whose answer was lost, and learns that the row
    has changed, by itself.
    """
    if trouble == "lost-race" and service == STORAGE:
        return Conflict("the row changed")
    if trouble == "answer-and-wait" and service != STORAGE:
        return Throttled(service, "HTTP 503, asked us to wait", retry_after=30.0, may_have_landed=True)
    is_lost = trouble in {"answer-lost", "answer-and-wait"}
    return Unavailable(service, "no answer within 10 seconds") if is_lost else None


class TroubledTable:
    def __init__(self, stage: Stage, name: str, table: MemoryTable) -> None:
        self._stage = stage
        self._name = name
        self._table = table

    def get(self, partition: str, key: str) -> Row:
        trouble = self._stage.before_call(TABLES, f"reads {self._name} {key}")
        row = self._table.get(partition, key)
        self._finish(trouble)
        return row

    def scan(self, partition: str, start: str, end: str, *, page_size: int = LARGEST_PAGE) -> Iterator[Row]:
        trouble = self._stage.before_call(TABLES, f"reads {self._name} from {start or 'the first'}")
        rows = list(self._table.scan(partition, start, end))
        self._finish(trouble)
        yield from rows

    def apply(self, partition: str, *operations: Operation) -> list[str]:
        trouble = self._stage.before_call(TABLES, f"writes {self._name}")
        etags = self._table.apply(partition, *operations)
        self._stage.stored(self._name, partition, operations)
        if trouble == "lost-race":
            raise Conflict("the row changed")
        self._finish(trouble)
        return etags

    def _finish(self, trouble: str | None) -> None:
        if trouble is not None and trouble != "lost-race":
            self._stage.after_call(STORAGE, trouble)


class TroubledQueue:
    def __init__(self, stage: Stage, name: str, queue: MemoryQueue) -> None:
        self._stage = stage
        self._name = name
        self.real = queue

    def put(self, message: Message, *, delay: float = 0.0) -> None:
        trouble = self._stage.before_call(STORAGE, f"puts a message on {self._name}")
        self.real.put(message, delay=delay)
        self._stage.put(self._name, self.real.newest, message)
        if trouble is not None and trouble != "lost-race":
            self._stage.after_call(STORAGE, trouble)

    def verify(self) -> None:
        self._stage.before_call(STORAGE, f"looks at {self._name}")


class TroubledAdo:
    """One organization of Azure DevOps, as it is found at one of its addresses."""

    def __init__(self, stage: Stage, place: Place) -> None:
        self._stage = stage
        self._place = place
        self._ado = place.ado
        self.web_url = place.ado.web_url
        self.work_item_from = place.ado.work_item_from

    def instance_id(self) -> str:
        trouble = self._stage.before_call(ADO, "GET connectionData")
        self._finish(trouble)
        return self._place.identity

    def clock_ahead(self) -> float | None:
        return self._ado.clock_ahead()

    def get_work_item(self, work_item_id: int) -> WorkItem:
        trouble = self._stage.before_call(ADO, f"GET work item {work_item_id}")
        self._stage.asked_ado(self._place, [work_item_id])
        self._stage.verify_allowed(f"item {work_item_id}", writes=False)
        item = self._ado.get_work_item(work_item_id)
        self._finish(trouble)
        return item

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        trouble = self._stage.before_call(BATCHES, "POST workitemsbatch")
        self._stage.asked_ado(self._place, work_item_ids)
        garbled = frozenset(each for each in work_item_ids if self._stage.is_garbled(f"item {each}"))
        items = self._ado.find_work_items([each for each in work_item_ids if each not in garbled])
        self._finish(trouble)
        return FoundWorkItems(items.found, garbled)

    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        trouble = self._stage.before_call(FEED, "GET the feed of revisions")
        try:
            page = self._ado.get_revisions(token, since=since)
        except Unavailable:
            self._stage.met_trouble()
            raise
        garbled = frozenset(each.id for each in page.items if self._stage.is_garbled(f"item {each.id}"))
        self._finish(trouble)
        items = tuple(each for each in page.items if each.id not in garbled)
        return replace(page, items=items, unreadable=garbled)

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        trouble = self._stage.before_call(ADO, "GET projects by name")
        found = self._ado.find_project_ids(names)
        self._finish(trouble)
        return found

    def update_work_item(
        self,
        work_item_id: int,
        rev: int,
        *,
        state: str | Unset = UNSET,
        assignee: Assignee | Unset = UNSET,
    ) -> WorkItem:
        what = f"PATCH work item {work_item_id} at rev {rev}: state {state}, assignee {assignee}"
        trouble = self._stage.before_call(ADO, what)
        self._stage.verify_allowed(f"item {work_item_id}", writes=True)
        before = self._ado.item(work_item_id)
        item = self._ado.update_work_item(work_item_id, rev, state=state, assignee=assignee)
        self._stage.wrote_item(self._place, before, item)
        self._finish(trouble)
        return item

    def get_project(self, name_or_id: str) -> Project:
        trouble = self._stage.before_call(ADO, f"GET project {name_or_id}")
        project = self._ado.get_project(name_or_id)
        self._finish(trouble)
        return project

    def projects(self) -> Iterator[Project]:
        trouble = self._stage.before_call(ADO, "GET projects")
        self._finish(trouble)
        return self._ado.projects()

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        trouble = self._stage.before_call(ADO, "GET work item types")
        types = self._ado.get_work_item_types(project_id)
        self._finish(trouble)
        return types

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        kind: type[Shape],
        *,
        about: str = "",
        missing: str = "not-found",
        json: Any = None,
        params: Any = None,
        headers: Any = None,  # likewise
    ) -> Shape:
        """Make one of the calls about a discussion, about hyperlinks, or to create a work item."""
        trouble = self._stage.before_call(ADO, f"{method} {about or path[-1]}")
        named = next((each for each in path if each.isdecimal()), None)
        if named is not None:
            self._stage.verify_allowed(f"item {named}", writes=method != "GET")
        answer = self._ado.call(method, path, kind, about=about, missing=missing, json=json, params=params)
        is_patch_of_item = method == "PATCH" and path[0] == "_apis"
        if named is not None and (is_patch_of_item or method == "DELETE"):
            self._stage.revised()
        elif named is not None and method in {"POST", "PATCH"}:
            self._stage.commented(int(named), json["text"])
        elif path[-1].startswith("$") and isinstance(answer, WorkItemAnswer):
            shown = [each["value"]["url"] for each in json if each["path"] == "/relations/-"]
            self._stage.created(self._place, answer.id, shown)
        self._finish(trouble)
        return answer

    def _finish(self, trouble: str | None) -> None:
        if trouble is not None:
            self._stage.after_call(ADO, trouble)


class TroubledSentry:
    def __init__(self, stage: Stage, sentry: MemorySentry) -> None:
        self._stage = stage
        self._sentry = sentry

    def organization_id(self) -> str:
        trouble = self._stage.before_call(SENTRY, "GET the organization")
        organization_id = self._sentry.organization_id()
        self._finish(trouble)
        return organization_id

    def clock_ahead(self) -> float | None:
        return self._sentry.clock_ahead()

    def scopes(self) -> frozenset[str]:
        trouble = self._stage.before_call(SENTRY, "GET the scopes")
        self._finish(trouble)
        return self._sentry.scopes()

    def integrations(self) -> list[Integration]:
        trouble = self._stage.before_call(SENTRY, "GET the integrations")
        self._finish(trouble)
        return self._sentry.integrations()

    @property
    def settings_url(self) -> str:
        return self._sentry.settings_url

    def is_member(self, email: str) -> bool:
        trouble = self._stage.before_call(SENTRY, f"GET member {email}")
        self._finish(trouble)
        return self._sentry.is_member(email)

    def get_issue(self, issue_id: str) -> SentryIssue:
        trouble = self._stage.before_call(SENTRY, f"GET issue {issue_id}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=False)
        issue = self._sentry.get_issue(issue_id)
        self._stage.observed(issue_id, issue)
        self._finish(trouble)
        return issue

    def get_issue_with_entries(self, issue_id: str) -> SentryIssue:
        trouble = self._stage.before_call(SENTRY, f"GET issue {issue_id} with its entries")
        self._stage.verify_allowed(f"issue {issue_id}", writes=False)
        issue = self._sentry.get_issue_with_entries(issue_id)
        self._finish(trouble)
        return issue

    def put_entry(self, issue_id: str, url: str, project: str, identifier: str) -> ExternalIssue:
        trouble = self._stage.before_call(SENTRY, f"POST an entry of issue {issue_id}: {identifier}")
        entry = self._sentry.put_entry(issue_id, url, project, identifier)
        self._finish(trouble)
        return entry

    def remove_entry(self, entry: ExternalIssue, issue_id: str) -> None:
        trouble = self._stage.before_call(SENTRY, f"DELETE an entry of issue {issue_id}")
        self._sentry.remove_entry(entry, issue_id)
        self._finish(trouble)

    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        trouble = self._stage.before_call(LISTS, f"GET {len(issue_ids)} issues")
        garbled = frozenset(each for each in issue_ids if self._stage.is_garbled(f"issue {each}"))
        asked = [each for each in issue_ids if each not in garbled]
        for each in asked:
            self._stage.verify_allowed(f"issue {each}", writes=False)
        found = self._sentry.find_issues(asked)
        self._finish(trouble)
        return FoundIssues(found.found, found.unreadable | garbled)

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        trouble = self._stage.before_call(SENTRY, f"GET comment {comment_id} of issue {issue_id}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=False)
        comment = self._sentry.get_comment(issue_id, comment_id)
        self._finish(trouble)
        return comment

    def find_comment(self, issue_id: str, url: str) -> str | None:
        trouble = self._stage.before_call(SENTRY, f"GET the comments of issue {issue_id}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=False)
        found = self._sentry.find_comment(issue_id, url)
        self._finish(trouble)
        return found

    def add_comment(self, issue_id: str, text: str) -> str | None:
        trouble = self._stage.before_call(SENTRY, f"POST a comment of issue {issue_id}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=True)
        comment_id = self._sentry.add_comment(issue_id, text)
        self._stage.noted(text)
        self._finish(trouble)
        return comment_id

    def latest_event(self, issue_id: str) -> SentryEvent:
        trouble = self._stage.before_call(SENTRY, f"GET the latest event of issue {issue_id}")
        event = self._sentry.latest_event(issue_id)
        self._finish(trouble)
        return event

    def web_url(self, issue_id: str) -> str:
        return self._sentry.web_url(issue_id)

    def activity_url(self, issue_id: str, activity_id: str) -> str:
        return self._sentry.activity_url(issue_id, activity_id)

    def event_url(self, issue_id: str, event_id: str) -> str:
        return self._sentry.event_url(issue_id, event_id)

    def set_status(
        self, issue_id: str, status: IssueStatus, resolve_in: ResolveIn = ResolveIn.NOW
    ) -> SentryIssue:
        trouble = self._stage.before_call(SENTRY, f"PUT issue {issue_id}: status {status}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=True)
        before = self._sentry.get_issue(issue_id)
        return self._written(issue_id, before, self._sentry.set_status(issue_id, status, resolve_in), trouble)

    def set_assignee(
        self, issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None] = lambda _: None
    ) -> SentryIssue:
        begin(self._sentry.shown_as(assignee))
        trouble = self._stage.before_call(SENTRY, f"PUT issue {issue_id}: assignee {assignee}")
        self._stage.verify_allowed(f"issue {issue_id}", writes=True)
        before = self._sentry.get_issue(issue_id)
        return self._written(issue_id, before, self._sentry.set_assignee(issue_id, assignee), trouble)

    def addresses_of(self, email: str) -> tuple[str, ...]:
        trouble = self._stage.before_call(SENTRY, f"GET the addresses of {email}")
        addresses = self._sentry.addresses_of(email)
        self._finish(trouble)
        return addresses

    def primary_of(self, email: str) -> str | None:
        trouble = self._stage.before_call(SENTRY, f"GET who holds {email}")
        primary = self._sentry.primary_of(email)
        self._finish(trouble)
        return primary

    def _written(
        self, issue_id: str, before: SentryIssue, after: SentryIssue, trouble: str | None
    ) -> SentryIssue:
        self._stage.wrote_issue(issue_id, before, after)
        self._finish(trouble)
        return after

    def _finish(self, trouble: str | None) -> None:
        if trouble is not None:
            self._stage.after_call(SENTRY, trouble)
