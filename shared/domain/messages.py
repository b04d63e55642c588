"""The two queue messages: typed, small, and still true when they arrive late."""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.domain.comments import SaidInAdo, SaidInSentry
from shared.domain.decoding import decode
from shared.domain.ids import LARGEST_NUMBER, Digits, Positive, Slug
from shared.domain.model import ToldBy, WorkItem
from shared.domain.moments import Moment
from shared.domain.secrecy import freed

InboundEvent = Literal["updated", "deleted", "restored", "commented"]
Epoch = Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{0,64}\Z")]
Revision = Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]


class InboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """A work item changed at ``rev``. ``snapshot`` is the item at that rev; None means ask Azure DevOps.

    ``epoch`` is that of the connection it belongs to; an older version of the app writes none. ``again``
    marks a look of the reconciler's own, which carries no news, and ``returned`` one that was put back as a
    service asked us to wait. ``only`` names the issues whose links an earlier unit of work left; empty means
    all. ``told_at`` is when (epoch seconds) a hook told of the change; 0 in all other messages, and in those
    of an older version. With ``comment``, the message carries that comment over, and settles nothing;
    ``failing_since`` is when (epoch seconds) that began to fail. ``waited`` is for how many seconds a look of
    the reconciler's own was put back for what leaves no trace.
    """

    organization: Slug
    work_item_id: Positive
    rev: Revision
    event: InboundEvent = "updated"
    snapshot: WorkItem | None = None
    epoch: Epoch = ""
    again: bool = False
    returned: bool = False
    only: tuple[Digits, ...] = ()
    comment: SaidInAdo | None = None
    told_at: Moment = 0.0
    failing_since: Moment = 0.0
    waited: Moment = 0.0

    @property
    def told_by(self) -> ToldBy:
        return "reconciler" if self.again else "hook"


class RuleAction(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an alert rule in Sentry asks for by our action: what was checked when it was saved."""

    rule: str
    project: str
    work_item_type: str
    area_path: str = ""
    tags: str = ""


class OutboundMessage(msgspec.Struct, frozen=True, omit_defaults=True):
    """An issue may have changed. Sentry has no revisions, so the message does not say how; the reader asks.

    With ``comment_id``, the message carries that comment over; with ``action``, it has a rule create a work
    item for the issue; with ``shown_on``, somebody looks whether the link to that work item shows on both its
    ends, or on neither once it has ended; without any of these, it settles status and assignee.
    ``comment`` is what the hook told of the comment; an older version of the app writes none. ``since`` is
    when (epoch seconds) such a comment began to wait for a link. With ``regression``, the activity of that id
    is one, and the work item that ``only`` names is told of it. ``again``, ``returned``, ``only``,
    ``told_at``, ``failing_since`` and ``waited`` are as above; ``only`` names work items.
    """

    organization: Slug
    issue_id: Digits
    comment_id: Digits | None = None
    epoch: Epoch = ""
    again: bool = False
    returned: bool = False
    only: tuple[Digits, ...] = ()
    since: Moment = 0.0
    action: RuleAction | None = None
    comment: SaidInSentry | None = None
    regression: Digits | None = None
    told_at: Moment = 0.0
    shown_on: int | None = None
    failing_since: Moment = 0.0
    waited: Moment = 0.0

    def __post_init__(self) -> None:
        if self.regression is not None and not self.only:
            raise ValueError("a regression names the work item to tell")

    @property
    def told_by(self) -> ToldBy:
        return "reconciler" if self.again else "hook"


Message = InboundMessage | OutboundMessage
# A queue takes 64 KiB of base64.
# https://learn.microsoft.com/azure/storage/queues/scalability-targets
LARGEST_MESSAGE = 48 * 1024  # bytes
# What people wrote; all else in a message has patterns, or is ours.
_SAID = ("snapshot", "comment", "action")
MOST_NAMED = 2_000  # They take up to half of that; the snapshot needs a part, too.


def parts_of(message: Message, left: Sequence[str]) -> list[Message]:
    """Return the messages that together settle what is left of one; none named is all of it."""
    if not left:
        return [message]
    most = _most_named(message, left)
    return [
        msgspec.structs.replace(message, only=tuple(left[at : at + most])) for at in range(0, len(left), most)
    ]


def _most_named(message: Message, left: Sequence[str]) -> int:
    """Return how many of these names fit beside what else a message has to carry: a comment may be long."""
    longest = max(left, key=len)
    with_one = msgspec.structs.replace(_without_snapshot(message), only=(longest,))
    room = LARGEST_MESSAGE - len(msgspec.json.encode(with_one))
    return min(1 + max(room, 0) // len(f',"{longest}"'), MOST_NAMED)


def spread(message: Message) -> float:
    """Return a part of 1 that is always the same for a message, and evenly spread over different ones."""
    return int.from_bytes(hashlib.blake2b(encode(message), digest_size=4).digest()) / 2**32


def encode(message: Message) -> bytes:
    """Return a message as a queue takes it, without a snapshot that does not fit: the reader asks then."""
    body = msgspec.json.encode(message)
    return body if len(body) <= LARGEST_MESSAGE else msgspec.json.encode(_without_snapshot(message))


def _without_snapshot(message: Message) -> Message:
    return msgspec.structs.replace(message, snapshot=None) if isinstance(message, InboundMessage) else message


def free_of_secrets(message: Message, spellings: tuple[str, ...]) -> Message:
    """Return a message without our secrets in what people wrote: they paste them into titles and comments.

    What a service answers is freed of them where it is read, and its hooks tell the same words. One search
    finds out whether there is anything to do.
    """
    parts = {name: getattr(message, name, None) for name in _SAID}
    text = msgspec.json.encode(parts).decode()
    if freed(text, spellings) == text:
        return message
    found = {name: _freed_within(part, spellings) for name, part in parts.items() if part is not None}
    return msgspec.structs.replace(message, **found)


def _freed_within(value: Any, spellings: tuple[str, ...]) -> Any:
    match value:
        case str():
            return freed(value, spellings)
        case tuple():
            return tuple(_freed_within(each, spellings) for each in value)
        case msgspec.Struct():
            found = {name: _freed_within(getattr(value, name), spellings) for name in value.__struct_fields__}
            return msgspec.structs.replace(value, **found)
    return value


def decode_inbound(body: bytes) -> InboundMessage:
    """Read a queue message, or raise Malformed; a retry cannot help then."""
    return decode(body, InboundMessage)


def decode_outbound(body: bytes) -> OutboundMessage:
    """Read a queue message, or raise Malformed; a retry cannot help then."""
    return decode(body, OutboundMessage)
