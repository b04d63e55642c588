"""The edge: how each error is answered, what the boundaries let through, and what a message comes to."""

import contextlib
import json
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import azure.functions as func
import pytest

from functions.edge import (
    LARGEST_DOCUMENT,
    LARGEST_FORM,
    LARGEST_HOOK,
    LARGEST_LIST,
    HttpHandler,
    answer,
    api_boundary,
    body_of,
    component_boundary,
    continuation_of,
    finish,
    name_of,
    outcome,
    refusal,
    status_of,
    verify_sender,
    webhook_boundary,
)
from shared.ado.hook import verify_secret
from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    ConnectionChanged,
    FeedLost,
    Forbidden,
    InvalidConfiguration,
    InvalidList,
    Malformed,
    MissingSetting,
    NotAssignable,
    NotFound,
    NotTrusted,
    OrganizationGone,
    PreconditionRequired,
    Refused,
    Rejected,
    StalePrecondition,
    SubmittedBefore,
    SyncError,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Undecidable,
    Unreadable,
    Untried,
    UnusableSetting,
    Upstream,
)
from shared.domain.messages import Message, OutboundMessage
from shared.services import Services
from shared.settings import Settings
from tests.unit.error_tree import EVERY_ERROR, an_error

ANSWERS: dict[type[SyncError], tuple[int, str]] = {
    SyncError: (500, "error"),
    Rejected: (400, "bad-request"),
    Unauthenticated: (401, "unauthenticated"),
    TooLarge: (413, "too-large"),
    Malformed: (400, "malformed-payload"),
    InvalidConfiguration: (400, "invalid-configuration"),
    InvalidList: (400, "bad-request"),
    PreconditionRequired: (428, "precondition-required"),
    Untried: (503, "ado-refused-us"),
    NotFound: (404, "not-found"),
    Conflict: (409, "conflict"),
    AlreadyLinked: (409, "already-linked"),
    ConnectionChanged: (409, "connection-changed"),
    Unreadable: (503, "unreadable-document"),
    StalePrecondition: (412, "precondition-failed"),
    SubmittedBefore: (409, "submitted-before"),
    Busy: (503, "busy"),
    Undecidable: (502, "unknown-state"),
    Upstream: (503, "unavailable"),
    NotAssignable: (502, "ado-refused"),
    Refused: (502, "ado-refused"),
    Forbidden: (502, "ado-forbidden"),
    FeedLost: (503, "unavailable"),
    OrganizationGone: (502, "ado-organization-gone"),
    Unauthorized: (502, "ado-refused-us"),
    Throttled: (503, "unavailable"),
    Unavailable: (503, "unavailable"),
    NotTrusted: (503, "unavailable"),
    MissingSetting: (503, "missing-setting"),
    UnusableSetting: (503, "missing-setting"),
}
SERVICES = Services(Settings({}))
REQUEST = func.HttpRequest(
    "POST", "/api/ado/fabrikam/webhook", route_params={"organization": "fabrikam"}, body=b"the body"
)


def content_of(response: func.HttpResponse) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(response.get_body())
    return content


def raising(error: Exception) -> HttpHandler:
    def handler(_request: func.HttpRequest, _services: Services) -> func.HttpResponse:
        raise error

    return handler


# Answers


def test_an_answer_is_json_that_no_browser_takes_for_anything_else() -> None:
    response = answer({"title": "Prüfung"}, 201, {"ETag": "W/1"})
    assert (response.status_code, response.mimetype) == (201, "application/json")
    assert response.get_body() == '{"title": "Prüfung"}\n'.encode()
    assert dict(response.headers) == {
        "Cache-Control": "no-store",
        "ETag": "W/1",
        "X-Content-Type-Options": "nosniff",
    }


def test_an_outcome_is_answered_and_logged_in_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "functions.edge"):
        response = outcome(
            "queued", 202, organization="fabrikam", work_item=31, detail="not for the log", rev=None
        )
    assert response.status_code == 202
    assert content_of(response) == {
        "outcome": "queued",
        "organization": "fabrikam",
        "work_item": 31,
        "detail": "not for the log",
    }
    assert caplog.messages == ["outcome=queued organization=fabrikam work_item=31"]


def test_the_body_is_handed_over_raw_up_to_a_bound() -> None:
    assert body_of(REQUEST, 8) == b"the body"
    with pytest.raises(TooLarge):
        body_of(REQUEST, 7)


def test_the_bounds_are_those_that_the_documentation_names() -> None:
    assert (LARGEST_HOOK, LARGEST_FORM, LARGEST_DOCUMENT, LARGEST_LIST) == (
        2_097_152,
        65_536,
        524_288,
        1_048_576,
    )


@pytest.mark.parametrize("text", ["x" * 1025, "\x00", "a\nb"])
def test_a_continuation_that_no_answer_named_is_refused(text: str) -> None:
    request = func.HttpRequest("GET", "/", params={"continuation": text}, body=b"")
    with pytest.raises(Rejected):
        continuation_of(request)


