"""Where the app is measured: hosted on a real Azurite, with the least that functions could do beside it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.azurite import Azurite
from simulator.certificate import make_certificate
from simulator.identity import IdentityEndpoint
from tests.e2e.app import ROOT, SECRETS, App

BESIDE = ROOT / "bench" / "side_by_side"
# As docs/settings.md recommends it for Azure.
THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": "32"}
# Whatever is put on the queues stays there.
NO_WORKERS = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("inbound_sync", "outbound_sync")}
_LAST_WORDS = 4000  # characters of the host's log that a failure shows


@contextmanager
def storage() -> Iterator[str]:
    """Run an Azurite and give its connection string.

    It writes to a folder: in memory, each message is an extent of its own, and once a minute Azurite stands
    still while it looks for each deleted one among all others, for many seconds after thousands of messages.
    """
    with tempfile.TemporaryDirectory() as folder, Azurite(Path(folder)) as azurite:
        yield azurite.connection_string


@contextmanager
def storage_by_identity() -> Iterator[Mapping[str, str]]:
    """Run an Azurite to which the app signs in, and give the settings of an app that has an identity.

    It speaks https and takes tokens, which a loopback endpoint gives out as Azure's own does. The settings
    hold no key, and no token for Azure DevOps.
    """
    with tempfile.TemporaryDirectory() as folder:
        certificate = make_certificate(Path(folder))
        data = Path(folder) / "data"
        data.mkdir()
        with Azurite(data, certificate=certificate) as azurite, IdentityEndpoint() as identity:
            yield {
                **identity.environment,
                "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
                "AzureWebJobsStorage__tableServiceUri": azurite.url("Table"),
                "AzureWebJobsStorage__queueServiceUri": azurite.url("Queue"),
                "REQUESTS_CA_BUNDLE": str(certificate.path),
                # The simulated Azure DevOps knows one token only; a webhook asks it for nothing.
                "ADO_PAT": "",
            }


@contextmanager
def hosted(account: str, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[App]:
    """Run the host with the app and what stands beside it; an empty setting is one that is left out."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = {**SECRETS, **THREADS, **(environ or {})}
        settings = {name: value for name, value in settings.items() if value}
        with App(Path(scratch) / "host.log", settings, *options, folder=BESIDE, storage=account) as app:
            try:
                yield app
            except Exception as error:
                error.add_note(f"The host's last words:\n{app.log()[-_LAST_WORDS:]}")
                raise
