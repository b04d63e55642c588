"""A result that follows to another name: how it is recorded there, and who is faster."""

import pytest

from shared.domain.errors import Conflict
from shared.store.idempotency import ClaimedRecord, IdempotencyStore, rule_of
from shared.store.tables import Insert
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
