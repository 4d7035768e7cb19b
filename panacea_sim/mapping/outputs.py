"""What is written of output tiles: the bytes of each in each format, and the firings that write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from panacea_sim.mapping.tiling import Tiling
from panacea_sim.quant.vectors import BoolArray
from panacea_sim.units import IntArray, narrow, repeated
from panacea_sim.workload.written_format import Form

__all__ = ["OutputBytes", "Writes", "dense_outputs", "joined_outputs", "writes_of"]


@dataclass(frozen=True, eq=False)
class OutputBytes:
    """Bytes of each output tile in each format, [m, n, format]: `ho` of encoded HO streams, and `total`.

    `forms` tells the formats apart; dense outputs have none, and are written as one. `pieces` holds the bytes of each
    of the next layer's activation tiles, [n, k], which the format number `in_place` consists of; None where nobody
    could read them in place.
    """

    ho: IntArray
    total: IntArray
    forms: tuple[Form, ...] = ()
    pieces: IntArray | None = None
    in_place: int = 0

    @cached_property
    def fires(self) -> BoolArray:
        """Whether a tile is written in a format, [m, n, format]; one of which nothing is read fires once all the same.

        Its firing moves no bytes, and frees the tile's space.
        """
        fires: BoolArray = self.total > 0
        fires[..., 0] |= ~fires.any(2)
        return fires

    def number_of(self, form: Form) -> int | None:
        """Return which of the formats has this form, None if none has."""
        return self.forms.index(form) if form in self.forms else None

    def piece_offsets(self, rows_per_tile: int) -> IntArray:
        """Return where in its output tile each piece begins, [n, k]; an output tile holds `rows_per_tile` of them."""
        assert self.pieces is not None
        ends = np.cumsum(self.pieces, axis=1)
        before = ends - self.pieces
        k = np.arange(self.pieces.shape[1])
        offsets: IntArray = before - before[:, k // rows_per_tile * rows_per_tile]
        return offsets


@dataclass(frozen=True, eq=False)
class Writes:
    """The firings that write output tiles, tile after tile as they are finished, each in one format after the other.

    `m`, `n` and `form` are the tile and the number of the format; `first` and `last` are 1 in the first and the last
    firing of a tile, else 0.
    """

    m: IntArray
    n: IntArray
    form: IntArray
    first: IntArray
    last: IntArray


def writes_of(outputs: OutputBytes, m: IntArray, n: IntArray) -> Writes:
    """Return the firings that write output tiles (m, n), which are given in the order in which they are finished."""
    fires = outputs.fires
    if fires.shape[2] == 1:
        one = repeated(1, len(m))
        return Writes(m, n, repeated(0, len(m)), one, one)
    tile, form = np.nonzero(fires[m, n])
    is_new = np.diff(tile, prepend=-1, append=len(m)) > 0
    first, last = (narrow(each.astype(np.int64)) for each in (is_new[:-1], is_new[1:]))
    return Writes(m[tile], n[tile], narrow(form), first, last)


def joined_outputs(each: Sequence[OutputBytes]) -> OutputBytes | None:
    """Return the outputs of layers of one shape, one behind the other; None if not all write the same tiles."""
    first = each[0]
    if any(other.forms != first.forms or not np.array_equal(other.fires, first.fires) for other in each):
        return None
    ho, total = (np.concatenate(parts) for parts in zip(*((other.ho, other.total) for other in each), strict=True))
    return OutputBytes(ho, total, first.forms)


def dense_outputs(tiling: Tiling, element_bytes: int = 1) -> OutputBytes:
    """Return the bytes of outputs that no layer reads as an operand: so many each, nothing to encode."""
    outputs = tiling.outputs[..., None]
    return OutputBytes(np.zeros_like(outputs), outputs * element_bytes)
