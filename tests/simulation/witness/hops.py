"""The law that an edit travels one hop: what we wrote to an end is no change of it for its other links."""

import itertools
from collections import defaultdict
from dataclasses import dataclass, replace

from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import STATUS, Facts, Pair, Worker, ends_of, issue_end, item_end


@dataclass(frozen=True)
class Change:
    """The last change of a field of an end; if it was ours, by whom, when, and for which link."""

    number: int = 0
    pair: Pair | None = None
    token: str = ""
    at: float = 0.0


_NEVER = Change()


class Hops:
    def __init__(self, facts: Facts, verdicts: Verdicts) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._numbers = itertools.count(1)
        self._last: dict[tuple[str, str], Change] = {}
        # Of each work item, the revisions that changed what its state counts as.
        self._statuses: dict[str, list[tuple[int, Change]]] = defaultdict(list)
        # Links that copy one side over, or that have come to another issue, carry what they find there.
        self.may_carry: set[Pair] = set()
        self._parted = False

    def person_changed(self, end: str, name: str) -> None:
        self._note(end, name, Change(next(self._numbers)))

    def _note(self, end: str, name: str, change: Change) -> None:
        self._last[end, name] = change
        kind, key = end.split()
        if name == STATUS and kind == "item":
            self._statuses[end].append((self._facts.ado.item(int(key)).rev, change))

    def parted(self) -> None:
        """Note that a link ended: whoever waited for its other partners may go on now."""
        self._parted = True

    def wrote(self, worker: Worker, pair: Pair, end: str, name: str, *, in_time: bool, copies: bool) -> None:
        """Judge a write of ours. One that lands after its claim ran out is known to nobody as ours.

        ``copies`` says that a person has one side copied over, whoever wrote it.
        """
        other = next(each for each in ends_of(pair) if each != end)
        source = self._last.get((other, name), _NEVER)
        is_waiting_over = name == STATUS and self._has_removed_partner(end)
        if not (is_waiting_over or copies) and self._is_carried_on(worker, source, pair, name):
            problem = f"{name} of {end} followed {other}, which had been written for {source.pair}"
            self._verdicts.against(Law.ONE_HOP, problem)
        change = Change(next(self._numbers))
        if in_time:
            change = replace(change, pair=pair, token=worker.token, at=self._facts.clock())
        self._note(end, name, change)

    def _is_carried_on(self, worker: Worker, source: Change, pair: Pair, name: str) -> bool:
        """Tell whether a write passes on what another one of ours had put there, as its worker could know."""
        if source.pair in {None, pair} or pair in self.may_carry or (name == STATUS and self._parted):
            return False
        came_meanwhile = source.token != worker.token and source.at > worker.since
        return not came_meanwhile and not self._is_ambiguous(source.pair or pair) and self._agree(pair, name)

    def _has_removed_partner(self, end: str) -> bool:
        """Tell whether a partner of an end is Removed, and so is left out: whoever waited for it goes on."""
        items = (
            self._facts.find_item(link.work_item_id)
            for link in self._facts.links()
            if issue_end(link.issue_id) == end
        )
        return any(item is not None and self._facts.is_removed(item) for item in items)

    def _is_ambiguous(self, pair: Pair) -> bool:
        """Tell whether a merge led the write to another issue, or a revision's number names two."""
        issue = self._facts.find_issue(pair[0])
        return issue is None or issue.issue_id != pair[0] or pair[1] in self._facts.restored

    def was_settled_by_another(self, pair: Pair, name: str) -> bool:
        """Tell whether the last change at either end was ours for another link, which goes no further."""
        changes = [self._last.get((end, name), _NEVER) for end in ends_of(pair)]
        return max(changes, key=lambda change: change.number).pair not in {None, pair}

    def stands_for_another(self, pair: Pair, rev: int) -> bool:
        """Tell whether the work item's status at a revision was what we had written for another link."""
        changes = [change for at, change in self._statuses[item_end(pair[1])] if at <= rev]
        return bool(changes) and changes[-1].pair not in {None, pair}

    def revisions_for_others(self, pair: Pair, known: int, rev: int) -> list[int]:
        """Return the revisions behind a known one that we wrote for other links to change the status."""
        changes = self._statuses[item_end(pair[1])]
        return [at for at, change in changes if known < at <= rev and change.pair not in {None, pair}]

    def _agree(self, pair: Pair, name: str) -> bool:
        issue, item = self._facts.find_issue(pair[0]), self._facts.ado.item(pair[1])
        return issue is not None and self._facts.agree(
            name, self._facts.values(name, issue, item), issue, item
        )
