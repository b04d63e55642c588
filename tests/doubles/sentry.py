"""Sentry in memory: what the sync asks of it, what people do in it, and the hooks it sends."""

import itertools
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from shared.domain.comments import is_ours_in_sentry
from shared.domain.errors import Forbidden, NotAssignable, NotFound, Refused
from shared.domain.model import (
    ASSIGNEE_NOT_FOUND,
    OUR_ARCHIVE,
    TEAM_ASSIGNEE,
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
    Stranger,
)
from simulator.sentry.gate import ALL_SCOPES
from simulator.sentry.model import AlertRule, Modes

OWNER = "owner@acme.example"
APPLICATION = "application"
ORGANIZATION_ID = "1"
OUR_APP = "azure-devops-sync"
TEAMS = {"frontend": "45"}


@dataclass(frozen=True)
class Event:
    """Something that our integration hears of."""

    action: str
    issue_id: str
    comment_id: str = ""
    comment: SentryComment | None = None
    rule: AlertRule | None = None

    @property
    def resource(self) -> str:
        """Return what the hook is about, as its header names it."""
        if self.rule is not None:
            return "event_alert"
        return "comment" if self.comment_id else "issue"


@dataclass(frozen=True)
class Change:
    before: SentryIssue
    after: SentryIssue
    by: str


def _nobody_listens(_event: Event) -> None:
    pass


