"""The sentences are as they were approved: another word in one of them is a change that somebody reads."""

import pytest

from tests.unit.domain.words.pages import PAGES, file_of, text_of


@pytest.mark.parametrize("name", PAGES)
def test_the_sentences_are_those_that_were_approved(name: str) -> None:
    approved = file_of(name).read_text(encoding="utf-8").splitlines()
    assert text_of(name).splitlines() == approved, "if that is meant: `make words`, and read the difference"
