"""What people press and see in the two fakes, and what an administrator asks of the app, over HTTP alone."""

import html
import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

import requests

from simulator.stack import ADO_ORGANIZATION, SENTRY_ORGANIZATION, SLUG, Stack

_PATIENCE = 30  # seconds for one answer
_TRIES, _LONGEST_WAIT = 6, 5  # seconds; a worker holds a link for a moment
_API_VERSION = {"api-version": "6.0"}

# Issues and work items that both fakes start with.
LINKS = (("100", 31), ("101", 32), ("102", 33))
_OPTION = re.compile(r'<option value="([^"]*)"[^>]*>([^<]*)</option>')

_TAGS = re.compile(r"<[^<>]*>")

Json = dict[str, Any]


class HandsError(RuntimeError):
    """A refusal in answer to a request; the message is what it said."""


def _new_session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # a proxy cannot reach this machine's loopback
    return session


@dataclass(frozen=True)
class _Caller:
    url: str
    session: requests.Session = field(default_factory=_new_session, repr=False)

    def ask(self, method: str, path: str, **options: Any) -> requests.Response:
        """Make a request, and again where the answer asks for that: a worker may hold the link."""
        for _ in range(_TRIES):
            answer = self.ask_once(method, path, **options)
            if answer.status_code != 503 or not answer.headers.get("Retry-After", "").isdecimal():
                break
            time.sleep(min(int(answer.headers["Retry-After"]), _LONGEST_WAIT))
        if not answer.ok:
            raise HandsError(f"{method} {self.url}{path}: HTTP {answer.status_code}: {answer.text[:500]}")
        return answer

    def ask_once(self, method: str, path: str, **options: Any) -> requests.Response:
        try:
            return self.session.request(
                method, f"{self.url}{path}", timeout=_PATIENCE, allow_redirects=False, **options
            )
        except requests.RequestException as error:
            raise HandsError(f"{method} {self.url}{path}: {type(error).__name__}") from error


class AdoHands:
    """Ann on the page of the fake Azure DevOps; she reads through its REST API, like any other client."""

    def __init__(self, stack: Stack) -> None:
        self._caller = _Caller(stack.ado_url)
        self._auth = ("", stack.secrets.ado_token)

    def move(self, work_item_id: int, state: str, reason: str = "") -> None:
        self._edit(work_item_id, "System.State", state, reason)

    def assign(self, work_item_id: int, address: str | None) -> None:
        self._edit(work_item_id, "System.AssignedTo", address or "")

    def comment(self, work_item_id: int, html: str) -> None:
        self._edit(work_item_id, "System.History", html)

    def comments(self, project: str, work_item_id: int) -> list[str]:
        """Return what was said, newest first, as text."""
        path = f"/{ADO_ORGANIZATION}/{project}/_apis/wit/workItems/{work_item_id}/comments"
        answer = self._caller.ask("GET", path, params={"api-version": "7.1-preview.4"}, auth=self._auth)
        return [_TAGS.sub("", each["text"]) for each in answer.json()["comments"]]

    def state(self, work_item_id: int) -> str:
        return str(self._fields(work_item_id)["System.State"])

    def title(self, work_item_id: int) -> str:
        return str(self._fields(work_item_id)["System.Title"])

    def assignee(self, work_item_id: int) -> str | None:
        person = self._fields(work_item_id).get("System.AssignedTo")
        return None if person is None else str(person["uniqueName"])

    def hyperlinks(self, work_item_id: int) -> list[str]:
        """Return the addresses of the hyperlinks on a work item."""
        path = f"wit/workitems/{work_item_id}?$expand=relations"
        relations: list[Json] = self._api("GET", path).json().get("relations", [])
        return [each["url"] for each in relations if each["rel"] == "Hyperlink"]

    def subscribed_events(self) -> list[str]:
        subscriptions: list[Json] = self._api("GET", "hooks/subscriptions").json()["value"]
        return [each["eventType"] for each in subscriptions]

    def _edit(self, work_item_id: int, name: str, value: str, reason: str = "") -> None:
        form = {"id": work_item_id, "field": name, "value": value, "reason": reason}
        self._caller.ask("POST", "/edit", data=form)

    def _fields(self, work_item_id: int) -> Json:
        fields: Json = self._api("GET", f"wit/workitems/{work_item_id}").json()["fields"]
        return fields

    def _api(self, method: str, path: str, **options: Any) -> requests.Response:
        return self._caller.ask(
            method, f"/{ADO_ORGANIZATION}/_apis/{path}", params=_API_VERSION, auth=self._auth, **options
        )


