"""Writing one comment to one work item: added once, edited and removed where it is, and known as ours."""

from typing import Protocol

import msgspec
from msgspec.structs import replace

from shared.ado.client import AdoClient
from shared.ado.comments import add_comment, delete_comment, edit_comment, find_comment_with
from shared.domain.comments import Carried, digest_of
from shared.domain.errors import (
    Busy,
    Forbidden,
    NotFound,
    OrganizationGone,
    Refused,
    Rejected,
    Throttled,
    Unauthorized,
)
from shared.domain.model import IssueLink
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, comment_in_ado
from shared.store.organizations import Organization

COMMENTED, ALREADY_THERE, GONE = "commented", "already-commented", "comment-gone"
EDITED, DELETED = "comment-edited", "comment-deleted"
OURS = "ours"
# Errors after which no comment has been written; after any other error it may have been.
NOTHING_LANDED = (Forbidden, NotFound, OrganizationGone, Refused, Unauthorized)
_BUSY_FOR = 5.0  # seconds
_MAY_BEGIN_WITHIN = 25.0  # seconds; a call takes half a minute at most, and the claim lasts a whole one


class Result(msgspec.Struct, frozen=True):
    """What became of a comment; it is no news if an earlier message had brought it about."""

    outcome: str
    is_news: bool = True


class Change(Protocol):
    """What is to become of a comment on a work item; ``at`` is when somebody wanted it so."""

    @property
    def url(self) -> str:
        """The link with which it begins, and by which it is found."""
        ...

    @property
    def at(self) -> float: ...

    @property
    def is_edit(self) -> bool: ...

    @property
    def is_deletion(self) -> bool: ...

    def html(self, known: Carried) -> str | None:
        """Return what it is to say; None if what is there is newer. Raise NotFound if nobody knows."""
        ...


def carry_once(
    services: Services, organization: Organization, link: IssueLink, name: str, change: Change
) -> Result:
    """Claim, look, write, mark as done. If a worker dies in between, the next one looks before it adds."""
    scope, began = organization.scope, services.clock()
    claim = services.idempotency.claim(scope, name, began)
    if isinstance(claim, str):
        known = Carried.from_result(claim)
        if known.is_gone:
            return Result(GONE, is_news=False)
        if not (change.is_edit or change.is_deletion):
            return Result(ALREADY_THERE, is_news=False)
        began = services.clock()
        claim = services.idempotency.claim(scope, name, began, redo=claim)
        if isinstance(claim, str):
            raise Busy("another change of this comment came in between", retry_after=_BUSY_FOR)
    try:
        outcome, known = _written(services, organization, link, claim, change, began)
    except NOTHING_LANDED:
        _release(services, organization, claim)
        raise
    except Throttled:
        # It may have landed, since a 503 can name a wait as well: whoever comes next looks, and at once.
        services.idempotency.leave(scope, claim, services.clock())
        raise
    services.idempotency.done(scope, claim, known.to_result())
    return Result(outcome)


def verify_time(services: Services, began: float) -> None:
    """Raise Busy if a claim made then leaves no time for a call: another worker may write from its end on."""
    if services.clock() - began > _MAY_BEGIN_WITHIN:
        raise Busy("the claim ran out before anything was written", retry_after=_BUSY_FOR)


def _release(services: Services, organization: Organization, claim: ClaimedRecord) -> None:
    """End a claim under which nothing was written; what was there before counts again.

    Under an earlier claim something may have been: that is still to be looked for.
    """
    if claim.since is not None:
        services.idempotency.leave(organization.scope, claim, services.clock())
    elif claim.before is not None:
        services.idempotency.done(organization.scope, claim, claim.before)
    else:
        services.idempotency.abandon(organization.scope, claim)


def _written(
    services: Services,
    organization: Organization,
    link: IssueLink,
    claim: ClaimedRecord,
    change: Change,
    began: float,
) -> tuple[str, Carried]:
    known = Carried.from_result(claim.before or "")
    html = None if change.is_deletion else change.html(known)
    if html is None and not change.is_deletion:
        return ALREADY_THERE, known
    ado = services.ado(organization)
    writing = _Writing(
        services, organization, ado, link.work_item_id, claim, change, known, html or "", began
    )
    try:
        return writing.done(link.project_id)
    except (NotFound, Rejected):
        # ADO quirk: comments, unlike work items, are found only under their project, which may change.
        project_id = ado.get_work_item(link.work_item_id).project_id
    try:
        return writing.done(project_id)
    except NotFound:
        if writing.comment_id is None:
            raise
        # The work item is there, and somebody removed our comment from it: it stays away.
        return DELETED if change.is_deletion else GONE, Carried(str(writing.comment_id), is_gone=True)


class _Writing:
    def __init__(
        self,
        services: Services,
        organization: Organization,
        ado: AdoClient,
        work_item_id: int,
        claim: ClaimedRecord,
        change: Change,
        known: Carried,
        html: str,
        began: float,
    ) -> None:
        self._services = services
        self._organization = organization
        self._ado = ado
        self._work_item_id = work_item_id
        self._claim = claim
        self._change = change
        self._known = known
        self._html = html
        self._began = began
        self.comment_id = int(known.id) if known.id.isdigit() else None

    def done(self, project_id: str) -> tuple[str, Carried]:
        """Write under a project, and return what came of it."""
        was_carried, is_there = self._claim.before is not None, self.comment_id is not None
        # What is changed may be there without a record: tables are lost, and an organization begins anew.
        is_change = self._change.is_edit or self._change.is_deletion
        if not is_there and (was_carried or self._claim.since is not None or is_change):
            found = find_comment_with(self._ado, project_id, self._work_item_id, self._change.url)
            self.comment_id, is_there = (found.id, True) if found else (None, False)
        if self._change.is_deletion:
            return self._deleted(project_id)
        if not is_there and not was_carried:
            verify_time(self._services, self._began)
            self.comment_id = add_comment(self._ado, project_id, self._work_item_id, self._html)
            return COMMENTED, self._ours()
        if not self._change.is_edit:
            # What it says was not read: an edit that came first may have changed it.
            return ALREADY_THERE, replace(self._ours(), digest="")
        if self.comment_id is None:
            # It is not among the latest ones any more, and adding it again would double it.
            return GONE, self._known
        if self._known.digest == digest_of(self._html) and self._claim.since is None:
            return ALREADY_THERE, self._ours()
        verify_time(self._services, self._began)
        edit_comment(self._ado, project_id, self._work_item_id, self.comment_id, self._html)
        return EDITED, self._ours()

    def _deleted(self, project_id: str) -> tuple[str, Carried]:
        if self.comment_id is None:
            return GONE, Carried(is_gone=True)
        verify_time(self._services, self._began)
        delete_comment(self._ado, project_id, self._work_item_id, self.comment_id)
        return DELETED, Carried(str(self.comment_id), is_gone=True)

    def _ours(self) -> Carried:
        """Note whose it is, so that it does not come back, and return what was carried."""
        number = "" if self.comment_id is None else str(self.comment_id)
        if number:
            name = comment_in_ado(self._work_item_id, number)
            self._services.idempotency.note(self._organization.scope, name, OURS)
        return Carried(number, digest_of(self._html), max(self._known.at, self._change.at))
