"""`make words`: write down the sentences as they are now. What changed is for a reviewer to read."""

from tests.unit.domain.words.pages import PAGES, file_of, text_of

for name in PAGES:
    file_of(name).write_text(text_of(name), encoding="utf-8")
