"""The picture of versus: a bar for each machine and part, as high as its speed-up, and stacks as high as its energy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from panacea_sim.analysis.versus.contender import TABLES, Versus
from panacea_sim.report.versus_picture import versus_figure, write_versus
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.versus.contest import Bout, contest
from panacea_sim.running.versus.machines import entrants
from panacea_sim.workload.masked_layer import MaskedLayer


@pytest.fixture(scope="module")
def found() -> Versus:
    """Return a comparison of two machines on a layer with two densities of the weight."""
    machines = entrants(["simd", "panacea"], {}, "multipliers")
    layers = [MaskedLayer("layer", 80, 40, 72, rho_w, 0.9, 0) for rho_w in (0.0, 0.6)]
    bouts = [
        Bout(name, None, tuple(Scenario("layer", layer, each.hardware, values=False) for each in machines))
        for name, layer in zip(("per channel", "per tensor"), layers, strict=True)
    ]
    told: list[tuple[int, int]] = []
    parts = contest(machines, bouts, lambda done, of: told.append((done, of)), workers=1)
    # The dense machine ignores masks, and runs once.
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
    return Versus("one $layer", "terms", "multipliers", "simd", "panacea", None, parts)


def _bars(axes: Axes) -> list[Rectangle]:
    return [patch for patch in axes.patches if isinstance(patch, Rectangle)]


def test_bars_are_as_high_as_figures(found: Versus) -> None:
    """Speed-up over the baseline above; below it, for each table, categories that add up to the energy."""
    figure = versus_figure(found)
    speed, *energies = figure.axes
    names = [each.name for each in found.parts[0].contenders]
    assert (
        [label.get_text() for label in speed.get_xticklabels()]
        == names
        == ["simd", "panacea", "panacea_best", "panacea_pooled"]
    )
    heights = [bar.get_height() for bar in _bars(speed)]
    wanted = [part.named("simd").cycles / part.named(name).cycles for part in found.parts for name in names]
    np.testing.assert_allclose(heights, wanted)
    assert [bool(bar.get_hatch()) for bar in _bars(speed)] == 2 * [False, False, False, True]
    for axes, table in zip(energies, TABLES, strict=True):
        totals = {}
        for bar in _bars(axes):
            totals[round(bar.get_x(), 6)] = max(totals.get(round(bar.get_x(), 6), 0), bar.get_y() + bar.get_height())
        of_runs = [
            float(each.energies[table].run.total.nominal)  # type: ignore[union-attr]  # all figures are known
            / float(part.named("simd").energies[table].run.total.nominal)  # type: ignore[union-attr]  # the same
            for part in found.parts
            for each in part.runs
        ]
        np.testing.assert_allclose(sorted(totals.values()), sorted(of_runs))


def test_the_picture_can_be_written(found: Versus, tmp_path: Path) -> None:
    """A dollar in a name is no formula; equal comparisons give equal files."""
    for name in ("one.svg", "two.svg"):
        write_versus(found, tmp_path / name, "svg")
    text = (tmp_path / "one.svg").read_text("utf-8")
    assert "one $layer: machines with equal multipliers; bars from left to right: per channel weights" in text
    assert text == (tmp_path / "two.svg").read_text("utf-8")
