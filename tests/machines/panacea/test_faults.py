"""Planted faults: whatever goes wrong with the values is seen, as an error or as accumulators that are not exact."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from case_counts import at_most
from hypothesis import given
from hypothesis import strategies as st

from panacea_sim.engines.reference.engine import run_reference
from panacea_sim.errors import InvariantError, PanaceaError
from panacea_sim.machines.panacea import dispatcher, pea
from panacea_sim.machines.panacea import values as panacea_values
from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared import ppu, sliced_work
from panacea_sim.quant import rle
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.scenario import Scenario
from panacea_sim.trace.options import TraceOptions
from panacea_sim.trace.recorder import Recorder
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer

# Shapes without padding, so that every bit of every tile counts.
_MACHINE = {"n_pea": 2, "v": 4, "tile_k": 32, "tile_n": 8, "loop_order": "mnk", "dtp": "off"}
_LAYER = synthetic_layer(16, 64, 16, rho_w=0.5, rho_x=0.6, seed=3, zero_point=100)


def _is_noticed(prepared: Prepared, values: TravellingValues) -> bool:
    """Return whether the run raises or finds that it is not exact."""
    try:
        run_reference(prepared.description, Recorder(TraceOptions("off")), values.workers)
        return not values.exact()
    except PanaceaError:
        return True


def _prepared(layer: GemmLayer = _LAYER) -> tuple[Prepared, TravellingValues]:
    prepared = prepare(Scenario("fault", layer, settings=_MACHINE))
    assert prepared.values is not None
    return prepared, prepared.values


def _tile_addresses(prepared: Prepared) -> list[int]:
    (layer,) = prepared.program.layers
    return [*layer.layout.weight.ravel().tolist(), *layer.layout.activation.ravel().tolist()]


def test_nothing_is_noticed_without_a_fault() -> None:
    """The machine that the faults are planted in is exact when it is left alone."""
    assert not _is_noticed(*_prepared())


@at_most(75)
@given(st.data())
def test_a_flipped_bit_is_noticed(data: st.DataObject) -> None:
    """Any one bit of any encoded tile, flipped in DRAM, is noticed."""
    prepared, values = _prepared()
    address = data.draw(st.sampled_from(_tile_addresses(prepared)))
    tile = bytearray(values.image[address])
    bit = data.draw(st.integers(0, 8 * len(tile) - 1))
    tile[bit // 8] ^= 1 << bit % 8
    values.image[address] = bytes(tile)
    assert _is_noticed(prepared, values)


def _without_online_part(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = pea.activation_factors

    def factors(layer: GemmLayer) -> np.ndarray:
        slices = len(layer.frequent)
        return np.concatenate([correct(layer)[: 1 + slices], np.zeros(slices, np.int64)])

    monkeypatch.setattr(pea, "activation_factors", factors)


def _without_offline_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panacea_values, "offline_compensation", lambda layer: np.zeros(layer.M, np.int64))


def _rows_dealt_in_the_wrong_order(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = dispatcher.DispatcherWorker.fire

    def fire(self: dispatcher.DispatcherWorker, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        return correct(self, firing, inputs)[::-1]

    monkeypatch.setattr(dispatcher.DispatcherWorker, "fire", fire)


def _outputs_requantized_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = ppu.PpuWorker.fire

    def fire(self: ppu.PpuWorker, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        (tiles,) = correct(self, firing, inputs)
        return ([tile ^ 1 for tile in tiles],)

    monkeypatch.setattr(ppu.PpuWorker, "fire", fire)


@pytest.mark.parametrize(
    "plant",
    [_without_online_part, _without_offline_part, _rows_dealt_in_the_wrong_order, _outputs_requantized_wrong],
)
def test_a_fault_in_a_component_is_noticed(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compensation left out, rows in the wrong PEA or wrong outputs are noticed."""
    plant(monkeypatch)
    assert _is_noticed(*_prepared())


