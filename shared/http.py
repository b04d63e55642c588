"""HTTP calls to a vendor: time-outs, no redirects, verified addresses, and failures as typed errors."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import msgspec
import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from shared.domain.addresses import AddressPolicy
from shared.domain.errors import (
    Conflict,
    Forbidden,
    NotFound,
    Refused,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
)

TIMEOUT = (3.05, 10.0)  # seconds to connect, seconds between two bytes
_LONGEST_DETAIL = 300
_PAUSE_AFTER_REFUSAL = 300.0  # seconds; the first step of docs/failures.md#back-off
_REFUSALS_BEFORE_PAUSE = 3
_DEFAULT_WAIT = 10.0  # seconds
_LONGEST_WAIT = 3600.0  # seconds


class Unguarded(Exception):
    """The installed urllib3 or requests opens connections past our check: with it, nothing may be called."""


class _VerifiedAddress:
    """Closes a connection that the policy forbids, after name resolution and before any byte is sent.

    urllib3 has no public place for this, so a method of its own is overridden, and ``new_session`` tries it.
    """

    policy = AddressPolicy()

    def _new_conn(self) -> socket.socket:
        connection: socket.socket = super()._new_conn()  # type: ignore[misc]  # both bases define it
        try:
            # Both bases also define ``host``.
            self.policy.verify_address(self.host, connection.getpeername()[0])  # type: ignore[attr-defined]
        except (Rejected, OSError):
            connection.close()
            raise
        return connection


class _LedAstray:
    """Stands below the check, in a trial, and lets every name lead to an address that no policy allows."""

    def _new_conn(self) -> "_LedAstray":
        _ = super()._new_conn  # type: ignore[misc]  # what the check builds on has to be there
        return self

    def getpeername(self) -> tuple[str, int]:
        return ("169.254.169.254", 80)

    def close(self) -> None:
        """Nothing was opened."""


def _pool_classes(policy: AddressPolicy, *below: type) -> dict[str, type[HTTPConnectionPool]]:
    plain = type("VerifiedHTTPConnection", (_VerifiedAddress, *below, HTTPConnection), {"policy": policy})
    secure = type("VerifiedHTTPSConnection", (_VerifiedAddress, *below, HTTPSConnection), {"policy": policy})
    return {
        "http": type("VerifiedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("VerifiedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class _VerifyingAdapter(HTTPAdapter):
    def __init__(self, policy: AddressPolicy, *below: type) -> None:
        self._classes = _pool_classes(policy, *below)
        super().__init__(pool_maxsize=16)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def reach(self, url: str) -> None:
        """Open a connection as a request to ``url`` would."""
        request = requests.Request("GET", url).prepare()
        pool: Any = self.get_connection_with_tls_context(request, verify=True)
        pool.urlopen("GET", "/", retries=False, timeout=1.0)


def _verify_guard(policy: AddressPolicy) -> None:
    """Raise Unguarded unless a connection that leads to a forbidden address is refused, by either scheme."""
    for scheme in ("http", "https"):
        try:
            # Nobody listens there, should the check be passed by.
            _VerifyingAdapter(policy, _LedAstray).reach(f"{scheme}://127.0.0.1:1/")
        except Rejected:
            continue
        except (HTTPError, OSError, AttributeError, TypeError) as error:
            raise _unguarded(scheme) from error
        raise _unguarded(scheme)


def _unguarded(scheme: str) -> Unguarded:
    installed = " and ".join(f"{name} {version(name)}" for name in ("urllib3", "requests"))
    return Unguarded(f"{installed}: {scheme} connections do not pass our check of their address")


def new_session(policy: AddressPolicy) -> requests.Session:
    """Return a session that connects only where ``policy`` allows and ignores proxy variables and .netrc."""
    _verify_guard(policy)
    session = requests.Session()
    session.trust_env = False
    # Organizations share the session, so it keeps no cookies.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _VerifyingAdapter(policy)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


@dataclass
class BackOff:
    """When one service may next be called for one organization.

    This is courtesy, not correctness: each instance of the app keeps its own, and a restart forgets it.
    """

    clock: Callable[[], float] = time.monotonic
    _not_before: float = 0.0
    _why: type[Throttled] | type[Unauthorized] = Throttled
    _refusals: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def verify(self, service: str) -> None:
        """Raise Throttled or Unauthorized, as the last call did, while the back-off lasts."""
        with self._lock:
            wait = self._not_before - self.clock()
            why = self._why
        if wait > 0 and why is Throttled:
            raise Throttled(service, "asked us to wait before the next call", retry_after=wait)
        if wait > 0:
            raise Unauthorized(service, "refused our credentials a moment ago; not asked again yet")

    def slow(self, seconds: float) -> None:
        with self._lock:
            self._not_before, self._why = self.clock() + seconds, Throttled

    def refused(self, *, certain: bool) -> None:
        """Back off at once if the credentials are certainly bad, otherwise after three refusals in a row.

        A single 403 may concern one item only.
        """
        with self._lock:
            self._refusals += 1
            if certain or self._refusals >= _REFUSALS_BEFORE_PAUSE:
                self._not_before, self._why = self.clock() + _PAUSE_AFTER_REFUSAL, Unauthorized

    def accepted(self) -> None:
        with self._lock:
            self._refusals = 0

    def end_refusal(self) -> None:
        """Allow the next call: somebody may have fixed the credentials. A throttling wait stays in force."""
        with self._lock:
            if self._why is Unauthorized:
                self._not_before, self._refusals = 0.0, 0


class Answer(msgspec.Struct, frozen=True):
    """A successful answer: its decoded JSON body, None if empty, and its headers."""

    content: Any
    headers: Mapping[str, str]


@dataclass(frozen=True)
class Caller:
    """Makes the calls of one vendor client. Clients say what they mean; only this class knows HTTP."""

    service: str
    session: requests.Session
    auth: AuthBase
    headers: Mapping[str, str]
    problem_of: Callable[[requests.Response], str]
    back_off: BackOff = field(default_factory=BackOff)

    def call(
        self,
        method: str,
        url: str,
        *,
        about: str = "",
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Make one call without retries; raise NotFound, Conflict or an Upstream error unless it succeeds.

        ``about`` names the one thing that the call concerns, if it concerns one: a 403 then says nothing of
        any other.
        """
        operation = f"{method} {url.partition('?')[0]}"
        self.back_off.verify(self.service)
        try:
            response = self.session.request(
                method,
                url,
                json=json,
                params=params,
                headers={**self.headers, **(headers or {})},
                auth=self.auth,
                timeout=TIMEOUT,
                allow_redirects=False,
            )
        except Rejected as error:
            advice = f"we do not connect to {error.detail}"
            raise Refused(self.service, f"{operation}: {error.detail}", advice=advice) from error
        except Unauthorized:
            # There is no token to send, and asking for one takes seconds.
            self.back_off.refused(certain=True)
            raise
        except (requests.RequestException, HTTPError, OSError) as error:
            # A traceback would print the cause, which quotes the query, which may contain an e-mail address.
            raise Unavailable(self.service, f"{operation}: {type(error).__name__}") from None
        except ValueError:
            # For example a line break at the end of a token. The cause quotes the header, so it is dropped.
            advice = "our credentials cannot be sent in a header: check for a line break or an odd character"
            raise Unauthorized(self.service, f"{operation}: {advice}", advice=advice) from None
        return self._sorted(operation, response, about)

    def _sorted(self, operation: str, response: requests.Response, about: str) -> Answer:
        """Turn an HTTP answer into a value, or raise the error that says what to do next."""
        status = response.status_code
        html = "text/html" in response.headers.get("Content-Type", "").lower()
        # ADO quirk: 203, 302 and a page of HTML are how it says "sign in first" (docs/vendor_quirks.md#rest).
        if status in {203, 302, 303, 401} or (status < 300 and html):
            self.back_off.refused(certain=True)
            raise Unauthorized(self.service, f"{operation}: HTTP {status}: our credentials were not accepted")
        detail = f"{operation}: HTTP {status}"
        if status == 403 and about:
            raise Forbidden(self.service, f"{detail}: {self._problem(response)}", about=about)
        if status == 403:
            self.back_off.refused(certain=False)
            raise Unauthorized(self.service, f"{detail}: {self._problem(response)}")
        wait = _retry_after(response.headers)
        if status == 429 or (status >= 400 and wait is not None):
            seconds = _until_reset(response.headers) if wait is None else wait
            self.back_off.slow(seconds)
            raise Throttled(self.service, detail, retry_after=seconds)
        # An HTML page comes from a proxy or an unfinished deployment; it does not prove that a thing is gone.
        if status >= 500 or status == 408 or (status in {404, 410} and html and response.content):
            raise Unavailable(self.service, detail)
        if status >= 300:
            raise self._client_error(status, f"{detail}: {self._problem(response)}")
        self.back_off.accepted()
        if wait is not None:
            # ADO quirk: a success may ask us to wait before the next call (docs/vendor_quirks.md#rest).
            self.back_off.slow(wait)
        try:
            return Answer(response.json() if response.content else None, response.headers)
        except (ValueError, RecursionError) as error:
            raise Unavailable(self.service, f"{operation}: the answer is not JSON") from error

    def _client_error(self, status: int, detail: str) -> Exception:
        if status in {404, 410}:
            return NotFound(detail)
        if status in {409, 412}:
            return Conflict(detail)
        return Refused(self.service, detail)

    def _problem(self, response: requests.Response) -> str:
        """Return the vendor's own sentence, shortened; it goes to the activity, never to a log."""
        try:
            return self.problem_of(response)[:_LONGEST_DETAIL]
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return "no explanation"


@contextmanager
def reading(service: str, what: str) -> Iterator[None]:
    """Raise Unavailable if the code inside fails to read ``what`` because its shape is unexpected."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise Unavailable(service, f"{what} that cannot be read: {type(error).__name__}") from error


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


def _seconds_until(http_date: str) -> float:
    try:
        return _bounded(parsedate_to_datetime(http_date).timestamp() - time.time())
    except (ValueError, OverflowError):
        return _DEFAULT_WAIT


def _bounded(seconds: float) -> float:
    # The constants come first, so that NaN, which compares false, yields a constant.
    return min(_LONGEST_WAIT, max(1.0, seconds))
