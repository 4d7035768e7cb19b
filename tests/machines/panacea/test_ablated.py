"""Panacea that skips nothing, or zeros alone: bytes and steps of its tiles, a second time from operands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from naive_work import Cut, activation_size, tile_work, weight_size

from panacea_sim.errors import ConfigError
from panacea_sim.hardware.config import Hardware, from_mapping, load_hardware
from panacea_sim.machines.machine import machine_of
from panacea_sim.running.run import run
from panacea_sim.running.scenario import Scenario
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer

_M, _K, _N = 36, 50, 28


def _machine(name: str) -> Hardware:
    fields = {"n_pea": 4, "v": 4, "tile_k": 16, "tile_n": 16}
    return from_mapping(load_hardware("panacea", fields).model_dump() | {"machine": name, "dtp": "off"})


def _layer() -> GemmLayer:
    """Return a layer whose activations have vectors of zeros, and others with the slice of the zero point."""
    random = np.random.default_rng(3)
    activation = random.integers(0, 256, (_K, _N)).astype(np.uint8)
    activation[::3] = random.integers(0, 16, activation[::3].shape)
    activation[1::3] = random.integers(128, 144, activation[1::3].shape)
    weight = random.integers(-63, 64, (_M, _K)).astype(np.int8)
    weight[:, ::2] = random.integers(-3, 4, weight[:, ::2].shape)
    return GemmLayer("layer", weight, activation, 136)


def test_nothing_is_skipped() -> None:
    """Every slice is stored in 4 bits and multiplied with every other one; nothing is compensated."""
    hardware = _machine("panacea_dense")
    work = machine_of(hardware).work(_layer(), hardware, None)
    # Of each operand two slices, rows and columns in whole vectors, all of them whole already.
    assert work.weight.total.sum() == _M * _K
    assert work.activation.total.sum() == _K * _N
    assert work.weight.ho.sum() == work.activation.ho.sum() == 0
    steps = work.dwo.sum() + work.swo.sum()  # type: ignore[attr-defined]  # that of panacea
    assert steps * 16 == 4 * _M * _K * _N
    assert work.cs.sum() == 0  # type: ignore[attr-defined]  # the same


def test_zeros_alone_are_skipped() -> None:
    """Bytes and steps are those of a layer whose frequent slice is 0, without any compensation."""
    hardware, cut = _machine("panacea_zero"), Cut(4, 16, 16, 16)
    machine, layer = machine_of(hardware), _layer()
    own = machine.own(layer)
    work = machine.work(own, hardware, None)
    other = replace(layer, r=(0,))
    assert own.frequent == (0,) != layer.frequent
    for m, k in np.ndindex(3, 4):
        assert work.weight.total[m, k] == weight_size(other, cut, m, k).total
    for n, k in np.ndindex(2, 4):
        assert work.activation.total[n, k] == activation_size(other, cut, n, k).total
    for m, row, n, k in np.ndindex(3, 4, 2, 4):
        rows = range(16 * m + 4 * row, min(16 * m + 4 * row + 4, _M))
        if not rows:
            continue
        columns, depth = range(16 * n, min(16 * n + 16, _N)), range(16 * k, min(16 * k + 16, _K))
        dynamic, static, _ = tile_work(other, rows, depth, columns, 4)
        assert work.dwo[m, row, n, k] == dynamic  # type: ignore[attr-defined]  # that of panacea
        assert work.swo[m, row, n, k] == static  # type: ignore[attr-defined]  # the same
    assert work.cs.sum() == 0  # type: ignore[attr-defined]  # the same


def test_they_run() -> None:
    """Each step of skipping takes fewer cycles on a layer that has something to skip, and is no more than the next."""
    machines = ("panacea_dense", "panacea_zero", "panacea")
    cycles = [run(Scenario("step", _layer(), _machine(name), values="auto")).summary for name in machines]
    assert cycles[0].makespan_cycles > cycles[2].makespan_cycles
    assert [each.exact for each in cycles] == [None, None, True]


def test_masks_say_nothing_of_zeros() -> None:
    """Densities of a network are those of frequent slices; a machine that skips zeros refuses them by name."""
    with pytest.raises(ConfigError, match="skip masks in 'masked'; accepted: operands, on this machine"):
        run(Scenario("zero", MaskedLayer("masked", 8, 8, 8, 0.5, 0.5, 0), _machine("panacea_zero")))
