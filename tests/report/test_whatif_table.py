"""What-if results in a terminal."""

from __future__ import annotations

import io

from rich.console import Console

from panacea_sim.analysis.whatif import CostChange, NotTried, WhatIf, WhatIfRow, gain_of, ranked
from panacea_sim.report.whatif import print_whatif

BASE = 10_000


def _row(knob: str, after: int | str, planned: int | None, held: int | None, cost: CostChange) -> WhatIfRow:
    return WhatIfRow.model_validate(
        {
            "kind": "step",
            "knob": knob,
            "from": 4096,
            "to": after,
            "unit": "lanes",
            "settings": {knob: after},
            "cycles_held": held,
            "cycles_planned": planned,
            "obstacle_held": None if held is not None else "no",
            "obstacle_planned": None if planned is not None else "no",
            "gain_held": gain_of(held, BASE),
            "gain_planned": gain_of(planned, BASE),
            "cost": cost,
        }
    )


def _cost(multipliers: int | None = 0, sram_bytes: int = 0, dram: float = 0) -> CostChange:
    return CostChange(multipliers=multipliers, sram_bytes=sram_bytes, dram_bytes_per_cycle=dram)


FOUND = WhatIf(
    scenario="[made] up",
    hardware="panacea",
    key="0",
    makespan_cycles=BASE,
    layers=1,
    rows=ranked(
        [
            _row("lanes", 8192, 7000, 7500, _cost()),
            _row("memory", 2048, None, None, _cost(sram_bytes=-2048)),
            _row("other", 8192, 9000, None, _cost(1024, 100, 8)),
            _row("spare", 8192, 10_001, 10_001, _cost(sram_bytes=4096)),
            _row("spare", 2048, 10_002, 10_000, _cost(sram_bytes=-4096)),
            _row("word", "first", 10_100, 10_100, _cost(multipliers=None)),
        ]
    ),
    not_tried=(NotTried(knob="a", reason="r"), NotTried(knob="b", reason="s"), NotTried(knob="c", reason="r")),
)


def _printed(width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_whatif(console, FOUND)
    return console.file.getvalue()  # type: ignore[attr-defined]  # a StringIO


def test_gains_and_costs() -> None:
    """Cycles, gain, shares of both gains, and what is counted of the cost or else the step itself."""
    lines = [" ".join(line.split()) for line in _printed(200).splitlines()]
    assert lines[0] == "[made] up on panacea: 10,000 cycles, each change run again"
    for wanted in (
        "lanes 4,096 8,192 7,000 3,000 30.0% 25.0% +4,096 lanes",
        "other 4,096 8,192 9,000 1,000 10.0% does not fit +1,024 multipliers, +100 bytes SRAM, +8 bytes/cycle DRAM",
        "word 4,096 first 10,100 -100 -1.0% -1.0% none",
        "memory 4,096 2,048 does not fit - - does not fit -2 KiB SRAM",
    ):
        assert wanted in lines
    assert "Below 0.05% either way: spare 8,192 or 2,048." in lines
    assert "Among them, what saves hardware: spare 2,048 (-4 KiB SRAM)." in lines
    assert lines[-1] == "Not tried: a, c (r); b (s)."


def test_where_there_is_little_room_cycles_are_left_out_before_the_cost() -> None:
    """The gain says what the cycles say; nothing else says what a step costs."""
    seen = {}
    for width in range(60, 140):
        titles = next(line.split() for line in _printed(width).splitlines() if line.split()[:2] == ["knob", "from"])
        seen[width] = ("cycles" in titles, "cost" in titles)
    assert list(dict.fromkeys(seen.values())) == [(False, False), (False, True), (True, True)]


def test_no_figure_is_cut() -> None:
    """At any width every number is whole; cycles are left out as a column, which is said."""
    for width in (20, 40, 60, 80, 120):
        printed = _printed(width)
        cycles = () if f"Left out at {width} columns: cycles" in printed else ("7,000", "10,100")
        for figure in ("3,000", "30.0%", "25.0%", "-100", *cycles):
            assert figure in printed, (width, figure)
