"""HTML as Markdown: what people write in a discussion, and what may make it slow or dangerous."""

import time
from collections.abc import Iterable, Iterator
from html import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from shared.ado.comments import words_of
from shared.ado.html import markdown_of, tidied
from shared.domain.comments import SaidInAdo
from shared.sentry.comments import note_of

ATTACHMENT = "https://dev.azure.com/f/_apis/wit/attachments/g?fileName=x.png"
MENTION = '<a href="#" data-vss-mention="version:2.0,8c8c7d32-6b1b-47f4-b2e9-30b477b5ab3d">@Ann Arbor</a>'
TABLE_OF_BARS = "| a\\|b |\n| --- |\n| `c\\|d` |"


@pytest.mark.parametrize(
    ("html", "markdown"),
    [
        ("", ""),
        ("plain\ntext &amp; more", "plain\ntext & more"),
        ("<div>Seen again on <b>Tuesday</b></div>", "Seen again on **Tuesday**"),
        ("<p>a</p><p>b</p>", "a\n\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("one<br>two<br/>three", "one\ntwo\nthree"),
        ("<ul><li>x<ul><li>y</li></ul></li></ul>", "- x\n  - y"),
        ("<ol><li>x</li><li>y</li></ol>", "1. x\n2. y"),
        ("<h2>Cause</h2>", "## Cause"),
        ("<pre><code>x &lt; y\n  *z*</code></pre>", "```\nx < y\n  *z*\n```"),
        ("use <code>a_b</code>", "use `a_b`"),
        ("<blockquote>q</blockquote>", "> q"),
        (
            "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
            "| a | b |\n| --- | --- |\n| 1 | 2 |",
        ),
        ('<a href="https://x.y/a?b=1&amp;c=2">t</a>', "[t](https://x.y/a?b=1&c=2)"),
        ("https://x/snake_case_url", "https://x/snake_case_url"),
        ("日本語 😀 é", "日本語 😀 é"),
        # What only Azure DevOps can follow, or nobody should.
        (f"{MENTION} look", "@Ann Arbor look"),
        ('<a href="x-mvwit:workitem/12">#12</a>', "#12"),
        ('<a href="javascript:alert(1)">t</a>', "t"),
        ('<a href="/relative">t</a>', "t"),
        ('<a href="https://x/(a">t</a>', "[t](https://x/%28a)"),
        ('<a href="https://x/[`|\\">t</a>', "[t](https://x/%5B%60%7C%5C)"),
        ('<a href="https://x/">https://x/</a>', "<https://x/>"),
        ('<a href="mailto:ann@x.y">Ann</a>', "[Ann](mailto:ann@x.y)"),
        ('<a href="mailto:ann@x.y&#x202e;(">Ann</a>', "Ann"),
        ("a <a href=https://x/> t </a> b", "a  [t](https://x/)  b"),
        ("<a href=https://x/><p>t</p><p>u</p></a>", "[t u](https://x/)"),
        ("<a href=https://x/></a>b", "b"),
        ('<pre><a href="https://x/">t</a></pre>', "```\nt\n```"),
        (f'<img src="{ATTACHMENT}" alt="x.png">', f"[x.png]({ATTACHMENT})"),
        (f'<img src="{ATTACHMENT}">', f"[image]({ATTACHMENT})"),
        ('<img src="data:image/png;base64,AAAA">', "image"),
        ('<a href="https://x/"><img src="https://y/i.png" alt="i"></a>', "[i](https://x/)"),
        ('<img src="https://x/y" alt="a]&#10;*b*">', "[a\\] \\*b\\*](https://x/y)"),
        ("<code><img src='https://x/y' alt='a_b'></code>", "`a_b`"),
        ("!<a href='https://x/y.png'>t</a>", "\\![t](https://x/y.png)"),
        ("Look!<img src='https://x/y.png'>", "Look\\![image](https://x/y.png)"),
        ("<span>!</span><span><img src='https://x/y.png'></span>", "\\![image](https://x/y.png)"),
        ("<video poster='https://x/p.png' src='https://x/v'>old</video>", "[video](https://x/v)"),
        ("<video poster='https://x/p.png'>old</video>", "video"),
        ("<a href='https://x' title='![t](https://y) \\'>t</a>", "[t](https://x)"),
        # Lists and tables.
        ("<ol start='3'><li>x</li><li></li><li>y</li></ol>", "3. x\n\n5. y"),
        ("<ol><li>x</li></ol><ol><li>y</li></ol>", "1. x\n\n1. y"),
        ("<ol><li>x<ol><li>y</li></ol></li><li>z</li></ol>", "1. x\n   1. y\n2. z"),
        ("<ul><li>x<ul><li>y</li></ul>z</li></ul>w", "- x\n  - y\n\n  z\n\nw"),
        ("a<li>b</li>c", "a\n- b\nc"),
        ("<dl><dt>a</dt><dd>b</dd></dl>", "a\n\nb"),
        (
            "<table><tr><td>a</td><td colspan=2>b</td></tr></table>",
            "|  |  |  |\n| --- | --- | --- |\n| a | b | |",
        ),
        ("<table><tr><th>a|b</th></tr><tr><td><code>c|d</code></td></tr></table>", TABLE_OF_BARS),
        ("<table><caption>c</caption><tr><th>a</th></tr></table>", "c\n\n| a |\n| --- |"),
        ("<table><thead></thead><tbody><tr><th>a</th></tr></tbody></table>", "| a |\n| --- |"),
        (
            "<table><tr><th><table><tr><td>a</td><td>b</td></tr></table></th></tr></table>",
            "| a  b |\n| --- |",
        ),
        ("<table><tr></tr></table>a", "a"),
        # Code.
        ("<pre>a\n\n\n\n  b</pre>", "```\na\n\n\n\n  b\n```"),
        ("<pre>\n \n  a\n\n</pre>", "```\n  a\n```"),
        ("<pre>a\n```\n![x](https://y)</pre>", "````\na\n```\n![x](https://y)\n````"),
        ("<pre>`````</pre>", "``````\n`````\n``````"),
        ("<pre> \n</pre>a", "a"),
        ("<li><pre>a\n\n\nb</pre></li>", "- ```\n  a\n\n\n  b\n  ```"),
        ("<blockquote><pre>a</pre></blockquote>b", "> ```\n> a\n> ```\n\nb"),
        ("<b>a <pre>![x](https://y)</pre></b>", "**a`![x](https://y)`**"),
        ("<code>a<br><br>![x](https://y)</code>", "`a  ![x](https://y)`"),
        ("<code>a<p>![x](https://y)</p>b</code>", "`a  ![x](https://y)  b`"),
        ("<kbd>a<br>b</kbd><samp>c`d</samp>", "`a b``` c`d ``"),
        ("<code>![x](https://y)</code>", "`![x](https://y)`"),
        # What is text stays text.
        ("![x](https://evil.example/p.png?who=reader)", "!\\[x\\](https://evil.example/p.png?who=reader)"),
        ("https://x/![a](https://y)", "https://x/!%5Ba%5D(https://y)"),
        ("https://x/?a[0]=b|c`d\\e", "https://x/?a%5B0%5D=b%7Cc%60d%5Ce"),
        ("[a](b) `c` ~~d~~ <b>!</b> e!", "\\[a\\](b) \\`c\\` \\~\\~d\\~\\~ **!** e!"),
        ("&amp;lt; &amp;#33; &amp; &amp;x", "\\&lt; \\&#33; & &x"),
        ("<span>&lt;</span><span>img src=https://x&gt;</span>", "\\<img src=https://x>"),
        ("C:\\<b>x</b>", "C:\\\\**x**"),
        ("a\\ <tbody>&lt;b&gt;</tbody>", "a\\\\\\<b>"),
        ("a &lt; <tbody>b&gt;</tbody>", "a \\<b>"),
        ("a\\<br>b\\\nc\\ d", "a\\\\\nb\\\\\nc\\ d"),
        *(
            (f"<p>{each}</p>", f"\\{each}")
            for each in ("# x", "#", "###### x", "> x", ">x", "- x", "-", "+ x")
        ),
        *((f"a<br>{each}", f"a\n\\{each}") for each in ("===", "=", "---", "- - -", ":-: | -", "| - |", "|")),
        *(
            (f"<p>{each}</p>", each)
            for each in ("#12", "####### x", "--x", "-1", "+1", "=x", ":x", "|x|", "1.5")
        ),
        ("1. x<br>2) y<br>3.<br>1234567890. z", "1\\. x\n2\\) y\n3\\.\n1234567890. z"),
        ("a - b > c # d 1. e", "a - b > c # d 1. e"),
        # Character references are characters.
        ("safe &#x202e;gnp.exe", "safe gnp.exe"),
        ("a&#27;[31mb \x9b0mc&#7;", "ab c"),
        ("\\\x9bm[x](https://y)", "\\\\\\[x\\](https://y)"),
        ("a&nbsp;&nbsp;b", "a b"),
        ("&nbsp;# x", "\\# x"),
        ("<div>a&#13;&#10;b</div>", "a\nb"),
        ("<img src='https://x/y' alt='a&#x202e;b&#7;'>", "[ab](https://x/y)"),
        ("snake_case * star", "snake\\_case \\* star"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "\\<script>alert(1)\\</script>"),
        ("a &lt; b", "a < b"),
        ("C:\\temp\\*.log", "C:\\temp\\\\\\*.log"),
        ("if a < b and c > d", "if a < b and c > d"),
        # What nobody sees.
        ("<script>alert(1)</script>hi<style>x</style>", "hi"),
        ("a<!-- secret -->b", "ab"),
        ("a<!-- secret", "a secret"),
        ("bell \x07 colors \x1b[31mred\x1b[0m", "bell colors red"),
    ],
)
def test_html_becomes_what_sentry_shows(html: str, markdown: str) -> None:
    assert markdown_of(html) == markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**a**\n\n\n\n- b", "**a**\n\n- b"),
        ("a\nb ~~c~~ `d` [e](https://x/) https://y/a_b", "a\nb ~~c~~ `d` [e](https://x/) <https://y/a_b>"),
        ("3. a\n   - b\n\n> c\n\n# d", "3. a\n   - b\n\n> c\n\n# d"),
        ("|a|b|\n|-|-|\n|1|2|", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
        ("```\nif (![a b])\n\n\n<img>\n```", "```\nif (![a b])\n\n\n<img>\n```"),
        ("`![a](b)`", "`![a](b)`"),
        ("![a](https://x/p.png)", "[a](https://x/p.png)"),
        ("![a][b]\n\n[b]: https://x/p.png", "[a](https://x/p.png)"),
        ("<img src=x> <!-- a -->", "\\<img src=x> \\<!-- a -->"),
        ("snake_case 5 * 3 C:\\temp &amp;lt;", "snake\\_case 5 \\* 3 C:\\temp \\&lt;"),
        ("**/sentry** a", "**/sentry** a"),
        ("@<8C8C7D32-6B1B-47F4-B2E9-30B477B5AB3D> look", "@somebody look"),
        ("x\x00y", "x y"),
    ],
)
def test_markdown_says_the_same_in_one_form(text: str, shown: str) -> None:
    assert tidied(text) == shown
    assert words_of(SaidInAdo("7", "Ann", text, is_markdown=True)) == shown


