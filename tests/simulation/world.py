"""The world of one schedule: a clock, both services, storage, people, and workers whose steps interleave."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, cast

import azure.functions as func
import msgspec
from greenlet import greenlet  # type: ignore[import-untyped]  # it comes without types
from msgspec.structs import replace as with_changes

from functions import ado_webhook, inbound_sync, outbound_sync, reconcile, sentry_webhook
from shared.domain.configuration import Configuration, ProjectMapping
from shared.domain.errors import NotFound, Refused, SyncError
from shared.domain.model import Category, IssueLink, SentryIssue, Side, WorkItem
from shared.flows.connecting import store
from shared.flows.linking import link, unlink
from shared.sentry.hook import RESOURCE_HEADER, SIGNATURE_HEADER, sign
from shared.services import Services
from shared.settling.observing import UnitOfWork
from shared.store.organizations import Organization
from shared.store.tables import Delete, Operation
from simulator.ado.catalog import Catalog
from simulator.ado.processes import AGILE, CMMI, TAILORED, Process, State
from tests.doubles import ado as ado_double
from tests.doubles import sentry as sentry_double
from tests.doubles.ado import MemoryAdo
from tests.doubles.queues import MemoryQueue, ReceiptLost, Received
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import ADO_SECRET, KNOWN, SENTRY_SECRET, MemoryServices
from tests.doubles.tables import MemoryTable
from tests.simulation.schedule import ISSUES, ITEMS, Action, Schedule
from tests.simulation.troubled import (
    ADO,
    SENTRY,
    Crashed,
    TroubledAdo,
    TroubledQueue,
    TroubledSentry,
    TroubledTable,
    error_after,
    error_before,
)
from tests.simulation.witness import Witness

SLUG = "acme"
START = 1_800_000_000.0
A_CALL = 0.02  # seconds
SLOW, FROZEN = 12.0, 130.0  # seconds; an answer just out of time, and a machine that stood still
GIVEN_BACK_FOR = 30.0  # seconds; visibilityTimeout in host.json
MOST_DEQUEUES = 5  # maxDequeueCount in host.json
REDELIVERED_AFTER, MOST_DELIVERIES = 20.0, 8
MOST_CALLS = 20_000
FIRST_PROJECT = "Fabrikam-Fiber"
# A state that was added to the process after the app had asked for its states.
NEW_STATE = State("Verified", "Resolved")


@dataclass
class Task:
    """Something of ours at work; ``observed`` holds the issues as it last read them.

    ``answers`` holds those that its writes returned; it decides on them once it is done with a link.
    """

    name: str
    run: greenlet
    services: "WorldServices"
    token: str = ""
    asleep_until: float = 0.0
    observed: dict[str, SentryIssue] = field(default_factory=dict)
    answers: dict[str, SentryIssue] = field(default_factory=dict)


@dataclass(frozen=True)
class Flight:
    """A hook on its way to us."""

    due: float
    event: ado_double.Event | sentry_double.Event
    attempts: int = 0


class NeverQuiet(BaseException):
    """The schedule never comes to rest."""


class WorldServices(MemoryServices):
    """One instance of the app: what it shares with others is storage, and nothing else."""

    def __init__(self, world: "World") -> None:
        super().__init__(world.ado, world.sentry, world.clock)
        self._world = world

    @property
    def inbound(self) -> TroubledQueue:  # type: ignore[override]  # it adds trouble, and has what is used
        return self._world.queues["inbound"]

    @property
    def outbound(self) -> TroubledQueue:  # type: ignore[override]  # likewise
        return self._world.queues["outbound"]

    def ado(self, organization: Organization) -> Any:
        return self._world.troubled_ado

    def ado_at_once(self, organization: Organization) -> Any:
        return self._world.troubled_ado

    def sentry(self, organization: Organization) -> Any:
        return self._world.troubled_sentry

    def sentry_at_once(self, organization: Organization) -> Any:
        return self._world.troubled_sentry

    def new_unit_of_work(self) -> UnitOfWork:
        unit = super().new_unit_of_work()
        self._world.current.token = unit.token
        return unit

    def new_token(self) -> str:
        return self._world.new_token()

    def _table(self, name: str) -> TroubledTable:
        return self._world.tables[name]


class World:
    """Runs one schedule to its end. ``trace``, if given, receives each line of the trace."""

    def __init__(self, schedule: Schedule, trace: Callable[[float, str, str], None] | None = None) -> None:
        self.schedule = schedule
        self.now = START
        self._trace = trace
        self._chance = random.Random(f"order {schedule.seed}")
        self.calls = self._hooks = self._tokens = self._write_calls = 0
        self._troubles = dict(schedule.troubles)
        self._after_writes = dict(schedule.after_writes)
        self._strays = dict(schedule.strays)
        self._hub = greenlet.getcurrent()
        self.ado = MemoryAdo(_catalog(), self.clock)
        self.sentry = MemorySentry()
        self.troubled_ado, self.troubled_sentry = (
            TroubledAdo(self, self.ado),
            TroubledSentry(self, self.sentry),
        )
        self._plain = {name: MemoryTable() for name in ("organizations", "links", "activity")}
        self.tables = {name: TroubledTable(self, name, table) for name, table in self._plain.items()}
        self.queues = {
            name: TroubledQueue(self, name, MemoryQueue(self.clock)) for name in ("inbound", "outbound")
        }
        self.witness = Witness(self.ado, self.sentry, self.configuration, self.links, self.clock)
        self._instances = [WorldServices(self), WorldServices(self)]
        self.tasks: list[Task] = []
        self._flying: list[Flight] = []
        self.current = Task("nobody", self._hub, self._instances[0])
        self._unhindered, self._one_by_one, self._died = True, False, False
        self._furnish()

    def clock(self) -> float:
        return self.now

    def new_token(self) -> str:
        self._tokens += 1
        return f"{self._tokens:08d}"

    def say(self, who: str, text: str) -> None:
        if self._trace is not None:
            self._trace(self.now - START, who, text)

    def configuration(self) -> Configuration:
        return self._configuration

    def links(self) -> Iterator[IssueLink]:
        for row in self._plain["links"].scan(SLUG, "item!", "item!~"):
            yield msgspec.json.decode(row.text, type=IssueLink)

    # The beginning

    def _furnish(self) -> None:
        self.ado.unlisted = frozenset({NEW_STATE.name})
        self.ado.add_person("Build Service", "")
        for email in ("ann@home.example", "bob@corp.example", "dave@corp.example"):
            self.sentry.add_member(email)
        for issue_id in ISSUES:
            self.sentry.add_issue(issue_id=issue_id)
        kind, project = self.schedule.second_kind
        self.ado.add_item("Fix login", ITEMS[0], kind="Bug", project=FIRST_PROJECT)
        self.ado.add_item("Check out", ITEMS[1], kind=kind, project=project)
        self.ado.announce = self._fly
        self.sentry.announce = self._fly
        self._configuration = Configuration(
            ado_url="https://dev.azure.com/fabrikam/",
            sentry_organization="acme",
            people={"ann@corp.example": "ann@home.example"},
        )
        for setting in self.schedule.settings:
            self._configuration = self._configured(setting)
        services = self._instances[0]
        services.organizations.add(SLUG, self._configuration, KNOWN)
        for issue_id, work_item_id in self.schedule.links:
            link(services, services.organizations.get(SLUG), issue_id, work_item_id, None)
        self._unhindered = False

    # The surroundings of our calls

    def before_call(self, service: str, what: str) -> str | None:
        if self._unhindered:
            return None
        # Half of the time the worker goes on by itself: every order remains possible, at half the price.
        if not self._one_by_one and self._chance.random() < 0.5:
            self._hub.switch()
        self.now += A_CALL
        number, self.calls = self.calls, self.calls + 1
        if number > MOST_CALLS:
            raise NeverQuiet
        task = self.current
        if self._trace is not None:
            self.say(task.name, what)
        trouble = self._troubles.get(number)
        if trouble is None:
            return None
        self.say(task.name, f"… which {trouble.replace('-', ' ')} (call {number})")
        if trouble == "dies-before":
            raise Crashed
        if trouble in {"slow", "frozen"}:
            self._sleep(SLOW if trouble == "slow" else FROZEN)
            return None
        if error := error_before(trouble, service):
            raise error
        return trouble

    def after_call(self, service: str, trouble: str) -> None:
        if trouble == "dies-after":
            raise Crashed
        if trouble in {"slow-answer", "frozen-after"}:
            self._sleep(SLOW if trouble == "slow-answer" else FROZEN)
        elif error := error_after(trouble, service):
            raise error

    def _sleep(self, seconds: float) -> None:
        self.current.asleep_until = self.now + seconds
        self._hub.switch()

    def observed(self, issue: SentryIssue) -> None:
        self.current.observed[issue.issue_id] = issue

    def wrote_issue(self, before: SentryIssue, after: SentryIssue) -> None:
        task = self.current
        self.witness.wrote_issue(task.token, task.observed, before, after)
        task.answers[after.issue_id] = after
        self._after_write(SENTRY)

    def wrote_item(self, before: WorkItem, after: WorkItem) -> None:
        self.witness.wrote_item(self.current.token, before, after)
        self._after_write(ADO)

    def _after_write(self, service: str) -> None:
        number, self._write_calls = self._write_calls, self._write_calls + 1
        if trouble := self._after_writes.get(number):
            self.say(self.current.name, f"… which {trouble.replace('-', ' ')} (write {number})")
            self.after_call(service, trouble)

    def stored(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        if table == "links":
            self.witness.stored_links(self.current.token, operations)
            self.current.observed |= self.current.answers
            self.current.answers.clear()
        elif table == "activity":
            self.witness.stored_activity(self.current.token, self.current.observed, operations)
        elif partition == "organizations":
            self._configured_anew(operations)
        if self._trace is not None and not self._unhindered:
            for each in operations:
                text = "" if not hasattr(each, "text") else each.text
                self.say(self.current.name, f"    {type(each).__name__} {table} {each.key} {text}")

    def _configured_anew(self, operations: Sequence[Operation]) -> None:
        for each in operations:
            if not isinstance(each, Delete) and not self._unhindered:
                before, self._configuration = self._configuration, Configuration.from_stored(each.text)
                self.witness.something_else_changed()
                self.witness.reconfigured = True
                if before.done_categories != self._configuration.done_categories:
                    self.witness.reinterpreted = True

    # The course of events

    def run(self) -> list[str]:
        """Let everything happen, then let it come to rest; return what the witness complains about."""
        try:
            self._live()
            return self._rest()
        except NeverQuiet:
            return [*self.witness.violations, "it never comes to rest"]

    def _live(self) -> None:
        actions = list(reversed(self.schedule.actions))
        while True:
            ready = self._ready()
            if actions and (not ready or self._is_time_for(actions[-1], len(ready))):
                self._died = False
                self._do(actions.pop())
            elif ready:
                self._go_on(ready)
            else:
                return

    def _is_time_for(self, action: Action, others: int) -> bool:
        return self._died if action.what == "calm" else self._chance.random() * (others + 1) < 1

    def _rest(self) -> list[str]:
        self._troubles, self._after_writes, self._strays = {}, {}, {}
        self.say("time", "from here on nothing goes wrong any more")
        complaints: list[str] = []
        self._drain()
        self._one_by_one = True
        for pause in (620.0, 310.0, 310.0, 920.0, 3700.0, 3700.0, 3700.0):
            self._wait(pause)
            self._start("reconciler", reconcile.handle_timer)
            writes = self.witness.writes
            self._drain()
            complaints = [*self.witness.violations, *self.witness.complaints()]
            if self.witness.violations or (not complaints and self.witness.writes == writes):
                return complaints
        return complaints or ["it still writes, long after every hook was delivered"]

    def _drain(self) -> None:
        """Go on until nothing is under way, on its way or waiting."""
        while True:
            while ready := self._ready():
                self._go_on(ready)
            moments = [moment for queue in self.queues.values() for moment in queue.real.moments()]
            moments += [task.asleep_until for task in self.tasks]
            moments += [flight.due for flight in self._flying]
            # What is due already waits for a worker, and the worker for its own moment.
            due = min((each for each in moments if each > self.now), default=None)
            if due is None:
                return
            self.now = due

    def _ready(self) -> list[Task | Flight | tuple[str, int]]:
        """List whatever could happen next: a step of a task, a hook that arrives, a message that is taken."""
        now = self.now
        ready: list[Task | Flight | tuple[str, int]] = [
            each for each in self.tasks if each.asleep_until <= now
        ]
        ready += [each for each in self._flying if each.due <= now]
        if len(self.tasks) < self.schedule.workers:
            for name, queue in self.queues.items():
                ready += [(name, number) for number in queue.real.visible()]
        return ready

    def _go_on(self, ready: Sequence[Task | Flight | tuple[str, int]]) -> None:
        chosen = ready[int(self._chance.random() * len(ready))]
        if isinstance(chosen, Task):
            self._step(chosen)
        elif isinstance(chosen, Flight):
            self._flying.remove(chosen)
            self._start("webhook", lambda services: self._deliver(chosen, services))
        else:
            self._take_up(*chosen)

    def _step(self, task: Task) -> None:
        self.current = task
        task.run.switch()
        if task.run.dead:
            self.tasks.remove(task)

    def _start(self, name: str, work: Callable[[WorldServices], None]) -> None:
        services = self._instances[self._tokens % 2]
        task = Task(f"{name} {self.new_token()[-3:]}", greenlet(lambda: self._survive(work)), services)
        self.tasks.append(task)
        self._step(task)

    def _survive(self, work: Callable[[WorldServices], None]) -> None:
        """Do some work; if the worker dies in it, its process forgets all it remembered."""
        services = self.current.services
        try:
            work(services)
        except Crashed:
            self._died = True
            # Another task of the same process may have taken it down already.
            self._instances = [WorldServices(self) if each is services else each for each in self._instances]
        except Exception as error:  # noqa: BLE001  # a timer or a person may simply try again
            self._note(error)

    def _note(self, error: Exception) -> None:
        if not isinstance(error, SyncError):
            self.witness.violations.append(f"a bug: {type(error).__name__}: {error}")

    def _wait(self, seconds: float) -> None:
        self.say("time", f"{seconds:.0f} seconds go by")
        self.now += seconds

    # Messages and hooks

    def _take_up(self, name: str, number: int) -> None:
        queue = self.queues[name].real
        received = queue.receive_one(number)
        handler = inbound_sync.handle if name == "inbound" else outbound_sync.handle
        self._start(name, lambda services: self._handle(queue, received, handler, services))

    def _handle(
        self,
        queue: MemoryQueue,
        received: Received,
        handler: Callable[[func.QueueMessage, Services], None],
        services: Services,
    ) -> None:
        if self._trace is not None:
            self.say(self.current.name, f"takes {received.body.decode()} (delivery {received.dequeue_count})")
        message = func.QueueMessage(id=str(received.id), body=received.body)
        try:
            handler(message, services)
        except Exception as error:  # noqa: BLE001  # what the host does with any of them is the same
            self._note(error)
            self.say(self.current.name, f"gives it back: {error}")
            if received.dequeue_count < MOST_DEQUEUES:
                self._settle(lambda: queue.release(received, GIVEN_BACK_FOR))
                return
            self.say(self.current.name, "gives up: the message goes to the poison queue")
        self._settle(lambda: queue.delete(received))

    def _settle(self, call: Callable[[], None]) -> None:
        try:
            call()
        except ReceiptLost:
            self.say(self.current.name, "comes too late: somebody else has the message")

    def _fly(self, event: ado_double.Event | sentry_double.Event) -> None:
        number, self._hooks = self._hooks, self._hooks + 1
        disposition = self._strays.get(number)
        if self._trace is not None:
            self.say(
                "hook", f"{_named(event)}{f' will be {disposition} (hook {number})' if disposition else ''}"
            )
        if disposition != "lost":
            self._flying.append(Flight(self.now + (400.0 if disposition == "late" else 0.0), event))
        if disposition == "twice":
            self._flying.append(Flight(self.now, event))

    def _deliver(self, flight: Flight, services: Services) -> None:
        event = flight.event
        if isinstance(event, sentry_double.Event):
            body = self.sentry.hook_body(event)
            if body is not None:
                headers = {RESOURCE_HEADER: "issue", SIGNATURE_HEADER: sign(body, SENTRY_SECRET).decode()}
                self._post(sentry_webhook.handle, headers, body, services)
            return
        status = self._post(
            ado_webhook.handle, {"Shared-Secret": ADO_SECRET}, self.ado.hook_body(event), services
        )
        if status == 503 and flight.attempts < MOST_DELIVERIES:
            self._flying.append(Flight(self.now + REDELIVERED_AFTER, event, flight.attempts + 1))
        elif status not in {200, 202, 503}:
            self.witness.violations.append(f"a genuine event was answered with {status}")

    def _post(self, handler: Any, headers: dict[str, str], body: bytes, services: Services) -> int:
        request = func.HttpRequest(
            method="POST", url="/api/", headers=headers, route_params={"organization": SLUG}, body=body
        )
        return int(handler(request, services).status_code)

    # What people do

    def _do(self, action: Action) -> None:
        self.say("person", " ".join(str(each) for each in vars(action).values() if each))
        try:
            if action.what in _ISSUE_ACTIONS:
                self._change_issue(action)
            elif action.what in _ITEM_ACTIONS:
                self._change_item(action)
            else:
                self._do_otherwise(action)
        except (NotFound, Refused, ValueError):
            self.say("person", "… cannot")

    def _change_issue(self, action: Action) -> None:
        before = self.sentry.get_issue(action.issue)
        issue_id = before.issue_id
        if action.what == "assign-issue":
            if action.value == "team":
                self.sentry.assign_team(issue_id, "frontend")
            elif action.value:
                self.sentry.assign(issue_id, action.value)
            else:
                self.sentry.unassign(issue_id)
        else:
            getattr(self.sentry, action.what)(issue_id)
        self.witness.person_changed_issue(before, self.sentry.get_issue(issue_id))

    def _change_item(self, action: Action) -> None:
        before = self.ado.get_work_item(action.item)
        if action.what == "rename":
            after = self.ado.edit(action.item, **{"System.Title": f"Title {before.rev}"})
        else:
            name = "System.State" if action.what == "set-state" else "System.AssignedTo"
            after = self.ado.edit(action.item, **{name: action.value})
        self.witness.person_changed_item(before, after)

    def _do_otherwise(self, action: Action) -> None:
        match action.what:
            case "wait":
                self._wait(float(action.value))
            case "reconcile":
                self._start("reconciler", reconcile.handle_timer)
            case "merge":
                self.sentry.merge(action.issue, into=next(each for each in ISSUES if each != action.issue))
                self.witness.something_else_changed()
            case "delete-issue":
                self.sentry.delete(action.issue)
            case "delete-item":
                self.ado.delete(action.item)
            case "restore-item":
                if self.ado.is_deleted(action.item):
                    self.ado.restore(action.item)
            case "join":
                self.sentry.add_member("carol@corp.example")
                self.ado.add_person("Dave", "dave@corp.example")
                self.witness.something_else_changed()
            case "new-state":
                self.ado.unlisted = frozenset()
            case "configure":
                self._configure(action.value)
            case "link":
                initial = cast("Any", action.value or None)
                self._start(
                    "link",
                    lambda services: _discard(
                        link(services, services.organizations.get(SLUG), action.issue, action.item, initial)
                    ),
                )
            case "unlink":
                self._start(
                    "unlink",
                    lambda services: unlink(
                        services, services.organizations.get(SLUG), action.issue, action.item
                    ),
                )

    def _configure(self, setting: str) -> None:
        self._start("configuring", lambda services: self._store(setting, services))

    def _store(self, setting: str, services: Services) -> None:
        current = services.organizations.get(SLUG)
        configuration = self._configured(setting)
        store(services, SLUG, configuration, current)

    def _configured(self, setting: str) -> Configuration:
        name, _, value = setting.partition("=")
        if name == "on_conflict":
            return with_changes(self._configuration, on_conflict=Side(value))
        if name == "done":
            return with_changes(
                self._configuration, done_categories=tuple(Category(each) for each in value.split(","))
            )
        if name == "mapping":
            project = self.ado.catalog.project("CMMI Works").id
            mapping = ProjectMapping(on_resolve="Resolved", on_unresolve="Active")
            return with_changes(
                self._configuration, status_mapping={project: mapping} if value == "on" else {}
            )
        return with_changes(self._configuration, **{name: value == "on"})


_ISSUE_ACTIONS = frozenset({"resolve", "unresolve", "archive", "assign-issue"})
_ITEM_ACTIONS = frozenset({"set-state", "assign-item", "rename"})


def _discard(_result: object) -> None:
    pass


def _named(event: ado_double.Event | sentry_double.Event) -> str:
    if isinstance(event, sentry_double.Event):
        return f"issue {event.issue_id} {event.action}"
    return f"work item {event.item.id} {event.kind} to rev {event.item.rev}"


@cache
def _catalog() -> Catalog:
    """Return one organization's projects and people; nothing in a schedule changes them."""
    catalog = Catalog("fabrikam")
    catalog.add_project(FIRST_PROJECT, _with_new_state(AGILE))
    catalog.add_project("CMMI Works", CMMI)
    catalog.add_project("Tailored", TAILORED)
    for name in ("Ann", "Bob", "Carol", "Eve", "Sync"):
        catalog.add_person(name, f"{name.lower()}@corp.example")
    return catalog


def _with_new_state(process: Process) -> Process:
    kinds = tuple(
        replace(kind, states=(*kind.states, NEW_STATE)) if kind.name == "Bug" else kind
        for kind in process.types
    )
    return replace(process, types=kinds)
