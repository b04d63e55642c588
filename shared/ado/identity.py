"""Reads the assignee from any of the shapes in which Azure DevOps writes an identity."""

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
    if isinstance(identity, str):
        return _from_text(identity)
    if isinstance(identity, dict):
        for key in ("uniqueName", "mailAddress"):
            person = _person(identity.get(key))
            if person is not None:
                return person
        # ADO quirk: a service principal has an empty uniqueName (docs/vendor_quirks.md#people).
        label = next((identity[key] for key in ("displayName", "id", "name") if identity.get(key)), "")
        return Stranger(ASSIGNEE_UNREADABLE, str(label)[:_LONGEST_ADDRESS])
    return Stranger(ASSIGNEE_UNREADABLE, str(identity)[:_LONGEST_ADDRESS])


def _from_text(text: str) -> Assignee:
    if not text.strip().endswith(">"):
        return Stranger(ASSIGNEE_UNREADABLE, text[:_LONGEST_ADDRESS])
    return _person(text) or Stranger(ASSIGNEE_UNREADABLE, text[:_LONGEST_ADDRESS])


def _person(value: Any) -> Person | None:
    """Read ``address`` or ``Name <address>``; the name may contain brackets."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    if text.endswith(">"):
        text = text[text.rfind("<") + 1 : -1].strip()
    name, at, domain = text.partition("@")
    # ADO quirk: Server writes DOMAIN\user in the brackets: no address (docs/vendor_quirks.md#people).
    if not (name and at and domain) or "\\" in text or any(character.isspace() for character in text):
        return None
    return Person(text.lower()) if len(text) <= _LONGEST_ADDRESS else None
