"""Edits of which no hook tells: some of each kind on both sides, and what shows that they arrived."""

import random
from collections.abc import Callable, Sequence

from bench.crowd import STATE, Crowd
from shared.domain.model import IssueStatus, Person

ANN, BOB = "ann@corp.example", "bob@corp.example"
ASSIGNED_TO = "System.AssignedTo"
KINDS_OF_A_SIDE = 5
_IsCarriedOver = Callable[[], bool]


class Edits:
    """So many edits on each side, at links that chance chose. Each ``make_`` returns what tells its end."""

    def __init__(self, crowd: Crowd, links: int, edits_of_a_side: int) -> None:
        self._crowd = crowd
        self._ado, self._sentry = crowd.ado.real, crowd.sentry.real
        chosen = random.Random(7).sample(range(1, links + 1), 2 * edits_of_a_side)
        self._at_items, self._at_issues = chosen[:edits_of_a_side], chosen[edits_of_a_side:]
        for email in (ANN, BOB):
            self._sentry.add_member(email)
        self._prepare()

    def make(self) -> _IsCarriedOver:
        """Make all edits, and return what tells whether all are carried over."""
        made = [*_each(self._at_items, self._item_edits()), *_each(self._at_issues, self._issue_edits())]
        return lambda: all(is_carried_over() for is_carried_over in made)

    def _prepare(self) -> None:
        """Let there be somebody to unassign, and something to un-archive, and let that come to rest."""
        unassigned = [number for numbers in (self._at_items, self._at_issues) for number in numbers[::5]]
        archived = self._at_issues[1::5]
        for number in unassigned:
            self._ado.edit(number, **{ASSIGNED_TO: ANN})
        for number in archived:
            self._sentry.archive(str(number))
        self._crowd.steady_run()
        for number in archived:
            self._ado.edit(number, **{STATE: "Closed"})
        self._crowd.steady_run()
        for number in unassigned:
            if self._sentry.get_issue(str(number)).assignee != Person(ANN):
                raise RuntimeError(f"issue {number} was not assigned")

    def _item_edits(self) -> Sequence[Callable[[int], _IsCarriedOver]]:
        return self._unassign_item, self._close_item, self._assign_item, self._move_item, self._delete_item

    def _issue_edits(self) -> Sequence[Callable[[int], _IsCarriedOver]]:
        return self._unassign_issue, self._unarchive, self._resolve, self._merge, self._delete_issue

    # In Azure DevOps.

    def _unassign_item(self, number: int) -> _IsCarriedOver:
        self._ado.edit(number, **{ASSIGNED_TO: ""})
        return lambda: self._sentry.get_issue(str(number)).assignee is None

    def _close_item(self, number: int) -> _IsCarriedOver:
        self._ado.edit(number, **{STATE: "Closed"})
        return lambda: self._sentry.get_issue(str(number)).status is IssueStatus.RESOLVED

    def _assign_item(self, number: int) -> _IsCarriedOver:
        self._ado.edit(number, **{ASSIGNED_TO: BOB})
        return lambda: self._sentry.get_issue(str(number)).assignee == Person(BOB)

    def _move_item(self, number: int) -> _IsCarriedOver:
        here = self._ado.item(number).project_id
        there = next(each for each in self._crowd.projects if each.id != here)
        self._ado.move(number, there.name)
        return lambda: self._crowd.link_of(number).project_id == there.id

    def _delete_item(self, number: int) -> _IsCarriedOver:
        self._ado.delete(number)
        return lambda: self._crowd.link_of(number).health.reason == "work-item-gone"

    # In Sentry.

    def _unassign_issue(self, number: int) -> _IsCarriedOver:
        self._sentry.unassign(str(number))
        return lambda: self._ado.item(number).assignee is None

    def _unarchive(self, number: int) -> _IsCarriedOver:
        self._sentry.unarchive(str(number))
        return lambda: self._ado.item(number).state != "Closed"

    def _resolve(self, number: int) -> _IsCarriedOver:
        self._sentry.resolve(str(number))
        return lambda: self._ado.item(number).state == "Closed"

    def _merge(self, number: int) -> _IsCarriedOver:
        survivor = f"{number}000000"
        self._sentry.add_issue(issue_id=survivor)
        self._sentry.merge(str(number), into=survivor)
        return lambda: self._crowd.link_of(number).issue_id == survivor

    def _delete_issue(self, number: int) -> _IsCarriedOver:
        self._sentry.delete(str(number))
        return lambda: self._crowd.link_of(number).health.reason == "issue-gone"


def _each(
    numbers: Sequence[int], edits: Sequence[Callable[[int], _IsCarriedOver]]
) -> Sequence[_IsCarriedOver]:
    """Make the edits in turn, one at each link."""
    return [edits[place % KINDS_OF_A_SIDE](number) for place, number in enumerate(numbers)]
