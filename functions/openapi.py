"""Serves the description of the whole HTTP surface. docs/api.md#openapi."""

from pathlib import Path

import azure.functions as func

from functions.edge import api_boundary
from shared.services import Services

# Made by `make openapi` from the app's bindings and types; a test fails when it differs from them.
_FILE = Path(__file__).with_name("openapi.json")
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}


@api_boundary
def handle(_request: func.HttpRequest, _services: Services) -> func.HttpResponse:
    return func.HttpResponse(_FILE.read_bytes(), mimetype="application/json", headers=_HEADERS)