# Refusals


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_every_error_has_its_answer(kind: type[SyncError]) -> None:
    response = refusal(an_error(kind))
    content = content_of(response)
    assert (response.status_code, content["error"]) == ANSWERS[kind]
    assert content["detail"]
    assert ("Retry-After" in response.headers) is (response.status_code == 503)


@pytest.mark.parametrize("service", ["ado", "sentry", "storage"])
@pytest.mark.parametrize("kind", [each for each in EVERY_ERROR if issubclass(each, Upstream)])
def test_a_vendors_words_never_reach_the_caller(kind: type[SyncError], service: str) -> None:
    response = refusal(an_error(kind, service))
    assert b"secret words" not in response.get_body()
    assert content_of(response)["detail"].startswith(name_of(service))


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (Unauthorized("ado", "401"), "ado-refused-us"),
        (Unauthorized("sentry", "401"), "sentry-refused-us"),
        (Unauthorized("storage", "403"), "unavailable"),
        (Refused("ado", "400"), "ado-refused"),
        (Forbidden("ado", "403", about="work item 31"), "ado-forbidden"),
        (Forbidden("sentry", "403", about="issue 100"), "sentry-forbidden"),
        (Refused("sentry", "400"), "sentry-refused"),
        (Throttled("ado", "429", retry_after=1.0), "unavailable"),
        (NotFound("gone", kind="work-item-not-found"), "work-item-not-found"),
    ],
)
def test_an_error_is_one_word_in_kebab_case(error: SyncError, word: str) -> None:
    assert content_of(refusal(error))["error"] == word


@pytest.mark.parametrize(
    ("error", "seconds"),
    [
        (Throttled("ado", "429", retry_after=17.2), "18"),
        (Throttled("ado", "429", retry_after=60.0), "60"),
        (Busy("writing", retry_after=0.1), "1"),
        (Unavailable("ado", "timed out"), "10"),
        (MissingSetting("PUBLIC_URL", "…"), "10"),
    ],
)
def test_a_caller_that_should_come_back_learns_when(error: SyncError, seconds: str) -> None:
    assert refusal(error).headers["Retry-After"] == seconds


def test_an_invalid_document_is_answered_with_every_error_by_its_path() -> None:
    content = content_of(refusal(InvalidConfiguration({"ado_url": "is required"})))
    assert content["errors"] == {"ado_url": "is required"}
    assert "is required" not in content["detail"]


# Boundaries

WEBHOOK_STATUSES = {400, 401, 404, 413, 503}


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_the_api_answers_each_error_as_it_is(kind: type[SyncError]) -> None:
    error = an_error(kind)
    response = api_boundary(raising(error))(REQUEST, SERVICES)
    assert response.status_code == status_of(error)
    assert content_of(response) == content_of(refusal(error))


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_a_form_shows_the_sentence_of_each_error(kind: type[SyncError]) -> None:
    error = an_error(kind)
    response = component_boundary(raising(error))(REQUEST, SERVICES)
    content = content_of(response)
    assert response.status_code == status_of(error)
    assert content["message"] == content["detail"] == content_of(refusal(error))["detail"]


@pytest.mark.parametrize("kind", EVERY_ERROR)
def test_a_webhook_answers_nothing_that_would_cost_the_subscription(kind: type[SyncError]) -> None:
    error = an_error(kind)
    response = webhook_boundary(raising(error))(REQUEST, SERVICES)
    expected = status_of(error) if status_of(error) in WEBHOOK_STATUSES else 503
    assert response.status_code == expected


@pytest.mark.parametrize("boundary", [api_boundary, component_boundary])
@pytest.mark.parametrize("bug", [KeyError("ann@corp.example"), RecursionError(), ValueError("secret")])
def test_a_bug_in_the_api_is_a_500_that_says_nothing(
    boundary: Callable[[HttpHandler], HttpHandler], bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = boundary(raising(bug))(REQUEST, SERVICES)
    assert (response.status_code, response.get_body()) == (500, b"")
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("ERROR", "outcome=bug function=test_edge organization=fabrikam")
    ]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("bug", [KeyError("ann@corp.example"), RecursionError(), ValueError("secret")])
def test_a_bug_in_a_webhook_is_a_503_so_that_it_is_delivered_again(
    bug: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    response = webhook_boundary(raising(bug))(REQUEST, SERVICES)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "10")
    assert content_of(response)["error"] == "unavailable"
    assert b"secret" not in response.get_body()
    assert [record.message for record in caplog.records] == [
        "outcome=bug function=test_edge organization=fabrikam"
    ]
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize("boundary", [api_boundary, component_boundary, webhook_boundary])
def test_a_boundary_lets_a_good_answer_through(boundary: Callable[[HttpHandler], HttpHandler]) -> None:
    @boundary
    def greet(request: func.HttpRequest, services: Services) -> func.HttpResponse:
        return answer({"method": request.method, "known": services is SERVICES})

    assert content_of(greet(REQUEST, SERVICES)) == {"method": "POST", "known": True}
    # The Functions worker reads a handler's own name and parameters.
    assert getattr(greet, "__name__", None) == "greet"


