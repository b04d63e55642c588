"""The ids that others send: Sentry's id of an issue, a work item's number, a project's GUID."""

import re
from typing import Annotated

from msgspec import Meta

from shared.domain.errors import Rejected

_ISSUE_ID = re.compile(r"[0-9]{1,20}")
_WORK_ITEM_ID = re.compile(r"[0-9]{1,15}")
GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
LARGEST_NUMBER = 2**53 - 1  # the largest integer that every JSON reader keeps exact

# The same in what is decoded. Other than people, our own messages have no spelling to be patient with.
Slug = Annotated[str, Meta(pattern=rf"^{_SLUG.pattern}\Z")]
Digits = Annotated[str, Meta(pattern=r"^[0-9]{1,20}\Z")]
Positive = Annotated[int, Meta(ge=1, le=LARGEST_NUMBER)]


def issue_id_from(text: str, name: str) -> str:
    """Return Sentry's id of an issue, 1 to 20 digits, or raise Rejected naming the field ``name``."""
    if not _ISSUE_ID.fullmatch(text):
        raise Rejected(f"{name} must be Sentry's numeric id of the issue")
    return text


def work_item_id_from(text: str, name: str) -> int:
    """Return the number of a work item, 1 to 15 digits, or raise Rejected naming the field ``name``."""
    if not _WORK_ITEM_ID.fullmatch(text) or int(text) == 0:
        raise Rejected(f"{name} must be the number of a work item")
    return int(text)


def is_slug(text: str) -> bool:
    """Tell whether a text can be the name of an organization."""
    return _SLUG.fullmatch(text) is not None


def is_guid(text: str) -> bool:
    """Tell whether a text can be the id of a project: nothing else is believed to be one."""
    return re.fullmatch(GUID, text, re.IGNORECASE) is not None
