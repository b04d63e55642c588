"""The full look: all linked work items, in batches, beside what was seen of them.

It is made once a day, and whenever the feed cannot tell what changed.
"""

from msgspec.structs import replace

from shared.ado.client import LARGEST_BATCH
from shared.domain.model import FoundWorkItems
from shared.domain.moments import is_due
from shared.domain.rules.news import due_after_look, message_for_item
from shared.flows.reconciling.batches import Batch, batches
from shared.flows.reconciling.run import Part, Run
from shared.store.progress import Look

_MESSAGES = 1_000
# A batch may fail for what is in it, while the service answers all else. After so many runs that failed at
# it, the others have their turn.
_FAILURES = 3


def look_at_items(run: Run) -> None:
    """Go on with the look that is under way, or begin the daily one; the issues get as much time."""
    stop_at = (run.now + run.stop_at) / 2
    if run.progress.look is None and is_due(run.progress.look_due, run.now):
        run.want_look()
    before = run.messages.about_items
    while (look := run.progress.look) is not None:
        rows = run.services.links.walk(run.organization.scope, look.after)
        for batch in batches(rows, lambda link: link.work_item_id, LARGEST_BATCH):
            _look_at(run, batch)
            run.progress = replace(run.progress, look=Look(batch.end, look.again))
            run.store()
            if run.now > stop_at or run.messages.about_items - before >= _MESSAGES:
                run.remains = True
                return
        due = due_after_look(run.progress.look_due, run.now)
        run.progress = replace(run.progress, look=Look() if look.again else None, look_due=due)


def _look_at(run: Run, batch: Batch[int]) -> None:
    """Put a message for each work item of a batch that is not as it was seen."""
    items = _items_of(run, batch)
    if items is None:
        return
    run.compared += sum(map(len, batch.links.values()))
    for work_item_id, links in batch.links.items():
        if work_item_id not in items.unreadable:  # It is neither there nor gone: the next look tells.
            item = items.found.get(work_item_id)
            run.messages.ask_about_item((each, message_for_item(each.link, item)) for each in links)


def _items_of(run: Run, batch: Batch[int]) -> FoundWorkItems | None:
    """Return the work items of a batch, or None if the next one is to have its turn."""
    ado = run.services.ado(run.organization)
    try:
        items = run.ask(lambda: ado.find_work_items(list(batch.links)))
    except Exception as error:
        look = run.progress.look or Look()
        failures = look.failures + ("ado" in run.heard)
        if failures < _FAILURES:
            run.progress = replace(run.progress, look=replace(look, failures=failures))
            raise
        run.fail(Part.LOOK, error)
        return None
    run.was_answered("ado", allowed=bool(items.found))
    return items
