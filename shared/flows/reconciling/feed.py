"""What changed in Azure DevOps since the last run, as its feed of revisions tells: one call if nothing did.

A token is stored after the messages of its pages were put. So a crash repeats some of them, and loses none.
"""

from collections.abc import Iterable
from enum import Enum
from functools import partial
from itertools import groupby

import msgspec
from msgspec.structs import replace

from shared.domain.connection import ado_place
from shared.domain.errors import FeedLost, SyncError, Unavailable
from shared.domain.messages import InboundMessage
from shared.domain.model import (
    FEED_TOKEN_REFUSED,
    FEED_UNREADABLE,
    IssueLink,
    RevisedItem,
    RevisionPage,
    WorkItem,
)
from shared.domain.ports import AdoFeed
from shared.domain.rules.news import (
    ask_about,
    due_at_beginning,
    is_given_up,
    is_news,
    message_for_deletion,
    message_for_rev,
)
from shared.flows.reconciling.run import Part, Run
from shared.store.progress import Feed

# A feed begins that long (seconds) ago: our clock may be ahead of the service's.
_OVERLAP = 600.0
# Pages are read until so many work items are at hand, which are then looked for among the links at once.
_ITEMS_AT_ONCE = 2_000
_MESSAGES = 1_000
_PAGES_A_RUN = 1_000


class _How(Enum):
    """What else the feed may show of a work item than a revision of it."""

    DELETED = "deleted"
    UNREADABLE = "unreadable"


class Changes(msgspec.Struct):
    """What some pages tell, each work item once, as it was told last; ``end`` is the token behind them."""

    end: str | None
    is_last: bool = False
    items: dict[int, RevisedItem | _How] = {}

    def add(self, page: RevisionPage) -> None:
        self.items |= {item.id: item for item in page.items}
        self.items |= dict.fromkeys(page.deleted, _How.DELETED)
        self.items |= dict.fromkeys(page.unreadable, _How.UNREADABLE)
        self.end, self.is_last = page.token or self.end, page.is_last


