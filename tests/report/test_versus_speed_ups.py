"""Several comparisons in one table."""

from __future__ import annotations

from rich.console import Console

from panacea_sim.analysis.versus.contender import Contender, Part, Versus
from panacea_sim.report.versus_speed_ups import print_speed_ups


def _bound(name: str, cycles: int) -> Contender:
    return Contender(name, "", None, bound_cycles=cycles, bound_compute_cycles=cycles)


def _versus(workload: str, simd: int, sibia: int) -> Versus:
    part = Part("per channel", None, (_bound("sibia", sibia), _bound("simd", simd)))
    return Versus(workload, "equal", "multipliers", "simd", None, None, (part,))


def test_the_table_has_speed_ups_and_their_geometric_mean() -> None:
    """Twice and eight times as fast are four times: a workload counts once, however long it is."""
    console = Console(width=200, record=True)
    print_speed_ups(console, [_versus("short", 1_000_000, 500_000), _versus("long", 80_000_000, 10_000_000)])
    rows = [line.split() for line in console.export_text().splitlines()]
    assert ["sibia", "2.00", "8.00", "4.00"] in rows
    assert ["simd", "1.00", "1.00", "1.00"] in rows
    assert ["M", "cycles", "of", "simd", "1.00", "80.00"] in rows
    assert rows[-1] == ["Terms:", "equal"]