class MemorySentry:
    """One organization with one team, and one project to begin with.

    The methods of ``shared.domain.ports`` are what our own token does; ``resolve``, ``archive``,
    ``assign``, ``merge`` and the like are what people do, by the names ``simulator.sentry`` has for them.
    """

    def __init__(self) -> None:
        self.announce: Callable[[Event], None] = _nobody_listens
        self.changes: list[Change] = []
        # By so many seconds its clock is ahead of ours; None: it does not say.
        self.ahead: float | None = None
        # Who has the address by now, if it is another organization.
        self.taken_by = ""
        self.granted = ALL_SCOPES
        self.installed: list[Integration] = []
        self._issues: dict[str, SentryIssue] = {}
        self._merged: dict[str, str] = {}
        self.modes = Modes()
        self._projects = {"fe"}
        self._forbidden: set[str] = set()
        self._pending: set[str] = set()
        self._external: dict[str, ExternalIssue] = {}
        self.may_remove_entries = True
        # Whether what stands on the pages of issues comes in a shape that nobody can read.
        self.garbles_entries = False
        self._comments: dict[str, SentryComment] = {}
        self._commented: dict[str, str] = {}
        self.releases: dict[str, str] = {}
        self.resolved_in: dict[str, ResolveIn] = {}
        self.rules: list[AlertRule] = []
        self._activity_ids = itertools.count(1)
        self._regressions: dict[str, str] = {}
        self._counts: dict[str, int] = {}
        self._latest: dict[str, SentryEvent] = {}
        self._in_a_team: dict[str, bool] = {OWNER: True}
        # A comment is refused a second time within an hour only; this is what follows after one.
        self.takes_twice = False
        self._primary: dict[str, str] = {}

    # What the sync asks.

    def organization_id(self) -> str:
        return self.taken_by or ORGANIZATION_ID

    def clock_ahead(self) -> float | None:
        return self.ahead

    def scopes(self) -> frozenset[str]:
        return self.granted

    def integrations(self) -> list[Integration]:
        return list(self.installed)

    @property
    def settings_url(self) -> str:
        return "https://sentry.io/settings/acme/developer-settings/"

    def is_member(self, email: str) -> bool:
        return email in self._in_a_team

    def get_issue(self, issue_id: str) -> SentryIssue:
        """Sentry quirk: a merged issue's id finds the one it became (docs/vendor_quirks.md#sentry-rest)."""
        while issue_id in self._merged:
            issue_id = self._merged[issue_id]
        if issue_id not in self._issues or issue_id in self._pending:
            raise NotFound(f"no issue {issue_id}", kind="issue-not-found")
        if self._issues[issue_id].project_slug in self._forbidden:
            raise Forbidden("sentry", "HTTP 403", about=f"issue {issue_id}")
        regression, count = self._regressions.get(issue_id, ""), self._counts.get(issue_id, 1)
        return replace(self._issues[issue_id], regression=regression, count=count)

    def web_url(self, issue_id: str) -> str:
        return f"https://acme.sentry.io/issues/{issue_id}/"

    def find_issue_id(self, short_id: str) -> str:
        found = (each.issue_id for each in self._issues.values() if each.short_id == short_id.upper())
        issue_id = next(found, None)
        if issue_id is None:
            raise NotFound(f"no issue {short_id}", kind="issue-not-found")
        return issue_id

    def find_issues(self, issue_ids: Collection[str]) -> FoundIssues:
        """Sentry quirk: whatever was merged or deleted is absent (docs/vendor_quirks.md#sentry-rest)."""
        if issue_ids and len(self._projects) > 1 and not self.modes.multi_project:
            raise Refused("sentry", "You do not have the multi project stream feature enabled")
        stored = {each: self._issues[each] for each in issue_ids if each in self._issues}
        allowed = {each: issue for each, issue in stored.items() if issue.project_slug not in self._forbidden}
        if len(allowed) < len(stored) and self.modes.forbidden_group == "refused":
            raise Forbidden("sentry", "HTTP 403", about=f"{len(issue_ids)} issues")
        found = {each: self._linked(issue) for each, issue in allowed.items() if each not in self._pending}
        return FoundIssues(found, frozenset(allowed.keys() & self._pending))

    def _linked(self, issue: SentryIssue) -> SentryIssue:
        external = self._external.get(issue.issue_id)
        if self.garbles_entries:
            return replace(issue, hides_entries=True)
        return issue if external is None else replace(issue, external_issues=(external,))

    def linked_issues(self, after: str | None) -> IssuePage:
        """Return all issues with an entry on their pages, as one page."""
        return IssuePage(tuple(self.get_issue_with_entries(each) for each in self._external), None)

    def get_issue_with_entries(self, issue_id: str) -> SentryIssue:
        return self._linked(self.get_issue(issue_id))

    def put_entry(self, issue_id: str, url: str, project: str, identifier: str) -> ExternalIssue:
        issue_id = self.get_issue(issue_id).issue_id
        entry = ExternalIssue(f"e{issue_id}", OUR_APP, f"{project}#{identifier}", url)
        self._external[issue_id] = entry
        return entry

    def remove_entry(self, entry: ExternalIssue, issue_id: str) -> None:
        if not self.may_remove_entries:
            raise Forbidden("sentry", "HTTP 403", about=f"the entries of issue {issue_id}")
        self._external = {name: each for name, each in self._external.items() if each.id != entry.id}

    def set_status(
        self, issue_id: str, status: IssueStatus, resolve_in: ResolveIn = ResolveIn.NOW
    ) -> SentryIssue:
        issue = self.get_issue(issue_id)
        in_release = status is IssueStatus.RESOLVED and resolve_in is not ResolveIn.NOW
        if in_release and issue.project_slug not in self.releases:
            raise Refused("sentry", "statusDetails: No release data present in the system")
        self.resolved_in[issue.issue_id] = resolve_in
        return self._set_status(issue_id, status, APPLICATION)

    def set_assignee(
        self, issue_id: str, assignee: Assignee, begin: Callable[[Assignee], None] = lambda _: None
    ) -> SentryIssue:
        begin(self.shown_as(assignee))
        issue = self.get_issue(issue_id)
        if not isinstance(assignee, Person):
            return self._assign(issue, None, APPLICATION)
        if not self.knows(assignee.email):
            # Sentry quirk: a member outside the project's teams, too (docs/vendor_quirks.md#sentry-rest).
            detail = "assignedTo: Cannot assign to non-team member"
            raise NotAssignable("sentry", detail, kind=ASSIGNEE_NOT_FOUND)
        return self._assign(issue, self.shown_as(assignee), APPLICATION)

    def shown_as(self, assignee: Assignee) -> Assignee:
        """Return a person as Sentry shows them: by the primary address."""
        if not isinstance(assignee, Person):
            return assignee
        return Person(self._primary.get(assignee.email, assignee.email))

    def addresses_of(self, email: str) -> tuple[str, ...]:
        return tuple(other for other, primary in self._primary.items() if primary == email)

    def primary_of(self, email: str) -> str | None:
        return self._primary.get(email, email) if self.knows(email) else None

    def get_comment(self, issue_id: str, comment_id: str) -> SentryComment:
        """Sentry quirk: the comments of a merged issue go over to the one it became."""
        if self.get_issue(issue_id).issue_id != self._home_of(comment_id):
            raise NotFound(f"issue {issue_id} has no comment {comment_id}", kind="comment-not-found")
        return replace(self._comments[comment_id], url=self.activity_url(issue_id, comment_id))

    def find_comment(self, issue_id: str, url: str) -> str | None:
        home = self.get_issue(issue_id).issue_id
        for each in self._comments.values():
            first = each.text.partition("\n")[0]
            if self._home_of(each.id) == home and is_ours_in_sentry(each.text) and f"]({url}):" in first:
                return each.id
        return None

    def add_comment(self, issue_id: str, text: str) -> str | None:
        """Sentry quirk: no text is taken twice within an hour (docs/vendor_quirks.md#sentry-rest)."""
        home = self.get_issue(issue_id).issue_id
        if self.takes_twice:
            return self.comment(issue_id, text, actor=APPLICATION)
        same = (each for each in self._comments.values() if (each.author, each.text) == (APPLICATION, text))
        if any(self._home_of(each.id) == home for each in same):
            return None
        return self.comment(issue_id, text, actor=APPLICATION)

    def latest_event(self, issue_id: str) -> SentryEvent:
        """Return nothing where there is no such issue either: what is not known is left out."""
        try:
            return self._latest.get(self.get_issue(issue_id).issue_id, SentryEvent())
        except NotFound:
            return SentryEvent()

    def activity_url(self, issue_id: str, activity_id: str) -> str:
        return f"{self.web_url(issue_id)}activity/#event_{activity_id}"

    def event_url(self, issue_id: str, event_id: str) -> str:
        return f"{self.web_url(issue_id)}events/{event_id}/"

    # What people do.

    def add_member(
        self, email: str, *, teams: Iterable[str] = ("frontend",), other_emails: Iterable[str] = ()
    ) -> None:
        self._in_a_team[email] = bool(tuple(teams))
        self._primary |= dict.fromkeys(other_emails, email)

    def add_release(self, slug: str, version: str = "1.0.0") -> None:
        self.releases[slug] = version

    def add_project(self, slug: str) -> None:
        self._projects.add(slug)

    def forbid_project(self, slug: str) -> None:
        """Keep our token out of a project, and of the issues in it."""
        self._forbidden.add(slug)

    def add_issue(
        self, title: str = "TypeError", *, issue_id: str = "100", project: str = "fe"
    ) -> SentryIssue:
        url = f"https://acme.sentry.io/issues/{issue_id}/"
        short_id = f"{project.upper()}-{len(self._issues) + 1}"
        issue = SentryIssue(issue_id, IssueStatus.UNRESOLVED, None, title, url, project, short_id=short_id)
        self._issues[issue_id] = issue
        return issue

    def resolve(self, issue_id: str, *, actor: str = OWNER) -> None:
        self._set_status(issue_id, IssueStatus.RESOLVED, actor)

    def unresolve(self, issue_id: str, *, actor: str = OWNER) -> None:
        self._set_status(issue_id, IssueStatus.UNRESOLVED, actor)

    def archive(self, issue_id: str, *, actor: str = OWNER) -> None:
        self._set_status(issue_id, IssueStatus.IGNORED, actor)

    def unarchive(self, issue_id: str, *, actor: str = OWNER) -> None:
        self._set_status(issue_id, IssueStatus.UNRESOLVED, actor)

    def assign(self, issue_id: str, email: str, *, actor: str = OWNER) -> None:
        self._assign(self.get_issue(issue_id), Person(email), actor)

    def assign_team(self, issue_id: str, team: str, *, actor: str = OWNER) -> None:
        self._assign(self.get_issue(issue_id), Stranger(TEAM_ASSIGNEE, TEAMS[team]), actor)

    def unassign(self, issue_id: str, *, actor: str = OWNER) -> None:
        self._assign(self.get_issue(issue_id), None, actor)

    def comment(self, issue_id: str, text: str, *, actor: str = OWNER) -> str:
        """Add a comment and return its id."""
        issue_id, comment_id = self.get_issue(issue_id).issue_id, str(next(self._activity_ids))
        comment = self._comments[comment_id] = SentryComment(comment_id, actor, text, "")
        self._commented[comment_id] = issue_id
        self.announce(Event("created", issue_id, comment_id, comment))
        return comment_id

    def edit_comment(self, comment_id: str, text: str) -> None:
        comment = self._comments[comment_id] = replace(self._comments[comment_id], text=text)
        self.announce(Event("updated", self._home_of(comment_id) or "", comment_id, comment))

    def delete_comment(self, comment_id: str) -> None:
        home = self._home_of(comment_id) or ""
        del self._commented[comment_id]
        self.announce(Event("deleted", home, comment_id, self._comments.pop(comment_id)))

    def regress(self, issue_id: str, *, release: str = "", environment: str = "") -> None:
        """Let a resolved issue happen again."""
        issue = self.get_issue(issue_id)
        self._counts[issue.issue_id] = self._counts.get(issue.issue_id, 1) + 1
        self._latest[issue.issue_id] = SentryEvent("e" * 32, release, environment)
        if issue.status is IssueStatus.RESOLVED:
            regression = str(next(self._activity_ids))
            self._set_status(issue.issue_id, IssueStatus.UNRESOLVED, "sentry", regression)

    def fire_rules(self, issue_id: str) -> None:
        """Let every saved rule fire for a new event of an issue."""
        found = self.get_issue(issue_id).issue_id
        for rule in self.rules:
            self.announce(Event("triggered", found, rule=rule))

    def merge(self, issue_id: str, *, into: str) -> None:
        """Merge one issue into another; no hook is sent."""
        source, target = self.get_issue(issue_id), self.get_issue(into)
        if source.issue_id == target.issue_id:
            raise ValueError("an issue cannot be merged into itself")
        del self._issues[source.issue_id]
        self._merged[source.issue_id] = target.issue_id

    def begin(self, issue_id: str, _pending: str) -> None:
        """Begin to delete or to merge an issue, as a task does that takes its time; no hook is sent."""
        self._pending.add(self.get_issue(issue_id).issue_id)

    def show_on_page(self, issue_id: str, external: ExternalIssue) -> None:
        """Let an entry be on the issue's page, in place of the one that was there."""
        self._external[issue_id] = external

    def take_off_page(self, issue_id: str) -> None:
        """Let whoever looks at an issue's page remove its entry; no hook is sent."""
        self._external.pop(issue_id, None)

    def delete(self, issue_id: str) -> None:
        """Delete an issue; no hook is sent."""
        del self._issues[self.get_issue(issue_id).issue_id]

    # What a test inspects.

    def entry(self, issue_id: str) -> str | None:
        """Return the address to which the entry on an issue's page leads."""
        found = self._external.get(issue_id)
        return None if found is None else found.web_url

    def knows(self, email: str) -> bool:
        """Tell whether somebody is a member, and in a team that has the project."""
        return self._in_a_team.get(self._primary.get(email, email), False)

    def comments_of_people(self, issue_id: str) -> list[str]:
        people = (each for each in self._comments.values() if each.author != APPLICATION)
        return [each.id for each in people if self._home_of(each.id) == issue_id]

    def discussion(self, issue_id: str) -> list[str]:
        """Return the comments of an issue, oldest first."""
        return [each.text for each in self._comments.values() if self._home_of(each.id) == issue_id]

    def hook_body(self, event: Event) -> bytes | None:
        """Return the delivery for an event with the issue as it stands now; None once it is gone."""
        issue = self._issues.get(event.issue_id)
        if issue is None:
            return None
        content: dict[str, object]
        if event.rule is not None:
            settings = [{"name": name, "value": value} for name, value in event.rule.fields.items()]
            alert = {"title": event.rule.name, "settings": settings}
            content = {"event": {"issue_id": issue.issue_id}, "issue_alert": alert}
            return msgspec.json.encode({"action": event.action, "data": content})
        if event.comment_id:
            said = event.comment or self._comments[event.comment_id]
            content = {
                "issue_id": int(issue.issue_id),
                "comment_id": int(event.comment_id),
                "comment": said.text,
            }
            is_app = said.author == APPLICATION
            actor = {"type": "application" if is_app else "user", "id": 7, "name": said.author}
            return msgspec.json.encode({"action": event.action, "data": content, "actor": actor})
        return msgspec.json.encode(
            {
                "action": event.action,
                "installation": {"uuid": "installation"},
                "data": {"issue": {"id": issue.issue_id, "status": issue.status, "title": issue.title}},
                "actor": {"type": "application", "id": "sentry", "name": "Sentry"},
            }
        )

    def _home_of(self, comment_id: str) -> str | None:
        """Return the issue that shows a comment now, or None once there is none."""
        issue_id = self._commented.get(comment_id)
        while issue_id in self._merged:
            issue_id = self._merged[issue_id]
        return issue_id if issue_id in self._issues else None

    def _set_status(self, issue_id: str, status: IssueStatus, by: str, regression: str = "") -> SentryIssue:
        issue = self.get_issue(issue_id)
        if status is issue.status:
            return issue
        self._regressions[issue.issue_id] = regression
        # Whoever presses the button archives until it escalates.
        ways = {APPLICATION: OUR_ARCHIVE}
        way = ways.get(by, "archived_until_escalating") if status is IssueStatus.IGNORED else ""
        changed = self._change(issue, replace(issue, status=status, substatus=way), by)
        # Sentry quirk: nobody is told of an un-archiving (docs/vendor_quirks.md#sentry-hooks).
        if not (issue.status is IssueStatus.IGNORED and status is IssueStatus.UNRESOLVED):
            self.announce(Event(status.value, issue.issue_id))
        return changed

    def _assign(self, issue: SentryIssue, assignee: Assignee, by: str) -> SentryIssue:
        if assignee == issue.assignee:
            return issue
        changed = self._change(issue, replace(issue, assignee=assignee), by)
        # Sentry quirk: nobody is told of an unassign (docs/vendor_quirks.md#sentry-hooks).
        if assignee is not None:
            self.announce(Event("assigned", issue.issue_id))
        return changed

    def _change(self, before: SentryIssue, after: SentryIssue, by: str) -> SentryIssue:
        self._issues[after.issue_id] = after
        self.changes.append(Change(before, after, by))
        return after
