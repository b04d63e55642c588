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
# Escapes that a text shows where somebody put JSON or source code into it, and those of its gaps. No half of
# a character comes of one: it could not be stored.
_CODE = re.compile(
    r"(?<!\\)\\++(?:x([0-9A-Fa-f]{2})|(?:u|U0000)((?![Dd][89A-Fa-f])[0-9A-Fa-f]{4})"
    r"|u\{0{0,6}([0-9A-Fa-f]{1,2})\})"
)
_ESCAPED_GAPS = re.compile(r"(?<!\\)\\++[bfnrtv]")
# Colors of a terminal, and places where a page may break a word.
_COLORS = re.compile("\x1b\\[[0-9;:]*m")
_BREAKS = re.compile("<w?br/?>", re.IGNORECASE)
# What is no letter although Python says that it prints: fillers, joiners, variants, Braille without a dot,
# and what stands where a NUL or half a character was (``decoding.py``).
# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point)
_UNSEEN = re.compile(
    "[\ufffd\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]+"
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
            text = _CODE.sub(lambda code: chr(int(code[code.lastindex or 0], 16)), text)
        text = unquote(html.unescape(text))
    return text


def _without_gaps(text: str) -> str:
    """Return a text without what stands between its letters, such as the backslashes before quotes."""
    # Before the text's own gaps: a backslash at the end of a line escapes nothing of the next one.
    if "\\" in text:
        text = _ESCAPED_GAPS.sub("", text)
    without = "".join(text.split())
    if not without.isprintable():
        without = "".join(filter(str.isprintable, _COLORS.sub("", without)))
    if not without.isascii():
        without = _UNSEEN.sub("", without)
    if "<" in without:
        without = _BREAKS.sub("", without)
    return without.replace("\\", "")


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
