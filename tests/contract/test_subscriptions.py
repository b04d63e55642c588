"""What Azure DevOps does about subscriptions: the double in memory, and the client of the fake over HTTP."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shared.ado.auth import personal_access_token
from shared.ado.client import AdoClient
from shared.ado.subscriptions import Subscriptions
from shared.domain.addresses import AddressPolicy
from shared.domain.errors import Forbidden, Refused
from shared.domain.ports import AdoHooks
from shared.domain.subscriptions import HookEvent, SubscriptionStatus
from shared.http import BackOff, new_session
from simulator.ado import FakeAdo
from simulator.ado.organization import TOKEN
from tests.doubles.subscriptions import MemorySubscriptions

URL = "http://127.0.0.1:9/api/ado/fabrikam/webhook"
OTHER = "http://127.0.0.1:9/elsewhere"
NOBODY = "0f5ad4e1-0000-0000-0000-000000000000"


@dataclass
class Bench:
    """``hooks`` is what our account may do; ``people`` what people do, by the same names on both."""

    hooks: AdoHooks
    people: Any


@pytest.fixture(params=["memory", "http"])
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    if request.param == "memory":
        double = MemorySubscriptions(lambda: 1_800_000_000.0)
        yield Bench(double, double)
        return
    with FakeAdo(time_scale=0.001) as fake:
        client = AdoClient(
            fake.organization_url,
            new_session(AddressPolicy(loopback=True)),
            personal_access_token(TOKEN),
            BackOff(),
        )
        yield Bench(Subscriptions(client), fake)


def test_what_is_made_is_listed_and_found_as_it_was_made(bench: Bench) -> None:
    made = bench.hooks.create(HookEvent.DELETED, URL, "s3cret")
    assert (made.event, made.url, made.filters, made.is_whole) == (HookEvent.DELETED, URL, {}, True)
    assert made.status is SubscriptionStatus.ENABLED
    assert made.created_at > 0
    assert bench.hooks.web_hooks() == [made]
    assert bench.hooks.find(made.id) == made
    [kept] = bench.people.subscriptions
    assert kept.consumer_inputs["basicAuthPassword"] == "s3cret"
    assert "httpHeaders" not in kept.consumer_inputs
    assert kept.publisher_inputs == {}


def test_others_are_listed_beside_ours_with_what_confines_them(bench: Bench) -> None:
    bench.people.subscribe(OTHER, "workitem.created")
    bench.people.subscribe(URL, "workitem.updated", project="Fabrikam-Fiber", resourceDetailsToSend="minimal")
    by_url = {each.url: each for each in bench.hooks.web_hooks()}
    assert by_url[OTHER].event == "workitem.created"
    assert list(by_url[URL].filters) == ["projectId"]
    assert (by_url[OTHER].is_whole, by_url[URL].is_whole) == (True, False)


@pytest.mark.parametrize("status", [each for each in SubscriptionStatus if each != "unknown"])
def test_each_status_is_told(bench: Bench, status: SubscriptionStatus) -> None:
    hook = bench.people.subscribe(URL)
    bench.people.set_subscription_status(hook, status.value)
    assert [each.status for each in bench.hooks.web_hooks()] == [status]


def test_what_is_removed_is_gone_and_removing_it_again_does_no_harm(bench: Bench) -> None:
    made = bench.hooks.create(HookEvent.UPDATED, URL, "s3cret")
    bench.hooks.remove(made.id)
    bench.hooks.remove(made.id)
    bench.hooks.remove(NOBODY)
    assert bench.hooks.find(made.id) is None
    assert bench.hooks.web_hooks() == []


def test_each_right_that_is_lacking_is_refused_and_the_others_stay(bench: Bench) -> None:
    made = bench.hooks.create(HookEvent.UPDATED, URL, "s3cret")
    bench.people.deny("Edit")
    with pytest.raises(Forbidden):
        bench.hooks.create(HookEvent.DELETED, URL, "s3cret")
    assert bench.hooks.web_hooks() == [made]
    bench.people.deny("Delete")
    with pytest.raises(Forbidden):
        bench.hooks.remove(made.id)
    bench.people.deny("View")
    for call in (
        bench.hooks.web_hooks,
        lambda: bench.hooks.find(made.id),
        lambda: bench.hooks.is_idle(made.id),
    ):
        with pytest.raises(Forbidden):
            call()
    bench.people.allow()
    assert bench.hooks.web_hooks() == [made]


def test_a_right_may_be_lacking_in_one_project(bench: Bench) -> None:
    confined = bench.people.subscribe(URL, project="Fabrikam-Fiber")
    bench.people.deny("Delete", project="Fabrikam-Fiber")
    with pytest.raises(Forbidden):
        bench.hooks.remove(confined)
    bench.hooks.remove(bench.hooks.create(HookEvent.UPDATED, URL, "s3cret").id)
    assert [each.id for each in bench.hooks.web_hooks()] == [confined]


@pytest.mark.parametrize("secret", ["two words", "x" * 257])
def test_a_password_that_cannot_be_sent_is_refused(bench: Bench, secret: str) -> None:
    with pytest.raises(Refused):
        bench.hooks.create(HookEvent.UPDATED, URL, secret)
