"""The post-processing unit: its timing array, and what it makes of the sums of a tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.steps import Give, Take
from panacea_sim.machines.shared.program import Program
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.quant.activation_functions import PostProcessor
from panacea_sim.units import ceil_div, repeated

__all__ = ["PpuWorker", "ppu"]


def ppu(program: Program) -> Component:
    """Return `ppu`: it adds the bias, requantizes an output tile and applies the activation function.

    Vector work that follows takes passes of its own over the outputs.
    """
    outputs = program.tile_outputs
    one = repeated(1, len(outputs))
    return Component(
        "ppu",
        "output",
        len(outputs),
        service_cycles=program.of_tiles(
            lambda layer: np.maximum(
                ceil_div(layer.plan.work.outputs * layer.plan.work.passes, program.hardware.ppu_lanes),
                ceil_div(layer.plan.work.outputs * BYTES_PER_PARTIAL_SUM, program.hardware.omem_bytes_per_cycle),
            )
        ),
        takes=(Take("q_ppu", one),),
        gives=(Give("q_encode", one),),
        labels=program.output_labels,
        size_bytes=outputs,
        role="post_process",
        actions=(action_of("requantized_outputs", "outputs", outputs),),
    )


class PpuWorker:
    """Makes output codes of the sums of each tile, with the multipliers of its rows."""

    def __init__(self, program: Program, post_processors: Sequence[PostProcessor]) -> None:
        self._labels = program.output_labels
        self._post_processors = post_processors
        self._tilings = [layer.plan.work.tiling for layer in program.layers]

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the output codes of the tile [rows, columns]."""
        tile = inputs[0][0]
        number = self._labels.layer[firing]
        rows = self._tilings[number].rows_of(self._labels.m[firing])
        return (self._post_processors[number].rows(rows.start, rows.stop).apply(tile),)
