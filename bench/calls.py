"""Counts: what each flow calls, among few and many projects, beside few and many links, and in storage."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from bench import builtin
from bench.crowd import Crowd
from bench.deliveries import Delivery, from_ado, from_sentry
from bench.desk import StoredInMemory, ask, deliver_from_ado, deliver_from_sentry, work_off
from bench.figures import CALLED_BESIDE, DIRECTIONS, FLOWS, PROJECTS
from bench.measuring import Measured, Scale, Spread, measured
from functions import issue_links, org_config, search
from shared.ado.process import ProcessCache
from shared.flows.linking import link
from shared.settings import Settings
from simulator.ado import FakeAdo
from simulator.sentry import FakeSentry
from tests.e2e.app import ADO_TOKEN, HOOK_SECRET, SECRETS, SENTRY_TOKEN, SIGNING_KEY

SLUG = "bench"
STATE, ASSIGNED_TO = "System.State", "System.AssignedTo"
ANN = "ann@corp.example"
NOWHERE = "http://127.0.0.1:9/"  # Events are made, held back, and delivered by hand.
COMMENT = "Seen again"
FIRST_OF_THE_CROWD = 10_000_000


def measure(scale: Scale) -> Iterator[Measured]:
    grid = [(projects, scale.of(links)) for projects in PROJECTS for links in CALLED_BESIDE]
    cells = [_count_flows(projects, links) for projects, links in grid]
    for flow in FLOWS:
        counts = [cell[flow] for cell in cells]
        theirs = builtin.CALLS.get(flow)
        beside = {f"built-in, projects={each:,}:": theirs(each) for each in PROJECTS} if theirs else {}
        yield measured(
            "calls", f"{flow}: to Azure DevOps", Spread.most_of([each.ado for each in counts]), beside
        )
        yield measured("calls", f"{flow}: to Sentry", Spread.most_of([each.sentry for each in counts]))
    runs = [Crowd(links, projects=projects).steady_run() for projects, links in grid]
    yield measured(
        "calls", "reconcile, nothing changed: to Azure DevOps", Spread.most_of([run.ado for run in runs])
    )
    yield measured(
        "calls", "reconcile, nothing changed: to Sentry", Spread.most_of([run.sentry for run in runs])
    )
    for direction, transactions in storage_of_events().items():
        for storage, count in transactions.items():
            name = f"an {direction} event and its echo: to {storage}"
            yield measured("calls", name, Spread.most_of([count]))


@dataclass
class Count:
    """Calls to each service; ``tables`` and ``queues`` are the transactions that storage charges for."""

    ado: int = 0
    sentry: int = 0
    tables: int = 0
    queues: int = 0


class Desk:
    """One organization of the simulated services, the app's functions, and links that take up room."""

    def __init__(self, ado: FakeAdo, sentry: FakeSentry, links: int) -> None:
        self.ado, self.sentry = ado, sentry
        settings = {**SECRETS, "AzureWebJobsStorage": "UseDevelopmentStorage=true"}
        self.services = StoredInMemory(Settings(settings), time.time)
        self.project = list(ado.catalog.projects.values())[-1].name
        self.configure()
        issue_id, work_item_id = self.pair()
        organization = self.services.organizations.get(SLUG)
        template = link(self.services, organization, issue_id, work_item_id, None)
        for number in range(FIRST_OF_THE_CROWD, FIRST_OF_THE_CROWD + links - 1):
            self.services.links.add(replace(template, issue_id=str(number), work_item_id=number))

    @classmethod
    @contextmanager
    def at(cls, projects: int, links: int) -> Iterator["Desk"]:
        with (
            FakeAdo(token=ADO_TOKEN, projects=projects, search_lag=0.0) as ado,
            FakeSentry(token=SENTRY_TOKEN, client_secret=SIGNING_KEY) as sentry,
        ):
            for project_id in list(ado.catalog.projects)[projects:]:
                del ado.catalog.projects[project_id]
            sentry.add_member(ANN)
            subscription = ado.subscribe(NOWHERE)
            with ado.held_deliveries():
                yield cls(ado, sentry, links)
                ado.set_subscription_status(subscription, "disabledByUser")

    def configure(self) -> None:
        document = {
            "ado_url": self.ado.organization_url,
            "ado_search_url": self.ado.search_url,
            "sentry_url": self.sentry.url,
            "sentry_organization": self.sentry.organization,
            "sync_comments": True,
            "back_links": False,
        }
        stored = "" if not self.services.tables else "*"
        headers = {"Content-Type": "application/json", **({"If-Match": stored} if stored else {})}
        self.ask(org_config.handle, "PUT", Delivery(headers, json.dumps(document).encode()))

    def pair(self) -> tuple[str, int]:
        """Make an issue and a work item that are not linked."""
        issue_id = self.sentry.add_issue(announce=False).id
        return issue_id, self.ado.add_item(project=self.project).id

    def linked(self) -> tuple[str, int]:
        issue_id, work_item_id = self.pair()
        self.link(issue_id, work_item_id)
        return issue_id, work_item_id

    def link(self, issue_id: str, work_item_id: int) -> None:
        body = json.dumps({"issue_id": issue_id, "work_item_id": work_item_id}).encode()
        self.ask(issue_links.handle, "POST", Delivery({"Content-Type": "application/json"}, body))

    def ask(self, handler: Any, method: str, delivery: Delivery | None = None, **params: str) -> None:
        ask(self.services, handler, method, delivery=delivery, route={"organization": SLUG}, params=params)

    def hear_from_ado(self) -> None:
        """Deliver the latest event of a work item, and let the workers handle what comes of it."""
        event = self.ado.hooks.history[-1].body
        deliver_from_ado(self.services, SLUG, from_ado(event, HOOK_SECRET))
        work_off(self.services)

    def hear_from_sentry(self, issue_id: str) -> None:
        self._hear_from_sentry(from_sentry({"issue": {"id": issue_id}}, SIGNING_KEY))

    def hear_of_comment(self, issue_id: str, comment_id: int) -> None:
        content = {"issue_id": int(issue_id), "comment_id": comment_id, "comment": COMMENT}
        self._hear_from_sentry(from_sentry(content, SIGNING_KEY, resource="comment", action="created"))

    def _hear_from_sentry(self, delivery: Delivery) -> None:
        deliver_from_sentry(self.services, SLUG, delivery)
        work_off(self.services)

    @contextmanager
    def counting(self) -> Iterator[Count]:
        before, counted = self._so_far(), Count()
        yield counted
        after = self._so_far()
        for name in ("ado", "sentry", "tables", "queues"):
            setattr(counted, name, getattr(after, name) - getattr(before, name))

    def _so_far(self) -> Count:
        queues = (self.services.inbound, self.services.outbound)
        # Whoever takes a message off a queue receives it and deletes it.
        on_queues = sum(queue.calls["put"] + 2 * queue.calls["delete"] for queue in queues)
        on_tables = sum(table.calls.total() for table in self.services.tables.values())
        return Count(len(self.ado.calls), len(self.sentry.calls), on_tables, on_queues)


