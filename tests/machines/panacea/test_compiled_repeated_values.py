"""Values of several products that are checked without events: as those that travel, and planted faults."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from several_products import MACHINE, ODD_LAYER, odd_products, plain_products
from strategies import repeated_scenarios

pytest.importorskip("numba")

from panacea_sim.choices import Schedule
from panacea_sim.engines.compiled import threads
from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.panacea.check import layer_pass
from panacea_sim.machines.panacea.check.values import CheckedValues
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.mapping.order import LOOP_ORDERS
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import RunOptions, run
from panacea_sim.running.scenario import Scenario
from panacea_sim.running.values_choice import chosen_values
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat

_UNTRACED = TraceOptions("off")


def _check(scenario: Scenario) -> None:
    """Compare the check with the plain products, and its image with that of the values that travel."""
    layer = scenario.layer
    assert isinstance(layer, GemmLayer)
    prepared = prepare(replace(scenario, values="travel"))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.values, TravellingValues)
    computed = [planned.plan.work.computed for planned in prepared.program.layers]
    checked = CheckedValues(prepared.program, prepared.layers, computed)  # type: ignore[arg-type]  # all have values
    run_reference(prepared.description, Recorder(_UNTRACED), prepared.values.workers)
    assert (prepared.values.exact(), checked.exact()) == (True, True)
    assert np.array_equal(checked.accumulators[0], plain_products(layer))
    for address, tile in prepared.values.image.items():
        assert checked.image[address : address + len(tile)].tobytes() == tile


@at_most(80)
@given(repeated_scenarios())
def test_products_of_any_widths_are_checked(scenario: Scenario) -> None:
    """Any operands on any small machine: accumulators, operand bytes and output bytes."""
    _check(scenario)


@pytest.mark.parametrize("psum_bytes", [256, 4096], ids=["spills", "fits"])
@pytest.mark.parametrize("dtp", ["off", "on"])
@pytest.mark.parametrize("order", LOOP_ORDERS)
def test_every_mapping_is_checked(order: str, dtp: str, psum_bytes: int) -> None:
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


@pytest.mark.parametrize("block", [1, 3])
@pytest.mark.parametrize("cores", [1, 2, 5])
def test_products_are_shared_out_among_threads(cores: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any number of threads and blocks that end inside a product give the same."""
    monkeypatch.setattr(threads, "_cores", lambda: cores)
    monkeypatch.setattr(layer_pass, "_BLOCK_STEPS", block * 4)
    _check(Scenario("odd", odd_products(), settings={**MACHINE, "dtp": "on"}))


def _checked() -> CheckedValues:
    layer = odd_products(output=OutputFormat(1000.0, 130))
    prepared = prepare(Scenario("odd", layer, settings={**MACHINE, "dtp": "on"}, values="check"))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.values, CheckedValues)
    assert prepared.values.exact()
    return prepared.values


@pytest.mark.parametrize("product", [0, 1, 2])
def test_a_fault_in_the_compensation_of_a_product_is_caught(product: int) -> None:
    """Compensation of any row of any product decides its accumulators."""
    checked = _checked()
    checked.constants[0].offline[product * 22 + 21] += 1
    assert not checked.exact()
    assert np.argwhere(checked.accumulators[0] != plain_products(odd_products())).tolist() == [
        [product, 21, n] for n in range(13)
    ]


@pytest.mark.parametrize("product", [0, 1, 2])
def test_a_fault_in_the_output_path_of_a_product_is_caught(product: int) -> None:
    """Each output row of each product has an offset of its own."""
    checked = _checked()
    checked.outputs[0][0].offset[product * 22 + 9] += 5000
    with pytest.raises(InvariantError, match=rf"^output tile {3 * product + 1}, 0 of .* was written wrong"):
        checked.exact()


@pytest.mark.parametrize("operand", ["weight", "activation"])
def test_a_fault_in_the_last_tile_of_an_operand_is_caught(operand: str) -> None:
    """The last tile of the last product is read from its own place."""
    checked = _checked()
    layout = checked._program.layers[0].layout  # where the tiles lie
    checked.image[int(getattr(layout, operand)[-1, -1])] ^= 1 << 4
    assert not checked.exact()
    assert {
        product for product, _, _ in np.argwhere(checked.accumulators[0] != plain_products(odd_products())).tolist()
    } == {2}


def test_auto_counts_the_tasks_of_all_products() -> None:
    """Values travel up to 2,000 tile tasks: so many products of two tasks are too many for them to travel."""
    weight, activation = np.ones((1001, 8, 16), np.int8), np.ones((1001, 16, 8), np.uint8)
    hardware = load_hardware("panacea", MACHINE)
    few, many = (GemmLayer("ones", weight[:count], activation[:count], 0) for count in (1000, 1001))
    assert [chosen_values("auto", [layer], hardware, "auto") for layer in (few, many)] == ["travel", "check"]


@pytest.mark.parametrize("schedule", ["overlap", "barrier"])
def test_layers_of_several_products_are_checked_one_after_the_other(schedule: Schedule) -> None:
    """With either schedule each layer of a run is exact, whatever its number of products."""
    layers = (ODD_LAYER, replace(odd_products(), name="several"), replace(ODD_LAYER, name="last"))
    scenario = Scenario("three", layers, settings=MACHINE, schedule=schedule, values="check")
    summary = run(scenario, RunOptions(trace=_UNTRACED)).summary
    assert summary.exact is True
    assert [layer.repeat for layer in summary.layers] == [1, 3, 1]
    wanted = [hashlib.sha256(plain_products(layer).astype("<i4").tobytes()).hexdigest() for layer in layers[1:2]]
    assert [layer.output_sha256 for layer in summary.layers[1:2]] == wanted
    assert summary.layers[0].output_sha256 == summary.layers[2].output_sha256
