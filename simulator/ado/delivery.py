"""The delivery of hook events: sending, retries, probation and disabling, on a clock that can be sped up."""

import heapq
import itertools
import json
import random
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

import requests

from simulator.ado.hooks import Hooks, Notification

# https://learn.microsoft.com/azure/devops/service-hooks/troubleshoot
RETRY_WAITS = (1, 2, 4, 8, 16, 32, 60, 60)
PROBE_WAITS = (1200, 2400, 4800, 9600, 19200, 38400, 54000)
TRANSIENT = frozenset({408, 502, 503, 504})
TIMEOUT = 20


class Disposition(Enum):
    """What becomes of a notification and its subscription after one attempt."""

    DELIVERED = "delivered"
    RETRY = "retry"
    RESTRICT = "restrict"
    DISABLE = "disable"


def disposition_of(http_status: int | None, attempts: int) -> Disposition:
    """Decide by the answer to the latest of so many attempts; None stands for no answer.

    What no answer means is not documented; it is taken for trouble that passes, like a 504.
    """
    if http_status is not None and 200 <= http_status < 300:
        return Disposition.DELIVERED
    if http_status == 410:
        return Disposition.DISABLE
    if (http_status is None or http_status in TRANSIENT) and attempts <= len(RETRY_WAITS):
        return Disposition.RETRY
    return Disposition.RESTRICT


@dataclass(frozen=True)
class Delivery:
    """One HTTP request to a receiver and its answer, for tests to count."""

    subscription_id: str
    notification_id: int
    event_type: str
    url: str
    http_status: int | None
    attempt: int
    body: Mapping[str, object]


@dataclass(frozen=True)
class Attempt:
    """One attempt that is due; a probe is rare, and only an awaited one keeps ``wait`` waiting."""

    notification: Notification
    is_probe: bool
    is_awaited: bool


@dataclass
class Weather:
    """How badly events travel: seconds of delay, and the share that is lost, doubled or out of order."""

    delay: float = 0.0
    drop: float = 0.0
    duplicate: float = 0.0
    shuffle: float = 0.0


