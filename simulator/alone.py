"""A fake as a program of its own: it goes on where it ended, and serves until somebody stops it."""

import sys
from typing import Any, Protocol

from simulator.ending import Ending
from simulator.kept import Kept, KeptError


class Fake(Protocol):
    """What is served at ``url`` while its ``with`` block lasts."""

    url: str

    def __enter__(self) -> Any: ...
    def __exit__(self, *error: Any) -> Any: ...


def is_restored(kept: Kept | None) -> bool:
    """Fill a fake with what was kept, and tell whether anything was; exit if it cannot be read."""
    try:
        return kept is not None and kept.restore()
    except KeptError as error:
        sys.exit(str(error))


def serve(fake: Fake, kept: Kept | None) -> None:
    ending = Ending()
    with fake:
        print(f"listening on {fake.url}", flush=True)
        if kept is None:
            ending.wait()
        else:
            kept.save_until(ending)
    if kept is not None:
        kept.save()
