"""A function app as the host sees it: its settings, its host.json, and its functions with their triggers."""

import importlib
import json
import math
import os
import re
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import azure.functions as func

from simulator.host.routes import ALL_METHODS, Route, RouteError, RouteTemplate
from simulator.host.schedule import Schedule, ScheduleError

# The bindings that this host can feed; an app that uses another one is refused rather than half supported.
_TRIGGERS = ("httpTrigger", "queueTrigger", "timerTrigger")
_BINDINGS = {*_TRIGGERS, "http"}


class LoadError(Exception):
    """The app cannot be hosted; Azure's host would show no function at all."""


@dataclass(frozen=True)
class HttpTrigger:
    route: Route
    auth_level: str

    kind = "http"

    def __str__(self) -> str:
        methods = "*" if self.route.methods == ALL_METHODS else ",".join(sorted(self.route.methods))
        return f"{methods} {self.route.template.text}"


@dataclass(frozen=True)
class QueueTrigger:
    queue: str
    connection: str

    kind = "queue"

    def __str__(self) -> str:
        return self.queue


@dataclass(frozen=True)
class TimerTrigger:
    schedule: Schedule
    run_on_startup: bool

    kind = "timer"

    def __str__(self) -> str:
        return self.schedule.text


@dataclass(frozen=True)
class HostedFunction:
    """One function: what starts it, and the parameter that receives what started it."""

    name: str
    parameter: str
    trigger: HttpTrigger | QueueTrigger | TimerTrigger
    is_disabled: bool
    definition: func.Function  # the library's own description, for the engine


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues` of host.json, with the defaults of QueuesOptions.cs."""

    batch_size: int = 16
    new_batch_threshold: int = 8 * (os.cpu_count() or 1)
    max_dequeue_count: int = 5
    visibility_seconds: int = 0
    max_polling_seconds: float = 60.0
    is_base64: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.batch_size <= 32:
            raise LoadError("host.json: extensions.queues.batchSize must be from 1 to 32")
        if self.new_batch_threshold < 0 or self.max_dequeue_count < 1:
            raise LoadError("host.json: newBatchThreshold must be at least 0 and maxDequeueCount at least 1")

    @classmethod
    def from_json(cls, queues: Mapping[str, Any]) -> "QueueOptions":
        batch_size = int(queues.get("batchSize", cls.batch_size))
        return cls(
            batch_size,
            int(queues.get("newBatchThreshold", batch_size // 2 * (os.cpu_count() or 1))),
            int(queues.get("maxDequeueCount", cls.max_dequeue_count)),
            # Storage counts whole seconds; half a second must not become none.
            math.ceil(_seconds(queues.get("visibilityTimeout", "00:00:00"))),
            _seconds(queues.get("maxPollingInterval", "00:01:00")),
            queues.get("messageEncoding", "base64").lower() == "base64",
        )


@dataclass(frozen=True)
class HostOptions:
    """What this host obeys of host.json."""

    route_prefix: str
    queues: QueueOptions

    @classmethod
    def from_file(cls, path: Path) -> "HostOptions":
        extensions = _read_json(path).get("extensions", {})
        try:
            queues = QueueOptions.from_json(extensions.get("queues", {}))
            return cls(extensions.get("http", {}).get("routePrefix", "api"), queues)
        except (AttributeError, TypeError, ValueError) as error:
            raise LoadError(f"{path.name}: {error}") from error


def apply_settings(folder: Path, environ: MutableMapping[str, str]) -> None:
    """Add `Values` of local.settings.json to the environment, which wins, as it does under `func start`."""
    path = folder / "local.settings.json"
    if not path.exists():
        return
    settings = _read_json(path)
    if settings.get("IsEncrypted"):
        raise LoadError("local.settings.json is encrypted: run `func settings decrypt` first")
    for name, value in settings.get("Values", {}).items():
        environ.setdefault(name, str(value))


def load_functions(folder: Path, environ: Mapping[str, str]) -> tuple[HostedFunction, ...]:
    """Import `function_app.py` and read its functions, in the order of their names."""
    sys.path.insert(0, str(folder))
    try:
        app = _find_app(importlib.import_module("function_app"))
        return tuple(sorted(_read_functions(app, environ), key=lambda function: function.name.casefold()))
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(f"function_app.py: {type(error).__name__}: {error}") from error


def expand_settings(text: str, environ: Mapping[str, str]) -> str:
    """Replace every `%SETTING%` of a queue name or a schedule."""
    missing = [name for name in re.findall(r"%([^%]+)%", text) if name not in environ]
    if missing:
        raise LoadError(f"{text!r}: the setting {missing[0]} does not exist")
    return re.sub(r"%([^%]+)%", lambda match: environ[match[1]], text)


def _find_app(module: ModuleType) -> func.FunctionRegister:
    apps = [value for value in vars(module).values() if isinstance(value, func.FunctionRegister)]
    if len(apps) != 1:
        raise LoadError(f"function_app.py must hold exactly one FunctionApp, and holds {len(apps)}")
    return apps[0]


def _read_functions(app: func.FunctionRegister, environ: Mapping[str, str]) -> Iterator[HostedFunction]:
    # The library lets an app be asked once only: a second time every name is taken.
    for definition in app.get_functions():
        name = str(definition.get_function_name())
        for binding in definition.get_bindings():
            if binding.type not in _BINDINGS:
                raise LoadError(f"{name}: this host does not know the binding {binding.type!r}")
        disabled = environ.get(f"AzureWebJobs.{name}.Disabled", "").lower() in {"true", "1"}
        trigger = definition.get_trigger()
        if trigger is None:
            raise LoadError(f"{name} has no trigger")
        try:
            yield HostedFunction(
                name, trigger.name, _read_trigger(name, trigger, environ), disabled, definition
            )
        except (RouteError, ScheduleError) as error:
            raise LoadError(f"{name}: {error}") from error


def _read_trigger(
    name: str, trigger: Any, environ: Mapping[str, str]
) -> HttpTrigger | QueueTrigger | TimerTrigger:
    # Each kind has its own attributes, and the library types them as the base class: hence Any.
    if trigger.type == "queueTrigger":
        return QueueTrigger(expand_settings(trigger.queue_name, environ), trigger.connection)
    if trigger.type == "timerTrigger":
        schedule = Schedule.parse(expand_settings(trigger.schedule, environ))
        return TimerTrigger(schedule, bool(trigger.run_on_startup))
    methods = frozenset(method.value for method in trigger.methods) if trigger.methods else ALL_METHODS
    route = Route(name, methods, RouteTemplate.parse(trigger.route))
    return HttpTrigger(route, trigger.auth_level.value)


def _seconds(span: str) -> float:
    """Read a .NET TimeSpan: `[d.]hh:mm:ss[.fraction]`."""
    match = re.fullmatch(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)", span)
    if match is None:
        raise ValueError(f"{span!r} is not a time span like 00:00:30")
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise LoadError(f"{path.name}: {error}") from error
    if not isinstance(document, dict):
        raise LoadError(f"{path.name} is not a JSON object")
    return document
