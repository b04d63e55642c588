"""Holds resources to what Azure's own models say of them: the names of properties, the known values."""

import difflib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from tree_sitter import Node

from tests.infra.snapshot import SNAPSHOT, fingerprint
from tests.infra.template import Listing, Literal, Object, Resource, Template, Value, line_of, text_of

# What belongs to Bicep and not to the resource.
_OF_BICEP = {"name", "parent", "scope", "dependsOn"}
# What every resource can be asked for, whatever its model says.
_OF_EVERY_RESOURCE = {"id", "name", "type", "apiVersion"}

Finding = tuple[int, str]


@cache
def known() -> dict[str, Any]:
    models: dict[str, Any] = json.loads(SNAPSHOT.read_text(encoding="utf-8"))
    return models


def findings(template: Template) -> Iterator[Finding]:
    for resource in template.resources.values():
        model = _model_of(resource)
        if model is None:
            yield (
                line_of(resource.node),
                f"Azure's libraries know no {resource.kinds[1]}; {_nearest(resource)}",
            )
        elif not resource.is_existing:
            own = tuple(each for each in resource.body.properties if each.name not in _OF_BICEP)
            yield from _wrong_in(Object(own), known()["models"][model["body"]], resource.type)
    for node, _ in template.uses():
        yield from _wrong_reading(template, node)


def is_stale() -> bool:
    """Tell whether other libraries are asked for than those that the snapshot was made of."""
    return bool(known()["requirements"] != fingerprint())


def _model_of(resource: Resource) -> dict[str, str] | None:
    kinds: dict[str, dict[str, str]] = known()["kinds"]
    return next((kinds[each] for each in resource.kinds if each in kinds), None)


def _nearest(resource: Resource) -> str:
    found = difflib.get_close_matches(resource.kinds[1], known()["kinds"], 1, 0.5)
    return (
        f"is {found[0]} meant? After a change that is right, run `make models`"
        if found
        else "run `make models`"
    )


def _wrong_in(thing: Object, model: dict[str, Any], where: str) -> Iterator[Finding]:
    kinds = [value.value for value in thing.get(model.get("told by", "")) if isinstance(value, Literal)]
    for each in kinds:
        if each not in model["kinds"]:
            yield _place(thing), f"{where} has no kind {each!r}; {similar(str(each), model['kinds'])}"
        else:
            model = known()["models"][model["kinds"][each]]
    properties, read_only = model.get("properties", {}), model.get("read only", {})
    for item in thing.properties:
        if item.name is None:
            continue
        if item.name in properties:
            yield from _wrong_values(
                item.values, properties[item.name], f"{where}.{item.name}", line_of(item.node)
            )
        elif item.name in read_only:
            yield line_of(item.node), f"{where}.{item.name} can only be read"
        else:
            yield line_of(item.node), f"{where} has no {item.name}; {similar(item.name, properties)}"


def _wrong_values(values: Iterable[Value], shape: Any, where: str, line: int) -> Iterator[Finding]:
    for value in values:
        match value, shape:
            case Literal(str(text)), list() if text not in shape:
                yield line, f"{where} cannot be {text!r}; {similar(text, shape)}"
            case Listing(items), {"each": inner}:
                yield from _wrong_values(items, inner, where, line)
            case Object(properties), {"any": inner}:
                for each in properties:
                    yield from _wrong_values(each.values, inner, where, line_of(each.node))
            case Object(), str(name):
                yield from _wrong_in(value, known()["models"][name], where)
            case ((Object() | Listing()), None | str() | list()):
                if shape is not None:
                    yield line, f"{where} takes no {type(value).__name__.lower()}"


def _wrong_reading(template: Template, node: Node) -> Iterator[Finding]:
    """Follow resource.a.b through the model of the resource as Azure answers it, and module.outputs.x."""
    if node.type != "member_expression" or (node.parent and node.parent.type == "member_expression"):
        return
    root, *path = text_of(node).split(".")
    module = template.path.parent / template.modules[root].path if root in template.modules else None
    if module is not None and module.is_file():
        outputs = Template(module).outputs
        if path[0] != "outputs" or (path[1:] and path[1] not in outputs):
            yield line_of(node), f"{module.name} has no {'.'.join(path)}; {similar(path[-1], outputs)}"
    resource = template.resources.get(root)
    model = _model_of(resource) if resource else None
    shape: Any = model["answer"] if model else None
    for step in path:
        if not isinstance(shape, str):
            return
        described = known()["models"][shape]
        readable = {**described.get("properties", {}), **described.get("read only", {})}
        if step not in readable and not (step == path[0] and step in _OF_EVERY_RESOURCE):
            yield line_of(node), f"{root} has no {'.'.join(path)}; {similar(step, readable)}"
            return
        shape = readable.get(step)


def _place(thing: Object) -> int:
    return line_of(thing.properties[0].node)


def similar(name: str, names: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, sorted(map(str, names)), 1, 0.5)
    return f"is {found[0]} meant?" if found else f"there are {', '.join(sorted(map(str, names))) or 'none'}"
