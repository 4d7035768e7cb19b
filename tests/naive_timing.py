"""What each component does in one firing, in plain Python: cycles and bytes, from operands and settings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from naive_work import Codes, Cut, TileSize, activation_size, output_size, rounded_up, shared, tile_work, weight_size

from panacea_sim.workload.gemm_layer import GemmLayer

__all__ = ["PlainMachine", "Tile"]

Tile = tuple[int, int, int, int]
"""Layer, m, n and k of a firing; m is that of a stack's first tile where a firing works on a stack."""


@dataclass(frozen=True, eq=False)
class PlainMachine:
    """Layers on a machine, and the output codes of each.

    `settings` are those of the hardware; `heights` the m tiles in a stack of each layer.
    """

    layers: Sequence[GemmLayer]
    codes: Sequence[Codes]
    heights: Sequence[int]
    settings: dict[str, Any]

    @property
    def cut(self) -> Cut:
        """How the machine cuts layers into tiles."""
        return Cut.of(self.settings)

    def cycles(self, component: str, tile: Tile) -> int:
        """Return the service cycles of a private component for the firing of this tile."""
        rate = self.settings
        if component == "w_decoder":
            return rounded_up(self.weight(tile).ho, rate["codec_bytes_per_cycle"])
        if component == "x_decoder":
            return rounded_up(self.activation(tile).ho, rate["codec_bytes_per_cycle"])
        if component == "encoder":
            return rounded_up(self.output(tile).ho, rate["codec_bytes_per_cycle"])
        if component == "dispatcher":
            weight, activation = self.weight(tile).total, self.activation(tile).total
            return rounded_up(max(weight, activation), rate["sram_bytes_per_cycle"])
        if component in {"accumulator", "ppu"}:
            outputs = self.outputs(tile)
            at_port = rounded_up(4 * outputs, rate["omem_bytes_per_cycle"])
            return max(rounded_up(outputs, rate[f"{component}_lanes"]), at_port)
        return self._pea_cycles(int(component.removeprefix("pea")), tile)

    def moved(self, component: str, tile: Tile) -> int:
        """Return the bytes that a DMA stream moves in the firing of this tile."""
        if component == "w_dma":
            return self.weight(tile).total
        if component == "x_dma":
            return self.activation(tile).total
        return 4 * self.outputs(tile) if component == "s_dma" else self.output(tile).total

    def weight(self, tile: Tile) -> TileSize:
        """Return the bytes of the weight tiles of a stack."""
        layer, m, _, k = tile
        sizes = [_weight_size(self.layers[layer], self.cut, each, k) for each in self._stack(layer, m)]
        return TileSize(sum(size.ho for size in sizes), sum(size.total for size in sizes))

    def activation(self, tile: Tile) -> TileSize:
        """Return the bytes of an activation tile."""
        layer, _, n, k = tile
        return _activation_size(self.layers[layer], self.cut, n, k)

    def output(self, tile: Tile) -> TileSize:
        """Return the bytes of an output tile."""
        layer, m, n, _ = tile
        return output_size(self.codes[layer], self.layers[layer].output, self.cut, m, n)

    def outputs(self, tile: Tile) -> int:
        """Return how many outputs a tile has."""
        number, m, n, _ = tile
        layer = self.layers[number]
        rows = min(self.cut.tile_m, layer.M - m * self.cut.tile_m)
        return rows * min(self.cut.tile_n, layer.N - n * self.cut.tile_n)

    def _stack(self, layer: int, m: int) -> range:
        return range(m, min(m + self.heights[layer], rounded_up(self.layers[layer].M, self.cut.tile_m)))

    def _pea_cycles(self, pea: int, tile: Tile) -> int:
        number, m, n, k = tile
        layer, cut = self.layers[number], self.cut
        firsts = [each * cut.tile_m + pea * cut.v for each in self._stack(number, m)]
        depth = range(k * cut.tile_k, min((k + 1) * cut.tile_k, layer.K))
        columns = range(n * cut.tile_n, min((n + 1) * cut.tile_n, layer.N))
        steps = [
            tile_work(layer, range(first, min(first + cut.v, layer.M)), depth, columns, cut.v)
            for first in firsts
            if first < layer.M
        ]
        operators = (self.settings["n_dwo"], self.settings["n_swo"], self.settings["n_cs"])
        return shared(steps, *operators).cycles if steps else 0


_weight_size, _activation_size = cache(weight_size), cache(activation_size)
