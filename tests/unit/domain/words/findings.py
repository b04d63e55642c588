"""What an examination may find: one example of each finding, and of each of its variants."""

from collections.abc import Iterable, Iterator

from shared.domain.configuration import Configuration, ProjectMapping
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
from shared.domain.model import Category, Integration, Side, State, WorkItemTypes
from shared.domain.rules.diagnosing import (
    WHO,
    Area,
    Finding,
    about_answer,
    about_clock,
    about_door,
    about_integrations,
    about_people,
    about_poison,
    about_scopes,
    about_setting,
    about_states,
    about_storage,
    about_subscriptions,
    duration,
    unseen_subscriptions,
)
from shared.domain.subscriptions import HookEvent, HookState
from shared.domain.traffic import Counts

PROJECT, OTHER_PROJECT = "6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c", "be3b4ae3-6e4c-4a6f-9d54-0f3f9b2f5f3e"
URL = "https://sync.example/api/sentry/fabrikam/webhook"
PAGE = "https://sentry.example/settings/acme/developer-settings/"
WHERE = "https://there.example"
OPEN = (State("New", Category.PROPOSED), State("Active", Category.IN_PROGRESS))
CLOSED = State("Closed", Category.COMPLETED)
BUG = (*OPEN, CLOSED)

Case = tuple[str, Iterable[Finding]]


def lines() -> Iterator[str]:
    for title, found in (
        *answers(),
        *clocks(),
        *scopes(),
        *integrations(),
        *subscriptions(),
        *doors(),
        *states(),
        *people(),
        *the_app(),
    ):
        yield from ("", f"# {title}")
        for each in found:
            side = f" of {each.side}" if each.side else ""
            yield from ("", f"[{each.area}] {each.check}{side}: {each.standing}", each.detail)
            if each.cure is not None:
                yield f"→ {each.cure}"


def answers() -> Iterator[Case]:
    errors: tuple[tuple[str, SyncError, str], ...] = (
        ("its name is unknown", NotFound("d"), WHO),
        ("its name is unknown all of a sudden", OrganizationGone("x", "d"), "list its projects"),
        ("no credentials", Unauthorized("x", "d"), WHO),
        ("no credentials, with advice", Unauthorized("x", "d", advice="the token has a line break"), WHO),
        ("forbidden", Forbidden("x", "d"), "list its projects"),
        ("not found", NotFound("d"), "read work item 3"),
        ("throttled", Throttled("x", "d", retry_after=5.0), WHO),
        ("no answer", Unavailable("x", "d"), WHO),
        ("no answer, with advice", Unavailable("x", "d", advice="its name does not resolve"), WHO),
        ("a setting is missing", MissingSetting("A_TOKEN", "for it"), WHO),
    )
    for title, error, about in errors:
        for side in Side:
            yield f"answer of {side}: {title}", [about_answer(side, error, about=about, where=WHERE)]
    yield (
        "a setting of the app is missing",
        [about_setting(MissingSetting("A_TOKEN", "for the sync", "is empty"), None)],
    )


def clocks() -> Iterator[Case]:
    for off in (None, 0.0, 60.0, -60.0, 60.5, -60.5, 89.0, 91.0, 7_169.0, -7_200.0, 86_400.0):
        yield f"clock: {off}", about_clock(Area.SENTRY, "Sentry", off, Side.SENTRY)
    yield "clock of the storage", about_clock(Area.APP, "the storage", 300.0, None)
    for seconds in (0.0, 29.6, 30.0, 31.0, 60.0, 119.0 * 60, 120.0 * 60, 179.0 * 60):
        yield f"{seconds} seconds are {duration(seconds)}", ()


def scopes() -> Iterator[Case]:
    every = {"event:write", "event:read", "member:read", "org:read", "project:read"}
    for title, given in (
        ("not told", None),
        ("none", set[str]()),
        ("all", every),
        ("the widest", {"event:admin", "member:admin", "org:admin", "project:admin"}),
        ("reading only", every - {"event:write"}),
        ("of no people", every - {"member:read"}),
    ):
        yield f"scopes: {title}", about_scopes(given)


def integrations() -> Iterator[Case]:
    def one(url: str, *events: str, name: str = "Sync") -> Integration:
        return Integration(name, name.lower(), url, events)

    cases: tuple[tuple[str, list[Integration], bool], ...] = (
        ("none is listed", [], False),
        ("none has an address", [one("")], False),
        ("others", [one("https://a.example/", name="A"), one("", name="B"), one("https://c.example")], True),
        ("all is sent", [one(URL, "issue")], False),
        ("all is sent, and the address ends with a stroke", [one(f"{URL}/", "issue", "comment")], True),
        ("no comments are sent", [one(URL, "issue")], True),
        ("nothing is sent", [one(URL), one("", name="B")], True),
        ("two of ours", [one(URL, "comment"), one(URL, "issue", name="Twin")], False),
    )
    for title, found, comments in cases:
        yield f"integrations: {title}", about_integrations(found, URL, PAGE, comments=comments)


