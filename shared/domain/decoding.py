"""JSON decoding: any bytes in, a typed value or Malformed out."""

import codecs
import json
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from shared.domain.errors import Malformed
from shared.domain.shapes import below

Shape = TypeVar("Shape")
Each = TypeVar("Each")

_DEEPEST = 50  # levels; a document has five
_HALF = 120  # characters; half of the longest explanation
# What decoding foreign JSON can raise; RecursionError comes from a body nested a thousand levels deep.
_UNREADABLE = (msgspec.DecodeError, UnicodeError, RecursionError)
_TOO_DEEP = "it is nested too deeply"
# What stands for a broken character: readers know it, and searches for secrets look past it (``secrecy.py``).
_MENDED = "\ufffd"
_HALVES = re.compile("[\ud800-\udfff]")
_NUL = rb"\u0000"
# Behind an even number of backslashes, or none: otherwise the first belongs to an escaped backslash.
_ESCAPED_NUL = re.compile(rb"((?<!\\)(?:\\\\)*)\\u0000")
_MENDED_NUL = rb"\1" + _MENDED.encode()


class Readable(list[Each]):
    """Those elements of somebody's list that can be read: an odd one hides no other. The rest is counted."""

    unreadable: int = 0


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}
_first_time = threading.Lock()


def decoder(kind: type[Shape]) -> msgspec.json.Decoder[Shape]:
    """Return the one decoder of a shape.

    msgspec quirk: what it learns of a class at its first use is there for other threads before it is
    complete, and a thread that uses it then ends the whole process (get_class_annotations runs in between:
    https://github.com/msgspec/msgspec/blob/main/src/msgspec/_utils.py). So one thread at a time learns.
    """
    known = _decoders.get(kind)
    if known is None:
        with _first_time:
            known = _decoders[kind] = msgspec.json.Decoder(kind)
    return known


def convert(value: Any, kind: type[Shape]) -> Shape:
    """Read decoded JSON as a known shape, or raise msgspec.ValidationError with the path where it differs."""
    decoder(kind)
    return msgspec.convert(value, kind, dec_hook=_readable)


def find_as(value: Any, kind: type[Shape]) -> Shape | None:
    """Read decoded JSON as a known shape, or return None if it is of another."""
    try:
        return convert(value, kind)
    except msgspec.ValidationError:
        return None


def _readable(kind: Any, value: Any) -> Any:
    """Read a list one by one.

    msgspec quirk: it asks of the type of None as well, by itself, and looks at what it gets.
    """
    if get_origin(kind) is not Readable:
        return value
    found, [each] = Readable[Any](), get_args(kind)
    for element in convert(value, list[Any]):
        try:
            found.append(convert(element, each))
        except msgspec.ValidationError:
            found.unreadable += 1
    return found


def decode(body: bytes | str, kind: type[Shape]) -> Shape:
    """Read a document of a known shape, or raise Malformed with the path where it differs."""
    try:
        return decoder(kind).decode(body)
    except _UNREADABLE as error:
        raise Malformed(_explained(error)) from error


class _Members(list[tuple[str, Any]]):
    """The members of a JSON object as they were sent."""


def decode_document(body: bytes) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Read a JSON object, and the paths of keys that it holds twice; or raise Malformed.

    Decoders keep the last of several members with one key, and say nothing:
    https://www.rfc-editor.org/rfc/rfc8259#section-4
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    document = decode(body, dict[str, Any])
    try:
        members = json.loads(body, object_pairs_hook=_Members, parse_int=str, parse_float=str)
    except RecursionError as error:  # The two decoders give up at different depths.
        raise Malformed(_TOO_DEEP) from error
    return document, tuple(dict.fromkeys(_repeated(members, "", _DEEPEST)))


def _repeated(value: Any, path: str, depth: int) -> Iterator[str]:
    if depth == 0:
        raise Malformed(_TOO_DEEP)
    if isinstance(value, _Members):
        known = set[str]()
        for key, inner in value:
            if key in known:
                yield below(path, key)
            known.add(key)
            yield from _repeated(inner, below(path, key), depth - 1)
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _repeated(inner, f"{path}[{place}]", depth - 1)


def decode_delivery(body: bytes, read: type[msgspec.Struct] | None = None) -> Any:
    """Decode any JSON that a vendor sends, its text mended, or raise Malformed.

    ``read`` has the members that are of interest. The others are skipped, which takes a third of the time; of
    a body in another shape, everything is there.

    ADO quirk: it cuts a title at 255 UTF-16 units, which may split a character; .NET encodes the half
    character, and strict decoders reject it. A broken character is no reason to lose an event, nor is a NUL,
    which storage and other services refuse: both become a replacement character.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    if read is not None:
        with suppress(*_UNREADABLE):
            return _without_nul(msgspec.json.encode(decoder(read).decode(body)))
    try:
        content = msgspec.json.decode(body)
        return _without_nul(msgspec.json.encode(content)) if _NUL in body else content
    except _UNREADABLE:
        try:
            text = json.dumps(json.loads(body.decode()), ensure_ascii=False)
            whole = msgspec.json.decode(_HALVES.sub(_MENDED, text))
            return _without_nul(msgspec.json.encode(whole))
        except (ValueError, RecursionError) as error:
            raise Malformed("the body is not JSON") from error


def _without_nul(encoded: bytes) -> Any:
    """Decode what msgspec encoded, its NULs replaced: as it writes them, each stands as the same escape."""
    return msgspec.json.decode(_ESCAPED_NUL.sub(_MENDED_NUL, encoded) if _NUL in encoded else encoded)


def _explained(error: Exception) -> str:
    text = str(error) if isinstance(error, msgspec.DecodeError) else "it is not JSON in UTF-8"
    # The text may quote input of any length; the path comes last.
    return text if len(text) <= 2 * _HALF else f"{text[:_HALF]}…{text[-_HALF:]}"
