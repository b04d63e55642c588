"""Links in batches: so many different work items or issues at a time, whatever the number of links."""

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

from shared.domain.model import IssueLink
from shared.store.links import Passed, StoredLink

Name = TypeVar("Name", int, str)

# Many links may share a work item or an issue. A batch ends before they fill the memory.
_MOST_LINKS = 2_000


class Batch(msgspec.Struct, Generic[Name]):
    """Links by what they are batched by; ``end`` is the place of the last one."""

    links: dict[Name, list[StoredLink]]
    end: str


def batches(
    rows: Iterable[Passed], name_of: Callable[[IssueLink], Name | None], size: int
) -> Iterator[Batch[Name]]:
    """Yield the links in their order, at most ``size`` names at a time; those without a name are left out."""
    batch: Batch[Name] = Batch({}, "")
    count = 0
    for passed in rows:
        name = None if passed.stored is None else name_of(passed.stored.link)
        if passed.stored is None or name is None:
            continue
        if count == _MOST_LINKS or (len(batch.links) == size and name not in batch.links):
            yield batch
            # Whoever asks for the next one is done with this one: only one at a time is in memory.
            batch.links.clear()
            batch, count = Batch({}, ""), 0
        batch.links.setdefault(name, []).append(passed.stored)
        batch.end, count = passed.place, count + 1
    if batch.links:
        yield batch