class _Turn:
    """What the feed may take of a run: so many pages, and half of the time, as the others want theirs.

    ``has_news`` says that any page of the run told something.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stop_at = (run.now + run.stop_at) / 2
        self._pages = 0
        self.has_news = False

    @property
    def is_over(self) -> bool:
        return self._pages >= _PAGES_A_RUN or self._run.now > self._stop_at

    def count(self, page: RevisionPage) -> None:
        self._pages += 1
        self.has_news = self.has_news or bool(page.items or page.deleted or page.unreadable)


def read_feed(run: Run) -> None:
    """Put a message for each linked work item that changed; where the feed cannot tell, want a full look."""
    turn = _Turn(run)
    feed = run.progress.feed
    if feed is None or feed.place != _place_of(run):
        feed = _begin(run)
    try:
        _read(run, feed, turn)
    except FeedLost as lost:
        _give_up(run, lost)
        if lost.kind in {FEED_TOKEN_REFUSED, FEED_UNREADABLE}:
            _read_from_now(run, turn)
    except Unavailable:
        _count_failure(run)
        raise


def _begin(run: Run) -> Feed:
    """Return a feed from now on; what was before is found by a full look, and another one an hour later."""
    run.want_look()
    feed = Feed(run.now - _OVERLAP, place=_place_of(run))
    run.progress = replace(run.progress, feed=feed, look_due=due_at_beginning(run.now))
    return feed


def _place_of(run: Run) -> str:
    return ado_place(run.organization.configuration.ado_url or "")


def _read_from_now(run: Run, turn: _Turn) -> None:
    try:
        _read(run, _begin(run), turn)
    except FeedLost as lost:
        _give_up(run, lost)


def _give_up(run: Run, lost: FeedLost) -> None:
    """Have all work items looked at instead. That tells all that changed, so no token is needed for it."""
    run.was_answered("ado", allowed=False)
    run.note(Part.FEED, lost)
    run.want_look()
    run.progress = replace(run.progress, feed=None)


def _count_failure(run: Run) -> None:
    """Give a token up after some runs that failed: a lost one may be answered like an outage."""
    feed = run.progress.feed or _begin(run)
    failing = replace(feed, failures=feed.failures + 1)
    if is_given_up(failing.failures):
        run.want_look()
    run.progress = replace(run.progress, feed=None if is_given_up(failing.failures) else failing)


def _read(run: Run, feed: Feed, turn: _Turn) -> None:
    ado = run.services.ado(run.organization)
    projects = _Projects(ado)
    reached, passed = feed.token, {feed.token}
    while True:
        changes = _changes(run, ado, reached, feed.since, turn, passed)
        _put_messages(run, changes, projects)
        reached = changes.end
        if changes.is_last:
            # Read once more from where the last run came to an end, or from where the feed began: what it
            # told may have been about a link that was in the making then, or may have been lost on the way.
            behind = feed.token if feed.end is None else feed.end
            run.progress = replace(run.progress, feed=replace(feed, token=behind, end=reached, failures=0))
            return
        if turn.is_over and not turn.has_news:
            # Nobody knows how much is behind them, while the full look finds all that changed.
            raise FeedLost("ado", "pages of revisions without any, and without an end", kind=FEED_UNREADABLE)
        run.progress = replace(run.progress, feed=replace(feed, token=reached, end=reached, failures=0))
        run.store()
        if turn.is_over or run.messages.about_items >= _MESSAGES:
            return


def _changes(
    run: Run, ado: AdoFeed, token: str | None, since: float, turn: _Turn, passed: set[str | None]
) -> Changes:
    """Read some pages on from where the feed was read to; ``passed`` are the tokens on the way there."""
    changes = Changes(token)
    while not changes.is_last and len(changes.items) < _ITEMS_AT_ONCE:
        page = run.ask(partial(ado.get_revisions, changes.end, since=since))
        run.was_answered("ado", allowed=False)
        turn.count(page)
        if not page.is_last and page.token in passed:
            raise FeedLost("ado", "the feed of revisions does not go on", kind=FEED_UNREADABLE)
        passed.add(page.token)
        changes.add(page)
        if turn.is_over:
            break
    return changes


class _Projects:
    """The GUIDs of projects, whose names alone the feed tells: looked up once in a run."""

    def __init__(self, ado: AdoFeed) -> None:
        self._ado = ado
        self._known: dict[str, str | None] = {}

    def look_up(self, names: Iterable[str]) -> None:
        """Without an answer the work items are asked for one by one, and name their projects themselves."""
        unknown = sorted(set(names) - self._known.keys())
        if unknown:
            try:
                found = self._ado.find_project_ids(unknown)
            except SyncError:
                found = {}
            self._known |= {name: found.get(name) for name in unknown}

    def snapshot(self, item: RevisedItem) -> WorkItem | None:
        project_id = self._known.get(item.project)
        return None if project_id is None else item.in_project(project_id)


def _put_messages(run: Run, changes: Changes, projects: _Projects) -> None:
    links = list(run.services.links.of_work_items(run.organization.scope, changes.items))
    revised = ((each.link, changes.items[each.link.work_item_id]) for each in links)
    projects.look_up(
        item.project for link, item in revised if isinstance(item, RevisedItem) and is_news(link, item.rev)
    )
    for work_item_id, of_item in groupby(links, key=lambda stored: stored.link.work_item_id):
        item = changes.items[work_item_id]
        wanted = ((each, _message(each.link, item, projects)) for each in of_item)
        run.messages.ask_about_item(wanted, is_gone=item is _How.DELETED)


def _message(link: IssueLink, item: RevisedItem | _How, projects: _Projects) -> InboundMessage | None:
    match item:
        case _How.DELETED:
            return message_for_deletion(link)
        case _How.UNREADABLE:
            return ask_about(link)
        case RevisedItem():
            return message_for_rev(link, item.rev, projects.snapshot(item))
