"""Comments on their way: what a message carries of one, what is kept of one that travelled, and the marks.

Whatever the app writes begins with a mark: a first line that says who spoke, with a link to where. Both
directions know it, and carry nothing that begins so. What stands further down is somebody's quotation. A
person who begins a comment with our line keeps it from travelling, and no other comment.
"""

import hashlib
import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from shared.domain.decoding import decoder
from shared.domain.moments import Moment
from shared.domain.text import one_line

CommentAction = Literal["created", "updated", "deleted"]
CommentKey = Annotated[str, Meta(pattern=r"^(?:rev-)?[0-9]{1,16}\Z")]

# A queue takes 64 KiB of base64, so a message of 48 KiB; the rest of one needs less than this leaves over.
# https://learn.microsoft.com/azure/storage/queues/scalability-targets
MOST_CARRIED = 40_000  # bytes of JSON
_LONGEST_AUTHOR = 200  # characters

_COMMAND = re.compile(r"\s*([*_]{0,3})/sentry\b(?![-/.\w])\1[ \t]*:?\s*", re.IGNORECASE)
# Anybody may write what is looked at here, so no part can be read in two ways: that would take minutes.
# Each character of an author may have become ten, such as &amp;quot;
_IN_ADO = re.compile(
    r"(?>(?:\s|<(?!a\b)[^<>]*>)*)[^<>]{0,2100}?\bin\s+"
    r"<a\s(?=[^<>]*#event_[0-9]{1,20}(?![0-9]))[^<>]*>\s*Sentry\s*</a>\s*:",
    re.IGNORECASE,
)
_IN_SENTRY = re.compile(
    r"\s*\*\*.{1,1000}?\*\* wrote in \[Azure DevOps\]\(\S{1,2000}#comment-[0-9a-z-]{1,30}\):"
)


class InboundComments(StrEnum):
    """Which comments travel from Azure DevOps to Sentry: none, those that begin with ``/sentry``, or all."""

    OFF = "off"
    MARKED = "marked"
    ALL = "all"


class SaidInSentry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a hook tells of a comment on an issue, at ``at`` (epoch seconds).

    ``is_cut`` says that the text is longer than a message can carry.
    """

    action: CommentAction
    author: str
    text: str
    at: Moment = 0.0
    is_cut: bool = False


class SaidInAdo(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a hook tells of a comment on a work item; without ``text``, Azure DevOps is to be asked for it.

    ``key`` is the comment's id, or names the revision that it made where a hook tells of no id.
    """

    key: CommentKey
    author: str
    text: str | None = None
    is_markdown: bool = False

    @property
    def comment_id(self) -> int | None:
        return int(self.key) if self.key.isdigit() else None


class RegressionFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """What Sentry tells of a regression; what it does not tell is empty."""

    release: str = ""
    environment: str = ""
    count: int = 0
    event_url: str = ""


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a comment: its ``id`` where it was carried to, and what was written there last.

    ``at`` is when that was said. An older version of the app kept a word only.
    """

    id: Annotated[str, Meta(pattern=r"^[0-9]{0,16}\Z")] = ""
    digest: str = ""
    at: Moment = 0.0
    is_gone: bool = False

    @classmethod
    def from_result(cls, result: str) -> "Carried":
        try:
            return decoder(cls).decode(result)
        except msgspec.MsgspecError:
            return cls()

    def to_result(self) -> str:
        return msgspec.json.encode(self).decode()


def digest_of(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def author_of(name: str, otherwise: str) -> str:
    """Return a name in the form in which it is shown."""
    return one_line(name)[:_LONGEST_AUTHOR] or otherwise


def carried(text: str, most: int = MOST_CARRIED) -> tuple[str, bool]:
    """Return as much of a text as a message can carry, and whether that is less than all of it."""
    fitting = text[:most]
    while (size := len(msgspec.json.encode(fitting))) > most:
        fitting = fitting[: min(len(fitting) - 1, len(fitting) * most // size)]
    return fitting, len(fitting) < len(text)


def may_be_marked(text: str) -> bool:
    """Tell whether a text, be it HTML, may begin with the command."""
    return "/sentry" in text.lower()


def without_command(text: str) -> str | None:
    """Return what follows the command that a comment begins with, or None if it begins otherwise."""
    found = _COMMAND.match(text)
    return text[found.end() :] if found else None


def is_ours_in_ado(html: str) -> bool:
    """Tell whether a comment of a work item begins as those do that were carried over from Sentry."""
    return _IN_ADO.match(html) is not None


def is_ours_in_sentry(text: str) -> bool:
    """Tell whether a comment of an issue begins as those do that were carried over from Azure DevOps."""
    return _IN_SENTRY.match(text) is not None
