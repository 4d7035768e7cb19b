"""The bytes of output tiles that are encoded for the layers that read them, in each of the formats that they read.

An output tile in a format consists of pieces: T_K indices of the axis along which its streams run, and all that the
tile has on the axis of its vectors. Of the features only those that are read count. All formulas are in docs/model.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from panacea_sim.errors import MappingError
from panacea_sim.machines.shared.sliced_tiling import SlicedTiling
from panacea_sim.mapping.outputs import OutputBytes, dense_outputs
from panacea_sim.quant.rle import code_bytes, stream_entries
from panacea_sim.quant.slicing import slice_activations, slice_weights
from panacea_sim.quant.vectors import BoolArray, skipped_activation_vectors, skipped_weight_vectors
from panacea_sim.quant.widths import SLICE_BITS
from panacea_sim.units import IntArray, bits_to_bytes, ceil_div, kept
from panacea_sim.workload.functional import Codes, FunctionalPass
from panacea_sim.workload.gemm_layer import GemmLayer
from panacea_sim.workload.masked_layer import MaskedLayer
from panacea_sim.workload.output_format import OutputFormat, WeightFormat
from panacea_sim.workload.written_format import VectorAxis, features_between

__all__ = ["check_output_tiles", "encoded_outputs", "masked_outputs"]

Blocks = Iterable[tuple[int, BoolArray]]
"""Skip masks of one HO slice after the other, each in blocks of lanes: the first lane of a block, and the block."""


def encoded_outputs(
    tiling: SlicedTiling, layer: GemmLayer, computed: FunctionalPass, *, may_be_raw: bool = False
) -> OutputBytes:
    """Return the bytes of the outputs of a layer with values, in each of the formats in which they are read.

    What is read in place is known piece by piece: `layer.output`, of a single product, as nobody reads the pieces of
    several where they lie. Raises MappingError if output tiles are no whole number of such pieces.
    """
    if layer.output is not None:
        check_output_tiles(tiling)
    bounds = np.append(0, np.cumsum(tiling.rows))
    ho, total, forms, pieces = [], [], [], None
    for written in computed.written:
        assert written.format is not None
        form = written.format.form
        features: IntArray = np.diff(np.searchsorted(written.rows, bounds))
        cut = _cut(tiling, features, form.vectors_on)
        skipped = _skipped(tiling, written.format, written.codes, features)
        blocks = [(0, of_slice) for of_slice in skipped]
        piece_ho, piece_lo = _piece_bytes(tiling, cut, form.ho_slices, blocks, may_be_raw=may_be_raw)
        ho.append(_of_tiles(cut, piece_ho))
        total.append(_of_tiles(cut, piece_ho + piece_lo))
        forms.append(form)
        if layer.output is not None and tiling.repeat == 1:
            pieces = piece_ho + piece_lo
    return OutputBytes(np.stack(ho, 2), np.stack(total, 2), tuple(forms), pieces)


def _skipped(tiling: SlicedTiling, form: OutputFormat | WeightFormat, codes: Codes, features: IntArray) -> BoolArray:
    """Return which vectors of outputs are skipped, [S, lane, position], of so many `features` of each m tile."""
    if isinstance(form, OutputFormat):
        slices = slice_activations(codes, form.bits, form.lo_bits)
        return skipped_activation_vectors(slices.ho, form.frequent, tiling.v)
    if form.features_on == "k":
        return skipped_weight_vectors(slice_weights(codes.T, form.bits).ho, tiling.v)
    # Vectors end with their tile: the last one of each is filled up with zeros.
    groups = ceil_div(features, tiling.v)
    first = np.cumsum(groups) - groups
    place = np.arange(len(codes)) + np.repeat(first * tiling.v - (np.cumsum(features) - features), features)
    whole = np.zeros((groups.sum() * tiling.v, codes.shape[1]), codes.dtype)
    whole[place] = codes
    return skipped_weight_vectors(slice_weights(whole, form.bits).ho, tiling.v)


def masked_outputs(tiling: SlicedTiling, layer: MaskedLayer, *, may_be_raw: bool = False) -> OutputBytes:
    """Return the bytes of the outputs of a layer without values, in each of its formats, from skip masks drawn for it.

    Without a format outputs are dense. What is read in place is known piece by piece, where output tiles are a whole
    number of the next layer's tiles.
    """
    if not layer.formats:
        return dense_outputs(tiling)
    ho, total, pieces, in_place = [], [], None, 0
    for number, written in enumerate(layer.formats):
        cut = _cut_of(tiling, written.features, written.vectors_on)
        blocks = layer.written_vectors(number, int(cut.groups.sum()), int(cut.depths.sum()))
        piece_ho, piece_lo = _piece_bytes(tiling, cut, len(written.skipped), blocks, may_be_raw=may_be_raw)
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


@lru_cache(maxsize=64)
def _cut_of(tiling: SlicedTiling, ranges: tuple[tuple[int, int], ...], vectors_on: VectorAxis) -> _Cut:
    """Return the cut of outputs of which these ranges of features are read: many layers have the same."""
    cut = _cut(tiling, features_between(ranges, np.append(0, np.cumsum(tiling.rows))), vectors_on)
    for each in (cut.across, cut.groups, cut.along, cut.depths):
        kept(each)
    return cut


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


def _piece_bytes(
    tiling: SlicedTiling, cut: _Cut, ho_slices: int, blocks: Blocks, *, may_be_raw: bool
) -> tuple[IntArray, IntArray]:
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
    ho = code_bytes(of_tiles, streams, cut.depths, tiling.v, tiling.tile_k, may_be_raw=may_be_raw)
    return ho, bits_to_bytes(lo_bits)


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
