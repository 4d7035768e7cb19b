"""What dispatchers and PE arrays do to tiles of digits or slices, in vectors of v."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.description.worker import Worker
from panacea_sim.errors import InvariantError
from panacea_sim.machines.shared.pe_arrays import StepsOf
from panacea_sim.machines.shared.program import Program
from panacea_sim.matmul import finite_tensordot
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import IntArray, ceil_div, narrow

__all__ = ["Factors", "Unpack", "VectorProducts", "VectorTile", "dealing_workers"]


@dataclass(frozen=True, eq=False)
class VectorTile:
    """A tile as planes of digits or slices: `planes` [D, groups, K, v], of which `stored` [D, groups, K] are there.

    With `packs`, zeros of all planes but the first are left out, and what remains at a position is multiplied v at a
    time.
    """

    planes: npt.NDArray[np.int16]
    stored: BoolArray
    packs: bool = False

    @property
    def multiplied(self) -> IntArray:
        """The vectors that are multiplied at each position."""
        if not self.packs:
            stored: IntArray = self.stored.sum((0, 1))
            return stored
        there: IntArray = np.count_nonzero(self.planes[1:], axis=(0, 1, 3))
        vectors: IntArray = self.stored[0].sum(0) + ceil_div(there, self.planes.shape[3])
        return vectors


Unpack = Callable[[int, Any], VectorTile]
"""Makes a tile of what reaches the dispatcher for the task with this number."""

Factors = tuple[Sequence[int], Sequence[int]]
"""What the planes of the weight, and those of the activation, are multiplied with."""


def dealing_workers(
    program: Program, peas: int, unpack: tuple[Unpack, Unpack], factors: Sequence[Factors], steps_of: StepsOf
) -> dict[str, Worker]:
    """Return the workers of the dispatcher and of the PEAs; `factors` are those of each layer."""
    workers: dict[str, Worker] = {"dispatcher": _DispatcherWorker(unpack, peas)}
    steps = program.joined(lambda layer: narrow(steps_of(layer)))
    workers |= {f"pea{pea}": _PeaWorker(program, pea, factors, steps[:, pea]) for pea in range(peas)}
    return workers


class _DispatcherWorker:
    """Deals row group p of every weight tile to PEA p; a PEA without rows in a tile gets None."""

    def __init__(self, unpack: tuple[Unpack, Unpack], peas: int) -> None:
        self._unpack = unpack
        self._peas = peas

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the share of each PEA: its vectors of the weight tile, and the activation tile."""
        weight, activation = (unpack(firing, taken[0]) for unpack, taken in zip(self._unpack, inputs, strict=True))
        groups = weight.planes.shape[1]
        shares = [(VectorTile(weight.planes[:, [p]], weight.stored[:, [p]]), activation) for p in range(groups)]
        return [*shares, *[None] * (self._peas - groups)]


class _PeaWorker:
    """Multiplies every plane of its rows with every plane of the columns, and adds up until the visit ends.

    The steps that it finds in the planes must be those of its timing: a stored vector meets every stored one.
    """

    def __init__(self, program: Program, pea: int, factors: Sequence[Factors], steps: IntArray) -> None:
        self._pea = pea
        self._labels = program.task_labels
        self._given = program.sums_given[0]
        self._factors = factors
        self._steps = steps
        self._sums: IntArray | None = None

    def fire(self, firing: int, inputs: list[tuple[Any, ...]]) -> Sequence[Any]:
        """Return the sums [v, columns] at the end of a visit, and nothing before; None without rows."""
        share: tuple[VectorTile, VectorTile] | None = inputs[0][0]
        if share is None:
            return (None,)
        self._check_steps(firing, *share)
        sums = _products(*share, self._factors[self._labels.layer[firing]])
        if self._sums is not None:
            sums = sums + self._sums
        self._sums = None if self._given[firing] else sums
        return (sums if self._given[firing] else None,)

    def _check_steps(self, firing: int, weight: VectorTile, activation: VectorTile) -> None:
        found, planned = int(_steps_found(weight, activation).sum()), int(self._steps[firing])
        if found != planned:
            raise _unplanned(self._pea, firing, found, planned)


class VectorProducts:
    """The products of whole tiles: what the PEAs make of them together, their steps compared with those of timing."""

    def __init__(
        self, program: Program, unpack: tuple[Unpack, Unpack], factors: Sequence[Factors], steps_of: StepsOf
    ) -> None:
        self._labels = program.task_labels
        self._unpack = unpack
        self._factors = factors
        self._steps = program.joined(lambda layer: narrow(steps_of(layer)))

    def __call__(self, task: int, weight: list[bytes], activation: list[bytes]) -> IntArray:
        """Return the sums [rows, columns] with padding; raises InvariantError for a PEA with other steps."""
        of_weight, of_activation = (
            unpack(task, pieces) for unpack, pieces in zip(self._unpack, (weight, activation), strict=True)
        )
        found = np.zeros(self._steps.shape[1], np.int64)
        of_groups = _steps_found(of_weight, of_activation)
        found[: len(of_groups)] = of_groups
        for pea in np.flatnonzero(found != self._steps[task])[:1]:
            raise _unplanned(int(pea), task, int(found[pea]), int(self._steps[task, pea]))
        return _products(of_weight, of_activation, self._factors[self._labels.layer[task]])


def _steps_found(weight: VectorTile, activation: VectorTile) -> IntArray:
    """Return the steps of each row group: every stored vector of the weight meets every stored one at its k."""
    steps: IntArray = weight.stored.sum(0, dtype=np.int64) @ activation.multiplied
    return steps


def _unplanned(pea: int, task: int, found: int, planned: int) -> InvariantError:
    return InvariantError(f"pea{pea} found {found} steps in task {task}, but its timing was computed from {planned}")


def _products(weight: VectorTile, activation: VectorTile, factors: Factors) -> IntArray:
    """Return the weighted sum over all pairs of planes, [rows, columns]."""
    rows, columns = (_lanes(tile) for tile in (weight, activation))
    # Whole numbers far below 2^53, so floating point is exact.
    pairs = finite_tensordot(rows, columns, 1, 1)
    of_weight, of_activation = (np.array(each, np.float64) for each in factors)
    sums: IntArray = np.einsum("a,avbn,b->vn", of_weight, pairs, of_activation).astype(np.int64)
    return sums


def _lanes(tile: VectorTile) -> npt.NDArray[np.float64]:
    """Return the stored vectors of a tile as [D, K, lanes]; the others are zeros."""
    values = (tile.planes * tile.stored[..., None]).astype(np.float64)
    digits, groups, depth, v = values.shape
    return values.swapaxes(1, 2).reshape(digits, depth, groups * v)
