"""HTML as Markdown: what people write in Azure DevOps, in the form that Sentry shows.

What is text stays text: whatever would mean something as Markdown or HTML is marked. Whatever would be
fetched by those who read it becomes a link; a mention becomes the name alone.
"""

import re
from textwrap import indent
from typing import Any

from bs4 import BeautifulSoup
from bs4.element import NavigableString, Tag
from markdownify import MarkdownConverter

from shared.ado.text import html_of
from shared.domain.text import is_web_address, legible, one_line

_LONGEST = 100_000  # characters
_DEEPEST = 60
_UNSEEN = ("script", "style", "head", "template", "noscript", "iframe", "object")
_ENDS_A_LINE = {"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote"}
_CELLS = {"td", "th"}
# What holds no lines of code; the last two are the library's, for headings, cells and code.
_ONE_LINE = {"a", "b", "strong", "i", "em", "del", "s", "_inline", "_noformat"}
# Of any other tag, the words. The library would take more of its methods for those of a tag.
_CONVERTED = [
    *("a", "b", "strong", "i", "em", "del", "s", "q", "code", "kbd", "samp", "img", "video", "br", "hr"),
    *("p", "div", "article", "section", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "figcaption", "tr", "td", "th"),
]
_NO_TAG = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")
_BLANKS = re.compile(r"[ \t]{2,}")
_BLANK_LINES_FIRST = re.compile(r"\A(?:[ \t]*\n)+")
_BACKTICKS = re.compile("`+")
_SMALL_NUMBER = re.compile("[0-9]{1,4}")
_MAIL = re.compile(r"mailto:[!-;=?-~]+", re.IGNORECASE)
# A mention in Markdown is an id in brackets, which tells a reader nothing.
_MENTION = re.compile(r"@<[0-9a-fA-F-]{36}>")

# What means something anywhere, at the end of a piece because of what may follow there. An address is left as
# it is, or nobody could follow it; what means something in it has another spelling.
_ANYWHERE = re.compile(
    r"(?P<address>\bhttps?://[^\s<>]{1,2000})"
    r"|[`*_~\[\]]|\\(?=[!-/:-@\[-`{-~\n]|\s*\Z)|<(?=[a-zA-Z/!?]|\s*\Z)|&(?=#?[0-9a-zA-Z]{1,40};)",
    re.IGNORECASE,
)
_IN_ADDRESSES = {ord(each): f"%{ord(each):02X}" for each in "[]`\\|"}
_IN_LINKS = {**_IN_ADDRESSES, ord("("): "%28", ord(")"): "%29"}
# What means something where a line begins: headings, quotations, items, and lines below headings or columns.
# https://github.github.com/gfm/#leaf-blocks
_AT_LINE_START = re.compile(
    r"^([ \t]*(?=#{1,6}(?:[ \t]|$)|>|[-+](?:[ \t]|$)|[-:|][-:| \t]*$|=+[ \t]*$)"
    r"|[ \t]*[0-9]{1,9}(?=[.)](?:[ \t]|$)))",
    re.MULTILINE,
)
# Code, which stays as it is; a mark that would make an image of the link behind it; lines that are blank.
_IN_MARKDOWN = re.compile(
    r"\\.|((?>`+))(?:.*?(?<!`)\1(?!`))?|(?P<image>!)(?=\[)|(?P<blank>\n[ \t]*\n(?:[ \t]*\n)+)", re.DOTALL
)


def markdown_of(html: str) -> str:
    """Return Markdown for any HTML; of what is nested too deep, the words."""
    # For each tag that does not end, the parser would look through all that follows.
    source = _NO_TAG.sub("&lt;", _without_comments(html[:_LONGEST]))
    # Without a tag around it, an address alone is taken for a mistake.
    soup = _Soup(f"<div>{source}</div>", "html.parser")
    for each in soup(_UNSEEN):
        each.decompose()
    return _tidy(str(_Converter(heading_style="ATX", convert=_CONVERTED).convert_soup(soup)))


def tidied(markdown: str) -> str:
    """Return Markdown of Azure DevOps in the same form: what only Azure DevOps can read is words."""
    return markdown_of(html_of(_MENTION.sub("@somebody", markdown[:_LONGEST])))


def _without_comments(html: str) -> str:
    """Leave out what nobody sees, and the beginnings of what has no end."""
    first, *others = html.split("<!--")
    return first + "".join(each.partition("-->")[2] if "-->" in each else each for each in others)


def _mended(text: str) -> str:
    """Return what can be read, from a text whose character references are characters by now."""
    return legible(text).replace("\xa0", " ")


def _escaped(text: str) -> str:
    """Mark what would be read as Markdown or HTML."""
    return _AT_LINE_START.sub(r"\1\\", _ANYWHERE.sub(_marked, text))


def _marked(found: re.Match[str]) -> str:
    return found[0].translate(_IN_ADDRESSES) if found["address"] else f"\\{found[0]}"


def _tidy(markdown: str) -> str:
    def mended(found: re.Match[str]) -> str:
        return "\\!" if found["image"] else "\n\n" if found["blank"] else found[0]

    return _IN_MARKDOWN.sub(mended, markdown).strip()


def _link_to(address: object) -> str:
    """Return an address as it can stand in brackets; nothing if it leads nowhere from Sentry's page."""
    link = str(address or "").strip().translate(_IN_LINKS)
    return link if is_web_address(link) or _MAIL.fullmatch(link) else ""


