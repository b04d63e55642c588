"""Serves the admin page: one static file for every organization, whose script calls the JSON API."""

import base64
import functools
import hashlib
import re
from pathlib import Path

import azure.functions as func

from functions.edge import api_boundary
from shared.services import Services
from shared.store.organizations import verify_slug

_FILE = Path(__file__).with_name("admin.html")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # The page's address contains the key until the script removes it.
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@api_boundary
def handle(request: func.HttpRequest, _services: Services) -> func.HttpResponse:
    """Serve the page, also for an organization that is not connected yet: the page connects it."""
    verify_slug(request.route_params["organization"])
    page, policy = _page()
    return func.HttpResponse(
        page, mimetype="text/html", charset="utf-8", headers={**_HEADERS, "Content-Security-Policy": policy}
    )


@functools.cache
def _page() -> tuple[str, str]:
    """Return the page and a content security policy that allows only the page's own script and style."""
    page = _FILE.read_text(encoding="utf-8")
    policy = (
        "default-src 'none'",
        f"script-src {_hash_of('script', page)}",
        f"style-src {_hash_of('style', page)}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # The browser refuses innerHTML and similar sinks, so no text becomes markup.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return page, "; ".join(policy)


def _hash_of(tag: str, page: str) -> str:
    [content] = re.findall(rf"<{tag}\b[^>]*>(.*?)</{tag}>", page, re.DOTALL)
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
