"""The edge to HTTP and queues: the only place where outcomes and errors become answers.

A webhook's boundary differs from the API's. Azure DevOps redelivers after a 503 but puts a subscription on
probation after a 500, so a webhook answers an unexpected error with 503.
https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot
"""

import functools
import json
import logging
import math
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import azure.functions as func
import msgspec

from functions.log import (
    level_of_failure,
    line,
    log_bug,
    logger_for,
    reason_of_refusal,
    subject_of,
    subject_of_request,
)
from functions.strangers import refused_strangers
from shared.domain.addresses import parts_of
from shared.domain.decoding import Shape, convert, decode
from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    Forbidden,
    InvalidConfiguration,
    InvalidList,
    Malformed,
    MissingSetting,
    NotFound,
    OrganizationGone,
    PreconditionRequired,
    Refused,
    Rejected,
    StalePrecondition,
    SyncError,
    Throttled,
    TooLarge,
    Unauthenticated,
    Unauthorized,
    Unavailable,
    Undecidable,
    Unreadable,
    Untried,
    Upstream,
)
from shared.domain.failures import Disposition, disposition_of, has_nothing_left, put_back
from shared.domain.messages import Message
from shared.domain.ports import Queue
from shared.domain.shapes import faults
from shared.services import Services

logger = logger_for(__name__)

HttpHandler = Callable[[func.HttpRequest, Services], func.HttpResponse]

# The closest entry wins, as in shared/domain/failures.py.
_STATUSES: dict[type[SyncError], int] = {
    Unauthenticated: 401,
    TooLarge: 413,
    Rejected: 400,
    InvalidConfiguration: 400,
    InvalidList: 400,
    PreconditionRequired: 428,
    NotFound: 404,
    AlreadyLinked: 409,
    StalePrecondition: 412,
    Busy: 503,
    Conflict: 409,
    Unreadable: 503,
    Undecidable: 502,
    Refused: 502,
    Forbidden: 502,
    OrganizationGone: 502,
    Unauthorized: 502,
    Untried: 503,
    Throttled: 503,
    Unavailable: 503,
    Upstream: 503,
    MissingSetting: 503,
    SyncError: 500,
}
_REFUSALS: dict[type[Upstream], str] = {
    Refused: "refused",
    Forbidden: "forbidden",
    OrganizationGone: "organization-gone",
    Unauthorized: "refused-us",
}
# The largest bodies (bytes) that are read: Microsoft names 2 MB as the largest that its hooks send.
LARGEST_HOOK = 2 * 1024 * 1024
LARGEST_FORM = 64 * 1024
LARGEST_DOCUMENT = 512 * 1024
LARGEST_LIST = 1024 * 1024
_SERVICES = {"ado": "Azure DevOps", "sentry": "Sentry", "storage": "Azure Storage"}
_SENTENCES = {
    "work-item-not-found": "the work item does not exist, or our credentials may not read it",
    "issue-not-found": "the issue does not exist, or our token may not read it",
    "ado-organization-not-found": "Azure DevOps knows no organization at ado_url",
    "project-not-found": "the project does not exist, or our credentials may not see it",
    "not-found": "the request names something that does not exist",
    "conflict": "somebody else changed it at the same moment; try again",
    "unauthenticated": "the request does not prove that it comes from the service that is connected here",
}
# Which keys of the document lead to an organization.
_ADDRESSES = {"ado": "ado_url", "sentry": "sentry_organization and sentry_url", "storage": ""}
# What to check when a service rejects our credentials or our permissions.
_CREDENTIALS = {
    "ado": "check that ADO_PAT has not expired, belongs to the organization at ado_url, and may read and "
    "write work items and read projects; without ADO_PAT, that the app's identity is in the tenant of that "
    "organization and one of its users",
    "sentry": "check that SENTRY_TOKEN is the token of an internal integration of sentry_organization that "
    "may read and write issues and events, and read members and projects",
    "storage": "check the key in AzureWebJobsStorage; with an identity, that it has the roles Storage Table "
    "Data Contributor and Storage Queue Data Contributor",
}
# What to check when a service rejects what we do with one thing.
_PERMISSIONS = {
    "ado": "give the app's identity the rights to view and edit work items in this area path and project",
    "sentry": "check the permissions of the internal integration, and its access to this issue's project",
    "storage": "check the app's roles",
}
# Azure DevOps numbers its refusals. The number identifies the problem and contains no user data.
_CODE = re.compile(r"\b(?:TF|VS)[0-9]{5,6}\b")
_VENDORS_OWN = frozenset({400, 401, 404, 413, 503})
_LONGEST_CONTINUATION = 1024  # characters
_LONGEST_TEXT = 1_000  # characters
_MOST_FAULTS = 10  # that one sentence names
# A function's key may be given in the query, with the client's name.
# https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
_OF_THE_HOST = frozenset({"code", "clientId"})
Word = TypeVar("Word", bound=StrEnum)
# Stands in for a secret that is not set. It is made anew for each process, and leaves it nowhere.
_NOBODYS = secrets.token_hex(32)
_RETRY_AFTER = 10.0  # seconds, when the error names no time


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> func.HttpResponse:
    return func.HttpResponse(
        json.dumps(content, ensure_ascii=False) + "\n",
        status_code=status,
        mimetype="application/json",
        headers={"Cache-Control": "no-store", **(headers or {}), "X-Content-Type-Options": "nosniff"},
    )