def _number(value: object) -> int:
    """Return a number in an attribute, where anybody may write anything."""
    text = str(value)
    return int(text) if _SMALL_NUMBER.fullmatch(text) else 1


class _Soup(BeautifulSoup):
    """The library's, up to a depth: its time is the square of that, and Python's stack has an end."""

    def handle_starttag(self, name: str, *args: Any, **options: Any) -> Tag | None:
        if len(self.tagStack) <= _DEEPEST:
            return super().handle_starttag(name, *args, **options)
        if name in _ENDS_A_LINE:
            self.handle_data("\n")
        return None


class _Converter(MarkdownConverter):
    """The library's, but for what takes the square of the time, and what would not stay text."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._numbers: dict[int, int] = {}  # of the next item, by the id of its list
        self._begun: set[int] = set()  # tables, by their ids

    def process_text(self, el: Any, parent_tags: Any = None) -> str:
        """Return a text for which the library has less to do: it takes minutes for thousands of blanks."""
        text = _mended(str(el))
        shown = NavigableString(text if "pre" in parent_tags else _BLANKS.sub(" ", text))
        shown.parent = el.parent
        shown.previous_sibling = el.previous_sibling
        shown.next_sibling = el.next_sibling
        return str(super().process_text(shown, parent_tags))  # type: ignore[misc]  # its types lack it

    def escape(self, text: str, parent_tags: Any) -> str:
        return _in_table(_escaped(text), parent_tags)

    def convert_br(self, _el: Any, _text: str, parent_tags: Any) -> str:
        """Sentry shows each line end as one."""
        return " " if "_inline" in parent_tags else "\n"

    def convert_a(self, el: Any, text: str, parent_tags: Any) -> str:
        link, words = _link_to(el.get("href")), " ".join(text.split())
        if not link or not words or "_noformat" in parent_tags:
            return text
        shown = f"<{link}>" if words == link else f"[{words}]({link})"
        return f"{' ' * text[0].isspace()}{shown}{' ' * text[-1].isspace()}"

    def convert_img(self, el: Any, _text: str, parent_tags: Any) -> str:
        words = one_line(str(el.get("alt") or "")) or {"img": "image"}.get(el.name, el.name)
        if "_noformat" in parent_tags:
            return words
        words, link = self.escape(words, parent_tags), _link_to(el.get("src"))
        return f"[{words}]({link})" if link and "a" not in parent_tags else words

    convert_video = convert_img

    def convert_code(self, el: Any, text: str, parent_tags: Any) -> str:
        """A blank line would end the code, and what follows would mean something."""
        if "_noformat" in parent_tags:
            return text
        code = super().convert_code(el, text.replace("\n", " "), parent_tags)  # type: ignore[misc]  # its types lack it
        return _in_table(str(code), parent_tags)

    convert_kbd = convert_samp = convert_code

    def convert_pre(self, el: Any, text: str, parent_tags: Any) -> str:
        if _ONE_LINE & parent_tags:
            return self.convert_code(el, text, parent_tags)
        code = _BLANK_LINES_FIRST.sub("", text.rstrip())
        fence = "`" * (1 + max([2, *map(len, _BACKTICKS.findall(code))]))
        return f"\n\n{fence}\n{code}\n{fence}\n\n" if code else ""

    def convert_list(self, _el: Any, text: str, parent_tags: Any) -> str:
        """A blank line ends a list in an item too: what stands behind it is no part of its last item."""
        begins = "\n" if "li" in parent_tags else "\n\n"
        return f"{begins}{text.strip()}\n\n"

    convert_ul = convert_ol = convert_list

    def convert_dt(self, el: Any, text: str, parent_tags: Any) -> str:
        """Terms and captions: Markdown has neither."""
        return str(super().convert_div(el, text, parent_tags))  # type: ignore[misc]  # its types lack it

    convert_dd = convert_caption = convert_figcaption = convert_dt

    def convert_li(self, el: Any, text: str, **_: Any) -> str:
        """The library counts all items before this one, for each."""
        bullet = "- "
        if el.parent.name == "ol":
            number = self._numbers.get(id(el.parent), _number(el.parent.get("start")))
            self._numbers[id(el.parent)] = number + 1
            bullet = f"{number}. "
        words = indent(text.strip(), " " * len(bullet))
        return f"\n{bullet}{words.lstrip()}\n" if words else "\n"

    def convert_tr(self, el: Any, text: str, parent_tags: Any) -> str:
        """The library looks through the whole table, for each row."""
        if _CELLS & parent_tags or not text.strip():
            return text
        table, columns = id(el.find_parent("table")), text.count(" |")
        row = f"|{text.rstrip()}\n"
        if table in self._begun:
            return row
        self._begun.add(table)
        rule = f"|{' --- |' * columns}\n"
        return f"|{'  |' * columns}\n{rule}{row}" if el.find("td", recursive=False) else f"{row}{rule}"

    def convert_td(self, el: Any, text: str, parent_tags: Any) -> str:
        """A table in a cell is its words: Markdown has no such thing."""
        words = text.strip().replace("\n", " ")
        if _CELLS & parent_tags:
            return f" {words} "
        return f" {words}{' |' * min(max(_number(el.get('colspan')), 1), 100)}"

    convert_th = convert_td


def _in_table(text: str, parent_tags: Any) -> str:
    """Keep a text from ending the cell that it is in."""
    return text.replace("|", "\\|") if _CELLS & parent_tags else text
