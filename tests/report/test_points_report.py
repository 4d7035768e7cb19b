"""The frontier of points in a terminal and as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from panacea_sim.report.pareto import pareto_figure, print_front, write_pareto
from panacea_sim.report.points import Goal, ShownPoint, ShownPoints

CYCLES, ENERGY, ACCURACY = Goal("cycles", "cycles", 1), Goal("energy_pj", "energy, pJ", 1), Goal("sqnr", "SQNR, dB", -1)
FIGURES: list[dict[str, float | None]] = [
    {"cycles": 30, "energy_pj": 10.0, "sqnr": 30.0},
    {"cycles": 10, "energy_pj": 30.0, "sqnr": 30.0},
    {"cycles": 30, "energy_pj": 30.0, "sqnr": float("inf")},
    {"cycles": 20, "energy_pj": 20.0, "sqnr": 10.0},
    {"cycles": 1, "energy_pj": None, "sqnr": 99.0},
]


def _points(*goals: Goal) -> ShownPoints:
    points = [ShownPoint(number, {"hardware.n_dwo": number}, figures) for number, figures in enumerate(FIGURES)]
    failed = ShownPoint(len(points), {"hardware.n_dwo": 99}, {}, "it does not fit")
    return ShownPoints("costs $5", ["hardware.n_dwo"], goals, [*points, failed])


def test_the_front_has_what_nothing_beats_in_all_goals() -> None:
    """It begins with the best in the first goal; failed points and those without a figure are not in it."""
    assert [point.index for point in _points(CYCLES, ENERGY).front] == [1, 3, 0]
    assert [point.index for point in _points(CYCLES, ENERGY, ACCURACY).front] == [1, 3, 0, 2]
    assert [point.index for point in _points(ACCURACY).front] == [2]
    found = _points(CYCLES, ENERGY)
    assert (found.unjudged, [point.index for point in found.failed]) == (1, [5])


def test_the_front_in_a_terminal() -> None:
    """Each point with its axes and figures, and what could not be compared."""
    console = Console(width=100, record=True)
    print_front(console, _points(CYCLES, ENERGY, ACCURACY))
    text = console.export_text()
    assert "4 of 6 points that no other one beats in cycles, energy, pJ and SQNR, dB" in text
    rows = [line.split() for line in text.splitlines()]
    assert [row[:2] for row in rows if row and row[0].isdigit()] == [["1", "1"], ["3", "3"], ["0", "0"], ["2", "2"]]
    assert "none lost" in text
    assert "no figure of energy, pJ: 1 of the points." in text


@pytest.mark.parametrize(("goals", "panels"), [((CYCLES,), 1), ((CYCLES, ENERGY), 1), ((CYCLES, ENERGY, ACCURACY), 3)])
def test_the_picture_has_a_panel_for_each_pair_of_goals(goals: tuple[Goal, ...], panels: int) -> None:
    """Every point with both figures has a place in it, in its own group; an endless figure has none."""
    figure = pareto_figure(_points(*goals))
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert len(shown) == panels
    for axes in shown:
        across, up = axes.get_xlabel(), axes.get_ylabel()
        places = {tuple(place) for drawn in axes.collections for place in drawn.get_offsets().tolist()}  # type: ignore[union-attr]
        by_text = {goal.text + (" (more is better)" if goal.sign < 0 else ""): goal.name for goal in goals}
        expected = {
            (number if across == "point" else figures[by_text[across]], figures[by_text[up]])
            for number, figures in enumerate(FIGURES)
        }
        assert places == {each for each in expected if None not in each and float("inf") not in each}


def test_equal_points_give_equal_pictures(tmp_path: Path) -> None:
    """The files hold no date, and a dollar in a name starts no formula."""
    for name in ("a.svg", "b.svg"):
        write_pareto(_points(CYCLES, ENERGY), tmp_path / name, "svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "costs $5: 3 of 6 points" in (tmp_path / "a.svg").read_text()
