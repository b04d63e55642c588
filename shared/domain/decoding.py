"""JSON decoding: any bytes in, a typed value or Malformed out."""

import json
from typing import Any, TypeVar

import msgspec

from shared.domain.errors import Malformed

Shape = TypeVar("Shape")

_HALF = 120  # characters; half of the longest explanation
# What decoding foreign JSON can raise; RecursionError comes from a body nested a thousand levels deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(body: bytes | str, kind: type[Shape]) -> Shape:
    """Read a document of a known shape, or raise Malformed with the path where it differs."""
    try:
        return msgspec.json.decode(body, type=kind)
    except _UNREADABLE as error:
        raise Malformed(_explained(error)) from error


def decode_delivery(body: bytes) -> Any:
    """Read any JSON that a vendor sends, or raise Malformed.

    ADO quirk: it cuts a title at 255 UTF-16 units, which may leave half a surrogate pair. .NET writes it
    anyway, and strict readers reject it. A broken character in a title must not lose an event.
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
    # The text may quote input of any length; the path comes last.
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}…{text[-_HALF:]}"
