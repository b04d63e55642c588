"""The ids that others send: Sentry's id of an issue, a work item's number, a project's GUID."""

import re

from shared.domain.errors import Rejected

_ISSUE_ID = re.compile(r"[0-9]{1,20}")
_WORK_ITEM_ID = re.compile(r"[0-9]{1,15}")
GUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
LARGEST_NUMBER = 2**53 - 1  # the largest integer that every JSON reader keeps exact


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


def is_guid(text: str) -> bool:
    """Tell whether a text can be the id of a project: nothing else is believed to be one."""
    return re.fullmatch(GUID, text, re.IGNORECASE) is not None
