"""Kills the host and cuts connections while people work on both sides, and checks what holds afterwards.

Everything is real but the two vendors: the host process with its queue listener, Azurite, HTTP. The fakes
deliver as the vendors do: Azure DevOps again and again, Sentry once and within a second.
"""

import argparse
import json
import random
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from simulator.ado.faults import dropped
from simulator.azurite import Azurite
from tests.chaos.aftermath import agree, faults
from tests.chaos.people import DUPLICATE, RULES, People
from tests.e2e.app import SECRETS, App, Pair

LEASE = "5"  # seconds until the message of a killed worker is seen again; ten minutes on the real host
RECONCILE_EVERY = 30.0  # seconds; five minutes in the deployed app
# Longer than it takes until a link whose message was lost is shown after all (settling.md#back-links).
PATIENCE = 420.0  # seconds
UNLINKED, MOVABLE = 8, 4


@dataclass
class Storm:
    """Someone who pulls the plug, and someone who cuts the wires, while people work."""

    app: App
    people: People
    chance: random.Random
    kills: int = 0
    cuts: int = 0

    def blow(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        next_kill, next_cut = self._soon(), self._soon()
        while time.monotonic() < until:
            self.people.do_something()
            if time.monotonic() > next_kill:
                self._kill()
                next_kill = self._soon()
            if time.monotonic() > next_cut:
                self._cut()
                next_cut = self._soon()
            time.sleep(self.chance.expovariate(12.0))

    def _soon(self) -> float:
        return time.monotonic() + self.chance.uniform(0.5, 3.0)

    def _kill(self) -> None:
        self.app.end(signal.SIGKILL)
        self.kills += 1
        time.sleep(self.chance.uniform(0.0, 0.5))
        self.app.start()

    def _cut(self) -> None:
        """Break the connection of one of the next calls, before or after what it asks is done."""
        self.cuts += 1
        pair = self.people.pair
        if self.chance.random() < 0.6:
            # Reads are most of the calls. What matters is an answer to a write that never comes.
            method = self.chance.choice(("POST", "PATCH", None))
            pair.ado.meet(dropped(lands=self.chance.random() < 0.7), method=method)
        else:
            pair.sentry.drop_next(1, method=self.chance.choice(("PUT", "POST", "*")))


def apart(pair: Pair, links: list[tuple[str, int]]) -> list[tuple[str, int]]:
    return [each for each in links if not agree(pair, *each)]


def answers(pair: Pair) -> str:
    """Count the deliveries by their answers: 202 is queued, 200 needs nothing, others did not arrive."""
    ado = Counter(each.http_status for each in pair.ado.deliveries)
    sentry = Counter(each.status or each.outcome for each in pair.sentry.deliveries)
    return f"Azure DevOps {dict(ado)}, Sentry {dict(sentry)}"


def settle(app: App, people: People, began: float) -> float | None:
    """Run the reconciler until all is as it has to be; return after how long, or None."""
    pair, until = people.pair, time.monotonic() + PATIENCE

    def is_well() -> bool:
        unwell = [each for each in pair.links() if each["health"] != "settled"]
        return not (unwell or apart(pair, people.links) or list(faults(people, reconciled=True)))

    while time.monotonic() < until:
        pair.ask("POST", "reconcile").raise_for_status()
        if _comes_true(is_well, RECONCILE_EVERY):
            took = time.monotonic() - began
            # It has to last: nothing still on its way may undo it.
            _comes_true(lambda: app.messages() == 0, RECONCILE_EVERY)
            return took if is_well() else None
    return None


def _comes_true(is_true: Callable[[], bool], patience: float) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until:
        if is_true():
            return True
        time.sleep(0.3)
    return False


def run(seconds: float, seed: int, pairs: int) -> int:
    chance = random.Random(seed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.TemporaryDirectory() as folder, Azurite() as azurite:
        log = Path(folder) / "host.log"
        app = App(log, SECRETS, "--port", port, "--lease", LEASE, storage=azurite.connection_string)
        with app, Pair.beside(app) as pair:
            people = furnished(pair, chance, pairs)
            storm = Storm(app, people, chance)
            print(f"seed {seed}: {seconds:.0f} s of people at work on {pairs} links, kills and cuts")
            storm.blow(seconds)
            began = time.monotonic()
            print(f"the storm is over; {len(apart(pair, people.links))} of {pairs} links are apart")
            pair.sentry.hooks.drain(PATIENCE)
            is_quiet = _comes_true(lambda: app.messages() == 0, PATIENCE)
            accepted = [each for each in people.links if people.acknowledged(*each)]
            missing = [each for each in accepted if not agree(pair, *each)]
            lost = list(faults(people, reconciled=False))
            # A message may wait for an hour, for an item that nobody reopens; then this was long enough.
            print("the queues are empty" if is_quiet else f"{app.messages()} messages wait for longer")
            print(f"of {len(accepted)} links whose last changes were acknowledged,")
            print(f"{len(missing)} are apart, before any reconciler ran: {missing}")
            for issue_id, work_item_id in missing:
                named = {"issue_id": issue_id, "work_item_id": str(work_item_id)}
                print(json.dumps(pair.ask("GET", "explain", params=named).json(), indent=1))
            print(f"of comments and rules {len(lost)} faults: {lost}")
            took = settle(app, people, began)
            return report(storm, took, log) or bool(missing or lost)


def furnished(pair: Pair, chance: random.Random, pairs: int) -> People:
    """Connect with all that people wish for, make the links, and save the rules."""
    pair.connect(
        on_conflict=chance.choice(("ado", "sentry")),
        back_links=True,
        sync_comments=True,
        sync_comments_reverse="all",
        archive_reasons=[DUPLICATE],
    )
    links = [pair.linked() for _ in range(pairs)]
    movable = [pair.linked() for _ in range(MOVABLE)]
    unlinked = [pair.sentry.add_issue(announce=False).id for _ in range(UNLINKED)]
    asked = {"project": pair.ado.project_id("Fabrikam-Fiber"), "work_item_type": "Bug"}
    for name in RULES:
        pair.sentry.save_rule(f"/api/sentry/{pair.slug}/alert-rule/save", asked, name)
    return People(pair, chance, links, movable, unlinked)


def report(storm: Storm, took: float | None, log: Path) -> int:
    people, pair = storm.people, storm.people.pair
    writes = Counter(call.method for call in pair.ado.calls if call.method in {"PATCH", "POST"})
    writes += Counter(call[0] for call in pair.sentry.calls if call[0] in {"PUT", "POST"})
    poisoned = storm.app.messages("-poison")
    print(f"done         {people.done.total()} {dict(people.done)}")
    print(f"kills, cuts  {storm.kills}, {storm.cuts}")
    print(f"deliveries   {answers(pair)}")
    print(f"calls        {len(pair.ado.calls)} to Azure DevOps, {len(pair.sentry.calls)} to Sentry")
    print(f"writes       {dict(writes)}")
    print(f"comments     {len(people.said)} in Sentry, {len(people.said_in_ado)} in Azure DevOps")
    print(f"rules        taken for {len(people.rules_taken() & set(people.unlinked))} issues without a link")
    print(f"poisoned     {poisoned}")
    if took is None:
        print(f"FAILED: still apart after {PATIENCE:.0f} s: {apart(pair, people.links)}")
        print(*faults(people, reconciled=True), sep="\n")
        unwell = [each for each in pair.links() if each["health"] != "settled"]
        print(f"unwell: {unwell}", log.read_text(encoding="utf-8")[-4000:], sep="\n")
        return 1
    print(f"agreement    on all {len(people.links)} links, {took:.1f} s after the last edit")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=45.0, help="how long people are at work")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--pairs", type=int, default=12)
    chosen = parser.parse_args()
    return run(chosen.seconds, chosen.seed, chosen.pairs)


if __name__ == "__main__":
    sys.exit(main())
