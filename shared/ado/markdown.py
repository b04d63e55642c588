"""Markdown as HTML: headings, lists, tables, code and links. Whatever else it holds, HTML included, is text.

Sentry shows comments and descriptions as Markdown, with tables, strikethrough, bare addresses as links and
each line end as one; Azure DevOps stores HTML. https://github.github.com/gfm/
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from html import escape

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from shared.domain.text import cut, legible, units

# Rendering takes the longer, the longer and the more contrived a text is; this much takes a second at worst.
_LONGEST_MARKDOWN = 10_000  # characters
_LONGEST_TEXT = 100_000  # UTF-16 units; escaped, they are still less than a field of a million may hold
_LONGEST_HTML = 500_000  # characters; a table can be much longer than what describes it
_DEEPEST = 50
_LINK = re.compile(r"https?://|mailto:", re.IGNORECASE)
_ADDRESS = re.compile(r"\bhttps?://[^\s<>]{1,2000}", re.IGNORECASE)
_BEHIND_AN_ADDRESS = "?!.,:;*_~'\""
_KEPT_ATTRIBUTES = {"link_open": "href", "ordered_list_open": "start"}


def rendered(text: str) -> str:
    """Return HTML for any text; one that is too long or too deep is shown as it was typed, and cut."""
    source = legible(text)
    html = "" if len(source) > _LONGEST_MARKDOWN else _rendered(source)
    # Character references may have brought back what cannot be written.
    return legible(html).strip() if html and len(html) <= _LONGEST_HTML else _as_typed(source)


def _rendered(source: str) -> str:
    parser = _parser()
    tokens = parser.parse(source)
    # The parser leaves out what is nested deeper.
    if any(each.level >= _DEEPEST - 1 for each in tokens):
        return ""
    html = str(parser.renderer.render(list(_fit(tokens)), parser.options, {}))
    return html.replace("<br>\n", "<br>")


def _as_typed(source: str) -> str:
    if not source.strip():
        return ""
    whole = units(source) <= _LONGEST_TEXT
    note = "" if whole else "<p>(Cut here: the text is longer than can be shown.)</p>"
    return f"<p>{escape(cut(source, _LONGEST_TEXT)).replace(chr(10), '<br>')}</p>{note}"


class _Parser(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802  # The library asks it of each link and image.
        return _LINK.match(url) is not None


@cache
def _parser() -> MarkdownIt:
    options = {"html": False, "breaks": True, "xhtmlOut": False, "maxNesting": _DEEPEST}
    parser = _Parser("commonmark", options).enable(["table", "strikethrough"])
    parser.render("")  # It sorts its rules at the first call, and two threads may share it after this one.
    return parser


def _fit(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield the tokens with no attribute but those that are meant to be there."""
    for token in tokens:
        kept = _KEPT_ATTRIBUTES.get(token.type)
        token.attrs = {name: value for name, value in token.attrs.items() if name == kept}
        if token.type == "fence":
            token.info = ""  # It would become a class.
        if token.type == "inline":
            token.children = list(_fit(_linked(token.children or ())))
        yield token


def _linked(tokens: Iterable[Token]) -> Iterator[Token]:
    """Yield a line's tokens, with links for its images and for its bare addresses.

    An image would be fetched by everybody who reads it, from whoever it belongs to.
    """
    is_in_link = False
    for token in tokens:
        is_in_link = token.type == "link_open" or (is_in_link and token.type != "link_close")
        match token.type:
            case "image":
                address = str(token.attrs.get("src", ""))
                words = RendererHTML().renderInlineAsText(token.children, _parser().options, {})
                yield from [_text(words or "image")] if is_in_link else _link(address, words or address)
            case "text" if not is_in_link:
                yield from _with_links(token.content)
            case _:
                yield token


def _with_links(text: str) -> Iterator[Token]:
    end = 0
    for found in _ADDRESS.finditer(text):
        address = _trimmed(found[0])
        yield _text(text[end : found.start()])
        yield from _link(_parser().normalizeLink(address), address)
        end = found.start() + len(address)
    yield _text(text[end:])


def _trimmed(address: str) -> str:
    """Return an address without the punctuation that belongs to the sentence, as GitHub tells them apart."""
    address = address.rstrip(_BEHIND_AN_ADDRESS)
    while address.endswith(")") and address.count(")") > address.count("("):
        address = address[:-1].rstrip(_BEHIND_AN_ADDRESS)
    return address


def _link(address: str, words: str) -> Iterator[Token]:
    yield Token("link_open", "a", 1, attrs={"href": address})
    yield _text(words)
    yield Token("link_close", "a", -1)


def _text(words: str) -> Token:
    return Token("text", "", 0, content=words)
