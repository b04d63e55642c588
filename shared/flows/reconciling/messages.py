"""The messages of a run: how many there are, how fast they come, and which are on their way already."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec.structs import replace

from shared.domain.failures import HANDLED_WITHIN
from shared.domain.messages import InboundMessage, OutboundMessage
from shared.domain.model import SentryIssue
from shared.services import Services
from shared.store.links import StoredLink
from shared.store.organizations import Organization
from shared.store.progress import Mark

# Sentry answers five look-ups of an issue a second. Workers that find more to do than that are throttled, and
# then their links wait for a back-off.
_A_SECOND = 4
_SPREAD_OVER = 240.0  # seconds; shorter than the time between two runs
# Handling a message about an issue leaves no trace if somebody undid their change meanwhile, and they may
# make it again. So where the issue is shown to differ, the next but one run puts another message. If nobody
# handles messages, they are not to pile up: it takes twice as long the next time, and then half an hour.
_SHOWN_AGAIN_AFTER = (450.0, 900.0, 1800.0)
_PAIRS_A_RUN = 500
# What a message about an issue says of it where it is not shown: a list that was refused tells nothing, one
# that was answered tells that the issue is not in it.
_UNTOLD, _ABSENT = 0, 1
# What one about a work item says that is not there, beside the rev of a snapshot, and 0 of one to ask for.
_GONE = -1
# So many marks take 150 KiB of the 480 that a row holds.
_MOST_MARKS = 4_000


class Messages:
    """Puts the messages of one run, and marks the links that they are about.

    A mark names a link as it stands. Handling a message changes the row, and thereby its mark.
    ``everything`` says that somebody asked for all links, so that nothing of earlier runs is held back.
    """

    def __init__(
        self, services: Services, organization: Organization, marks: Mapping[str, Mark], *, everything: bool
    ) -> None:
        self._services = services
        self._organization = organization
        self._marks = dict(marks)
        self._everything = everything
        self._put_now: set[str] = set()
        self.about_items = self.about_issues = self.about_pairs = 0

    @property
    def marks(self) -> dict[str, Mark]:
        return dict(list(self._marks.items())[-_MOST_MARKS:])

    def ask_about_item(
        self, wanted: Iterable[tuple[StoredLink, InboundMessage | None]], *, is_gone: bool = False
    ) -> None:
        """Have those links of one work item settled for which there is a message.

        One message does for all: one that has the work item asked for, if any does. None is put while one is
        on its way that says as much. That the item ``is_gone``, none says that was put for another reason: it
        may have been handled before.
        """
        messages: dict[str, InboundMessage] = {}
        for stored, message in wanted:
            if message is None:
                continue
            mark = self._mark_of_item(stored)
            if not self._is_on_its_way(mark, _GONE if is_gone else _rev_shown(message)):
                messages[mark] = message
        if messages:
            chosen = min(messages.values(), key=_rev_shown)
            rev = max(message.rev for message in messages.values())
            self._services.inbound.put(replace(chosen, rev=rev), delay=self._delay())
            self.about_items += 1
            self._mark(messages, _GONE if is_gone else _rev_shown(chosen))

    def ask_about_issue(
        self,
        issue_id: str,
        links: Iterable[StoredLink],
        shown: SentryIssue | None = None,
        *,
        is_absent: bool = False,
    ) -> bool:
        """Have an issue's links settled, and tell whether a message was put: one may be on its way.

        ``shown`` is how it stands, None where Sentry does not tell; it is absent where Sentry showed others.
        A message that was put for another reason says nothing of it: it may have been handled before the
        issue changed.
        """
        says = _ABSENT if is_absent else _number_of(shown)
        marks = [each for each in map(self._mark_of_issue, links) if not self._is_asked_about(each, says)]
        if marks:
            slug, epoch = self._organization.slug, self._organization.epoch
            message = OutboundMessage(slug, issue_id, epoch=epoch, again=True)
            self._services.outbound.put(message, delay=self._delay())
            self.about_issues += 1
            self._mark(marks, says)
        return bool(marks)

    def ask_about_pair(self, issue_id: str, work_item_id: int, etag: str) -> None:
        """Have a worker look whether a link shows on its ends, or on neither: at most so many in a run."""
        name = f"pair {work_item_id} {issue_id} {etag}"
        mark = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=6).hexdigest()
        if self.about_pairs == _PAIRS_A_RUN or self._mark_that_counts(mark) is not None:
            return
        slug, epoch = self._organization.slug, self._organization.epoch
        message = OutboundMessage(slug, issue_id, epoch=epoch, again=True, shown_on=work_item_id)
        self._services.outbound.put(message, delay=self._delay())
        self.about_pairs += 1
        self._mark([mark], 0)

    # Marks

    def search_for_lost(self) -> Callable[[StoredLink], bool] | None:
        """Return what tells whether a message was put long ago and left no trace; None if none can have been.

        One that ends as poison may change nothing.
        """
        old = {name for name, mark in self._marks.items() if not self._is_recent(mark)}
        return (lambda stored: self._mark_of_item(stored) in old) if old else None

    def forget(self, links: Iterable[StoredLink]) -> None:
        for stored in links:
            self._marks.pop(self._mark_of_item(stored), None)

    def forget_all(self) -> None:
        self._marks.clear()

    def forget_old(self, since: float) -> None:
        """Forget the marks that were old when a pass began; what grew old meanwhile was not searched for."""
        now = self._services.clock()
        self._marks = {
            name: mark for name, mark in self._marks.items() if since - HANDLED_WITHIN < mark.at <= now
        }

    def _is_on_its_way(self, name: str, says: int) -> bool:
        """Tell whether a message was put for a link as it stands that says as much.

        A snapshot says as much as an older one, and nothing of what else may have become of the work item.
        """
        mark = self._mark_that_counts(name)
        if mark is None:
            return False
        return mark.says >= says if says > 0 else mark.says in {says, _GONE}

    def _is_asked_about(self, name: str, says: int) -> bool:
        """Tell whether a message was put for a link as it stands since its issue was shown like this."""
        mark = self._mark_that_counts(name)
        if mark is None or mark.says != says:
            return False
        again_after = _SHOWN_AGAIN_AFTER[min(mark.times, len(_SHOWN_AGAIN_AFTER) - 1)]
        # Whoever asks for an issue that is merged or gone changes its links.
        return says in {_UNTOLD, _ABSENT} or self._services.clock() - mark.at < again_after

    def _mark_that_counts(self, name: str) -> Mark | None:
        mark = self._marks.get(name)
        if mark is None or not self._is_recent(mark):
            return None
        # What was put before somebody changed the document may wait for what that has cured.
        is_held_back = self._everything or mark.at < self._organization.connection.changed_at
        return None if is_held_back and name not in self._put_now else mark

    def _is_recent(self, mark: Mark) -> bool:
        return 0.0 <= self._services.clock() - mark.at < HANDLED_WITHIN

    def _mark(self, names: Iterable[str], says: int) -> None:
        for name in names:
            before = self._marks.pop(name, None)  # so that the newest are the last
            times = before.times + 1 if before is not None and before.says == says else 0
            self._marks[name] = Mark(int(self._services.clock()), says, times)
            self._put_now.add(name)

    def _mark_of_item(self, stored: StoredLink) -> str:
        return _mark_of("ado", stored, self._services.clock())

    def _mark_of_issue(self, stored: StoredLink) -> str:
        return _mark_of("sentry", stored, self._services.clock())

    def _delay(self) -> float:
        put = self.about_items + self.about_issues + self.about_pairs
        return min(put // _A_SECOND, _SPREAD_OVER)


def _rev_shown(message: InboundMessage) -> int:
    """Return the rev of the snapshot in a message, or 0 for one that has the work item asked for."""
    return message.snapshot.rev if message.snapshot is not None else 0


def _number_of(shown: SentryIssue | None) -> int:
    """Return a number for how an issue is shown."""
    if shown is None:
        return _UNTOLD
    text = msgspec.json.encode((shown.issue_id, shown.side))
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) + _ABSENT + 1


def _mark_of(side: str, stored: StoredLink, now: float) -> str:
    """Return a short name for a link as it stands: each change of its row gives it another one.

    So does falling due. A message that was put before, for a claim left behind, may change nothing.
    """
    link = stored.link
    text = f"{side} {link.work_item_id} {link.issue_id} {stored.etag} {link.health.is_due(now)}"
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()
