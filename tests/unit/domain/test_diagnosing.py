"""What an examination finds, as tables: every finding that is not fine has a cure."""

import pytest

from shared.domain.configuration import Configuration, ProjectMapping, StatusMapping
from shared.domain.errors import (
    Forbidden,
    MissingSetting,
    NotFound,
    OrganizationGone,
    SyncError,
    Throttled,
    Unauthorized,
    Unavailable,
)
from shared.domain.model import Category, Integration, Side, State
from shared.domain.rules.diagnosing import (
    CLOCK_MAY_BE_OFF,
    WHO,
    Area,
    Finding,
    Standing,
    about_answer,
    about_clock,
    about_door,
    about_integrations,
    about_namesakes,
    about_people,
    about_poison,
    about_scopes,
    about_states,
    about_storage,
    about_subscriptions,
    unseen_integrations,
    unseen_scopes,
)
from shared.domain.subscriptions import HookEvent, HookState
from shared.domain.traffic import Counts

EVERY_SCOPE = frozenset({"event:read", "event:write", "member:read", "org:read", "project:read"})
URL = "https://sync.example/api/sentry/fabrikam/webhook"
PAGE = "https://sentry.io/settings/acme/developer-settings/"
PROJECT = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c"
BUG = (
    State("New", Category.PROPOSED),
    State("Active", Category.IN_PROGRESS),
    State("Closed", Category.COMPLETED),
)


def standings(found: list[Finding]) -> list[str]:
    for each in found:
        assert (each.cure is None) == (each.standing is Standing.FINE), each
    return [each.standing.value for each in found]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("error", "about", "kind", "words"),
    [
        (Unauthorized("x", "d"), WHO, "unauthorized", "does not accept our credentials (there)"),
        (Unauthorized("x", "d", advice="the token has a line break"), WHO, "unauthorized", "a line break"),
        (NotFound("d"), WHO, "organization-not-found", "renamed, deleted"),
        (OrganizationGone("x", "d"), "read it", "organization-not-found", "renamed"),
        (NotFound("d"), "read work item 3", "forbidden", "does not let us read work item 3"),
        (Forbidden("x", "d"), "list its projects", "forbidden", "does not let us list its projects"),
        (Unavailable("x", "d"), WHO, "unavailable", "did not answer when it was asked to say who it is"),
        (Unavailable("x", "d", advice="its name does not resolve"), WHO, "unavailable", "does not resolve"),
        (MissingSetting("SENTRY_TOKEN", "why"), WHO, "missing-setting", "SENTRY_TOKEN is not set"),
    ],
)
def test_why_a_service_did_not_answer(
    side: Side, error: SyncError, about: str, kind: str, words: str
) -> None:
    found = about_answer(side, error, about=about, where="there")
    assert standings([found]) == ["problem"]
    assert (found.check, found.side, words in found.detail) == (kind, side, True)


def test_a_wait_is_no_problem() -> None:
    found = about_answer(Side.ADO, Throttled("ado", "d", retry_after=5.0), about=WHO, where="there")
    assert standings([found]) == ["unknown"]


@pytest.mark.parametrize(
    ("off", "standing", "words"),
    [
        (None, [], ""),
        (0.0, ["fine"], "agree"),
        (CLOCK_MAY_BE_OFF, ["fine"], "agree"),
        (-CLOCK_MAY_BE_OFF, ["fine"], "agree"),
        (CLOCK_MAY_BE_OFF + 1, ["problem"], "1 minute behind that of Sentry"),
        (600.0, ["problem"], "10 minutes behind that of Sentry"),
        (-600.0, ["problem"], "10 minutes ahead of that of Sentry"),
        (-86_400.0, ["problem"], "24 hours ahead of"),
    ],
)
def test_clocks(off: float | None, standing: list[str], words: str) -> None:
    found = list(about_clock(Area.SENTRY, "Sentry", off, Side.SENTRY))
    assert standings(found) == standing
    assert all(words in each.detail for each in found)


@pytest.mark.parametrize("lacking", ["event:write", "member:read", "org:read", "project:read"])
def test_each_scope_that_is_lacking_is_named(lacking: str) -> None:
    [found] = about_scopes(EVERY_SCOPE - {lacking})
    assert standings([found]) == ["problem"]
    assert lacking in found.detail
    assert "The token stays the same." in (found.cure or "")


def test_a_wider_scope_includes_the_narrower() -> None:
    assert standings(list(about_scopes({"event:admin", "member:admin", "org:write", "project:admin"}))) == [
        "fine"
    ]
    assert standings(list(about_scopes(()))) == ["problem"] * 5
    assert list(about_scopes(None)) == []


