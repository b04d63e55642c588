"""Reads a Bicep template: what it declares, the values that can be told, and every name that it uses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

_PARSER = Parser(Language(tree_sitter_bicep.language()))
# What Bicep itself offers, of which the templates use no more.
FUNCTIONS = {
    *(
        "contains",
        "empty",
        "filter",
        "first",
        "guid",
        "indexOf",
        "loadTextContent",
        "map",
        "replace",
        "split",
    ),
    *(
        "string",
        "subscription",
        "subscriptionResourceId",
        "substring",
        "tenant",
        "toLower",
        "toObject",
        "trim",
    ),
    *("union", "uniqueString"),
}


@dataclass(frozen=True)
class Literal:
    value: str | int | bool | None


@dataclass(frozen=True)
class Listing:
    items: tuple["Value", ...]


@dataclass(frozen=True)
class Property:
    name: str | None  # None: made up when the template is deployed
    values: tuple["Value", ...]
    node: Node


@dataclass(frozen=True)
class Object:
    properties: tuple[Property, ...]

    def get(self, name: str) -> tuple["Value", ...]:
        return next((each.values for each in self.properties if each.name == name), ())

    def text(self, name: str) -> str:
        """Return the source of a property, or nothing."""
        return next(
            (text_of(each.node.named_children[-1]) for each in self.properties if each.name == name), ""
        )


Value = Literal | Listing | Object
Scope = Mapping[str, tuple[Value, ...]]


@dataclass(frozen=True)
class Resource:
    symbol: str
    type: str
    version: str
    body: Object
    node: Node
    is_existing: bool

    @property
    def kinds(self) -> tuple[str, str]:
        """Return what its model may be called: with the resource's own name, or without."""
        names = [each.value for each in self.body.get("name") if isinstance(each, Literal)]
        return f"{self.type}/{names[0] if names else ''}@{self.version}", f"{self.type}@{self.version}"


@dataclass(frozen=True)
class Module:
    symbol: str
    path: str
    parameters: Object
    node: Node


@dataclass(frozen=True)
class Parameter:
    name: str
    node: Node
    decorators: Mapping[str, tuple[Value, ...]]
    default: tuple[Value, ...] | None


def text_of(node: Node) -> str:
    return (node.text or b"").decode()


def line_of(node: Node) -> int:
    return node.start_point[0] + 1


def _named(node: Node) -> list[Node]:
    return [each for each in node.named_children if each.type != "comment"]


