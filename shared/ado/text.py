"""Text in the shape that Azure DevOps takes: a title, tags, HTML."""

import re
import unicodedata

from shared.domain.text import cut, legible, one_line

LONGEST_TITLE = 255
_LONGEST_TAG = 400
_MOST_TAGS = 100
# https://learn.microsoft.com/azure/devops/boards/queries/add-tags-to-work-items
_BETWEEN_TAGS = re.compile(r"[,;\n]")
# ADO quirk: no tag may hold a character beyond the first 65,536, nor some of these: emoji that are shown as
# pictures (docs/vendor_quirks.md#rest). https://www.unicode.org/Public/UCD/latest/ucd/emoji/emoji-data.txt
_NO_TAG = re.compile(
    "[\U00010000-\U0010ffff\ufe0e\ufe0f\u20e3\u231a\u231b\u23e9-\u23ec\u23f0\u23f3\u25fd\u25fe\u2614\u2615"
    "\u2648-\u2653\u267f\u2693\u26a1\u26aa\u26ab\u26bd\u26be\u26c4\u26c5\u26ce\u26d4\u26ea\u26f2\u26f3"
    "\u26f5\u26fa\u26fd\u2705\u270a\u270b\u2728\u274c\u274e\u2753-\u2755\u2757\u2795-\u2797\u27b0\u27bf"
    "\u2b1b\u2b1c\u2b50\u2b55]"
)


def title_of(text: str) -> str:
    """Return the text as a title: one line, within the limit. ADO quirk: it counts UTF-16 units."""
    return cut(one_line(text), LONGEST_TITLE)


def tags_of(text: str) -> str:
    """Return the tags of a list as Azure DevOps takes them; those of which nothing is left are left out.

    It refuses a work item as a whole for one character of one tag.
    """
    fit = (_tag(each) for each in _BETWEEN_TAGS.split(legible(text)))
    once: dict[str, str] = {}
    for tag in filter(None, fit):
        once.setdefault(tag.casefold(), tag)
    return "; ".join(list(once.values())[:_MOST_TAGS])


def html_of(markdown: str) -> str:
    """Return Markdown as HTML."""
    from shared.ado.markdown import rendered  # noqa: PLC0415  # no webhook needs its library

    return rendered(markdown)


def _tag(text: str) -> str:
    fit = "".join(each for each in _NO_TAG.sub("", text) if unicodedata.category(each) != "Cf")
    return cut(one_line(fit), _LONGEST_TAG)
