"""Text as Azure DevOps can store it."""

import re

# https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def writable(text: str) -> str:
    """Return the text with spaces for the characters that XML cannot hold, which Azure DevOps refuses."""
    return _UNWRITABLE.sub(" ", text)
