"""What is read of bytes that somebody else wrote."""

import codecs
import subprocess
import sys
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from msgspec import _utils

from shared.domain import decoding
from shared.domain.decoding import (
    Readable,
    convert,
    decode,
    decode_delivery,
    decode_document,
    decoder,
    find_as,
)
from shared.domain.errors import Malformed

ROOT = Path(__file__).parents[3]


class Leaf(msgspec.Struct):
    number: int


class Branch(msgspec.Struct):
    leaves: Readable[Leaf] | None = None


class Title(msgspec.Struct):
    title: str


@pytest.mark.parametrize(
    ("value", "numbers", "unreadable"),
    [
        ([], [], 0),
        ([{"number": 1}, {"number": 2}], [1, 2], 0),
        ([None, {"number": 1}, {"number": "2"}, 3, []], [1], 4),
        ([{}], [], 1),
    ],
)
def test_an_odd_element_hides_no_other_and_is_counted(
    value: object, numbers: list[int], unreadable: int
) -> None:
    for read in (convert(value, Readable[Leaf]), convert({"leaves": value}, Branch).leaves):
        assert read is not None
        assert ([each.number for each in read], read.unreadable) == (numbers, unreadable)


def test_an_odd_element_of_an_element_hides_no_other() -> None:
    [branch] = convert([{"leaves": [{"number": 1}, None]}], Readable[Branch])
    assert branch.leaves == [Leaf(1)]


@pytest.mark.parametrize("value", [5, "[]", {}, None])
def test_what_is_no_list_has_no_elements_that_can_be_read(value: object) -> None:
    assert find_as(value, Readable[Leaf]) is None
    with pytest.raises(msgspec.ValidationError):
        convert(value, Readable[Leaf])


def test_what_is_none_of_a_kind_is_not_found() -> None:
    assert (find_as("text", str), find_as(5, str)) == ("text", None)
    assert (convert(None, type(None)), find_as(5, type(None))) == (None, None)


def test_half_a_character_in_a_title_loses_no_event() -> None:
    assert decode_delivery(b'{"title": "cut \\ud83d", "rev": 2}') == {"title": "cut \ufffd", "rev": 2}


@pytest.mark.parametrize("read", [None, Title])
def test_a_nul_in_a_title_loses_no_event(read: type[msgspec.Struct] | None) -> None:
    assert decode_delivery(b'{"title": "a\\u0000b"}', read) == {"title": "a\ufffdb"}


def test_an_escaped_backslash_before_a_number_is_no_nul() -> None:
    assert decode_delivery(b'{"title": "C:\\\\u0000"}') == {"title": "C:\\u0000"}


@pytest.mark.parametrize("read", [None, Title])
def test_a_delivery_may_begin_with_the_mark_of_its_encoding(read: type[msgspec.Struct] | None) -> None:
    assert decode_delivery(codecs.BOM_UTF8 + b'{"title": "a"}', read) == {"title": "a"}


def test_of_a_delivery_the_members_of_interest_are_read_and_of_another_shape_everything() -> None:
    assert decode_delivery(b'{"title": "a", "rev": 2}', Title) == {"title": "a"}
    assert decode_delivery(b'{"title": 7, "rev": 2}', Title) == {"title": 7, "rev": 2}
    assert decode_delivery(b'{"title": "a", "rev": 2}') == {"title": "a", "rev": 2}


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"nonsense", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_not_json_is_malformed_and_nothing_worse(body: bytes) -> None:
    for read in (decode_delivery, lambda body: decode(body, dict[str, object])):
        with pytest.raises(Malformed):
            read(body)


def test_a_delivery_that_cannot_be_read_is_said_to_be_no_json() -> None:
    with pytest.raises(Malformed) as refusal:
        decode_delivery(b"nonsense")
    assert str(refusal.value) == "the body is not JSON"


def test_a_document_of_another_shape_is_malformed_where_it_differs() -> None:
    with pytest.raises(Malformed, match=r"\$\[\.\.\.\]"):
        decode(b'{"a": "text"}', dict[str, int])


