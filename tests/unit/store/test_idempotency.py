"""A result that follows to another name, and who is faster; and a record that somebody has damaged."""

import pytest

from shared.domain.errors import Conflict
from shared.store.idempotency import ClaimedRecord, IdempotencyStore, creation_of, rule_of
from shared.store.tables import Insert, Replace
from tests.doubles.tables import MemoryTable

ACME, NAME, OTHER = "acme", rule_of("100"), rule_of("200")


def test_a_result_that_follows_is_recorded_as_it_was_under_the_first_name() -> None:
    table = MemoryTable()
    records = IdempotencyStore(table)
    records.note(ACME, NAME, "31")
    [noted] = table.scan(ACME, "", "~")
    assert records.following(ACME, NAME, OTHER) == [Insert(f"deed!{OTHER}", noted.text)]


def test_no_result_that_follows_replaces_what_a_worker_records_meanwhile() -> None:
    table = MemoryTable()
    records = IdempotencyStore(table)
    records.note(ACME, NAME, "31")
    begun = records.claim(ACME, OTHER, 1_800_000_000.0)
    assert isinstance(begun, ClaimedRecord)
    following = records.following(ACME, NAME, OTHER)
    records.done(ACME, begun, "32")
    with pytest.raises(Conflict):
        table.apply(ACME, *following)
    assert records.find(ACME, OTHER) == "32"


@pytest.mark.parametrize("odd", ["", "x", "-31", "²", "٣", "9" * 5_000])
@pytest.mark.parametrize("name", ["result", "before"])
def test_what_was_created_is_looked_for_where_no_number_is_recorded(name: str, odd: str) -> None:
    table = MemoryTable()
    records = IdempotencyStore(table)
    damaged = f'{{"since":1,"until":0,"{name}":"{odd}"}}'
    table.apply(ACME, Replace(f"deed!{creation_of('100')}", damaged, None))
    claim = records.claim(ACME, creation_of("100"), 1_800_000_000.0)
    assert isinstance(claim, ClaimedRecord)
    assert (claim.since, claim.before) == (86_400.0, None)
