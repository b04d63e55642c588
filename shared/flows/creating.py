"""Making a work item for an issue from Sentry's form: never two for one issue, whatever gets lost."""

from typing import Any

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.domain.errors import AlreadyLinked, NotFound, SyncError, Throttled, Unavailable
from shared.domain.model import IssueLink
from shared.flows.linking import link
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.organizations import Organization


def create_and_link(
    services: Services, organization: Organization, issue_id: str, new: NewWorkItem
) -> IssueLink:
    """Create a work item and link it; a second call for the issue returns the link of the first.

    The right to create is claimed before. If whoever had it died, or its answer was lost, the item that it
    may have made is looked for by its link back before another one is made.
    """
    ado, sentry = services.ado_at_once(organization), services.sentry(organization)
    issue = sentry.get_issue(issue_id)
    new = replace(new, level=issue.level, issue_url=issue.permalink or sentry.web_url(issue_id))
    patch = patch_for(ado, new)  # What the form lacks is told before anything is claimed.
    claim = _claim_or_link(services, organization, issue_id)
    if isinstance(claim, IssueLink):
        return claim
    work_item_id = None if claim.since is None else find_created(ado, new.issue_url, claim.since)
    if work_item_id is None:
        work_item_id = _create(services, organization, claim, ado, new, patch)
    services.idempotency.done(organization.scope, claim, str(work_item_id))
    return link_or_get(services, organization, issue_id, work_item_id)


def link_or_get(
    services: Services, organization: Organization, issue_id: str, work_item_id: int
) -> IssueLink:
    """Link the two, or return the link that there is: whoever asks twice wants it no less."""
    try:
        return link(services, organization, issue_id, work_item_id, None)
    except AlreadyLinked:
        return services.links.get(organization.scope, issue_id, work_item_id).link


def _claim_or_link(
    services: Services, organization: Organization, issue_id: str
) -> ClaimedRecord | IssueLink:
    """Return the right to create, or the link to the item that was created before and is still there."""
    deleted: str | None = None
    while True:
        name, now = creation_of(issue_id), services.clock()
        claim = services.idempotency.claim(organization.scope, name, now, redo=deleted)
        if isinstance(claim, ClaimedRecord):
            return claim
        try:
            return link_or_get(services, organization, issue_id, int(claim))
        except NotFound as error:
            if error.kind != "work-item-not-found":
                raise
        deleted = claim


def _create(
    services: Services,
    organization: Organization,
    claim: ClaimedRecord,
    ado: AdoClient,
    new: NewWorkItem,
    patch: list[dict[str, Any]],
) -> int:
    """Create the work item. Where it is certain that none was made, the right to try goes back at once."""
    try:
        return create_work_item(ado, new, patch).id
    except (Unavailable, Throttled):
        raise  # It may have been made all the same: the claim stays, to be looked into.
    except SyncError:
        services.idempotency.abandon(organization.scope, claim)
        raise
