"""The law that an edit travels one hop: what we wrote to an end is no change of it for its other links."""

import itertools

from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import STATUS, Facts, Pair, ends_of

_NEVER: tuple[int, Pair | None] = (0, None)


class Hops:
    """``_last`` is the last change of each field of an end: its number, and the link it was ours for."""

    def __init__(self, facts: Facts, verdicts: Verdicts) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._changes = itertools.count(1)
        self._last: dict[tuple[str, str], tuple[int, Pair | None]] = {}
        # Links that copy one side over, or that have come to another issue, carry what they find there.
        self.may_carry: set[Pair] = set()
        self._parted = False

    def person_changed(self, end: str, name: str) -> None:
        self._last[end, name] = next(self._changes), None

    def parted(self) -> None:
        """Note that a link ended: whoever waited for its other partners may go on now."""
        self._parted = True

    def wrote(self, pair: Pair, end: str, name: str) -> None:
        other = next(each for each in ends_of(pair) if each != end)
        _, source = self._last.get((other, name), _NEVER)
        carried_on = source not in {None, pair} and pair not in self.may_carry and self._agree(pair, name)
        if carried_on and not (name == STATUS and self._parted):
            problem = f"{name} of {end} followed {other}, which had been written for {source}"
            self._verdicts.against(Law.ONE_HOP, problem)
        self._last[end, name] = next(self._changes), pair

    def was_settled_by_another(self, pair: Pair, name: str) -> bool:
        """Tell whether the last change at either end was ours for another link, which goes no further."""
        _, source = max(self._last.get((end, name), _NEVER) for end in ends_of(pair))
        return source not in {None, pair}

    def _agree(self, pair: Pair, name: str) -> bool:
        issue, item = self._facts.find_issue(pair[0]), self._facts.ado.item(pair[1])
        return issue is not None and self._facts.agree(
            name, self._facts.values(name, issue, item), issue, item
        )
