"""A merge patch, by the examples of its standard, and the paths of what differs."""

from typing import Any

import pytest

from shared.domain.merging import changed_paths, merged


# https://www.rfc-editor.org/rfc/rfc7396#appendix-A
@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
        # And of our own: nothing to do, a key that is not there, a list that holds null.
        ({"a": {"b": 1}}, {}, {"a": {"b": 1}}),
        ({"a": 1}, {"b": None}, {"a": 1}),
        ({"a": 1}, {"a": [None]}, {"a": [None]}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
    ],
)
def test_a_patch_is_merged_as_its_standard_says(original: Any, patch: Any, result: Any) -> None:
    assert merged(original, patch) == result


def test_what_is_patched_stays_as_it_is() -> None:
    original = {"a": {"b": 1}}
    assert merged(original, {"a": {"b": 2, "c": 3}}) == {"a": {"b": 2, "c": 3}}
    assert original == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("before", "after", "paths"),
    [
        ({}, {}, []),
        ({"b": 1, "a": 1}, {"b": 2, "a": 2}, ["a", "b"]),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c"]),
        ({"a": {}}, {"a": {"b": {"c": 1}}}, ["a.b"]),
        ({"a": {"b": {"c": 1}}}, {"a": {}}, ["a.b"]),
        ({"a": ["x"]}, {"a": ["x", "y"]}, ["a"]),
        ({"a": {"b": 1}}, {"a": 5}, ["a"]),
        ({"a": 1}, {"b": 1}, ["a", "b"]),
        ({"a": None}, {}, []),
        ({"a\n": 1}, {}, ["a�"]),
    ],
)
def test_what_differs_is_named_by_the_shortest_path_that_says_it(
    before: dict[str, Any], after: dict[str, Any], paths: list[str]
) -> None:
    assert changed_paths(before, after) == paths
