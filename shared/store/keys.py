"""Table keys: any text, escaped so that it cannot break a key or address another organization's rows."""

import hashlib
import re

_LONGEST = 200  # characters; a key may have 512, and some are made of two escaped parts
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def escaped(text: str) -> str:
    """Return ``text`` with every UTF-8 byte outside ``[A-Za-z0-9._-]`` written as ``=XX``.

    A result longer than 200 characters is replaced by ``=`` and the SHA-256 of the text. Tables forbid
    ``/ \\ # ?`` and control characters, and ``%`` is unreliable in URLs.
    https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
    """
    safe = _UNSAFE.sub(
        lambda found: "".join(f"={byte:02X}" for byte in found[0].encode("utf-8", "replace")), text
    )
    return (
        safe if len(safe) <= _LONGEST else f"={hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
    )


def number(value: int) -> str:
    """Return a number as 16 digits, so that the texts sort like the numbers."""
    return f"{value:016d}"
