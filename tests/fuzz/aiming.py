"""Requests that fit the description, and some that do not, aimed at what is really there."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import requests
import schemathesis
from hypothesis import strategies as st

from simulator.sentry.hooks import sign
from tests.fuzz.damage import ODD_TEXTS, VALUES
from tests.surface.description import description
from tests.surface.operations import OPERATIONS as DESCRIBED

SCHEMA = schemathesis.openapi.from_dict(description())
OPERATIONS: list[Any] = [SCHEMA[f"/{each.path}"][each.method] for each in DESCRIBED]
_MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
# Half a character cannot be sent in an address.
_ODD = [text for text in ODD_TEXTS if text and text.isascii()]
# What names something: it is often given the name of something that is there.
_KEYS = ("issue_id", "work_item_id", "issueId", "work_item", "parent", "query", "q")


class Target(NamedTuple):
    """Where requests go: the organization that is asked about, and how things are called in it."""

    url: str
    slug: str
    names: Sequence[object]
    hook_secret: str
    signing_key: str


@st.composite
def requests_to(draw: st.DrawFn, target: Target, operation: Any) -> requests.PreparedRequest:
    """Draw a request of one operation, with the right proof."""
    mode = draw(st.sampled_from(_MODES))
    case = draw(operation.as_strategy(generation_mode=mode))
    if "organization" in case.path_parameters and draw(st.integers(0, 9)):
        case.path_parameters["organization"] = target.slug
    for held in (case.path_parameters, case.query):
        _aim(draw, held, target.names)
    wanted = case.as_transport_kwargs(base_url=target.url)
    prepared = requests.Request(
        **{
            key: wanted[key]
            for key in ("method", "url", "params", "json", "data", "cookies")
            if key in wanted
        },
        headers={name: str(value) for name, value in _sendable(wanted.get("headers") or {}).items()},
    ).prepare()
    if operation.method.upper() != "GET" and draw(st.booleans()):
        _aim_body(draw, prepared, target.names)
    _prove(prepared, target)
    return prepared


def _aim(draw: st.DrawFn, held: Any, names: Sequence[object]) -> None:
    for key in _KEYS:
        if isinstance(held, dict) and key in held and draw(st.booleans()):
            held[key] = draw(st.sampled_from([*names, *_ODD]))


def _aim_body(draw: st.DrawFn, prepared: requests.PreparedRequest, names: Sequence[object]) -> None:
    try:
        content = json.loads(prepared.body or b"")
    except (ValueError, TypeError):
        return
    _aim(draw, content, names)
    if isinstance(content, dict) and isinstance(content.get("fields"), dict):
        _aim(draw, content["fields"], names)
    if isinstance(content, dict) and "data" not in content and draw(st.booleans()):
        content["data"] = {"issue": {"id": draw(st.sampled_from([*names]))}, "x": draw(VALUES)}
    prepared.prepare_body(json.dumps(content).encode(), None)


def _sendable(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what no client can send, and what the proof is put in later."""
    ours = {"content-length", "transfer-encoding", "host", "connection", "authorization", "shared-secret"}
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in ours
        and str(value).isascii()
        and str(value).isprintable()
        and str(value) == str(value).strip()
    }


def _prove(prepared: requests.PreparedRequest, target: Target) -> None:
    body = prepared.body or b""
    content = body if isinstance(body, bytes) else str(body).encode()
    prepared.headers["Sentry-Hook-Signature"] = sign(target.signing_key, content)
    prepared.headers["Sentry-App-Signature"] = sign(
        target.signing_key, b"" if prepared.method == "GET" else content
    )
    pair = base64.b64encode(f"x:{target.hook_secret}".encode()).decode()
    prepared.headers["Authorization"] = f"Basic {pair}"
