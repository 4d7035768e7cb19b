"""Waits of fetches: a second writing in plain Python says which outputs each fetch needs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import event, given
from naive_waits import assert_waits, stream_waits
from strategies import chains, linked_programs

from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.shared.program import Program, plan_program
from panacea_sim.mapping.plan import LayerPlan, plan_layer
from panacea_sim.mapping.waits import outputs_needed
from panacea_sim.running.prepare import prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.link import Columns, Link
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.network import layers_in_order


@at_most(100)
@given(linked_programs())
def test_a_fetch_waits_for_the_last_output_that_it_needs(program: Program) -> None:
    """Whatever the links, nothing is fetched before all that it needs is written, and nothing waits longer."""
    links = [link for _, _, links in program.graph.edges(data="links") for link in links]
    event(f"links: {len(links)}, weights: {any(link.operand == 'w' for link in links)}")
    event(f"sequential: {any(layer.plan.work.sequential for layer in program.layers)}")
    waiting = {operand for operand in "wx" if any(firings for _, firings in stream_waits(program, operand))}
    event(f"waits: {sorted(waiting)}")
    assert [layer.plan.name for layer in program.layers] == layers_in_order(program.graph)
    assert_waits(program)


@at_most(100)
@given(chains())
def test_a_chained_fetch_waits_for_the_tile_that_holds_it(scenario: Scenario) -> None:
    """A layer that reads another's outputs in place waits for the same outputs that it reads."""
    assert_waits(prepare(replace(scenario, values=False)).program)


_HARDWARE = load_hardware("panacea", {"n_pea": 2, "v": 2, "tile_k": 4, "tile_n": 4})


def _plan(m: int, k: int, n: int, repeat: int = 1, *, sequential: bool = False) -> LayerPlan:
    """Return the plan of a layer of these sizes in tiles of 4 x 4, in the order mnk."""
    layer = MaskedLayer("layer", m, k, n, 0.5, 0.5, 1, repeat=repeat, sequential=sequential)
    return plan_layer("layer", MACHINE.work(layer, _HARDWARE, None), _HARDWARE, "mnk", 1)


# A producer of 8 features and 12 columns writes its tiles 1, 2, 3 (features 0 to 3) and 4, 5, 6 (features 4 to 7).
_SHIFTED = Columns(np.arange(12) + 1, np.arange(12) + 2)


@pytest.mark.parametrize(
    ("link", "consumer", "needed"),
    [
        (Link("x"), (4, 8, 12), [[1, 4], [2, 5], [3, 6]]),
        (Link("x", "features"), (4, 8, 12), [[4, 4], [5, 5], [6, 6]]),
        (Link("x", "all"), (4, 8, 12), [[6, 6], [6, 6], [6, 6]]),
        (Link("x", _SHIFTED), (4, 8, 12), [[2, 5], [3, 6], [3, 6]]),
        (Link("x", Columns(_SHIFTED.low, _SHIFTED.high, 2)), (4, 8, 12), [[2, 2], [3, 3], [3, 3]]),
        (Link("x", _SHIFTED, column_span=(0, 6)), (4, 8, 12), [[2, 5], [2, 5], [0, 0]]),
        (Link("x", feature_offset=-4), (4, 12, 12), [[0, 1, 4], [0, 2, 5], [0, 3, 6]]),
        (Link("x", feature_offset=4), (4, 4, 12), [[4], [5], [6]]),
        (Link("x", feature_span=(0, 4)), (4, 8, 12), [[1, 0], [2, 0], [3, 0]]),
        (Link("x", column_span=(8, 12), column_offset=-8), (4, 8, 12), [[0, 0], [0, 0], [1, 4]]),
        (Link("x", "all", features=(0, 4)), (4, 8, 4), [[3, 3]]),
        (Link("w"), (12, 8, 4), [[1, 4], [2, 5], [3, 6]]),
        (Link("w", features_on="m"), (8, 12, 4), [[1, 2, 3], [4, 5, 6]]),
    ],
    ids=[
        "the same outputs",
        "norm",
        "all",
        "windows",
        "im2col of two taps",
        "windows of the first six columns",
        "Concat, behind four features",
        "the second head",
        "Concat, before four features",
        "the new token of decode",
        "some features of all columns",
        "K of attention",
        "V of attention",
    ],
)
def test_needed_outputs(link: Link, consumer: tuple[int, int, int], needed: list[list[int]]) -> None:
    """Tiles [n, k] of activations, [m, k] of weights, wait for the last of the tiles that hold what they need."""
    assert outputs_needed(link, _plan(*consumer), _plan(8, 4, 12)).reshape(np.shape(needed)).tolist() == needed


def test_the_last_corner_must_be_the_last_tile() -> None:
    """A producer that wrote its tiles in another order than that of m and n would make fetches come too early."""
    consumer, producer = _plan(4, 8, 12), _plan(8, 4, 12)
    for backwards in ([1, 0, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2]):
        visits = replace(producer.visits, m=producer.visits.m[backwards], n=producer.visits.n[backwards])
        with pytest.raises(InvariantError, match="layer does not write its output tiles in the order of m and of n"):
            outputs_needed(Link("x"), consumer, replace(producer, visits=visits))


def test_each_product_has_its_offset() -> None:
    """Two heads read the lower and the upper half of a producer's features, or one each of its products."""
    consumer, producer = _plan(4, 4, 12, repeat=2), _plan(8, 4, 12)
    found = outputs_needed(Link("x", feature_offset=(0, 4)), consumer, producer)
    halves = [outputs_needed(Link("x", feature_offset=offset), _plan(4, 4, 12), producer) for offset in (0, 4)]
    assert found.tolist() == np.concatenate(halves).tolist()
    assert not np.array_equal(*halves)
    of_products = outputs_needed(Link("x", feature_offset=(0, 8)), consumer, _plan(8, 4, 12, repeat=2))
    assert of_products.max() > 6


@pytest.mark.parametrize("order", ["mnk", "nkm"])
def test_each_step_waits_for_the_step_before(order: str) -> None:
    """A step of two by three output tiles begins when all six of the step before are written; weights wait for none."""
    plan = _plan(8, 8, 12, repeat=3, sequential=True)
    plan = plan_layer("layer", plan.work, _HARDWARE, order, 1)
    program = plan_program(_HARDWARE, [plan])
    (activations,) = program.outputs_before("x")
    assert activations.reshape(3, 3, 2).tolist() == [[[needed] * 2] * 3 for needed in (0, 6, 12)]
    assert not program.outputs_before("w")[0].any()
    assert not any(part.waits for part in MACHINE.describe(program).components if part.name == "w_dma")


def test_steps_behind_another_layer_count_its_outputs() -> None:
    """Behind a layer of six output tiles, of which nothing is needed, the second step waits for twelve."""
    before, steps = _plan(8, 4, 12), replace(_plan(8, 4, 12, repeat=2, sequential=True), name="steps")
    program = plan_program(_HARDWARE, [before, steps])
    assert program.outputs_before("x")[1].tolist() == [0, 0, 0, 12, 12, 12]


def test_products_of_one_layer_wait_for_nothing_unless_they_are_steps() -> None:
    """Heads, groups and sequences follow each other without a wait."""
    program = plan_program(_HARDWARE, [_plan(8, 8, 12, repeat=3)])
    assert not program.has_waits
    assert not any(part.waits for part in MACHINE.describe(program).components if part.name != "s_dma")
