"""Idempotency records: who may act, what came of it, who may try again; on the double and on Azurite."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.domain.claims import CLAIMED_FOR
from shared.domain.errors import AlreadyLinked, Busy, Conflict
from shared.domain.model import End, Ends, IssueLink, IssueSide, IssueStatus, ItemSide, Side
from shared.store.idempotency import (
    ClaimedRecord,
    IdempotencyRecord,
    IdempotencyStore,
    creation_of,
    rule_of,
    told_of,
)
from shared.store.links import LinkStore, StoredEnd
from shared.store.tables import Table
from tests.doubles.tables import OvertakenTable, RepeatingTable

ACME, NAME, OTHER_NAME = "acme", creation_of("100"), rule_of("100")
NOW = 1_800_000_000.0
OVER = NOW + 60.0  # when a claim made at NOW has expired

OTHER = "rule-for-201"


@pytest.fixture
def records(table: Table) -> IdempotencyStore:
    return IdempotencyStore(table)


def claimed(
    records: IdempotencyStore, at: float = NOW, *, redo: str | None = None, name: str = NAME
) -> ClaimedRecord:
    claim = records.claim(ACME, name, at, redo=redo)
    assert isinstance(claim, ClaimedRecord)
    return claim


def test_the_first_to_ask_may_do_it(records: IdempotencyStore) -> None:
    assert claimed(records).since is None


def test_what_is_done_is_known_to_every_caller(records: IdempotencyStore) -> None:
    records.done(ACME, claimed(records), "31")
    assert records.claim(ACME, NAME, NOW) == records.claim(ACME, NAME, OVER + 1e9) == "31"


@pytest.mark.parametrize("result", ["", "31 or so", "-1", "\u0663\u0661", "²", "9" * 5_000])
def test_a_creation_whose_result_is_no_work_item_is_in_doubt(records: IdempotencyStore, result: str) -> None:
    records.note(ACME, NAME, result)
    assert records.find(ACME, NAME) is None
    claim = records.claim(ACME, NAME, NOW)
    assert isinstance(claim, ClaimedRecord)
    assert claim.since is not None  # so what was created is looked for
    records.note(ACME, OTHER_NAME, result)
    assert records.find(ACME, OTHER_NAME) == result


@pytest.mark.parametrize(
    ("at", "free_in"), [(NOW - 10, 5.0), (NOW, 5.0), (NOW + 14.9, 5.0), (NOW + 15.0, 45.0), (OVER - 0.5, 0.5)]
)
def test_no_other_worker_may_do_it_while_a_claim_holds(
    records: IdempotencyStore, at: float, free_in: float
) -> None:
    claimed(records)
    with pytest.raises(Busy) as raised:
        records.claim(ACME, NAME, at)
    assert str(raised.value) == (
        "this is already in progress; try again in a few seconds, in a minute at the latest"
    )
    assert raised.value.retry_after == free_in


def test_an_abandoned_claim_is_taken_over_in_doubt(records: IdempotencyStore) -> None:
    claimed(records)
    assert claimed(records, OVER).since == NOW
    with pytest.raises(Busy):
        records.claim(ACME, NAME, OVER + 59)


@pytest.mark.parametrize(
    ("at", "is_held"),
    [
        (NOW - 60.1, False),  # no clock is a minute ahead: the row is wrong
        (NOW - 60.0, True),
        (NOW, True),
        (OVER - 0.1, True),
        (OVER, False),
    ],
)
def test_a_claim_holds_for_a_minute_by_any_clock_that_is_nearly_right(at: float, is_held: bool) -> None:
    assert IdempotencyRecord(NOW, OVER).is_held(at) is is_held
    assert not IdempotencyRecord(NOW, OVER, "31").is_held(at)


def test_a_doubt_is_as_old_as_its_first_claim(records: IdempotencyStore) -> None:
    for at in (NOW, OVER, OVER + 1000.0):
        claimed(records, at)
    assert claimed(records, OVER + 2000.0).since == NOW


def test_a_worker_that_lost_its_claim_cannot_record_a_result(records: IdempotencyStore) -> None:
    slow = claimed(records)
    records.done(ACME, claimed(records, OVER), "32")
    with pytest.raises(Conflict):
        records.done(ACME, slow, "31")
    assert records.claim(ACME, NAME, OVER) == "32"


def test_a_worker_that_took_a_claim_over_can_lose_it_again(records: IdempotencyStore) -> None:
    claimed(records)
    second = claimed(records, OVER)
    claimed(records, OVER + 60)
    with pytest.raises(Conflict):
        records.done(ACME, second, "31")


def test_what_came_to_nothing_may_be_done_at_once_and_without_a_doubt(records: IdempotencyStore) -> None:
    claim = claimed(records)
    for _ in range(2):
        records.abandon(ACME, claim)
    assert claimed(records).since is None


def test_a_claim_that_was_taken_over_is_not_given_back(records: IdempotencyStore) -> None:
    slow = claimed(records)
    claimed(records, OVER)
    records.abandon(ACME, slow)
    with pytest.raises(Busy):
        records.claim(ACME, NAME, OVER)
    records.abandon(ACME, slow)


# Done again.


def test_a_result_that_no_longer_stands_may_be_done_again(records: IdempotencyStore) -> None:
    records.done(ACME, claimed(records), "31")
    again = claimed(records, OVER, redo="31")
    # There is no doubt: what was done is known, and gone.
    assert again.since is None
    with pytest.raises(Busy):
        records.claim(ACME, NAME, OVER, redo="31")
    records.done(ACME, again, "32")
    assert records.claim(ACME, NAME, OVER, redo="31") == "32"


def test_a_second_try_that_died_is_in_doubt_from_its_own_time(records: IdempotencyStore) -> None:
    records.done(ACME, claimed(records), "31")
    claimed(records, OVER, redo="31")
    assert claimed(records, OVER + 60, redo="31").since == OVER


def test_whoever_does_it_again_knows_the_result_that_is_replaced(records: IdempotencyStore) -> None:
    assert claimed(records).before is None
    assert claimed(records, OVER).before is None
    records.done(ACME, claimed(records, OVER + 60), "31")
    assert claimed(records, OVER + 120, redo="31").before == "31"
    # Whoever takes over from one that died knows it as well, and so does the one after.
    assert claimed(records, OVER + 180, redo="31").before == "31"
    assert claimed(records, OVER + 240).before == "31"


def test_a_rule_is_told_by_a_short_name_of_its_own() -> None:
    # It is stored: another spelling would tell of every rule again.
    assert told_of("New errors", "100") == "told-ae153beae0f2478d-100"
    assert told_of("x" * 1_000, "100") != told_of("x" * 1_001, "100")


@pytest.mark.parametrize(("result", "is_forgotten"), [("31", True), ("32", False)])
def test_only_a_result_is_forgotten(
    table: Table, records: IdempotencyStore, result: str, is_forgotten: bool
) -> None:
    assert records.forgetting(ACME, NAME, result) == []
    records.done(ACME, claimed(records), "31")
    for each in records.forgetting(ACME, NAME, result):
        table.apply(ACME, each)
    assert isinstance(records.claim(ACME, NAME, NOW), ClaimedRecord) is is_forgotten


def test_a_result_that_another_worker_replaces_first_is_not_forgotten(
    table: Table, records: IdempotencyStore
) -> None:
    records.done(ACME, claimed(records), "31")
    deletion = records.forgetting(ACME, NAME, "31")
    claimed(records, redo="31")
    with pytest.raises(Conflict):
        table.apply(ACME, *deletion)
    with pytest.raises(Busy):
        records.claim(ACME, NAME, NOW)


@pytest.mark.parametrize("is_known", [True, False])
def test_a_result_follows_to_another_name_that_has_none(
    table: Table, records: IdempotencyStore, is_known: bool
) -> None:
    assert records.following(ACME, NAME, OTHER) == []
    records.done(ACME, claimed(records), "31")
    if is_known:
        claimed(records, name=OTHER)
    for each in records.following(ACME, NAME, OTHER):
        table.apply(ACME, each)
    assert (records.find(ACME, OTHER), records.find(ACME, NAME)) == (None if is_known else "31", "31")


@pytest.mark.parametrize("is_at_it", [True, False])
def test_a_result_follows_to_a_claim_and_counts_if_nothing_comes_of_it(
    table: Table, records: IdempotencyStore, is_at_it: bool
) -> None:
    records.done(ACME, claimed(records), "31")
    begun = claimed(records, name=OTHER)
    if not is_at_it:
        records.leave(ACME, begun, NOW)
    [change] = records.following(ACME, NAME, OTHER)
    table.apply(ACME, change)
    with pytest.raises(Conflict):
        records.done(ACME, begun, "32")
    again = records.claim(ACME, OTHER, NOW + CLAIMED_FOR)
    assert isinstance(again, ClaimedRecord)
    assert (again.before, again.since is not None) == ("31", True)
    assert records.following(ACME, NAME, OTHER) == []
    records.abandon(ACME, again)
    assert records.find(ACME, OTHER) == "31"


def test_what_somebody_is_at_follows_to_no_other_name(records: IdempotencyStore) -> None:
    claimed(records)
    assert records.following(ACME, NAME, OTHER) == []


def test_a_claim_is_not_forgotten(records: IdempotencyStore) -> None:
    claimed(records)
    assert records.forgetting(ACME, NAME, "31") == []
    with pytest.raises(Busy):
        records.claim(ACME, NAME, NOW)


# Races.


def outcome(records: IdempotencyStore, at: float, redo: str | None) -> ClaimedRecord | str:
    try:
        return records.claim(ACME, NAME, at, redo=redo)
    except Busy:
        return "busy"


@pytest.mark.parametrize("before", ["nothing", "dead", "done"])
def test_of_many_at_once_one_may_do_it(records: IdempotencyStore, before: str) -> None:
    if before != "nothing":
        claim = claimed(records)
        if before == "done":
            records.done(ACME, claim, "31")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: outcome(records, OVER, "31"), range(8)))
    assert sum(isinstance(each, ClaimedRecord) for each in outcomes) == 1
    assert outcomes.count("busy") == 7


@pytest.mark.parametrize("other", ["takes it over", "records a result", "abandons it"])
@pytest.mark.parametrize("before", ["dead", "done"])
def test_what_another_worker_changes_first_is_busy(table: Table, before: str, other: str) -> None:
    records = IdempotencyStore(table)
    claim = claimed(records)
    if before == "done":
        records.done(ACME, claim, "31")

    def meanwhile() -> None:
        again = claimed(records, OVER, redo="31")
        if other == "records a result":
            records.done(ACME, again, "32")
        elif other == "abandons it":
            records.abandon(ACME, again)

    late = IdempotencyStore(OvertakenTable(table, meanwhile))
    with pytest.raises(Busy):
        late.claim(ACME, NAME, OVER, redo="31")


# Names.


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a#b", "a?b", "a!b", "\x00", "'", "", "x" * 2_000])
def test_any_name_has_a_record_of_its_own(records: IdempotencyStore, name: str) -> None:
    records.done(ACME, claimed(records), "31")
    records.done(ACME, claimed(records, name=name), "32")
    assert records.claim(ACME, name, NOW) == "32"
    assert records.claim(ACME, NAME, NOW) == "31"
    assert isinstance(records.claim(f"{ACME}-2", NAME, NOW), ClaimedRecord)


def test_records_go_with_their_organization(records: IdempotencyStore, table: Table) -> None:
    for organization in (ACME, "acme-2"):
        claim = records.claim(organization, NAME, NOW)
        assert isinstance(claim, ClaimedRecord)
        records.done(organization, claim, "31")
    links = LinkStore(table)
    assert list(links.all(ACME)) == []
    assert links.remove_some(ACME, 10) == 1
    assert isinstance(records.claim(ACME, NAME, NOW), ClaimedRecord)
    assert records.claim("acme-2", NAME, NOW) == "31"


# azure-data-tables repeats a request after a 503, although the first one may have landed.


def test_whose_claim_was_repeated_has_it_and_nobody_else(table: Table) -> None:
    repeated = IdempotencyStore(RepeatingTable(table))
    first = claimed(repeated)
    assert first.since is None
    with pytest.raises(Busy):
        IdempotencyStore(table).claim(ACME, NAME, NOW)
    second = claimed(repeated, OVER)
    assert second.since == NOW
    with pytest.raises(Conflict):
        IdempotencyStore(table).done(ACME, first, "31")
    repeated.done(ACME, second, "32")
    assert repeated.claim(ACME, NAME, OVER) == "32"


def test_what_was_begun_and_not_done_is_unfinished(records: IdempotencyStore) -> None:
    assert not records.is_unfinished(ACME, NAME)
    claim = claimed(records)
    assert records.is_unfinished(ACME, NAME)
    records.done(ACME, claim, "31")
    assert not records.is_unfinished(ACME, NAME)


def test_what_is_left_is_taken_over_at_once_and_in_doubt(records: IdempotencyStore) -> None:
    records.leave(ACME, claimed(records), NOW + 5.0)
    assert records.is_unfinished(ACME, NAME)
    again = claimed(records, NOW + 6.0)
    # A minute before it was left: no claim lasts longer.
    assert (again.since, again.before) == (NOW - 55.0, None)
    records.leave(ACME, again, NOW + 7.0)
    assert claimed(records, NOW + 8.0).since == again.since


def test_what_is_left_keeps_the_result_that_there_was_before(records: IdempotencyStore) -> None:
    records.done(ACME, claimed(records), "31")
    records.leave(ACME, claimed(records, redo="31"), NOW)
    assert claimed(records, NOW + 1.0).before == "31"


def test_a_claim_that_is_gone_is_left_in_silence(records: IdempotencyStore) -> None:
    claim = claimed(records)
    records.abandon(ACME, claim)
    records.leave(ACME, claim, NOW)
    assert not records.is_unfinished(ACME, NAME)


def test_what_a_clock_that_is_ahead_began_may_have_happened_at_any_time(records: IdempotencyStore) -> None:
    claimed(records, NOW + 86_400.0)
    assert claimed(records, NOW).since == 86_400.0  # in 1970
    records.done(ACME, claimed(records, NOW + 61.0), "31")
    again = claimed(records, NOW + 62.0, redo="31")
    assert (again.since, again.before) == (None, "31")


def test_what_began_at_this_moment_began_then(records: IdempotencyStore) -> None:
    records.leave(ACME, claimed(records), NOW + 60.0)
    assert claimed(records, NOW).since == NOW


def test_what_another_worker_has_taken_over_is_left_to_it(records: IdempotencyStore) -> None:
    late, current = claimed(records), claimed(records, OVER)
    records.leave(ACME, late, OVER + 1.0)
    records.done(ACME, current, "31")
    assert records.find(ACME, NAME) == "31"


# A link that is made under claims


def link() -> IssueLink:
    seen = Ends(IssueSide(IssueStatus.UNRESOLVED, None), ItemSide(3, "New", IssueStatus.UNRESOLVED, None))
    return IssueLink(
        organization=ACME, issue_id="100", work_item_id=31, project_id="p", work_item_type="Bug", seen=seen
    )


def linked_under(table: Table, records: IdempotencyStore, *claims: ClaimedRecord) -> None:
    LinkStore(table).add(link(), [StoredEnd(End(Side.ADO, "31"))], records.marks(claims, "31"))


def test_a_link_and_the_marks_of_its_claims_are_stored_together(
    table: Table, records: IdempotencyStore
) -> None:
    linked_under(table, records, claimed(records), claimed(records, name=OTHER_NAME))
    assert [records.find(ACME, each) for each in (NAME, OTHER_NAME)] == ["31", "31"]
    assert LinkStore(table).get(ACME, "100", 31).link == link()
    assert not records.is_unfinished(ACME, NAME)


def test_a_mark_is_the_record_of_what_is_done(table: Table, records: IdempotencyStore) -> None:
    marked, done = claimed(records), claimed(records, name=OTHER_NAME)
    [mark] = records.marks([marked], "31")
    records.done(ACME, done, "31")
    assert (mark.key, mark.etag) == (marked.key, marked.etag)
    assert mark.text == table.get(ACME, done.key).text == '{"since":0.0,"until":0.0,"result":"31"}'


@pytest.mark.parametrize("is_gone", [True, False])
def test_no_link_is_stored_once_another_worker_has_one_of_its_claims(
    table: Table, records: IdempotencyStore, *, is_gone: bool
) -> None:
    first, second = claimed(records), claimed(records, name=OTHER_NAME)
    records.verify_held(ACME, [first, second])
    if is_gone:
        records.abandon(ACME, second)
    else:
        claimed(records, NOW + 61.0, name=OTHER_NAME)
    with pytest.raises(Conflict):
        linked_under(table, records, first, second)
    with pytest.raises(Busy) as busy:
        records.verify_held(ACME, [first, second])
    assert busy.value.retry_after == 5.0
    records.verify_held(ACME, [first])
    assert (list(LinkStore(table).all(ACME)), records.find(ACME, NAME)) == ([], None)
    assert LinkStore(table).end(ACME, End(Side.ADO, "31")).etag is None


def test_a_link_that_is_there_by_then_is_told_from_a_claim_that_was_lost(
    table: Table, records: IdempotencyStore
) -> None:
    claim = claimed(records)
    LinkStore(table).add(link())
    with pytest.raises(AlreadyLinked):
        linked_under(table, records, claim)
    records.verify_held(ACME, [claim])
