"""Creating a work item for an issue, from Sentry's form or by a rule: at most one, even after failures."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.domain.configuration import CreateDefaults
from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    MissingSetting,
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
    Undecidable,
)
from shared.domain.failures import ISSUE_GONE
from shared.domain.ids import is_guid
from shared.domain.messages import OutboundMessage, RuleAction
from shared.domain.model import ActivityEntry, FormEntry, IssueLink, SentryIssue, Side
from shared.domain.rules.back_links import PLAIN, Mark
from shared.domain.rules.entries import REMOVED_IN_SENTRY, REPLACED, is_wanted_anew
from shared.domain.text import is_web_address
from shared.flows.copying import copy_one
from shared.flows.linking import Initial, link, part
from shared.flows.syncing import OTHER_CONNECTION, addressee_of
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of, rule_of, told_of
from shared.store.organizations import Organization

# What becomes of a rule's action.
CREATED, ALREADY_LINKED, ALREADY_CREATED = "created", "already-linked", "already-created"
_ATTEMPTS = 5
_RETRY_AFTER = 60.0  # seconds


def create_and_link(
    services: Services,
    organization: Organization,
    issue_id: str,
    new: NewWorkItem,
    initial: Initial | None = None,
) -> IssueLink:
    """Create a work item and link it; a second call for the issue returns the link of the first.

    The call claims the right to create first. If an earlier claimant died or lost the answer, this call
    searches for the item that it may have created, by its link back, before it creates another one.
    Raises Busy while another call holds the claim, Rejected if the form lacks a required field.
    """
    ado, sentry = services.ado_at_once(organization), services.sentry(organization)
    new = _completed(services, organization, ado, sentry.get_issue(issue_id), new)
    patch = patch_for(ado, new)  # Reject an incomplete form before claiming.
    claim = _claim_or_link(services, organization, issue_id, new.work_item_type)
    if isinstance(claim, IssueLink):
        return claim
    work_item_id = _create_once(services, organization, claim, ado, new, patch)
    return link_by_form(services, organization, issue_id, work_item_id, initial, created=True)


def create_by_rule(message: OutboundMessage, services: Services) -> list[str]:
    """Create a work item as a rule asks, once for an issue, and link it; return what came of it.

    However many rules fire, and how often: an issue that is linked by then, or for which a rule created an
    item before, gets none. Nobody is there to try again, so the message stays until the services work.
    """
    try:
        return [_create_by_rule(message, services)]
    except (Unauthorized, Unavailable, OrganizationGone) as error:
        raise Throttled(error.service, error.detail, retry_after=_RETRY_AFTER) from error
    except MissingSetting as error:
        raise Busy(error.detail, retry_after=_RETRY_AFTER) from error


def _create_by_rule(message: OutboundMessage, services: Services) -> str:
    organization, action = addressee_of(services, message), message.action
    if organization is None or action is None:
        return OTHER_CONNECTION
    ado, sentry = services.ado(organization), services.sentry(organization)
    try:
        issue = sentry.get_issue(message.issue_id)
    except NotFound:
        return ISSUE_GONE
    # The links of one that was merged follow when they are settled.
    linked = _links_of(services, organization, {issue.issue_id, message.issue_id})
    if linked:
        return _tell_linked(services, organization, linked[0], action.rule)
    claim = services.idempotency.claim(organization.scope, rule_of(issue.issue_id), services.clock())
    if not isinstance(claim, ClaimedRecord):
        return ALREADY_CREATED
    try:
        made = _make_by_rule(services, organization, ado, issue, action)
    except SyncError:
        services.idempotency.abandon(organization.scope, claim)
        raise
    services.idempotency.done(organization.scope, claim, str(made.work_item_id))
    return CREATED


def _make_by_rule(
    services: Services, organization: Organization, ado: AdoClient, issue: SentryIssue, action: RuleAction
) -> IssueLink:
    asked = _asked_by(action, issue)
    new = _completed(services, organization, ado, issue, asked)
    patch = patch_for(ado, new)
    claim = services.idempotency.claim(organization.scope, creation_of(issue.issue_id), services.clock())
    if isinstance(claim, ClaimedRecord):
        if linked := _links_of(services, organization, {issue.issue_id}):
            services.idempotency.abandon(organization.scope, claim)
            return linked[0]
        work_item_id = _create_once(services, organization, claim, ado, new, patch)
    else:
        work_item_id = int(claim)  # It was created, and its link lost: by a worker that died.
    try:
        reason = f"rule: {action.rule}"
        return link(
            services, organization, issue.issue_id, work_item_id, None, ado, created=True, reason=reason
        )
    except AlreadyLinked:
        return services.links.get(organization.scope, issue.issue_id, work_item_id).link


def _asked_by(action: RuleAction, issue: SentryIssue) -> NewWorkItem:
    rule = f"Created by the alert rule {action.rule!r}." if action.rule else ""
    return NewWorkItem(
        project=action.project,
        work_item_type=action.work_item_type,
        title=issue.title or f"Issue {issue.issue_id}",
        description=rule,
        area_path=action.area_path,
        tags=action.tags,
    )


def _links_of(services: Services, organization: Organization, issue_ids: Iterable[str]) -> list[IssueLink]:
    return [
        stored.link for each in issue_ids for stored in services.links.for_issue(organization.scope, each)
    ]


def _tell_linked(services: Services, organization: Organization, linked: IssueLink, rule: str) -> str:
    """Tell, once for a rule and an issue, that there was nothing to create."""
    name, now = told_of(rule, linked.issue_id), services.clock()
    with suppress(Busy, Conflict):
        claim = services.idempotency.claim(organization.scope, name, now)
        if isinstance(claim, ClaimedRecord):
            entry = ActivityEntry(now, ALREADY_LINKED, reason=f"rule: {rule}")
            services.activity.add(organization.scope, linked.issue_id, linked.work_item_id, entry)
            services.idempotency.done(organization.scope, claim, ALREADY_LINKED)
    return ALREADY_LINKED


def _completed(
    services: Services,
    organization: Organization,
    ado: AdoClient,
    issue: SentryIssue,
    new: NewWorkItem,
) -> NewWorkItem:
    """Return what is asked for with what Sentry says of the issue, and with the document's defaults."""
    url = _address_of(services, issue, organization) or services.sentry(organization).web_url(issue.issue_id)
    defaults = CreateDefaults()
    if organization.configuration.create:
        project_id = new.project if is_guid(new.project) else ado.get_project(new.project).id
        defaults = organization.configuration.creation(project_id, new.work_item_type)
    mark = Mark.CREATED if organization.configuration.back_links else PLAIN
    return replace(new, level=issue.level, issue_url=url, link_comment=str(mark), defaults=defaults)