class SentryHands:
    """Olive on the page of the fake Sentry; she reads through its REST API, like any other client."""

    def __init__(self, stack: Stack) -> None:
        self._caller = _Caller(stack.sentry_url)
        self._headers = {"Authorization": f"Bearer {stack.secrets.sentry_token}"}

    def resolve(self, issue_id: str) -> None:
        self._press("resolve", issue_id)

    def unresolve(self, issue_id: str) -> None:
        self._press("unresolve", issue_id)

    def archive(self, issue_id: str) -> None:
        self._press("archive", issue_id)

    def happen_again(self, issue_id: str, release: str) -> None:
        """Send one more event of an error."""
        self._press("regress", issue_id, release=release)

    def comment(self, issue_id: str, text: str) -> None:
        self._press("comment", issue_id, text=text)

    def comments(self, issue_id: str) -> list[str]:
        """Return the last line of each comment, newest first."""
        found: list[Json] = self._api(f"issues/{issue_id}/comments/").json()
        return [each["data"]["text"].rpartition("\n")[2] for each in found]

    def assign(self, issue_id: str, address: str | None) -> None:
        self._press("assign", issue_id, to=f"user:{self._user_id(address)}" if address else "")

    def status(self, issue_id: str) -> str:
        return str(self._issue(issue_id)["status"])

    def assignee(self, issue_id: str) -> str | None:
        actor = self._issue(issue_id)["assignedTo"]
        return None if actor is None else str(actor["email"])

    def found(self, issue_id: str, project: str, words: str) -> list[str]:
        """Type words into the form that links an issue, and return the labels of what it offers."""
        choices = {"project": self._project(issue_id, project), "query": words}
        return [label for _, label in self._offered(issue_id, "work_item", choices)]

    def link(self, issue_id: str, project: str, work_item_id: int) -> None:
        choices = {"project": self._project(issue_id, project), "work_item": str(work_item_id)}
        self._submit(f"/link/link/{issue_id}", choices)

    def create(self, issue_id: str, project: str, work_item_type: str, title: str) -> None:
        choices = {"project": self._project(issue_id, project), "work_item_type": work_item_type}
        self._submit(f"/link/create/{issue_id}", {**choices, "title": title})

    def save_rule(self, project: str, work_item_type: str) -> None:
        """Save an alert rule that creates a work item; its form offers the same projects as an issue's."""
        self._submit("/rules", {"project": self._project("100", project), "work_item_type": work_item_type})

    def report(self, title: str) -> None:
        """Send the first event of a new error."""
        self._submit("/errors", {"title": title})

    def linked(self, issue_id: str) -> list[str]:
        """Return how Sentry names what an issue is linked to."""
        links: list[Json] = self._api(f"issues/{issue_id}/external-issues/").json()
        return [html.unescape(each["displayName"]) for each in links]

    def _project(self, issue_id: str, name: str) -> str:
        offered = {label: value for value, label in self._offered(issue_id, "project", {})}
        if name not in offered:
            raise HandsError(f"the form of issue {issue_id} offers no project {name}: {sorted(offered)}")
        return offered[name]

    def _offered(self, issue_id: str, name: str, choices: dict[str, str]) -> list[tuple[str, str]]:
        """Return values and labels of one field of the form, as the page shows them."""
        path = f"/organizations/{SENTRY_ORGANIZATION}/issues/{issue_id}/"
        page = self._caller.ask("GET", path, params=choices).text
        field = re.search(rf'<select name="{name}".*?</select>', page, re.DOTALL)
        options = _OPTION.findall(field[0]) if field else []
        return [(value, html.unescape(label).strip()) for value, label in options]

    def _press(self, button: str, issue_id: str, **form: str) -> None:
        self._submit(f"/act/{button}/{issue_id}", form)

    def _submit(self, path: str, form: dict[str, str]) -> None:
        where = self._caller.ask("POST", path, data=form).headers.get("Location", "")
        if "problem=" in where:
            raise HandsError(f"Sentry's page says to {path}: {unquote_plus(where.partition('problem=')[2])}")

    def _user_id(self, address: str) -> str:
        members: list[Json] = self._api("members/").json()
        return next(str(each["user"]["id"]) for each in members if each["email"] == address)

    def _issue(self, issue_id: str) -> Json:
        issue: Json = self._api(f"issues/{issue_id}/").json()
        return issue

    def _api(self, path: str) -> requests.Response:
        path = f"/api/0/organizations/{SENTRY_ORGANIZATION}/{path}"
        return self._caller.ask("GET", path, headers=self._headers)


