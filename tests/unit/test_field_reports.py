"""Each report on the page of reports is held by a test that exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "field_reports.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def is_there(path: str, name: str) -> bool:
    source = ROOT / path
    return source.is_file() and f"\ndef {name}(" in source.read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there() -> None:
    assert [each for each in NAMED.findall(PAGE) if not is_there(*each)] == []


def test_every_report_names_its_test_or_says_what_is_not_held() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "| held by |" not in line]
    bare = [row for row in rows if not NAMED.search(row)]
    assert len(rows) > 30
    assert ["it would here" in row for row in bare] == [True] * len(bare)


def test_a_test_that_is_not_there_is_found() -> None:
    assert not is_there("tests/unit/test_field_reports.py", "test_of_nothing")
    assert not is_there("tests/unit/test_of_nothing.py", "test_every_test_that_the_page_names_is_there")
