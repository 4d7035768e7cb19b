"""Values of layers of several products: those of the products one after the other, and of plain products."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pytest
from engine_runs import NEEDS_NUMBA
from hypothesis import given
from strategies import repeated_scenarios

from panacea_sim.choices import Schedule, ValuesChoice
from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.panacea.image import weight_addresses
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.trace.options import TraceOptions
from panacea_sim.units import IntArray
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer

if TYPE_CHECKING:
    from panacea_sim.machines.panacea.check.values import CheckedValues

_UNTRACED = TraceOptions("off")


def _plain(layer: GemmLayer) -> npt.NDArray[np.int64]:
    """Return the plain integer products, which share nothing with the package."""
    step = 1 << (layer.lo_bits - 4)
    return np.stack(
        [
            weight.astype(np.int64) @ (activation.astype(np.int64) // step * step)
            for weight, activation in zip(layer.weight, layer.activation, strict=True)
        ]
    )


def _travelled(scenario: Scenario) -> TravellingValues:
    outcome = run(replace(scenario, values="travel"), RunOptions(engine="reference", trace=_UNTRACED))
    assert outcome.summary.exact is True
    assert isinstance(outcome.prepared, Prepared)
    assert isinstance(outcome.prepared.values, TravellingValues)
    return outcome.prepared.values


def _singles(layer: GemmLayer) -> tuple[GemmLayer, ...]:
    scales = np.broadcast_to(layer.weight_scale, (layer.repeat, layer.M))
    return tuple(
        replace(
            layer,
            name=f"product {at}",
            weight=layer.weight[at],
            activation=layer.activation[at],
            r=layer.frequent,
            weight_scale=scales[at],
            bias=None if layer.bias is None else layer.bias[at],
        )
        for at in range(layer.repeat)
    )


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
    """Compare a layer with its products as layers of their own, and the check with what travels."""
    layer = scenario.layer
    assert isinstance(layer, GemmLayer)
    layer = replace(layer, output=layer.output or OutputFormat(3.0, 90)) if _encodes(scenario) else layer
    scenario = replace(scenario, layer=layer)
    values = _travelled(scenario)
    prepared = prepare(replace(scenario, values="travel"))
    assert isinstance(prepared, Prepared)
    (planned,) = prepared.program.layers
    assert np.array_equal(values.accumulators[0], _plain(layer))
    if layer.output is not None:  # dense outputs have the range of all products, not of each
        single = _travelled(replace(scenario, layer=_singles(layer)))
        assert np.array_equal(values.accumulators[0], np.stack(single.accumulators))
        program = single._program  # where the layers lie
        assert _written(values, planned) == [tile for each in program.layers for tile in _written(single, each)]
        weight, activation = zip(*(_operands(single, each) for each in program.layers), strict=True)
        assert _operands(values, planned) == (list(chain(*weight)), list(chain(*activation)))
    _compare_check(prepared, values)


def _encodes(scenario: Scenario) -> bool:
    hardware = scenario.resolved_hardware()
    return hardware.tile_m % hardware.tile_k == 0


def _compare_check(prepared: Prepared, values: TravellingValues) -> None:
    pytest.importorskip("numba")
    from panacea_sim.machines.panacea.check.values import CheckedValues  # noqa: PLC0415

    computed = [layer.plan.work.computed for layer in prepared.program.layers]
    checked = CheckedValues(prepared.program, prepared.layers, computed)  # type: ignore[arg-type]
    assert checked.exact()
    assert np.array_equal(checked.accumulators[0], values.accumulators[0])
    for address, tile in values.image.items():
        assert checked.image[address : address + len(tile)].tobytes() == tile


@given(repeated_scenarios())
def test_products_of_any_widths(scenario: Scenario) -> None:
    """Any operands on any small machine: accumulators, output bytes, and the same in the check."""
    _check(scenario)


_ODD_LAYER = synthetic_layer(22, 21, 13, rho_w=0.4, rho_x=0.6, seed=5, weight_bits=10)  # 3 x 3 x 2 tiles, all ragged
_MACHINE = {"n_pea": 2, "tile_k": 8, "tile_n": 8}


def _odd_products(**changes: Any) -> GemmLayer:  # noqa: ANN401 (fields of every type)
    others = [synthetic_layer(22, 21, 13, 0.3, 0.5, seed, weight_bits=10) for seed in (6, 7)]
    weight = np.stack([each.weight for each in (_ODD_LAYER, *others)])
    activation = np.stack([each.activation for each in (_ODD_LAYER, *others)])
    return replace(_ODD_LAYER, weight=weight, activation=activation, recipe=None, **changes)


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
@pytest.mark.parametrize("dtp", ["off", "on"])
@pytest.mark.parametrize("order", LOOP_ORDERS)
def test_every_mapping(order: str, dtp: str, psum_bytes: int) -> None:
    """Order, double-tile processing and spills change nothing, also where the last stack of a product has one tile."""
    settings = {**_MACHINE, "psum_bytes": psum_bytes, "loop_order": order, "dtp": dtp}
    generator = np.random.default_rng(3)
    layer = _odd_products(
        weight_scale=generator.uniform(0.01, 0.02, (3, 22)),
        activation_scale=0.1,
        bias=generator.uniform(-3, 3, (3, 22)),
        output=OutputFormat(0.8, 130),
    )
    _check(Scenario("odd", layer, settings=settings))


def test_dense_outputs_of_all_products_are_written() -> None:
    """Without a next layer each product's codes lie in its output tiles, row after row."""
    layer = _odd_products(activation_scale=0.1)
    scenario = Scenario("odd", layer, settings=_MACHINE, values="travel")
    values, prepared = _travelled(scenario), prepare(scenario)
    assert isinstance(prepared, Prepared)
    (planned,) = prepared.program.layers
    real = _plain(layer) - layer.zero_point * layer.weight.sum(2, dtype=np.int64)[..., None]
    tiles = iter(_written(values, planned))
    codes = np.zeros((3, 22, 13), np.uint8)
    for product in range(3):
        for m in range(0, 22, 8):
            for n in range(0, 13, 8):
                part = codes[product, m : m + 8, n : n + 8]
                part[:] = np.frombuffer(next(tiles), np.uint8).reshape(part.shape)
    scale = (real.max() - real.min()) / 255
    assert np.abs(codes - codes[real == real.min()][0] - (real - real.min()) / scale).max() <= 1


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("cores", [1, 2, 5])
def test_products_are_shared_out_among_threads(cores: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of threads and blocks that end inside a product give the same."""
    pytest.importorskip("numba")
    from panacea_sim.engines.compiled import threads  # noqa: PLC0415
    from panacea_sim.machines.panacea.check import layer_pass  # noqa: PLC0415

    monkeypatch.setattr(threads, "_cores", lambda: cores)
    monkeypatch.setattr(layer_pass, "_BLOCK_STEPS", block * 4)
    _check(Scenario("odd", _odd_products(), settings={**_MACHINE, "dtp": "on"}))


def _checked() -> CheckedValues:
    from panacea_sim.machines.panacea.check.values import CheckedValues  # noqa: PLC0415

    layer = _odd_products(output=OutputFormat(1000.0, 130))
    prepared = prepare(Scenario("odd", layer, settings={**_MACHINE, "dtp": "on"}, values="check"))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.values, CheckedValues)
    assert prepared.values.exact()
    return prepared.values


@NEEDS_NUMBA
@pytest.mark.parametrize("product", [0, 1, 2])
def test_a_fault_in_the_compensation_of_a_product_is_caught(product: int) -> None:
    """Compensation of any row of any product decides its accumulators."""
    checked = _checked()
    checked.constants[0].offline[product * 22 + 21] += 1
    assert not checked.exact()
    assert np.argwhere(checked.accumulators[0] != _plain(_odd_products())).tolist() == [
        [product, 21, n] for n in range(13)
    ]


@NEEDS_NUMBA
@pytest.mark.parametrize("product", [0, 1, 2])
def test_a_fault_in_the_output_path_of_a_product_is_caught(product: int) -> None:
    """Each output row of each product has an offset of its own."""
    checked = _checked()
    checked.constants[0].output.offset[product * 22 + 9] += 5000
    with pytest.raises(InvariantError, match=rf"^output tile {3 * product + 1}, 0 of .* was written wrong"):
        checked.exact()


@NEEDS_NUMBA
@pytest.mark.parametrize("operand", ["weight", "activation"])
def test_a_fault_in_the_last_tile_of_an_operand_is_caught(operand: str) -> None:
    """The last tile of the last product is read from its own place."""
    checked = _checked()
    layout = checked._program.layers[0].layout  # where the tiles lie
    checked.image[int(getattr(layout, operand)[-1, -1])] ^= 1 << 4
    assert not checked.exact()
    assert {product for product, _, _ in np.argwhere(checked.accumulators[0] != _plain(_odd_products())).tolist()} == {
        2
    }


def test_auto_counts_the_tasks_of_all_products() -> None:
    """Values travel up to 2,000 tile tasks: so many products of two tasks are too many for them to travel."""
    pytest.importorskip("numba")
    weight, activation = np.ones((1001, 8, 16), np.int8), np.ones((1001, 16, 8), np.uint8)
    hardware = load_hardware("panacea", _MACHINE)
    few, many = (GemmLayer("ones", weight[:count], activation[:count], 0) for count in (1000, 1001))
    assert [chosen_values("auto", [layer], hardware, "auto") for layer in (few, many)] == ["travel", "check"]


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
@pytest.mark.parametrize("values", ["travel", pytest.param("check", marks=NEEDS_NUMBA)])
def test_layers_of_several_products_run_one_after_the_other(schedule: Schedule, values: ValuesChoice) -> None:
    """With either schedule each layer of a run is exact, whatever its number of products."""
    layers = (_ODD_LAYER, replace(_odd_products(), name="several"), replace(_ODD_LAYER, name="last"))
    scenario = Scenario("three", layers, settings=_MACHINE, schedule=schedule, values=values)
    summary = run(scenario, RunOptions(trace=_UNTRACED)).summary
    assert summary.exact is True
    assert [layer.repeat for layer in summary.layers] == [1, 3, 1]
    wanted = [hashlib.sha256(_plain(layer).astype("<i4").tobytes()).hexdigest() for layer in layers[1:2]]
    assert [layer.output_sha256 for layer in summary.layers[1:2]] == wanted
    assert summary.layers[0].output_sha256 == summary.layers[2].output_sha256
