"""One call to a vendor, made once: its answer as a typed value, or the error that says what to do next."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec
import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from shared.domain.addresses import origin_of
from shared.domain.decoding import Shape, convert, decode_delivery
from shared.domain.errors import (
    Conflict,
    Forbidden,
    Malformed,
    NotAssignable,
    NotFound,
    NotTrusted,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import ASSIGNEE_AMBIGUOUS, ASSIGNEE_NOT_FOUND
from shared.domain.secrecy import freed, quotable, secrets_in, spellings_of
from shared.domain.untrusted import UNSUPPORTED_VERSION
from shared.http.back_off import BackOff
from shared.http.body import BodyUnreadable, read_body, verify_sparse
from shared.http.session import TIMEOUT, Session
from shared.http.trouble import place_of, trouble_with_connection

LARGEST_ANSWER = 16 * 1024 * 1024  # bytes, decompressed
# A value takes a hundred bytes of memory, and as few as two in an answer. No real one has half as many.
_MOST_VALUES = 1_000_000
_LARGEST_PROBLEM = 64 * 1024  # bytes of an answer that says what went wrong
_DEFAULT_WAIT = 10.0
_LONGEST_WAIT = 3600.0


class Meaning(StrEnum):
    """What a 400 says: that the request is wrong, comes too late, or names somebody who cannot be meant."""

    REFUSED = "refused"
    CONFLICT = "conflict"
    NOBODY = ASSIGNEE_NOT_FOUND
    SEVERAL = ASSIGNEE_AMBIGUOUS


class Caller(msgspec.Struct, frozen=True):
    """Makes the calls of one vendor client; the clients say what they mean, this alone knows HTTP.

    ``problem_of`` finds the vendor's own sentence in the decoded body of a refusal. ``missing_version_in``
    finds our advice there, if the service lacks the version that was asked for. ``meaning_of`` says what a
    400 with such a body means, where that is more than a refusal. All three may raise.
    """

    service: str
    session: Session
    auth: AuthBase | None
    headers: Mapping[str, str]
    problem_of: Callable[[Any], str]
    missing_version_in: Callable[[Any], str] = msgspec.field(default=lambda _content: "")
    meaning_of: Callable[[Any], Meaning] = msgspec.field(default=lambda _content: Meaning.REFUSED)
    back_off: BackOff = msgspec.field(default_factory=BackOff)
    # What a page in place of an answer is a sign of, if not of credentials.
    advice_on_page: str = ""

    def call(
        self,
        method: str,
        url: str,
        kind: type[Shape],
        *,
        about: str = "",
        missing: str = "not-found",
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        quota: str = "",
        heard: Callable[[Mapping[str, str]], None] = lambda _headers: None,
    ) -> Shape:
        """Make one call and return its answer as a ``kind``; raise NotFound, Conflict or an Upstream error.

        ``about`` names the one thing that the call concerns, if it concerns one: a 403 then says nothing of
        any other. ``missing`` is the kind of NotFound. ``quota`` names calls of one kind that come one after
        the other: once the service says that it grants no more for now, they wait, and are not refused.
        ``heard`` gets the headers of an answer that is a success, such as those that name the next page.
        """
        operation = f"{method} {url.partition('?')[0]}"
        self.back_off.verify(self.service, quota)
        asked_for = {**self.headers, "Accept-Encoding": "gzip", **(headers or {})}
        request = requests.Request(method, url, headers=asked_for, json=json, params=params)
        with self._translated(operation, url), self._sent(request) as response:
            if quota and _is_used_up(response.headers):
                self.back_off.spent(quota, _until_reset(response.headers))
            self._verify_success(operation, response, about, missing)
            heard(response.headers)
            return self._value(operation, response, kind)

    def deliver(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """Post a body as a webhook does, and return the status and the decoded answer, None if it is no JSON.

        Raises Upstream errors only for what keeps an answer from coming.
        """
        operation = f"POST {url.partition('?')[0]}"
        request = requests.Request("POST", url, headers={**self.headers, **headers}, data=body)
        with self._translated(operation, url), self._sent(request) as response:
            problem = _problem_in(response)
            try:
                return response.status_code, decode_delivery(problem or b"")
            except Malformed:
                return response.status_code, None

    def clock_ahead(self, url: str) -> float | None:
        """Return by how many seconds the clock behind ``url`` is ahead of ours; None if it did not say."""
        return self.session.clocks.get(origin_of(url))

    def _sent(self, request: requests.Request) -> requests.Response:
        try:
            response = self.session.send(
                self.session.prepare_request(request),
                auth=self.auth,
                timeout=TIMEOUT,
                stream=True,
                allow_redirects=False,
            )
        except Unauthorized:
            # There is no token to send, and asking for one takes seconds.
            self.back_off.refused(certain=True)
            raise
        self.back_off.answered()
        return response

    @contextmanager
    def _translated(self, operation: str, url: str) -> Iterator[None]:
        """Turn what goes wrong on the way, before or within an answer, into an error of the tree.

        None keeps its cause, which quotes the query, a header or what was sent: a traceback would print it.
        """
        try:
            yield
        except Rejected as error:
            advice = f"we do not connect to {error.detail}"
            raise Refused(self.service, f"{operation}: {error.detail}", advice=advice) from None
        except (requests.RequestException, HTTPError, OSError) as error:
            trouble = trouble_with_connection(self.service, operation, error, **place_of(url))
            self.back_off.silent(trouble.advice)
            raise trouble from None
        except ValueError:
            # For example a line break at the end of a token.
            advice = "our credentials cannot be sent in a header: check for a line break or an odd character"
            raise Unauthorized(self.service, f"{operation}: {advice}", advice=advice) from None

    def _verify_success(self, operation: str, response: requests.Response, about: str, missing: str) -> None:
        """Return for an answer that is a success; otherwise raise the error that says what to do next."""
        status = response.status_code
        # An answer without content holds no page, whatever a proxy says of its type.
        html = status != 204 and "text/html" in response.headers.get("Content-Type", "").lower()
        # ADO quirk: 203, 302 and a page of HTML mean "sign in first" (docs/vendor_quirks.md#rest).
        if status in {203, 302, 303, 401} or (status < 300 and html):
            self.back_off.refused(certain=True)
            advice = self.advice_on_page if status < 203 and html else ""
            detail = f"{operation}: HTTP {status}: {advice or 'our credentials were not accepted'}"
            raise Unauthorized(self.service, detail, advice=advice)
        detail = f"{operation}: HTTP {status}"
        wait = _retry_after(response.headers)
        if status == 429 or (status >= 400 and status != 403 and wait is not None):
            seconds = _until_reset(response.headers) if wait is None else wait
            self.back_off.slow(seconds)
            unsure = status != 429
            raise Throttled(self.service, detail, retry_after=seconds, may_have_landed=unsure)
        if status >= 500 or status == 408:
            raise Unavailable(self.service, detail)
        if status >= 300:
            problem = _problem_in(response)
            # A proxy or a half-done deployment answers with a page; nothing is gone.
            if status in {404, 410} and html and problem != b"":
                raise Unavailable(self.service, detail)
            quoted = self._quoted(self.problem_of, problem, response)
            if status in {404, 410}:
                raise NotFound(detail, kind=missing, quoted=quoted)
            if status == 400 and (advice := self._quoted(self.missing_version_in, problem, response)):
                raise NotTrusted(
                    self.service,
                    f"{detail}: {advice}",
                    kind=UNSUPPORTED_VERSION,
                    advice=advice,
                    quoted=quoted,
                )
            meaning = self._meaning(problem) if status == 400 else Meaning.REFUSED
            raise self._refusal(status, detail, quoted, about, meaning)
        self.back_off.accepted()
        if wait is not None:
            # ADO quirk: a success may ask for a wait before the next call (docs/vendor_quirks.md#rest).
            self.back_off.slow(wait)

    def _refusal(self, status: int, detail: str, quoted: str, about: str, meaning: Meaning) -> SyncError:
        if status in {409, 412} or meaning is Meaning.CONFLICT:
            return Conflict(detail, quoted=quoted)
        if meaning in {Meaning.NOBODY, Meaning.SEVERAL}:
            return NotAssignable(self.service, detail, kind=meaning.value, quoted=quoted)
        if status == 403 and about:
            return Forbidden(self.service, detail, about=about, quoted=quoted)
        if status == 403:
            self.back_off.refused(certain=False)
            return Unauthorized(self.service, detail, quoted=quoted)
        return Refused(self.service, detail, quoted=quoted)

    def _meaning(self, problem: bytes | None) -> Meaning:
        """Return what a 400 means; a body that nobody can read makes it a refusal like others."""
        try:
            return self.meaning_of(decode_delivery(problem or b""))
        except (Malformed, ValueError, TypeError, AttributeError, LookupError):
            return Meaning.REFUSED

    def _quoted(self, find: Callable[[Any], str], problem: bytes | None, response: requests.Response) -> str:
        """Return what is found in the body of a refusal, freed of our secrets; empty if it is not there."""
        try:
            words = find(decode_delivery(problem or b""))
        except (Malformed, ValueError, TypeError, AttributeError, LookupError):
            return ""
        return quotable(words, self._spellings(response))

    def _value(self, operation: str, response: requests.Response, kind: type[Shape]) -> Shape:
        """Return the body as a ``kind``. What is wrong with it is not told: that would quote it."""
        try:
            body = read_body(response, LARGEST_ANSWER)
            verify_sparse(body, _MOST_VALUES)
            content = decode_delivery(body) if body else None
            if content is not None:
                content = _without(self._spellings(response), body, content)
            return convert(content, kind)
        except (BodyUnreadable, Malformed, msgspec.ValidationError, RecursionError):
            raise Unavailable(self.service, f"{operation}: the answer cannot be read") from None

    def _spellings(self, response: requests.Response) -> tuple[str, ...]:
        """Return what must not come back: the credentials that this request sent, and the app's secrets."""
        sent = response.request.headers.get("Authorization", "")
        return (
            *_spellings_of(sent if isinstance(sent, str) else sent.decode("latin-1")),
            *self.session.spellings,
        )