@pytest.mark.parametrize(
    ("integrations", "comments", "expected"),
    [
        ([], False, ["unknown"]),
        ([Integration("a", "a", URL, ("issue",))], False, ["fine"]),
        ([Integration("a", "a", f"{URL}/", ("issue", "comment"))], True, ["fine"]),
        ([Integration("a", "a", URL, ("comment",))], False, ["problem"]),
        ([Integration("a", "a", URL, ("issue",))], True, ["problem"]),
        ([Integration("a", "a", URL, ())], True, ["problem", "problem"]),
        ([Integration("a", "a", "https://elsewhere.example/", ("issue",))], False, ["problem"]),
        ([Integration("a", "a", "", ())], False, ["problem"]),
        ([Integration("b", "b", "", ()), Integration("a", "a", URL, ("issue",))], False, ["fine"]),
    ],
)
def test_hooks_of_sentry(integrations: list[Integration], comments: bool, expected: list[str]) -> None:
    assert standings(list(about_integrations(integrations, URL, PAGE, comments=comments))) == expected


def test_the_address_of_an_integration_is_the_same_with_a_slash_and_without() -> None:
    found = [Integration("a", "a", URL, ("issue",))]
    assert standings(list(about_integrations(found, f"{URL}/", PAGE, comments=False))) == ["fine"]
    for url in (f"/{URL}", f"{URL}X"):
        other = [Integration("a", "a", url, ("issue",))]
        assert standings(list(about_integrations(other, URL, PAGE, comments=False))) == ["problem"]
    ours = [Integration("a", "a", URL, ("issue",))]
    assert standings(list(about_integrations(ours, f"{URL}X", PAGE, comments=False))) == ["problem"]
    shorter = [Integration("a", "a", URL.removesuffix("k"), ("issue",))]
    assert standings(list(about_integrations(shorter, URL, PAGE, comments=False))) == ["problem"]


def test_whom_both_know_by_one_name_are_offered_in_order_and_nobody_is_mapped() -> None:
    people = {"corp\\bob": "bob@home.example", "ann@corp.example": "ann@home.example"}
    names = {"corp\\bob": "Bob", "ann@corp.example": "Ann Lee"}
    ann, bob = about_namesakes(people, names)
    assert ann == Finding(
        Area.PEOPLE,
        "namesake",
        Standing.NOTE,
        "Ann Lee is ann@corp.example in Azure DevOps, and ann@home.example in Sentry",
        "If they are the same person: sentry-ado settings edit people.ann@corp.example ann@home.example",
        Side.SENTRY,
    )
    assert (bob.detail or "").startswith("Bob is ")


@pytest.mark.parametrize("state", HookState)
def test_every_state_of_a_subscription_is_judged(state: HookState) -> None:
    found = list(about_subscriptions({HookEvent.UPDATED: state}, ()))
    expected = {HookState.ENABLED: "fine", HookState.UNKNOWN: "unknown"}.get(state, "problem")
    assert standings(found) == [expected]


def test_a_subscription_with_another_secret_is_none_that_works() -> None:
    states = {HookEvent.UPDATED: HookState.ENABLED, HookEvent.DELETED: HookState.ENABLED}
    fine, wrong = about_subscriptions(states, {HookEvent.UPDATED})
    assert (fine.detail, wrong.standing) == ("subscriptions are enabled: deleted", Standing.PROBLEM)
    assert "another secret" in wrong.detail


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("counts", "standing"),
    [
        (Counts(), "note"),
        (Counts(taken=3, taken_at=5.0), "fine"),
        (Counts(refused=1, refused_at=5.0), "problem"),
        (Counts(taken=3, taken_at=4.0, refused=2, refused_at=5.0), "problem"),
        (Counts(taken=3, taken_at=6.0, refused=2, refused_at=5.0), "fine"),
    ],
)
def test_what_came_last_counts_at_a_door(side: Side, counts: Counts, standing: str) -> None:
    assert standings([about_door(side, counts)]) == [standing]


def configuration(**mapping: object) -> Configuration:
    return Configuration(status_mapping={PROJECT: ProjectMapping(**mapping)} if mapping else {})  # type: ignore[arg-type]  # as a test says it


@pytest.mark.parametrize(
    ("wanted", "types", "linked", "expected"),
    [
        (configuration(), {"Bug": BUG}, {(PROJECT, "Bug")}, ["fine"]),
        (configuration(), {}, set(), ["fine"]),
        (configuration(on_resolve="Closed", on_unresolve="Active"), {"Bug": BUG}, set(), ["fine"]),
        (
            configuration(on_resolve="Done", on_unresolve="Active"),
            {"Bug": BUG},
            {(PROJECT, "Bug")},
            ["problem"],
        ),
        (configuration(), {"Bug": BUG[:2]}, {(PROJECT, "Bug")}, ["problem"]),
        (configuration(), {}, {(PROJECT, "Bug")}, ["problem", "problem"]),
    ],
)
def test_states(
    wanted: Configuration,
    types: dict[str, tuple[State, ...]],
    linked: set[tuple[str, str]],
    expected: list[str],
) -> None:
    found = list(about_states(wanted, {PROJECT: types}, {PROJECT: "Fabrikam"}, linked))
    assert standings(found) == expected
    assert all("Fabrikam" in each.detail for each in found if each.is_problem)
    assert all(each.about == (PROJECT,) for each in found if each.is_problem)


