"""Sentry's "Link issue" form over HTTP: its options, linking, creating once, and who may ask."""

import json
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from shared.ado.creation import NewWorkItem
from shared.domain.errors import Busy, NotFound, SyncError, Throttled, Unauthorized, Unavailable
from shared.flows.creating import create_and_link
from shared.flows.linking import unlink
from shared.sentry.component_schema import component_schema
from shared.services import Services
from shared.settings import Settings
from simulator.ado.faults import Fault, dropped, hanging, throttled
from simulator.ado.items import WorkItem
from simulator.sentry.components import ComponentFailed
from simulator.sentry.hooks import compact, sign
from tests.doubles.clock import ShiftedClock
from tests.e2e.app import SECRETS, SIGNING_KEY, Pair, eventually, own_app

FABRIKAM, TAILORED = "Fabrikam-Fiber", "Tailored"
CREATE = r"workitems/\$"
TITLE = "TypeError: undefined is not a function"


@pytest.fixture
def connected(pair: Pair) -> Pair:
    pair.connect()
    pair.ado.seed()
    return pair


@pytest.fixture(scope="module")
def board(bystander: Pair) -> Pair:
    bystander.ado.seed()
    return bystander


@pytest.fixture
def guest(board: Pair) -> Pair:
    """An organization of a test's own between fakes that are shared, for tests that write to neither."""
    guest = Pair(board.app, board.ado, board.sentry)
    guest.configure()
    return guest


def options(pair: Pair, name: str, query: str = "", **dependent: str) -> dict[str, str]:
    """Load a select as Sentry does, and return its labels by their values."""
    uri = f"/api/sentry/{pair.slug}/options/{name}"
    loaded = pair.sentry.load_options(uri, query=query, dependent=dependent)
    return {option["value"]: option["label"] for option in loaded}


def submit(pair: Pair, button: str, issue_id: str, **fields: Any) -> dict[str, Any]:
    return dict(pair.sentry.submit(f"/api/sentry/{pair.slug}/issue-link/{button}", issue_id, fields))


def create(pair: Pair, issue_id: str, **changes: Any) -> WorkItem:
    """Press "Create" and return the work item that Sentry now shows."""
    submit(pair, "create", issue_id, **filled(pair, **changes))
    [shown] = pair.sentry.external_issues(issue_id)
    return pair.ado.item(int(shown["webUrl"].rpartition("/")[2]))


def filled(pair: Pair, **changes: Any) -> dict[str, Any]:
    project = pair.ado.project_id(changes.pop("in_project", FABRIKAM))
    return {"project": project, "work_item_type": "Bug", "title": TITLE, **changes}


def problem_of(act: Callable[[], object]) -> tuple[int | None, str]:
    """Return the status and the sentence that Sentry's form shows in place of an answer."""
    with pytest.raises(ComponentFailed) as raised:
        act()
    return raised.value.status, str(raised.value)


def new_issue(pair: Pair, title: str = TITLE) -> str:
    return pair.sentry.add_issue(title, announce=False).id


def made(pair: Pair) -> list[int]:
    """Return the work items that our own token made."""
    with pair.ado.lock:
        return [each.id for each in pair.ado.work_items.all() if each.revisions[0].by == pair.ado.service]


# Text.


@pytest.mark.parametrize(
    ("tags", "stored"),
    [
        ("GitHub Issue, \u2728 new feature", "GitHub Issue; new feature"),
        ("\U0001f916; web; \u2713 done", "web; \u2713 done"),
        ("\U0001f525", None),
        ("a\x07b; \x1b[31mred\x1b[0m", "a b; red"),
    ],
)
def test_a_tag_that_cannot_be_keeps_no_work_item_from_being_made(
    connected: Pair, tags: str, stored: str | None
) -> None:
    made_item = create(connected, new_issue(connected), tags=tags)
    assert made_item.fields.get("System.Tags") == stored


@pytest.mark.parametrize(
    ("title", "stored"),
    [
        ("x" * 300 + "\U0001f600", "x" * 254 + "\u2026"),
        ("\U0001f600" * 200, "\U0001f600" * 127 + "\u2026"),
        ("\x1b[31mTypeError\x1b[0m:\nnull\uffff is \x00 none", "TypeError: null is none"),
    ],
)
def test_a_title_is_made_to_fit(connected: Pair, title: str, stored: str) -> None:
    assert create(connected, new_issue(connected), title=title).title == stored


