"""A vector stage tile by tile: what is read, what passes the PPU, and what is written.

Tiles are those of the layer's outputs, product by product, n outermost. The tiles of an n are a *panel*. Where results
need all features, a panel passes the PPU twice: first for its sums, then for its results.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.mapping.outputs import OutputBytes, Writes, writes_of
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray
from panacea_sim.workload.vector_stage import VectorStage

__all__ = ["RAW_BYTES", "StagePlan", "StageWork", "plan_stage"]

RAW_BYTES = 2
"""Bytes of an element between a layer and the stage behind it."""


@dataclass(frozen=True, eq=False)
class StageWork:
    """A stage, and the bytes of its results."""

    stage: VectorStage
    output_bytes: OutputBytes


@dataclass(frozen=True, eq=False)
class StagePlan:
    """The firings of a stage.

    `read_m`, `read_n` and `read_input` are the tile and the input of each firing that reads; `last_input` is 1 where a
    tile is complete with it. `m`, `n` are the tile of each firing of the PPU, `passes` how often its elements pass;
    `taken` says whether it takes a tile that was read, `freed` whether the tile is not needed any more, `given` whether
    it makes results. `writes` are those of the results.
    """

    read_m: IntArray
    read_n: IntArray
    read_input: IntArray
    last_input: IntArray
    m: IntArray
    n: IntArray
    passes: IntArray
    taken: IntArray
    freed: IntArray
    given: IntArray
    writes: Writes


def plan_stage(work: StageWork, tiling: Tiling, vmem_bytes: int) -> StagePlan:
    """Return the firings of a stage behind a layer; raises MappingError if VMEM does not hold a tile of all inputs."""
    stage = work.stage
    m, n = _panels(tiling)
    tile_bytes = tiling.rows[m] * tiling.columns[n] * stage.inputs * RAW_BYTES
    if tile_bytes.max() > vmem_bytes:
        need, missing = int(tile_bytes.max()), int(tile_bytes.max()) - vmem_bytes
        raise MappingError(
            f"VMEM holds {vmem_bytes} bytes, but a tile of {stage.inputs} inputs of a vector stage needs {need}: "
            f"{missing} bytes are missing. Raise hardware.vmem_bytes to {need}, or lower hardware.tile_n"
        )
    sweeps = 1 + stage.reduces
    sweep = np.arange(sweeps)[None, :, None]
    shape = (len(m), sweeps, m.shape[1])
    # A panel that stays is read for the first sweep and freed by the last.
    stays = (tile_bytes.sum(1) <= vmem_bytes)[:, None, None]
    taken = np.broadcast_to((sweep == 0) | ~stays, shape)
    given = np.broadcast_to(sweep == sweeps - 1, shape)
    passes = np.broadcast_to(_passes_of_sweeps(stage)[None, :, None], shape)
    all_m, all_n = (np.broadcast_to(each[:, None], shape) for each in (m, n))
    read = np.repeat(np.flatnonzero(taken.ravel()), stage.inputs)
    number = np.tile(np.arange(stage.inputs), len(read) // stage.inputs)
    return StagePlan(
        all_m.ravel()[read],
        all_n.ravel()[read],
        number,
        (number == stage.inputs - 1).astype(np.int64),
        all_m.ravel(),
        all_n.ravel(),
        passes.ravel(),
        taken.ravel().astype(np.int64),
        (given | ~np.broadcast_to(stays, shape)).ravel().astype(np.int64),
        given.ravel().astype(np.int64),
        writes_of(work.output_bytes, m.ravel(), n.ravel()),
    )


def _panels(tiling: Tiling) -> tuple[IntArray, IntArray]:
    """Return the tiles (m, n) of each panel, [panel, tile]."""
    shape = (tiling.repeat, tiling.n_tiles, tiling.m_tiles)
    product, n, m = np.indices(shape)
    return (product * tiling.m_tiles + m).reshape(-1, tiling.m_tiles), n.reshape(-1, tiling.m_tiles)


def _passes_of_sweeps(stage: VectorStage) -> IntArray:
    """Return the passes of each sweep: the one that requantizes makes the results, where others go before it."""
    return np.array([stage.passes - 1, 1]) if stage.reduces else np.array([stage.passes])
