"""Runs many schedules and says how many a second; a failing one is shrunk and traced."""

import argparse
import gc
import logging
import sys
import time

from tests.simulation.drawing import THEMES, drawn
from tests.simulation.schedule import Schedule
from tests.simulation.shrinking import shrunk
from tests.simulation.trace import spelled, traced
from tests.simulation.world import World


def fails(schedule: Schedule) -> bool:
    return bool(World(schedule).run())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many to run")
    parser.add_argument(
        "--seed", default="0", help='the seed of the first one, or "clock"; the next has the next'
    )
    parser.add_argument(
        "--trace", action="store_true", help="trace the first schedule, whether it fails or not"
    )
    parser.add_argument("--until", action="store_true", help="only say how many pass before the first fails")
    parser.add_argument("--theme", choices=list(THEMES), help="only schedules of this theme")
    parser.add_argument("--whole", action="store_true", help="trace every call, reads included")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)
    # In milliseconds, so that a long run today and one tomorrow have no seed in common.
    first = time.time_ns() // 1_000_000 if asked.seed == "clock" else int(asked.seed)
    if asked.trace:
        print(traced(drawn(first, asked.theme), whole=asked.whole))
        return 0
    seeds = range(first, first + asked.schedules)
    if asked.until:
        return run_until(seeds, asked.theme)
    print(f"Seeds {seeds[0]} to {seeds[-1]}{f', {asked.theme} only' if asked.theme else ''}.", flush=True)
    return run_many(seeds, asked.theme, whole=asked.whole)


def run_until(seeds: range, theme: str | None) -> int:
    """Print how many schedules passed, and the first complaint, if there was one."""
    for passed, seed in enumerate(seeds):
        if complaints := World(drawn(seed, theme)).run():
            print(passed, complaints[0])
            return 1
    print(len(seeds))
    return 0


def run_many(seeds: range, theme: str | None, *, whole: bool) -> int:
    # The worlds are many and small; the collector need not scan all that was imported, nor run often.
    gc.freeze()
    gc.set_threshold(1_000_000)
    started, said = time.process_time(), 0.0
    calls = writes = edits = windows = runs = 0
    longest = 0.0
    for done, seed in enumerate(seeds, start=1):
        world = World(drawn(seed, theme))
        if world.run():
            small = shrunk(drawn(seed, theme), fails)
            print(f"{traced(small, whole=whole)}\n\nAs a test:\n{spelled(small)}\n\nSeed {seed} failed.")
            return 1
        calls, writes = calls + world.calls, writes + world.witness.writes
        edits, windows = edits + world.witness.causes, windows + world.witness.windows
        runs, longest = max(runs, world.unheard.most_runs), max(longest, world.unheard.longest)
        if time.process_time() - said > 60:
            said = time.process_time()
            print(f"{done} of {len(seeds)}", file=sys.stderr, flush=True)
    seconds = time.process_time() - started
    print(
        f"{len(seeds)} schedules without a violation, {len(seeds) / seconds:.0f} for each second of one core."
    )
    print(f"{edits} edits and other causes, {writes} writes of ours that changed something, {calls} calls.")
    print(f"What no hook told took {runs} run(s) of the reconciler and {longest:.0f} seconds at most.")
    print(f"{windows} edits could not be told: between our read and our write, or the same as ours.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