def test_a_title_of_which_nothing_is_left_is_required(connected: Pair) -> None:
    press = partial(create, connected, new_issue(connected), title="\x07\u202e")
    assert problem_of(press) == (400, "title is required")
    assert made(connected) == []


def test_a_description_is_shown_as_sentry_shows_it(connected: Pair) -> None:
    text = "Sentry Issue: [WEB-1](https://acme.sentry.io/issues/1/)\n\n```\nat <x>\x1b[0m\n```"
    item = create(connected, new_issue(connected), description=text)
    steps = str(item.fields["Microsoft.VSTS.TCM.ReproSteps"])
    assert '<a href="https://acme.sentry.io/issues/1/">WEB-1</a>' in steps
    assert "<pre><code>at &lt;x&gt;\n</code></pre>" in steps


# Options.


def test_every_project_is_offered_by_its_id(guest: Pair) -> None:
    projects = {each.id: each.name for each in guest.ado.catalog.projects.values()}
    assert options(guest, "projects") == projects
    assert list(options(guest, "projects", "SCRUM").values()) == ["Scrum Team"]


def test_work_items_are_offered_as_somebody_types(guest: Pair) -> None:
    project = guest.ado.project_id(FABRIKAM)
    assert options(guest, "work-items", "login", project=project) == {"31": "(31) Fix login"}
    assert options(guest, "work-items", "#31", project=project) == {"31": "(31) Fix login"}
    assert options(guest, "work-items", "umlauts", project=project) == {}
    assert len(options(guest, "work-items", "umlauts")) == 1


def test_before_anything_is_typed_the_latest_work_items_are_offered(connected: Pair) -> None:
    latest = connected.ado.add_item("The latest").id
    offered = options(connected, "work-items", project=connected.ado.project_id(FABRIKAM))
    assert {str(latest), "31"} <= set(offered)
    assert not any("umlauts" in label for label in offered.values())


def test_only_types_that_somebody_may_create_are_offered(guest: Pair) -> None:
    offered = options(guest, "work-item-types", project=guest.ado.project_id(TAILORED))
    assert list(offered) == ["Bug", "Störung", "Customer Request", "User Story", "Task", "Test Case"]


@pytest.mark.parametrize(
    ("name", "paths"),
    [
        ("areas", [FABRIKAM, rf"{FABRIKAM}\Web", rf"{FABRIKAM}\Service"]),
        ("iterations", [FABRIKAM, rf"{FABRIKAM}\Sprint 1", rf"{FABRIKAM}\Sprint 2"]),
    ],
)
def test_places_are_offered_as_they_are_written(guest: Pair, name: str, paths: list[str]) -> None:
    project = guest.ado.project_id(FABRIKAM)
    assert list(options(guest, name, project=project)) == paths
    assert list(options(guest, name, paths[1][-4:].upper(), project=project)) == [paths[1]]


@pytest.mark.parametrize("name", ["work-item-types", "areas", "iterations"])
def test_nothing_is_offered_before_a_project_is_chosen(guest: Pair, name: str) -> None:
    assert options(guest, name) == {}


@pytest.mark.parametrize("name", ["work-items", "work-item-types", "areas", "iterations"])
def test_a_project_that_is_not_there_is_said_in_the_form(guest: Pair, name: str) -> None:
    status, message = problem_of(partial(options, guest, name, project="Nowhere"))
    assert status == 404
    assert message != "Something went wrong (HTTP 404)"


def test_credentials_that_are_refused_are_said_in_the_form_with_their_cure(guest: Pair) -> None:
    guest.ado.fail_next(http_status=401)
    status, message = problem_of(partial(options, guest, "projects"))
    assert status == 502
    assert "ADO_PAT" in message
    assert options(guest, "projects")


# Linking.


def test_linking_joins_the_two_and_tells_sentry_what_to_show(connected: Pair) -> None:
    issue_id = new_issue(connected)
    project = connected.ado.project_id(FABRIKAM)
    shown = submit(connected, "link", issue_id, project=project, work_item="31")
    assert shown["displayName"] == "Fabrikam-Fiber#31"
    assert shown["webUrl"] == f"{connected.ado.organization_url}{project}/_workitems/edit/31"
    assert [(link["issue_id"], link["work_item_id"]) for link in connected.links()] == [(issue_id, 31)]
    connected.sentry.resolve(issue_id)
    connected.settle()
    assert connected.state(31) == "Closed"


