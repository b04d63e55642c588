"""What is to change so that a link shows on its ends: tables."""

import pytest
from msgspec.structs import replace

from shared.domain.model import (
    BackLinks,
    Ends,
    FormEntry,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Remnant,
)
from shared.domain.moments import DAY, HOUR
from shared.domain.rules.back_links import (
    EntryStep,
    Hyperlink,
    HyperlinkChange,
    Mark,
    Shown,
    entry_owner,
    entry_step,
    mark_in,
    shown_by,
    still_to_look_at,
    to_show,
    to_take_away,
)

OURS, CREATED, PLAIN, THEIRS = Mark.LINKED, Mark.CREATED, Mark.PLAIN, Mark.NONE
ADD, NOTHING = HyperlinkChange(add=True), HyperlinkChange()


def hyperlinks(*found: tuple[str | None, Mark]) -> list[Hyperlink]:
    return [Hyperlink(place, issue_id, mark) for place, (issue_id, mark) in enumerate(found)]


def marked(place: int) -> HyperlinkChange:
    return HyperlinkChange(mark=((place, CREATED),))


@pytest.mark.parametrize(
    ("found", "merged", "change"),
    [
        ([], (), ADD),
        ([("100", OURS)], (), NOTHING),
        ([("100", THEIRS)], (), NOTHING),  # whoever put it there
        ([("100", CREATED)], (), NOTHING),
        ([("101", OURS)], (), ADD),
        ([(None, THEIRS)], (), ADD),  # it leads to no issue of ours
        ([("100", OURS), ("100", THEIRS)], (), NOTHING),
        ([("99", OURS)], ("99",), HyperlinkChange(add=True, remove=(0,))),
        ([("99", OURS), ("100", THEIRS)], ("99",), HyperlinkChange(remove=(0,))),
        ([("99", THEIRS)], ("99",), ADD),
        ([("99", CREATED)], ("99",), NOTHING),  # it leads on
        ([("98", OURS), ("99", OURS)], ("98", "99"), HyperlinkChange(add=True, remove=(0, 1))),
        # Ours without a mark gets one, so that a rebuild finds it; a person's does not.
        ([("100", PLAIN)], (), marked(0)),
        ([("100", THEIRS), ("101", PLAIN), ("100", PLAIN)], (), marked(2)),
        ([("100", PLAIN), ("100", PLAIN)], (), marked(0)),
        ([("100", PLAIN), ("100", OURS)], (), NOTHING),
        ([("100", CREATED), ("100", PLAIN)], (), NOTHING),
        # One that tells where the item comes from is enough.
        ([("100", OURS), ("100", CREATED)], (), HyperlinkChange(remove=(0,))),
        ([("99", CREATED), ("100", OURS)], ("99",), HyperlinkChange(remove=(1,))),
        ([("100", OURS), ("99", CREATED)], (), NOTHING),  # nobody knows that name
        ([("101", PLAIN)], (), ADD),
        ([("99", PLAIN)], (), ADD),
        ([("99", PLAIN)], ("99",), marked(0)),
        ([("99", OURS), ("100", PLAIN)], ("99",), HyperlinkChange(remove=(0,), mark=((1, CREATED),))),
    ],
)
def test_a_link_is_shown_once(
    found: list[tuple[str | None, Mark]], merged: tuple[str, ...], change: HyperlinkChange
) -> None:
    assert to_show(hyperlinks(*found), "100", merged) == change


@pytest.mark.parametrize(
    ("found", "change"),
    [
        ([], NOTHING),
        ([("100", OURS)], HyperlinkChange(remove=(0,))),
        ([("100", THEIRS)], NOTHING),
        ([("100", CREATED)], HyperlinkChange(mark=((0, PLAIN),))),
        ([("100", PLAIN)], NOTHING),
        ([("101", OURS)], NOTHING),
        ([(None, OURS)], NOTHING),
        ([("101", OURS), ("100", OURS), ("99", OURS)], HyperlinkChange(remove=(1, 2))),
    ],
)
def test_only_what_is_ours_is_taken_away(
    found: list[tuple[str | None, Mark]], change: HyperlinkChange
) -> None:
    assert to_take_away(hyperlinks(*found), {"100", "99"}) == change


@pytest.mark.parametrize(
    ("mark", "shows_link"), [(OURS, True), (CREATED, True), (PLAIN, False), (THEIRS, False)]
)
def test_a_mark_is_told_by_the_whole_comment(mark: Mark, shows_link: bool) -> None:
    assert mark_in(f" {mark} ") is mark
    assert mark_in(f"{mark}!") is mark_in("") is THEIRS
    assert mark.shows_link is shows_link


def link(item: int, at: float = 0.0, *, form: float | None = None, shown: bool = True) -> IssueLink:
    unresolved = IssueStatus.UNRESOLVED
    return IssueLink(
        organization="acme",
        issue_id="100",
        work_item_id=item,
        project_id="p",
        work_item_type="Bug",
        seen=Ends(IssueSide(unresolved), ItemSide(1, "New", unresolved)),
        form=None if form is None else FormEntry(form),
        linked_at=at,
        back_links=BackLinks() if shown else None,
    )


