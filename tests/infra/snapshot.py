"""Writes down what Azure's management libraries say of the resources that the templates declare.

`make models` runs it in an environment of its own, since those libraries are large and only names are wanted:
which properties a resource has, how they nest, which can only be read, which values are known. It imports
nothing of this project.
"""

import ast
import hashlib
import importlib
import inspect
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import EnumMeta
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parents[2]
SNAPSHOT = Path(__file__).parent / "models.json"
REQUIREMENTS = ROOT / "requirements-models.txt"

_DECLARATION = re.compile(r"^(\s*)resource \w+ '([\w.]+(?:/\w+)*)(?:@([\w-]+))?'", re.MULTILINE)
_RESOURCE_GROUP = "Microsoft.Resources/resourceGroups"  # the only one whose address has no /providers/


@dataclass(frozen=True)
class Operation:
    """The request that creates a resource, and the models of its body and of the answer.

    Its kind is a type, with the resource's name behind it where the address fixes that name.
    """

    kind: str
    version: str
    models: str
    body: str
    answer: str


@dataclass(frozen=True)
class Property:
    """One property of a model: where it is, of what shape it is, whether it can only be read."""

    path: tuple[str, ...]
    shape: str
    is_read_only: bool


class Models:
    """Descriptions of models and of all that they are made of, by name."""

    def __init__(self) -> None:
        self.found: dict[str, dict[str, Any]] = {}

    def add(self, module: ModuleType, name: str) -> str:
        """Describe a model; return the name under which it is found."""
        key = f"{module.__name__.removeprefix('azure.mgmt.').removesuffix('.models')}.{name}"
        if key not in self.found:
            self.found[key] = {}  # Models may contain themselves.
            klass = getattr(module, name)
            self._describe(
                key, module, _classic(klass) if hasattr(klass, "_attribute_map") else _modern(klass)
            )
            for by, value, kind in _kinds_of(klass):
                self.found[key]["told by"] = by
                self.found[key].setdefault("kinds", {})[value] = self.add(module, kind)
        return key

    def _describe(self, key: str, module: ModuleType, properties: Iterable[Property]) -> None:
        for each in properties:
            owner = key
            for step in each.path[:-1]:  # The older libraries tell of properties.x as of one property.
                inner = f"{owner}.{step}"
                self.found[owner].setdefault("properties", {})[step] = inner
                self.found.setdefault(inner, {})
                owner = inner
            place = "read only" if each.is_read_only else "properties"
            self.found[owner].setdefault(place, {})[each.path[-1]] = self._value(module, each.shape)

    def _value(self, module: ModuleType, shape: str) -> Any:
        """Return {"each": …} of a list, {"any": …} of a map, known values, a model's name, or None."""
        if found := re.fullmatch(r"(?:[Ll]ist\[|\[)(.+)\]", shape):
            return {"each": self._value(module, found[1])}
        if found := re.fullmatch(r"(?:[Dd]ict\[str, ?|\{)(.+)[]}]", shape):
            return {"any": self._value(module, found[1])}
        for name in re.findall(r"\w+", shape):
            thing = getattr(module, name, None)
            if isinstance(thing, EnumMeta):
                return [member.value for member in thing]  # type: ignore[var-annotated]
            if inspect.isclass(thing):
                return self.add(module, name)
        return None


def _modern(klass: type) -> Iterator[Property]:
    """Yield the properties of a model of the newer libraries, which declare each as an annotated field."""
    for ancestor in reversed(klass.__mro__):
        for name, value in vars(ancestor).items():
            if type(value).__name__ == "_RestField":
                shape = _plain(ancestor.__annotations__.get(name))
                yield Property((value._rest_name_input or name,), shape, value._visibility == ["read"])


def _classic(klass: Any) -> Iterator[Property]:
    """Yield the properties of a model of the older libraries, which keep a map of them."""
    arguments = inspect.signature(klass.__init__).parameters
    for name, told in klass._attribute_map.items():
        if not told["key"]:
            continue  # whatever else an answer holds
        path = tuple(step.replace("\\.", ".") for step in re.split(r"(?<!\\)\.", told["key"]))
        # The map says of an enumeration that it is a text; the annotation says which.
        is_text = told["type"] == "str" and name in arguments
        shape = _plain(arguments[name].annotation) if is_text else told["type"]
        yield Property(path, shape, bool(klass._validation.get(name, {}).get("readonly")))


def _plain(annotation: Any) -> str:
    """Write an annotation as Name, list[Name] or dict[str, Name], without what surrounds it."""
    text = re.sub(r"typing\.|_models\.|ForwardRef\('([^']+)'[^)]*\)|['\"]", r"\1", str(annotation))
    return re.sub(r"^(?:Optional|Union)\[(.*)\]$", r"\1", re.sub(r"^Optional\[(.*)\]$", r"\1", text))


