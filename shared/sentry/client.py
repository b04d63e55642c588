"""The Sentry REST client: one method for each call, named after its meaning."""

import threading
import time
from collections.abc import Callable, Collection
from html import unescape
from typing import Any
from urllib.parse import quote

import requests
from requests.auth import AuthBase

from shared.domain.errors import NotFound, Refused, Unavailable
from shared.domain.model import (
    ASSIGNEE_NOT_FOUND,
    ASSIGNEE_UNREADABLE,
    TEAM_ASSIGNEE,
    Assignee,
    ExternalIssue,
    FoundIssues,
    IssueStatus,
    Person,
    SentryComment,
    SentryIssue,
    Stranger,
)
from shared.http import BackOff, Caller, reading

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
        session: requests.Session,
        auth: AuthBase,
        back_off: BackOff,
        members: MemberCache,
    ) -> None:
        self._organization = organization
        # Sentry quirk: routes without an organization are deprecated, and every path ends with a slash.
        self._base_url = f"{base_url}api/0/organizations/{quote(organization, safe='')}/"
        self._web_url = f"{base_url}organizations/{quote(organization, safe='')}/"
        self._members = members
        self._caller = Caller(
            service="sentry",
            session=session,
            auth=auth,
            headers={"Accept": "application/json"},
            problem_of=_problem_of,
            back_off=back_off,
        )

    # https://docs.sentry.io/api/events/retrieve-an-issue/
    def get_issue(self, issue_id: str) -> SentryIssue:
        try:
            content = self._caller.call("GET", self._issue_url(issue_id), params=_LIGHT).content
        except NotFound as error:
            raise NotFound(error.detail, kind="issue-not-found") from error
        return _issue(content)

    # https://docs.sentry.io/api/events/list-an-organizations-issues/
    @reading("sentry", "a list of issues")
    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        """Return the existing ones among at most 100 issues.

        Sentry quirk: ``group`` replaces query, dates and pages, and shows only issues of the projects that
        are named (docs/vendor_quirks.md#sentry-rest).
        """
        wanted = frozenset(issue_ids)
        if not wanted:
            return FoundIssues({})
        query = {
            "group": sorted(wanted),
            "project": "-1",
            "collapse": "stats",
            "expand": "sentryAppIssues",
        }
        url, about = f"{self._base_url}issues/", f"{len(wanted)} issues"
        rows = self._caller.call("GET", url, params=query, about=about).content
        found: dict[str, SentryIssue] = {}
        unreadable: set[str] = set()
        for row in _list_in(rows):
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
        return self._put(issue_id, {"status": status.value})

    def set_assignee(self, issue_id: str, assignee: Assignee) -> SentryIssue:
        # Sentry quirk: nobody is an empty text; null is refused (docs/vendor_quirks.md#sentry-rest).
        value = f"user:{self._user_id(assignee.email)}" if isinstance(assignee, Person) else ""
        return self._put(issue_id, {"assignedTo": value})

    def _put(self, issue_id: str, change: dict[str, str]) -> SentryIssue:
        try:
            return _issue(self._caller.call("PUT", self._issue_url(issue_id), json=change).content)
        except NotFound as error:
            raise NotFound(error.detail, kind="issue-not-found") from error

    @reading("sentry", "a list of comments")
    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        """Return a comment, or raise NotFound.

        Sentry quirk: no call for one comment; the list is undocumented (docs/vendor_quirks.md#sentry-rest).
        """
        comments = self._caller.call("GET", f"{self._issue_url(issue_id)}comments/").content
        for each in comments or ():
            if str(each.get("id")) == comment_id:
                author, text = (each.get("user") or {}).get("name"), (each.get("data") or {}).get("text")
                url = f"{self.web_url(issue_id)}activity/#event_{comment_id}"
                return SentryComment(comment_id, str(author or "Somebody"), str(text or ""), url)
        raise NotFound(f"issue {issue_id} has no comment {comment_id}", kind="comment-not-found")

    # https://docs.sentry.io/api/organizations/list-an-organizations-members/
    @reading("sentry", "a list of members")
    def _user_id(self, email: str) -> str:
        """Return the id for an assignment, or raise Refused if nobody has this address.

        Sentry quirk: an assignment by address misses people without a password, and a member's id is
        not the user's (docs/vendor_quirks.md#sentry-rest).
        """
        known = self._members.find(self._base_url, email)
        if known is not None:
            return known
        answer = self._caller.call("GET", f"{self._base_url}members/", params={"query": f"email:{email}"})
        for member in answer.content or ():
            user = member.get("user") or {}
            addresses = {member.get("email"), user.get("email")}
            addresses |= {each.get("email") for each in user.get("emails") or ()}
            if user.get("id") and email in {str(each).lower() for each in addresses if each}:
                self._members.add(self._base_url, email, str(user["id"]))
                return str(user["id"])
        raise Refused("sentry", f"{ASSIGNEE_NOT_FOUND}: nobody in the organization has this address")

    def web_url(self, issue_id: str) -> str:
        return f"{self._web_url}issues/{issue_id}/"

    def _issue_url(self, issue_id: str) -> str:
        return f"{self._base_url}issues/{quote(issue_id, safe='')}/"


