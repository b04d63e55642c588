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

FOLDER = Path(__file__).with_name("admin")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_STYLE = '<link rel="stylesheet" href="page.css">'
_SCRIPT = '<script type="module" src="page.js"></script>'
# The one form in which modules of the page import, and that in which they export.
_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async function|function|class|const) (\w+))", re.MULTILINE)


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
    style, script = _read("page.css"), joined("page")
    page = _read("page.html")
    for mark, content in ((_STYLE, f"<style>{style}</style>"), (_SCRIPT, _inline(script))):
        before, after = page.split(mark)
        page = f"{before}{content}{after}"
    policy = (
        "default-src 'none'",
        f"script-src {_hash_of(script)}",
        f"style-src {_hash_of(style)}",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # The browser refuses innerHTML and similar sinks, so no text becomes markup.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
    return page, "; ".join(policy)


def joined(name: str) -> str:
    """Return a module of the page and all that it imports as one script, each before those that need it.

    A policy of hashes has no place for a second file, and modules inside a page cannot import each other. So
    each becomes a function that returns what it exports, and keeps a scope of its own.
    """
    return "".join(_in_order(name, []).values())


def _in_order(name: str, above: list[str]) -> dict[str, str]:
    """Return a module and those that it imports, by their names, what is needed first."""
    if name in above:
        raise ValueError(f"{' imports '.join([*above, name])}: modules of the page go in one direction")
    text, parts = _read(f"{name}.js"), dict[str, str]()
    for _, needed in _IMPORT.findall(text):
        parts |= {each: part for each, part in _in_order(needed, [*above, name]).items() if each not in parts}
    return {**parts, name: _scoped(name, text)}


def _scoped(name: str, text: str) -> str:
    exported = ", ".join(_EXPORT.findall(text))
    body = _EXPORT.sub("", _IMPORT.sub(r"const \1 = $\2;", text))
    # What exports nothing is the page itself, which may wait for something.
    return (
        f"const ${name} = (() => {{\n{body}return {{ {exported} }};\n}})();\n"
        if exported
        else f"{{\n{body}}}\n"
    )


def _inline(script: str) -> str:
    return f'<script type="module">{script}</script>'


def _read(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def _hash_of(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
