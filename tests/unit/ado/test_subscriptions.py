"""How the client reads what is told of subscriptions: odd entries, unfinished deliveries, their history."""

from collections.abc import Iterator
from typing import Any

import pytest
import responses
from responses.matchers import query_param_matcher

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.ado.subscriptions import Subscriptions
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Forbidden, Rejected, SyncError, Throttled, Unauthorized, Unavailable
from shared.domain.subscriptions import HookEvent, SubscriptionStatus
from shared.http import BackOff, new_session
from simulator.ado import FakeAdo
from simulator.ado.organization import TOKEN

BASE = "https://dev.azure.com/fabrikam/"
HOOKS = f"{BASE}_apis/hooks/subscriptions"
URL = "https://acme.example/api/ado/fabrikam/webhook"
ID = "fd672255-8b6b-4769-9260-beea83d752ce"
ENTRY: dict[str, Any] = {
    "id": ID.upper(),
    "status": "enabled",
    "publisherId": "tfs",
    "eventType": "workitem.updated",
    "resourceVersion": "1.0",
    "consumerId": "webHooks",
    "consumerActionId": "httpRequest",
    "createdDate": "2026-11-28T04:23:34.1234567Z",
    "publisherInputs": {"projectId": "", "hostId": "h", "tfsSubscriptionId": "t"},
    "consumerInputs": {"url": URL, "basicAuthPassword": "********"},
}


@pytest.fixture
def vendor() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture
def hooks() -> Iterator[Subscriptions]:
    with new_session(AddressPolicy()) as session:
        yield Subscriptions(AdoClient(BASE, session, personal_access_token("pat"), BackOff()))


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in ENTRY.items() if name != key}


def test_what_azure_devops_adds_confines_nothing(
    vendor: responses.RequestsMock, hooks: Subscriptions
) -> None:
    vendor.get(HOOKS, json={"count": 1, "value": [ENTRY]})
    [found] = hooks.web_hooks()
    assert (found.id, found.filters, found.url, found.is_whole) == (ID, {}, URL, True)
    assert found.created_at == pytest.approx(1795839814.123456)


@pytest.mark.parametrize(
    "inputs", [{"projectId": "p"}, {"areaPath": "\\A\\"}, {"linksChanged": "true"}, {"tag": "x"}]
)
def test_every_other_input_confines_it(
    vendor: responses.RequestsMock, hooks: Subscriptions, inputs: dict[str, str]
) -> None:
    vendor.get(HOOKS, json={"value": [{**ENTRY, "publisherInputs": {**inputs, "hostId": "h"}}]})
    [found] = hooks.web_hooks()
    assert found.filters == inputs


@pytest.mark.parametrize(
    ("entry", "is_whole"),
    [
        ({**ENTRY, "resourceVersion": "5.1-preview.3"}, False),
        (without("resourceVersion"), False),
        ({**ENTRY, "consumerInputs": {"url": URL, "resourceDetailsToSend": "minimal"}}, False),
        ({**ENTRY, "consumerInputs": {"url": URL, "resourceDetailsToSend": "all"}}, True),
        *(
            ({**ENTRY, "consumerInputs": {"url": URL, "resourceDetailsToSend": each}}, False)
            for each in ({}, [], ["all"], {"all": True}, 7)
        ),
    ],
)
def test_one_is_whole_in_the_form_that_we_ask_for(
    vendor: responses.RequestsMock, hooks: Subscriptions, entry: dict[str, Any], is_whole: bool
) -> None:
    vendor.get(HOOKS, json={"value": [entry]})
    assert [each.is_whole for each in hooks.web_hooks()] == [is_whole]


@pytest.mark.parametrize("url", [None, 7, {}, [URL], {"url": URL}])
def test_one_that_leads_to_no_address_is_not_ours(
    vendor: responses.RequestsMock, hooks: Subscriptions, url: object
) -> None:
    vendor.get(HOOKS, json={"value": [{**ENTRY, "consumerInputs": {"url": url}}]})
    assert [each.url for each in hooks.web_hooks()] == [""]


@pytest.mark.parametrize(
    ("status", "read"),
    [
        ("onProbation", SubscriptionStatus.ON_PROBATION),
        (None, SubscriptionStatus.ENABLED),
        ("disabledByAliens", SubscriptionStatus.UNKNOWN),
    ],
)
def test_a_status_is_one_that_we_know_or_unknown(
    vendor: responses.RequestsMock, hooks: Subscriptions, status: str | None, read: SubscriptionStatus
) -> None:
    vendor.get(HOOKS, json={"value": [{**ENTRY, "status": status}]})
    assert [each.status for each in hooks.web_hooks()] == [read]


