"""What Azure DevOps does for the sync: the double in memory, and the real client of the fake over HTTP."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

import pytest
from msgspec.structs import replace

from shared.ado.auth import personal_access_token
from shared.ado.back_links import change_hyperlinks, get_related
from shared.ado.client import AdoClient
from shared.ado.comments import (
    FoundComment,
    add_comment,
    delete_comment,
    edit_comment,
    find_comment_with,
    get_comment,
    rendered,
)
from shared.ado.creation import NewWorkItem, create_work_item, find_created, patch_for
from shared.ado.hook import Foreign, Uninteresting, WorkItemEvent, parse
from shared.domain.addresses import AddressPolicy
from shared.domain.comments import InboundComments, SaidInAdo
from shared.domain.connection import Identity
from shared.domain.errors import Conflict, NotFound, Refused, Rejected
from shared.domain.model import (
    Category,
    FoundWorkItems,
    Person,
    SentryComment,
    State,
    Stranger,
    WorkItem,
)
from shared.domain.ports import UNSET
from shared.domain.rules.back_links import HyperlinkChange, Mark
from shared.http import BackOff, new_session
from simulator.ado import FakeAdo
from simulator.ado.errors import Refused as FakeRefused
from simulator.ado.organization import TOKEN
from tests.doubles.ado import Event, MemoryAdo

ANN, BOB = "ann@corp.example", "bob@corp.example"
BUILD = "Build Service"  # a service principal, which has no address


@dataclass
class Bench:
    """``ado`` is what our token may do; ``people`` what people do, by the same names on both."""

    ado: MemoryAdo | AdoClient
    people: Any
    project_id: Callable[[str], str]
    deliveries: Callable[[], list[bytes]]


def memory() -> Bench:
    double = MemoryAdo()
    events: list[Event] = []
    double.announce = events.append
    return Bench(
        double,
        double,
        lambda name: double.catalog.project(name).id,
        lambda: [double.hook_body(event) for event in events],
    )


def over_http(fake: FakeAdo) -> Bench:
    client = AdoClient(
        fake.organization_url,
        new_session(AddressPolicy(loopback=True)),
        personal_access_token(TOKEN),
        BackOff(),
    )
    return Bench(
        client,
        fake,
        lambda name: fake.catalog.project(name).id,
        lambda: [json.dumps(each.body).encode() for each in fake.hooks.history],
    )


@pytest.fixture(params=["memory", "http"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        yield memory()
        return
    with FakeAdo() as fake:
        for kind in ("updated", "deleted", "restored", "commented"):
            fake.subscribe("http://127.0.0.1:9/nobody-listens", f"workitem.{kind}")
        yield over_http(fake)


def events(bench: Bench) -> list[WorkItemEvent | Uninteresting]:
    """Return what is delivered; each names the organization that answers when it is asked who it is."""
    known = Identity(ids=(bench.ado.instance_id(),))
    return [_without_origin(parse(body, known, InboundComments.ALL)) for body in bench.deliveries()]


def _without_origin(event: WorkItemEvent | Uninteresting | Foreign) -> WorkItemEvent | Uninteresting:
    assert not isinstance(event, Foreign)
    return replace(event, origin=Identity()) if isinstance(event, WorkItemEvent) else event


def test_whoever_is_asked_says_the_id_that_its_deliveries_carry(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.State": "Active"})
    [delivery] = map(json.loads, bench.deliveries())
    assert delivery["resourceContainers"]["account"]["id"] == bench.ado.instance_id()


def test_a_work_item_is_read_with_all_that_the_sync_knows_of_it(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31, kind="Task", **{"System.AssignedTo": ANN})
    assert bench.ado.get_work_item(31) == WorkItem(
        id=31,
        rev=1,
        project_id=bench.project_id("Fabrikam-Fiber"),
        work_item_type="Task",
        state="New",
        assignee=Person(ANN),
        title="Fix login",
        area_path="Fabrikam-Fiber",
        reasons=("New",),
    )


def test_an_item_says_for_what_reason_it_is_in_its_state(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.State": "Resolved", "System.Reason": "Duplicate"})
    assert bench.ado.get_work_item(31).reasons == ("Duplicate",)
    bench.people.edit(31, **{"System.State": "Closed"})
    # For what it was resolved, it keeps once it is closed.
    assert bench.ado.get_work_item(31).reasons == ("Moved to state Closed", "Duplicate")
    bench.people.edit(31, **{"System.Reason": "Obsolete"})
    assert bench.ado.get_work_item(31).reasons == ("Obsolete", "Duplicate")
    item = bench.ado.update_work_item(31, bench.ado.get_work_item(31).rev, state="Active")
    assert item.reasons == ("Moved to state Active",)
    assert [each.snapshot and each.snapshot.reasons for each in reasons_read(bench)] == [
        ("Duplicate",),
        ("Moved to state Closed", "Duplicate"),
        ("Obsolete", "Duplicate"),
        ("Moved to state Active",),
    ]


def reasons_read(bench: Bench) -> list[WorkItemEvent]:
    read = (parse(body, reads_reasons=True) for body in bench.deliveries())
    return [each for each in read if isinstance(each, WorkItemEvent)]


def test_the_reason_alone_is_news_only_where_reasons_are_read(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.Reason": "Approved"})
    [body] = bench.deliveries()
    assert parse(body) == Uninteresting("nothing-to-sync", work_item_id=31)
    assert isinstance(parse(body, reads_reasons=True), WorkItemEvent)


def test_a_reason_that_a_state_cannot_have_is_refused(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    with pytest.raises((Refused, FakeRefused)):
        bench.people.edit(31, **{"System.Reason": "Duplicate"})


def test_what_is_not_there_or_was_deleted_is_not_found(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.delete(31)
    for work_item_id in (31, 32):
        with pytest.raises(NotFound) as refusal:
            bench.ado.get_work_item(work_item_id)
        assert refusal.value.kind == "work-item-not-found"
        with pytest.raises(NotFound):
            bench.ado.update_work_item(work_item_id, 1, state="Closed")


def test_a_batch_holds_those_that_exist(bench: Bench) -> None:
    for number in (31, 32, 33):
        bench.people.add_item("Fix login", number, **{"System.AssignedTo": ANN})
    bench.people.delete(32)
    found = bench.ado.find_work_items([31, 32, 33, 34])
    # A list does not show the reasons.
    expected = {number: replace(bench.ado.get_work_item(number), reasons=None) for number in (31, 33)}
    assert found == FoundWorkItems(expected)
    assert bench.ado.find_work_items([]) == FoundWorkItems()


# Text.

BELL, HALF, NO_CHARACTER = "bell \x07", "half \ud83d", "none \uffff"


@pytest.mark.parametrize("text", [BELL, HALF, NO_CHARACTER, "nul \x00", "\x1b[31mred\x1b[0m", "\ufffe"])
def test_a_comment_that_xml_cannot_hold_is_refused(bench: Bench, text: str) -> None:
    bench.people.add_item("Fix login", 31)
    ado: Any = bench.ado
    with pytest.raises(Refused):
        add_comment(ado, bench.project_id("Fabrikam-Fiber"), 31, text)
    assert ado.get_work_item(31).rev == 1


def test_a_comment_is_added_read_edited_and_removed_by_its_id(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    ado: Any = bench.ado
    project = bench.project_id("Fabrikam-Fiber")
    url = "https://sentry.io/organizations/acme/issues/100/activity/#event_5"
    ours = rendered(SentryComment("5", "Ann", "Hello", url), url)
    bench.people.comment(31, f"<div>See {ours}</div>")
    number = add_comment(ado, project, 31, ours)
    assert number is not None
    assert get_comment(ado, project, 31, number).text == ours
    assert find_comment_with(ado, project, 31, url) == FoundComment(number)
    edit_comment(ado, project, 31, number, ours.replace("Hello", "Bye"))
    assert "Bye" in (get_comment(ado, project, 31, number).text or "")
    delete_comment(ado, project, 31, number)
    assert find_comment_with(ado, project, 31, url) is None
    for call in (
        lambda: get_comment(ado, project, 31, number),
        lambda: delete_comment(ado, project, 31, number),
        lambda: edit_comment(ado, project, 31, number, "text"),
    ):
        with pytest.raises(NotFound):
            call()
    assert ado.get_work_item(31).rev == 5


def test_a_comment_is_an_event_once_and_a_revision_each_time(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    number = getattr(bench.people.comment(31, "<div>Hello</div>"), "id", 1)
    bench.people.edit_comment(31, number, "<div>Bye</div>")
    bench.people.delete_comment(31, number)
    told = [each for each in events(bench) if isinstance(each, WorkItemEvent)]
    said = SaidInAdo(str(number), "Ann", "<div>Hello</div>")
    assert told == [WorkItemEvent("commented", 31, 2, None, comment=said)]
    others = [each for each in events(bench) if not isinstance(each, WorkItemEvent)]
    assert [each.outcome for each in others] == ["nothing-to-sync"] * 3


def test_a_comment_longer_than_a_long_text_is_refused(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    ado: Any = bench.ado
    add_comment(ado, bench.project_id("Fabrikam-Fiber"), 31, "x" * 1_000_000)
    with pytest.raises(Refused):
        add_comment(ado, bench.project_id("Fabrikam-Fiber"), 31, "x" * 1_000_001)


@pytest.mark.parametrize("title", [BELL, NO_CHARACTER, "x" * 256, "\U0001f600" * 128])
def test_a_title_that_cannot_be_is_refused(bench: Bench, title: str) -> None:
    bench.people.add_item("x" * 255, 31)
    bench.people.edit(31, **{"System.Title": "\U0001f600" * 127})
    with pytest.raises((Refused, FakeRefused)):
        bench.people.edit(31, **{"System.Title": title})
    with pytest.raises((Refused, FakeRefused)):
        bench.people.add_item(title, 32)


def test_each_edit_is_a_revision(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.State": "Active"})
    bench.people.edit(31, **{"System.AssignedTo": BOB})
    item = bench.ado.get_work_item(31)
    assert (item.rev, item.state, item.assignee) == (3, "Active", Person(BOB))


def test_a_write_answers_with_the_item_as_it_stands(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    item = bench.ado.update_work_item(31, 1, state="Active", assignee=Person(ANN))
    assert (item.rev, item.state, item.assignee) == (2, "Active", Person(ANN))
    assert bench.ado.get_work_item(31) == item


@pytest.mark.parametrize(
    ("change", "state", "assignee"),
    [
        ({"state": "Closed"}, "Closed", Person(ANN)),
        ({"assignee": Person(BOB)}, "New", Person(BOB)),
        ({"assignee": None}, "New", None),
        ({"state": "Closed", "assignee": None}, "Closed", None),
        ({"state": UNSET, "assignee": Person(BOB)}, "New", Person(BOB)),
    ],
)
def test_a_write_leaves_alone_what_it_does_not_name(
    bench: Bench, change: dict[str, Any], state: str, assignee: Person | None
) -> None:
    bench.people.add_item("Fix login", 31, **{"System.AssignedTo": ANN})
    item = bench.ado.update_work_item(31, 1, **change)
    assert (item.state, item.assignee) == (state, assignee)


def test_writing_over_a_change_we_have_not_seen_is_refused_and_changes_nothing(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    seen = bench.people.edit(31, **{"System.State": "Active"})
    for rev in (seen.rev - 1, seen.rev + 1):
        with pytest.raises(Conflict):
            bench.ado.update_work_item(31, rev, state="Closed", assignee=Person(ANN))
    item = bench.ado.get_work_item(31)
    assert (item.rev, item.state, item.assignee) == (2, "Active", None)


def test_writing_what_is_there_already_makes_no_revision(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31, **{"System.AssignedTo": ANN})
    assert bench.ado.update_work_item(31, 1, state="New", assignee=Person(ANN)).rev == 1
    assert events(bench) == []


@pytest.mark.parametrize(
    "change",
    [
        {"state": "No Such State"},
        {"assignee": Person("stranger@corp.example")},
        {"state": "Closed", "assignee": Person("stranger@corp.example")},
        {"state": "No Such State", "assignee": Person(ANN)},
    ],
)
def test_a_write_that_breaks_a_rule_is_refused_whole(bench: Bench, change: dict[str, Any]) -> None:
    bench.people.add_item("Fix login", 31)
    with pytest.raises(Refused):
        bench.ado.update_work_item(31, 1, **change)
    item = bench.ado.get_work_item(31)
    assert (item.rev, item.state, item.assignee) == (1, "New", None)


def test_a_stale_write_is_a_conflict_even_if_it_breaks_a_rule(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.State": "Active"})
    with pytest.raises(Conflict):
        bench.ado.update_work_item(31, 1, state="No Such State")


def test_a_process_may_forbid_a_short_cut(bench: Bench) -> None:
    bench.people.add_item("Audit", 31, project="CMMI Works")
    with pytest.raises(Refused):
        bench.ado.update_work_item(31, 1, state="Resolved")
    bench.ado.update_work_item(31, 1, state="Active")
    assert bench.ado.update_work_item(31, 2, state="Resolved").state == "Resolved"


def test_a_project_names_the_states_of_its_types_in_order(bench: Bench) -> None:
    types = bench.ado.get_work_item_types(bench.project_id("Fabrikam-Fiber"))
    assert types["Bug"] == (
        State("New", Category.PROPOSED),
        State("Active", Category.IN_PROGRESS),
        State("Resolved", Category.RESOLVED),
        State("Closed", Category.COMPLETED),
    )
    assert types["Task"][-1] == State("Removed", Category.REMOVED, ("New", "Removed"))


def test_every_project_has_its_own_process_with_the_types_that_are_disabled(bench: Bench) -> None:
    types = bench.ado.get_work_item_types(bench.project_id("Tailored"))
    assert [state.name for state in types["Störung"]] == ["Offen", "In Klärung", "Closed"]
    assert [state.name for state in types["Feature"]] == ["New", "Active", "Resolved", "Closed", "Removed"]


def test_an_item_of_a_type_that_was_disabled_goes_on_living_and_no_other_is_made(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.disable_type("Fabrikam-Fiber", "Bug")
    with pytest.raises((Refused, FakeRefused)):
        bench.people.add_item("Fix login", 32)
    assert "Bug" in bench.ado.get_work_item_types(bench.project_id("Fabrikam-Fiber"))
    assert bench.ado.update_work_item(31, 1, state="Closed").state == "Closed"
    assert bench.people.edit(31, **{"System.State": "Active"}).rev == 3


def test_a_moved_item_has_the_other_projects_id(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.move(31, "Tailored")
    item = bench.ado.get_work_item(31)
    assert (item.rev, item.project_id, item.area_path) == (2, bench.project_id("Tailored"), "Tailored")


def test_somebody_without_an_address_is_a_stranger(bench: Bench) -> None:
    bench.people.add_person(BUILD, "")
    bench.people.add_item("Fix login", 31, **{"System.AssignedTo": BUILD})
    assert bench.ado.get_work_item(31).assignee == Stranger("assignee-unreadable", BUILD.lower())


def test_a_deleted_item_comes_back_as_it_was_two_revisions_later(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31, **{"System.State": "Active", "System.AssignedTo": ANN})
    bench.people.delete(31)
    bench.people.restore(31)
    item = bench.ado.get_work_item(31)
    assert (item.rev, item.state, item.assignee) == (3, "Active", Person(ANN))


def test_a_hook_of_an_edit_carries_the_item_as_it_stood_then(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.State": "Active", "System.AssignedTo": ANN})
    then = bench.ado.get_work_item(31)
    bench.people.edit(31, **{"System.State": "Closed"})
    assert events(bench)[0] == WorkItemEvent("updated", 31, 2, then)


def test_a_hook_of_an_unassign_shows_nobody(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31, **{"System.AssignedTo": ANN})
    bench.people.edit(31, **{"System.AssignedTo": ""})
    [event] = events(bench)
    assert event == WorkItemEvent("updated", 31, 2, bench.ado.get_work_item(31))


def test_our_own_write_comes_back_as_a_hook(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    item = bench.ado.update_work_item(31, 1, state="Closed")
    assert events(bench) == [WorkItemEvent("updated", 31, 2, item)]


def test_an_edit_of_something_else_has_nothing_to_sync(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.edit(31, **{"System.Title": "Mend login"})
    assert events(bench) == [Uninteresting("nothing-to-sync", work_item_id=31)]


def test_a_move_to_another_project_has_no_snapshot_to_trust(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.move(31, "Tailored")
    assert events(bench) == [WorkItemEvent("updated", 31, 2, None)]


def test_deleting_and_restoring_are_events_of_their_own(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    bench.people.delete(31)
    bench.people.restore(31)
    assert events(bench) == [WorkItemEvent("deleted", 31, 2, None), WorkItemEvent("restored", 31, 3, None)]


def test_of_racing_writers_at_one_revision_exactly_one_wins(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    won: list[str] = []

    def write(state: str) -> None:
        with suppress(Conflict):
            bench.ado.update_work_item(31, 1, state=state)
            won.append(state)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(write, ("Active", "Resolved", "Closed")))
    assert [bench.ado.get_work_item(31).state] == won


# Hyperlinks

PAGE = "https://acme.sentry.io/issues/100/"


@pytest.mark.parametrize("makes_revision", [True, False])
def test_a_hyperlink_is_added_once_and_removed_by_its_place(bench: Bench, *, makes_revision: bool) -> None:
    _make_revisions(bench, on=makes_revision)
    bench.people.add_item("Fix login", 31)
    before = get_related(client_of(bench), 31)
    assert (before.item, before.relations) == (bench.ado.get_work_item(31), ())
    added = change_hyperlinks(client_of(bench), before, HyperlinkChange(add=True), PAGE)
    assert [(each.rel, each.url, each.comment) for each in added.relations] == [
        ("Hyperlink", PAGE, str(Mark.LINKED))
    ]
    assert added.item.rev == (2 if makes_revision else 1)
    assert (added.item.state, added.item.assignee) == (before.item.state, before.item.assignee)
    unmarked = change_hyperlinks(client_of(bench), added, HyperlinkChange(mark=((0, Mark.PLAIN),)), "")
    assert [each.comment for each in unmarked.relations] == ["Sentry issue"]
    assert change_hyperlinks(client_of(bench), unmarked, HyperlinkChange(remove=(0,)), "").relations == ()


def test_a_hyperlink_that_somebody_added_meanwhile_is_a_conflict(bench: Bench) -> None:
    _make_revisions(bench, on=False)
    bench.people.add_item("Fix login", 31)
    read = get_related(client_of(bench), 31)
    change_hyperlinks(client_of(bench), read, HyperlinkChange(add=True), PAGE)
    with pytest.raises(Conflict):
        change_hyperlinks(client_of(bench), read, HyperlinkChange(add=True), PAGE)
    assert len(get_related(client_of(bench), 31).relations) == 1


def test_hyperlinks_are_changed_as_they_were_read_or_not_at_all(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    read = get_related(client_of(bench), 31)
    bench.people.edit(31, **{"System.State": "Active"})
    with pytest.raises(Conflict):
        change_hyperlinks(client_of(bench), read, HyperlinkChange(add=True), PAGE)
    assert get_related(client_of(bench), 31).relations == ()


def test_a_change_of_hyperlinks_is_an_update_without_news(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    change_hyperlinks(client_of(bench), get_related(client_of(bench), 31), HyperlinkChange(add=True), PAGE)
    assert events(bench) == [Uninteresting("nothing-to-sync", work_item_id=31)]


# Creating


def new_item(project: str = "Fabrikam-Fiber", kind: str = "Bug", title: str = "It broke") -> NewWorkItem:
    return NewWorkItem(project, kind, title, "", issue_url=PAGE, link_mark=Mark.CREATED)


def create(bench: Bench, new: NewWorkItem) -> WorkItem:
    ado = client_of(bench)
    return create_work_item(ado, new, patch_for(ado, new))


def test_what_is_created_is_open_shows_its_issue_and_makes_no_event_that_we_hear(bench: Bench) -> None:
    bench.people.add_item("Fix login", 31)
    made = create(bench, replace(new_item(), area_path=r"Fabrikam-Fiber\Web"))
    assert made == bench.ado.get_work_item(made.id)
    assert (made.rev, made.title, made.state, made.assignee) == (1, "It broke", "New", None)
    assert (made.project_id, made.work_item_type) == (bench.project_id("Fabrikam-Fiber"), "Bug")
    assert made.area_path == r"Fabrikam-Fiber\Web"
    [shown] = get_related(client_of(bench), made.id).relations
    assert (shown.url, shown.comment) == (PAGE, str(Mark.CREATED))
    assert events(bench) == []
    bench.people.edit(made.id, **{"System.State": "Active"})
    assert [each.work_item_id for each in events(bench)] == [made.id]


@pytest.mark.parametrize(
    ("new", "error"),
    [
        (new_item(kind="Rumour"), Rejected),
        (new_item(project="Nowhere"), Rejected),
        (new_item("Tailored", "Customer Request"), Rejected),
        (new_item("Tailored", "Feature"), Refused),
        (new_item(title="t" * 300), None),
    ],
    ids=["no such type", "no such project", "a field is required", "a disabled type", "a long title"],
)
def test_what_cannot_be_created_is_said_before_or_refused(
    bench: Bench, new: NewWorkItem, error: type[Exception] | None
) -> None:
    if error is None:
        assert len(create(bench, new).title) <= 255
        return
    with pytest.raises(error):
        create(bench, new)


def test_what_we_created_is_found_by_the_address_that_it_shows(bench: Bench) -> None:
    began, ado = time.time(), client_of(bench)
    bench.people.add_item("Fix login", 31)
    change_hyperlinks(ado, get_related(ado, 31), HyperlinkChange(add=True), PAGE)
    assert find_created(ado, PAGE.__eq__, began) is None  # Somebody else created it.
    made = create(bench, new_item())
    assert find_created(ado, PAGE.__eq__, began) == made.id
    newer = create(bench, new_item())
    assert find_created(ado, PAGE.__eq__, began) == newer.id
    assert find_created(ado, PAGE.__eq__, began, but=[newer.id]) == made.id
    bench.people.delete(newer.id)
    assert find_created(ado, f"{PAGE}?another".__eq__, began) is None
    assert find_created(ado, PAGE.__eq__, began + 3600.0) is None
    bench.people.delete(made.id)
    assert find_created(ado, PAGE.__eq__, began) is None


def test_a_project_is_known_by_its_name_and_its_id(bench: Bench) -> None:
    ado, number = client_of(bench), bench.project_id("CMMI Works")
    assert ado.get_project("CMMI Works") == ado.get_project(number)
    with pytest.raises(NotFound):
        ado.get_project("Nowhere")


def client_of(bench: Bench) -> AdoClient:
    """Return the client, or the double, which answers what these calls ask of it."""
    return cast("AdoClient", bench.ado)


def _make_revisions(bench: Bench, *, on: bool) -> None:
    if isinstance(bench.people, FakeAdo):
        bench.people.work_items.hyperlinks_make_revisions = on
    else:
        bench.people.hyperlinks_make_revisions = on
