"""An organization's problems as a function of the facts: when one begins, what it says, when it is cured."""

from typing import Any

import pytest

from shared.domain import untrusted
from shared.domain.model import HealthWord, Person, Side, Stranger
from shared.domain.problems import Problem
from shared.domain.reasons import why
from shared.domain.rules.links import cure_for, cure_of, joined, link_troubles, without_told
from shared.domain.rules.problems import Facts, Trouble, refused_since, troubles_of, untold_since
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
        # Taken at the very moment of the last refusal, and counted in the next hour: that is no cure either.
        (
            hours(h1=turned_away(9, 1_000 * HOUR - 0.5), h0=Counts(taken=1, taken_at=1_000 * HOUR - 0.5)),
            1_000 * HOUR - 0.5,
        ),
    ],
)
def test_refused_deliveries_are_a_problem_when_many_came_and_none_was_taken(
    counts: dict[int, Counts], since: float | None
) -> None:
    assert refused_since(counts, NOW) == since


@pytest.mark.parametrize(
    ("taken_at", "since"), [(0.0, 1_000 * HOUR), (NOW - 61.0, NOW - 61.0), (NOW - 60.0, None)]
)
def test_where_changes_came_untold_one_refusal_after_the_last_delivery_is_enough(
    taken_at: float, since: float | None
) -> None:
    counts = hours(h0=turned_away(1, NOW - 60.0, taken=int(taken_at > 0.0), taken_at=taken_at))
    assert refused_since(counts, NOW, may_be_few=True) == since
    assert refused_since(counts, NOW) is None