def subscriptions() -> Iterator[Case]:
    well = dict.fromkeys(HookEvent, HookState.ENABLED)
    yield "subscriptions: all are well", about_subscriptions(well, ())
    for state in HookState:
        yield f"subscriptions: one is {state}", about_subscriptions({HookEvent.DELETED: state}, ())
    yield "subscriptions: one with another secret", about_subscriptions(well, {HookEvent.UPDATED})
    yield "subscriptions: unseen", [unseen_subscriptions(Forbidden("ado", "d"))]


def doors() -> Iterator[Case]:
    for title, counts in (
        ("nothing", Counts()),
        ("taken", Counts(taken=3, taken_at=5.0)),
        ("one was refused", Counts(refused=1, refused_at=5.0)),
        ("two were refused after others were taken", Counts(3, refused=2, taken_at=4.0, refused_at=5.0)),
        ("refused and taken at once", Counts(3, refused=2, taken_at=5.0, refused_at=5.0)),
        ("refused before others were taken", Counts(3, refused=2, taken_at=6.0, refused_at=5.0)),
    ):
        for side in Side:
            yield f"deliveries from {side}: {title}", [about_door(side, counts)]


def states() -> Iterator[Case]:
    def mapped(on_resolve: str) -> Configuration:
        return Configuration(status_mapping={PROJECT: ProjectMapping(on_resolve, "Active")})

    names, linked = {PROJECT: "Fabrikam"}, {(PROJECT, "Bug")}
    cases: tuple[tuple[str, Configuration, WorkItemTypes, set[tuple[str, str]]], ...] = (
        ("all are there", Configuration(), {"Bug": BUG}, linked),
        ("nothing is linked", Configuration(), {"Bug": BUG}, set()),
        ("a mapped one is gone", mapped("Done"), {"Bug": BUG}, linked),
        ("a mapped one is gone, nothing is linked", mapped("Done"), {"Bug": BUG}, set()),
        ("none counts as resolved", Configuration(), {"Bug": OPEN}, linked),
        ("none counts as unresolved", Configuration(), {"Bug": (CLOSED,)}, linked),
        ("of an unknown type", Configuration(), {}, {*linked, (PROJECT, "Task")}),
        ("of an unknown project", Configuration(), {"Bug": OPEN}, {("elsewhere", "Bug")}),
    )
    for title, wanted, types, links in cases:
        yield f"states: {title}", about_states(wanted, {PROJECT: types}, names, links)
    for title, wanted in (
        ("none counts as resolved", Configuration()),
        ("a mapped one is gone", mapped("X")),
    ):
        yield (
            f"states of a project without a name: {title}",
            about_states(wanted, {PROJECT: {"Bug": OPEN}}, {}, linked),
        )
    found = about_states(
        mapped("Done"), {OTHER_PROJECT: {"Bug": OPEN}, PROJECT: {"Bug": BUG}}, names, {(OTHER_PROJECT, "Bug")}
    )
    yield "states: two projects", found
    unread = {OTHER_PROJECT: "forbidden", "elsewhere": "unavailable"}
    found = about_states(mapped("Done"), {PROJECT: {"Bug": BUG}}, names, linked, unread)
    yield "states: two more cannot be read", found


def people() -> Iterator[Case]:
    yield "people: all are known", about_people({}, 5, ())
    yield (
        "people: all who were asked for are known",
        about_people({}, 5, ("ann@corp.example", "bob@corp.example")),
    )
    unknown_ones = {"dave@corp.example": 3, "carol@corp.example": 1}
    yield "people: two are not known", about_people(unknown_ones, 5, ("ann@corp.example",))
    unread = {"bob@corp.example": "unavailable", "ann@corp.example": "unavailable", "eve@x": "forbidden"}
    yield "people: three cannot be told of", about_people({"carol@corp.example": 1}, 1, (), unread)


def the_app() -> Iterator[Case]:
    for count in (None, 0, 1, 2):
        found = about_poison("inbound-sync-poison", count)
        yield f"poison: {count}", [] if found is None else [found]
    for error in (None, Unauthorized("storage", "d"), Unavailable("storage", "d")):
        yield f"storage: {error.kind if error else 'well'}", [about_storage("the tables", error)]