def test_linking_twice_is_no_error(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first, second = (submit(connected, "link", issue_id, work_item="31") for _ in range(2))
    assert first["webUrl"] == second["webUrl"]
    assert len(connected.links()) == 1


@pytest.mark.parametrize("name", ["31", 31, " #31 ", "AB#31", "{ado}_workitems/edit/31"])
def test_the_forms_take_a_work_item_as_people_have_it(connected: Pair, name: str | int) -> None:
    text = name.format(ado=connected.ado.organization_url) if isinstance(name, str) else name
    linked = submit(connected, "link", new_issue(connected), work_item=text)
    assert linked["webUrl"].endswith("/_workitems/edit/31")
    made = submit(connected, "create", new_issue(connected), **filled(connected, parent=text))
    assert not made["webUrl"].endswith("/31")


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({}, 400, "work_item is required"),
        ({"work_item": ""}, 400, "work_item is required"),
        ({"work_item": None}, 400, "work_item is required"),
        ({"work_item": "login"}, 400, "work_item must be the number"),
        ({"work_item": "0"}, 400, "work_item must be the number"),
        ({"work_item": "31/../32"}, 400, "work_item must be the number"),
        ({"work_item": "404"}, 404, "the work item does not exist"),
        ({"work_item": "https://dev.azure.com/contoso/_workitems/edit/31"}, 400, "outside the connected"),
    ],
)
def test_what_cannot_be_linked_is_said_in_the_form(
    guest: Pair, fields: dict[str, Any], status: int, said: str
) -> None:
    act = partial(submit, guest, "link", new_issue(guest), **fields)
    problem = problem_of(act)
    assert problem[0] == status
    assert said in problem[1]
    assert guest.links() == []


# Creating.


def test_a_work_item_fits_the_board_and_leads_back(connected: Pair) -> None:
    issue_id = new_issue(connected)
    item = create(
        connected,
        issue_id,
        description="In <b>cart</b>\nline 2",
        area_path=rf"{FABRIKAM}\Web",
        iteration_path=rf"{FABRIKAM}\Sprint 1",
        tags="sentry; web",
        parent="#31",
    )
    fields = {name: item.fields.get(name) for name in item.fields}
    permalink = connected.sentry.issue(issue_id)["permalink"]
    assert fields["System.Title"] == TITLE
    assert fields["System.WorkItemType"] == "Bug"
    assert fields["System.AreaPath"] == rf"{FABRIKAM}\Web"
    assert fields["System.IterationPath"] == rf"{FABRIKAM}\Sprint 1"
    assert fields["System.Tags"] == "sentry; web"
    assert fields["Microsoft.VSTS.Common.Priority"] == 2
    assert "In &lt;b&gt;cart&lt;/b&gt;<br>line 2" in str(fields["Microsoft.VSTS.TCM.ReproSteps"])
    assert f'href="{permalink}"' in str(fields["Microsoft.VSTS.TCM.ReproSteps"])
    assert fields.get("System.Description") is None
    assert {each.rel: each.url for each in item.relations} == {
        "Hyperlink": permalink,
        "System.LinkTypes.Hierarchy-Reverse": f"{connected.ado.organization_url}_apis/wit/workItems/31",
    }


def test_the_way_back_is_the_one_that_sentry_itself_shows(connected: Pair) -> None:
    """The address that its API is called by may be another than people's."""
    connected.configure(sentry_url=connected.sentry.url.replace("127.0.0.1", "localhost"))
    issue_id = new_issue(connected)
    [relation] = create(connected, issue_id).relations
    assert relation.url == connected.sentry.issue(issue_id)["permalink"]
    assert "127.0.0.1" in relation.url


def test_what_is_left_out_is_the_boards_to_choose(connected: Pair) -> None:
    item = create(connected, new_issue(connected), in_project=TAILORED, work_item_type="Störung")
    assert (item.state, item.fields["System.AreaPath"]) == ("Offen", TAILORED)
    assert "Sentry issue" in str(item.fields["System.Description"])


