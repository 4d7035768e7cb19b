"""The work of the PE arrays against a second, plain implementation that knows neither numpy nor the package."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from case_counts import at_most
from hypothesis import example, given
from hypothesis import strategies as st
from naive_work import Work, shared, tile_work
from panacea_works import given_steps
from strategies import scenarios

from panacea_sim.hardware.config import load_hardware, with_settings
from panacea_sim.machines.panacea.pea import pea_work
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.gemm_layer import GemmLayer

_PANACEA = load_hardware("panacea")


@at_most(200)
@given(scenarios())
def test_pea_cycles_and_operators_equal_the_plain_count(scenario: Scenario) -> None:
    """Each PEA is busy for the sum of its tiles, and the operators do the whole work, counted from the operands."""
    outcome = run(replace(scenario, values=False), RunOptions(trace=TraceOptions("off")))
    (layer,) = outcome.prepared.layers
    settings: Any = scenario.settings
    by_pea = [_pea_work(layer, settings, pea) for pea in range(settings["n_pea"])]

    components, operators = outcome.summary.to_json()["components"], outcome.summary.to_json()["operators"]
    assert [components[f"pea{pea}"]["busy"] for pea in range(len(by_pea))] == [work.cycles for work in by_pea]
    for name in ("dwo", "swo", "cs"):
        assert operators[f"{name}_busy"] == sum(getattr(work, name) for work in by_pea)
        assert (
            operators[f"{name}_capacity"]
            == len(by_pea) * settings[f"n_{name}"] * outcome.summary.to_json()["makespan_cycles"]
        )


def _pea_work(layer: GemmLayer, settings: dict[str, Any], pea: int) -> Work:
    """Count stack by stack: every vector that is stored meets every vector that is stored."""
    v, tile_k, tile_n = settings["v"], settings["tile_k"], settings["tile_n"]
    tile_m = settings["n_pea"] * v
    stack_rows = tile_m * {"off": 1, "on": 2}[settings["dtp"]]
    dwo = swo = cs = cycles = 0
    for first_of_stack in range(0, layer.M, stack_rows):
        firsts = range(first_of_stack + pea * v, min(first_of_stack + stack_rows, layer.M), tile_m)
        for first_k in range(0, layer.K, tile_k):
            depth = range(first_k, min(first_k + tile_k, layer.K))
            for first_n in range(0, layer.N, tile_n):
                columns = range(first_n, min(first_n + tile_n, layer.N))
                # The last stack may have one tile only, and this PEA no rows in the last tile.
                tiles = [tile_work(layer, range(row, min(row + v, layer.M)), depth, columns, v) for row in firsts]
                if tiles:
                    done = shared(tiles, settings["n_dwo"], settings["n_swo"], settings["n_cs"])
                    dwo, swo, cs, cycles = dwo + done.dwo, swo + done.swo, cs + done.cs, cycles + done.cycles
    return Work(dwo, swo, cs, cycles)


# Double-tile processing


@given(
    tiles=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60)), min_size=1, max_size=5),
    operators=st.tuples(*[st.integers(1, 9)] * 3),
    height=st.sampled_from([1, 2]),
)
# Idle DWOs take over static work: the case worked by hand below.
@example(tiles=[(4, 60, 0), (4, 60, 0)], operators=(4, 8, 4), height=2)
def test_cycles_of_a_stack_are_the_least_over_all_shares(
    tiles: list[tuple[int, int, int]], operators: tuple[int, int, int], height: int
) -> None:
    """The closed form gives the cycles and the shares of the operators that trying every share of work finds."""
    dwo, swo, cs = np.array(tiles).T[:, :, None, None, None]
    tiling = SlicedTiling(4 * len(tiles), 1, 4, v=4, tile_m=4, tile_k=1, tile_n=4)
    none = np.zeros((0, 1, 1), np.bool_)
    work = given_steps(tiling, SkipMasks(none, none), (dwo, swo, cs))
    n_dwo, n_swo, n_cs = operators
    found = pea_work(work, with_settings(_PANACEA, {"n_dwo": n_dwo, "n_swo": n_swo, "n_cs": n_cs}), height)
    wanted = [shared(tiles[first : first + height], *operators) for first in range(0, len(tiles), height)]
    for name in ("dwo", "swo", "cs", "cycles"):
        assert getattr(found, name).ravel().tolist() == [getattr(stack, name) for stack in wanted]


def test_the_second_tile_shares_its_static_work_by_hand() -> None:
    """Two tiles with nothing skipped statically: 60 + 60 steps for 8 SWOs are shared with 4 idle DWOs."""
    # Alone each takes max(4/4, 60/8) = 8 cycles. Together 8 + 120 = 128 steps on 12 operators: 11 cycles, in which the
    # SWOs do 88 steps and the DWOs take over 32, which fits their 44.
    assert shared([(4, 60, 0), (4, 60, 0)], 4, 8, 4) == Work(8 + 32, 88, 0, 11)
    # One DWO cannot help: ceil(128 / 9) = 15 cycles, which the SWOs need alone.
    assert shared([(4, 60, 0), (4, 60, 0)], 1, 8, 4) == Work(8, 120, 0, 15)
