"""Prints each target beside what was measured; exits 1 if one is missed."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from shared.domain.configuration import Configuration
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import Ends, IssueLink, IssueStatus, ItemSide
from shared.flows.syncing import sync_inbound, sync_outbound
from simulator.azurite import Azurite
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.doubles.services import KNOWN, MemoryServices
from tests.e2e.app import HOOK_SECRET, ROOT, SECRETS, App, Pair, payload

ROUNDS = 200
IMPORTS = 12
FEW, MANY = 100, 100_000
EVENTS = 300

LIBRARIES = "import azure.functions, azure.data.tables, azure.storage.queue, requests, msgspec"
APP = "import function_app"


@dataclass(frozen=True)
class Result:
    name: str
    target: float
    measured: float
    unit: str = "times"

    def __str__(self) -> str:
        verdict = "ok    " if self.measured <= self.target else "MISSED"
        return f"{verdict} {self.name:<64} {self.measured:8.2f} {self.unit}   (at most {self.target:g})"


def importing() -> Iterator[Result]:
    """Import the app and the libraries it runs on, alternately, each in a process of its own."""

    def seconds(statement: str) -> float:
        timed = f"import time; began = time.process_time(); {statement}; print(time.process_time() - began)"
        done = subprocess.run(
            [sys.executable, "-c", timed], cwd=ROOT, capture_output=True, text=True, check=True
        )
        return float(done.stdout)

    seconds(APP)
    ratios = [seconds(APP) / seconds(LIBRARIES) for _ in range(IMPORTS)]
    yield Result("import of function_app, against its libraries", 1.15, statistics.median(ratios))


def counting() -> Iterator[Result]:
    """Count the calls of the usual events on the real host, with warm caches."""
    with _app() as app, Pair.beside(app) as pair:
        pair.connect()
        for _ in range(2):  # The first pair warms the caches.
            issue_id, work_item_id = pair.linked()
            with pair.calls() as outbound:
                pair.sentry.resolve(issue_id)
            with pair.calls() as inbound:
                pair.ado.edit(work_item_id, **{"System.State": "Active"})
        yield Result("outbound status: calls to Azure DevOps", 1, len(outbound.ado), "calls")
        yield Result("inbound status: calls to Azure DevOps", 0, len(inbound.ado), "calls")
        issue_id, work_item_id = pair.linked()
        with pair.calls() as behind:
            pair.ado.edit(work_item_id, **{"System.Title": "changed behind our back"})
            pair.sentry.resolve(issue_id)
        yield Result("outbound status after a lost race: calls", 3, len(behind.ado), "calls")


def answering() -> Iterator[Result]:
    """Send alternately to the webhook and to a function that puts one message, on one host."""
    with _app(ROOT / "bench" / "side_by_side") as app, Pair.beside(app) as pair:
        pair.connect()
        body = json.dumps(payload("ado/workitem.updated.active-to-resolved.v1.0.json")).encode()
        session = requests.Session()
        headers = {"Shared-Secret": HOOK_SECRET}

        def seconds(path: str) -> float:
            began = time.perf_counter()
            answer = session.post(f"{app.url}/api/{path}", data=body, headers=headers, timeout=30)
            answer.raise_for_status()
            return time.perf_counter() - began

        paths = (pair.ado_route, "bare")
        for path in paths * 5:
            seconds(path)
        taken: dict[str, list[float]] = {path: [] for path in paths}
        for _ in range(ROUNDS):
            for path in paths:
                taken[path].append(seconds(path))
        session.close()
        webhook, bare = (statistics.median(taken[path]) for path in paths)
        print(f"       medians: webhook {webhook * 1000:.1f} ms, bare {bare * 1000:.1f} ms")
        yield Result("ado_webhook, against a function that puts one message", 1.25, webhook / bare)


def growing() -> Iterator[Result]:
    """Handle the same events beside few links and beside many, alternately, with storage in memory."""
    few, many = _crowd(FEW), _crowd(MANY)
    for name, event in (("outbound", _outbound), ("inbound", _inbound)):
        ratios = []
        for number in range(EVENTS):
            beside_few, beside_many = _seconds(event, few, number), _seconds(event, many, number)
            ratios.append(beside_many / beside_few)
        yield Result(f"{name} event beside {MANY:,} links, against {FEW}", 1.2, statistics.median(ratios))


def _seconds(event: Callable[[MemoryServices, int], object], services: MemoryServices, number: int) -> float:
    began = time.perf_counter()
    event(services, number)
    return time.perf_counter() - began


def _outbound(services: MemoryServices, _number: int) -> object:
    return sync_outbound(OutboundMessage("crowd", "100"), services)


def _inbound(services: MemoryServices, _number: int) -> object:
    return sync_inbound(InboundMessage("crowd", 31, 1), services)


def _crowd(links: int) -> MemoryServices:
    """Return services with one live link and many that only take up room."""
    ado, sentry = MemoryAdo(), MemorySentry()
    services = MemoryServices(ado, sentry, time.time)
    item, issue = ado.add_item("Fix login", 31), sentry.add_issue(issue_id="100")
    services.organizations.add("crowd", Configuration(ado_url="https://dev.azure.com/crowd/"), KNOWN)
    seen = Ends(issue.side, ItemSide(item.rev, item.state, IssueStatus.UNRESOLVED, item.assignee))
    for number in range(links):
        # The live link stands in the middle of the others.
        work_item_id, issue_id = (31, "100") if number == links // 2 else (number + 1000, str(number + 1000))
        services.links.add(
            IssueLink("crowd", issue_id, work_item_id, item.project_id, item.work_item_type, seen)
        )
    return services


@contextmanager
def _app(folder: Path = ROOT) -> Iterator[App]:
    with tempfile.TemporaryDirectory() as scratch, Azurite() as azurite:
        log = Path(scratch) / "host.log"
        with App(log, SECRETS, folder=folder, storage=azurite.connection_string) as app:
            yield app


def main() -> int:
    missed = 0
    for measure in (importing, counting, growing, answering):
        for result in measure():
            print(result, flush=True)
            missed += result.measured > result.target
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
