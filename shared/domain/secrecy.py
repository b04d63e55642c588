"""Freeing other people's words of our secrets, in whichever spelling they come back to us."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote

REMOVED = "[removed]"
_LONGEST_QUOTE = 300  # characters
# Shorter texts are no secrets, but would be found, and removed, everywhere.
_SHORTEST_SECRET = 6
# What looks like somebody's credentials, ours or not. Spaces may come URL-encoded.
_CREDENTIALS = re.compile(
    r"\b(?:Bearer|Basic)(?:\s|%20|\+)+\S+|\bsntr[a-z]*_\S+",
    re.IGNORECASE,
)
# Escapes that a text shows where somebody put JSON or source code into it, and the ends of its lines.
_CODE = re.compile(r"(?<!\\)\\++(?:u00|x)([0-9A-Fa-f]{2})")
_LINE_ENDS = re.compile(r"(?<!\\)\\++[nr]")
# What nobody sees in a text: soft hyphens, spaces without a width, and what joins or directs letters.
# https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\U000e0000-\U000e0fff]+"
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
    """Return the text without any of the spellings, however its letters are capitalized.

    Where one shows only in a text that is unescaped, or has no gaps, that is what is left of the text.
    """
    known = tuple(spellings)
    copy = text = _removed(text, known)
    for loosen in (_unescaped, _without_gaps):
        copy = loosen(copy)
        clean = _removed(copy, known)
        if clean != copy:
            copy = text = clean
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


def _removed(text: str, spellings: Iterable[str]) -> str:
    lowered = text.lower()
    for each in spellings:
        if each.lower() in lowered:
            text = re.sub(re.escape(each), REMOVED, text, flags=re.IGNORECASE)
    return text


def _unescaped(text: str) -> str:
    """Return a text that was escaped for another language, or for two."""
    for _ in range(2):
        if "\\" in text:  # Looking first saves most of the time that long answers take.
            text = _CODE.sub(lambda code: chr(int(code[1], 16)), text)
        text = unquote(html.unescape(text))
    return text


def _without_gaps(text: str) -> str:
    """Return a text without what stands between its letters, such as the backslashes before quotes."""
    without = "".join(text.split())
    if not without.isascii():
        without = _UNSEEN.sub("", without)
    return _LINE_ENDS.sub("", without).replace("\\", "") if "\\" in without else without


def _encoded(secret: str) -> Iterator[str]:
    if len(secret) < _SHORTEST_SECRET:
        return
    yield secret
    for plain in (secret, f":{secret}"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(plain.encode()).decode().rstrip("=")


def _escaped(text: str) -> Iterator[str]:
    yield from (text, quote(text, safe=""), quote(text), quote_plus(text))
    # A secret may itself hold what looks like an escape: this is left of it in a text that is loosened.
    yield from (_unescaped(text), _without_gaps(_unescaped(text)))
    for ascii_only in (True, False):
        in_json = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from (in_json, in_json.replace("/", "\\/"))
