"""A subset of the work item query language: parsed into a predicate and an order, and run over work items."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.ado.catalog import Person
from simulator.ado.errors import Refused
from simulator.ado.items import WorkItem
from simulator.ado.patch import Value
from simulator.ado.processes import FIELDS

Row = Mapping[str, Value]
Predicate = Callable[[Row], bool]

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|\[(?P<field>[^\]]+)\]|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<sign><>|>=|<=|=|>|<|\(|\)|,)|(?P<word>@?[A-Za-z][\w.]*))"
)
DAY = 10


@dataclass(frozen=True)
class Query:
    matches: Predicate
    order: tuple[tuple[str, bool], ...]
    columns: tuple[str, ...]


def parse(text: object, *, macros: Mapping[str, str], time_precision: bool = False) -> Query:
    """Read a query, or refuse it with a 400; ``macros`` are the values of @project and @me."""
    if not isinstance(text, str):
        raise _refused("Value cannot be null. Parameter name: wiql")
    return _Parser(_tokens(text), macros, time_precision=time_precision).query()


def run(query: Query, work_items: Iterable[WorkItem]) -> list[WorkItem]:
    found = [work_item for work_item in work_items if query.matches(row_of(work_item))]
    for field, is_descending in reversed(query.order):
        found.sort(key=lambda work_item: _sort_key(row_of(work_item).get(field)), reverse=is_descending)
    return found


def row_of(work_item: WorkItem) -> Row:
    # https://learn.microsoft.com/azure/devops/boards/queries/linking-attachments
    hyperlinks = sum(each.is_hyperlink for each in work_item.relations)
    return {
        **work_item.fields,
        "System.Id": work_item.id,
        "System.Rev": work_item.rev,
        "System.HyperLinkCount": hyperlinks,
    }


def _sort_key(value: Value | None) -> tuple[float, str]:
    return (value, "") if isinstance(value, int | float) else (0, _text(value))


def _text(value: Value | None) -> str:
    return (
        value.text.casefold() if isinstance(value, Person) else str("" if value is None else value).casefold()
    )


def _words(text: str) -> list[str]:
    return re.findall(r"[\w*]+", text.casefold())


def has_words(text: str, wanted: str) -> bool:
    """Tell whether every wanted word stands in a text; a star at a word's end stands for any ending."""
    present = _words(text)
    return all(
        any(word.startswith(want[:-1]) if want.endswith("*") else word == want for word in present)
        for want in _words(wanted)
    )


def _refused(problem: str) -> Refused:
    # The real parser has a TF number for each problem; which is used when was not confirmed.
    return Refused(400, problem, "WorkItemTrackingQuerySyntaxException", event_id=3200)


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens, at = [], 0
    while text[at:].strip():
        found = TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            raise _refused(f"TF51004: The query has a syntax error at «{text[at:].strip()[:20]}».")
        tokens.append((found.lastgroup, found[found.lastgroup]))
        at = found.end()
    return tokens