def outcome(word: str, status: int = 200, **facts: Any) -> func.HttpResponse:
    """Answer a webhook with the outcome of its delivery, and log the same facts except ``detail``."""
    known = {name: value for name, value in facts.items() if value is not None}
    logger.info(line(word, **{name: known[name] for name in known if name != "detail"}))
    return answer({"outcome": word, **known}, status)


def status_of(error: SyncError) -> int:
    return next(_STATUSES[each] for each in type(error).__mro__ if each in _STATUSES)


def refusal(error: SyncError, **more: str) -> func.HttpResponse:
    """Answer with an error's kind and a sentence that contains no secret and no vendor's text.

    A 503 carries Retry-After in whole seconds.
    """
    status = status_of(error)
    content: dict[str, Any] = {"error": _kind(error), "detail": sentence_of(error), **more}
    if isinstance(error, InvalidConfiguration | InvalidList):
        content["errors"] = error.errors
    headers = {}
    if status == 503:
        cause = error.cause if isinstance(error, Untried) else error
        seconds = cause.retry_after if isinstance(cause, Throttled | Busy) else _RETRY_AFTER
        headers["Retry-After"] = str(math.ceil(seconds))
    return answer(content, status, headers)


def _kind(error: SyncError) -> str:
    if isinstance(error, Untried):
        return _kind(error.cause)
    word = next((word for kind, word in _REFUSALS.items() if isinstance(error, kind)), None)
    if word is not None and isinstance(error, Upstream) and error.service != "storage":
        return f"{error.service}-{word}"
    return "unavailable" if isinstance(error, Upstream) else error.kind


def name_of(service: str) -> str:
    return _SERVICES[service]


def sentence_of(error: SyncError) -> str:
    """Return a sentence for the caller; in our own words wherever the error's detail may quote a vendor."""
    if isinstance(error, Untried):
        return sentence_of(error.cause)
    if isinstance(error, Upstream):
        name = name_of(error.service)
        sentences: dict[type[Upstream], str] = {
            Refused: f"{name} says that the request is wrong{_code_in(error.quoted)}",
            Forbidden: f"{name} does not let our credentials read or change this{_code_in(error.quoted)}: "
            f"{_PERMISSIONS[error.service]}",
            OrganizationGone: f"{name} knows no organization at the address in the document: it may have "
            f"been renamed or deleted; check {_ADDRESSES[error.service]}",
            Unauthorized: f"{name} does not accept our credentials: {_CREDENTIALS[error.service]}",
            Throttled: f"{name} asks us to wait",
        }
        return (
            f"{name}: {error.advice}"
            if error.advice
            else sentences.get(type(error), _unavailability_of(error))
        )
    if isinstance(error, InvalidConfiguration):
        return "the document breaks the rules named under errors; nothing was stored"
    return _SENTENCES.get(error.kind, error.detail)


def _unavailability_of(error: Upstream) -> str:
    return f"{name_of(error.service)} cannot be reached, or gives no usable answer; try again later"


def _code_in(detail: str) -> str:
    found = _CODE.search(detail)
    return f" ({found[0]})" if found else ""


def api_boundary(handler: HttpHandler) -> HttpHandler:
    """Answer every SyncError with its refusal, and any other exception with an empty 500."""
    return _bounded(handler, refusal, lambda: func.HttpResponse(status_code=500))