def test_keys_that_a_document_holds_twice_are_told_by_their_paths() -> None:
    body = b'{"a": 1, "b": [0, {"c": [{"d": 1, "d": 2}], "c": []}], "a": {"e": 1, "e": 2, "e": 3}}'
    document, repeated = decode_document(body)
    assert document == {"a": {"e": 3}, "b": [0, {"c": []}]}
    assert repeated == ("b[1].c[0].d", "b[1].c", "a", "a.e")


@pytest.mark.parametrize(("opened", "closed"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_a_document_may_have_fifty_levels_and_no_more(opened: bytes, closed: bytes) -> None:
    def nested(levels: int) -> bytes:
        return b'{"a":' + opened * (levels - 2) + b"0" + closed * (levels - 2) + b"}"

    assert decode_document(nested(50))[1] == ()
    with pytest.raises(Malformed) as refusal:
        decode_document(nested(51))
    assert str(refusal.value) == "it is nested too deeply"


@pytest.mark.parametrize(("opened", "closed"), [(b'{"a":', b"}"), (b"[", b"]")])
def test_a_document_of_any_depth_is_refused_and_no_bug(opened: bytes, closed: bytes) -> None:
    # One decoder takes a few levels more than the other; which ones depends on who calls.
    for levels in range(800, 1100):
        with pytest.raises(Malformed):
            decode_document(b'{"a":' + opened * levels + b"0" + closed * levels + b"}")


def said_of(value: str) -> str:
    with pytest.raises(Malformed) as refusal:
        decode(f'"{value}"', Literal["a"])  # type: ignore[arg-type]  # a shape, if no class
    return str(refusal.value)


def test_why_it_cannot_be_read_is_told_in_240_characters_at_most() -> None:
    frame = said_of("")
    fits, too_long = said_of("x" * (240 - len(frame))), said_of("x" * (241 - len(frame)))
    assert (len(fits), "…" in fits) == (240, False)
    whole = frame.replace("''", f"'{'x' * (241 - len(frame))}'")
    assert too_long == f"{whole[:120]}…{whole[-120:]}"
    assert said_of("x" * 1_000)[:120] == too_long[:120]


def test_what_no_decoder_explains_is_not_json() -> None:
    with pytest.raises(Malformed) as refusal:
        decode(b'{"a": ' * 100_000, dict[str, object])
    assert str(refusal.value) == "it is not JSON in UTF-8"


def test_a_shape_has_one_decoder() -> None:
    assert decoder(Leaf) is decoder(Leaf)


def test_while_a_class_is_learned_nobody_else_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    class New(msgspec.Struct):
        number: int

    look = _utils._get_class_annotations  # type: ignore[attr-defined]  # stubs leave it out
    alone = list[bool]()

    def noted(kind: object) -> object:
        alone.append(decoding._first_time.locked())
        return look(kind)

    monkeypatch.setattr(_utils, "_get_class_annotations", noted)
    assert convert({"number": 7}, New) == New(7)
    assert set(alone) == {True}


# A class that nobody has decoded yet, and another thread that comes while msgspec knows half of it.
TWO_AT_ONCE = """
import threading, time
import msgspec
from msgspec import _utils
from shared.domain.decoding import convert, decode

look = _utils._get_class_annotations
def slowly(kind):
    if kind is Inner:
        time.sleep(0.1)
    return look(kind)
_utils._get_class_annotations = slowly

class Inner(msgspec.Struct):
    number: int
class Outer(msgspec.Struct):
    inner: Inner

given = {"inner": {"number": 7}}
reads = [lambda: decode('{"inner": {"number": 7}}', Outer), lambda: convert(given, Outer)]
found = []
threads = [threading.Thread(target=lambda read=read: found.append(read().inner.number)) for read in FIRST]
for thread in threads:
    thread.start()
    time.sleep(0.02)
for thread in threads:
    thread.join()
print(found)
"""


@pytest.mark.parametrize("first", ["reads", "reads[::-1]", "reads[:1] * 2", "reads[1:] * 2"])
def test_two_threads_may_be_the_first_to_decode_a_class(first: str) -> None:
    """In a process of its own: without a lock, msgspec ends it by a segmentation fault."""
    script = TWO_AT_ONCE.replace("FIRST", first)
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "[7, 7]\n", "")
