"""A faithful fake Sentry, for a test (``with FakeSentry() as sentry``) or alone (``-m simulator.sentry``)."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from simulator.alone import is_restored, serve
from simulator.clock import dated
from simulator.kept import Kept
from simulator.routes import web_app
from simulator.sentry.api import RestApi
from simulator.sentry.components import ComponentCaller
from simulator.sentry.directory import DEFAULT_PROJECT, OWNER
from simulator.sentry.gate import ALL_SCOPES, CONCURRENT_LIMIT, Fault, Gate, usual_body
from simulator.sentry.hooks import CALM, Delivery, HookSender, Weather
from simulator.sentry.issues import Issues
from simulator.sentry.json import alert_content, comment_json, external_issue_json, issue_json
from simulator.sentry.model import (
    APPLICATION,
    SENTRY,
    Actor,
    AlertRule,
    Hook,
    Integration,
    Issue,
    Json,
    Member,
    Modes,
    Pending,
    Site,
    utc_now,
)
from simulator.sentry.page import page

__all__ = ["APPLICATION", "SENTRY", "Actor", "FakeSentry", "Modes", "Weather", "main"]

BEARER = "sentry-simulator-bearer"
SIGNING_KEY = "sentry-simulator-signing-key"

_TITLES = (
    "TypeError: cannot read properties of undefined (reading 'cart')",
    "TimeoutError: payment gateway did not answer",
    "ValueError: <script> in a customer's name",
    "KeyError: 'currency'",
    "ZeroDivisionError: division by zero",
    "ConnectionResetError: the warehouse hung up",
)


class FakeSentry:
    """One Sentry organization with one internal integration, on a port of 127.0.0.1.

    The methods are what people and Sentry itself do; ``actor`` is a member's e-mail, ``SENTRY``,
    or ``APPLICATION`` for the token of any integration. What our own token does comes by HTTP.
    """

    def __init__(
        self,
        *,
        token: str = BEARER,
        client_secret: str = SIGNING_KEY,
        webhook_url: str | None = None,
        organization: str = "acme",
        organization_id: int = 1,
        port: int = 0,
        modes: Modes | None = None,
        weather: Weather = CALM,
        webhook_timeout: float = 1.0,
        component_timeout: float = 30.0,
        enforce_rate_limit: bool = False,
        concurrent_limit: int = CONCURRENT_LIMIT,
        scopes: frozenset[str] = ALL_SCOPES,
        page_size: int = 100,
        seed: int = 0,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.token = token
        self.client_secret = client_secret
        self.organization = organization
        # By so many seconds its clock is ahead, as its answers date themselves.
        self.clock_ahead = 0.0
        self.integration = Integration(client_secret)
        self.hooks = HookSender(
            self.integration, webhook_url=webhook_url, timeout=webhook_timeout, weather=weather, seed=seed
        )
        app = web_app("simulator.sentry")
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1",
            port,
            app,
            threaded=True,
            request_handler=dated(_Handler, lambda: self.clock_ahead),
        )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        site = Site(self.url, organization, organization_id)
        self.issues = Issues(site=site, notify=self.hooks.put, modes=modes, clock=clock)
        self.directory = self.issues.directory
        self.rules: list[AlertRule] = []
        self._gate = Gate(
            self.issues.lock,
            token=token,
            scopes=scopes,
            enforce_rate_limit=enforce_rate_limit,
            concurrent_limit=concurrent_limit,
            clock=lambda: clock().timestamp(),
        )
        self._components = ComponentCaller(self.integration, self.issues, timeout=component_timeout)
        self._gate.guard(app)
        app.register_blueprint(
            RestApi(
                self.issues,
                self.integration,
                self._gate,
                page_size=page_size,
                webhook_url=lambda: self.webhook_url,
            ).blueprint()
        )
        app.register_blueprint(page(self))
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.005,), name="sentry-http", daemon=True
        )

    def __enter__(self) -> Self:
        self.hooks.start(self.issues)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gate.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self.hooks.close()

    @property
    def webhook_url(self) -> str | None:
        return self.hooks.webhook_url

    @webhook_url.setter
    def webhook_url(self, url: str | None) -> None:
        self.hooks.webhook_url = url

    @property
    def weather(self) -> Weather:
        return self.hooks.weather

    @weather.setter
    def weather(self, weather: Weather) -> None:
        self.hooks.weather = weather

    def grant(self, scopes: frozenset[str]) -> None:
        """Have the token carry these scopes from now on, as if somebody had edited the integration."""
        self._gate.scopes = scopes

    def renew_token(self, token: str) -> None:
        """Have the integration's new token, and not the one before."""
        self.token = self._gate.token = token

    @property
    def modes(self) -> Modes:
        return self.issues.modes

    @modes.setter
    def modes(self, modes: Modes) -> None:
        self.issues.modes = modes

    @property
    def scopes(self) -> frozenset[str]:
        """What our token may do."""
        return self._gate.scopes

    @scopes.setter
    def scopes(self, scopes: frozenset[str]) -> None:
        self._gate.scopes = scopes

    @property
    def calls(self) -> list[tuple[str, str, int]]:
        """Every call of the API that was answered, as (method, path, status)."""
        with self.issues.lock:
            return list(self._gate.calls)

    @property
    def deliveries(self) -> list[Delivery]:
        with self.issues.lock:
            return list(self.hooks.deliveries)

    def issue(self, issue_id: str) -> Json:
        """Show an issue as a hook or a PUT would."""
        with self.issues.lock:
            return issue_json(self.issues, self.issues.find(issue_id))

    def external_issues(self, issue_id: str) -> list[Json]:
        return [external_issue_json(link) for link in self.issues.links_of(self.issues.find(issue_id).id)]

    def link_by_integration(
        self,
        issue_id: str,
        work_item_id: int,
        *,
        provider: str = "vsts",
        name: str = "fabrikam",
        area: str = "Fabrikam-Fiber",
    ) -> None:
        """Link an issue as Sentry's own Azure DevOps integration does, or another of its integrations."""
        key = str(work_item_id)
        self.issues.link_by_integration(
            issue_id, key, provider=provider, name=name, display_name=f"{area}#{key}"
        )

    def comments(self, issue_id: str) -> list[Json]:
        with self.issues.lock:
            issue = self.issues.find(issue_id)
            return [comment_json(self.issues, comment) for comment in self.issues.comments(issue.id)]

    def add_issue(
        self,
        title: str = "TypeError: undefined is not a function",
        *,
        project: str = DEFAULT_PROJECT,
        issue_id: str | None = None,
        first_seen: datetime | None = None,
        announce: bool = True,
    ) -> Issue:
        return self.issues.add(
            title=title, project=project, issue_id=issue_id, first_seen=first_seen, announce=announce
        )

    def rename(self, organization: str) -> None:
        """Give the organization another slug; it stays the same one."""
        with self.issues.lock:
            self.organization = organization
            self.issues.site = replace(self.issues.site, organization=organization)

    def add_member(self, email: str, **kinds: Any) -> Member:
        """Add a person; the keywords are those of ``Directory.add_member``."""
        with self.issues.lock:
            return self.directory.add_member(email, **kinds)

    def resolve(self, issue_id: str, *, actor: str | Actor = OWNER, in_next_release: bool = False) -> None:
        self._update(issue_id, actor, status="resolvedInNextRelease" if in_next_release else "resolved")

    def unresolve(self, issue_id: str, *, actor: str | Actor = OWNER) -> None:
        self._update(issue_id, actor, status="unresolved")

    def archive(
        self, issue_id: str, *, actor: str | Actor = OWNER, substatus: str = "archived_until_escalating"
    ) -> None:
        self._update(issue_id, actor, status="ignored", substatus=substatus)

    def unarchive(self, issue_id: str, *, actor: str | Actor = OWNER) -> None:
        self._update(issue_id, actor, status="unresolved")

    def assign(self, issue_id: str, email: str, *, actor: str | Actor = OWNER) -> None:
        user_id = self.directory.person(email).user_id
        self._update(issue_id, actor, assignedTo=f"user:{user_id}")

    def assign_team(self, issue_id: str, team: str, *, actor: str | Actor = OWNER) -> None:
        self._update(issue_id, actor, assignedTo=f"team:{self.directory.teams[team].id}")

    def unassign(self, issue_id: str, *, actor: str | Actor = OWNER) -> None:
        self._update(issue_id, actor, assignedTo="")

    def _update(self, issue_id: str, actor: str | Actor, **change: str) -> None:
        self.issues.update(issue_id, change, self._actor(actor))

    def _actor(self, actor: str | Actor) -> Actor:
        return self.directory.person(actor) if isinstance(actor, str) else actor

    def regress(self, issue_id: str, *, release: str | None = None, environment: str | None = None) -> None:
        """Let the error happen again: a resolved issue regresses, an archived one escalates; rules fire."""
        self.issues.new_event(issue_id, release=release, environment=environment)
        self.fire_rules(issue_id)

    def auto_resolve(self, issue_id: str) -> None:
        """Let an old issue look resolved before any task has resolved it."""
        self.issues.show_as(issue_id, "resolved")

    def end_archiving(self, issue_id: str) -> None:
        """Let the time of an archived issue run out: it looks unresolved, and no hook is sent."""
        self.issues.show_as(issue_id, "unresolved")

    def comment(self, issue_id: str, text: str, *, actor: str | Actor = OWNER) -> int:
        return self.issues.add_comment(issue_id, text, self._actor(actor)).id

    def edit_comment(self, comment_id: int, text: str, *, actor: str | Actor = OWNER) -> None:
        self.issues.edit_comment(comment_id, text, self._actor(actor))

    def delete_comment(self, comment_id: int, *, actor: str | Actor = OWNER) -> None:
        self.issues.delete_comment(comment_id, self._actor(actor))

    def merge(self, issue_id: str, *, into: str) -> None:
        self.issues.merge(issue_id, into=into)

    def delete(self, issue_id: str) -> None:
        self.issues.delete(issue_id)

    def begin(self, issue_id: str, pending: Pending) -> None:
        self.issues.begin(issue_id, pending)

    def add_project(self, slug: str) -> None:
        with self.issues.lock:
            self.directory.add_project(slug)

    def add_release(self, slug: str, version: str = "1.0.0") -> None:
        with self.issues.lock:
            self.directory.add_release(slug, version)

    def save_rule(self, uri: str, fields: Mapping[str, Any], name: str = "New errors") -> None:
        """Save an alert rule with our action, or raise ComponentFailed with what its form would show."""
        self._components.save_rule(self.webhook_url, uri, fields)
        self.rules = [each for each in self.rules if each.name != name]
        self.rules.append(AlertRule(name, dict(fields)))

    def fire_rules(self, issue_id: str) -> None:
        """Let every saved rule fire for a new event of an issue."""
        with self.issues.lock:
            issue = self.issues.find(issue_id)
            for rule in self.rules:
                content = alert_content(self.issues, issue, rule)
                self.hooks.put(Hook("event_alert", "triggered", SENTRY, issue.id, content))

    def forbid_project(self, slug: str) -> None:
        """Keep our token out of a project, and of the issues in it."""
        with self.issues.lock:
            self.directory.forbid(slug)

    def send_hook(
        self, resource: str, action: str, content: Mapping[str, Any], *, actor: str | Actor = SENTRY
    ) -> None:
        """Send any other genuine hook, such as ``event_alert`` or ``installation``."""
        self.hooks.put(Hook(resource, action, self._actor(actor), None, content))

    def load_options(
        self,
        uri: str,
        *,
        project_slug: str = DEFAULT_PROJECT,
        query: str = "",
        dependent: Mapping[str, Any] | None = None,
    ) -> list[Json]:
        """Ask the receiver for a select's options, as the form does."""
        return self._components.load_options(
            self.webhook_url, uri, project_slug=project_slug, query=query, dependent=dependent
        )

    def submit(
        self, uri: str, issue_id: str, fields: Mapping[str, Any], *, actor: str | Actor = OWNER
    ) -> Json:
        """Send the filled-in form to link or to create, and keep the link that comes back."""
        link = self._components.submit(self.webhook_url, uri, issue_id, fields, actor=self._actor(actor))
        return external_issue_json(link)

    def fail_next(
        self,
        n: int,
        status: int,
        headers: Mapping[str, str] | None = None,
        body: str | None = None,
        *,
        method: str = "*",
        path: str = "*",
    ) -> None:
        """Answer the next ``n`` matching calls with ``status``, and do nothing."""
        text = usual_body(status) if body is None else body
        sent = tuple((headers or {}).items())
        self._gate.add_fault(Fault("answer", n, method, path, status, sent, text))

    def hang_next(self, n: int, seconds: float = 60.0, *, method: str = "*", path: str = "*") -> None:
        """Leave the next ``n`` matching calls unanswered, and do nothing."""
        self._gate.add_fault(Fault("hang", n, method, path, seconds=seconds))

    def drop_next(self, n: int, *, method: str = "*", path: str = "*") -> None:
        """Do what the next ``n`` matching calls ask, and break the connection before the answer."""
        self._gate.add_fault(Fault("drop", n, method, path))