def test_what_was_created_is_linked_and_kept_in_step(connected: Pair) -> None:
    issue_id = new_issue(connected)
    item = create(connected, issue_id)
    connected.ado.edit(item.id, **{"System.State": "Closed"})
    connected.settle()
    assert connected.status(issue_id) == "resolved"
    assert connected.health(issue_id, item.id) == ("settled", None)


def test_a_title_is_cut_to_what_azure_devops_takes(connected: Pair) -> None:
    item = create(connected, new_issue(connected), title=f"{'x' * 250}\nand more\x07 of it")
    assert item.title == f"{'x' * 250} and…"


@pytest.mark.parametrize("issue_id_is_text", [False, True])
def test_ids_come_as_numbers_and_as_texts(guest: Pair, issue_id_is_text: bool) -> None:
    issue_id = new_issue(guest)
    answer = post(guest, "link", {**form(guest, issue_id, work_item="31"), "extra": 1})
    assert answer.json()["identifier"] == "31"
    text = {"issueId": issue_id} if issue_id_is_text else {}
    assert post(guest, "link", {**form(guest, issue_id, work_item=31), **text}).status_code == 200


def test_creating_twice_is_one_work_item(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first, second = create(connected, issue_id), create(connected, issue_id, title="Something else")
    assert first.id == second.id
    assert made(connected) == [first.id]


def test_two_issues_of_one_title_get_a_work_item_each(connected: Pair) -> None:
    items = [create(connected, new_issue(connected)).id for _ in range(2)]
    assert made(connected) == items


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"title": " "}, 400, "title is required"),
        ({"project": ""}, 400, "project is required"),
        ({"work_item_type": ""}, 400, "work_item_type is required"),
        ({"parent": "login"}, 400, "parent must be the number"),
        ({"work_item_type": "Story"}, 400, "no work item type 'Story'"),
        ({"work_item_type": ".."}, 400, "consist of dots"),
        ({"in_project": TAILORED, "work_item_type": "Customer Request"}, 400, "Customer Impact"),
        ({"area_path": r"Fabrikam-Fiber\Nowhere"}, 502, "TF401347"),
        ({"parent": "404"}, 404, "does not exist"),
        ({"parent": "https://dev.azure.com/contoso/_workitems/edit/31"}, 400, "outside the connected"),
    ],
)
def test_what_cannot_be_created_is_said_in_the_form_and_costs_nothing(
    connected: Pair, changes: dict[str, Any], status: int, said: str
) -> None:
    issue_id = new_issue(connected)
    act = partial(submit, connected, "create", issue_id, **filled(connected, **changes))
    problem = problem_of(act)
    assert problem[0] == status
    assert said in problem[1]
    assert made(connected) == []
    # Nothing stands in the way of the next try.
    create(connected, issue_id)


def test_missing_fields_are_known_before_anything_is_written(guest: Pair) -> None:
    fields = filled(guest, in_project=TAILORED, work_item_type="Customer Request")
    with guest.calls() as calls:
        problem_of(partial(submit, guest, "create", new_issue(guest), **fields))
    assert calls.writes == []


# Never two for one issue.


def services_on(storage: str, clock: ShiftedClock) -> Services:
    return Services(Settings({**SECRETS, "AzureWebJobsStorage": storage}), clock)


@pytest.fixture
def services(connected: Pair, clock: ShiftedClock) -> Services:
    """Act as one more instance of the app, on a clock of its own."""
    return services_on(connected.app.storage, clock)


def create_by(services: Services, pair: Pair, issue_id: str, **changes: Any) -> int:
    organization = services.organizations.get(pair.slug)
    new = NewWorkItem(description="", **filled(pair, **changes))
    return create_and_link(services, organization, issue_id, new).work_item_id


def test_eight_people_at_once_make_one_work_item(connected: Pair) -> None:
    issue_id = new_issue(connected)
    body = form(connected, issue_id, **filled(connected))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(connected, "create", body), range(8)))
    [item] = made(connected)
    winners = [answer for answer in answers if answer.status_code == 200]
    assert {answer.json()["identifier"] for answer in winners} == {str(item)}
    for answer in answers:
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["error"]) == (503, "busy")
            assert "try again" in answer.json()["message"]
    assert create(connected, issue_id).id == item


