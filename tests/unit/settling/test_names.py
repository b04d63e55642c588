"""The names that Azure DevOps knew people by: kept for an hour, up to a number."""

from shared.domain.model import Person
from shared.settling.names import NameCache
from tests.doubles.clock import Clock

ANN = Person("ann@home.example")


def test_a_name_is_known_for_an_hour_and_to_its_connection_only(clock: Clock) -> None:
    names = NameCache(clock)
    names.add("fabrikam", "ann@corp.example", ANN)
    clock.now += 3_599.0
    assert names.find("fabrikam", "ann@corp.example") == ANN
    assert names.find("contoso", "ann@corp.example") is None
    assert names.find("fabrikam", "bob@corp.example") is None
    clock.now += 1.0
    assert names.find("fabrikam", "ann@corp.example") is None


def test_one_name_too_many_begins_anew(clock: Clock) -> None:
    names = NameCache(clock)
    for number in range(10_000):
        names.add("fabrikam", f"{number}@corp.example", ANN)
    assert names.find("fabrikam", "0@corp.example") == ANN
    names.add("fabrikam", "ann@corp.example", ANN)
    assert names.find("fabrikam", "0@corp.example") is None
    assert names.find("fabrikam", "ann@corp.example") == ANN
