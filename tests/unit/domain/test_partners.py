"""Several links at one end, as tables: whose change it is, how a partner counts, when an end becomes done."""

import pytest
from msgspec.structs import replace

from shared.domain.model import (
    ASSIGNEE,
    STATUS,
    Claim,
    EndRecord,
    Ends,
    Health,
    HealthWord,
    Intent,
    IssueLink,
    IssueSide,
    IssueStatus,
    ItemSide,
    Person,
    Side,
)
from shared.domain.rules.landing import as_if_edited
from shared.domain.rules.partners import (
    Standing,
    all_done,
    announced,
    followed,
    is_own_or_persons,
    landed,
    looked_into,
    may_end_waiting,
    may_have_changed,
    over,
    own_write,
    released,
    respelled,
    standing,
    still_shown,
    without,
)

RESOLVED, UNRESOLVED, IGNORED = IssueStatus.RESOLVED, IssueStatus.UNRESOLVED, IssueStatus.IGNORED
ADO, SENTRY = Side.ADO, Side.SENTRY
DONE, OPEN, LEFT_OUT = Standing.DONE, Standing.OPEN, Standing.LEFT_OUT
ANN, BOB = Person("ann@corp.example"), Person("bob@corp.example")
NOW = 1_800_000_000.0

CLOSE = Intent(ADO, STATUS, state="Closed", status=RESOLVED)
REOPEN = Intent(ADO, STATUS, state="Active", status=UNRESOLVED)
RESOLVE = Intent(SENTRY, STATUS, status=RESOLVED)
TO_ANN, TO_BOB = Intent(ADO, ASSIGNEE, assignee=ANN), Intent(ADO, ASSIGNEE, assignee=BOB)
CLAIM = Claim("t", NOW + 60, 7, (CLOSE,), Ends(IssueSide(RESOLVED), ItemSide(7, "Closed", RESOLVED)))
SHOWN = Ends(IssueSide(RESOLVED), ItemSide(8, "Closed", RESOLVED, ANN))


def ends_open(state: str) -> Ends:
    return Ends(IssueSide(UNRESOLVED), ItemSide(8, state, UNRESOLVED, ANN))


# Whose change it is.


@pytest.mark.parametrize(
    ("ours", "field", "value", "own"),
    [
        ((), STATUS, "Closed", None),
        ((CLOSE,), STATUS, "Closed", CLOSE),
        ((CLOSE,), STATUS, "Active", None),
        ((CLOSE, REOPEN), STATUS, "Active", REOPEN),  # it is not known yet which of them shows
        ((CLOSE, TO_ANN), ASSIGNEE, ANN, TO_ANN),
        ((CLOSE, TO_ANN), ASSIGNEE, None, None),
        ((Intent(ADO, ASSIGNEE),), ASSIGNEE, None, Intent(ADO, ASSIGNEE)),  # we had unassigned it
    ],
)
def test_a_value_is_ours_as_long_as_we_wrote_it_last(
    ours: tuple[Intent, ...], field: str, value: object, own: Intent | None
) -> None:
    assert own_write(EndRecord(ours=ours), field, value) == own


@pytest.mark.parametrize(
    ("record", "own"),
    [
        (EndRecord(), True),  # a person's
        (EndRecord(ours=(REOPEN,), of=("200", 31)), True),
        (EndRecord(ours=(CLOSE,), of=("100", 31)), True),
        (EndRecord(ours=(CLOSE,), of=("200", 31)), False),
        (EndRecord(ours=(CLOSE,)), False),
    ],
)
def test_what_was_written_for_another_link_is_neither_a_persons_nor_ours(
    record: EndRecord, own: bool
) -> None:
    assert is_own_or_persons(record, linked(), STATUS, "Closed") is own


def test_an_assignment_is_ours_under_each_of_the_persons_names() -> None:
    record = EndRecord(ours=(RESOLVE, TO_ANN))
    known = [replace(TO_ANN, others=(BOB, ANN)), RESOLVE]
    assert respelled(record, known) == EndRecord(ours=(RESOLVE, TO_ANN, TO_BOB))


