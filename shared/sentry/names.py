"""What people call an issue: its id, its short id, or the address of its page."""

import re
from urllib.parse import urlsplit

from shared.domain.connection import sentry_server

_ID = re.compile(r"[0-9]{1,20}")
# A project's slug and a number in base 32: https://docs.sentry.io/product/issues/issue-details/
_SHORT_ID = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,60}-[0-9A-Z]{1,14}", re.IGNORECASE)
_PAGE = re.compile(r"(?:/organizations/([^/]+))?/issues/([^/]+)")


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def is_short_id(text: str) -> bool:
    return _SHORT_ID.fullmatch(text) is not None and not is_id(text)


def name_in_address(text: str, sentry_url: str, organization: str) -> str | None:
    """Return the id or short id in the address of an issue's page, or None for one of somebody else.

    An address names the organization in its path, or on sentry.io as the first label of its host.
    """
    try:
        parts = urlsplit(text.strip())
        found = _PAGE.match(parts.path)
        if parts.scheme not in {"http", "https"} or found is None:
            return None
        if sentry_server(f"{parts.scheme}://{parts.netloc}/") != sentry_server(sentry_url):
            return None
    except ValueError:
        return None
    label, _, rest = (parts.hostname or "").partition(".")
    named = found[1] or (label if rest == "sentry.io" else organization)
    name = found[2]
    is_ours = named.lower() == organization.lower() or (not found[1] and label in {"us", "de"})
    return name if is_ours and (is_id(name) or is_short_id(name)) else None
