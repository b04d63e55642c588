"""The Azure DevOps client against the fake over real HTTP: listings, refusals word by word, bad weather."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from shared.ado.auth import personal_access_token
from shared.ado.client import LARGEST_BATCH, AdoClient, Project
from shared.ado.location import find_base_url
from shared.ado.people import recent_assignees
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Conflict, NotFound, Refused, SyncError, Throttled, Unauthorized, Unavailable
from shared.domain.model import Category, Person, State
from shared.http import BackOff, new_session
from simulator.ado import FakeAdo
from simulator.ado.faults import Fault, dropped, html_page, sign_in_page, slowed, throttled
from simulator.ado.items import Wish
from simulator.ado.organization import TOKEN
from simulator.ado.patch import Patch

ANN = Person("ann@corp.example")
LOCAL = AddressPolicy(loopback=True)
Connect = Callable[..., AdoClient]


@pytest.fixture
def fake() -> Iterator[FakeAdo]:
    with FakeAdo() as fake:
        fake.add_item("Fix login", 31, **{"System.State": "Active"})
        yield fake


@pytest.fixture
def connect(fake: FakeAdo) -> Iterator[Connect]:
    """Make a client of the fake, which stands for a new instance of the app; the token may be wrong."""
    with new_session(LOCAL) as session:
        yield lambda token=TOKEN: AdoClient(
            fake.organization_url, session, personal_access_token(token), BackOff()
        )


@pytest.fixture
def ado(connect: Connect) -> AdoClient:
    return connect()


# People


def test_whoever_is_assigned_lately_is_listed_with_their_name(fake: FakeAdo, ado: AdoClient) -> None:
    fake.add_item("Checkout", 32, **{"System.AssignedTo": "ann@corp.example"})
    fake.add_item("Prices", 33)
    fake.edit(33, **{"System.AssignedTo": "carol@corp.example"})
    fake.edit(33, **{"System.AssignedTo": ""})
    [(address, name)] = recent_assignees(ado).items()
    assert address == "ann@corp.example"
    assert name == next(each.name for each in fake.catalog.people if each.unique_name == address)


def test_where_nobody_is_assigned_nobody_is_listed(ado: AdoClient) -> None:
    assert recent_assignees(ado) == {}


# Listings


@pytest.mark.parametrize("projects", [99, 100, 101, 205])
def test_every_project_is_listed_once(projects: int) -> None:
    with FakeAdo(projects=projects) as fake, new_session(LOCAL) as session:
        ado = AdoClient(fake.organization_url, session, personal_access_token(TOKEN), BackOff())
        listed = list(ado.projects())
        assert set(listed) == {Project(each.id, each.name) for each in fake.catalog.projects.values()}
        assert len(listed) == projects


@pytest.mark.parametrize("name", ["Fabrikam-Fiber", "fabrikam-fiber", "Scrum Team"])
def test_a_project_is_found_by_name_or_id(fake: FakeAdo, ado: AdoClient, name: str) -> None:
    by_name = ado.get_project(name)
    assert by_name.id == fake.project_id(name)
    assert ado.get_project(by_name.id) == by_name


def test_a_project_that_is_not_there_is_not_found(ado: AdoClient) -> None:
    with pytest.raises(NotFound) as raised:
        ado.get_project("No Such Project")
    assert re.search("TF200016", raised.value.quoted)
    assert raised.value.kind == "project-not-found"
    with pytest.raises(NotFound):
        ado.get_work_item_types("no-such-project")


def test_the_states_of_a_type_come_with_their_categories(fake: FakeAdo, ado: AdoClient) -> None:
    assert ado.get_work_item_types(fake.project_id("Basic Board"))["Issue"] == (
        State("To Do", Category.PROPOSED),
        State("Doing", Category.IN_PROGRESS),
        State("Done", Category.COMPLETED),
    )


def test_a_full_batch_is_one_call(fake: FakeAdo, ado: AdoClient) -> None:
    ids = range(1, LARGEST_BATCH + 1)
    found = ado.find_work_items(ids)
    assert found.found == {31: replace(ado.get_work_item(31), reasons=None)}
    assert [call.path for call in fake.calls if call.method == "POST"] == [
        "/fabrikam/_apis/wit/workitemsbatch"
    ]


def test_an_item_names_its_project_without_another_call(fake: FakeAdo, ado: AdoClient) -> None:
    assert ado.get_work_item(31).project_id == fake.project_id("Fabrikam-Fiber")
    assert {call.path for call in fake.calls} == {"/fabrikam/_apis/wit/workitems/31"}


def test_an_account_is_found_by_its_id(fake: FakeAdo) -> None:
    with new_session(LOCAL) as session:
        url = find_base_url(session, fake.resource_areas_url, fake.catalog.account_id, LOCAL)
        ado = AdoClient(url, session, personal_access_token(TOKEN), BackOff())
        assert ado.get_work_item(31).state == "Active"


def test_an_unknown_account_is_refused(fake: FakeAdo) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    with new_session(LOCAL) as session, pytest.raises(Refused, match="no organization"):
        find_base_url(session, fake.resource_areas_url, nobody, LOCAL)


# Refusals in Azure DevOps' own words


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"state": "No Such State"}, "contains the value 'No Such State' that is not in the list"),
        ({"state": ""}, "HTTP 400"),
        (
            {"assignee": Person("stranger@corp.example")},
            "The identity value 'stranger@corp.example' for field 'Assigned To' is an unknown identity",
        ),
    ],
)
def test_a_refused_write_says_why(ado: AdoClient, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(Refused) as raised:
        ado.update_work_item(31, 1, **change)
    assert re.search(sentence, raised.value.told)
    assert raised.value.service == "ado"
    assert ado.get_work_item(31).rev == 1


def test_an_item_that_lacks_what_is_required_by_now_cannot_be_written(fake: FakeAdo, ado: AdoClient) -> None:
    # It is older than the rule: a process may get a required field at any time.
    old = Patch(fields={"System.Title": "Old request"})
    with fake.lock:
        fake.work_items.create(
            "Tailored", "Customer Request", old, Wish(fake.service, bypass_rules=True), work_item_id=40
        )
    with pytest.raises(Refused) as raised:
        ado.update_work_item(40, 1, state="Closed")
    assert re.search(r"TF401320: Rule Error for field .*Required", raised.value.quoted)
    assert fake.edit(40, **{"Custom.CustomerImpact": "high"}).rev == 2
    assert ado.update_work_item(40, 2, state="Closed").state == "Closed"


def test_a_stale_write_names_the_current_revision(fake: FakeAdo, ado: AdoClient) -> None:
    fake.edit(31, **{"System.Title": "Mend login"})
    with pytest.raises(Conflict) as raised:
        ado.update_work_item(31, 1, state="Closed")
    assert re.search("VS403351", raised.value.quoted)
    assert ado.update_work_item(31, 2, state="Closed").rev == 3


def test_a_missing_item_says_that_it_may_be_hidden(ado: AdoClient) -> None:
    with pytest.raises(NotFound) as raised:
        ado.get_work_item(32)
    assert re.search("TF401232", raised.value.quoted)
    assert raised.value.kind == "work-item-not-found"


def test_work_item_zero_leads_nowhere(ado: AdoClient) -> None:
    with pytest.raises(NotFound) as raised:
        ado.get_work_item(0)
    assert raised.value.quoted == ""


# Credentials


@pytest.mark.parametrize(
    "call",
    [
        lambda ado: ado.get_work_item(31),
        lambda ado: ado.find_work_items([31]),
        lambda ado: ado.update_work_item(31, 1, state="Closed"),
        lambda ado: list(ado.projects()),
    ],
)
def test_a_bad_token_is_one_kind_of_failure_whatever_was_asked(
    fake: FakeAdo, connect: Connect, call: Callable[[AdoClient], Any]
) -> None:
    ado = connect("wrong")
    for _ in range(3):
        with pytest.raises(Unauthorized) as raised:
            call(ado)
        assert "wrong" not in raised.value.detail
    assert len(fake.calls) == 1
    assert fake.item(31).state == "Active"


# Bad weather


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (throttled(30), Throttled),
        (sign_in_page(), Unauthorized),
        (html_page(200), Unauthorized),
        (html_page(502), Unavailable),
        (html_page(503), Unavailable),
        (Fault(503, {"Retry-After": "30"}), Throttled),
        (Fault(409, {}, "{}"), Conflict),
        (Fault(200, {"Content-Type": "application/json"}, '{"id": 31, "rev"'), Unavailable),
        (dropped(lands=False), Unavailable),
    ],
)
def test_bad_weather_has_a_name_and_writes_nothing(
    fake: FakeAdo, ado: AdoClient, fault: Fault, error: type[SyncError]
) -> None:
    fake.meet(fault)
    with pytest.raises(error) as raised:
        ado.update_work_item(31, 1, state="Closed")
    assert type(raised.value) is error
    assert fake.item(31).state == "Active"


def test_a_throttled_organization_is_left_in_peace(fake: FakeAdo, ado: AdoClient) -> None:
    fake.meet(throttled(30))
    for _ in range(3):
        with pytest.raises(Throttled) as raised:
            ado.get_work_item(31)
        assert 25 < raised.value.retry_after <= 30
    assert [call.http_status for call in fake.calls] == [429]


def test_a_success_that_asks_for_patience_is_kept_and_the_next_call_waits(
    fake: FakeAdo, ado: AdoClient
) -> None:
    fake.meet(slowed(30))
    assert ado.update_work_item(31, 1, state="Closed").state == "Closed"
    with pytest.raises(Throttled):
        ado.get_work_item(31)
    assert len(fake.calls) == 1


def test_a_write_whose_answer_was_lost_has_landed_and_cannot_land_twice(
    fake: FakeAdo, ado: AdoClient, connect: Connect
) -> None:
    fake.meet(dropped(lands=True))
    with pytest.raises(Unavailable):
        ado.update_work_item(31, 1, state="Closed")
    with pytest.raises(Throttled):  # It is left alone for a while, and told so.
        ado.update_work_item(31, 1, state="Closed")
    another = connect()
    with pytest.raises(Conflict):
        another.update_work_item(31, 1, state="Closed")
    assert another.get_work_item(31).rev == 2


def test_a_service_that_recovers_is_used_again(fake: FakeAdo, ado: AdoClient) -> None:
    fake.fail_next(2, 503)
    for _ in range(2):
        with pytest.raises(Unavailable):
            ado.get_work_item(31)
    assert ado.get_work_item(31).state == "Active"
