"""Many organizations and links on doubles: what one event and one reconciliation cost among them."""

import gc
import itertools
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from msgspec.structs import replace

from bench.deliveries import Delivery, signed
from bench.desk import Counted, deliver_from_ado, deliver_from_sentry, work_off
from shared.domain.configuration import Configuration
from shared.domain.model import BackLinks, IssueLink
from shared.flows.linking import link
from shared.flows.reconciling import reconcile_all
from simulator.ado.catalog import Project, default_catalog
from simulator.ado.processes import AGILE
from tests.doubles.ado import Event, MemoryAdo
from tests.doubles.sentry import Event as IssueEvent
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import ADO_SECRET, KNOWN, SENTRY_SECRET, MemoryServices

START = 1_800_000_000.0
UNTIL_SECOND_LOOK = 3600.0  # seconds; all work items are looked at once more, an hour after the feed began
BETWEEN_RUNS = 300.0  # seconds
# Between two edits of one link, so that the guard against flapping has nothing to say.
BETWEEN_EDITS = 600.0
STATE = "System.State"


@dataclass(frozen=True)
class Run:
    """One run of the reconciler and all that its messages led to."""

    ado: int
    sentry: int
    issues: int  # that Sentry was asked about
    seconds: float
    own_ado: int  # of the calls, those that the run itself made
    own_sentry: int
    messages: int  # that it put
    peak: int = 0  # bytes taken beyond what was there before


class Crowd:
    """Work items and issues, linked one to one and spread evenly over organizations and projects.

    What is linked has come to rest: the first run of the reconciler, for which everything is new, is over.
    """

    def __init__(self, links: int, *, organizations: int = 1, projects: int = 5) -> None:
        self.now = START
        self.ado, self.sentry = Counted(_ado(projects)), Counted(MemorySentry())
        self._heard: list[Event] = []
        self.ado.real.announce = self._heard.append
        # They have what the ports ask for, which is all that is used of the doubles behind them.
        self.services = MemoryServices(
            cast("MemoryAdo", self.ado), cast("MemorySentry", self.sentry), lambda: self.now
        )
        self._numbers = itertools.count(1)
        each = max(1, links // organizations)
        for number in range(organizations):
            self._connect(f"o{number}", each)
        # Edits are made in the middle of the crowd.
        self.slug = f"o{organizations // 2}"
        self.middle = 1 + each * (organizations // 2) + each // 2
        self.steady_run()
        self.now += UNTIL_SECOND_LOOK
        self.steady_run()
        gc.collect()
        # The doubles hold what the services and the storage would hold: no collection is to walk through it.
        gc.freeze()

    def _connect(self, slug: str, links: int) -> None:
        """Link the first two as people do, and add the others as copies of that link."""
        organization = self.services.organizations.add(
            slug, Configuration(ado_url=f"https://dev.azure.com/{slug}/"), KNOWN
        )
        names = [each.name for each in self.projects]
        template = None
        for number in itertools.islice(self._numbers, links):
            item = self.ado.real.add_item("Fix login", number, project=names[number % len(names)])
            self.sentry.real.add_issue(issue_id=str(number))
            if template is None:
                made = link(self.services, organization, str(number), number, None)
                template = replace(made, back_links=BackLinks())  # Both its ends show it already.
            else:
                own = {"issue_id": str(number), "work_item_id": number, "project_id": item.project_id}
                self.services.links.add(replace(template, **own))

    @property
    def projects(self) -> list[Project]:
        """Return the projects that share a process, so that a work item keeps its state in each."""
        return [each for each in self.ado.real.catalog.projects.values() if each.process is AGILE]

    def link_of(self, work_item_id: int) -> IssueLink:
        organization = self.services.organizations.get(self.slug)
        [stored] = self.services.links.for_work_item(organization.scope, work_item_id)
        return stored.link

    # One event, from its delivery to the last write.

    def inbound_event(self) -> float:
        """Close or reopen a work item, and return the seconds that its hook cost."""
        self.now += BETWEEN_EDITS
        item = self.ado.real.item(self.middle)
        self.ado.real.edit(item.id, **{STATE: "Active" if item.state == "Closed" else "Closed"})
        body = self.ado.real.hook_body(self._heard[-1])
        return self._seconds(deliver_from_ado, Delivery({"Shared-Secret": ADO_SECRET}, body))

    def outbound_event(self) -> float:
        """Resolve or unresolve an issue, and return the seconds that its hook cost."""
        self.now += BETWEEN_EDITS
        issue = self.sentry.real.get_issue(str(self.middle))
        change = self.sentry.real.unresolve if issue.status == "resolved" else self.sentry.real.resolve
        change(issue.issue_id)
        body = self.sentry.real.hook_body(IssueEvent("resolved", issue.issue_id))
        return self._seconds(deliver_from_sentry, signed(body, SENTRY_SECRET))

    def _seconds(self, deliver: Callable[..., None], delivery: Delivery) -> float:
        began = time.perf_counter()
        deliver(self.services, self.slug, delivery)
        work_off(self.services)
        seconds = time.perf_counter() - began
        issue, item = self.sentry.real.get_issue(str(self.middle)), self.ado.real.item(self.middle)
        if (issue.status == "resolved") is not (item.state == "Closed"):
            raise RuntimeError(f"not carried over: {issue.status}, {item.state}")
        return seconds

    # The reconciler.

    def steady_run(self, *, traced: bool = False) -> Run:
        """Let the reconciler run, and the workers handle what it found; raise what stopped it."""
        self.now += BETWEEN_RUNS
        for service in (self.ado, self.sentry):
            service.calls.clear()
            service.asked = 0
        if traced:
            tracemalloc.start()
        began = time.perf_counter()
        results = reconcile_all(self.services)
        seconds = time.perf_counter() - began
        peak = tracemalloc.get_traced_memory()[1] if traced else 0
        tracemalloc.stop()
        for result in results.values():
            if isinstance(result, Exception):
                raise result
        own_ado, own_sentry, asked = self.ado.calls.total(), self.sentry.calls.total(), self.sentry.asked
        messages = len(self.services.inbound) + len(self.services.outbound)
        self._work_off_all()
        ado, sentry = self.ado.calls.total(), self.sentry.calls.total()
        return Run(ado, sentry, asked, seconds, own_ado, own_sentry, messages, peak)

    def _work_off_all(self) -> None:
        """Let time pass until every message was handled, those included that are to come later."""
        work_off(self.services)
        while waiting := self.services.inbound.moments() + self.services.outbound.moments():
            self.now = max(self.now, min(waiting))
            work_off(self.services)


def _ado(projects: int) -> MemoryAdo:
    catalog = default_catalog("fabrikam", projects=projects)
    for project_id in list(catalog.projects)[projects:]:
        del catalog.projects[project_id]
    return MemoryAdo(catalog)
