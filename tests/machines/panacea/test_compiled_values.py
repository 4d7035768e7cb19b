"""Values that are checked without events come out as those that travel: accumulators, and every byte written."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from strategies import chains, scenarios

pytest.importorskip("numba")

from panacea_sim.engines.compiled import threads
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.machines.panacea.build import MACHINE
from panacea_sim.machines.panacea.check import layer_pass
from panacea_sim.machines.panacea.check.values import CheckedValues
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.quant.activation_functions import ACTIVATION_FUNCTIONS, ActivationFunction
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.chain import following
from panacea_sim.workload.gemm_layer import OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer


def _both(scenario: Scenario) -> tuple[TravellingValues, CheckedValues]:
    """Return the values of one program before its run, for each way."""
    prepared = prepare(replace(scenario, values="travel"))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.values, TravellingValues)
    computed = [layer.plan.work.computed for layer in prepared.program.layers]
    checked = MACHINE.checked_values(prepared.program, prepared.layers, computed)
    assert isinstance(checked, CheckedValues)
    _compare_images(prepared.values, checked)
    run_reference(prepared.description, Recorder(TraceOptions("off")), prepared.values.workers)
    return prepared.values, checked


def _compare_images(travelling: TravellingValues, checked: CheckedValues) -> None:
    assert travelling.image
    for address, tile in travelling.image.items():
        assert checked.image[address : address + len(tile)].tobytes() == tile


def _check(scenario: Scenario) -> None:
    travelling, checked = _both(scenario)
    assert (travelling.exact(), checked.exact()) == (True, True)
    _compare_images(travelling, checked)
    for one, other in zip(travelling.accumulators, checked.accumulators, strict=True):
        assert np.array_equal(one, other)


@at_most(200)
@given(scenarios())
def test_layers_of_any_widths_are_checked_as_they_travel(scenario: Scenario) -> None:
    """Any operands on any small machine: the same packed operands, accumulators and output bytes."""
    _check(scenario)


@at_most(100)
@given(chains())
def test_chains_are_checked_as_they_travel(scenario: Scenario) -> None:
    """Layers that read what the one before has written, spills and stacks included."""
    _check(scenario)


_ODD_LAYER = synthetic_layer(22, 21, 13, rho_w=0.4, rho_x=0.6, seed=5, weight_bits=10)  # 3 x 3 x 2 tiles, all ragged


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
@pytest.mark.parametrize("dtp", ["off", "on"])
@pytest.mark.parametrize("order", LOOP_ORDERS)
def test_every_mapping_is_checked(order: str, dtp: str, psum_bytes: int) -> None:
    """Order, double-tile processing and spills change nothing, also where the last stack has one tile."""
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "psum_bytes": psum_bytes, "loop_order": order, "dtp": dtp}
    _check(Scenario("odd", _ODD_LAYER, settings=machine))


@pytest.mark.parametrize("v", [1, 2, 4, 8])
@pytest.mark.parametrize(("activation_bits", "lo_bits"), [(4, 4), (8, 4), (8, 5), (8, 6), (12, 4)])
@pytest.mark.parametrize("weight_bits", [4, 7, 10])
def test_all_widths_are_checked(weight_bits: int, activation_bits: int, lo_bits: int, v: int) -> None:
    """Each width of both operands, on vectors of each length, with tiles that are ragged in all directions."""
    generator = np.random.default_rng(v)
    limit = 1 << (weight_bits - 1)
    layer = replace(
        synthetic_layer(19, 37, 11, 0.3, 0.6, seed=v),
        weight=generator.integers(-limit, limit, (19, 37)).astype(np.int16),
        activation=np.minimum(generator.poisson(2, (37, 11)), (1 << activation_bits) - 1).astype(np.uint16),
        zero_point=2,
        weight_bits=weight_bits,
        activation_bits=activation_bits,
        lo_bits=lo_bits,
        recipe=None,
    )
    _check(Scenario("widths", layer, settings={"n_pea": 2, "v": v, "tile_k": 24, "tile_n": 8}))


@pytest.mark.parametrize("function", ACTIVATION_FUNCTIONS)
@pytest.mark.parametrize(("bits", "lo_bits"), [(4, 4), (8, 4), (8, 6), (12, 4)])
def test_chained_widths_are_checked(bits: int, lo_bits: int, function: ActivationFunction) -> None:
    """What the encoder packs for the next layer is what the next layer decodes, for each width and function."""
    output = OutputFormat(20.0 / (1 << bits), 1 << (bits - 1), bits, lo_bits, function=function)
    scales = {"weight_scale": 0.01, "activation_scale": 0.1}
    first = replace(synthetic_layer(21, 40, 13, 0.3, 0.6, seed=1, name="first"), output=output, **scales)
    weight = np.random.default_rng(1).integers(-64, 64, (10, 21)).astype(np.int8)
    second = following(first, "second", weight)
    _check(Scenario("chain", (first, second), settings={"n_pea": 2, "v": 4, "tile_k": 8, "tile_n": 8}))


def test_a_check_can_be_repeated() -> None:
    """A second pass over the same image gives the same, because nothing of the first is left but what it wrote."""
    _, checked = _both(Scenario("odd", _ODD_LAYER, settings={"loop_order": "kmn", "psum_bytes": 256}))
    assert checked.exact()
    before = checked.image.copy()
    assert checked.exact()
    assert np.array_equal(before, checked.image)


@pytest.mark.parametrize("cores", [1, 2, 3, 7])
@pytest.mark.parametrize("order", ["mnk", "nkm"])
def test_any_number_of_threads_gives_the_same(order: str, cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """How the output tiles are shared out changes nothing, also where there are fewer of them than threads."""
    monkeypatch.setattr(threads, "_cores", lambda: cores)
    machine = {"n_pea": 2, "tile_k": 8, "tile_n": 8, "loop_order": order, "dtp": "on"}
    _check(Scenario("odd", _ODD_LAYER, settings=machine))


@pytest.mark.parametrize("block", [1, 3])
def test_a_visit_may_go_over_the_end_of_a_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sums stay with their threads from block to block, and the steps of the last, shorter one are compared too."""
    monkeypatch.setattr(layer_pass, "_BLOCK_STEPS", block * 2)
    _check(Scenario("odd", _ODD_LAYER, settings={"n_pea": 2, "tile_k": 8, "tile_n": 8, "dtp": "off"}))
