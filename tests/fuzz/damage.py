"""Ways to damage what a parser reads: a value by its nodes, a text by its bytes."""

import json
from typing import Any

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