def _create_once(
    services: Services,
    organization: Organization,
    claim: ClaimedRecord,
    ado: AdoClient,
    new: NewWorkItem,
    patch: list[dict[str, Any]],
) -> int:
    """Return the number of the item that an earlier claimant created, or of a new one; mark it as done."""
    work_item_id = None if claim.since is None else find_created(ado, new.issue_url, claim.since)
    if work_item_id is None:
        work_item_id = _create(services, organization, claim, ado, new, patch)
    services.idempotency.done(organization.scope, claim, str(work_item_id))
    return work_item_id


def _address_of(services: Services, issue: SentryIssue, organization: Organization) -> str | None:
    """Return where Sentry says that an issue's page is, if it may say so."""
    page, server = issue.permalink, organization.configuration.sentry_url
    is_theirs = is_web_address(page) and services.settings.addresses.leads_to(page, server)
    return page if is_theirs else None


def link_by_form(
    services: Services,
    organization: Organization,
    issue_id: str,
    work_item_id: int,
    initial: Initial | None = None,
    *,
    created: bool = False,
) -> IssueLink:
    """Link the two, or return the existing link: the form may be submitted twice, and ``initial`` counts.

    Sentry shows one link for each issue and integration. So an earlier one that the form made ends.
    """
    form = FormEntry(services.clock())
    try:
        made = link(services, organization, issue_id, work_item_id, initial, form=form, created=created)
    except AlreadyLinked:
        # It stands under the id of the issue into which this one may have been merged.
        issue_id = services.sentry(organization).get_issue(issue_id).issue_id
        made = _marked(services, organization, issue_id, work_item_id, form)
        if initial is not None:
            with suppress(Undecidable):  # The link says so, as a new one does.
                copy_one(services, organization, issue_id, work_item_id, Side(initial))
    for stored in services.links.for_issue(organization.scope, made.issue_id, but=work_item_id):
        if stored.link.form is not None and stored.link.form.at <= form.at:
            with suppress(
                NotFound, Conflict
            ):  # Somebody else removed it, or a worker did; it comes up again.
                part(services, organization, stored, REPLACED)
    return made


def _marked(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, form: FormEntry
) -> IssueLink:
    """Return the existing link, marked as the one for which Sentry is about to show an entry."""
    for _ in range(_ATTEMPTS):
        stored = services.links.get(organization.scope, issue_id, work_item_id)
        with suppress(Conflict):
            return services.links.replace(stored, replace(stored.link, form=form)).link
    raise Conflict("the link keeps changing")


def _claim_or_link(
    services: Services, organization: Organization, issue_id: str, work_item_type: str
) -> ClaimedRecord | IssueLink:
    """Return the right to create, or the link to an item that was created before and still exists."""
    over: str | None = None
    while True:
        name, now = creation_of(issue_id), services.clock()
        claim = services.idempotency.claim(organization.scope, name, now, redo=over)
        if isinstance(claim, ClaimedRecord):
            return claim
        try:
            if not _was_removed(services, organization, issue_id, int(claim), work_item_type):
                return link_by_form(services, organization, issue_id, int(claim))
        except NotFound as error:
            if error.kind != "work-item-not-found":
                raise
        over = claim


def _was_removed(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, work_item_type: str
) -> bool:
    """Tell whether a person removed the created item from the issue in Sentry; if so, part the two."""
    try:
        stored = services.links.get(organization.scope, issue_id, work_item_id)
    except NotFound:
        return False
    issue = services.sentry(organization).find_issues([issue_id]).found.get(issue_id)
    url = services.ado_at_once(organization).web_url(stored.link.project_id, work_item_id)
    if issue is None or not is_wanted_anew(stored.link, work_item_type, url, issue.external_issues):
        return False
    with suppress(NotFound):
        part(services, organization, stored, REMOVED_IN_SENTRY)
    return True


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
