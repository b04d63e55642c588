"""The other links of an end, as their rows tell: whether all partners are done, and who waited."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import IssueLink, Side
from shared.domain.ports import Queue
from shared.domain.rules.partners import all_done, may_end_waiting
from shared.store.links import LinkStore


@dataclass(frozen=True)
class Partners:
    """Knows the links of one connection by their ends."""

    organization: str
    epoch: str
    scope: str
    links: LinkStore
    inbound: Callable[[], Queue]
    outbound: Callable[[], Queue]

    def all_done(self, link: IssueLink, side: Side) -> bool:
        """Tell whether all other partners of the link's end on ``side`` are done, or left out."""
        return all_done(self._siblings(link, side), side)

    def settle_later(self, before: IssueLink, after: IssueLink) -> None:
        """Have an end settled that waited for this link's partner, once that keeps it open no more."""
        for side in Side:
            if may_end_waiting(before, after, side):
                self._settle_waiting(after, side)

    def unlinked(self, link: IssueLink) -> None:
        """Have both ends settled that waited for the partner which this link joined them to."""
        for side in Side:
            self._settle_waiting(link, side)

    def _settle_waiting(self, link: IssueLink, side: Side) -> None:
        """Put a message for an end that waits. Should it be lost, a waiting link still falls due."""
        if not any(each.waiting is side for each in self._siblings(link, side)):
            return
        if side is Side.SENTRY:
            self.outbound().put(OutboundMessage(self.organization, link.issue_id, epoch=self.epoch))
        else:
            number, rev = link.work_item_id, link.seen.item.rev
            self.inbound().put(InboundMessage(self.organization, number, rev, epoch=self.epoch))

    def _siblings(self, link: IssueLink, side: Side) -> list[IssueLink]:
        found = (
            self.links.for_issue(self.scope, link.issue_id)
            if side is Side.SENTRY
            else self.links.for_work_item(self.scope, link.work_item_id)
        )
        itself = (link.issue_id, link.work_item_id)
        return [each.link for each in found if (each.link.issue_id, each.link.work_item_id) != itself]
