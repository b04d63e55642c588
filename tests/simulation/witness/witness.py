"""The witness as the world knows it: tells each law's module what happened, and gathers their complaints."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from shared.domain.configuration import Configuration
from shared.domain.model import IssueLink, IssueStatus, SentryIssue, WorkItem
from shared.store.tables import Delete, Insert, Operation
from tests.doubles.ado import MemoryAdo
from tests.doubles.sentry import MemorySentry
from tests.simulation.laws import OFF, Law, Verdicts
from tests.simulation.witness.comments import Comments
from tests.simulation.witness.connections import Connections
from tests.simulation.witness.created import Created
from tests.simulation.witness.facts import STATUS, Facts, Pair, Worker, issue_end, item_end
from tests.simulation.witness.forms import Forms
from tests.simulation.witness.hops import Hops
from tests.simulation.witness.lives import Lives
from tests.simulation.witness.partners import Partners
from tests.simulation.witness.shown import Shown


class Witness:
    def __init__(
        self,
        places: Mapping[str, MemoryAdo],
        sentry: MemorySentry,
        configuration: Callable[[], Configuration],
        partition: Callable[[], str],
        links: Callable[[], Iterator[IssueLink]],
        unreadable: Callable[[], set[Pair]],
        ending: Callable[[], set[Pair]],
        clock: Callable[[], float],
    ) -> None:
        self.facts = Facts(places, sentry, configuration, partition, links, unreadable, ending, clock)
        self._verdicts = Verdicts()
        hops = Hops(self.facts, self._verdicts)
        self._lives = Lives(self.facts, self._verdicts, hops)
        self.comments = Comments(self.facts, lambda: self._lives.lives)
        self._partners = Partners(self.facts)
        self.connections = Connections(self._verdicts)
        self.created = Created(self.facts, self._verdicts)
        self._shown = Shown(self.facts, self.created)
        self.forms = Forms(self.facts, self._verdicts, self.created)

    @property
    def violations(self) -> list[str]:
        return self._verdicts.violations

    @property
    def causes(self) -> int:
        return self._lives.causes

    @property
    def writes(self) -> int:
        return self._lives.writes

    @property
    def windows(self) -> int:
        return self._lives.windows

    def against(self, law: Law, problem: str) -> None:
        self._verdicts.against(law, problem)

    # What people do.

    def person_changed_issue(self, before: SentryIssue, after: SentryIssue) -> None:
        for name in self.facts.changed_in_issue(before, after):
            self._partners.edited(issue_end(after.issue_id), name)
        self._lives.person_changed_issue(before, after)

    def person_changed_item(self, before: WorkItem, after: WorkItem) -> None:
        names = self.facts.changed_in_item(before, after)
        if STATUS not in names and self.facts.is_removed(before) is not self.facts.is_removed(after):
            names.append(STATUS)
        for name in names:
            self._partners.edited(item_end(after.id), name)
        self._lives.person_changed_item(before, after)

    def something_else_changed(self) -> None:
        """Note what is no edit of a field and yet a reason to write: a merge, a document, a new member."""
        self._lives.something_else_changed()

    def something_else_happened(self, *, joined: bool = False) -> None:
        """Note what may make links, parts them, or lets them go on."""
        self._partners.something_else_happened()
        if joined:
            self._partners.somebody_joined()

    def configured(self, before: Configuration) -> None:
        self.facts.reconfigured = True
        self.facts.reinterpreted |= before.done_categories != self.facts.configuration.done_categories
        self._lives.something_else_changed()
        self.comments.configured()

    def parted_from_all(self) -> None:
        """Note that the document names another organization now, and the links of the last one are to go."""
        self._lives.lives.clear()

    def passed_over(self, pair: Pair | None) -> None:
        """Note a link whose row nobody can read any more: nothing is promised for it."""
        if pair is not None:
            self._lives.lives.pop(pair, None)

    # What we do.

    def read_issue(self, worker: Worker, issue: SentryIssue) -> None:
        self._lives.read_issue(worker, issue)

    def wrote_issue(
        self, worker: Worker, known: SentryIssue | None, before: SentryIssue, after: SentryIssue
    ) -> None:
        self._lives.wrote_issue(worker, known, before, after)

    def wrote_item(self, worker: Worker, ado: MemoryAdo, before: WorkItem, after: WorkItem) -> None:
        if announced := self._lives.announced(worker):
            partition, link = announced
            self.connections.wrote(partition, (link.issue_id, after.id), ado.catalog.organization)
            self._note_regression(worker, link.issue_id, before, after)
        if ado is self.facts.ado:
            self._lives.wrote_item(worker, before, after)

    def _note_regression(self, worker: Worker, issue_id: str, before: WorkItem, after: WorkItem) -> None:
        issue, status_of = worker.observed.get(issue_id), self.facts.status_of
        is_opened = status_of(before) is not status_of(after) is IssueStatus.UNRESOLVED
        if issue is not None and issue.regression and is_opened:
            self.comments.reopened(after, (issue_id, after.id), issue.regression)

    def stored(self, worker: Worker, table: str, partition: str, operations: Sequence[Operation]) -> None:
        if table == "links":
            self._lives.stored(worker, partition, operations)
            for each in operations:
                kind, *parts = each.key.split("!")
                if kind != "item":
                    continue
                pair = parts[1], int(parts[0])
                if isinstance(each, Insert):
                    self.created.linked(partition, pair)
                    self.connections.linked(partition, pair)
                elif isinstance(each, Delete):
                    self.created.parted(partition, pair)
        elif table == "activity" and partition == self.facts.partition:
            self._lives.stored_activity(worker, operations)

    # When all is quiet.

    def complaints(self) -> list[str]:
        """Say what is still not as it should be, now that nothing is under way any more."""
        found = [*self._under(Law.SETTLED, self._lives.complaints())]
        found += self._under(Law.PARTNERS, self._partners.waiting_for_nobody(self._lives.lives))
        found += self._under(Law.CREATED, self.created.complaints())
        found += self._under(Law.FORM, self.forms.complaints())
        return [*found, *self._under(Law.COMMENTS, self.comments.complaints())]

    def not_shown(self, *, all_told: bool) -> list[str]:
        """Say which links do not show on their ends, or show although they ended."""
        return self._under(Law.SHOWN, self._shown.complaints(all_told=all_told))

    def unheard(self) -> list[str]:
        """Say what the links do not know of, and would not look for by themselves."""
        return list(self._lives.unheard())

    def judge_rest(self) -> None:
        """Judge the last edit by what became of it, when everything went well and nothing is under way."""
        for problem in self._partners.at_rest(self._lives.lives):
            self._verdicts.against(Law.PARTNERS, problem)
        self.judge_who_waits()

    def judge_who_waits(self) -> None:
        for problem in self._partners.waiting_for_nobody(self._lives.lives):
            self._verdicts.against(Law.PARTNERS, problem)

    def _under(self, law: Law, complaints: Iterable[str]) -> list[str]:
        return [] if law in OFF else list(complaints)
