"""Creating a work item for an issue, and Sentry's form: at most one, even after failures."""

from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.domain.configuration import CreateDefaults
from shared.domain.errors import (
    AlreadyLinked,
    Conflict,
    NotFound,
    SyncError,
    Throttled,
    Unavailable,
    Undecidable,
)
from shared.domain.ids import is_guid
from shared.domain.model import End, IssueLink, SentryIssue, Side
from shared.domain.rules.back_links import Mark, entry_owner
from shared.domain.rules.entries import REPLACED, is_wanted_anew
from shared.domain.text import is_web_address
from shared.flows.back_links import LOST_AFTER, issue_in, look_later
from shared.flows.carrying import verify_time
from shared.flows.copying import copy_one
from shared.flows.linking import Initial, form_entry, link, part, verify_connected
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.links import StoredLink
from shared.store.organizations import Organization

_ATTEMPTS = 5


def create_and_link(
    services: Services,
    organization: Organization,
    issue_id: str,
    new: NewWorkItem,
    initial: Initial | None = None,
    *,
    repeats: bool = False,
) -> IssueLink:
    """Create a work item and link it; a second call for the issue returns the link of the first.

    ``initial`` counts for either, but where the very same form was answered before (``repeats``): that link
    is not copied anew.
    The call claims the right to create first. If an earlier claimant died or lost the answer, this call
    searches for the item that it may have created, by its link back, before it creates another one.
    Raises Busy while another call holds the claim, Rejected if the form lacks a required field.
    """
    ado, issue = services.ado_at_once(organization), services.sentry(organization).get_issue(issue_id)
    new = completed(services, organization, ado, issue, new)
    patch = patch_for(ado, new)  # Reject an incomplete form before claiming.
    began_as = _began_as(services, organization, issue_id, issue.issue_id)
    copied = None if repeats else initial
    claimed = _claim_or_link(services, organization, began_as, new.work_item_type, copied)
    if isinstance(claimed, IssueLink):
        return claimed
    (claim, began), names = claimed, (issue_id, issue.issue_id)
    work_item_id = create_once(services, organization, claim, ado, new, patch, names, began)
    try:
        return link_by_form(
            services, organization, issue_id, work_item_id, initial, is_created=True, created_under=claim
        )
    except SyncError:
        with suppress(SyncError):  # Whoever tries again is to link it, and need not look for it.
            services.idempotency.done(organization.scope, claim, str(work_item_id))
        raise


def _began_as(services: Services, organization: Organization, asked: str, now: str) -> str:
    """Return the id under which the right to create is claimed: that of now, as rules do, if it may be.

    An earlier call may have begun under the id that the issue had before it was merged. What was parted
    since is not what is asked for.
    """
    idempotency, name = services.idempotency, creation_of(asked)
    if asked == now:
        return now
    result = idempotency.find(organization.scope, name)
    if result is None:
        return asked if idempotency.is_unfinished(organization.scope, name) else now
    was_parted = int(result) in parted_before(services, organization, (asked, now), services.clock())
    return now if was_parted else asked


def completed(
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
    mark = Mark.CREATED if organization.configuration.back_links else Mark.PLAIN
    return replace(new, level=issue.level, issue_url=url, link_mark=mark, defaults=defaults)


def create_once(
    services: Services,
    organization: Organization,
    claim: ClaimedRecord,
    ado: AdoClient,
    new: NewWorkItem,
    patch: list[dict[str, Any]],
    names: Collection[str],
    began: float,
) -> int:
    """Return the number of the item that an earlier claimant created, or of a new one.

    The caller marks the claim as done. ``names`` are the ids of the issue, ``began`` is when the first claim
    of those that cover this was made.
    """

    def is_its(url: str) -> bool:
        return url == new.issue_url or issue_in(organization, url) in names

    if claim.since is not None:
        others = parted_before(services, organization, names, claim.since)
        earlier = frozenset() if claim.before is None else frozenset({int(claim.before)})
        work_item_id = find_created(ado, is_its, claim.since, but=others | earlier)
        if work_item_id is not None:
            return work_item_id
    # Had the connection ended before the records were read, they would tell nothing of what was created.
    verify_connected(services, organization)
    verify_time(services, began)
    return _create(services, organization, claim, ado, new, patch)


def parted_before(
    services: Services, organization: Organization, names: Iterable[str], moment: float
) -> frozenset[int]:
    """Return the items whose links to an issue ended before a moment: none of them was created after it.

    Those that were created a little earlier are found as well, since clocks differ.
    """
    ended = (services.activity.ended(organization.scope, End(Side.SENTRY, name)) for name in names)
    return frozenset(
        int(each.partner)
        for found in ended
        for each in found
        if each.at < moment and each.partner.isdecimal()
    )


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
    is_created: bool = False,
    created_under: ClaimedRecord | None = None,
) -> IssueLink:
    """Link the two, or return the existing link: the form may be submitted twice, and ``initial`` counts.

    Sentry shows one link for each issue and integration. So an earlier one that the form made ends.
    ``is_created`` says that the form created the item, and ``created_under`` is the claim under which it has
    just done so: it is marked as done.
    """

    def take_place(made: IssueLink) -> None:
        _take_place(services, organization, made)

    claims = [] if created_under is None else [created_under]
    try:
        return link(
            services,
            organization,
            issue_id,
            work_item_id,
            initial,
            by_form=take_place,
            claims=claims,
            is_created=is_created,
        )
    except AlreadyLinked:
        for claim in claims:
            with suppress(Conflict, NotFound):  # Another worker took it over, and linked the two.
                services.idempotency.done(organization.scope, claim, str(work_item_id))
    # It stands under the id of the issue into which this one may have been merged.
    asked, issue_id = issue_id, services.sentry(organization).get_issue(issue_id).issue_id
    made = _marked(services, organization, issue_id, work_item_id, asked)
    take_place(made)
    if initial is not None:
        with suppress(Undecidable):  # The link says so, as a new one does.
            copy_one(services, organization, issue_id, work_item_id, Side(initial))
    return made