def test_a_refusal_is_logged_without_content(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "functions.edge"):
        api_boundary(raising(Refused("ado", "ann@corp.example is unknown")))(REQUEST, SERVICES)
    assert [(record.levelname, record.message.strip()) for record in caplog.records] == [
        (
            "WARNING",
            "outcome=refused function=test_edge organization=fabrikam error=Refused kind=refused",
        ),
    ]


# Messages

MESSAGE = OutboundMessage("fabrikam", "100")


class PutBack:
    """A queue that remembers what was put back, and for how long."""

    def __init__(self) -> None:
        self.messages: list[tuple[Message, float]] = []

    def put(self, message: Message, *, delay: float = 0.0) -> None:
        self.messages.append((message, delay))

    def verify(self) -> None:
        """It can always be written."""


@pytest.mark.parametrize(
    "error",
    [
        Malformed("no JSON"),
        NotFound("gone", kind="work-item-not-found"),
        Refused("ado", "400"),
        Unauthorized("ado", "401"),
        Undecidable("no category", kind="unknown-state"),
    ],
)
def test_a_message_that_cannot_succeed_is_dropped(error: SyncError, caplog: pytest.LogCaptureFixture) -> None:
    queue = PutBack()
    finish(queue, MESSAGE, error)
    assert queue.messages == []
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert f"outcome=drop organization=fabrikam issue=100 error={type(error).__name__} " in caplog.text


@pytest.mark.parametrize("kind", ["not-linked", "unknown-organization"])
@pytest.mark.parametrize("boundary", [api_boundary, component_boundary, webhook_boundary])
def test_what_is_not_ours_is_no_news(
    boundary: Callable[[HttpHandler], HttpHandler], kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    error = NotFound("nothing here", kind=kind)
    queue = PutBack()
    finish(queue, MESSAGE, error)
    boundary(raising(error))(REQUEST, SERVICES)
    assert queue.messages == []
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]


@pytest.mark.parametrize(
    ("error", "level"),
    [
        # The queue delivers it again.
        (Unavailable("ado", "timed out"), "WARNING"),
        (Conflict("lost five races"), "WARNING"),
        # It will not pass by itself.
        (NotTrusted("ado", "…", kind="unknown-host-name", advice="check the address"), "ERROR"),
        (Unauthorized("storage", "403"), "ERROR"),
        (Unreadable("a newer version wrote it"), "ERROR"),
    ],
)
def test_only_what_a_person_must_act_on_is_an_error(
    error: SyncError, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SyncError):
        finish(PutBack(), MESSAGE, error)
    assert [record.levelname for record in caplog.records] == [level]


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (Throttled("ado", "429", retry_after=17.2), 18.0),
        (Busy("writing", retry_after=3.0), 3.0),
    ],
)
def test_a_message_that_has_to_wait_is_put_back(error: SyncError, delay: float) -> None:
    queue = PutBack()
    finish(queue, MESSAGE, error)
    assert queue.messages == [(MESSAGE, delay)]


@pytest.mark.parametrize(
    "error", [Unavailable("ado", "timed out"), Conflict("lost five races"), SyncError("odd")]
)
def test_a_message_that_may_succeed_later_is_left_to_the_queue(error: SyncError) -> None:
    queue = PutBack()
    with pytest.raises(SyncError) as raised:
        finish(queue, MESSAGE, error)
    assert raised.value is error
    assert queue.messages == []


def test_a_log_line_about_a_message_holds_no_content(caplog: pytest.LogCaptureFixture) -> None:
    finish(PutBack(), MESSAGE, Refused("ado", "ann@corp.example is unknown"))
    assert caplog.messages == ["outcome=drop organization=fabrikam issue=100 error=Refused kind=refused"]


@pytest.mark.parametrize(
    "environ", [{}, {"ADO_WEBHOOK_SECRET": ""}, {"ADO_WEBHOOK_SECRET": "s", "ADO_WEBHOOK_SECRET__ACME": ""}]
)
def test_without_a_secret_every_delivery_is_refused(environ: dict[str, str]) -> None:
    settings = Settings.from_environ(environ)
    for verify in (lambda _secrets: None, partial(verify_secret, {"Shared-Secret": ""})):
        with pytest.raises(Unauthenticated) as raised:
            verify_sender(settings.ado_webhook_secrets, "acme", verify)
        assert raised.value.why == "no-secret"


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"ADO_WEBHOOK_SECRET": "s"},
        {"ADO_WEBHOOK_SECRET": "s", "ADO_WEBHOOK_SECRET_PREVIOUS": "old"},
        {"ADO_WEBHOOK_SECRET__ACME": "s"},
        {"ADO_WEBHOOK_SECRET__ACME": "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"},
    ],
)
def test_a_sender_is_compared_with_two_secrets_whatever_is_set(environ: dict[str, str]) -> None:
    compared: list[tuple[str, ...]] = []
    settings = Settings.from_environ(environ)
    for slug in ("acme", "nobody", "NO SLUG", "\u00df"):
        with contextlib.suppress(Unauthenticated):
            verify_sender(settings.ado_webhook_secrets, slug, compared.append)
    assert [len(each) for each in compared] == [2] * 4
    assert all(each for pair in compared for each in pair)
