"""Who is at an address: one spelling for each place, and what a document means for the links there are."""

from itertools import product

import pytest

from shared.domain.connection import (
    NOBODY,
    Choice,
    Connection,
    Consequence,
    Identity,
    Verdict,
    ado_place,
    compare,
    consequence_of,
    gravest,
    is_foreign,
    scope_of,
    sentry_id,
    sentry_place,
    sentry_server,
    slug_of,
    teaches,
)

SAME, OTHER, UNKNOWN = Verdict.SAME, Verdict.OTHER, Verdict.UNKNOWN
GO_ON, BEGIN_ANEW, REFUSE, WAIT = (
    Consequence.GO_ON,
    Consequence.BEGIN_ANEW,
    Consequence.REFUSE,
    Consequence.WAIT,
)

# Places


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("https://dev.azure.com/Fabrikam/", "dev.azure.com/fabrikam"),
        ("https://dev.azure.com/fabrikam/Web/_boards", "dev.azure.com/fabrikam"),
        ("https://fabrikam.visualstudio.com/", "dev.azure.com/fabrikam"),
        ("https://Fabrikam.VisualStudio.com/DefaultCollection/", "dev.azure.com/fabrikam"),
        ("https://dev.azure.com:443/fabrikam", "dev.azure.com/fabrikam"),
        ("https://tfs.corp.example/tfs/Main/", "tfs.corp.example/tfs/main"),
        ("http://TFS.corp.example:80/tfs/main", "tfs.corp.example/tfs/main"),
        ("https://tfs.corp.example:8443/tfs/Main/", "tfs.corp.example:8443/tfs/main"),
        ("https://dev.azure.com./fabrikam/", "dev.azure.com/fabrikam"),
        ("https://[fe80::1%ethX]/tfs/", "fe80::1%ethX/tfs"),  # the name of an interface has capitals
        ("fabrikam.visualstudio.com", ""),
        ("https://[", ""),
        ("https://x:99999999/", ""),
        ("", ""),
    ],
)
def test_every_address_of_an_organization_is_one_place(url: str, place: str) -> None:
    assert ado_place(url) == place


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("https://sentry.io/", "sentry.io"),
        ("https://sentry.io/organizations/acme/", "sentry.io"),
        ("https://de.sentry.io/", "sentry.io"),
        ("https://acme.sentry.io", "sentry.io"),
        ("https://a.b.sentry.io/", "a.b.sentry.io"),
        ("https://sentry.io.evil.example/", "sentry.io.evil.example"),
        ("https://sentry.corp.example/", "sentry.corp.example"),
        ("https://corp.example/sentry/", "corp.example/sentry"),
        ("https://corp.example/UX//", "corp.example/UX"),
        ("http://127.0.0.1:9000/", "127.0.0.1:9000"),
        ("https://[", ""),
    ],
)
def test_sentry_io_is_one_server_and_every_other_is_its_own(url: str, server: str) -> None:
    assert sentry_server(url) == server


def test_an_organization_of_sentry_is_told_apart_by_its_server() -> None:
    assert sentry_id("https://de.sentry.io/", "1") == sentry_id("https://sentry.io/", "1")
    assert sentry_id("https://sentry.corp.example/", "1") != sentry_id("https://sentry.io/", "1")
    assert sentry_place("https://us.sentry.io/", "acme") == sentry_place("https://sentry.io", "acme")


@pytest.mark.parametrize("epoch", ["", "a1b2"])
def test_a_scope_names_its_slug(epoch: str) -> None:
    assert slug_of(scope_of("fabrikam-2", epoch)) == "fabrikam-2"


def test_what_an_older_version_stored_is_where_it_was() -> None:
    assert scope_of("fabrikam", "") == "fabrikam"


# Whether it is the same

