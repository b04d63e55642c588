"""The law of Sentry's form: what it was told is linked, and stays so until somebody ends it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf

from tests.simulation.laws import Law, Verdicts
from tests.simulation.witness.created import Created
from tests.simulation.witness.facts import Facts

_REMEMBERED_FOR = 3600.0  # seconds in which the same form is no new wish


@dataclass
class Sent:
    """A form that was sent for an issue, and the work item that it was told of; 0 for none so far."""

    issue_id: str
    body: bytes
    partition: str
    at: float
    work_item_id: int = 0
    until: float = inf


class Forms:
    def __init__(self, facts: Facts, verdicts: Verdicts, created: Created) -> None:
        self._facts = facts
        self._verdicts = verdicts
        self._created = created
        self._sent: list[Sent] = []
        # What people ended: an issue's link to one work item, or (0) to whatever its page showed.
        self._ended: list[tuple[float, str, int]] = []

    def sent(self, issue_id: str, body: bytes) -> Sent:
        self._sent.append(Sent(issue_id, body, self._facts.partition, self._facts.clock()))
        return self._sent[-1]

    def unlinked(self, issue_id: str, work_item_id: int) -> None:
        self._ended.append((self._facts.clock(), issue_id, work_item_id))

    def removed(self, issue_id: str) -> None:
        self._facts.cleared.add(issue_id)
        self._ended.append((self._facts.clock(), issue_id, 0))

    def acknowledged(self, sent: Sent, work_item_id: int) -> None:
        """Judge an answer: the two are linked, or were while the form was at work."""
        sent.work_item_id, sent.until = work_item_id, self._facts.clock()
        if sent.partition == self._facts.partition and not self._was_linked_since(sent, sent.at):
            problem = f"the form was told that issue {sent.issue_id} is linked to {work_item_id}; it was not"
            self._verdicts.against(Law.FORM, problem)
        if (unlinked := self._unlinked_since_an_earlier(sent)) is not None:
            problem = (
                f"issue {sent.issue_id} was unlinked from {unlinked}, and an earlier form was taken anew"
            )
            self._verdicts.against(Law.FORM, problem)

    def _unlinked_since_an_earlier(self, sent: Sent) -> int | None:
        """Return the work item of the same form of before that somebody unlinked since, if it stayed so.

        Whoever removes the entry in Sentry after that has no other way to make it again than this form.
        """
        same = (each for each in self._sent if (each.partition, each.body) == (sent.partition, sent.body))
        last = max((each for each in same if each.until < sent.at), key=lambda each: each.until, default=None)
        if last is None or sent.at > last.until + _REMEMBERED_FOR or self._was_linked_since(last, sent.at):
            return None
        roots = {last.issue_id, self._root(last.issue_id)}
        ends = [
            (at, work_item_id)
            for at, issue_id, work_item_id in self._ended
            if last.until < at < sent.at and issue_id in roots and work_item_id in {0, last.work_item_id}
        ]
        return last.work_item_id if ends and max(ends)[1] else None

    def complaints(self) -> Iterator[str]:
        """Say which links the form was told of that nobody ended, and that are no more."""
        for each in self._sent:
            is_over = each.partition != self._facts.partition or each.partition in self._created.ended
            is_over = is_over or not each.work_item_id
            is_over = is_over or self._facts.find_issue(each.issue_id) is None
            if not is_over and not self._was_linked_since(each, inf) and not self._was_ended(each):
                yield f"the form linked issue {each.issue_id} to {each.work_item_id}, and the link is gone"
        yield from self._all_gone()
        yield from self._too_many()
        yield from self._kept()

    def _kept(self) -> Iterator[str]:
        """Say which links of the form stand though somebody removed the entry that showed them."""
        for link in self._facts.links():
            is_judged = link.issue_id in self._facts.cleared - self._facts.survivors
            is_judged = is_judged and not self._facts.is_kept_from(link)
            is_judged = is_judged and self._facts.find_issue(link.issue_id) is not None
            was_seen = link.form is not None and link.form.was_seen
            if is_judged and was_seen and self._facts.sentry.entry(link.issue_id) is None:
                yield f"issue {link.issue_id} shows no entry for {link.work_item_id}, and the link stands"

    def _all_gone(self) -> Iterator[str]:
        """Say which issues forms linked, one link in place of the other, and have none of the form now."""
        told = (each for each in self._sent if each.work_item_id and each.partition == self._facts.partition)
        linked = {link.issue_id for link in self._facts.links() if link.form is not None}
        ended = {self._root(issue_id) for _, issue_id, _ in self._ended} | self._facts.survivors
        for root in {self._root(each.issue_id) for each in told} - linked - ended:
            is_over = self._facts.partition in self._created.ended or self._facts.find_issue(root) is None
            if not is_over and not self._facts.unreadable():
                yield f"forms linked issue {root}, and none of their links stands"

    def _too_many(self) -> Iterator[str]:
        """Say which issues have several links of the form, although each form of theirs had its answer."""
        found = Counter(link.issue_id for link in self._facts.links() if link.form is not None)
        unanswered = {self._root(each.issue_id) for each in self._sent if not each.work_item_id}
        for issue_id, times in found.items():
            if times > 1 and issue_id not in unanswered | self._facts.survivors:
                yield f"issue {issue_id} has {times} links of the form"

    def _was_linked_since(self, sent: Sent, moment: float) -> bool:
        roots = {sent.issue_id, self._root(sent.issue_id)}
        return any(
            each.partition == sent.partition
            and each.pair[1] == sent.work_item_id
            and {each.pair[0], self._root(each.pair[0])} & roots
            and each.until >= moment
            for each in self._created.spans
        )

    def _was_ended(self, sent: Sent) -> bool:
        """Tell whether somebody unlinked the two or cleared the page, or another form came in their place."""
        root = self._root(sent.issue_id)
        for at, issue_id, work_item_id in self._ended:
            if at >= sent.at and self._root(issue_id) == root and work_item_id in {0, sent.work_item_id}:
                return True
        others = (each for each in self._sent if each is not sent and each.until >= sent.at)
        return any(self._root(each.issue_id) == root for each in others)

    def _root(self, issue_id: str) -> str:
        found = self._facts.find_issue(issue_id)
        return issue_id if found is None else found.issue_id
