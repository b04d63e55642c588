"""The other links of an end, as their rows tell: whether all partners are done, and who waited.

Also puts the messages that a settling brings about.
"""

from collections.abc import Callable

import msgspec

from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import IssueLink, Side
from shared.domain.ports import Queue
from shared.domain.rules.partners import all_done, may_end_waiting
from shared.store.links import LinkStore

_REOPENED_IN = 2.0  # seconds


class Partners(msgspec.Struct, frozen=True):
    """Knows the links of one connection by their ends."""

    organization: str
    epoch: str
    scope: str
    links: LinkStore
    inbound: Callable[[], Queue]
    outbound: Callable[[], Queue]

    def all_done(self, link: IssueLink, side: Side, *, archives: bool) -> bool:
        """Tell whether all other partners of the link's end on ``side`` let it be done, or be archived."""
        siblings = self.links.siblings(self.scope, link.issue_id, link.work_item_id, side)
        return all_done(siblings, side, archives=archives)

    def settle_later(self, before: IssueLink, after: IssueLink) -> None:
        """Have an end settled that waited for this link's partner, once that keeps it open no more."""
        for side in Side:
            if may_end_waiting(before, after, side):
                self._settle_waiting(after.issue_id, after.work_item_id, side)

    def unlinked(self, issue_id: str, work_item_id: int) -> None:
        """Have both ends settled that waited for the partner which a link joined them to."""
        for side in Side:
            self._settle_waiting(issue_id, work_item_id, side)

    def tell_of_regression(self, link: IssueLink, activity_id: str) -> None:
        """Have a work item told why it is about to be reopened."""
        slug, only = self.organization, (str(link.work_item_id),)
        message = OutboundMessage(slug, link.issue_id, epoch=self.epoch, only=only, regression=activity_id)
        self.outbound().put(message, delay=_REOPENED_IN)

    def _settle_waiting(self, issue_id: str, work_item_id: int, side: Side) -> None:
        """Put a message for an end that waits. Should it be lost, a waiting link still falls due."""
        siblings = self.links.siblings(self.scope, issue_id, work_item_id, side)
        if not any(each is not None and each.waiting is side for each in siblings):
            return
        slug, epoch = self.organization, self.epoch
        if side is Side.SENTRY:
            self.outbound().put(OutboundMessage(slug, issue_id, epoch=epoch, again=True))
        else:
            self.inbound().put(InboundMessage(slug, work_item_id, 0, epoch=epoch, again=True))
