"""A fresh instance: what it imports, how soon it answers its first hook, and the memory it takes."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache, partial

from bench.deliveries import from_ado, from_sentry
from bench.load import Load, Target
from bench.measuring import Measured, Scale, Spread, measured, ratios, take_turns
from bench.stage import NO_WORKERS, hosted, storage, storage_by_identity
from tests.e2e.app import ADO_TOKEN, HOOK_SECRET, ROOT, SIGNING_KEY, Pair

APP = "import function_app"
# All that requirements.in names, but azure-identity and markdown-it-py: they are imported when they are used.
LIBRARIES = "import azure.functions, azure.data.tables, azure.storage.queue, requests, msgspec"
_TIMED = "import time; began = time.process_time(); {}; print(time.process_time() - began)"
_WEIGHED = "from bench.memory import most_taken; {}; print(most_taken())"
MIB = 1024 * 1024


def measure(scale: Scale) -> Iterator[Measured]:
    yield _import(scale)
    yield measured("cold", "import of function_app: memory", Spread.of([memory_of_import() / MIB]))
    yield from _first_hooks(scale)


@cache
def memory_of_import() -> float:
    """Return the bytes of a process that has imported the app and done nothing yet."""
    return _run(_WEIGHED.format(APP))


def _import(scale: Scale) -> Measured:
    """Import the app and the libraries it runs on in turn, each in a process of its own."""
    contestants = {each: partial(_run, _TIMED.format(each)) for each in (APP, LIBRARIES)}
    take_turns(contestants, rounds=1)  # The first import compiles.
    taken = take_turns(contestants, scale.rounds)
    beside = {
        "app, ms:": Spread.of(taken[APP]).value * 1000,
        "libraries, ms:": Spread.of(taken[LIBRARIES]).value * 1000,
    }
    return measured("cold", "import of function_app", ratios(taken[APP], taken[LIBRARIES]), beside)


def _run(statement: str) -> float:
    command = [sys.executable, "-c", statement]
    # Libraries come with their bytecode; ours is to be kept from the first import on, whoever runs this.
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    answer = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True)
    return float(answer.stdout)


def _first_hooks(scale: Scale) -> Iterator[Measured]:
    with storage() as account:
        yield from _first_hooks_with(account, {}, "", scale)
    with storage_by_identity() as environ:
        yield from _first_hooks_with("", environ, ", by identity", scale)


def _first_hooks_with(account: str, environ: Mapping[str, str], how: str, scale: Scale) -> Iterator[Measured]:
    """Start a host for each sample: what it answers first is what it has to make everything for."""
    environ = {**environ, **NO_WORKERS}
    with hosted(account, environ={**environ, "ADO_PAT": ADO_TOKEN}) as app, Pair.beside(app) as pair:
        pair.connect()
        _, work_item_id = pair.linked()
        pair.ado.edit(work_item_id, **{"System.State": "Active"})
        pair.ado.wait_for_deliveries()
        hooks = {
            "ado_webhook": Target(
                f"/api/{pair.ado_route}", from_ado(pair.ado.hooks.history[-1].body, HOOK_SECRET), 202
            ),
            "sentry_webhook": Target(
                f"/api/{pair.sentry_route}", from_sentry({"issue": {"id": "100"}}, SIGNING_KEY), 202
            ),
        }
    memory: list[float] = []

    def first(target: Target) -> float:
        with hosted(account, environ=environ) as fresh, Load.on(fresh.url, 1) as load:
            seconds = load.seconds(target, 1)
            memory.append(float(fresh.ask("GET", "bare/memory").text) / MIB)
            return seconds

    taken = take_turns({name: partial(first, target) for name, target in hooks.items()}, scale.rounds)
    for name, seconds in taken.items():
        yield measured("cold", f"first hook of a fresh instance{how}: {name}", Spread.of(seconds))
    yield measured("cold", f"memory of a fresh instance after its first hook{how}", Spread.of(memory))
