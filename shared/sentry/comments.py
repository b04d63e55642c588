"""A comment in the form in which Sentry shows it: whose it is, where it was made, and what it says."""

import re

from shared.domain.text import cut

_LONGEST = 20_000  # UTF-16 units; nobody reads more below an issue
_CUT = "(Cut here: the rest is in Azure DevOps.)"
_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()<>#|~!&])")


def note_of(author: str, text: str, url: str) -> str:
    """Return a comment that begins with its author and a link to ``url``, which identifies it."""
    whole = cut(text, _LONGEST)
    if whole != text:
        whole = f"{whole}\n\n{_CUT}"
    quoted = "\n".join(f"> {line}".rstrip() for line in whole.split("\n"))
    name = _MEANS_SOMETHING.sub(r"\\\1", author or "Somebody")
    return f"**{name}** wrote in [Azure DevOps]({url}):\n\n{quoted}"
