"""Linking the pairs of one page after another; a repeated request goes on where the last one ended."""

from collections.abc import Iterable
from typing import Self

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
# The page that no service has named, and what stands between a page and the last pair of it that was tried.
FIRST, _BEHIND = "first", "~"


class Pair(msgspec.Struct, frozen=True):
    """A pair to be linked, or why it is not to be; ``mark`` is that of the hyperlink that tells of it."""

    issue_id: str
    work_item_id: int
    reason: str = ""
    mark: Mark = Mark.NONE

    @property
    def name(self) -> str:
        return f"{self.issue_id}-{self.work_item_id}"


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


class Place(msgspec.Struct, frozen=True):
    """Where to go on: the page, and the last pair of it that was tried, "" for none.

    A page with more pairs than a minute is enough for is not begun anew, whatever came of the first ones.
    """

    page: str
    last: str = ""

    @classmethod
    def parse(cls, continuation: str) -> Self:
        page, _, last = continuation.partition(_BEHIND)
        return cls(page, last)

    def __str__(self) -> str:
        return f"{self.page}{_BEHIND}{self.last}" if self.last else self.page


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

    def link_all(self, pairs: Iterable[Pair], place: Place) -> Place | None:
        """Link the pairs of a page from a place on, and return where to go on, or None if all were tried.

        A page that no longer holds the last pair that was tried is begun anew.
        """
        wanted = list(dict.fromkeys(pairs))
        all_names = [each.name for each in wanted]
        wanted = wanted[all_names.index(place.last) + 1 if place.last in all_names else 0 :]
        names = {(each.issue_id, each.work_item_id) for each in wanted if not each.reason}
        linked = self._services.links.linked_among(self._organization.scope, names)
        for index, pair in enumerate(wanted):
            # One at least is tried in each request, so that a slow service ends nothing.
            if index and self.is_over:
                return place
            outcome = pair.reason or self._outcome_of(pair, linked)
            if pair.mark is Mark.CREATED and outcome in {LINKED, ALREADY_LINKED}:
                self._note_creation(pair)
            if self.stopped is not None:
                return place
            self.tried.append(Tried(pair.issue_id, pair.work_item_id, outcome))
            place = Place(place.page, pair.name)
        return None

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
