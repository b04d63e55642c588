"""What people call an issue: its id, its short id, or the address of its page."""

import re
from urllib.parse import unquote, urlsplit

from shared.domain.connection import sentry_server

_ID = re.compile(r"[0-9]{1,20}")
# A project's slug and a number in base 32: https://docs.sentry.io/product/issues/issue-details/
_SHORT_ID = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,60}-[0-9A-Z]{1,14}", re.IGNORECASE)
# Of old, an issue's page stood below its project.
_PAGE = re.compile(
    r"(?:/organizations/(?P<organization>[^/]+)|/(?P<owner>[^/]+)/[^/]+)?/issues/(?P<name>[^/]+)"
)
_SENTRY = "sentry.io"
# Hosts of all organizations: https://docs.sentry.io/organization/data-storage-location/
_SHARED_HOSTS = frozenset({"us", "de", "www"})


def is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def is_short_id(text: str) -> bool:
    return _SHORT_ID.fullmatch(text) is not None and not is_id(text)


def is_address(text: str) -> bool:
    return text.lower().startswith(("https://", "http://"))


def name_in_address(text: str) -> str | None:
    """Return the id or short id in the address of an issue's page, or None for any other page.

    Sentry writes short ids in capitals; ``/issues/errors-outages/`` is a list.
    """
    try:
        found = _PAGE.match(urlsplit(text).path)
    except ValueError:
        return None
    name = found["name"] if found else ""
    return name if is_id(name) or (is_short_id(name) and name.isupper()) else None


def is_within(text: str, sentry_url: str, organization: str) -> bool:
    """Tell whether an address is one of the organization at ``sentry_url``.

    It names the organization in its path, or on sentry.io as the first label of its host; or nowhere.
    """
    try:
        parts = urlsplit(text)
        if ".." in unquote(parts.path).split("/"):
            return False
        if sentry_server(f"{parts.scheme}://{parts.netloc}/") != sentry_server(sentry_url):
            return False
    except ValueError:
        return False
    page = _PAGE.match(parts.path)
    label, _, rest = (parts.hostname or "").partition(".")
    by_host = label if rest == _SENTRY and label not in _SHARED_HOSTS else None
    by_path = re.match(r"/organizations/([^/]+)", parts.path)
    named = {by_host, by_path and by_path[1], page and page["owner"]} - {None}
    return all(each is not None and each.lower() == organization.lower() for each in named)
