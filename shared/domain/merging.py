"""Changing a JSON document by a merge patch, and naming what differs between two documents."""

from collections.abc import Iterator, Mapping
from typing import Any

from shared.domain.shapes import below


def merged(target: Any, patch: Any) -> Any:
    """Return a document as a patch changes it: null removes a key, and only objects are merged.

    https://www.rfc-editor.org/rfc/rfc7396#section-2
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def changed_paths(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the sorted paths of what differs, each as short as says it: a whole object if it is new or gone.

    A list is one value.
    """
    return sorted(_changed(before, after, ""))


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[str]:
    for key in before.keys() | after.keys():
        old, new, here = before.get(key), after.get(key), below(path, key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changed(old, new, here)
        elif old != new or type(old) is not type(new):
            yield here
