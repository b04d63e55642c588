"""All linked issues in turn, a hundred in a call, beside what was seen of them.

Sentry quirk: nothing is sent when an issue is unassigned or un-archived, and a delivery that takes longer
than a second is lost (docs/vendor_quirks.md#sentry-hooks).
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, partial

import msgspec
from msgspec.structs import replace

from shared.domain.errors import Conflict, Forbidden, NotFound, Refused, SyncError, Unavailable
from shared.domain.failures import ISSUE_GONE
from shared.domain.model import FoundIssues, IssueLink, SentryIssue
from shared.domain.rules.news import differs, is_compared
from shared.flows.entries import look_at_entry
from shared.flows.going_on import says_who_it_is
from shared.flows.reconciling.batches import Batch, batches
from shared.flows.reconciling.halving import Halving
from shared.flows.reconciling.run import Part, Run
from shared.sentry.client import LARGEST_BATCH, SentryClient
from shared.store.links import StoredLink

CALLS_A_RUN = 120
# Sentry advises against polling; this is a twentieth of what it usually answers.
BETWEEN_CALLS = 0.5  # seconds
# Issues of a run of which a list does not tell how they stand, so that they are asked for singly.
UNTOLD_A_RUN = 60
_MESSAGES = 500
# A batch may fail for what is in it. Two in a row look like a service that is away.
_FAILURES_IN_A_ROW = 2


def read_issues(run: Run) -> None:
    """Put a message for each issue that does not stand as it was seen, up to so many calls.

    The next run goes on behind what was read. A batch that fails has its turn again after all the others.
    """
    reader = _Reader(run)
    before, failed_in_a_row = run.messages.about_issues, 0
    for batch in _next_batches(run):
        try:
            behind = reader.read(batch)
            failed_in_a_row = 0
        except _OutOfCalls:
            return
        except Exception as error:  # noqa: BLE001  # even a bug keeps no other issue from its turn
            behind, failed_in_a_row = batch.end, failed_in_a_row + 1
            run.fail(Part.ISSUES, error)
        run.progress = replace(run.progress, issues_behind=behind)
        run.store()
        is_enough = run.is_out_of_time or run.messages.about_issues - before >= _MESSAGES
        if is_enough or failed_in_a_row == _FAILURES_IN_A_ROW:
            return
    run.progress = replace(run.progress, issues_behind=None)


def _next_batches(run: Run) -> Iterator[Batch[str]]:
    """Yield the batches behind the one that was read last; behind the last of all, begin with the first."""
    for place in dict.fromkeys((run.progress.issues_behind, None)):
        rows, is_end = run.services.links.walk(run.organization.scope, place), True
        for batch in batches(rows, _issue_to_compare, LARGEST_BATCH):
            is_end = False
            yield batch
        if not is_end:
            return


def _issue_to_compare(link: IssueLink) -> str | None:
    """Return the issue to read: to compare it, or to see whether it still shows what Sentry's form made."""
    shows_entry = link.form is not None and link.claim is None and link.health.reason != ISSUE_GONE
    return link.issue_id if is_compared(link) or shows_entry else None


class _OutOfCalls(Exception):
    """The run has made all its calls; the batch at hand has its turn in the next one."""