def _status_outbound(desk: Desk) -> Count:
    issue_id, _ = desk.linked()
    desk.sentry.resolve(issue_id)
    with desk.counting() as count:
        desk.hear_from_sentry(issue_id)
    return count


def _status_outbound_after_a_lost_race(desk: Desk) -> Count:
    issue_id, work_item_id = desk.linked()
    desk.ado.edit(work_item_id, **{"System.Title": "Fix login, really"})
    desk.sentry.resolve(issue_id)
    with desk.counting() as count:
        desk.hear_from_sentry(issue_id)
    return count


def _status_inbound(desk: Desk) -> Count:
    _, work_item_id = desk.linked()
    desk.ado.edit(work_item_id, **{STATE: "Closed"})
    with desk.counting() as count:
        desk.hear_from_ado()
    return count


def _status_inbound_with_nothing_cached(desk: Desk) -> Count:
    _, work_item_id = desk.linked()
    desk.ado.edit(work_item_id, **{STATE: "Closed"})
    desk.services.processes = ProcessCache()
    with desk.counting() as count:
        desk.hear_from_ado()
    return count


def _assignee_outbound(desk: Desk) -> Count:
    issue_id, _ = desk.linked()
    desk.sentry.assign(issue_id, ANN)
    with desk.counting() as count:
        desk.hear_from_sentry(issue_id)
    return count


def _assignee_outbound_to_nobody(desk: Desk) -> Count:
    issue_id, _ = desk.linked()
    desk.sentry.assign(issue_id, ANN)
    desk.hear_from_sentry(issue_id)
    desk.sentry.unassign(issue_id)
    with desk.counting() as count:
        desk.hear_from_sentry(issue_id)
    return count


def _assignee_inbound(desk: Desk) -> Count:
    _, work_item_id = desk.linked()
    desk.ado.edit(work_item_id, **{ASSIGNED_TO: ANN})
    with desk.counting() as count:
        desk.hear_from_ado()
    return count


def _comment(desk: Desk) -> Count:
    issue_id, _ = desk.linked()
    comment_id = desk.sentry.comment(issue_id, COMMENT)
    with desk.counting() as count:
        desk.hear_of_comment(issue_id, comment_id)
    return count


def _search(desk: Desk) -> Count:
    with desk.counting() as count:
        desk.ask(search.handle, "GET", field="externalIssue", query="login")
    return count


def _configuration_read(desk: Desk) -> Count:
    with desk.counting() as count:
        desk.ask(org_config.handle, "GET")
    return count


def _configuration_stored(desk: Desk) -> Count:
    with desk.counting() as count:
        desk.configure()
    return count


def _link(desk: Desk) -> Count:
    issue_id, work_item_id = desk.pair()
    with desk.counting() as count:
        desk.link(issue_id, work_item_id)
    return count


_FLOWS: Mapping[str, Callable[[Desk], Count]] = dict(
    zip(
        FLOWS,
        (
            _status_outbound,
            _status_outbound_after_a_lost_race,
            _status_inbound,
            _status_inbound_with_nothing_cached,
            _assignee_outbound,
            _assignee_outbound_to_nobody,
            _assignee_inbound,
            _comment,
            _search,
            _configuration_read,
            _configuration_stored,
            _link,
        ),
        strict=True,
    )
)


def _count_flows(projects: int, links: int) -> dict[str, Count]:
    with Desk.at(projects, links) as desk:
        return {name: flow(desk) for name, flow in _FLOWS.items()}


def storage_of_events() -> dict[str, dict[str, int]]:
    """Count what storage is asked for one status that travels, and for our own write when it comes back."""
    with Desk.at(projects=1, links=1) as desk:
        issue_id, work_item_id = desk.linked()
        desk.ado.edit(work_item_id, **{STATE: "Closed"})
        with desk.counting() as inbound:
            desk.hear_from_ado()
            desk.hear_from_sentry(issue_id)
        issue_id, _ = desk.linked()
        desk.sentry.resolve(issue_id)
        with desk.counting() as outbound:
            desk.hear_from_sentry(issue_id)
            desk.hear_from_ado()
    counts = zip(DIRECTIONS, (inbound, outbound), strict=True)
    return {each: {"tables": count.tables, "queues": count.queues} for each, count in counts}
