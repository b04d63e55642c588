"""Freeing a vendor's words of our secrets, however they are spelled, before anything is cut."""

import base64
import html
import json
import re
import textwrap
import time
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus

import pytest

from shared.domain.secrecy import REMOVED, freed, quotable, secrets_in, spellings_of

PAT = 'q7x/+Z"k\\w4ü-pat'
TOKEN = "sntryi_0123456789abcdef"
BASIC = f"Basic {base64.b64encode(f':{PAT}'.encode()).decode()}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SPELLED = [
    PAT,
    BASIC,
    BASIC.removeprefix("Basic "),
    encoded(PAT),
    encoded(f":{PAT}"),
    base64.urlsafe_b64encode(f":{PAT}".encode()).decode(),
    quote(PAT),
    quote(PAT, safe=""),
    quote_plus(PAT),
    re.sub("%..", lambda each: each[0].lower(), quote(PAT, safe="")),
    quote(BASIC, safe=""),
    json.dumps(PAT)[1:-1],
    json.dumps(PAT, ensure_ascii=False)[1:-1],
    json.dumps(PAT)[1:-1].replace("/", "\\/"),
    json.dumps(BASIC)[1:-1].replace("/", "\\/"),
]


@pytest.mark.parametrize("spelled", SPELLED)
def test_a_secret_is_removed_in_every_spelling(spelled: str) -> None:
    spellings = spellings_of(secrets_in(BASIC))
    for text in (spelled, f"said {spelled}, twice: {spelled}", f"x{spelled}y"):
        for clean in (freed(text, spellings), quotable(text, spellings)):
            assert REMOVED in clean
            assert not any(each in clean for each in (PAT, encoded(f":{PAT}").rstrip("="), quote(PAT)))
    assert freed(spelled, spellings).rstrip("=") == REMOVED


def test_a_secret_is_looked_for_as_addresses_forms_and_json_spell_it() -> None:
    assert set(spellings_of(['pä "s/word'])) >= {
        'pä "s/word',
        "p%C3%A4%20%22s%2Fword",
        "p%C3%A4%20%22s/word",
        "p%C3%A4+%22s%2Fword",
        r"p\u00e4 \"s/word",
        r"p\u00e4 \"s\/word",
        r"pä \"s/word",
        r"pä \"s\/word",
    }


@pytest.mark.parametrize("secret", ["six-ch", "seven-c", "eight-ch", "new-pat-W", "of/two words", 'a"quote"'])
@pytest.mark.parametrize(
    "spell",
    [
        str,
        quote,
        quote_plus,
        lambda secret: quote(secret, safe=""),
        lambda secret: json.dumps(secret)[1:-1],
        lambda secret: encoded(secret).rstrip("="),
        lambda secret: encoded(f":{secret}").rstrip("="),
    ],
    ids=["plain", "path", "form", "segment", "JSON", "Base64", "Basic"],
)
def test_nothing_is_left_of_a_secret(secret: str, spell: Callable[[str], str]) -> None:
    assert freed(spell(secret), spellings_of([secret])) == REMOVED


def by_number(text: str, form: str) -> str:
    """Return a text whose marks are written by their numbers."""
    return "".join(each if each.isalnum() else form.format(ord(each)) for each in text)


def wrapped(text: str, gap: str) -> str:
    return gap.join(textwrap.wrap(text, 5))


# Who writes it so: a server that ignores case, a page, an address in an address, a mail, JSON within a text.
LOOSE: list[Callable[[str], str]] = [
    str.upper,
    str.lower,
    str.swapcase,
    lambda text: re.sub("%..", lambda each: each[0].lower(), quote(text, safe="")),
    html.escape,
    lambda text: html.escape(html.escape(text)),
    lambda text: by_number(text, "&#{};"),
    lambda text: by_number(text, "&#x{:x};"),
    lambda text: quote(quote(text, safe=""), safe=""),
    lambda text: html.escape(quote(quote(text))),
    lambda text: by_number(text, "\\u{:04x}"),
    lambda text: by_number(text, "\\\\u{:04X}"),
    lambda text: by_number(text, "%{:02x}"),
    lambda text: wrapped(text, "\n"),
    lambda text: wrapped(text, "\r\n "),
    lambda text: wrapped(text, "\\r\\n"),
    lambda text: by_number(wrapped(text, "\t"), "&#{};"),
    lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    lambda text: json.dumps(json.dumps(json.dumps(text)[1:-1])[1:-1])[1:-1],
    lambda text: json.dumps(html.escape(text))[1:-1],
    lambda text: html.escape(json.dumps(text)[1:-1]),
    lambda text: quote(json.dumps(json.dumps(text)[1:-1])[1:-1], safe=""),
    lambda text: re.sub(r"([\"'\\])", r"\\\1", text),
    lambda text: by_number(text, "\\x{:02x}"),
    lambda text: wrapped(text, "\u200b"),
    lambda text: wrapped(text, "\u00ad\u2060"),
    lambda text: wrapped(text, "\ufeff\n"),
    lambda text: by_number(text, "\\U{:08x}"),
    lambda text: by_number(text, "\\\\u{{{:X}}}"),
    lambda text: wrapped(text, "\\t"),
    lambda text: wrapped(text, "\\\\f\\v\\b"),
    lambda text: wrapped(text, "\\u200b\\u0009"),
    lambda text: wrapped(text, "\\\n"),
    lambda text: wrapped(text, "<wbr>"),
    lambda text: wrapped(text, "&lt;BR /&gt;\n"),
    lambda text: wrapped(text, "\x1b[01;31m"),
    lambda text: wrapped(text, "\\u001b[m"),
    *(
        partial(wrapped, gap=each)
        for each in "\b\x1b\x7f\x00\u3164\u115f\u17b4\uffa0\u2800\ufff9\ufffd\U0001d173"
    ),
]


