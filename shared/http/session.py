"""The connections to the vendors: only to allowed addresses, and for no longer than a call may take."""

import http.client
import io
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from importlib.metadata import version
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)

from shared.domain.addresses import AddressPolicy, origin_of
from shared.domain.errors import Rejected
from shared.domain.secrecy import spellings_of

CALL_TIME = 30.0  # seconds from the request to the last byte of its answer
BETWEEN_BYTES = 10.0  # seconds
_PUBLIC = "1.1.1.1"  # some public address, to which nothing connects
TIMEOUT = (3.05, BETWEEN_BYTES)  # seconds to connect, and between two bytes


class Unguarded(Exception):
    """The installed urllib3 or requests opens connections past our check: with it, nothing may be called."""


class _HurriedReader(io.RawIOBase):
    """Reads from a socket until a deadline. The time-out of a socket starts anew with each byte."""

    def __init__(self, reader: io.RawIOBase, connection: socket.socket, deadline: float) -> None:
        self._reader = reader
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer takes too long")
        self._connection.settimeout(min(left, BETWEEN_BYTES))
        count: int | None = self._reader.readinto(buffer)
        return count

    def close(self) -> None:
        self._reader.close()
        super().close()


class _HurriedResponse(http.client.HTTPResponse):
    """An answer of which all is read before the deadline, from the status line on."""

    def __init__(self, connection: Any, *args: Any, deadline: float, **options: Any) -> None:
        super().__init__(connection, *args, **options)
        self.fp = io.BufferedReader(_HurriedReader(self.fp.detach(), connection, deadline))


class _Resolving:
    """Finds the addresses of a host."""

    _dns_host: str  # urllib3's own: the name that it looks up

    def _addresses(self) -> list[str]:
        """Return the addresses that the host's name leads to, in the order in which they are to be tried."""
        host, port = self._dns_host.strip("[]"), self.port  # type: ignore[attr-defined]  # both bases have it
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(host, self, error) from error  # type: ignore[arg-type]  # it is one
        except UnicodeError:
            raise LocationParseError(f"{host!r}, label empty or too long") from None
        return list(dict.fromkeys(str(place[0]) for *_, place in found))


class _VerifiedConnection:
    """Verifies every address of a host before it connects to one of them; limits the time of a call.

    An address that is refused is never connected to: otherwise an answer would tell which of its ports are
    open. urllib3 has no public place for this, so a method of its own is overridden, and ``new_session``
    tries it.
    """

    policy = AddressPolicy()
    _dns_host: str

    def _new_conn(self) -> socket.socket:
        name, addresses = self._dns_host, self._addresses()  # type: ignore[attr-defined]  # what stands below finds them
        for each in addresses:
            self.policy.verify_address(name, each)
        *earlier, last = addresses
        for each in earlier:
            with suppress(ConnectTimeoutError, NewConnectionError):
                return self._connected(name, each)
        return self._connected(name, last)

    def _connected(self, name: str, address: str) -> socket.socket:
        """Return a connection to one of the addresses, and not to what the name leads to by now."""
        self._dns_host = address
        try:
            connection: socket.socket = super()._new_conn()  # type: ignore[misc]  # both bases have it
        finally:
            self._dns_host = name  # The certificate is to be the name's.
        try:
            self.policy.verify_address(name, connection.getpeername()[0])
        except (Rejected, OSError):
            connection.close()
            raise
        return connection

    def request(self, *args: Any, **options: Any) -> None:
        self.response_class = partial(_HurriedResponse, deadline=time.monotonic() + CALL_TIME)
        super().request(*args, **options)  # type: ignore[misc]  # both bases have it


class _LedAstray:
    """Stands below the check, in a trial: a verified address, and a connection that no policy allows."""

    def _addresses(self) -> list[str]:
        return [_PUBLIC]

    def _new_conn(self) -> "_LedAstray":
        _ = super()._new_conn  # type: ignore[misc]  # what the check builds on has to be there
        return self

    def getpeername(self) -> tuple[str, int]:
        return ("169.254.169.254", 80)

    def close(self) -> None:
        """Nothing was opened."""