def component_boundary(handler: HttpHandler) -> HttpHandler:
    """Answer like the API, and repeat the sentence under ``message``, which Sentry shows in its form."""
    return _bounded(
        handler,
        lambda error: refusal(error, message=sentence_of(error)),
        lambda: func.HttpResponse(status_code=500),
    )


def webhook_boundary(handler: HttpHandler) -> HttpHandler:
    """Answer like the API, but with 503 for every failure that the vendor did not cause, bugs included."""
    return _bounded(
        handler,
        lambda error: refusal(error if status_of(error) in _VENDORS_OWN else _unavailable()),
        lambda: refusal(_unavailable()),
    )


def seated(kind: str) -> Callable[[HttpHandler], HttpHandler]:
    """Let callers of one kind, who wait for a vendor, hold no more than their share of the threads.

    A webhook needs no seat: it calls no vendor, and a hook that is turned away may never come again.
    """

    def seat(handler: HttpHandler) -> HttpHandler:
        @functools.wraps(handler)
        def handle(request: func.HttpRequest, services: Services) -> func.HttpResponse:
            with services.seats.seat(kind):
                return handler(request, services)

        return handle

    return seat


def _bounded(
    handler: HttpHandler,
    refuse: Callable[[SyncError], func.HttpResponse],
    apologize: Callable[[], func.HttpResponse],
) -> HttpHandler:
    @functools.wraps(handler)
    def bounded(request: func.HttpRequest, services: Services) -> func.HttpResponse:
        try:
            return handler(request, services)
        except SyncError as error:
            _log_refusal(error, handler, request, services)
            return refuse(error)
        except Exception as error:  # noqa: BLE001  # this is the edge
            log_bug(logger, error, services, **_asked(handler, request))
            return apologize()

    return bounded


class Bug(Exception):
    """What the host is told of an error that nobody expected: that there was one. The log has the rest."""


def worker_boundary(handler: Callable[..., None]) -> Callable[..., None]:
    """Let nothing reach the host but our own words: it prints what is raised, with all that led to it.

    Functions quirk: what it prints passes none of our filters. An error of ours goes on without its cause,
    which may quote anything; in the place of any other one goes a Bug. ``handler`` takes the services last.
    """

    @functools.wraps(handler)
    def bounded(*arguments: Any) -> None:
        try:
            handler(*arguments)
        except SyncError as error:
            raise error from None
        except Exception as error:  # noqa: BLE001  # this is the edge
            log_bug(logger, error, arguments[-1], function=_function(handler))
            raise Bug(f"{type(error).__name__}: see outcome=bug in the log") from None

    return bounded


def _unavailable() -> Unavailable:
    return Unavailable("storage", "something unexpected happened")


def _log_refusal(
    error: SyncError, handler: HttpHandler, request: func.HttpRequest, services: Services
) -> None:
    if isinstance(error, Unauthenticated | TooLarge):
        # Anybody may cause these, and as many as they like.
        refused_strangers(services).note(_function(handler), getattr(error, "why", error.kind))
        return
    level = logging.INFO if has_nothing_left(error) else logging.WARNING
    logger.log(level, line("refused", **_asked(handler, request), **reason_of_refusal(error)))


def _asked(handler: HttpHandler, request: func.HttpRequest) -> dict[str, Any]:
    """Return which function was asked, and about what."""
    return {"function": _function(handler), **subject_of_request(request)}


def _function(handler: Callable[..., Any]) -> str:
    return handler.__module__.rpartition(".")[2]


def body_of(request: func.HttpRequest, most: int) -> bytes:
    """Return the request's body, or raise TooLarge. A handler asks for it before it does anything else."""
    body: bytes = request.get_body()
    if len(body) > most:
        raise TooLarge(f"the body has {len(body)} bytes; at most {most} are read")
    return body


def continuation_of(request: func.HttpRequest) -> str | None:
    """Return where the page that was asked for begins, or None for the first; raise Rejected for nonsense."""
    text: str | None = request.params.get("continuation")
    if text is not None and (len(text) > _LONGEST_CONTINUATION or not text.isprintable()):
        raise Rejected("continuation must be one that an answer named")
    return text


