"""What gets uploaded: this folder without what .funcignore names, which is read like a .gitignore.

https://learn.microsoft.com/azure/developer/azure-developer-cli/service-packaging-ignore-files
"""

import os
from collections.abc import Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[2]
# What may be uploaded. A pipeline that packs by itself copies these.
PACKED = {"function_app.py", "host.json", "requirements.txt", "functions", "shared"}


def ignored(folder: Path = ROOT, name: str = ".funcignore") -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines((folder / name).read_text(encoding="utf-8").splitlines())


def packed(folder: Path = ROOT) -> Iterator[Path]:
    """Yield every file that is uploaded from a checkout as it is, with whatever else lies in it."""
    spec = ignored(folder)
    for place, folders, names in os.walk(folder):
        here = Path(place).relative_to(folder)
        folders[:] = [each for each in folders if not spec.match_file(f"{(here / each).as_posix()}/")]
        yield from (here / name for name in names if not spec.match_file((here / name).as_posix()))
