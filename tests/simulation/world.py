"""The world of one schedule: a clock, both services, storage, people, and workers whose steps interleave."""

import logging
import random
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
from greenlet import greenlet  # type: ignore[import-untyped]  # it comes without types
from msgspec.structs import replace

from functions import reconcile
from shared.domain.configuration import Configuration
from shared.domain.errors import Forbidden, SyncError, Unavailable
from shared.domain.messages import Message
from shared.domain.model import IssueLink, Remnant, SentryIssue, WorkItem
from shared.flows.linking import link
from shared.settling.observing import UnitOfWork
from shared.store.keys import escaped
from shared.store.organizations import Organization, OrganizationStore
from shared.store.tables import Operation
from tests.doubles.ado import MemoryAdo
from tests.doubles.queues import MemoryQueue
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices
from tests.doubles.tables import MemoryTable
from tests.simulation.host import SLUG, Host
from tests.simulation.laws import OFF, Law
from tests.simulation.outages import ADO, SENTRY, SILENCE, SLOWEST, STORAGE, Outages, error_of, whole
from tests.simulation.people import People
from tests.simulation.places import HERE, Place, places_for
from tests.simulation.schedule import Action, Schedule
from tests.simulation.tasks import Flight, Task
from tests.simulation.troubled import (
    Crashed,
    TroubledAdo,
    TroubledQueue,
    TroubledSentry,
    TroubledTable,
    error_after,
    error_before,
)
from tests.simulation.unheard import MOST_RUNS, Unheard
from tests.simulation.witness.witness import Witness

START = 1_800_000_000.0
A_CALL = 0.02  # seconds
SLOW, FROZEN = 12.0, 130.0  # seconds; an answer just out of time, and a machine that stood still
LONGEST_FUNCTION = 300.0  # seconds; half of functionTimeout in host.json
EVERY = 300.0  # seconds between two runs of the reconciler
# How soon everything is carried over once nothing goes wrong any more, by how long services were away: within
# the step that the back-off had reached, and two runs of the reconciler; and in any case.
SOON = ((300.0, 300.0 + 2 * EVERY), (1200.0, 900.0 + 2 * EVERY))
SHORTLY = 60.0  # seconds in which hooks and messages arrive, and no run of the reconciler
AT_LAST = 3600.0 + 3 * EVERY
TOKEN_GIVEN_UP_AFTER = 3 * EVERY  # seconds in which a lost token may be an outage
COMMENTS_WAIT_FOR = 5400.0  # seconds, for a link of their issue
STATES_REMEMBERED_FOR = 3600.0  # seconds, in which nobody asks which states there are
PATIENCE = 13_500.0  # seconds; how long the world goes on as long as nothing has come of it
MOST_CALLS = 40_000  # thirty messages that wait for a service for an hour make half of them
_CHANGES_STATES = frozenset({"forget-state", "know-states", "new-state", "restrict"})
_TABLES = ("organizations", "links", "activity", "traffic")

Ready = Task | Flight | tuple[str, int]


class NeverQuiet(BaseException):
    """The schedule never comes to rest."""


class Bugs(logging.Handler):
    """Hears of the exceptions that a boundary answers or a run passes over, and that nobody would see."""

    def __init__(self, note: Callable[[Exception], None]) -> None:
        super().__init__(logging.ERROR)
        self._note = note

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, Exception):
            self._note(error)


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
        return self._world.troubled_ado[organization.configuration.ado_url or ""]

    def ado_at_once(self, organization: Organization) -> Any:
        return self.ado(organization)

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

    def _table(self, name: str) -> Any:
        # What is counted decides nothing, so it is not worth the trouble.
        return self._world.plain[name] if name == "traffic" else self._world.tables[name]


