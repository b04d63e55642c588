"""End to end: from an edit to the write on the other side, on an idle app, at a steady rate, and in a burst.

The simulated services run in this process, the host in another, the storage emulator in a third.
"""

import json
import random
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from bench.deliveries import Delivery
from bench.figures import DIRECTIONS
from bench.load import Load, Target
from bench.measuring import Measured, Scale, Spread, measured, ratios, take_turns
from bench.stage import BESIDE, hosted, storage
from tests.e2e.app import Pair

STATE = "System.State"
EVENTS_A_SECOND = 20.0
FEWEST_ON_AN_IDLE_APP = 5
CONNECTIONS = 8
ROUNDS_OF_BURSTS = 5  # A link is stopped as flapping after 20 writes within an hour.
_WATCH_EVERY = 0.004  # seconds
_PATIENCE = 60.0  # seconds
_ISSUE, _ITEM = re.compile(r"/issues/(\d+)/?$"), re.compile(r"/workitems/(\d+)$", re.IGNORECASE)


def measure(scale: Scale) -> Iterator[Measured]:
    # On Azure nothing makes the host look into a queue the moment that something was put there.
    polling = ("--azure-polling",) if scale.idle_seconds else ()
    with _connected(*polling) as pair:
        yield from _idle(pair, scale)
        yield from _steady(pair, scale)
    with _connected() as pair:
        yield from _sustained(pair, scale)


@contextmanager
def _connected(*options: str) -> Iterator[Pair]:
    with (
        storage() as account,
        hosted(account, *options) as app,
        Pair.beside(app, delivery_workers=CONNECTIONS, search_lag=None) as pair,
    ):
        yield pair.connect()


