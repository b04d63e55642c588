"""HTML as Markdown: what people write in a discussion, and what may make it slow or dangerous."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ado.comments import words_of
from shared.ado.html import markdown_of, tidied
from shared.domain.comments import SaidInAdo

ATTACHMENT = "https://dev.azure.com/f/_apis/wit/attachments/g?fileName=x.png"
MENTION = '<a href="#" data-vss-mention="version:2.0,8c8c7d32-6b1b-47f4-b2e9-30b477b5ab3d">@Ann Arbor</a>'


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
        ('<a href="https://x/(a">t</a>', "t"),
        (f'<img src="{ATTACHMENT}" alt="x.png">', f"[x.png]({ATTACHMENT})"),
        (f'<img src="{ATTACHMENT}">', f"[image]({ATTACHMENT})"),
        ('<img src="data:image/png;base64,AAAA">', "image"),
        ('<a href="https://x/"><img src="https://y/i.png" alt="i"></a>', "[i](https://x/)"),
        # What is text stays text.
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
        ("@<8C8C7D32-6B1B-47F4-B2E9-30B477B5AB3D> look", "@somebody look"),
        ("x\x00y", "x y"),
    ],
)
def test_markdown_stays_as_it_was_written(text: str, shown: str) -> None:
    assert tidied(text) == shown
    assert words_of(SaidInAdo("7", "Ann", text, is_markdown=True)) == shown


@pytest.mark.parametrize(
    "contrived",
    [
        piece * (100_000 // len(piece))
        for piece in (
            *("<div>", "<b>x", "<ul><li>", "<table><tr><td>", "<blockquote>", "<a href='https://x'>"),
            *("<br>", "<i></i>", "<", "</", "<a ", "<a b=c ", "<a href='", "<!--", "<![CDATA[", "<?"),
            *("<!", "<script", "<script>", "&", "&#", "*_`", "\n", "<p>a</p>"),
        )
    ],
    ids=lambda text: str(text)[:12],
)
def test_contrived_html_takes_no_longer_than_other_html(contrived: str) -> None:
    began = time.process_time()
    markdown_of(contrived)
    assert time.process_time() - began < 10.0


def test_what_is_too_deep_keeps_its_words() -> None:
    assert markdown_of("<div>" * 500 + "a<br>b" + "</div>" * 500) == "a\nb"


PIECES = [*"ab <>/=\"'&;!-_*[]()\\\n", "<b>", "</b>", "<a href=", "<!--", "<p>", "&lt;", "<br>"]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
def test_no_text_becomes_a_tag(html: str) -> None:
    assert not re.search(r"(?<!\\)(\\\\)*<(?=[a-zA-Z/!?])", markdown_of(html))