HERE, THERE = "dev.azure.com/fabrikam", "dev.azure.com/contoso"
ASKED = Identity(("a",), (HERE,))
NEVER_ASKED = Identity((), (HERE,))
TOLD_BY_HOOKS = Identity((), (HERE,), ("h",))
BOTH = Identity(("a",), (HERE,), ("h",))
MOVED = Identity(("a", "b"), (HERE, THERE))


@pytest.mark.parametrize(
    ("known", "met", "verdict"),
    [
        (ASKED, Identity(("a",), (HERE,)), SAME),
        (ASKED, Identity(("a",), (THERE,)), SAME),  # renamed
        (ASKED, Identity(("b",), (THERE,)), OTHER),
        (ASKED, Identity(("b",), (HERE,)), OTHER),  # the name was given up, and taken by others
        (ASKED, Identity((), (HERE,)), SAME),
        (ASKED, Identity((), (THERE, HERE)), SAME),  # it was there, and is here
        (ASKED, Identity((), (THERE,)), UNKNOWN),
        (NEVER_ASKED, Identity(("a",), (HERE,)), SAME),
        (NEVER_ASKED, Identity(("a",), (THERE,)), OTHER),
        (NEVER_ASKED, Identity((), (HERE,)), SAME),
        (NEVER_ASKED, Identity((), (THERE,)), UNKNOWN),
        (TOLD_BY_HOOKS, Identity(("h",), (THERE,)), SAME),
        (TOLD_BY_HOOKS, Identity(("a",), (HERE,)), SAME),
        (TOLD_BY_HOOKS, Identity(("a",), (THERE,)), OTHER),
        (BOTH, Identity(("b",), (THERE,)), OTHER),
        # Looked up by its account, which is what hooks call it, and not asked.
        (BOTH, Identity((), (), ("h",)), SAME),
        (BOTH, Identity((), (), ("x",)), UNKNOWN),
        (BOTH, NOBODY, UNKNOWN),
        # A server that moved: it is known by both ids, and at its present address.
        (MOVED, Identity(("a",), (HERE,)), SAME),
        (MOVED, Identity((), (THERE,)), SAME),
        (MOVED, Identity((), (HERE,)), UNKNOWN),
        # Nobody can read where the stored document led, so nobody can say that it led elsewhere.
        (NOBODY, Identity(("a",), (HERE,)), SAME),
        (NOBODY, NOBODY, SAME),
    ],
)
def test_an_id_decides_and_else_the_address(known: Identity, met: Identity, verdict: Verdict) -> None:
    assert compare(known, met) is verdict


def test_the_graver_of_both_sides_counts() -> None:
    assert gravest(SAME, UNKNOWN) is UNKNOWN
    assert gravest(OTHER, UNKNOWN) is OTHER
    assert gravest(SAME, SAME) is SAME


@pytest.mark.parametrize(
    ("verdict", "has_links", "choice", "consequence"),
    [
        (SAME, True, None, GO_ON),
        (SAME, True, "keep", GO_ON),
        (SAME, True, "drop", GO_ON),  # nothing leads elsewhere, so there is nothing to drop
        (SAME, False, None, GO_ON),
        (SAME, False, "keep", GO_ON),
        (SAME, False, "drop", GO_ON),
        (OTHER, True, None, REFUSE),
        (OTHER, True, "keep", GO_ON),
        (OTHER, True, "drop", BEGIN_ANEW),
        (OTHER, False, None, BEGIN_ANEW),
        (OTHER, False, "keep", GO_ON),
        (OTHER, False, "drop", BEGIN_ANEW),
        (UNKNOWN, True, None, WAIT),
        (UNKNOWN, True, "keep", GO_ON),
        (UNKNOWN, True, "drop", BEGIN_ANEW),
        (UNKNOWN, False, None, BEGIN_ANEW),
        (UNKNOWN, False, "keep", GO_ON),
        (UNKNOWN, False, "drop", BEGIN_ANEW),
    ],
)
def test_what_a_document_means_for_the_links_there_are(
    verdict: Verdict, has_links: bool, choice: Choice | None, consequence: Consequence
) -> None:
    assert consequence_of(verdict, has_links=has_links, choice=choice) is consequence


