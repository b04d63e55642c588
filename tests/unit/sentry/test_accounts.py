"""Which of several accounts an address means."""

import pytest

from shared.sentry.accounts import Account, holders, meant

ADDRESS = "carol@corp.example"
OLD, NEW = Account("1", ADDRESS), Account("2", ADDRESS)
SECOND = Account("3", "c@home.example", (ADDRESS,))
CLAIMS = Account("4", "mallory@corp.example")


def test_an_address_that_is_only_claimed_is_nobodys() -> None:
    assert holders([CLAIMS, SECOND, OLD], ADDRESS) == [SECOND, OLD]
    assert holders([CLAIMS], ADDRESS) == []


@pytest.mark.parametrize(
    ("found", "assignable", "who"),
    [
        ([SECOND, OLD], {"1", "3"}, [OLD]),  # whose primary address it is
        ([SECOND, OLD], {"3"}, [SECOND]),  # who may be assigned
        ([OLD, NEW], {"2"}, [NEW]),
        ([OLD, NEW], {"1", "2"}, [OLD, NEW]),  # equal
        ([OLD, NEW], set(), [OLD, NEW]),
        ([SECOND, OLD], set(), [OLD]),
    ],
)
def test_who_is_meant(found: list[Account], assignable: set[str], who: list[Account]) -> None:
    assert meant(found, ADDRESS, assignable) == who