def _kinds_of(klass: type) -> Iterator[tuple[str, str, str]]:
    """Yield, for each kind of a model, the property that tells it, its value, the name of its own model."""
    for attribute, kinds in vars(klass).get("_subtype_map", {}).items():
        by = vars(klass)["_attribute_map"][attribute]["key"].replace("\\.", ".")
        yield from ((by, value, name) for value, name in kinds.items())
    for name, field in vars(klass).items():
        if getattr(field, "_is_discriminator", False):
            by = field._rest_name_input or name
            yield from (
                (by, str(value), kind.__name__) for value, kind in vars(klass).get("__mapping__", {}).items()
            )


def operations() -> Iterator[Operation]:
    """Yield every operation of the installed libraries that creates a resource."""
    spec = find_spec("azure.mgmt")
    for folder in map(Path, spec.submodule_search_locations or () if spec else ()):
        for file in sorted(folder.rglob("operations/_*operations.py")):
            if "aio" not in file.parts:
                package = ".".join(("azure.mgmt", *file.parent.parent.relative_to(folder).parts))
                yield from _operations_in(ast.parse(file.read_text(encoding="utf-8")), f"{package}.models")


def _operations_in(tree: ast.Module, models: str) -> Iterator[Operation]:
    """Join each builder of a request, which knows the address, with the method that knows the models."""
    known = {builder: found for klass in tree.body for builder, found in _models_in(klass)}
    for function in tree.body:
        text = ast.unparse(function)
        url = re.search(r"_url = (?:kwargs\.pop\('template_url', )?'([^']+)'", text)
        version = re.search(r"'api-version', '([^']+)'", text)
        if (
            isinstance(function, ast.FunctionDef)
            and "method='PUT'" in text
            and function.name in known
            and url
            and version
        ):
            yield Operation(_kind_of(url[1]), version[1], models, *known[function.name])


def _models_in(klass: ast.stmt) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the builder that each method of a class calls, and the models of the method's body and answer."""
    nodes = klass.body if isinstance(klass, ast.ClassDef) else []
    # Of several overloads the last is the method itself.
    methods = {node.name: node for node in nodes if isinstance(node, ast.FunctionDef)}
    for name, method in methods.items():
        # A long request is begun by _x_initial, and begin_x knows how it ends.
        told = methods.get(re.sub(r"^_(\w+)_initial$", r"begin_\1", name), method)
        body, answer = _model_in(told.args), _model_in(told.returns)
        if body:
            for builder in re.findall(r"\bbuild_\w+_request(?=\()", ast.unparse(method)):
                yield builder, (body, answer or body)


def _model_in(node: ast.AST | None) -> str | None:
    found = re.search(r"_models\.(\w+)", ast.unparse(node)) if node else None
    return found[1] if found else None


def _kind_of(url: str) -> str:
    """Return the kind of resource at an address, where a name follows each part of the type."""
    _, is_of_provider, path = url.rpartition("/providers/")
    if not is_of_provider:
        return _RESOURCE_GROUP if re.search(r"/resource[gG]roups/\{\w+\}$", url) else ""
    namespace, *parts = path.split("/")
    fixed = [] if parts[-1].startswith("{") else [parts[-1]]
    return "/".join((namespace, *parts[::2], *fixed))


def declared() -> Iterator[tuple[str, str]]:
    """Yield the type and the API version of every resource; nested ones take those of the one around them."""
    for text in templates():
        around: list[tuple[int, str, str]] = []
        for indent, name, version in _DECLARATION.findall(text):
            around = [each for each in around if each[0] < len(indent)]
            kind, api = (name, version) if version else (f"{around[-1][1]}/{name}", around[-1][2])
            around.append((len(indent), kind, api))
            yield kind, api


def templates() -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted((ROOT / "infra").glob("*.bicep"))]


def snapshot() -> dict[str, Any]:
    known = {(each.kind.lower(), each.version): each for each in operations()}
    names = {""} | {f"/{name}" for text in templates() for name in re.findall(r"name: '([\w-]+)'", text)}
    models, kinds = Models(), {}
    for kind, version in sorted(set(declared())):
        found = {
            name: known[f"{kind}{name}".lower(), version]
            for name in sorted(names)
            if (f"{kind}{name}".lower(), version) in known
        }
        if not found:
            others = [api for each, api in sorted(known) if each.startswith(kind.lower())]
            raise SystemExit(f"{REQUIREMENTS.name} has no library for {kind}@{version}, only for {others}")
        for name, operation in found.items():
            module = importlib.import_module(operation.models)
            kinds[f"{kind}{name}@{version}"] = {
                "body": models.add(module, operation.body),
                "answer": models.add(module, operation.answer),
            }
    return {"requirements": fingerprint(), "kinds": kinds, "models": dict(sorted(models.found.items()))}


def fingerprint() -> str:
    return hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(snapshot(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