class _Handler(WSGIRequestHandler):
    """Serves quietly; headers and body go out without waiting for each other."""

    disable_nagle_algorithm = True

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - the overridden name
        pass


def furnish(sentry: FakeSentry, issues: int = 3) -> None:
    """Add what the page is to show at first: three people, and up to six issues."""
    for name in ("Ann Archer", "Bob Baker", "Chris Cole"):
        sentry.add_member(f"{name.partition(' ')[0].lower()}@acme.example", name=name)
    for title in _TITLES[:issues]:
        sentry.add_issue(title, announce=False)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m simulator.sentry", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument("--token", default=BEARER, help="what the API accepts as the integration's token")
    parser.add_argument("--client-secret", default=SIGNING_KEY, help="what hooks and forms are signed with")
    parser.add_argument("--webhook-url", help="where the hooks go; forms go to the same host")
    parser.add_argument("--organization", default="acme", help="the organization's slug")
    parser.add_argument(
        "--issues",
        type=int,
        default=3,
        choices=range(len(_TITLES) + 1),
        help="how many issues there are at first",
    )
    parser.add_argument("--enforce-rate-limit", action="store_true", help="answer 429 as Sentry would")
    parser.add_argument(
        "--keep", type=Path, metavar="FILE", help="go on with what is in it, and keep it there"
    )
    asked = parser.parse_args()
    sentry = FakeSentry(
        token=asked.token,
        client_secret=asked.client_secret,
        webhook_url=asked.webhook_url,
        organization=asked.organization,
        port=asked.port,
        enforce_rate_limit=asked.enforce_rate_limit,
    )
    kept = kept_in(asked.keep, sentry) if asked.keep else None
    if not is_restored(kept):
        furnish(sentry, asked.issues)
    serve(sentry, kept)


def kept_in(path: Path, sentry: FakeSentry) -> Kept:
    return Kept(path, sentry.issues.lock, issues=sentry.issues, directory=sentry.directory)
