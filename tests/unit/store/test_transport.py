"""How we talk to storage: as azure-core does by itself, but sooner tired, and with as many connections."""

from collections.abc import Callable
from functools import partial

import pytest
from azure.core.pipeline.transport import RequestsTransport
from requests import Session
from requests.adapters import HTTPAdapter

from shared.store.transport import new_transport

HOSTS = ["https://acme.table.core.windows.net/", "http://127.0.0.1:10002/"]


def session_of(transport: RequestsTransport) -> Session:
    session = transport.session
    assert isinstance(session, Session)
    return session


@pytest.mark.parametrize("url", HOSTS)
def test_the_transport_tries_as_often_as_azure_core_itself(url: str) -> None:
    theirs = RequestsTransport()
    theirs.open()
    adapters = [session_of(each).get_adapter(url) for each in (new_transport(), theirs)]
    ours, original = (each.max_retries for each in adapters if isinstance(each, HTTPAdapter))
    assert vars(ours) == vars(original)
    theirs.close()


@pytest.mark.parametrize("url", HOSTS)
@pytest.mark.parametrize(("new", "connections"), [(new_transport, 10), (partial(new_transport, 42), 42)])
def test_a_host_has_as_many_connections_as_there_are_threads(
    url: str, new: Callable[[], RequestsTransport], connections: int
) -> None:
    adapter = session_of(new()).get_adapter(url)
    assert vars(adapter)["_pool_maxsize"] == connections


def test_storage_that_is_silent_is_not_waited_for_as_long_as_its_library_would() -> None:
    patience = new_transport(1).connection_config
    assert (patience.timeout, patience.read_timeout) == (3, 5)


@pytest.mark.parametrize(("bundle", "verified"), [(None, True), ("/ca.pem", "/ca.pem")])
def test_a_certificate_is_always_verified(bundle: str | None, verified: bool | str) -> None:
    assert new_transport(bundle=bundle).connection_config.verify == verified


def test_no_client_closes_the_session_for_the_others() -> None:
    transport = new_transport()
    session = transport.session
    transport.close()
    assert transport.session is session
