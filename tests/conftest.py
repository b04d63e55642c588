"""What every test starts with: an environment without the app's settings, and payloads fresh from files."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from shared.domain import connection
from tests.doubles.clock import Clock

ROOT = Path(__file__).parents[1]
SETTINGS = frozenset(json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))["Values"])

Payload = Callable[[str], Any]

# The same examples on every machine; what it learns of Unicode is kept where nothing is packed from. A busy
# machine is no failure.
set_hypothesis_home_dir(ROOT / ".local" / "hypothesis")
settings.register_profile("here", derandomize=True, database=None, deadline=None)
settings.load_profile("here")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits most; then all workers end at about the same time, with what is short."""
    items.sort(key=lambda item: "e2e" not in item.path.parts)


@pytest.fixture(autouse=True)
def clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every setting of the app away, whether general or for one organization (``NAME__SLUG``)."""
    for name in list(os.environ):
        if name.partition("__")[0] in SETTINGS:
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def unremembered() -> None:
    """Let no test of a changed core (`make mutation`) find what the unchanged one has worked out."""
    if "MUTANT_UNDER_TEST" in os.environ:
        for remembered in (connection.ado_place, connection.sentry_server):
            remembered.cache_clear()


@pytest.fixture
def payload() -> Payload:
    """Load a payload by its path below ``tests/payloads``; each call reads the file anew."""

    def load(path: str) -> Any:
        return json.loads((ROOT / "tests" / "payloads" / path).read_text(encoding="utf-8"))

    return load


@pytest.fixture
def clock() -> Clock:
    return Clock()
