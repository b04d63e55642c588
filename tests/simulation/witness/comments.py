"""The law of comments: each one reaches every partner that its end had when it was said, once.

What follows is followed: an edit changes the copy, and a deletion removes it. Whatever is ours is answered by
nobody. A work item that we reopen for a regression is told so, once.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shared.domain.model import WorkItem
from tests.doubles import ado as ado_double
from tests.doubles import sentry as sentry_double
from tests.simulation.witness.facts import Facts, Pair, pair_of
from tests.simulation.witness.lives import Life

_FROM_SENTRY = re.compile(r"#event_([0-9]+)(?![0-9])")
_FROM_ADO = re.compile(r"#comment-([0-9]+)(?![0-9])")


@dataclass
class Said:
    """A comment, and for which of its hooks we answered.

    ``lives`` are the links of its end, ``followers`` those of issues that were merged into its own, and that
    have not come over yet. Nobody can know of them; but if there are no others, the comment waits for one.
    """

    lives: list[Life] = field(default_factory=list)
    followers: list[Life] = field(default_factory=list)
    text: str = ""
    is_deleted: bool = False
    taken: set[str] = field(default_factory=set)
    # The links that had not come over yet when the comment of a merged issue was edited or deleted.
    behind: set[int] = field(default_factory=set)
    # The issues of a work item when something was said there; merged later, one of them has it twice.
    issues: set[str] = field(default_factory=set)

    @property
    def is_taken_back(self) -> bool:
        return _DELETED in self.taken


@dataclass(frozen=True)
class Reopened:
    """A work item that we reopened as its issue had come back, and the life of the link that did it."""

    number: int
    rev: int
    regression: str
    life: Life


_DELETED = "deleted"


class Comments:
    def __init__(self, facts: Facts, lives: Callable[[], dict[Pair, Life]]) -> None:
        self._facts = facts
        self._lives = lives
        self._said: dict[str, Said] = {}
        self._said_in_ado: dict[tuple[int, str], Said] = {}
        self._unsure: set[tuple[str, int]] = set()
        self._unsure_in_sentry: set[str] = set()
        self._deleted: set[int] = set()
        self._was_off = False
        self._was_off_inbound = False
        self._was_off_for_status = False
        self._reopened: list[Reopened] = []

    def deleted(self, work_item_id: int) -> None:
        """Note a work item that was in the recycle bin: what was said meanwhile is told to nobody."""
        self._deleted.add(work_item_id)

    # What people say

    def said(self, comment_id: str, issue_id: str, text: str) -> None:
        said = self._said[comment_id] = Said(text=text)
        for link in self._facts.links():
            issue, life = self._facts.find_issue(link.issue_id), self._lives().get(pair_of(link))
            if issue is not None and life is not None and issue.issue_id == issue_id:
                (said.lives if link.issue_id == issue_id else said.followers).append(life)

    def edited(self, comment_id: str, issue_id: str, text: str) -> None:
        self._said[comment_id].text = text
        self._leave_behind(comment_id, issue_id)

    def taken_away(self, comment_id: str, issue_id: str) -> None:
        self._said[comment_id].is_deleted = True
        self._leave_behind(comment_id, issue_id)

    def _leave_behind(self, comment_id: str, issue_id: str) -> None:
        lives = self._lives()
        others = (lives.get(pair_of(each)) for each in self._facts.links() if each.issue_id != issue_id)
        self._said[comment_id].behind |= {id(each) for each in others}

    def said_in_ado(self, comment_id: int, work_item_id: int, text: str) -> None:
        said = self._said_in_ado[work_item_id, str(comment_id)] = Said(text=text)
        for link in self._facts.links():
            issue, life = self._facts.find_issue(link.issue_id), self._lives().get(pair_of(link))
            if life is not None and link.work_item_id == work_item_id:
                said.lives.append(life)
                said.issues |= {issue.issue_id} if issue else set()

    # What we were told

    def taken(self, event: sentry_double.Event) -> None:
        if said := self._said.get(event.comment_id):
            said.taken.add(
                _DELETED if event.action == _DELETED else event.comment.text if event.comment else ""
            )

    def taken_from_ado(self, event: ado_double.Event) -> None:
        if event.comment and (said := self._said_in_ado.get((event.item.id, str(event.comment.id)))):
            said.taken.add(event.comment.text)

    def configured(self) -> None:
        configuration = self._facts.configuration
        self._was_off |= not (configuration.sync_comments and configuration.issue_sync)
        self._was_off_for_status |= not (configuration.sync_status_forward and configuration.issue_sync)
        self._was_off_inbound |= configuration.sync_comments_reverse != "all" or not configuration.issue_sync

    def reopened(self, item: WorkItem, pair: Pair, regression: str) -> None:
        """Note that we reopened an item because of a regression, which it is to be told."""
        if life := self._lives().get(pair):
            self._reopened.append(Reopened(item.id, item.rev, regression, life))

    def stood_still(self, html: str, work_item_id: int) -> None:
        """Note a worker that stood still while its comment was on the way, where nothing can call it back."""
        self._unsure |= {(each, work_item_id) for each in _FROM_SENTRY.findall(html)}

    def stood_still_in_sentry(self, text: str) -> None:
        self._unsure_in_sentry |= set(_FROM_ADO.findall(text))

    # What came of it

    def complaints(self) -> Iterator[str]:
        yield from self._outbound()
        yield from self._untold_regressions()
        yield from self._inbound()
        yield from self._answered()

    def _outbound(self) -> Iterator[str]:
        current = {id(life): pair for pair, life in self._lives().items()}
        for comment_id, said in self._said.items():
            due = [pair for pair in self._pairs(said.lives, current) if self._is_due(said, pair)]
            for pair in due:
                if id(self._lives()[pair]) not in said.behind:
                    yield from self._copy(comment_id, said, pair[1])
            due = [pair for pair in self._pairs(said.followers, current) if self._is_due(said, pair)]
            if (
                due
                and not said.lives
                and not said.is_deleted
                # Merged on into an issue with links of its own, it went to those.
                and not any(self._times(number)[comment_id] for _, number in self._lives())
            ):
                yield f"comment {comment_id} reached none of the work items that followed its issue"
        for number in {pair[1] for pair in self._lives()}:
            for comment_id, times in self._times(number).items():
                if times > 1 and (comment_id, number) not in self._unsure:
                    yield f"comment {comment_id} is {times} times on work item {number}"

    def _untold_regressions(self) -> Iterator[str]:
        """Say which item was not told why it is open, as long as it is so by that very write of ours."""
        current = {id(life): pair for pair, life in self._lives().items()}
        for each in self._reopened:
            pair = current.get(id(each.life))
            if pair is None or self._was_off_for_status or self._is_out_of_reach(pair):
                continue
            states = {one.item.state for one in self._facts.ado.revisions(each.number)[each.rev - 1 :]}
            is_ambiguous = each.number in self._facts.restored or len(states) != 1
            if not is_ambiguous and not self._times(each.number)[each.regression]:
                yield f"work item {each.number} was reopened by regression {each.regression}, and not told"

    def _copy(self, comment_id: str, said: Said, number: int) -> Iterator[str]:
        """Compare what a work item shows of a comment with what it says now, as far as we were told."""
        shown = [
            html for html in self._facts.ado.discussion(number) if _FROM_SENTRY.findall(html) == [comment_id]
        ]
        if said.is_taken_back:
            if shown and (comment_id, number) not in self._unsure:
                yield f"comment {comment_id} was deleted, and is still on work item {number}"
        elif not said.is_deleted and not shown:
            yield f"comment {comment_id} never reached work item {number}"
        elif self._is_out_of_date(said, shown) and (comment_id, number) not in self._unsure:
            yield f"comment {comment_id} was edited, and work item {number} shows it as it was"

    def _is_out_of_date(self, said: Said, shown: list[str]) -> bool:
        return not said.is_deleted and said.text in said.taken and said.text not in shown[0]

    def _inbound(self) -> Iterator[str]:
        current = {id(life): pair for pair, life in self._lives().items()}
        for (number, key), said in self._said_in_ado.items():
            for issue_id, _ in self._pairs(said.lives, current):
                is_due = (
                    said.taken and not self._was_off_inbound and not self._is_out_of_reach((issue_id, number))
                )
                if is_due and not self._times_in_sentry(issue_id)[key]:
                    yield f"comment {key} of work item {number} never reached issue {issue_id}"
        for issue_id in {pair[0] for pair in self._lives()}:
            for key, times in self._times_in_sentry(issue_id).items():
                if times > self._merged_into(issue_id, key) and key not in self._unsure_in_sentry:
                    yield f"comment {key} of a work item is {times} times on issue {issue_id}"

    def _merged_into(self, issue_id: str, key: str) -> int:
        """Return how many issues that a comment was to reach are one by now."""
        issues = {
            each for (_, named), said in self._said_in_ado.items() if named == key for each in said.issues
        }
        found = (self._facts.find_issue(each) for each in issues)
        return max(1, sum(each is not None and each.issue_id == issue_id for each in found))

    def _answered(self) -> Iterator[str]:
        for issue_id, number in self._lives():
            if any(_FROM_ADO.search(each) for each in self._facts.ado.discussion(number)):
                yield f"work item {number} shows what was carried from a work item"
            if any(_FROM_SENTRY.search(each) for each in self._facts.sentry.discussion(issue_id)):
                yield f"issue {issue_id} shows what was carried from an issue"

    def _pairs(self, lives: list[Life], current: dict[int, Pair]) -> list[Pair]:
        return [current[id(life)] for life in lives if id(life) in current]

    def _is_due(self, said: Said, pair: Pair) -> bool:
        return bool(said.taken) and not self._was_off and not self._is_out_of_reach(pair)

    def _is_out_of_reach(self, pair: Pair) -> bool:
        issue_id, number = pair
        kept_from = self._facts.bad.keys() & {f"issue {issue_id}", f"item {number}"}
        return bool(kept_from) or number in self._deleted or self._facts.find_issue(issue_id) is None

    def _times(self, work_item_id: int) -> Counter[str]:
        return Counter(
            comment_id
            for html in self._facts.ado.discussion(work_item_id)
            for comment_id in set(_FROM_SENTRY.findall(html))
        )

    def _times_in_sentry(self, issue_id: str) -> Counter[str]:
        return Counter(
            key for text in self._facts.sentry.discussion(issue_id) for key in set(_FROM_ADO.findall(text))
        )