def test_there_is_a_consequence_of_everything() -> None:
    choices: tuple[Choice | None, ...] = (None, "keep", "drop")
    for verdict, has_links, choice in product(Verdict, (True, False), choices):
        assert consequence_of(verdict, has_links=has_links, choice=choice) in Consequence


# What is known


def test_what_two_know_is_joined_with_the_present_address_last() -> None:
    joined = Identity(("a",), (HERE, THERE), ("h",)).joined(Identity(("b", "a"), (HERE,)))
    assert joined == Identity(("b", "a"), (THERE, HERE), ("h",))
    assert joined.joined(NOBODY) == joined


def test_of_very_many_ids_the_oldest_are_forgotten() -> None:
    known = NOBODY
    for number in range(50):
        known = known.joined(Identity(delivered=(str(number),)))
    assert known.delivered == tuple(map(str, range(30, 50)))


@pytest.mark.parametrize(
    ("before", "taken", "after"),
    [
        ((), True, ("ado",)),
        ((), False, ()),
        (("ado",), True, ("ado",)),
        (("sentry",), True, ("sentry", "ado")),
        (("ado", "sentry"), False, ("sentry",)),
    ],
)
def test_a_side_is_taken_once_and_as_long_as_somebody_else_answers_there(
    before: tuple[str, ...], taken: bool, after: tuple[str, ...]
) -> None:
    assert Connection(taken=before).found("ado", taken=taken).taken == after


@pytest.mark.parametrize(
    ("met_ado", "met_sentry", "still_taken"),
    [
        (ASKED, NOBODY, ("sentry",)),
        (NOBODY, ASKED, ("ado",)),
        (ASKED, ASKED, ()),
        (NEVER_ASKED, NOBODY, ("ado", "sentry")),
    ],
)
def test_a_side_where_the_right_one_answered_is_taken_no_more(
    met_ado: Identity, met_sentry: Identity, still_taken: tuple[str, ...]
) -> None:
    before = Connection("a1b2", taken=("ado", "sentry"))
    after = before.settled(met_ado, met_sentry)
    assert after == Connection("a1b2", ado=met_ado, sentry=met_sentry, taken=still_taken)


# Whose a delivery is


@pytest.mark.parametrize(
    ("known", "origin", "foreign"),
    [
        (BOTH, Identity((), (HERE,), ("h", "c")), False),
        (BOTH, Identity((), (HERE,), ("x",)), False),
        (BOTH, Identity((), (THERE,), ("h",)), False),  # renamed
        (BOTH, Identity((), (THERE,), ("a",)), False),
        (BOTH, Identity((), (THERE,), ("x",)), True),
        (BOTH, Identity((), (), ("x",)), True),
        (BOTH, Identity((), (THERE,)), True),
        (BOTH, NOBODY, False),  # it names nobody
        (TOLD_BY_HOOKS, Identity((), (THERE,), ("x",)), False),  # nobody could be asked yet
        (NOBODY, Identity((), (THERE,), ("x",)), False),
    ],
)
def test_a_delivery_is_foreign_that_names_nobody_we_know(
    known: Identity, origin: Identity, foreign: bool
) -> None:
    assert is_foreign(known, origin) is foreign


@pytest.mark.parametrize(
    ("origin", "teaching"),
    [
        (Identity((), (HERE,), ("h", "c")), True),
        (Identity((), (HERE,), ("h",)), False),
        (Identity((), (THERE,), ("c",)), False),
        (Identity((), (), ("c",)), False),
        (Identity((), (HERE,)), False),
    ],
)
def test_only_who_delivers_from_a_known_address_teaches_its_ids(origin: Identity, teaching: bool) -> None:
    assert teaches(BOTH, origin) is teaching
