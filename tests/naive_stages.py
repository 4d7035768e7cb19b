"""A vector stage in plain Python, tile by tile: what is read, what passes the PPU, and what is freed."""

from __future__ import annotations

from dataclasses import dataclass, field

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.workload.vector_stage import VectorStage

__all__ = ["Passing", "Stage", "stage_of_tiles"]


@dataclass(frozen=True)
class Passing:
    """A tile that passes the PPU: its elements, how often, whether it comes fresh, what is freed, and what is made."""

    m: int
    n: int
    outputs: int
    passes: int
    is_fresh: bool
    freed_bytes: int
    makes_results: bool


@dataclass
class Stage:
    """The tiles that a stage reads, (m, n, input) each, and those that pass the PPU."""

    reads: list[tuple[int, int, int]] = field(default_factory=list)
    passings: list[Passing] = field(default_factory=list)


def stage_of_tiles(tiling: Tiling, stage: VectorStage, vmem_bytes: int) -> Stage:
    """Return what a stage does behind a layer."""
    found = Stage()
    m_tiles, n_tiles = -(-tiling.M // tiling.tile_m), -(-tiling.N // tiling.tile_n)
    for product in range(tiling.repeat):
        for n in range(n_tiles):
            columns = min(tiling.tile_n, tiling.N - n * tiling.tile_n)
            sizes = [min(tiling.tile_m, tiling.M - m * tiling.tile_m) * columns for m in range(m_tiles)]
            fits = tiling.M * columns * 2 * stage.inputs <= vmem_bytes
            sweeps = [(stage.passes - 1, False), (1, True)] if stage.reduces else [(stage.passes, True)]
            for at, (passes, makes_results) in enumerate(sweeps):
                for m, outputs in enumerate(sizes):
                    tile = product * m_tiles + m
                    is_fresh = at == 0 or not fits
                    if is_fresh:
                        found.reads += [(tile, n, number) for number in range(stage.inputs)]
                    freed = 2 * stage.inputs * outputs * (makes_results or not fits)
                    found.passings.append(Passing(tile, n, outputs, passes, is_fresh, freed, makes_results))
    return found
