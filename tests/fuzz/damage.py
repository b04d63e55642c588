"""Ways to damage what a parser reads: a value by its nodes, a text by its bytes."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

# What others get wrong, or try: empty, huge, of another type, invisible, or meant for another program.
ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "1e400",
    "NaN",
    "null",
    "\x00",
    "\ud800",
    "\u202e\u2066",
    "a" * 5000,
    "../../x",
    "https://sentry.io@evil.example/",
    "http://169.254.169.254/metadata",
    "x\r\nX-Injected: 1",
    "outcome=forged\n[root] ERROR",
    "=cmd()",
    "<script>",
    "' or 1 eq 1 or '",
    "%s%n{0}",
)
TEXTS = st.one_of(st.sampled_from(ODD_TEXTS), st.text(max_size=40))
# The ends of what clocks, calendars, processors and databases can count.
ODD_NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 10**12, 10**30, -(2**63))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from(ODD_NUMBERS),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXTS,
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn, value: Any, depth: int = 0) -> Any:
    """Return a copy of a value with one of its nodes removed, replaced, doubled or wrapped."""
    if isinstance(value, dict) and value and depth < 8 and draw(st.integers(0, 3)):
        key = draw(st.sampled_from(sorted(value)))
        rest = {name: each for name, each in value.items() if name != key}
        match draw(st.sampled_from(["inside", "inside", "gone", "renamed"])):
            case "gone":
                return rest
            case "renamed":
                return {**rest, draw(TEXTS): value[key]}
            case _:
                return {**value, key: draw(damaged(value[key], depth + 1))}
    if isinstance(value, list) and value and depth < 8 and draw(st.booleans()):
        place = draw(st.integers(0, len(value) - 1))
        return [
            *value[:place],
            draw(damaged(value[place], depth + 1)),
            *value[place + draw(st.integers(0, 1)) :],
        ]
    return draw(st.one_of(VALUES, st.just([value]), st.just({"": value})))


@st.composite
def odd(draw: st.DrawFn, value: Any) -> Any:
    """Return a copy in which one leaf is another of its own type: no reader of types notices."""
    if isinstance(value, dict) and value:
        key = draw(st.sampled_from(sorted(value)))
        return {**value, key: draw(odd(value[key]))}
    if isinstance(value, list) and value:
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], draw(odd(value[place])), *value[place + 1 :]]
    match value:
        case bool():
            return not value
        case int():
            return draw(st.sampled_from(ODD_NUMBERS) | st.integers())
        case float():
            return draw(st.sampled_from([float(each) for each in ODD_NUMBERS]) | st.floats(allow_nan=False))
        case str():
            return draw(TEXTS)
        case _:
            return draw(LEAVES)


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Return a copy with bytes cut, put in or flipped; or the whole of it so deep that no stack holds it."""
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["cut", "insert", "flip", "deep", "encoded", "doubled"])):
            case "cut":
                content = content[:place]
            case "insert":
                content = content[:place] + draw(st.binary(max_size=8)) + content[place:]
            case "flip" if content:
                content = (
                    content[:place]
                    + bytes([content[place] ^ draw(st.integers(1, 255))])
                    + content[place + 1 :]
                )
            case "deep":
                content = b"[" * 20_000 + content
            case "encoded":
                content = content.decode("latin-1").encode(
                    draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32"]))
                )
            case _:
                content = content[:place] + content
    return content


def body_like(value: Any) -> st.SearchStrategy[bytes]:
    """Bodies that were once the JSON of a value."""
    return st.one_of(
        damaged(value).map(_encoded),
        damaged(value).flatmap(damaged).map(_encoded),
        damaged_bytes(_encoded(value)),
        st.binary(max_size=60),
    )


def _encoded(value: Any) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value).encode()


# What is done to the bytes, whatever they say.
_BLIND = ("cut", "insert", "flip", "deep", "encoded", "doubled")


class Damage(NamedTuple):
    """One change of a JSON body, drawn before anybody knows the body: it may differ from run to run.

    ``place`` is where, from the beginning (0) to the end (1) of what there is to damage.
    """

    how: str
    place: float
    junk: Any
    noise: bytes

    def done_to(self, body: bytes) -> bytes:
        if self.how in _BLIND:
            return self._noisy(body)
        try:
            value = json.loads(body)
        except ValueError:
            return self._noisy(body)
        paths = list(_paths(value))
        return _encoded(self._at(value, paths[round(self.place * (len(paths) - 1))]))

    def _noisy(self, body: bytes) -> bytes:
        at = round(self.place * len(body))
        match self.how:
            case "cut":
                return body[:at]
            case "deep":
                return body[:at] + b"[" * 20_000 + body[at:]
            case "encoded":
                return body.decode("latin-1").encode("utf-16")
            case "doubled":
                return body[:at] + body
            case "flip":
                return body[:at] + self.noise + body[at + len(self.noise) :]
            case _:
                return body[:at] + self.noise + body[at:]

    def _at(self, value: Any, path: tuple[Any, ...]) -> Any:
        if not path:
            return self._instead_of(value)
        name, *rest = path
        if isinstance(value, list):
            place = int(name)
            around = value[:place], value[place + 1 :]
            inside = [] if not rest and self.how == "gone" else [self._at(value[place], tuple(rest))]
            return [*around[0], *inside, *around[1]]
        others = {key: each for key, each in value.items() if key != name}
        if not rest and self.how == "gone":
            return others
        if not rest and self.how == "renamed":
            return {**others, str(self.junk): value[name]}
        return {**value, name: self._at(value[name], tuple(rest))}

    def _instead_of(self, value: Any) -> Any:
        match self.how:
            case "wrapped":
                return [value]
            case "odd" if isinstance(value, str):
                return ODD_TEXTS[round(self.place * 1e6) % len(ODD_TEXTS)]
            case "odd" if isinstance(value, int | float) and not isinstance(value, bool):
                return type(value)(ODD_NUMBERS[round(self.place * 1e6) % len(ODD_NUMBERS)])
            case _:
                return self.junk


DAMAGE = st.builds(
    Damage,
    st.sampled_from([*("gone", "renamed", "wrapped", "odd", "odd", "junk", "junk"), *_BLIND]),
    st.floats(0, 1),
    VALUES,
    st.binary(min_size=1, max_size=8),
)


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from _paths(each, (*path, key))
