"""Linking the pairs of one page after another; a repeated request goes on where the last one ended."""

from collections.abc import Iterable

import msgspec

from shared.domain.errors import AlreadyLinked, SyncError
from shared.domain.rules.back_links import Mark
from shared.flows.going_on import is_of_one
from shared.flows.linking import link
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.organizations import Organization

TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
LINKED, ALREADY_LINKED, WOULD_LINK = "linked", "already-linked", "would-link"
# The page that no service has named.
FIRST = "first"


class Pair(msgspec.Struct, frozen=True):
    """A pair to be linked, or why it is not to be; ``mark`` is that of the hyperlink that tells of it."""

    issue_id: str
    work_item_id: int
    reason: str = ""
    mark: Mark = Mark.NONE


class Tried(msgspec.Struct, frozen=True):
    """What became of a pair; ``work_item_id`` is 0 where the link names none."""

    issue_id: str
    work_item_id: int
    outcome: str


class PageOfPairs(msgspec.Struct, frozen=True):
    """``continuation`` is where the next request goes on; None: there is nothing left.

    ``stopped`` is the kind of an error that keeps the rest of this page from being linked for now.
    """

    links: tuple[Tried, ...]
    continuation: str | None
    stopped: str | None = None


class Linker:
    """Links the pairs of one request, each once, and writes to neither end's status or assignee."""

    def __init__(
        self,
        services: Services,
        organization: Organization,
        *,
        is_dry_run: bool = False,
        rebuilt: bool = False,
    ) -> None:
        self._services = services
        self._organization = organization
        self._is_dry_run = is_dry_run
        self._rebuilt = rebuilt
        self.stop_at = services.clock() + TIME_LIMIT
        self.tried: list[Tried] = []
        self.stopped: str | None = None

    @property
    def is_over(self) -> bool:
        return self.stopped is not None or self._services.clock() > self.stop_at

    def link_all(self, pairs: Iterable[Pair]) -> bool:
        """Link the pairs of a page, and tell whether all of them were tried."""
        wanted = list(dict.fromkeys(pairs))
        names = {(each.issue_id, each.work_item_id) for each in wanted if not each.reason}
        linked = self._services.links.linked_among(self._organization.scope, names)
        for place, pair in enumerate(wanted):
            # One at least is tried in each request, so that a slow service ends nothing.
            if self.stopped or (place and self.is_over):
                return False
            outcome = pair.reason or self._outcome_of(pair, linked)
            if pair.mark is Mark.CREATED and outcome in {LINKED, ALREADY_LINKED}:
                self._note_creation(pair)
            if self.stopped is None:
                self.tried.append(Tried(pair.issue_id, pair.work_item_id, outcome))
        return self.stopped is None

    def _outcome_of(self, pair: Pair, linked: set[tuple[str, int]]) -> str:
        if (pair.issue_id, pair.work_item_id) in linked:
            return ALREADY_LINKED
        if self._is_dry_run:
            return WOULD_LINK
        services, organization = self._services, self._organization
        try:
            link(
                services,
                organization,
                pair.issue_id,
                pair.work_item_id,
                None,
                services.ado(organization),
                rebuilt=self._rebuilt,
            )
        except AlreadyLinked:
            return ALREADY_LINKED
        except SyncError as error:
            if not is_of_one(services, organization, error):
                self.stopped = error.kind
            return error.kind
        return LINKED

    def _note_creation(self, pair: Pair) -> None:
        """Note again that a work item was made for an issue, so that the form makes no second one."""
        records, scope = self._services.idempotency, self._organization.scope
        try:
            claim = records.claim(scope, creation_of(pair.issue_id), self._services.clock())
        except SyncError:
            return  # Somebody is making one at this moment.
        if isinstance(claim, ClaimedRecord):
            records.done(scope, claim, str(pair.work_item_id))
