"""How the figures are shown: a line on the terminal, a JSON line for machines, a table for the page."""

import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from bench.figures import Figure
from bench.measuring import Measured

BEGIN, END = "<!-- figures: written by `make bench` -->", "<!-- end of the figures -->"


def line(result: Measured) -> str:
    spread, figure = result.spread, result.figure
    verdict = "MISSED" if result.is_missed else "ok" if figure.at_most is not None else ""
    name = f"{figure.chapter}: {figure.name}"
    between = f"{number(spread.low)} … {number(spread.high)}"
    value = f"{number(spread.value):>8} {figure.unit:<16}"
    return f"{verdict:<6} {name:<82} {value} {between:<18} {_target(result)}".rstrip()


def verdict(results: Sequence[Measured], wanted: Sequence[Figure]) -> str:
    """Say in a sentence how many targets were met, and which were not, or were not measured."""
    with_target = [each for each in results if each.figure.at_most is not None]
    missed = [each.figure for each in with_target if each.is_missed]
    unmeasured = [each for each in wanted if each not in [result.figure for result in results]]
    names = [f"{each.chapter}: {each.name}" for each in (*missed, *unmeasured)]
    sentence = f"{len(with_target) - len(missed)} targets met, {len(missed)} missed"
    if unmeasured:
        sentence += f", {len(unmeasured)} figures not measured"
    return "\n  ".join((f"{sentence}.", *names))


def json_line(result: Measured, scale: str) -> str:
    figure, spread = result.figure, result.spread
    return json.dumps(
        {
            "chapter": figure.chapter,
            "figure": figure.name,
            "unit": figure.unit,
            "value": spread.value,
            "low": spread.low,
            "high": spread.high,
            "at_most": figure.at_most,
            "missed": result.is_missed,
            "beside": dict(result.beside),
            "scale": scale,
        }
    )


def tables(results: Iterable[Measured]) -> str:
    """Return a Markdown table for each chapter, in the order of the results."""
    parts = []
    for chapter, rows in groupby(results, lambda each: each.figure.chapter):
        head = ["| figure | median | lowest … highest | target | beside |", "|---|---|---|---|---|"]
        parts.append("\n".join((f"### {chapter.replace('_', ' ').capitalize()}\n", *head, *map(_row, rows))))
    return "\n\n".join(parts)


def conditions() -> str:
    """Say when and where, and how busy the machine is already: nobody can read a time without that."""
    load = f"load {os.getloadavg()[0]:.1f} before the run"
    python = f"Python {platform.python_version()}"
    return f"{datetime.now(UTC):%d %B %Y}, {os.cpu_count()} processors, {load}, {python}."


def write_into(page: Path, results: Iterable[Measured], measured_where: str) -> None:
    """Replace what stands between the two markers of a page."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError(f"{page.name} does not have the two markers")
    page.write_text(
        f"{before}{BEGIN}\n\n{measured_where}\n\n{tables(results)}\n\n{END}{after}", encoding="utf-8"
    )


def number(value: float) -> str:
    """Write three digits that matter, and no more."""
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(result: Measured) -> str:
    figure, spread = result.figure, result.spread
    value = f"{number(spread.value)} {figure.unit}"
    between = "" if spread.low == spread.high else f"{number(spread.low)} … {number(spread.high)}"
    target = _target(result) + (" **missed**" if result.is_missed else "")
    beside = ", ".join(f"{name} {number(each)}" for name, each in result.beside.items())
    return f"| {figure.name} | {value} | {between} | {target} | {beside} |"


def _target(result: Measured) -> str:
    return "" if result.figure.at_most is None else f"at most {number(result.figure.at_most)}"
