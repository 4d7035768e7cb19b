"""Values of layers of several products: those of the products one after the other, and of plain products."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from several_products import MACHINE, ODD_LAYER, odd_products, plain_products, products_of
from strategies import repeated_scenarios

from panacea_sim.choices import Schedule
from panacea_sim.machines.panacea.image import weight_addresses
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.units import IntArray
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat

_UNTRACED = TraceOptions("off")


def _travelled(scenario: Scenario) -> TravellingValues:
    outcome = run(replace(scenario, values="travel"), RunOptions(engine="reference", trace=_UNTRACED))
    assert outcome.summary.exact is True
    assert isinstance(outcome.prepared, Prepared)
    assert isinstance(outcome.prepared.values, TravellingValues)
    return outcome.prepared.values


def _bytes_at(values: TravellingValues, address: IntArray, sizes: IntArray) -> list[bytes]:
    """Return the bytes of each tile in the image, where each lies in one piece or several."""
    tiles = []
    for first, size in zip(address.ravel().tolist(), sizes.ravel().tolist(), strict=True):
        tile = b""
        while len(tile) < size:
            tile += values.image[first + len(tile)]
        tiles.append(tile)
    return tiles


def _written(values: TravellingValues, planned: PlannedLayer) -> list[bytes]:
    """Return the bytes of each output tile, in the order of m and n."""
    return _bytes_at(values, planned.layout.output, planned.output_bytes.total)


def _operands(values: TravellingValues, planned: PlannedLayer) -> tuple[list[bytes], list[bytes]]:
    """Return the bytes of each weight tile [m, k] and of each activation tile [n, k]."""
    work = planned.plan.work
    weight = _bytes_at(values, weight_addresses(planned), work.weight.total)
    return weight, _bytes_at(values, planned.layout.activation, work.activation.total)


def _check(scenario: Scenario) -> None:
    """Compare a layer with its products as layers of their own, and with the plain products."""
    layer = scenario.layer
    assert isinstance(layer, GemmLayer)
    layer = replace(layer, output=layer.output or OutputFormat(3.0, 90)) if _encodes(scenario) else layer
    scenario = replace(scenario, layer=layer)
    values = _travelled(scenario)
    prepared = prepare(replace(scenario, values="travel"))
    assert isinstance(prepared, Prepared)
    (planned,) = prepared.program.layers
    assert np.array_equal(values.accumulators[0], plain_products(layer))
    if layer.output is not None:  # dense outputs have the range of all products, not of each
        single = _travelled(replace(scenario, layer=products_of(layer)))
        assert np.array_equal(values.accumulators[0], np.stack(single.accumulators))
        program = single._program  # where the layers lie
        assert _written(values, planned) == [tile for each in program.layers for tile in _written(single, each)]
        weight, activation = zip(*(_operands(single, each) for each in program.layers), strict=True)
        assert _operands(values, planned) == (list(chain(*weight)), list(chain(*activation)))


def _encodes(scenario: Scenario) -> bool:
    hardware = scenario.resolved_hardware()
    return hardware.tile_m % hardware.tile_k == 0


@at_most(80)
@given(repeated_scenarios())
def test_products_of_any_widths(scenario: Scenario) -> None:
    """Any operands on any small machine: accumulators, operand bytes and output bytes."""
    _check(scenario)


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
@pytest.mark.parametrize("dtp", ["off", "on"])
@pytest.mark.parametrize("order", LOOP_ORDERS)
def test_every_mapping(order: str, dtp: str, psum_bytes: int) -> None:
    """Order, double-tile processing and spills change nothing, also where the last stack of a product has one tile."""
    settings = {**MACHINE, "psum_bytes": psum_bytes, "loop_order": order, "dtp": dtp}
    generator = np.random.default_rng(3)
    layer = odd_products(
        weight_scale=generator.uniform(0.01, 0.02, (3, 22)),
        activation_scale=0.1,
        bias=generator.uniform(-3, 3, (3, 22)),
        output=OutputFormat(0.8, 130),
    )
    _check(Scenario("odd", layer, settings=settings))


def test_dense_outputs_of_all_products_are_written() -> None:
    """Without a next layer each product's codes lie in its output tiles, row after row."""
    layer = odd_products(activation_scale=0.1)
    scenario = Scenario("odd", layer, settings=MACHINE, values="travel")
    values, prepared = _travelled(scenario), prepare(scenario)
    assert isinstance(prepared, Prepared)
    (planned,) = prepared.program.layers
    real = plain_products(layer) - layer.zero_point * layer.weight.sum(2, dtype=np.int64)[..., None]
    tiles = iter(_written(values, planned))
    codes = np.zeros((3, 22, 13), np.uint8)
    for product in range(3):
        for m in range(0, 22, 8):
            for n in range(0, 13, 8):
                part = codes[product, m : m + 8, n : n + 8]
                part[:] = np.frombuffer(next(tiles), np.uint8).reshape(part.shape)
    scale = (real.max() - real.min()) / 255
    assert np.abs(codes - codes[real == real.min()][0] - (real - real.min()) / scale).max() <= 1


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_layers_of_several_products_run_one_after_the_other(schedule: Schedule) -> None:
    """With either schedule each layer of a run is exact, whatever its number of products."""
    layers = (ODD_LAYER, replace(odd_products(), name="several"), replace(ODD_LAYER, name="last"))
    scenario = Scenario("three", layers, settings=MACHINE, schedule=schedule, values="travel")
    summary = run(scenario, RunOptions(trace=_UNTRACED)).summary
    assert summary.exact is True
    assert [layer.repeat for layer in summary.layers] == [1, 3, 1]
    wanted = [hashlib.sha256(plain_products(layer).astype("<i4").tobytes()).hexdigest() for layer in layers[1:2]]
    assert [layer.output_sha256 for layer in summary.layers[1:2]] == wanted
    assert summary.layers[0].output_sha256 == summary.layers[2].output_sha256
