"""The names of people, as both services and those who write documents spell them."""

LONGEST_NAME = 254


def without_display_name(text: str) -> str:
    """Return what stands in the brackets at the end of a text, or the text if there are none."""
    text = text.strip()
    return text[text.rfind("<") + 1 : -1].strip() if text.endswith(">") else text


def address_in(text: str) -> str | None:
    """Read ``address`` or ``Name <address>``; the name may contain brackets."""
    address = without_display_name(text).lower()
    name, at, domain = address.partition("@")
    # ADO quirk: Server writes DOMAIN\user in the brackets: no address (docs/vendor_quirks.md#people).
    odd = "\\" in address or any(character.isspace() for character in address)
    return address if name and at and domain and not odd and len(address) <= LONGEST_NAME else None


def account_in(text: str) -> str | None:
    r"""Read ``DOMAIN\user`` or ``Name <DOMAIN\user>``, the only name of a person on many a Server."""
    domain, backslash, user = without_display_name(text).lower().partition("\\")
    account = f"{domain.strip()}\\{user.strip()}"
    whole = domain.strip() and backslash and user.strip() and "\\" not in user
    return account if whole and len(account) <= LONGEST_NAME else None


def name_in(text: str) -> str | None:
    """Read a name by which Azure DevOps tells people apart; a display name is none."""
    return address_in(text) or account_in(text)
