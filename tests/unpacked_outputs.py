"""Outputs as they lie in DRAM in one of their formats, unpacked tile by tile, without the code that packs them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from panacea_sim.machines.panacea.values import TravellingValues
from panacea_sim.machines.shared.program import PlannedLayer
from panacea_sim.machines.shared.tile_format import TileShape, unpack_tile
from panacea_sim.workload.output_format import OutputFormat, WeightFormat

__all__ = ["piece_at", "unpacked_outputs"]

Ints = npt.NDArray[np.int64]


def unpacked_outputs(
    planned: PlannedLayer,
    number: int,
    form: OutputFormat | WeightFormat,
    features: Sequence[int],
    piece_at: Callable[[int], bytes],
) -> Ints:
    """Return the codes [feature that is read, column] in format `number`; `piece_at` gives what begins at an address.

    What it gives may be longer than the piece.
    """
    tiling = planned.plan.work.tiling
    found = np.zeros((len(features), tiling.N), np.int64)
    for m in range(tiling.repeat * tiling.m_tiles):
        product, inside = divmod(m, tiling.m_tiles)
        first = product * tiling.M + inside * tiling.tile_m
        end = min(first + tiling.tile_m, (product + 1) * tiling.M)
        rows = [at for at, feature in enumerate(features) if first <= feature < end]
        if not rows:
            continue
        for n in range(tiling.n_tiles):
            columns = list(range(n * tiling.tile_n, min((n + 1) * tiling.tile_n, tiling.N)))
            address = int(planned.layout.output[m, n, number])
            sizes = planned.output_bytes.total[m, n, number]
            tile, used = _tile(form, rows, columns, address, piece_at, tiling.v, tiling.tile_k)  # type: ignore[attr-defined]
            assert used == sizes
            found[np.ix_(rows, columns)] = tile
    return found


def piece_at(values: Any) -> Callable[[int], bytes]:  # noqa: ANN401  # those that travel or those that are checked
    """Return what gives the bytes that begin at an address."""
    if isinstance(values, TravellingValues):
        return values.image.__getitem__
    image = values.image.tobytes()
    return lambda address: image[address : address + 4096]


def _tile(
    form: OutputFormat | WeightFormat,
    rows: list[int],
    columns: list[int],
    address: int,
    piece_at: Callable[[int], bytes],
    v: int,
    tile_k: int,
) -> tuple[Ints, int]:
    """Return the codes of a tile and the bytes that it takes."""
    on_columns = isinstance(form, OutputFormat) or form.features_on == "k"
    along, lanes = (len(rows), len(columns)) if on_columns else (len(columns), len(rows))
    slices = form.bits // 4 - 1 if isinstance(form, OutputFormat) else (form.bits - 1) // 3 - 1
    parts, used = [], 0
    for first in range(0, along, tile_k):
        depth = min(tile_k, along - first)
        shape = TileShape(slices, -(-lanes // v), depth, v, tile_k)
        piece = piece_at(address + used)
        size = _size_of(piece, shape)
        tile = unpack_tile(piece[:size], shape, np.array(form.frequent, np.uint8))
        codes = _digits(tile.lo, tile.ho, form)  # [group, depth, lane in it]
        parts.append(codes.transpose(1, 0, 2).reshape(depth, -1)[:, :lanes])
        used += size
    whole = np.concatenate(parts)
    return (whole if on_columns else whole.T), used


def _size_of(piece: bytes, shape: TileShape) -> int:
    """Return the bytes of the tile that begins here: its code is read bit by bit."""
    bits = "".join(f"{byte:08b}" for byte in piece[shape.lo_bytes :])
    at, count_bits = 0, int(np.ceil(np.log2(shape.tile_k + 1)))
    for _ in range(shape.ho_slices * shape.groups):
        at += count_bits + int(bits[at : at + count_bits], 2) * 4 * (1 + shape.v)
    return shape.lo_bytes + -(-at // 8)


def _digits(lo: npt.NDArray[np.uint8], ho: npt.NDArray[np.uint8], form: OutputFormat | WeightFormat) -> Ints:
    if isinstance(form, OutputFormat):
        values = lo.astype(np.int64) << (form.lo_bits - 4)
        return values + sum(
            (each.astype(np.int64) << (form.lo_bits + 4 * s) for s, each in enumerate(ho)), np.zeros_like(values)
        )
    signed = [np.where(each > 7, each.astype(np.int64) - 16, each.astype(np.int64)) for each in (lo, *ho)]
    return sum((8**s * each for s, each in enumerate(signed)), np.zeros_like(signed[0]))
