"""The full look: all linked work items, in batches, beside what was seen of them.

It is made once a day, and whenever the feed cannot tell what changed.
"""

from contextlib import suppress
from functools import partial

import msgspec
from msgspec.structs import replace

from shared.ado.client import LARGEST_BATCH
from shared.domain.errors import SyncError, Throttled
from shared.domain.model import FoundWorkItems
from shared.domain.moments import is_due
from shared.domain.rules.news import ask_about, due_after_look, is_compared, message_for_item
from shared.flows.reconciling.batches import Batch, batches
from shared.flows.reconciling.halving import Halving
from shared.flows.reconciling.run import Part, Run
from shared.store.progress import Look

_MESSAGES = 1_000
# A list may fail again and again, while the service answers all else. After so many runs that failed at
# it, the others have their turn.
_FAILURES = 3


def look_at_items(run: Run) -> None:
    """Go on with the look that is under way, or begin the daily one; the issues get as much time."""
    looker = _Looker(run, stop_at=(run.now + run.stop_at) / 2)
    if run.progress.look is None and is_due(run.progress.look_due, run.now):
        run.want_look()
    before = run.messages.about_items
    while (look := run.progress.look) is not None:
        rows = run.services.links.walk(run.organization.scope, look.after)
        for batch in batches(rows, lambda link: link.work_item_id, LARGEST_BATCH):
            looker.look_at(batch)
            run.progress = replace(run.progress, look=Look(batch.end, look.again))
            run.store()
            if looker.is_out_of_time or run.messages.about_items - before >= _MESSAGES:
                run.remains = True
                return
        due = due_after_look(run.progress.look_due, run.now)
        run.progress = replace(run.progress, look=Look() if look.again else None, look_due=due)


class _Looker(msgspec.Struct):
    """Looks at batches of work items within what one run may take."""

    run: Run
    stop_at: float
    halving: Halving = msgspec.field(default_factory=Halving)

    @property
    def is_out_of_time(self) -> bool:
        return self.run.now > self.stop_at

    def look_at(self, batch: Batch[int]) -> None:
        """Put a message for each work item of a batch that is not as it was seen.

        The one for which no list is answered is asked for singly, and its links tell.
        """
        waiting = [list(batch.links)]
        while waiting:
            numbers = waiting.pop()
            try:
                items = self.run.ask(partial(self._find, numbers))
            except Exception as error:  # noqa: BLE001  # even a bug keeps no other item from its turn
                if not self._is_about_one_of(batch, error):
                    self._leave(error)
                    if self.is_out_of_time:
                        return
                elif halves := self.halving.halves(numbers):
                    waiting += halves
                else:
                    self._ask_singly(batch, numbers[0])
            else:
                self._compare(batch, numbers, items)

    def _find(self, numbers: list[int]) -> FoundWorkItems:
        return self.run.services.ado(self.run.organization).find_work_items(numbers)

    def _is_about_one_of(self, batch: Batch[int], error: Exception) -> bool:
        """Tell whether a list that failed is worth halving: the service is there, and answers others."""
        if self.is_out_of_time or not isinstance(error, SyncError) or isinstance(error, Throttled):
            return False
        numbers = list(batch.links)
        return self._says_who_it_is() and self.halving.is_worth_it(numbers, self._is_answered, self.run.now)

    def _says_who_it_is(self) -> bool:
        """Ask for it with the client of the look, so that an answer ends what its back-off has counted.

        After a time-out nothing would be asked for half a minute, and a third 403 in a row would be taken
        for one of our credentials.
        """
        services, organization = self.run.services, self.run.organization
        services.end_silence(organization.slug, "ado")
        with suppress(SyncError):
            services.ado(organization).instance_id()
            return True
        return False

    def _is_answered(self, number: int) -> bool:
        try:
            self._find([number])
        except SyncError:
            self._says_who_it_is()  # Otherwise the next one would not be asked for after a time-out.
            return False
        return True

    def _leave(self, error: Exception) -> None:
        """Raise an error, so that the next run tries again, unless the others are to have their turn."""
        run = self.run
        look = run.progress.look or Look()
        failures = look.failures + ("ado" in run.heard)
        if failures < _FAILURES:
            run.progress = replace(run.progress, look=replace(look, failures=failures))
            raise error
        run.fail(Part.LOOK, error)

    def _ask_singly(self, batch: Batch[int], number: int) -> None:
        """Have a worker ask for a work item. A link that is not well is taken up when it is due."""
        links = [each for each in batch.links[number] if is_compared(each.link)]
        self.run.messages.ask_about_item((each, ask_about(each.link)) for each in links)

    def _compare(self, batch: Batch[int], numbers: list[int], items: FoundWorkItems) -> None:
        self.halving.is_answering = True
        self.run.was_answered("ado", allowed=bool(items.found))
        for number in numbers:
            links = batch.links[number]
            self.run.compared += len(links)
            if number not in items.unreadable:  # It is neither there nor gone: the next look tells.
                item = items.found.get(number)
                wanted = ((each, message_for_item(each.link, item)) for each in links)
                self.run.messages.ask_about_item(wanted, is_gone=item is None)
