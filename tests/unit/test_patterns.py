"""Every pattern of the app: none takes the square of the time for twice the text.

One that does holds the interpreter, and so every thread, for as long as somebody's comment makes it.
"""

import importlib
import inspect
import itertools
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import functions
import shared

LONG = 30_000  # repetitions: a pattern that looks through all of them from each one takes ten seconds
USES = ("match", "fullmatch", "search", "sub", "split", "findall", "finditer")
SOME = [*" \n\ta0<>/\\`\x1b\x9b\x9d", "\x1b]", "in <a ", "#event_1"]
LEADS = ["", "x in <a ", "https://"]
# What a person configures, and nobody else sends.
TRUSTED = {"shared.http.trust", "shared.settings"}


def patterns() -> Iterator[tuple[str, re.Pattern[str], list[str]]]:
    """Yield each pattern of a module with the ways in which the module uses it."""
    for package in (shared, functions):
        for each in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(each.name)
            source = inspect.getsource(module)
            for name, value in vars(module).items():
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    uses = [use for use in USES if re.search(rf"\b{name}\.{use}\(", source)]
                    if uses and each.name not in TRUSTED:
                        yield f"{each.name}.{name}", value, uses


def pieces(pattern: re.Pattern[str]) -> list[str]:
    """Return what to repeat: what comments hold, and each word and character of the pattern itself."""
    words = re.findall(r"[A-Za-z0-9_/:.#-]{2,}", pattern.pattern)
    return list(dict.fromkeys([*SOME, *pattern.pattern, *words]))


@pytest.mark.parametrize(
    ("pattern", "uses"), [each[1:] for each in patterns()], ids=[each[0] for each in patterns()]
)
def test_no_repetition_makes_a_pattern_slow(pattern: re.Pattern[str], uses: list[str]) -> None:
    began = time.process_time()
    for lead, piece, use in itertools.product(LEADS, pieces(pattern), uses):
        text = f"{lead}{piece * LONG}\ue000"
        found = getattr(pattern, use)(*(("", text) if use == "sub" else (text,)))
        if use == "finditer":
            list(found)
    assert time.process_time() - began < 5.0
