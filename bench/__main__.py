"""Measures every figure, prints each beside its target, and exits 1 if one is missed: ``python -m bench``."""

import argparse
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench import accept, calls, cold, end_to_end, growth, hostile, month
from bench.figures import FIGURES
from bench.measuring import FULL, QUICK, Measured, Scale
from bench.report import conditions, json_line, line, verdict, write_into

ROOT = Path(__file__).parents[1]
JSON_LINES = ROOT / ".local" / "bench.jsonl"
PAGE = ROOT / "docs" / "performance.md"

CHAPTERS: Mapping[str, Callable[[Scale], Iterator[Measured]]] = {
    "cold": cold.measure,
    "accept": accept.measure,
    "calls": calls.measure,
    "end_to_end": end_to_end.measure,
    "growth": growth.measure,
    "hostile": hostile.measure,
    "month": month.measure,
}
SCALES = {scale.name: scale for scale in (FULL, QUICK)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=CHAPTERS, metavar="CHAPTER", help="may be repeated"
    )
    parser.add_argument(
        "--quick", action="store_const", dest="scale", const=QUICK.name, help="smaller, less sure"
    )
    parser.add_argument("--page", action="store_true", help=f"write the tables into {PAGE.name}")
    parser.set_defaults(scale=FULL.name)
    chosen = parser.parse_args()
    if chosen.page and (chosen.only or chosen.scale != FULL.name):
        parser.error("--page is for a full run: what it leaves out would be missing from the page")
    logging.disable(logging.WARNING)  # What the reconciler finds gone is told there, once for each.
    results: list[Measured] = []
    chapters, measured_where, began = chosen.only or list(CHAPTERS), conditions(), time.monotonic()
    JSON_LINES.parent.mkdir(exist_ok=True)
    with JSON_LINES.open("w", encoding="utf-8") as lines:
        for result in measure(chapters, SCALES[chosen.scale]):
            results.append(result)
            print(line(result), flush=True)
            print(json_line(result, chosen.scale), file=lines, flush=True)
    minutes = (time.monotonic() - began) / 60
    wanted = [figure for figure in FIGURES.values() if figure.chapter in chapters]
    print(f"\n{verdict(results, wanted)} It took {minutes:.1f} minutes.")
    is_whole = len(results) == len(wanted)
    if chosen.page and is_whole:
        write_into(PAGE, results, f"{measured_where} It took {minutes:.1f} minutes.")
    return 1 if not is_whole or any(each.is_missed for each in results) else 0


def measure(chapters: Sequence[str], scale: Scale) -> Iterator[Measured]:
    """Measure the chapters one by one. One that fails is told, and keeps no other from being measured."""
    for chapter in chapters:
        try:
            yield from CHAPTERS[chapter](scale)
        except Exception:  # noqa: BLE001  # whatever it is, the others are worth measuring
            print(f"The chapter {chapter} could not be measured:", file=sys.stderr)
            traceback.print_exc()


if __name__ == "__main__":
    sys.exit(main())
