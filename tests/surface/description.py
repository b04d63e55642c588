"""Makes the OpenAPI description: routes, methods and keys from the app's bindings, shapes from its types.

https://spec.openapis.org/oas/v3.1.1.html
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import azure.functions as func
import msgspec

from function_app import app
from shared.version import VERSION
from tests.surface.answers import FormRefusal, Refusal
from tests.surface.operations import JSON, OPERATIONS, Operation

FILE = Path(__file__).parents[2] / "functions" / "openapi.json"
_REFERENCES = "#/components/schemas/{name}"
_SECURITY: dict[str, list[dict[str, list[str]]]] = {
    "ado_webhook": [{"hookSecret": []}, {"hookPassword": []}],
    "sentry_webhook": [{"hookSignature": []}],
    "sentry_components": [{"formSignature": []}],
    "admin": [],
    "health": [],
}
_WITH_A_KEY: list[dict[str, list[str]]] = [{"functionKey": []}, {"functionKeyInQuery": []}]
_SCHEMES = {
    "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "functionKeyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
    "hookSecret": {"type": "apiKey", "in": "header", "name": "Shared-Secret"},
    "hookPassword": {"type": "http", "scheme": "basic"},
    "hookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Sentry-Hook-Signature",
        "description": "HMAC-SHA256 of the raw body, in hexadecimal",
    },
    "formSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "Sentry-App-Signature",
        "description": "HMAC-SHA256 of the raw body, or of the empty text for GET, in hexadecimal",
    },
}
_SEGMENTS: dict[str, dict[str, Any]] = {
    "organization": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
}
_WHY = {
    400: "The request is wrong; `detail` says what about it.",
    401: "The key, the secret or the signature is missing or wrong.",
    404: "It names something that is not there.",
    409: "It does not fit what is stored.",
    412: "If-Match names another version.",
    413: "The body is too long.",
    428: "If-Match is missing.",
    502: "A service refuses us, or what we ask.",
    503: "A service or the storage cannot do it now; Retry-After says when to ask again.",
}
_FINE = {200: "Done.", 201: "Made.", 202: "Queued.", 204: "Gone."}


class Binding(NamedTuple):
    """What the app's own decorators say of one function that takes requests."""

    function: str
    route: str
    methods: frozenset[str]
    is_open: bool

    def takes(self, path: str) -> bool:
        """Tell whether a path is one of its route's, with or without the segments that may be absent."""
        given, route = path.split("/"), self.route.split("/")
        needed = sum(not segment.endswith("?}") for segment in route)
        return needed <= len(given) <= len(route) and all(
            theirs.startswith("{") or ours == theirs for ours, theirs in zip(given, route, strict=False)
        )


@cache
def functions() -> tuple[Any, ...]:
    """Return the app's functions: it tells them once, and raises when it is asked again."""
    return tuple(app.get_functions())


def bindings() -> Iterator[Binding]:
    for each in functions():
        trigger: Any = each.get_trigger()  # Its class depends on its type.
        if trigger.type == "httpTrigger":
            yield Binding(
                str(each.get_function_name()),
                trigger.route,
                frozenset(method.name for method in trigger.methods),
                trigger.auth_level is func.AuthLevel.ANONYMOUS,
            )


def differences(bound: Iterable[Binding], described: Iterable[Operation] = OPERATIONS) -> list[str]:
    """Say what is bound and not described, or described and not bound."""
    described, by_name = list(described), {each.function: each for each in bound}
    told = {(each.function, each.method) for each in described}
    missing = [
        f"{name} {method}: give it a line in tests/surface/operations.py, and run `make openapi`"
        for name, each in by_name.items()
        for method in sorted(each.methods)
        if (name, method) not in told
    ]
    strange = [
        f"{each.function} {each.method} {each.path}: no function of the app takes it"
        for each in described
        if each.function not in by_name
        or each.method not in by_name[each.function].methods
        or not by_name[each.function].takes(each.path)
    ]
    keyless = [
        f"{name}: say in tests/surface/description.py how it proves who calls"
        for name, each in by_name.items()
        if each.is_open is not (name in _SECURITY)
    ]
    return [*missing, *strange, *keyless]


