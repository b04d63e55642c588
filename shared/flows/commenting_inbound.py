"""Carrying comments from a work item to its Sentry issues, each once, and none that is ours."""

import msgspec
from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.comments import get_comment, words_of
from shared.domain.activity import INBOUND
from shared.domain.comments import InboundComments, SaidInAdo, is_ours_in_ado, without_command
from shared.domain.errors import Forbidden, NotFound, Rejected, SyncError, Throttled
from shared.domain.failures import reason_of
from shared.domain.messages import InboundMessage
from shared.domain.model import ActivityEntry, IssueLink, Side
from shared.flows.carrying import ALREADY_THERE, COMMENTED, GONE, NOTHING_LANDED, OURS, verify_time
from shared.flows.commenting import SWITCHED_OFF
from shared.flows.counting import note_comment, note_not_linked
from shared.flows.putting_off import TROUBLES, carry_to_each, is_final, left_of, put_off
from shared.flows.syncing import NOT_LINKED, OTHER_CONNECTION, addressee_of
from shared.sentry.comments import note_of
from shared.services import Services
from shared.settling.settler import ECHO
from shared.store.idempotency import comment_in_ado, comment_to_issue, our_comment
from shared.store.links import StoredLink
from shared.store.organizations import Organization

NOTHING_TO_SAY = "nothing-to-sync"
_TAKEN = "taken"


def sync_ado_comment(message: InboundMessage, services: Services) -> list[str]:
    """Carry one comment over to each linked issue and return an outcome for each."""
    try:
        return _sync_comment(message, services)
    except TROUBLES as error:
        raise put_off(services, message, error) from error


def _sync_comment(message: InboundMessage, services: Services) -> list[str]:
    organization, said = addressee_of(services, message), message.comment
    if organization is None or said is None:
        return [OTHER_CONNECTION]
    wanted = organization.configuration.sync_comments_reverse
    if not organization.configuration.issue_sync or wanted is InboundComments.OFF:
        return [SWITCHED_OFF]
    outcomes = _carry_over(services, organization, message, said)
    if outcomes == [NOT_LINKED]:
        note_not_linked(services, organization.scope, message)
    return outcomes


def _carry_over(
    services: Services, organization: Organization, message: InboundMessage, said: SaidInAdo
) -> list[str]:
    links = services.links.for_work_item(organization.scope, message.work_item_id)
    if not links:
        return [NOT_LINKED]
    links = left_of(message, links, _issue_of)
    name = comment_in_ado(message.work_item_id, said.key)
    known = services.idempotency.find(organization.scope, name)
    if known == OURS:
        return [ECHO]
    try:
        said = _whole(services.ado(organization), links[0].link, said)
    except SyncError as error:
        if not is_final(services, organization, message, error):
            raise
        return [_failed(services, organization, each.link, said.key, error) for each in links]
    text = _text_to_carry(said, organization.configuration.sync_comments_reverse)
    if not text:
        return [ECHO if text is None else NOTHING_TO_SAY]
    # From here on a later message knows that this one may have brought it over, be it to an issue that was
    # merged since.
    services.idempotency.note(organization.scope, name, _TAKEN)
    carrying = _Carrying(services, organization, message, said, text, may_be_there=known is not None)
    return carry_to_each(services, links, _issue_of, carrying.carry)


def _issue_of(stored: StoredLink) -> str:
    return stored.link.issue_id


def _text_to_carry(said: SaidInAdo, wanted: InboundComments) -> str | None:
    """Return what is to be carried over; nothing if that is not wanted, and None if it is ours."""
    if is_ours_in_ado(said.text or ""):
        return None
    text = words_of(said)
    if wanted is InboundComments.MARKED:
        text = without_command(text) or ""
    return text.strip()


