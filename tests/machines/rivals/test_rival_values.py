"""Values that travel through rivals: exact in their own quantization, which plain Python finds a second time."""

from __future__ import annotations

import importlib
from dataclasses import replace

import numpy as np
import pytest
from case_counts import asked_machines, at_most, of_asked
from engine_runs import NEEDS_NUMBA
from hypothesis import event, given
from hypothesis import strategies as st
from naive_rivals import activation_codes, are_nearest
from read_formats import Case, cases
from strategies import RIVALS, gemm_layers, rival_scenarios

from panacea_sim.choices import ValuesChoice
from panacea_sim.errors import InvariantError
from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.shared.packer import PackerWorker
from panacea_sim.quant.rle import CodecError
from panacea_sim.running import values_choice
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import NO_TRACE
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.functional import real_outputs
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.output_format import OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer

pytestmark = pytest.mark.timeout(600 + asked_machines(0))

_MOST_WEIGHT_BITS = {"sa_os": 8, "sa_ws": 8, "simd": 8, "bitfusion": 10, "sibia": 7}


@pytest.mark.parametrize("machine", RIVALS)
@of_asked(20, 40)
@given(data=st.data())
def test_every_accumulator_is_exact(machine: str, data: st.DataObject) -> None:
    """Whole small machines multiply all layers exactly, in any order, with spills, several products and links."""
    scenario = data.draw(rival_scenarios(machine))
    prepared = prepare(Scenario(scenario.name, scenario.layer, machine, scenario.settings, values="travel"))
    assert isinstance(prepared, Prepared)
    event(f"partial sums: {prepared.program.keeps_partial_sums}, layers: {len(prepared.layers)}")
    outcome = run(Scenario(scenario.name, scenario.layer, machine, scenario.settings, values="travel"))
    assert outcome.summary.exact is True
    assert outcome.prepared.values is not None
    checked = prepare(Scenario(scenario.name, scenario.layer, machine, scenario.settings, values="check"))
    assert isinstance(checked, Prepared)
    assert checked.values is not None
    assert checked.values.exact() is True
    own = [machine_of(prepared.hardware).own(layer) for layer in scenario.layers if isinstance(layer, GemmLayer)]
    for layer, found in zip(own, outcome.prepared.values.accumulators, strict=True):
        wanted = layer.weight.astype(np.int64) @ layer.activation.astype(np.int64)
        assert np.array_equal(found, wanted)


@pytest.mark.parametrize("machine", RIVALS)
@at_most(30)
@given(case=cases())
def test_outputs_are_written_in_all_formats(machine: str, case: Case) -> None:
    """Each format that others read lies where it is planned, in as many bytes, and is what the PPU has made."""
    settings = {name: value for name, value in case.settings.items() if name not in {"dtp", "n_pea", "v"}}
    if machine == "sa_os":
        settings["array_rows"] = case.settings["n_pea"]
    elif machine == "sa_ws":
        settings["array_columns"] = case.settings["n_pea"]
    else:
        settings |= {"n_pea": case.settings["n_pea"], "v": case.settings["v"]}
    summary = run(Scenario("formats", case.layer, machine, settings, values="travel")).summary
    assert summary.exact is True
    assert summary.dram.write_bytes > 0
    checked = prepare(Scenario("formats", case.layer, machine, settings, values="check"))
    assert isinstance(checked, Prepared)
    assert checked.values is not None
    assert checked.values.exact() is True


@pytest.mark.parametrize("machine", RIVALS)
@at_most(60)
@given(gemm_layers())
def test_operands_are_requantized_by_the_rules(machine: str, layer: GemmLayer) -> None:
    """Codes are all bits of q, or those that the widths of the machine leave of the real numbers, to the nearest."""
    own = machine_of(load_hardware(machine)).own(layer)
    shares_scale = machine == "sibia" and not isinstance(layer.weight_scale, np.ndarray)
    assert are_nearest(own.weight.tolist(), layer, _MOST_WEIGHT_BITS[machine], by_row=not shares_scale)
    assert own.activation.tolist() == activation_codes(layer, machine)
    assert own.lo_bits == 4


@pytest.mark.parametrize("machine", RIVALS)
def test_codes_that_fit_stay(machine: str) -> None:
    """Weights of 7 bits are taken as they are, and activations of 8 bits too where they may be asymmetric."""
    layer = synthetic_layer(20, 30, 10, 0.3, 0.5, seed=1, lo_bits=5)
    own = machine_of(load_hardware(machine)).own(layer)
    assert np.array_equal(own.weight, layer.weight)
    assert np.array_equal(own.activation, layer.activation) == (machine != "sibia")


@pytest.mark.parametrize(
    ("machine", "weight_bits", "activation_bits", "steps"),
    [("sa_os", 10, 12, 0.01), ("bitfusion", 10, 12, 1e-9), ("sibia", 10, 8, 0.05), ("sibia", 7, 12, 0.05)],
)
def test_real_outputs_stay_near(machine: str, weight_bits: int, activation_bits: int, steps: float) -> None:
    """What accumulators stand for is what they stood for before, up to the rounding of fewer bits."""
    given_layer = synthetic_layer(
        30, 200, 20, 0.3, 0.5, seed=1, weight_bits=weight_bits, activation_bits=activation_bits
    )
    own = machine_of(load_hardware(machine)).own(given_layer)
    wanted, found = (real_outputs(layer, layer.reference_accumulator()) for layer in (given_layer, own))
    assert np.sqrt(np.mean((found - wanted) ** 2)) <= steps * np.sqrt(np.mean(wanted**2))


