"""The law of creation: one work item for an issue, however many rules and events fire, and linked.

A rule that fired and was taken leads to a work item, unless the issue is linked by then or a rule has made
one before.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from math import inf

from shared.domain.connection import scope_of
from shared.domain.errors import NotFound
from shared.domain.messages import Message, OutboundMessage
from shared.sentry.names import name_in_address
from shared.store.keys import escaped
from tests.doubles.ado import MemoryAdo
from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import Facts, Pair, Worker

# From then on another worker may take the first one for dead.
_STOOD_STILL = 30.0  # seconds


@dataclass(frozen=True)
class Fired:
    """A rule that fired for an issue, and of which a message tells us; ``project`` is what it asks for."""

    issue_id: str
    project: str
    partition: str
    at: float


@dataclass
class Span:
    """When two were linked, and until when; a link that moves with its issue ends under the old id."""

    pair: Pair
    partition: str
    since: float
    until: float = inf


@dataclass(frozen=True)
class Made:
    """A work item that we created, and the issue that it shows."""

    number: int
    issue_id: str
    partition: str
    place: MemoryAdo
    is_unsure: bool
    is_by_rule: bool


class Created:
    def __init__(self, facts: Facts, verdicts: Verdicts) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._fired: list[Fired] = []
        self._made: list[Made] = []
        self.spans: list[Span] = []
        self.ended: set[str] = set()

    def put(self, message: Message) -> None:
        """Note a message that has something created, under the connection to which it belongs."""
        if isinstance(message, OutboundMessage) and message.action is not None:
            partition = escaped(scope_of(message.organization, message.epoch))
            self._fired.append(
                Fired(message.issue_id, message.action.project, partition, self._facts.clock())
            )

    def disconnected(self) -> None:
        """Note that the connection is over: nothing is promised of what was told under it."""
        self.ended.add(self._facts.partition)

    def linked(self, partition: str, pair: Pair) -> None:
        self.spans.append(Span(pair, partition, self._facts.clock()))

    def parted(self, partition: str, pair: Pair) -> None:
        for each in self.spans:
            if (each.partition, each.pair) == (partition, pair):
                each.until = min(each.until, self._facts.clock())

    def made(self, place: MemoryAdo, number: int, addresses: Collection[str], worker: Worker) -> None:
        """Judge a work item that a worker created whose message or form named an issue.

        Whoever stood still in the middle of the call may come second, where nothing can call it back.
        """
        issue_id = next((name for each in addresses if (name := name_in_address(each))), "")
        is_unsure = self._facts.clock() - worker.began > _STOOD_STILL
        partition = worker.partition or self._facts.partition
        made = Made(number, issue_id, partition, place, is_unsure, not worker.is_form)
        if not is_unsure:
            names = {issue_id, worker.about}
            problems = [*self._made_twice(made, names, worker)]
            if made.is_by_rule:
                problems += self._made_for_nothing(worker, names)
            for problem in problems:
                self._verdicts.against(Law.CREATED, f"work item {number} was created for {problem}")
        self._made.append(made)

    def _made_twice(self, made: Made, names: Collection[str], worker: Worker) -> Iterator[str]:
        for each in reversed(self._made):
            is_there = each.partition == made.partition and each.place is made.place
            known_as = names if each.is_by_rule and made.is_by_rule else {made.issue_id}
            is_its = is_there and each.issue_id in known_as and not each.is_unsure
            if not is_its:
                continue
            if not (self._was_deleted_unseen(each) or self._may_be_replaced(each, made, worker)):
                yield f"issue {made.issue_id}, for which {each.number} had been"
            return  # It took the place of those before it.

    def _was_deleted_unseen(self, made: Made) -> bool:
        """Tell whether somebody deleted what was created before it was linked: no query finds that."""
        was_linked = any(each.pair[1] == made.number for each in self.spans)
        return made.place.is_deleted(made.number) and not was_linked

    def _may_be_replaced(self, earlier: Made, made: Made, worker: Worker) -> bool:
        """Tell whether a form comes in, which may make another item once somebody did away with the first.

        Where the first is of another type, or shows no more in Sentry, the other one takes its place. Who
        merges issues while a form for one of them is at work may get an item for each.
        """
        if earlier.is_by_rule and made.is_by_rule:
            return False
        spans = [each for each in self.spans if each.pair[1] == earlier.number]
        was_parted = any(each.until < inf for each in spans)
        kinds = {each.place.item(each.number).work_item_type for each in (earlier, made)}
        shown = self._facts.sentry.entry(made.issue_id) or ""
        is_covered = bool(shown) and not shown.endswith(f"/{earlier.number}")
        is_removed = made.issue_id in self._facts.cleared or is_covered
        is_wanted = worker.is_form and bool(spans) and (is_removed or len(kinds) == 2)
        may_be = was_parted or is_wanted or made.issue_id in self._facts.survivors
        return may_be or earlier.place.is_deleted(earlier.number)

    def _made_for_nothing(self, worker: Worker, names: Collection[str]) -> Iterator[str]:
        """Say what the issue was linked to before the worker began, and is still."""
        for each in self.spans:
            is_its = each.partition == worker.partition and each.pair[0] in names
            if is_its and each.since < worker.since and each.until > self._facts.clock():
                yield f"issue {each.pair[0]}, which {each.pair[1]} is linked to"

    def is_begun(self, pair: Pair) -> bool:
        """Tell whether a form made a work item for an issue, had no answer, and left it at that."""
        was_linked = any(each.pair == pair for each in self.spans)
        return not was_linked and any((each.issue_id, each.number) == pair for each in self._made)

    def complaints(self) -> Iterator[str]:
        """Say which rules led to nothing, and what was created and never linked."""
        facts = self._facts
        if facts.partition in self.ended:
            return
        made = [each for each in self._made if each.partition == facts.partition]
        for fired in self._fired:
            root = self._root_of(fired.issue_id)
            is_due = fired.partition == facts.partition and root is not None
            if is_due and self._is_project(fired.project) and not self._is_served(fired, root, made):
                yield f"a rule fired for issue {fired.issue_id}, and nothing came of it"
        for each in made:
            if not each.is_by_rule:
                continue  # Whoever had no answer may leave it at that.
            root = self._root_of(each.issue_id)
            is_left_out = each.is_unsure or root is None or each.place.is_deleted(each.number)
            if not is_left_out and not any(span.pair[1] == each.number for span in self._spans_of(root)):
                yield f"work item {each.number} was created for issue {each.issue_id}, and never linked"

    def _is_project(self, name_or_id: str) -> bool:
        """Tell whether there is such a project: a rule may still name one of another organization."""
        try:
            self._facts.ado.get_project(name_or_id)
        except NotFound:
            return False
        return True

    def _is_served(self, fired: Fired, root: str | None, made: list[Made]) -> bool:
        """Tell whether the issue was linked when the rule had fired, or a rule had made an item before."""
        was_linked = any(each.until >= fired.at for each in self._spans_of(root))
        # What the form made, and somebody deleted before it was linked, is not made again by a rule.
        return was_linked or any(
            self._root_of(each.issue_id) == root and (each.is_by_rule or each.place.is_deleted(each.number))
            for each in made
        )

    def _spans_of(self, root: str | None) -> Iterator[Span]:
        for each in self.spans:
            if each.partition == self._facts.partition and self._root_of(each.pair[0]) == root:
                yield each

    def _root_of(self, issue_id: str) -> str | None:
        found = self._facts.find_issue(issue_id)
        return None if found is None else found.issue_id
