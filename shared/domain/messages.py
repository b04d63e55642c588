"""The two queue messages: typed, small, and still true when they arrive late."""

from typing import Literal

import msgspec

from shared.domain.decoding import decode
from shared.domain.model import WorkItem

InboundEvent = Literal["updated", "deleted", "restored"]


class InboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A work item changed at ``rev``. ``snapshot`` is the item at that rev; None means ask Azure DevOps.

    ``epoch`` is that of the connection it belongs to; an older version of the app writes none.
    """

    organization: str
    work_item_id: int
    rev: int
    event: InboundEvent = "updated"
    snapshot: WorkItem | None = None
    epoch: str = ""


class OutboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An issue may have changed. Sentry has no revisions, so the message does not say how; the reader asks.

    With ``comment_id``, the message copies that new comment; without it, it settles status and assignee.
    """

    organization: str
    issue_id: str
    comment_id: str | None = None
    epoch: str = ""


Message = InboundMessage | OutboundMessage


def encode(message: Message) -> bytes:
    return msgspec.json.encode(message)


def decode_inbound(body: bytes) -> InboundMessage:
    """Read a queue message, or raise Malformed; a retry cannot help then."""
    return decode(body, InboundMessage)


def decode_outbound(body: bytes) -> OutboundMessage:
    """Read a queue message, or raise Malformed; a retry cannot help then."""
    return decode(body, OutboundMessage)
