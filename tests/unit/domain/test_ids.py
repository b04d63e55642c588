"""The ids that others send: what is one, and what is said of what is none."""

import pytest

from shared.domain.errors import Rejected
from shared.domain.ids import is_guid, issue_id_from, work_item_id_from


@pytest.mark.parametrize("text", ["0", "4501234567", "9" * 20])
def test_an_issue_has_up_to_twenty_digits(text: str) -> None:
    assert issue_id_from(text, "issue_id") == text


@pytest.mark.parametrize("text", ["", "9" * 21, "-1", "1.5", "1 ", "1\n", "x", "\u0663"])
def test_what_is_no_id_of_an_issue_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Rejected) as raised:
        issue_id_from(text, "issueId")
    assert raised.value.detail == "issueId must be Sentry's numeric id of the issue"


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("0031", 31), ("9" * 15, 10**15 - 1)])
def test_a_work_item_has_up_to_fifteen_digits(text: str, number: int) -> None:
    assert work_item_id_from(text, "work_item_id") == number


@pytest.mark.parametrize("text", ["", "0", "000", "9" * 16, "-1", "1.5", "1 ", "1\n", "x", "\u0663"])
def test_what_is_no_number_of_a_work_item_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Rejected) as raised:
        work_item_id_from(text, "work_item")
    assert raised.value.detail == "work_item must be the number of a work item"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05", True),
        ("B7D1B3A0-5C3E-4C7E-9A8F-2F6C8E0A1D05", True),
        ("b7d1b3a05c3e4c7e9a8f2f6c8e0a1d05", False),
        ("b7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05\n", False),
        ("g7d1b3a0-5c3e-4c7e-9a8f-2f6c8e0a1d05", False),
        ("Web Shop", False),
    ],
)
def test_a_project_is_known_by_a_guid_in_any_case(text: str, is_one: bool) -> None:
    assert is_guid(text) is is_one