class _Parser:
    """Recursive descent: or, and, not, comparison."""

    def __init__(
        self, tokens: list[tuple[str, str]], macros: Mapping[str, str], *, time_precision: bool
    ) -> None:
        self._tokens = tokens
        self._macros = macros
        self._at = 0
        self._time_precision = time_precision

    def query(self) -> Query:
        self._expect("select")
        columns = [self._field()]
        while self._accept(","):
            columns.append(self._field())
        self._expect("from")
        self._expect("workitems")
        matches: Predicate = self._or() if self._accept("where") else (lambda _: True)
        order = self._order() if self._accept("order") else ()
        if self._at < len(self._tokens):
            raise self._error()
        return Query(matches, order, tuple(columns))

    def _order(self) -> tuple[tuple[str, bool], ...]:
        self._expect("by")
        order = []
        while True:
            field = self._field()
            is_descending = self._accept("desc")
            if not is_descending:
                self._accept("asc")
            order.append((field, is_descending))
            if not self._accept(","):
                return tuple(order)

    def _or(self) -> Predicate:
        terms = [self._and()]
        while self._accept("or"):
            terms.append(self._and())
        return lambda row: any(term(row) for term in terms)

    def _and(self) -> Predicate:
        terms = [self._not()]
        while self._accept("and"):
            terms.append(self._not())
        return lambda row: all(term(row) for term in terms)

    def _not(self) -> Predicate:
        if self._accept("not"):
            inner = self._not()
            return lambda row: not inner(row)
        if self._accept("("):
            grouped = self._or()
            self._expect(")")
            return grouped
        return self._comparison()

    def _comparison(self) -> Predicate:
        field = self._field()
        if self._accept("not"):
            opposite = self._operation(field)
            return lambda row: not opposite(row)
        return self._operation(field)

    def _operation(self, field: str) -> Predicate:
        if self._accept("contains"):
            if self._accept("words"):
                words = str(self._value())
                return lambda row: has_words(_text(row.get(field)), words)
            part = str(self._value()).casefold()
            return lambda row: part in _text(row.get(field))
        if self._accept("in"):
            return self._in(field)
        if self._accept("under"):
            path = str(self._value()).casefold()
            return lambda row: f"{_text(row.get(field))}\\".startswith(f"{path}\\")
        kind, sign = self._next()
        if kind != "sign" or sign in "(),":
            raise self._error()
        wanted = self._value()
        return lambda row: self._compare(row.get(field), sign, wanted, field)

    def _in(self, field: str) -> Predicate:
        self._expect("(")
        values = [self._value()]
        while self._accept(","):
            values.append(self._value())
        self._expect(")")
        return lambda row: any(self._compare(row.get(field), "=", value, field) for value in values)

    def _compare(self, actual: Value | None, sign: str, wanted: str | float, field: str) -> bool:
        left: Any
        right: Any
        if isinstance(actual, int | float):
            left, right = float(actual), _number(wanted)
        elif isinstance(actual, Person):
            right = str(wanted).casefold()
            names = {actual.text.casefold(), actual.name.casefold(), actual.unique_name.casefold()}
            left = right if right in names else actual.text.casefold()
        else:
            left, right = _text(actual), str(wanted).casefold()
            # ADO quirk: dates are compared by the day unless timePrecision=true.
            if FIELDS[field.casefold()].kind == "dateTime" and not self._time_precision:
                left, right = left[:DAY], right[:DAY]
        return bool(
            {
                "=": left == right,
                "<>": left != right,
                ">": left > right,
                ">=": left >= right,
                "<": left < right,
                "<=": left <= right,
            }[sign]
        )

    def _field(self) -> str:
        kind, name = self._next()
        if kind not in {"field", "word"}:
            raise self._error()
        for field in FIELDS.values():
            if name.strip().casefold() in (field.reference_name.casefold(), field.name.casefold()):
                return field.reference_name
        raise _refused(
            f"TF51005: The query references a field that does not exist. The error is caused by «[{name}]»."
        )

    def _value(self) -> str | float:
        kind, value = self._next()
        if kind == "text":
            # A quote inside a text is written twice.
            return value[1:-1].replace(value[0] * 2, value[0])
        if kind == "number":
            return float(value)
        if kind == "word" and value.casefold() in self._macros:
            return self._macros[value.casefold()]
        raise self._error()

    def _next(self) -> tuple[str, str]:
        if self._at == len(self._tokens):
            raise self._error()
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, word: str) -> bool:
        if self._at < len(self._tokens):
            kind, value = self._tokens[self._at]
            if kind in {"word", "sign"} and value.casefold() == word:
                self._at += 1
                return True
        return False

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            raise self._error(f"expecting {word.upper()}")

    def _error(self, expected: str = "unexpected") -> Refused:
        rest = self._tokens[self._at][1] if self._at < len(self._tokens) else "the end"
        return _refused(
            f"TF51006: The query statement is not valid: {expected}. The error is caused by «{rest}»."
        )


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise _refused(f"TF51009: «{value}» is not a number.") from error
