"""The functions, one module each. The libraries are imported before any of them, and stay as they are."""

import gc

import azure.data.tables
import azure.functions
import azure.storage.queue  # noqa: F401  # used by the modules
import msgspec  # noqa: F401  # likewise
import requests  # noqa: F401  # likewise

# What the libraries made is never garbage. Without this the collector walks through all of it while our own
# modules are imported, which takes as long as importing them (docs/performance.md).
gc.freeze()