class World:
    """Runs one schedule to its end. ``trace``, if given, receives each line of the trace."""

    def __init__(self, schedule: Schedule, trace: Callable[[float, str, str], None] | None = None) -> None:
        self.schedule = schedule
        self.slug = SLUG
        self.now = START
        self._trace = trace
        self.is_traced = trace is not None
        self._chance = random.Random(f"order {schedule.seed}")
        self.calls = self.run_calls = self._tokens = self._write_calls = 0
        self._most_calls = MOST_CALLS + 3_000 * len(schedule.links)
        self._troubles = dict(schedule.troubles)
        self._after_writes = dict(schedule.after_writes)
        self._run_troubles = dict(schedule.run_troubles)
        self._hub = greenlet.getcurrent()
        self.places = places_for(schedule, self.clock)
        self._configuration = Configuration(
            ado_url=HERE,
            sentry_organization="acme",
            people={"ann@corp.example": "ann@home.example"},
        )
        self.sentry = MemorySentry()
        self.sentry.takes_twice = True
        self.troubled_ado = {address: TroubledAdo(self, place) for address, place in self.places.items()}
        self.troubled_sentry = TroubledSentry(self, self.sentry)
        self.plain = {name: MemoryTable() for name in _TABLES}
        self._registry = OrganizationStore(self.plain["organizations"], self.clock)
        self._partition = SLUG
        # When the document last became that of another connection, and which organizations it has named.
        self._parted_at = 0.0
        self.been_at = {self.ado.catalog.organization}
        self.tables = {name: TroubledTable(self, name, table) for name, table in self.plain.items()}
        self.queues = {
            name: TroubledQueue(self, name, MemoryQueue(self.clock)) for name in ("inbound", "outbound")
        }
        self.witness = Witness(
            {address: each.ado for address, each in self.places.items()},
            self.sentry,
            self.configuration,
            self.partition,
            self.links,
            self.unreadable,
            self.ending,
            self.clock,
        )
        self.outages = Outages()
        self.unheard = Unheard(START)
        self.host = Host(self)
        self.people = People(self)
        self._instances = [WorldServices(self), WorldServices(self)]
        self.tasks: list[Task] = []
        self.current = Task("nobody", self._hub, self._instances[0])
        self._unhindered, self._one_by_one, self._died = True, False, False
        self.is_connected = True
        self._furnish()

    @property
    def ado(self) -> MemoryAdo:
        """Return the Azure DevOps organization that the document names now."""
        return self.places[self._configuration.ado_url or ""].ado

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

    def organization(self) -> Organization | None:
        """Return the organization as it is stored now."""
        return self._registry.find(SLUG)

    def partition(self) -> str:
        """Return the partition that holds the links of the connection there is now."""
        return self._partition

    def links(self) -> Iterator[IssueLink]:
        """Yield the links that are stored, but for those that nobody can read."""
        for row in self.plain["links"].scan(self.partition(), "item!", "item!~"):
            try:
                yield msgspec.json.decode(row.text, type=IssueLink)
            except msgspec.DecodeError:
                continue

    def unreadable(self) -> set[tuple[str, int]]:
        """Return the pairs of issue and work item of which there is a row that nobody can read."""
        readable = {(each.issue_id, each.work_item_id) for each in self.links()}
        keys = (row.key for row in self.plain["links"].scan(self.partition(), "item!", "item!~"))
        return {(issue_id, int(item)) for _, item, issue_id in (key.split("!") for key in keys)} - readable

    def ending(self) -> set[tuple[str, int]]:
        """Return the pairs whose link ended while the work item was deleted: it is asked for now and then."""
        found = set()
        for row in self.plain["links"].scan(self.partition(), "remnant!", "remnant!~"):
            with suppress(msgspec.DecodeError):
                remnant = msgspec.json.decode(row.text, type=Remnant)
                found |= {(remnant.issue_id, remnant.work_item_id)} if remnant.gone_since else set()
        return found

    # The beginning

    def _furnish(self) -> None:
        for email in ("ann@home.example", "bob@corp.example", "dave@corp.example"):
            self.sentry.add_member(email)
        for issue_id in self.schedule.issues:
            self.sentry.add_issue(issue_id=issue_id)
        self.sentry.announce = self.host.fly
        for place in self.places.values():
            place.ado.announce = partial(self.host.fly, place=place)
        for setting in self.schedule.settings:
            self._configuration = self.people.configured(setting)
        services = self._instances[0]
        connection = replace(KNOWN, epoch=self.new_token())
        stored = services.organizations.add(SLUG, self._configuration, connection)
        self._partition = escaped(stored.scope)
        self.witness.connections.began(self._partition, self.ado.catalog.organization)
        for issue_id, work_item_id in self.schedule.links:
            self.witness.connections.asked_for(self.ado.catalog.organization, work_item_id)
            link(services, services.organizations.get(SLUG), issue_id, work_item_id, None)
        self.witness.comments.configured()
        self._unhindered = False

    # The surroundings of our calls

    def before_call(self, service: str, what: str) -> str | None:
        if self._unhindered:
            return None
        task = self.current
        task.began = self.now
        # Half of the time the worker goes on by itself: every order remains possible, at half the price.
        if not self._one_by_one and self._chance.random() < 0.5:
            self._hub.switch()
        self.now += A_CALL
        task.busy += A_CALL
        number, self.calls = self.calls, self.calls + 1
        if number > self._most_calls:
            raise NeverQuiet
        if self._trace is not None:
            self.say(task.name, what)
        self._verify_there(service, task)
        self._verify_connected(service, task)
        trouble = self._troubles.get(number) or self._trouble_of_run(task)
        if trouble is None:
            return None
        self.say(task.name, f"… which {trouble.replace('-', ' ')} (call {number})")
        task.was_troubled = True
        self.unheard.upset(self.now)
        if trouble == "dies-before":
            raise Crashed
        if trouble in {"slow", "frozen"}:
            self._stall(trouble)
            return None
        if error := error_before(trouble, whole(service)):
            raise error
        return trouble

    def _trouble_of_run(self, task: Task) -> str | None:
        """Return the trouble that meets this call, if it is one of the reconciler's."""
        if not task.is_reconciler:
            return None
        number, self.run_calls = self.run_calls, self.run_calls + 1
        return self._run_troubles.get(number)

    def _verify_there(self, service: str, task: Task) -> None:
        """Raise what a call meets while its service is away, after the time that it takes to find out."""
        how = self.outages.how(service, self.now)
        if how is None:
            return
        task.was_troubled = True
        self.unheard.upset(self.now)
        self.say(task.name, f"… and {service} is away: {how}")
        if how in {"slow", "silent"}:
            seconds = SILENCE if how == "silent" else self._chance.random() * SLOWEST
            task.busy += seconds
            self._sleep(seconds)
        if how != "slow":
            raise error_of(how, service)

    def _verify_connected(self, service: str, task: Task) -> None:
        """Whatever a message was about, the same numbers mean something else in another connection."""
        ended = task.partition and task.partition != self._partition and self._parted_at < task.since
        if ended and whole(service) in {ADO, SENTRY} and self.is_connected:
            self.witness.against(
                Law.CONNECTION, f"a message of an ended connection led to a call of {service}"
            )

    def after_call(self, service: str, trouble: str) -> None:
        if trouble == "dies-after":
            raise Crashed
        if trouble in {"slow-answer", "frozen-after"}:
            self._stall(trouble)
        elif error := error_after(trouble, service):
            raise error

    def met_trouble(self) -> None:
        self.current.was_troubled = True
        self.unheard.upset(self.now)

    def _stall(self, trouble: str) -> None:
        """Have the service take its time, or the machine stand still, which is no time that a call takes."""
        slow = trouble.startswith("slow")
        self.current.busy += SLOW if slow else 0.0
        self._sleep(SLOW if slow else FROZEN)

    def _sleep(self, seconds: float) -> None:
        self.current.asleep_until = self.now + seconds
        self._hub.switch()

    def verify_allowed(self, end: str, *, writes: bool) -> None:
        """Raise what a call about one thing meets that somebody keeps us from."""
        how = self.witness.facts.bad.get(end) if self.witness.facts.bad else None
        if how == "garble":
            raise Unavailable(_service_of(end), f"{end} cannot be read")
        if how == "forbid" and (writes or end.startswith("issue")):
            raise Forbidden(_service_of(end), "HTTP 403", about=end)

    def is_garbled(self, end: str) -> bool:
        return self.witness.facts.bad.get(end) == "garble"

    def asked_ado(self, place: Place, numbers: Iterable[int]) -> None:
        self.witness.connections.asked(place.organization, numbers)

    def observed(self, issue_id: str, issue: SentryIssue) -> None:
        """Note what a worker read, under the id that it asked for and under the issue's present id."""
        for each in {issue_id, issue.issue_id}:
            self.current.observed[each] = issue
            # The answer to an earlier write is older than this.
            self.current.answers.pop(each, None)
        self.witness.read_issue(self.current, issue)

    def wrote_issue(self, issue_id: str, before: SentryIssue, after: SentryIssue) -> None:
        """Have a write judged by what the worker had read under the id by which it wrote.

        If that issue was merged into another meanwhile, it is the other one that was written, and whatever
        the same worker had read of that one was for other links.
        """
        task = self.current
        self.unheard.carried_over(self.now, self.now)
        self.witness.wrote_issue(task, task.observed.get(issue_id), before, after)
        task.answers[after.issue_id] = after
        self._after_write(SENTRY)

    def wrote_item(self, place: Place, before: WorkItem, after: WorkItem) -> None:
        self.unheard.carried_over(self.now, self.now + place.ado.revision_log.lag)
        self.witness.wrote_item(self.current, place.ado, before, after)
        self._after_write(ADO)

    def revised(self) -> None:
        """Note a revision of ours that changes no field, and that no hook of a change tells."""
        self.unheard.upset(self.now + self.ado.revision_log.lag)

    def commented(self, work_item_id: int, html: str) -> None:
        task = self.current
        self.revised()
        if self.now - task.began > SLOW:
            self.witness.comments.stood_still(html, work_item_id)
        self._after_write(ADO)

    def created(self, place: Place, work_item_id: int, addresses: Collection[str]) -> None:
        self.witness.connections.asked_for(place.organization, work_item_id)
        self.witness.created.made(place.ado, work_item_id, addresses, self.current)
        self._after_write(ADO)

    def noted(self, text: str) -> None:
        task = self.current
        if self.now - task.began > SLOW:
            self.witness.comments.stood_still_in_sentry(text)
        self._after_write(SENTRY)

    def _after_write(self, service: str) -> None:
        number, self._write_calls = self._write_calls, self._write_calls + 1
        if trouble := self._after_writes.get(number):
            self.say(self.current.name, f"… which {trouble.replace('-', ' ')} (write {number})")
            self.current.was_troubled = True
            self.unheard.upset(self.now)
            self.after_call(service, trouble)

    def put(self, name: str, number: int, message: Message) -> None:
        self.host.was_put(name, number, message)
        self.witness.created.put(message)

    def stored(self, table: str, partition: str, operations: Sequence[Operation]) -> None:
        self.witness.stored(self.current, table, partition, operations)
        if table == "links":
            self.unheard.stored(self.now)
            self.current.observed |= self.current.answers
            self.current.answers.clear()
        elif partition == "organizations" and not self._unhindered:
            self._configured_anew()
        if self._trace is not None and not self._unhindered:
            for each in operations:
                text = "" if not hasattr(each, "text") else each.text
                self.say(self.current.name, f"    {type(each).__name__} {table} {each.key} {text}")

    def _configured_anew(self) -> None:
        """Read the document that was just stored, and whether its links are still those there were."""
        organization = self.organization()
        self.is_connected = organization is not None
        if organization is None:
            self.witness.created.disconnected()
            return
        before, self._configuration = self._configuration, organization.configuration
        partition, self._partition = self._partition, escaped(organization.scope)
        self.been_at.add(self.ado.catalog.organization)
        if partition != self._partition:
            self._parted_at = self.now
            self.witness.connections.began(self._partition, self.ado.catalog.organization)
            self.witness.parted_from_all()
        elif before.ado_url != self._configuration.ado_url and self.people.meant_to_keep:
            self.witness.connections.kept(partition, self.ado.catalog.organization)
        if before != self._configuration:
            self.witness.configured(before)

    # The course of events

    def run(self) -> list[str]:
        """Let everything happen, then let it come to rest; return what the witness complains about."""
        bugs = Bugs(self.note)
        logging.getLogger("functions").addHandler(bugs)
        try:
            self._live()
            return self._rest()
        except NeverQuiet:
            return [*self.witness.violations, "it never comes to rest"]
        finally:
            logging.getLogger("functions").removeHandler(bugs)

    def _live(self) -> None:
        actions = list(reversed(self.schedule.actions))
        self.witness.judge_rest()
        while True:
            ready = self._ready()
            if actions and (not ready or self._is_time_for(actions[-1], len(ready))):
                self._died = False
                self.people.do(actions.pop())
            elif ready:
                self._go_on(ready)
            else:
                return

    def _is_time_for(self, action: Action, others: int) -> bool:
        if action.what in {"calm", "rest"}:
            return self._died
        return self._chance.random() * (others + 1) < 1

    def _rest(self) -> list[str]:
        """Lose nothing from here on, and run the reconciler as its timer does until all is carried over."""
        self._troubles, self._after_writes, self._run_troubles = {}, {}, {}
        self.host.calm_down()
        self.say("time", "from here on nothing goes wrong any more")
        self._one_by_one = True
        well_since = max(self.now, self.outages.over_at)
        while True:
            writes = self.witness.writes
            self.let_pass(EVERY)
            complaints = [*self.witness.violations, *self.witness.complaints()]
            complaints += self.witness.not_shown(all_told=self._all_links_are_told)
            if self.witness.violations or (not complaints and self._is_quiet(writes)):
                return complaints or self._too_late(self.now - EVERY - well_since)
            if self.now > well_since + PATIENCE:
                return complaints or ["it still writes, long after every hook was delivered"]

    @property
    def _all_links_are_told(self) -> bool:
        """Tell whether every link is in a row that can be read, and under the connection there is now."""
        return self._parted_at == 0.0 and all(each.what != "damage" for each in self.schedule.actions)

    def _is_quiet(self, writes: int) -> bool:
        return self.witness.writes == writes and self.outages.over_at < self.now

    def _too_late(self, took: float) -> list[str]:
        """Complain if what kept links from being settled was over, and yet made up for too late."""
        schedule, most = self.schedule, AT_LAST
        if self.outages.began_at is not None and not schedule.troubles and not schedule.after_writes:
            lasted = self.outages.over_at - self.outages.began_at
            most = next((soon for longest, soon in SOON if lasted <= longest), AT_LAST)
        if self._states_changed:
            most += STATES_REMEMBERED_FOR
        most = max(most + self._told_late_by(), self._comments_wait_for())
        if took <= most or Law.PROMPT in OFF:
            return []
        return [f"it took {took:.0f} s to make up for what was wrong, not {most:.0f} (prompt)"]

    def _told_late_by(self) -> float:
        """Return the seconds by which the feed may be late with what no hook told."""
        lags = [float(each.value) for each in self.schedule.actions if each.what == "lag"]
        lost = Action("lose-tokens", value="500") in self.schedule.actions
        return max(lags, default=0.0) + (TOKEN_GIVEN_UP_AFTER if lost else 0.0)

    def _comments_wait_for(self) -> float:
        """Return the seconds in which a comment may come whose issue is merged before its links have come."""
        whats = {each.what for each in self.schedule.actions}
        return COMMENTS_WAIT_FOR + 2 * EVERY if whats >= {"merge", "comment"} else 0.0

    @property
    def _states_changed(self) -> bool:
        return any(each.what in _CHANGES_STATES for each in self.schedule.actions)

    def let_pass(self, seconds: float) -> None:
        """Let time pass in which nobody does anything but we, the reconciler as often as its timer says."""
        until = self.now + seconds
        while self.now < until:
            tick = min(self.now + EVERY, until)
            self._drain(tick)
            self.now = max(self.now, tick)
            self._judge_unheard()
            self.start("reconciler", reconcile.handle_timer)
        self._drain(self.now)

    def _judge_unheard(self) -> None:
        """Judge whether the runs so far have found what no hook told; whatever is under way may be news."""
        if self.tasks or self.host.flying or any(queue.real.moments() for queue in self.queues.values()):
            return
        if self.outages.over_at > self.now or self.host.lost_until > self.now or self._states_changed:
            self.unheard.leave_out(self.now)
            return
        for problem in self.unheard.judge(self.witness.unheard()):
            late = f"{MOST_RUNS} runs did not find it: {problem}"
            self.witness.against(Law.UNHEARD, late)

    def come_to_rest(self) -> None:
        """Go on until an edit has come to where it goes, by its hook or by the reconciler, and judge it."""
        self._drain(self.now + SHORTLY)
        if self.schedule.is_undisturbed and self.people.all_was_announced:
            self.witness.judge_who_waits()
        self.let_pass(2 * EVERY)
        if self.schedule.is_undisturbed:
            self.witness.judge_rest()
        self.people.all_was_announced = True

    def _drain(self, until: float = float("inf")) -> None:
        """Go on until nothing is under way, on its way or waiting, or that moment has come."""
        while True:
            while ready := self._ready():
                self._go_on(ready)
            moments = [moment for queue in self.queues.values() for moment in queue.real.moments()]
            moments += [task.asleep_until for task in self.tasks]
            moments += [flight.due for flight in self.host.flying]
            # What is due already waits for a worker, and the worker for its own moment.
            due = min((each for each in moments if each > self.now), default=None)
            if due is None or due > until:
                return
            self.now = due

    def _ready(self) -> list[Ready]:
        """List whatever could happen next: a step of a task, a hook that arrives, a message that is taken."""
        now = self.now
        ready: list[Ready] = [each for each in self.tasks if each.asleep_until <= now]
        ready += [each for each in self.host.flying if each.due <= now]
        if len(self.tasks) < self.schedule.workers and self.outages.is_reachable(STORAGE, now):
            for name, queue in self.queues.items():
                ready += [(name, number) for number in queue.real.visible()]
        return ready

    def _go_on(self, ready: Sequence[Ready]) -> None:
        chosen = ready[int(self._chance.random() * len(ready))]
        if isinstance(chosen, Task):
            self._step(chosen)
        elif isinstance(chosen, Flight):
            self.host.flying.remove(chosen)
            self.start("webhook", lambda services: self.host.deliver(chosen, services))
        else:
            self.host.take_up(*chosen)

    def _step(self, task: Task) -> None:
        self.current = task
        task.run.switch()
        if task.run.dead:
            self.tasks.remove(task)
            if task.is_reconciler and not task.was_troubled:
                self.unheard.run_ended(task.since)
            if task.busy > LONGEST_FUNCTION:
                self.witness.against(Law.DEADLINE, f"{task.name} was at it for {task.busy:.0f} s")

    def start(self, name: str, work: Callable[[WorldServices], None]) -> None:
        services = self._instances[self._tokens % 2]
        run = greenlet(lambda: self._survive(work))
        task = Task(f"{name} {self.new_token()[-3:]}", run, services, since=self.now)
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
            self.note(error)

    def note(self, error: Exception) -> None:
        if not isinstance(error, SyncError):
            self.witness.against(Law.SETTLED, f"a bug: {type(error).__name__}: {error}")

    def wait(self, seconds: float) -> None:
        self.say("time", f"{seconds:.0f} seconds go by")
        self.now += seconds
        # No timer rang meanwhile, so nothing could be found.
        self.unheard.upset(self.now)


def _service_of(end: str) -> str:
    return SENTRY if end.startswith("issue") else ADO
