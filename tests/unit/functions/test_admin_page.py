"""The page's own code: its modules become one script, and what checks them notices a planted error."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from functions import admin
from tests.infra.package import ROOT, packed

TOOLS = ROOT / "node_modules" / ".bin"
MODULES = sorted(admin.FOLDER.glob("*.js"))
PAGE = """
import { b } from "./b.js";
import {
  c,
  Box,
} from "./c.js";
console.log(await b(), c, new Box().held, order);
"""
SECOND = """
import { c } from "./c.js";
const own = 1;
export async function b() { return own + c; }
"""
THIRD = """
const own = 40;
globalThis.order = (globalThis.order ?? 0) + 1;
export const c = own + 1;
export class Box { held = c; }
"""


def put(folder: Path, monkeypatch: pytest.MonkeyPatch, **modules: str) -> None:
    for name, text in modules.items():
        (folder / f"{name}.js").write_text(text, encoding="utf-8")
    monkeypatch.setattr(admin, "FOLDER", folder)


def run(script: str) -> str:
    """Return what a script prints, or the end of what Node says is wrong with it."""
    node = shutil.which("node")
    assert node is not None
    command = [node, "--input-type=module", "--eval", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_modules_are_joined_in_the_order_of_their_imports_each_once_and_in_its_own_scope(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, monkeypatch, page=PAGE, b=SECOND, c=THIRD)
    script = admin.joined("page")
    assert not re.search(r"^(?:import|export)\b", script, re.MULTILINE)
    assert run(script) == "42 41 41 1"


def test_modules_that_import_each_other_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, monkeypatch, a='import { b } from "./b.js";\n', b='import { a } from "./a.js";\n')
    with pytest.raises(ValueError, match="a imports b imports a"):
        admin.joined("a")


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.stem)
def test_every_module_is_used_and_imports_and_exports_in_the_one_form(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    script = admin.joined("page")
    assert f"const ${module.stem} = " in script or module.stem == "page"
    # Whatever is left of an import or an export after the joining would be an error of the whole script.
    assert not re.search(r"^\s*(?:import|export)\b", script, re.MULTILINE)
    assert not re.search(r"^import \{[^}]*\bas\b|^export (?:let|default|\*)", text, re.MULTILINE)
    assert "</script" not in text.lower()


def test_the_page_as_it_is_served_is_a_script_that_can_be_read() -> None:
    node = shutil.which("node")
    assert node is not None
    checked = subprocess.run(
        [node, "--input-type=module", "--check"],
        input=admin.joined("page"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.stderr == ""
    assert checked.returncode == 0


def test_the_page_is_packed_with_the_app_and_its_checks_are_not() -> None:
    names = {path.name for path in packed() if path.parts[:2] == ("functions", "admin")}
    assert names == {"page.html", "page.css", *(module.name for module in MODULES)}
    assert not {"tsconfig.json", "biome.json", "shapes.d.ts"} & {path.name for path in packed()}


# What `make check` asks.


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of all that the checks read."""
    shutil.copytree(admin.FOLDER, tmp_path / "functions" / "admin")
    for name in ("tsconfig.json", "biome.json"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def plant(checkout: Path, name: str, text: str) -> None:
    with (checkout / "functions" / "admin" / name).open("a", encoding="utf-8") as file:
        file.write(text)


def types_said(checkout: Path) -> tuple[int, str]:
    ended = subprocess.run([TOOLS / "tsc", "-p", checkout], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


def lint_said(checkout: Path) -> tuple[int, str]:
    command = [str(TOOLS / "biome"), "ci", "--error-on-warnings", "--colors=off"]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout + ended.stderr


@pytest.mark.long
def test_wrong_types_are_noticed_and_nothing_else_is(checkout: Path) -> None:
    wrong = {
        'byId("links").valu = "";\n': "Property 'valu' does not exist",
        "/** @param {import('./shapes.js').Link} l */\nexport const a = (l) => l.titel;\n": "'titel'",
        "export const b = (untyped) => untyped;\n": "implicitly has an 'any' type",
        "const unused = 1;\n": "'unused' is declared but its value is never read",
    }
    plant(checkout, "links.js", "".join(wrong))
    status, said = types_said(checkout)
    assert status != 0
    assert [sentence in line for line, sentence in zip(said.splitlines(), wrong.values(), strict=True)] == [
        True
    ] * len(wrong)


def test_the_page_is_free_of_lint(checkout: Path) -> None:
    status, said = lint_said(checkout)
    assert status == 0, said


@pytest.mark.parametrize(
    ("name", "text", "rule"),
    [
        ("dom.js", "export const c = (a, b) => a == b;\n", "noDoubleEquals"),
        ("dom.js", "debugger;\n", "noDebugger"),
        ("dom.js", "export const   d = 1;\n", "format"),
        ("page.css", ".soft {\n  colr: red;\n}\n", "noUnknownProperty"),
    ],
)
def test_lint_is_noticed(checkout: Path, name: str, text: str, rule: str) -> None:
    plant(checkout, name, text)
    status, said = lint_said(checkout)
    assert status != 0
    assert rule in said


def test_make_check_asks_both() -> None:
    recipe = (ROOT / "Makefile").read_text(encoding="utf-8").split("\ncheck:")[1].split("\n\n")[0]
    assert "node_modules/.bin/tsc" in recipe
    assert "node_modules/.bin/biome ci --error-on-warnings" in recipe
