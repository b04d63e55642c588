"""Who is who: names as people write them, aliases, further addresses, and strangers."""

import pytest

from shared.domain.configuration import Configuration
from shared.domain.model import ASSIGNEE_UNREADABLE, TEAM_ASSIGNEE, Assignee, Person, Stranger
from shared.domain.names import account_in, address_in, name_in
from shared.domain.rules.people import (
    Acquaintance,
    in_sentry,
    is_same_name,
    names_in_ado,
    namesakes,
    same_person,
)

ACCOUNT = Stranger(ASSIGNEE_UNREADABLE, "corp\\ann")
TEAM = Stranger(TEAM_ASSIGNEE, "45")
HOME, CORP, OTHER = "dora@home.example", "dora@corp.example", "dora@other.example"
CONFIGURED = Configuration(people={"corp\\ann": "ann@home.example", "d@corp.example": OTHER})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Ann@Corp.Example", "ann@corp.example"),
        ("  ann@corp.example ", "ann@corp.example"),
        ("Ann <ann@corp.example>", "ann@corp.example"),
        ("Ann <QA> <ann@corp.example>", "ann@corp.example"),
        ("CORP\\Ann", "corp\\ann"),
        (" CORP \\ Ann ", "corp\\ann"),
        ("Ann Archer <CORP\\Ann>", "corp\\ann"),
        ("NT AUTHORITY\\Network Service", "nt authority\\network service"),
        ("Ann Archer", None),
        ("ann", None),
        ("", None),
        ("\\ann", None),
        ("CORP\\", None),
        ("CORP\\x\\ann", None),
        ("@corp.example", None),
        ("@ann@corp.example", None),
        ("a b@corp.example", None),
        ("corp\\" + "x" * 249, "corp\\" + "x" * 249),
        ("CORP\\" + "x" * 250, None),
    ],
)
def test_a_name_is_an_address_or_an_account(text: str, name: str | None) -> None:
    assert name_in(text) == name
    assert (address_in(text) or account_in(text)) == name


@pytest.mark.parametrize(
    ("assignee", "meant"),
    [
        (ACCOUNT, Person("ann@home.example")),
        (Stranger(ASSIGNEE_UNREADABLE, "corp\\bob"), Stranger(ASSIGNEE_UNREADABLE, "corp\\bob")),
        # A display name that looks like an address, or like nothing.
        (Stranger(ASSIGNEE_UNREADABLE, "d@corp.example"), Stranger(ASSIGNEE_UNREADABLE, "d@corp.example")),
        (Stranger(ASSIGNEE_UNREADABLE, "ann"), Stranger(ASSIGNEE_UNREADABLE, "ann")),
        (TEAM, TEAM),
        (None, None),
        (Person("d@corp.example"), Person(OTHER)),
        (Person(CORP), Person(CORP)),
    ],
)
def test_an_account_is_whom_people_say_it_is(assignee: Assignee, meant: Assignee) -> None:
    assert in_sentry(CONFIGURED, assignee) == meant


@pytest.mark.parametrize(
    ("assignee", "acquaintance", "names"),
    [
        (None, Acquaintance(), (None,)),
        (TEAM, Acquaintance(), (TEAM,)),
        (Person("ann@home.example"), Acquaintance(), (ACCOUNT, Person("ann@home.example"))),
        (Person(HOME), Acquaintance(), (Person(HOME),)),
        (Person(HOME), Acquaintance((CORP,)), (Person(HOME), Person(CORP))),
        # An alias may be of any of the addresses, and comes first.
        (
            Person(HOME),
            Acquaintance((CORP, OTHER)),
            (Person("d@corp.example"), Person(HOME), Person(CORP), Person(OTHER)),
        ),
        # What worked last comes before all, as long as it is still one of theirs.
        (Person(HOME), Acquaintance((CORP,), Person(CORP)), (Person(CORP), Person(HOME))),
        (Person(HOME), Acquaintance((), Person(CORP)), (Person(HOME),)),
    ],
)
def test_a_person_is_called_by_each_of_their_names(
    assignee: Assignee, acquaintance: Acquaintance, names: tuple[Assignee, ...]
) -> None:
    assert names_in_ado(CONFIGURED, assignee, acquaintance) == names


@pytest.mark.parametrize(
    ("in_ado", "in_sentry_now", "addresses", "same"),
    [
        (Person(CORP), Person(HOME), (CORP,), True),
        (Person(CORP), Person(HOME), (OTHER,), False),
        (Person("d@corp.example"), Person(HOME), (OTHER,), True),
        (ACCOUNT, Person("ann@home.example"), (), True),
        (ACCOUNT, Person("ann@main.example"), ("ann@home.example",), True),
        (ACCOUNT, TEAM, (), False),
        (Stranger(ASSIGNEE_UNREADABLE, "x"), Stranger(ASSIGNEE_UNREADABLE, "x"), (), False),
        (None, Person(HOME), (CORP,), False),
        (Person(CORP), None, (CORP,), False),
        (None, None, (), True),
    ],
)
def test_one_user_is_one_person_under_any_verified_address(
    in_ado: Assignee, in_sentry_now: Assignee, addresses: tuple[str, ...], same: bool
) -> None:
    assert same_person(CONFIGURED, in_ado, in_sentry_now, Acquaintance(addresses)) is same


@pytest.mark.parametrize(
    ("assigned", "members", "found"),
    [
        ({CORP: "Dora Dean"}, {"Dora Dean": [HOME]}, {CORP: HOME}),
        ({"corp\\dora": "Dora Dean"}, {"Dora Dean": [HOME]}, {"corp\\dora": HOME}),
        ({CORP: "Dora Dean"}, {"Dora Dean": []}, {}),
        ({CORP: "Dora Dean"}, {}, {}),
        ({CORP: "Dora Dean"}, {"Dora Dean": [CORP]}, {}),  # needs no mapping
        # Two of a name, on either side: nobody knows who is meant.
        ({CORP: "Dora Dean"}, {"Dora Dean": [HOME, OTHER]}, {}),
        ({CORP: "Dora Dean", OTHER: "dora  dean"}, {"Dora Dean": [HOME], "dora  dean": [HOME]}, {}),
        ({CORP: "dora@corp"}, {"dora@corp": [HOME]}, {}),  # is no name
    ],
)
def test_whoever_may_be_the_same_is_the_only_one_of_the_name(
    assigned: dict[str, str], members: dict[str, list[str]], found: dict[str, str]
) -> None:
    assert namesakes(assigned, members) == found


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Dora Dean", " dora  DEAN", True),
        ("Dora Dean", "Dora", False),
        ("", "", False),
        ("d@x.example", "d@x.example", False),
    ],
)
def test_names_are_the_same_but_for_case_and_blanks(one: str, other: str, same: bool) -> None:
    assert is_same_name(one, other) is same
