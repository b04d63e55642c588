"""An issue and a work item, linked, on doubles whose every call is noted and can be made to fail."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from msgspec.structs import replace

from shared.ado.answers import WorkItemAnswer
from shared.ado.client import Project
from shared.domain.configuration import Configuration
from shared.domain.decoding import Shape
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import (
    ActivityEntry,
    Assignee,
    FoundIssues,
    FoundWorkItems,
    Health,
    Integration,
    IssueLink,
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
from shared.flows.linking import link
from shared.flows.syncing import sync_inbound, sync_outbound
from shared.store.links import StoredLink
from shared.store.organizations import Organization
from shared.store.tables import Replace
from tests.doubles.ado import BASE_URL, MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices

SLUG = "fabrikam"
START = 1_800_000_000.0
ISSUE, ITEM = "100", 31
STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
ANN, BOB, CAROL = "ann@corp.example", "bob@corp.example", "carol@corp.example"


class Died(BaseException):
    """The worker dies in the middle of a call; none of our code may catch this."""


@dataclass
class Calls:
    """The calls to both services by their names, and what some of them will meet instead of an answer."""

    made: list[str] = field(default_factory=list)
    _troubles: list[tuple[str, BaseException, bool]] = field(default_factory=list)
    _before: dict[str, Callable[[], object]] = field(default_factory=dict)
    _after: dict[str, Callable[[], object]] = field(default_factory=dict)

    def meet(self, name: str, *errors: BaseException, lands: bool = False) -> None:
        """Have the next calls of this name fail, one by one; ``lands`` says whether they do their work."""
        self._troubles += [(name, error, lands) for error in errors]

    def before(self, name: str, happens: Callable[[], object]) -> None:
        """Have something happen just before the next call of this name."""
        self._before[name] = happens

    def after(self, name: str, happens: Callable[[], object]) -> None:
        """Have something happen just after the next call of this name that is answered."""
        self._after[name] = happens

    def recover(self) -> None:
        self._troubles.clear()

    @contextmanager
    def one(self, name: str) -> Iterator[None]:
        self._before.pop(name, lambda: None)()
        self.made.append(name)
        trouble = next((each for each in self._troubles if each[0] == name), None)
        if trouble is None:
            yield
            self._after.pop(name, lambda: None)()
            return
        self._troubles.remove(trouble)
        _, error, lands = trouble
        if lands:
            yield
        raise error


@dataclass
class WatchedAdo:
    """``rule`` is what a process changes by itself at each write; ``slow`` comes before each call.

    While it is ``deaf`` it accepts writes, and nothing comes of them.
    """

    real: MemoryAdo
    calls: Calls
    rule: Callable[[WorkItem], object] = lambda _item: None
    slow: Callable[[], object] = lambda: None
    deaf: bool = False
    unreadable: frozenset[int] = frozenset()

    def web_url(self, project_id: str, work_item_id: int) -> str:
        return self.real.web_url(project_id, work_item_id)

    def work_item_from(self, answer: WorkItemAnswer) -> WorkItem:
        return self.real.work_item_from(answer)

    def instance_id(self) -> str:
        with self._one("instance_id"):
            return self.real.instance_id()

    def clock_ahead(self) -> float | None:
        return self.real.clock_ahead()

    def try_to_write(self, item: WorkItem) -> None:
        with self._one("try_to_write"):
            self.real.try_to_write(item)

    def get_work_item(self, work_item_id: int) -> WorkItem:
        with self._one("get_work_item"):
            return self.real.get_work_item(work_item_id)

    def find_work_items(self, work_item_ids: Sequence[int]) -> FoundWorkItems:
        with self._one("find_work_items"):
            found = self.real.find_work_items(work_item_ids).found
            readable = {number: item for number, item in found.items() if number not in self.unreadable}
            return FoundWorkItems(readable, self.unreadable & set(work_item_ids))

    def update_work_item(
        self,
        work_item_id: int,
        rev: int,
        *,
        state: str | Unset = UNSET,
        assignee: Assignee | Unset = UNSET,
    ) -> WorkItem:
        with self._one("update_work_item"):
            if self.deaf:
                return self.real.item(work_item_id)
            item = self.real.update_work_item(work_item_id, rev, state=state, assignee=assignee)
            self.rule(item)
            return self.real.item(work_item_id)

    def projects(self) -> Iterator[Project]:
        with self._one("projects"):
            return self.real.projects()

    def get_project(self, name_or_id: str) -> Project:
        with self._one("get_project"):
            return self.real.get_project(name_or_id)

    def creatable_types(self, project_id: str) -> list[str]:
        with self._one("creatable_types"):
            return self.real.creatable_types(project_id)

    def get_work_item_types(self, project_id: str) -> WorkItemTypes:
        with self._one("get_work_item_types"):
            return self.real.get_work_item_types(project_id)

    def get_revisions(self, token: str | None, *, since: float | None = None) -> RevisionPage:
        with self._one("get_revisions"):
            return self.real.get_revisions(token, since=since)

    def find_project_ids(self, names: Collection[str]) -> dict[str, str]:
        with self._one("find_project_ids"):
            return self.real.find_project_ids(names)

    def call(self, method: str, path: tuple[str, ...], kind: type[Shape], **sent: Any) -> Shape:
        """Make a call that is spelled as a path, named by its method and what the path ends with."""
        with self._one(f"{method} {'comment' if path[-1].isdigit() else path[-1]}"):
            return self.real.call(method, path, kind, **sent)

    @contextmanager
    def _one(self, name: str) -> Iterator[None]:
        self.slow()
        with self.calls.one(name):
            yield


@dataclass
class WatchedSentry:
    """``looks_up`` finds out who is to be assigned; ``then`` is what follows a write.

    While it is ``deaf`` it accepts writes, and nothing comes of them.
    """

    real: MemorySentry
    calls: Calls
    deaf: bool = False
    looks_up: Callable[[], object] = lambda: None
    then: Callable[[], object] = lambda: None

    def organization_id(self) -> str:
        with self.calls.one("organization_id"):
            return self.real.organization_id()

    def web_url(self, issue_id: str) -> str:
        return self.real.web_url(issue_id)

    def clock_ahead(self) -> float | None:
        return self.real.clock_ahead()

    def scopes(self) -> frozenset[str]:
        return self.real.scopes()

    def integrations(self) -> list[Integration]:
        return self.real.integrations()

    @property
    def settings_url(self) -> str:
        return self.real.settings_url

    def is_member(self, email: str) -> bool:
        return self.real.is_member(email)

    def find_issue_id(self, short_id: str) -> str:
        with self.calls.one("find_issue_id"):
            return self.real.find_issue_id(short_id)

    def get_issue(self, issue_id: str) -> SentryIssue:
        with self.calls.one("get_issue"):
            return self.real.get_issue(issue_id)

    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        with self.calls.one("find_issues"):
            return self.real.find_issues(issue_ids)

    def set_status(
        self, issue_id: str, status: IssueStatus, resolve_in: ResolveIn = ResolveIn.NOW
    ) -> SentryIssue:
        with self.calls.one("set_status"):
            return self._written(issue_id, lambda: self.real.set_status(issue_id, status, resolve_in))

    def set_assignee(
        self, issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None] = lambda _: None
    ) -> SentryIssue:
        self.looks_up()
        begin(self.real.shown_as(assignee))
        with self.calls.one("set_assignee"):
            return self._written(issue_id, lambda: self.real.set_assignee(issue_id, assignee))

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        with self.calls.one("get_comment"):
            return self.real.get_comment(issue_id, comment_id)

    def find_comment(self, issue_id: str, url: str) -> str | None:
        with self.calls.one("find_comment"):
            return self.real.find_comment(issue_id, url)

    def add_comment(self, issue_id: str, text: str) -> str | None:
        with self.calls.one("add_comment"):
            return self.real.add_comment(issue_id, text)

    def latest_event(self, issue_id: str) -> SentryEvent:
        with self.calls.one("latest_event"):
            return self.real.latest_event(issue_id)

    def activity_url(self, issue_id: str, activity_id: str) -> str:
        return self.real.activity_url(issue_id, activity_id)

    def event_url(self, issue_id: str, event_id: str) -> str:
        return self.real.event_url(issue_id, event_id)

    def addresses_of(self, email: str) -> tuple[str, ...]:
        with self.calls.one("addresses_of"):
            return self.real.addresses_of(email)

    def primary_of(self, email: str) -> str | None:
        with self.calls.one("primary_of"):
            return self.real.primary_of(email)

    def _written(self, issue_id: str, write: Callable[[], object]) -> SentryIssue:
        if not self.deaf:
            write()
            self.then()
        return self.real.get_issue(issue_id)


@dataclass
class Scene:
    """One organization with issue 100 and work item 31, on a clock that only a test moves."""

    now: float = START
    calls: Calls = field(default_factory=Calls)

    def __post_init__(self) -> None:
        self.ado, self.sentry = MemoryAdo(clock=lambda: self.now), MemorySentry()
        self.watched_ado = WatchedAdo(self.ado, self.calls)
        self.watched_sentry = WatchedSentry(self.sentry, self.calls)
        # They have what the ports ask for, which is all that is used of the doubles behind them.
        self.services = MemoryServices(
            cast("MemoryAdo", self.watched_ado),
            cast("MemorySentry", self.watched_sentry),
            lambda: self.now,
            pause=self._wait,
        )
        # Links that show on their ends are tested in tests/unit/flows/test_back_links.py.
        configuration = Configuration(ado_url=BASE_URL, back_links=False)
        self.services.organizations.add(SLUG, configuration, KNOWN)
        for email in (ANN, BOB):
            self.sentry.add_member(email)
        self.link()

    def _wait(self, seconds: float) -> None:
        self.now += seconds

    # What an operator does.

    @property
    def organization(self) -> Organization:
        return self.services.organizations.get(SLUG)

    def configure(self, **changes: Any) -> None:
        organization = self.organization
        self.services.organizations.replace(organization, replace(organization.configuration, **changes))

    def damage(self) -> Callable[[], None]:
        """Make the organization's document one that cannot be read; return what mends it."""
        table = self.services.organizations._table
        text = table.get("organizations", SLUG).text
        table.apply("organizations", Replace(SLUG, '{"on_conflict": "newest"}', None))

        def mend() -> None:
            table.apply("organizations", Replace(SLUG, text, None))

        return mend

    def link(self, issue_id: str = ISSUE, work_item_id: int = ITEM) -> None:
        """Link the two, made first where there are none; the states are known to the app from then on."""
        try:
            self.ado.item(work_item_id)
        except KeyError:
            self.ado.add_item("Fix login", work_item_id)
        if issue_id not in self.issue_ids:
            self.sentry.add_issue(issue_id=issue_id)
        link(self.services, self.organization, issue_id, work_item_id, None)
        self.calls.made.clear()

    @property
    def issue_ids(self) -> list[str]:
        return [each.link.issue_id for each in self.services.links.all(SLUG)]

    # What arrives.

    def inbound(self, item: WorkItem | None = None) -> list[str]:
        """Handle a message about the work item as it stood in a snapshot, or without one."""
        message = InboundMessage(SLUG, ITEM, self.ado.item(ITEM).rev, snapshot=item)
        return sync_inbound(message, self.services)

    def outbound(self, issue_id: str = ISSUE) -> list[str]:
        return sync_outbound(OutboundMessage(SLUG, issue_id), self.services)

    # How things stand.

    def stored(self, issue_id: str = ISSUE, work_item_id: int = ITEM) -> StoredLink:
        return self.services.links.get(SLUG, issue_id, work_item_id)

    @property
    def row(self) -> IssueLink:
        return self.stored().link

    @property
    def health(self) -> Health:
        return self.row.health

    @property
    def status(self) -> IssueStatus:
        return self.sentry.get_issue(ISSUE).status

    @property
    def state(self) -> str:
        return self.ado.item(ITEM).state

    def entries(self, issue_id: str = ISSUE, work_item_id: int = ITEM) -> list[ActivityEntry]:
        """Return the link's activity entries, newest first, except that of its making."""
        page = self.services.activity.page(SLUG, issue_id, work_item_id, None, 100)
        return [entry for entry in page.entries if entry.outcome != "linked"]

    def outcomes(self, issue_id: str = ISSUE, work_item_id: int = ITEM) -> list[str]:
        return [entry.outcome for entry in self.entries(issue_id, work_item_id)]
