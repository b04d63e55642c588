"""Reads a person from any of the shapes in which Azure DevOps writes an identity."""

from typing import Any

from shared.domain.model import ASSIGNEE_UNREADABLE, Assignee, Person, Stranger
from shared.domain.names import LONGEST_NAME, address_in, without_display_name


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


def name_of(assignee: Assignee) -> str:
    """Return what to write; nobody is an empty text.

    ADO quirk: an empty string means nobody; null is not accepted.
    """
    match assignee:
        case Person(email):
            return email
        case Stranger(_, label):
            return label
        case _:
            return ""


def _person(value: Any) -> Person | None:
    address = address_in(value) if isinstance(value, str) else None
    return Person(address) if address else None


def _stranger_in(identity: dict[Any, Any]) -> Stranger:
    # ADO quirk: a service principal has an empty uniqueName (docs/vendor_quirks.md#people).
    keys = ("uniqueName", "displayName", "id", "name")
    return _stranger(str(next((identity[key] for key in keys if identity.get(key)), "")))


def _stranger(text: str) -> Stranger:
    """Return somebody by the one text that every shape has: the unique name, in brackets or alone, or a name.

    Otherwise the same person would seem to be another one whenever somebody else tells of them.
    """
    label = without_display_name(text) or text.strip().removesuffix(">").rstrip().removesuffix("<")
    return Stranger(ASSIGNEE_UNREADABLE, label.strip().lower()[:LONGEST_NAME])