def _marked(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, asked: str
) -> IssueLink:
    """Return the existing link, marked as the one for which Sentry is about to show an entry.

    ``asked`` is the id that the form named: before a merge, an item may have been created under that one.
    """
    for _ in range(_ATTEMPTS):
        stored = services.links.get(organization.scope, issue_id, work_item_id)
        marked = replace(stored.link, form=form_entry(services, organization, issue_id))
        if asked != issue_id:
            marked = marked.known_as([asked], services.clock() + LOST_AFTER)
        with suppress(Conflict):
            made = services.links.replace(stored, marked).link
            if asked != issue_id:
                look_later(services, organization, issue_id, work_item_id)
            return made
    raise Conflict("the link keeps changing")


def _take_place(services: Services, organization: Organization, made: IssueLink) -> None:
    """Part the other links of the issue that the form made: this one comes last, whatever the clocks say.

    Of two forms at once, whichever stores its link last finds both. Whoever parts another's is the latest by
    what it has read, and loses the race if that has changed; so one of them stays.
    """
    issue_id, left = made.issue_id, list[StoredLink]()
    for _ in range(_ATTEMPTS):
        links = services.links.for_issue(organization.scope, issue_id)
        found = {each.link.work_item_id: each for each in links if each.link.form is not None}
        mine = found.pop(made.work_item_id, None)
        if mine is None:  # Another form came, somebody removed it, or it followed a merge.
            issue = services.sentry(organization).get_issue(issue_id)
            if issue.issue_id == issue_id:
                return
            issue_id, left = issue.issue_id, [*left, *found.values()]
            continue
        with suppress(Conflict, NotFound):  # A worker settles it, or somebody else removed it.
            if entry_owner([mine.link, *(each.link for each in found.values())]) != mine.link:
                form = form_entry(services, organization, issue_id)
                services.links.replace(mine, replace(mine.link, form=form))
            for earlier in found.values():
                part(services, organization, earlier, REPLACED)
            for earlier in left:  # They are about to follow the merge.
                with suppress(Conflict, NotFound):
                    part(services, organization, earlier, REPLACED)
            return
    raise Conflict("the links of the issue keep changing")


def _claim_or_link(
    services: Services,
    organization: Organization,
    issue_id: str,
    work_item_type: str,
    initial: Initial | None,
) -> tuple[ClaimedRecord, float] | IssueLink:
    """Return the right to create and since when, or the link to an item that exists since an earlier call."""
    over: str | None = None
    while True:
        name, now = creation_of(issue_id), services.clock()
        claim = services.idempotency.claim(organization.scope, name, now, redo=over)
        if isinstance(claim, ClaimedRecord):
            return claim, now
        try:
            if not _is_wanted_anew(services, organization, issue_id, int(claim), work_item_type):
                return link_by_form(services, organization, issue_id, int(claim), initial, is_created=True)
        except NotFound as error:
            if error.kind != "work-item-not-found":
                raise
        over = claim


def _is_wanted_anew(
    services: Services, organization: Organization, issue_id: str, work_item_id: int, work_item_type: str
) -> bool:
    """Tell whether a person removed the created item from the issue in Sentry, or wants another one.

    The link stays until that of the new item takes its place: creating one may fail.
    """
    try:
        stored = services.links.get(organization.scope, issue_id, work_item_id)
    except NotFound:
        return False
    issue = services.sentry(organization).find_issues([issue_id]).found.get(issue_id)
    url = services.ado_at_once(organization).web_url(stored.link.project_id, work_item_id)
    if issue is None or issue.hides_entries:
        return False
    return is_wanted_anew(stored.link, work_item_type, url, issue.external_issues)


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
