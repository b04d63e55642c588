"""The Sentry REST client: one method for each call, named after its meaning."""

import threading
import time
from collections.abc import Callable, Collection
from typing import Any

import msgspec
import requests
from requests.auth import AuthBase

from shared.domain.errors import NotFound, Refused
from shared.domain.model import (
    ASSIGNEE_NOT_FOUND,
    Assignee,
    FoundIssues,
    Integration,
    IssueStatus,
    Person,
    SentryComment,
    SentryIssue,
)
from shared.domain.paths import below
from shared.http import BackOff, Caller, Session
from shared.sentry.answers import (
    CommentAnswer,
    Identified,
    IndexAnswer,
    IssueAnswer,
    MemberAnswer,
    OrganizationAnswer,
    SentryAppAnswer,
    ShortIdAnswer,
)

_CACHED_FOR = 600.0  # seconds
# Parts of an issue that the sync does not use and that cost Sentry time.
_LIGHT = {"collapse": ["release", "tags", "stats"]}
LARGEST_BATCH = 100


class BearerAuth(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class MemberCache:
    """The user ids of e-mail addresses, cached for ten minutes; unknown addresses are not cached."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[str, float]] = {}
        self._lock = threading.Lock()

    def find(self, base_url: str, email: str) -> str | None:
        with self._lock:
            user_id, at = self._kept.get((base_url, email), (None, 0.0))
        return user_id if self._clock() - at < _CACHED_FOR else None

    def add(self, base_url: str, email: str, user_id: str) -> None:
        with self._lock:
            self._kept[base_url, email] = (user_id, self._clock())


class SentryClient:
    """``organization`` is Sentry's own slug; ``base_url`` ends with a slash.

    Every call raises NotFound or an Upstream error unless it succeeds.
    """

    def __init__(
        self,
        base_url: str,
        organization: str,
        session: Session,
        auth: AuthBase,
        back_off: BackOff,
        members: MemberCache,
    ) -> None:
        # Sentry quirk: routes without an organization are deprecated, and every path ends with a slash.
        self._base_url = f"{below(base_url, 'api', '0', 'organizations', organization)}/"
        self._index_url = f"{below(base_url, 'api', '0')}/"
        self._web_url = f"{below(base_url, 'organizations', organization)}/"
        self._settings_url = f"{below(base_url, 'settings', organization, 'developer-settings')}/"
        self._members = members
        self._caller = Caller(
            service="sentry",
            session=session,
            auth=auth,
            headers={"Accept": "application/json"},
            problem_of=_problem_of,
            back_off=back_off,
        )

    # https://docs.sentry.io/api/organizations/retrieve-an-organization/
    def organization_id(self) -> str:
        """Return the organization's id, which it keeps when its slug changes."""
        answer = self._caller.call("GET", self._base_url, OrganizationAnswer, params={"detailed": "0"})
        return str(int(answer.id))

    def clock_ahead(self) -> float | None:
        """Return by how many seconds its clock is ahead of ours, or None if it has not said."""
        return self._caller.clock_ahead(self._base_url)

    def scopes(self) -> frozenset[str] | None:
        """Return the scopes of our token, or None if Sentry does not tell them.

        Sentry quirk: not documented, and what its own command ``sentry-cli info`` asks
        (docs/vendor_quirks.md#sentry-rest).
        """
        auth = self._caller.call("GET", self._index_url, IndexAnswer, about="our token").auth
        return None if auth is None or auth.scopes is None else frozenset(auth.scopes)

    # https://docs.sentry.io/api/integration/retrieve-the-custom-integrations-created-by-an-organization/
    def integrations(self) -> list[Integration]:
        rows = self._caller.call("GET", self._url("sentry-apps"), list[SentryAppAnswer], about="integrations")
        return [
            Integration(each.name, each.slug, each.webhook_url or "", tuple(each.events or ()))
            for each in rows
        ]

    @property
    def settings_url(self) -> str:
        """Return the address of the page where integrations are set up."""
        return self._settings_url

    # https://docs.sentry.io/api/organizations/list-an-organizations-members/
    def is_member(self, email: str) -> bool:
        """Tell whether somebody in the organization has this address."""
        try:
            self._user_id(email)
        except Refused as error:
            if ASSIGNEE_NOT_FOUND in error.detail:
                return False
            raise
        return True

    # https://docs.sentry.io/api/events/retrieve-an-issue/
    def get_issue(self, issue_id: str) -> SentryIssue:
        return self._issue("GET", issue_id, params=_LIGHT)

    # https://docs.sentry.io/api/organizations/resolve-a-short-id/
    def find_issue_id(self, short_id: str) -> str:
        """Return the id of the issue that people call so, such as FE-1, or raise NotFound."""
        answer = self._caller.call(
            "GET",
            self._url("shortids", short_id),
            ShortIdAnswer,
            about=f"issue {short_id}",
            missing="issue-not-found",
        )
        return str(answer.group_id)

    # https://docs.sentry.io/api/events/list-an-organizations-issues/
    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        """Return the existing ones among at most 100 issues; an odd one hides no other.

        Sentry quirk: ``group`` replaces query, dates and pages, and shows only issues of the projects that
        are named (docs/vendor_quirks.md#sentry-rest).
        """
        wanted = frozenset(issue_ids)
        if not wanted:
            return FoundIssues()
        query = {
            "group": sorted(wanted),
            "project": "-1",
            "collapse": "stats",
            "expand": "sentryAppIssues",
        }
        about = f"{len(wanted)} issues"
        rows = self._caller.call("GET", self._url("issues"), list[Any], about=about, params=query)
        found: dict[str, SentryIssue] = {}
        unreadable: set[str] = set()
        for row in rows:
            issue = _find_readable(row)
            if issue is not None and issue.issue_id in wanted:
                found[issue.issue_id] = issue
            else:
                # One without an id may be any of those that are absent.
                issue_id = _id_of(row)
                unreadable |= wanted if issue_id is None else {issue_id} & wanted
        return FoundIssues(found, frozenset(unreadable - found.keys()))

    # https://docs.sentry.io/api/events/update-an-issue/
    def set_status(self, issue_id: str, status: IssueStatus) -> SentryIssue:
        return self._issue("PUT", issue_id, json={"status": status.value})

    def set_assignee(self, issue_id: str, assignee: Assignee) -> SentryIssue:
        # Sentry quirk: nobody is an empty text; null is refused (docs/vendor_quirks.md#sentry-rest).
        value = f"user:{self._user_id(assignee.email)}" if isinstance(assignee, Person) else ""
        return self._issue("PUT", issue_id, json={"assignedTo": value})

    def _issue(self, method: str, issue_id: str, **sent: Any) -> SentryIssue:
        return self._caller.call(
            method,
            self._url("issues", issue_id),
            IssueAnswer,
            about=f"issue {issue_id}",
            missing="issue-not-found",
            **sent,
        ).issue

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        """Return a comment, or raise NotFound.

        Sentry quirk: no call for one comment; the list is undocumented (docs/vendor_quirks.md#sentry-rest).
        """
        comments = self._caller.call(
            "GET",
            self._url("issues", issue_id, "comments"),
            list[CommentAnswer],
            about=f"the comments of issue {issue_id}",
        )
        for each in comments:
            if str(each.id) == comment_id:
                author, text = each.user and each.user.name, each.data and each.data.text
                url = f"{self.web_url(issue_id)}activity/#event_{comment_id}"
                return SentryComment(comment_id, author or "Somebody", text or "", url)
        raise NotFound(f"issue {issue_id} has no comment {comment_id}", kind="comment-not-found")

    # https://docs.sentry.io/api/organizations/list-an-organizations-members/
    def _user_id(self, email: str) -> str:
        """Return the id for an assignment, or raise Refused if nobody has this address.

        Sentry quirk: an assignment by address misses people without a password, and a member's id is
        not the user's (docs/vendor_quirks.md#sentry-rest).
        """
        known = self._members.find(self._base_url, email)
        if known is not None:
            return known
        query = {"query": f"email:{email}"}
        for member in self._caller.call("GET", self._url("members"), list[MemberAnswer], params=query):
            if member.user and member.user.id and email in member.addresses():
                user_id = str(member.user.id)
                self._members.add(self._base_url, email, user_id)
                return user_id
        raise Refused("sentry", f"{ASSIGNEE_NOT_FOUND}: nobody in the organization has this address")

    def web_url(self, issue_id: str) -> str:
        return f"{below(self._web_url, 'issues', issue_id)}/"

    def _url(self, *segments: str) -> str:
        return f"{below(self._base_url, *segments)}/"


def _find_readable(row: Any) -> SentryIssue | None:
    """Return an issue of a list, or None if it cannot be read.

    Sentry quirk: one that is being deleted or merged is listed, with that as its status
    (docs/vendor_quirks.md#sentry-rest).
    """
    try:
        return msgspec.convert(row, IssueAnswer).issue
    except msgspec.ValidationError:
        return None


def _id_of(row: Any) -> str | None:
    try:
        return str(msgspec.convert(row, Identified).id)
    except msgspec.ValidationError:
        return None


def _problem_of(content: Any) -> str:
    """Return the sentence in an error body: its detail, or the first problem of a field."""
    detail = content.get("detail")
    if isinstance(detail, dict):
        detail = detail.get("message")
    if detail:
        return str(detail)
    (field, problems), *_ = content.items()
    return f"{field}: {problems[0]}"
