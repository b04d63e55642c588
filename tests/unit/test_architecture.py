"""The rules of the code: who may import whom, how a file begins, and that every setting is documented."""

import ast
import importlib
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec import inspect

import functions
from shared.domain.model import IssueLink
from shared.domain.moments import LAST_MOMENT

ROOT = Path(__file__).parents[2]


def modules_in(*folders: str) -> dict[str, Path]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


DEPLOYED = {"function_app": ROOT / "function_app.py", **modules_in("functions", "shared")}
SIMULATOR = modules_in("simulator")
OPERATE = modules_in("operate")
FUNCTIONS = [
    name
    for name in DEPLOYED
    if re.fullmatch(r"functions\.(?!edge$|log$|shown$|strangers$|__init__$)\w+", name)
]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(path: Path) -> Iterator[str]:
    """Yield the dotted names that a file imports, anywhere in it; ``from a import b`` yields ``a.b``."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def below(package: str, name: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def importers_of(package: str, modules: dict[str, Path]) -> set[str]:
    return {
        module
        for module, path in modules.items()
        if any(below(package, imported) for imported in imports_of(path))
    }


# Who may import whom


def test_only_the_functions_know_azure_functions() -> None:
    importers = importers_of("azure.functions", DEPLOYED)
    assert {name for name in importers if not below("functions", name)} == {"function_app"}


def test_the_core_knows_no_function() -> None:
    assert importers_of("functions", DEPLOYED) - {
        "function_app",
        "functions.__init__",
        "functions.edge",
        "functions.shown",
        "functions.strangers",
    } <= {*FUNCTIONS}
    assert importers_of("function_app", DEPLOYED) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_never_uses_another(function: str) -> None:
    used = {name for name in imports_of(DEPLOYED[function]) if below("functions", name)}
    below_all = ("functions.edge", "functions.log", "functions.shown")
    assert {name for name in used if not any(below(each, name) for each in below_all)} == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_is_in_the_table_of_contents(function: str) -> None:
    used = {ast.unparse(node) for node in ast.walk(tree_of(DEPLOYED["function_app"]))}
    assert function in used
    assert function in set(imports_of(DEPLOYED["functions.__init__"]))


def test_a_function_that_is_not_there_is_no_attribute() -> None:
    assert not hasattr(functions, "no_function")
    with pytest.raises(AttributeError, match="there is no function no_function"):
        functions.no_function  # noqa: B018  # type: ignore[attr-defined]


def test_neither_side_knows_the_other_across_the_line_to_the_simulator() -> None:
    assert importers_of("simulator", DEPLOYED) == set()
    assert importers_of("shared", SIMULATOR) | importers_of("functions", SIMULATOR) == set()


def test_what_is_deployed_needs_no_command() -> None:
    assert importers_of("operate", DEPLOYED) | importers_of("typer", DEPLOYED) == set()
    assert importers_of("functions", OPERATE) | importers_of("simulator", OPERATE) == set()


def test_nothing_that_is_deployed_needs_a_test() -> None:
    assert importers_of("tests", DEPLOYED) | importers_of("pytest", DEPLOYED) == set()


def test_identity_is_imported_only_where_it_is_used() -> None:
    # It takes longer to import than all the rest, and most runs do without. One credential serves all.
    assert importers_of("azure.identity", DEPLOYED) == {"shared.http.credential"}
    at_the_top = [
        node for node in tree_of(DEPLOYED["shared.http.credential"]).body if isinstance(node, ast.ImportFrom)
    ]
    assert "azure.identity" not in {node.module for node in at_the_top}


# What a file may hold


def mentions_of(path: Path, attributes: set[str]) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Attribute)
        and node.attr in attributes
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    }


def test_only_the_composition_root_reads_the_environment() -> None:
    asking = {"environ", "environb", "getenv", "putenv"}
    readers = {name for name, path in DEPLOYED.items() if mentions_of(path, asking)}
    assert readers == {"shared.services"}
    assert not {
        name for name, path in DEPLOYED.items() for each in asking if f"os.{each}" in set(imports_of(path))
    }


@pytest.mark.parametrize("module", DEPLOYED)
def test_no_check_disappears_when_python_optimizes(module: str) -> None:
    lines = [node.lineno for node in ast.walk(tree_of(DEPLOYED[module])) if isinstance(node, ast.Assert)]
    assert lines == []


@pytest.mark.parametrize("module", [*DEPLOYED, *OPERATE, *SIMULATOR])
def test_the_first_line_of_a_file_says_what_it_holds(module: str) -> None:
    path = {**DEPLOYED, **OPERATE, **SIMULATOR}[module]
    if not path.read_bytes():
        return
    docstring = ast.get_docstring(tree_of(path))
    assert docstring is not None
    first, _, rest = docstring.partition("\n")
    assert re.fullmatch(r"[A-Z`].+[.]", first), first
    assert not first.startswith(("This module", "This file"))
    assert not rest or rest.startswith("\n"), "the first paragraph is one line"


@pytest.mark.parametrize("module", [*DEPLOYED, *OPERATE, *SIMULATOR])
def test_an_exception_to_the_linters_has_its_reason_beside_it_or_above(module: str) -> None:
    above = ""
    for line in {**DEPLOYED, **OPERATE, **SIMULATOR}[module].read_text(encoding="utf-8").splitlines():
        exception = re.search(r"# (?:noqa|type: ignore)\b(?:: [A-Z0-9, ]+|\[[a-z, -]+\])?(.*)", line)
        assert not exception or exception[1].strip() or above.strip().startswith("#"), line.strip()
        assert not re.search(r"#\s*(TODO|FIXME|XXX)", line), line.strip()
        above = line


def test_a_function_logs_under_its_own_name() -> None:
    # Functions quirk: loggers under azure.functions are the platform's and never reach the customer
    # (docs/vendor_quirks.md#azure-functions).
    makers = {
        name
        for name, path in DEPLOYED.items()
        if "logging.getLogger(__name__)" in path.read_text(encoding="utf-8")
    }
    assert {name for name in makers if not below("functions", name)} == set(), "the core does not log"


# Settings

SETTINGS = {
    "AzureWebJobsStorage",
    "ADO_WEBHOOK_SECRET",
    "ADO_WEBHOOK_SECRET_PREVIOUS",
    "ADO_PAT",
    "SENTRY_TOKEN",
    "SENTRY_CLIENT_SECRET",
    "SENTRY_CLIENT_SECRET_PREVIOUS",
    "PUBLIC_URL",
    "TRUSTED_HOSTS",
    "ALLOWED_PRIVATE_HOSTS",
    "ADO_RESOURCE_AREAS_URL",
    "TABLE_PREFIX",
    "PYTHON_THREADPOOL_THREAD_COUNT",
    "REQUESTS_CA_BUNDLE",
}
INSTEAD_OF_A_CONNECTION_STRING = {
    "AzureWebJobsStorage__accountName",
    "AzureWebJobsStorage__tableServiceUri",
    "AzureWebJobsStorage__queueServiceUri",
    "AzureWebJobsStorage__blobServiceUri",
    "AzureWebJobsStorage__credential",
    "AzureWebJobsStorage__clientId",
}
# Read by azure-identity as well.
OF_THE_IDENTITY = {"AZURE_CLIENT_ID", "AZURE_TOKEN_CREDENTIALS"}
# What Azure itself sets, or a service principal needs.
OF_AZURE = {"IDENTITY_ENDPOINT", "AZURE_TENANT_ID"}
OF_THE_RUNTIME = {"FUNCTIONS_WORKER_RUNTIME", "FUNCTIONS_REQUEST_BODY_SIZE_LIMIT"}
DOCUMENTED = SETTINGS | INSTEAD_OF_A_CONNECTION_STRING | OF_THE_IDENTITY | OF_THE_RUNTIME


def sample() -> dict[str, str]:
    document = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert document["IsEncrypted"] is False
    values: dict[str, str] = document["Values"]
    return values


def test_the_sample_names_every_setting() -> None:
    assert set(sample()) == SETTINGS | OF_THE_RUNTIME


def test_the_sample_holds_no_secret_that_somebody_could_leave_in_place() -> None:
    secret = {name for name in sample() if "SECRET" in name or "TOKEN" in name or "PAT" in name}
    assert len(secret) == 6
    assert {sample()[name] for name in secret} == {""}


def test_no_undocumented_setting_is_read() -> None:
    read = {
        node.value
        for node in ast.walk(tree_of(DEPLOYED["shared.settings"]))
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and re.fullmatch(r"[A-Z]+(_[A-Z]+)+", node.value)
    }
    assert read <= SETTINGS | OF_THE_IDENTITY | OF_AZURE
    assert {name for name in SETTINGS if "_" in name and not name.endswith("_PREVIOUS")} <= read


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_every_setting_has_a_section_that_says_all_of_it(name: str) -> None:
    sections = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").split("\n## ")
    (section,) = [each for each in sections if each.startswith(f"`{name}`\n")]
    assert re.findall(r"^\* \*\*(.+?):\*\*", section, re.MULTILINE) == [
        "What",
        "Where from",
        "Example",
        "Without it",
    ]


def test_no_section_is_about_a_setting_that_is_not() -> None:
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    headings = set(re.findall(r"^## `(\w+)`$", text, re.MULTILINE))
    assert headings == DOCUMENTED


# Deployment

KEPT = ("function_app.py", "host.json", "requirements.txt", "functions", "shared")
LEFT_OUT = (
    *("tests", "simulator", "bench", "docs", "infra", "azure.yaml", "README.md", "Makefile", ".git", ".ci"),
    *("operate", "requirements-operate.in", "requirements-operate.txt", "build"),
    *("package.json", "package-lock.json", ".npmrc", "pyproject.toml", ".gitignore"),
    *("requirements.in", "requirements-dev.in", "requirements-dev.txt"),
    *(".venv", ".venv-3.13", "node_modules", ".set-up-lock", ".local", ".mypy_cache", "local.settings.json"),
)


def is_left_out(path: Path) -> bool:
    """Tell whether a pattern fits the file or a folder above it, as in a .gitignore."""
    patterns = (ROOT / ".funcignore").read_text(encoding="utf-8").split()
    return any(fnmatch(part, pattern) for part in path.parts for pattern in patterns)


def test_what_the_app_needs_is_deployed_and_nothing_else() -> None:
    assert [name for name in KEPT if is_left_out(Path(name))] == []
    assert [name for name in LEFT_OUT if not is_left_out(Path(name))] == []


@pytest.mark.parametrize("folder", ["functions", "shared"])
def test_of_what_is_deployed_only_caches_and_declared_types_are_left_out(folder: str) -> None:
    files = [path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file()]
    assert {path.suffix for path in files if is_left_out(path)} <= {".pyc", ".ts"}
    assert {path.suffix for path in files if not is_left_out(path)} <= {
        ".py",
        ".html",
        ".css",
        ".js",
        ".json",
    }


# What is stored

# A length of time is no time: whatever it is, it can be shown and compared.
LENGTHS = {"took", "longest"}


def stored_shapes() -> Iterator[type]:
    """Yield the shape of each row, by the name under which a store reads it."""
    for name, path in modules_in("shared/store").items():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "readable":
                yield getattr(importlib.import_module(name), ast.unparse(node.args[1]), Any)


def numbers_in(kind: inspect.Type, name: str, known: set[type]) -> Iterator[tuple[str, inspect.FloatType]]:
    match kind:
        case inspect.FloatType():
            yield name, kind
        case inspect.StructType() if kind.cls not in known:
            known.add(kind.cls)
            for field in kind.fields:
                yield from numbers_in(field.type, field.name, known)
        case inspect.UnionType():
            for each in kind.types:
                yield from numbers_in(each, name, known)
        case inspect.DictType():
            yield from numbers_in(kind.value_type, name, known)
        case inspect.ListType() | inspect.VarTupleType():
            yield from numbers_in(kind.item_type, name, known)
        case inspect.TupleType():
            for each in kind.item_types:
                yield from numbers_in(each, name, known)


def test_each_time_that_a_row_holds_is_one_that_a_calendar_has() -> None:
    known: set[type] = set()
    found = [each for kind in stored_shapes() for each in numbers_in(inspect.type_info(kind), "", known)]
    assert IssueLink in known
    assert {name for name, number in found if (number.ge, number.le) != (0.0, LAST_MOMENT)} == LENGTHS
