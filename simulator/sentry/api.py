"""The REST API of the fake Sentry: one table of routes, one short method for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Blueprint, Response, jsonify, request

from simulator.sentry.gate import API, FORBIDDEN, NOT_FOUND, Gate, refusal
from simulator.sentry.issues import Issues
from simulator.sentry.json import (
    activity_json,
    comment_json,
    event_json,
    external_issue_json,
    installation_json,
    integration_issue_json,
    issue_json,
    member_json,
    organization_json,
    project_json,
    sentry_app_json,
    team_json,
    user_json,
)
from simulator.sentry.model import (
    APPLICATION,
    Forbidden,
    Integration,
    Issue,
    Json,
    Member,
    Missing,
    Project,
    Refused,
)

ALL_PROJECTS = "-1"
# A list shows what was seen in this time, unless it is asked for by ids.
LISTED_FOR = timedelta(days=90)
LONGEST_URL = 8_000
COLLAPSIBLE = {"release": ("firstRelease", "lastRelease"), "tags": ("tags",), "stats": ("stats",)}

READ_ISSUES = frozenset({"event:read", "event:write", "event:admin"})
WRITE_ISSUES = frozenset({"event:write", "event:admin"})
ADMIN_ISSUES = frozenset({"event:admin"})
READ_ORGANIZATION = frozenset({"org:read", "org:integrations", "org:write", "org:admin"})
READ_MEMBERS = frozenset({"member:read", "member:write", "member:admin"})
READ_PROJECTS = frozenset({"project:read", "project:write", "project:admin", "org:read"})
READ_TEAMS = frozenset({"team:read", "team:write", "team:admin", "org:read"})

ANY: frozenset[str] = frozenset()

ORGANIZATION = "/organizations/<organization>"
ISSUE = f"{ORGANIZATION}/issues/<issue_id>"
LINKS = "/sentry-app-installations/<installation>/external-issues"

# Sentry quirk: notes answer under both names (sentry: issues/endpoints/group_notes.py).
ROUTES = (
    # Whose token it is; any may ask (sentry: api/endpoints/index.py).
    ("GET", "/", "index", ANY),
    # https://docs.sentry.io/api/integration/retrieve-the-custom-integrations-created-by-an-organization/
    ("GET", f"{ORGANIZATION}/sentry-apps/", "integrations", READ_ORGANIZATION),
    ("GET", f"{ORGANIZATION}/", "organization", READ_ORGANIZATION),
    ("GET", f"{ORGANIZATION}/issues/", "issues", READ_ISSUES),
    ("GET", f"{ISSUE}/", "issue", READ_ISSUES),
    ("PUT", f"{ISSUE}/", "update_issue", WRITE_ISSUES),
    ("DELETE", f"{ISSUE}/", "delete_issue", ADMIN_ISSUES),
    ("GET", f"{ISSUE}/comments/", "comments", READ_ISSUES),
    ("POST", f"{ISSUE}/comments/", "add_comment", WRITE_ISSUES),
    ("GET", f"{ISSUE}/notes/", "comments", READ_ISSUES),
    ("POST", f"{ISSUE}/notes/", "add_comment", WRITE_ISSUES),
    ("PUT", f"{ISSUE}/comments/<comment_id>/", "edit_comment", WRITE_ISSUES),
    ("DELETE", f"{ISSUE}/comments/<comment_id>/", "delete_comment", WRITE_ISSUES),
    ("GET", f"{ISSUE}/events/<event_id>/", "event", READ_ISSUES),
    ("GET", f"{ISSUE}/external-issues/", "external_issues", READ_ISSUES),
    ("GET", f"{ORGANIZATION}/shortids/<short_id>/", "short_id", READ_ISSUES),
    ("GET", f"{ORGANIZATION}/members/", "members", READ_MEMBERS),
    ("GET", f"{ORGANIZATION}/users/", "users", READ_ORGANIZATION),
    ("GET", "/projects/<organization>/<project>/members/", "project_members", READ_MEMBERS),
    ("GET", f"{ORGANIZATION}/projects/", "projects", READ_PROJECTS),
    ("GET", f"{ORGANIZATION}/teams/", "teams", READ_TEAMS),
    ("GET", f"{ORGANIZATION}/sentry-app-installations/", "installations", READ_ORGANIZATION),
    ("POST", f"{LINKS}/", "link", READ_ISSUES),
    ("DELETE", f"{LINKS}/<external_id>/", "unlink", ADMIN_ISSUES),
)


class RestApi:
    """Answers each route of the table, under the one lock of the issues."""

    def __init__(
        self,
        issues: Issues,
        integration: Integration,
        gate: Gate,
        *,
        page_size: int,
        webhook_url: Callable[[], str | None],
    ) -> None:
        self._issues = issues
        self._directory = issues.directory
        self._integration = integration
        self._gate = gate
        self._page_size = page_size
        self._webhook_url = webhook_url

    def blueprint(self) -> Blueprint:
        blueprint = Blueprint("sentry", __name__, url_prefix=API.rstrip("/"))
        views: dict[str, Callable[..., Response]] = {}
        for method, rule, name, scopes in ROUTES:
            view = views.setdefault(name, self._guarded(getattr(self, name), scopes))
            blueprint.add_url_rule(rule, name, view, methods=[method], provide_automatic_options=False)
        blueprint.add_url_rule("/<path:_>", view_func=_unknown_path, methods=["GET", "POST", "PUT", "DELETE"])
        return blueprint

    def _guarded(self, view: Callable[..., Response], scopes: frozenset[str]) -> Callable[..., Response]:
        def guarded(**names: str) -> Response:
            if scopes and not scopes & self._gate.scopes:
                return refusal(403, FORBIDDEN)
            if not self._is_here(names):
                return refusal(404, NOT_FOUND)
            try:
                with self._issues.lock:
                    return view(**names)
            except Missing:
                return refusal(404, NOT_FOUND)
            except Forbidden:
                return refusal(403, FORBIDDEN)
            except Refused as refused:
                return _answer(refused.body, 400)

        return guarded

    def _is_here(self, names: dict[str, str]) -> bool:
        site = self._issues.site
        organization = names.pop("organization", site.organization)
        installation = names.pop("installation", self._integration.installation_uuid)
        return (
            organization in {site.organization, str(site.organization_id)}
            and installation == self._integration.installation_uuid
        )

    def index(self) -> Response:
        return _answer({"version": "0", "auth": {"scopes": sorted(self._gate.scopes)}, "user": None})

    def integrations(self) -> Response:
        shown = sentry_app_json(self._integration, self._webhook_url(), self._gate.scopes)
        return _answer([shown])

    def organization(self) -> Response:
        return _answer(organization_json(self._issues.site, detailed=request.args.get("detailed") != "0"))

    def _find(self, issue_id: str) -> Issue:
        issue = self._issues.find(issue_id)
        if issue.project.slug in self._directory.forbidden:
            raise Forbidden(issue_id)
        return issue

    def issue(self, issue_id: str) -> Response:
        issue = self._find(issue_id)
        full: Json = {
            **issue_json(self._issues, issue),
            "activity": self._activity(issue),
            "seenBy": [],
            "participants": [],
            "userReportCount": 0,
            "firstRelease": None,
            "lastRelease": None,
            "tags": [],
            "stats": {"24h": [], "30d": []},
        }
        return _answer(self._as_asked(issue, full))

    def _as_asked(self, issue: Issue, full: Json) -> Json:
        """Leave out what is collapsed, and add what is expanded."""
        for part in request.args.getlist("collapse"):
            for key in COLLAPSIBLE.get(part, ()):
                full.pop(key, None)
        if "sentryAppIssues" in request.args.getlist("expand"):
            full["sentryAppIssues"] = self._links(issue)
        if "integrationIssues" in request.args.getlist("expand"):
            links = self._issues.integration_issues_of(issue.id)
            full["integrationIssues"] = [integration_issue_json(each) for each in links]
        return full

    def update_issue(self, issue_id: str) -> Response:
        self._find(issue_id)
        changed = self._issues.update(issue_id, _json_body(), APPLICATION, self._gate.scopes)
        return _answer(issue_json(self._issues, changed))

    def delete_issue(self, issue_id: str) -> Response:
        self._issues.delete(issue_id)
        return Response(status=202)

    def issues(self) -> Response:
        """List by ``group``, which overrides query, dates and pages; else by ``query``, in pages."""
        if len(request.url) > LONGEST_URL:
            return refusal(414, "Request-URI Too Large")
        projects = self._asked_projects()
        if len(projects) > 1 and not self._issues.modes.multi_project:
            raise Refused({"detail": "You do not have the multi project stream feature enabled"})
        groups = request.args.getlist("group")
        if groups and projects:
            return _answer([self._listed(issue) for issue in self._by_ids(groups, projects)])
        query = request.args.get("query", "is:unresolved")
        since = self._issues.clock() - LISTED_FOR
        found = [issue for issue in self._issues.all() if issue.project.id in projects]
        found = [issue for issue in found if issue.last_seen >= since and self._matches(issue, query)]
        found.sort(key=lambda issue: issue.last_seen, reverse=True)
        return self._page([self._listed(issue) for issue in found])

    def _asked_projects(self) -> dict[str, Project]:
        """Find the projects that a list is about, by id.

        Without any, a list is about the caller's own projects; an integration is taken to be in no team.
        """
        asked = set(request.args.getlist("project"))
        everything = {project.id: project for project in self._directory.projects.values()}
        if ALL_PROJECTS in asked:
            return everything
        if any(everything[each].slug in self._directory.forbidden for each in asked & everything.keys()):
            raise Forbidden(asked)
        return {each: everything[each] for each in asked & everything.keys()}

    def _by_ids(self, groups: list[str], projects: dict[str, Project]) -> list[Issue]:
        """Find what is stored under these very ids.

        Sentry quirk: what was deleted or merged away is silently absent, what is being deleted is there, and
        one issue that the caller may not see spoils the answer (sentry: organization_group_index.py).
        """
        if not all(group.isdecimal() for group in groups):
            raise Refused({"detail": "Group ids must be integers"})
        stored = (self._issues.exact(group) for group in dict.fromkeys(groups))
        found = [issue for issue in stored if issue is not None and issue.project.id in projects]
        allowed = [issue for issue in found if issue.project.slug not in self._directory.forbidden]
        if len(allowed) < len(found) and self._issues.modes.forbidden_group == "refused":
            raise Forbidden(groups)
        return allowed

    def _listed(self, issue: Issue) -> Json:
        return self._as_asked(issue, {**issue_json(self._issues, issue), "stats": {"24h": []}})

    def _matches(self, issue: Issue, query: str) -> bool:
        shown = issue_json(self._issues, issue)["status"]
        if issue.project.slug in self._directory.forbidden or issue.pending is not None:
            return False
        for word in query.split():
            if word == "is:linked":
                if not self._links(issue) and not self._issues.integration_issues_of(issue.id):
                    return False
            elif word.startswith("is:"):
                wanted = {"archived": "ignored"}.get(word[3:], word[3:])
                if wanted != shown:
                    return False
            elif word.lower() not in issue.title.lower():
                return False
        return True

    def short_id(self, short_id: str) -> Response:
        issue = self._issues.find(short_id)
        if issue.short_id != short_id.upper():
            raise Missing(short_id)
        shown = issue_json(self._issues, issue)
        return _answer(
            {
                "organizationSlug": self._issues.site.organization,
                "projectSlug": issue.project.slug,
                "groupId": issue.id,
                "group": shown,
                "shortId": issue.short_id,
            }
        )

    def comments(self, issue_id: str) -> Response:
        return self._page(self._notes(self._issues.find(issue_id)))

    def _notes(self, issue: Issue) -> list[Json]:
        return [comment_json(self._issues, comment) for comment in self._issues.comments(issue.id)]

    def add_comment(self, issue_id: str) -> Response:
        comment = self._issues.add_comment(issue_id, _json_body().get("text"), APPLICATION)
        return _answer(comment_json(self._issues, comment), 201)

    def edit_comment(self, issue_id: str, comment_id: str) -> Response:
        comment = self._issues.own_comment(issue_id, comment_id, APPLICATION)
        edited = self._issues.edit_comment(comment.id, _json_body().get("text"), APPLICATION)
        return _answer(comment_json(self._issues, edited))

    def delete_comment(self, issue_id: str, comment_id: str) -> Response:
        self._issues.delete_comment(
            self._issues.own_comment(issue_id, comment_id, APPLICATION).id, APPLICATION
        )
        return Response(status=204)

    def _activity(self, issue: Issue) -> list[Json]:
        """Write the last hundred things that happened to an issue, the newest first."""
        changes = [activity_json(each) for each in self._issues.activities(issue.id)]
        happened = [*self._notes(issue), *changes]
        return sorted(happened, key=lambda each: (each["dateCreated"], int(each["id"])), reverse=True)[:100]

    def event(self, issue_id: str, event_id: str) -> Response:
        issue = self._find(issue_id)
        events = self._issues.events(issue.id)
        named = {"latest": events[-1:], "oldest": events[:1], "recommended": events[-1:]}
        found = named.get(event_id, [each for each in events if each.id == event_id])
        if not found:
            raise Missing(event_id)
        return _answer(event_json(issue, found[0]))

    def external_issues(self, issue_id: str) -> Response:
        return _answer(self._links(self._issues.find(issue_id)))

    def _links(self, issue: Issue) -> list[Json]:
        return [external_issue_json(link) for link in self._issues.links_of(issue.id)]

    def link(self) -> Response:
        body = _json_body()
        problems = _link_problems(body)
        if problems:
            raise Refused(problems)
        try:
            link = self._issues.link(
                str(body["issueId"]),
                self._integration.slug,
                web_url=body["webUrl"],
                project=body["project"],
                identifier=body["identifier"],
            )
        except Missing:
            # Sentry quirk: this 404 alone has no body (sentry: installation_external_issues.py).
            return Response(status=404)
        return _answer(external_issue_json(link))

    def unlink(self, external_id: str) -> Response:
        self._issues.unlink(external_id)
        return Response(status=204)

    def members(self) -> Response:
        query = request.args.get("query", "").strip()
        return self._page([member_json(m) for m in self._directory.listed() if _is_asked_for(m, query)])

    def users(self) -> Response:
        project = self._directory.project(request.args.get("project", ""))
        people = self._directory.listed() if project is None else self._directory.people_of(project)
        return _answer(
            [
                {**member_json(m), "user": user_json(m.user), "projects": self._directory.projects_of(m)}
                for m in people
                if m.user is not None
            ]
        )

    def project_members(self, project: str) -> Response:
        """List who is in a team of the project.

        https://docs.sentry.io/api/organizations/list-a-projects-organization-members/
        """
        found = self._directory.projects.get(project)
        if found is None:
            raise Missing(project)
        return _answer([member_json(each) for each in self._directory.people_of(found)])

    def projects(self) -> Response:
        return self._page([project_json(project) for project in self._directory.projects.values()])

    def teams(self) -> Response:
        return self._page([team_json(team) for team in self._directory.teams.values()])

    def installations(self) -> Response:
        return _answer([installation_json(self._integration, self._issues.site)])

    def _page(self, found: list[Json]) -> Response:
        size = max(1, min(request.args.get("per_page", self._page_size, type=int), self._page_size))
        start = _offset(request.args.get("cursor", "0:0:0"))
        page = _answer(found[start : start + size])
        page.headers["Link"] = ", ".join(
            [
                _link("previous", max(start - size, 0), results=start > 0, back=1),
                _link("next", start + size, results=start + size < len(found), back=0),
            ]
        )
        return page


def _unknown_path(**_: str) -> Response:
    return refusal(404, NOT_FOUND)


def _answer(content: Json | Iterable[Any], status: int = 200) -> Response:
    answer = jsonify(content)
    answer.status_code = status
    return answer


def _json_body() -> Json:
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise Refused({"detail": "JSON parse error"})
    return body


def _link_problems(body: Json) -> Json:
    problems = {
        key: ["This field is required."]
        for key in ("issueId", "webUrl", "project", "identifier")
        if body.get(key) in (None, "")
    }
    for key in ("webUrl", "project", "identifier"):
        if key not in problems and not isinstance(body[key], str):
            problems[key] = ["Not a valid string."]
    if "webUrl" not in problems:
        parts = urlsplit(body["webUrl"])
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            problems["webUrl"] = ["Enter a valid URL."]
    return dict(problems)


def _is_asked_for(member: Member, query: str) -> bool:
    """Match ``email:``, ``user.id:``, ``id:`` or free text."""
    user = member.user
    own = (user.email, *user.other_emails, *user.unverified_emails) if user else ()
    addresses = [member.email, *own]
    known = {address.lower() for address in addresses}
    kind, colon, value = query.partition(":")
    if colon and kind == "email":
        return value.strip('"').lower() in known
    if colon and kind == "user.id":
        return member.user is not None and str(member.user.id) == value
    if colon and kind == "id":
        return member.id == value
    name = member.user.name.lower() if member.user else ""
    return query.lower() in name or any(query.lower() in address for address in known)


def _offset(cursor: str) -> int:
    parts = cursor.split(":")
    if len(parts) != 3 or not parts[1].isdigit():
        raise Refused({"detail": "Invalid cursor parameter."})
    return int(parts[1])


def _link(rel: str, offset: int, *, results: bool, back: int) -> str:
    """Write one half of the Link header; both are always there.

    https://docs.sentry.io/api/pagination/
    """
    cursor = f"0:{offset}:{back}"
    others = [(key, value) for key, value in request.args.items(multi=True) if key != "cursor"]
    url = f"{request.base_url}?{urlencode([*others, ('cursor', cursor)])}"
    return f'<{url}>; rel="{rel}"; results="{str(results).lower()}"; cursor="{cursor}"'