@pytest.mark.parametrize("changes", [{}, {"title": "Another title"}, {"in_project": "Scrum Team"}])
def test_a_lost_answer_is_looked_into(
    connected: Pair, services: Services, clock: ShiftedClock, changes: dict[str, Any]
) -> None:
    issue_id = new_issue(connected)
    connected.ado.meet(dropped(lands=True), path=CREATE)
    status, _ = problem_of(partial(create, connected, issue_id))
    [item] = made(connected)
    assert status == 503
    # Until the claim expires the call may still be on its way.
    assert problem_of(partial(create, connected, issue_id))[0] == 503
    clock.ahead = 61.0
    assert create_by(services, connected, issue_id, **changes) == item
    assert made(connected) == [item]
    assert create(connected, issue_id).id == item


@pytest.mark.parametrize(
    "trouble",
    [
        hanging(0.0, lands=True),
        Fault(500, lands=True),
        Fault(503, {"Retry-After": "1"}, lands=True),
        Fault(200, {"Content-Type": "text/plain"}, "half an ans", lands=True),
        Fault(200, {"Content-Type": "application/json"}, "{}", lands=True),
    ],
)
def test_an_answer_that_says_nothing_is_as_good_as_lost(
    connected: Pair, services: Services, clock: ShiftedClock, trouble: Fault
) -> None:
    issue_id = new_issue(connected)
    connected.ado.meet(trouble, path=CREATE)
    assert problem_of(partial(create, connected, issue_id))[0] == 503
    clock.ahead = 61.0
    assert [create_by(services, connected, issue_id)] == made(connected)


def test_a_call_that_never_arrived_is_made_again(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    issue_id = new_issue(connected)
    other = create(connected, new_issue(connected)).id
    connected.ado.meet(dropped(lands=False), path=CREATE)
    problem_of(partial(create, connected, issue_id))
    clock.ahead = 61.0
    again = create_by(services, connected, issue_id)
    assert made(connected) == [other, again]


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (Fault(401), Unauthorized),
        (Fault(503), Unavailable),
        (throttled(1), Throttled),
        (dropped(lands=False), Unavailable),
    ],
)
def test_a_doubt_outlives_a_failed_read(
    connected: Pair, services: Services, clock: ShiftedClock, trouble: Fault, error: type[SyncError]
) -> None:
    issue_id = new_issue(connected)
    connected.ado.meet(dropped(lands=True), path=CREATE)
    with pytest.raises(Unavailable):
        create_by(services, connected, issue_id)
    clock.ahead = 61.0
    connected.ado.meet(trouble, path="wiql")
    with pytest.raises(error):
        create_by(services, connected, issue_id)
    with pytest.raises(Busy):
        create_by(services, connected, issue_id)
    clock.ahead = 122.0
    assert [create_by(services, connected, issue_id)] == made(connected)