def _pool_classes(policy: AddressPolicy, *below: type) -> dict[str, type[HTTPConnectionPool]]:
    checks, holding = (_VerifiedConnection, *below, _Resolving), {"policy": policy}
    plain = type("VerifiedHTTPConnection", (*checks, HTTPConnection), holding)
    secure = type("VerifiedHTTPSConnection", (*checks, HTTPSConnection), holding)
    return {
        "http": type("VerifiedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
        "https": type("VerifiedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
    }


class VerifyingAdapter(HTTPAdapter):
    """The only way out, and the only place where credentials are put on a request."""

    def __init__(self, policy: AddressPolicy, *below: type, connections: int = 10) -> None:
        self._policy = policy
        self._classes = _pool_classes(policy, *below)
        super().__init__(pool_connections=connections, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._classes

    def reach(self, url: str) -> None:
        """Open a connection as a request to ``url`` would."""
        request = requests.Request("GET", url).prepare()
        pool: Any = self.get_connection_with_tls_context(request, verify=True)
        pool.urlopen("GET", "/", retries=False, timeout=1.0)

    def send(  # type: ignore[override]  # everything but the credentials is passed on as it came
        self, request: requests.PreparedRequest, *, auth: AuthBase | None = None, **options: Any
    ) -> requests.Response:
        """Send a request; raise Rejected before it has any credentials if its host must not see them."""
        url = request.url or ""
        self._policy.verify_scheme(url)
        if auth is not None or "Authorization" in request.headers:
            self._policy.verify_trusted(url)
        return super().send(request if auth is None else auth(request), **options)


class Session(requests.Session):
    """A session that ignores proxies, .netrc and cookies, and never looks where a redirect leads.

    ``spellings`` are those of the secrets that no answer may bring back to us. So many ``connections`` to so
    many hosts are kept: with fewer than there are threads, the others would open one for each call.
    ``bundle`` is the file of the authorities that are trusted; the environment is not asked for another one.
    """

    def __init__(
        self,
        policy: AddressPolicy,
        secrets: Iterable[str] = (),
        connections: int = 10,
        bundle: str | None = None,
    ) -> None:
        super().__init__()
        self.verify = bundle or True
        self.spellings = spellings_of(secrets)
        # By how many seconds the clock of each origin is ahead of ours, as its last answer dated itself.
        self.clocks: dict[str, float] = {}
        self.trust_env = False
        self.cookies.set_policy(
            DefaultCookiePolicy(allowed_domains=[])
        )  # one organization's cookies must not reach another
        adapter = VerifyingAdapter(policy, connections=connections)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        began = time.time()
        response = super().send(request, **options)
        self._note_clock(request.url or "", response.headers.get("Date"), (began + time.time()) / 2)
        return response

    def _note_clock(self, url: str, dated: str | None, now: float) -> None:
        """Compare clocks: an answer names the second in which it was begun.

        https://www.rfc-editor.org/rfc/rfc9110#field.date
        """
        with suppress(TypeError, ValueError, OverflowError):
            # A proxy may have added its own before it.
            last = (dated or "").removesuffix(" GMT").rpartition(" GMT, ")[2]
            self.clocks[origin_of(url)] = parsedate_to_datetime(f"{last} GMT").timestamp() + 0.5 - now

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002  # the base's signature
        """Return None. Otherwise the library reads the whole body of a redirect, however large it is."""
        return None


def new_session(
    policy: AddressPolicy,
    secrets: Iterable[str] = (),
    connections: int = 10,
    bundle: str | None = None,
) -> Session:
    """Return a session whose connections are known to pass the check, or raise Unguarded."""
    _verify_guard(policy)
    return Session(policy, secrets, connections, bundle)


def _verify_guard(policy: AddressPolicy) -> None:
    """Raise Unguarded unless a connection that leads to a forbidden address is refused, by either scheme."""
    for scheme in ("http", "https"):
        try:
            # Nobody listens there, should the check be passed by.
            VerifyingAdapter(policy, _LedAstray).reach(f"{scheme}://127.0.0.1:1/")
        except Rejected:
            continue
        except (HTTPError, OSError, AttributeError, TypeError) as error:
            raise _unguarded(scheme) from error
        raise _unguarded(scheme)


def _unguarded(scheme: str) -> Unguarded:
    installed = " and ".join(f"{name} {version(name)}" for name in ("urllib3", "requests"))
    return Unguarded(f"{installed}: {scheme} connections do not pass our check of their address")
