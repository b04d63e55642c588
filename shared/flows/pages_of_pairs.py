"""Linking the pairs of one page after another; a repeated request goes on where the last one ended."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Self, TypeVar

import msgspec

from shared.domain.errors import AlreadyLinked, SyncError, Unavailable
from shared.domain.rules.back_links import Mark
from shared.flows.going_on import Answer, ask_patiently, is_of_one, says_who_it_is
from shared.flows.linking import link
from shared.services import Services
from shared.store.idempotency import ClaimedRecord, creation_of
from shared.store.organizations import Organization

TIME_LIMIT = 60.0  # seconds; an HTTP answer must arrive within 230
LINKED, ALREADY_LINKED, WOULD_LINK = "linked", "already-linked", "would-link"
# The page that no service has named, and what stands between a page and the last pair of it that was tried.
FIRST, _BEHIND = "first", "~"
_AT_ONCE = 200  # things about which a service is asked in one call

Thing = TypeVar("Thing")


class Pair(msgspec.Struct, frozen=True):
    """A pair to be linked, or why it is not to be; ``mark`` is that of the hyperlink that tells of it."""

    issue_id: str
    work_item_id: int
    reason: str = ""
    mark: Mark = Mark.NONE

    @property
    def name(self) -> str:
        return f"{self.issue_id}-{self.work_item_id}"


class Batch(msgspec.Struct, frozen=True):
    """The pairs that were read of some things; of ``unreadable`` others nothing is known."""

    pairs: Sequence[Pair]
    unreadable: int = 0


class Tried(msgspec.Struct, frozen=True):
    """What became of a pair; ``work_item_id`` is 0 where the link names none.

    ``issue_id`` is "" where a work item got no answer that would tell of its issues.
    """

    issue_id: str
    work_item_id: int
    outcome: str


class PageOfPairs(msgspec.Struct, frozen=True):
    """``continuation`` is where the next request goes on; None: there is nothing left.

    ``stopped`` is the kind of an error that keeps the rest from being read or linked for now. ``unreadable``
    issues and work items were passed over: of what they link nothing is known.
    """

    links: tuple[Tried, ...]
    continuation: str | None
    stopped: str | None = None
    unreadable: int = 0


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
    """Links the pairs of one request, each once, and writes to neither end's status or assignee.

    ``place`` is how far it has come.
    """

    def __init__(
        self,
        services: Services,
        organization: Organization,
        begin: Place,
        *,
        is_dry_run: bool = False,
        rebuilt: bool = False,
    ) -> None:
        self._services = services
        self._organization = organization
        self._began = self.place = begin
        self._is_dry_run = is_dry_run
        self._rebuilt = rebuilt
        self._stop_at = services.clock() + TIME_LIMIT
        self._is_done = False
        self._tried: list[Tried] = []
        self._stopped: str | None = None
        self._unreadable = 0

    @property
    def is_over(self) -> bool:
        return self._is_done or self._stopped is not None or self._services.clock() > self._stop_at

    @property
    def page(self) -> PageOfPairs:
        continuation = None if self._is_done else str(self.place)
        return PageOfPairs(tuple(self._tried), continuation, self._stopped, self._unreadable)

    @contextmanager
    def keeping_the_place(self) -> Iterator[None]:
        """Let an error end the request where the next one goes on, with all that this one has come to.

        One that has come to nothing raises it. So the caller, who has that place, is told all of it.
        """
        try:
            yield
        except SyncError as error:
            if self.place == self._began:
                raise
            self._stopped = error.kind

    def ask(self, call: Callable[[], Answer]) -> Answer:
        """Make a call to a service, and wait if it asks for a short wait."""
        return ask_patiently(self._services, self._stop_at, call)

    def turn_to(self, page: str | None, unreadable: int = 0) -> None:
        """Go on to the next page, None: there is none. ``unreadable`` things of this one were passed over."""
        self._unreadable += unreadable
        if page is None:
            self._is_done = True
        else:
            self.place = Place(page)

    def left_of(self, pairs: Iterable[Pair]) -> list[Pair]:
        """Return the pairs of a page behind the last one that was tried, or all if it holds that no more."""
        wanted = list(dict.fromkeys(pairs))
        names = [each.name for each in wanted]
        return wanted[names.index(self.place.last) + 1 if self.place.last in names else 0 :]

    def link_batches(
        self,
        things: Sequence[Thing],
        read: Callable[[Sequence[Thing]], Batch],
        unanswered: Callable[[Thing, str], Pair],
        behind: Callable[[Thing], Place],
    ) -> bool:
        """Link what is read of many things, and tell whether all were reached.

        A batch without a usable answer is halved, if the service says who it is: what is in one thing keeps
        nobody from the others. The one that is left is told as ``unanswered`` by the kind of the error.
        """
        waiting = [things[at : at + _AT_ONCE] for at in range(0, len(things), _AT_ONCE)][::-1]
        while waiting:
            some = waiting.pop()
            if self.is_over:
                if self.place != self._began:
                    return False
                # However long the halving takes, one thing is reached in each request.
                waiting += [some[1:]] if len(some) > 1 else []
                some = some[:1]
            batch = self._read(some, read, unanswered)
            if batch is None:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
                continue
            if not self.link_each(batch.pairs):
                return False
            self._unreadable += batch.unreadable
            self.place = behind(some[-1])
        return True

    def _read(
        self,
        some: Sequence[Thing],
        read: Callable[[Sequence[Thing]], Batch],
        unanswered: Callable[[Thing, str], Pair],
    ) -> Batch | None:
        """Read some things, or return None if it is worth asking about fewer of them."""
        try:
            return self.ask(partial(read, some))
        except Unavailable as error:
            if not says_who_it_is(self._services, self._organization, error.service):
                raise
            return None if len(some) > 1 else Batch([unanswered(some[0], error.kind)])

    def link_each(self, wanted: Sequence[Pair]) -> bool:
        """Link pairs, and tell whether all were tried. The place moves behind each."""
        names = {(each.issue_id, each.work_item_id) for each in wanted if not each.reason}
        linked = self._services.links.linked_among(self._organization.scope, names)
        for index, pair in enumerate(wanted):
            # One at least is tried in each request, so that a slow service ends nothing.
            if index and self.is_over:
                return False
            outcome = pair.reason or self._outcome_of(pair, linked)
            if pair.mark is Mark.CREATED and outcome in {LINKED, ALREADY_LINKED}:
                self._note_creation(pair)
            if self._stopped is not None:
                return False
            self._tried.append(Tried(pair.issue_id, pair.work_item_id, outcome))
            self.place = Place(self.place.page, pair.name)
        return True

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
                self._stopped = error.kind
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
