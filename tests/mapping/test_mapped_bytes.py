"""Bytes moved are a consequence of order, residency and stacks: a plain loop nest counts the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import event, given
from naive_mapping import Moved, Sizes, moved_bytes
from strategies import Mapping, mappings, scenarios

from panacea_sim.errors import MappingError
from panacea_sim.hardware.config import Hardware, with_settings
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.mapping.plan import plan_layer
from panacea_sim.mapping.work import LayerWork
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.units import IntArray


def _wanted(work: LayerWork, output: OutputBytes, hardware: Hardware, order: str, height: int) -> Moved:
    tables = {"w": work.weight.total, "x": work.activation.total, "psum": 4 * work.outputs, "o": output.total.sum(2)}
    sizes = {name: _lookup(table) for name, table in tables.items()}
    capacity_bytes = {"w": hardware.wmem_bytes, "x": hardware.amem_bytes, "psum": hardware.psum_bytes}
    tiles = work.tiling.m_tiles, work.tiling.n_tiles, work.tiling.k_tiles
    return moved_bytes(order, tiles, height, sizes, capacity_bytes)


def _lookup(table: IntArray) -> Sizes:
    return lambda first, second: int(table[first, second])


@given(mappings())
def test_planned_bytes_are_those_of_the_loop_nest(mapping: Mapping) -> None:
    """Fetched and spilled bytes equal a count over the nested loops, in every order, residency and stack height."""
    plan = plan_layer("layer", mapping.work, mapping.hardware, mapping.order, mapping.height)
    wanted = _wanted(mapping.work, dense_outputs(mapping.work.tiling), mapping.hardware, mapping.order, mapping.height)
    sums = plan.partial_sums
    event(f"{mapping.order} x{mapping.height}")
    event(f"w stays {plan.weight_loads.resident}, x stays {plan.activation_loads.resident}, spills {sums.spills}")
    assert plan.weight_loads.size_bytes.sum() == wanted.weight
    assert plan.activation_loads.size_bytes.sum() == wanted.activation
    for is_return in (0, 1):
        assert sums.moved_bytes[sums.is_return == is_return].sum() == wanted.spilled_each_way


@at_most(200)
@given(scenarios())
def test_the_dram_moves_the_bytes_of_the_loop_nest(scenario: Scenario) -> None:
    """The channel's counters of a whole run, and the summary of the layer, equal the count over the nested loops."""
    outcome = run(replace(scenario, values=False), RunOptions(trace=TraceOptions("off")))
    (layer,) = outcome.prepared.program.layers
    wanted = _wanted_of(layer, outcome.prepared.hardware)
    event(f"spills {wanted.spilled_each_way > 0}")
    dram, (entry,) = outcome.summary.to_json()["dram"], outcome.summary.to_json()["layers"]
    assert dram["read_bytes"] == wanted.weight + wanted.activation + wanted.spilled_each_way
    assert dram["write_bytes"] == wanted.output + wanted.spilled_each_way
    assert entry["spilled_bytes"] == 2 * wanted.spilled_each_way
    assert (entry["weight_bytes"], entry["activation_bytes"]) == (wanted.weight, wanted.activation)
    assert (entry["loop_order"], entry["double_tile"]) == (layer.plan.order, scenario.settings["dtp"] == "on")


def _wanted_of(layer: PlannedLayer, hardware: Hardware) -> Moved:
    return _wanted(layer.plan.work, layer.output_bytes, hardware, layer.plan.order, layer.plan.height)


@given(mappings())
def test_resident_means_once_for_each_set_or_refused(mapping: Mapping) -> None:
    """With residency=resident a plan keeps both operands on chip, or the layer is refused."""
    hardware = with_settings(mapping.hardware, {"residency": "resident"})
    free = plan_layer("layer", mapping.work, mapping.hardware, mapping.order, mapping.height)
    stay = free.weight_loads.resident and free.activation_loads.resident
    try:
        plan = plan_layer("layer", mapping.work, hardware, mapping.order, mapping.height)
    except MappingError as error:
        assert not stay
        assert "set hardware.residency=auto" in str(error)  # noqa: PT017  # refusal is one of two right answers
    else:
        assert plan.weight_loads.resident
        assert plan.activation_loads.resident
        assert np.array_equal(plan.weight_loads.tile, free.weight_loads.tile)


@given(mappings())
def test_refused_spills_never_spill(mapping: Mapping) -> None:
    """With spill=refuse a plan moves no partial sums, or the layer is refused with the bytes that are missing."""
    hardware = with_settings(mapping.hardware, {"spill": "refuse"})
    spills = plan_layer("layer", mapping.work, mapping.hardware, mapping.order, mapping.height).partial_sums.spills
    if spills:
        with pytest.raises(
            MappingError, match=r"need \d+ at once: \d+ bytes are missing.*or set hardware\.spill=allow"
        ):
            plan_layer("layer", mapping.work, hardware, mapping.order, mapping.height)
    else:
        plan = plan_layer("layer", mapping.work, hardware, mapping.order, mapping.height)
        assert not plan.partial_sums.moved_bytes.any()
