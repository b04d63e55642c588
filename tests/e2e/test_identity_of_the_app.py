"""The app on storage that it signs in to: what a fresh instance asks for, and when it gets no token."""

import base64
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from azure.storage.queue import QueueClient

from simulator.azurite import Azurite
from simulator.certificate import Certificate, make_certificate
from simulator.identity import IdentityEndpoint
from tests.e2e.app import SECRETS, App, Pair, eventually

STORAGE = "https://storage.azure.com"
ADO = "499b84ac-1321-427f-aa17-267ca6975798"
HOOK = {"action": "resolved", "data": {"issue": {"id": "100"}}}
# The host signs in for itself, and would be counted along.
NO_WORKERS = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("inbound_sync", "outbound_sync")}


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def azurite(certificate: Certificate) -> Iterator[Azurite]:
    with Azurite(certificate=certificate) as running:
        yield running


@pytest.fixture
def identity() -> Iterator[IdentityEndpoint]:
    with IdentityEndpoint() as endpoint:
        yield endpoint


@pytest.fixture(params=[pytest.param("any credential", marks=pytest.mark.long), "named credential"])
def environ(
    request: pytest.FixtureRequest, azurite: Azurite, certificate: Certificate, identity: IdentityEndpoint
) -> dict[str, str]:
    """Everything that an app with an identity is given in Azure, and nothing else: no key, no token."""
    named = {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"} if "named" in request.param else {}
    return {
        **{name: value for name, value in SECRETS.items() if name != "ADO_PAT"},
        **NO_WORKERS,
        **named,
        **identity.environment,
        "AzureWebJobsStorage__tableServiceUri": azurite.url("Table"),
        "AzureWebJobsStorage__queueServiceUri": azurite.url("Queue"),
        "REQUESTS_CA_BUNDLE": str(certificate.path),
    }


@pytest.fixture
def fresh(tmp_path: Path, environ: dict[str, str], identity: IdentityEndpoint) -> Iterator[Pair]:
    """An app that has just started and was asked nothing yet; its organization was connected before."""
    with App(tmp_path / "host.log", environ) as app, Pair.beside(app) as pair:
        assert pair.configure().status_code == 201
        app.end()
        identity.asked.clear()
        app.start()
        yield pair


def waiting(azurite: Azurite, certificate: Certificate, slug: str) -> int:
    """Count the messages of an organization."""
    with QueueClient.from_connection_string(
        azurite.connection_string,
        "outbound-sync",
        connection_verify=str(certificate.path),
        api_version="2025-07-05",
    ) as queue:
        return sum(slug in base64.b64decode(message.content).decode() for message in queue.peek_messages(32))


def test_an_instance_that_was_asked_nothing_asks_for_nothing(fresh: Pair, identity: IdentityEndpoint) -> None:
    fresh.app.end()
    assert identity.asked == []


def test_the_first_hooks_of_a_fresh_instance_cost_one_token_a_resource(
    fresh: Pair, identity: IdentityEndpoint, azurite: Azurite, certificate: Certificate
) -> None:
    with ThreadPoolExecutor(6) as senders:
        answers = list(senders.map(lambda _: fresh.deliver_from_sentry(HOOK), range(6)))
    assert [answer.status_code for answer in answers] == [202] * 6
    for _ in range(3):
        assert fresh.deliver_from_sentry(HOOK).status_code == 202
    eventually(lambda: ADO in identity.asked)
    fresh.app.end()  # When it is gone, nothing is asked for any more.
    assert Counter(identity.asked) == {STORAGE: 1, ADO: 1}
    assert waiting(azurite, certificate, fresh.slug) == 9


def test_without_a_token_a_hook_is_to_be_sent_again_and_then_taken(
    fresh: Pair, identity: IdentityEndpoint
) -> None:
    identity.http_status = 400
    refused = fresh.deliver_from_sentry(HOOK)
    assert (refused.status_code, refused.json()["error"]) == (503, "unavailable")
    identity.http_status = 200
    assert fresh.deliver_from_sentry(HOOK).status_code == 202


def test_signing_in_tells_the_log_nothing(fresh: Pair) -> None:
    assert fresh.deliver_from_sentry(HOOK).status_code == 202
    assert "identity" not in fresh.app.log().casefold()


# An endpoint that fails now and then, and an app with an identity of its own for storage.


@pytest.fixture
def working(
    tmp_path: Path, azurite: Azurite, certificate: Certificate, identity: IdentityEndpoint
) -> Iterator[Pair]:
    """An app that signs in as identities which were assigned to it, and has no token for Azure DevOps yet."""
    identity.client_ids = ["ado-identity", "storage-identity"]
    identity.only_for, identity.http_status = ADO, 503
    environ = {
        **NO_WORKERS,
        **{name: value for name, value in SECRETS.items() if name != "ADO_PAT"},
        **identity.environment,
        "AzureWebJobsStorage__tableServiceUri": azurite.url("Table"),
        "AzureWebJobsStorage__queueServiceUri": azurite.url("Queue"),
        "AzureWebJobsStorage__credential": "managedidentity",
        "AzureWebJobsStorage__clientId": "storage-identity",
        "AZURE_CLIENT_ID": "ado-identity",
        "REQUESTS_CA_BUNDLE": str(certificate.path),
    }
    with App(tmp_path / "host.log", environ) as app, Pair.beside(app) as pair:
        assert pair.configure().status_code == 201
        yield pair


def search(pair: Pair) -> tuple[int, str, str]:
    answer = pair.ask("GET", "search", params={"field": "externalIssue", "query": "login"})
    said = answer.json()
    return answer.status_code, said["error"], said["detail"]


def test_each_identity_signs_in_where_it_is_known(working: Pair, identity: IdentityEndpoint) -> None:
    search(working)
    asked = set(zip(identity.asked, identity.clients, strict=True))
    assert asked == {(STORAGE, "storage-identity"), (ADO, "ado-identity")}


def refusals(pair: Pair) -> list[str]:
    said = pair.ask("GET", "status").json()["problems"]
    return [each["kind"] for each in said if each["kind"] == "unauthorized"]


@pytest.mark.parametrize(
    "weather", ["500", *(pytest.param(each, marks=pytest.mark.long) for each in ("503", "429", "hangs up"))]
)
def test_a_hiccup_of_the_endpoint_is_an_outage_and_no_refusal(
    working: Pair, identity: IdentityEndpoint, weather: str
) -> None:
    refused_before = refusals(working)
    if weather == "hangs up":
        identity.hangs_up = True
    else:
        identity.http_status = int(weather)
    # The library repeats a failure for a while without asking again.
    for _ in range(2):
        status, error, detail = search(working)
        assert (status, error) == (503, "unavailable")
        assert "identity endpoint" in detail
    assert refusals(working) == refused_before
    identity.http_status, identity.hangs_up = 200, False
    # Now there is a token, and the simulated Azure DevOps, which knows none of Entra's, is asked at all.
    eventually(lambda: search(working)[1] == "ado-refused-us")


def test_an_endpoint_that_refuses_is_a_refusal(working: Pair, identity: IdentityEndpoint) -> None:
    identity.http_status = 400
    # Until the library has forgotten the weather of before.
    eventually(lambda: search(working)[1] == "ado-refused-us")
    assert "AZURE_CLIENT_ID" in search(working)[2]
