"""What began or ended for an organization: each problem is put among its events once, and so is its cure."""

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
            *(_ended(name, run) for name in known if name not in found),
        ]
        if not events:
            return
        since = {name: known.get(name, each.since or run.now) for name, each in found.items()}
        run.progress = replace(run.progress, known=since)
        run.store()
        run.services.ledger.count(run.organization.scope, Hour(), *events)


def _event(trouble: Trouble, run: Run, outcome: Happening) -> Event:
    return Event(run.now, trouble.side, PROBLEM, outcome, reason=trouble.kind)


def _ended(name: str, run: Run) -> Event:
    kind, _, side = name.partition(" ")
    trouble = Trouble(kind, None if not side else Side(side), "", "")
    return _event(trouble, run, Happening.CURED)