@pytest.mark.parametrize("spell", LOOSE)
@pytest.mark.parametrize("secret", ["new-pat/W+9", "q7&x<9k>4", "a\"quote's", "0123abcdefAB", r"q\w\"s\\k4"])
def test_a_secret_is_known_again_in_whatever_it_was_wrapped(secret: str, spell: Callable[[str], str]) -> None:
    spellings = spellings_of([secret])
    for known in (secret, encoded(secret), encoded(f":{secret}")):
        spelled = spell(known.rstrip("="))
        assert freed(spelled, spellings) == REMOVED
        clean = quotable(f"1) {spelled}, and 2) {spelled}", spellings)
        assert "".join(clean.split()) == f"1){REMOVED},and2){REMOVED}"


# https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (Default_Ignorable_Code_Point)
IGNORABLE = (
    *(0xAD, 0x34F, 0x61C, 0x115F, 0x1160, 0x17B4, 0x17B5, *range(0x180B, 0x1810), *range(0x200B, 0x2010)),
    *(*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0x3164, *range(0xFE00, 0xFE10), 0xFEFF, 0xFFA0),
    *(*range(0xFFF0, 0xFFF9), *range(0x1BCA0, 0x1BCA4), *range(0x1D173, 0x1D17B), *range(0xE0000, 0xE1000)),
)


def test_no_character_that_nobody_sees_hides_one() -> None:
    spellings = spellings_of(["new-pat/W+9"])
    for code in (*range(0x20), *range(0x7F, 0xA1), *IGNORABLE):
        assert freed(f"new-{chr(code)}pat/W+9", spellings) == REMOVED, hex(code)


@pytest.mark.parametrize("gap", ["\\", "\\u{", "\x1b[", "<", "\x1b[1;", "\\u{0", "\x08", "<wbr"])
def test_a_text_of_nothing_but_gaps_takes_no_longer_than_it_is_long(gap: str) -> None:
    # Who looked at all the rest of the text once more at each gap would take minutes.
    began = time.perf_counter()
    assert freed(gap * 300_000, spellings_of(["new-pat/W+9"])) == gap * 300_000
    assert time.perf_counter() - began < 5.0


@pytest.mark.parametrize(
    "text",
    [
        r"C:\\\\new \"\x41\"",
        "soft\u00adly",
        "a &amp; b",
        "100%25",
        "A\n\nB",
        "\\u0041",
        "&lt;b&gt; %41%42",
        "new-\npart",
        "Fix the LOGIN",
        r"C:\temp\bin \ud83d \U00110000 \u{d800}",
        "a<wbr>b\x1b[1mc\x08\u3164",
    ],
)
def test_a_text_without_any_is_left_as_it_is(text: str) -> None:
    assert freed(text, spellings_of(["new-pat-W", "abcdefgh"])) == text


def test_no_more_is_unescaped_than_two_languages_escape() -> None:
    assert freed("50%252525 of new%2Dpat%2FW", spellings_of(["new-pat/W"])) == f"50%25 of {REMOVED}"


def test_only_what_held_one_is_given_back_unescaped() -> None:
    spellings = spellings_of(["new-pat/W"])
    assert freed("a &amp; b: NEW-PAT/W", spellings) == f"a &amp; b: {REMOVED}"
    assert freed("a &amp; b: new-pat&#47;W", spellings) == f"a & b: {REMOVED}"
    assert freed("a &amp; b: new-\npat/W new-pat/W", spellings) == f"a&b:{REMOVED}{REMOVED}"
    assert freed('say \\"a &amp; b: new-pat&#47;W', spellings) == f'say \\"a & b: {REMOVED}'
    assert freed('say \\"a: new-\\\\/pat', spellings_of(["new-/pat"])) == f'say"a:{REMOVED}'


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abcdef.ghi", f"Authorization: {REMOVED}"),
        ("authorization: bearer  abcdef", f"authorization: {REMOVED}"),
        ("Basic%20abcdef== said", f"{REMOVED} said"),
        (f"the token {TOKEN}.", f"the token {REMOVED}"),
        ("SNTRYS_abc", REMOVED),
        ("TF401320: Rule Error", "TF401320: Rule Error"),
        ("two\nlines\x00and\u200b more", "two lines and  more"),
        ("  ", ""),
    ],
)
def test_what_looks_like_credentials_is_removed_and_what_no_log_can_hold_too(text: str, clean: str) -> None:
    assert quotable(text, ()) == clean


@pytest.mark.parametrize("before", range(250, 310))
def test_a_secret_is_removed_before_anything_is_cut(before: int) -> None:
    clean = quotable("y" * before + PAT, spellings_of([PAT]))
    assert PAT[:4] not in clean
    assert len(clean) <= 300


def test_a_secret_inside_of_another_leaves_nothing_of_it() -> None:
    assert freed("abcdefgh-and-more", spellings_of(["abcdefgh", "abcdefgh-and-more"])) == REMOVED


@pytest.mark.parametrize("short", ["", "a", "12345", "  abcd  "])
def test_a_short_text_is_no_secret_that_would_be_found_everywhere(short: str) -> None:
    assert spellings_of([short]) == ()


@pytest.mark.parametrize("token", ["abc.def", "YWJj.ZGVm", "two words"])
def test_a_bearer_token_is_no_password_of_anybody(token: str) -> None:
    assert list(secrets_in(f"Bearer {token}")) == [f"Bearer {token}", token]


def test_a_password_may_hold_a_colon() -> None:
    header = f"Basic {encoded(':pass:word')}"
    assert list(secrets_in(header)) == [header, encoded(":pass:word"), ":pass:word", "pass:word"]
