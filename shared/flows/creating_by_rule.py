"""Creating a work item as an alert rule in Sentry asks: one for an issue, whatever fires, dies or is merged.

Two idempotency records guard it: what a rule does for the issue, which outlives the link, and the creation,
which the form shares. A worker that finds the first one claimed and not marked looks for what was made. Who
stood still creates nothing once the claims may be another's, and a link is made together with their marks.
"""

from collections.abc import Iterable
from contextlib import suppress
from functools import cached_property
from typing import Any

import msgspec

from shared.ado.client import AdoClient
from shared.ado.creation import NewWorkItem, find_created, patch_for
from shared.domain.errors import (
    AlreadyLinked,
    Busy,
    Conflict,
    NotFound,
    SyncError,
    Throttled,
    Unavailable,
)
from shared.domain.failures import ISSUE_GONE
from shared.domain.messages import OutboundMessage, RuleAction
from shared.domain.model import ActivityEntry, End, IssueLink, SentryIssue, Side
from shared.flows.back_links import issue_in
from shared.flows.creating import completed, create_once, parted_before
from shared.flows.linking import ByRule, link
from shared.flows.putting_off import TROUBLES, put_off
from shared.flows.syncing import OTHER_CONNECTION, addressee_of
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of, rule_of, told_of
from shared.store.links import StoredLink
from shared.store.organizations import Organization

# What becomes of a rule's action.
CREATED, ALREADY_LINKED, ALREADY_CREATED = "created", "already-linked", "already-created"
_SHORTLY = 2.0  # seconds


def create_by_rule(message: OutboundMessage, services: Services) -> list[str]:
    """Create a work item as a rule asks, once for an issue, and link it; return what came of it.

    However many rules fire, and how often: an issue that is linked by then, or for which a rule created an
    item before, gets none. Nobody is there to try again, so the message stays until the services work.
    """
    try:
        return [_create_by_rule(message, services)]
    except TROUBLES as error:
        raise put_off(services, message, error) from error


def _create_by_rule(message: OutboundMessage, services: Services) -> str:
    organization, action = addressee_of(services, message), message.action
    if organization is None or action is None:
        return OTHER_CONNECTION
    began = services.clock()
    try:
        issue = services.sentry(organization).get_issue(message.issue_id)
        # What was begun before the issue was merged stands under its old id, and links until they follow.
        names = tuple(dict.fromkeys((issue.issue_id, message.issue_id)))
        return _Creation(services, organization, issue, action, names, began).outcome()
    except NotFound as error:
        if error.kind != "issue-not-found":
            raise
        return ISSUE_GONE


class _Draft(msgspec.Struct, frozen=True):
    """What is to be created, and the right to, or the number of what was created before."""

    new: NewWorkItem
    patch: list[dict[str, Any]]
    claim: ClaimedRecord | str


