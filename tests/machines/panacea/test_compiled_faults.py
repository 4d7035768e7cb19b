"""The faults of test_faults.py that concern numbers, planted again where values are checked without events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("numba")

from panacea_sim.errors import InvariantError, PanaceaError
from panacea_sim.machines.panacea.check import values as check_values
from panacea_sim.machines.panacea.check.values import CheckedValues
from panacea_sim.machines.shared import sliced_work
from panacea_sim.quant.rle import CodecError
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.gemm_layer import GemmLayer, OutputFormat
from panacea_sim.workload.synthetic import synthetic_layer

# Shapes without padding, so that every bit of every tile counts.
_MACHINE = {"n_pea": 2, "v": 4, "tile_k": 32, "tile_n": 8, "loop_order": "mnk", "dtp": "off"}
_LAYER = synthetic_layer(16, 64, 16, rho_w=0.5, rho_x=0.6, seed=3, zero_point=100)
_ENCODED = replace(
    synthetic_layer(16, 64, 16, rho_w=0.5, rho_x=0.6, seed=3, zero_point=100),
    weight_scale=0.01,
    activation_scale=0.1,
    output=OutputFormat(0.2, 100, function="gelu"),
)
_FULL_K = {**_MACHINE, "tile_k": 8}
"""A machine whose output tiles are a whole number of activation tiles."""


def _prepared(layer: GemmLayer = _LAYER, **settings: object) -> tuple[Prepared, CheckedValues]:
    prepared = prepare(Scenario("fault", layer, settings={**_MACHINE, **settings}, values="check"))
    assert isinstance(prepared, Prepared)
    assert isinstance(prepared.values, CheckedValues)
    return prepared, prepared.values


def _is_noticed(values: CheckedValues) -> bool:
    """Return whether the check raises or finds that the values are not exact."""
    try:
        return not values.exact()
    except PanaceaError:
        return True


@pytest.mark.parametrize("layer", [_LAYER, _ENCODED], ids=["dense", "encoded"])
@pytest.mark.parametrize("settings", [_MACHINE, _FULL_K, {**_FULL_K, "loop_order": "kmn"}])
def test_nothing_is_noticed_without_a_fault(layer: GemmLayer, settings: dict[str, object]) -> None:
    """The machines that the faults are planted in are exact when they are left alone."""
    if layer.output is None or settings is not _MACHINE:
        assert not _is_noticed(_prepared(layer, **settings)[1])


_FLIPPED: list[tuple[Prepared, CheckedValues]] = []


@given(st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """Any one bit of any encoded tile, flipped in DRAM, is noticed."""
    if not _FLIPPED:
        _FLIPPED.append(_prepared())
    prepared, values = _FLIPPED[0]
    (layer,) = prepared.program.layers
    operands = ((layer.layout.weight, layer.plan.work.weight), (layer.layout.activation, layer.plan.work.activation))
    address, size = data.draw(
        st.sampled_from(
            [
                place
                for layout, tiles in operands
                for place in zip(layout.ravel().tolist(), tiles.total.ravel().tolist(), strict=True)
            ]
        )
    )
    bit = data.draw(st.integers(0, 8 * size - 1))
    values.image[address + bit // 8] ^= 1 << bit % 8
    try:
        assert _is_noticed(values)
    finally:
        values.image[address + bit // 8] ^= 1 << bit % 8
    assert not _is_noticed(values)


def _changed(values: CheckedValues, **constants: object) -> None:
    values.constants[0] = values.constants[0]._replace(**constants)


def _without_online_part(values: CheckedValues) -> None:
    factors = values.constants[0].activation_factors.copy()
    factors[2:] = 0
    _changed(values, activation_factors=factors)


def _without_offline_part(values: CheckedValues) -> None:
    _changed(values, offline=np.zeros_like(values.constants[0].offline))


def _offline_part_of_one_row(values: CheckedValues) -> None:
    values.constants[0].offline[5] += 1


def _ho_weights_of_another_radix(values: CheckedValues) -> None:
    _changed(values, weight_factors=values.constants[0].weight_factors * np.array([1, 2]))


def _ho_activations_of_another_radix(values: CheckedValues) -> None:
    _changed(values, activation_factors=values.constants[0].activation_factors * np.array([1, 2, 1]))


@pytest.mark.parametrize(
    "plant",
    [
        _without_online_part,
        _without_offline_part,
        _offline_part_of_one_row,
        _ho_weights_of_another_radix,
        _ho_activations_of_another_radix,
    ],
)
@pytest.mark.parametrize("order", ["mnk", "kmn"])
def test_wrong_sums_are_not_exact(plant: Callable[[CheckedValues], None], order: str) -> None:
    """A compensation left out or a wrong factor: the check ends, and its accumulators differ."""
    _, values = _prepared(loop_order=order)
    plant(values)
    assert values.exact() is False
    assert not np.array_equal(values.accumulators[0], _LAYER.reference_accumulator())


@pytest.mark.parametrize("order", [[1, 0], [0, 0], [1, 1]])
def test_rows_dealt_in_the_wrong_order_are_noticed(order: list[int]) -> None:
    """A PEA that works on the rows of another one is noticed."""
    _, values = _prepared()
    _changed(values, row_order=np.array(order))
    assert _is_noticed(values)


_PPU_FAULTS: dict[str, Callable[[Any], Any]] = {
    "zero_point": lambda number: number ^ 1,
    "highest": lambda number: number >> 1,
    "lowest": lambda number: number + 2000,
    "rows": lambda numbers: numbers ^ 1,
    "multiplier": lambda numbers: numbers + np.arange(len(numbers)) * (1 << 24),
    "shift": lambda numbers: numbers + 1,
    "offset": lambda numbers: numbers[::-1].copy(),
    "codes": lambda numbers: numbers ^ 1,
    "frequent": lambda numbers: numbers ^ 1,
    "lo_bits": lambda number: number + 1,
}


@pytest.mark.parametrize("constant", _PPU_FAULTS)
def test_wrong_outputs_are_an_error(constant: str) -> None:
    """Right accumulators with wrong output bytes are an error of their own, whichever constant is wrong."""
    _, values = _prepared(_ENCODED, **_FULL_K)
    output = values.outputs[0][0]
    values.outputs[0][0] = output._replace(**{constant: _PPU_FAULTS[constant](getattr(output, constant))})
    message = r"output tile \d, \d( of \w+ was written wrong| takes \d+ bytes, but was planned with \d+)"
    with pytest.raises(InvariantError, match=message):
        values.exact()
    assert np.array_equal(values.accumulators[0], _ENCODED.reference_accumulator())


def test_dense_outputs_written_wrong_are_an_error() -> None:
    """The message names the tile and the layer, as with values that travel."""
    _, values = _prepared()
    output = values.outputs[0][0]
    values.outputs[0][0] = output._replace(zero_point=output.zero_point ^ 1)
    with pytest.raises(InvariantError, match=r"output tile 0, 0 of synthetic_16x64x16 was written wrong"):
        values.exact()


@pytest.mark.parametrize("operand", ["weight", "activation"])
@pytest.mark.parametrize(("one", "other"), [((0, 0), (1, 0)), ((0, 0), (0, 1))])
def test_a_tile_in_the_wrong_place_is_noticed(operand: str, one: tuple[int, int], other: tuple[int, int]) -> None:
    """A tile fetched from the place of another row of tiles, or of another k, is noticed."""
    prepared, values = _prepared()
    place = getattr(prepared.program.layers[0].layout, operand)
    place[one], place[other] = place[other], place[one]
    assert _is_noticed(values)


def test_two_weight_rows_exchanged_are_noticed() -> None:
    """The LO slices of two row groups of one tile, exchanged, are noticed."""
    prepared, values = _prepared()
    first, group_bytes = int(prepared.program.layers[0].layout.weight[0, 0]), 32 * 4 // 2
    groups = values.image[first : first + 2 * group_bytes].copy()
    values.image[first : first + 2 * group_bytes] = np.roll(groups, group_bytes)
    assert not np.array_equal(groups, values.image[first : first + 2 * group_bytes])
    assert _is_noticed(values)


def _layer_with_fillers() -> GemmLayer:
    """Return a layer in whose only activation stream 20 vectors are skipped before one is stored."""
    activation = np.full((32, 4), 100, np.uint8)
    activation[20] = 7
    weight = (np.arange(8 * 32).reshape(8, 32) % 61 - 30).astype(np.int8)
    return GemmLayer("fillers", weight, activation, zero_point=100)


def _no_fillers(skipped: BoolArray, tile_k: int) -> BoolArray:  # noqa: ARG001  # the signature of what it replaces
    return ~skipped


def test_a_filler_dropped_by_the_encoder_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that are packed without their fillers do not have the planned bytes."""
    monkeypatch.setattr(check_values, "MAX_SKIP", 1000)
    with pytest.raises(InvariantError, match=r"activation tile 0, 0 takes \d+ bytes, but was planned with \d+"):
        _prepared(_layer_with_fillers())


