"""Copying a comment from a Sentry issue to the discussion of each of its work items, exactly once."""

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.comments import add_comment, has_comment_with, rendered
from shared.domain.activity import OUTBOUND
from shared.domain.errors import (
    Busy,
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    Refused,
    Rejected,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.failures import gravest, reason_of
from shared.domain.messages import OutboundMessage
from shared.domain.model import ActivityEntry, IssueLink, SentryComment
from shared.flows.counting import note_comment, note_not_linked
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, comment_of
from shared.store.links import StoredLink
from shared.store.organizations import Organization

COMMENTED, ALREADY_THERE, SWITCHED_OFF, GONE = "commented", "already-commented", "skipped", "comment-gone"
WAITS_FOR_LINK = "waits-for-link"
_RETRY_AFTER = 60.0  # seconds; as long as the claim of a dead worker lasts
_LINK_MAY_FOLLOW_FOR = 3600.0  # seconds; in an hour, the reconciler reads 1,440 issues again


def sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    """Add one comment to each linked work item and return an outcome for each."""
    try:
        return _sync_comment(message, services)
    except (Unauthorized, Unavailable, OrganizationGone) as error:
        if message.since:
            return [_wait_anew(services, message)]
        # A link does not record a missing comment, so the message stays in the queue until the service works.
        raise Throttled(error.service, error.detail, retry_after=_RETRY_AFTER) from error
    except MissingSetting as error:
        raise Busy(error.detail, retry_after=_RETRY_AFTER) from error


def _sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    organization = addressee_of(services, message)
    if organization is None:
        return [OTHER_CONNECTION]
    configuration = organization.configuration
    if not (configuration.issue_sync and configuration.sync_comments) or message.comment_id is None:
        return [SWITCHED_OFF]
    issue_id, links = _links_of(services, organization, message)
    if not links:
        outcome = _wait_for_link(services, message)
        if outcome == NOT_LINKED:
            note_not_linked(services, organization.scope, message)
        return [outcome]
    try:
        comment = services.sentry(organization).get_comment(issue_id, message.comment_id)
    except NotFound:  # Deleted before it could be copied.
        return [_recorded(services, organization, each.link, message.comment_id, GONE) for each in links]
    except Forbidden as error:
        services.forbidden.note(organization.slug, error.service, error.about)
        return [
            _recorded(services, organization, stored.link, message.comment_id, reason_of(error), error.told)
            for stored in links
        ]
    outcomes: list[str] = []
    errors: list[SyncError] = []
    for stored in links:
        try:
            outcomes.append(_add_or_record(services, organization, stored.link, comment))
        except SyncError as error:
            errors.append(error)
    if errors:
        raise gravest(errors)
    return outcomes


def _links_of(
    services: Services, organization: Organization, message: OutboundMessage
) -> tuple[str, list[StoredLink]]:
    """Return the links of the comment's issue, and the id under which the issue goes now.

    The issue may have been merged since Sentry sent its hook, and some of its links moved, or all. Sentry is
    asked about an issue that nobody linked when its comment arrives and when it is given up, not each time it
    is looked at.
    """
    links = services.links.for_issue(organization.scope, message.issue_id)
    if not links and message.since and not _has_waited(services, message):
        return message.issue_id, []
    try:
        issue_id = services.sentry(organization).get_issue(message.issue_id).issue_id
    except (NotFound, Forbidden):
        return message.issue_id, links
    if issue_id != message.issue_id:
        links += services.links.for_issue(organization.scope, issue_id)
    return issue_id, list({each.link.work_item_id: each for each in links}.values())


def _wait_for_link(services: Services, message: OutboundMessage) -> str:
    """Put the message back, for longer each time, or give it up after an hour.

    Another issue may have been merged into this one. Its link follows when the reconciler reads it again,
    and nobody can tell before; most often, nobody ever links the issue.
    """
    if message.since and _has_waited(services, message):
        return NOT_LINKED
    now = services.clock()
    since = message.since or now
    delay = min(max(_RETRY_AFTER, now - since), max(since + _LINK_MAY_FOLLOW_FOR - now, 1.0))
    services.outbound.put(replace(message, since=since), delay=delay)
    return WAITS_FOR_LINK


def _wait_anew(services: Services, message: OutboundMessage) -> str:
    """Begin the hour again: no link follows while the service that would tell of a merge says nothing."""
    services.outbound.put(replace(message, since=services.clock()), delay=_RETRY_AFTER)
    return WAITS_FOR_LINK


def _has_waited(services: Services, message: OutboundMessage) -> bool:
    return services.clock() - message.since >= _LINK_MAY_FOLLOW_FOR


def _add_or_record(
    services: Services, organization: Organization, link: IssueLink, comment: SentryComment
) -> str:
    """Add the comment to one work item, or record why that work item can never take it."""
    try:
        return _add_once(services, organization, link, comment)
    except (NotFound, Forbidden, Refused) as error:
        if isinstance(error, Forbidden):
            services.forbidden.note(organization.slug, error.service, error.about)
        return _recorded(services, organization, link, comment.id, reason_of(error), error.told)


def _add_once(services: Services, organization: Organization, link: IssueLink, comment: SentryComment) -> str:
    """Claim, check, add, mark as done. If a worker dies in between, the next one checks before it adds."""
    ado = services.ado(organization)
    name = comment_of(comment.id, link.work_item_id)
    claim = services.idempotency.claim(organization.scope, name, services.clock())
    if isinstance(claim, str):
        return ALREADY_THERE
    try:
        outcome = _write(ado, link.project_id, link.work_item_id, comment, claim)
    except (NotFound, Rejected):
        # ADO quirk: comments, unlike work items, are found only under their project, which may change.
        project_id = ado.get_work_item(link.work_item_id).project_id
        outcome = _write(ado, project_id, link.work_item_id, comment, claim)
    services.idempotency.done(organization.scope, claim, outcome)
    return _recorded(services, organization, link, comment.id, outcome)


def _write(
    ado: AdoClient, project_id: str, work_item_id: int, comment: SentryComment, claim: ClaimedRecord
) -> str:
    if claim.since is not None and has_comment_with(ado, project_id, work_item_id, comment.url):
        return ALREADY_THERE
    add_comment(ado, project_id, work_item_id, rendered(comment, comment.url))
    return COMMENTED


def _recorded(
    services: Services,
    organization: Organization,
    link: IssueLink,
    comment_id: str,
    outcome: str,
    problem: str = "",
) -> str:
    now, reason = services.clock(), f"comment-{comment_id}{': ' if problem else ''}{problem}"
    entry = ActivityEntry(now, outcome, direction=OUTBOUND, field="comment", reason=reason, told_by="hook")
    services.activity.add(organization.scope, link.issue_id, link.work_item_id, entry)
    note_comment(services, organization.scope, link.issue_id, link.work_item_id, outcome, problem or None)
    return outcome
