"""Sentry's side of the "Link issue" form: it asks the receiver for options, and to link or to create."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from simulator.sentry.hooks import compact, sign
from simulator.sentry.issues import Issues
from simulator.sentry.json import permalink
from simulator.sentry.model import Actor, ExternalIssue, Integration, Json

URI = re.compile(r"/(?!/)[^@]*")
SUBMIT_KEYS = ("webUrl", "project", "identifier")


class ComponentFailed(Exception):
    """What Sentry's form would show in place of an answer; ``status`` is the receiver's, if any."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ComponentCaller:
    """Calls the receiver as Sentry's select and issue-link requesters do."""

    def __init__(self, integration: Integration, issues: Issues, *, timeout: float = 30.0) -> None:
        self._integration = integration
        self._issues = issues
        self._timeout = timeout

    def load_options(
        self,
        webhook_url: str | None,
        uri: str,
        *,
        project_slug: str = "",
        query: str = "",
        dependent: Mapping[str, Any] | None = None,
    ) -> list[Json]:
        """Ask for the options of a select."""
        parameters = {"installationId": self._integration.installation_uuid}
        if project_slug:
            parameters["projectSlug"] = project_slug
        if query:
            parameters["query"] = query
        if dependent:
            parameters["dependentData"] = json.dumps(dict(dependent))
        url = f"{_base(webhook_url, uri)}{uri}?{urlencode(parameters)}"
        # Sentry quirk: a select is signed over the empty string, whatever it asks
        # (sentry: sentry_apps/external_requests/select_requester.py).
        options = self._call("GET", url, signed=b"", body=None)
        if not isinstance(options, list) or not all(_is_option(option) for option in options):
            raise ComponentFailed(
                "Missing `value` or `label` in option data for Select FormField", status=200
            )
        return options

    def submit(
        self, webhook_url: str | None, uri: str, issue_id: str, fields: Mapping[str, Any], *, actor: Actor
    ) -> ExternalIssue:
        """Send the filled-in form; what the receiver answers becomes the link that Sentry shows."""
        issue = self._issues.find(issue_id)
        body = compact(
            {
                "fields": dict(fields),
                # Sentry quirk: these ids are numbers, although the documentation says strings
                # (sentry: sentry_apps/external_requests/issue_link_requester.py).
                "issueId": int(issue.id),
                "installationId": self._integration.installation_uuid,
                "webUrl": permalink(self._issues.site, issue),
                "project": {"slug": issue.project.slug, "id": int(issue.project.id)},
                "actor": {"type": "user", "id": actor.user_id, "name": actor.name},
            }
        )
        answer = self._call("POST", f"{_base(webhook_url, uri)}{uri}", signed=body, body=body)
        if not isinstance(answer, dict) or not all(isinstance(answer.get(key), str) for key in SUBMIT_KEYS):
            raise ComponentFailed("Invalid response format", status=200)
        return self._issues.link(
            issue.id,
            self._integration.slug,
            web_url=answer["webUrl"],
            project=answer["project"],
            identifier=answer["identifier"],
        )

    def save_rule(self, webhook_url: str | None, uri: str, fields: Mapping[str, Any]) -> None:
        """Have the receiver check the settings of a rule's action, as Sentry does before it saves them.

        Sentry quirk: unlike those of the form, its fields are a list of names and values
        (sentry: sentry_apps/external_requests/alert_rule_action_requester.py).
        """
        body = compact(
            {
                "fields": [{"name": name, "value": value} for name, value in fields.items()],
                "installationId": self._integration.installation_uuid,
            }
        )
        self._call("POST", f"{_base(webhook_url, uri)}{uri}", signed=body, body=body)

    def _call(self, method: str, url: str, *, signed: bytes, body: bytes | None) -> Any:
        headers = {
            "Content-Type": "application/json",
            "Request-ID": uuid.uuid4().hex,
            "Sentry-App-Signature": sign(self._integration.client_secret, signed),
        }
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method, url, data=body, headers=headers, timeout=self._timeout, allow_redirects=False
                )
        except requests.RequestException as error:
            raise ComponentFailed(f"The receiver cannot be reached: {type(error).__name__}") from error
        if answer.status_code >= 400:
            raise ComponentFailed(_message(answer), status=answer.status_code)
        try:
            return answer.json()
        except ValueError as error:
            raise ComponentFailed("Unable to parse response", status=answer.status_code) from error


def _base(webhook_url: str | None, uri: str) -> str:
    """Keep scheme and host alone.

    Sentry quirk: path and query of the webhook's URL are thrown away, so that a function key in
    it does not come along (docs.sentry.io: integration platform, UI components).
    """
    if webhook_url is None:
        raise ComponentFailed("The integration has no webhook URL")
    if not URI.fullmatch(uri):
        raise ValueError(f"{uri!r} is no component uri: it begins with one slash and has no @")
    parts = urlsplit(webhook_url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_option(option: object) -> bool:
    return isinstance(option, dict) and all(isinstance(option.get(key), str) for key in ("value", "label"))


def _message(answer: requests.Response) -> str:
    try:
        message = answer.json()["message"]
    except (ValueError, KeyError, TypeError):
        message = None
    return message if isinstance(message, str) else f"Something went wrong (HTTP {answer.status_code})"
