"""What runs count for energy: every operation a second time from operands, and bytes as DRAM moved them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from naive_work import Cut, activation_size, tile_work, weight_size
from panacea_works import layer_work
from strategies import scenarios

from panacea_sim.analysis.operations import operations_of
from panacea_sim.hardware.config import Hardware, load_hardware
from panacea_sim.machines.machine import described, machine_of
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.workload.synthetic import synthetic_layer

_NO_FILLERS = 8
"""T_K at which no run of skipped vectors is long enough for a filler."""


def _totals(operations: dict[str, dict[str, int]]) -> Counter[str]:
    totals: Counter[str] = Counter()
    for of_component in operations.values():
        totals.update(of_component)
    return totals


def _of_work(work: LayerWork, hardware: Hardware, order: str = "mnk", height: int = 1) -> Counter[str]:
    program = plan_program(hardware, [plan_layer("layer", work, hardware, order, height)])
    return _totals(operations_of(described(program), hardware))


@pytest.mark.parametrize("order", ["mnk", "nmk", "kmn"])
@pytest.mark.parametrize("v", [2, 4])
def test_operations_counted_from_operands(order: str, v: int) -> None:
    """Products, additions, register bits and bytes of each memory, task by task from the layer's numbers."""
    layer = synthetic_layer(40, 50, 36, rho_w=0.4, rho_x=0.7, seed=v)
    wished = {
        "v": v,
        "n_pea": 4,
        "tile_k": 16,
        "tile_n": 16,
        "omem_bytes": 1 << 15,
        "psum_bytes": 1 << 14,
        "dtp": "off",
    }
    hardware = load_hardware("panacea", wished)
    cut = Cut(v, 4 * v, 16, 16)
    found = _of_work(machine_of(hardware).work(layer, hardware, None), hardware, order)
    tiles = [range(0, size, step) for size, step in ((40, cut.tile_m), (36, 16), (50, 16))]
    products = compensation = weight_bytes = activation_bytes = 0
    for m, n, k in itertools.product(*tiles):
        depth, columns = range(k, min(k + 16, 50)), range(n, min(n + 16, 36))
        for row in range(m, min(m + cut.tile_m, 40), v):
            dynamic, static, added = tile_work(layer, range(row, min(row + v, 40)), depth, columns, v)
            products += (dynamic + static) * v * v
            compensation += added * v
        weight_bytes += weight_size(layer, cut, m // cut.tile_m, k // 16).total
        activation_bytes += activation_size(layer, cut, n // 16, k // 16).total
    assert found["multiply_4b"] == found["add_32b"] == products
    assert found["register_bits"] == 32 * products
    assert found["compensate_32b"] == compensation
    assert found["WMEM.read_bytes"] == weight_bytes
    assert found["AMEM.read_bytes"] == activation_bytes
    visits = len(tiles[2]) if order == "kmn" else 1
    outputs = 40 * 36
    spilled = (visits - 1) * 4 * outputs if found["dram_written_bytes"] > outputs else 0
    assert found["OMEM.written_bytes"] == visits * 4 * outputs + outputs + spilled
    assert found["OMEM.read_bytes"] == (visits - 1) * 4 * outputs + 4 * outputs + outputs + spilled


@pytest.mark.parametrize("psum_bytes", [1 << 12, 1 << 14])
def test_spilled_sums_pass_omem_once_more(psum_bytes: int) -> None:
    """Partial sums that go to DRAM and back are read from OMEM and written into it for that, others are not."""
    layer = synthetic_layer(64, 64, 64, rho_w=0.4, rho_x=0.7, seed=1)
    wished = {"n_pea": 4, "tile_n": 16, "tile_k": 32, "omem_bytes": 1 << 16, "psum_bytes": psum_bytes, "dtp": "off"}
    hardware = load_hardware("panacea", wished)
    program = plan_program(
        hardware, [plan_layer("layer", machine_of(hardware).work(layer, hardware, None), hardware, "kmn", 1)]
    )
    operations = operations_of(described(program), hardware)
    moved = 64 * 64 * 4 if psum_bytes == 1 << 12 else 0
    assert operations["s_dma"].get("OMEM.read_bytes") == moved == operations["s_dma"].get("dram_written_bytes", 0)
    assert operations["s_dma"].get("OMEM.written_bytes") == moved == operations["s_dma"].get("dram_read_bytes", 0)


@given(scenario=scenarios(), device=st.sampled_from(["ideal", "hbm2", "ddr4_3200"]))
@settings(max_examples=15)
def test_bytes_charged_are_bytes_moved(scenario: Scenario, device: str) -> None:
    """DRAM moved what is charged, in as many bursts; what is fetched is what is written into the memories."""
    hardware = {**dict(scenario.settings), "dram": device}
    again = Scenario("run", scenario.layer, scenario.hardware, hardware, values=False)
    summary = run(again, RunOptions(trace=TraceOptions("off"), engine="reference")).summary
    assert summary.operations is not None
    found = _totals(summary.operations)
    assert found["dram_read_bytes"] == summary.dram.read_bytes
    assert found["dram_written_bytes"] == summary.dram.write_bytes
    assert found["dram_read_bursts"] + found["dram_written_bursts"] == summary.dram.bursts
    (layer,) = summary.layers
    assert found["WMEM.written_bytes"] == layer.weight_bytes
    assert found["AMEM.written_bytes"] == layer.activation_bytes
    assert found["dram_read_bytes"] + found["dram_written_bytes"] == (
        layer.weight_bytes + layer.activation_bytes + layer.output_bytes + layer.spilled_bytes
    )


@given(seed=st.integers(0, 2**32 - 1), rho=st.floats(0, 1), k=st.integers(1, 40), height=st.sampled_from([1, 2]))
@settings(max_examples=30)
def test_skipping_more_never_raises_the_work(seed: int, rho: float, k: int, height: int) -> None:
    """With every vector that is skipped besides, multiplications and all that follows from them stay or fall."""
    numbers = np.random.default_rng(seed)
    hardware = load_hardware("panacea", {"n_pea": 4, "tile_k": _NO_FILLERS, "tile_n": 16, "dtp": "auto"})
    tiling = SlicedTiling(30, k, 21, 16, _NO_FILLERS, 16, 4)
    weight, activation = (numbers.random((1, groups, k)) < rho for groups in (8, 6))
    fewer = [mask & (numbers.random(mask.shape) < 0.5) for mask in (weight, activation)]
    more_skipped = _of_work(layer_work(tiling, SkipMasks(weight, activation)), hardware, height=height)
    less_skipped = _of_work(layer_work(tiling, SkipMasks(*fewer)), hardware, height=height)
    for operation in ("multiply_4b", "add_32b", "register_bits", "compensate_32b", "WMEM.read_bytes"):
        assert more_skipped[operation] <= less_skipped[operation], operation


@given(seed=st.integers(0, 2**32 - 1), rho_w=st.floats(0, 1), rho_x=st.floats(0, 1))
@settings(max_examples=20)
def test_no_skip_costs_more_than_none(seed: int, rho_w: float, rho_x: float) -> None:
    """With fillers of the run-length code too, a layer with skips multiplies no more than the one without."""
    numbers = np.random.default_rng(seed)
    hardware = load_hardware("panacea", {"n_pea": 4, "tile_k": 32, "tile_n": 16, "dtp": "off"})
    tiling = SlicedTiling(30, 70, 21, 16, 32, 16, 4)
    masks = [numbers.random((1, groups, 70)) < rho for groups, rho in ((8, rho_w), (6, rho_x))]
    none = [np.zeros_like(mask) for mask in masks]
    skipping, dense = (_of_work(layer_work(tiling, SkipMasks(*each)), hardware) for each in (masks, none))
    for operation in ("multiply_4b", "add_32b", "compensate_32b"):
        assert skipping[operation] <= dense[operation]


def test_the_inventory_counts_the_machine() -> None:
    """Multipliers of the operators, adders of the CS, memories with their banks; VMEM where vector work is apart."""
    hardware = load_hardware("panacea", {"n_pea": 3, "v": 2, "n_dwo": 5, "n_swo": 6, "n_cs": 7, "vector": "unfused"})
    inventory = MACHINE.inventory(hardware)
    assert dict(inventory.units) == {"pea": {"multiply_4b": 3 * 11 * 4, "compensate_32b": 3 * 7 * 2}}
    assert [(each.name, each.size_bytes, each.banks) for each in inventory.memories] == [
        ("WMEM", 98304, 4),
        ("AMEM", 65536, 4),
        ("OMEM", 32768, 16),
        ("VMEM", 65536, 4),
    ]
    assert (inventory.dram, inventory.dram_channels) == ("hbm2", 2)
    assert MACHINE.inventory(load_hardware("panacea")).memories == inventory.memories[:3]


def test_a_run_of_several_layers_counts_all() -> None:
    """Operations of layers that overlap are those of the layers, each by itself."""
    layers = tuple(synthetic_layer(30, 40, 20, rho_w=0.3, rho_x=0.6, seed=seed, name=str(seed)) for seed in (1, 2))

    def counted(*some: Any) -> Counter[str]:  # noqa: ANN401  # layers
        prepared = prepare(Scenario("run", some, settings={"loop_order": "mnk", "dtp": "off"}, values=False))
        assert isinstance(prepared, Prepared)
        return _totals(operations_of(prepared.description, prepared.hardware))

    assert counted(*layers) == counted(layers[0]) + counted(layers[1])
