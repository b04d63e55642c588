"""How much of the service one identity may use before its answers are slowed, and then refused.

https://learn.microsoft.com/azure/devops/integrate/concepts/rate-limits
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from simulator.ado.faults import Fault, slowed, throttled

WINDOW = 300  # seconds


@dataclass
class Allowance:
    """``calls`` in five minutes are free, None for no limit; as many again come with a request to wait.

    The service counts the load that a call makes and slides its window; here each call is the same load, and
    windows follow each other.
    """

    now: Callable[[], float]
    calls: int | None = None
    _window: int = 0
    _used: int = 0

    def use(self) -> Fault | None:
        """Count one call; return what becomes of it, or None if it is answered as usual."""
        if self.calls is None:
            return None
        now = self.now()
        window = int(now // WINDOW)
        self._used = self._used + 1 if window == self._window else 1
        self._window = window
        wait = max(1, math.ceil((window + 1) * WINDOW - now))
        if self._used > 2 * self.calls:
            return throttled(wait)
        return slowed(wait) if self._used > self.calls else None
