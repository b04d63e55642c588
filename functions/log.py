"""One line for each delivery, message and run, such as ``outcome=applied organization=acme issue=100``."""

import json
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import azure.functions as func

from shared.domain.errors import (
    Busy,
    Conflict,
    MissingSetting,
    NotTrusted,
    SyncError,
    Throttled,
    Unauthenticated,
    Unavailable,
)
from shared.domain.failures import Disposition, has_nothing_left
from shared.domain.messages import InboundMessage, Message
from shared.domain.secrecy import without_secrets
from shared.services import Services

_LONGEST_VALUE = 200  # characters
_SPELLINGS = "spellings"  # the attribute of a record that names what its traceback may not hold
# How the parts of a route are called in the log.
_ROUTE = {"organization": "organization", "issue_id": "issue", "work_item_id": "work_item"}


class _OneLine(logging.Filter):
    """Lets nothing into a record that does not print: not even an error's own words can begin a line."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = printable(record.getMessage()), None
        if record.exc_info and record.exc_info[1] is not None:
            # Whoever formats the record takes this text, and makes none.
            error = traceback.TracebackException.from_exception(record.exc_info[1])
            record.exc_text = without_secrets("\n".join(_told(error)), getattr(record, _SPELLINGS, ()))
        return True


def logger_for(module: str) -> logging.Logger:
    """Return a module's logger, whose records hold nothing but what prints."""
    logger = logging.getLogger(module)
    if not any(isinstance(each, _OneLine) for each in logger.filters):
        logger.addFilter(_OneLine())
    return logger


def log_bug(logger: logging.Logger, error: BaseException, services: Services, **facts: Any) -> None:
    """Log an error that nobody expected, with how it came about: it may quote anything but our secrets."""
    logger.error(line("bug", **facts), exc_info=error, extra={_SPELLINGS: services.spellings})


def printable(text: str) -> str:
    """Return a text with escapes in the place of what does not print."""
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def _told(error: traceback.TracebackException) -> Iterator[str]:
    """Yield the lines of a traceback, each error's words on one."""
    cause, context = error.__cause__, None if error.__suppress_context__ else error.__context__
    if cause is not None:
        yield from (*_told(cause), "The above was the direct cause of:")
    elif context is not None:
        yield from (*_told(context), "While that was handled:")
    yield "Traceback (most recent call last):"
    for frame in error.stack.format():
        yield from frame.rstrip("\n").split("\n")
    yield printable("".join(error.format_exception_only()).rstrip("\n"))


def line(outcome: str, **facts: Any) -> str:
    """Return a line of ``name=value``, of identifiers and no content.

    The worker drops everything else that a record carries.

    Whatever comes from outside is one value, on one line: it cannot look like a fact of ours.
    """
    return " ".join([f"outcome={outcome}", *(f"{name}={_value(each)}" for name, each in facts.items())])


def subject_of(message: Message) -> dict[str, Any]:
    """Return what a message is about."""
    about: dict[str, Any] = {"organization": message.organization}
    if isinstance(message, InboundMessage):
        return {**about, "work_item": message.work_item_id, "rev": message.rev}
    comment = {} if message.comment_id is None else {"comment": message.comment_id}
    return {**about, "issue": message.issue_id, **comment}


def subject_of_request(request: func.HttpRequest) -> dict[str, Any]:
    """Return what a request is about, as far as its route says so."""
    parts = {_ROUTE[name]: value for name, value in request.route_params.items() if name in _ROUTE}
    return {name: value for name, value in parts.items() if value}


def reason_of_refusal(error: SyncError) -> dict[str, str]:
    """Return the class of an error; in words only where they cannot name people or titles."""
    reason = {"error": type(error).__name__, "kind": error.kind}
    if isinstance(error, NotTrusted):
        return {**reason, "why": error.advice}
    return {**reason, "why": error.detail} if isinstance(error, Unauthenticated | MissingSetting) else reason


def level_of(error: SyncError) -> int:
    """Return ERROR for what a person has to act on, WARNING for what passes by itself, INFO for no news."""
    if has_nothing_left(error):
        return logging.INFO
    if isinstance(error, NotTrusted):
        return logging.ERROR
    passes = isinstance(error, Busy | Conflict | Throttled | Unavailable)
    return logging.WARNING if passes else logging.ERROR


def level_of_failure(error: SyncError, disposition: Disposition, *, again: bool) -> int:
    """Return the level of a message that failed."""
    if disposition is Disposition.PUT_BACK:
        return logging.INFO
    # What the reconciler looks at again was told when it first went wrong.
    return min(level_of(error), logging.WARNING) if again else level_of(error)


def _value(value: Any) -> str:
    text = "".join(each if each.isprintable() else "?" for each in str(value)[:_LONGEST_VALUE])
    return json.dumps(text, ensure_ascii=False) if {" ", "=", '"'} & set(text) or not text else text
