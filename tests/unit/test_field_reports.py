"""Each report, each threat, and each feature under each fault is held by a test that exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE, THREATS, FAULTS = (
    (ROOT / "docs" / name).read_text(encoding="utf-8")
    for name in ("field_reports.md", "security.md", "reliability.md")
)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def is_there(path: str, name: str) -> bool:
    source = ROOT / path
    return source.is_file() and f"\ndef {name}(" in source.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [PAGE, THREATS, FAULTS], ids=["reports", "threats", "faults"])
def test_every_test_that_the_page_names_is_there(page: str) -> None:
    assert [each for each in NAMED.findall(page) if not is_there(*each)] == []


def test_every_feature_names_a_test_for_each_fault() -> None:
    _, _, table = FAULTS.partition("| | killed | twice | late | unheard |")
    rows = [line for line in table.split("\n\n")[0].splitlines() if "`" in line]
    assert [len(NAMED.findall(row)) for row in rows] == [4] * 11


def test_every_threat_of_the_list_names_its_test() -> None:
    rows = re.findall(r"^\| ([0-9]{1,2}) \|(.+)\|$", THREATS, re.MULTILINE)
    assert [int(number) for number, _ in rows] == list(range(1, 26))
    assert [row for _, row in rows if not NAMED.search(row) or row.count(" | ") != 2] == []


def test_every_report_names_its_test_or_says_what_is_not_held() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| held by |" not in line]
    bare = [row for row in rows if not NAMED.search(row)]
    assert len(rows) > 30
    assert ["it would here" in row for row in bare] == [True] * len(bare)


def test_a_test_that_is_not_there_is_found() -> None:
    assert not is_there("tests/unit/test_field_reports.py", "test_of_nothing")
    assert not is_there("tests/unit/test_of_nothing.py", "test_every_test_that_the_page_names_is_there")
