"""Chooses the engine: Microsoft's own runtime where there is one, else the library's converters."""

import importlib
import importlib.util
from collections.abc import Mapping

from simulator.host.app import LoadError
from simulator.host.engine import Engine
from simulator.host.engine_library import LibraryEngine

ENGINES = ("auto", "library", "microsoft")


def choose_engine(name: str, environ: Mapping[str, str]) -> Engine:
    """Return the engine of that name; `auto` prefers Microsoft's, which needs Python 3.13."""
    has_runtime = importlib.util.find_spec("azure_functions_runtime") is not None
    if name == "microsoft" and not has_runtime:
        raise LoadError("the Microsoft engine needs azure-functions-runtime, which needs Python 3.13")
    if name == "library" or not has_runtime:
        # An unset count means min(32, processors + 4), to the real worker as to the standard library.
        return LibraryEngine(int(environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "0")) or None)
    engine: Engine = importlib.import_module("simulator.host.engine_microsoft").MicrosoftEngine()
    return engine