@pytest.mark.parametrize(
    ("counts", "since"),
    [
        (hours(h0=Counts(untold=1, untold_at=SINCE)), SINCE),
        (hours(h5=Counts(taken=3, taken_at=NOW - 5 * HOUR), h0=Counts(untold=1, untold_at=SINCE)), SINCE),
        (hours(h0=Counts(untold=1, untold_at=SINCE, taken=1, taken_at=NOW)), None),  # a hook came since
        (hours(h0=Counts(untold=1, untold_at=SINCE, taken=1, taken_at=SINCE)), None),  # or at that moment
        # A hook had told, and nobody could look: the oldest finds are explained so, however late they come.
        (hours(h5=Counts(given_up=1), h0=Counts(untold=1, untold_at=SINCE)), None),
        (
            hours(
                h5=Counts(given_up=2),
                h1=Counts(untold=1, untold_at=1.0),
                h0=Counts(untold=1, untold_at=SINCE),
            ),
            None,
        ),
        (hours(h5=Counts(given_up=1), h0=Counts(untold=2, untold_at=SINCE)), SINCE),
        # What is given up later explains nothing of before.
        (hours(h5=Counts(untold=1, untold_at=SINCE), h0=Counts(given_up=1)), SINCE),
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
            [("unauthorized", "ado"), ("unauthorized", "sentry")],
        ),
        (Facts(NOW, parts={"feed": part("organization-gone")}), [("organization-not-found", "ado")]),
        # That says nothing of the parts behind it.
        (
            Facts(NOW, parts={"feed": part("unauthorized"), "links": part("unavailable")}),
            [("unauthorized", "ado"), ("links-failed", None)],
        ),
        (
            Facts(NOW, parts={"feed": part("organization-gone"), "full-look": part("organization-gone")}),
            [("organization-not-found", "ado")],
        ),
        # A worker has met it, and no run has looked since.
        (Facts(NOW, gone=frozenset({Side.SENTRY})), [("organization-not-found", "sentry")]),
        (
            Facts(NOW, gone=frozenset({Side.ADO}), parts={"feed": part("organization-gone")}),
            [("organization-not-found", "ado")],
        ),
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


SET_IN_SETTINGS = "Set {} in the app's settings; the app restarts by itself."
WAIT = "Nothing, if the service is down: the app asks again every five minutes. Else see the app's log."
BY_THE_HOUR = {
    1_000: of_side(Side.SENTRY, turned_away(6)),
    998: of_side(Side.SENTRY, turned_away(5, NOW - 2 * HOUR)),
    975: of_side(Side.SENTRY, turned_away(50, NOW - 25 * HOUR)),
}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        (
            Facts(NOW, missing=[(Side.ADO, "ADO_PAT is not set")]),
            Trouble("missing-setting", Side.ADO, "ADO_PAT is not set", SET_IN_SETTINGS.format("it"), NOW),
        ),
        (
            Facts(NOW, missing=[(Side.ADO, "one"), (Side.ADO, "another")]),
            Trouble("missing-setting", Side.ADO, "one; another", SET_IN_SETTINGS.format("them"), NOW),
        ),
        (
            Facts(NOW, parts={"sentry": part("missing-setting")}),
            Trouble("missing-setting", Side.SENTRY, "in our words", SET_IN_SETTINGS.format("it"), SINCE),
        ),
        (
            Facts(NOW, parts={"sentry": part("unavailable")}),
            Trouble(
                "unavailable",
                Side.SENTRY,
                "Sentry did not answer when it was asked who it is: unavailable (in our words)",
                WAIT,
                SINCE,
            ),
        ),
        (
            Facts(NOW, forbidding={Side.SENTRY: SINCE}),
            Trouble(
                "forbidden",
                Side.SENTRY,
                "Sentry forbids everything that we ask about single things: a permission is missing",
                "Give the app's token or identity the rights that docs/permissions.md names.",
                SINCE,
            ),
        ),
        (
            Facts(NOW, foreign=3),
            Trouble(
                "other-organization",
                Side.ADO,
                "3 deliveries were ignored lately: they come from another Azure DevOps organization than the "
                "one that is connected",
                "Correct ado_url, or delete the subscriptions of the other organization.",
                NOW,
            ),
        ),
        (
            Facts(NOW, hours=BY_THE_HOUR),
            Trouble(
                "deliveries-refused",
                Side.SENTRY,
                "deliveries from Sentry are refused, 11 in 24 hours: their signature is missing or wrong",
                "Set SENTRY_CLIENT_SECRET to the client secret of the integration that sends the hooks.",
                998 * HOUR,
            ),
        ),
        (
            Facts(NOW, hours=UNTOLD),
            Trouble(
                "changes-untold",
                Side.ADO,
                "the reconciler found changes in Azure DevOps that no hook had told",
                "Look at the service hook subscriptions in Azure DevOps: one each for work item updated, "
                "deleted and restored, enabled, for all projects, with the app's address.",
                SINCE,
            ),
        ),
        (
            Facts(NOW, subscriptions=part("missing")),
            Trouble(
                "subscriptions",
                Side.ADO,
                "in our words",
                "Have them repaired, or make them by hand as docs/permissions.md says.",
                SINCE,
            ),
        ),
        (
            Facts(NOW, parts={"feed": part("unavailable")}),
            Trouble(
                "feed-failed",
                Side.ADO,
                "what changed in Azure DevOps cannot be read: unavailable (in our words)",
                WAIT,
                SINCE,
            ),
        ),
        (
            Facts(NOW, unreadable=2),
            Trouble(
                "unreadable-rows",
                None,
                "2 stored rows cannot be read; the log names their keys",
                "Deploy the version that wrote them, or delete them.",
                NOW,
            ),
        ),
    ],
)
def test_a_problem_says_what_is_wrong_what_cures_it_and_since_when(facts: Facts, found: Trouble) -> None:
    assert troubles_of(facts) == [found]


def test_what_an_examination_found_is_one_problem_of_each_kind_since_the_first_of_it() -> None:
    def nobody(address: str, since: float | None) -> Trouble:
        return Trouble("people", Side.SENTRY, f"{address} is nobody", "Invite them.", since, address)

    mapping = Trouble("mapping", Side.ADO, "the mapping is broken", "Choose another state.", about="p-1")
    examined = [nobody("ann@x", SINCE), mapping, nobody("bob@x", None), nobody("carol@x", SINCE - 9.0)]
    people = "ann@x is nobody; bob@x is nobody; carol@x is nobody"
    assert troubles_of(Facts(NOW, examined=examined)) == [
        Trouble("people", Side.SENTRY, people, "Invite them.", SINCE - 9.0, "ann@x"),
        Trouble("mapping", Side.ADO, "the mapping is broken", "Choose another state.", NOW, "p-1"),
    ]


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


