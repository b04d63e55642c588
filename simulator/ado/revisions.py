"""The revisions of an organization in the order in which its feed shows them, and the tokens of that feed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

DEFAULT_PAGE = 200
_FORGOTTEN = 1_000_000


@dataclass(frozen=True)
class FeedModes:
    """How the feed behaves where the service, its version or its owner may choose, or no source says.

    ``refusal`` is the status of every call: 404 or 405 without the route, 403 without the permission.
    ``lost_token`` is the status for a token that it does not know; 200 starts from the beginning instead.
    ``deleted_as`` is how a deleted work item is shown to whoever includes deleted ones: with
    System.IsDeleted, without, with that field and no other, or not at all.
    ``names_token`` False leaves the token to ``nextLink``; ``empty_has_token`` False gives none at all
    where nothing changed since ``startDateTime``.
    """

    refusal: int | None = None
    lost_token: int = 400
    deleted_as: Literal["flagged", "unflagged", "bare", "absent"] = "flagged"
    names_token: bool = True
    empty_has_token: bool = True


@dataclass(frozen=True)
class Entry:
    """One revision of one work item; ``at`` is when it was written, in epoch seconds."""

    work_item_id: int
    rev: int
    at: float


@dataclass(frozen=True)
class Page:
    """What one call reads: possibly nothing, though more follows."""

    entries: tuple[Entry, ...]
    end: int
    is_last: bool


@dataclass
class RevisionLog:
    """Numbers each revision when the feed first shows it, which may be later than it was written.

    A late revision comes behind those that were shown before it, never in front of a token that was given.
    ``lag`` is in seconds, for every revision written from now on; ``lags`` is for single work items.
    """

    now: Callable[[], float]
    lag: float = 0.0
    lags: Mapping[int, float] = field(default_factory=dict)
    page_size: int = DEFAULT_PAGE
    _shown: list[Entry] = field(default_factory=list)
    _waiting: list[tuple[float, Entry]] = field(default_factory=list)
    _written: dict[int, int] = field(default_factory=dict)
    _newest: dict[int, int] = field(default_factory=dict)
    _base: int = 0

    def write(self, work_item_id: int, rev: int) -> None:
        """Note a revision; one that is known already, such as after a change of links, is none."""
        if self._written.get(work_item_id, 0) >= rev:
            return
        self._written[work_item_id] = rev
        at = self.now()
        due = at + self.lags.get(work_item_id, self.lag)
        self._waiting.append((due, Entry(work_item_id, rev, at)))

    def show_all(self) -> None:
        """Let every late revision show up now, in the order in which they would have."""
        self._show(float("inf"))

    def forget_tokens(self) -> None:
        """Know none of the tokens any more that were given so far, as after a restored backup."""
        self._base += _FORGOTTEN

    def go_back(self, work_item_id: int, rev: int) -> None:
        """Know nothing of an item's later revisions, and none of the tokens, as after a restored backup."""

        def is_left(entry: Entry) -> bool:
            return entry.work_item_id != work_item_id or entry.rev <= rev

        self._shown = [entry for entry in self._shown if is_left(entry)]
        self._waiting = [(due, entry) for due, entry in self._waiting if is_left(entry)]
        self._newest = {entry.work_item_id: place for place, entry in enumerate(self._shown)}
        self._written[work_item_id] = rev
        self.forget_tokens()

    def read(self, start: int, *, latest_only: bool, most: int | None = None) -> Page:
        """Read on behind position ``start``, looking at no more revisions than a page may hold.

        With ``latest_only``, what has a newer revision is left out, so that a page may be empty and not the
        last. That is the harder case for a reader; whether the service fills such pages up is not documented.
        """
        self._show(self.now())
        end = min(len(self._shown), start + min(most or self.page_size, self.page_size))
        entries = tuple(
            entry
            for place, entry in enumerate(self._shown[start:end], start)
            if not latest_only or self._newest[entry.work_item_id] == place
        )
        return Page(entries, end, end == len(self._shown))

    def since(self, moment: float) -> int:
        """Return the position before the first revision written at ``moment`` or later.

        ADO quirk: older ones that come behind it are shown as well (vsts-rest-api-specs issue 154).
        """
        self._show(self.now())
        later = (place for place, entry in enumerate(self._shown) if entry.at >= moment)
        return next(later, len(self._shown))

    def token(self, position: int) -> str:
        """Name a position as the service does: a watermark, an id and a rev (vsts-rest-api-specs)."""
        if position == 0:
            return f"{self._base};0;0"
        entry = self._shown[position - 1]
        return f"{self._base + position};{entry.work_item_id};{entry.rev}"

    def position(self, token: str) -> int | None:
        """Return the position that a token names, or None for one that this log did not give."""
        watermark = token.partition(";")[0]
        position = int(watermark) - self._base if watermark.isdecimal() else -1
        is_here = 0 <= position <= len(self._shown)
        return position if is_here and self.token(position) == token else None

    def _show(self, moment: float) -> None:
        due = sorted((each for each in self._waiting if each[0] <= moment), key=lambda each: each[0])
        self._waiting = [each for each in self._waiting if each[0] > moment]
        for _, entry in due:
            newest = self._newest.get(entry.work_item_id)
            if newest is None or self._shown[newest].rev < entry.rev:
                self._newest[entry.work_item_id] = len(self._shown)
            self._shown.append(entry)
