"""What shows a link on its two ends: a hyperlink on the work item, an entry on the issue's page in Sentry.

A hyperlink of ours is marked by its comment, so that a person's is never taken for one, and so that the links
are found again by them. An entry belongs to one link of its issue, as Sentry shows one for each integration.
"""

from collections.abc import Collection, Sequence
from enum import StrEnum

import msgspec
from msgspec.structs import replace

from shared.domain.model import IssueLink, Remnant
from shared.domain.moments import DAY, HOUR

# How long (seconds) a deleted work item is asked for: whoever deleted one by mistake has noticed by then.
_RESTORED_WITHIN = 30 * DAY


class Mark(StrEnum):
    """What the comment of a hyperlink says: who put it there. NONE is a person.

    That of a work item which was made for an issue is PLAIN as long as it shows no link.
    """

    NONE = ""
    LINKED = "Sentry issue (linked by Azure DevOps Sync)"
    CREATED = "Sentry issue (created by Azure DevOps Sync)"
    PLAIN = "Sentry issue"

    @property
    def shows_link(self) -> bool:
        return self in {Mark.LINKED, Mark.CREATED}


def mark_in(comment: str) -> Mark:
    return next((each for each in Mark if each and each == comment.strip()), Mark.NONE)


class Hyperlink(msgspec.Struct, frozen=True):
    """A hyperlink on a work item: its place among the relations, the issue that it leads to, and its mark."""

    place: int
    issue_id: str | None
    mark: Mark


class HyperlinkChange(msgspec.Struct, frozen=True):
    """What to change: the places to ``remove``, those that get another mark, whether one is to be added."""

    add: bool = False
    remove: tuple[int, ...] = ()
    mark: tuple[tuple[int, Mark], ...] = ()

    @property
    def is_none(self) -> bool:
        return self == HyperlinkChange()


def to_show(hyperlinks: Sequence[Hyperlink], issue_id: str, merged: Collection[str]) -> HyperlinkChange:
    """Return what is to change so that a work item shows the link to an issue, once.

    One that leads there already is enough, whoever put it there. If none of ours is marked, that of a work
    item which was made for the issue gets its mark, and that one is enough as well. Ours that lead to what
    the issue was called before it was merged go, except that of a work item that was made for it: that one
    leads on.
    """
    lead_there = [
        each
        for each in hyperlinks
        if each.issue_id == issue_id or (each.issue_id in merged and each.mark in {Mark.CREATED, Mark.PLAIN})
    ]
    is_marked = any(each.mark.shows_link for each in lead_there)
    origins = [] if is_marked else [each.place for each in lead_there if each.mark is Mark.PLAIN]
    mark = tuple((place, Mark.CREATED) for place in origins[:1])
    is_made_for_it = mark or any(each.mark is Mark.CREATED for each in lead_there)
    idle = {*merged, issue_id} if is_made_for_it else set(merged)
    old = tuple(each.place for each in hyperlinks if each.issue_id in idle and each.mark is Mark.LINKED)
    return HyperlinkChange(add=not lead_there, remove=old, mark=mark)


def to_take_away(hyperlinks: Sequence[Hyperlink], issue_ids: Collection[str]) -> HyperlinkChange:
    """Return what is to change so that a work item shows the link no more.

    A person's hyperlink stays. So does that of a work item that was made for the issue, as where it comes
    from; without its mark, it shows no link.
    """
    ours = [each for each in hyperlinks if each.issue_id in issue_ids]
    return HyperlinkChange(
        remove=tuple(each.place for each in ours if each.mark is Mark.LINKED),
        mark=tuple((each.place, Mark.PLAIN) for each in ours if each.mark is Mark.CREATED),
    )


def still_to_look_at(remnant: Remnant, now: float, *, is_gone: bool) -> Remnant | None:
    """Return what is left of a remnant after both ends were seen to show nothing, or None.

    A deleted work item shows nothing, and may be restored with all that it showed. It is asked for after an
    hour, then each time after as long as it has been gone, and daily at the least.
    """
    if remnant.watched_until > now:
        return replace(remnant, due=remnant.watched_until, watched_until=0.0)
    since = remnant.gone_since if 0.0 < remnant.gone_since <= now else now
    if not is_gone or now - since > _RESTORED_WITHIN:
        return None
    return replace(remnant, gone_since=since, due=now + min(max(HOUR, now - since), DAY))


def entry_owner(links: Collection[IssueLink]) -> IssueLink | None:
    """Return the link that the entry on an issue's page is for: the latest of the form, else the oldest.

    Of two that are as old, it is that to the lower work item. A link without back-links has none, unless
    the form made it, for Sentry itself puts that one there.
    """
    of_form = [(form.at, -each.work_item_id, each) for each in links if (form := each.form) is not None]
    if of_form:
        return max(of_form, key=lambda found: found[:2])[-1]
    shown = [each for each in links if each.back_links is not None]
    return min(shown, key=lambda each: (each.linked_at, each.work_item_id), default=None)


class Shown(StrEnum):
    """What the entry on an issue's page is for."""

    NOTHING = "nothing"
    OWNER = "the link that it belongs to"
    OTHER = "another link of the issue"
    ENDED = "the link that has just ended"
    STRANGE = "a work item that is not linked"


class EntryStep(StrEnum):
    LEAVE = "leave"
    PUT = "put"
    TAKE_AWAY = "take-away"


def shown_by(work_item_id: int | None, owner: IssueLink | None, linked: Collection[int], ended: int) -> Shown:
    """Return what an entry is for that leads to a work item; None: there is no such entry."""
    if work_item_id is None:
        return Shown.NOTHING
    if owner is not None and work_item_id == owner.work_item_id:
        return Shown.OWNER
    if work_item_id in linked:
        return Shown.OTHER
    return Shown.ENDED if work_item_id == ended else Shown.STRANGE


def entry_step(owner: IssueLink | None, shown: Shown) -> EntryStep:
    """Return what to do about the entry: see the table in docs/settling.md#back-links.

    What a person does in Sentry is done to the entry of a form link: one that was seen is put there again by
    nobody, as its absence ends the link.
    """
    if owner is None:
        return EntryStep.TAKE_AWAY if shown is Shown.ENDED else EntryStep.LEAVE
    if shown is Shown.OWNER:
        return EntryStep.LEAVE
    if owner.form is None or shown is Shown.ENDED:
        return EntryStep.PUT
    is_untold = shown is Shown.NOTHING and not owner.form.was_seen
    return EntryStep.PUT if is_untold else EntryStep.LEAVE