def test_a_doubt_is_no_older_than_its_first_claim(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    """Neither a late nor a failed retry renews it."""
    issue_id = new_issue(connected)
    clock.ahead = -30 * 86400.0
    connected.ado.meet(dropped(lands=True), path=CREATE)
    for days in (-30, -20, -10):
        clock.ahead = days * 86400.0
        connected.ado.fail_next(http_status=503, path="wiql")
        with pytest.raises(Unavailable):
            create_by(services, connected, issue_id)
    clock.ahead = 0.0
    connected.ado.faults.clear()
    assert [create_by(services, connected, issue_id)] == made(connected)


@pytest.mark.long
def test_the_item_in_doubt_is_found_among_hundreds(
    connected: Pair, services: Services, clock: ShiftedClock
) -> None:
    issue_id = new_issue(connected)
    connected.ado.meet(dropped(lands=True), path=CREATE)
    for number in range(210):
        connected.ado.add_item(f"Another {number}", actor=connected.ado.service.unique_name)
    before = made(connected)
    problem_of(partial(create, connected, issue_id))
    clock.ahead = 61.0
    assert [*before, create_by(services, connected, issue_id)] == made(connected)


def test_a_host_that_dies_in_the_middle_leaves_one_work_item(tmp_path: Path, clock: ShiftedClock) -> None:
    with own_app(tmp_path) as (app, azurite), Pair.beside(app) as pair:
        pair.connect()
        issue_id = new_issue(pair)
        pair.ado.meet(hanging(5.0, lands=True), path=CREATE)
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(post, pair, "create", form(pair, issue_id, **filled(pair)))
            eventually(lambda: made(pair))
            app.end(signal.SIGKILL)
            assert isinstance(lost.exception(), requests.RequestException)
        clock.ahead = 61.0
        services = services_on(azurite.connection_string, clock)
        assert [create_by(services, pair, issue_id)] == made(pair)


@pytest.fixture
def orphan(connected: Pair) -> tuple[str, int]:
    """An issue whose work item was deleted after it had been created."""
    issue_id = new_issue(connected)
    item = create(connected, issue_id).id
    connected.ado.delete(item)
    connected.settle()
    return issue_id, item


def test_a_deleted_work_item_makes_room_for_another(connected: Pair, orphan: tuple[str, int]) -> None:
    issue_id, deleted = orphan
    again = create(connected, issue_id).id
    assert again != deleted
    assert create(connected, issue_id).id == again


def test_only_a_work_item_that_is_gone_makes_room(connected: Pair, services: Services) -> None:
    issue_id = new_issue(connected)
    item = create(connected, issue_id).id
    connected.ado.fail_next(http_status=404, path=r"/workitemtypes$")
    with pytest.raises(NotFound):
        create_by(services, connected, issue_id)
    assert create_by(services, connected, issue_id) == item
    assert made(connected) == [item]


def test_a_restored_work_item_is_the_issues_own_again(connected: Pair, orphan: tuple[str, int]) -> None:
    issue_id, item = orphan
    connected.ado.restore(item)
    assert create(connected, issue_id).id == item


def test_a_deleted_work_item_makes_room_for_one_only(connected: Pair, orphan: tuple[str, int]) -> None:
    issue_id, deleted = orphan
    body = form(connected, issue_id, **filled(connected))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: post(connected, "create", body), range(4)))
    eventually(lambda: post(connected, "create", body).status_code == 200)
    assert len(set(made(connected)) - {deleted}) == 1


def test_a_link_that_somebody_removed_makes_room_for_another(connected: Pair, services: Services) -> None:
    issue_id = new_issue(connected)
    first = create(connected, issue_id).id
    connected.link(issue_id, 31)
    organization = services.organizations.get(connected.slug)
    # Removing the other one does not.
    unlink(services, organization, issue_id, 31)
    assert create(connected, issue_id).id == first
    unlink(services, organization, issue_id, first)
    assert create_by(services, connected, issue_id) != first


def test_removing_the_organization_takes_its_claims_along(connected: Pair) -> None:
    issue_id = new_issue(connected)
    first = create(connected, issue_id).id
    assert connected.ask("DELETE", "config").status_code == 204
    connected.configure()
    assert create(connected, issue_id).id != first


# Who may ask.


def form(pair: Pair, issue_id: str, **fields: Any) -> dict[str, Any]:
    return {"fields": fields, "issueId": int(issue_id), "webUrl": "https://acme.sentry.io/issues/1/"}


def post(
    pair: Pair, button: str, body: object, *, key: str | None = SIGNING_KEY, slug: str | None = None
) -> requests.Response:
    content = body if isinstance(body, bytes) else compact(body)
    headers = {} if key is None else {"Sentry-App-Signature": sign(key, content)}
    path = f"sentry/{slug or pair.slug}/issue-link/{button}"
    # A session of its own, so that several may ask at once.
    return requests.post(f"{pair.app.url}/api/{path}", data=content, headers=headers, timeout=30)


def get(pair: Pair, path: str, *, signature: str | None, slug: str | None = None) -> requests.Response:
    headers = {} if signature is None else {"Sentry-App-Signature": signature}
    return pair.app.ask("GET", f"sentry/{slug or pair.slug}/{path}", headers=headers)


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "x" * 64,
        sign("another-key", b""),
        sign(SIGNING_KEY, b"?query=login"),
        sign("", b""),
        sign(SIGNING_KEY, b"")[:-1],
        sign("own-key", b""),
    ],
)
def test_options_require_the_secret(guest: Pair, signature: str | None) -> None:
    answer = get(guest, "options/projects", signature=signature)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
    assert get(guest, "options/projects", signature=sign(SIGNING_KEY, b"")).status_code == 200


