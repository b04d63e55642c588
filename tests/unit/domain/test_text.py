"""Text as it goes out: what is taken from it, what becomes a space, and what stays as it is."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.domain.text import cut, is_web_address, legible, one_line, units

# https://www.w3.org/TR/xml/#charsets
XML = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
ANY = st.text(st.characters(), max_size=300)  # halves of a character included
# Text is drawn from the characters that matter here as often as from all of them.
CONTRIVED = st.text(
    st.sampled_from("a \n\r\t\x00\x07\x1b\x9b\x9d[]()0;31m\\\ud83d\ude00\ufffe\u202e\u2066é😀")
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ("as it is: é 日本語 😀 ✓ \ta", "as it is: é 日本語 😀 ✓ \ta"),
        ("a\r\nb\rc\n", "a\nb\nc\n"),
        ("a\x00b\x07c\x0bd\x7fe\x85f", "a b c d e f"),
        ("half \ud83d end \ufffe\uffff", "half   end   "),
        # What a terminal shows as colors, positions, titles, links and characters.
        ("\x1b[31mERROR\x1b[0m \x1b[1;38;5;9mbold\x1b[m", "ERROR bold"),
        ("\x1b[2K\x1b[1Gdone", "done"),
        ("\x1b]0;window\x07shell", "shell"),
        ("\x1b]8;;https://x/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred\x1b(Bx\x1bMy", "redx My"),
        ("lone \x1b and \x1b[", "lone   and  ["),
        ("\x9done\x9dtwo\x07three", " onethree"),
        ("\x9d without an end \x9b31mred", "  without an end red"),
        # Reordering: what overrides it goes, what right-to-left words need stays.
        ("user\u202egnp.exe", "usergnp.exe"),
        ("a\u2066b\u2069\u202a", "ab"),
        ("שלום\u200f, عربي\u061c", "שלום\u200f, عربي\u061c"),
    ],
)
def test_what_cannot_be_written_or_read_is_mended(text: str, written: str) -> None:
    assert legible(text) == written


@given(ANY | CONTRIVED)
def test_any_text_can_be_written_and_is_mended_once(text: str) -> None:
    written = legible(text)
    assert XML.fullmatch(written)
    assert not set(written) & set("\x1b\r\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    written.encode()
    assert legible(written) == written


@given(ANY | CONTRIVED)
def test_any_text_becomes_one_line(text: str) -> None:
    line = one_line(text)
    assert line.splitlines() in ([], [line])
    assert line == line.strip()
    assert "  " not in line


@pytest.mark.parametrize(
    ("text", "longest", "written"),
    [
        ("", 5, ""),
        ("abcde", 5, "abcde"),
        ("abcdef", 5, "abcd…"),
        ("😀😀", 4, "😀😀"),
        ("😀😀😀", 5, "😀😀…"),
        ("😀😀😀", 4, "😀…"),
        ("x😀😀", 4, "x😀…"),
        # Half a character, which Sentry may have cut itself, is none.
        ("ab\ud83dcdef", 5, "abc…"),
    ],
)
def test_no_character_is_cut_in_half(text: str, longest: int, written: str) -> None:
    assert cut(text, longest) == written


@given(ANY, st.integers(1, 400))
@example("😀" * 200, 399)
def test_what_is_cut_fits_and_begins_as_it_did(text: str, longest: int) -> None:
    text = legible(text)
    short = cut(text, longest)
    assert units(short) <= longest
    assert short == text or text.startswith(short.removesuffix("…"))
    short.encode()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://acme.sentry.io/issues/100/?a=1&b=2#c", True),
        ("HTTP://sentry.corp.example/x", True),
        ("", False),
        ("javascript:alert(1)", False),
        ("https://", False),
        (" https://x/", False),
        ('https://x/" onclick="', False),
        ("https://x/\x07", False),
        ("https://x/\u202egnp", False),
        ("ftp://x/", False),
    ],
)
def test_an_address_to_click_is_one_of_the_web(text: str, is_one: bool) -> None:
    assert is_web_address(text) is is_one


@pytest.mark.parametrize(
    "part", ["\x1b", "\x1b]", "\x1b[", "\x1b[0", "\x9b0;", "\x1b (", "\u202e", "\x9d", "\x9d0;"]
)
def test_a_megabyte_of_beginnings_takes_no_time(part: str) -> None:
    """A pattern that began anew at each of them would take hours."""
    assert not set("\x1b\x9b\x9d") & set(legible(part * (1_000_000 // len(part))))


@pytest.mark.parametrize(("text", "many"), [("", 0), ("é", 1), ("日本", 2), ("x😀", 3), ("\ud83d", 1)])
def test_units_are_counted_in_whole_numbers(text: str, many: int) -> None:
    assert str(units(text)) == str(many)
