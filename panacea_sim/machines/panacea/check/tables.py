"""The arrays that the compiled pass works on: what it is given of a layer, where it writes, and its room to work."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.shared.compiled.tile_code import ByteArray, Code, Tile
from panacea_sim.units import IntArray

__all__ = [
    "ACTIVATION_AT",
    "DEPTH_TILE",
    "ENDS_VISIT",
    "FIRST_VISIT",
    "ROW_TILE",
    "TASK_WIDTH",
    "TOKEN_TILE",
    "WEIGHT_AT",
    "Constants",
    "Given",
    "Room",
    "Shape",
    "State",
]

ROW_TILE, TOKEN_TILE, DEPTH_TILE, WEIGHT_AT, ACTIVATION_AT, ENDS_VISIT, FIRST_VISIT, TASK_WIDTH = range(8)
"""The columns of a task: tile coordinates (m is that of the stack's first tile, over all products; n is that of the
output tile, in its product), the addresses of its operands, whether
it ends a visit, and the number of the first visit that it belongs to."""


class Shape(NamedTuple):
    """The sizes of a product and of its tiles; a stack has `height` weight tiles.

    The tiles m of all products of a layer have one numbering, and so have the n of activation tiles: `m_tiles` and
    `n_tiles` are those of a product.
    """

    M: int
    K: int
    N: int
    tile_m: int
    tile_k: int
    tile_n: int
    v: int
    height: int
    m_tiles: int
    n_tiles: int


class Constants(NamedTuple):
    """The numbers that the components of a layer work with, beside the tiles; each is int64.

    `weight_factors` has one for LO and for each HO slice; `activation_factors` those of x_LO, of each stored HO slice
    and of each J; `offline` the compensation of each row; `row_order` the row group that each PEA is dealt; `code`
    that of HO parts.
    """

    weight_factors: IntArray
    activation_factors: IntArray
    offline: IntArray
    row_order: IntArray
    code: Code


class Given(NamedTuple):
    """What is planned for a layer, over all its products.

    Bytes of its weight tiles [m, k] and activation tiles [n, k], and for each visit whether it is its tile's last.
    """

    weight_bytes: IntArray
    activation_bytes: IntArray
    last_visit: IntArray


class State(NamedTuple):
    """What the pass over tasks writes.

    `sums` are partial sums and in the end the accumulators, int32 [R * M, N] for R products; `is_partial` [m, n] says
    that a tile's sums are to be added to, `is_finished` that nothing is to be added any more; `steps` are the DWO, SWO
    and CS steps of the tasks in hand, [task, place in the stack, PEA, 3].
    """

    sums: npt.NDArray[np.int32]
    is_partial: ByteArray
    is_finished: ByteArray
    steps: IntArray


class Room(NamedTuple):
    """Where one thread works: decoded tiles, and what is made of them.

    `operands` is [operand, K, columns], `sums`, those of a visit, [place in the stack, rows, columns].

    `stored` counts the stored activation vectors of each slice, and in its last row of all, [S + 1, K]. `fault` takes
    what was found wrong, the number of the task, the place in the stack and the operand (0 w, 1 x).
    """

    weight: Tile
    activation: Tile
    operands: npt.NDArray[np.int32]
    stored: IntArray
    sums: npt.NDArray[np.int32]
    fault: IntArray
