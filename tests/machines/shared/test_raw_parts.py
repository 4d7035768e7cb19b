"""HO parts that are stored as they are where their code would be longer: bytes, work, values, and both engines."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from case_counts import at_most
from engine_runs import NEEDS_NUMBA, assert_equal
from hypothesis import event, given
from naive_work import Cut, TileSize, activation_is_raw, activation_size, tile_work, weight_is_raw, weight_size
from strategies import chains, raw_scenarios, scenarios

from panacea_sim.hardware.config import load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.machines.panacea.work import panacea_work
from panacea_sim.machines.shared.tile_format import TileShape, pack_tile, unpack_tile
from panacea_sim.quant.rle import CodecError
from panacea_sim.running.prepare import Prepared, prepare
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.synthetic import synthetic_layer


@at_most(40)
@given(raw_scenarios(scenarios()))
def test_bytes_and_steps_are_those_of_plain_counting(scenario: Scenario) -> None:
    """A tile takes a flag and the shorter of both; all vectors of a raw one are stored, and meet what is stored."""
    hardware = scenario.resolved_hardware()
    layer = scenario.layer
    assert isinstance(layer, GemmLayer)
    cut = Cut.of(scenario.settings)
    work = panacea_work(machine_of(hardware).work(layer, hardware, None))
    raw_w = {at: weight_is_raw(layer, cut, *at) for at in np.ndindex(work.weight.total.shape)}
    raw_x = {at: activation_is_raw(layer, cut, *at) for at in np.ndindex(work.activation.total.shape)}
    event(f"raw: {any(raw_w.values())} {any(raw_x.values())}, coded: {not all(raw_w.values())}")
    for at in raw_w:
        assert TileSize(work.weight.ho[at], work.weight.total[at]) == weight_size(layer, cut, *at)
    for at in raw_x:
        assert TileSize(work.activation.ho[at], work.activation.total[at]) == activation_size(layer, cut, *at)
    for (m, pea, n, k), found in np.ndenumerate(work.dwo):
        first = m * cut.tile_m + pea * cut.v
        rows = range(first, min(first + cut.v, layer.M))
        depth = range(k * cut.tile_k, min((k + 1) * cut.tile_k, layer.K))
        columns = range(n * cut.tile_n, min((n + 1) * cut.tile_n, layer.N))
        raw = raw_w[m, k], raw_x[n, k]
        wanted = tile_work(layer, rows, depth, columns, cut.v, raw) if rows else (0, 0, 0)
        assert (found, work.swo[m, pea, n, k], work.cs[m, pea, n, k]) == wanted


@NEEDS_NUMBA
@at_most(20)
@given(raw_scenarios(scenarios() | chains()))
def test_values_are_exact_and_engines_equal(scenario: Scenario) -> None:
    """Values travel and are checked through raw parts and coded ones, chained layers too; both engines agree."""
    prepared = prepare(replace(scenario, values=False))
    assert isinstance(prepared, Prepared)
    assert assert_equal(prepared.description, ("w_dma", "o_dma")) is not None
    for way in ("travel", "check"):
        assert run(replace(scenario, values=way)).summary.exact is True  # type: ignore[arg-type]  # one of its words


@pytest.mark.parametrize(("rho", "is_raw"), [(0.0, True), (0.9, False)])
def test_a_layer_takes_the_shorter_of_both(rho: float, is_raw: bool) -> None:  # noqa: FBT001  # a parameter
    """Dense weights shrink to their slices and a flag a tile, sparse ones grow by a bit a tile at most."""
    layer = synthetic_layer(128, 128, 64, rho_w=rho, rho_x=0.9, seed=1)
    off, auto = (
        machine_of(hardware).work(layer, hardware, None).weight
        for hardware in (load_hardware("panacea", {"raw_ho": raw_ho}) for raw_ho in ("off", "auto"))
    )
    tiles = off.total.size
    if is_raw:
        assert auto.total.sum() == 128 * 128 + tiles
    else:
        assert off.total.sum() <= auto.total.sum() <= off.total.sum() + tiles
    assert (auto.total.sum() < off.total.sum()) == is_raw


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: data[:-1] + b"\1"])
def test_a_raw_part_of_another_length_is_refused(change: Any) -> None:  # noqa: ANN401  # a function
    """A raw part that is cut, goes on, or ends with bits that are not 0 is no tile."""
    shape = TileShape(1, 2, 5, 4, 8, may_be_raw=True)
    lo, ho = np.full((2, 5, 4), 3, np.uint8), np.full((1, 2, 5, 4), 5, np.uint8)
    data = pack_tile(lo, ho, np.zeros((1, 2, 5), np.bool_), 8, may_be_raw=True)
    tile = unpack_tile(data, shape, np.zeros(1, np.uint8))
    assert np.array_equal(tile.ho, ho)
    assert tile.stored.all()
    with pytest.raises(CodecError, match=r"bytes are no raw HO part of 160 bits behind a flag"):
        unpack_tile(change(data), shape, np.zeros(1, np.uint8))
