"""Paths below a service's address: the only place where names and ids become a part of a URL."""

import re
from urllib.parse import quote, unquote

from shared.domain.errors import Rejected, Unavailable

_LONGEST_SEGMENT = 512  # characters; no name or id of either service is as long
_MOST_QUOTINGS = 10  # a name passes fewer servers
_SLASHES = re.compile(r"[/\\]")


def below(base_url: str, *segments: str) -> str:
    """Return the address below ``base_url``, which ends with a slash, that the segments lead to.

    Each segment is quoted, so that it stays one. Raises Rejected for one that a server, or a proxy that
    decodes it early, would take for a step out of the path.
    """
    for each in segments:
        verify_segment(each)
    return base_url + "/".join(quote(each, safe="$") for each in segments)


def answered(service: str, name: str, what: str) -> str:
    """Return a name that a service answered, as a segment of a path, or raise Unavailable if it can be none.

    Of such a name ``below`` would say that the caller is wrong, and a message that is rejected is dropped.
    """
    if not is_segment(name):
        raise Unavailable(service, f"{what} cannot be read")
    return name


def is_segment(name: str) -> bool:
    """Tell whether a name can be one segment of a path."""
    try:
        verify_segment(name)
    except Rejected:
        return False
    return True


def verify_path(path: str) -> None:
    """Raise Rejected for a path that leads out of itself, however its dots are spelled, or has gaps."""
    segments = _SLASHES.split(_read(path.removeprefix("/")))
    if path and any(_is_step(each) for each in segments):
        raise Rejected("must not contain empty segments, . or ..")


def verify_segment(segment: str) -> None:
    """Raise Rejected for a name that cannot be one segment of a path."""
    # The length comes first: whoever reads what has none reads for ever.
    if len(segment) > _LONGEST_SEGMENT or not segment.isprintable():
        raise Rejected(f"a name must have at most {_LONGEST_SEGMENT} printable characters")
    if any(_is_step(each) for each in _SLASHES.split(_read(segment))):
        raise Rejected("a name must not be empty, and must not consist of dots")


def _read(text: str) -> str:
    """Return a text as it reads in the end: each server on the way may undo one more quoting."""
    for _ in range(_MOST_QUOTINGS):
        if (read := unquote(text)) == text:
            return text
        text = read
    raise Rejected(f"must not be quoted {_MOST_QUOTINGS} times or more")


def _is_step(segment: str) -> bool:
    """Tell whether a segment is empty, or leads nowhere or upwards; some servers drop dots and spaces."""
    return not segment.strip(". ")