@pytest.mark.parametrize(
    "odd",
    [
        None,
        17,
        {},
        {**ENTRY, "id": "../../projects"},
        {**ENTRY, "id": 5},
        without("eventType"),
        {**ENTRY, "consumerInputs": ["url"]},
        {**ENTRY, "consumerId": "slack"},
        {**ENTRY, "publisherId": "rm"},
        {**ENTRY, "consumerActionId": "postMessage"},
    ],
)
def test_an_odd_entry_or_one_of_another_kind_hides_no_other(
    vendor: responses.RequestsMock, hooks: Subscriptions, odd: object
) -> None:
    vendor.get(HOOKS, json={"value": [odd, ENTRY]})
    assert [each.id for each in hooks.web_hooks()] == [ID]


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "2026-13-01T00:00:00Z",
        # The years of .NET's earliest and latest date: no stored row holds them.
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59.9999999Z",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_date_that_cannot_be_read_or_kept_is_no_date(
    vendor: responses.RequestsMock, hooks: Subscriptions, date: str | None
) -> None:
    vendor.get(HOOKS, json={"value": [{**ENTRY, "createdDate": date}]})
    assert [each.created_at for each in hooks.web_hooks()] == [0.0]
    vendor.get(f"{HOOKS}/{ID}/notifications", json={"value": []})
    vendor.get(f"{HOOKS}/{ID}/notifications", json={"value": [{"createdDate": date}]})
    assert hooks.failing_since(ID) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"status": 403, "json": {"message": "Access Denied"}}, Forbidden),
        ({"status": 401}, Unauthorized),
        ({"status": 203, "body": "<html>", "content_type": "text/html"}, Unauthorized),
        ({"status": 429, "headers": {"Retry-After": "5"}}, Throttled),
        ({"status": 500}, Unavailable),
        ({"status": 200, "json": {"value": None}}, Unavailable),
        ({"status": 200, "json": []}, Unavailable),
        ({"status": 200, "body": ""}, Unavailable),
    ],
)
def test_a_list_that_fails_is_never_an_empty_one(
    vendor: responses.RequestsMock, hooks: Subscriptions, answer: dict[str, Any], error: type[SyncError]
) -> None:
    vendor.get(HOOKS, **answer)
    with pytest.raises(error):
        hooks.web_hooks()


def test_a_refusal_here_blocks_no_call_for_work_items(vendor: responses.RequestsMock) -> None:
    with new_session(AddressPolicy()) as session:
        client = AdoClient(BASE, session, personal_access_token("pat"), BackOff())
        vendor.get(HOOKS, status=403, json={"message": "Access Denied"})
        vendor.get(f"{BASE}_apis/projects/p", json={"id": ID, "name": "p"})
        with pytest.raises(Forbidden):
            Subscriptions(client).web_hooks()
        assert client.get_project("p").name == "p"


def test_an_answer_about_what_was_made_has_to_be_readable(
    vendor: responses.RequestsMock, hooks: Subscriptions
) -> None:
    vendor.post(HOOKS, json={"id": "none"})
    with pytest.raises(Unavailable):
        hooks.create(HookEvent.UPDATED, URL, "s3cret")


def test_an_id_is_one_segment_of_the_path(hooks: Subscriptions) -> None:
    with pytest.raises(Rejected):
        hooks.remove("..")


@pytest.mark.parametrize("told", [{}, {"createdDate": 5}, None, "odd"])
@pytest.mark.parametrize("status", ["queued", "processing", "requestInProgress"])
def test_one_is_idle_when_nothing_is_on_its_way(
    vendor: responses.RequestsMock, hooks: Subscriptions, status: str, told: Any
) -> None:
    for each in ("queued", "processing", "requestInProgress"):
        asked = query_param_matcher({"status": each}, strict_match=False)
        vendor.get(
            f"{HOOKS}/{ID}/notifications", json={"value": [told] if each == status else []}, match=[asked]
        )
    assert not hooks.is_idle(ID)
    vendor.reset()
    vendor.get(f"{HOOKS}/{ID}/notifications", json={"value": []})
    assert hooks.is_idle(ID)


@pytest.mark.parametrize(
    ("succeeded", "failed", "since"),
    [
        ([], [], None),
        ([10], [], None),
        ([10], [20, 30], 20.0),
        ([25], [20, 30], 30.0),
        ([40], [20, 30], None),
        ([], [30, 20], 20.0),
    ],
)
def test_its_deliveries_fail_since_the_first_one_after_the_last_good_one(
    vendor: responses.RequestsMock,
    hooks: Subscriptions,
    succeeded: list[int],
    failed: list[int],
    since: float | None,
) -> None:
    for result, moments in (("succeeded", succeeded), ("failed", failed)):
        told = [{"createdDate": f"1970-01-01T00:00:{each}Z"} for each in moments]
        asked = query_param_matcher({"result": result}, strict_match=False)
        vendor.get(f"{HOOKS}/{ID}/notifications", json={"value": told}, match=[asked])
    assert hooks.failing_since(ID) == since


def test_the_history_of_a_real_failure_is_read() -> None:
    """The simulated service, which restricts a subscription after a delivery that nobody takes."""
    with FakeAdo(time_scale=0.0001) as fake, new_session(AddressPolicy(loopback=True)) as session:
        client = AdoClient(fake.organization_url, session, personal_access_token(TOKEN), BackOff())
        hooks = Subscriptions(client)
        made = hooks.create(HookEvent.UPDATED, "http://127.0.0.1:9/nobody", "s3cret")
        fake.add_item("Fix login", 31)
        with fake.held_deliveries():
            fake.edit(31, **{"System.State": "Active"})
            assert not hooks.is_idle(made.id)
        fake.wait_for_deliveries()
        assert hooks.is_idle(made.id)
        since = hooks.failing_since(made.id)
        assert since is not None
        assert since >= int(made.created_at)
        [listed] = hooks.web_hooks()
        assert listed.status is SubscriptionStatus.ON_PROBATION
