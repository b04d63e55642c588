"""What Azure DevOps means by a 400: its rules and its races answer alike (docs/vendor_quirks.md#rest)."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.http import Meaning

# The work item changed meanwhile, which most answers call 409 or 412.
_RACES = ("TF26071", "VS402625")
_ASSIGNED_TO = "System.AssignedTo"
# How fieldStatusFlags and messages say that a value of Assigned To is nobody, and not that a rule forbids it.
_NOBODY_FLAGS = frozenset({"invalididentityfield", "invalididentity", "invalidlistvalue"})
_NOBODY_WORDS = ("unknown identity", "is not a valid identity", "identity value")
_SEVERAL_WORDS = ("ambiguous",)


def meaning_of(content: Any) -> Meaning:
    """Return what the body of a 400 says. Messages are translated on a Server; numbers and flags are not."""
    message = str(content.get("message") or "")
    if any(number in message for number in _RACES):
        return Meaning.CONFLICT
    texts = [message.lower(), *(text.lower() for text, _ in _about_the_assignee(content))]
    flags = {flag for _, flags in _about_the_assignee(content) for flag in flags}
    if any(word in text for text in texts for word in _SEVERAL_WORDS if "identity" in text):
        return Meaning.SEVERAL
    if flags & _NOBODY_FLAGS or any(word in text for text in texts for word in _NOBODY_WORDS):
        return Meaning.NOBODY
    return Meaning.REFUSED


def _about_the_assignee(content: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Yield the message and the flags of each broken rule of the field Assigned To."""
    custom = content.get("customProperties")
    broken = custom.get("RuleValidationErrors") if isinstance(custom, Mapping) else None
    for each in broken if isinstance(broken, list) else ():
        if isinstance(each, Mapping) and each.get("fieldReferenceName") == _ASSIGNED_TO:
            flags = str(each.get("fieldStatusFlags") or "").lower().split(",")
            yield str(each.get("errorMessage") or ""), [flag.strip() for flag in flags]
