"""Route templates as the Functions host reads them: what they accept, and which function a request reaches.

Only whole segments can be parameters: `{a}`, `{a?}`, `{a=x}`, `{*rest}` and `{a:int}`, with the constraints
int, long, bool, alpha and guid. Anything else is refused when the app is loaded, rather than half understood.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import unquote

ALL_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PATCH", "PUT", "OPTIONS", "QUERY", "TRACE"})

_PARAMETER = re.compile(
    r"\{(?P<rest>\*{0,2})(?P<name>\w+)(?P<constraints>(?::\w+)*)(?P<optional>\?)?(?:=(?P<default>[^{}]*))?\}"
)
_GUID = re.compile(
    r"[0-9a-f]{32}|(?P<open>[{(])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?(open)[})])", re.I
)


def _is_integer(bits: int) -> Callable[[str], bool]:
    limit = 2 ** (bits - 1)
    return lambda text: (
        re.fullmatch(r"[+-]?\d{1,20}", text, re.ASCII) is not None and -limit <= int(text) < limit
    )


_CONSTRAINTS: Mapping[str, Callable[[str], bool]] = {
    "int": _is_integer(32),
    "long": _is_integer(64),
    "bool": lambda text: text.lower() in {"true", "false"},
    "alpha": lambda text: re.fullmatch(r"[a-z]*", text, re.IGNORECASE | re.ASCII) is not None,
    "guid": lambda text: _GUID.fullmatch(text) is not None,
}


class RouteError(ValueError):
    """A template that Azure's host, or this one, does not take."""


@dataclass(frozen=True)
class _Parameter:
    name: str
    constraints: tuple[str, ...]
    default: str | None
    may_be_absent: bool
    is_rest: bool

    @classmethod
    def from_segment(cls, segment: str, template: str) -> "_Parameter":
        match = _PARAMETER.fullmatch(segment)
        if match is None:
            raise RouteError(f"route {template!r}: {segment!r} is neither a literal nor one parameter")
        constraints = tuple(match["constraints"].lower().split(":")[1:])
        unknown = [name for name in constraints if name not in _CONSTRAINTS]
        if unknown:
            raise RouteError(f"route {template!r}: this host does not know the constraint {unknown[0]!r}")
        is_rest = bool(match["rest"])
        absent = is_rest or match["optional"] is not None or match["default"] is not None
        return cls(match["name"], constraints, match["default"], absent, is_rest)


@dataclass(frozen=True)
class RouteTemplate:
    """One template without its prefix, ready to be matched against decoded paths."""

    text: str
    _pattern: re.Pattern[str]
    _parameters: tuple[_Parameter, ...]

    @classmethod
    def parse(cls, text: str) -> "RouteTemplate":
        # Functions quirk: a route that merely starts with these letters ("administrators" too) keeps the
        # whole app from loading (ScriptHost.ValidateHttpFunction).
        if text.lstrip("/").lower().startswith(("admin", "runtime")):
            raise RouteError(f"route {text!r}: the host keeps 'admin' and 'runtime' for itself")
        pattern, unclosed = "", 0
        parameters: list[_Parameter] = []
        for segment in filter(None, text.split("/")):
            if parameters and parameters[-1].is_rest:
                raise RouteError(f"route {text!r}: nothing may follow a catch-all parameter")
            if "{" not in segment and "}" not in segment:
                if unclosed:
                    raise RouteError(f"route {text!r}: nothing required may follow an optional parameter")
                pattern += "/" + re.escape(segment)
                continue
            parameter = _Parameter.from_segment(segment, text)
            if unclosed and not parameter.may_be_absent:
                raise RouteError(f"route {text!r}: nothing required may follow an optional parameter")
            if parameter.may_be_absent:
                pattern += "(?:"
                unclosed += 1
            pattern += "/(.+)" if parameter.is_rest else "/([^/]+)"
            parameters.append(parameter)
        pattern += ")?" * unclosed + "/?"
        return cls(text, re.compile(pattern, re.IGNORECASE), tuple(parameters))

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters that a decoded path gives, without the absent ones; None for no match."""
        match = self._pattern.fullmatch(path)
        if match is None:
            return None
        values: dict[str, str] = {}
        for parameter, found in zip(self._parameters, match.groups(), strict=True):
            value = parameter.default if found is None else found
            if value is None:
                continue
            if not all(_CONSTRAINTS[name](value) for name in parameter.constraints):
                return None
            values[parameter.name] = value
        return values


@dataclass(frozen=True)
class Route:
    """One HTTP function's entrance."""

    function: str
    methods: frozenset[str]
    template: RouteTemplate


class RouteTable:
    """All entrances of an app, below one prefix."""

    def __init__(self, routes: Iterable[Route], prefix: str) -> None:
        # Functions quirk: of two overlapping routes the one whose function comes first by name wins, however
        # specific the other is (FunctionMetadataManager, WebJobsRouteBuilder).
        self._routes = sorted(routes, key=lambda route: route.function.casefold())
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the first function that takes this request; a wrong method is no match (404, not 405)."""
        path = decode_path(raw_path)
        if not path.lower().startswith(self._prefix.lower()):
            return None
        path = path[len(self._prefix) :]
        for route in self._routes:
            values = route.template.match(path) if method in route.methods else None
            if values is not None:
                return route, values
        return None


def decode_path(raw_path: str) -> str:
    """Percent-decode as ASP.NET does, which keeps an encoded slash encoded."""
    return unquote(re.sub("%2f", lambda match: "%25" + match[0][1:], raw_path, flags=re.IGNORECASE))
