"""What is known of a comment on its way: what a message carries, whose it is, what commands it to travel."""

import msgspec
import pytest

from shared.ado.comments import rendered
from shared.domain.comments import (
    Carried,
    SaidInAdo,
    author_of,
    carried,
    digest_of,
    is_ours_in_ado,
    is_ours_in_sentry,
    may_be_marked,
    without_command,
)
from shared.domain.model import SentryComment

LINK = "https://sentry.io/organizations/acme/issues/100/activity/#event_5"
OURS_IN_ADO = f'<p>Ann wrote in <a href="{LINK}">Sentry</a>:</p><blockquote><p>Hi</p></blockquote>'
PAGE = "https://dev.azure.com/fabrikam/_workitems/edit/31#comment-7"
OURS_IN_SENTRY = f"**Ann** wrote in [Azure DevOps]({PAGE}):\n\n> Hi"


# The command


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/sentry hello", "hello"),
        ("  \n/sentry hello", "hello"),
        ("/Sentry: hello", "hello"),
        ("/sentry\nhello", "hello"),
        ("/sentry\n\nhello\n\nyou", "hello\n\nyou"),
        ("**/sentry** hello", "hello"),
        ("*/sentry* hello", "hello"),
        ("/sentry", ""),
        ("/sentry  ", ""),
        ("hello", None),
        ("hello /sentry", None),
        ("/sentryhello", None),
        ("/sentry-sync broke", None),
        ("/sentry/issues is slow", None),
        ("/sentry.py is slow", None),
        ("> /sentry quoted", None),
        ("sentry hello", None),
        ("//sentry hello", None),
        ("", None),
    ],
)
def test_a_comment_is_marked_by_how_it_begins(text: str, left: str | None) -> None:
    assert without_command(text) == left
    assert left is None or may_be_marked(text)


# The marks


@pytest.mark.parametrize(
    "html",
    [
        OURS_IN_ADO,
        f"<div>{OURS_IN_ADO}</div>",
        f" \n{OURS_IN_ADO}",
        OURS_IN_ADO.replace("<a ", '<a target="_blank" rel="noopener" '),
        OURS_IN_ADO.replace('"', "'"),
        OURS_IN_ADO.replace("<p>Ann", "<p>Ann &lt;b&gt; &amp; Co"),
        OURS_IN_ADO.replace("Ann wrote in", "Seen again in"),
        OURS_IN_ADO.upper().replace("#EVENT", "#event"),
        *(rendered(SentryComment("5", author_of(each * 300, ""), "Hi", LINK), LINK) for each in "A&\"'<"),
        OURS_IN_ADO.replace("Ann", "&amp;quot;" * 200),
        OURS_IN_ADO.replace("<a ", '<a style="color:#fff" '),
        OURS_IN_ADO.replace(" in ", " in \n "),
    ],
)
def test_what_was_carried_over_to_a_work_item_is_ours(html: str) -> None:
    assert is_ours_in_ado(html)


@pytest.mark.parametrize(
    "html",
    [
        "",
        "Hello",
        f"<div>Look at this: {OURS_IN_ADO}</div>",
        f"<p>I agree</p><blockquote>{OURS_IN_ADO}</blockquote>",
        f'<p>See <a href="{LINK}">this</a>',
        f'<p>See <a href="{LINK}">Sentry</a>',
        OURS_IN_ADO.replace("#event_5", "#event_"),
        OURS_IN_ADO.replace("#event_5", ""),
        OURS_IN_ADO.replace("Sentry</a>:", "Sentry</a>"),
        OURS_IN_ADO.replace("Ann", "Ann " * 1_000),
        OURS_IN_ADO.replace(" in ", " "),
        OURS_IN_ADO.replace("#event_5", "#event_" + "5" * 21),
        OURS_IN_ADO.replace('">Sentry', '"'),
        *(each * 300_000 for each in (" ", "<p>", "<p>\n", "<", "in ", "in <a ", "a<")),
        f"{' ' * 300_000}x",
        f"x in <a {'#event_1' * 100_000}",
        f"x in{' ' * 300_000}<b>",
        f'x in <a href="#event_1">{" " * 300_000}x',
    ],
    ids=lambda html: str(html)[:30],
)
def test_what_quotes_it_is_somebody_else_s(html: str) -> None:
    assert not is_ours_in_ado(html)


@pytest.mark.parametrize(
    "text", [OURS_IN_SENTRY, f"  \n{OURS_IN_SENTRY}", OURS_IN_SENTRY.replace("-7", "-rev-4")]
)
def test_what_was_carried_over_to_an_issue_is_ours(text: str) -> None:
    assert is_ours_in_sentry(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"I agree:\n{OURS_IN_SENTRY}",
        f"> {OURS_IN_SENTRY}",
        OURS_IN_SENTRY.replace("#comment-7", ""),
        OURS_IN_SENTRY.replace("):", ")"),
        f"See [Azure DevOps]({PAGE}):",
        "**" * 50_000,
    ],
)
def test_a_quotation_in_sentry_is_somebody_else_s(text: str) -> None:
    assert not is_ours_in_sentry(text)


# What a message carries


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [
        ("abc", 5, ("abc", False)),
        ("abc", 4, ("ab", True)),
        ("", 5, ("", False)),
        ("ééé", 6, ("éé", True)),
        ('"""', 6, ('""', True)),
    ],
)
def test_as_much_is_carried_as_fits(text: str, most: int, expected: tuple[str, bool]) -> None:
    assert carried(text, most) == expected
    assert len(msgspec.json.encode(carried(text, most)[0])) <= most


@pytest.mark.parametrize(
    ("name", "shown"), [(" Ann\tArbor ", "Ann Arbor"), ("", "Somebody"), ("\n", "Somebody")]
)
def test_an_author_has_a_name(name: str, shown: str) -> None:
    assert author_of(name, "Somebody") == shown


@pytest.mark.parametrize(("key", "number"), [("7", 7), ("rev-4", None)])
def test_a_comment_has_an_id_or_a_revision(key: str, number: int | None) -> None:
    assert SaidInAdo(key, "Ann").comment_id == number


# What is kept


@pytest.mark.parametrize("kept", [Carried(), Carried("7", "ab12", 5.0), Carried("7", is_gone=True)])
def test_what_was_carried_is_kept(kept: Carried) -> None:
    assert Carried.from_result(kept.to_result()) == kept


ODD_IDS = [f'{{"id": "{each}"}}' for each in ("x", "²", "٣", "-7", "9" * 5_000)]


@pytest.mark.parametrize("word", ["commented", "already-commented", "", "[]", "{", '{"id": 5}', *ODD_IDS])
def test_of_an_older_word_no_more_is_known_than_that_it_was_carried(word: str) -> None:
    assert Carried.from_result(word) == Carried()


def test_another_text_has_another_digest() -> None:
    assert digest_of("a") == "40f89e395b66422f"  # it is stored
    assert digest_of("a") == digest_of("a") != digest_of("b")
    assert digest_of("\ud83d")
