"""The gate of the fake Sentry's API: who may enter, how often, what goes wrong on purpose, and who came."""

from __future__ import annotations

import fnmatch
import hmac
import json
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from flask import Flask, Response, g, request

API = "/api/0/"
ALL_SCOPES = frozenset(
    {"event:read", "event:write", "event:admin", "org:read", "member:read", "project:read", "team:read"}
)

# Calls in a second: each method of issue details (sentry: issues/endpoints/group_details.py), and
# what is usual elsewhere. https://docs.sentry.io/api/ratelimits/
ISSUE_DETAILS = frozenset({"sentry.issue", "sentry.update_issue"})
ISSUE_DETAILS_LIMIT = 5
USUAL_LIMIT = 40
CONCURRENT_LIMIT = 25
WINDOW = 1

NOT_FOUND = "The requested resource does not exist"
FORBIDDEN = "You do not have permission to perform this action."


def refusal(status: int, detail: str) -> Response:
    return Response(json.dumps({"detail": detail}), status, content_type="application/json")


def too_frequent(limit: int) -> str:
    return (
        "You are attempting to use this endpoint too frequently. "
        f"Limit is {limit} requests in {WINDOW} seconds"
    )


def too_concurrent(limit: int) -> str:
    return (
        "You are attempting to go above the allowed concurrency for this endpoint. "
        f"Concurrency limit is {limit}"
    )


def usual_body(status: int) -> str:
    """What stands in an answer that says only its status: a gateway writes HTML, Sentry itself JSON."""
    if status in {502, 503, 504}:
        return f"<html><head><title>{status}</title></head><body><h1>{status} Bad Gateway</h1></body></html>"
    details = {
        403: FORBIDDEN,
        404: NOT_FOUND,
        429: too_frequent(ISSUE_DETAILS_LIMIT),
        500: "Internal Error",
    }
    return json.dumps({"detail": details.get(status, "Error")})


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the next ``left`` calls that match; the patterns are those of a shell."""

    kind: Literal["answer", "hang", "drop"]
    left: int
    method: str = "*"
    path: str = "*"
    status: int = 500
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""
    seconds: float = 0.0

    def strikes(self, method: str, path: str) -> bool:
        return fnmatch.fnmatchcase(method, self.method) and fnmatch.fnmatchcase(path, self.path)


@dataclass(frozen=True)
class Quota:
    """How much of a window's calls is left after this one; negative when there were too many."""

    limit: int
    remaining: int
    reset: int


class Gate:
    """Checks every call of the API on its way in, and completes every answer on its way out."""

    def __init__(
        self,
        lock: threading.RLock,
        *,
        token: str,
        scopes: frozenset[str] = ALL_SCOPES,
        enforce_rate_limit: bool = False,
        concurrent_limit: int = CONCURRENT_LIMIT,
        clock: Callable[[], float],
    ) -> None:
        if not token:
            raise ValueError("refusing to compare against an empty token")
        self.scopes = scopes
        self.calls: list[tuple[str, str, int]] = []
        self.token = token
        self._enforced = enforce_rate_limit
        self._concurrent_limit = concurrent_limit
        self._clock = clock
        self._lock = lock
        self._faults: list[Fault] = []
        self._counts: dict[tuple[str, str], tuple[int, int]] = {}
        self._inside = 0
        self._closing = threading.Event()

    def close(self) -> None:
        """Release the calls that hang."""
        self._closing.set()

    def add_fault(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def guard(self, app: Flask) -> None:
        app.before_request(self._come_in)
        app.after_request(self._go_out)

    def _come_in(self) -> Response | None:
        if not request.path.startswith(API):
            return None
        with self._lock:
            self._inside += 1
            g.concurrent = self._concurrent_limit - self._inside
            g.fault = self._take_fault()
            g.quota = self._count()
        fault: Fault | None = g.fault
        if fault is not None and fault.kind == "answer":
            kind = "application/json" if fault.body.startswith(("{", "[")) else "text/html"
            return Response(fault.body, fault.status, list(fault.headers), content_type=kind)
        if fault is not None and fault.kind == "hang":
            self._closing.wait(fault.seconds)
            return refusal(504, "hung")
        return self._refusal(g.quota)

    def _refusal(self, quota: Quota) -> Response | None:
        # Sentry quirk: every path ends with a slash, as docs.sentry.io/api writes them all; what
        # answers to one without is not documented, so none is answered here.
        if not request.path.endswith("/"):
            return refusal(404, NOT_FOUND)
        kind, _, offered = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            return refusal(401, "Authentication credentials were not provided.")
        if not hmac.compare_digest(offered.encode(), self.token.encode()):
            return refusal(401, "Invalid token")
        if self._enforced and quota.remaining < 0:
            return refusal(429, too_frequent(quota.limit))
        if self._enforced and g.concurrent < 0:
            return refusal(429, too_concurrent(self._concurrent_limit))
        return None

    def _take_fault(self) -> Fault | None:
        for place, fault in enumerate(self._faults):
            if fault.strikes(request.method, request.path):
                self._faults[place] = replace(fault, left=fault.left - 1)
                self._faults = [kept for kept in self._faults if kept.left > 0]
                return fault
        return None

    def _count(self) -> Quota:
        limit = ISSUE_DETAILS_LIMIT if request.endpoint in ISSUE_DETAILS else USUAL_LIMIT
        window = int(self._clock()) // WINDOW
        caller = (request.method, str(request.endpoint))
        counted_in, count = self._counts.get(caller, (window, 0))
        count = count + 1 if counted_in == window else 1
        self._counts[caller] = (window, count)
        return Quota(limit, limit - count, (window + 1) * WINDOW)

    def _go_out(self, response: Response) -> Response:
        if not request.path.startswith(API):
            return response
        with self._lock:
            _stamp(response, g.quota, limit=self._concurrent_limit, concurrent=g.concurrent)
            self._inside -= 1
            self.calls.append((request.method, request.path, response.status_code))
        fault: Fault | None = g.fault
        if fault is not None and fault.kind in {"drop", "hang"}:
            _hang_up(request.environ)
        return response


def _stamp(response: Response, quota: Quota, *, limit: int, concurrent: int) -> None:
    """Add the five headers that every answer carries; a fault may have brought its own."""
    remaining = 0 if response.status_code == 429 else max(quota.remaining, 0)
    stamps: Mapping[str, int] = {
        "Limit": quota.limit,
        "Remaining": remaining,
        "Reset": quota.reset,
        "ConcurrentLimit": limit,
        "ConcurrentRemaining": max(concurrent, 0),
    }
    for name, number in stamps.items():
        response.headers.setdefault(f"X-Sentry-Rate-Limit-{name}", str(number))


def _hang_up(environ: Mapping[str, object]) -> None:
    """Break the connection, so that the write lands and the caller does not learn of it."""
    connection = environ.get("werkzeug.socket")
    if isinstance(connection, socket.socket):
        connection.shutdown(socket.SHUT_RDWR)
