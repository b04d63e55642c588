"""The values of the fake Sentry: people, projects, issues, links, and what one hook says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

Json = dict[str, Any]
Status = Literal["resolved", "unresolved", "ignored"]
Pending = Literal["pending_deletion", "pending_merge"]


class Refused(Exception):
    """A change that Sentry answers with 400; ``body`` is what it says."""

    def __init__(self, body: Json) -> None:
        super().__init__(body)
        self.body = body


class Missing(Exception):
    """Something that Sentry answers with 404."""


class Forbidden(Exception):
    """Something that Sentry answers with 403."""


@dataclass(frozen=True)
class Modes:
    """In which of its versions, and with which settings, Sentry behaves."""

    resolved_again_sends_webhook: bool = False
    archived_action: Literal["ignored", "archived", "both"] = "ignored"
    urls_on_all_actions: bool = False
    unresolve_substatus: Literal["regressed", "ongoing"] = "regressed"
    unresolved_sends_webhook: bool = True
    legacy_assignee_errors: bool = False
    team_membership_check: bool = True
    open_team_membership: bool = True
    # Sentry quirk: newer code formats a (str, Enum), which may put "actortype.user" on the wire.
    assignee_type_prefix: str = ""
    enhanced_privacy: bool = False
    # What a list by ids makes of an issue in a project that the token may not see.
    forbidden_group: Literal["refused", "absent"] = "refused"
    # Sentry quirk: some plans may not list several projects at once (organization_group_index.py).
    multi_project: bool = True


@dataclass(frozen=True)
class Site:
    """Where this Sentry is, and whose organization it shows."""

    url: str
    organization: str
    organization_id: int = 1


@dataclass(frozen=True)
class Integration:
    """The one internal integration that is installed: it owns the token and receives the hooks."""

    client_secret: str = field(repr=False)
    uuid: str = "a5f5f2d4-0b5c-4f0c-9d53-6f2f3a9f0c01"
    slug: str = "azure-devops-sync"
    name: str = "Azure DevOps Sync"
    installation_uuid: str = "1b9e8c52-7d40-4f4e-8f1b-2a6a3d1c0e02"
    # What is ticked under Webhooks: of other resources no hook is sent.
    events: set[str] = field(default_factory=lambda: {"issue", "comment"}, compare=False)


@dataclass(frozen=True)
class Actor:
    """Who did it: a person, any integration's token, or Sentry itself."""

    kind: Literal["user", "application", "sentry"]
    user_id: int = 0
    name: str = ""


APPLICATION = Actor("application")
SENTRY = Actor("sentry")


@dataclass(frozen=True)
class Project:
    """A project; its issues belong to the people of the teams that have it."""

    id: str
    slug: str
    name: str
    platform: str = "python"


@dataclass(frozen=True)
class Team:
    """A team and the slugs of the projects it has."""

    id: int
    slug: str
    name: str
    projects: frozenset[str]


@dataclass(frozen=True)
class User:
    """A person with an account; one without a password (single sign-on) is not found by e-mail."""

    id: int
    name: str
    email: str
    other_emails: tuple[str, ...] = ()
    unverified_emails: tuple[str, ...] = ()
    has_password: bool = True
    assigns_self_on_resolve: bool = False


@dataclass(frozen=True)
class Member:
    """A seat in the organization; ``user`` is None while the invitation is open.

    Its id is never its user's id, so that mistaking the one for the other shows.
    """

    id: str
    email: str
    user: User | None
    role: str
    teams: frozenset[str]


@dataclass(frozen=True)
class Assignee:
    """The one user or the one team that an issue is assigned to."""

    kind: Literal["user", "team"]
    id: int


@dataclass(frozen=True)
class Issue:
    """An issue as stored; ``shown_as`` is what it looks like when that differs from ``status``.

    ``pending`` is set while a task is still deleting or merging it.
    """

    id: str
    short_id: str
    project: Project
    title: str
    first_seen: datetime
    last_seen: datetime
    status: Status = "unresolved"
    substatus: str | None = "ongoing"
    status_details: Mapping[str, Any] = field(default_factory=dict)
    assignee: Assignee | None = None
    shown_as: Status | None = None
    pending: Pending | None = None
    count: int = 1


@dataclass(frozen=True)
class ExternalIssue:
    """The link of one issue to one thing elsewhere: at most one for an issue and an integration."""

    id: str
    issue_id: str
    service_type: str
    display_name: str
    web_url: str


@dataclass(frozen=True)
class IntegrationIssue:
    """A link that one of Sentry's own integrations made; its ``key`` names the thing elsewhere."""

    id: str
    issue_id: str
    key: str
    display_name: str
    title: str
    provider: str
    name: str


@dataclass(frozen=True)
class Comment:
    """A note below an issue."""

    id: int
    issue_id: str
    actor: Actor
    text: str
    at: datetime


@dataclass(frozen=True)
class AlertRule:
    """An issue alert with our integration's action; ``fields`` are what its form was filled in with."""

    name: str
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class StatusActivity:
    """How an issue got a status. It is numbered together with the comments (sentry: models/activity.py)."""

    id: int
    issue_id: str
    type: str
    actor: Actor
    at: datetime


@dataclass(frozen=True)
class Event:
    """One occurrence of an issue."""

    id: str
    at: datetime
    release: str | None = None
    environment: str | None = None


@dataclass(frozen=True)
class Hook:
    """What a hook will say. The issue itself is read when the hook is sent, not when it is made."""

    resource: str
    action: str
    actor: Actor
    issue_id: str | None = None
    content: Mapping[str, Any] = field(default_factory=dict)


def utc_now() -> datetime:
    return datetime.now(UTC)


def written(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
