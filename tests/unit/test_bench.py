"""How the benchmark takes and shows its figures, and the baseline that it counts against."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import bench.__main__
from bench import builtin, month
from bench.__main__ import main
from bench.figures import EVENTS_A_DAY, LINKS, Figure
from bench.measuring import Measured, Scale, Spread, measured, medians_of, ratios, take_turns
from bench.report import BEGIN, END, json_line, line, number, tables, verdict, write_into

ROOT = Path(__file__).parents[2]
COUNT = Figure("calls", "status", "calls", at_most=1)
TIME = Figure("accept", "ado_webhook", "times one put", at_most=1.25)


# Taking


def test_the_contestants_take_turns_and_each_begins_a_round() -> None:
    order: list[str] = []

    def run(name: str) -> float:
        order.append(name)
        return float(len(order))

    taken = take_turns({"a": lambda: run("a"), "b": lambda: run("b")}, rounds=2)
    assert order == ["a", "b", "b", "a"]
    assert taken == {"a": [1, 4], "b": [2, 3]}


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratios([2, 30, 4], [1, 10, 4]) == Spread(2, 1, 3)


@pytest.mark.parametrize(
    ("values", "figure"), [([1], 1), ([3, 1, 2], 3), (list(range(1, 21)), 19), (list(range(1, 101)), 95)]
)
def test_the_95th_percentile_is_a_value_that_occurred(values: list[float], figure: float) -> None:
    assert Spread.percentile_95(values).value == figure


def test_of_counts_the_highest_is_the_figure() -> None:
    assert Spread.most_of([1, 1, 3]) == Spread(3, 1, 3)


def test_the_median_of_each_round() -> None:
    assert medians_of([1, 2, 9, 4, 5, 6], rounds=2) == [2, 5]


@pytest.mark.parametrize(
    ("figure", "value", "is_missed"),
    [
        (COUNT, 1, False),
        (COUNT, 2, True),
        (TIME, 1.25, False),
        (TIME, 1.251, True),
        (Figure("accept", "sentry_webhook", "times one put"), 9, False),  # no target
    ],
)
def test_a_target_is_met_up_to_its_very_value(figure: Figure, value: float, is_missed: bool) -> None:
    assert Measured(figure, Spread(value, 0, 99)).is_missed is is_missed


def test_a_figure_that_the_table_does_not_have_is_an_error() -> None:
    with pytest.raises(KeyError):
        measured("accept", "something else", Spread(1, 1, 1))


# Showing


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1, "1"), (1000, "1,000"), (1.256, "1.26"), (0.0123, "0.0123"), (531.7, "532")],
)
def test_numbers_have_three_digits_that_matter(value: float, shown: str) -> None:
    assert number(value) == shown


def test_a_missed_target_is_said_wherever_the_figure_is_shown() -> None:
    missed = Measured(COUNT, Spread(2, 1, 2), {"built-in": 3})
    assert line(missed).startswith("MISSED")
    assert json.loads(json_line(missed, "full"))["missed"] is True
    assert "| status | 2 calls | 1 … 2 | at most 1 **missed** | built-in 3 |" in tables([missed])


def test_the_page_keeps_all_but_its_figures(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")
    write_into(page, [Measured(COUNT, Spread(1, 1, 1))], "two processors")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    assert "old" not in text
    assert "two processors" in text
    assert "| status | 1 calls |" in text


def test_a_page_without_the_markers_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(ValueError, match="two markers"):
        write_into(page, [], "")
    assert page.read_text(encoding="utf-8") == "nothing"


# The baseline


@pytest.mark.parametrize(
    ("projects", "calls"), [(1, 3), (10, 3), (100, 3), (101, 4), (300, 5), (1_000, 12), (5_000, 12)]
)
def test_the_built_in_walks_through_the_projects_for_each_status(projects: int, calls: int) -> None:
    assert builtin.CALLS["status, outbound"](projects) == calls


def test_a_verdict_names_what_was_missed_and_what_was_not_measured() -> None:
    other = Figure("cold", "import", "times", at_most=1.15)
    results = [Measured(COUNT, Spread.of([1])), Measured(TIME, Spread.of([1.3]))]
    assert verdict(results, [COUNT, TIME]) == "1 targets met, 1 missed.\n  accept: ado_webhook"
    said = verdict(results[:1], [COUNT, other])
    assert said == "1 targets met, 0 missed, 1 figures not measured.\n  cold: import"


def test_a_chapter_that_fails_keeps_no_other_from_being_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def fail(_scale: Scale) -> Iterator[Measured]:
        yield measured("cold", "import of function_app", Spread.of([1.0]))
        raise RuntimeError("no more")

    monkeypatch.setattr(bench.__main__, "CHAPTERS", {"cold": fail, "month": month.measure})
    monkeypatch.setattr(bench.__main__, "JSON_LINES", tmp_path / "lines")
    monkeypatch.setattr(bench.__main__, "PAGE", tmp_path / "page.md")  # which is not written
    monkeypatch.setattr(sys, "argv", ["bench", "--page"])
    assert main() == 1
    logging.disable(logging.NOTSET)
    said = capsys.readouterr()
    assert "1,000,000 events a day" in said.out
    assert "figures not measured" in said.out
    assert "RuntimeError: no more" in said.err
    assert len((tmp_path / "lines").read_text().splitlines()) == 1 + len(EVENTS_A_DAY) + len(LINKS)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no other system inherits the count")
def test_the_memory_of_a_process_is_its_own_and_not_that_of_who_started_it() -> None:
    """Linux gives a program the highest count of the process that started it, past exec."""
    asked = "from bench.memory import most_taken; {}; print(most_taken())"
    fat = (
        "import subprocess, sys; ballast = bytearray(b'x') * 200_000_000;"
        f" print(subprocess.check_output([sys.executable, '-c', {asked.format('pass')!r}], text=True))"
    )
    inherited, grown = (
        int(subprocess.check_output([sys.executable, "-c", script], cwd=ROOT, text=True))
        for script in (fat, asked.format("ballast = bytearray(b'x') * 200_000_000"))
    )
    assert inherited < 100_000_000
    assert grown >= 200_000_000
