"""The two queue messages: typed, small, and without a word that a late delivery could make wrong."""

from typing import Literal

import msgspec

from shared.domain.decoding import decode
from shared.domain.model import WorkItem

InboundEvent = Literal["updated", "deleted", "restored"]


class InboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A work item changed at ``rev``. ``snapshot`` is how it stood then, or None: ask Azure DevOps.

    ``epoch`` is that of the connection it belongs to; an older version of the app wrote none.
    """

    organization: str
    work_item_id: int
    rev: int
    event: InboundEvent = "updated"
    snapshot: WorkItem | None = None
    epoch: str = ""


class OutboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An issue may have changed. It says not how: Sentry has no revisions, so the reader asks again.

    ``comment_id`` is a new comment to carry over; without one, status and assignee are settled.
    """

    organization: str
    issue_id: str
    comment_id: str | None = None
    epoch: str = ""


Message = InboundMessage | OutboundMessage


def encode(message: Message) -> bytes:
    return msgspec.json.encode(message)


def decode_inbound(body: bytes) -> InboundMessage:
    """Read a message off the queue, or raise Malformed: it can never be handled."""
    return decode(body, InboundMessage)


def decode_outbound(body: bytes) -> OutboundMessage:
    """Read a message off the queue, or raise Malformed: it can never be handled."""
    return decode(body, OutboundMessage)
