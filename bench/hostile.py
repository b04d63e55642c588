"""Strangers beside genuine hooks, and an organization whose services hang beside one that is well."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from bench.deliveries import from_ado, from_sentry
from bench.end_to_end import STATE, Watch, linked, make_edit
from bench.figures import DIRECTIONS
from bench.load import Load, Target
from bench.measuring import Measured, Scale, Spread, measured, ratios, take_turns
from bench.stage import NO_WORKERS, hosted, storage
from bench.strangers import BEGUN, REFUSED
from simulator.ado.faults import hanging
from tests.e2e.app import HOOK_SECRET, ROOT, SIGNING_KEY, App, Pair

RATE = 500.0  # strangers' requests a second
KEY = "the-key-of-the-bench"
MIB = 1024 * 1024
_BETWEEN_HOOKS = 0.02  # seconds
_ENOUGH = 10_000  # calls that hang


def measure(scale: Scale) -> Iterator[Measured]:
    with storage() as account:
        options = {"SIMULATOR_FUNCTION_KEY": KEY, **NO_WORKERS}
        with hosted(account, environ=options) as app, Pair.beside(app) as pair:
            app.bring_key(KEY)
            pair.connect()
            yield from _strangers(pair, scale)
    with storage() as account:
        options_of_slow_services = {"time_scale": 1.0, "search_lag": None}
        with (
            hosted(account) as app,
            Pair.beside(app, **options_of_slow_services) as sick,
            Pair.beside(app) as well,
        ):
            yield from _hanging(sick.connect(), well.connect(), scale)


@dataclass
class Strangers:
    """What they were told so far, and for how long they have been at it."""

    app: App
    slug: str
    rate: float
    told: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @contextmanager
    def at_the_doors(self) -> Iterator[None]:
        command = [sys.executable, "-m", "bench.strangers", self.app.url, self.slug, str(self.rate)]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as crowd:
            try:
                if crowd.stdout is None or crowd.stdout.readline() != BEGUN:
                    raise RuntimeError("the strangers did not come")
                yield
            finally:
                said, _ = crowd.communicate()
        counted = json.loads(said)
        self.seconds += counted["seconds"]
        self.told.update({int(status): count for status, count in counted["told"].items()})


def _strangers(pair: Pair, scale: Scale) -> Iterator[Measured]:
    app, quick = pair.app, scale.shrink > 1
    strangers = Strangers(app, pair.slug, RATE / 10 if quick else RATE)
    hooks = _genuine(pair)
    taken: dict[str, list[float]] = {"quiet": [], "beside": []}
    with Load.on(app.url, 1) as load:

        def beside() -> float:
            with strangers.at_the_doors():
                return share_of_95(load, hooks, scale)

        quiet = partial(share_of_95, load, hooks, scale)
        quiet()
        before = _memory(app)
        beside()  # Connections are open from here on.
        app.clear()
        rows, logged = _kept(app), app.log_size()
        strangers.told.clear()
        strangers.seconds = 0.0
        taken = take_turns({"quiet": quiet, "beside": beside}, scale.rounds)
        after = _memory(app)
    genuine = 2 * len(hooks) * _of_each(scale) * scale.rounds
    left = _kept(app) - rows - genuine
    if strangers.told.keys() - REFUSED:
        raise RuntimeError(f"strangers were told {dict(strangers.told)}")
    lines = app.log(logged).count("outcome=refused")
    minutes = max(1.0, strangers.seconds / 60)
    answered = strangers.told.total() / strangers.seconds
    medians = {f"{name}, ms:": 1000 * Spread.of(values).value for name, values in taken.items()}
    yield measured(
        "hostile",
        "genuine hooks beside strangers: 95th percentile",
        ratios(taken["beside"], taken["quiet"]),
        {**medians, "strangers a second:": answered},
    )
    yield measured(
        "hostile",
        "memory that strangers take",
        Spread.of([(after - before) / MIB]),
        {"all, MiB:": after / MIB},
    )
    yield measured("hostile", "rows and messages that strangers leave", Spread.of([max(0, left)]))
    yield measured("hostile", "lines of the log that strangers leave", Spread.of([lines / minutes]))
    app.clear()


def _genuine(pair: Pair) -> list[Target]:
    """Return a genuine hook of each side."""
    _, item = pair.linked()
    pair.ado.edit(item, **{STATE: "Active"})
    pair.ado.wait_for_deliveries()
    return [
        Target(f"/api/{pair.ado_route}", from_ado(pair.ado.hooks.history[-1].body, HOOK_SECRET), 202),
        Target(f"/api/{pair.sentry_route}", from_sentry({"issue": {"id": "100"}}, SIGNING_KEY), 202),
    ]


def _of_each(scale: Scale) -> int:
    return scale.requests


def share_of_95(load: Load, hooks: list[Target], scale: Scale) -> float:
    """Send hooks one by one, as people cause them, and return the 95th percentile of their latencies."""
    pause, seconds = threading.Event(), list[float]()
    for _ in range(_of_each(scale)):
        for hook in hooks:
            pause.wait(_BETWEEN_HOOKS)
            seconds.append(load.seconds(hook, 1))
    return Spread.percentile_95(seconds).value


def _memory(app: App) -> float:
    return float(app.ask("GET", "bare/memory").text)


def _kept(app: App) -> int:
    """Count the rows of all tables and the messages on both queues, after a last look at what is counted."""
    return sum(1 for _ in app._rows()) + app.messages()


def _hanging(sick: Pair, well: Pair, scale: Scale) -> Iterator[Measured]:
    """Let all calls to one organization's services hang, and edit in both; only one of them gets on."""
    seconds = 1.0 if scale.shrink > 1 else 60.0
    events = max(4, scale.events)
    links = iter(linked(well, 2 * events + 2))
    of_the_sick = linked(sick, max(2, events // 2))
    with Watch.over(well) as watch:
        watch.wait_for([make_edit(well, direction, next(links)) for direction in DIRECTIONS])
        quiet = [_delay(watch, well, direction, next(links)) for direction in DIRECTIONS * (events // 2)]
        sick.ado.meet(hanging(seconds), _ENOUGH)
        sick.sentry.hang_next(_ENOUGH, seconds)
        for number, link in enumerate(of_the_sick):
            make_edit(sick, DIRECTIONS[number % 2], link)
        beside = [_delay(watch, well, direction, next(links)) for direction in DIRECTIONS * (events // 2)]
    sick.ado.faults.clear()
    yield measured(
        "hostile",
        "an organization beside one whose services hang: 95th percentile",
        Spread.percentile_95(beside),
        {"quiet:": Spread.percentile_95(quiet).value, "events:": len(beside)},
    )


def _delay(watch: Watch, pair: Pair, direction: str, link: tuple[str, int]) -> float:
    began = time.perf_counter()
    [written] = watch.wait_for([make_edit(pair, direction, link)])
    return written - began
