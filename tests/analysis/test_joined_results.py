"""Runs put one behind the other: sums, and the highest of what cannot add up."""

from __future__ import annotations

from panacea_sim.analysis.joined_results import joined_results
from panacea_sim.engines.result import EngineResult
from panacea_sim.trace.schema import State
from panacea_sim.trace.totals import ChannelTotals, QueueTotals, StallTotal

_ALONE = EngineResult(
    10,
    {"w_dma": [StallTotal(State.BUSY, "", "", 10)]},
    {"w_dma": 2},
    {"q_w": QueueTotals(2, 4, 4, 2)},
    {"OMEM": QueueTotals(1000, 600, 600, 600)},
    {"dram0": ChannelTotals(100, 20, 3, 4, 5, 6, 7, 448, 8)},
    {},
)
_WITH_PARTIAL_SUMS = EngineResult(
    7,
    {"w_dma": [StallTotal(State.BUSY, "", "", 3), StallTotal(State.IDLE, "", "", 4)], "s_dma": _ALONE.totals["w_dma"]},
    {"w_dma": 1, "s_dma": 5},
    {"q_w": QueueTotals(2, 1, 1, 1), "q_s": QueueTotals(2, 1, 1, 1)},
    {"OMEM": QueueTotals(700, 300, 300, 200), "PSUM": QueueTotals(300, 90, 90, 90)},
    {"dram0": ChannelTotals(1, 2, 3, 4, 5, 5, 7, 448, 1)},
    {},
)


def test_figures_of_two_runs_by_hand() -> None:
    """Cycles, firings, tokens and bytes add up; capacities and high-water marks are those of the run with the most."""
    for results in ((_ALONE, _WITH_PARTIAL_SUMS), (_WITH_PARTIAL_SUMS, _ALONE)):
        joined = joined_results(results)
        assert joined.makespan_cycles == 17
        assert joined.firings == {"w_dma": 3, "s_dma": 5}
        assert joined.queues == {"q_w": QueueTotals(2, 5, 5, 2), "q_s": QueueTotals(2, 1, 1, 1)}
        assert joined.memories == {"OMEM": QueueTotals(1000, 900, 900, 600), "PSUM": QueueTotals(300, 90, 90, 90)}
        assert joined.channels == {"dram0": ChannelTotals(101, 22, 6, 8, 10, 11, 14, 896, 9)}


def test_a_part_that_a_run_lacks_was_idle_there() -> None:
    """`s_dma` is idle for the whole of a run that has none."""
    totals = joined_results((_ALONE, _WITH_PARTIAL_SUMS)).totals
    assert StallTotal(State.IDLE, "", "", 10) in totals["s_dma"]
    assert StallTotal(State.BUSY, "", "", 13) in totals["w_dma"]
