"""What may never come of any input, whatever it is."""

import os
import time
import tracemalloc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache

from shared.domain.secrecy import spellings_of

LONGEST = 5.0  # seconds of a processor
_LONGEST_WAIT = 60.0  # seconds
_MOST_MEMORY = 256 * 1024 * 1024  # bytes; the smallest instance has eight times that


@contextmanager
def bounded() -> Iterator[None]:
    """Fail if what is done inside the block takes too long, however many others want the processors."""
    began, worked = time.monotonic(), time.process_time()
    yield
    assert time.process_time() - worked < LONGEST
    assert time.monotonic() - began < _LONGEST_WAIT


def longest_answer() -> float:
    """Return the seconds that an answer may take on this machine, as busy as it is."""
    return LONGEST * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


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
    return [text for text in texts if any(each.lower() in text.lower() for each in spellings)]
