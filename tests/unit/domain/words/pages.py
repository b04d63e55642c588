"""Every page, by its name, with what writes its lines."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.unit.domain.words import cures, entries, findings

PAGES: Mapping[str, Callable[[], Iterator[str]]] = {
    "findings": findings.lines,
    "entries": entries.lines,
    "cures": cures.lines,
}


def text_of(name: str) -> str:
    return "".join(f"{line}\n" for line in PAGES[name]())


def file_of(name: str) -> Path:
    return Path(__file__).with_name(f"{name}.txt")
