"""Copying a comment from a Sentry issue to the discussion of each of its work items, exactly once."""

from shared.ado.client import AdoClient
from shared.ado.comments import add_comment, has_comment_with, rendered
from shared.domain.activity import OUTBOUND
from shared.domain.errors import (
    Forbidden,
    NotFound,
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
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, comment_of
from shared.store.organizations import Organization

COMMENTED, ALREADY_THERE, SWITCHED_OFF, GONE = "commented", "already-commented", "skipped", "comment-gone"
_RETRY_AFTER = 60.0  # seconds; as long as the claim of a dead worker lasts


def sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    """Add one comment to each linked work item and return an outcome for each."""
    try:
        return _sync_comment(message, services)
    except (Unauthorized, Unavailable) as error:
        # A link does not record a missing comment, so the message stays in the queue until the service works.
        raise Throttled(error.service, error.detail, retry_after=_RETRY_AFTER) from error


def _sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    organization = addressee_of(services, message)
    if organization is None:
        return [OTHER_CONNECTION]
    configuration = organization.configuration
    if not (configuration.issue_sync and configuration.sync_comments) or message.comment_id is None:
        return [SWITCHED_OFF]
    links = services.links.for_issue(organization.scope, message.issue_id)
    if not links:
        return [NOT_LINKED]
    try:
        comment = services.sentry(organization).get_comment(message.issue_id, message.comment_id)
    except NotFound:
        return [GONE]  # Deleted before it could be copied.
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
    entry = ActivityEntry(now, outcome, direction=OUTBOUND, field="comment", reason=reason)
    services.activity.add(organization.scope, link.issue_id, link.work_item_id, entry)
    return outcome
