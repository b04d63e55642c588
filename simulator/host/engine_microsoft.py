"""Microsoft's worker runtime as the engine: Python 3.13 only, imported only where it is installed.

This is the protobuf-free entry that the package offers in `native_invocation`; its load-time checks and its
conversions are those of the real worker.
"""

import asyncio
import uuid
from collections.abc import Mapping
from types import SimpleNamespace

from azure.functions.meta import Datum
from azure_functions_runtime import native_invocation
from azure_functions_runtime.bindings.meta import load_binding_registry
from azure_functions_runtime.handle_event import _functions as registry
from azure_functions_runtime.utils.threadpool import start_threadpool_executor

from simulator.host.app import HostedFunction, LoadError
from simulator.host.engine import InvocationFailed, start_event_loop

# The only part of the protobuf definitions that loading a function reads.
_PROTOS = SimpleNamespace(BindingInfo=SimpleNamespace(inout=2, out=1, undefined=0))


class MicrosoftEngine:
    """Calls functions through azure-functions-runtime."""

    name = "microsoft"

    def __init__(self) -> None:
        load_binding_registry()
        start_threadpool_executor()
        self._loop = start_event_loop()
        self._ids: dict[str, str] = {}

    def load(self, function: HostedFunction) -> None:
        try:
            loaded = registry.add_indexed_function(function.definition, _PROTOS)
        except Exception as error:
            raise LoadError(str(error)) from error
        self._ids[function.name] = loaded.function_id

    def invoke(self, function: HostedFunction, trigger: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        call = (str(uuid.uuid4()), self._ids[function.name], [(function.parameter, trigger)], metadata)
        handled, ok, answer, _, _, error = native_invocation.run_invocation_sync(*call)
        if not handled:
            # An async function: it takes the way over the event loop.
            coroutine = native_invocation.invocation_request_native(*call)
            ok, answer, _, _, error = asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        if not ok:
            raise InvocationFailed(error)
        encoded: Datum | None = answer
        return encoded
