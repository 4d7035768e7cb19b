"""The post-processing unit: its timing array, and what it makes of the sums of a tile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from panacea_sim.description.actions import action_of
from panacea_sim.description.component import Component
from panacea_sim.description.costs import cost_of, read_of
from panacea_sim.description.steps import Give, Release, Take
from panacea_sim.machines.shared.program import PlannedLayer, Program
from panacea_sim.mapping.partial_sums import BYTES_PER_PARTIAL_SUM
from panacea_sim.mapping.stage import RAW_BYTES, StagePlan
from panacea_sim.units import IntArray, ceil_div, repeated
from panacea_sim.workload.functional import Codes, FunctionalPass

__all__ = ["PpuWorker", "ppu"]


def ppu(program: Program) -> Component:
    """Return `ppu`: it adds the bias, requantizes an output tile and applies the activation function.

    Vector work that follows takes passes of its own over the outputs, or is a stage behind the layer: then the tiles of
    the stage follow the layer's own.
    """
    outputs = program.of_post_processing(
        lambda layer: layer.tile_outputs, lambda layer, stage: _stage_outputs(layer, stage) * stage.given
    )
    given = program.of_post_processing(_one_each, lambda _, stage: stage.given)
    from_stage = program.of_post_processing(_none_each, lambda _, stage: stage.taken)
    from_layer = program.of_post_processing(_one_each, lambda _, stage: np.zeros_like(stage.m))
    freed_bytes = program.of_post_processing(_none_each, _freed_bytes)
    return Component(
        "ppu",
        "output",
        len(outputs),
        service_cycles=program.of_post_processing(
            lambda layer: _cycles(
                program, layer.tile_outputs * layer.plan.work.passes, layer.tile_outputs * BYTES_PER_PARTIAL_SUM
            ),
            lambda layer, stage: _cycles(
                program, _stage_outputs(layer, stage) * stage.passes, _stage_bytes(layer, stage)
            ),
        ),
        takes=(Take("q_ppu", from_layer), *((Take("q_v", from_stage),) if program.has_stages else ())),
        releases=(Release("VMEM", freed_bytes),) if program.has_stages else (),
        gives=(Give("q_encode", given),),
        labels=program.output_labels,
        size_bytes=outputs,
        role="post_process",
        actions=(action_of("requantized_outputs", "outputs", outputs),),
        costs=(
            cost_of(read_of("OMEM"), lambda: _own_outputs(program), BYTES_PER_PARTIAL_SUM),
            *((cost_of(read_of("VMEM"), lambda: _stage_reads(program)),) if program.has_stages else ()),
        ),
    )


def _own_outputs(program: Program) -> IntArray:
    """Return the outputs of the layer itself that each firing takes; the sums of each are read once."""
    return program.of_post_processing(lambda layer: layer.tile_outputs, lambda _, stage: np.zeros_like(stage.m))


def _stage_reads(program: Program) -> IntArray:
    """Return the bytes of VMEM that each firing reads."""
    return program.of_post_processing(_none_each, _stage_bytes)


def _cycles(program: Program, passed_outputs: IntArray, read_bytes: IntArray) -> IntArray:
    """Return the cycles of passes over outputs, which are read once through a port as wide as that of OMEM."""
    hardware = program.hardware
    return np.maximum(ceil_div(passed_outputs, hardware.ppu_lanes), ceil_div(read_bytes, hardware.omem_bytes_per_cycle))


def _stage_outputs(layer: PlannedLayer, stage: StagePlan) -> IntArray:
    outputs: IntArray = layer.plan.work.outputs[stage.m, stage.n]
    return outputs


def _stage_bytes(layer: PlannedLayer, stage: StagePlan) -> IntArray:
    """Return the bytes in VMEM of the tile of each firing for a stage, all inputs together."""
    assert layer.plan.work.stage is not None
    return _stage_outputs(layer, stage) * RAW_BYTES * layer.plan.work.stage.stage.inputs


def _freed_bytes(layer: PlannedLayer, stage: StagePlan) -> IntArray:
    return _stage_bytes(layer, stage) * stage.freed


def _one_each(layer: PlannedLayer) -> IntArray:
    return repeated(1, layer.plan.output_count)


def _none_each(layer: PlannedLayer) -> IntArray:
    return repeated(0, layer.plan.output_count)


class PpuWorker:
    """Makes output codes of the sums of each tile, in each format, with the multipliers of the rows that are read."""

    def __init__(self, program: Program, functional: Sequence[FunctionalPass]) -> None:
        self._labels = program.output_labels
        self._functional = functional
        self._tilings = [layer.plan.work.tiling for layer in program.layers]

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the output codes of the tile, [rows that are read, columns] in each format; None where none is."""
        tile = inputs[0][0]
        number = self._labels.layer[firing]
        features = self._tilings[number].rows_of(self._labels.m[firing])
        made: list[Codes | None] = []
        for written in self._functional[number].written:
            part = written.part(features)
            sums = tile[written.rows[part] - features.start]
            made.append(written.post_processor.rows(part.start, part.stop).apply(sums) if len(sums) else None)
        return (made,)
