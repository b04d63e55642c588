"""What gets uploaded: this folder without what .funcignore names, which is read like a .gitignore.

https://learn.microsoft.com/azure/developer/azure-developer-cli/service-packaging-ignore-files
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pathspec import GitIgnoreSpec

ROOT = Path(__file__).parents[2]
PACKED = {"function_app.py", "host.json", "requirements.txt", "functions", "shared"}


def ignored() -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text(encoding="utf-8").splitlines())


def packed() -> Iterator[Path]:
    """Yield every file that is uploaded from this checkout as it is, with whatever else lies in it."""
    spec = ignored()
    for folder, folders, names in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [each for each in folders if not spec.match_file(f"{(here / each).as_posix()}/")]
        yield from (here / name for name in names if not spec.match_file((here / name).as_posix()))


def test_what_is_packed_is_what_the_app_needs() -> None:
    assert {path.parts[0] for path in packed()} == PACKED


def test_every_module_of_the_app_is_packed() -> None:
    modules = {
        path.relative_to(ROOT) for name in ("functions", "shared") for path in (ROOT / name).rglob("*.py")
    }
    assert modules <= set(packed())


@pytest.mark.parametrize(
    "path",
    [
        ".azure/acme-sync/.env",  # azd's: may hold secrets
        "local.settings.json",
        ".github/workflows/azure-dev.yml",
        ".azdo/pipelines/azure-dev.yml",
        ".venv-models/bin/python",
        "requirements-models.txt",
        "infra/main.bicep",
        "shared/__pycache__/http.cpython-312.pyc",
    ],
)
def test_what_others_put_here_is_not_packed(path: str) -> None:
    assert ignored().match_file(path)


def test_git_does_not_keep_what_azd_writes() -> None:
    spec = GitIgnoreSpec.from_lines((ROOT / ".gitignore").read_text(encoding="utf-8").splitlines())
    assert spec.match_file(".azure/acme-sync/.env")
    assert not spec.match_file("azure.yaml")