class AppHands:
    """An administrator with the function key."""

    def __init__(self, stack: Stack) -> None:
        self._caller = _Caller(f"{stack.app_url}/api")
        self._headers = {"x-functions-key": stack.secrets.function_key}

    def configure(self, document: Json) -> None:
        self._ask("PUT", "config", json=document)

    def link(self, issue_id: str, work_item_id: int) -> None:
        self._ask("POST", "links", json={"issue_id": issue_id, "work_item_id": work_item_id})

    def unlink(self, issue_id: str, work_item_id: int) -> None:
        self._ask("DELETE", f"links/{issue_id}/{work_item_id}")

    def reconcile(self, issue_id: str, work_item_id: int) -> None:
        self._ask("POST", "reconcile", json={"issue_id": issue_id, "work_item_id": work_item_id})

    def subscribe(self) -> None:
        self._ask("POST", "hooks")

    def activity(self, issue_id: str, work_item_id: int) -> list[Json]:
        """Return a link's activity, newest first."""
        entries: list[Json] = self._ask("GET", f"links/{issue_id}/{work_item_id}/activity").json()["activity"]
        return entries

    def linked_to(self, issue_id: str) -> list[int]:
        links: list[Json] = self._ask("GET", "links", params={"issue_id": issue_id}).json()["links"]
        return [each["work_item_id"] for each in links]

    def is_connected(self) -> bool:
        path = f"/organizations/{SLUG}/links"
        return self._caller.ask_once("GET", path, headers=self._headers).ok

    def entries(self, organization: str, **end: object) -> list[tuple[Json, Json]]:
        """Return each link with an end and each entry of its activity, oldest first."""
        links: list[Json] = self._ask("GET", "links", organization, params=end).json()["links"]
        return [
            (link, entry)
            for link in links
            for entry in reversed(
                self._ask(
                    "GET", f"links/{link['issue_id']}/{link['work_item_id']}/activity", organization
                ).json()["activity"]
            )
        ]

    def health(self) -> Json:
        health: Json = self._caller.ask("GET", "/health").json()
        return health

    def _ask(self, method: str, path: str, organization: str = SLUG, **options: Any) -> requests.Response:
        return self._caller.ask(
            method, f"/organizations/{organization}/{path}", headers=self._headers, **options
        )


class Hands:
    """All three at one stack, and how they are connected to each other."""

    def __init__(self, stack: Stack) -> None:
        self.ado = AdoHands(stack)
        self.sentry = SentryHands(stack)
        self.app = AppHands(stack)
        self._stack = stack

    def connect(self) -> None:
        """Store the organization's document. People whose addresses differ are named in it."""
        self.app.configure(
            {
                "ado_url": self._stack.ado_organization_url,
                "sentry_url": f"{self._stack.sentry_url}/",
                "sentry_organization": SENTRY_ORGANIZATION,
                "sync_comments": True,
                "sync_comments_reverse": "all",
                "people": {
                    "ann@corp.example": "ann@acme.example",
                    "bob@corp.example": "bob@acme.example",
                },
                "archive_reasons": ["Duplicate"],
            }
        )

    def link(self) -> None:
        for issue_id, work_item_id in LINKS:
            self.app.link(issue_id, work_item_id)

    def subscribe(self) -> None:
        """Have the app make its subscriptions; Sentry's webhook is a setting of its integration."""
        self.app.subscribe()
