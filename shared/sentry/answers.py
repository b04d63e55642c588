"""The shapes of Sentry's answers, as far as they are read: anything else in their place is no answer."""

import re
from html import unescape
from typing import Annotated, Any

import msgspec
from msgspec import Meta, field

from shared.domain.decoding import Readable, find_as
from shared.domain.ids import LARGEST_NUMBER
from shared.domain.model import (
    ASSIGNEE_UNREADABLE,
    TEAM_ASSIGNEE,
    Assignee,
    ExternalIssue,
    IntegrationIssue,
    IssueStatus,
    Person,
    SentryEvent,
    SentryIssue,
    Stranger,
)
from shared.domain.names import LONGEST_NAME
from shared.domain.text import one_line
from shared.sentry.accounts import Account

# Sentry quirk: ids are texts in one place and numbers in another.
Id = Annotated[str, Meta(pattern=r"^[0-9]{1,20}\Z")] | Annotated[int, Meta(ge=0, le=LARGEST_NUMBER)]


class Identified(msgspec.Struct, frozen=True):
    id: Id


class Acknowledged(msgspec.Struct, frozen=True):
    """An object of which nothing is needed."""


class ShortIdAnswer(msgspec.Struct, frozen=True):
    """The issue that goes by a short id."""

    group_id: Id = field(name="groupId")


class OrganizationAnswer(Identified, frozen=True):
    """An organization of which no more is read."""


class AuthAnswer(msgspec.Struct, frozen=True):
    scopes: Readable[str] | None = None


class IndexAnswer(msgspec.Struct, frozen=True):
    """What our token may do."""

    auth: AuthAnswer | None = None


class SentryAppAnswer(msgspec.Struct, frozen=True):
    """An integration of the organization: where it sends its webhooks, and which."""

    name: str
    slug: str
    webhook_url: str | None = field(name="webhookUrl", default=None)
    events: Readable[str] | None = None


class Assigned(msgspec.Struct, frozen=True):
    type: str | None = None
    id: str | int | None = None
    email: str | None = None

    @property
    def assignee(self) -> Assignee:
        label = "" if self.id is None else str(self.id)[:LONGEST_NAME]
        # Sentry quirk: "team" may come as "actortype.team" (docs/vendor_quirks.md#sentry-hooks).
        if (self.type or "").lower().endswith("team"):
            return Stranger(TEAM_ASSIGNEE, label)
        # Sentry quirk: organizations with enhanced privacy omit addresses.
        if not self.email or len(self.email) > LONGEST_NAME:
            return Stranger(ASSIGNEE_UNREADABLE, label)
        return Person(self.email.lower())


class ProjectAnswer(msgspec.Struct, frozen=True):
    slug: str | None = None


