"""The post-processing unit: its timing array, and the requantization of output tiles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panacea_sim.machine.description import Component, Give, Take
from panacea_sim.machine.program import Program
from panacea_sim.quant.quantizer import Requantizer
from panacea_sim.units import ceil_div

__all__ = ["PpuWorker", "ppu"]


def ppu(program: Program) -> Component:
    """Return `ppu`: it adds the bias and requantizes an output tile."""
    outputs = program.group_outputs()
    one = np.ones(len(outputs), np.int64)
    return Component(
        "ppu",
        "output",
        len(outputs),
        service_cycles=ceil_div(outputs, program.hardware.ppu_lanes),
        takes=(Take("q_ppu", one),),
        gives=(Give("q_encode", one),),
        labels=program.group_labels(),
        size_bytes=outputs,
    )


class PpuWorker:
    """Requantizes each output tile with the multipliers of its rows."""

    def __init__(self, program: Program, requantizers: Sequence[Requantizer]) -> None:
        self._labels = program.group_labels()
        self._requantizers = requantizers
        self._tile_m = program.hardware.tile_m

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the quantized output tile [rows, columns]."""
        tile = inputs[0][0]
        first = int(self._labels.m[firing]) * self._tile_m
        requantizer = self._requantizers[self._labels.layer[firing]]
        return (requantizer.rows(first, first + len(tile)).apply(tile),)
