"""JSON at the door: any bytes in, a typed value or one error out."""

import json
from typing import Any, TypeVar

import msgspec

from shared.domain.errors import Malformed

Shape = TypeVar("Shape")

_HALF = 120  # characters of the longest explanation
# What reading JSON that somebody else wrote can raise; the last one for a body nested a thousand deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(body: bytes | str, kind: type[Shape]) -> Shape:
    """Read a document of a known shape, or raise Malformed saying where it differs."""
    try:
        return msgspec.json.decode(body, type=kind)
    except _UNREADABLE as error:
        raise Malformed(_explained(error)) from error


def decode_delivery(body: bytes) -> Any:
    """Read whatever JSON a vendor sends, or raise Malformed.

    ADO quirk: a title is cut at 255 UTF-16 units, which may leave half a character; .NET writes it all the
    same, and no strict reader takes it. One mark in a title is no reason to lose an event.
    """
    try:
        return msgspec.json.decode(body)
    except _UNREADABLE:
        try:
            mended = json.dumps(json.loads(body.decode()), ensure_ascii=False)
            return msgspec.json.decode(mended.encode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not JSON") from error


def _explained(error: Exception) -> str:
    text = str(error) if isinstance(error, msgspec.DecodeError) else "it is not JSON in UTF-8"
    # It may quote what was sent, at any length; the path comes last.
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}…{text[-_HALF:]}"
