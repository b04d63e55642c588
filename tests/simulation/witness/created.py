"""The law of creation by rule: one work item for an issue, however many rules and events fire, and linked.

A rule that fired and was taken leads to a work item, unless the issue is linked by then or a rule has made
one before.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from shared.sentry.names import name_in_address
from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import Facts, Pair, Worker, pair_of

# From then on another worker may take the first one for dead.
_STOOD_STILL = 30.0  # seconds


@dataclass(frozen=True)
class Fired:
    """A rule that fired for an issue, and of which we were told."""

    issue_id: str
    partition: str


@dataclass(frozen=True)
class Made:
    """A work item that we created, and the issue that it shows."""

    number: int
    issue_id: str
    partition: str
    is_unsure: bool


class Created:
    def __init__(self, facts: Facts, verdicts: Verdicts) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._fired: list[Fired] = []
        self._made: list[Made] = []
        self._linked: dict[Pair, float] = {}
        self._ended: set[str] = set()

    def fired(self, issue_id: str) -> None:
        self._fired.append(Fired(issue_id, self._facts.partition))

    def disconnected(self) -> None:
        """Note that the connection is over: nothing is promised of what was told under it."""
        self._ended.add(self._facts.partition)

    def linked(self, pair: Pair) -> None:
        """Note that two are linked, or were once."""
        self._linked[pair] = self._facts.clock()

    def made(self, number: int, addresses: Collection[str], worker: Worker) -> None:
        """Judge a work item that a worker created whose message named an issue.

        Whoever stood still in the middle of the call may come second, where nothing can call it back.
        """
        issue_id = next((name for each in addresses if (name := name_in_address(each))), "")
        is_unsure = self._facts.clock() - worker.began > _STOOD_STILL
        made = Made(number, issue_id, worker.partition, is_unsure)
        if not is_unsure:
            names = {issue_id, worker.about}
            for problem in [*self._made_twice(made, names), *self._made_for_nothing(worker, names)]:
                self._verdicts.against(Law.CREATED, f"work item {number} was created for {problem}")
        self._made.append(made)

    def _made_twice(self, made: Made, names: Collection[str]) -> Iterator[str]:
        for each in self._made:
            if each.partition == made.partition and each.issue_id in names and not each.is_unsure:
                yield f"issue {made.issue_id}, for which {each.number} had been"

    def _made_for_nothing(self, worker: Worker, names: Collection[str]) -> Iterator[str]:
        """Say what the issue was linked to before the worker began, and is still."""
        for link in self._facts.links():
            if link.issue_id in names and self._linked.get(pair_of(link), worker.since) < worker.since:
                yield f"issue {link.issue_id}, which {link.work_item_id} is linked to"

    def complaints(self) -> Iterator[str]:
        """Say which rules led to nothing, and what was created and never linked."""
        facts = self._facts
        if facts.partition in self._ended:
            return
        for fired in self._fired:
            root = self._root_of(fired.issue_id)
            if fired.partition == facts.partition and root is not None and not self._is_served(root):
                yield f"a rule fired for issue {fired.issue_id}, and nothing came of it"
        for made in self._made:
            root = self._root_of(made.issue_id)
            is_gone = root is None or facts.ado.is_deleted(made.number)
            if made.partition != facts.partition or made.is_unsure or is_gone:
                continue
            if not any(each.number == made.number for each in self._made_and_linked(root)):
                yield f"work item {made.number} was created for issue {made.issue_id}, and never linked"

    def _root_of(self, issue_id: str) -> str | None:
        found = self._facts.find_issue(issue_id)
        return None if found is None else found.issue_id

    def _is_served(self, root: str) -> bool:
        return any(self._root_of(issue_id) == root for issue_id, _ in self._linked) or any(
            self._root_of(each.issue_id) == root and self._facts.ado.is_deleted(each.number)
            for each in self._made
        )

    def _made_and_linked(self, root: str | None) -> Iterator[Made]:
        for each in self._made:
            pairs = (issue_id for issue_id, number in self._linked if number == each.number)
            if any(self._root_of(issue_id) == root for issue_id in pairs):
                yield each
