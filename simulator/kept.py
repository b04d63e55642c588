"""What a fake knows, in a file, so that a playground goes on where the last one ended."""

import itertools
import pickle
import threading
from pathlib import Path
from typing import Any

from simulator.ending import Ending

_SAVE_EVERY = 2.0  # seconds; after a power cut this much may be missing
_LOCKS = (type(threading.Lock()), type(threading.RLock()), threading.Condition, threading.Thread)


class KeptError(RuntimeError):
    """The file is of another version, or damaged; the message says what to do."""


class Kept:
    """The data of some stores; their clocks, locks and collaborators stay those of this run."""

    def __init__(self, path: Path, lock: threading.RLock, **stores: object) -> None:
        self._path = path
        self._lock = lock
        self._stores = stores

    def restore(self) -> bool:
        """Fill the stores with what was saved; False if nothing ever was."""
        if not self._path.exists():
            return False
        try:
            saved = pickle.loads(self._path.read_bytes())  # noqa: S301 - our own file, in our own folder
            for name, data in saved.items():
                vars(self._stores[name]).update(data)
        except Exception as error:
            raise KeptError(
                f"what was kept in {self._path} is not of this version; remove its folder to begin anew"
            ) from error
        return True

    def save(self) -> None:
        with self._lock:
            data = {name: self._data_of(store) for name, store in self._stores.items()}
            new = self._path.with_suffix(".new")
            with new.open("wb") as file:
                _Pickler(file).dump(data)
        new.replace(self._path)

    def save_until(self, ending: Ending) -> None:
        while not ending.comes_within(_SAVE_EVERY):
            self.save()

    def _data_of(self, store: object) -> dict[str, Any]:
        others = [*self._stores.values()]
        return {
            name: value
            for name, value in vars(store).items()
            if not callable(value) and not isinstance(value, _LOCKS) and not any(value is o for o in others)
        }


class _Pickler(pickle.Pickler):
    """Writes counters by their next number: Python itself is about to write them no longer."""

    def reducer_override(self, obj: object) -> Any:
        if isinstance(obj, itertools.count):
            return itertools.count, (int(repr(obj)[len("count(") : -1]),)
        return NotImplemented
