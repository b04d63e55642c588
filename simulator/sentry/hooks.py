"""The hook sender of the fake Sentry: signed, once, within a second, in the weather asked for."""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import hmac
import itertools
import json
import random
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import requests

from simulator.sentry.issues import Issues
from simulator.sentry.json import actor_json, issue_json, issue_urls
from simulator.sentry.model import Hook, Integration, Missing


@dataclass(frozen=True)
class Weather:
    """What happens to the hooks: seconds of delay, and the share (0 to 1) that is lost or comes twice.

    ``reorder`` is by how many seconds more a hook may be held up, so that later ones overtake it.
    """

    delay: float = 0.0
    reorder: float = 0.0
    loss: float = 0.0
    duplication: float = 0.0


CALM = Weather()


@dataclass(frozen=True)
class Delivery:
    """One attempt to deliver a hook; ``status`` is the receiver's HTTP status, None without one."""

    resource: str
    action: str
    issue_id: str | None
    outcome: str
    status: int | None = None
    answer: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


def sign(client_secret: str, body: bytes) -> str:
    return hmac.new(client_secret.encode(), body, hashlib.sha256).hexdigest()


def compact(value: object) -> bytes:
    """Write JSON as Sentry does: no blanks, nothing but ASCII (sentry: utils/json.py)."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=True).encode()


# What people tick under Webhooks. Rules with our action, and installing, tell whatever is ticked.
# https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
_TICKED = frozenset({"comment", "error", "issue"})


class HookSender:
    """Sends each hook once, from a thread of its own.

    Sentry quirk: an internal integration's failed hook is never sent again (sentry:
    ignore_unpublished_app_errors in utils/sentry_apps/webhooks.py).
    """

    def __init__(
        self,
        integration: Integration,
        *,
        webhook_url: str | None = None,
        timeout: float = 1.0,
        weather: Weather = CALM,
        seed: int = 0,
    ) -> None:
        self.webhook_url = webhook_url
        self.weather = weather
        self.deliveries: list[Delivery] = []
        self._integration = integration
        self._timeout = timeout
        self._random = random.Random(seed)
        self._waiting: list[tuple[float, int, Hook]] = []
        self._numbers = itertools.count()
        self._sending = 0
        self._held = False
        self._closing = False
        self._issues: Issues | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="sentry-hooks", daemon=True)

    def start(self, issues: Issues) -> None:
        """Begin to send what happens to ``issues``, under their lock."""
        self._issues = issues
        self._changed = threading.Condition(issues.lock)
        self._thread.start()

    def close(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def put(self, hook: Hook) -> None:
        unticked = _TICKED - self._integration.events
        if self.webhook_url is None or hook.resource in unticked:
            return
        with self._changed:
            due = time.monotonic() + self.weather.delay + self._random.uniform(0, self.weather.reorder)
            heapq.heappush(self._waiting, (due, next(self._numbers), hook))
            self._changed.notify_all()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Send nothing inside the block, and at its end what has come together."""
        with self._changed:
            self._held = True
        try:
            yield
        finally:
            with self._changed:
                self._held = False
                self._changed.notify_all()

    def drain(self, timeout: float = 10.0) -> None:
        """Wait until every hook has been sent and answered, lost or given up."""
        with self._changed:
            if not self._changed.wait_for(lambda: not self._waiting and not self._sending, timeout):
                raise TimeoutError(f"{len(self._waiting) + self._sending} hooks are still on their way")

    def _run(self) -> None:
        while (hook := self._next()) is not None:
            try:
                self._send(hook)
            finally:
                with self._changed:
                    self._sending -= 1
                    self._changed.notify_all()

    def _next(self) -> Hook | None:
        with self._changed:
            while not self._closing:
                wait = None
                if self._waiting and not self._held:
                    wait = self._waiting[0][0] - time.monotonic()
                    if wait <= 0:
                        self._sending += 1
                        return heapq.heappop(self._waiting)[2]
                self._changed.wait(wait)
            return None

    def _send(self, hook: Hook) -> None:
        with self._changed:
            url = self.webhook_url
            if self._random.random() < self.weather.loss:
                self._record(hook, "lost")
                return
            copies = 2 if self._random.random() < self.weather.duplication else 1
            try:
                body = self._body(hook)
            except Missing:
                self._record(hook, "issue-gone")
                return
            headers = self._headers(hook, body)
        for _ in range(copies):
            self._post(hook, url, body, headers)

    def _body(self, hook: Hook) -> bytes:
        content = dict(hook.content)
        if hook.resource == "issue":
            content["issue"] = self._issue(hook)
        return compact(
            {
                "action": hook.action,
                "installation": {"uuid": self._integration.installation_uuid},
                "data": content,
                "actor": actor_json(hook.actor, self._integration),
            }
        )

    def _issue(self, hook: Hook) -> dict[str, Any]:
        """Look the issue up.

        Sentry quirk: a hook shows the issue as it is when the hook is sent, which may be newer
        than the action that it reports (sentry: workflow_notification in sentry_apps/tasks/sentry_apps.py).
        """
        if self._issues is None or hook.issue_id is None:
            raise Missing("no issue")
        issue = self._issues.exact(hook.issue_id)
        if issue is None:
            raise Missing(hook.issue_id)
        shown = issue_json(self._issues, issue)
        if hook.action == "created":
            # Sentry quirk: created alone writes its dates with an offset
            # (sentry: sentry_apps/tasks/sentry_apps.py).
            shown["firstSeen"] = issue.first_seen.isoformat()
            shown["lastSeen"] = issue.last_seen.isoformat()
        if hook.action == "created" or self._issues.modes.urls_on_all_actions:
            shown.update(issue_urls(self._issues.site, issue))
        return shown

    def _headers(self, hook: Hook, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "Request-ID": uuid.UUID(int=self._random.getrandbits(128), version=4).hex,
            "Sentry-Hook-Resource": hook.resource,
            "Sentry-Hook-Timestamp": str(int(time.time())),
            "Sentry-Hook-Signature": sign(self._integration.client_secret, body),
        }

    def _post(self, hook: Hook, url: str | None, body: bytes, headers: dict[str, str]) -> None:
        if url is None:
            self._record(hook, "no-webhook-url")
            return
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.post(
                    url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
                )
        except requests.Timeout:
            self._record(hook, "timeout", headers=headers, body=body)
        except requests.RequestException as error:
            self._record(hook, "no-answer", text=type(error).__name__, headers=headers, body=body)
        else:
            # Sentry quirk: a redirect counts as delivered and is not followed (sentry: http.py).
            outcome = "delivered" if answer.status_code < 400 else "refused"
            self._record(hook, outcome, answer.status_code, answer.text, headers, body)

    def _record(
        self,
        hook: Hook,
        outcome: str,
        status: int | None = None,
        text: str = "",
        headers: dict[str, str] | None = None,
        body: bytes = b"",
    ) -> None:
        with self._changed:
            sent = tuple((headers or {}).items())
            self.deliveries.append(
                Delivery(hook.resource, hook.action, hook.issue_id, outcome, status, text, sent, body)
            )
