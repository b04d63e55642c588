"""Whatever a page, a comment or a docstring of this repository refers to is in this repository, too."""

import ast
import io
import os
import re
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOT_OURS = {"node_modules", "__pycache__", "build"}
TEXT = {".md", ".py", ".toml", ".json", ".html", ".txt", ""}

URL = re.compile(r"https?://[^\s)>\"'`]+")
FENCED = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
PAGE = re.compile(r"(?<![\w./-])([\w./-]*\w\.md)(?:#([\w-]+))?")
MODULE = re.compile(r"python3? -m ((?:bench|functions|shared|simulator|tests)\b[\w.]*)")


def files() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [each for each in folders if each not in NOT_OURS and not each.startswith(".")]
        yield from (Path(folder, name) for name in names if Path(name).suffix in TEXT)


FILES = sorted(files())
PAGES = [path for path in FILES if path.suffix == ".md"]
SOURCES = [path for path in FILES if path.suffix == ".py"]
FOLDERS = "|".join(sorted({path.relative_to(ROOT).parts[0] for path in FILES if path.parent != ROOT}))
PATH = re.compile(rf"(?<![\w./:@-])((?:{FOLDERS})/[\w./-]*\w)")


@cache
def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def prose_of(path: Path) -> str:
    """Return what a file says to its readers: of a source its comments and docstrings. Addresses left out."""
    text = path.read_text(encoding="utf-8")
    return URL.sub(
        "", text if path.suffix != ".py" else "\n".join((*comments_in(text), *docstrings_in(text)))
    )


def comments_in(source: str) -> Iterator[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return (token.string for token in tokens if token.type == tokenize.COMMENT)


def docstrings_in(source: str) -> Iterator[str]:
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    nodes = (node for node in ast.walk(ast.parse(source)) if isinstance(node, documented))
    return (docstring for node in nodes if (docstring := ast.get_docstring(node)))


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Return the anchors that GitHub gives a page's headings."""
    seen: Counter[str] = Counter()
    anchors = set()
    for heading in HEADING.findall(FENCED.sub("", page.read_text(encoding="utf-8"))):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        anchor = re.sub(r"[^\w -]", "", words).replace(" ", "-")
        anchors.add(f"{anchor}-{seen[anchor]}" if seen[anchor] else anchor)
        seen[anchor] += 1
    return frozenset(anchors)


def broken_links(page: Path, text: str) -> list[str]:
    """Return the relative links of a page that lead nowhere."""
    shown = re.sub(r"`[^`\n]*`", "", FENCED.sub("", text))
    relative = [target for target in LINK.findall(shown) if not re.match(r"[a-z]+:", target)]
    return [target for target in relative if not is_there(page, *target.partition("#")[::2])]


def is_there(page: Path, path: str, anchor: str) -> bool:
    target = (page.parent / path).resolve() if path else page
    return target.exists() and (not anchor or anchor in anchors_of(target))


def missing_pages(path: Path, text: str) -> list[str]:
    """Return the pages, or their anchors, that a text names and nobody can open."""
    return [f"{name}#{anchor}" for name, anchor in PAGE.findall(text) if not is_page(path, name, anchor)]


def is_page(path: Path, name: str, anchor: str) -> bool:
    """Tell whether a page is there: beside the file, below the root, or anywhere by the end of its path."""
    beside = (path.parent / name).resolve()
    meant = [each for each in PAGES if each == beside or f"/{named(each)}".endswith(f"/{name}")]
    return any(not anchor or anchor in anchors_of(each) for each in meant)


def missing_paths(text: str) -> list[str]:
    return [
        path for path in PATH.findall(text) if not ((ROOT / path).exists() or (ROOT / f"{path}.py").is_file())
    ]


def missing_modules(text: str) -> list[str]:
    places = {name: ROOT / name.rstrip(".").replace(".", "/") for name in MODULE.findall(text)}
    return [
        name
        for name, place in places.items()
        if not place.with_suffix(".py").is_file() and not (place / "__main__.py").is_file()
    ]


def found_in(paths: Iterable[Path], find: Callable[[Path], list[str]]) -> dict[str, list[str]]:
    return {named(path): found for path in paths if (found := find(path))}


def test_every_link_of_a_page_leads_somewhere() -> None:
    assert found_in(PAGES, lambda page: broken_links(page, page.read_text(encoding="utf-8"))) == {}


def test_every_page_and_anchor_that_a_file_names_is_there() -> None:
    assert found_in(FILES, lambda path: missing_pages(path, prose_of(path))) == {}


def test_every_file_and_module_that_a_page_or_a_comment_names_is_there() -> None:
    assert found_in([*PAGES, *SOURCES], lambda path: missing_paths(prose_of(path))) == {}
    assert found_in([*PAGES, *SOURCES], lambda path: missing_modules(prose_of(path))) == {}


def test_nothing_cites_a_working_paper_that_the_repository_does_not_hold() -> None:
    papers = {"design", "ado_api", "sentry_api", "functions_platform", "sentry_vsts", "deployment", "style"}
    foreign = re.compile(rf"\b(?:{'|'.join(papers - {page.stem for page in PAGES})})\.md\b")
    assert found_in(FILES, lambda path: foreign.findall(path.read_text(encoding="utf-8"))) == {}


def test_every_file_that_marks_a_quirk_is_on_the_page_of_quirks() -> None:
    page = (ROOT / "docs" / "vendor_quirks.md").read_text(encoding="utf-8")
    places = " ".join(row.rpartition("|")[2] for row in re.findall(r"^\|(.+)\|$", page, re.MULTILINE))
    marked = {named(path) for path in SOURCES if "tests" not in path.parts and "quirk:" in prose_of(path)}
    assert marked - set(re.findall(r"`([^`]+)`", places)) == set()


# That the rules above can be broken


def test_a_link_that_leads_nowhere_is_found() -> None:
    readme = ROOT / "README.md"
    assert broken_links(readme, "[a](docs/nowhere.md) [b](#nothing) [c](docs/api.md#nothing)") == [
        "docs/nowhere.md",
        "#nothing",
        "docs/api.md#nothing",
    ]
    assert broken_links(readme, "[a](docs/api.md#ado_webhook) [b](#try-it) [c](https://sentry.io)") == []
    assert broken_links(readme, "```\n[a](nowhere)\n```\n`[b](nowhere)`") == []


@pytest.mark.parametrize("text", ["docs/nowhere.md", "see nowhere.md", "docs/api.md#nothing", "old/api.md"])
def test_a_page_that_is_not_there_is_found(text: str) -> None:
    assert len(missing_pages(ROOT / "shared" / "http.py", text)) == 1


def test_a_file_or_a_module_that_is_not_there_is_found() -> None:
    assert missing_paths("`shared/rules.py` and shared/domain/rules/done.py, tests/nowhere") == [
        "shared/rules.py",
        "tests/nowhere",
    ]
    assert missing_modules("python -m shared.nowhere; python -m simulator.host") == ["shared.nowhere"]


def test_an_anchor_is_made_as_github_makes_it(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    text = "# `ADO_PAT`\n## 5. Subscribe, to [us](x.md)\n## Twice\n## Twice\n```sh\n# no heading\n```\n"
    page.write_text(text, encoding="utf-8")
    assert anchors_of(page) == {"ado_pat", "5-subscribe-to-us", "twice", "twice-1"}


def test_only_comments_and_docstrings_of_a_source_are_read() -> None:
    source = '"""About a."""\nb = "c"  # About d.\n'
    assert [*comments_in(source), *docstrings_in(source)] == ["# About d.", "About a."]
