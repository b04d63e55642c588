"""Text that Azure DevOps refuses: what XML cannot hold, what no tag may hold, and what is too long."""

import re
from collections.abc import Iterable
from typing import Any

from simulator.ado.errors import Refused, bad_request, broken_rule, invalid_tag, unwritable_text

TITLE_LIMIT = 255
TAG_LIMIT = 400
MOST_TAGS = 100
LONG_TEXT_LIMIT = 1_000_000

# https://www.w3.org/TR/xml/#charsets
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# ADO quirk: no character beyond the first 65,536, and not every one among them: of ✨ one hears that it is
# refused, of ✓ and → that they are not (danhellem/github-actions-issue-to-work-item issue 106). That it is
# emoji that are shown as pictures is a guess. https://www.unicode.org/Public/UCD/latest/ucd/emoji/emoji-data.txt
_NO_TAG = re.compile(
    "[\U00010000-\U0010ffff\ufe0f\u200d\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615"
    "\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3"
    "\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf"
    "\u2b1b\u2b1c\u2b50\u2b55]"
)
# https://learn.microsoft.com/azure/devops/boards/queries/add-tags-to-work-items
_BETWEEN_TAGS = re.compile("[,;]")


def check_text(values: Iterable[Any]) -> None:
    """Refuse texts that cannot be written as XML, or that are longer than a long text may be."""
    for value in values:
        if isinstance(value, str) and _UNWRITABLE.search(value):
            raise unwritable_text()
        if isinstance(value, str) and length(value) > LONG_TEXT_LIMIT:
            raise too_long(LONG_TEXT_LIMIT)


def check_title(title: str) -> None:
    if length(title) > TITLE_LIMIT:
        raise broken_rule("System.Title", "Title", "required", "hasValues", "invalidTooLong")


def tags_in(text: str) -> list[str]:
    """Return the tags of a list, each once in any case, or refuse it as a whole."""
    tags: dict[str, str] = {}
    for each in _BETWEEN_TAGS.split(text):
        if tag := each.strip():
            if _NO_TAG.search(tag) or length(tag) > TAG_LIMIT:
                raise invalid_tag()
            tags.setdefault(tag.casefold(), tag)
    if len(tags) > MOST_TAGS:
        raise too_long(MOST_TAGS)
    return list(tags.values())


def length(text: str) -> int:
    """Count as .NET does, in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def too_long(limit: int) -> Refused:
    # The limits are documented, the words of the refusal are not.
    # https://learn.microsoft.com/azure/devops/organizations/settings/work/object-limits
    return bad_request(f"The value exceeds the limit of {limit}.", "WorkItemFieldInvalidException")
