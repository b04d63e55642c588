"""How the fake Sentry writes its issues, people and links as JSON, in answers and in hooks alike."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from simulator.sentry.issues import Issues
from simulator.sentry.model import (
    Actor,
    AlertRule,
    Assignee,
    Comment,
    Event,
    ExternalIssue,
    Integration,
    IntegrationIssue,
    Issue,
    Json,
    Member,
    Project,
    Site,
    StatusActivity,
    Team,
    User,
    written,
)


def permalink(site: Site, issue: Issue) -> str:
    return f"{site.url}/organizations/{site.organization}/issues/{issue.id}/"


def issue_json(issues: Issues, issue: Issue) -> Json:
    """Write the short form, which hooks and the answer to a PUT use."""
    status: str = issue.status
    substatus, details = issue.substatus, dict(issue.status_details)
    if issue.shown_as is not None:
        status = issue.shown_as
        substatus = None if status == "resolved" else "ongoing"
        details = {"autoResolved": True} if status == "resolved" else {}
    if issue.pending is not None:
        status = issue.pending
    return {
        "id": issue.id,
        "shareId": None,
        "shortId": issue.short_id,
        "title": issue.title,
        "culprit": "",
        "permalink": permalink(issues.site, issue),
        "logger": None,
        "level": "error",
        "status": status,
        "statusDetails": details,
        "substatus": substatus,
        "isPublic": False,
        "platform": issue.project.platform,
        "project": project_json(issue.project),
        "type": "error",
        "metadata": {"title": issue.title},
        "numComments": len(issues.comments(issue.id)),
        "assignedTo": assignee_json(issues, issue.assignee),
        "isBookmarked": False,
        "isSubscribed": False,
        "subscriptionDetails": None,
        "hasSeen": False,
        "annotations": [],
        "issueType": "error",
        "issueCategory": "error",
        "priority": "medium",
        "priorityLockedAt": None,
        # Sentry quirk: this number is a text, the one below is not.
        "count": str(issue.count),
        "userCount": 1,
        "firstSeen": written(issue.first_seen),
        "lastSeen": written(issue.last_seen),
    }


def issue_urls(site: Site, issue: Issue) -> Json:
    return {
        "url": f"{site.url}/api/0/organizations/{site.organization}/issues/{issue.id}/",
        "web_url": permalink(site, issue),
        "project_url": f"{site.url}/api/0/projects/{site.organization}/{issue.project.slug}/",
    }


def project_json(project: Project) -> Json:
    return {"id": project.id, "name": project.name, "slug": project.slug, "platform": project.platform}


def team_json(team: Team) -> Json:
    return {"id": str(team.id), "slug": team.slug, "name": team.name}


def assignee_json(issues: Issues, assignee: Assignee | None) -> Json | None:
    if assignee is None:
        return None
    if assignee.kind == "team":
        team = issues.directory.team(assignee.id)
        return {"type": "team", "id": str(assignee.id), "name": team.slug if team else ""}
    user = issues.directory.users[assignee.id]
    return {"type": "user", "id": str(user.id), "name": user.name, "email": user.email}


def user_json(user: User) -> Json:
    own = dict.fromkeys((user.email, *user.other_emails), True)
    addresses = {**own, **dict.fromkeys(user.unverified_emails, False)}
    return {
        "id": str(user.id),
        "name": user.name,
        "username": user.email,
        "email": user.email,
        "isActive": True,
        "emails": [{"email": each, "is_verified": verified} for each, verified in addresses.items()],
    }


def member_json(member: Member) -> Json:
    return {
        "id": member.id,
        "email": member.email,
        "name": member.user.name if member.user else member.email,
        "user": user_json(member.user) if member.user else None,
        "orgRole": member.role,
        "pending": member.user is None,
        "expired": False,
    }


def external_issue_json(link: ExternalIssue) -> Json:
    return {
        "id": link.id,
        "issueId": link.issue_id,
        "serviceType": link.service_type,
        "displayName": link.display_name,
        "webUrl": link.web_url,
    }


def alert_content(issues: Issues, issue: Issue, rule: AlertRule) -> Json:
    """Show what a rule's hook says of the event that it fired for.

    https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/
    """
    site = issues.site
    return {
        "event": {
            "event_id": uuid.uuid4().hex,
            "project": int(issue.project.id),
            "title": issue.title,
            "level": "error",
            "platform": issue.project.platform,
            "issue_id": issue.id,
            "issue_url": f"{site.url}/api/0/organizations/{site.organization}/issues/{issue.id}/",
            "web_url": permalink(site, issue),
        },
        "triggered_rule": rule.name,
        "issue_alert": {
            "id": "1",
            "title": rule.name,
            "sentry_app_id": 1,
            "settings": [{"name": name, "value": value} for name, value in rule.fields.items()],
        },
    }


def integration_issue_json(link: IntegrationIssue) -> Json:
    """Write a link of one of Sentry's own integrations (sentry: ExternalIssueSerializer)."""
    return {
        "id": link.id,
        "key": link.key,
        "title": link.title,
        "description": None,
        "displayName": link.display_name,
        "integrationKey": link.provider,
        "integrationName": link.name,
    }


