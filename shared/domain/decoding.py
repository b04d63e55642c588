"""JSON decoding: any bytes in, a typed value or Malformed out."""

import codecs
import json
import re
from typing import Any, TypeVar

import msgspec

from shared.domain.errors import Malformed

Shape = TypeVar("Shape")

_HALF = 120  # characters; half of the longest explanation
# What decoding foreign JSON can raise; RecursionError comes from a body nested a thousand levels deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_NUL = rb"\u0000"
# Behind an even number of backslashes, or none: otherwise the first belongs to an escaped backslash.
_ESCAPED_NUL = re.compile(rb"((?<!\\)(?:\\\\)*)\\u0000")


def decode(body: bytes | str, kind: type[Shape]) -> Shape:
    """Read a document of a known shape, or raise Malformed with the path where it differs."""
    try:
        return msgspec.json.decode(body, type=kind)
    except _UNREADABLE as error:
        raise Malformed(_explained(error)) from error


def decode_delivery(body: bytes) -> Any:
    """Decode any JSON that a vendor sends, its text mended, or raise Malformed.

    ADO quirk: it cuts a title at 255 UTF-16 units, which may split a character; .NET encodes the half
    character, and strict decoders reject it. A broken character is no reason to lose an event, nor is a NUL,
    which storage and other services refuse: both become a question mark.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        if _NUL not in body:
            return msgspec.json.decode(body)
        return msgspec.json.decode(_without_nul(msgspec.json.decode(body)))
    except _UNREADABLE:
        try:
            mended = json.dumps(json.loads(body.decode()), ensure_ascii=False)
            whole = mended.encode("utf-8", "replace")
            return msgspec.json.decode(_without_nul(msgspec.json.decode(whole)))
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not JSON") from error


def _without_nul(content: Any) -> bytes:
    """Encode a value, its NULs replaced: written anew, each stands as the same escape."""
    return _ESCAPED_NUL.sub(rb"\1?", msgspec.json.encode(content))


def _explained(error: Exception) -> str:
    text = str(error) if isinstance(error, msgspec.DecodeError) else "it is not JSON in UTF-8"
    # The text may quote input of any length; the path comes last.
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}…{text[-_HALF:]}"
