"""The law of several links at one end, judged where it can be told exactly: after an edit made at rest.

Such an edit reaches the partners of its end and nobody else. They become open at once; done only if all their
partners are done. Partners that are gone, archived or Removed do not count.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shared.domain.model import Assignee, IssueLink, IssueStatus, Stranger
from tests.simulation.witness.facts import (
    ASSIGNEE,
    STATUS,
    Facts,
    Pair,
    ends_of,
    issue_end,
    item_end,
    pair_of,
)
from tests.simulation.witness.lives import Life

DONE, OPEN, ARCHIVED, GONE, REMOVED = "done", "open", "archived", "gone", "removed"
_COUNTED = frozenset({DONE, OPEN})


@dataclass(frozen=True)
class Standing:
    """How every end stands at one moment."""

    statuses: dict[str, str]
    assignees: dict[str, Assignee]


class Partners:
    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._waited: set[Pair] = set()
        self._before: Standing | None = None
        self._edits: list[tuple[str, str]] = []
        self._something_else = False
        self._somebody_joined = False

    def edited(self, end: str, name: str) -> None:
        self._edits.append((end, name))

    def something_else_happened(self) -> None:
        """Note what is no edit of a field: no rule of this module says what follows from it."""
        self._something_else = True

    def somebody_joined(self) -> None:
        """Whoever was not known before is tried again at a time of its own."""
        self._somebody_joined = True

    def at_rest(self, lives: Mapping[Pair, Life]) -> Iterator[str]:
        """Judge the one edit since the last rest, if there was just one and nothing else."""
        waited, self._waited = self._waited, {pair for pair, life in lives.items() if life.waits}
        now, links = self._standing(), list(self._facts.links())
        before, self._before = self._before, now
        edits, self._edits = self._edits, []
        something_else, self._something_else = self._something_else, False
        if before is None or something_else or self._facts.reinterpreted or len(edits) != 1:
            return
        [(end, name)] = edits
        if name == STATUS:
            yield from self._complaints_about_status(end, before, now, links, waited)
        elif not self._somebody_joined:
            yield from self._complaints_about_assignee(end, before, now, links)

    def waiting_for_nobody(self, lives: Mapping[Pair, Life]) -> Iterator[str]:
        """Complain about whoever is still on record as waiting for others that are all done."""
        now, links = self._standing(), list(self._facts.links())
        for link in links:
            life = lives.get(pair_of(link))
            if life is None or not life.waits or self._facts.reconfigured or not self._is_free(link):
                continue
            ends = ends_of(pair_of(link))
            for end, other in (ends, ends[::-1]):
                if now.statuses[end] != DONE or now.statuses[other] != OPEN or not self._travels(end, STATUS):
                    continue
                partners = _partners_of(other, links)
                if self._hides_one(other) or any(self._cannot_be_told(each) for each in partners.values()):
                    continue
                if all(now.statuses[each] != OPEN for each in partners):
                    yield f"{other} waits for others than {end} to be done, and all are"

    def _cannot_be_told(self, link: IssueLink) -> bool:
        """Tell whether nobody knows how a partner stands, or it cannot be settled itself."""
        item = self._facts.find_item(link.work_item_id)
        is_unknown = item is not None and item.state in self._facts.ado.unlisted
        # A restored backup's revision, reached anew, looks like the one that was seen.
        is_ambiguous = item is not None and len(self._facts.revisions_at(item.id, link.seen.item.rev)) > 1
        return is_unknown or is_ambiguous or not self._is_free(link)

    def _hides_one(self, end: str) -> bool:
        """Tell whether an end has a partner whose link nobody can read: it counts as not done."""
        return any(end in ends_of(pair) for pair in self._facts.unreadable())

    # Who stands how

    def _standing(self) -> Standing:
        statuses: dict[str, str] = {}
        assignees: dict[str, Assignee] = {}
        for link in self._facts.links():
            issue, item = self._facts.find_issue(link.issue_id), self._facts.find_item(link.work_item_id)
            ends = (issue_end(link.issue_id), item_end(link.work_item_id))
            statuses |= dict(zip(ends, (self._of_issue(link), self._of_item(link)), strict=True))
            assignees |= {
                end: each.assignee for end, each in zip(ends, (issue, item), strict=True) if each is not None
            }
        return Standing(statuses, assignees)

    def _merged(self) -> set[str]:
        """Return the ends of issues that show what another one does, as long as their links do not follow."""
        issues = ((link.issue_id, self._facts.find_issue(link.issue_id)) for link in self._facts.links())
        return {issue_end(name) for name, issue in issues if issue is not None and issue.issue_id != name}

    def _of_issue(self, link: IssueLink) -> str:
        issue = self._facts.find_issue(link.issue_id)
        if issue is None:
            return GONE
        words = {IssueStatus.RESOLVED: DONE, IssueStatus.UNRESOLVED: OPEN, IssueStatus.IGNORED: ARCHIVED}
        return words[issue.status]

    def _of_item(self, link: IssueLink) -> str:
        item = self._facts.find_item(link.work_item_id)
        if item is None:
            return GONE
        if self._facts.is_removed(item):
            return REMOVED
        status = self._facts.status_of(item)
        if status is IssueStatus.IGNORED:
            return ARCHIVED
        return DONE if status is IssueStatus.RESOLVED else OPEN

    # What should have become of an edit

    def _complaints_about_status(
        self, end: str, before: Standing, now: Standing, links: list[IssueLink], waited: set[Pair]
    ) -> Iterator[str]:
        partners, edited = _partners_of(end, links), now.statuses.get(end)
        for other in now.statuses.keys() - {end}:
            was, became = before.statuses.get(other), now.statuses[other]
            if other not in partners:
                if was != became and other not in self._merged():
                    yield f"{other} became {became} when {end} became {edited}, and they are not linked"
                continue
            expected = self._expected_status(end, other, before, now, links, waited)
            if expected is not None and became != expected and self._is_free(partners[other]):
                yield f"{other} is {became}, not {expected}, after {end} became {edited}"

    def _expected_status(
        self,
        end: str,
        other: str,
        before: Standing,
        now: Standing,
        links: list[IssueLink],
        waited: set[Pair],
    ) -> str | None:
        """Return how a partner should stand after an edit, or None where that is left open."""
        was, edited = before.statuses[other], now.statuses[end]
        if ARCHIVED in {edited, before.statuses[end], was} and self._archives():
            # With one partner there is nothing to wait for, and being archived is carried like being done.
            alone = len(_partners_of(other, links)) == 1
            is_done_for_it = end.startswith("item") and edited == ARCHIVED and was == OPEN
            return ARCHIVED if alone and is_done_for_it and self._travels(end, STATUS) else None
        if was not in _COUNTED or not self._travels(end, STATUS):
            return was
        if before.statuses[end] == REMOVED or (before.statuses[end], edited) == (DONE, REMOVED):
            return None  # It is back, and what it missed is nobody's edit; or it counts as reopened by it.
        if edited == OPEN:
            return OPEN
        partners = _partners_of(other, links)
        if self._archives() and any(now.statuses[each] == ARCHIVED for each in partners):
            return None  # Whoever waited to have it archived may be the only one left.
        counted = [each for each in partners if now.statuses[each] in _COUNTED]
        all_done = bool(counted) and all(now.statuses[each] == DONE for each in counted)
        all_done = all_done and not self._hides_one(other)
        if edited not in _COUNTED:
            # It is left out from now on: whoever waited for nobody else goes on.
            return DONE if all_done and any(pair_of(partners[each]) in waited for each in counted) else was
        needs_all = self._facts.configuration.done_when == "all"
        return DONE if all_done or not needs_all else was

    def _complaints_about_assignee(
        self, end: str, before: Standing, now: Standing, links: list[IssueLink]
    ) -> Iterator[str]:
        partners, edited = _partners_of(end, links), now.assignees.get(end)
        for other in now.assignees.keys() - {end}:
            was, became = before.assignees.get(other), now.assignees[other]
            if other not in partners or not self._travels(end, ASSIGNEE) or isinstance(edited, Stranger):
                if was != became:
                    yield f"{other} was assigned to {became} when {end} was assigned to {edited}"
                continue
            left_alone = isinstance(was, Stranger) or now.statuses[other] == REMOVED
            in_ado, in_sentry = (became, edited) if other.startswith("item") else (edited, became)
            same = self._facts.same_person(in_ado, in_sentry)
            if not left_alone and not same and self._is_free(partners[other]):
                yield f"{other} is assigned to {became}, not to {edited} as {end} is"

    def _travels(self, end: str, name: str) -> bool:
        configuration = self._facts.configuration
        ways = {
            ("issue", STATUS): configuration.sync_status_forward,
            ("item", STATUS): configuration.sync_status_reverse,
            ("issue", ASSIGNEE): configuration.sync_forward_assignment,
            ("item", ASSIGNEE): configuration.sync_reverse_assignment,
        }
        return configuration.issue_sync and ways[end.split(maxsplit=1)[0], name]

    def _archives(self) -> bool:
        """Tell whether an item can be done in a way that archives, or an issue's archiving moves an item."""
        mappings = self._facts.configuration.status_mapping.values()
        return bool(self._facts.configuration.archive_reasons or any(each.on_archive for each in mappings))

    def _is_free(self, link: IssueLink) -> bool:
        """Tell whether nothing that is on record keeps the link from being settled."""
        return link.health.word == "settled" and not self._facts.is_kept_from(link)


def _partners_of(end: str, links: list[IssueLink]) -> dict[str, IssueLink]:
    """Return the other ends of an end's links, each with its link."""
    found = {}
    for link in links:
        ends = [issue_end(link.issue_id), item_end(link.work_item_id)]
        if end in ends:
            ends.remove(end)
            found[ends[0]] = link
    return found
