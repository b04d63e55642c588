"""Whether an organization is there: asked once a minute as long as it is, and each time while it is not."""

import pytest

from shared.domain.errors import Unavailable
from shared.http import Presence

HERE, THERE = "https://dev.azure.com/here/", "https://dev.azure.com/there/"


class Places:
    def __init__(self) -> None:
        self.now, self.asked = 1000.0, 0
        self.there = True
        self.presence = Presence(lambda: self.now)

    def look(self, address: str = HERE) -> bool:
        def ask() -> bool:
            self.asked += 1
            return self.there

        return self.presence.is_there(address, ask)


def test_what_is_there_is_asked_for_once_a_minute() -> None:
    places = Places()
    assert [places.look(), places.look(), places.asked] == [True, True, 1]
    places.look(THERE)
    assert places.asked == 2
    places.now += 60.0
    places.there = False
    assert (places.look(), places.asked) == (False, 3)


def test_what_is_not_there_is_asked_for_each_time() -> None:
    places = Places()
    places.there = False
    assert [places.look(), places.look(), places.asked] == [False, False, 2]
    places.there = True
    assert places.look()


def test_when_nobody_can_tell_nothing_is_remembered() -> None:
    def ask() -> bool:
        raise Unavailable("ado", "no answer")

    places = Places()
    with pytest.raises(Unavailable):
        places.presence.is_there(HERE, ask)
    assert (places.look(), places.asked) == (True, 1)


def test_so_many_addresses_are_kept() -> None:
    places = Places()
    for number in range(2_500):
        places.look(f"https://dev.azure.com/{number}/")
    assert places.asked == 2_500
    places.look("https://dev.azure.com/2499/")
    assert places.asked == 2_500
