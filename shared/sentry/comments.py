"""A comment in the form in which Sentry shows it: whose it is, where it was made, and what it says."""

import re

from shared.domain.text import cut

_LONGEST = 20_000  # UTF-16 units; nobody reads more below an issue
_CUT = "(Cut here: the rest is in Azure DevOps.)"
# Code as ``shared/ado/html.py`` writes it: any other backtick is marked.
_CODE = re.compile(r"\\.|(`+)(?!`)(?:.*?(?<!`)\1(?!`)|(?P<open>.*))", re.DOTALL)
_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()<>#|~!&])")


def note_of(author: str, text: str, url: str) -> str:
    """Return a comment that begins with its author and a link to ``url``, which identifies it."""
    whole = cut(text, _LONGEST)
    if whole != text:
        whole = f"{whole}{_end_of_code(whole)}\n\n{_CUT}"
    quoted = "\n".join(f"> {line}".rstrip() for line in whole.split("\n"))
    name = _MEANS_SOMETHING.sub(r"\\\1", author or "Somebody")
    return f"**{name}** wrote in [Azure DevOps]({url}):\n\n{quoted}"


def _end_of_code(text: str) -> str:
    """Return what ends the code that a text was cut in: without an end, its words would mean something."""
    found = next((each for each in _CODE.finditer(text) if each["open"] is not None), None)
    if found is None:
        return ""
    if not found["open"].startswith("\n"):
        return found[1]
    before = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
    return "\n" + re.sub("[^>]", " ", before) + found[1]
