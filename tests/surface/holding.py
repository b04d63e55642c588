"""Holds answers of the running app to the description."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import requests

from tests.surface.description import FILE

# The server itself answers so, and no function of ours has run: no key; no such route or method; an address
# or headers that are too long.
_OF_THE_HOST = frozenset({401, 404})
_OF_THE_SERVER = frozenset({414, 431})


@cache
def described() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return loaded


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Return each path as a pattern, those with the most fixed words first."""
    paths = sorted(described()["paths"], key=lambda path: path.count("{"))
    return [
        (
            re.compile(re.sub(r"\{\w+\}", "[^/]+", re.escape(path).replace("\\{", "{").replace("\\}", "}"))),
            path,
        )
        for path in paths
    ]


def operation_of(method: str, path: str) -> dict[str, Any] | None:
    """Return what is described for a request below ``/api``, or None if nothing is."""
    for pattern, template in _paths():
        if pattern.fullmatch(path) and method.lower() in described()["paths"][template]:
            found: dict[str, Any] = described()["paths"][template][method.lower()]
            return found
    return None


def faults_of(answer: requests.Response) -> Iterator[str]:
    """Say in what an answer of the app differs from what is described for its request."""
    method, path = str(answer.request.method), urlsplit(str(answer.request.url)).path.removeprefix("/api")
    operation = operation_of(method, path)
    # The bench puts functions of its own beside ours, to compare with.
    if answer.status_code in _OF_THE_SERVER or path.startswith("/bare/"):
        return
    if operation is None:
        # What nobody describes is refused: by the host, or by the function that has the route.
        if not 400 <= answer.status_code < 500:
            yield f"{method} {path}: {answer.status_code}, and nothing is described"
        return
    if not answer.content and answer.status_code in _OF_THE_HOST:
        return
    expected = operation["responses"].get(str(answer.status_code))
    if expected is None:
        yield f"{operation['operationId']}: {answer.status_code} is not described: {answer.text[:300]}"
        return
    for header in expected.get("headers", {}):
        if header not in answer.headers:
            yield f"{operation['operationId']}: {answer.status_code} without {header}"
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    content = expected.get("content", {})
    if bool(answer.content) is not bool(content) or (content and kind not in content):
        yield f"{operation['operationId']}: {answer.status_code} as {kind or 'nothing'}, not {list(content)}"
    elif kind == "application/json":
        for each in _validator(json.dumps(content[kind]["schema"])).iter_errors(answer.json()):
            place = "/".join(map(str, each.instance_path))
            yield f"{operation['operationId']}: {answer.status_code}: /{place}: {each.message}"


@cache
def _validator(schema: str) -> Any:
    whole = {**json.loads(schema), "components": described()["components"]}
    return jsonschema_rs.Draft202012Validator(whole)
