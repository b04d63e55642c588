"""Where the app is measured: hosted on a real Azurite, with the least that functions could do beside it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from simulator.azurite import Azurite
from tests.e2e.app import ROOT, SECRETS, App

BESIDE = ROOT / "bench" / "side_by_side"
# As docs/settings.md recommends it for Azure.
THREADS = {"PYTHON_THREADPOOL_THREAD_COUNT": "32"}
# Whatever is put on the queues stays there.
NO_WORKERS = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("inbound_sync", "outbound_sync")}


@contextmanager
def hosted(
    *options: str, environ: Mapping[str, str] | None = None, storage: str | None = None
) -> Iterator[App]:
    """Run the host with the app and what stands beside it; on an Azurite of its own unless one is given."""
    if storage is None:
        with (
            Azurite() as azurite,
            hosted(*options, environ=environ, storage=azurite.connection_string) as app,
        ):
            yield app
        return
    with tempfile.TemporaryDirectory() as scratch:
        settings = {**SECRETS, **THREADS, **(environ or {})}
        with App(Path(scratch) / "host.log", settings, *options, folder=BESIDE, storage=storage) as app:
            yield app
