"""What must be done once: who may do it, what came of it, who may try again; on the double and on Azurite."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from shared.errors import Busy, Conflict
from shared.store.deeds import ClaimedDeed, DeedStore, creation_of
from shared.store.links import LinkStore
from shared.store.tables import Table

ACME, NAME = "acme", creation_of("100")
NOW = 1_800_000_000.0
OVER = NOW + 60.0  # when a claim of NOW is no longer heeded


@pytest.fixture
def table(new_table: Callable[[], Table]) -> Table:
    return new_table()


@pytest.fixture
def deeds(table: Table) -> DeedStore:
    return DeedStore(table)


def claimed(deeds: DeedStore, at: float = NOW, *, redo: str | None = None, name: str = NAME) -> ClaimedDeed:
    claim = deeds.claim(ACME, name, at, redo=redo)
    assert isinstance(claim, ClaimedDeed)
    return claim


def test_the_first_to_ask_may_do_it(deeds: DeedStore) -> None:
    assert claimed(deeds).since is None


def test_what_is_done_is_told_to_whoever_asks(deeds: DeedStore) -> None:
    deeds.done(ACME, claimed(deeds), "31")
    assert deeds.claim(ACME, NAME, NOW) == deeds.claim(ACME, NAME, OVER + 1e9) == "31"


@pytest.mark.parametrize("at", [NOW - 10, NOW, OVER - 0.1])
def test_nobody_may_do_it_while_somebody_is_at_it(deeds: DeedStore, at: float) -> None:
    claimed(deeds)
    with pytest.raises(Busy) as raised:
        deeds.claim(ACME, NAME, at)
    assert 0 < raised.value.retry_after <= 60


def test_a_claim_that_nobody_speaks_for_is_taken_over_in_doubt(deeds: DeedStore) -> None:
    claimed(deeds)
    assert claimed(deeds, OVER).since == NOW
    with pytest.raises(Busy):
        deeds.claim(ACME, NAME, OVER + 59)


def test_a_doubt_is_as_old_as_its_first_claim(deeds: DeedStore) -> None:
    for at in (NOW, OVER, OVER + 1000.0):
        claimed(deeds, at)
    assert claimed(deeds, OVER + 2000.0).since == NOW


def test_whoever_lost_its_claim_cannot_say_what_came_of_it(deeds: DeedStore) -> None:
    slow = claimed(deeds)
    deeds.done(ACME, claimed(deeds, OVER), "32")
    with pytest.raises(Conflict):
        deeds.done(ACME, slow, "31")
    assert deeds.claim(ACME, NAME, OVER) == "32"


def test_what_came_to_nothing_may_be_done_at_once_and_without_a_doubt(deeds: DeedStore) -> None:
    deeds.abandon(ACME, claimed(deeds))
    assert claimed(deeds).since is None


def test_a_claim_that_was_taken_over_is_not_given_back(deeds: DeedStore) -> None:
    slow = claimed(deeds)
    claimed(deeds, OVER)
    deeds.abandon(ACME, slow)
    with pytest.raises(Busy):
        deeds.claim(ACME, NAME, OVER)
    deeds.abandon(ACME, slow)


# Done again.


def test_a_result_that_no_longer_stands_may_be_done_again(deeds: DeedStore) -> None:
    deeds.done(ACME, claimed(deeds), "31")
    again = claimed(deeds, OVER, redo="31")
    # There is no doubt: what was done is known, and gone.
    assert again.since is None
    with pytest.raises(Busy):
        deeds.claim(ACME, NAME, OVER, redo="31")
    deeds.done(ACME, again, "32")
    assert deeds.claim(ACME, NAME, OVER, redo="31") == "32"


def test_a_second_try_that_died_is_in_doubt_from_its_own_time(deeds: DeedStore) -> None:
    deeds.done(ACME, claimed(deeds), "31")
    claimed(deeds, OVER, redo="31")
    assert claimed(deeds, OVER + 60, redo="31").since == OVER


@pytest.mark.parametrize(("result", "is_forgotten"), [("31", True), ("32", False)])
def test_only_what_came_of_it_is_forgotten(deeds: DeedStore, result: str, is_forgotten: bool) -> None:
    deeds.forget(ACME, NAME, result)
    deeds.done(ACME, claimed(deeds), "31")
    deeds.forget(ACME, NAME, result)
    assert isinstance(deeds.claim(ACME, NAME, NOW), ClaimedDeed) is is_forgotten


def test_a_claim_is_not_forgotten(deeds: DeedStore) -> None:
    claimed(deeds)
    deeds.forget(ACME, NAME, "31")
    with pytest.raises(Busy):
        deeds.claim(ACME, NAME, NOW)


# Races.


def outcome(deeds: DeedStore, at: float, redo: str | None) -> ClaimedDeed | str:
    try:
        return deeds.claim(ACME, NAME, at, redo=redo)
    except Busy:
        return "busy"


@pytest.mark.parametrize("before", ["nothing", "dead", "done"])
def test_of_many_at_once_one_may_do_it(deeds: DeedStore, before: str) -> None:
    if before != "nothing":
        claim = claimed(deeds)
        if before == "done":
            deeds.done(ACME, claim, "31")
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: outcome(deeds, OVER, "31"), range(8)))
    assert sum(isinstance(each, ClaimedDeed) for each in outcomes) == 1
    assert outcomes.count("busy") == 7


# Names.


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a#b", "a?b", "a!b", "\x00", "'", "", "x" * 2_000])
def test_any_name_is_a_deed_of_its_own(deeds: DeedStore, name: str) -> None:
    deeds.done(ACME, claimed(deeds), "31")
    deeds.done(ACME, claimed(deeds, name=name), "32")
    assert deeds.claim(ACME, name, NOW) == "32"
    assert deeds.claim(ACME, NAME, NOW) == "31"
    assert isinstance(deeds.claim(f"{ACME}-2", NAME, NOW), ClaimedDeed)


def test_deeds_go_with_their_organization(deeds: DeedStore, table: Table) -> None:
    for organization in (ACME, "acme-2"):
        claim = deeds.claim(organization, NAME, NOW)
        assert isinstance(claim, ClaimedDeed)
        deeds.done(organization, claim, "31")
    links = LinkStore(table)
    assert list(links.all(ACME)) == []
    links.remove_all(ACME)
    assert isinstance(deeds.claim(ACME, NAME, NOW), ClaimedDeed)
    assert deeds.claim("acme-2", NAME, NOW) == "31"