class Template:
    """One file; every part of it is read when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = _PARSER.parse(path.read_bytes()).root_node

    @cached_property
    def broken(self) -> list[Node]:
        """Return what cannot be parsed."""
        return [node for node in walk(self.root) if node.is_error or node.is_missing]

    @cached_property
    def variables(self) -> dict[str, Node]:
        return {text_of(name): value for name, value in map(_ends, self._all("variable_declaration"))}

    @cached_property
    def outputs(self) -> dict[str, Node]:
        return {text_of(name): value for name, value in map(_ends, self._all("output_declaration"))}

    @cached_property
    def parameters(self) -> dict[str, Parameter]:
        return {each.name: each for each in map(self._parameter, self._all("parameter_declaration"))}

    @cached_property
    def resources(self) -> dict[str, Resource]:
        return {each.symbol: each for node in _named(self.root) for each in self._resources_in(node, None)}

    @cached_property
    def modules(self) -> dict[str, Module]:
        return {each.symbol: each for each in map(self._module, self._all("module_declaration"))}

    @cached_property
    def names(self) -> set[str]:
        return {*self.variables, *self.parameters, *self.resources, *self.modules}

    def _all(self, kind: str) -> list[Node]:
        return [node for node in _named(self.root) if node.type == kind]

    def _parameter(self, node: Node) -> Parameter:
        name, *rest = _named(node)
        before = node.prev_named_sibling
        calls = (
            []
            if before is None or before.type != "decorators"
            else [_named(each)[0] for each in _named(before)]
        )
        decorators = {text_of(_named(call)[0]): self.read(_named(_named(call)[1])[0]) for call in calls}
        default = self.read(rest[-1]) if len(rest) > 1 else None
        return Parameter(text_of(name), node, decorators, default)

    def _resources_in(self, node: Node, around: Resource | None) -> Iterator[Resource]:
        if node.type != "resource_declaration":
            return
        symbol, kind, value = _named(node)
        name, _, version = text_of(kind).strip("'").partition("@")
        if around is not None:
            name, version = f"{around.type}/{name}", around.version
        body = _innermost(value)
        [read] = self.read(body) or [Object(())]
        assert isinstance(read, Object)
        is_existing = any(child.type == "existing" for child in node.children)
        resource = Resource(text_of(symbol), name, version, read, node, is_existing)
        yield resource
        for child in _named(body):
            for inner in _named(child):
                yield from self._resources_in(inner, resource)

    def _module(self, node: Node) -> Module:
        symbol, path, value = _named(node)
        [body] = self.read(_innermost(value))
        assert isinstance(body, Object)
        parameters = next((each for each in body.get("params") if isinstance(each, Object)), Object(()))
        return Module(text_of(symbol), text_of(path).strip("'"), parameters, node)

    def read(self, node: Node, scope: Scope | None = None) -> tuple[Value, ...]:
        """Return every value that an expression may have, as far as the file tells."""
        known: Scope = scope or {}
        parts = _named(node)
        match node.type:
            case "object":
                return (Object(tuple(self._property(each, known) for each in parts if _is_plain(each))),)
            case "array":
                return (Listing(tuple(value for each in parts for value in self.read(each, known))),)
            case "string" if all(each.type in {"string_content", "escape_sequence"} for each in parts):
                return (Literal(text_of(node)[1:-1].replace("\\'", "'")),)
            case "number":
                return (Literal(int(text_of(node))),)
            case "boolean":
                return (Literal(text_of(node) == "true"),)
            case "null":
                return (Literal(None),)
            case "ternary_expression":
                return (*self.read(parts[1], known), *self.read(parts[2], known))
            case "parenthesized_expression":
                return self.read(parts[0], known)
            case "for_statement":
                return (Listing(self.read(parts[-1], self.scope_of(node, known))),)
            case "call_expression" if text_of(parts[0]) == "union":
                return tuple(value for each in _named(parts[1]) for value in self.read(each, known))
            case "identifier":
                return self._named_value(text_of(node), known)
            case "member_expression":
                owners = self.read(parts[0], known)
                return tuple(
                    value
                    for each in owners
                    if isinstance(each, Object)
                    for value in each.get(text_of(parts[1]))
                )
            case _:
                return ()

    def _property(self, node: Node, scope: Scope) -> Property:
        key, value = _named(node)[0], _named(node)[-1]
        interpolated = any(each.type == "interpolation" for each in _named(key))
        return Property(None if interpolated else text_of(key).strip("'"), self.read(value, scope), node)

    def _named_value(self, name: str, scope: Scope) -> tuple[Value, ...]:
        if name in scope:
            return scope[name]
        if name in self.variables:
            return self.read(self.variables[name])
        parameter = self.parameters.get(name)
        allowed = parameter.decorators.get("allowed", ()) if parameter else ()
        return tuple(value for each in allowed if isinstance(each, Listing) for value in each.items)

    def scope_of(self, node: Node, scope: Scope) -> Scope:
        """Return what the names mean inside a loop, or inside a function's lambda."""
        if node.type == "for_statement":
            return {**scope, text_of(_named(node)[0]): self._items_of(_named(node)[1], scope)}
        if node.type == "lambda_expression":
            call = node.parent.parent if node.parent else None
            over = _named(_named(call)[1])[0] if call and call.type == "call_expression" else None
            return {**scope, text_of(_named(node)[0]): self._items_of(over, scope) if over else ()}
        return scope

    def _items_of(self, node: Node, scope: Scope) -> tuple[Value, ...]:
        return tuple(
            item for each in self.read(node, scope) if isinstance(each, Listing) for item in each.items
        )

    def uses(self) -> Iterator[tuple[Node, Scope]]:
        """Yield every expression that names something, with what the names of the loops around it mean."""
        yield from self._uses(self.root, {})

    def _uses(self, node: Node, scope: Scope) -> Iterator[tuple[Node, Scope]]:
        inner = self.scope_of(node, scope)
        if node.type in {"identifier", "member_expression", "call_expression", "subscript_expression"}:
            yield node, scope
        for child in _named(node):
            if not _only_names(node, child):
                yield from self._uses(child, inner)


def walk(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from walk(child)


def _ends(node: Node) -> tuple[Node, Node]:
    parts = _named(node)
    return parts[0], parts[-1]


def _is_plain(node: Node) -> bool:
    return node.type == "object_property" and _named(node)[0].type != "resource_declaration"


def _innermost(node: Node) -> Node:
    """Return the body of a resource or a module, inside its loop and its condition."""
    while node.type in {"for_statement", "if_statement"}:
        node = _named(node)[-1]
    return node


def _only_names(parent: Node, child: Node) -> bool:
    """Tell whether a node gives something its name, and so uses none."""
    is_first = _named(parent)[0] == child
    return (
        child.type in {"decorators", "type", "property_identifier"}
        or (parent.type == "call_expression" and is_first)
        or (is_first and parent.type.endswith("_declaration"))
        or (is_first and parent.type in {"for_statement", "lambda_expression"})
        or (is_first and parent.type == "object_property" and child.type == "identifier")
    )


def texts_of(values: tuple[Value, ...]) -> list[str]:
    """Return the texts among values, those in lists included."""
    found = []
    for value in values:
        if isinstance(value, Listing):
            found += texts_of(value.items)
        elif isinstance(value, Literal) and isinstance(value.value, str):
            found.append(value.value)
    return found
