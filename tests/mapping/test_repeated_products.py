"""Layers of several products: in every figure they are as many layers of one product, one behind the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from panacea_works import layer_work

from panacea_sim.description.description import Description
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.engines.result import EngineResult
from panacea_sim.hardware.config import Hardware, load_hardware, with_settings
from panacea_sim.machines.machine import described
from panacea_sim.machines.panacea.pea import pea_work
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.panacea.work import PanaceaWork
from panacea_sim.machines.shared.program import plan_program
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import SkipMasks
from panacea_sim.mapping.graph import issue_order
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.trace.recorder import Recorder

_IDEAL = load_hardware("panacea", {"dram": "ideal", "dram_bytes_per_cycle": 8, "dram_channels": 1, "spill": "allow"})


def _works(draw: st.DrawFn) -> tuple[PanaceaWork, list[PanaceaWork]]:
    """Draw the work of a layer of a few products, and that of each product alone."""
    v, n_pea, tile_k = draw(st.sampled_from([1, 2, 4])), draw(st.integers(1, 3)), draw(st.sampled_from([1, 3, 20]))
    tile_m, tile_n = v * n_pea, v * draw(st.integers(1, 2))
    rows, depth, columns = (draw(st.integers(1, 3 * tile)) for tile in (tile_m, tile_k, tile_n))
    repeat, slices = draw(st.integers(1, 4)), draw(st.integers(0, 2))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    density = draw(st.sampled_from([0.1, 0.5, 0.97]))
    masks = [
        [generator.random((slices, -(-lanes // v), depth)) < density for lanes in (rows, columns)]
        for _ in range(repeat)
    ]
    tiling = SlicedTiling(rows, depth, columns, tile_m, tile_k, tile_n, v)
    weight, activation = (np.concatenate(each, 1) for each in zip(*masks, strict=True))
    whole = layer_work(replace(tiling, repeat=repeat), SkipMasks(weight, activation))
    return whole, [layer_work(tiling, SkipMasks(*each)) for each in masks]


def _joined(works: list[PanaceaWork], name: str, axis: int = 0) -> np.ndarray:
    return np.concatenate([getattr(work, name) for work in works], axis)


@settings(at_most(150), phases=[Phase.explicit, Phase.reuse, Phase.generate])  # the data are too large to be shrunk
@given(st.data())
def test_work_is_that_of_the_products(data: st.DataObject) -> None:
    """Bytes, entries and steps of every tile are those that the products have alone."""
    whole, singles = data.draw(st.composite(_works)())
    for name in ("dwo", "swo", "cs", "weight_entries", "activation_entries", "outputs"):
        assert np.array_equal(getattr(whole, name), _joined(singles, name))
    for operand in ("weight", "activation"):
        parts = [getattr(work, operand) for work in singles]
        assert np.array_equal(getattr(whole, operand).ho, np.concatenate([part.ho for part in parts]))
        assert np.array_equal(getattr(whole, operand).lo, np.concatenate([part.lo for part in parts]))
    assert whole.stored_w.vectors == sum(work.stored_w.vectors for work in singles)
    assert whole.tiling.tile_tasks == sum(work.tiling.tile_tasks for work in singles)
    hardware = panacea_hardware(_hardware(whole, data))
    for height in (1, 2):
        works = [pea_work(work, hardware, height) for work in singles]
        found = pea_work(whole, hardware, height)
        assert np.array_equal(found.cycles, np.concatenate([work.cycles for work in works]))
        assert np.array_equal(found.dwo, np.concatenate([work.dwo for work in works]))


def _hardware(whole: PanaceaWork, data: st.DataObject) -> Hardware:
    """Draw a machine whose memories hold anything from the largest tile to all tiles."""
    tiling = whole.tiling
    sizes = {
        "wmem_bytes": 2 * whole.weight.total,
        "amem_bytes": whole.activation.total,
        "psum_bytes": 8 * whole.outputs,
    }
    settings = {name: data.draw(st.integers(int(each.max()), int(each.sum()))) for name, each in sizes.items()}
    settings["omem_bytes"] = settings["psum_bytes"] + 8 * int(whole.outputs.max())
    settings |= {"v": tiling.v, "n_pea": tiling.tile_m // tiling.v, "tile_k": tiling.tile_k, "tile_n": tiling.tile_n}
    return with_settings(_IDEAL, settings)


def _run(hardware: Hardware, plans: list[LayerPlan]) -> tuple[Description, EngineResult]:
    description = described(plan_program(hardware, plans))
    names = [part.name for part in description.components]
    return description, run_reference(description, Recorder(layers=[plan.name for plan in plans]), None, names)


@settings(at_most(100), phases=[Phase.explicit, Phase.reuse, Phase.generate])  # the data are too large to be shrunk
@given(st.data())
def test_a_layer_of_products_takes_the_cycles_of_the_products(data: st.DataObject) -> None:
    """Every firing of every component begins and ends when it does in a run of the products as layers of their own."""
    whole, singles = data.draw(st.composite(_works)())
    hardware = _hardware(whole, data)
    order, height = data.draw(st.sampled_from(LOOP_ORDERS)), data.draw(st.sampled_from([1, 2]))
    plan = plan_layer("whole", whole, hardware, order, height)
    plans = [plan_layer(f"product {at}", work, hardware, order, height) for at, work in enumerate(singles)]
    # A layer keeps its tiles where the largest of all panels fits; products alone decide each for itself.
    for loads in ("weight_loads", "activation_loads"):
        assume({getattr(each, loads).resident for each in plans} == {getattr(plan, loads).resident})
    # Where sums spill, the first fetch of a product may go before the last return of the one before it.
    assume(not plan.partial_sums.spills)
    together, wanted = _run(hardware, [plan])[1], _run(hardware, plans)[1]
    assert together.makespan_cycles == wanted.makespan_cycles
    for name, times in wanted.times.items():
        assert np.array_equal(together.times[name].start_cycle, times.start_cycle), name
        assert np.array_equal(together.times[name].end_cycle, times.end_cycle), name
    assert together.totals == wanted.totals
    assert together.queues == wanted.queues
    assert together.memories == wanted.memories


@settings(at_most(100), phases=[Phase.explicit, Phase.reuse, Phase.generate])  # the data are too large to be shrunk
@given(st.data())
def test_steps_of_a_firing_are_those_of_its_product(data: st.DataObject) -> None:
    """Whatever a firing of a decoder, the dispatcher, a PEA or the output path counts, it counts for its product."""
    whole, singles = data.draw(st.composite(_works)())
    hardware = with_settings(_hardware(whole, data), {"wmem_bytes": 2**30, "amem_bytes": 2**30})
    order, height = data.draw(st.sampled_from(LOOP_ORDERS)), data.draw(st.sampled_from([1, 2]))
    plan = plan_layer("whole", whole, hardware, order, height)
    plans = [plan_layer(f"product {at}", work, hardware, order, height) for at, work in enumerate(singles)]
    together, wanted = (described(plan_program(hardware, each)).components for each in ([plan], plans))
    for one, other in zip(together, wanted, strict=True):
        assert one.firings == other.firings, one.name
        if one.role != "spill":  # may go ahead at the seam of two products
            every = np.arange(one.firings)
            for mine, theirs in zip(one.actions, other.actions, strict=True):
                assert mine.amounts(every).tolist() == theirs.amounts(every).tolist(), (one.name, mine.name)
                assert mine.total() == theirs.total(), (one.name, mine.name)


@pytest.mark.parametrize(("order", "loads"), [("nmk", "weight_loads"), ("mnk", "activation_loads")])
def test_a_panel_stays_where_the_largest_of_all_products_fits(order: str, loads: str) -> None:
    """Products share no panel: an operand stays on chip while one product reads it, in room for the largest of them."""
    generator = np.random.default_rng(4)
    tiling = SlicedTiling(24, 30, 20, 4, 6, 4, 2, repeat=3)
    masks = SkipMasks(generator.random((1, 36, 30)) < 0.5, generator.random((1, 30, 30)) < 0.5)
    work = layer_work(tiling, masks)
    tiles = (work.weight if loads == "weight_loads" else work.activation).total
    panels = [int(panel.sum()) for panel in np.split(tiles, 3)]
    assert len(set(panels)) > 1
    settings = {"tile_k": 6, "tile_n": 4, "n_pea": 2, "v": 2}
    for missing_bytes in (0, 1):
        room = dict.fromkeys(("wmem_bytes", "amem_bytes"), max(panels) - missing_bytes)
        plan = plan_layer("layer", work, load_hardware("panacea", settings | room), order, 1)
        found = getattr(plan, loads)
        assert found.resident == (not missing_bytes)
        assert (int(found.size_bytes.sum()) == sum(panels)) == (not missing_bytes)


@pytest.mark.parametrize("order", LOOP_ORDERS)
@pytest.mark.parametrize("height", [1, 2])
def test_groups_follow_product_after_product(order: str, height: int) -> None:
    """The graph of a layer has the groups of each product in the loop order, numbered on, and tasks follow it."""
    tiling = SlicedTiling(20, 6, 10, 4, 3, 4, 2, repeat=3)
    work = layer_work(tiling, SkipMasks(np.zeros((1, 30, 6), bool), np.zeros((1, 15, 6), bool)))
    plan = plan_layer(
        "layer", work, load_hardware("panacea", {"tile_k": 3, "tile_n": 4, "n_pea": 2, "v": 2}), order, height
    )
    m, n = issue_order(plan.graph)
    stacks = -(-5 // height)
    inner = (
        [(m, n) for m in range(stacks) for n in range(3)]
        if order.index("m") < order.index("n")
        else [(m, n) for n in range(3) for m in range(stacks)]
    )
    wanted = [(product * stacks + m, n) for product in range(3) for m, n in inner]
    assert list(zip(m.tolist(), n.tolist(), strict=True)) == wanted
    seen = list(dict.fromkeys(zip(plan.tasks.stack.tolist(), plan.tasks.n.tolist(), strict=True)))
    assert seen == wanted
    rows = [min(height * 4, 20 - m % stacks * height * 4) for m, _ in wanted]
    assert [data["outputs"] for _, data in plan.graph.nodes(data=True)] == [
        row * min(4, 10 - 4 * n) for row, (_, n) in zip(rows, wanted, strict=True)
    ]