class Courier:
    """Sends notifications from threads of its own; ``lock`` guards everything but the sending itself."""

    def __init__(
        self, lock: threading.RLock, hooks: Hooks, *, time_scale: float, workers: int, seed: int
    ) -> None:
        self._hooks = hooks
        self._time_scale = time_scale
        self._random = random.Random(seed)
        self._wake = threading.Condition(lock)
        self._due: list[tuple[float, int, Attempt]] = []
        self._order = itertools.count()
        self._held: list[Notification] | None = None
        self._unfinished = 0
        self._stopped = False
        self._pool = ThreadPoolExecutor(workers, "ado-delivery")
        self._thread = threading.Thread(target=self._run, name="ado-courier", daemon=True)
        self.weather = Weather()
        self.deliveries: list[Delivery] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify_all()
        self._thread.join()
        self._pool.shutdown(cancel_futures=True)

    def send(self, notification: Notification) -> None:
        """Take a new notification, subject to the weather."""
        if self._held is not None:
            self._held.append(notification)
            return
        if self._random.random() < self.weather.drop:
            return
        copies = 2 if self._random.random() < self.weather.duplicate else 1
        for _ in range(copies):
            late = 1 + self._random.random() if self._random.random() < self.weather.shuffle else 0.0
            self._schedule(notification, self.weather.delay + late)

    def hold(self) -> None:
        """Keep new notifications back until ``release``."""
        with self._wake:
            self._held = self._held if self._held is not None else []

    def release(self, *, backwards: bool = False) -> None:
        with self._wake:
            held, self._held = self._held or [], None
            for notification in reversed(held) if backwards else held:
                self.send(notification)

    def probe(self, subscription_id: str) -> None:
        """Make the next attempt of a restricted subscription now instead of in minutes or hours."""
        with self._wake:
            probes = [
                entry
                for entry in self._due
                if entry[2].is_probe and entry[2].notification.subscription.id == subscription_id
            ]
            self._due = [entry for entry in self._due if entry not in probes]
            heapq.heapify(self._due)
            for _, _, attempt in probes:
                self._schedule(attempt.notification, 0, is_probe=True, is_awaited=True)

    def wait(self, timeout: float) -> bool:
        """Wait until nothing is under way, except probes, which are hours apart."""
        with self._wake:
            return self._wake.wait_for(lambda: self._unfinished == 0, timeout)

    def _schedule(
        self, notification: Notification, seconds: float, *, is_probe: bool = False, is_awaited: bool = True
    ) -> None:
        with self._wake:
            at = time.monotonic() + seconds * self._time_scale
            heapq.heappush(self._due, (at, next(self._order), Attempt(notification, is_probe, is_awaited)))
            self._unfinished += is_awaited
            self._wake.notify_all()

    def _run(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                if not self._due or self._due[0][0] > time.monotonic():
                    self._wake.wait(self._due[0][0] - time.monotonic() if self._due else None)
                    continue
                attempt = heapq.heappop(self._due)[2]
            self._pool.submit(self._make, attempt)

    def _make(self, attempt: Attempt) -> None:
        subscription = attempt.notification.subscription
        with self._wake:
            open_to = {"onProbation"} if attempt.is_probe else {"enabled", "onProbation"}
            is_alive = self._hooks.has(subscription) and subscription.status in open_to
        http_status = self._post(attempt.notification) if is_alive else None
        with self._wake:
            if is_alive:
                self._settle(attempt.notification, http_status, is_probe=attempt.is_probe)
            self._unfinished -= attempt.is_awaited
            self._wake.notify_all()

    def _settle(self, notification: Notification, http_status: int | None, *, is_probe: bool) -> None:
        subscription = notification.subscription
        notification.attempts.append(http_status)
        if is_probe:
            subscription.last_probation_retry = self._hooks.now()
        attempt = len(notification.attempts)
        self.deliveries.append(
            Delivery(
                subscription.id,
                notification.id,
                subscription.event_type,
                subscription.url,
                http_status,
                attempt,
                notification.body,
            )
        )
        disposition = disposition_of(http_status, attempt)
        if is_probe and disposition is Disposition.RETRY:
            disposition = Disposition.RESTRICT
        if disposition is Disposition.RETRY:
            self._schedule(notification, RETRY_WAITS[attempt - 1])
            return
        notification.result = "succeeded" if disposition is Disposition.DELIVERED else "failed"
        if disposition is Disposition.DELIVERED and subscription.status == "onProbation":
            subscription.status, subscription.probation_retries = "enabled", 0
        elif disposition is Disposition.DISABLE:
            subscription.status = "disabledBySystem"
        elif disposition is Disposition.RESTRICT and (is_probe or subscription.status == "enabled"):
            self._restrict(notification)

    def _restrict(self, notification: Notification) -> None:
        subscription = notification.subscription
        if subscription.probation_retries == len(PROBE_WAITS):
            subscription.status = "disabledBySystem"
            return
        subscription.status = "onProbation"
        self._schedule(
            notification, PROBE_WAITS[subscription.probation_retries], is_probe=True, is_awaited=False
        )
        subscription.probation_retries += 1

    def _post(self, notification: Notification) -> int | None:
        inputs = notification.subscription.consumer_inputs
        lines = (line.split(":", 1) for line in inputs.get("httpHeaders", "").splitlines())
        headers = {name.strip(): value.strip() for name, value in lines}
        user, password = inputs.get("basicAuthUsername", ""), inputs.get("basicAuthPassword", "")
        headers |= {"Content-Type": "application/json; charset=utf-8"}
        try:
            with requests.Session() as session:
                # A developer's proxy settings are not for deliveries to the same machine.
                session.trust_env = False
                answer = session.post(
                    inputs["url"],
                    data=json.dumps(notification.body),
                    headers=headers,
                    auth=(user, password) if user or password else None,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
        except requests.RequestException:
            return None
        return answer.status_code
