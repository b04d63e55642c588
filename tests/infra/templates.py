"""Rules for the templates by themselves: they can be read, and all that they name is there."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from tests.infra import models
from tests.infra.template import FUNCTIONS, Literal, Object, Template, Value, line_of, text_of, texts_of


def templates(folder: Path) -> list[Template]:
    return [Template(path) for path in sorted((folder / "infra").glob("*.bicep"))]


def at(template: Template, line: int, sentence: str) -> str:
    return f"infra/{template.path.name}:{line}: {sentence}"


def main_of(folder: Path) -> Template:
    return Template(folder / "infra" / "main.bicep")


def syntax(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for node in template.broken[:1]:
            yield at(template, line_of(node), f"cannot be parsed at {text_of(node)[:40]!r}")


def names(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for node, scope in template.uses():
            if node.type == "call_expression":
                function = text_of(node.named_children[0])
                if function not in FUNCTIONS and "." not in function:
                    yield at(template, line_of(node), f"{function} is no function that these templates know")
            elif node.type == "identifier" and text_of(node) not in {*template.names, *scope}:
                yield at(template, line_of(node), f"{text_of(node)} is not declared")


def keys(folder: Path) -> Iterator[str]:
    """What is looked up in an object of the same file is there: a.key, a[key]."""
    for template in templates(folder):
        for node, scope in template.uses():
            if node.type not in {"member_expression", "subscript_expression"}:
                continue
            owner, key = node.named_children[0], node.named_children[-1]
            is_member = node.type == "member_expression"
            wanted = {text_of(key)} if is_member else set(texts_of(template.read(key, scope)))
            for thing in template.read(owner, scope):
                there = {each.name for each in thing.properties} if isinstance(thing, Object) else wanted
                for each in sorted(wanted - there):
                    yield at(template, line_of(node), f"{text_of(owner)} has no {each!r}")


def properties(folder: Path) -> Iterator[str]:
    if models.is_stale():
        yield "tests/infra/models.json is not of requirements-models.txt; run `make models`"
    for template in templates(folder):
        for line, sentence in models.findings(template):
            yield at(template, line, sentence)


def descriptions(folder: Path) -> Iterator[str]:
    for template in templates(folder):
        for parameter in template.parameters.values():
            if not texts_of(parameter.decorators.get("description", ())):
                yield at(template, line_of(parameter.node), f"{parameter.name} has no description")


def modules(folder: Path) -> Iterator[str]:
    """Every module is a file of this repository, and is given what it asks for."""
    for template in templates(folder):
        for module in template.modules.values():
            path = template.path.parent / module.path
            if ":" in module.path or not path.is_file():
                yield at(template, line_of(module.node), f"{module.path} is no file beside this one")
                continue
            asked = Template(path).parameters
            given = {each.name for each in module.parameters.properties}
            required = {name for name, each in asked.items() if each.default is None}
            for name in sorted(map(str, (given - set(asked)) | (required - given))):
                told = "does not ask for" if name in given else "is not given"
                yield at(template, line_of(module.node), f"{module.path} {told} {name}")


def parameters_file(folder: Path) -> Iterator[str]:
    place = "infra/main.parameters.json"
    asked = main_of(folder).parameters
    given = json.loads((folder / place).read_text(encoding="utf-8"))["parameters"]
    for name in sorted(set(given) ^ set(asked)):
        yield f"{place}: {name} is {'no parameter of main.bicep' if name in given else 'missing'}"
    for name in sorted(set(given) & set(asked)):
        _, is_given, default = given[name]["value"].strip("${}").partition("=")
        expected = asked[name].default
        if expected is not None and [default] != [_as_text(each) for each in expected]:
            yield f"{place}: the default of {name} is not that of main.bicep"
        if expected is None and is_given:
            yield f"{place}: {name} has a default, and none in main.bicep"


def loaded_files(folder: Path) -> Iterator[str]:
    loaded = set()
    for template in templates(folder):
        for name in re.findall(r"loadTextContent\('([^']+)'\)", text_of(template.root)):
            loaded.add(name)
            if not (folder / "infra" / name).is_file():
                yield f"infra/{template.path.name}: {name} is not there"
    for path in sorted((folder / "infra" / "queries").iterdir()):
        if f"queries/{path.name}" not in loaded:
            yield f"infra/queries/{path.name}: nothing uses it"


def _as_text(value: Value) -> str:
    assert isinstance(value, Literal)
    return str(value.value).lower() if isinstance(value.value, bool) else str(value.value)
