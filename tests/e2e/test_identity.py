"""Storage by identity: https, a token from the app's own endpoint, and what happens without one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.data.tables import TableServiceClient
from azure.identity import ManagedIdentityCredential
from azure.storage.queue import QueueClient

from simulator.azurite import Azurite
from simulator.certificate import Certificate, make_certificate
from simulator.identity import IdentityEndpoint

STORAGE = "https://storage.azure.com"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="module")
def azurite(certificate: Certificate) -> Iterator[Azurite]:
    with Azurite(certificate=certificate) as running:
        yield running


@pytest.fixture
def identity(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityEndpoint]:
    with IdentityEndpoint() as endpoint:
        for name, value in endpoint.environment.items():
            monkeypatch.setenv(name, value)
        yield endpoint


def tables(azurite: Azurite, trusted: Path | bool) -> TableServiceClient:
    return TableServiceClient(
        azurite.url("Table"),
        credential=ManagedIdentityCredential(),
        connection_verify=trusted if isinstance(trusted, bool) else str(trusted),
        retry_total=0,
    )


def test_a_table_and_a_queue_are_written_and_read_with_one_token(
    azurite: Azurite, certificate: Certificate, identity: IdentityEndpoint
) -> None:
    credential, trusted = ManagedIdentityCredential(), str(certificate.path)
    service = TableServiceClient(azurite.url("Table"), credential=credential, connection_verify=trusted)
    queue = QueueClient(
        azurite.url("Queue"),
        "hooks",
        credential=credential,
        connection_verify=trusted,
        api_version="2025-07-05",
    )
    with service, queue:
        table = service.create_table("links")
        table.create_entity({"PartitionKey": "p", "RowKey": "r", "Value": 7})
        assert table.get_entity("p", "r")["Value"] == 7
        queue.create_queue()
        queue.send_message("hello")
        message = queue.receive_message()
    assert message is not None
    assert message.content == "hello"
    assert identity.asked == [STORAGE]


def test_a_slow_endpoint_keeps_its_caller_waiting(identity: IdentityEndpoint) -> None:
    identity.delay = 0.3
    started = time.perf_counter()
    ManagedIdentityCredential().get_token(f"{STORAGE}/.default")
    assert time.perf_counter() - started >= 0.3


def test_a_stranger_on_the_machine_gets_no_token(identity: IdentityEndpoint) -> None:
    url, header = identity.environment["IDENTITY_ENDPOINT"], identity.environment["IDENTITY_HEADER"]
    query = {"api-version": "2019-08-01", "resource": STORAGE}
    for sent, http_status in (("", 401), ("guessed", 401), (header, 200)):
        answer = requests.get(url, params=query, headers={"X-IDENTITY-HEADER": sent}, timeout=5)
        assert answer.status_code == http_status


def test_storage_that_nobody_vouches_for_is_not_talked_to(
    azurite: Azurite, identity: IdentityEndpoint
) -> None:
    with tables(azurite, trusted=True) as service, pytest.raises(ServiceRequestError, match="CERTIFICATE"):
        service.create_table("links")
    assert identity.asked == [STORAGE]


@pytest.mark.parametrize("http_status", [400, 403])
def test_without_a_token_there_is_no_access(
    azurite: Azurite, certificate: Certificate, identity: IdentityEndpoint, http_status: int
) -> None:
    identity.http_status = http_status
    with tables(azurite, certificate.path) as service, pytest.raises(ClientAuthenticationError):
        service.create_table("other")


def test_a_token_of_something_else_is_refused(
    azurite: Azurite, certificate: Certificate, identity: IdentityEndpoint
) -> None:
    service = TableServiceClient(
        azurite.url("Table"),
        credential=ManagedIdentityCredential(),
        connection_verify=str(certificate.path),
        audience="https://vault.azure.net",
        retry_total=0,
    )
    with service, pytest.raises(ClientAuthenticationError):
        service.create_table("another")
    assert identity.asked == ["https://vault.azure.net"]
