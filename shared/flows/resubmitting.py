"""The same form, sent once more: by whoever had no answer, or by somebody who saw it pass by."""

from contextlib import suppress
from datetime import UTC, datetime

from shared.domain.errors import NotFound, SubmittedBefore
from shared.domain.model import ActivityEntry, IssueLink
from shared.domain.rules.entries import REMOVED_IN_SENTRY
from shared.services import Services
from shared.store.activity import UNLINKED
from shared.store.organizations import Organization
from shared.store.submissions import REMEMBERED_FOR, Submission

_LATEST = 10  # entries; the end of a link is the last, beside others of the same moment


def link_of_earlier(services: Services, organization: Organization, signature: str) -> IssueLink | None:
    """Return the link that the same submission led to within the hour; None if there is something to do.

    Raises SubmittedBefore if the link was removed here, or gave way to another one: an old request brings
    nothing back. Whoever removed the entry in Sentry has no other way to make it again than this form, and
    may.
    """
    scope = organization.scope
    earlier = services.submissions.find(scope, signature, services.clock())
    if earlier is None:
        return None
    with suppress(NotFound):
        return services.links.get(scope, earlier.issue_id, earlier.work_item_id).link
    end = _end_of(services, scope, earlier.issue_id, earlier.work_item_id)
    if end is None and (issue_id := _survivor_of(services, organization, earlier.issue_id)):
        with suppress(NotFound):
            return services.links.get(scope, issue_id, earlier.work_item_id).link
        end = _end_of(services, scope, issue_id, earlier.work_item_id)
    if end is not None and end.reason != REMOVED_IN_SENTRY:
        over = datetime.fromtimestamp(earlier.at + REMEMBERED_FOR, UTC)
        raise SubmittedBefore(
            "the same form was sent before, and its link has been removed since: change something in it, or "
            f"send it after {over.isoformat(timespec='minutes').replace('+00:00', 'Z')}"
        )
    return None


def _end_of(services: Services, scope: str, issue_id: str, work_item_id: int) -> ActivityEntry | None:
    latest = services.activity.page(scope, issue_id, work_item_id, None, _LATEST).entries
    return next((each for each in latest if each.outcome == UNLINKED), None)


def _survivor_of(services: Services, organization: Organization, issue_id: str) -> str | None:
    """Return the issue into which one was merged, and which its links follow; None if it was not."""
    with suppress(NotFound):
        survivor = services.sentry(organization).get_issue(issue_id).issue_id
        return survivor if survivor != issue_id else None
    return None


def remember(services: Services, organization: Organization, signature: str, link: IssueLink) -> None:
    """Take note of what a submission led to."""
    submission = Submission(services.clock(), link.issue_id, link.work_item_id)
    services.submissions.add(organization.scope, signature, submission)
