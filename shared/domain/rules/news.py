"""What the reconciler takes for news: how a service shows something now, beside what was seen of it."""

from shared.domain.claims import is_held
from shared.domain.errors import Forbidden, Unauthorized
from shared.domain.failures import ISSUE_GONE, WORK_ITEM_GONE
from shared.domain.messages import InboundMessage
from shared.domain.model import HealthWord, IssueLink, SentryIssue, WorkItem
from shared.domain.moments import DAY, is_due
from shared.domain.rules.landing import is_unseen

_ON_ITS_WAY = 3600.0  # seconds; no message is older, unless nobody handles any
# A token that is lost may be answered like an outage; after so many failures in a row it is given up.
_FAILURES_OF_A_TOKEN = 3
# What our credentials do not reach is in no list, whether it is there or not.
_KEPT_FROM = frozenset({Forbidden.kind, Unauthorized.kind})


def message_for_due(link: IssueLink, now: float, *, everything: bool = False) -> InboundMessage | None:
    """Return the message for a link that is to be settled however its work item stands, or None.

    A link of which something was never seen was made to be carried over, and nobody did. ``everything``
    takes up each link that is not settled, whether it is due or not.
    """
    health, claim = link.health, link.claim
    abandoned = claim is not None and not is_held(claim.until, now)
    unwell = health.word is not HealthWord.SETTLED
    # An older version of the app left what is gone without a time.
    due = health.is_due(now) or (unwell and health.due is None)
    unseen = is_unseen(link.seen) and not unwell and claim is None
    return ask_about(link) if abandoned or due or unseen or (everything and unwell) else None


def is_news(link: IssueLink, rev: int) -> bool:
    """Tell whether a revision is newer than what was seen, and than the one at which settling failed last.

    That one is no news any more: the link is tried again when it is due.
    """
    if link.health.reason == WORK_ITEM_GONE:
        return rev > link.health.rev
    return rev > max(link.seen.item.rev, link.health.rev)


def message_for_rev(link: IssueLink, rev: int, snapshot: WorkItem | None) -> InboundMessage | None:
    """Return the message for a link whose work item is at ``rev``, or None if that is no news.

    What was seen of a work item that was gone cannot be built on, so it is asked for.
    """
    if not is_news(link, rev):
        return None
    is_back = link.health.reason == WORK_ITEM_GONE
    return ask_about(link, rev) if is_back or snapshot is None else ask_about(link, rev, snapshot)


def message_for_item(link: IssueLink, item: WorkItem | None) -> InboundMessage | None:
    """Return the message for a link whose work item was just asked for, or None if it is as it was seen.

    None is an item that is gone. At a lower rev it comes from a backup.
    """
    if item is None:
        return None if link.health.reason in _KEPT_FROM else message_for_deletion(link)
    is_well = link.health.word is HealthWord.SETTLED
    is_restored = is_well and item.rev < link.seen.item.rev
    return ask_about(link, item.rev) if is_restored else message_for_rev(link, item.rev, item)


def message_for_deletion(link: IssueLink) -> InboundMessage | None:
    """Return the message for a link whose work item was deleted, or None if an end is gone already.

    What else is wrong with a link, and when that is tried again, says nothing of what becomes of its item.
    """
    return None if link.health.reason in {WORK_ITEM_GONE, ISSUE_GONE} else ask_about(link)


def ask_about(link: IssueLink, rev: int = 0, snapshot: WorkItem | None = None) -> InboundMessage:
    """Return a message of the reconciler's own. ``rev`` 0 says that nobody saw the work item."""
    return InboundMessage(
        link.organization, link.work_item_id, rev, snapshot=snapshot, epoch=link.epoch, again=True
    )


def is_compared(link: IssueLink) -> bool:
    """Tell whether a link's issue is compared with what was seen of it.

    A link that is not well is taken up when it is due, and one that is being written when its claim ends.
    """
    return link.claim is None and link.health.is_observed


def differs(link: IssueLink, issue: SentryIssue) -> bool:
    """Tell whether the issue that a link's id finds is another one now, or not as it was seen."""
    return issue.issue_id != link.issue_id or issue.side != link.seen.issue


def due_after_look(due: float, now: float) -> float:
    """Return when the next look at all work items is due: in a day, or earlier if that was wanted.

    No feed shows permissions that were taken away, items that were destroyed, or a restored backup.
    """
    return now + DAY if is_due(due, now) else due


def due_at_beginning(now: float) -> float:
    """Return when to look once more after the feed began, for the first time or since a token was lost.

    The server may have gone back to a backup. Then what is on its way tells of revisions that it has no
    longer.
    """
    return now + _ON_ITS_WAY


def is_given_up(failures: int) -> bool:
    """Tell whether the feed is to begin anew after so many failures in a row."""
    return failures >= _FAILURES_OF_A_TOKEN
