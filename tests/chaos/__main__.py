"""Kills the host again and again while people edit on both sides, and checks that both ends agree afterwards.

Everything is real but the two vendors: the host process with its queue listener, Azurite, HTTP. The fakes
deliver as the vendors do: Azure DevOps again and again, Sentry once and within a second.
"""

import argparse
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.azurite import Azurite
from tests.e2e.app import SECRETS, App, Pair, eventually

PEOPLE = ("ann@corp.example", "bob@corp.example")
STATES = ("New", "Active", "Resolved", "Closed")
LEASE = "5"  # seconds until the message of a killed worker is seen again; ten minutes on the real host
RECONCILE_EVERY = 30.0  # seconds; five minutes in the deployed app
PATIENCE = 240.0  # seconds


@dataclass
class Storm:
    """People at work, and someone who pulls the plug."""

    app: App
    pair: Pair
    links: list[tuple[str, int]]
    chance: random.Random
    edits: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    silent: set[str] = field(default_factory=set)

    def blow(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        next_kill = time.monotonic() + self.chance.uniform(0.5, 3.0)
        while time.monotonic() < until:
            self._edit()
            if time.monotonic() > next_kill:
                self.app.end(signal.SIGKILL)
                self.kills += 1
                time.sleep(self.chance.uniform(0.0, 0.5))
                self.app.start()
                next_kill = time.monotonic() + self.chance.uniform(0.5, 3.0)
            time.sleep(self.chance.expovariate(12.0))

    def _edit(self) -> None:
        issue_id, work_item_id = self.chance.choice(self.links)
        sentry, ado = self.pair.sentry, self.pair.ado
        edit = self.chance.choice(("state", "assigned-to", "status", "assign", "unassign", "title"))
        self.edits[edit] += 1
        match edit:
            case "state":
                ado.edit(work_item_id, **{"System.State": self.chance.choice(STATES)})
            case "assigned-to":
                ado.edit(work_item_id, **{"System.AssignedTo": self.chance.choice((*PEOPLE, ""))})
            case "title":
                ado.edit(work_item_id, **{"System.Title": f"Title {self.chance.random()}"})
            case "status":
                self.chance.choice((sentry.resolve, sentry.unresolve))(issue_id)
            case "assign":
                sentry.assign(issue_id, self.chance.choice(PEOPLE))
            case _:
                sentry.unassign(issue_id)
        if edit in {"status", "assign", "unassign"}:
            # Sentry quirk: nothing is sent when an issue is unassigned.
            (self.silent.add if edit == "unassign" else self.silent.discard)(issue_id)

    def acknowledged(self, issue_id: str, work_item_id: int) -> bool:
        """Tell whether the app has accepted news of how both ends stand now."""
        rev = self.pair.ado.item(work_item_id).rev
        announced = any(
            each.http_status in {200, 202} and _is_about(each.body, work_item_id, rev)
            for each in self.pair.ado.deliveries
        )
        answers = [each.status for each in self.pair.sentry.deliveries if each.issue_id == issue_id]
        return announced and answers[-1:] == [202] and issue_id not in self.silent


def _is_about(body: Mapping[str, Any], work_item_id: int, rev: int) -> bool:
    resource = body["resource"]
    return (resource.get("workItemId"), resource.get("rev")) == (work_item_id, rev)


def agree(pair: Pair, issue_id: str, work_item_id: int) -> bool:
    done = pair.state(work_item_id) in {"Resolved", "Closed"}
    same_status = (pair.status(issue_id) == "resolved") is done
    return same_status and pair.issue_assignee(issue_id) == pair.item_assignee(work_item_id)


def apart(pair: Pair, links: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [each for each in links if not agree(pair, *each)]


def answers(pair: Pair) -> str:
    """Count the deliveries by their answers: 202 is queued, 200 needs nothing, others did not arrive."""
    ado = Counter(each.http_status for each in pair.ado.deliveries)
    sentry = Counter(each.status or each.outcome for each in pair.sentry.deliveries)
    return f"Azure DevOps {dict(ado)}, Sentry {dict(sentry)}"


def settle(app: App, pair: Pair, links: list[tuple[str, int]], began: float) -> float | None:
    """Run the reconciler until both ends of every link agree; return after how long, or None."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        pair.ask("POST", "reconcile").raise_for_status()
        deadline = time.monotonic() + RECONCILE_EVERY
        while time.monotonic() < deadline:
            if not apart(pair, links) and all(each["health"] == "settled" for each in pair.links()):
                took = time.monotonic() - began
                # Agreement has to last: nothing still on its way may undo it.
                eventually(lambda: app.messages() == 0)
                return None if apart(pair, links) else took
            time.sleep(0.2)
    return None


def run(seconds: float, seed: int, pairs: int) -> int:
    chance = random.Random(seed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder, Azurite() as azurite:
        log = Path(folder) / "host.log"
        app = App(log, SECRETS, "--port", port, "--lease", LEASE, storage=azurite.connection_string)
        with app, Pair.beside(app) as pair:
            pair.connect(on_conflict=chance.choice(("ado", "sentry")))
            links = [pair.linked() for _ in range(pairs)]
            storm = Storm(app, pair, links, chance)
            print(
                f"seed {seed}: {seconds:.0f} s of edits on {pairs} links, the host killed every few seconds"
            )
            storm.blow(seconds)
            began = time.monotonic()
            print(f"the storm is over; {len(apart(pair, links))} of {pairs} links are apart")
            eventually(lambda: app.messages() == 0, patience=PATIENCE)
            accepted = [each for each in links if storm.acknowledged(*each)]
            missing = [each for each in accepted if not agree(pair, *each)]
            print(f"the queues are empty; of {len(accepted)} links whose last changes were acknowledged,")
            print(f"{len(missing)} are apart, before any reconciler ran: {missing}")
            took = settle(app, pair, links, began)
            return report(storm, took, log) or bool(missing)


def report(storm: Storm, took: float | None, log: Path) -> int:
    pair = storm.pair
    writes = Counter(call.method for call in pair.ado.calls if call.method == "PATCH")
    writes += Counter(call[0] for call in pair.sentry.calls if call[0] == "PUT")
    poisoned = storm.app.messages("-poison")
    print(f"edits        {storm.edits.total()} {dict(storm.edits)}")
    print(f"kills        {storm.kills}")
    print(f"deliveries   {answers(pair)}")
    print(f"calls        {len(pair.ado.calls)} to Azure DevOps, {len(pair.sentry.calls)} to Sentry")
    print(f"writes       {dict(writes)}")
    print(f"poisoned     {poisoned}")
    if took is None:
        print(f"FAILED: still apart after {PATIENCE:.0f} s: {apart(pair, storm.links)}")
        unwell = [each for each in pair.links() if each["health"] != "settled"]
        print(f"unwell: {unwell}", log.read_text(encoding="utf-8")[-4000:], sep="\n")
        return 1
    print(f"agreement    on all {len(storm.links)} links, {took:.1f} s after the last edit")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=45.0, help="how long people edit")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pairs", type=int, default=12)
    chosen = parser.parse_args()
    return run(chosen.seconds, chosen.seed, chosen.pairs)


if __name__ == "__main__":
    sys.exit(main())