@reading("sentry", "an issue")
def _issue(content: Any) -> SentryIssue:
    """Read an issue; raise Unavailable while its status is unknown to us: merging, deletion, reprocessing."""
    return SentryIssue(
        issue_id=str(content["id"]),
        status=IssueStatus(content["status"]),
        assignee=_assignee(content.get("assignedTo")),
        title=content.get("title") or "",
        permalink=content.get("permalink") or "",
        project_slug=(content.get("project") or {}).get("slug", ""),
        level=content.get("level") or "",
        external_issues=tuple(_external_issue(each) for each in content.get("sentryAppIssues") or ()),
    )


def _external_issue(content: Any) -> ExternalIssue:
    return ExternalIssue(
        id=str(content["id"]),
        service_type=content.get("serviceType") or "",
        # Sentry quirk: the name comes escaped for HTML (docs/vendor_quirks.md#sentry-rest).
        display_name=unescape(content.get("displayName") or ""),
        web_url=content.get("webUrl") or "",
    )


def _list_in(rows: Any) -> list[Any]:
    if not isinstance(rows, list):
        raise Unavailable("sentry", "a list of issues that cannot be read")
    return rows


def _find_readable(row: Any) -> SentryIssue | None:
    """Return an issue of a list, or None if it cannot be read.

    Sentry quirk: one that is being deleted or merged is listed, with that as its status
    (docs/vendor_quirks.md#sentry-rest).
    """
    try:
        return _issue(row)
    except Unavailable:
        return None


def _id_of(row: Any) -> str | None:
    issue_id = row.get("id") if isinstance(row, dict) else None
    return None if issue_id is None else str(issue_id)


def _assignee(assigned_to: Any) -> Assignee:
    if not assigned_to:
        return None
    # Sentry quirk: the type may come as "team" or as "actortype.team" (docs/vendor_quirks.md#sentry-hooks).
    if str(assigned_to.get("type", "")).lower().endswith("team"):
        return Stranger(TEAM_ASSIGNEE, str(assigned_to.get("id", "")))
    if email := assigned_to.get("email"):
        return Person(str(email).lower())
    # Sentry quirk: organizations with enhanced privacy omit addresses.
    return Stranger(ASSIGNEE_UNREADABLE, str(assigned_to.get("id", "")))


def _problem_of(response: requests.Response) -> str:
    """Return the sentence in an error body: its detail, or the first problem of a field."""
    content = response.json()
    detail = content.get("detail")
    if isinstance(detail, dict):
        detail = detail.get("message")
    if detail:
        return str(detail)
    (field, problems), *_ = content.items()
    return f"{field}: {problems[0]}"