@pytest.mark.parametrize(
    ("of", "then"), [(("100", 31), ("200", 31)), (("300", 31), ("300", 31)), (None, None)]
)
def test_only_what_was_written_for_a_merged_issue_is_the_surviving_ones(
    of: tuple[str, int] | None, then: tuple[str, int] | None
) -> None:
    assert followed(EndRecord(ours=(CLOSE,), of=of), linked(), "200") == EndRecord(ours=(CLOSE,), of=then)


@pytest.mark.parametrize(
    ("before", "writes", "uncertain", "after"),
    [
        # It landed: only the value as the service spells it is left of the field.
        ((), (CLOSE,), (), (CLOSE,)),
        ((REOPEN, TO_BOB), (CLOSE,), (), (TO_BOB, CLOSE)),
        ((TO_BOB,), (Intent(ADO, ASSIGNEE, assignee=Person("ann@other.example")),), (), (TO_ANN,)),
        # It was refused: what was ours before still is.
        ((REOPEN,), (), (), (REOPEN,)),
        # Nobody knows: either may show.
        ((REOPEN,), (), (CLOSE,), (REOPEN, CLOSE)),
        ((CLOSE,), (), (CLOSE,), (CLOSE,)),
        ((), (CLOSE,), (TO_ANN,), (CLOSE, TO_ANN)),
        # Sentry counts no revisions.
        ((), (RESOLVE,), (), (RESOLVE,)),
    ],
)
def test_what_becomes_of_a_write_decides_what_is_ours(
    before: tuple[Intent, ...],
    writes: tuple[Intent, ...],
    uncertain: tuple[Intent, ...],
    after: tuple[Intent, ...],
) -> None:
    dead = EndRecord("dead", 5.0, ("200", 31), before)
    record = released(landed(dead, linked(), writes, SHOWN, NOW), uncertain, "t", NOW)
    assert (record.ours, record.token, record.until) == (
        after,
        "t" if uncertain else "",
        NOW if uncertain else 0.0,
    )
    assert (record.of, record.at) == ((("100", 31), NOW) if writes else (("200", 31), 0.0))
    assert record.rev == (8 if any(each.side is ADO for each in writes) else 0)


def test_an_announced_write_stands_beside_the_one_that_still_shows() -> None:
    record = announced(EndRecord(ours=(REOPEN, TO_ANN)), linked(), (CLOSE, TO_ANN), CLAIM)
    assert record == EndRecord("t", NOW + 60, ("100", 31), (REOPEN, TO_ANN, CLOSE))


def test_of_a_write_that_landed_neither_the_way_nor_the_other_names_are_kept() -> None:
    writes = (replace(CLOSE, via=(REOPEN,)), replace(TO_ANN, others=(BOB,)))
    assert landed(EndRecord(), linked(), writes, SHOWN, NOW).ours == (CLOSE, TO_ANN)


IN_SENTRY = Intent(SENTRY, ASSIGNEE, assignee=ANN)
CLAIM_IN_SENTRY = replace(CLAIM, intents=(RESOLVE,))


@pytest.mark.parametrize(
    ("claim", "side", "ours", "shown", "left"),
    [
        (CLAIM, ADO, (REOPEN, CLOSE), SHOWN, (CLOSE,)),  # it landed
        (CLAIM, ADO, (REOPEN, CLOSE), ends_open("Active"), (REOPEN,)),  # it did not
        (CLAIM, ADO, (REOPEN, CLOSE), ends_open("New"), ()),  # a person chose another one
        (CLAIM, ADO, (CLOSE, TO_BOB), SHOWN, (CLOSE, TO_BOB)),  # nobody announced a person
        (CLAIM_IN_SENTRY, SENTRY, (RESOLVE,), SHOWN, (RESOLVE,)),
        (CLAIM_IN_SENTRY, SENTRY, (RESOLVE, IN_SENTRY), ends_open("New"), (IN_SENTRY,)),
        # What was announced for the other side says nothing of this one.
        (CLAIM, SENTRY, (RESOLVE,), ends_open("New"), (RESOLVE,)),
    ],
)
def test_of_a_claim_that_was_looked_into_only_what_shows_is_ours(
    claim: Claim, side: Side, ours: tuple[Intent, ...], shown: Ends, left: tuple[Intent, ...]
) -> None:
    record = EndRecord("t", NOW, ("100", 31), ours, rev=3, at=5.0)
    rev = 8 if side is ADO else 0  # Sentry counts no revisions.
    after = looked_into(record, claim, shown, side, NOW + 60)
    assert after == EndRecord("", 0.0, ("100", 31), left, rev=rev, at=NOW + 60)