class ExternalIssueAnswer(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    service_type: str | None = None
    display_name: str | None = None
    web_url: str | None = None

    @property
    def external_issue(self) -> ExternalIssue:
        return ExternalIssue(
            id=str(self.id),
            service_type=self.service_type or "",
            # Sentry quirk: the name comes escaped for HTML (docs/vendor_quirks.md#sentry-rest).
            display_name=unescape(self.display_name or ""),
            web_url=self.web_url or "",
        )


class IntegrationIssueAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A link that one of Sentry's own integrations made: which one, and what it calls the other end."""

    key: str | int | None = None
    display_name: str | None = None
    integration_key: str | None = None
    integration_name: str | None = None

    @property
    def integration_issue(self) -> IntegrationIssue:
        return IntegrationIssue(
            key="" if self.key is None else str(self.key),
            display_name=unescape(self.display_name or ""),
            provider=self.integration_key or "",
            integration=self.integration_name or "",
        )


class InstalledApp(msgspec.Struct, frozen=True):
    slug: str


class InstallationAnswer(msgspec.Struct, frozen=True):
    """An integration of the organization's, by whatever vendor."""

    uuid: Annotated[str, Meta(pattern=r"^[0-9A-Za-z-]{1,64}\Z")]
    app: InstalledApp


class IssueAnswer(msgspec.Struct, frozen=True):
    """An issue. While Sentry merges, deletes or reprocesses it, its status is none of ours: no answer."""

    id: Id
    status: IssueStatus
    assigned_to: Assigned | None = field(name="assignedTo", default=None)
    # Nothing of the rest may keep an issue from being read: in another shape it is absent.
    title: Any = None
    permalink: Any = None
    project: Any = None
    level: Any = None
    # No more than a hint, which older versions do not give.
    substatus: Any = None
    external_issues: Any = field(name="sentryAppIssues", default=None)
    short_id: Any = field(name="shortId", default=None)
    integration_issues: Any = field(name="integrationIssues", default=None)
    count: Any = None
    activity: Any = None

    @property
    def issue(self) -> SentryIssue:
        project = find_as(self.project, ProjectAnswer)
        entries = find_as(self.external_issues, Readable[ExternalIssueAnswer])
        integrated = find_as(self.integration_issues, Readable[IntegrationIssueAnswer])
        return SentryIssue(
            issue_id=str(self.id),
            status=self.status,
            assignee=self.assigned_to.assignee if self.assigned_to else None,
            title=_text(self.title),
            permalink=_text(self.permalink),
            project_slug=(project and project.slug) or "",
            level=_text(self.level),
            substatus=_text(self.substatus),
            external_issues=tuple(each.external_issue for each in entries or ()),
            hides_entries=bool(
                entries.unreadable if entries is not None else self.external_issues is not None
            ),
            # It is stored with a link, and people call the issue by it.
            short_id=_text(self.short_id) if len(_text(self.short_id)) <= LONGEST_NAME else "",
            integration_issues=tuple(each.integration_issue for each in integrated or ()),
            hides_integration_issues=bool(
                integrated.unreadable if integrated is not None else self.integration_issues is not None
            ),
            regression=_regression_in(self.activity),
            count=_number(self.count),
        )


class ActivityAnswer(msgspec.Struct, frozen=True, rename="camel"):
    id: Id
    type: str
    date_created: str


# What says how an issue got the status that it has. https://github.com/getsentry/sentry (types/activity.py)
_REGRESSION = "set_regression"
_STATUS_ACTIVITY = re.compile("set_(resolved|unresolved|ignored|escalating|regression)")


def _regression_in(activity: Any) -> str:
    """Return the id of the last change of status in a history if it is a regression, or nothing.

    Sentry quirk: an issue that a person unresolved has the substatus of a regression as well
    (docs/vendor_quirks.md#sentry-rest).
    """
    read = find_as(activity, Readable[ActivityAnswer]) or ()
    changes = [each for each in read if _STATUS_ACTIVITY.match(each.type)]
    last = max(changes, key=lambda each: (each.date_created, int(each.id)), default=None)
    return str(last.id) if last is not None and last.type == _REGRESSION else ""


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _number(value: Any) -> int:
    """Sentry quirk: counts are texts."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


class Release(msgspec.Struct, frozen=True):
    version: str | None = None


class Tag(msgspec.Struct, frozen=True):
    key: str | None = None
    value: str | None = None


EventId = Annotated[str, Meta(pattern=r"^[0-9a-fA-F-]{1,36}\Z")]


class EventAnswer(msgspec.Struct, frozen=True):
    """An event: its release is an object, or a tag as its environment is. What is odd of it is not told."""

    event_id: Any = field(name="eventID", default=None)
    release: Any = None
    tags: Any = None

    @property
    def event(self) -> SentryEvent:
        tags = {each.key: each.value or "" for each in find_as(self.tags, Readable[Tag]) or ()}
        release = find_as(self.release, Release)
        named = _text(self.release) or (release and release.version)
        return SentryEvent(
            id=find_as(self.event_id, EventId) or "",
            release=one_line(named or tags.get("release", "")),
            environment=one_line(tags.get("environment", "")),
        )


class Address(msgspec.Struct, frozen=True):
    email: str | None = None
    is_verified: bool | None = None


class IdentifiedUser(msgspec.Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1)] | Annotated[int, Meta(gt=0)]


class User(IdentifiedUser, frozen=True):
    email: str | None = None
    emails: Readable[Address] | None = None


class MemberAnswer(msgspec.Struct, frozen=True):
    """A member; one who has not accepted the invitation is no user yet."""

    email: str | None = None
    user: User | None = None
    # Only for people to read; one that cannot be read is none.
    name: Any = None

    @property
    def account(self) -> Account | None:
        """Return the user's addresses, without those that they only claim to have."""
        user = self.user
        if user is None:
            return None
        verified = (each.email.lower() for each in user.emails or () if each.email and each.is_verified)
        primary = (user.email or self.email or "").lower()
        return Account(str(user.id), primary, tuple(each for each in verified if each != primary))

    def may_have(self, email: str) -> bool:
        """Tell whether an address may be among those of this member that cannot be read."""
        account = self.account
        if account is None or self.user is None or self.user.emails is None:
            return False
        return self.user.emails.unreadable > 0 and not account.has(email)


class TeamMemberAnswer(msgspec.Struct, frozen=True):
    """A member of whom only the user is asked for; whoever has not accepted the invitation is none."""

    user: IdentifiedUser | None = None


class Author(msgspec.Struct, frozen=True):
    name: str | None = None


class CommentText(msgspec.Struct, frozen=True):
    text: str


class CommentAnswer(msgspec.Struct, frozen=True):
    """A comment of which only the id is asked for."""

    id: str | int


class WholeCommentAnswer(CommentAnswer, frozen=True):
    """A comment and what it says; without a text, nobody knows whose it is."""

    data: CommentText
    # Whoever cannot be read is somebody.
    user: Any = None

    @property
    def author(self) -> str:
        author = find_as(self.user, Author)
        return (author and author.name) or "Somebody"
