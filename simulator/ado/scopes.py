"""What a personal access token may be used for: the scopes that somebody chose when making it."""

import re

WORK, WORK_WRITE, PROJECT = "vso.work", "vso.work_write", "vso.project"
# Each page of the reference names the scope of its call: https://learn.microsoft.com/rest/api/azure/devops
_READS = re.compile(r"/_apis/(?:wit/(?:wiql|workitemsbatch|reporting/)|search/)", re.IGNORECASE)


def is_within(scopes: frozenset[str] | None, method: str, path: str) -> bool:
    """Tell whether a token with these scopes may make a call; None is a token of full access, or an identity.

    Whoever may write work items may read them. Hooks have rights of their own (``Organization.deny``).
    """
    if scopes is None:
        return True
    place = path.casefold()
    if "/_apis/projects" in place:
        return PROJECT in scopes
    if "/_apis/wit/" in place or "/_apis/search/" in place:
        reads = method == "GET" or _READS.search(place) is not None
        return bool(scopes & ({WORK, WORK_WRITE} if reads else {WORK_WRITE}))
    return True
