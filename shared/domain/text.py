"""Text as it can be stored and is read as it was written: what every service that gets it can hold.

What comes in is mended as far as it must be to be read (``decoding.py``). What goes out is mended here.
"""

import re

# What a terminal takes for colors, positions and titles, with the letters that belong to it. No part may hold
# what another one begins with: else each beginning without an end is looked for up to the end of the text.
# https://ecma-international.org/publications-and-standards/standards/ecma-48/
_TERMINAL = re.compile(
    "(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]"  # a control sequence, such as a color
    "|(?:\x1b\\]|\x9d)[^\x07\x1b\x9c\x9d]*(?:\x07|\x1b\\\\|\x9c)"  # a command, such as a title
    "|\x1b[#%()*+][0-~]"  # a character set
)
# Characters that XML cannot hold, those that it discourages, and halves of a character.
# https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
# They show text in another order than it has, beyond itself: a name could be read backwards. The marks
# \u200e, \u200f and \u061c stay: what is written from right to left needs them, and they reach no further.
# https://www.unicode.org/reports/tr36/#Bidirectional_Text_Spoofing
_REORDERING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_WEB_ADDRESS = re.compile(r"https?://[^\s<>\"']+", re.IGNORECASE)


def legible(text: str) -> str:
    """Return the text without terminal colors and reordering, with spaces for what cannot be written."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return _REORDERING.sub("", _UNWRITABLE.sub(" ", _TERMINAL.sub("", lines)))


def one_line(text: str) -> str:
    """Return the words of a text, each one space apart."""
    return " ".join(legible(text).split())


def is_web_address(text: str) -> bool:
    """Tell whether a text may stand where readers click: an address that is one as it stands."""
    return _WEB_ADDRESS.fullmatch(text) is not None and legible(text) == text


def units(text: str) -> int:
    """Count as .NET and JavaScript do, in UTF-16 units: most emoji are two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, longest: int) -> str:
    """Return a text of at most so many UTF-16 units, with a mark where it was cut; no character is halved."""
    if units(text) <= longest:
        return text
    return text.encode("utf-16-le", "surrogatepass")[: 2 * (longest - 1)].decode("utf-16-le", "ignore") + "…"
