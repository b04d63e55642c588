"""An organization's problems as a function of the facts: when one begins, what it says, when it is cured."""

from typing import Any

import pytest

from shared.domain import untrusted
from shared.domain.model import HealthWord, Side, Stranger
from shared.domain.problems import Problem
from shared.domain.rules.links import cure_of, link_troubles
from shared.domain.rules.problems import Facts, Trouble, refused_since, troubles_of, untold_since
from shared.domain.sentences import why
from shared.domain.traffic import HOUR, Counts, Hour, of_side
from tests.unit.domain.test_apart import link_with

NOW = 1_000 * HOUR + 1800.0
SINCE = NOW - 600.0


def hours(**by_age: Counts) -> dict[int, Counts]:
    """Return counts by the hour, each named by how many hours ago it was: h0, h1."""
    return {1_000 - int(age[1:]): counts for age, counts in by_age.items()}


def turned_away(count: int, at: float = NOW - 60.0, **more: Any) -> Counts:
    return Counts(refused=count, refused_at=at, **more)


@pytest.mark.parametrize(
    ("counts", "since"),
    [
        ({}, None),
        (hours(h0=turned_away(4)), None),
        (hours(h0=turned_away(5)), 1_000 * HOUR),
        # A stranger's, as long as others come in.
        (hours(h0=turned_away(500, taken=1, taken_at=NOW - 900.0)), None),
        # The hour before had nobody, and somebody was taken since: cured.
        (hours(h1=turned_away(9, NOW - HOUR), h0=Counts(taken=1, taken_at=NOW)), None),
        # Taken before it began, which is no cure.
        (hours(h2=Counts(taken=1, taken_at=NOW - 2 * HOUR), h0=turned_away(9)), 1_000 * HOUR),
        (hours(h3=turned_away(5, NOW - 3 * HOUR), h0=turned_away(1)), 997 * HOUR),
        # Four in one hour and four in the next are not five in an hour.
        (hours(h1=turned_away(4, NOW - HOUR), h0=turned_away(4)), None),
        (hours(h24=turned_away(50, NOW - 24 * HOUR)), None),  # a day ago
    ],
)
def test_refused_deliveries_are_a_problem_when_many_came_and_none_was_taken(
    counts: dict[int, Counts], since: float | None
) -> None:
    assert refused_since(counts, NOW) == since


@pytest.mark.parametrize(
    ("counts", "since"),
    [
        (hours(h0=Counts(untold=1, untold_at=SINCE)), SINCE),
        (hours(h5=Counts(taken=3, taken_at=NOW - 5 * HOUR), h0=Counts(untold=1, untold_at=SINCE)), SINCE),
        (hours(h0=Counts(untold=1, untold_at=SINCE, taken=1, taken_at=NOW)), None),  # a hook came since
        (hours(h0=Counts(taken=1, taken_at=NOW)), None),
    ],
)
def test_untold_changes_are_a_problem_until_a_hook_comes(
    counts: dict[int, Counts], since: float | None
) -> None:
    assert untold_since(counts) == since


def kinds(facts: Facts) -> list[tuple[str, str | None]]:
    return [(each.kind, each.side) for each in troubles_of(facts)]


def part(kind: str, detail: str = "in our words", **more: Any) -> Problem:
    return Problem(kind, detail, SINCE, **more)


UNTOLD = {1_000: of_side(Side.ADO, Counts(untold=1, untold_at=SINCE))}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (Facts(NOW), []),
        (Facts(NOW, parts={"ado": part("unauthorized")}), [("unauthorized", "ado")]),
        (Facts(NOW, parts={"sentry": part("not-found")}), [("organization-not-found", "sentry")]),
        (
            Facts(NOW, parts={"ado": part("ado-organization-not-found")}),
            [("organization-not-found", "ado")],
        ),
        (Facts(NOW, parts={"sentry": part("unavailable")}), [("unavailable", "sentry")]),
        (Facts(NOW, parts={"sentry": part("missing-setting")}), [("missing-setting", "sentry")]),
        (Facts(NOW, parts={"feed": part("unavailable")}), [("feed-failed", "ado")]),
        (Facts(NOW, parts={"feed": part("feed-forbidden", is_note=True)}), []),
        (Facts(NOW, parts={"of-a-newer-version": part("unavailable")}), []),
        (Facts(NOW, refusing=frozenset({Side.ADO})), [("unauthorized", "ado")]),
        # Asked and met by a worker: one problem.
        (
            Facts(NOW, parts={"ado": part("unauthorized")}, refusing=frozenset({Side.ADO})),
            [("unauthorized", "ado")],
        ),
        # What a part fails for is told once, if it is a problem of the side.
        (
            Facts(NOW, parts={"feed": part("unauthorized")}, refusing=frozenset({Side.ADO})),
            [("unauthorized", "ado")],
        ),
        (
            Facts(NOW, parts={"issues": part("organization-gone"), "sentry": part("not-found")}),
            [("organization-not-found", "sentry")],
        ),
        (
            Facts(NOW, parts={"issues": part("unauthorized")}, refusing=frozenset({Side.ADO})),
            [("unauthorized", "ado"), ("issues-failed", "sentry")],
        ),
        (Facts(NOW, parts={"feed": part("organization-gone")}), [("feed-failed", "ado")]),
        (Facts(NOW, forbidding={Side.SENTRY: SINCE}), [("forbidden", "sentry")]),
        (Facts(NOW, foreign=3), [("other-organization", "ado")]),
        (Facts(NOW, missing=[(Side.ADO, "ADO_WEBHOOK_SECRET is not set")]), [("missing-setting", "ado")]),
        (Facts(NOW, unreadable=2), [("unreadable-rows", None)]),
        (Facts(NOW, hours=UNTOLD), [("changes-untold", "ado")]),
        # Whoever looks at the subscriptions knows better.
        (Facts(NOW, hours=UNTOLD, is_watched=True), []),
        (Facts(NOW, subscriptions=part("missing")), [("subscriptions", "ado")]),
        (Facts(NOW, subscriptions=part("by-hand", is_note=True)), []),
        (
            Facts(NOW, hours={1_000: of_side(Side.SENTRY, turned_away(6))}),
            [("deliveries-refused", "sentry")],
        ),
    ],
)
def test_problems_of_the_facts(facts: Facts, expected: list[tuple[str, str | None]]) -> None:
    assert kinds(facts) == expected
    for each in troubles_of(facts):
        assert each.detail
        assert each.cure.endswith(".")
        assert each.since is not None