@pytest.mark.parametrize(
    ("lead", "piece"),
    [
        *(
            ("", each)
            for each in (
                *(
                    "<div>",
                    "<div></x>",
                    "<b>x",
                    "<ul><li>",
                    "<table><tr><td>",
                    "<blockquote>",
                    "<a href='https://x'>",
                ),
                *("<br>", "<i></i>", "<", "</", "<a ", "<a b=c ", "<a href='", "<!--", "<![CDATA[", "<?"),
                *(
                    "<!",
                    "<script",
                    "<script>",
                    "&",
                    "&#",
                    "*_`",
                    "\n",
                    "<p>a</p>",
                    " ",
                    " \n",
                    "&#32;",
                    "\x9d",
                ),
                *("<pre>x</pre>", "<code>x</code>", "https://x/ ", "\\", "![", "<td colspan=9999>x</td>"),
            )
        ),
        ("<p>a", " "),
        ("<p>a", "&#32;"),
        ("<pre>a", " "),
        ("<pre>a", "` "),
        ("<code>", "` "),
        ("<ol>", "<li>x</li>"),
        ("<table>", "<tr><td>x</td></tr>"),
        ("<table>", "<tbody><tr><td>x</td></tr></tbody>"),
        ("<table><thead>", "<tr><td>x</td></tr>"),
        ("", "<br>y<table>"),
        ("<div>" * 50, "<p>x</p>"),
        ("<ol><li>" * 25, "x<br>"),
    ],
)
def test_contrived_html_takes_no_longer_than_other_html(lead: str, piece: str) -> None:
    began = time.process_time()
    markdown_of(lead + piece * (100_000 // len(piece)) + "x")
    assert time.process_time() - began < 10.0


def test_what_is_too_long_is_cut() -> None:
    assert markdown_of("x" * 100_001) == "x" * 100_000
    assert tidied("x" * 100_001) == "x" * (100_000 - len("<p>"))


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("a<br>b", "a\nb"),
        ("![x](https://y)", "!\\[x\\](https://y)"),
        ("&lt;img src=x&gt;&#x202e;<br><br><br># a", "\\<img src=x>\n\\# a"),
        ("<p>a</p><p>b</p><b>c</b>", "a\nbc"),
    ],
)
def test_what_is_too_deep_keeps_its_words(words: str, shown: str) -> None:
    assert markdown_of("<div>" * 500 + words + "</div>" * 500) == shown
    assert markdown_of("<div></x>" * 500 + words) == shown


