"""HTML as Markdown: what people write in Azure DevOps, in the form that Sentry shows.

Whatever would be fetched by those who read it becomes a link; a mention becomes the name alone.
"""

import re
from html.parser import HTMLParser
from typing import Any

from bs4 import BeautifulSoup
from markdownify import MarkdownConverter

from shared.domain.text import is_web_address, legible

_LONGEST_HTML = 100_000  # characters
_DEEPEST = 60
_UNSEEN = ("script", "style", "head", "template", "noscript", "iframe", "object")
_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")
_LINKS = ("http://", "https://", "mailto:")
_ENDS_A_LINE = {"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}
_VOID = {"br", "hr", "img", "input", "meta", "link", "wbr", "col", "area", "base", "embed", "source"}
# A mention in Markdown is an id in brackets, which tells a reader nothing.
_ADDRESS = re.compile(r"\bhttps?://[^\s<>]{1,2000}", re.IGNORECASE)
_BACKSLASH = re.compile(r"\\(?=[!-/:-@\[-`{-~])")
_NO_TAG = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")
_TAG = re.compile(r"<(?=[a-zA-Z/!?])")
_MENTION = re.compile(r"@<[0-9a-fA-F-]{36}>")


def markdown_of(html: str) -> str:
    """Return Markdown for any HTML; of what is too long or too deep, the words."""
    # For each tag that does not end, the parser would look through all that follows.
    source = _NO_TAG.sub("&lt;", _without_comments(legible(html)[:_LONGEST_HTML]))
    words = _Words()
    words.feed(source)
    words.close()
    if words.deepest > _DEEPEST:
        return _tidy("".join(words.found))
    # Without a tag around it, an address alone is taken for a mistake.
    soup = BeautifulSoup(f"<div>{source}</div>", "html.parser")
    for each in soup(_UNSEEN):
        each.decompose()
    return _tidy(str(_Converter(heading_style="ATX", bullets="-").convert_soup(soup)))


def tidied(markdown: str) -> str:
    """Return Markdown as it was written, without what only Azure DevOps can read."""
    return _tidy(_MENTION.sub("@somebody", legible(markdown)))


def _without_comments(html: str) -> str:
    """Leave out what nobody sees, and the beginnings of what has no end."""
    first, *others = html.split("<!--")
    return first + "".join(each.partition("-->")[2] if "-->" in each else each for each in others)


def _tidy(text: str) -> str:
    return _LINES.sub("\n\n", text.replace("\xa0", " ")).strip()


class _Converter(MarkdownConverter):
    def escape(self, text: str, parent_tags: Any) -> str:
        """Mark what would be read as Markdown or HTML, but in addresses, which nobody could follow then."""
        end, parts = 0, []
        for found in _ADDRESS.finditer(text):
            parts += [self._escaped(text[end : found.start()], parent_tags), found[0]]
            end = found.end()
        return "".join([*parts, self._escaped(text[end:], parent_tags)])

    def _escaped(self, text: str, parent_tags: Any) -> str:
        marked = super().escape(_BACKSLASH.sub(r"\\\\", text), parent_tags)  # type: ignore[misc]  # its types lack it
        return _TAG.sub(r"\\<", str(marked))

    def convert_br(self, _el: Any, _text: str, parent_tags: Any) -> str:
        """Sentry shows each line end as one."""
        return " " if "_inline" in parent_tags else "\n"

    def convert_a(self, el: Any, text: str, parent_tags: Any) -> str:
        address = str(el.get("href") or "").strip()
        is_mention = el.get("data-vss-mention") is not None and not address.lower().startswith(_LINKS)
        if is_mention or not _is_link(address):
            return text
        return str(super().convert_a(el, text, parent_tags))  # type: ignore[misc]  # its types lack it

    def convert_img(self, el: Any, _text: str, parent_tags: Any) -> str:
        address = str(el.get("src") or "").strip()
        words = self.escape(" ".join(str(el.get("alt") or "").split()) or "image", parent_tags)
        return f"[{words}]({address})" if _is_link(address) and "a" not in parent_tags else words


def _is_link(address: str) -> bool:
    """Tell whether an address leads somewhere from Sentry's page as well, and can stand in brackets."""
    if address.lower().startswith("mailto:"):
        return not re.search(r"[\s()<>]", address)
    return is_web_address(address) and not re.search(r"[()]", address)


class _Words(HTMLParser):
    """Collects the words of a text, and how deep it is nested."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.deepest = 0
        self._open = 0

    def handle_starttag(self, tag: str, _attrs: object) -> None:
        if tag in _ENDS_A_LINE:
            self.found.append("\n")
        if tag not in _VOID:
            self._open += 1
            self.deepest = max(self.deepest, self._open)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            self._open = max(self._open - 1, 0)

    def handle_data(self, data: str) -> None:
        self.found.append(data)
