"""The dispatcher: its timing array, and how it deals a pair of tiles to the PE arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.machine.decoder import WeightTile
from panacea_sim.machine.description import Component, Give, Take
from panacea_sim.machine.program import Program
from panacea_sim.machine.tile_format import SlicedTile
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import ceil_div

__all__ = ["DispatcherWorker", "PeaTile", "dispatcher", "pea_queue"]


def pea_queue(pea: int) -> str:
    """Return the name of the queue from the dispatcher to a PEA."""
    return f"q_pea{pea}"


def dispatcher(program: Program) -> Component:
    """Return `dispatcher`: it reads a weight and an activation tile side by side and deals them to all PEAs."""
    size_bytes = program.joined(
        lambda layer: np.maximum(
            layer.plan.work.weight.total[layer.plan.m, layer.plan.k],
            layer.plan.work.activation.total[layer.plan.n, layer.plan.k],
        )
    )
    one = np.ones(len(size_bytes), np.int64)
    return Component(
        "dispatcher",
        "compute",
        len(size_bytes),
        service_cycles=ceil_div(size_bytes, program.hardware.sram_bytes_per_cycle),
        takes=(Take("q_w", one), Take("q_x", one)),
        gives=tuple(Give(pea_queue(pea), one) for pea in range(program.hardware.n_pea)),
        labels=program.task_labels(),
        size_bytes=size_bytes,
    )


@dataclass(frozen=True, eq=False)
class PeaTile:
    """What one PEA gets for a task: its row group's signed slices, and the activation tile that all PEAs share.

    `lo` is [K, v], `ho` [S, K, v] and `stored` [S, K].
    """

    lo: npt.NDArray[np.int8]
    ho: npt.NDArray[np.int8]
    stored: BoolArray
    activation: SlicedTile


class DispatcherWorker:
    """Deals row group p of the weight tile to PEA p; a PEA without rows gets None."""

    def __init__(self, program: Program) -> None:
        self._peas = program.hardware.n_pea

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:  # noqa: ARG002  # every task is dealt alike
        """Return one PeaTile or None for each PEA."""
        weight: WeightTile = inputs[0][0]
        activation: SlicedTile = inputs[1][0]
        dealt = [
            PeaTile(weight.lo[group], weight.ho[:, group], weight.stored[:, group], activation)
            for group in range(len(weight.lo))
        ]
        return [*dealt, *[None] * (self._peas - len(dealt))]
