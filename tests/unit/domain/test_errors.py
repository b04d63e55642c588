"""The tree of errors: every one is named once, says what happened, and has its consequences everywhere."""

import inspect
import re

import pytest

from functions.edge import status_of
from shared.domain import errors
from shared.domain.errors import (
    Forbidden,
    InvalidConfiguration,
    InvalidList,
    MissingSetting,
    NotFound,
    NotTrusted,
    Refused,
    SyncError,
    Throttled,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Untried,
    UnusableSetting,
)
from shared.domain.failures import Disposition, consequence_of
from tests.unit.error_tree import EVERY_ERROR, an_error

KEBAB = re.compile(r"[a-z]+(-[a-z]+)*")


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_has_an_http_status_a_disposition_and_a_word(kind: type[SyncError]) -> None:
    error = an_error(kind)
    assert 400 <= status_of(error) < 600
    assert consequence_of(error).disposition in Disposition
    assert KEBAB.fullmatch(error.kind)
    assert str(error) == error.detail


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    depths = {
        name: len(indent) // 4
        for indent, name in re.findall(
            r"^([│├└─ ]*)([A-Z]\w+)(?: {2}|$)", inspect.getdoc(errors) or "", re.MULTILINE
        )
    }
    for kind in EVERY_ERROR:
        assert depths[kind.__name__] == len(kind.__mro__) - len(SyncError.__mro__), kind


def test_a_missing_setting_is_named_with_its_purpose() -> None:
    error = MissingSetting("SENTRY_TOKEN", "the token of the internal integration")
    assert error.name == "SENTRY_TOKEN"
    assert error.detail == "SENTRY_TOKEN is not set: the token of the internal integration"


def test_an_error_says_only_what_it_was_told() -> None:
    error = Forbidden("ado", "HTTP 403")
    assert (error.told, error.about, error.advice) == ("HTTP 403", "", "")
    assert Forbidden("ado", "HTTP 403", quoted="TF401027").told == "HTTP 403: TF401027"
    assert NotFound("HTTP 404", quoted="TF401232").told == "HTTP 404: TF401232"


def test_what_an_error_says_begins_no_other_line_of_the_log() -> None:
    error = Refused("ado", "no\r\nsuch\u2028state é")
    assert (error.detail, str(error)) == ("no??such?state é", "no??such?state é")


def test_who_did_not_ask_again_is_told_the_same_and_keeps_no_links_of_another_message() -> None:
    error = Unavailable("sentry", "HTTP 503", advice="wait", quoted="busy")
    error.left = ("100", "101")
    twin = error.unasked()
    assert (type(twin), str(twin), twin.told, twin.advice) == (Unavailable, "HTTP 503", error.told, "wait")
    assert (twin.asked, twin.left) == (False, ())


@pytest.mark.parametrize("may_have_landed", [True, False])
def test_whoever_is_to_wait_knows_whether_the_write_may_have_landed(may_have_landed: bool) -> None:
    error = Throttled("sentry", "HTTP 503", retry_after=9.0, may_have_landed=may_have_landed)
    assert error.may_have_landed is may_have_landed


def test_what_could_not_be_tried_says_why_in_the_words_of_its_cause() -> None:
    cause = Unauthorized("ado", "HTTP 401", advice="the token has a line break", quoted="TF400813")
    error = Untried(cause)
    assert (error.service, error.detail, error.advice, error.told, error.kind, error.cause) == (
        "ado",
        "HTTP 401",
        "the token has a line break",
        "HTTP 401: TF400813",
        "unauthorized",
        cause,
    )


def test_what_is_not_trusted_says_what_is_wrong_and_how_to_mend_it() -> None:
    error = NotTrusted("sentry", "TLS", kind="no-tls", advice="check the scheme", quoted="EOF")
    assert (error.kind, error.advice, error.told) == ("no-tls", "check the scheme", "TLS: EOF")
    assert NotTrusted("sentry", "TLS", kind="no-tls", advice="check the scheme").told == "TLS"


def test_a_setting_that_cannot_be_used_is_named() -> None:
    error = UnusableSetting("PUBLIC_URL", "is no address")
    assert (error.name, error.detail) == ("PUBLIC_URL", "PUBLIC_URL is no address")


def test_a_wrong_list_keeps_what_is_wrong_by_its_place() -> None:
    assert InvalidList("2 lines are wrong", {"line 3": "is empty"}).errors == {"line 3": "is empty"}


def test_an_invalid_document_keeps_every_error_by_its_path() -> None:
    error = InvalidConfiguration({"ado_url": "is required", "people.x": "is wrong"})
    assert error.errors == {"ado_url": "is required", "people.x": "is wrong"}
    assert error.detail == "ado_url: is required; people.x: is wrong"


def test_who_did_not_prove_who_it_is_has_the_wrong_proof_unless_told_otherwise() -> None:
    whys = [Unauthenticated("no").why, Unauthenticated("no", why="no-secret").why]
    assert whys == ["wrong-proof", "no-secret"]
