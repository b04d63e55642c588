"""Creating a work item for an issue from Sentry's form: at most one for each issue, even after failures."""

from typing import Any

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.domain.errors import AlreadyLinked, NotFound, SyncError, Throttled, Unavailable
from shared.domain.model import IssueLink
from shared.domain.text import is_web_address
from shared.flows.linking import link
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.organizations import Organization


def create_and_link(
    services: Services, organization: Organization, issue_id: str, new: NewWorkItem
) -> IssueLink:
    """Create a work item and link it; a second call for the issue returns the link of the first.

    The call claims the right to create first. If an earlier claimant died or lost the answer, this call
    searches for the item that it may have created, by its link back, before it creates another one.
    Raises Busy while another call holds the claim, Rejected if the form lacks a required field.
    """
    ado, sentry = services.ado_at_once(organization), services.sentry(organization)
    issue = sentry.get_issue(issue_id)
    url = issue.permalink if is_web_address(issue.permalink) else sentry.web_url(issue_id)
    new = replace(new, level=issue.level, issue_url=url)
    patch = patch_for(ado, new)  # Reject an incomplete form before claiming.
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
    """Link the two, or return the existing link: the form may be submitted twice."""
    try:
        return link(services, organization, issue_id, work_item_id, None)
    except AlreadyLinked:
        return services.links.get(organization.scope, issue_id, work_item_id).link


def _claim_or_link(
    services: Services, organization: Organization, issue_id: str
) -> ClaimedRecord | IssueLink:
    """Return the right to create, or the link to an item that was created before and still exists."""
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
    """Create the work item; abandon the claim if it is certain that no item was created."""
    try:
        return create_work_item(ado, new, patch).id
    except (Unavailable, Throttled):
        raise  # The item may exist anyway: the claim stays, so that the next call searches for it.
    except SyncError:
        services.idempotency.abandon(organization.scope, claim)
        raise
