"""Carrying a comment from a Sentry issue to the discussions of its work items, once each."""

from shared.ado.comments import add_comment, has_comment_with, rendered
from shared.errors import NotFound
from shared.messages import OutboundMessage
from shared.model import ActivityEntry, IssueLink
from shared.sentry.client import SentryComment
from shared.services import Services
from shared.store.organizations import Organization

COMMENTED, ALREADY_THERE, SWITCHED_OFF, GONE = "commented", "already-commented", "skipped", "comment-gone"


def sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    """Add one comment to each linked work item and return an outcome for each."""
    organization = services.organizations.get(message.organization)
    configuration = organization.configuration
    if not (configuration.issue_sync and configuration.sync_comments) or message.comment_id is None:
        return [SWITCHED_OFF]
    links = services.links.for_issue(organization.slug, message.issue_id)
    if not links:
        return ["not-linked"]
    try:
        comment = services.sentry(organization).get_comment(message.issue_id, message.comment_id)
    except NotFound:
        return [GONE]  # Deleted again before it was carried over.
    return [_add_once(services, organization, stored.link, comment) for stored in links]


def _add_once(services: Services, organization: Organization, link: IssueLink, comment: SentryComment) -> str:
    """Claim, look, add, mark: a worker that dies between two of these leaves a claim that is looked into."""
    ado, now = services.ado(organization), services.clock()
    name = f"comment-{comment.id}-on-{link.work_item_id}"
    claim = services.deeds.claim(organization.slug, name, now)
    if isinstance(claim, str):
        return ALREADY_THERE
    outcome = COMMENTED
    if claim.may_be_done and has_comment_with(ado, link.project_id, link.work_item_id, comment.url):
        outcome = ALREADY_THERE
    else:
        add_comment(ado, link.project_id, link.work_item_id, rendered(comment, comment.url))
    services.deeds.done(organization.slug, claim, outcome)
    entry = ActivityEntry(now, outcome, direction="outbound", field="comment", reason=f"comment-{comment.id}")
    services.activity.add(organization.slug, link.issue_id, link.work_item_id, entry)
    return outcome
