"""The law of comments: each one reaches every partner that its issue had when it was said, once."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.simulation.witness.facts import Facts, Pair, pair_of
from tests.simulation.witness.lives import Life

_NAMED = re.compile(r"#event_([0-9]+)(?![0-9])")


@dataclass
class Said:
    """A comment, and whether we answered for it.

    ``lives`` are the links of its issue, ``followers`` those of issues that were merged into it, and that
    have not come over yet. Nobody can know of them; but if there are no others, the comment waits for one.
    """

    lives: list[Life] = field(default_factory=list)
    followers: list[Life] = field(default_factory=list)
    taken: bool = False


class Comments:
    def __init__(self, facts: Facts, lives: Callable[[], dict[Pair, Life]]) -> None:
        self._facts = facts
        self._lives = lives
        self._said: dict[str, Said] = {}
        self._unsure: set[tuple[str, int]] = set()
        self._deleted: set[int] = set()
        self._was_off = False

    def deleted(self, work_item_id: int) -> None:
        """Note a work item that was in the recycle bin: what was said meanwhile is told to nobody."""
        self._deleted.add(work_item_id)

    def said(self, comment_id: str, issue_id: str) -> None:
        said = self._said[comment_id] = Said()
        for link in self._facts.links():
            issue, life = self._facts.find_issue(link.issue_id), self._lives().get(pair_of(link))
            if issue is not None and life is not None and issue.issue_id == issue_id:
                (said.lives if link.issue_id == issue_id else said.followers).append(life)

    def taken(self, comment_id: str) -> None:
        if comment_id in self._said:
            self._said[comment_id].taken = True

    def configured(self) -> None:
        configuration = self._facts.configuration
        self._was_off |= not (configuration.sync_comments and configuration.issue_sync)

    def stood_still(self, html: str, work_item_id: int) -> None:
        """Note a worker that stood still while its comment was on the way, where nothing can call it back."""
        self._unsure |= {(each, work_item_id) for each in _NAMED.findall(html)}

    def complaints(self) -> Iterator[str]:
        current = {id(life): pair for pair, life in self._lives().items()}
        for comment_id, said in self._said.items():
            due = [pair for pair in self._pairs(said.lives, current) if self._is_due(said, pair)]
            missed = [pair for pair in due if not self._times(pair[1])[comment_id]]
            yield from (f"comment {comment_id} never reached work item {pair[1]}" for pair in missed)
            due = [pair for pair in self._pairs(said.followers, current) if self._is_due(said, pair)]
            if due and not said.lives and not any(self._times(pair[1])[comment_id] for pair in due):
                yield f"comment {comment_id} reached none of the work items that followed its issue"
        for number in {pair[1] for pair in self._lives()}:
            for comment_id, times in self._times(number).items():
                if times > 1 and (comment_id, number) not in self._unsure:
                    yield f"comment {comment_id} is {times} times on work item {number}"

    def _pairs(self, lives: list[Life], current: dict[int, Pair]) -> list[Pair]:
        return [current[id(life)] for life in lives if id(life) in current]

    def _is_due(self, said: Said, pair: Pair) -> bool:
        return said.taken and not self._was_off and not self._is_out_of_reach(pair)

    def _is_out_of_reach(self, pair: Pair) -> bool:
        issue_id, number = pair
        kept_from = self._facts.bad.keys() & {f"issue {issue_id}", f"item {number}"}
        return bool(kept_from) or number in self._deleted or self._facts.find_issue(issue_id) is None

    def _times(self, work_item_id: int) -> Counter[str]:
        return Counter(
            comment_id
            for html in self._facts.ado.discussion(work_item_id)
            for comment_id in set(_NAMED.findall(html))
        )
