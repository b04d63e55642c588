"""The public surface of the app, pinned: a trigger, a route or an auth level changes here or not at all."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from tests.surface.description import functions

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Http:
    """An HTTP function: route below ``/api``, methods, and whether the caller needs a function key."""

    route: str
    methods: str
    auth: str


@dataclass(frozen=True)
class Queue:
    name: str
    connection: str = "AzureWebJobsStorage"


@dataclass(frozen=True)
class Timer:
    schedule: str


# One line a function, sorted by name.
SURFACE: dict[str, Http | Queue | Timer] = {
    "activity": Http(
        "organizations/{organization}/links/{issue_id}/{work_item_id}/activity", "GET", "FUNCTION"
    ),
    "admin": Http("organizations/{organization}/admin", "GET", "ANONYMOUS"),
    "ado_webhook": Http("ado/{organization}/webhook", "POST", "ANONYMOUS"),
    "adopt": Http("organizations/{organization}/adopt", "POST", "FUNCTION"),
    "copy_link": Http(
        "organizations/{organization}/links/{issue_id}/{work_item_id}/copy", "POST", "FUNCTION"
    ),
    "doctor": Http("organizations/{organization}/doctor", "GET", "FUNCTION"),
    "events": Http("organizations/{organization}/events", "GET", "FUNCTION"),
    "explain": Http("organizations/{organization}/explain", "GET", "FUNCTION"),
    "health": Http("health", "GET", "ANONYMOUS"),
    "hook_watchdog": Timer("0 2/15 * * * *"),
    "hooks": Http("organizations/{organization}/hooks", "DELETE GET POST", "FUNCTION"),
    "inbound_sync": Queue("inbound-sync"),
    "issue_links": Http(
        "organizations/{organization}/links/{issue_id?}/{work_item_id?}", "DELETE GET POST", "FUNCTION"
    ),
    "openapi": Http("openapi.json", "GET", "FUNCTION"),
    "org_config": Http("organizations/{organization}/config", "DELETE GET PATCH PUT", "FUNCTION"),
    "organizations": Http("organizations", "GET", "FUNCTION"),
    "outbound_sync": Queue("outbound-sync"),
    "rebuild": Http("organizations/{organization}/rebuild", "POST", "FUNCTION"),
    "reconcile": Timer("0 */5 * * * *"),
    "reconcile_now": Http("organizations/{organization}/reconcile", "POST", "FUNCTION"),
    "search": Http("organizations/{organization}/search", "GET", "FUNCTION"),
    "sentry_components": Http("sentry/{organization}/{area}/{name}", "GET POST", "ANONYMOUS"),
    "sentry_webhook": Http("sentry/{organization}/webhook", "POST", "ANONYMOUS"),
    "status": Http("organizations/{organization}/status", "GET", "FUNCTION"),
}


def read(trigger: Any) -> Http | Queue | Timer:
    match trigger.type:
        case "httpTrigger":
            methods = " ".join(sorted(method.name for method in trigger.methods))
            return Http(trigger.route, methods, trigger.auth_level.name)
        case "queueTrigger":
            return Queue(trigger.queue_name, trigger.connection)
        case "timerTrigger":
            return Timer(trigger.schedule)
        case other:
            raise AssertionError(f"{other}: give this kind of trigger a line above")


def test_every_function_is_listed_here_with_all_that_the_outside_sees() -> None:
    surface = {each.get_function_name(): read(each.get_trigger()) for each in functions()}
    assert dict(sorted(surface.items())) == SURFACE


def test_only_functions_that_verify_their_caller_themselves_are_open_to_everybody() -> None:
    open_to_everybody = {
        name for name, each in SURFACE.items() if isinstance(each, Http) and each.auth == "ANONYMOUS"
    }
    assert open_to_everybody == {"admin", "ado_webhook", "sentry_webhook", "sentry_components", "health"}


@pytest.mark.parametrize("route", [each.route for each in SURFACE.values() if isinstance(each, Http)])
def test_no_route_begins_with_a_word_of_the_hosts(route: str) -> None:
    # Functions quirk: the host refuses to load such a route (docs/vendor_quirks.md#azure-functions).
    assert not route.startswith(("admin", "runtime"))


def shapes_of(route: str) -> set[tuple[str, ...]]:
    # Functions quirk: of two, the first by its function's name wins (docs/vendor_quirks.md#azure-functions).
    segments = route.split("/")
    optional = sum(segment.endswith("?}") for segment in segments)
    stars = tuple("*" if segment.startswith("{") else segment.lower() for segment in segments)
    return {stars[: len(stars) - absent] for absent in range(optional + 1)}


def overlap(one: str, other: str) -> bool:
    return any(
        len(left) == len(right) and all(a == b or "*" in {a, b} for a, b in zip(left, right, strict=True))
        for left in shapes_of(one)
        for right in shapes_of(other)
    )


def test_no_two_routes_take_one_path() -> None:
    # Functions quirk: of two, the first by the function's name wins (docs/vendor_quirks.md#azure-functions).
    routes = [each.route for each in SURFACE.values() if isinstance(each, Http)]
    assert [pair for pair in combinations(routes, 2) if overlap(*pair)] == []
    assert overlap("a/{b}/c/{d?}", "A/b/{c}")
    assert not overlap("a/{b}/c/{d?}", "a/b")


def test_every_http_function_has_its_section_in_the_documentation_with_all_its_methods() -> None:
    sections = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").split("\n## ")[2:]
    documented = {
        section.partition("\n")[0].strip("`"): " ".join(
            sorted(set(re.findall(r"^    ([A-Z]+) /api/", section, re.M)))
        )
        for section in sections
    }
    assert documented == {name: each.methods for name, each in SURFACE.items() if isinstance(each, Http)}


def test_the_routes_are_below_api() -> None:
    host = json.loads((ROOT / "host.json").read_text(encoding="utf-8"))
    assert host["extensions"]["http"]["routePrefix"] == "api"
    # The trigger hands over what shared/store/queues.py encodes.
    assert host["extensions"]["queues"]["messageEncoding"] == "base64"


IMPORT_AND_TELL = """
import sys
import function_app
loaded = sorted(name for name in ("azure.identity", "markdown_it", "simulator") if name in sys.modules)
print(len(function_app.app.get_functions()), *loaded)
"""


def test_the_app_is_imported_without_any_setting() -> None:
    finished = subprocess.run(
        [sys.executable, "-W", "error", "-c", IMPORT_AND_TELL],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    # None is needed to import: two cost time that few runs need, the third is not deployed.
    assert finished.stdout.split() == [str(len(SURFACE))]
