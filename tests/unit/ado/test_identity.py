"""Reading a person from every shape in which Azure DevOps writes an identity."""

from typing import Any

import pytest

from shared.ado.identity import assignee_from_identity
from shared.domain.model import ASSIGNEE_UNREADABLE, Assignee, Person, Stranger
from tests.conftest import Payload

ANN = Person("ann@corp.example")


def stranger(label: str) -> Stranger:
    return Stranger(ASSIGNEE_UNREADABLE, label)


@pytest.mark.parametrize(
    ("case", "assignee"),
    [
        ("assigned.v1.0", ANN),
        ("assigned.v3.1", ANN),
        ("assigned.v5.1", ANN),
        ("reassigned.v1.0", Person("bob@corp.example")),
        ("unassigned.v1.0", None),
        ("server.v1.0", stranger("fabrikam\\ann")),
    ],
)
def test_the_assignee_of_a_delivery_is_read_in_every_version(
    payload: Payload, case: str, assignee: Assignee
) -> None:
    fields = payload(f"ado/workitem.updated.{case}.json")["resource"]["revision"]["fields"]
    assert assignee_from_identity(fields.get("System.AssignedTo")) == assignee


@pytest.mark.parametrize(
    ("identity", "assignee"),
    [
        (None, None),
        ("", None),
        # Text: what stands between the last < and a final >.
        ("Ann <ann@corp.example>", ANN),
        ("Ann <ANN@Corp.Example>", ANN),
        (" Ann < ann@corp.example > ", ANN),
        ("<ann@corp.example>", ANN),
        ("Ann (Ops) [x] <ann@corp.example>", ANN),
        ("Ann <the boss> <ann@corp.example>", ANN),
        ("Ann <bob@corp.example> <ann@corp.example>", ANN),
        # A bare name is not an address, even if it looks like one.
        ("Jamal Hartnett", stranger("jamal hartnett")),
        ("unassigned", stranger("unassigned")),
        ("ann@corp.example", stranger("ann@corp.example")),
        ("Ann <ann@corp.example> (away)", stranger("ann <ann@corp.example> (away)")),
        ("Ann <>", stranger("ann")),
        ("Ann <ann>", stranger("ann")),
        ("Ann <@corp.example>", stranger("@corp.example")),
        ("Ann <ann@>", stranger("ann@")),
        ("Ann <ann @corp.example>", stranger("ann @corp.example")),
        ("Ann <FABRIKAM\\ann>", stranger("fabrikam\\ann")),
        ("Ann <FABRIKAM\\ann@corp.example>", stranger("fabrikam\\ann@corp.example")),
        ("   ", stranger("")),
        # An object: uniqueName, else mailAddress.
        ({"displayName": "Ann", "uniqueName": "ann@corp.example"}, ANN),
        ({"displayName": "Ann", "uniqueName": "Ann@Corp.example "}, ANN),
        ({"name": "Ann", "uniqueName": "Ann <ann@corp.example>"}, ANN),
        ({"displayName": "Ann", "mailAddress": "ann@corp.example"}, ANN),
        ({"uniqueName": "FABRIKAM\\ann", "mailAddress": "ann@corp.example"}, ANN),
        ({"uniqueName": "ann@corp.example", "mailAddress": "other@corp.example"}, ANN),
        # A service principal has no unique name; nothing but its label tells it apart.
        ({"displayName": "Build", "uniqueName": "", "id": "1"}, stranger("build")),
        ({"uniqueName": "", "id": "1"}, stranger("1")),
        ({"name": "Build"}, stranger("build")),
        ({"displayName": "ann@corp.example"}, stranger("ann@corp.example")),
        ({"displayName": {}, "id": 7}, stranger("7")),
        ({}, stranger("")),
        # Junk is a stranger, never nobody.
        ({"uniqueName": 5, "mailAddress": ["ann@corp.example"]}, stranger("5")),
        (0, stranger("0")),
        (False, stranger("false")),
        ([], stranger("[]")),
        (["ann@corp.example"], stranger("['ann@corp.example']")),
    ],
)
def test_an_identity_is_a_person_nobody_or_a_stranger(identity: Any, assignee: Assignee) -> None:
    assert assignee_from_identity(identity) == assignee


@pytest.mark.parametrize(
    ("shapes", "label"),
    [
        (
            (
                "Jamal Hartnett <CORP\\jamal>",  # a hook at version 1.0
                {"name": "Jamal Hartnett", "uniqueName": "Jamal Hartnett <CORP\\jamal>"},  # at 3.1
                {"displayName": "Jamal Hartnett", "uniqueName": "CORP\\jamal", "id": "1"},  # REST
                {"displayName": "Jamal H.", "uniqueName": "corp\\Jamal"},
            ),
            "corp\\jamal",
        ),
        (("Build Service", {"displayName": "Build Service", "uniqueName": "", "id": "1"}), "build service"),
    ],
)
def test_a_stranger_is_the_same_one_in_whichever_shape(shapes: tuple[Any, ...], label: str) -> None:
    assert {assignee_from_identity(shape) for shape in shapes} == {stranger(label)}


def test_an_endless_name_is_cut_short() -> None:
    address = "a" * 300 + "@corp.example"
    for identity in (
        f"Ann <{address}>",
        {"uniqueName": address, "displayName": "b" * 300},
        "c" * 300,
        [address],
    ):
        assignee = assignee_from_identity(identity)
        assert isinstance(assignee, Stranger)
        assert len(assignee.label) <= 254


def test_an_address_of_the_longest_length_is_an_address() -> None:
    longest = "a" * 241 + "@corp.example"
    assert assignee_from_identity(f"Ann <{longest}>") == Person(longest)
    assert isinstance(assignee_from_identity(f"Ann <a{longest}>"), Stranger)