def test_only_what_is_too_deep_loses_its_form() -> None:
    # The one around it is an element as well.
    for depth in (58, 59, 60, 500):
        marks = "**" * min(depth, 59)
        assert markdown_of("<b>" * depth + "a") == f"{marks}a{marks}"


# A number that Python takes for one, or cannot read; a name that the library has a method for.
@pytest.mark.parametrize(
    ("html", "shown"),
    [
        *(
            (f"<ol start='{each}'><li>a</li></ol>", "1. a")
            for each in ("", "²", "½", "٣", "-1", "x", "9" * 5_000)
        ),
        *((f"<ol start='{each}'><li>a</li></ol>", f"{each}. a") for each in ("0", "9999")),
        ("<ol start='10000'><li>a</li></ol>", "1. a"),
        *(
            (f"<table><tr><th colspan='{each}'>a</th></tr></table>", "| a |\n| --- |")
            for each in ("", "²", "٣", "0", "-3", "9" * 5_000)
        ),
        (f"<h{'9' * 5_000}>a</h>", "a"),
        *((f"<{each}>a</{each}>", "a") for each in ("soup", "hN", "h7", "document_", "list", "x_inline")),
    ],
    ids=lambda text: str(text)[:30],
)
def test_odd_numbers_and_names_are_passed_over(html: str, shown: str) -> None:
    assert markdown_of(html) == shown


