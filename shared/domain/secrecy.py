"""Freeing other people's words of our secrets, in whichever spelling they come back to us."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

REMOVED = "[removed]"
_LONGEST_QUOTE = 300  # characters
# Shorter texts are no secrets, but would be found, and removed, everywhere.
_SHORTEST_SECRET = 6
# What looks like somebody's credentials, ours or not. Spaces may come URL-encoded.
_CREDENTIALS = re.compile(
    r"\b(?:Bearer|Basic)(?:\s|%20|\+)+\S+|\bsntr[a-z]*_\S+",
    re.IGNORECASE,
)


def secrets_in(authorization: str) -> Iterator[str]:
    """Yield the parts of an Authorization header that nobody else may see."""
    yield authorization
    _, _, parameter = authorization.partition(" ")
    yield parameter
    try:
        yield (decoded := base64.b64decode(parameter, validate=True).decode())
        yield decoded.partition(":")[2]
    except ValueError:
        return  # It is a bearer token.


def spellings_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return every spelling of the secrets to look for, the longest first."""
    found = {
        spelling
        for secret in secrets
        for encoded in _encoded(secret.strip())
        for spelling in _escaped(encoded)
        if len(spelling) >= _SHORTEST_SECRET
    }
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


def freed(text: str, spellings: Iterable[str]) -> str:
    """Return the text without any of the spellings."""
    for each in spellings:
        text = text.replace(each, REMOVED)
    return text


def without_secrets(text: str, spellings: Iterable[str]) -> str:
    """Return the text without any of the spellings, and without what looks like anybody's credentials."""
    return _CREDENTIALS.sub(REMOVED, freed(text, spellings))


def quotable(text: str, spellings: Iterable[str]) -> str:
    """Return a vendor's words as they may be kept and shown: freed of secrets, printable, and short.

    They are cut last: half a secret could no longer be recognized.
    """
    clean = without_secrets(text, spellings)
    printable = "".join(each if each.isprintable() else " " for each in clean)
    return printable[:_LONGEST_QUOTE].strip()


def _encoded(secret: str) -> Iterator[str]:
    if len(secret) < _SHORTEST_SECRET:
        return
    yield secret
    for plain in (secret, f":{secret}"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(plain.encode()).decode().rstrip("=")


def _escaped(text: str) -> Iterator[str]:
    in_url = (quote(text, safe=""), quote(text), quote_plus(text))
    yield from (text, *in_url, *(re.sub("%..", lambda each: each[0].lower(), url) for url in in_url))
    for ascii_only in (True, False):
        in_json = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (in_json, in_json.replace("/", "\\/"))
