"""The bytes of output tiles that are encoded for the layers that read them, in each of the formats that they read.

An output tile in a format consists of pieces: T_K indices of the axis along which its streams run, and all that the
tile has on the axis of its vectors. Of the features only those that are read count. All formulas are in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from panacea_sim.errors import MappingError
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.machines.shared.sliced_work import stream_bytes
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.quant.rle import stream_entries
from panacea_sim.quant.slicing import slice_activations
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray, bits_to_bytes, ceil_div
from panacea_sim.workload.gemm_layer import OutputFormat
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.written_format import Form, VectorAxis

__all__ = ["check_output_tiles", "encoded_outputs", "masked_outputs"]

Blocks = Iterable[tuple[int, BoolArray]]
"""Skip masks of one HO slice after the other, each in blocks of lanes: the first lane of a block, and the block."""


def encoded_outputs(
    tiling: SlicedTiling, output: npt.NDArray[np.unsignedinteger], output_format: OutputFormat
) -> OutputBytes:
    """Return the bytes of outputs [M, N], of R products [R, M, N], that are written as activation tiles.

    An output tile holds T_M / T_K of the next layer's activation tiles, each rounded up to bytes by itself. Nobody
    reads the pieces of several products where they lie. Raises MappingError if T_M is not a multiple of T_K.
    """
    check_output_tiles(tiling)
    if tiling.repeat == 1:
        return _of_product(tiling, output, output_format)
    one = replace(tiling, repeat=1)
    products = [_of_product(one, of_product, output_format) for of_product in output]
    ho, total = (np.concatenate([getattr(each, name) for each in products]) for name in ("ho", "total"))
    return OutputBytes(ho, total, products[0].forms)


def _of_product(
    tiling: SlicedTiling, output: npt.NDArray[np.unsignedinteger], output_format: OutputFormat
) -> OutputBytes:
    slices = slice_activations(output, output_format.bits, output_format.lo_bits)
    skipped = skipped_activation_vectors(slices.ho, output_format.frequent, tiling.v)
    form = Form("x", "columns", output_format.bits)
    cut = _cut(tiling, tiling.rows, form.vectors_on)
    piece_ho, piece_lo = _piece_bytes(tiling, cut, len(skipped), [(0, of_slice) for of_slice in skipped])
    ho, total = (_of_tiles(cut, of_pieces)[..., None] for of_pieces in (piece_ho, piece_ho + piece_lo))
    return OutputBytes(ho, total, (form,), piece_ho + piece_lo)


def masked_outputs(tiling: SlicedTiling, layer: MaskedLayer) -> OutputBytes:
    """Return the bytes of the outputs of a layer without values, in each of its formats, from skip masks drawn for it.

    Without a format outputs are dense. What is read in place is known piece by piece, where output tiles are a whole
    number of the next layer's tiles.
    """
    if not layer.formats:
        return dense_outputs(tiling)
    bounds = np.append(0, np.cumsum(tiling.rows))
    ho, total, pieces, in_place = [], [], None, 0
    for number, written in enumerate(layer.formats):
        cut = _cut(tiling, written.features_between(bounds), written.vectors_on)
        blocks = layer.written_vectors(number, int(cut.groups.sum()), int(cut.depths.sum()))
        piece_ho, piece_lo = _piece_bytes(tiling, cut, len(written.skipped), blocks)
        ho.append(_of_tiles(cut, piece_ho))
        total.append(_of_tiles(cut, piece_ho + piece_lo))
        if written.seed is not None and not tiling.tile_m % tiling.tile_k:
            pieces, in_place = piece_ho + piece_lo, number
    forms = tuple(written.form for written in layer.formats)
    return OutputBytes(np.stack(ho, 2), np.stack(total, 2), forms, pieces, in_place)


def check_output_tiles(tiling: SlicedTiling) -> None:
    """Check that an output tile is a whole number of the next layer's activation tiles; raises MappingError."""
    if tiling.tile_m % tiling.tile_k:
        raise MappingError(
            f"An output tile has {tiling.tile_m} rows, which is not a multiple of tile_k = {tiling.tile_k}: the next "
            f"layer could not read it in tiles. Choose hardware.tile_k to divide hardware.n_pea * hardware.v"
        )


@dataclass(frozen=True, eq=False)
class _Cut:
    """How the outputs of a layer are cut in a format: vectors across one axis of them, streams along the other.

    `across` are the tiles of the first axis of which anything is read, `groups` the vectors in each; `along` is the
    tile of the other axis of each piece, `depths` the length of its streams. `shape` counts the tiles of both.
    """

    vectors_on: VectorAxis
    across: IntArray
    groups: IntArray
    along: IntArray
    depths: IntArray
    shape: tuple[int, int]


def _cut(tiling: SlicedTiling, features: IntArray, vectors_on: VectorAxis) -> _Cut:
    """Return the cut of outputs of which so many `features` of each m tile are read."""
    across, along = tiling.columns, features
    if vectors_on == "features":
        across, along = along, across
    tiles, pieces = np.flatnonzero(across), ceil_div(along, tiling.tile_k)
    tile_of = np.repeat(np.arange(len(along)), pieces)
    number = np.arange(len(tile_of)) - (np.cumsum(pieces) - pieces)[tile_of]
    depths = np.minimum(tiling.tile_k, along[tile_of] - number * tiling.tile_k)
    return _Cut(vectors_on, tiles, ceil_div(across[tiles], tiling.v), tile_of, depths, (len(across), len(along)))


def _piece_bytes(tiling: SlicedTiling, cut: _Cut, ho_slices: int, blocks: Blocks) -> tuple[IntArray, IntArray]:
    """Return the bytes of the HO streams and of the LO slices of each piece, [tile of `across`, piece]."""
    entries = np.zeros((cut.groups.sum(), len(cut.depths)), np.int32)
    positions = _positions(cut.depths, tiling.tile_k)
    for first, skipped in blocks:
        if positions is not None:
            placed = np.ones((len(skipped), len(cut.depths) * tiling.tile_k), np.bool_)
            placed[:, positions] = skipped
            skipped = placed  # noqa: PLW2901  # the same vectors
        entries[first : first + len(skipped)] += stream_entries(skipped, tiling.tile_k)
    of_tiles = np.add.reduceat(entries, np.cumsum(cut.groups) - cut.groups, 0, dtype=np.int64)
    streams = np.broadcast_to(ho_slices * cut.groups[:, None], of_tiles.shape)
    lo_bits = cut.groups[:, None] * tiling.v * cut.depths * SLICE_BITS
    return stream_bytes(of_tiles, streams, tiling.v, tiling.tile_k), bits_to_bytes(lo_bits)


def _positions(depths: IntArray, tile_k: int) -> IntArray | None:
    """Return where vectors lie if each piece has room for T_K of them; None if they lie there as they are."""
    if (depths[:-1] == tile_k).all():
        return None
    before = np.cumsum(depths) - depths
    positions: IntArray = np.arange(depths.sum()) + np.repeat(np.arange(len(depths)) * tile_k - before, depths)
    return positions


def _of_tiles(cut: _Cut, piece_bytes: IntArray) -> IntArray:
    """Return the bytes of the output tiles [m, n], the sums of their pieces; 0 where nothing is read."""
    along, first = np.unique(cut.along, return_index=True)
    tiles = np.zeros(cut.shape, np.int64)
    tiles[np.ix_(cut.across, along)] = np.add.reduceat(piece_bytes, first, 1)
    return tiles.T if cut.vectors_on == "columns" else tiles