def test_a_few_refusals_tell_why_changes_came_without_their_hook() -> None:
    few = turned_away(2, NOW - 60.0)
    for side, secret in ((Side.ADO, "hooks repair"), (Side.SENTRY, "SENTRY_CLIENT_SECRET")):
        untold = Counts(untold=1, untold_at=NOW - 30.0)
        [found] = troubles_of(Facts(NOW, hours={1_000: of_side(side, few.joined(untold))}, is_watched=True))
        assert (found.kind, found.side) == ("deliveries-refused", side)
        assert secret in found.cure
        # By themselves they are a stranger's, and whoever is taken after them is the cure.
        assert kinds(Facts(NOW, hours={1_000: of_side(side, few)})) == []
        cured = few.joined(untold).joined(Counts(taken=1, taken_at=NOW))
        assert kinds(Facts(NOW, hours={1_000: of_side(side, cured)})) == []
        # One who was taken before them, in the same hour, is none.
        before = few.joined(untold).joined(Counts(taken=1, taken_at=NOW - 600.0))
        assert kinds(Facts(NOW, hours={1_000: of_side(side, before)})) == [("deliveries-refused", side)]


@pytest.mark.parametrize("side", Side)
def test_an_organization_that_is_gone_is_told_with_its_cure_whoever_met_it(side: Side) -> None:
    part_of = {Side.ADO: "feed", Side.SENTRY: "issues"}[side]
    for facts in (
        Facts(NOW, gone=frozenset({side})),
        Facts(NOW, parts={part_of: part("organization-gone")}),
        Facts(NOW, parts={side.value: part("organization-gone")}),
    ):
        [found] = troubles_of(facts)
        assert "renamed, deleted, is misspelled, or another one has taken its place" in found.detail
        assert "sentry-ado settings edit" in found.cure
        assert found.since == (SINCE if facts.parts else NOW)


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


NOBODY_THERE = "nobody on the other side has the assignee's address (a detail)"
ITEM_GONE = "the work item was deleted, or our credentials may not read it"
ISSUE_GONE = "the issue was deleted, or our token may not read it"


def test_a_cause_tells_how_many_links_it_holds_up_the_most_first() -> None:
    busy = [link_with(reason="unavailable", since=at) for at in (5.0, 4.0)]
    lost = [link_with(reason="work-item-gone", owed=Side.SENTRY, since=3.0)]
    odd = [link_with(reason="issue-gone", since=2.0)]
    nobody = [link_with(reason="assignee-not-found", owed=Side.ADO, since=at) for at in (9.0, 8.0, 7.0)]
    assert link_troubles([*lost, *odd, *busy, *nobody]) == [
        Trouble(
            "assignee-not-found", Side.ADO, f"3 links: {NOBODY_THERE}", cure_of("assignee-not-found"), 7.0
        ),
        Trouble(
            "unavailable", None, "2 links: the service did not answer (a detail)", cure_of("unavailable"), 4.0
        ),
        Trouble("work-item-gone", Side.ADO, f"1 link: {ITEM_GONE}", cure_of("work-item-gone"), 3.0),
        Trouble("issue-gone", Side.SENTRY, f"1 link: {ISSUE_GONE}", cure_of("issue-gone"), 2.0),
    ]


def test_whom_a_link_is_about_is_told_only_of_a_person() -> None:
    team = Stranger("team-assignee", "backend")
    [found] = link_troubles(
        [
            link_with(reason="assignee-not-found", owed=Side.ADO, issue_assignee=team),
            link_with(reason="assignee-not-found"),  # by a row of an older version
        ]
    )
    assert (found.detail, found.side) == (f"2 links: {NOBODY_THERE}", "ado")


def test_credentials_are_refused_since_the_part_says_so() -> None:
    [found] = troubles_of(Facts(NOW, parts={"sentry": part("unauthorized")}))
    assert found.since == SINCE


