"""Noting on a link what a failure means for it: its health and its story, the same trouble once."""

from msgspec.structs import replace

from shared.errors import Conflict, NotFound, SyncError
from shared.failures import health_after
from shared.store.activity import ActivityStore
from shared.store.links import LinkStore, StoredLink
from shared.story import told_failure


def record_failure(
    links: LinkStore,
    activity: ActivityStore,
    stored: StoredLink,
    error: SyncError,
    *,
    now: float,
    token: str = "",
) -> None:
    """Record a failure on the link as it was just read; a claim under ``token`` is given back with it."""
    link = stored.link
    health = health_after(error, link.health, now) or link.health
    claim = link.claim
    if claim is not None and claim.token == token:
        claim = replace(claim, until=now)
    try:
        if health.reason != link.health.reason:
            activity.add(link.organization, link.issue_id, link.work_item_id, told_failure(error, now))
        recorded = replace(link, health=health, claim=claim)
        # Not for nothing: a new ETag would cost the worker that holds the link its race.
        if recorded != link:
            links.replace(stored, recorded)
    except (NotFound, Conflict):
        return  # The link was removed, or somebody was first and knows more.
