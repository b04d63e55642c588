"""The Sentry REST client: one method for each call, named after its meaning."""

import re
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import requests
from requests.auth import AuthBase

from shared.domain.comments import is_ours_in_sentry
from shared.domain.decoding import Readable, Shape, find_as
from shared.domain.errors import (
    Forbidden,
    NotAssignable,
    NotFound,
    OrganizationGone,
    Refused,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import (
    ASSIGNEE_AMBIGUOUS,
    ASSIGNEE_NOT_FOUND,
    OUR_ARCHIVE,
    Assignee,
    ExternalIssue,
    FoundIssues,
    Integration,
    IssuePage,
    IssueStatus,
    Person,
    ResolveIn,
    SentryComment,
    SentryEvent,
    SentryIssue,
)
from shared.domain.pages import issue_page
from shared.domain.paths import answered, below
from shared.domain.rules.people import is_same_name
from shared.http import BackOff, Caller, Meaning, Presence, Session
from shared.sentry.accounts import Account, holders, meant
from shared.sentry.answers import (
    Acknowledged,
    CommentAnswer,
    EventAnswer,
    ExternalIssueAnswer,
    Identified,
    IndexAnswer,
    InstallationAnswer,
    IssueAnswer,
    MemberAnswer,
    OrganizationAnswer,
    SentryAppAnswer,
    ShortIdAnswer,
    TeamMemberAnswer,
    WholeCommentAnswer,
)

_CACHED_FOR = 600.0  # seconds
_MOST_CACHED = 10_000
# Parts of an issue that the sync does not use and that cost Sentry time.
_LIGHT = {"collapse": ["release", "tags", "stats"]}
_BRIEF = {"detailed": "0"}
_RELEASES: dict[ResolveIn, dict[str, Any]] = {
    ResolveIn.NEXT_RELEASE: {"inNextRelease": True},
    ResolveIn.CURRENT_RELEASE: {"inRelease": "latest"},
}
LARGEST_BATCH = 100
_CURSOR = re.compile(r'cursor="([0-9:]{1,60})"')

Answered = TypeVar("Answered")
_ALREADY_POSTED = "already posted"
_MAY_BE_MEANT = "members who may be meant"


class BearerAuth(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class MemberCache:
    """The accounts that hold an e-mail address, cached for ten minutes; unknown addresses are not cached."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: dict[tuple[str, str], tuple[tuple[Account, ...], float]] = {}
        self._installed: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def find(self, base_url: str, email: str) -> tuple[Account, ...]:
        with self._lock:
            accounts, at = self._kept.get((base_url, email), ((), 0.0))
        return accounts if self._clock() - at < _CACHED_FOR else ()

    def add(self, base_url: str, email: str, accounts: tuple[Account, ...]) -> None:
        with self._lock:
            if len(self._kept) >= _MOST_CACHED:
                self._kept.clear()
            self._kept[base_url, email] = (accounts, self._clock())

    def forget(self, base_url: str, email: str) -> None:
        with self._lock:
            self._kept.pop((base_url, email), None)

    def installation(self, base_url: str) -> str | None:
        """Return the installed app as which a call succeeded, if any did."""
        uuid, at = self._installed.get(base_url, (None, 0.0))
        return uuid if self._clock() - at < _CACHED_FOR else None

    def note_installation(self, base_url: str, uuid: str) -> None:
        self._installed[base_url] = (uuid, self._clock())


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
        presence: Presence | None = None,
    ) -> None:
        # Sentry quirk: routes without an organization are deprecated, and every path ends with a slash.
        self._base_url = f"{below(base_url, 'api', '0', 'organizations', organization)}/"
        self._index_url = f"{below(base_url, 'api', '0')}/"
        self._project_url = f"{below(base_url, 'api', '0', 'projects', organization)}/"
        self._app_url = f"{below(base_url, 'api', '0', 'sentry-app-installations')}/"
        self._page_of = partial(issue_page, base_url, organization)
        self._settings_url = f"{below(base_url, 'settings', organization, 'developer-settings')}/"
        self._members = members
        self._presence = presence
        self._caller = Caller(
            service="sentry",
            session=session,
            auth=auth,
            headers={"Accept": "application/json"},
            problem_of=_problem_of,
            meaning_of=_meaning_of,
            back_off=back_off,
            advice_on_page=f"what answers for {organization} is a web page: check sentry_url and "
            "sentry_organization, or let a proxy before it pass the API with SENTRY_TOKEN",
        )

    # https://docs.sentry.io/api/organizations/retrieve-an-organization/
    def organization_id(self) -> str:
        """Return the organization's id, which it keeps when its slug changes."""
        answer = self._caller.call("GET", self._base_url, OrganizationAnswer, params=_BRIEF)
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
        rows = self._caller.call(
            "GET", self._url("sentry-apps"), Readable[SentryAppAnswer], about="integrations"
        )
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
        accounts, unreadable = self._find_holders(email)
        if not accounts:
            _verify_read(unreadable, _MAY_BE_MEANT)
        return bool(accounts)

    # https://docs.sentry.io/api/organizations/list-an-organizations-members/
    def addresses_under(self, name: str) -> list[str]:
        """Return the primary addresses of the members who go by this name."""
        if ":" in name:
            return []  # It would be read as a filter.
        members = self._call(
            "GET", self._url("members"), Readable[MemberAnswer], about="the members", params={"query": name}
        )
        named = [each for each in members if isinstance(each.name, str) and is_same_name(each.name, name)]
        return [account.primary for each in named if (account := each.account)]

    # https://docs.sentry.io/api/events/retrieve-an-issue/
    def get_issue(self, issue_id: str) -> SentryIssue:
        return self._issue("GET", issue_id, params=_LIGHT)

    # https://docs.sentry.io/api/organizations/resolve-a-short-id/
    def find_issue_id(self, short_id: str) -> str:
        """Return the id of the issue that people call so, such as FE-1, or raise NotFound."""
        answer = self._call(
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
        rows = self._call(
            "GET", self._url("issues"), list[Any], about=about, params=query, quota="lists of issues"
        )
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

    # https://docs.sentry.io/api/events/list-an-organizations-issues/
    def linked_issues(self, after: str | None) -> IssuePage:
        """Return the next page of the issues that are linked to anything, with all that they show of it.

        Sentry quirk: it lists what was seen within 90 days, and no more (docs/vendor_quirks.md#sentry-rest).
        """
        query = {
            "query": "is:linked",
            "project": "-1",
            "collapse": "stats",
            "expand": ["sentryAppIssues", "integrationIssues"],
            **({} if after is None else {"cursor": after}),
        }
        links: list[str] = []
        rows = self._call(
            "GET",
            self._url("issues"),
            list[Any],
            about="the linked issues",
            params=query,
            quota="lists of issues",
            heard=lambda headers: links.append(headers.get("Link", "")),
        )
        issues = [_find_readable(row) for row in rows]
        read = tuple(each for each in issues if each is not None)
        return IssuePage(read, _next_page("".join(links)), len(issues) - len(read))

    # Entries on an issue's page

    def get_issue_with_entries(self, issue_id: str) -> SentryIssue:
        """Return an issue with all its entries, or raise Unavailable: what cannot be read is not gone."""
        issue = self._issue("GET", issue_id, params={**_LIGHT, "expand": "sentryAppIssues"})
        if issue.hides_entries:
            raise Unavailable("sentry", f"the entries of issue {issue_id} cannot be read")
        return issue

    # https://docs.sentry.io/api/integration/create-or-update-an-external-issue/
    def put_entry(self, issue_id: str, url: str, project: str, identifier: str) -> ExternalIssue:
        """Show one thing on an issue's page as our link, in place of the one before.

        Only the app to which our token belongs may do that. Raises Forbidden if no installed one is that.
        """
        body = {"issueId": int(issue_id), "webUrl": url, "project": project, "identifier": identifier}

        def put(uuid: str) -> ExternalIssue:
            return self._of_app(
                "POST", (uuid,), ExternalIssueAnswer, issue_id, missing="issue-not-found", json=body
            ).external_issue

        return self._as_our_app(put)

    # https://docs.sentry.io/api/integration/delete-an-external-issue/
    def remove_entry(self, entry: ExternalIssue, issue_id: str) -> None:
        """Take an entry of ours away, whether it is still there or not, or raise Forbidden."""

        def remove(uuid: str) -> None:
            with suppress(NotFound):
                self._of_app("DELETE", (uuid, entry.id), type(None), issue_id)

        self._as_our_app(remove)

    def _of_app(
        self, method: str, segments: tuple[str, ...], kind: type[Shape], issue_id: str, **sent: Any
    ) -> Shape:
        uuid, *entry = segments
        url = f"{below(self._app_url, uuid, 'external-issues', *entry)}/"
        return self._call(method, url, kind, about=f"the entries of issue {issue_id}", **sent)

    def _as_our_app(self, call: Callable[[str], Answered]) -> Answered:
        """Make a call as the installed app that our token belongs to, which nothing but an answer tells."""
        known = self._members.installation(self._base_url)
        refused: Forbidden | None = None
        for uuid in [known] if known else self._installations():
            try:
                answered = call(uuid)
            except Forbidden as error:
                refused = error
            else:
                self._members.note_installation(self._base_url, uuid)
                return answered
        detail = "no integration of the organization is the one that SENTRY_TOKEN belongs to"
        raise refused or Forbidden("sentry", detail, about="the integration")

    def _installations(self) -> list[str]:
        url = self._url("sentry-app-installations")
        listed = self._call("GET", url, Readable[InstallationAnswer], about="the integrations")
        return [each.uuid for each in listed]

    # https://docs.sentry.io/api/events/update-an-issue/
    def set_status(
        self, issue_id: str, status: IssueStatus, resolve_in: ResolveIn = ResolveIn.NOW
    ) -> SentryIssue:
        """Write a status. What we archive stays so until its work item is reopened, however often it happens.

        https://docs.sentry.io/product/issues/states-triage/
        """
        body: dict[str, Any] = {"status": status.value}
        if status is IssueStatus.IGNORED:
            body["substatus"] = OUR_ARCHIVE
        if status is IssueStatus.RESOLVED and resolve_in in _RELEASES:
            body["statusDetails"] = _RELEASES[resolve_in]
        return self._issue("PUT", issue_id, json=body)

    def set_assignee(
        self, issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None] = lambda _: None
    ) -> SentryIssue:
        """Assign. Look-ups may take their time, so ``begin`` is called when only the write is left."""
        if not isinstance(assignee, Person):
            begin(None)
            # Sentry quirk: nobody is an empty text; null is refused (docs/vendor_quirks.md#sentry-rest).
            return self._issue("PUT", issue_id, json={"assignedTo": ""})
        account = self._account(assignee.email, issue_id)
        begin(Person(account.primary) if account.primary else None)
        try:
            return self._issue("PUT", issue_id, json={"assignedTo": f"user:{account.user_id}"})
        except Refused:
            # Whoever has the address now may be another one than ten minutes ago.
            self._members.forget(self._base_url, assignee.email)
            raise

    def addresses_of(self, email: str) -> tuple[str, ...]:
        """Return the other verified addresses of the one user with this primary address."""
        users = [each for each in self._holders(email) if each.primary == email]
        return users[0].verified if len(users) == 1 else ()

    def primary_of(self, email: str) -> str | None:
        """Return the primary address of the one user who holds this address, or None.

        Which of several is meant, only an assignment finds out.
        """
        users = self._holders(email)
        return users[0].primary or None if len(users) == 1 else None

    def is_there(self) -> bool:
        """Tell whether the organization answers, be it to refuse us; raise if nobody can tell."""
        try:
            self._caller.call("GET", self._base_url, Acknowledged, about="the organization", params=_BRIEF)
        except NotFound:
            return False
        except (Forbidden, Unauthorized, Refused):
            return True
        return True

    def _call(self, method: str, url: str, kind: type[Shape], **sent: Any) -> Shape:
        """Call, and raise OrganizationGone, and not NotFound, if there is no organization at all."""
        try:
            return self._caller.call(method, url, kind, **sent)
        except NotFound as error:
            if self._presence is None or self._presence.is_there(self._base_url, self.is_there):
                raise
            raise OrganizationGone("sentry", error.detail) from None

    def _issue(self, method: str, issue_id: str, **sent: Any) -> SentryIssue:
        return self._call(
            method,
            self._url("issues", issue_id),
            IssueAnswer,
            about=f"issue {issue_id}",
            missing="issue-not-found",
            **sent,
        ).issue

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        """Return a comment, or raise NotFound; Unavailable if it may be one that cannot be read.

        Sentry quirk: no call for one comment; the list is undocumented (docs/vendor_quirks.md#sentry-rest).
        """
        comments = self._comments(issue_id)
        for each in comments:
            if str(each.id) == comment_id:
                page = self.activity_url(issue_id, comment_id)
                return SentryComment(comment_id, each.author, each.data.text, page)
        _verify_read(comments.unreadable, f"comments of issue {issue_id} that may be {comment_id}")
        raise NotFound(f"issue {issue_id} has no comment {comment_id}", kind="comment-not-found")

    def _comments(self, issue_id: str) -> Readable[WholeCommentAnswer]:
        return self._call(
            "GET",
            self._url("issues", issue_id, "comments"),
            Readable[WholeCommentAnswer],
            about=f"the comments of issue {issue_id}",
        )

    def find_comment(self, issue_id: str, url: str) -> str | None:
        """Return the id of the first comment of ours that begins with a link to ``url``, or None.

        Only the latest ones are looked at: as many as Sentry lists at once. Raises Unavailable if it may be
        one that cannot be read.
        """
        comments = self._comments(issue_id)
        for each in reversed(comments):
            text = each.data.text
            if is_ours_in_sentry(text) and f"]({url}):" in text.strip().partition("\n")[0]:
                return str(each.id)
        _verify_read(comments.unreadable, f"comments of issue {issue_id} that may be ours")
        return None

    def add_comment(self, issue_id: str, text: str) -> str | None:
        """Add a comment and return its id, or None if Sentry says that it is there already.

        Sentry quirk: no documented call adds one (docs/vendor_quirks.md#sentry-rest).
        """
        try:
            answer = self._call(
                "POST",
                self._url("issues", issue_id, "comments"),
                CommentAnswer,
                about=f"the comments of issue {issue_id}",
                missing="issue-not-found",
                json={"text": text},
            )
        except Refused as error:
            # It takes no text twice from one author within an hour.
            if _ALREADY_POSTED in error.quoted:
                return None
            raise
        return str(answer.id)

    # https://docs.sentry.io/api/events/retrieve-an-issue-event/
    def latest_event(self, issue_id: str) -> SentryEvent:
        """Return the newest event of an issue; an empty one if there is none to be had."""
        try:
            return self._call(
                "GET",
                self._url("issues", issue_id, "events", "latest"),
                EventAnswer,
                about=f"the events of issue {issue_id}",
            ).event
        except (NotFound, Forbidden, Refused):
            return SentryEvent()

    def _account(self, email: str, issue_id: str) -> Account:
        """Return whom to assign, or raise NotAssignable if it is not clear whose address this is.

        Sentry quirk: an assignment by address misses people without a password, and a member's id is
        not the user's (docs/vendor_quirks.md#sentry-rest).
        """
        found = list(self._holders(email))
        if len(found) > 1:
            found = meant(found, email, self._assignable(issue_id))
        if not found:
            detail = (
                f"nobody in the organization has the address {email}, or has verified it; invite them, or "
                "map the address under people"
            )
            raise NotAssignable("sentry", detail, kind=ASSIGNEE_NOT_FOUND)
        if len(found) > 1:
            detail = f"{len(found)} accounts have this address, and nothing tells which one is meant"
            raise NotAssignable("sentry", detail, kind=ASSIGNEE_AMBIGUOUS)
        return found[0]

    # https://docs.sentry.io/api/organizations/list-an-organizations-members/
    def _holders(self, email: str) -> tuple[Account, ...]:
        """Return the accounts that hold an address, or raise Unavailable if others may hold it, too."""
        accounts, unreadable = self._find_holders(email)
        _verify_read(unreadable, _MAY_BE_MEANT)
        return accounts

    def _find_holders(self, email: str) -> tuple[tuple[Account, ...], int]:
        """Return the accounts that hold an address, and how many may hold it besides that cannot be read."""
        known = self._members.find(self._base_url, email)
        if known:
            return known, 0
        # Sentry quirk: also lists who only claims the address (docs/vendor_quirks.md#sentry-rest).
        listed = self._call(
            "GET",
            self._url("members"),
            Readable[MemberAnswer],
            about="the members",
            params={"query": f"email:{email}"},
        )
        found = {each.user_id: each for member in listed if (each := member.account)}
        accounts = tuple(holders(found.values(), email))
        unreadable = listed.unreadable + sum(each.may_have(email) for each in listed)
        if accounts and not unreadable:
            self._members.add(self._base_url, email, accounts)
        return accounts, unreadable

    # https://docs.sentry.io/api/organizations/list-a-projects-organization-members/
    def _assignable(self, issue_id: str) -> frozenset[str]:
        """Return the ids of the users who are in a team of the issue's project."""
        slug = self.get_issue(issue_id).project_slug
        project = answered("sentry", slug, f"the project of issue {issue_id}")
        url = f"{below(self._project_url, project, 'members')}/"
        members = self._call("GET", url, Readable[TeamMemberAnswer], about=f"the members of {project}")
        _verify_read(members.unreadable, f"members of {project} who may be meant")
        return frozenset(str(each.user.id) for each in members if each.user)

    def web_url(self, issue_id: str) -> str:
        return self._page_of(issue_id)

    def activity_url(self, issue_id: str, activity_id: str) -> str:
        """Return where the page of an issue shows a comment, or another activity."""
        return f"{self.web_url(issue_id)}activity/#event_{activity_id}"

    def event_url(self, issue_id: str, event_id: str) -> str:
        return f"{below(self.web_url(issue_id), 'events', event_id)}/"

    def _url(self, *segments: str) -> str:
        return f"{below(self._base_url, *segments)}/"


def _verify_read(unreadable: int, what: str) -> None:
    """Raise Unavailable if some of a list cannot be read: what is not among the rest may be one of these."""
    if unreadable:
        raise Unavailable("sentry", f"{unreadable} {what} cannot be read")


def _next_page(link: str) -> str | None:
    """Return the cursor of the next page, or None if this is the last.

    Sentry quirk: a next page is always named, and says whether it holds anything.
    https://docs.sentry.io/api/pagination/
    """
    for part in link.split(","):
        if 'rel="next"' in part and 'results="true"' in part and (found := _CURSOR.search(part)):
            return found[1]
    return None


def _find_readable(row: Any) -> SentryIssue | None:
    """Return an issue of a list, or None if it cannot be read.

    Sentry quirk: one that is being deleted or merged is listed, with that as its status
    (docs/vendor_quirks.md#sentry-rest).
    """
    answer = find_as(row, IssueAnswer)
    return None if answer is None else answer.issue


def _id_of(row: Any) -> str | None:
    identified = find_as(row, Identified)
    return None if identified is None else str(identified.id)


# How Sentry says that a person cannot be assigned, and not that the request is wrong.
# https://github.com/getsentry/sentry/blob/master/src/sentry/api/helpers/group_index/validators/group.py
_NOBODY_WORDS = ("non-team member", "not a member", "does not exist", "unknown actor")


def _meaning_of(content: Any) -> Meaning:
    problems = content.get("assignedTo")
    texts = [str(each).lower() for each in (problems if isinstance(problems, list) else [problems])]
    nobody = any(word in text for text in texts for word in _NOBODY_WORDS)
    return Meaning.NOBODY if nobody else Meaning.REFUSED


def _problem_of(content: Any) -> str:
    """Return the sentence in an error body: its detail, or the first problem of a field."""
    detail = content.get("detail")
    if isinstance(detail, dict):
        detail = detail.get("message")
    if detail:
        return str(detail)
    (field, problems), *_ = content.items()
    if isinstance(problems, dict):
        (_, problems), *_ = problems.items()
    return f"{field}: {problems[0]}"
