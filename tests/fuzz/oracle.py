"""What may never come of any input, whatever it is."""

import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from shared.domain.secrecy import spellings_of

LONGEST = 5.0  # seconds, on a busy machine
_MOST_MEMORY = 256 * 1024 * 1024  # bytes; the smallest instance has eight times that


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what is done inside the block takes too long."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < LONGEST


@contextmanager
def frugal() -> Iterator[None]:
    """Fail if what is done inside the block takes too much memory; this makes it many times slower."""
    tracemalloc.start()
    try:
        yield
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < _MOST_MEMORY


_spellings = cache(spellings_of)


def secrets_among(texts: Iterable[str], secrets: Iterable[str]) -> list[str]:
    """Return the texts that hold one of the secrets in any of its spellings."""
    spellings = _spellings(tuple(secrets))
    return [text for text in texts if any(each in text for each in spellings)]