def verify_parameters(request: func.HttpRequest, *known: str) -> None:
    """Raise Rejected for a parameter that nobody reads: a misspelled filter would show everything."""
    unknown = sorted((set(request.params) | _blanks(request)) - {*known, *_OF_THE_HOST})
    if unknown:
        these = f"known are {', '.join(known)}" if known else "there are none"
        raise Rejected(f"{unknown[0][:40]!r} is no parameter of this request: {these}")


def parameter_in(request: func.HttpRequest, name: str) -> str | None:
    """Return a parameter's value, "" if it has none, or None if it is absent."""
    text: str | None = request.params.get(name)
    return "" if text is None and name in _blanks(request) else text


def _blanks(request: func.HttpRequest) -> set[str]:
    """Return the parameters without a value, which the Functions worker does not hand on."""
    pairs = parse_qsl(parts_of(request.url or "").query, keep_blank_values=True)
    return {name for name, value in pairs if not value}


def choice_in(request: func.HttpRequest, name: str, kind: type[Word]) -> Word | None:
    """Return a parameter that is one of a few words, None if it is absent, or raise Rejected naming them."""
    text: str | None = request.params.get(name)
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError as error:
        raise Rejected(f"{name} must be {' or '.join(kind)}") from error


def word_in(request: func.HttpRequest, name: str, known: Collection[str]) -> str | None:
    """Return a parameter that is one of many words, None if it is absent, or raise Rejected naming them."""
    text: str | None = request.params.get(name)
    if text is not None and text not in known:
        raise Rejected(f"{name} must be one of {', '.join(sorted(known))}")
    return text


def text_in(request: func.HttpRequest, name: str) -> str | None:
    """Return a parameter of any text, None if it is absent, or raise Rejected for an empty or endless one."""
    text: str | None = request.params.get(name)
    if text is not None and not 0 < len(text.strip()) <= _LONGEST_TEXT:
        raise Rejected(f"{name} must be a text of 1 to {_LONGEST_TEXT} characters")
    return text


def shown_at(at: float | None) -> str | None:
    """Return a moment as answers show it."""
    return None if not at else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def verify_sender(
    find: Callable[[str], tuple[str, ...]], organization: str, verify: Callable[[tuple[str, str]], None]
) -> None:
    """Raise Unauthenticated unless ``verify`` accepts one of the organization's secrets.

    It always compares with two of them: where one is not set, with one that nobody knows. So whoever is
    refused learns, and waits for, the same, whether or not there is such an organization.
    """
    missing: MissingSetting | None = None
    try:
        current, previous = (*find(organization), _NOBODYS)[:2]
    except MissingSetting as error:
        current, previous, missing = _NOBODYS, _NOBODYS, error
    try:
        verify((current, previous))
    except Unauthenticated:
        if missing is None:
            raise
    if missing is not None:
        raise Unauthenticated(missing.detail, why="no-secret") from None


def read(body: bytes, kind: type[Shape]) -> Shape:
    """Return a request's body as a value of ``kind``; an empty body reads as ``{}``.

    Raises Rejected, in sentences for people, if the body does not have that shape.
    """
    try:
        content = decode(body or b"{}", object)
    except Malformed as error:
        raise Rejected(f"the body cannot be read: {error.detail}") from error
    try:
        return convert(content, kind)
    except msgspec.ValidationError as error:
        wrong = [f"{path or 'the body'} {problem}" for path, problem in faults(content, kind).items()]
        more = [f"and {len(wrong) - _MOST_FAULTS} more"] if len(wrong) > _MOST_FAULTS else []
        sentences = [*wrong[:_MOST_FAULTS], *more] or ["the body has another shape than this request reads"]
        raise Rejected("; ".join(sentences)) from error


def log_unreadable(organization: str, keys: Iterable[str]) -> None:
    """Name the stored rows that were passed over; somebody has to remove them, or deploy what reads them."""
    for key in keys:
        logger.error(line("unreadable", organization=organization, row=key))


def finish(queue: Queue, message: Message, error: SyncError) -> None:
    """Dispose of a message that failed: returning deletes it, raising hands it to the queue's retries."""
    disposition = disposition_of(error, message)
    logger.log(
        level_of_failure(error, disposition, again=message.again),
        line(disposition.value, **subject_of(message), **reason_of_refusal(error)),
    )
    if disposition is Disposition.PUT_BACK:
        # Queues count whole seconds. Rounding down would call the service too early.
        for part, delay in put_back(message, error):
            queue.put(part, delay=math.ceil(delay))
    elif disposition is Disposition.RETRY:
        raise error