def test_of_what_is_over_only_what_shows_is_ours() -> None:
    record = EndRecord("dead", NOW, ("100", 31), (CLOSE, TO_ANN), rev=7, at=5.0)
    shown = ItemSide(8, "New", UNRESOLVED, ANN)
    # It may have landed as late as that.
    assert over(record, shown) == EndRecord("", 0.0, ("100", 31), (TO_ANN,), rev=7, at=NOW)
    later = replace(record, at=NOW + 1.0)
    assert over(later, shown).at == NOW + 1.0


def test_an_edit_tells_nothing_of_the_other_field() -> None:
    record = EndRecord("dead", NOW, ("100", 31), (REOPEN, CLOSE, TO_ANN), rev=7, at=5.0)
    assert without(record, [STATUS]) == EndRecord("dead", NOW, ("100", 31), (TO_ANN,), rev=7, at=5.0)
    assert without(record, []) == record


@pytest.mark.parametrize(
    ("record", "read_at", "rev", "changed"),
    [
        (EndRecord(), NOW, 7, False),
        (EndRecord(at=NOW - 1, rev=7), NOW, 7, False),
        (EndRecord(at=NOW, rev=7), NOW, 7, False),
        (EndRecord(at=NOW + 1, rev=7), NOW, 7, True),  # recorded after the look
        (EndRecord(until=NOW + 1), NOW, 7, True),  # announced, and never recorded
        (EndRecord(until=NOW), NOW, 7, False),
        (EndRecord(at=NOW + 122), NOW, 7, True),
        (EndRecord(at=NOW + 122.1), NOW, 7, False),  # by a clock that was ahead
        (EndRecord(until=NOW + 122), NOW, 7, True),
        (EndRecord(until=NOW + 122.1), NOW, 7, False),
        (EndRecord(until=2e11, at=NOW + 1), NOW, 7, True),
        # A server went back to a backup: what was asked for is how it stands.
        (EndRecord(at=NOW - 1, rev=9), NOW, 3, False),
        # A snapshot that came along has no time, but a revision.
        (EndRecord(at=NOW, rev=7), None, 7, False),
        (EndRecord(at=NOW, rev=8), None, 7, True),
        (EndRecord(until=NOW - 1), None, 7, True),
        (EndRecord(at=NOW), None, None, False),
    ],
)
def test_a_look_from_before_our_last_write_is_not_judged(
    record: EndRecord, read_at: float | None, rev: int | None, changed: bool
) -> None:
    assert may_have_changed(record, read_at, rev, NOW + 2) is changed


def test_of_an_end_that_nobody_watched_only_what_still_shows_is_ours() -> None:
    record = EndRecord(ours=(CLOSE, TO_BOB), rev=7, at=5.0)
    assert still_shown(record, SHOWN.item) == EndRecord(ours=(CLOSE,), rev=7, at=5.0)


# Done needs all.


def linked(
    status: IssueStatus = UNRESOLVED,
    state: str = "New",
    counts_as: IssueStatus | None = UNRESOLVED,
    *,
    removed: bool = False,
    reason: str = "",
    claimed: tuple[Intent, ...] = (),
) -> IssueLink:
    seen = Ends(IssueSide(status), ItemSide(7, state, counts_as, removed=removed))
    health = Health(HealthWord.ATTENTION, reason) if reason else Health()
    claim = Claim("t", NOW, 7, claimed, seen) if claimed else None
    return IssueLink("fabrikam", "100", 31, "p-1", "Bug", seen, health=health, claim=claim)


def made_up(link: IssueLink, side: Side) -> IssueLink:
    return replace(link, seen=as_if_edited(link.seen, side))