def test_a_cell_is_as_wide_as_some_columns_at_most() -> None:
    [line, *_] = markdown_of("<table><tr><th colspan='9999'>a</th></tr></table>").split("\n")
    assert line.count("|") == 101


# As a reader of Markdown takes it


def tokens_in(tokens: Iterable[Token]) -> Iterator[Token]:
    for each in tokens:
        yield each
        yield from tokens_in(each.children or ())


def read(markdown: str) -> list[Token]:
    """Return all that a reader finds who takes HTML for HTML, as Sentry may."""
    reader = MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"])
    return list(tokens_in(reader.parse(markdown)))


WORDS = [
    *"ab \n\t<>/=\"'&;:!-+_*~[]()\\`#|.1",
    *("![x](/y)", "<img src=x>", "&lt;", "```", "---", "- ", "1. "),
]
TAGS = [
    *(
        "a href=https://x",
        "a href='https://x/`'",
        "a href=https://x title='![x](https://y)\\'",
        "img src=https://x",
    ),
    *(
        "p",
        "div",
        "span",
        "b",
        "s",
        "br",
        "code",
        "pre",
        "ol",
        "ul",
        "li",
        "table",
        "tr",
        "td",
        "th",
        "caption",
    ),
    *("video poster=https://x", "h1", "hr", "blockquote", "q", "dl", "dt", "dd", "thead", "td colspan=2"),
]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=12).map("".join)
ENTITIES = ["&#x202e;", "&#7;", "&#27;[0m", "&nbsp;", "&#10;", "https://x/![y](/z)"]
PARTS = (
    TEXTS.map(escape)
    | TEXTS
    | st.sampled_from([*ENTITIES, *(f"<{end}{each}>" for each in TAGS for end in ("", "/"))])
)


@settings(max_examples=400)
@given(TEXTS)
def test_what_is_text_stays_text(text: str) -> None:
    found = [each for each in read(markdown_of(f"<div>{escape(text)}</div>")) if "paragraph" not in each.type]
    assert {each.type for each in found} <= {"inline", "text", "text_special", "softbreak"}
    words = "".join(each.content for each in found if each.type.startswith("text"))
    assert "".join(words.split()) == "".join(text.split())


@settings(max_examples=400)
@given(st.lists(PARTS, max_size=12).map("".join))
def test_nothing_becomes_an_image_or_a_tag(html: str) -> None:
    shown = markdown_of(html)
    for markdown in (shown, note_of("Ann", shown, "https://x"), tidied(html)):
        assert not {each.type for each in read(markdown)} & {"image", "html_inline", "html_block"}


@settings(max_examples=200)
@given(TEXTS)
def test_code_stays_code(text: str) -> None:
    found = read(markdown_of(f"<pre>{escape(text)}</pre>"))
    assert [each.content.strip() for each in found] == ([text.strip()] if text.strip() else [])
