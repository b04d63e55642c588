"""What began or ended for an organization: each problem is put among its events once, and so is its cure."""

from collections.abc import Iterator
from contextlib import suppress

from msgspec.structs import replace

from shared.domain.errors import SyncError
from shared.domain.model import Side
from shared.domain.rules.problems import Trouble
from shared.domain.traffic import PROBLEM, Event, Happening, Hour
from shared.flows.reconciling.run import Run
from shared.flows.watching import troubles


def tell_problems(run: Run) -> None:
    with suppress(SyncError):
        run.services.ledger.flush()
        found = {each.name: each for each in troubles(run.services, run.organization, run.progress)}
        known = run.progress.known
        events = [
            *(_event(each, run, Happening.BEGAN) for name, each in found.items() if name not in known),
            *(event for name in known if name not in found for event in _ended(name, run)),
        ]
        if found.keys() == known.keys():
            return
        since = {name: known.get(name, each.since or run.now) for name, each in found.items()}
        run.progress = replace(run.progress, known=since)
        run.store()
        run.services.ledger.count(run.organization.scope, Hour(), *events)


def _event(trouble: Trouble, run: Run, outcome: Happening) -> Event:
    return Event(run.now, trouble.side, PROBLEM, outcome, reason=trouble.kind)


def _ended(name: str, run: Run) -> Iterator[Event]:
    """Yield that a problem ended, unless it has a name that this version of the app gives none."""
    kind, _, side = name.partition(" ")
    if kind and side in {"", *Side}:
        yield _event(Trouble(kind, Side(side) if side else None, "", ""), run, Happening.CURED)
