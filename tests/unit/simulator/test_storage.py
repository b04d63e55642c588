"""Where the simulated host reads its queues: in the order of the real one."""

import pytest
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential

from shared.settings import Settings
from simulator.host.app import LoadError
from simulator.host.storage import queue_client

STORAGE = "AzureWebJobsStorage"
NAME, QUEUES, TABLES = (
    f"{STORAGE}__{each}" for each in ("accountName", "queueServiceUri", "tableServiceUri")
)
ADDRESSES = {
    QUEUES: "https://acme.queue.core.usgovcloudapi.net",
    TABLES: "https://acme.table.core.usgovcloudapi.net",
}
PUBLIC, SOVEREIGN = "https://acme.queue.core.windows.net", "https://acme.queue.core.usgovcloudapi.net"


@pytest.mark.parametrize(
    ("environ", "address"),
    [
        ({NAME: "acme"}, PUBLIC),
        ({NAME: "acme", **ADDRESSES}, PUBLIC),
        ({NAME: "acme", **ADDRESSES, STORAGE: " "}, PUBLIC),
        (ADDRESSES, SOVEREIGN),
    ],
)
def test_the_host_looks_where_the_app_writes(environ: dict[str, str], address: str) -> None:
    client = queue_client(STORAGE, "inbound-sync", environ)
    assert client.url == f"{address}/inbound-sync"
    assert Settings(environ).storage.queue_url == address


@pytest.mark.parametrize("environ", [{}, {STORAGE: ""}, {TABLES: "https://acme.table.core.windows.net"}])
def test_a_queue_that_no_setting_leads_to_cannot_be_loaded(environ: dict[str, str]) -> None:
    with pytest.raises(LoadError):
        queue_client(STORAGE, "inbound-sync", environ)


@pytest.mark.parametrize(
    ("environ", "kind"),
    [
        ({}, DefaultAzureCredential),
        ({f"{STORAGE}__clientId": "one"}, DefaultAzureCredential),
        ({f"{STORAGE}__credential": "managedidentity"}, ManagedIdentityCredential),
        (
            {f"{STORAGE}__credential": "ManagedIdentity", f"{STORAGE}__clientId": "one"},
            ManagedIdentityCredential,
        ),
    ],
)
def test_the_host_signs_in_as_the_settings_say(environ: dict[str, str], kind: type) -> None:
    client = queue_client(STORAGE, "inbound-sync", {NAME: "acme", **environ})
    assert isinstance(client.credential, kind)
    assert Settings(environ).storage_identity.is_managed is (kind is ManagedIdentityCredential)
