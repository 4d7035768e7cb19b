"""The picture of what-if results: its bars are the gains, and none of its texts is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from panacea_sim.analysis.whatif import Kind, WhatIf, WhatIfRow, gain_of, ranked
from panacea_sim.report.tornado import tornado_figure, write_tornado

BASE = 1000


def _row(knob: str, after: int | str, cycles: int | None, kind: Kind = "step", before: int | str = 4) -> WhatIfRow:
    obstacle = None if cycles is not None else "it does not fit"
    return WhatIfRow.model_validate(
        {
            "kind": kind,
            "knob": knob,
            "from": before,
            "to": after,
            "unit": "",
            "settings": {},
            "cycles_held": cycles,
            "cycles_planned": cycles,
            "obstacle_held": obstacle,
            "obstacle_planned": obstacle,
            "gain_held": gain_of(cycles, BASE),
            "gain_planned": gain_of(cycles, BASE),
            "cost": None,
        }
    )


def _found(*rows: WhatIfRow, scenario: str = "made up $x$") -> WhatIf:
    return WhatIf(
        scenario=scenario,
        hardware="panacea",
        key="0",
        makespan_cycles=BASE,
        layers=1,
        rows=ranked(rows),
        not_tried=(),
    )


FOUND = _found(
    _row("lanes", 8, 700),
    _row("lanes", 2, 1400),
    _row("depth", 8, 950),
    _row("depth", 2, 999),
    _row("split", "1+11", 4000),
    _row("split", "6+6", 800),
    _row("memory", 8, 1000),
    _row("memory", 2, None),
    _row("port", "first", 1100, before=0),
    _row("lo_bits", "6", 900, "data").model_copy(update={"sqnr_db": 20.04}),
    _row("lo_bits", "4", 1200, "data"),
    _row("lanes & split", "8, 6+6", 600, "pair", "4, 4+8"),
    _row("perfect_balance", "", 990, "ideal", ""),
)


def _bars(found: WhatIf) -> dict[str, list[float]]:
    """Return the ends of the bars of each lane, from the left."""
    (axes,) = tornado_figure(found).axes
    labels = {
        round(top, 3): text.get_text() for top, text in zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    }
    ends: dict[str, list[float]] = {label: [] for label in labels.values()}
    for bar in axes.patches:
        assert isinstance(bar, Rectangle)
        ends[labels[round(bar.get_y() + bar.get_height() / 2, 3)]].append(round(bar.get_x() + bar.get_width(), 6))
    return {label: sorted(found_ends) for label, found_ends in ends.items()}


def test_bars_are_gains_and_losses() -> None:
    """The largest gain on top; of each knob the best and the worst on either side; a bar of a long loss is cut."""
    assert _bars(FOUND) == {
        "lanes": [-0.3, 0.4],
        "split": [-0.2, 1.0],
        "depth": [-0.05],
        "port": [0.1],
        "lo_bits": [-0.1, 0.2],
        "lanes & split": [-0.4],
        "perfect balance": [-0.01],
    }
    assert list(_bars(FOUND)) == ["lanes", "split", "depth", "port", "lo_bits", "lanes & split", "perfect balance"]


def test_texts_name_the_value_and_the_change() -> None:
    """A bar that is cut still tells how long it would be."""
    (axes,) = tornado_figure(FOUND).axes
    texts = [text.get_text() for text in axes.texts]
    assert texts == [
        "8: -30.0%",
        "2: +40.0%",
        "6+6: -20.0%",
        "1+11: +300.0% >>",
        "8: -5.0%",
        "first: +10.0%",
        "6: -10.0% (20.0 dB)",
        "4: +20.0% (none lost)",
        "8, 6+6: -40.0%",
        "-1.0%",
    ]


@pytest.mark.parametrize(
    "found",
    [
        FOUND,
        _found(_row("a_field_with_a_very_long_name_bytes_per_cycle", 1_099_511_627_776, 1)),
        _found(
            _row("wmem_bytes & omem_bytes_per_cycle_of_a_machine", "1,099,511,627,776, 1,099,511,627,776", 400, "pair"),
            _row("short", "11+1", 9000),
        ),
        _found(_row("memory", 8, 1000), scenario="nothing " * 12),
    ],
    ids=["usual", "one long name", "a long pair", "nothing"],
)
def test_no_text_is_cut(found: WhatIf) -> None:
    """Every label, text and title lies in the picture."""
    figure = tornado_figure(found)
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    box = figure.bbox
    shown = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]
    assert len(shown) > 3
    for text in shown:
        extent = text.get_window_extent()
        assert box.x0 <= extent.x0 <= extent.x1 <= box.x1, text.get_text()
        assert box.y0 <= extent.y0 <= extent.y1 <= box.y1, text.get_text()


def test_nothing_to_draw_is_said() -> None:
    """Where no knob changes anything the axis says so."""
    (axes,) = tornado_figure(_found(_row("memory", 8, 1000))).axes
    assert axes.get_xlabel() == "cycles against the base\nno knob changes them by 0.05% or more"


def test_equal_results_give_equal_files(tmp_path: Path) -> None:
    """Vector files have no date in them, and their text is text."""
    for ending in ("png", "svg", "pdf"):
        for name in ("one", "two"):
            write_tornado(FOUND, tmp_path / f"{name}.{ending}", ending)
        assert (tmp_path / f"one.{ending}").read_bytes() == (tmp_path / f"two.{ending}").read_bytes()
    assert "1+11: +300.0% &gt;&gt;" in (tmp_path / "one.svg").read_text("utf-8")
