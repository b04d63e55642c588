"""Every way to damage a JSON value by one change: what a parser must survive."""

from collections.abc import Iterator
from typing import Any

JUNK: tuple[Any, ...] = (None, True, "", "0", "x", 0, -1, 1.5, 10**30, [], {})


def damaged(value: Any) -> Iterator[Any]:
    """Yield copies with one node removed, replaced by junk, or wrapped."""
    yield from JUNK
    yield [value]
    yield {"": value}
    if isinstance(value, dict):
        for key, child in value.items():
            yield {name: other for name, other in value.items() if name != key}
            for broken in damaged(child):
                yield {**value, key: broken}
    if isinstance(value, list):
        for place, child in enumerate(value):
            yield value[:place] + value[place + 1 :]
            for broken in damaged(child):
                yield [*value[:place], broken, *value[place + 1 :]]
