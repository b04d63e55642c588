"""Telling a work item that was reopened why: its issue came back, in which release, and how often."""

from contextlib import suppress

import msgspec
from msgspec.structs import replace

from shared.ado.comments import regression_html
from shared.domain.activity import OUTBOUND
from shared.domain.comments import Carried, RegressionFacts
from shared.domain.errors import Forbidden, NotFound, SyncError
from shared.domain.failures import reason_of
from shared.domain.messages import OutboundMessage
from shared.domain.model import (
    STATUS,
    ActivityEntry,
    End,
    HealthWord,
    IssueLink,
    IssueStatus,
    SentryIssue,
    Side,
)
from shared.domain.moments import DAY
from shared.flows.carrying import carry_once
from shared.flows.commenting import SWITCHED_OFF
from shared.flows.putting_off import TROUBLES, is_final, put_off
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.sentry.client import SentryClient
from shared.services import Services
from shared.store.idempotency import regression_of
from shared.store.organizations import Organization

NOT_REOPENED, WAITS = "not-reopened", "waits-for-reopening"
_MAY_BE_REOPENED_FOR = 3600.0  # seconds
_LOOKS_AGAIN_IN, _AT_THE_LATEST_IN = 5.0, 900.0  # seconds


def tell_of_regression(message: OutboundMessage, services: Services) -> list[str]:
    """Add one comment to the work item that was reopened for a regression, and return what came of it."""
    try:
        return [_tell_or_wait(message, services)]
    except TROUBLES as error:
        raise put_off(services, message, error) from error


def _tell_or_wait(message: OutboundMessage, services: Services) -> str:
    organization = addressee_of(services, message)
    if organization is None:
        return OTHER_CONNECTION
    configuration = organization.configuration
    if not (configuration.issue_sync and configuration.sync_status_forward):
        return SWITCHED_OFF
    sentry = services.sentry(organization)
    try:
        issue = sentry.get_issue(message.issue_id)
        link = _link_of(services, organization, (message.issue_id, issue.issue_id), int(message.only[0]))
    except SyncError as error:
        if not is_final(services, organization, message, error):
            raise
        return NOT_LINKED
    if link is None:
        return _wait_for_link(message, services, organization, issue)
    # The message is put before the work item is written to, so that no crash loses it.
    if link.seen.item.status is not IssueStatus.UNRESOLVED:
        return _wait(message, services, link)
    change = _Regression(sentry, issue, message.regression or "")
    return _tell(services, organization, message, link, change)


def _link_of(
    services: Services, organization: Organization, names: tuple[str, str], work_item_id: int
) -> IssueLink | None:
    """Return the link; until it has followed a merge, it stands under the old id, which comes first."""
    for each in names:
        with suppress(NotFound):
            return services.links.get(organization.scope, each, work_item_id).link
    return None


def _tell(
    services: Services,
    organization: Organization,
    message: OutboundMessage,
    link: IssueLink,
    change: "_Regression",
) -> str:
    if not _reopened_by_us(services, organization, link):
        return NOT_REOPENED
    name = regression_of(change.activity_id, link.work_item_id)
    try:
        result = carry_once(services, organization, link, name, change)
    except SyncError as error:
        if not is_final(services, organization, message, error):
            raise
        if isinstance(error, Forbidden):
            services.forbidden.note(organization.slug, error.service, error.about)
        return _recorded(services, organization, link, change.activity_id, reason_of(error), error.told)
    if not result.is_news:
        return result.outcome
    return _recorded(services, organization, link, change.activity_id, result.outcome)


def _reopened_by_us(services: Services, organization: Organization, link: IssueLink) -> bool:
    """Tell whether the state that makes the work item open is our last write, and no person's since."""
    ours = services.links.end(organization.scope, link.end(Side.ADO)).record.ours
    return any(each.field == STATUS and each.status is IssueStatus.UNRESOLVED for each in ours)


def _wait_for_link(
    message: OutboundMessage, services: Services, organization: Organization, issue: SentryIssue
) -> str:
    """Put the message back if the link may be on its way after a merge, by way of an issue merged itself."""
    ended = services.activity.ended(organization.scope, End(Side.SENTRY, message.issue_id))
    is_over = any(each.partner == message.only[0] and each.at >= message.since for each in ended)
    if issue.issue_id == message.issue_id and (is_over or not message.since):
        return NOT_LINKED
    return _wait(replace(message, issue_id=issue.issue_id), services, None)


def _wait(message: OutboundMessage, services: Services, link: IssueLink | None) -> str:
    """Put the message back until the work item is reopened, which may be refused; give up after an hour.

    What keeps the link from being settled may last longer than that, and the write comes when it is over.
    """
    now = services.clock()
    since = message.since or now
    is_well = link is None or link.health.word is HealthWord.SETTLED
    may_come_for = _MAY_BE_REOPENED_FOR if is_well else DAY
    if now - since >= may_come_for:
        return NOT_REOPENED
    delay = min(max(_LOOKS_AGAIN_IN, now - since), _AT_THE_LATEST_IN, max(since + may_come_for - now, 1.0))
    services.outbound.put(replace(message, since=since), delay=delay)
    return WAITS


class _Regression(msgspec.Struct, frozen=True):
    sentry: SentryClient
    issue: SentryIssue
    activity_id: str
    at: float = 0.0
    is_edit: bool = False
    is_deletion: bool = False

    @property
    def url(self) -> str:
        return self.sentry.activity_url(self.issue.issue_id, self.activity_id)

    def html(self, _known: Carried) -> str:
        """Return what Sentry tells of it; what it does not tell is left out."""
        event = self.sentry.latest_event(self.issue.issue_id)
        event_url = self.sentry.event_url(self.issue.issue_id, event.id) if event.id else ""
        facts = RegressionFacts(event.release, event.environment, self.issue.count, event_url)
        return regression_html(self.sentry.web_url(self.issue.issue_id), self.url, facts)


def _recorded(
    services: Services,
    organization: Organization,
    link: IssueLink,
    activity_id: str,
    outcome: str,
    problem: str = "",
) -> str:
    now, reason = services.clock(), f"regression-{activity_id}{': ' if problem else ''}{problem}"
    entry = ActivityEntry(now, outcome, direction=OUTBOUND, field="comment", reason=reason)
    services.activity.add(organization.scope, link.issue_id, link.work_item_id, entry)
    return outcome
