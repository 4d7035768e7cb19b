"""What a layer asks of a machine: its tiles and the bytes of each, as integer arrays."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from panacea_sim.mapping.outputs import OutputBytes
from panacea_sim.mapping.stage import StageWork
from panacea_sim.mapping.tiling import Tiling
from panacea_sim.units import IntArray
from panacea_sim.workload.functional import FunctionalPass

__all__ = ["LayerWork", "Stored", "TileBytes"]


@dataclass(frozen=True, eq=False)
class TileBytes:
    """The bytes of the tiles of one operand: the coded part, which a codec has to read, and the raw part.

    Both arrays are indexed by the two tile coordinates of the operand.
    """

    ho: IntArray
    lo: IntArray

    @property
    def total(self) -> IntArray:
        """Bytes of each tile in memory."""
        return self.ho + self.lo


@dataclass(frozen=True)
class Stored:
    """What is stored of an operand: the share of vectors that is skipped, before fillers, and the vectors stored.

    `rho` is None where no vector could be skipped.
    """

    rho: float | None
    vectors: int


@dataclass(frozen=True, eq=False)
class LayerWork(ABC):
    """What a layer asks of a machine: how it is cut, the bytes of its tiles, and the bytes of its outputs.

    Together with the hardware this decides every cycle of a run without values. What is expensive is computed when it
    is asked for. `computed` is what the numbers of the layer are, None where nobody needs them. Each output passes the
    PPU `passes` times. `sequential` says that each product of the layer needs all outputs of the one before.
    `stage` is vector work that follows with reads and writes of its own. `weight_bits` and `activation_bits` say in
    which width outputs of other layers are read. With `task_visits` sums leave after every task, not only after the
    last of a run of tasks on one output tile.
    """

    tiling: Tiling
    output_bytes: OutputBytes
    computed: FunctionalPass | None
    passes: int = field(default=1, kw_only=True)
    sequential: bool = field(default=False, kw_only=True)
    weight_bits: int = field(default=7, kw_only=True)
    activation_bits: int = field(default=8, kw_only=True)
    stage: StageWork | None = field(default=None, kw_only=True)
    task_visits: bool = field(default=False, kw_only=True)

    @property
    @abstractmethod
    def weight(self) -> TileBytes:
        """Bytes of the weight tiles [m, k]."""

    @property
    @abstractmethod
    def activation(self) -> TileBytes:
        """Bytes of the activation tiles [n, k]."""

    @property
    def stored_w(self) -> Stored:
        """What is stored of the weights."""
        return Stored(None, 0)

    @property
    def stored_x(self) -> Stored:
        """What is stored of the activations."""
        return Stored(None, 0)

    def stored_by_run(self, runs: int) -> list[tuple[Stored, Stored]]:
        """Return what is stored of weights and activations in each layer of a batch."""
        return [(self.stored_w, self.stored_x)] * runs

    @property
    def outputs(self) -> IntArray:
        """Outputs of each output tile [m, n]."""
        return self.tiling.outputs

    @abstractmethod
    def deciding(self) -> Iterable[np.ndarray]:
        """Return the arrays that decide the cycles of the layer, beside its sizes and the bytes of its outputs."""

    def key(self) -> bytes:
        """Return a digest of everything that decides the cycles of the layer on a given machine."""
        digest = hashlib.blake2b(repr((self.tiling, self.passes, self.sequential)).encode())
        for array in self.deciding():
            digest.update(repr(array.shape).encode())
            digest.update(np.packbits(array).tobytes() if array.dtype == np.bool_ else array.tobytes())
        if self.stage is not None:
            digest.update(repr(self.stage.stage).encode())
        for written in (self.output_bytes, *(() if self.stage is None else (self.stage.output_bytes,))):
            for part in (written.ho, written.total, written.pieces):
                digest.update(b"none" if part is None else repr(part.shape).encode() + part.tobytes())
        return digest.digest()
