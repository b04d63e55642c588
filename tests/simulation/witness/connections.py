"""The law of connections: a number means nothing without the organization that it was linked in."""

from collections.abc import Iterable

from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.facts import Pair


class Connections:
    """Where each link's numbers are at home: in the organization that was named when it was linked."""

    def __init__(self, verdicts: Verdicts) -> None:
        self._verdicts = verdicts
        self._places: dict[str, str] = {}
        self._homes: dict[tuple[str, Pair], str] = {}
        self._known: set[tuple[str, int]] = set()

    def began(self, partition: str, place: str) -> None:
        """Note which organization a connection is with: a worker may still link in one that has ended."""
        self._places[partition] = place

    def linked(self, partition: str, pair: Pair) -> None:
        place = self._places[partition]
        self._homes[partition, pair] = place
        self.asked_for(place, pair[1])

    def asked_for(self, place: str, number: int) -> None:
        """Note that a person names a work item of an organization, to link it."""
        self._known.add((place, number))

    def kept(self, partition: str, place: str) -> None:
        """Note that somebody said: it is the same organization, under another name."""
        self.began(partition, place)
        for key, pair in [each for each in self._homes if each[0] == partition]:
            self.linked(key, pair)

    def asked(self, place: str, numbers: Iterable[int]) -> None:
        for number in numbers:
            if (place, number) not in self._known:
                problem = f"work item {number} of {place} was asked for, and was never linked"
                self._verdicts.against(Law.CONNECTION, problem)

    def wrote(self, partition: str, pair: Pair, place: str) -> None:
        home = self._homes.get((partition, pair))
        if home is not None and home != place:
            problem = f"work item {pair[1]} of {place} was written for a link with that of {home}"
            self._verdicts.against(Law.CONNECTION, problem)
