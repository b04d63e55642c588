"""The list of accepted survivors says why, and names lines that are still there."""

import tomllib
from pathlib import Path

import pytest

from tests.mutation.__main__ import ACCEPTED, ROOT, Change, change_in

ENTRIES = tomllib.loads(ACCEPTED.read_text(encoding="utf-8")).get("accepted", [])

DIFF = """# shared.domain.failures.x_delay_of__mutmut_3: survived
--- shared/domain/failures.py
+++ shared/domain/failures.py
@@ -1,3 +1,3 @@
 def delay_of(error: SyncError) -> float:
-    return first(
-        0.0)
+    return first(1.0)
"""


def test_a_change_is_known_by_its_lines_and_not_by_a_number() -> None:
    change = change_in("shared/domain/failures.py", DIFF)
    assert change == Change("shared/domain/failures.py", "return first( 0.0)", "return first(1.0)")


def test_every_accepted_survivor_says_why_once() -> None:
    changes = [(each["path"], each["was"], each["became"]) for each in ENTRIES]
    assert len(changes) == len(set(changes))
    assert all(len(each["why"]) > 20 for each in ENTRIES)


@pytest.mark.parametrize("path", sorted({each["path"] for each in ENTRIES}))
def test_every_accepted_survivor_is_about_a_line_that_is_there(path: str) -> None:
    lines = " ".join(line.strip() for line in Path(ROOT, path).read_text(encoding="utf-8").splitlines())
    assert [each["was"] for each in ENTRIES if each["path"] == path and each["was"] not in lines] == []
