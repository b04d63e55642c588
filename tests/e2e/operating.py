"""The operator's command as a person or a program runs it: a process of its own, without a terminal."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulator.azurite import Azurite
from tests.e2e.app import (
    ADO_TOKEN,
    HOOK_SECRET,
    ROOT,
    SECRETS,
    SENTRY_TOKEN,
    SIGNING_KEY,
    App,
    Pair,
    app_folder,
)

KEY = "function-key-of-the-run"


@dataclass
class Said:
    """What a command printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def all(self) -> str:
        return self.out + self.err


@dataclass
class Operator:
    """Runs commands against one app and organization; every output is searched for the secrets of the run."""

    app: App
    org: str | None = None
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: str = "", **environ: str) -> Said:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        known = {
            "SENTRY_ADO_APP": self.app.url,
            "SENTRY_ADO_KEY": KEY,
            "AzureWebJobsStorage": self.app.storage,
            "COLUMNS": "160",
            **({"SENTRY_ADO_ORG": self.org} if self.org else {}),
        }
        done = subprocess.run(
            [sys.executable, "-m", "operate", *arguments],
            cwd=ROOT,
            env={**inherited, **known, **self.environ, **environ},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in said.err, said.err
        for secret in secrets_of(self.app):
            assert secret not in said.all
        return said


def secrets_of(app: App) -> list[str]:
    keys = [part.partition("=")[2] for part in app.storage.split(";") if part.startswith("AccountKey=")]
    return [KEY, HOOK_SECRET, SIGNING_KEY, *SECRETS.values(), SENTRY_TOKEN, ADO_TOKEN, *keys]


@contextmanager
def public_app(folder: Path) -> Iterator[App]:
    """Run a host that knows its own address, on tables of its own."""
    with (
        Azurite() as azurite,
        App(
            folder / "host.log",
            SECRETS,
            folder=app_folder(folder / "app"),
            storage=azurite.connection_string,
        ) as app,
    ):
        app.restart(PUBLIC_URL=app.url)
        yield app


@contextmanager
def operated(app: App, **choices: Any) -> Iterator[tuple[Pair, Operator]]:
    """Connect a pair whose hooks reach the app, and somebody who looks after it."""
    with Pair.beside(app, **choices) as pair:
        assert pair.configure().status_code == 201
        pair.sentry.webhook_url = f"{app.url}/api/{pair.sentry_route}"
        assert pair.ask("POST", "hooks").status_code == 200
        yield pair, Operator(app, pair.slug)
        pair.ado.allow()
        pair.ado.faults.clear()
        pair.ask("DELETE", "config")
    app.clear()
