"""The reconciler's progress through each organization: a run continues where the last one stopped."""

from collections.abc import Mapping
from contextlib import suppress

import msgspec

from shared.domain.connection import slug_of
from shared.domain.errors import NotFound
from shared.domain.model import HealthWord
from shared.domain.moments import Count, Moment, WholeMoment
from shared.domain.problems import Problem
from shared.domain.rules.apart import Sides
from shared.domain.rules.turns import LastRun
from shared.store.tables import Delete, Replace, Table, readable

_PARTITION = "progress"


class Tally(msgspec.Struct, frozen=True, omit_defaults=True):
    """A count that is taken over several runs: what the last complete pass counted, and this one so far."""

    last: int = 0
    so_far: int = 0

    def counted(self, more: int, *, ends: bool) -> "Tally":
        total = self.so_far + more
        return Tally(total) if ends else Tally(self.last, total)


class Feed(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the feed is read from: behind ``token``, or without one from ``since`` (epoch seconds) on.

    ``end`` is how far it was read already, if that is further. ``place`` is where, as a token means nothing
    elsewhere. ``failures`` counts the runs in a row in which it was not answered.
    """

    since: Moment
    token: str | None = None
    end: str | None = None
    place: str = ""
    failures: Count = 0


class Look(msgspec.Struct, frozen=True, omit_defaults=True):
    """A look at all work items that is under way: ``after`` is the last link that it passed.

    ``again`` asks for another one behind it: what changed meanwhile may be behind its back. ``failures``
    counts the runs in a row that failed at the next link.
    """

    after: str | None = None
    again: bool = False
    failures: Count = 0


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """When (epoch seconds) a message was put for a link, and what it says.

    That is the rev of its snapshot, or a number for how its issue was shown; 0 without either, and -1 of a
    work item that is gone. ``times`` counts the earlier messages that said the same.
    """

    at: WholeMoment
    says: int = 0
    times: Count = 0


class LinkTally(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many links there are: by health, and of the settled ones by whether their sides agree."""

    total: int = 0
    settled: int = 0
    pending: int = 0
    attention: int = 0
    agree: int = 0
    apart: int = 0

    def counted(self, health: HealthWord, sides: Sides | None) -> "LinkTally":
        return LinkTally(
            self.total + 1,
            self.settled + (health is HealthWord.SETTLED),
            self.pending + (health is HealthWord.PENDING),
            self.attention + (health is HealthWord.ATTENTION),
            self.agree + (sides is Sides.AGREE),
            self.apart + (sides is Sides.APART),
        )


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What others read of the progress: ``problems`` by the part that fails, and counts of damaged rows.

    ``links`` are the counts of the last complete pass. ``known`` are the organization's problems by name,
    and since when (epoch seconds) they last: each was put among the events once.
    """

    problems: Mapping[str, Problem] = {}
    unreadable_links: Tally = Tally()
    unreadable_entries: Tally = Tally()
    last_run: LastRun = LastRun()
    links: LinkTally = LinkTally()
    known: Mapping[str, Moment] = {}


class Progress(Told, frozen=True, kw_only=True, omit_defaults=True):
    """What each part of a run has come to; None starts from the beginning.

    ``links_after`` and ``issues_behind`` are the last links that were passed. ``look_due`` is when the next
    look at all work items is due, ``pruned_at`` when the last complete pass over the activity ended (epoch
    seconds). ``everything`` says that somebody asked for all links and the rest of them is still to come.
    ``marks`` names each link for which a message was put, as it stood then. ``asked_at`` is when both
    services were last asked who they are (epoch seconds), and ``links_so_far`` what this pass has counted,
    which began at ``links_since`` (epoch seconds).
    """

    links_after: str | None = None
    issues_behind: str | None = None
    feed: Feed | None = None
    look: Look | None = None
    look_due: Moment = 0.0
    pruned_at: Moment = 0.0
    pruned_until: str | None = None
    everything: bool = False
    marks: Mapping[str, Mark] = {}
    asked_at: Moment = 0.0
    links_so_far: LinkTally = LinkTally()
    links_since: Moment = 0.0


class ProgressStore:
    """Keeps the progress beside the documents; losing it only repeats some reads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization: str) -> Progress:
        try:
            return readable(self._table.get(_PARTITION, organization), Progress) or Progress()
        except NotFound:
            return Progress()

    def told(self) -> dict[str, Told]:
        """Return what is told of every organization whose progress can be read, by scope."""
        rows = ((row.key, readable(row, Told)) for row in self._table.scan(_PARTITION, "", "~"))
        return {scope: told for scope, told in rows if told is not None}

    def last_runs(self) -> dict[str, LastRun]:
        """Return the last run of each organization, by slug."""
        found: dict[str, LastRun] = {}
        for scope, told in self.told().items():
            slug = slug_of(scope)
            found[slug] = max(found.get(slug, LastRun()), told.last_run, key=lambda run: run.began)
        return found

    def scopes_of(self, slug: str) -> list[str]:
        """Return the connections of an organization that ever had a run, until they are removed."""
        rows = self._table.scan(_PARTITION, slug, f"{slug}~~")
        return [row.key for row in rows if slug_of(row.key) == slug]

    def remove(self, organization: str) -> None:
        with suppress(NotFound):
            self._table.apply(_PARTITION, Delete(organization))

    def put(self, organization: str, progress: Progress) -> None:
        self._table.apply(_PARTITION, Replace(organization, msgspec.json.encode(progress).decode(), None))
