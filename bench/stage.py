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
def hosted(account: str, *options: str, environ: Mapping[str, str] | None = None) -> Iterator[App]:
    """Run the host with the app and what stands beside it."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = {**SECRETS, **THREADS, **(environ or {})}
        with App(Path(scratch) / "host.log", settings, *options, folder=BESIDE, storage=account) as app:
            try:
                yield app
            except Exception as error:
                error.add_note(f"The host's last words:\n{app.log()[-_LAST_WORDS:]}")
                raise