def test_a_problem_keeps_the_moment_since_which_it_is_known() -> None:
    facts = Facts(NOW, foreign=3, known={"other-organization ado": 5.0})
    assert [each.since for each in troubles_of(facts)] == [5.0]


def test_all_settings_that_one_side_lacks_are_one_problem_that_names_each() -> None:
    missing = [(Side.SENTRY, "SENTRY_CLIENT_SECRET is not set"), (Side.SENTRY, "SENTRY_TOKEN is not set")]
    asked = {"sentry": part("missing-setting", "SENTRY_TOKEN is not set")}
    [found] = troubles_of(Facts(NOW, parts=asked, missing=missing))
    assert found.detail == "SENTRY_CLIENT_SECRET is not set; SENTRY_TOKEN is not set"
    assert "them" in found.cure


@pytest.mark.parametrize("kind", sorted(untrusted.CURES))
def test_what_does_not_pass_by_itself_names_its_cure_wherever_it_is_met(kind: str) -> None:
    parts = {"ado": part(kind, "asked for it"), "feed": part(kind, "asked for it")}
    found = troubles_of(Facts(NOW, parts=parts))
    assert [(each.kind, each.cure) for each in found] == [
        (kind, untrusted.CURES[kind]),
        ("feed-failed", untrusted.CURES[kind]),
    ]
    assert all(each.detail.endswith(f"{kind} (asked for it)") for each in found)
    assert cure_of(kind) == untrusted.CURES[kind]
    assert why(kind) == untrusted.WHY[kind]


def test_no_problem_says_which_secret_it_is() -> None:
    said = " ".join(each.detail + each.cure for each in troubles_of(Facts(NOW, hours={1_000: Hour()})))
    assert said == ""


def test_links_are_grouped_by_their_cause() -> None:
    ann = [
        link_with(reason="assignee-not-found", owed=Side.SENTRY, item_assignee="ann@x", since=at)
        for at in (9.0, 7.0)
    ]
    bob = [link_with(reason="assignee-not-found", owed=Side.SENTRY, item_assignee="bob@x", since=8.0)]
    well = [link_with(word=HealthWord.SETTLED, reason="")]
    found = link_troubles([*bob, *ann, *well])
    assert [(each.kind, each.side, each.since) for each in found] == [
        ("assignee-not-found", "sentry", 7.0),
        ("assignee-not-found", "sentry", 8.0),
    ]
    assert found[0].detail == "2 links: ann@x is not known on the other side"
    assert isinstance(found[0], Trouble)


def test_a_cause_tells_how_many_links_it_holds_up_the_most_first() -> None:
    busy = [link_with(reason="unavailable", since=at) for at in (5.0, 4.0)]
    lost = [link_with(reason="work-item-gone", owed=Side.SENTRY, since=3.0)]
    odd = [link_with(reason="issue-gone", since=2.0)]
    nobody = [link_with(reason="assignee-not-found", owed=Side.ADO, since=at) for at in (9.0, 8.0, 7.0)]
    assert link_troubles([*lost, *odd, *busy, *nobody]) == [
        Trouble("assignee-not-found", Side.ADO, "3 links: a detail", cure_of("assignee-not-found"), 7.0),
        Trouble("unavailable", None, "2 links: a detail", cure_of("unavailable"), 4.0),
        Trouble("work-item-gone", Side.ADO, "1 link: a detail", cure_of("work-item-gone"), 3.0),
        Trouble("issue-gone", Side.SENTRY, "1 link: a detail", cure_of("issue-gone"), 2.0),
    ]


def test_whom_a_link_is_about_is_told_only_of_a_person() -> None:
    team = Stranger("team-assignee", "backend")
    [found] = link_troubles(
        [
            link_with(reason="assignee-not-found", owed=Side.ADO, issue_assignee=team),
            link_with(reason="assignee-not-found"),  # by a row of an older version
        ]
    )
    assert (found.detail, found.side) == ("2 links: a detail", "ado")


def test_credentials_are_refused_since_the_part_says_so() -> None:
    [found] = troubles_of(Facts(NOW, parts={"sentry": part("unauthorized")}))
    assert found.since == SINCE


def test_whoever_may_be_one_of_several_is_named_too() -> None:
    several = link_with(
        reason="assignee-ambiguous", owed=Side.SENTRY, owed_reason="assignee-ambiguous", item_assignee="ann@x"
    )
    [found] = link_troubles([several])
    assert (found.kind, found.side) == ("assignee-ambiguous", "sentry")
    assert found.detail == "1 link: ann@x may be one of several people on the other side"
