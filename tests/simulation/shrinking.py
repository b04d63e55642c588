"""Makes a failing schedule small: whatever can be left out while it still fails is left out."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from tests.simulation.schedule import Schedule

Fails = Callable[[Schedule], bool]


def shrunk(schedule: Schedule, fails: Fails) -> Schedule:
    """Return the smallest schedule found that still fails. Each step leaves out one thing and starts anew."""
    while True:
        smaller = next((each for each in _smaller(schedule) if fails(each)), None)
        if smaller is None:
            return schedule
        schedule = smaller


def _smaller(schedule: Schedule) -> Iterator[Schedule]:
    if schedule.workers > 1:
        yield replace(schedule, workers=1)
    for name in ("actions", "troubles", "after_writes", "run_troubles", "strays", "links", "settings"):
        things = getattr(schedule, name)
        if len(things) > 2:
            yield replace(schedule, **{name: things[len(things) // 2 :]})
            yield replace(schedule, **{name: things[: len(things) // 2]})
        for place in range(len(things)):
            yield replace(schedule, **{name: things[:place] + things[place + 1 :]})
    # Another order of what is ready at once may need fewer actions; the lowest seeds are tried.
    for seed in range(min(schedule.seed, 20)):
        yield from _fewer_actions(replace(schedule, seed=seed))


def _fewer_actions(schedule: Schedule) -> Iterator[Schedule]:
    for place in range(len(schedule.actions)):
        yield replace(schedule, actions=schedule.actions[:place] + schedule.actions[place + 1 :])