class _Creation(msgspec.Struct, dict=True):
    """What one rule asks for an issue; ``names`` are the ids that the issue has and had.

    ``began`` is a moment before the issue was read, and before the first claim.
    """

    services: Services
    organization: Organization
    issue: SentryIssue
    action: RuleAction
    names: tuple[str, ...]
    began: float

    @cached_property
    def _ado(self) -> AdoClient:
        return self.services.ado(self.organization)

    def outcome(self) -> str:
        """Finish what a worker began that died, or create an item if the issue needs one."""
        found = self._found()
        linked = [each.link for each in found if each is not None]
        claims: dict[str, ClaimedRecord] = {}
        try:
            self._claim_unfinished(claims)
            # Meanwhile it was done for an issue that was merged into this one.
            was_done = any(claim.before is not None for claim in claims.values())
            if not found:
                was_done |= self._claim_the_others(claims)
            made = self._made_before(claims)
            draft = None if made or found or was_done else self._drafted()
        except SyncError:
            self._give_back(claims.values())
            raise
        if draft is not None:
            made = {self.issue.issue_id: self._create(draft, claims)}
        if not made:
            self._give_back(claims.values(), is_settled=True)
            if linked:
                self._tell_linked(linked[0])
            return ALREADY_LINKED if found else ALREADY_CREATED
        return self._linked(made, claims, linked)

    def _found(self) -> list[StoredLink | None]:
        """Return the links of the issue; None is one that cannot be read, but is there."""
        links, scope = self.services.links, self.organization.scope
        return [stored for each in self.names for stored in links.of_issue(scope, each)]

    # The right to create

    def _claim_unfinished(self, claims: dict[str, ClaimedRecord]) -> None:
        """Take over what workers began for the issue and left, by the ids under which they did."""
        for name in self.names:
            if self.services.idempotency.is_unfinished(self.organization.scope, rule_of(name)):
                claim = self._claim(name)
                if isinstance(claim, ClaimedRecord):
                    claims[name] = claim

    def _claim_the_others(self, claims: dict[str, ClaimedRecord]) -> bool:
        """Add the claims for the other ids; tell whether a rule was done for one of them before."""
        was_done = False
        for name in self.names:
            if name not in claims:
                claim = self._claim(name)
                if isinstance(claim, ClaimedRecord):
                    claims[name] = claim
                was_done |= isinstance(claim, str)
        return was_done

    def _claim(self, name: str) -> ClaimedRecord | str:
        return self.services.idempotency.claim(self.organization.scope, rule_of(name), self.services.clock())

    def _give_back(self, claims: Iterable[ClaimedRecord], *, is_settled: bool = False) -> None:
        """End claims under which nothing was made now; what was begun before stays known, unless settled."""
        idempotency, scope = self.services.idempotency, self.organization.scope
        with suppress(Unavailable):  # They run out by themselves.
            for claim in claims:
                if claim.since is None or is_settled:
                    idempotency.abandon(scope, claim)
                else:
                    idempotency.leave(scope, claim, self.services.clock())

    # The work item

    def _made_before(self, claims: dict[str, ClaimedRecord]) -> dict[str, int]:
        """Return what was created under the claims that workers left, by the ids for which it was."""
        begun = {name: claim.since for name, claim in claims.items() if claim.since is not None}
        found = ((name, self._made_for(name, since)) for name, since in begun.items())
        return {name: work_item_id for name, work_item_id in found if work_item_id is not None}

    def _made_for(self, name: str, since: float) -> int | None:
        result = self.services.idempotency.find(self.organization.scope, creation_of(name))
        if result is not None:
            return int(result)
        others = parted_before(self.services, self.organization, self.names, since)
        return find_created(self._ado, lambda url: self._is_page(url, name), since, but=others)

    def _is_page(self, url: str, name: str) -> bool:
        """Tell whether an address is that of the issue's page, under one of its ids."""
        if name == self.issue.issue_id and url == self.issue.permalink:
            return True
        is_known = url == self.services.sentry(self.organization).web_url(name)
        return is_known or issue_in(self.organization, url) == name

    def _drafted(self) -> _Draft:
        """Return what is to be created, and the right to; raise Busy if somebody links the issue instead."""
        services, organization, issue = self.services, self.organization, self.issue
        new = completed(services, organization, self._ado, issue, _asked_by(self.action, issue))
        patch = patch_for(self._ado, new)
        claim = services.idempotency.claim(organization.scope, creation_of(issue.issue_id), services.clock())
        if isinstance(claim, ClaimedRecord) and self._found():
            services.idempotency.abandon(organization.scope, claim)
            raise Busy("the issue was linked at this moment", retry_after=_SHORTLY)
        return _Draft(new, patch, claim)

    def _create(self, draft: _Draft, claims: dict[str, ClaimedRecord]) -> int:
        if not isinstance(draft.claim, ClaimedRecord):
            return int(draft.claim)  # The form created it, and the worker died before it was linked.
        services, organization = self.services, self.organization
        try:
            work_item_id = create_once(
                services,
                organization,
                draft.claim,
                self._ado,
                draft.new,
                draft.patch,
                self.names,
                self.began,
            )
            services.idempotency.done(organization.scope, draft.claim, str(work_item_id))
        except (Unavailable, Throttled):
            raise  # It may be there, or on its way; so the claims last until they run out.
        except SyncError:
            self._give_back(claims.values())
            raise
        return work_item_id

    def _linked(self, made: dict[str, int], claims: dict[str, ClaimedRecord], linked: list[IssueLink]) -> str:
        """Link what was created, and mark the rule as done for the ids that the issue has and had."""
        first = next(iter(made.values()))
        outcomes = set()
        try:
            for each in dict.fromkeys(made.values()):
                under = [claim for name, claim in claims.items() if made.get(name, first) == each]
                outcomes.add(self._link(each, under, linked))
        except SyncError:
            with suppress(Unavailable):
                for claim in claims.values():
                    self.services.idempotency.leave(self.organization.scope, claim, self.services.clock())
            raise
        return CREATED if CREATED in outcomes else ALREADY_CREATED

    def _link(self, work_item_id: int, claims: list[ClaimedRecord], linked: list[IssueLink]) -> str:
        """Link the item, unless it is, or somebody parted the two since, or deleted it; mark the claims."""
        services, organization = self.services, self.organization
        outcome = self._outcome_without(work_item_id, linked)
        if outcome is None:
            by_rule = ByRule(self.action.rule, self.names)
            try:
                link(
                    services,
                    organization,
                    self.issue.issue_id,
                    work_item_id,
                    None,
                    self._ado,
                    by_rule=by_rule,
                    claims=claims,
                )
            except AlreadyLinked:
                outcome = CREATED
            except NotFound as error:
                if error.kind != "work-item-not-found":
                    raise
                outcome = ALREADY_CREATED
            else:
                return CREATED
        for claim in claims:
            services.idempotency.done(organization.scope, claim, str(work_item_id))
        return outcome

    def _outcome_without(self, work_item_id: int, linked: list[IssueLink]) -> str | None:
        """Return what comes of an item that is not to be linked, or None."""
        if any(each.work_item_id == work_item_id for each in linked):
            return CREATED  # Under the old id it may be, which the link leaves by itself.
        return ALREADY_CREATED if self._was_parted(work_item_id) else None

    def _was_parted(self, work_item_id: int) -> bool:
        ended = self.services.activity.ended(self.organization.scope, End(Side.ADO, str(work_item_id)))
        return any(each.partner in self.names for each in ended)

    def _tell_linked(self, linked: IssueLink) -> None:
        """Tell, once for a rule and an issue, that there was nothing to create."""
        services, scope = self.services, self.organization.scope
        name, now = told_of(self.action.rule, linked.issue_id), services.clock()
        with suppress(Busy, Conflict):
            claim = services.idempotency.claim(scope, name, now)
            if isinstance(claim, ClaimedRecord):
                entry = ActivityEntry(now, ALREADY_LINKED, reason=f"rule: {self.action.rule}")
                services.activity.add(scope, linked.issue_id, linked.work_item_id, entry)
                services.idempotency.done(scope, claim, ALREADY_LINKED)


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