@pytest.mark.parametrize(
    ("reason", "detail", "told"),
    [
        ("unauthorized", "GET https://x/: HTTP 401: sign in", "our credentials are not accepted"),
        (
            "forbidden",
            "PUT https://x//: HTTP 403: You do not have permission.",
            "our credentials do not reach this one thing (You do not have permission.)",
        ),
        ("refused", "PUT https://x/: HTTP 400: TF40: no", "the other side refused the write (TF40: no)"),
        ("refused", "TF401347: no", "the other side refused the write (TF401347: no)"),
        ("unavailable", "GET https://x/: HTTP 503", "the service did not answer"),
        ("unavailable", "GET https://x/: ReadTimeout", "the service did not answer (ReadTimeout)"),
        ("issue-gone", "GET https://x/: HTTP 404", "the issue was deleted, or our token may not read it"),
        ("flapping", "", "we wrote 20 times within an hour: something keeps changing the link back"),
    ],
)  # fmt: skip
def test_a_cause_is_told_in_words_and_not_by_a_request(reason: str, detail: str, told: str) -> None:
    [found] = link_troubles([link_with(reason=reason, detail=detail)])
    assert found.detail == f"1 link: {told}"


def test_what_was_said_of_several_links_is_told_if_it_is_the_same() -> None:
    details = ["PUT https://x/1: HTTP 400: no", "PUT https://x/2: HTTP 400: no"]
    [found] = link_troubles([link_with(reason="refused", detail=each) for each in details])
    assert found.detail == "2 links: the other side refused the write (no)"
    [found] = link_troubles([link_with(reason="refused", detail=each) for each in ("one", "two")])
    assert found.detail == "2 links: the other side refused the write"


@pytest.mark.parametrize(
    ("owed", "cure"),
    [
        (
            Side.SENTRY,
            "map ann@x under People on the admin page, or: sentry-ado settings edit people.ann@x.",
        ),
        (Side.ADO, "map ann@x under People on the admin page."),
    ],
)  # fmt: skip
def test_whoever_is_not_known_is_named_in_the_cure(owed: Side, cure: str) -> None:
    link = link_with(
        reason="assignee-not-found", owed=owed, item_assignee="ann@x", issue_assignee=Person("ann@x")
    )
    [found] = link_troubles([link])
    service = "Sentry" if owed is Side.SENTRY else "Azure DevOps"
    assert found.cure == cure_for(link) == f"Invite them to {service}, or {cure}"


def test_one_cause_of_an_organization_and_its_links_is_one_problem() -> None:
    refused, known = Facts(NOW, refusing=frozenset({Side.SENTRY})), link_with(reason="unauthorized")
    [found] = joined(troubles_of(refused), link_troubles([known, known]))
    assert found.detail == "Sentry does not accept our credentials; 2 links affected"
    said = Trouble("unauthorized", Side.SENTRY, "2 links: Sentry said: no", "Renew it", NOW)
    [found] = joined(troubles_of(refused), [said])
    assert found.detail == "Sentry does not accept our credentials; 2 links affected"
    assert kinds_of(joined(troubles_of(Facts(NOW)), link_troubles([known]))) == ["unauthorized"]
    assert kinds_of(joined(troubles_of(refused), link_troubles([link_with(reason="refused")]))) == [
        "unauthorized",
        "refused",
    ]


def test_a_person_whom_links_tell_of_is_not_told_twice() -> None:
    about = [
        Trouble("people", Side.SENTRY, f"{each}, who is assigned", "Invite") for each in ("ann@x", "bob@x")
    ]
    ann = link_with(reason="assignee-not-found", owed=Side.SENTRY, item_assignee="ann@x")
    assert without_told(about, [ann]) == about[1:]
    assert without_told(about, []) == about
    other = Trouble("mapping", Side.ADO, "ann@x, a state", "Map")
    assert without_told([other], [ann]) == [other]
    # A link that is about nobody says nothing of anybody.
    nobody = Trouble("people", Side.SENTRY, ", whose address is not known, is assigned", "Invite")
    assert without_told([nobody], [link_with(reason="refused")]) == [nobody]


def kinds_of(troubles: list[Trouble]) -> list[str]:
    return [each.kind for each in troubles]


def test_whoever_may_be_one_of_several_is_named_too() -> None:
    several = link_with(
        reason="assignee-ambiguous", owed=Side.SENTRY, owed_reason="assignee-ambiguous", item_assignee="ann@x"
    )
    [found] = link_troubles([several])
    assert (found.kind, found.side) == ("assignee-ambiguous", "sentry")
    assert found.detail == "1 link: ann@x may be one of several people on the other side"
