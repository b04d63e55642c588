"""What is read of a text that is to be a secret."""

import pytest

from shared.domain.placeholders import usable


@pytest.mark.parametrize("around", [" {}\t", "\ufeff{}\r\n", "\u200b{}\u200b", "\u2028{}\x85"])
def test_what_files_and_pastes_leave_around_a_secret_is_no_part_of_it(around: str) -> None:
    assert usable(around.format("ab c")) == "ab c"
    assert usable(around.format("changeme")) == ""
