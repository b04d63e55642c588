"""Lines of the log: facts by name, nothing that could be taken for one, nothing but identifiers."""

from typing import Any

import azure.functions as func
import pytest

from functions.log import line, reason_of_refusal, subject_of, subject_of_request
from shared.domain.errors import NotTrusted, Refused, SyncError, Unauthenticated
from shared.domain.messages import InboundMessage, Message, OutboundMessage


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({}, "outcome=applied"),
        ({"organization": "acme", "work_item": 31}, "outcome=applied organization=acme work_item=31"),
        ({"why": "two words"}, 'outcome=applied why="two words"'),
        ({"why": ""}, 'outcome=applied why=""'),
        # What comes from outside can begin neither a fact nor a line.
        ({"issue": "1 outcome=bug"}, 'outcome=applied issue="1 outcome=bug"'),
        ({"issue": "1\noutcome=bug"}, 'outcome=applied issue="1?outcome=bug"'),
        ({"issue": '1" outcome="bug'}, 'outcome=applied issue="1\\" outcome=\\"bug"'),
        ({"issue": "\x1b[31m\u2028"}, "outcome=applied issue=?[31m?"),
        ({"issue": "9" * 500}, f"outcome=applied issue={'9' * 200}"),
    ],
)
def test_a_line_is_made_of_facts(facts: dict[str, Any], said: str) -> None:
    assert line("applied", **facts) == said


@pytest.mark.parametrize(
    ("message", "facts"),
    [
        (InboundMessage("acme", 31, 7), {"organization": "acme", "work_item": 31, "rev": 7}),
        (OutboundMessage("acme", "100"), {"organization": "acme", "issue": "100"}),
        (OutboundMessage("acme", "100", "5"), {"organization": "acme", "issue": "100", "comment": "5"}),
    ],
)
def test_a_message_is_named_by_what_it_is_about(message: Message, facts: dict[str, Any]) -> None:
    assert subject_of(message) == facts


@pytest.mark.parametrize(
    ("route", "facts"),
    [
        ({}, {}),
        ({"organization": "acme"}, {"organization": "acme"}),
        (
            {"organization": "acme", "issue_id": "100", "work_item_id": "31"},
            {"organization": "acme", "issue": "100", "work_item": "31"},
        ),
        ({"organization": "acme", "issue_id": "", "resource": "projects"}, {"organization": "acme"}),
    ],
)
def test_a_request_is_named_by_its_route(route: dict[str, str], facts: dict[str, str]) -> None:
    request = func.HttpRequest("GET", "/?code=secret", route_params=route, params={"code": "s"}, body=b"x")
    assert subject_of_request(request) == facts


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Refused("ado", "ann@corp.example", quoted="a title"), None),
        (Unauthenticated("the header is missing or wrong"), "the header is missing or wrong"),
        (
            NotTrusted(
                "ado", "GET https://x/?secret", kind="no-tls", advice="check the scheme", quoted="a title"
            ),
            "check the scheme",
        ),
    ],
)
def test_an_error_is_told_in_words_only_where_they_are_ours(error: SyncError, why: str | None) -> None:
    assert reason_of_refusal(error).get("why") == why