@pytest.mark.parametrize("button", ["link", "create"])
@pytest.mark.parametrize("key", [None, "", "another-key", "own-key"])
def test_the_buttons_require_a_signed_body(guest: Pair, button: str, key: str | None) -> None:
    issue_id = new_issue(guest)
    body = form(guest, issue_id, **filled(guest, work_item="31"))
    answer = post(guest, button, body, key=key)
    assert (answer.status_code, answer.json()["error"]) == (401, "unauthenticated")
    assert (guest.links(), made(guest)) == ([], [])


def test_a_button_is_not_pressed_with_the_signature_of_an_option(guest: Pair) -> None:
    answer = requests.post(
        f"{guest.app.url}/api/sentry/{guest.slug}/issue-link/link",
        data=compact(form(guest, new_issue(guest), work_item="31")),
        headers={"Sentry-App-Signature": sign(SIGNING_KEY, b"")},
        timeout=30,
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("slug", "key", "status"),
    [
        ("own-secret", "own-key", 404),  # Known by its secret, but not connected.
        ("own-secret", SIGNING_KEY, 401),
        ("empty-secret", SIGNING_KEY, 401),
        ("empty-secret", "", 401),
        ("nobody", SIGNING_KEY, 404),
        ("Nobody", SIGNING_KEY, 404),
    ],
)
def test_an_organization_s_own_secret_counts(guest: Pair, slug: str, key: str, status: int) -> None:
    answer = get(guest, "options/projects", signature=sign(key, b""), slug=slug)
    assert answer.status_code == status
    assert post(guest, "link", b"{}", key=key, slug=slug).status_code == status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not JSON",
        b"null",
        b"[]",
        b"\xff",
        b"[" * 50_000,
        b"{}",
        b'{"fields": {}}',
        b'{"fields": [], "issueId": 1}',
        b'{"fields": {}, "issueId": null}',
        b'{"fields": {}, "issueId": true}',
        b'{"fields": {"work_item": "31"}, "issueId": "1/2"}',
        b'{"fields": {"work_item": "31"}, "issueId": -1}',
        b'{"fields": {"work_item": ["31"]}, "issueId": 1}',
        b'{"fields": {"x": ' + b"[" * 30_000 + b"]" * 30_000 + b'}, "issueId": 1}',
    ],
)
@pytest.mark.parametrize("button", ["link", "create"])
def test_a_body_that_no_form_sends_is_refused_in_a_sentence(guest: Pair, button: str, body: bytes) -> None:
    answer = post(guest, button, body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert (guest.links(), made(guest)) == ([], [])


@pytest.mark.parametrize("chosen", ["x", "[]", "{", "null", "[" * 5_000])
def test_a_choice_that_is_not_an_object_is_refused(guest: Pair, chosen: str) -> None:
    headers = {"Sentry-App-Signature": sign(SIGNING_KEY, b"")}
    path = f"sentry/{guest.slug}/options/areas"
    answer = guest.app.ask("GET", path, params={"dependentData": chosen}, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "malformed-payload")


@pytest.mark.parametrize("path", ["options/people", "issue-link/link", "issue-link/nothing", "x/y"])
def test_the_form_has_no_other_parts(guest: Pair, path: str) -> None:
    answer = get(guest, path, signature=sign(SIGNING_KEY, b""))
    assert (answer.status_code, answer.json()["error"]) == (404, "not-found")
    assert get(guest, path, signature=None).status_code == 401


def test_the_schema_is_one_that_sentry_asks_by(guest: Pair) -> None:
    """Every address in the schema is served: what the form shows first is what it then can load."""
    component, rule = json.loads(json.dumps(component_schema(guest.slug)))["elements"]
    for part in (component["link"], component["create"], rule["settings"]):
        for field in [*part["required_fields"], *part.get("optional_fields", [])]:
            if "uri" in field:
                guest.sentry.load_options(field["uri"])
                time.sleep(0.3)  # An organization's form answers five requests a second.
        signature = sign(SIGNING_KEY, b"{}")
        answer = requests.post(
            f"{guest.app.url}{part['uri']}",
            data=b"{}",
            headers={"Sentry-App-Signature": signature},
            timeout=30,
        )
        assert answer.status_code == 400
