"""Whether the links show on their ends, and nothing else of ours does."""

from collections import Counter
from collections.abc import Iterator

from shared.domain.rules.back_links import Mark
from shared.sentry.names import name_in_address
from tests.simulation.witness.created import Created
from tests.simulation.witness.facts import Facts, Pair, pair_of


class Shown:
    """Reads the hyperlinks and the entries that the doubles hold."""

    def __init__(self, facts: Facts, created: Created) -> None:
        self._facts = facts
        self._created = created

    def complaints(self, *, all_told: bool) -> Iterator[str]:
        """Say what is not shown, or twice, or still; ``all_told`` says that every link there was is known."""
        facts = self._facts
        links = [link for link in facts.links() if not facts.is_kept_from(link)]
        there = {
            pair_of(link)
            for link in links
            # What is refused is told, and tried again in a day.
            if link.back_links is not None
            and not link.back_links.reason
            and facts.find_issue(link.issue_id) is not None
            and facts.find_item(link.work_item_id) is not None
        }
        shown = self._hyperlinks({item for _, item in there})
        for pair, times in shown.items():
            if times > 1:
                yield f"work item {pair[1]} shows issue {pair[0]} {times} times"
            is_known = pair in self._linked() | facts.ending() or self._created.is_begun(pair)
            if all_told and not is_known:
                yield f"work item {pair[1]} shows issue {pair[0]}, to which it is not linked"
        for pair in there - shown.keys():
            yield f"work item {pair[1]} does not show issue {pair[0]}"
        for issue_id in {issue for issue, _ in there}:
            if facts.sentry.entry(issue_id) is None and issue_id not in facts.cleared:
                yield f"issue {issue_id} shows no work item"

    def _linked(self) -> set[Pair]:
        """Return the pairs that are linked, each under the names that its issue had until it can be renamed.

        That the issue is gone by then is told of the link, and asked again in a day.
        """
        links = list(self._facts.links())
        shown = ((link.back_links, link.work_item_id) for link in links)
        merged = {(name, item) for each, item in shown if each and each.reason for name in each.merged}
        return {pair_of(link) for link in links} | merged

    def _hyperlinks(self, items: set[int]) -> Counter[Pair]:
        """Count the hyperlinks with our mark by the pair that they show.

        That of an item which was made for an issue leads on to what the issue was merged into; but where
        whoever had it made left it at that, no link knows of that name.
        """
        found: Counter[Pair] = Counter()
        left: set[Pair] = set()
        for item in items:
            for url, comment in self._facts.ado.hyperlinks(item):
                issue_id = name_in_address(url)
                if issue_id is not None and comment == str(Mark.CREATED):
                    name, issue = issue_id, self._facts.find_issue(issue_id)
                    issue_id = issue_id if issue is None else issue.issue_id
                    if issue_id != name and self._created.is_begun((name, item)):
                        left.add((issue_id, item))
                if issue_id is not None and comment in {str(Mark.LINKED), str(Mark.CREATED)}:
                    found[issue_id, item] += 1
        return Counter({pair: times - (times > 1 and pair in left) for pair, times in found.items()})