def comment_json(issues: Issues, comment: Comment) -> Json:
    author = issues.directory.users.get(comment.actor.user_id)
    return {
        "id": str(comment.id),
        "type": "note",
        "user": user_json(author) if author else None,
        "data": {"text": comment.text},
        "dateCreated": written(comment.at),
    }


def activity_json(activity: StatusActivity) -> Json:
    return {
        "id": str(activity.id),
        "type": activity.type,
        "user": None,
        "data": {},
        "dateCreated": written(activity.at),
    }


def event_json(issue: Issue, event: Event) -> Json:
    """Write an event as far as anybody here reads it.

    https://docs.sentry.io/api/events/retrieve-an-issue-event/
    """
    tags = {"release": event.release, "environment": event.environment, "level": "error"}
    return {
        "id": event.id,
        "eventID": event.id,
        "groupID": issue.id,
        "title": issue.title,
        "dateCreated": written(event.at),
        "tags": [{"key": key, "value": value} for key, value in tags.items() if value is not None],
        "release": None if event.release is None else {"version": event.release},
    }


def organization_json(site: Site, *, detailed: bool) -> Json:
    """Write the organization; its projects and teams, which may be many, only for whoever wants them.

    https://docs.sentry.io/api/organizations/retrieve-an-organization/
    """
    described: Json = {
        "id": str(site.organization_id),
        "slug": site.organization,
        "name": site.organization.title(),
        "status": {"id": "active", "name": "active"},
        "dateCreated": "2026-01-01T10:00:00.000000Z",
        "links": {"organizationUrl": f"{site.url}/organizations/{site.organization}/", "regionUrl": site.url},
    }
    return {**described, "projects": [], "teams": []} if detailed else described


def installation_json(integration: Integration, site: Site) -> Json:
    return {
        "uuid": integration.installation_uuid,
        "status": "installed",
        "app": {"uuid": integration.uuid, "slug": integration.slug, "sentryAppId": 1},
        "organization": {"slug": site.organization, "id": site.organization_id},
    }


def sentry_app_json(integration: Integration, url: str | None, scopes: Collection[str]) -> Json:
    return {
        "uuid": integration.uuid,
        "slug": integration.slug,
        "name": integration.name,
        "status": "internal",
        "webhookUrl": url,
        "events": sorted(integration.events),
        "scopes": sorted(scopes),
        "clientSecret": "**********",
        "verifyInstall": False,
        "isAlertable": True,
        "schema": {},
    }


def actor_json(actor: Actor, receiver: Integration) -> Json:
    """Write who did it, as the receiver of a hook reads it.

    Sentry quirk: any integration's token is written as the integration that receives the hook,
    whichever of them acted (sentry: get_actor in app_platform_event.py).
    """
    if actor.kind == "user":
        return {"type": "user", "id": actor.user_id, "name": actor.name}
    if actor.kind == "application":
        return {"type": "application", "id": receiver.uuid, "name": receiver.name}
    return {"type": "application", "id": "sentry", "name": "Sentry"}
