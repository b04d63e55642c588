"""Reads a person from any of the shapes in which Azure DevOps writes an identity."""

from typing import Any

from shared.domain.model import ASSIGNEE_UNREADABLE, Assignee, Person, Stranger

_LONGEST_ADDRESS = 254


def assignee_from_identity(identity: Any) -> Assignee:
    """Return a Person, None for nobody, or a Stranger for an identity without an address.

    A bare name is not an address; guessing one from it would assign issues to the wrong people.
    """
    # ADO quirk: hooks at resourceVersion 1.0 send "Name <address>", later versions and REST an
    # IdentityRef object, 3.1 an object whose uniqueName is "Name <address>" (docs/vendor_quirks.md#people).
    if identity is None or identity == "":
        return None
    if isinstance(identity, dict):
        people = (_person(identity.get(key)) for key in ("uniqueName", "mailAddress"))
        return next((each for each in people if each is not None), None) or _stranger_in(identity)
    # A text without brackets is a name, even if it looks like an address.
    person = _person(identity) if isinstance(identity, str) and identity.strip().endswith(">") else None
    return person or _stranger(str(identity))


def name_from_identity(identity: Any) -> str:
    """Return the name under which people know somebody; empty if there is none, and never an address."""
    if isinstance(identity, dict):
        identity = next((identity[key] for key in ("displayName", "name") if identity.get(key)), "")
    if not isinstance(identity, str):
        return ""
    text = identity.strip()
    name = text[: text.rfind("<")].strip() if text.endswith(">") and "<" in text else text
    return name if "@" not in name else name.partition("@")[0]


def _person(value: Any) -> Person | None:
    """Read ``address`` or ``Name <address>``; the name may contain brackets."""
    if not isinstance(value, str):
        return None
    text = _without_name(value)
    name, at, domain = text.partition("@")
    # ADO quirk: Server writes DOMAIN\user in the brackets: no address (docs/vendor_quirks.md#people).
    if not (name and at and domain) or "\\" in text or any(character.isspace() for character in text):
        return None
    return Person(text.lower()) if len(text) <= _LONGEST_ADDRESS else None


def _stranger_in(identity: dict[Any, Any]) -> Stranger:
    # ADO quirk: a service principal has an empty uniqueName (docs/vendor_quirks.md#people).
    keys = ("uniqueName", "displayName", "id", "name")
    return _stranger(str(next((identity[key] for key in keys if identity.get(key)), "")))


def _stranger(text: str) -> Stranger:
    """Return somebody by the one text that every shape has: the unique name, in brackets or alone, or a name.

    Otherwise the same person would seem to be another one whenever somebody else tells of them.
    """
    label = _without_name(text) or text.strip().removesuffix(">").rstrip().removesuffix("<")
    return Stranger(ASSIGNEE_UNREADABLE, label.strip().lower()[:_LONGEST_ADDRESS])


def _without_name(text: str) -> str:
    """Return what stands in the brackets at the end of a text, or the text if there are none."""
    text = text.strip()
    return text[text.rfind("<") + 1 : -1].strip() if text.endswith(">") else text