def test_the_scale_of_sibia_is_the_calibrated_range() -> None:
    """The further end of the range of the zero point becomes 63, whatever the codes are."""
    layer = GemmLayer("layer", np.ones((1, 2), np.int8), np.array([[100], [101]], np.uint8), 100, activation_scale=0.5)
    own = machine_of(load_hardware("sibia")).own(layer)
    assert own.activation_scale == pytest.approx(0.5 * 155 / 63)
    assert own.activation.tolist() == [[0], [0]]  # 1 of 155 is nothing of 63
    low = GemmLayer("layer", np.ones((1, 2), np.int8), np.array([[0], [200]], np.uint8), 200, activation_scale=0.5)
    assert machine_of(load_hardware("sibia")).own(low).activation.tolist() == [[-63], [0]]


@pytest.mark.parametrize("machine", RIVALS)
def test_symmetric_layers_are_taken(machine: str) -> None:
    """Signed codes, which panacea refuses, run on every rival, exactly."""
    generator = np.random.default_rng(0)
    weight = generator.integers(-64, 64, (9, 12)).astype(np.int8)
    layer = GemmLayer("layer", weight, generator.integers(-128, 128, (12, 7)).astype(np.int8), 0)
    assert run(Scenario("symmetric", layer, machine, values="travel")).summary.exact is True


@NEEDS_NUMBA
def test_large_runs_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values travel in small runs, and are checked without events in larger ones."""
    layer = synthetic_layer(70, 60, 30, 0.2, 0.5, seed=3)
    for most, way in ((6, "travel"), (1, "check")):
        monkeypatch.setattr(values_choice, "MOST_TRAVELLING_TASKS", most)
        prepared = prepare(Scenario("layer", layer, "simd"))
        assert isinstance(prepared, Prepared)
        assert prepared.values_way == way


@pytest.mark.parametrize("way", ["travel", pytest.param("check", marks=NEEDS_NUMBA)])
@pytest.mark.parametrize("operand", ["weight", "activation"])
@pytest.mark.parametrize("machine", RIVALS)
def test_a_changed_byte_is_seen(machine: str, operand: str, way: ValuesChoice) -> None:
    """A tile that is another one in DRAM makes the run inexact, its steps others than planned, or cannot be read."""
    layer = synthetic_layer(70, 60, 30, 0.2, 0.5, seed=3)
    prepared = prepare(Scenario("layer", layer, machine, {"tile_k": 32}, values=way))
    assert isinstance(prepared, Prepared)
    values = prepared.values
    assert values is not None
    image = getattr(values, "image")  # noqa: B009  # no part of the protocol
    address = int(getattr(prepared.program.layers[0].layout, operand)[0, 0])
    changed = bytearray(image[address])
    changed[0] ^= 0x11
    image[address] = bytes(changed)
    try:
        prepared.run("reference", Recorder(NO_TRACE))
        assert not values.exact()
    except (InvariantError, CodecError):
        return


_FAULTS = {
    "a plane counts for another digit": ("vector_values", "_lanes", lambda lanes: lanes[::-1], ("bitfusion", "sibia")),
    "visits forget those before": ("accumulator", "_wrapped", np.zeros_like, RIVALS),
}
"""A function of a module, and what becomes of its result."""


@NEEDS_NUMBA
@pytest.mark.parametrize(("fault", "machine"), [(name, each) for name, fault in _FAULTS.items() for each in fault[3]])
def test_a_fault_of_a_component_is_seen(fault: str, machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What components do wrong where values travel is wrong in the pass that checks, too."""
    place, name, wrong, _ = _FAULTS[fault]
    module = importlib.import_module(f"panacea_sim.machines.shared.{place}")
    right = getattr(module, name)
    monkeypatch.setattr(module, name, lambda given_values: wrong(right(given_values)))
    prepared = prepare(Scenario("layer", synthetic_layer(70, 60, 30, 0.2, 0.5, seed=3), machine, values="check"))
    assert isinstance(prepared, Prepared)
    assert prepared.values is not None
    assert prepared.values.exact() is False


@NEEDS_NUMBA
@pytest.mark.parametrize("machine", RIVALS)
def test_an_output_that_is_written_wrong_is_seen(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accumulators alone do not make a run exact: what lies in DRAM is compared byte by byte."""
    layer = replace(synthetic_layer(24, 20, 12, 0.2, 0.5, seed=3), output=OutputFormat(2.0, 3))
    prepared = prepare(Scenario("layer", layer, machine, values="check"))
    assert isinstance(prepared, Prepared)
    assert prepared.values is not None
    monkeypatch.setattr(PackerWorker, "fire", lambda *_: ([b"another"],))
    with pytest.raises(InvariantError):
        prepared.values.exact()
