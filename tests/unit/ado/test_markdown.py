"""Markdown as HTML: what Sentry shows of it, and that no text becomes any other HTML than is meant."""

import re
import time
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shared.ado.comments import rendered as rendered_comment
from shared.ado.markdown import rendered
from shared.domain.model import SentryComment
from simulator.ado.text import LONG_TEXT_LIMIT, check_text

TAGS = {"p", "br", "hr", "strong", "em", "s", "code", "pre", "blockquote", "ul", "ol", "li", "a"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td", "h1", "h2", "h3", "h4", "h5", "h6"}
VOID = {"br", "hr"}
ADDRESS = re.compile(r"(?:https?://|mailto:)[^\s\"<>]*", re.IGNORECASE)
NUMBER = re.compile("[0-9]{1,9}")
MAY_HAVE = {("a", "href"): ADDRESS, ("ol", "start"): NUMBER}


class Checked(HTMLParser):
    """Reads HTML as a browser does; fails at what is not on the list or not closed where it belongs."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, tag
        assert not (tag == "a" and "a" in self.open), "a link in a link"
        for name, value in attrs:
            assert (tag, name) in MAY_HAVE, (tag, name)
            assert value is not None
            assert MAY_HAVE[tag, name].fullmatch(value), value
            self.addresses += [value] if name == "href" else []
        if tag in VOID:
            self.words.append("\n")
        else:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raise AssertionError(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        assert self.open, tag
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(data)


def checked(text: str) -> Checked:
    html = rendered(text)
    check_text([html])
    return Checked(html)


# What Sentry shows.


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("", ""),
        (" \n ", ""),
        ("It is the cache.", "<p>It is the cache.</p>"),
        ("one\ntwo\n\nthree", "<p>one<br>two</p>\n<p>three</p>"),
        ("**Cause** and *why*, ~~not~~", "<p><strong>Cause</strong> and <em>why</em>, <s>not</s></p>"),
        ("snake_case_name", "<p>snake_case_name</p>"),
        ("`a < b`", "<p><code>a &lt; b</code></p>"),
        ("```py\nif a < b:\n    pass\n```", "<pre><code>if a &lt; b:\n    pass\n</code></pre>"),
        ("- one\n- two", "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"),
        ("3. one\n4. two", '<ol start="3">\n<li>one</li>\n<li>two</li>\n</ol>'),
        ("> said", "<blockquote>\n<p>said</p>\n</blockquote>"),
        ("## Title\n\n---", "<h2>Title</h2>\n<hr>"),
        (
            "|a|b|\n|:-|-:|\n|1|2|",
            (
                "<table>\n<thead>\n<tr>\n<th>a</th>\n<th>b</th>\n</tr>\n</thead>\n"
                "<tbody>\n<tr>\n<td>1</td>\n<td>2</td>\n</tr>\n</tbody>\n</table>"
            ),
        ),
        ("\x1b[31mERROR\x1b[0m", "<p>ERROR</p>"),
        # Definitions alone show nothing, which is less than was written.
        ("[a]: https://x/", "<p>[a]: https://x/</p>"),
    ],
)
def test_markdown_is_shown_as_sentry_shows_it(text: str, html: str) -> None:
    assert rendered(text) == html


@pytest.mark.parametrize(
    ("text", "words", "addresses"),
    [
        ("[runbook](https://wiki.example/a?b=1&c=2)", "runbook", ["https://wiki.example/a?b=1&c=2"]),
        ('[a](https://x/ "title")', "a", ["https://x/"]),
        ("[a][1]\n\n[1]: https://x/", "a", ["https://x/"]),
        (
            "<https://x/>, <ann@corp.example>",
            "https://x/, ann@corp.example",
            ["https://x/", "mailto:ann@corp.example"],
        ),
        ("see https://x/c_d(e).", "see https://x/c_d(e).", ["https://x/c_d(e)"]),
        ("(HTTP://X/a), https://y/?", "(HTTP://X/a), https://y/?", ["HTTP://X/a", "https://y/"]),
        ("**https://x/**", "https://x/", ["https://x/"]),
        ("`https://x/`", "https://x/", []),
        ("[https://x/](https://y/)", "https://x/", ["https://y/"]),
        # An image is a link: to show it is to tell whoever owns it that somebody reads.
        ("![graph](https://x/i.png)", "graph", ["https://x/i.png"]),
        ("![](https://x/i.gif?id=7)", "https://x/i.gif?id=7", ["https://x/i.gif?id=7"]),
        ("[![build](https://x/i.png)](https://y/)", "build", ["https://y/"]),
        ("[![](https://x/i.png)](https://y/)", "image", ["https://y/"]),
        # What leads elsewhere than to the web or to a person stays text.
        ("[a](javascript:alert(1))", "[a](javascript:alert(1))", []),
        ("[a](JaVaScRiPt&colon;alert)", "[a](JaVaScRiPt:alert)", []),
        ("[a](data:text/html,x)", "[a](data:text/html,x)", []),
        ("![a](data:image/png;base64,x)", "![a](data:image/png;base64,x)", []),
        ("[a](vbscript:x) <file:///etc>", "[a](vbscript:x) <file:///etc>", []),
        ("[a](/issues/5) [b](//x/)", "[a](/issues/5) [b](//x/)", []),
        ("ftp://x/ https:// http://<b>", "ftp://x/ https:// http://<b>", []),
    ],
)
def test_links_lead_to_the_web_or_to_a_person(text: str, words: str, addresses: list[str]) -> None:
    shown = checked(text)
    assert "".join(shown.words).strip() == words
    assert shown.addresses == addresses


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert('1')</script>",
        '<img src=x onerror="alert(1)">',
        "<div>\nblock\n</div>",
        "</blockquote><h1>Sentry says",
        "<!-- hidden -->",
        "<![CDATA[x]]>",
        "<?php x ?>",
        "<a href='https://x/'>x</a>",
        "<b>bold</b> & &lt;i&gt;",
    ],
)
def test_html_is_text(text: str) -> None:
    shown = checked(text)
    expected = text.replace("&lt;", "<").replace("&gt;", ">")
    assert "".join(shown.words).strip() == expected
    assert not shown.addresses or shown.addresses == ["https://x/"]


# Whatever comes.

SNIPPETS = st.sampled_from(
    [
        *"*_~`[]()!<>|-+#&;:\\\"'\n\t =.0aé",
        "\n\n", "> ", "- ", "1. ", "    ", "```", "~~~", "**", "~~", "![", "](", "<a ", "</p>", "<!--",
        "&#x202e;", "&#12;", "&#0;", "&#xfffe;", "&lt;", "https://x/", "javascript:", "mailto:", "data:",
        "|-|", "\n|", "[a]: ", "\x00", "\x1b[31m", "\ud83d", "\ude00", "\ufffe", "\u202e", "😀",
        "&nbsp;", "&quot;", "x@y.z",
    ]
)  # fmt: skip
CONTRIVED = st.lists(SNIPPETS, max_size=60).map("".join)
ANY = st.text(st.characters(), max_size=300)


@settings(max_examples=400)
@given(CONTRIVED | ANY)
@example("[![x [y](https://z)](https://b)](https://a)")
@example("![![a](https://b)](https://c)")
def test_any_text_becomes_html_that_is_on_the_list(text: str) -> None:
    checked(text)


@given(author=CONTRIVED | ANY, text=CONTRIVED)
def test_any_comment_becomes_html_that_is_on_the_list(author: str, text: str) -> None:
    html = rendered_comment(SentryComment("5", author, text, "https://x/"), "https://x/")
    check_text([html])
    assert Checked(html).addresses[0] == "https://x/"


def test_no_reference_brings_back_what_cannot_be_written() -> None:
    for base in range(0, 0x3000, 64):
        checked(" ".join(f"&#{number}; &#x{number:x};" for number in range(base, base + 64)))
    checked("".join(f"&#x{number:x};" for number in (0xD800, 0xDFFF, 0xFFFE, 0xFFFF, 0x1F600, 0x110000)))


@pytest.mark.parametrize(
    "part",
    ["> ", "- ", "* a\n ", "[", "![", "*a **a", "_a", "`", "<", "&", "|", "[a](", "[a]: <", "<http:", "~~a",
     "\\", "\t", "x ", "\n", "[a][a]", "https://x/)", "((("],
)  # fmt: skip
@pytest.mark.parametrize("length", [9_900, 1_000_000])
def test_a_contrived_text_takes_little_time(part: str, length: int) -> None:
    began = time.process_time()
    html = rendered(part * (length // len(part)))
    assert time.process_time() - began < 5.0
    assert len(html) < LONG_TEXT_LIMIT
    Checked(html)


def test_a_table_is_no_way_to_make_much_of_little() -> None:
    columns = 1_600
    text = "|" + "a|" * columns + "\n|" + "-|" * columns + "\n" + "x\n" * 1_600
    html = rendered(text)
    assert "<table>" not in html
    assert len(html) < 100_000


def test_what_is_nested_too_deeply_is_shown_as_it_was_typed() -> None:
    assert "".join(checked("> " * 20 + "deep").words).split() == ["deep"]
    assert "".join(checked("> " * 60 + "deep").words) == "> " * 60 + "deep"


def test_what_is_too_long_is_cut_and_says_so() -> None:
    html = rendered("**a** <b>\n" * 11_000)
    assert html.startswith("<p>**a** &lt;b&gt;<br>**a**")
    assert html.endswith("…</p><p>(Cut here: the text is longer than can be shown.)</p>")
    assert len("".join(Checked(html).words)) < 100_100
    whole = rendered("**a** <b>\n" * 5_000)
    assert "Cut here" not in whole


def test_the_words_of_a_text_are_all_there() -> None:
    text = "**Cause:** the *cache* of `web-1`\n\n> it `said` no\n\n1. [x](https://x/)\n\n|a|\n|-|\n|b|"
    words = re.findall(r"\w+", "".join(checked(text).words))
    assert " ".join(words) == "Cause the cache of web 1 it said no x a b"
