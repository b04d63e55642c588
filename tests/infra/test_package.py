"""What gets uploaded is the app, whole, and nothing that others put beside it."""

import pytest

from tests.infra.package import PACKED, ROOT, ignored, packed


def test_what_is_packed_is_what_the_app_needs() -> None:
    assert {path.parts[0] for path in packed()} == PACKED


def test_every_module_of_the_app_is_packed() -> None:
    folders = (ROOT / name for name in ("functions", "shared"))
    modules = {path.relative_to(ROOT) for folder in folders for path in folder.rglob("*.py")}
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
        "operate/cli.py",
        "requirements-operate.txt",
        "sentry_ado.egg-info/PKG-INFO",
        "shared/__pycache__/http.cpython-312.pyc",
    ],
)
def test_what_others_put_here_is_not_packed(path: str) -> None:
    assert ignored().match_file(path)


def test_git_does_not_keep_what_azd_writes() -> None:
    spec = ignored(name=".gitignore")
    assert spec.match_file(".azure/acme-sync/.env")
    assert not spec.match_file("azure.yaml")
