"""The dispatcher: its timing array, and how it deals a pair of tiles to the PE arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.description.component import Component
from panacea_sim.description.steps import Take
from panacea_sim.machines.panacea.decoder import WeightTile
from panacea_sim.machines.panacea.settings import panacea_hardware
from panacea_sim.machines.shared.dealer import dealer
from panacea_sim.machines.shared.program import Program
from panacea_sim.machines.shared.tile_format import SlicedTile
from panacea_sim.quant.vectors import BoolArray

__all__ = ["DispatcherWorker", "PeaTile", "dispatcher"]


def dispatcher(program: Program) -> Component:
    """Return `dispatcher`: it reads decoded tiles side by side and deals them to all PEAs."""
    one, hardware = program.one_per_task, panacea_hardware(program.hardware)
    takes = (Take("q_w", one), Take("q_x", one))
    return dealer(program, hardware.n_pea, hardware.sram_bytes_per_cycle, takes=takes)


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
    """Deals row group p of every weight tile in the stack to PEA p; a PEA without rows in a tile gets None for it."""

    def __init__(self, peas: int) -> None:
        self._peas = peas

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:  # noqa: ARG002  # every task is dealt alike
        """Return for each PEA a list with one PeaTile or None for each tile of the stack."""
        stack: list[WeightTile] = inputs[0][0]
        activation: SlicedTile = inputs[1][0]
        return [[_share(weight, activation, pea) for weight in stack] for pea in range(self._peas)]


def _share(weight: WeightTile, activation: SlicedTile, pea: int) -> PeaTile | None:
    if pea >= len(weight.lo):
        return None
    return PeaTile(weight.lo[pea], weight.ho[:, pea], weight.stored[:, pea], activation)