def _whole(ado: AdoClient, link: IssueLink, said: SaidInAdo) -> SaidInAdo:
    """Return the comment with its text, for which Azure DevOps is asked if no hook could carry it."""
    if said.text is not None or said.comment_id is None:
        return said
    try:
        found = get_comment(ado, link.project_id, link.work_item_id, said.comment_id)
    except (NotFound, Rejected):
        # ADO quirk: comments, unlike work items, are found only under their project, which may change.
        project_id = ado.get_work_item(link.work_item_id).project_id
        found = get_comment(ado, project_id, link.work_item_id, said.comment_id)
    return replace(found, author=found.author or said.author)


class _Carrying(msgspec.Struct):
    """Carries one comment over to one issue after the other; ``may_be_there`` says that some may have it."""

    services: Services
    organization: Organization
    message: InboundMessage
    said: SaidInAdo
    text: str
    may_be_there: bool

    def carry(self, stored: StoredLink) -> str:
        """Carry it over to an issue, or record why that issue can never take it."""
        link = stored.link
        try:
            return self._carry(link)
        except SyncError as error:
            if not is_final(self.services, self.organization, self.message, error):
                raise
            return _failed(self.services, self.organization, link, self.said.key, error)
        finally:
            # The next issue may have been merged with this one a moment ago.
            self.may_be_there = True

    def _carry(self, link: IssueLink) -> str:
        """Claim, look if need be, write, mark as done."""
        services, organization, said = self.services, self.organization, self.said
        scope = organization.scope
        if services.idempotency.find(scope, comment_to_issue(link.work_item_id, said.key, link.issue_id)):
            return ALREADY_THERE
        sentry = services.sentry(organization)
        # The issue may have been merged, and its comments with it: they are looked for where they are now.
        issue_id = sentry.get_issue(link.issue_id).issue_id
        name = comment_to_issue(link.work_item_id, said.key, issue_id)
        began = services.clock()
        claim = services.idempotency.claim(scope, name, began)
        if isinstance(claim, str):
            return ALREADY_THERE
        page = services.ado(organization).web_url(link.project_id, link.work_item_id)
        url, outcome = f"{page}#comment-{said.key}", ALREADY_THERE
        try:
            is_unsure = self.may_be_there or claim.since is not None
            comment_id = sentry.find_comment(issue_id, url) if is_unsure else None
            if comment_id is None:
                verify_time(services, began)
                comment_id = sentry.add_comment(issue_id, note_of(said.author, self.text, url))
                outcome = COMMENTED if comment_id else ALREADY_THERE
        except NOTHING_LANDED:
            if claim.since is None:
                services.idempotency.abandon(scope, claim)
            raise
        except Throttled:
            services.idempotency.leave(scope, claim, services.clock())  # It may have landed.
            raise
        if comment_id:
            services.idempotency.note(scope, our_comment(comment_id), OURS)
        services.idempotency.done(scope, claim, outcome)
        return _recorded(services, organization, link, said.key, outcome)


def _failed(
    services: Services, organization: Organization, link: IssueLink, key: str, error: SyncError
) -> str:
    """Record why an issue can never take a comment, with the words of whoever refused it."""
    if isinstance(error, Forbidden):
        services.forbidden.note(organization.slug, error.service, error.about)
    is_gone = isinstance(error, NotFound) and error.kind == "comment-not-found"
    told = (GONE, "") if is_gone else (reason_of(error), error.told)
    return _recorded(services, organization, link, key, *told)


def _recorded(
    services: Services, organization: Organization, link: IssueLink, key: str, outcome: str, problem: str = ""
) -> str:
    now, reason = services.clock(), f"comment-{key}{': ' if problem else ''}{problem}"
    entry = ActivityEntry(now, outcome, direction=INBOUND, field="comment", reason=reason, told_by="hook")
    scope, issue_id, number = organization.scope, link.issue_id, link.work_item_id
    services.activity.add(scope, issue_id, number, entry)
    note_comment(services, scope, issue_id, number, outcome, problem or None, Side.ADO)
    return outcome