class _Reader(msgspec.Struct, dict=True):
    """Reads batches of issues within the calls of one run.

    ``is_single`` says that Sentry lists no issues of several projects for us, so that each is asked for.
    """

    run: Run
    is_single: bool = False
    halving: Halving = msgspec.field(default_factory=Halving)
    _calls: int = 0
    _called_at: float = -math.inf
    _untold: int = 0

    @cached_property
    def _sentry(self) -> SentryClient:
        return self.run.services.sentry(self.run.organization)

    def read(self, batch: Batch[str]) -> str:
        """Compare every issue of a batch that Sentry shows us, and return the place to go on behind.

        When the time is up, it is that of the last issue that was reached: of one at least.
        """
        waiting, reached = [list(batch.links)], ""
        while waiting:
            names = waiting.pop()
            left = self._read(batch, names)
            waiting += left
            reached = reached if left else names[-1]
            if waiting and self.run.is_out_of_time:
                if reached:
                    # In the order of their first links: what was not reached has none before that place.
                    return batch.links[reached][0].place
                waiting += _first_apart(waiting.pop())
        return batch.end

    def _read(self, batch: Batch[str], names: list[str]) -> list[list[str]]:
        """Compare some issues of a batch, or return what to ask for instead, the first of it last."""
        if self.is_single and len(names) > 1:
            return [[name] for name in reversed(names)]
        try:
            found = self.run.ask(partial(self._call, names))
        except Forbidden:
            return self._halves(batch, names)
        except Unavailable:
            if not self._is_about_one_of(batch):
                raise
            return self._halves(batch, names)
        except Refused as error:
            if self.is_single:
                raise
            self.is_single = True
            self.run.note(Part.ISSUES, error)
            return [names]
        self._compare(batch, names, found)
        return []

    def _is_about_one_of(self, batch: Batch[str]) -> bool:
        """Tell whether a list that gets no answer is worth halving: Sentry is there, and answers others.

        After a time-out nothing would be asked for half a minute.
        """
        names = list(batch.links)
        return self._says_who_it_is() and self.halving.is_worth_it(names, self._is_answered, self.run.now)

    def _is_answered(self, name: str) -> bool:
        try:
            self._call([name])
        except SyncError:
            self._says_who_it_is()  # Otherwise the next one would not be asked for after a time-out.
            return False
        return True

    def _says_who_it_is(self) -> bool:
        return says_who_it_is(self.run.services, self.run.organization, "sentry")

    def _call(self, names: Sequence[str]) -> FoundIssues:
        if self._calls == CALLS_A_RUN:
            raise _OutOfCalls
        services = self.run.services
        wait = self._called_at + BETWEEN_CALLS - services.clock()
        if wait > 0:
            services.pause(wait)
        self._calls, self._called_at = self._calls + 1, services.clock()
        if not self.is_single:
            return self._sentry.find_issues(names)
        [name] = names
        try:
            return FoundIssues({name: self._sentry.get_issue(name)})
        except NotFound:
            return FoundIssues()

    def _halves(self, batch: Batch[str], names: list[str]) -> list[list[str]]:
        """Return what is left to ask for where one issue may keep us from the others."""
        halves = self.halving.halves(names)
        if not halves:
            for name in names:
                self._ask_singly(batch, name)
        return halves

    def _compare(self, batch: Batch[str], names: Sequence[str], found: FoundIssues) -> None:
        self.halving.is_answering = True
        self.run.was_answered("sentry", allowed=bool(found.found))
        for name in names:
            links, issue = batch.links[name], found.found.get(name)
            # An issue that is read singly shows no entries; what cannot be read is not gone.
            if issue is not None and not (self.is_single or issue.hides_entries):
                links = self._look_at_entries(links, issue)
            links = [each for each in links if is_compared(each.link)]
            if issue is not None:
                differing = [each for each in links if differs(each.link, issue)]
                self.run.messages.ask_about_issue(name, differing, issue)
            elif name not in found.unreadable:  # It is neither there nor gone: the next round tells.
                self._ask_singly(batch, name, is_absent=True)

    def _look_at_entries(self, links: Iterable[StoredLink], issue: SentryIssue) -> list[StoredLink]:
        """Part the links whose entry a person removed in Sentry; return the others, with what was seen."""
        services, organization, kept = self.run.services, self.run.organization, []
        for stored in links:
            try:
                looked = look_at_entry(services, organization, stored, issue.external_issues)
            except (Conflict, NotFound):
                kept.append(stored)  # Somebody changed it in the meantime; the next round looks again.
            else:
                kept += [] if looked is None else [looked]
        return kept

    def _ask_singly(self, batch: Batch[str], name: str, *, is_absent: bool = False) -> None:
        """Have a worker ask for an issue that may be merged, gone, or out of reach; its links tell then."""
        links = [each for each in batch.links[name] if is_compared(each.link)]
        if self._untold < UNTOLD_A_RUN and self.run.messages.ask_about_issue(
            name, links, is_absent=is_absent
        ):
            self._untold += 1


def _first_apart(names: list[str]) -> list[list[str]]:
    """Return the first name by itself, and last: however slow Sentry is, one issue is reached in each run."""
    return [each for each in (names[1:], names[:1]) if each]