@pytest.mark.parametrize(
    ("links", "owner"),
    [
        ([], None),
        ([link(31, 5.0)], 31),
        ([link(31, 5.0), link(32, 4.0)], 32),  # the oldest
        ([link(32, 4.0), link(31, 4.0)], 31),  # as old: the lower work item
        ([link(31), link(32, 4.0)], 31),  # an older version's comes first
        ([link(31, 1.0), link(32, 4.0, form=4.0)], 32),  # the form's
        ([link(31, 1.0, form=1.0), link(32, 4.0, form=4.0)], 32),  # the latest form's
        ([link(32, form=4.0), link(31, form=4.0)], 31),  # as late: the lower work item
        ([link(31, form=0.0), link(32, form=0.5)], 32),
        ([link(31, 1.0, shown=False), link(32, 4.0)], 32),
        ([link(31, 1.0, shown=False)], None),
        ([link(31, 1.0), link(32, 4.0, form=4.0, shown=False)], 32),  # Sentry put it there itself
    ],
)
def test_an_entry_belongs_to_one_link(links: list[IssueLink], owner: int | None) -> None:
    found = entry_owner(links)
    assert (None if found is None else found.work_item_id) == owner


@pytest.mark.parametrize(
    ("leads_to", "shown"),
    [
        (None, Shown.NOTHING),
        (31, Shown.OWNER),
        (32, Shown.OTHER),
        (33, Shown.ENDED),
        (34, Shown.STRANGE),
    ],
)
def test_what_an_entry_is_for(leads_to: int | None, shown: Shown) -> None:
    assert shown_by(leads_to, link(31), {31, 32}, 33) is shown


def test_an_entry_of_a_pair_that_is_linked_again_has_not_ended() -> None:
    assert shown_by(31, link(31), {31}, 31) is Shown.OWNER
    assert shown_by(31, link(32), {31, 32}, 31) is Shown.OTHER


BY_API, BY_FORM = link(31, 1.0), link(31, 1.0, form=1.0)
SEEN = replace(BY_FORM, form=FormEntry(1.0, url="https://dev.azure.com/acme/_workitems/edit/31", app="app"))
LEAVE, PUT, TAKE_AWAY = EntryStep.LEAVE, EntryStep.PUT, EntryStep.TAKE_AWAY


@pytest.mark.parametrize(
    ("owner", "shown", "step"),
    [
        (None, Shown.NOTHING, LEAVE),
        (None, Shown.ENDED, TAKE_AWAY),
        (None, Shown.STRANGE, LEAVE),
        (BY_API, Shown.NOTHING, PUT),
        (BY_API, Shown.OWNER, LEAVE),
        (BY_API, Shown.OTHER, PUT),
        (BY_API, Shown.ENDED, PUT),
        (BY_API, Shown.STRANGE, PUT),
        (BY_FORM, Shown.NOTHING, PUT),  # Sentry may not have stored it, or never will
        (BY_FORM, Shown.OWNER, LEAVE),
        (BY_FORM, Shown.OTHER, LEAVE),  # Sentry is about to
        (BY_FORM, Shown.STRANGE, LEAVE),
        (BY_FORM, Shown.ENDED, PUT),
        (SEEN, Shown.NOTHING, LEAVE),  # a person removed it
        (SEEN, Shown.STRANGE, LEAVE),  # a person put it there
        (SEEN, Shown.ENDED, PUT),
    ],
)
def test_what_becomes_of_an_entry(owner: IssueLink | None, shown: Shown, step: EntryStep) -> None:
    assert entry_step(owner, shown) is step


# What is left of a link that ended

NOW = 1_800_000_000.0
LEFT = Remnant("100", 31, NOW, "forbidden", ("99",))


@pytest.mark.parametrize("is_gone", [False, True])
def test_a_remnant_is_looked_at_again_when_whoever_may_be_at_it_has_ended(is_gone: bool) -> None:
    watched = replace(LEFT, watched_until=NOW + 1.0)
    assert still_to_look_at(watched, NOW, is_gone=is_gone) == replace(LEFT, due=NOW + 1.0)
    assert still_to_look_at(replace(LEFT, watched_until=NOW), NOW, is_gone=False) is None


@pytest.mark.parametrize(
    ("gone_for", "again_in"),
    [
        (0.0, HOUR),
        (HOUR / 2, HOUR),
        (2 * HOUR, 2 * HOUR),
        (DAY, DAY),
        (2 * DAY, DAY),
        (30 * DAY, DAY),
        (30 * DAY + 1.0, None),
    ],
)
def test_a_deleted_work_item_is_asked_for_as_long_again_as_it_has_been_gone(
    gone_for: float, again_in: float | None
) -> None:
    left = replace(LEFT, gone_since=NOW - gone_for)
    later = None if again_in is None else replace(left, due=NOW + again_in)
    assert still_to_look_at(left, NOW, is_gone=True) == later
    assert still_to_look_at(left, NOW, is_gone=False) is None


@pytest.mark.parametrize("since", [0.0, NOW + 1.0, NOW + 1e6])
def test_a_work_item_is_gone_from_now_on_if_nothing_true_says_since_when(since: float) -> None:
    found = still_to_look_at(replace(LEFT, gone_since=since), NOW, is_gone=True)
    assert found == replace(LEFT, gone_since=NOW, due=NOW + HOUR)


@pytest.mark.parametrize("since", [0.5, 1.0])
def test_a_work_item_that_is_gone_since_ever_is_asked_for_no_more(since: float) -> None:
    assert still_to_look_at(replace(LEFT, gone_since=since), NOW, is_gone=True) is None
