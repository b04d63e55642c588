"""The issues of the fake Sentry and the rules by which they change and hooks are made."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from simulator.sentry.changes import StatusChange, parse_change
from simulator.sentry.directory import DEFAULT_PROJECT, Directory
from simulator.sentry.model import (
    SENTRY,
    Actor,
    Assignee,
    Comment,
    Event,
    ExternalIssue,
    Hook,
    IntegrationIssue,
    Issue,
    Missing,
    Modes,
    Pending,
    Refused,
    Site,
    Status,
    StatusActivity,
    utc_now,
    written,
)

NEW_FOR = timedelta(days=7)
SAME_COMMENT_REFUSED_FOR = timedelta(hours=1)
NO_SCOPES: frozenset[str] = frozenset()

ARCHIVE_CONDITIONS = frozenset({"ignoreDuration", "ignoreCount", "ignoreUserCount", "ignoreUntil"})
RESOLUTION_TYPES = {
    "inNextRelease": "in_next_release",
    "inUpcomingRelease": "in_upcoming_release",
    "inRelease": "in_release",
    "inCommit": "in_commit",
}


class Issues:
    """Every issue, link and comment. A caller that reads several things at once holds ``lock``."""

    def __init__(
        self,
        *,
        site: Site,
        notify: Callable[[Hook], None],
        modes: Modes | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.lock = threading.RLock()
        self.site = site
        self.modes = modes or Modes()
        self.directory = Directory()
        self.clock = clock
        self._notify = notify
        self._issues: dict[str, Issue] = {}
        self._short_ids: dict[str, str] = {}
        self._merged: dict[str, str] = {}
        self._external: dict[tuple[str, str], ExternalIssue] = {}
        self._of_integrations: list[IntegrationIssue] = []
        self._comments: dict[int, Comment] = {}
        self._next_issue_id = 100
        self._next_external_id = 1
        self._next_comment_id = 1
        self._activities: list[StatusActivity] = []
        self._events: dict[str, list[Event]] = {}

    def add(
        self,
        *,
        title: str,
        project: str = DEFAULT_PROJECT,
        issue_id: str | None = None,
        first_seen: datetime | None = None,
        announce: bool = True,
    ) -> Issue:
        """Make a new issue; ``announce`` off is for filling the store without a hook for each."""
        with self.lock:
            if issue_id is None:
                while str(self._next_issue_id) in self._issues:
                    self._next_issue_id += 1
                issue_id = str(self._next_issue_id)
            if issue_id in self._issues:
                raise ValueError(f"issue {issue_id} exists")
            seen = first_seen or self.clock()
            short_id = f"{project.upper()}-{len(self._short_ids) + 1}"
            where = self.directory.projects[project]
            issue = Issue(issue_id, short_id, where, title, seen, seen, substatus=self._age(seen))
            self._issues[issue_id] = issue
            self._short_ids[short_id] = issue_id
            if announce:
                # Sentry quirk: created always names Sentry as the actor
                # (sentry: sentry_apps/tasks/sentry_apps.py).
                self._notify(Hook("issue", "created", SENTRY, issue_id))
            return issue

    def find(self, issue_id: str) -> Issue:
        """Find by id or short id; the id of a merged issue finds the one that it became."""
        with self.lock:
            number = self._short_ids.get(issue_id.upper(), issue_id)
            while number in self._merged:
                number = self._merged[number]
            # Sentry quirk: while it is being deleted or merged, it is not found (sentry: group.py).
            if number not in self._issues or self._issues[number].pending is not None:
                raise Missing(f"issue {issue_id}")
            return self._issues[number]

    def exact(self, issue_id: str) -> Issue | None:
        """Find what is still stored under exactly this id, even if it is being deleted or merged."""
        return self._issues.get(issue_id)

    def all(self) -> list[Issue]:
        with self.lock:
            return list(self._issues.values())

    def update(
        self, issue_id: str, body: Mapping[str, Any], actor: Actor, scopes: frozenset[str] = NO_SCOPES
    ) -> Issue:
        """Make a change of status, assignee or both; the whole of it is valid or none of it is made."""
        with self.lock:
            issue = self.find(issue_id)
            change = parse_change(body, issue, self.directory, actor=actor, modes=self.modes, scopes=scopes)
            if change.status is not None:
                issue = self._set_status(issue, change.status, actor)
            if change.assignee is not None:
                issue = self._assign(issue, change.assignee.assignee, actor)
            return issue

    def _set_status(self, issue: Issue, change: StatusChange, actor: Actor) -> Issue:
        # Sentry quirk: an equal status changes nothing, not even the substatus; but older versions
        # announced "resolved" once more (sentry: api/helpers/group_index/update.py).
        if change.status == issue.status:
            if change.status == "resolved" and self.modes.resolved_again_sends_webhook:
                self._announce_status(issue, issue.status, actor)
            return issue
        changed = replace(
            issue,
            status=change.status,
            substatus=change.substatus or self._substatus(issue, change),
            status_details=self._status_details(change, actor),
            shown_as=None,
        )
        self._issues[issue.id] = changed
        self._note_activity(issue.id, f"set_{change.status}", actor)
        self._announce_status(changed, issue.status, actor)
        return self._assign_self(changed, actor)

    def _substatus(self, issue: Issue, change: StatusChange) -> str | None:
        if change.status == "resolved":
            return None
        if change.status == "ignored":
            if change.details.get("untilEscalating"):
                return "archived_until_escalating"
            conditional = ARCHIVE_CONDITIONS & change.details.keys()
            return "archived_until_condition_met" if conditional else "archived_forever"
        return self.modes.unresolve_substatus if issue.status == "resolved" else self._age(issue.first_seen)

    def _age(self, first_seen: datetime) -> str:
        return "new" if self.clock() - first_seen < NEW_FOR else "ongoing"

    def _status_details(self, change: StatusChange, actor: Actor) -> dict[str, Any]:
        details = dict(change.details)
        details.pop("untilEscalating", None)
        minutes = details.pop("ignoreDuration", None)
        if isinstance(minutes, int):
            details["ignoreUntil"] = written(self.clock() + timedelta(minutes=minutes))
        if details and actor.kind == "user":
            details["actor"] = {"id": str(actor.user_id), "name": actor.name}
        return details

    def _announce_status(self, issue: Issue, before: Status, actor: Actor) -> None:
        if issue.status == "resolved":
            named = (kind for key, kind in RESOLUTION_TYPES.items() if key in issue.status_details)
            self._announce(issue, "resolved", actor, resolution_type=next(named, "now"))
        if issue.status == "ignored":
            wanted = self.modes.archived_action
            for action in ("ignored", "archived") if wanted == "both" else (wanted,):
                self._announce(issue, action, actor)
        # Sentry quirk: no hook announces that an archived issue was un-archived by hand
        # (sentry: issues/status_change.py sends a signal that receivers/sentry_apps.py ignores).
        if issue.status == "unresolved" and before == "resolved" and self.modes.unresolved_sends_webhook:
            self._announce(issue, "unresolved", actor)

    def _announce(self, issue: Issue, action: str, actor: Actor, **content: object) -> None:
        self._notify(Hook("issue", action, actor, issue.id, content))

    def _assign_self(self, issue: Issue, actor: Actor) -> Issue:
        # Sentry quirk: resolving an unassigned issue may assign it to that person, by an
        # option of that person's account (sentry: api/helpers/group_index/update.py).
        user = self.directory.users.get(actor.user_id)
        if issue.status != "resolved" or issue.assignee or user is None or not user.assigns_self_on_resolve:
            return issue
        return self._assign(issue, Assignee("user", user.id), actor)

    def _assign(self, issue: Issue, assignee: Assignee | None, actor: Actor) -> Issue:
        if assignee == issue.assignee:
            return issue
        changed = replace(issue, assignee=assignee)
        self._issues[issue.id] = changed
        # Sentry quirk: no hook announces an unassign (getsentry/sentry#105593).
        if assignee is not None:
            self._announce(changed, "assigned", actor, assignee=self._assignee_content(assignee))
        return changed

    def _assignee_content(self, assignee: Assignee) -> dict[str, Any]:
        content: dict[str, Any] = {
            "type": f"{self.modes.assignee_type_prefix}{assignee.kind}",
            "id": assignee.id,
        }
        if assignee.kind == "team":
            team = self.directory.team(assignee.id)
            return {**content, "name": team.slug if team else ""}
        user = self.directory.users[assignee.id]
        content["name"] = user.name
        return content if self.modes.enhanced_privacy else {**content, "email": user.email}

    def new_event(
        self, issue_id: str, *, release: str | None = None, environment: str | None = None
    ) -> Issue:
        """Let the error happen again: a resolved issue regresses, an archived one escalates."""
        with self.lock:
            issue = self.find(issue_id)
            issue = replace(issue, last_seen=self.clock(), count=issue.count + 1)
            self._issues[issue.id] = issue
            number = sum(map(len, self._events.values())) + 1
            event = Event(f"{number:032x}", issue.last_seen, release, environment)
            self._events.setdefault(issue.id, []).append(event)
            if issue.status == "unresolved":
                return issue
            substatus = "regressed" if issue.status == "resolved" else "escalating"
            issue = replace(issue, status="unresolved", substatus=substatus, status_details={}, shown_as=None)
            self._issues[issue.id] = issue
            self._note_activity(
                issue.id, "set_regression" if substatus == "regressed" else "set_escalating", SENTRY
            )
            if self.modes.unresolved_sends_webhook:
                self._announce(issue, "unresolved", SENTRY)
            return issue

    def _note_activity(self, issue_id: str, kind: str, actor: Actor) -> None:
        self._activities.append(StatusActivity(self._next_comment_id, issue_id, kind, actor, self.clock()))
        self._next_comment_id += 1

    def activities(self, issue_id: str) -> list[StatusActivity]:
        """List how an issue got its status, the newest first."""
        with self.lock:
            return [each for each in reversed(self._activities) if each.issue_id == issue_id]

    def events(self, issue_id: str) -> list[Event]:
        """List what happened since the issue was made, the oldest first."""
        with self.lock:
            return list(self._events.get(issue_id, ()))

    def show_as(self, issue_id: str, status: Status) -> None:
        """Let an issue look different from what it is, without a hook.

        Sentry quirk: an old issue looks auto-resolved, and one whose archiving ran out looks
        unresolved, before any task has changed them (sentry: api/serializers/models/group.py).
        """
        with self.lock:
            issue = self.find(issue_id)
            self._issues[issue.id] = replace(issue, shown_as=status)

    def merge(self, issue_id: str, *, into: str) -> None:
        """Merge one issue into another; no hook is sent, and the comments move along."""
        with self.lock:
            source, target = self.find(issue_id), self.find(into)
            if source.id == target.id:
                raise ValueError("an issue cannot be merged into itself")
            for comment in self.comments(source.id):
                self._comments[comment.id] = replace(comment, issue_id=target.id)
            self._activities = [
                replace(each, issue_id=target.id) if each.issue_id == source.id else each
                for each in self._activities
            ]
            del self._issues[source.id]
            self._merged[source.id] = target.id

    def delete(self, issue_id: str) -> None:
        """Delete an issue; no hook is sent."""
        with self.lock:
            del self._issues[self.find(issue_id).id]

    def begin(self, issue_id: str, pending: Pending) -> None:
        """Begin to delete or to merge an issue, as a task does that takes its time; no hook is sent."""
        with self.lock:
            issue = self.find(issue_id)
            self._issues[issue.id] = replace(issue, pending=pending)

    def add_comment(self, issue_id: str, text: object, actor: Actor) -> Comment:
        with self.lock:
            issue = self.find(issue_id)
            if not isinstance(text, str) or not text.strip():
                raise Refused({"text": ["This field is required."]})
            now = self.clock()
            for old in self.comments(issue.id):
                same = (old.actor, old.text) == (actor, text)
                if same and now - old.at < SAME_COMMENT_REFUSED_FOR:
                    raise Refused({"detail": "You have already posted that comment."})
            comment = Comment(self._next_comment_id, issue.id, actor, text, now)
            self._next_comment_id += 1
            self._comments[comment.id] = comment
            self._announce_comment("created", comment, actor)
            return comment

    def edit_comment(self, comment_id: int, text: object, actor: Actor) -> Comment:
        with self.lock:
            if not isinstance(text, str) or not text.strip():
                raise Refused({"text": ["This field is required."]})
            comment = replace(self._comments[comment_id], text=text)
            self._comments[comment_id] = comment
            self._announce_comment("updated", comment, actor)
            return comment

    def delete_comment(self, comment_id: int, actor: Actor) -> None:
        with self.lock:
            self._announce_comment("deleted", self._comments.pop(comment_id), actor)

    def own_comment(self, issue_id: str, comment_id: str, actor: Actor) -> Comment:
        """Find a comment that its author may change (sentry: issues/endpoints/group_notes_details.py)."""
        with self.lock:
            number = int(comment_id) if comment_id.isdecimal() else 0
            comment = self._comments.get(number)
            if comment is None or comment.issue_id != self.find(issue_id).id or comment.actor != actor:
                raise Missing(f"comment {comment_id}")
            return comment

    def comments(self, issue_id: str) -> list[Comment]:
        """List the newest first."""
        with self.lock:
            return [c for c in reversed(self._comments.values()) if c.issue_id == issue_id]

    def _announce_comment(self, action: str, comment: Comment, actor: Actor) -> None:
        content = {
            "comment": comment.text,
            "project_slug": self.find(comment.issue_id).project.slug,
            "comment_id": comment.id,
            "issue_id": int(comment.issue_id),
            "timestamp": written(comment.at),
        }
        self._notify(Hook("comment", action, actor, None, content))

    def link(
        self, issue_id: str, service_type: str, *, web_url: str, project: str, identifier: str
    ) -> ExternalIssue:
        """Link an issue to one thing elsewhere, in place of what that integration had linked before."""
        with self.lock:
            issue = self.find(issue_id)
            old = self._external.get((issue.id, service_type))
            external_id = old.id if old else str(self._next_external_id)
            self._next_external_id += old is None
            name = html.escape(f"{project}#{identifier}")
            external = ExternalIssue(external_id, issue.id, service_type, name, web_url)
            self._external[(issue.id, service_type)] = external
            return external

    def link_by_integration(
        self, issue_id: str, key: str, *, provider: str, name: str, display_name: str
    ) -> IntegrationIssue:
        """Link an issue as one of Sentry's own integrations does."""
        with self.lock:
            issue = self.find(issue_id)
            number = str(len(self._of_integrations) + 1)
            link = IntegrationIssue(number, issue.id, key, display_name, issue.title, provider, name)
            self._of_integrations.append(link)
            return link

    def integration_issues_of(self, issue_id: str) -> list[IntegrationIssue]:
        with self.lock:
            return [link for link in self._of_integrations if link.issue_id == issue_id]

    def unlink(self, external_id: str) -> None:
        """Remove a link; no hook is sent."""
        with self.lock:
            found = [key for key, link in self._external.items() if link.id == external_id]
            if not found:
                raise Missing(f"external issue {external_id}")
            del self._external[found[0]]

    def links_of(self, issue_id: str) -> list[ExternalIssue]:
        with self.lock:
            return [link for link in self._external.values() if link.issue_id == issue_id]
