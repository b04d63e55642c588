"""Deliveries of both services by hand: signed, and padded to a size, as a long description would."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simulator.sentry.hooks import compact, sign


@dataclass(frozen=True)
class Delivery:
    headers: Mapping[str, str]
    body: bytes


def from_ado(event: Mapping[str, Any], secret: str, *, size: int = 0, **changes: Any) -> Delivery:
    """Send an event of the simulated service as it stands, but for ``changes`` at its top."""
    body = json.loads(json.dumps({**event, **changes}))
    body["resource"]["revision"]["fields"]["System.Description"] = ""
    missing = size - len(json.dumps(body))
    body["resource"]["revision"]["fields"]["System.Description"] = "x" * max(0, missing)
    headers = {"Content-Type": "application/json; charset=utf-8", "Shared-Secret": secret}
    return Delivery(headers, json.dumps(body).encode())


def from_sentry(
    content: Mapping[str, Any], key: str, *, resource: str = "issue", action: str = "resolved", size: int = 0
) -> Delivery:
    whole: dict[str, Any] = {"action": action, "data": content, "padding": ""}
    whole["padding"] = "x" * max(0, size - len(compact(whole)))
    return signed(compact(whole), key, resource=resource)


def signed(body: bytes, key: str, *, resource: str = "issue") -> Delivery:
    headers = {"Content-Type": "application/json", "Sentry-Hook-Resource": resource}
    return Delivery({**headers, "Sentry-Hook-Signature": sign(key, body)}, body)
