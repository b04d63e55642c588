"""Titles and tags: whatever text there is, what comes of it is taken by Azure DevOps' own rules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ado.text import tags_of, title_of
from simulator.ado.text import check_text, check_title, tags_in

ANY = st.text(st.characters(), max_size=600)
TAGS = st.text(st.sampled_from("ab ,;\n\x00\x1b[m\ud83d🤖✨✓é👩‍👩‍👧⚡️1️⃣\u200b\u202e𠮷"), max_size=60)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Fix login", "Fix login"),
        (" Fix \n\tlogin\x00 ", "Fix login"),
        ("\x1b[31mTypeError\x1b[0m: x", "TypeError: x"),
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 254 + "…"),
        # Most emoji are two of what Azure DevOps counts, and are not cut in half.
        ("😀" * 127, "😀" * 127),
        ("😀" * 128, "😀" * 127 + "…"),
        ("x" + "😀" * 127, "x" + "😀" * 127),
        ("x" + "😀" * 128, "x" + "😀" * 126 + "…"),
    ],
)
def test_a_title_is_one_line_within_the_limit(text: str, title: str) -> None:
    assert title_of(text) == title


@given(ANY)
def test_any_text_gives_a_title_that_is_taken(text: str) -> None:
    title = title_of(text)
    check_text([title])
    check_title(title)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", ""),
        ("sentry; shop", "sentry; shop"),
        ("sentry,shop,, ;web app\nnew", "sentry; shop; web app; new"),
        ("Web; web ;WEB", "Web"),
        # danhellem/github-actions-issue-to-work-item issue 106
        ("GitHub Issue; repos, ✨ new feature", "GitHub Issue; repos; new feature"),
        ("🤖 sdlc-working; 🔥; ✓ done; → next; übung", "sdlc-working; ✓ done; → next; übung"),
        ("👩‍👩‍👧 family; 1️⃣ first; ⚡️fast; 𠮷野", "family; 1 first; fast; 野"),
        ("a\x00b; \x1b[31mred\x1b[0m; \u202eevil\u200b", "a b; red; evil"),
        ("x" * 401, "x" * 399 + "…"),
    ],
)
def test_of_tags_only_what_is_refused_is_lost(text: str, tags: str) -> None:
    assert tags_of(text) == tags


@given(ANY | TAGS)
def test_any_text_gives_tags_that_are_taken_as_they_are(text: str) -> None:
    tags = tags_of(text)
    check_text([tags])
    assert "; ".join(tags_in(tags)) == tags


def test_no_more_tags_than_a_work_item_may_have() -> None:
    tags = tags_of(";".join(f"tag {number}" for number in range(150)))
    assert len(tags_in(tags)) == 100
