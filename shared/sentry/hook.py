"""Sentry deliveries: verifying the signature, and finding the issue; bytes in, values out, no I/O.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from shared.domain.decoding import decode_delivery
from shared.domain.errors import Malformed, Unauthenticated

SIGNATURE_HEADER = "Sentry-Hook-Signature"
RESOURCE_HEADER = "Sentry-Hook-Resource"


class IssueHint(msgspec.Struct, frozen=True):
    """An issue may have changed; ``comment_id`` is set if somebody added a comment."""

    issue_id: str
    comment_id: str | None = None


def verify_signature(body: bytes, signature: str | None, secrets: Sequence[str]) -> None:
    """Raise Unauthenticated unless ``signature`` is the HMAC-SHA256 of ``body`` under one of ``secrets``.

    ``body`` must be the raw bytes: a body that is parsed and encoded again has a different signature.
    """
    offered = (signature or "").strip().lower().encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(offered, sign(body, secret)) for secret in secrets if secret]
    if not any(matches):
        why = "wrong-proof" if offered else "no-proof"
        raise Unauthenticated("the signature is missing or wrong", why=why)


def sign(body: bytes, secret: str) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def parse(headers: Mapping[str, str], body: bytes) -> IssueHint | None:
    """Read a signed delivery; return None if it cannot concern a link, raise Malformed if it is no hook."""
    delivery = decode_delivery(body)
    resource = headers.get(RESOURCE_HEADER)
    if not isinstance(delivery, dict) or not isinstance(delivery.get("action"), str) or not resource:
        raise Malformed("the body is not a Sentry hook: no action, or no Sentry-Hook-Resource header")
    content = delivery.get("data")
    if not isinstance(content, dict):
        return None
    if resource == "issue" and delivery["action"] != "created":
        issue = content.get("issue")
        issue_id = _identifier(issue.get("id") if isinstance(issue, dict) else None)
        return IssueHint(issue_id) if issue_id else None
    if resource == "comment" and delivery["action"] == "created":
        issue_id, comment_id = _identifier(content.get("issue_id")), _identifier(content.get("comment_id"))
        return IssueHint(issue_id, comment_id) if issue_id and comment_id else None
    return None


def _identifier(value: Any) -> str | None:
    """Read an id of up to 20 digits, which Sentry writes as a number in some places and as text in others."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20 else None