def test_compensation_left_out_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the compensation on line the run ends, and its accumulators differ."""
    _without_online_part(monkeypatch)
    prepared, values = _prepared()
    run_reference(prepared.description, Recorder(TraceOptions("off")), values.workers)
    assert values.exact() is False


@pytest.mark.parametrize(("one", "other"), [((0, 0), (1, 0)), ((0, 0), (0, 1))])
def test_a_weight_tile_in_the_wrong_place_is_noticed(one: tuple[int, int], other: tuple[int, int]) -> None:
    """A weight tile (m, k) fetched from the place of another row of tiles, or another k, is noticed."""
    prepared, values = _prepared()
    (layer,) = prepared.program.layers
    here, there = (int(layer.layout.weight[m, k]) for m, k in (one, other))
    values.image[here], values.image[there] = values.image[there], values.image[here]
    assert _is_noticed(prepared, values)


def test_two_weight_rows_exchanged_are_noticed() -> None:
    """The LO slices of two row groups of one tile, exchanged, are noticed."""
    prepared, values = _prepared()
    (layer,) = prepared.program.layers
    address = int(layer.layout.weight[0, 0])
    tile = values.image[address]
    group_bytes = 32 * 4 // 2
    groups = tile[group_bytes : 2 * group_bytes] + tile[:group_bytes]
    assert groups != tile[: 2 * group_bytes]
    values.image[address] = groups + tile[2 * group_bytes :]
    assert _is_noticed(prepared, values)


def _layer_with_fillers() -> GemmLayer:
    """Return a layer in whose only activation stream 20 vectors are skipped before one is stored."""
    activation = np.full((32, 4), 100, np.uint8)
    activation[20] = 7
    weight = (np.arange(8 * 32).reshape(8, 32) % 61 - 30).astype(np.int8)
    return GemmLayer("fillers", weight, activation, zero_point=100)


def _no_fillers(skipped: BoolArray, tile_k: int) -> BoolArray:  # noqa: ARG001  # the signature of what it replaces
    return ~skipped


def test_fillers_are_needed_by_the_layer() -> None:
    """The layer of the filler faults stores one vector more than its mask asks for."""
    prepared, values = _prepared(_layer_with_fillers())
    (layer,) = prepared.program.layers
    assert layer.plan.work.stored_x.vectors == 2
    assert not _is_noticed(prepared, values)


def test_a_filler_dropped_by_the_encoder_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles that are packed without their fillers do not have the planned bytes."""
    monkeypatch.setattr(rle, "stored_with_fillers", _no_fillers)
    with pytest.raises(InvariantError, match=r"activation tile 0, 0 takes \d+ bytes, but was planned with \d+"):
        _prepared(_layer_with_fillers())


def test_a_filler_dropped_everywhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the plan knows of no fillers either, the skip count does not fit and the vector goes astray."""
    monkeypatch.setattr(rle, "stored_with_fillers", _no_fillers)
    monkeypatch.setattr(sliced_work, "stored_with_fillers", _no_fillers)
    assert _is_noticed(*_prepared(_layer_with_fillers()))


def test_work_that_the_timing_did_not_count_is_an_error() -> None:
    """A PEA that finds other work in its slices than its timing was computed from says so."""
    prepared, values = _prepared()
    (layer,) = prepared.program.layers
    layer.plan.work.dwo[0, 1, 0, 0] += 1
    with pytest.raises(InvariantError, match=r"pea1 found \(.*\) DWO, SWO and CS steps in tile m, n, k = 0, 0, 0"):
        run_reference(prepared.description, Recorder(TraceOptions("off")), values.workers)


def test_outputs_written_wrong_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Right accumulators with a wrong output tile are an error of their own, which names the tile."""
    _outputs_requantized_wrong(monkeypatch)
    prepared, values = _prepared()
    run_reference(prepared.description, Recorder(TraceOptions("off")), values.workers)
    with pytest.raises(InvariantError, match=r"output tile 0, 0 of synthetic_16x64x16 was written wrong"):
        values.exact()
