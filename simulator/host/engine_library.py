"""The converters of `azure.functions` as the engine, with the checks of the real worker; for every Python."""

import asyncio
import inspect
import threading
import traceback
import typing
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from azure.functions.meta import Datum, get_binding_registry

from simulator.host.app import HostedFunction, LoadError
from simulator.host.engine import InvocationFailed, start_event_loop


@dataclass(frozen=True)
class _TraceContext:
    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _RetryContext:
    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True)
class _Context:
    function_name: str
    function_directory: str
    thread_local_storage: threading.local
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    trace_context: _TraceContext = _TraceContext()
    retry_context: _RetryContext = _RetryContext()


@dataclass(frozen=True)
class _Loaded:
    call: Callable[..., Any]
    decode: Callable[..., Any]
    encode: Callable[..., Datum] | None
    wants_context: bool
    is_async: bool


class LibraryEngine:
    """Calls functions through the converters of `azure.functions`, with the real worker's checks."""

    name = "library"

    def __init__(self, threads: int | None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")
        self._loop = start_event_loop()
        self._loaded: dict[str, _Loaded] = {}
        self._local = threading.local()

    def load(self, function: HostedFunction) -> None:
        try:
            self._loaded[function.name] = _check(function)
        except LoadError:
            raise
        except Exception as error:
            raise LoadError(f"cannot load the {function.name} function: {error}") from error

    def invoke(self, function: HostedFunction, trigger: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        loaded = self._loaded[function.name]
        try:
            arguments = {function.parameter: loaded.decode(trigger, trigger_metadata=metadata)}
            if loaded.wants_context:
                folder = str(Path(inspect.getfile(loaded.call)).parent)
                arguments["context"] = _Context(function.name, folder, self._local)
            answer = self._start(loaded, arguments).result()
            return _encode(function.name, loaded, answer)
        except Exception as error:
            raise InvocationFailed(traceback.format_exc()) from error

    def _start(self, loaded: _Loaded, arguments: Mapping[str, Any]) -> Future[Any]:
        if loaded.is_async:
            return asyncio.run_coroutine_threadsafe(loaded.call(**arguments), self._loop)
        return self._pool.submit(loaded.call, **arguments)


def _encode(name: str, loaded: _Loaded, answer: object) -> Datum | None:
    if loaded.encode is None:
        if answer is not None:
            raise TypeError(f"{name} has no return binding and returned {type(answer).__name__}")
        return None
    try:
        return loaded.encode(answer, expected_type=None)
    except NotImplementedError as error:
        raise TypeError(f"{name} may not return {type(answer).__name__}") from error


def _check(function: HostedFunction) -> _Loaded:
    """Refuse what the real worker refuses when it indexes an app, as far as that can be seen cheaply."""
    definition = function.definition
    call = definition.get_user_function()
    bindings = {binding.name: binding.type for binding in definition.get_bindings()}
    answer_type = bindings.pop("$return", None)
    annotations = typing.get_type_hints(call)
    parameters = set(inspect.signature(call).parameters)
    wants_context = "context" in parameters and "context" not in bindings
    if wants_context:
        parameters.remove("context")
        if getattr(annotations.get("context"), "__name__", "Context") != "Context":
            raise LoadError(f"{function.name}: the parameter `context` must be a Context")
    if parameters != set(bindings):
        unmatched = sorted(parameters ^ set(bindings))
        raise LoadError(f"{function.name}: parameters and bindings differ in {', '.join(unmatched)}")

    registry: Any = get_binding_registry()  # type: ignore[no-untyped-call]  # the library leaves it untyped
    trigger = registry.get(bindings[function.parameter])
    expected = annotations.get(function.parameter)
    is_plain = expected in (str, bytes)
    if expected is not None and not is_plain and not _accepts(trigger.check_input_type_annotation, expected):
        raise LoadError(f"{function.name}: {function.parameter} cannot be a {expected}")
    encode = None
    if answer_type is not None:
        converter = registry.get(answer_type)
        if "return" in annotations and not _accepts(
            converter.check_output_type_annotation, annotations["return"]
        ):
            raise LoadError(f"{function.name}: the return annotation {annotations['return']} is not allowed")
        encode = converter.encode
    decode = _decode_plain if is_plain else trigger.decode
    return _Loaded(call, decode, encode, wants_context, inspect.iscoroutinefunction(call))


def _accepts(check: Callable[[type], bool], annotation: object) -> bool:
    return isinstance(annotation, type) and check(annotation)


# Functions quirk: a trigger parameter annotated `bytes` still receives `str` when the content is text (tested
# with azure-functions-runtime 1.3.0).
def _decode_plain(trigger: Datum, *, trigger_metadata: Mapping[str, Datum]) -> object:
    del trigger_metadata
    if trigger.type not in {"string", "bytes", "json"}:
        raise ValueError(f"a trigger of type {trigger.type} is no plain text")
    return trigger.value
