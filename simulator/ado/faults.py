"""Faults to order: throttling, sign-in pages, silence, and answers lost after the write."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

SIGN_IN = "<!DOCTYPE html><html><head><title>Azure DevOps | Sign In</title></head><body>Sign in</body></html>"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Fault:
    """What happens to a request that would have been answered properly.

    ``http_status`` None keeps the real answer. ``lands`` carries the request out first. ``hang`` is in
    seconds of real time. ``drops`` closes the connection without an answer.
    """

    http_status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""
    lands: bool = False
    hang: float = 0.0
    drops: bool = False


def throttled(seconds: int) -> Fault:
    """Refuse with 429, as the service does once an identity has used up its share."""
    # https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
    message = (
        "TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource"
        " 'Concurrency' in namespace 'ID'."
    )
    headers = {**rate_limit_headers(seconds), "Content-Type": "text/plain; charset=utf-8"}
    return Fault(429, headers, message)


def rate_limit_headers(seconds: int) -> dict[str, str]:
    """Say that an identity has used up its share of a resource, and for how long to wait."""
    return {
        "Retry-After": str(seconds),
        "X-RateLimit-Resource": "TeamFoundation.WorkItemTracking",
        "X-RateLimit-Limit": "200",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int(time.time()) + seconds),
    }


def slowed(seconds: int) -> Fault:
    """Answer well, and ask the caller to wait before the next request."""
    # ADO quirk: Retry-After may come with a 200; nothing needs to be sent again.
    return Fault(headers={**rate_limit_headers(seconds), "X-RateLimit-Delay": "0.250"}, lands=True)


def overloaded(seconds: int) -> Fault:
    """Refuse with 503, and name the wait; that the service does so is not documented."""
    message = "The service is unavailable."
    return Fault(503, {"Retry-After": str(seconds), "Content-Type": "text/plain; charset=utf-8"}, message)


def sign_in_page() -> Fault:
    return Fault(203, {"Content-Type": HTML}, SIGN_IN)


def html_page(http_status: int) -> Fault:
    return Fault(http_status, {"Content-Type": HTML}, "<html><body>The service is unavailable.</body></html>")


def hanging(seconds: float, *, lands: bool = False) -> Fault:
    return Fault(hang=seconds, drops=True, lands=lands)


def dropped(*, lands: bool) -> Fault:
    return Fault(drops=True, lands=lands)


@dataclass(frozen=True)
class _Order:
    fault: Fault
    times: int
    method: str | None
    path: re.Pattern[str]


class Faults:
    """The faults still to come, first ordered first met."""

    def __init__(self) -> None:
        self._orders: list[_Order] = []

    def __len__(self) -> int:
        """Return how many requests are still to meet one."""
        return sum(order.times for order in self._orders)

    def order(self, fault: Fault, times: int, *, method: str | None, path: str) -> None:
        self._orders.append(_Order(fault, times, method, re.compile(path, re.IGNORECASE)))

    def take(self, method: str, path: str) -> Fault | None:
        for index, order in enumerate(self._orders):
            if order.method in (None, method) and order.path.search(path):
                self._orders[index : index + 1] = (
                    [replace(order, times=order.times - 1)] if order.times > 1 else []
                )
                return order.fault
        return None

    def clear(self) -> None:
        self._orders.clear()
