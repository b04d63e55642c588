"""When one service may next be called for one organization."""

import threading
import time
from collections.abc import Callable

import msgspec

from shared.domain.errors import Throttled, Unauthorized

SILENT_FOR = 30.0  # seconds without a call to a service that gave no answer
_PAUSE_AFTER_REFUSAL = 300.0  # seconds; the first step of docs/failures.md#back-off
_REFUSALS_BEFORE_PAUSE = 3
_NAMES = {"ado": "Azure DevOps", "sentry": "Sentry"}


class BackOff(msgspec.Struct):
    """The waits of one organization at one service. They are kept apart, so that each ends by itself.

    It spares the service; correctness does not depend on it. Each instance of the app has its own, in memory.
    """

    clock: Callable[[], float] = time.monotonic
    _slowed_until: float = 0.0
    _refused_until: float = 0.0
    _silent_until: float | None = None
    _spent_until: dict[str, float] = msgspec.field(default_factory=dict)
    _silent_because: str = ""
    _refusals: int = 0
    _lock: threading.Lock = msgspec.field(default_factory=threading.Lock)

    def verify(self, service: str, quota: str = "") -> None:
        """Raise the error of an earlier call again while its wait lasts, instead of a new call.

        ``quota`` names what the service counts the call against, beside others of its kind. Once a silence is
        over, only the first call goes out; the others wait for what comes of it.
        """
        with self._lock:
            now = self.clock()
            if self._refused_until > now:
                name = _NAMES.get(service, service)
                refused = f"{name} refused our credentials a moment ago; not asked again yet"
                raise Unauthorized(service, refused).unasked()
            if (slowed := self._slowed_until - now) > 0:
                asked_to_wait = "asked us to wait before the next call"
                raise Throttled(service, asked_to_wait, retry_after=slowed).unasked()
            if (spent := self._spent_until.get(quota, 0.0) - now) > 0:
                used_up = "grants no more of these calls for the moment"
                raise Throttled(service, used_up, retry_after=spent).unasked()
            if self._silent_until is not None:
                if (silent := self._silent_until - now) > 0:
                    why = f": {self._silent_because}" if self._silent_because else ""
                    left_alone = f"did not answer a moment ago{why}"
                    raise Throttled(service, left_alone, retry_after=silent, silent=True).unasked()
                self._silent_until = now + SILENT_FOR

    def slow(self, seconds: float) -> None:
        """Let no call out for that long; of two waits, the later end counts."""
        with self._lock:
            self._slowed_until = max(self._slowed_until, self.clock() + seconds)

    def spent(self, quota: str, seconds: float) -> None:
        """Let no call out that counts against a quota for that long: the next one would be refused."""
        with self._lock:
            until = self._spent_until.get(quota, 0.0)
            self._spent_until[quota] = max(until, self.clock() + seconds)

    def silent(self, because: str = "") -> None:
        """Note that the service gave no answer in time: it is not to hold one thread after the other."""
        with self._lock:
            self._silent_because = because
            self._silent_until = self.clock() + SILENT_FOR

    def answered(self) -> None:
        with self._lock:
            self._silent_until = None

    def refused(self, *, certain: bool) -> None:
        """Pause after bad credentials; otherwise only after the third refusal in a row."""
        with self._lock:
            self._refusals += 1
            if certain or self._refusals >= _REFUSALS_BEFORE_PAUSE:
                self._refused_until, self._refusals = self.clock() + _PAUSE_AFTER_REFUSAL, 0

    def accepted(self) -> None:
        with self._lock:
            self._refusals = 0

    def end_refusal(self) -> None:
        """Allow the next call: the refusal may have been remedied. Other waits stay."""
        with self._lock:
            self._refused_until, self._refusals = 0.0, 0