def description() -> dict[str, Any]:
    kinds = _types()
    schemas = dict(
        zip(kinds, msgspec.json.schema_components(kinds, ref_template=_REFERENCES)[0], strict=True)
    )
    components = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)[1]
    paths: dict[str, dict[str, Any]] = {}
    for each in OPERATIONS:
        paths.setdefault(f"/{each.path}", {})[each.method.lower()] = _operation(each, schemas)
    return _named(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "Sentry issues and Azure DevOps work items in step",
                "version": VERSION,
                "description": "docs/api.md says what each of these means.",
            },
            "servers": [{"url": "/api"}],
            "paths": dict(sorted(paths.items())),
            "components": {
                "securitySchemes": _SCHEMES,
                "schemas": dict(sorted(components.items())),
            },
        }
    )


def text() -> str:
    return json.dumps(description(), indent=1, ensure_ascii=False) + "\n"


def _types() -> list[Any]:
    """Return every type that an operation reads or answers, each once."""
    found: list[Any] = [Refusal, FormRefusal]
    for each in OPERATIONS:
        bodies = each.body.values() if isinstance(each.body, dict) else [each.body]
        for kind in (*each.answers.values(), *bodies):
            if kind is not None and not isinstance(kind, dict) and kind not in found:
                found.append(kind)
    return found


def _operation(each: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": _id_of(each),
        "tags": [each.function],
        "summary": each.summary,
        "security": _SECURITY.get(each.function, _WITH_A_KEY),
        "parameters": [*_segments(each), *each.query, *each.headers],
        "responses": _responses(each, schemas),
    }
    if each.body is not None:
        described["requestBody"] = {
            "required": each.body_is_required,
            "description": f"At most {each.largest} bytes.",
            "content": _content(each.body, schemas),
        }
    return described


def _id_of(each: Operation) -> str:
    """Return the function's name and method, and what the path has in addition to the function's others."""
    same = [other for other in OPERATIONS if (other.function, other.method) == (each.function, each.method)]
    tail = (
        ""
        if len(same) == 1
        else f"_{len(each.path.split('/'))}_{re.sub(r'[^a-z]+', '', each.path.split('/')[-1])}"
    )
    return f"{each.function}_{each.method.lower()}{tail}"


def _segments(each: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": each.segments.get(name) or _SEGMENTS.get(name) or {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"\{(\w+)\}", each.path)
    ]


def _responses(each: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for status, kind in each.answers.items():
        found[str(status)] = {"description": _FINE[status]}
        if kind is not None:
            found[str(status)]["content"] = _content(kind, schemas)
    refused = schemas[FormRefusal if each.function == "sentry_components" else Refusal]
    for status in _refusals(each):
        found[str(status)] = {"description": _WHY[status]}
        if status != 401 or each.function in _SECURITY:
            found[str(status)]["content"] = {JSON: {"schema": refused}}
        if status == 503:
            found["503"]["headers"] = {"Retry-After": {"required": True, "schema": {"type": "integer"}}}
    return dict(sorted(found.items()))


def _refusals(each: Operation) -> Iterator[int]:
    if each.function == "health":
        return
    yield 401
    if each.function == "openapi":
        return
    yield from (400, 404, 413, *each.refusals, 503)
    if each.function not in {"ado_webhook", "sentry_webhook"}:
        yield 502


def _content(kind: Any, schemas: dict[Any, Any]) -> dict[str, Any]:
    if isinstance(kind, dict):
        return {
            name: {"schema": each if isinstance(each, dict) else schemas[each]} for name, each in kind.items()
        }
    return {JSON: {"schema": schemas[kind]}}


def _named(description: dict[str, Any]) -> dict[str, Any]:
    """Name no type by the underscore with which its module keeps it to itself."""
    return json.loads(re.sub(r'"(#/components/schemas/)?_([A-Z])', r'"\1\2', json.dumps(description)))  # type: ignore[no-any-return]
