"""What is shown, and where: results on standard output, everything else on standard error.

Text of the services is shown without what would steer a terminal.
"""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


class Output(StrEnum):
    TABLE = "table"
    JSON = "json"
    TSV = "tsv"


Row = Sequence[object]
Styled = tuple[str, str]


def plain(value: object) -> str:
    """Return a value as one line of text that does nothing to a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = value if isinstance(value, str) else str(value)
    return "".join(each if each.isprintable() else " " for each in text)


class Screen:
    """``out`` is for results, ``err`` for all that a person reads beside them."""

    def __init__(self, output: Output) -> None:
        self.output = output
        self.out = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        self.err = Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)

    @property
    def is_for_people(self) -> bool:
        return self.output is Output.TABLE

    def say(self, sentence: str, style: str = "") -> None:
        """Tell a person something beside the result."""
        self.err.print(Text(sentence, style))

    def line(self, *parts: str | Styled) -> None:
        """Print a line of the result, for people."""
        text = Text()
        for part in parts:
            words, style = part if isinstance(part, tuple) else (part, "")
            text.append("\n".join(plain(each) for each in words.split("\n")), style)
        self.out.print(text)

    def json(self, content: Any) -> None:
        sys.stdout.write(json.dumps(content, ensure_ascii=False, indent=2) + "\n")

    def rows(self, names: Sequence[str], rows: Iterable[Row], content: Any) -> None:
        """Print rows as a table or as lines of values between tabs, or ``content`` as JSON."""
        match self.output:
            case Output.JSON:
                self.json(content)
            case Output.TSV:
                for row in rows:
                    sys.stdout.write("\t".join(plain(each) for each in row) + "\n")
            case _:
                self._table(names, rows)

    def csv(self, names: Sequence[str], rows: Iterable[Row]) -> None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([unspreadable(plain(each)) for each in row] for row in rows)

    def _table(self, names: Sequence[str], rows: Iterable[Row]) -> None:
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in names:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(plain(each)) for each in row))
        if not table.row_count:
            return  # Names above nothing look like an answer that was cut off.
        Console(highlight=False, markup=False, emoji=False).print(table)


def unspreadable(text: str) -> str:
    """Keep a spreadsheet from taking a title for a formula.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def moment(text: str | None) -> str:
    """Return a moment of an answer as people read it, in the time zone of this machine."""
    if not text:
        return "never"
    at = datetime.fromisoformat(text)
    local, now = at.astimezone(), datetime.now(UTC).astimezone()
    return local.strftime("%H:%M:%S") if local.date() == now.date() else local.strftime("%Y-%m-%d %H:%M")


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"
