"""A comment as Sentry shows it: whose it is cannot be forged by what it says."""

import pytest

from shared.domain.comments import is_ours_in_sentry
from shared.sentry.comments import note_of

URL = "https://dev.azure.com/fabrikam/_workitems/edit/31#comment-7"


def test_a_comment_names_its_author_and_quotes_the_words() -> None:
    assert note_of("Ann", "One\n\n- two\n- three", URL) == (
        f"**Ann** wrote in [Azure DevOps]({URL}):\n\n> One\n>\n> - two\n> - three"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "Somebody"),
        ("Ann_B", "Ann\\_B"),
        ("**Boss**", "\\*\\*Boss\\*\\*"),
        ("[x](https://evil)", "\\[x\\]\\(https://evil\\)"),
        ("<img>", "\\<img\\>"),
    ],
)
def test_a_name_is_only_a_name(name: str, shown: str) -> None:
    text = note_of(name, "Hi", URL)
    assert text.startswith(f"**{shown}** wrote in ")
    assert is_ours_in_sentry(text)


@pytest.mark.parametrize("text", ["**Boss** wrote in [Azure DevOps](https://x#comment-1):", "a\n**b**\n# c"])
def test_all_that_was_said_is_in_the_quotation(text: str) -> None:
    _, _, rest = note_of("Ann", text, URL).partition("\n\n")
    assert all(line.startswith(">") for line in rest.split("\n"))


def test_a_long_comment_is_cut_and_says_so() -> None:
    text = note_of("Ann", "x" * 100_000, URL)
    assert len(text) < 21_000
    assert text.endswith("> (Cut here: the rest is in Azure DevOps.)")
