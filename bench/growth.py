"""Growth: what an event and a reconciliation cost beside few and many links and organizations."""

import math
from collections.abc import Iterator, Mapping, Sequence

from bench.cold import memory_of_import
from bench.crowd import Crowd, Run
from bench.figures import DIRECTIONS, LINKS, ORGANIZATIONS, UNANNOUNCED
from bench.measuring import Measured, Scale, Spread, measured, medians_of, ratios, take_turns
from bench.unannounced import Edits

LINKS_OF_AN_ORGANIZATION = 10
EDITED_BESIDE, EDITS, MOST_RUNS = 10_000, 200, 10
MINUTES_BETWEEN_RUNS = 5


def measure(scale: Scale) -> Iterator[Measured]:
    yield from _beside_links(scale)
    yield from _among_organizations(scale)
    yield from _unannounced(scale)


def _beside_links(scale: Scale) -> Iterator[Measured]:
    crowds = {links: Crowd(scale.of(links)) for links in LINKS}
    yield from _events(crowds, "an {} event beside {:,} links", scale)
    runs = {links: _steady_runs(crowd, scale) for links, crowd in crowds.items()}
    for links in LINKS:
        name = f"reconcile of {links:,} links"
        yield measured("growth", f"{name}: to Azure DevOps", Spread.most_of([run.ado for run in runs[links]]))
        yield measured("growth", f"{name}: to Sentry", Spread.most_of([run.sentry for run in runs[links]]))
        yield measured("growth", f"{name}: messages", Spread.most_of([run.messages for run in runs[links]]))
        yield measured("growth", name, Spread.of([run.seconds for run in runs[links]]))
    yield from _peaks(crowds, "reconcile of {:,} links: peak memory")
    yield from _reading_round(runs[LINKS[-1]][-1])


def _among_organizations(scale: Scale) -> Iterator[Measured]:
    crowds = {
        count: Crowd(scale.of(count) * LINKS_OF_AN_ORGANIZATION, organizations=scale.of(count))
        for count in ORGANIZATIONS
    }
    yield from _events(crowds, "an {} event among {:,} organizations", scale)
    for count, crowd in crowds.items():
        name, runs = f"reconcile of {count:,} organizations", _steady_runs(crowd, scale)
        each = [run.ado / scale.of(count) for run in runs]
        yield measured("growth", f"{name}: each to Azure DevOps", Spread.most_of(each))
        yield measured("growth", name, Spread.of([run.seconds for run in runs]))
    yield from _peaks(crowds, "reconcile of {:,} organizations: peak memory")


def _steady_runs(crowd: Crowd, scale: Scale) -> Sequence[Run]:
    """Let the reconciler find nothing new: what the events before have left is read by two runs."""
    crowd.steady_run()
    crowd.steady_run()
    return [crowd.steady_run() for _ in range(scale.rounds)]


def _events(crowds: Mapping[int, Crowd], name: str, scale: Scale) -> Iterator[Measured]:
    smallest, *larger = crowds
    for direction in DIRECTIONS:
        contestants = {
            size: crowd.inbound_event if direction == "inbound" else crowd.outbound_event
            for size, crowd in crowds.items()
        }
        take_turns(contestants, rounds=2)  # The first events fill caches.
        taken = take_turns(contestants, rounds=scale.rounds * scale.events)
        rounds = {size: medians_of(seconds, scale.rounds) for size, seconds in taken.items()}
        for size in larger:
            beside = {f"at {each:,}, ms:": Spread.of(rounds[each]).value * 1000 for each in (smallest, size)}
            spread = ratios(rounds[size], rounds[smallest])
            yield measured("growth", name.format(direction, size), spread, beside)


def _peaks(crowds: Mapping[int, Crowd], name: str) -> Iterator[Measured]:
    """Compare what the process takes at its peak: all that is imported, and what a run takes beyond it.

    The doubles live in this process and hold what storage would hold. So the run's own part is traced, and
    the rest is that of a fresh process.
    """
    fresh = memory_of_import()
    peaks = {size: crowd.steady_run(traced=True).peak for size, crowd in crowds.items()}
    smallest, *larger = peaks
    for size in larger:
        ratio = (fresh + peaks[size]) / (fresh + peaks[smallest])
        beside = {f"at {each:,}, of the run alone, KiB:": peaks[each] / 1024 for each in (smallest, size)}
        yield measured("growth", name.format(size), Spread.of([ratio]), beside)


def _reading_round(run: Run) -> Iterator[Measured]:
    """Say what it takes to read every issue once, from what one run reads."""
    calls = math.ceil(100_000 * run.sentry / run.issues)
    yield measured("growth", "to read 100,000 issues once: to Sentry", Spread.of([calls]))
    minutes = math.ceil(12_000 / run.issues) * MINUTES_BETWEEN_RUNS
    yield measured(
        "growth", "to read 12,000 issues once", Spread.of([minutes]), {"issues in a run:": run.issues}
    )


def _unannounced(scale: Scale) -> Iterator[Measured]:
    """Let 100 edits be made on each side, of which no hook tells, and the reconciler find them."""
    links = max(EDITS, scale.of(EDITED_BESIDE))
    crowd = Crowd(links, projects=10)
    crowd.steady_run()  # It asks what is asked once an hour.
    is_carried_over = Edits(crowd, links, EDITS // 2).make()
    runs: list[Run] = []
    while not is_carried_over() and len(runs) < MOST_RUNS:
        runs.append(crowd.steady_run())
    # One that the last run did not carry over either takes at least one more.
    count = len(runs) if is_carried_over() else len(runs) + 1
    yield measured("growth", UNANNOUNCED, Spread.of([count]))
    for name, own in (("Azure DevOps", "own_ado"), ("Sentry", "own_sentry")):
        spread = Spread.most_of([getattr(run, own) for run in runs])
        yield measured("growth", f"{UNANNOUNCED}: calls of a run to {name}", spread)
    by_workers = sum(run.ado + run.sentry - run.own_ado - run.own_sentry for run in runs)
    yield measured("growth", f"{UNANNOUNCED}: further calls for each", Spread.of([by_workers / EDITS]))