def test_what_may_be_chosen_instead_are_the_states_of_the_type_whose_mapping_is_broken() -> None:
    task = (State("To Do", Category.PROPOSED), State("Finished", Category.COMPLETED))
    broken = configuration(types={"Task": StatusMapping(on_resolve="Gone")})
    [found] = about_states(broken, {PROJECT: {"Bug": BUG, "Task": task}}, {PROJECT: "Fabrikam"}, ())
    path = "types.Task.on_resolve"
    assert found.detail == f"the mapping of Fabrikam is broken: {path}: 'Gone' is no state of Task"
    assert found.cure == (
        "A state was renamed or removed in Azure DevOps. Choose one that there is (Finished, To Do) under "
        f"Settings on the admin page, or: sentry-ado settings edit status_mapping.{PROJECT}.{path}"
    )


def test_a_key_is_named_whole_though_the_projects_id_stands_where_a_type_should() -> None:
    broken = configuration(types={PROJECT: StatusMapping(on_resolve="Closed")})
    [found] = about_states(broken, {PROJECT: {"Bug": BUG}}, {PROJECT: "Fabrikam"}, ())
    wrong = f"types.{PROJECT}: is no work item type of the project"
    assert found.detail == f"the mapping of Fabrikam is broken: {wrong}"


def test_projects_and_people_that_cannot_be_read_are_named_and_told_together_by_the_kind_of_error() -> None:
    names = {"p-1": "Fabrikam", "p-2": "Contoso"}
    unread = {"p-2": "forbidden", "p-1": "forbidden", "p-3": "unavailable"}
    forbidden, unavailable = about_states(configuration(), {}, names, (), unread)
    assert standings([forbidden, unavailable]) == ["unknown"] * 2
    assert forbidden.detail == "the states of Fabrikam, Contoso cannot be read (forbidden)"
    assert unavailable.detail == "the states of p-3 cannot be read (unavailable)"
    assert (forbidden.about, unavailable.about) == (("p-1", "p-2"), ("p-3",))
    [found] = about_people({}, 0, (), {"bob@x": "unavailable", "ann@x": "unavailable"})
    assert standings([found]) == ["unknown"]
    assert found.detail == "whether Sentry knows ann@x, bob@x cannot be told (unavailable)"
    assert found.about == ("ann@x", "bob@x")


def test_people() -> None:
    found = list(about_people({"carol@corp.example": 3, "dave@corp.example": 1}, 5, ("ann@x", "bob@x")))
    assert standings(found) == ["problem", "problem", "unknown"]
    assert "carol@corp.example" in found[0].detail
    assert "(3 links)" in found[0].detail
    assert (found[0].cure or "").endswith("settings edit people.carol@corp.example")


@pytest.mark.parametrize(
    ("looked_at", "many"), [(0, "0 assignees are"), (1, "1 assignee is"), (2, "2 assignees are")]
)
def test_that_everybody_is_in_sentry_is_told_with_their_number(looked_at: int, many: str) -> None:
    found = list(about_people({}, looked_at, ()))
    assert standings(found) == ["fine"]
    assert found[0].detail == f"of the linked work items, {many} in Sentry"


def test_storage_and_poison() -> None:
    assert standings([about_storage("tables", None)]) == ["fine"]
    assert "Storage Table Data Contributor" in (
        about_storage("tables", Unauthorized("storage", "d")).cure or ""
    )
    assert standings([about_storage("tables", Unavailable("storage", "d"))]) == ["problem"]
    assert about_poison("q", 0) is None
    assert about_poison("q", None) is None
    found = about_poison("q", 2)
    assert found is not None
    assert found.detail.startswith("2 messages are on the queue q")


def test_what_nobody_can_look_at_is_unknown_and_says_where_to_look() -> None:
    assert unseen_scopes(Unavailable("sentry", "HTTP 503")) == Finding(
        Area.SENTRY,
        "scope-missing",
        Standing.UNKNOWN,
        "the scopes of the token cannot be looked at (unavailable)",
        "Run it again once Sentry answers.",
        Side.SENTRY,
    )
    assert unseen_integrations("Settings, Developer Settings") == Finding(
        Area.SENTRY,
        "hook",
        Standing.UNKNOWN,
        "Sentry does not show us its integrations",
        "Look by hand: Settings, Developer Settings, the integration, Webhooks: issue is ticked.",
        Side.SENTRY,
    )
