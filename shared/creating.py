"""Making a work item for an issue from Sentry's form: never two for one issue, whatever gets lost."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared.ado.creation import NewWorkItem, create_work_item, find_created
from shared.errors import AlreadyLinked, NotFound, SyncError, Unavailable
from shared.linking import link, unlink
from shared.model import IssueLink
from shared.services import Services
from shared.store.deeds import creation_of
from shared.store.organizations import Organization

_GONE = "work-item-gone"


def create_and_link(
    services: Services, organization: Organization, issue_id: str, new: NewWorkItem
) -> IssueLink:
    """Create a work item and link it; a second call for the issue returns the link of the first.

    The right to create is claimed before. If whoever had it died, or its answer was lost, the item that it
    may have made is looked for by its title and its link back before another one is made.
    """
    claim = services.deeds.claim(organization.slug, creation_of(issue_id), services.clock())
    if isinstance(claim, str):
        found = _existing(services, organization, issue_id, int(claim))
        return found or create_and_link(services, organization, issue_id, new)
    try:
        new = replace(new, level=services.sentry(organization).get_issue(issue_id).level)
        work_item_id = _find(services, organization, new) if claim.may_be_done else None
        if work_item_id is None:
            work_item_id = create_work_item(services.ado_at_once(organization), new).id
    except SyncError as error:
        if not isinstance(error, Unavailable):
            # Nothing was made, for certain. An answer that never came leaves the claim, to be looked into.
            services.deeds.forget(organization.slug, creation_of(issue_id))
        raise
    services.deeds.done(organization.slug, claim, str(work_item_id))
    return link_or_get(services, organization, issue_id, work_item_id)


def link_or_get(
    services: Services, organization: Organization, issue_id: str, work_item_id: int
) -> IssueLink:
    """Link the two, or return the link that there is: whoever asks twice wants it no less."""
    try:
        return link(services, organization, issue_id, work_item_id, None)
    except AlreadyLinked:
        return services.links.get(organization.slug, issue_id, work_item_id).link


def _existing(
    services: Services, organization: Organization, issue_id: str, work_item_id: int
) -> IssueLink | None:
    """Return the link to the item that was made before; None, and room for another, if it was deleted."""
    try:
        found = link_or_get(services, organization, issue_id, work_item_id)
        if found.health.reason != _GONE:
            return found
        unlink(services, organization, issue_id, work_item_id)
    except NotFound as error:
        if error.kind not in {"work-item-not-found", "not-linked"}:
            raise
    services.deeds.forget(organization.slug, creation_of(issue_id))
    return None


def _find(services: Services, organization: Organization, new: NewWorkItem) -> int | None:
    yesterday = datetime.fromtimestamp(services.clock(), UTC) - timedelta(days=1)
    candidates = services.finder(organization).with_title(
        new.shortened_title, new.project, yesterday.strftime("%Y-%m-%d")
    )
    return find_created(services.ado_at_once(organization), [each.id for each in candidates], new.issue_url)
