"""Sentry deliveries: verifying the signature, and reading what they tell; bytes in, values out, no I/O.

https://docs.sentry.io/organization/integrations/integration-platform/webhooks/
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from typing import Any, cast, get_args

import msgspec

from shared.domain.comments import CommentAction, SaidInSentry, author_of, carried
from shared.domain.decoding import decode_delivery
from shared.domain.errors import Malformed, Unauthenticated
from shared.domain.messages import RuleAction
from shared.domain.text import cut, one_line

SIGNATURE_HEADER = "Sentry-Hook-Signature"
RESOURCE_HEADER = "Sentry-Hook-Resource"
TIMESTAMP_HEADER = "Sentry-Hook-Timestamp"
# Together they stay far below what a queue takes.
_LONGEST_NAME = 200
_LONGEST_SETTING = 2_000

_COMMENT_ACTIONS = frozenset(get_args(CommentAction))
_WORDS_OF_THE_DELETED = 5_000  # bytes; enough to tell whose they were
_NO_LATER_THAN = 1e11  # seconds since the epoch


class IssueHint(msgspec.Struct, frozen=True):
    """An issue may have changed.

    ``comment_id`` and ``comment`` are set if somebody commented on it, ``action`` if a rule with our action
    fired for it.
    """

    issue_id: str
    comment_id: str | None = None
    comment: SaidInSentry | None = None
    action: RuleAction | None = None

    @property
    def is_told_once(self) -> bool:
        """Whether nobody looks for it if its message is dropped: a comment, or what a rule asks for."""
        return self.comment_id is not None or self.action is not None


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
    if resource == "comment" and delivery["action"] in _COMMENT_ACTIONS:
        issue_id, comment_id = _identifier(content.get("issue_id")), _identifier(content.get("comment_id"))
        if issue_id and comment_id:
            at = _moment(headers.get(TIMESTAMP_HEADER))
            return IssueHint(issue_id, comment_id, _said(delivery, content.get("comment"), at))
    if resource == "event_alert" and delivery["action"] == "triggered":
        return _alert(content)
    return None


# https://docs.sentry.io/organization/integrations/integration-platform/webhooks/issue-alerts/
def _alert(content: Mapping[str, Any]) -> IssueHint | None:
    """Read a rule that fired with our action; one that only notifies us has no settings."""
    event, alert = content.get("event"), content.get("issue_alert")
    if not isinstance(event, dict) or not isinstance(alert, dict):
        return None
    issue_id, settings = _identifier(event.get("issue_id")), settings_in(alert.get("settings"))
    project, kind = settings.get("project", ""), settings.get("work_item_type", "")
    if not issue_id or not project or not kind:
        return None
    rule = alert.get("title") or content.get("triggered_rule")
    action = RuleAction(
        rule=cut(one_line(rule), _LONGEST_NAME) if isinstance(rule, str) else "",
        project=project,
        work_item_type=kind,
        area_path=settings.get("area_path", ""),
        tags=settings.get("tags", ""),
    )
    return IssueHint(issue_id, action=action)


def settings_in(fields: Any) -> dict[str, str]:
    """Return the values of a filled-in form by their names.

    Sentry quirk: those of an action are a list of names and values, those of the form an object
    (sentry: sentry_apps/external_requests/alert_rule_action_requester.py).
    """
    if isinstance(fields, dict):
        fields = [{"name": name, "value": value} for name, value in fields.items()]
    named: dict[str, str] = {}
    for each in fields if isinstance(fields, list) else ():
        name, value = (each.get("name"), each.get("value")) if isinstance(each, dict) else (None, None)
        is_text = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        if isinstance(name, str) and is_text:
            named[name] = cut(one_line(str(value)), _LONGEST_SETTING)
    return named


def _said(delivery: Mapping[str, Any], text: Any, at: float) -> SaidInSentry | None:
    """Return what was said, or None if the delivery holds no text; a deletion needs none."""
    action = cast("CommentAction", delivery["action"])
    if action == "deleted":
        text = text if isinstance(text, str) else ""
    if not isinstance(text, str) or not (text.strip() or action == "deleted"):
        return None
    words, is_cut = carried(text, *([_WORDS_OF_THE_DELETED] if action == "deleted" else []))
    return SaidInSentry(action, _author(delivery.get("actor")), words, at, is_cut)


def _author(actor: Any) -> str:
    """Return who spoke.

    Sentry quirk: an integration is shown under the name of the one that gets the hook
    (docs/vendor_quirks.md#sentry-hooks).
    """
    if not isinstance(actor, dict) or actor.get("type") != "user":
        return "Sentry" if isinstance(actor, dict) and actor.get("id") == "sentry" else "An integration"
    name = actor.get("name")
    return author_of(name if isinstance(name, str) else "", "Somebody")


def _moment(text: str | None) -> float:
    """Return when a delivery was made, in epoch seconds, or 0 if it does not tell."""
    try:
        moment = float(text or 0)
    except ValueError:
        return 0.0
    return moment if 0.0 <= moment < _NO_LATER_THAN else 0.0


def _identifier(value: Any) -> str | None:
    """Read an id of up to 20 digits, which Sentry writes as a number in some places and as text in others."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    return text if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= 20 else None