def test_a_filler_dropped_everywhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plan knows of no fillers either, the skip count does not fit and the vector goes astray."""
    monkeypatch.setattr(check_values, "MAX_SKIP", 1000)
    monkeypatch.setattr(sliced_work, "stored_with_fillers", _no_fillers)
    assert _is_noticed(_prepared(_layer_with_fillers())[1])


@pytest.mark.parametrize("steps", ["dwo", "swo", "cs"])
@pytest.mark.parametrize("at", [(0, 1, 0, 0), (1, 0, 1, 1)])
def test_work_that_the_timing_did_not_count_is_an_error(steps: str, at: tuple[int, int, int, int]) -> None:
    """A PEA that finds other work in its slices than its timing was computed from is named with its tile."""
    prepared, values = _prepared()
    work = prepared.program.layers[0].plan.work
    counted = getattr(work, steps).copy()
    counted[at] += 1
    work.__dict__[steps] = counted
    place = rf"pea{at[1]} found \(.*\) DWO, SWO and CS steps in tile m, n, k = {at[0]}, {at[2]}, {at[3]}, but its"
    with pytest.raises(InvariantError, match=place):
        values.exact()


def test_work_of_the_second_tile_of_a_stack_is_compared() -> None:
    """With double-tile processing both tiles of a stack are looked at, the lower one of the last stack too."""
    for m in range(2):
        prepared, values = _prepared(dtp="on")
        prepared.program.layers[0].plan.work.dwo[m, 0, 0, 0] += 1
        with pytest.raises(InvariantError, match=rf"in tile m, n, k = {m}, 0, 0"):
            values.exact()


@pytest.mark.parametrize("flags", ["last", "last_task"])
def test_visits_that_go_wrong_are_noticed(flags: str) -> None:
    """A last visit that is not known as one, or a visit that never ends, is noticed."""
    prepared, values = _prepared(loop_order="kmn")
    plan = prepared.program.layers[0].plan
    changed = getattr(plan.visits, flags).copy()
    changed[np.flatnonzero(changed)[-1]] = 0
    plan.__dict__["visits"] = replace(plan.visits, **{flags: changed})
    assert _is_noticed(values)


def test_an_output_that_is_never_written_is_an_error() -> None:
    """Without a compensation off line the sums of an unfinished tile are right, but nothing has been written."""
    prepared, values = _prepared(synthetic_layer(16, 64, 16, rho_w=0.5, rho_x=0.6, seed=3, zero_point=0))
    plan = prepared.program.layers[0].plan
    plan.__dict__["visits"] = replace(plan.visits, last=np.append(plan.visits.last[:-1], 0))
    with pytest.raises(InvariantError, match=r"output tile 1, 1 of synthetic_16x64x16 was not written"):
        values.exact()


def test_outputs_of_other_bytes_than_planned_are_an_error() -> None:
    """What the encoder packs is compared with the bytes that the timing was computed from."""
    prepared, values = _prepared(_ENCODED, **_FULL_K)
    prepared.program.layers[0].output_bytes.total[1, 0, 0] -= 1
    with pytest.raises(InvariantError, match=r"output tile 1, 0 takes (\d+) bytes, but was planned with \d+"):
        values.exact()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (-1, r"weight tile 0, 0 of \S+ is too short: a stream of its code goes on"),
        (1, r"weight tile 0, 0 of \S+ is too long: its code ends before"),
        (-2000, r"weight tile 0, 0 of \S+ has no room for its LO slices"),
    ],
)
def test_a_tile_of_other_bytes_is_no_tile(change: int, message: str) -> None:
    """A decoder that is given fewer or more bytes than the code has says so and names the tile."""
    prepared, values = _prepared()
    prepared.program.layers[0].plan.work.weight.lo[0, 0] += change
    with pytest.raises(CodecError, match=message):
        values.exact()
