"""What is wrong with a value, in sentences that name the place and the values that would be right."""

from enum import StrEnum
from typing import Any, Literal

import msgspec
import pytest

from shared.domain.shapes import faults, listed, quoted


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    size: int
    names: tuple[str, ...] = ()


class Outer(msgspec.Struct, rename="camel"):
    issue_id: str | int
    color: Color = Color.RED
    side: Literal["ado", "sentry"] | None = None
    is_on: bool = True
    share: float = 0.0
    inner: Inner | None = None
    people: dict[str, str] = {}
    anything: Any = None


NEEDED = {"issueId": "1"}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (NEEDED, {}),
        ({"issueId": 5, "side": None, "inner": None, "unknown": 1, "anything": [{}]}, {}),
        ({"issueId": 5, "share": 1, "color": "blue", "side": "ado", "people": {"a": "b"}}, {}),
        ({}, {"issueId": "is required"}),
        ([], {"": "must be an object"}),
        (None, {"": "must be an object"}),
        ({"issueId": True}, {"issueId": "must be a text or a whole number"}),
        ({"issueId": None}, {"issueId": "must be a text or a whole number"}),
        ({"issueId": 1.5}, {"issueId": "must be a text or a whole number"}),
        ({**NEEDED, "color": "green"}, {"color": 'must be "red" or "blue"'}),
        ({**NEEDED, "color": []}, {"color": 'must be "red" or "blue"'}),
        ({**NEEDED, "side": "both"}, {"side": 'must be "ado", "sentry" or null'}),
        ({**NEEDED, "isOn": 1}, {"isOn": "must be true or false"}),
        ({**NEEDED, "share": True}, {"share": "must be a number"}),
        ({**NEEDED, "inner": 5}, {"inner": "must be an object or null"}),
        ({**NEEDED, "inner": {}}, {"inner.size": "is required"}),
        (
            {**NEEDED, "inner": {"size": "x", "names": ["a", 5], "colour": 1}},
            {
                "inner.size": "must be a whole number",
                "inner.names[1]": "must be a text",
                "inner.colour": "is not a known key: known are size and names",
            },
        ),
        ({**NEEDED, "inner": {"size": 1, "names": "a"}}, {"inner.names": "must be a list"}),
        ({**NEEDED, "people": {"a": 5, "b": "c"}}, {"people.a": "must be a text"}),
        ({**NEEDED, "people": {"\x1b" + "x" * 90: 5}}, {f"people.�{'x' * 79}": "must be a text"}),
    ],
)
def test_each_fault_is_named_by_its_path(value: Any, found: dict[str, str]) -> None:
    assert faults(value, Outer) == found
    try:
        msgspec.convert(value, Outer)
    except msgspec.ValidationError:
        assert found
    else:
        assert not found


def test_words_are_listed_as_a_sentence_lists_them() -> None:
    assert listed(["a"]) == "a"
    assert listed(["a", "b"]) == "a or b"
    assert listed(["a", "b", "c"], "and") == "a, b and c"
    assert quoted('a"b') == '"a\\"b"'