class Watch:
    """Notes when each issue and each work item is written by the app."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._stopped = threading.Event()
        self._written: dict[str | int, float] = {}
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    @classmethod
    @contextmanager
    def over(cls, pair: Pair) -> Iterator["Watch"]:
        watch = cls(pair)
        watch._thread.start()
        yield watch
        watch._stopped.set()
        watch._thread.join()

    def wait_for(self, ends: Sequence[str | int]) -> list[float]:
        """Return when each of these was last written, once all are; a number is a work item."""
        deadline = time.monotonic() + _PATIENCE
        while not self._written.keys() >= set(ends):
            if time.monotonic() > deadline:
                missing = sorted(map(str, set(ends) - self._written.keys()))
                raise RuntimeError(f"never written: {', '.join(missing)}")
            self._stopped.wait(_WATCH_EVERY)
        return [self._written.pop(each) for each in ends]

    def _run(self) -> None:
        # The lists of calls only grow; a look at their ends costs little.
        of_ado, of_sentry = len(self._pair.ado.calls), len(self._pair.sentry.calls)
        while not self._stopped.wait(_WATCH_EVERY):
            now = time.perf_counter()
            called, asked = self._pair.ado.calls[of_ado:], self._pair.sentry.calls[of_sentry:]
            of_ado, of_sentry = of_ado + len(called), of_sentry + len(asked)
            for call in called:
                if call.method == "PATCH" and (item := _ITEM.search(call.path)):
                    self._written[int(item[1])] = now
            for method, path, _ in asked:
                if method == "PUT" and (issue := _ISSUE.search(path)):
                    self._written[issue[1]] = now


def linked(pair: Pair, count: int) -> list[tuple[str, int]]:
    """Link so many new issues and work items, in as few requests as it takes."""
    pairs = [(pair.sentry.add_issue(announce=False).id, pair.ado.add_item().id) for _ in range(count)]
    wanted = [{"issue_id": issue_id, "work_item_id": item} for issue_id, item in pairs]
    remaining = count
    while remaining:
        answer = pair.ask("POST", "links", json=wanted)
        answer.raise_for_status()
        remaining = answer.json()["remaining"]
    return pairs


def make_edit(pair: Pair, direction: str, link: tuple[str, int]) -> str | int:
    """Make the edit that travels in a direction, and return the end that it is to arrive at."""
    issue_id, work_item_id = link
    if direction == "inbound":
        pair.ado.edit(work_item_id, **{STATE: "Closed"})
        return issue_id
    pair.sentry.resolve(issue_id)
    return work_item_id


def _delays(name: str, delays: Mapping[str, Sequence[float]]) -> Iterator[Measured]:
    for direction, seconds in delays.items():
        for share, spread in (("median", Spread.of), ("95th percentile", Spread.percentile_95)):
            beside = {"events:": len(seconds)}
            yield measured("end_to_end", f"{direction}, {name}: {share}", spread(seconds), beside)


def _idle(pair: Pair, scale: Scale) -> Iterator[Measured]:
    """Let both queues fall asleep, then make an edit on each side, at a moment that nobody chose."""
    chance, pause = random.Random(0), threading.Event()
    longest = _longest_pause() if scale.idle_seconds else 0.0
    links = iter(linked(pair, 400))
    delays: dict[str, list[float]] = {direction: [] for direction in DIRECTIONS}
    until = time.monotonic() + scale.idle_seconds
    with Watch.over(pair) as watch:
        while time.monotonic() < until or len(delays["inbound"]) < FEWEST_ON_AN_IDLE_APP:
            pair.settle()
            # Pauses double until they are as long as the longest; together that takes twice as long.
            pause.wait(longest * (2 + chance.random()))
            began = time.perf_counter()
            ends = [make_edit(pair, direction, next(links)) for direction in DIRECTIONS]
            for direction, written in zip(DIRECTIONS, watch.wait_for(ends), strict=True):
                delays[direction].append(written - began)
            if not scale.idle_seconds:
                break
    yield from _delays("one at a time on an idle app", delays)


def _longest_pause() -> float:
    """Return how long the host may leave a queue alone, as host.json says."""
    queues = json.loads((BESIDE / "host.json").read_text(encoding="utf-8"))["extensions"]["queues"]
    span = datetime.strptime(queues["maxPollingInterval"], "%H:%M:%S")  # noqa: DTZ007  # a span, no moment
    return span.hour * 3600.0 + span.minute * 60 + span.second


def _steady(pair: Pair, scale: Scale) -> Iterator[Measured]:
    """Make edits at a steady rate, in both directions in turn, on a host that is awake."""
    pause = threading.Event()
    links = linked(pair, round(EVENTS_A_SECOND * scale.busy_seconds) + len(DIRECTIONS))
    sides = [DIRECTIONS[number % len(DIRECTIONS)] for number in range(len(links))]
    edits = list(zip(sides, links, strict=True))
    began: list[float] = []
    with Watch.over(pair) as watch:
        watch.wait_for([make_edit(pair, *edit) for edit in edits[: len(DIRECTIONS)]])
        edits = edits[len(DIRECTIONS) :]
        start, ends = time.perf_counter(), []
        for number, edit in enumerate(edits):
            pause.wait(max(0.0, start + number / EVENTS_A_SECOND - time.perf_counter()))
            began.append(time.perf_counter())
            ends.append(make_edit(pair, *edit))
        written = watch.wait_for(ends)
    delays: dict[str, list[float]] = {direction: [] for direction in DIRECTIONS}
    for (direction, _), earlier, later in zip(edits, began, written, strict=True):
        delays[direction].append(later - earlier)
    yield from _delays("at 20 events a second", delays)


def _sustained(pair: Pair, scale: Scale) -> Iterator[Measured]:
    """Let many events arrive at once: at our webhook, and where a worker only reads and writes a row."""
    links = linked(pair, scale.burst)
    event = Target("/api/bare/event", Delivery({}, b"x" * 300), 202)
    rounds = min(scale.rounds, ROUNDS_OF_BURSTS)
    with Watch.over(pair) as watch, Load.on(pair.app.url, CONNECTIONS) as load:

        def pipeline() -> float:
            pair.settle()
            is_done = pair.ado.item(links[0][1]).state == "Closed"
            with pair.ado.held_deliveries():
                for _, work_item_id in links:
                    pair.ado.edit(work_item_id, **{STATE: "Active" if is_done else "Closed"})
                began = time.perf_counter()
            return max(watch.wait_for([issue_id for issue_id, _ in links])) - began

        def read_and_write() -> float:
            pair.settle()
            return _seconds_of_bare(pair, load, [event] * len(links))

        load.spread_over([event])
        taken = take_turns({"ours": pipeline, "bare": read_and_write}, rounds)
    ours, bare = ([scale.burst / seconds for seconds in taken[name]] for name in ("ours", "bare"))
    yield measured("end_to_end", "sustained: the whole pipeline", Spread.of(ours))
    yield measured("end_to_end", "sustained: one table read and one write", Spread.of(bare))
    ratio = ratios(taken["ours"], taken["bare"])
    yield measured("end_to_end", "sustained: time of the pipeline for an event", ratio)


def _seconds_of_bare(pair: Pair, load: Load, events: Sequence[Target]) -> float:
    pause = threading.Event()
    wanted = int(pair.app.ask("GET", "bare/written").text) + len(events)
    began = time.perf_counter()
    load.spread_over(events)
    while int(pair.app.ask("GET", "bare/written").text) < wanted:
        pause.wait(_WATCH_EVERY)
    return time.perf_counter() - began
