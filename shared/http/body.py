"""Reading the body of an answer: streamed, decompressed as it comes, and no further than the limit."""

import zlib
from collections.abc import Iterator

import requests

_CHUNK = 64 * 1024  # bytes
_GZIP = zlib.MAX_WBITS | 16  # with the header of gzip, which is all that a request asks for


class BodyUnreadable(Exception):
    """The body is longer or denser than the limit, or compressed in a way that it should not be."""


def read_body(response: requests.Response, most: int) -> bytes:
    """Return the decompressed body; raise BodyUnreadable if it has more than ``most`` bytes."""
    encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
    chunks: Iterator[bytes] = response.raw.stream(_CHUNK, decode_content=False)
    if encoding in {"gzip", "x-gzip"}:
        chunks = _decompressed(chunks)
    elif encoding not in {"identity", ""}:
        raise BodyUnreadable("it is encoded in a way that was not asked for")
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > most:
            raise BodyUnreadable(f"it has more than {most} bytes")
    return bytes(body)


def verify_sparse(body: bytes, most: int) -> None:
    """Raise BodyUnreadable if a JSON body may hold more than ``most`` values, before any is made of it.

    Each stands behind one of three signs. Texts hold them as well, but a text of a million commas is none.
    """
    if sum(body.count(sign) for sign in (b",", b"[", b"{")) > most:
        raise BodyUnreadable(f"it has more than {most} values")


def _decompressed(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what the chunks hold, in pieces: a few bytes can hold more than there is memory."""
    decoder = zlib.decompressobj(_GZIP)
    started = False
    try:
        for chunk in chunks:
            started = True
            piece = decoder.decompress(chunk, _CHUNK)
            while piece:
                yield piece
                piece = decoder.decompress(decoder.unconsumed_tail, _CHUNK)
    except zlib.error as error:
        raise BodyUnreadable("it cannot be decompressed") from error
    if started and not decoder.eof:
        raise BodyUnreadable("it ends too early")
