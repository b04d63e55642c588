"""The benchmark on its smallest scale: every figure is measured, and the counts meet their targets."""

import pytest

from bench.__main__ import CHAPTERS
from bench.figures import FIGURES
from bench.measuring import SANITY

# The others start hosts, and wait.
_QUICK = {"calls", "growth", "month"}


@pytest.mark.parametrize(
    "chapter", [each if each in _QUICK else pytest.param(each, marks=pytest.mark.long) for each in CHAPTERS]
)
def test_a_chapter_measures_each_of_its_figures_once(chapter: str) -> None:
    results = list(CHAPTERS[chapter](SANITY))
    figures = [each.figure for each in results]
    assert len(set(figures)) == len(figures)
    assert set(figures) == {figure for figure in FIGURES.values() if figure.chapter == chapter}
    counts = {each.figure.name: each for each in results if each.figure.unit == "calls"}
    assert {name for name, count in counts.items() if count.is_missed} == set()


def test_every_figure_belongs_to_a_chapter() -> None:
    assert {figure.chapter for figure in FIGURES.values()} == set(CHAPTERS)
