"""Carrying comments from a Sentry issue to the discussions of its work items: new, edited and deleted."""

import msgspec
from msgspec.structs import replace

from shared.ado.comments import rendered
from shared.domain.activity import OUTBOUND
from shared.domain.comments import Carried, SaidInSentry, is_ours_in_sentry
from shared.domain.errors import Forbidden, NotFound, Refused, SyncError, Throttled
from shared.domain.failures import BACKOFF, delay_of, reason_of
from shared.domain.messages import OutboundMessage
from shared.domain.model import ActivityEntry, IssueLink, SentryComment
from shared.flows.carrying import GONE, carry_once
from shared.flows.counting import note_comment, note_not_linked
from shared.flows.putting_off import TROUBLES, carry_to_each, is_final, left_of, put_off
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.sentry.client import SentryClient
from shared.services import Services
from shared.settling.settler import ECHO
from shared.store.idempotency import comment_of, our_comment
from shared.store.links import StoredLink
from shared.store.organizations import Organization

SWITCHED_OFF, WAITS_FOR_LINK = "skipped", "waits-for-link"
_LOOKS_AGAIN_IN = 60.0  # seconds
# Seconds. A link that is not well follows a merge at its next try, and a run comes up to ten minutes later.
_LINK_MAY_FOLLOW_FOR = BACKOFF[-1] + 1800.0
_CUT = "(Cut here: the rest is in Sentry.)"


def sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    """Carry a change of one comment over to each linked work item and return an outcome for each."""
    try:
        return _sync_comment(message, services)
    except TROUBLES as error:
        raise put_off(services, message, error) from error


def _sync_comment(message: OutboundMessage, services: Services) -> list[str]:
    try:
        found = _find(services, message)
    except (*TROUBLES, Throttled) as error:
        if message.since:
            return [_wait_anew(services, message, error)]
        raise
    if isinstance(found, str):
        return [found]
    organization, issue_id, links = found
    if not links:
        outcome = _wait_for_link(services, replace(message, issue_id=issue_id))
        if outcome == NOT_LINKED:
            note_not_linked(services, organization.scope, message)
        return [outcome]
    change = _SaidOnIssue(services.sentry(organization), issue_id, message.comment_id or "", message.comment)
    return carry_to_each(
        services,
        left_of(message, links, _number_of),
        _number_of,
        lambda stored: _carry_or_record(services, organization, message, stored.link, change),
    )


def _find(services: Services, message: OutboundMessage) -> tuple[Organization, str, list[StoredLink]] | str:
    """Return whose comment it is, its issue and that issue's links, or why nothing is to be carried over."""
    organization = addressee_of(services, message)
    if organization is None:
        return OTHER_CONNECTION
    configuration = organization.configuration
    if not (configuration.issue_sync and configuration.sync_comments) or message.comment_id is None:
        return SWITCHED_OFF
    if _is_ours(services, organization, message):
        return ECHO
    return organization, *_links_of(services, organization, message)


def _number_of(stored: StoredLink) -> str:
    return str(stored.link.work_item_id)


def _is_ours(services: Services, organization: Organization, message: OutboundMessage) -> bool:
    """Tell whether we wrote the comment: by the line that it begins with, or by its id.

    The hook may come before the answer that tells its id, or instead of it.
    """
    if message.comment is not None and is_ours_in_sentry(message.comment.text):
        return True
    return services.idempotency.find(organization.scope, our_comment(message.comment_id or "")) is not None


def _links_of(
    services: Services, organization: Organization, message: OutboundMessage
) -> tuple[str, list[StoredLink]]:
    """Return the links of the comment's issue, and the id under which the issue goes now.

    The issue may have been merged since Sentry sent its hook, and some of its links moved, or all. Sentry is
    asked about an issue that nobody linked when its comment arrives and when it is given up, not each time it
    is looked at; the comment waits under the id that it named.
    """
    links = services.links.for_issue(organization.scope, message.issue_id)
    if not links and message.since and not _has_waited(services, message):
        return message.issue_id, []
    try:
        issue_id = services.sentry(organization).get_issue(message.issue_id).issue_id
    except SyncError as error:
        if not is_final(services, organization, message, error):
            raise
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
    delay = min(max(_LOOKS_AGAIN_IN, now - since), max(since + _LINK_MAY_FOLLOW_FOR - now, 1.0))
    services.outbound.put(replace(message, since=since), delay=delay)
    return WAITS_FOR_LINK


def _wait_anew(services: Services, message: OutboundMessage, error: SyncError) -> str:
    """Begin the hour again: no link follows while the service that would tell of a merge says nothing.

    Nor does one while storage is away, for then the reconciler learns of no merge either.
    """
    later = put_off(services, message, error)
    waiting = replace(message, since=services.clock(), failing_since=later.failing_since)
    services.outbound.put(waiting, delay=max(later.retry_after, delay_of(error)))
    return WAITS_FOR_LINK


def _has_waited(services: Services, message: OutboundMessage) -> bool:
    return services.clock() - message.since >= _LINK_MAY_FOLLOW_FOR


class _SaidOnIssue(msgspec.Struct, frozen=True):
    """A change of a comment on an issue; ``told`` is what the hook told, if it told anything."""

    sentry: SentryClient
    issue_id: str
    comment_id: str
    told: SaidInSentry | None

    @property
    def url(self) -> str:
        return self.sentry.activity_url(self.issue_id, self.comment_id)

    @property
    def at(self) -> float:
        return self.told.at if self.told else 0.0

    @property
    def is_edit(self) -> bool:
        return self.told is not None and self.told.action == "updated"

    @property
    def is_deletion(self) -> bool:
        return self.told is not None and self.told.action == "deleted"

    def html(self, known: Carried) -> str | None:
        """Return what the comment says now.

        Hooks come in any order, so an edit is looked up. Sentry's list of comments is not documented
        (docs/vendor_quirks.md#sentry-rest): where it does not help, what the latest hook told is believed.
        """
        told = self.told
        if told is not None and not (told.is_cut or self.is_edit):
            return self._rendered(told.author, told.text, self.url)
        try:
            comment = self.sentry.get_comment(self.issue_id, self.comment_id)
        except (NotFound, Forbidden, Refused):
            if told is None:
                raise
            if self.is_edit and told.at < known.at:
                return None
            text = f"{told.text}\n\n{_CUT}" if told.is_cut else told.text
            return self._rendered(told.author, text, self.url)
        if is_ours_in_sentry(comment.text):
            return None
        return self._rendered(told.author if told else comment.author, comment.text, comment.url)

    def _rendered(self, author: str, text: str, url: str) -> str:
        return rendered(SentryComment(self.comment_id, author, text, url), url)


def _carry_or_record(
    services: Services,
    organization: Organization,
    message: OutboundMessage,
    link: IssueLink,
    change: _SaidOnIssue,
) -> str:
    """Carry a change over to one work item, or record why that work item can never take it."""
    try:
        name = comment_of(change.comment_id, link.work_item_id)
        result = carry_once(services, organization, link, name, change)
    except SyncError as error:
        if not is_final(services, organization, message, error):
            raise
        if isinstance(error, Forbidden):
            services.forbidden.note(organization.slug, error.service, error.about)
        is_gone = isinstance(error, NotFound) and error.kind == "comment-not-found"
        told = (GONE, "") if is_gone else (reason_of(error), error.told)
        return _recorded(services, organization, link, change.comment_id, *told)
    if not result.is_news:
        return result.outcome
    return _recorded(services, organization, link, change.comment_id, result.outcome)


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