@lru_cache(maxsize=64)
def _spellings_of(authorization: str) -> tuple[str, ...]:
    return spellings_of(secrets_in(authorization))


def _without(spellings: tuple[str, ...], body: bytes, content: Any) -> Any:
    """Return decoded content without our secrets, as people paste them into titles, and servers echo them.

    Written anew where it holds escapes, it is searched in one spelling, whatever the sender escaped.
    """
    text = (msgspec.json.encode(content) if b"\\" in body else body).decode("utf-8", "replace")
    return content if freed(text, spellings) == text else _freed_within(content, spellings)


def _freed_within(content: Any, spellings: tuple[str, ...]) -> Any:
    match content:
        case str():
            return freed(content, spellings)
        case list():
            return [_freed_within(each, spellings) for each in content]
        case dict():
            return {freed(key, spellings): _freed_within(each, spellings) for key, each in content.items()}
    return content


def _problem_in(response: requests.Response) -> bytes | None:
    """Return the body of a refusal, or None if it cannot be read: the refusal stands without it."""
    try:
        return read_body(response, _LARGEST_PROBLEM)
    except (BodyUnreadable, requests.RequestException, HTTPError, OSError):
        return None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that the service asks us to wait, or None if it does not ask."""
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        return _bounded(float(value))
    except ValueError:
        return _seconds_until(value)


def _until_reset(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait after a 429 without Retry-After.

    Sentry quirk: its 429 says only when its window ends (docs/vendor_quirks.md#sentry-rest).
    """
    reset = headers.get("X-Sentry-Rate-Limit-Reset", "")
    return _bounded(float(reset) - time.time()) if reset.isdecimal() else _DEFAULT_WAIT


def _is_used_up(headers: Mapping[str, str]) -> bool:
    """Tell whether the next call of this kind would be one too many.

    Sentry quirk: each answer says how many calls are left in its window, of this kind and at once
    (docs/vendor_quirks.md#sentry-rest).
    """
    return any(
        headers.get(f"X-Sentry-Rate-Limit-{name}") == "0" for name in ("Remaining", "ConcurrentRemaining")
    )


def _seconds_until(http_date: str) -> float:
    try:
        return _bounded(parsedate_to_datetime(http_date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return _DEFAULT_WAIT


def _bounded(seconds: float) -> float:
    # The constants come first, so that NaN, which compares false, yields a constant.
    return min(_LONGEST_WAIT, max(1.0, seconds))
