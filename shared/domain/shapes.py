"""What keeps a decoded JSON value from having a shape, as sentences for people: one for each path."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import inspect

_LISTS: tuple[type[inspect.Type], ...] = (
    inspect.ListType,
    inspect.VarTupleType,
    inspect.SetType,
    inspect.FrozenSetType,
)
_LONGEST_KEY = 80  # characters


def faults(value: Any, kind: Any, path: str = "") -> dict[str, str]:
    """Return a sentence for each path at which a value is not of the kind, with the values that would be."""
    return dict(_faults(value, inspect.type_info(kind), path))


def shown(key: str) -> str:
    """Return a key in a form fit for an error: printable, and at most 80 characters."""
    return "".join(character if character.isprintable() else "�" for character in key)[:_LONGEST_KEY]


def below(path: str, key: str) -> str:
    """Return the path of a key in the object at a path."""
    return f"{path}.{shown(key)}" if path else shown(key)


def _faults(value: Any, info: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    options = info.types if isinstance(info, inspect.UnionType) else (info,)
    if any(isinstance(each, inspect.AnyType) for each in options):
        return
    # An object or a list can be one of the options only; what is wrong inside it is told where it is.
    fitting = [each for each in options if _is_like(value, each)]
    if not fitting:
        yield path, f"must be {listed([word for each in options for word in _words(each)])}"
    elif len(fitting) == 1:
        yield from _inner_faults(value, fitting[0], path)


def _inner_faults(value: Any, info: inspect.Type, path: str) -> Iterator[tuple[str, str]]:
    match info:
        case inspect.StructType():
            yield from _member_faults(value, info, path)
        case inspect.DictType():
            for key, inner in value.items():
                yield from _faults(inner, info.value_type, below(path, key))
        case inspect.ListType() | inspect.VarTupleType() | inspect.SetType() | inspect.FrozenSetType():
            for place, inner in enumerate(value):
                yield from _faults(inner, info.item_type, f"{path}[{place}]")


def _member_faults(value: dict[str, Any], info: inspect.StructType, path: str) -> Iterator[tuple[str, str]]:
    known = {field.encode_name: field for field in info.fields}
    for key, inner in value.items():
        if key in known:
            yield from _faults(inner, known[key].type, below(path, key))
        elif info.forbid_unknown_fields:
            yield below(path, key), f"is not a known key: known are {listed(known, 'and')}"
    for name, field in known.items():
        if field.required and name not in value:
            yield below(path, name), "is required"


# What each type is called, and which values look like one; an object and a list are looked into afterwards.
_KINDS: Mapping[type[inspect.Type], tuple[tuple[str, ...], Callable[[Any], bool]]] = {
    inspect.NoneType: (("null",), lambda value: value is None),
    inspect.BoolType: (("true", "false"), lambda value: isinstance(value, bool)),
    inspect.StrType: (("a text",), lambda value: isinstance(value, str)),
    inspect.IntType: (
        ("a whole number",),
        lambda value: isinstance(value, int) and not isinstance(value, bool),
    ),
    inspect.FloatType: (
        ("a number",),
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    inspect.DictType: (("an object",), lambda value: isinstance(value, dict)),
    inspect.StructType: (("an object",), lambda value: isinstance(value, dict)),
    **dict.fromkeys(_LISTS, (("a list",), lambda value: isinstance(value, list))),
}


def _is_like(value: Any, info: inspect.Type) -> bool:
    if isinstance(info, inspect.EnumType | inspect.LiteralType):
        return isinstance(value, str) and value in _values(info)
    return type(info) not in _KINDS or _KINDS[type(info)][1](value)


def _words(info: inspect.Type) -> Sequence[str]:
    if isinstance(info, inspect.EnumType | inspect.LiteralType):
        return [quoted(each) for each in _values(info)]
    return _KINDS[type(info)][0]


def _values(info: inspect.EnumType | inspect.LiteralType) -> list[str]:
    values = [each.value for each in info.cls] if isinstance(info, inspect.EnumType) else info.values
    return [str(each) for each in values]


def quoted(text: object) -> str:
    """Return a text in quotation marks."""
    return msgspec.json.encode(str(text)).decode()


def listed(words: Iterable[str], last: str = "or") -> str:
    """Return words as a sentence lists them."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end
