"""What rivals are busy for, against closed forms in plain Python."""

from __future__ import annotations

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st
from naive_rivals import parts, sa_os_cycles, sa_ws_cycles

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.masked_layer import MaskedLayer

IDEAL: dict[str, object] = {"dram": "ideal", "dram_channels": 1}
_SHAPES = st.tuples(st.integers(1, 200), st.integers(1, 600), st.integers(1, 200))


def _dense(shape: tuple[int, int, int], **widths: int) -> MaskedLayer:
    return MaskedLayer("layer", *shape, 0.0, 0.0, 0, **widths)


def _served_cycles(machine: str, shape: tuple[int, int, int], settings: dict[str, object], order: str) -> int:
    """Return the cycles that the array serves for a layer in this loop order, and check the bound of the machine."""
    hardware = load_hardware(machine, IDEAL | settings)
    kind = machine_of(hardware)
    work = kind.work(_dense(shape), hardware, None)
    description = kind.describe(plan_program(hardware, [plan_layer("layer", work, hardware, order, 1)]))
    (array,) = [part for part in description.components if part.name == "array"]
    assert array.actions[0].total() == np.prod(shape)
    assert kind.least_cycles(work, hardware, 1) <= array.served_cycles
    return array.served_cycles


@at_most(100)
@given(_SHAPES, st.integers(1, 30), st.integers(1, 30), st.integers(1, 300), st.sampled_from(["mnk", "nmk"]))
def test_an_output_stationary_array(
    shape: tuple[int, int, int], rows: int, columns: int, tile_k: int, order: str
) -> None:
    """With K innermost each output tile costs K and once the skew of the rows and columns that it has."""
    settings: dict[str, object] = {"array_rows": rows, "tile_n": columns, "tile_k": tile_k}
    assert _served_cycles("sa_os", shape, settings, order) == sa_os_cycles(shape, rows, columns)


@at_most(100)
@given(_SHAPES, st.integers(4, 30), st.integers(4, 30), st.integers(4, 100), st.sampled_from(LOOP_ORDERS))
def test_a_weight_stationary_array(
    shape: tuple[int, int, int], rows: int, columns: int, tile_n: int, order: str
) -> None:
    """In every loop order each pair of tiles loads its weights and lets its columns pass."""
    settings: dict[str, object] = {"tile_k": rows, "array_columns": columns, "tile_n": tile_n}
    assert _served_cycles("sa_ws", shape, settings, order) == sa_ws_cycles(shape, rows, columns, tile_n)


def test_sums_that_do_not_fit_name_what_helps() -> None:
    """A weight-stationary array gives its sums away after every task: no loop order helps, but smaller tiles do."""
    scenario = Scenario("layer", _dense((768, 768, 128)), "sa_ws", IDEAL | {"psum_bytes": 16_383})
    with pytest.raises(MappingError, match=r"Raise hardware\.psum_bytes, lower hardware\.tile_n$"):
        run(scenario)


@at_most(30)
@given(st.tuples(st.integers(1, 40), st.integers(1, 60), st.integers(1, 40)), st.sampled_from(["mkn", "kmn", "knm"]))
def test_an_output_stationary_array_that_is_visited_again(shape: tuple[int, int, int], order: str) -> None:
    """Where K is not innermost, every visit of several k tiles, or of one, pays the skew again."""
    settings: dict[str, object] = {"array_rows": 5, "tile_n": 7, "tile_k": 16}
    m_tiles, n_tiles = len(parts(shape[0], 5)), len(parts(shape[2], 7))
    # Tasks on one output tile follow each other where the loops inside that over k have one step.
    inner = {"mkn": n_tiles, "kmn": m_tiles * n_tiles, "knm": m_tiles * n_tiles}[order]
    visits = 1 if inner == 1 else len(parts(shape[1], 16))
    skews = sum(r + c - 2 for r in parts(shape[0], 5) for c in parts(shape[2], 7))
    wanted = m_tiles * n_tiles * shape[1] + visits * skews
    assert _served_cycles("sa_os", shape, settings, order) == wanted


@pytest.mark.parametrize(
    ("machine", "busy"),
    [("sa_os", 32 * 4 * (768 + 24 + 32 - 2)), ("sa_ws", 24 * 32 * (24 + 128 + 24 + 32 - 2))],
)
def test_the_preset_on_a_layer_of_bert(machine: str, busy: int) -> None:
    """On 768 x 768 x 128 the array is busy for the cycles of the closed form: 105,216 output-stationary."""
    pytest.importorskip("numba")
    scenario = Scenario("layer", _dense((768, 768, 128)), machine, IDEAL)
    summary = run(scenario, RunOptions(engine="compiled", trace=TraceOptions("off"))).summary
    assert summary.components["array"]["busy"] == busy
    assert machine == "sa_ws" or busy == 105_216
    assert busy < summary.makespan_cycles < 1.02 * busy


def test_bitfusion_is_bound_by_its_multipliers() -> None:
    """At 8 x 8 bits little is lost above four products of 4 bits each; 4-bit weights take half the cycles."""
    pytest.importorskip("numba")
    shape = (2560, 2560, 2048)
    cycles = {}
    for weight_bits in (7, 4):
        scenario = Scenario("layer", _dense(shape, weight_bits=weight_bits), "bitfusion", IDEAL)
        summary = run(scenario, RunOptions(engine="compiled", trace=TraceOptions("off"))).summary
        cycles[weight_bits] = summary.makespan_cycles
        pairs = {7: 4, 4: 2}[weight_bits]
        # Every operator makes 16 products a step.
        assert sum(of["product_steps"] for name, of in summary.actions.items() if name.startswith("pea")) == (
            pairs * np.prod(shape) // 16
        )
    assert 1.0 < cycles[7] / (np.prod(shape) / 768) < 1.03
    assert 1.98 < cycles[7] / cycles[4] <= 2.0


@pytest.mark.parametrize("weight_bits", [4, 7, 10])
def test_simd_takes_as_long_for_fewer_bits(weight_bits: int) -> None:
    """Products of any width are products of 8 bits, and a tile of 64 x 32 x 64 takes ceil(4 x 32 x 16 / 12) cycles."""
    hardware = load_hardware("simd", IDEAL)
    kind = machine_of(hardware)
    work = kind.work(_dense((64, 32, 64), weight_bits=weight_bits), hardware, None)
    description = kind.describe(plan_program(hardware, [plan_layer("layer", work, hardware, "mnk", 1)]))
    peas = [part for part in description.components if part.group == "pea"]
    assert [part.served_cycles for part in peas] == [171] * 16
    assert [part.actions[0].total() for part in peas] == [32 * 16] * 16
    assert (int(work.weight.total.sum()), int(work.activation.total.sum())) == (64 * 32, 32 * 64)
