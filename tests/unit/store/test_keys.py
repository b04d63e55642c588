"""How any text becomes part of a table key."""

import hashlib

import pytest

from shared.store.keys import escaped, number


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        ("aZ09._-", "aZ09._-"),
        ("a/b!c", "a=2Fb=21c"),
        ("Ä😀", "=C3=84=F0=9F=98=80"),
        ("\ud800", "=3F"),  # half a character, which no encoding has
        ("x" * 200, "x" * 200),
        ("x" * 201, f"={hashlib.sha256(b'x' * 201).hexdigest()}"),
        ("/" * 67, f"={hashlib.sha256(b'/' * 67).hexdigest()}"),
        ("\ud800" * 67, f"={hashlib.sha256(b'?' * 67).hexdigest()}"),
    ],
)
def test_what_a_key_may_not_hold_is_written_in_hexadecimal_and_what_is_too_long_as_a_digest(
    text: str, key: str
) -> None:
    assert escaped(text) == key


def test_numbers_sort_as_texts() -> None:
    assert [number(each) for each in (9, 10, 4_294_967_296)] == [
        "0000000000000009",
        "0000000000000010",
        "0000004294967296",
    ]