@pytest.mark.parametrize(
    ("link", "side", "expected"),
    [
        (linked(), ADO, OPEN),
        (linked(), SENTRY, OPEN),
        (linked(counts_as=RESOLVED), ADO, DONE),
        (linked(counts_as=RESOLVED), SENTRY, OPEN),
        (linked(RESOLVED), SENTRY, DONE),
        (linked(RESOLVED), ADO, OPEN),
        # Left out: nobody works on it any more.
        (linked(IGNORED), SENTRY, LEFT_OUT),
        (linked(state="Removed", removed=True), ADO, LEFT_OUT),
        (linked(state="Removed", counts_as=RESOLVED, removed=True), ADO, DONE),
        (linked(reason="work-item-gone"), ADO, LEFT_OUT),
        (linked(RESOLVED, reason="work-item-gone"), SENTRY, DONE),
        (linked(reason="issue-gone"), SENTRY, LEFT_OUT),
        (linked(counts_as=RESOLVED, reason="issue-gone"), ADO, DONE),
        # What is not known counts as not done.
        (linked(counts_as=None), ADO, OPEN),
        (linked(counts_as=RESOLVED, reason="unknown-state"), ADO, OPEN),
        (linked(RESOLVED, reason="unknown-state"), SENTRY, DONE),
        (replace(linked(counts_as=RESOLVED, reason="forbidden"), undecided=True), ADO, OPEN),
        (replace(linked(RESOLVED), undecided=True), SENTRY, DONE),
        (linked(counts_as=RESOLVED, claimed=(CLOSE,)), ADO, OPEN),
        (linked(RESOLVED, claimed=(CLOSE,)), SENTRY, OPEN),
        (linked(counts_as=RESOLVED, claimed=(TO_ANN,)), ADO, DONE),
        # Nor does what linking made up.
        (made_up(linked(), SENTRY), SENTRY, OPEN),
        (made_up(linked(), ADO), ADO, OPEN),
        (made_up(linked(IGNORED, counts_as=RESOLVED), SENTRY), SENTRY, OPEN),
        (made_up(linked(counts_as=RESOLVED), SENTRY), ADO, DONE),
    ],
)
def test_a_partner_counts_by_what_its_link_tells(link: IssueLink, side: Side, expected: Standing) -> None:
    assert standing(link, side) is expected


@pytest.mark.parametrize(
    ("others", "done"),
    [
        ([], True),
        ([linked(counts_as=RESOLVED)], True),
        ([linked(counts_as=RESOLVED), linked()], False),
        ([linked(state="Removed", removed=True), linked(reason="work-item-gone")], True),
        ([linked(counts_as=None)], False),
        ([linked(counts_as=RESOLVED), None], False),
        ([None, linked(state="Removed", removed=True)], False),
    ],
)
def test_an_issue_is_done_with_all_its_work_items_but_those_left_out(
    others: list[IssueLink | None], done: bool
) -> None:
    assert all_done(others, SENTRY) is done


@pytest.mark.parametrize(
    ("before", "after", "side", "ends"),
    [
        (linked(), linked(counts_as=RESOLVED), SENTRY, True),
        (linked(), linked(state="Removed", removed=True), SENTRY, True),
        (linked(), linked(reason="work-item-gone"), SENTRY, True),
        (linked(), linked(IGNORED), ADO, True),
        (linked(), linked(RESOLVED), ADO, True),
        # It had ended before, or the end is done by now, or archived.
        (linked(counts_as=RESOLVED), linked(counts_as=RESOLVED), SENTRY, False),
        (linked(), linked(RESOLVED, counts_as=RESOLVED), SENTRY, False),
        (linked(), linked(IGNORED, counts_as=RESOLVED), SENTRY, False),
        (linked(), linked(RESOLVED, counts_as=RESOLVED), ADO, False),
        # It keeps the end open.
        (linked(counts_as=RESOLVED), linked(), SENTRY, False),
        (linked(), linked(), SENTRY, False),
    ],
)
def test_a_partner_that_keeps_its_end_open_no_more_ends_the_waiting_of_others(
    before: IssueLink, after: IssueLink, side: Side, ends: bool
) -> None:
    assert may_end_waiting(before, after, side) is ends


def test_removed_counts_for_the_side_that_was_removed_only() -> None:
    link = linked(RESOLVED, state="Removed", removed=True)
    assert standing(link, SENTRY) is DONE
    assert standing(replace(link, seen=SHOWN), ADO) is DONE
